"""Checks for lesson 04: the cross-entropy from scores."""

import numpy as np

from lessons.exercise import close, expect, slopes


def check_cross_entropy(solution):
    """Write `cross_entropy(z, c)`: the mean loss for scores z (m, K) of any size and true classes c (m,)."""
    for z, c in examples():
        got = solution.cross_entropy(z, c)
        expect(np.shape(got) == (), "the loss is one number, whatever the number of examples", z=z, c=c, got=got)
        expect(close(got, loss(z, c)), "the loss is the mean of -log softmax(z) at the true classes", z=z, c=c, got=got)
    z, c = np.array([[0.5, 1.0, -0.5]]), np.array([2])
    for shift in (1e4, -1e4):
        with np.errstate(all="ignore"):
            got = solution.cross_entropy(z + shift, c)
        given = dict(z=z + shift, c=c, got=got)
        expect(np.isfinite(got), "the loss is a finite number", **given)
        expect(close(got, loss(z, c)), "adding one number to all scores of an example changes nothing", **given)
    z = np.array([[-1e4, 1e4]])
    with np.errstate(all="ignore"):
        got = solution.cross_entropy(z, np.array([0]))
    expect(
        close(got, z[0, 1] - z[0, 0]), "hopelessly wrong, the loss is the gap between the scores", z=z, c=[0], got=got
    )


def check_gradient(solution):
    """Write `gradient(z, c)`: the slope of the mean loss in every score, shape (m, K)."""
    for z, c in examples():
        got = solution.gradient(z, c)
        given = dict(z=z, c=c, got=got)
        expect(np.shape(got) == z.shape, "the gradient has the shape of the scores", **given)
        expect(close(np.sum(got, axis=1), np.zeros(len(z))), "the slopes of one example add up to 0", **given)
        measured = slopes(lambda z, c=c: loss(z, c), z)
        expect(close(got, measured), "the gradient is the slope of the MEAN loss", measured=measured, **given)


def check_binary_loss(solution):
    """Write `binary_loss(z, y)`: the cross-entropy of a sigmoid unit from z, entry by entry, for z of any size."""
    rng = np.random.default_rng(2)
    z, y = rng.normal(size=5), np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    got = solution.binary_loss(z, y)
    expect(np.shape(got) == (5,), "there is one loss for each entry of z", z=z, y=y, got=got)
    a = 1 / (1 + np.exp(-z))
    wanted = np.where(y == 1, -np.log(a), -np.log(1 - a))
    expect(close(got, wanted), "the loss is -log of the probability given to the label", z=z, y=y, got=got)
    z, y = np.array([-800.0, 800.0, 800.0, -800.0]), np.array([1.0, 0.0, 1.0, 0.0])
    with np.errstate(all="ignore"):
        got = solution.binary_loss(z, y)
    expect(np.isfinite(got), "the loss is finite for any z", z=z, y=y, got=got)
    expect(close(got, np.where(y == (z > 0), 0.0, np.abs(z))), "a large |z| costs nothing or |z|", z=z, y=y, got=got)


def examples():
    rng = np.random.default_rng(0)
    for m, K in [(1, 2), (1, 4), (5, 3)]:
        yield rng.normal(size=(m, K)), rng.integers(0, K, m)


def loss(z, c):
    return -np.mean([np.log(np.exp(row[k]) / np.sum(np.exp(row))) for row, k in zip(z, c, strict=True)])
