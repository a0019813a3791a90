"""Checks for lesson 21: maximum pooling with windows that overlap, and its gradient."""

import numpy as np

from lessons.exercise import close, expect

SETTINGS = [(4, 4, 2, 2), (7, 5, 3, 2), (5, 5, 2, 1), (6, 7, 1, 3), (8, 6, 2, 3)]  # H, W, size, stride


def check_max_pool(solution):
    """Write `max_pool(f, size, stride)`: the largest number of each window of f (H, W) that lies inside."""
    rng = np.random.default_rng(0)
    for H, W, size, stride in SETTINGS:
        f = rng.permutation(H * W).reshape(H, W) - 20.0
        got = solution.max_pool(f, size, stride)
        given = dict(f=f, size=size, stride=stride, got=got)
        places = ((H - size) // stride + 1, (W - size) // stride + 1)
        expect(np.shape(got) == places, f"there are {places} windows inside", **given)
        for p, q in np.ndindex(places):
            window = f[stride * p : stride * p + size, stride * q : stride * q + size]
            expect(close(got[p][q], window.max()), f"entry ({p}, {q}) is the largest of its window", **given)


def check_max_pool_gradient(solution):
    """Write `max_pool_gradient(f, size, stride, delta)`: how sum(delta * max_pool(f, size, stride)) changes with f."""
    rng = np.random.default_rng(1)
    for H, W, size, stride in SETTINGS:
        f = rng.permutation(H * W).reshape(H, W) - 20.0
        delta = rng.normal(size=((H - size) // stride + 1, (W - size) // stride + 1))
        got = solution.max_pool_gradient(f, size, stride, delta)
        given = dict(f=f, size=size, stride=stride, delta=delta, got=got)
        expect(np.shape(got) == f.shape, f"the gradient has the shape of f, {f.shape}", **given)
        expect(close(np.sum(got), delta.sum()), "each error arrives somewhere, and only once", **given)
        measured = np.zeros((H, W))
        for index in np.ndindex(H, W):
            step = np.zeros((H, W))
            step[index] = 1e-3  # all numbers are whole, so no maximum changes its place
            difference = max_pool(f + step, size, stride) - max_pool(f - step, size, stride)
            measured[index] = np.sum(delta * difference) / 2e-3
        expect(close(got, measured), "the gradient is the slope at every number of f", measured=measured, **given)


def max_pool(f, size, stride):
    return np.lib.stride_tricks.sliding_window_view(f, (size, size))[::stride, ::stride].max((-2, -1))
