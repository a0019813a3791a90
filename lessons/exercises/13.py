"""Checks for lesson 13: one more optimiser, and the best momentum of a ravine."""

import numpy as np

from lessons.exercise import close, expect


def check_adamax(solution):
    """Write `adamax(gradients, alpha, beta_1, beta_2)`: the places after each step from w = 0, (T, n) for (T, n)."""
    constant = np.full((5, 2), [3.0, -0.01])
    got = solution.adamax(constant, 0.1, 0.9, 0.999)
    expect(np.shape(got) == (5, 2), "there is a place for each step", got=got)
    steps = np.outer(np.arange(1, 6), [-0.1, 0.1])
    expect(close(got, steps), "under a constant gradient each step has the length alpha, whatever its size", got=got)

    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(30, 3)) * [1.0, 10.0, 0.1]
    got = solution.adamax(gradients, 0.1, 0.9, 0.99)
    scaled = solution.adamax(1000 * gradients, 0.1, 0.9, 0.99)
    expect(close(got, scaled), "gradients a thousand times larger lead to the same places", got=got, scaled=scaled)
    alone = [solution.adamax(gradients[:, i : i + 1], 0.1, 0.9, 0.99) for i in range(3)]
    expect(close(got, np.hstack(alone)), "each weight walks as if it were alone", got=got)

    w, average, largest = np.zeros(3), np.zeros(3), np.zeros(3)
    for t, g in enumerate(gradients, 1):
        average = 0.9 * average + 0.1 * g
        largest = np.maximum(0.99 * largest, np.abs(g))
        w = w - 0.1 / (1 - 0.9**t) * average / largest
        expect(close(got[t - 1], w), "the place is that of the formula", step=t, got=got[t - 1])


def check_best_momentum(solution):
    """Write `best_momentum(curvatures)`: the pair (eta, mu) with which the slowest direction shrinks fastest."""
    for curvatures in ([1.0, 50.0], [0.2, 3.0, 0.7], [4.0, 100.0, 25.0, 9.0]):
        got = solution.best_momentum(np.array(curvatures))
        expect(np.shape(got) == (2,), "the result is a pair", got=got)
        eta, mu = (float(value) for value in got)
        expect(eta > 0 and 0 <= mu < 1, "0 < eta and 0 <= mu < 1", curvatures=curvatures, got=got)
        slowest = factor(eta, mu, curvatures)
        for other_eta, other_mu in [(eta * 1.05, mu), (eta * 0.95, mu), (eta, mu * 1.05), (eta, mu * 0.95)]:
            expect(
                slowest < factor(other_eta, other_mu, curvatures),
                "a slightly different eta or mu is slower",
                curvatures=curvatures,
                got=got,
                other=(other_eta, other_mu),
            )


def factor(eta, mu, curvatures):
    """By how much the slowest direction shrinks in a step: the larger solution of r^2 - (1 + mu - eta c) r + mu = 0."""
    return max(np.abs(np.roots([1.0, -(1 + mu - eta * c), mu])).max() for c in curvatures)
