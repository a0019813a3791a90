"""Checks for lesson 40: several heads that do not see the future, attention in one pass, and positions that shift."""

import numpy as np

from lessons.exercise import close, expect


def check_multi_head(solution):
    """Write `multi_head(X, W_Q, W_K, W_V, W_O, h)`: causal self-attention with h heads; X (n, d), matrices (d, d)."""
    rng = np.random.default_rng(0)
    for n, d, h in [(1, 2, 1), (4, 6, 1), (5, 6, 2), (3, 6, 3)]:
        X, (W_Q, W_K, W_V, W_O) = rng.normal(size=(n, d)), rng.normal(size=(4, d, d))
        got = solution.multi_head(X, W_Q, W_K, W_V, W_O, h)
        sizes = dict(n=n, d=d, h=h)
        expect(np.shape(got) == (n, d), "as many vectors of width d come out as went in", **sizes, got=got)
        expect(close(got[0], X[0] @ W_V @ W_O), "the first place sees itself alone", **sizes, X=X, got=got)
        changed = X.copy()
        changed[-1] = rng.normal(size=d)
        other = solution.multi_head(changed, W_Q, W_K, W_V, W_O, h)
        expect(
            close(got[:-1], other[:-1]), "a change at the last place changes no place before", before=got, after=other
        )
        wide = d // h
        only = W_O * (np.arange(d) < wide)[:, None]  # what the other heads say is thrown away
        first = causal(X @ W_Q[:, :wide], X @ W_K[:, :wide], X @ W_V[:, :wide]) @ W_O[:wide]
        alone = solution.multi_head(X, W_Q, W_K, W_V, only, h)
        relation = "where W_O lets only the first head through, it is attention with the first d/h columns"
        expect(close(alone, first), relation, **sizes, got=alone, expected=first)
        right = np.zeros((n, d))
        for start in range(0, d, wide):
            own = slice(start, start + wide)
            right += causal(X @ W_Q[:, own], X @ W_K[:, own], X @ W_V[:, own]) @ W_O[own]
        expect(
            close(got, right), "each head goes through its own rows of W_O, and all of them add up", **sizes, got=got
        )


def check_one_pass(solution):
    """Write `one_pass(q, pairs)`: attention of a query q (d,); `pairs` yields (key, value) after (key, value), once."""
    rng = np.random.default_rng(1)
    for n, scale in [(1, 1.0), (5, 1.0), (40, 1.0), (30, 1e4)]:
        q, K, V = rng.normal(size=8) * scale, rng.normal(size=(n, 8)), rng.normal(size=(n, 3))
        for order in (np.argsort(K @ q), np.argsort(-K @ q), np.arange(n)):
            pairs = Once(zip(K[order], V[order], strict=True))
            got = solution.one_pass(q, pairs)
            shown = dict(n=n, largest_score=(K @ q).max() / np.sqrt(8), got=got)
            expect(np.shape(got) == (3,), "the result is as wide as a value", **shown)
            expect(np.isfinite(got), "no power overflows, however large the scores are", **shown)
            right = attention(q[None], K, V)[0]
            expect(close(got, right), "the result is softmax(K q / sqrt(d)) V, in any order", **shown, expected=right)


def check_shift(solution):
    """Write `shift(d, k)`: R (d, d), for even d, with t[pos] @ R = t[pos + k] for the positions of the lesson."""
    for d, k in [(2, 1), (6, 1), (8, 3), (16, -2)]:
        R, t = solution.shift(d, k), positions(40, d)
        expect(np.shape(R) == (d, d), "R has the shape (d, d)", d=d, k=k, R=R)
        moved = t[5:30] @ R
        relation = "t[pos] @ R = t[pos + k] for every pos"
        expect(close(moved, t[5 + k : 30 + k]), relation, d=d, k=k, got_for_5=moved[0], wanted_for_5=t[5 + k])


class Once:
    """Pairs that can be walked through a single time, also by a copy."""

    def __init__(self, pairs):
        self.left = list(pairs)

    def __iter__(self):
        return self

    def __next__(self):
        if not self.left:
            raise StopIteration
        return self.left.pop(0)


def attention(Q, K, V, hidden=False):
    S = np.where(hidden, -np.inf, Q @ K.T / np.sqrt(Q.shape[-1]))
    P = np.exp(S - S.max(axis=-1, keepdims=True))
    return P / P.sum(axis=-1, keepdims=True) @ V


def causal(Q, K, V):
    return attention(Q, K, V, ~np.tri(len(Q), dtype=bool))


def positions(n, d):
    angles = np.arange(n)[:, None] * 10000.0 ** (-np.arange(0, d, 2) / d)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(n, d)
