"""Checks for lesson 26: the statistics of a folder, and mirrored images."""

import numpy as np

from lessons.exercise import close, expect


def check_mean_and_spread(solution):
    """Write `mean_and_spread(images)`: means (3,) and spreads (3,) over all pixels of a list of images (H, W, 3)."""
    rng = np.random.default_rng(0)
    for sizes in ([(3, 4)], [(2, 2), (2, 2)], [(1, 2), (6, 5)], [(4, 1), (1, 7), (5, 5)]):
        images = [rng.uniform(0, 1, (*size, 3)) * rng.uniform(0.2, 1) for size in sizes]
        got = solution.mean_and_spread(images)
        given = dict(sizes=sizes, got=got)
        expect(np.shape(got) == (2, 3), "there are two arrays with a number for each of the three channels", **given)
        for channel in range(3):
            pixels = [image[row, column, channel] for image in images for row, column in np.ndindex(image.shape[:2])]
            mean = sum(pixels) / len(pixels)
            expect(close(got[0][channel], mean), "the mean counts every pixel of every image once", **given)
            squares = sum((pixel - mean) ** 2 for pixel in pixels) / len(pixels)
            relation = "the square of the spread is the mean squared distance of all pixels from that one mean"
            expect(close(got[1][channel] ** 2, squares), relation, **given)


def check_mirror(solution):
    """Write `mirror(images, chosen)`: images (N, C, H, W), the chosen ones with left and right exchanged."""
    rng = np.random.default_rng(1)
    for chosen in ([True], [False], [True, False, True], [False, True, True, False]):
        images = rng.integers(0, 10, (len(chosen), 2, 2, 3)).astype(float)
        before = images.copy()
        got = solution.mirror(images, np.array(chosen))
        expect(np.shape(got) == before.shape, "the images keep their shape", chosen=chosen, got=got)
        for i, mirrored in enumerate(chosen):
            given = dict(chosen=chosen, image=before[i], got=got[i])
            if mirrored:
                for column in range(3):
                    relation = f"column {column} of a chosen image was column {2 - column}"
                    expect(close(got[i][:, :, column], before[i][:, :, 2 - column]), relation, **given)
            else:
                expect(close(got[i], before[i]), "an image that is not chosen stays as it was", **given)
