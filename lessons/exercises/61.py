"""Checks for lesson 61: a product with a transpose, without bank conflicts, and the bytes of ragged tiles."""

import numpy as np

from lessons.exercise import close, expect, simulated

TILE = 16


def check_times_transposed(solution):
    """Write the kernel `times_transposed(a, b, c)`: c = a b^T by tiles of 16 x 16, read without bank conflicts."""
    rng = np.random.default_rng(0)
    for M, N, K in [(16, 16, 16), (32, 48, 64), (20, 17, 9)]:
        a, b = rng.normal(size=(M, K)).astype(np.float32), rng.normal(size=(N, K)).astype(np.float32)
        c = np.full((M, N), np.nan, np.float32)
        grid = (-(-N // TILE), -(-M // TILE))
        report = simulated(solution.times_transposed, grid, (TILE, TILE), a, b, c)
        shapes = dict(a=a.shape, b=b.shape)
        expect(close(c, a.astype(np.float64) @ b.T, 1e-4), "c[i, j] = sum_k a[i, k] b[j, k]", **shapes, got=c)
        read = report.counts.of("a", "b")
        once_a_tile = 4 * (M * K * -(-N // TILE) + N * K * -(-M // TILE))
        relation = "a number of a or b is fetched once for each tile of c that needs it"
        expect(read.bytes == once_a_tile, relation, **shapes, fetched=read.bytes, needed=once_a_tile)
        if M % TILE == N % TILE == K % TILE == 0:
            relation = "what is fetched lies side by side: no sector is sent in vain"
            expect(32 * read.sectors == once_a_tile, relation, **shapes, sent=32 * read.sectors, needed=once_a_tile)
        replays = report.counts.of(action="load", space="shared").replays
        expect(
            replays == 0, "reading shared memory takes no pass more than needed", **shapes, additional_passes=replays
        )


def check_fetched(solution):
    """Write `fetched(M, N, K, R, S)`: bytes that move for a product by tiles of R x S, M and N of any size."""
    for R, S in [(1, 1), (2, 4), (128, 64)]:
        for M, N, K in [(256, 512, 64), (1, 1, 1), (130, 63, 5)]:
            expected = 4 * M * N
            for top in range(0, M, R):
                for left in range(0, N, S):
                    expected += 4 * K * (min(R, M - top) + min(S, N - left))
            got = solution.fetched(M, N, K, R, S)
            relation = "4 bytes for each row and column that a tile has, K times, and for each element of C"
            expect(close(got, expected), relation, M=M, N=N, K=K, R=R, S=S, got=got)
