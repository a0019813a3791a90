"""Checks for lesson 32: bits per letter, a smoothed count, and the temperature."""

import numpy as np

from lessons.exercise import close, expect


def check_bits(solution):
    """Write `bits(p)`: bits per letter; p (n,) has the probabilities that a model gave to the letters that came."""
    for n in (2, 10, 96):
        got = solution.bits(np.full(7, 1 / n))
        expect(np.shape(got) == (), "bits per letter are one number", got=got)
        expect(close(2**got, n), "2 to the bits is n where all n letters had the same probability", n=n, got=got)
    p = np.random.default_rng(0).uniform(0.01, 1.0, 12)
    whole, halves = solution.bits(p), [solution.bits(p[:6]), solution.bits(p[6:])]
    expect(close(whole, np.mean(halves)), "a text costs the mean of its two halves", whole=whole, halves=halves)
    zeros_and_ones = len(p) * solution.bits(p)
    expect(close(2**-zeros_and_ones, np.prod(p)), "2 to the minus bits of the text is the product of all p", p=p)


def check_witten_bell(solution):
    """Write `witten_bell(counts, below)`: p (n,) of n letters, from counts (n,) and the shorter model's p (n,)."""
    rng = np.random.default_rng(1)
    for n in (3, 6):
        below = rng.uniform(0.1, 1.0, n)
        below /= below.sum()
        for counts in (rng.integers(0, 4, n), np.eye(n, dtype=int)[0], np.full(n, 5)):
            got = solution.witten_bell(counts, below)
            given = dict(counts=counts, below=below, got=got)
            expect(np.shape(got) == (n,), "there is one probability for each letter", **given)
            expect(close(np.sum(got), 1.0), "they sum to 1", **given)
            N, different = counts.sum(), np.count_nonzero(counts)
            new = counts == 0
            share = different / (N + different) if N else 1.0
            relation = "together, new letters get V / (N + V) of what the shorter model gives them"
            expect(close(np.sum(np.asarray(got)[new]), share * below[new].sum()), relation, **given)
            many = solution.witten_bell(1000 * counts, below)
            if N:
                expect(close(many, counts / N, 0.02), "with many counts it comes near the plain share", **given)
        nothing = solution.witten_bell(np.zeros(n, int), below)
        expect(close(nothing, below), "a context that was never seen leaves it to the shorter model", got=nothing)


def check_with_temperature(solution):
    """Write `with_temperature(p, t)`: probabilities p (V,), none of them 0, at temperature t, also at 0.001."""
    p = np.array([0.5, 0.3, 0.15, 0.05])
    for t in (0.25, 0.7, 1.0, 2.0):
        got = np.asarray(solution.with_temperature(p, t))
        given = dict(p=p, t=t, got=got)
        expect(got.shape == p.shape, "there are as many probabilities as before", **given)
        expect(close(got.sum(), 1.0), "they sum to 1", **given)
        ratio = "the ratio of two probabilities is raised to the power 1 / t"
        expect(close(got[1:] / got[:-1], (p[1:] / p[:-1]) ** (1 / t)), ratio, **given)
    cold = solution.with_temperature(p, 0.001)
    expect(close(cold, [1.0, 0.0, 0.0, 0.0]), "near t = 0 only the most probable letter is left", got=cold)
