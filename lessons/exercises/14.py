"""Checks for lesson 14: weights that keep a signal alive, dropout, early stopping."""

import numpy as np

from lessons.exercise import close, expect


def check_weights(solution):
    """Write `weights(sizes, slope, seed)`: matrices (out, in) that keep the mean square of a leaky ReLU's signal."""
    sizes = [500, 700, 400, 600, 300, 800, 500]
    for slope in (0.0, 0.25, 1.0):
        matrices = solution.weights(sizes, slope, 0)
        expect(len(matrices) == len(sizes) - 1, "there is one matrix less than there are sizes", got=len(matrices))
        signal = np.random.default_rng(1).normal(size=(300, sizes[0]))
        before = np.mean(signal**2)
        for i, W in enumerate(matrices):
            shape = (sizes[i + 1], sizes[i])
            expect(np.shape(W) == shape, "a matrix has the shape (units, inputs)", shape=np.shape(W), wanted=shape)
            spread = np.std(W)
            expect(abs(np.mean(W)) < 0.05 * spread, "the weights have the mean 0", mean=np.mean(W), spread=spread)
            z = signal @ np.transpose(W)
            signal = np.where(z > 0, z, slope * z)
            after = np.mean(signal**2)
            what = "the mean square behind a layer is about that before the first"
            expect(0.7 < after / before < 1.4, what, slope=slope, layer=i + 1, before=before, after=after)
        other = solution.weights(sizes, slope, 1)
        expect(not close(matrices[0], other[0]), "another seed gives other weights", slope=slope)
        expect(len(np.unique(matrices[0])) > 1000, "the weights are random", slope=slope)


def check_dropout(solution):
    """Write `dropout(x, p, rng)`: the pair (y, factor), with dL/dx = factor * dL/dy."""
    x = np.random.default_rng(2).normal(size=(200, 300))
    for p in (0.0, 0.2, 0.75):
        y, factor = solution.dropout(x, p, np.random.default_rng(3))
        expect(np.shape(y) == np.shape(factor) == x.shape, "both have the shape of x", p=p)
        zeros = np.mean(np.asarray(y) == 0)
        expect(abs(zeros - p) < 0.02, "about the share p of y is zero", p=p, zeros=zeros)
        total = np.mean(y * x) / np.mean(x * x)
        expect(abs(total - 1) < 0.05, "on average y is x", p=p, average=total)
        expect(close(factor * x, y), "y = factor * x, since dy/dx is the factor", p=p)
        expect(len(np.unique(factor)) <= 2, "what is kept is multiplied by one and the same number", p=p)
    first, other = (solution.dropout(x, 0.5, np.random.default_rng(seed))[0] for seed in (4, 5))
    expect(not close(first, other), "another rng drops other entries")


def check_stopped(solution):
    """Write `stopped(losses, patience)`: the epoch (from 0) whose weights early stopping returns."""
    cases = [
        ([3.0, 2.0, 1.0], 1, 2),
        ([1.0, 2.0, 3.0], 1, 0),
        ([3.0, 2.0, 2.5, 2.6, 1.0], 2, 1),
        ([3.0, 2.0, 2.5, 2.6, 1.0], 3, 4),
        ([5.0, 4.0, 4.5, 3.0, 3.5, 3.6, 3.7, 0.0], 3, 3),
        ([2.0, 2.0, 2.0], 5, 0),
        ([1.0], 1, 0),
    ]
    for losses, patience, epoch in cases:
        got = solution.stopped(np.array(losses), patience)
        what = "the epoch has the lowest loss of those that were seen (the first, if it comes twice)"
        expect(np.shape(got) == () and got == epoch, what, losses=losses, patience=patience, got=got)
