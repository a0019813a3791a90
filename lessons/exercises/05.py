"""Checks for lesson 05: gradients of a linear model, and steps against them."""

import numpy as np

from lessons.exercise import close, expect, slopes


def check_gradient(solution):
    """Write `gradient(w, b, X, y)`: the gradients of w (K,) and b for the mean squared error of X w + b, X (n, K)."""
    rng = np.random.default_rng(0)
    for n, K in [(4, 1), (1, 2), (6, 3)]:
        w, b, X, y = rng.normal(size=K), 0.7, rng.normal(size=(n, K)), rng.normal(size=n)
        got = solution.gradient(w, b, X, y)
        given = dict(w=w, b=b, X=X, y=y, got=got)
        expect(len(got) == 2, "the result is a pair: the gradient of w and the gradient of b", **given)
        expect(np.shape(got[0]) == (K,), "the gradient of w has one entry for each weight", **given)
        expect(np.shape(got[1]) == (), "the gradient of b is one number", **given)
        by_b = slopes(lambda v, w=w, X=X, y=y: mse(w, v, X, y), b)
        expect(close(got[1], by_b), "the gradient of b is the slope of J", measured=by_b, **given)
        by_w = [
            slopes(lambda v, k=k, w=w, X=X, y=y: mse(np.where(np.arange(len(w)) == k, v, w), 0.7, X, y), w[k])
            for k in range(K)
        ]
        expect(close(got[0], by_w), "the gradient of w is the slope of J", measured=by_w, **given)


def check_descend(solution):
    """Write `descend(gradient, start, alpha, steps)`: all places on the way, the start included, (steps + 1, K)."""
    curvature = np.array([1.0, 3.0, 10.0])

    def gradient(theta):
        return curvature * theta

    for start, steps in [(np.array([1.0, -2.0, 0.5]), 4), (np.array([3, 1, 2]), 1), (np.array([1.0, 1.0, 1.0]), 0)]:
        got = solution.descend(gradient, start, 0.05, steps)
        given = dict(start=start, alpha=0.05, steps=steps, got=got)
        expect(np.shape(got) == (steps + 1, 3), "there is one row for the start and one for each step", **given)
        expect(close(got[0], start), "the first row is the start", **given)
        for t in range(steps):
            moved = np.subtract(got[t + 1], got[t])
            expect(
                close(moved, -0.05 * gradient(np.asarray(got[t]))),
                f"step {t + 1} is -alpha times the gradient at the place before it",
                moved=moved,
                **given,
            )


def check_largest_alpha(solution):
    """Write `largest_alpha(x)`: below it, descent of the line's mean squared error converges, above it explodes."""
    rng = np.random.default_rng(1)
    for x in (np.array([0.0, 1.0, 2.0, 3.0]), rng.normal(size=10), 5 + rng.normal(size=6)):
        got = solution.largest_alpha(x)
        expect(np.shape(got) == () and got > 0, "the border is one positive number", x=x, got=got)
        for factor, word in [(0.98, "falls"), (1.02, "grows")]:
            start, end = distances(x, factor * got)
            what = f"with {factor} times the border, the distance from the bottom {word} in 2000 steps"
            expect((end < start) == (factor < 1), what, x=x, got=got, before=start, after=end)


def mse(w, b, X, y):
    return np.mean((X @ w + b - y) ** 2)


def distances(x, alpha, steps=2000):
    """Of (w, b) from the bottom (0, 0), for the labels 0, before and after descent; it stops where it explodes."""
    theta = np.array([1.0, 1.0])
    for _ in range(steps):
        error = theta[0] * x + theta[1]
        theta = theta - alpha * 2 * np.array([np.mean(error * x), np.mean(error)])
        if not np.linalg.norm(theta) < 1e6:
            break
    return np.sqrt(2), np.linalg.norm(theta)
