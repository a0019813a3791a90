"""Checks for lesson 07: the gradient of one unit."""

import numpy as np

from lessons.exercise import close, expect, slopes


def check_gradients(solution):
    """Write `gradients(w, b, x, y)`: the gradients of w and b for a tanh unit, E = (y - tanh(w . x + b))^2 / 2."""
    rng = np.random.default_rng(0)
    for inputs in (1, 3):
        w, x = rng.normal(size=inputs), rng.normal(size=inputs)
        b, y = 0.3, -0.5
        got = solution.gradients(w, b, x, y)
        given = dict(w=w, b=b, x=x, y=y, got=got)
        expect(len(got) == 2, "the result is a pair: the gradient of w and the gradient of b", **given)
        expect(np.shape(got[0]) == (inputs,), "the gradient of w has one entry for each weight", **given)
        expect(np.shape(got[1]) == (), "the gradient of b is one number", **given)
        by_w = [
            slopes(lambda v, k=k: error(np.where(np.arange(inputs) == k, v, w), b, x, y), w[k]) for k in range(inputs)
        ]
        expect(close(got[1], slopes(lambda v: error(w, v, x, y), b)), "the gradient of b is the slope of E", **given)
        expect(close(got[0], by_w), "the gradient of w is the slope of E", measured=by_w, **given)


def error(w, b, x, y):
    return (y - np.tanh(w @ x + b)) ** 2 / 2
