"""Checks for lesson 28: a gradient down to the input, an occlusion map, and the shortest change of a decision."""

import numpy as np

from lessons.exercise import close, expect, slopes


def check_saliency(solution):
    """Write `saliency(x, W_1, b_1, W_2, b_2, k)`: the gradient of s_k by x, with s = W_2 relu(W_1 x + b_1) + b_2."""
    rng = np.random.default_rng(0)
    for n, hidden, classes in [(1, 2, 2), (4, 6, 3), (7, 5, 4)]:
        x, W_1, b_1 = rng.normal(size=n), rng.normal(size=(hidden, n)), rng.normal(size=hidden)
        W_2, b_2 = rng.normal(size=(classes, hidden)), rng.normal(size=classes)
        for k in range(classes):
            got = solution.saliency(x, W_1, b_1, W_2, b_2, k)

            def score(x, W_1=W_1, b_1=b_1, W_2=W_2, b_2=b_2, k=k):
                return (W_2 @ np.maximum(W_1 @ x + b_1, 0) + b_2)[k]

            measured = slopes(score, x)
            given = dict(inputs=n, hidden=hidden, k=k, got=got, measured=measured)
            expect(np.shape(got) == (n,), "there is one number for each input", **given)
            expect(close(got, measured), "it equals the central differences of the score of class k", **given)


def check_occlusion_map(solution):
    """Write `occlusion_map(score, image, size, fill)`: the score lost when a square at each place is covered."""
    rng = np.random.default_rng(1)
    for (height, width), size, fill in [((3, 3), 1, 0.0), ((4, 6), 2, 0.0), ((5, 4), 3, 0.5), ((2, 2), 2, 1.0)]:
        image, weights = rng.uniform(size=(height, width)), rng.normal(size=(height, width))
        kept = image.copy()

        def score(picture, weights=weights):
            return float(np.sum(weights * np.asarray(picture) ** 2))

        got = solution.occlusion_map(score, image, size, fill)
        given = dict(image=kept, size=size, fill=fill, got=got)
        places = (height - size + 1, width - size + 1)
        expect(np.shape(got) == places, f"a {size} x {size} square has {places} places", **given)
        expect(np.array_equal(image, kept), "the image itself is left as it was", **given)
        for row, column in np.ndindex(places):
            square = slice(row, row + size), slice(column, column + size)
            # this score is a sum over pixels, so the loss is the sum of what the square's pixels lose
            lost = np.sum(weights[square] * (kept[square] ** 2 - fill**2))
            what = (
                f"at {(row, column)} stands the score of the image less that of the image with the square there covered"
            )
            expect(close(got[row][column], lost), what, **given)


def check_sharpest_change(solution):
    """Write `sharpest_change(W, b, x, j, k)`: the shortest d with which W (x + d) + b is the same for j and k."""
    rng = np.random.default_rng(2)
    for classes, n in [(2, 1), (3, 4), (5, 8)]:
        W, b, x = rng.normal(size=(classes, n)), rng.normal(size=classes), rng.normal(size=n)
        j, k = (int(c) for c in np.argsort(-(W @ x + b))[:2])
        got = solution.sharpest_change(W, b, x, j, k)
        expect(np.shape(got) == (n,), "the change has the shape of x", x=x, j=j, k=k, got=got)
        after = W @ (x + got) + b
        expect(
            close(after[j], after[k]),
            "with the change, classes j and k score the same",
            scores=after,
            j=j,
            k=k,
            got=got,
        )
        for _ in range(5):
            aside = rng.normal(size=n)
            aside -= (aside @ (W[j] - W[k])) / np.sum((W[j] - W[k]) ** 2) * (W[j] - W[k])
            what = (
                "no part of the change leads along directions that leave s_j - s_k as it is: these only make it longer"
            )
            expect(close(got @ aside, 0.0), what, direction=aside, j=j, k=k, got=got)
