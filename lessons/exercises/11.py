"""Checks for lesson 11: a check of gradients, and a gradient that needs one."""

import numpy as np

from lessons.exercise import close, expect


def check_agrees(solution):
    """Write `agrees(f, gradient, at, seed)`: whether gradient(at) is the gradient of f, by one random direction."""
    at = np.random.default_rng(0).normal(size=(6, 6))
    curve = np.random.default_rng(1).normal(size=(6, 6))

    def right(x):
        return curve * np.cos(x)

    def one_sign_wrong(x):
        return right(x) * np.where(np.arange(36).reshape(6, 6) == 21, -1, 1)

    candidates = [
        (True, "the gradient", right),
        (False, "twice the gradient", lambda x: 2 * right(x)),
        (False, "the gradient with the wrong sign", lambda x: -right(x)),
        (False, "the gradient transposed", lambda x: right(x).T),
        (False, "the gradient with one wrong sign among 36", one_sign_wrong),
        (False, "a gradient that is 2 % too large", lambda x: 1.02 * right(x)),
    ]
    for scale in (1.0, 1e-4, 1e6):
        calls = []

        def f(x, scale=scale, calls=calls):
            calls.append(1)
            return scale * np.sum(curve * np.sin(x))

        for expected, name, candidate in candidates:
            for seed in range(5):
                calls.clear()
                got = solution.agrees(f, lambda x, c=candidate, scale=scale: scale * c(x), at, seed)
                what = f"agrees is {expected} for {name} of {scale:g} * sum(c sin(x))"
                expect(bool(got) == expected, what, seed=seed, got=got)
                expect(1 <= len(calls) <= 4, "f is called at most four times", calls=len(calls))
    got = solution.agrees(lambda x: 7.0, np.zeros_like, at, 0)
    expect(bool(got), "agrees is True for zero as the gradient of a function that never changes", got=got)


def check_softmax_backward(solution):
    """Write `softmax_backward(p, g)`: dL/dz for p = softmax(z) and g = dL/dp, both of shape (n,)."""
    rng = np.random.default_rng(2)
    for n in (1, 2, 5):
        z, g = rng.normal(size=n), rng.normal(size=n)
        p = softmax(z)
        got = solution.softmax_backward(p, g)
        expect(np.shape(got) == (n,), "there is one slope for each entry of z", p=p, g=g, got=got)
        steps = 1e-6 * np.eye(n)
        measured = np.array([g @ (softmax(z + step) - softmax(z - step)) / 2e-6 for step in steps])
        expect(close(got, measured), "the result is how g . softmax(z) changes with z", p=p, g=g, got=got)
    p, g = softmax(rng.normal(size=20_000)), rng.normal(size=20_000)
    got = solution.softmax_backward(p, g)
    expect(abs(np.sum(got)) < 1e-12, "the slopes add up to 0: adding a number to all of z changes nothing", n=20_000)


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()
