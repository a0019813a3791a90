"""Checks for lesson 03: a softmax for many examples and the slope of SiLU."""

import numpy as np

from lessons.exercise import close, expect


def check_softmax(solution):
    """Write `softmax(Z)`: the softmax of each row of a table, also for scores of 1000."""
    rng = np.random.default_rng(0)
    for Z in (rng.normal(size=(1, 3)), rng.normal(size=(3, 3)), 2 * rng.normal(size=(4, 2))):
        with np.errstate(all="ignore"):
            got = solution.softmax(Z)
        expect(np.shape(got) == Z.shape, f"the result has the shape of Z, {Z.shape}", Z=Z, got=got)
        expect(np.asarray(got) > 0, "every probability is positive", Z=Z, got=got)
        expect(close(np.sum(got, axis=1), np.ones(len(Z))), "each row sums to 1", Z=Z, got=got)
        ratios = np.log(np.asarray(got) / np.asarray(got)[:, :1])
        expect(close(ratios, Z - Z[:, :1]), "log(p_k / p_0) = z_k - z_0 in each row", Z=Z, got=got)
    Z = np.array([[1000.0, 999.0], [-1000.0, -1001.0], [0.0, -1.0]])
    with np.errstate(all="ignore"):
        got = solution.softmax(Z)
    expect(np.isfinite(got), "the result is finite, however large or small the scores of a row are", Z=Z, got=got)
    expect(close(got[0], got[2]) and close(got[1], got[2]), "rows with equal differences are equal", Z=Z, got=got)


def check_silu_slope(solution):
    """Write `silu_slope(z)`: the slope of z sigmoid(z), for arrays, also for z = 1000 and z = -1000."""
    z = np.array([-3.0, -1.2785, 0.0, 0.5, 4.0])
    with np.errstate(all="ignore"):
        got = solution.silu_slope(z)
    measured = (silu(z + 1e-5) - silu(z - 1e-5)) / 2e-5
    expect(np.shape(got) == z.shape, "there is one slope for each z", z=z, got=got)
    expect(close(got, measured), "the result is the slope of z sigmoid(z)", z=z, got=got, measured=measured)
    z = np.array([-1000.0, 1000.0])
    with np.errstate(all="ignore"):
        got = solution.silu_slope(z)
    expect(close(got, relu_like(z)), "far from 0, the curve is as ReLU, and so is its slope", z=z, got=got)


def silu(z):
    return z / (1 + np.exp(-z))


def relu_like(z):
    return np.where(z > 0, 1.0, 0.0)
