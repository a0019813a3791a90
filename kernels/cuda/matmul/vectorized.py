"""Rung 4: 16 bytes at a time, and two buffers.

A third of rung 3's instructions do not multiply. One instruction can read four neighbouring numbers: the 16 reads
for each k become 4. For that, the four must be neighbours: a thread's rows and columns come in two groups of four, and
the tile of A is turned on its way to shared memory, to be read along a column.

Rung 3 also waits: it asks for a tile, waits until it has come through all of memory, and only then computes. Here there
are two buffers. While the block computes with the tile in one, the next is on its way from memory to registers; then
it is put into the other. One barrier a step is enough, since nobody writes to the buffer that is being read::

    step:   fetch tile k (to registers)  |  multiply tile k - 1  |  put tile k (to the other buffer)  |  barrier

In each step a thread fetches four numbers of A and four of B: with 128 x 128 tiles of C and 256 threads, that makes
steps of 8 along K. K and N must be multiples of 4, so that each four lie inside of the matrix or outside of it, and
16 bytes never start between two multiples of 16. The next rung drops this condition.

A column of a turned tile is 4 numbers longer than needed: so the threads of a warp, which put numbers of 16 rows and
two groups of k, meet in no bank of shared memory.

Operations: 2 M N K.

Bytes and intensity: as rung 3, 32 operations a byte. For each k, the threads of a warp want 2 x 256 bytes of B and
2 x 32 of A, at least 6 cycles of shared memory for 64 multiplications; and 128 of the inner loop's 144 instructions
multiply.
"""

from __future__ import annotations

from collections.abc import Callable

from ..compiler import cuda, float32, int32
from ..kernel import Kernel
from ..vector import load4, store4
from .rung import Rung


def make(tile: int) -> Callable[..., None]:
    """The thread's function for tiles of C of ``tile`` x ``tile``."""
    side = tile // 8  # threads along each side of the tile
    depth = tile // 16  # steps along K: side * side threads fetch four numbers of A and four of B each
    fours_a = depth // 4  # in a row of A's tile
    fours_b = tile // 4  # in a row of B's tile
    half = tile // 2
    stride = tile + 4
    buffer = depth * stride
    two_buffers = 2 * buffer
    trip = 2 * stride  # two steps of k in a trip of the inner loop: its own instructions count half

    def matmul_vectorized(a, b, c):
        tiles_a = cuda.shared.array(two_buffers, float32, 16)
        tiles_b = cuda.shared.array(two_buffers, float32, 16)
        sums = cuda.local.array((8, 8), float32)
        column_a = cuda.local.array(8, float32)
        row_b = cuda.local.array(8, float32)
        next_a = cuda.local.array(4, float32)
        next_b = cuda.local.array(4, float32)
        thread = int32(cuda.threadIdx.x)
        x = thread % side * 4
        y = thread // side * 4
        row = cuda.blockIdx.y * tile
        column = cuda.blockIdx.x * tile
        M, N, K = c.shape[0], c.shape[1], a.shape[1]

        row_a, k_a = thread // fours_a, thread % fours_a * 4  # the four numbers that this thread fetches
        k_b, column_b = thread // fours_b, thread % fours_b * 4
        from_a = (row + row_a) * K + k_a
        from_b = k_b * N + column + column_b

        for i in range(8):
            for j in range(8):
                sums[i, j] = float32(0.0)
        now = 0  # where the buffer begins that is read
        for start in range(0, K + depth, depth):
            if start < K:
                for q in range(4):
                    next_a[q] = float32(0.0)
                    next_b[q] = float32(0.0)
                if row + row_a < M and start + k_a < K:
                    next_a[0], next_a[1], next_a[2], next_a[3] = load4(a, from_a + start)
                if start + k_b < K and column + column_b < N:
                    next_b[0], next_b[1], next_b[2], next_b[3] = load4(b, from_b + start * N)
            if start > 0:
                for at in range(int32(now), int32(now + buffer), int32(trip)):
                    for k in range(2):
                        at_a = at + k * stride + y
                        at_b = at + k * stride + x
                        column_a[0], column_a[1], column_a[2], column_a[3] = load4(tiles_a, at_a)
                        column_a[4], column_a[5], column_a[6], column_a[7] = load4(tiles_a, at_a + half)
                        row_b[0], row_b[1], row_b[2], row_b[3] = load4(tiles_b, at_b)
                        row_b[4], row_b[5], row_b[6], row_b[7] = load4(tiles_b, at_b + half)
                        for i in range(8):
                            for j in range(8):
                                sums[i, j] += column_a[i] * row_b[j]
                now = buffer - now
            if start < K:
                for q in range(4):
                    tiles_a[now + (k_a + q) * stride + row_a] = next_a[q]
                store4(tiles_b, now + k_b * stride + column_b, next_b[0], next_b[1], next_b[2], next_b[3])
            cuda.syncthreads()

        for i in range(8):
            for j in range(0, 8, 4):
                to_row = row + y + i % 4 + i // 4 * half
                to_column = column + x + j // 4 * half
                if to_row < M and to_column < N:
                    to = to_row * N + to_column
                    store4(c, to, sums[i, j], sums[i, j + 1], sums[i, j + 2], sums[i, j + 3])

    return matmul_vectorized


TILE = 128
KERNEL = Kernel(make(TILE), threads=256, types="float32[:, ::1], float32[:, ::1], float32[:, ::1]", blocks_per_sm=2)
VECTORIZED = Rung("vectorized", KERNEL, tile=(TILE, TILE), reuse=(TILE, TILE), shared=6 / 64, multiple=4)
