"""Checks for lesson 64: two halves of the keys, a single query by a warp, and the tiles that a causal mask leaves."""

import math

import numpy as np

from lessons.exercise import close, expect, simulated


def check_merge(solution):
    """Write `merge(O_a, L_a, O_b, L_b)`: (O, L) over all keys from those over two halves; O (n, d), L (n,)."""
    rng = np.random.default_rng(0)
    for n, keys, cut, scale in [(3, 8, 4, 1.0), (4, 9, 2, 1.0), (3, 6, 3, 3000.0)]:
        q, k, v = rng.normal(size=(n, 4)) * scale, rng.normal(size=(keys, 4)), rng.normal(size=(keys, 5))
        hidden = np.zeros((n, keys), bool)
        hidden[0, cut:] = True  # query 0 may not see the second half, query 1 not the first
        hidden[1, :cut] = True
        a = attention(q, k[:cut], v[:cut], hidden[:, :cut])
        b = attention(q, k[cut:], v[cut:], hidden[:, cut:])
        O, L = attention(q, k, v, hidden)
        got_O, got_L = solution.merge(*a, *b)
        shown = dict(L_a=a[1], L_b=b[1])
        expect(np.shape(got_O) == O.shape and np.shape(got_L) == L.shape, "O and L have the shapes they had", **shown)
        expect(np.isfinite(got_O), "the result is finite where a half was hidden or a score is huge", **shown, O=got_O)
        expect(close(got_L, L), "e^L = e^(L_a) + e^(L_b)", **shown, got=got_L)
        expect(close(got_O, O), "O is the attention over both halves", **shown, got=got_O, expected=O)


def check_one_query(solution):
    """Write the kernel `one_query(q, k, v, o)`: o = attention of one query, width 32, by one block of 32 threads."""
    rng = np.random.default_rng(1)
    for keys, scale in [(1, 1.0), (20, 1.0), (50, 30.0)]:
        q, k, v = rng.normal(size=32) * scale, rng.normal(size=(keys, 32)), rng.normal(size=(keys, 32))
        q, k, v = (x.astype(np.float32) for x in (q, k, v))
        o = np.full(32, np.nan, np.float32)
        report = simulated(solution.one_query, 1, 32, q, k, v, o)
        right, _ = attention(*(x.astype(np.float64) for x in (q[None], k, v)), np.zeros((1, keys), bool))
        expect(np.isfinite(o), "all 32 columns are written, and finite", keys=keys, o=o)
        expect(close(o, right[0], 1e-4), "o = softmax(k q / sqrt(32)) v", keys=keys, o=o, expected=right[0])
        for name, array in [("k", k), ("v", v)]:
            reads = report.counts.of(name, action="load").accesses
            expect(reads == array.size, f"each number of {name} is read exactly once", reads=reads, numbers=array.size)


def check_visited(solution):
    """Write `visited(N, rows, columns)`: how many tiles a causal kernel visits: those with a key <= a query."""
    for N, rows, columns in [
        (64, 16, 16),
        (128, 64, 32),
        (128, 32, 64),
        (100, 16, 16),
        (65, 64, 32),
        (7, 3, 2),
        (1, 64, 32),
    ]:
        got = solution.visited(N, rows, columns)
        right = sum(first <= min(start + rows, N) - 1 for start in range(0, N, rows) for first in range(0, N, columns))
        expect(
            got == right, "a tile counts if its last query sees its first key", N=N, rows=rows, columns=columns, got=got
        )


def attention(q, k, v, hidden):
    s = np.where(hidden, -np.inf, q @ k.T / math.sqrt(q.shape[1]))
    m = s.max(axis=1, keepdims=True)
    powers = np.exp(s - np.where(np.isfinite(m), m, 0))
    l = powers.sum(axis=1, keepdims=True)
    L = [top + math.log(total) if total else -math.inf for top, total in zip(m[:, 0], l[:, 0], strict=True)]
    return powers / np.where(l > 0, l, 1) @ v, np.array(L)
