"""Checks for lesson 41: the size of a GPT, sampling from the best few, and the learning rate."""

import numpy as np

from lessons.exercise import close, expect


def check_parameters(solution):
    """Write `parameters(V, T, C, L)`: how many a GPT has (letters, places, width, blocks), as exercise 1 describes."""

    def by_parts(V, T, C, L):
        block = [4 * C, 3 * C * C, 3 * C, C * C, C, 4 * C * C, 4 * C, 4 * C * C, C]
        return sum([V * C, T * C, *(L * block), 2 * C, V * C, V])

    for sizes in [(2, 1, 1, 1), (96, 128, 96, 2), (96, 128, 96, 3), (50257, 1024, 768, 12)]:
        V, T, C, L = sizes
        got = solution.parameters(V, T, C, L)
        relation = "all tables, matrices, biases and norms are counted once"
        expect(close(got, by_parts(*sizes)), relation, V=V, T=T, C=C, L=L, got=got)


def check_top_k(solution):
    """Write `top_k(p, k)`: of the probabilities p (V,), all different, the k largest, made to sum to 1; the rest 0."""
    rng = np.random.default_rng(0)
    for V in (4, 9):
        p = rng.permutation(np.arange(1.0, V + 1))
        p /= p.sum()
        for k in (1, 2, V - 1, V, V + 3):
            got = np.asarray(solution.top_k(p, k))
            given = dict(p=p, k=k, got=got)
            expect(got.shape == p.shape, "there are as many probabilities as before", **given)
            expect(np.count_nonzero(got) == min(k, V), "k of them are left, or all if there are no more", **given)
            expect(close(got.sum(), 1.0), "they sum to 1", **given)
            left = got > 0
            expect(p[left].min() > p[~left].max(initial=0), "those left are the largest", **given)
            ratios = got[left] / p[left]
            expect(close(ratios, np.full(len(ratios), ratios[0])), "those left keep their ratios", **given)


def check_learning_rate(solution):
    """Write `learning_rate(step, warm, total, top)`: up to top in `warm` steps, then half a cosine to 0 at total."""
    for warm, total, top in [(10, 100, 0.003), (5, 55, 1.0)]:
        rates = [solution.learning_rate(step, warm, total, top) for step in range(total + 1)]
        given = dict(warm=warm, total=total, top=top)
        rise, fall = np.array(rates[: warm + 1]), np.array(rates[warm:])
        expect(close(rise, top * np.arange(warm + 1) / warm), "from 0 up to top in a straight line", **given, got=rise)
        expect(close(fall[[0, -1]], [top, 0.0]), "the wave goes from top at `warm` to 0 at `total`", **given, got=fall)
        expect(close(fall[len(fall) // 2], top / 2), "half way down it is top / 2", **given, got=fall)
        expect(
            close(fall + fall[::-1], np.full(len(fall), top)), "it is the same wave from both ends", **given, got=fall
        )
        wave = top * (1 + np.cos(np.linspace(0, np.pi, len(fall)))) / 2
        expect(close(fall, wave), "it falls like a cosine", **given, got=fall)
