"""Checks for lesson 62: a fused sum, the size from which arithmetic limits a product, registers and occupancy."""

import numpy as np

from lessons.exercise import expect, simulated

THREADS = 128


def check_add_three(solution):
    """Write the kernel `add_three(a, b, c, y)`: y = a + b + c, moving 16 bytes an element; blocks of 128 threads."""
    rng = np.random.default_rng(0)
    for n in (128, 512, 200, 3):
        a, b, c = rng.normal(size=(3, n)).astype(np.float32)
        y = np.full(n, np.nan, np.float32)
        report = simulated(solution.add_three, -(-n // THREADS), THREADS, a, b, c, y)
        expect(np.allclose(y, a + b + c, atol=1e-5), "y[i] = a[i] + b[i] + c[i]", a=a, b=b, c=c, y=y)
        moved = report.counts.of(space="global").bytes
        expect(moved == 16 * n, "three numbers are read and one is written for each element", n=n, bytes_moved=moved)
        if n % 8 == 0:
            sent = 32 * report.counts.of(space="global").sectors
            expect(sent == moved, "neighbouring threads work on neighbouring numbers", n=n, bytes_sent=sent)


def check_least_n(solution):
    """Write `least_n(peak, bandwidth)`: the smallest n whose n x n product is limited by arithmetic, at best."""
    for peak, bandwidth in [(19.5e12, 2.039e12), (66.9e12, 3.35e12), (1e9, 2e9), (6e9, 1e9)]:
        n = solution.least_n(peak, bandwidth)
        given = dict(peak=peak, bandwidth=bandwidth, got=n)
        expect(n == int(n) and n >= 1, "n counts rows", **given)
        relation = "at this n, the operations take at least as long as the bytes"
        expect(2 * n**3 / peak >= 12 * n**2 / bandwidth * (1 - 1e-12), relation, **given)
        less = n - 1
        expect(2 * less**3 / peak < 12 * less**2 / bandwidth or less == 0, "at n - 1, they do not", **given)


def check_most_registers(solution):
    """Write `most_registers(threads, blocks)`: the most registers a thread can have if an SM is to hold the blocks."""
    for threads, blocks in [(256, 2), (256, 8), (1024, 1), (32, 1), (96, 5), (128, 3), (512, 3), (640, 1), (1024, 64)]:
        got = solution.most_registers(threads, blocks)
        given = dict(threads=threads, blocks=blocks, got=got)
        expect(got == int(got) and 0 <= got <= 255, "a thread has at most 255 registers", **given)
        expect(got == 0 or fit(threads, got) >= blocks, "with as many registers, the blocks fit", **given)
        expect(got == 255 or fit(threads, got + 1) < blocks, "with one more, they do not", **given)


def fit(threads, registers):
    warps = threads // 32
    return 4 * (16_384 // (-(-32 * registers // 256) * 256)) // warps
