"""Checks for lesson 06: batches that cover an epoch, and the mean over them."""

import numpy as np

from lessons.exercise import close, expect


def check_batches(solution):
    """Write `batches(n, m, rng)`: index arrays of length m (the last perhaps shorter), all of 0 to n - 1, shuffled."""
    for n, m in [(6, 2), (7, 3), (5, 5), (3, 8), (4, 1)]:
        got = solution.batches(n, m, np.random.default_rng(0))
        given = dict(n=n, m=m, got=got)
        lengths = [len(batch) for batch in got]
        expect(all(length == m for length in lengths[:-1]), "every batch but the last has m entries", **given)
        expect(0 < lengths[-1] <= m, "the last batch has at least one entry and at most m", **given)
        together = np.concatenate([np.asarray(batch) for batch in got])
        expect(sorted(together.tolist()) == list(range(n)), "every index occurs once in the epoch", **given)
    orders = [np.concatenate(solution.batches(30, 7, np.random.default_rng(seed))).tolist() for seed in (1, 2, 1)]
    expect(orders[0] != list(range(30)), "the order is shuffled", got=orders[0])
    expect(orders[0] != orders[1], "two seeds give two orders", seed_1=orders[0], seed_2=orders[1])
    expect(orders[0] == orders[2], "the same seed gives the same order", first=orders[0], second=orders[2])


def check_epoch_mean(solution):
    """Write `epoch_mean(means, sizes)`: the mean over all examples, from the means of the batches and their sizes."""
    rng = np.random.default_rng(0)
    for sizes in ([4, 4], [8, 8, 4], [5], [3, 1, 2, 6]):
        losses = [rng.normal(size=size) for size in sizes]
        means = [batch.mean() for batch in losses]
        got = solution.epoch_mean(means, sizes)
        wanted = np.concatenate(losses).mean()
        expect(close(got, wanted), "each example counts alike", means=means, sizes=sizes, got=got, of_examples=wanted)
