"""Checks for lesson 60: an array from back to front, the largest number of a block, a transpose in whole sectors."""

import numpy as np

from lessons.exercise import expect, simulated

THREADS = 64
SIDE = 16


def check_reverse(solution):
    """Write the kernel `reverse(x, y)`: y is x from back to front; blocks of 64 threads, any length."""
    for n in (64, 192, 1, 100):
        x, y = np.arange(n, dtype=np.float32), np.full(n, -1, np.float32)
        simulated(solution.reverse, -(-n // THREADS), THREADS, x, y)
        expect(np.array_equal(y, x[::-1]), "y[i] = x[n - 1 - i]", n=n, y=y)


def check_block_largest(solution):
    """Write the kernel `block_largest(x, largest)`: largest[b] is the largest number of block b; 64 threads a block."""
    rng = np.random.default_rng(0)
    for n in (64, 256, 70, 5):
        x = rng.normal(size=n).astype(np.float32) - 10
        blocks = -(-n // THREADS)
        largest = np.full(blocks, np.nan, np.float32)
        simulated(solution.block_largest, blocks, THREADS, x, largest)
        expected = [x[start : start + THREADS].max() for start in range(0, n, THREADS)]
        expect(
            np.array_equal(largest, expected),
            "largest[b] is the largest of x[64 b], ..., x[64 b + 63]",
            n=n,
            x=x,
            got=largest,
        )


def check_transpose(solution):
    """Write the kernel `transpose(x, y)`: y[i, j] = x[j, i]; blocks of 16 x 16 threads, all sectors used in full."""
    for rows, columns in [(16, 16), (32, 64), (20, 35)]:
        x = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
        y = np.full((columns, rows), -1, np.float32)
        grid = (-(-columns // SIDE), -(-rows // SIDE))  # blocks lie over x: along its columns first
        report = simulated(solution.transpose, grid, (SIDE, SIDE), x, y)
        expect(np.array_equal(y, x.T), "y[i, j] = x[j, i]", x=x, y=y)
        if rows % SIDE == columns % SIDE == 0:
            for access in ("load", "store"):
                moved = 32 * report.counts.of(action=access, space="global").sectors
                relation = f"each {access} uses all bytes of its sectors: no more are moved than the matrix has"
                expect(moved == x.nbytes, relation, shape=x.shape, moved=moved, needed=x.nbytes)
