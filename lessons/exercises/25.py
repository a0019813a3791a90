"""Checks for lesson 25: the way back through a residual block, and the paths of a chain of blocks."""

import math

import numpy as np

from lessons.exercise import close, expect, slopes


def check_backward(solution):
    """Write `backward(x, W_1, W_2, g)`: dL/dx, dL/dW_1, dL/dW_2 of y = x + W_2 relu(W_1 x), given g = dL/dy."""
    rng = np.random.default_rng(0)
    for n, m in [(1, 1), (3, 5), (4, 2)]:
        x, g = rng.normal(size=n), rng.normal(size=n)
        W_1, W_2 = rng.normal(size=(m, n)), rng.normal(size=(n, m))
        got = solution.backward(x, W_1, W_2, g)
        expect(len(got) == 3, "there are three gradients: of x, of W_1 and of W_2", got=got)
        places = [x, W_1, W_2]
        for which, name in reversed(list(enumerate(["x", "W_1", "W_2"]))):  # from the last layer back

            def loss_with(value, which=which, places=places, g=g):
                x, W_1, W_2 = [*places[:which], value, *places[which + 1 :]]
                return g @ (x + W_2 @ np.maximum(W_1 @ x, 0))

            measured = slopes(loss_with, places[which])
            given = dict(n=n, m=m, got=got[which], measured=measured)
            expect(np.shape(got[which]) == measured.shape, f"the gradient of {name} has the shape of {name}", **given)
            expect(close(got[which], measured), f"the gradient of {name} is the slope of L = g . y", **given)


def check_by_length(solution):
    """Write `by_length(slopes)`: the sums over all paths that go through exactly 0, 1, ..., L of the L blocks."""
    rng = np.random.default_rng(1)
    for blocks in (1, 2, 3, 6):
        f_slopes = rng.normal(size=blocks)
        got = solution.by_length(f_slopes)
        expect(np.shape(got) == (blocks + 1,), "there are L + 1 sums", slopes=f_slopes, got=got)
        expect(close(got[0], 1.0), "the one path that goes past all blocks counts 1", slopes=f_slopes, got=got)
        expect(close(got[1], f_slopes.sum()), "the second sum is that of all slopes", slopes=f_slopes, got=got)
        expect(close(got[-1], np.prod(f_slopes)), "the last sum is the plain network", slopes=f_slopes, got=got)
        expect(close(np.sum(got), np.prod(1 + f_slopes)), "all sums make the product", slopes=f_slopes, got=got)
        # with a factor t before each f, a path through k blocks counts t^k times as much
        for t in (-1.0, 0.5, 2.0):
            what = f"with all slopes times {t:g}, the sum of all paths is that of the lengths k times ({t:g})^k"
            scaled = np.dot(got, t ** np.arange(blocks + 1))
            expect(close(scaled, np.prod(1 + t * f_slopes)), what, slopes=f_slopes, got=got)
    got = solution.by_length(np.ones(60))
    counts = [math.comb(60, k) for k in range(61)]
    what = "with 60 slopes of 1 each sum is the number of ways to choose k of 60 blocks"
    expect(close(got, counts), what, got=got, ways=np.array(counts, float))
