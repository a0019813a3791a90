"""Checks for lesson 22: a loss for integer labels, and images that move."""

import numpy as np

from lessons.exercise import close, expect


def check_sparse_cross_entropy(solution):
    """Write `sparse_cross_entropy(p, labels)`: the mean loss; p (n, classes), integer labels (n,) or (n, 1)."""
    rng = np.random.default_rng(0)
    for n, classes in [(1, 2), (4, 4), (7, 10)]:
        p = rng.uniform(0.1, 1.0, (n, classes))
        p /= p.sum(axis=1, keepdims=True)
        labels = rng.integers(0, classes, n)
        one_hot = (np.arange(classes) == labels[:, None]).astype(float)
        wanted = -np.sum(one_hot * np.log(p)) / n
        for form, shaped in [("(n,)", labels), ("(n, 1)", labels[:, None])]:
            got = solution.sparse_cross_entropy(p, shaped)
            given = dict(p=p, labels=shaped, got=got)
            expect(np.shape(got) == (), f"the mean over all images is one number, for labels {form}", **given)
            relation = f"it equals the categorical cross-entropy of one-hot labels, for labels {form}"
            expect(close(got, wanted), relation, **given)


def check_move(solution):
    """Write `move(images, down, right)`: images (N, H, W), all moved by whole pixels; zeros come in."""
    images = np.arange(1.0, 41.0).reshape(2, 4, 5)
    for down, right in [(0, 0), (1, 0), (0, 2), (-1, 0), (0, -2), (2, -1), (-3, 4), (4, 0), (0, -7)]:
        got = solution.move(images, down, right)
        given = dict(down=down, right=right, image=images[0], got=got)
        expect(np.shape(got) == images.shape, "the images keep their size", **given)
        for row in range(4):
            for column in range(5):
                before = (row - down, column - right)
                if 0 <= before[0] < 4 and 0 <= before[1] < 5:
                    relation = f"what is at {(row, column)} was at {before}"
                    expect(close(got[:, row, column], images[:, *before]), relation, **given)
                else:
                    relation = f"at {(row, column)} a zero has come in"
                    expect(close(got[:, row, column], np.zeros(2)), relation, **given)
