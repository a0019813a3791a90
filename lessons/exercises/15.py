"""Checks for lesson 15: reading a table of right and wrong answers."""

import numpy as np

from lessons.exercise import close, expect


def check_recall(solution):
    """Write `recall(table)`: for each digit the share of its images that were read correctly (rows: truth)."""
    rng = np.random.default_rng(0)
    for classes in (2, 10):
        table = rng.integers(0, 9, (classes, classes)) + 20 * np.eye(classes, dtype=int)
        got = solution.recall(table)
        expect(np.shape(got) == (classes,), "there is one share for each digit", table=table, got=got)
        counted = [sum(table[i, j] for j in range(classes) if j == i) / sum(table[i]) for i in range(classes)]
        expect(
            not close(got, np.diag(table) / table.sum(0)),
            "each share is taken of a row, the images of one digit, not of a column",
            table=table,
            got=got,
        )
        expect(
            close(got, counted), "the share of digit i is right answers for i / all images of i", table=table, got=got
        )
