"""Checks for lesson 12: dealing out the data."""

import numpy as np

from lessons.exercise import expect


def check_split(solution):
    """Write `split(n, shares, seed)`: the numbers 0 .. n-1 in random order, in one array for each share."""
    for n, shares in [(10, (0.5, 0.5)), (100, (0.7, 0.2, 0.1)), (7, (0.4, 0.3, 0.3)), (1000, (1.0,))]:
        parts = solution.split(n, shares, 0)
        given = dict(n=n, shares=shares, got=parts)
        expect(len(parts) == len(shares), "there is one array for each share", **given)
        every = np.concatenate([np.asarray(part) for part in parts])
        expect(sorted(every.tolist()) == list(range(n)), "each of 0 .. n-1 is in exactly one array", **given)
        for part, share in zip(parts, shares, strict=True):
            expect(abs(len(part) - share * n) <= 1, "an array has about share * n numbers (off by 1 at most)", **given)
    first, again, other = (np.concatenate(solution.split(100, (0.5, 0.5), seed)) for seed in (1, 1, 2))
    expect(np.array_equal(first, again), "the same seed gives the same order")
    expect(not np.array_equal(first, other), "another seed gives another order")
    expect(not np.array_equal(first, np.arange(100)), "the order is random")
