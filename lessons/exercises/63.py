"""Checks for lesson 63: a part taken out of a pair, the log-sum-exp in one pass, the way back of the log-softmax."""

import math

import numpy as np

from lessons.exercise import close, expect, simulated

WARP = 32


def check_split(solution):
    """Write `split(whole, a)`: pairs (m, l) of a set and a part of it -> the rest's sum of e^(x - m)."""
    rng = np.random.default_rng(0)
    for n, cut, scale in [(5, 2, 1.0), (9, 4, 1.0), (6, 1, 300.0), (7, 3, 300.0), (4, 0, 1.0)]:
        x = rng.normal(size=n) * scale
        whole, part = pair(x), pair(x[:cut])
        got = solution.split(whole, part)
        expect(np.ndim(got) == 0, "the result is a number", whole=whole, a=part, got=got)
        expect(np.isfinite(got), "it is finite, whatever the two maxima are", whole=whole, a=part, got=got)
        right = sum(math.exp(number - whole[0]) for number in x[cut:])
        relation = "it is the sum of e^(x_j - m) over the numbers that are not in the part"
        expect(close(got, right), relation, x=x, part=x[:cut], whole=whole, a=part, got=got)


def check_log_sum_exp(solution):
    """Write the kernel `log_sum_exp(x, L)`: a warp a row, each number read once; also for rows of -inf."""
    rng = np.random.default_rng(1)
    for rows, columns, scale in [(3, 64, 1.0), (2, 100, 1.0), (4, 7, 1.0), (2, 200, 100.0)]:
        x = (rng.normal(size=(rows, columns)) * scale).astype(np.float32)
        x[0, : columns // 2] = -np.inf
        x[-1] = -np.inf if rows > 2 else x[-1]
        L = np.full(rows, np.nan, np.float32)
        report = simulated(solution.log_sum_exp, rows, WARP, x, L)
        right = [log_sum_exp(row) for row in x]
        finite = np.isfinite(right)
        expect(np.array_equal(np.isfinite(L), finite), "L is -inf for rows of -inf alone, and else finite", L=L, x=x)
        relation = "L = log(sum_j e^(x_j)), without overflow"
        expect(close(L[finite], np.array(right)[finite], 1e-5), relation, L=L, right=right)
        expect(np.isneginf(L[~finite]), "a row of -inf has L = -inf", L=L)
        reads = report.counts.of("x", action="load").accesses
        expect(reads == x.size, "each number is read exactly once", numbers=x.size, reads=reads)


def check_log_softmax_backward(solution):
    """Write the kernel `log_softmax_backward(log_p, g, dx)`: dx = g - e^(log_p) sum(g), a warp a row."""
    rng = np.random.default_rng(2)
    for rows, columns in [(2, 32), (3, 50), (2, 5)]:
        x, g = rng.normal(size=(2, rows, columns)).astype(np.float32)
        log_p = (x - np.array([[log_sum_exp(row)] for row in x])).astype(np.float32)
        dx = np.full_like(x, np.nan)
        simulated(solution.log_softmax_backward, rows, WARP, log_p, g, dx)
        right = g - np.exp(log_p) * g.sum(axis=1, keepdims=True)
        expect(close(dx, right, 1e-5), "dx_j = g_j - p_j sum_i g_i", log_p=log_p, g=g, dx=dx)


def pair(x):
    m = max(x, default=-math.inf)
    return m, sum(math.exp(number - m) for number in x)


def log_sum_exp(row):
    m, l = pair(row[np.isfinite(row)].astype(np.float64))
    return m + math.log(l) if l else -math.inf
