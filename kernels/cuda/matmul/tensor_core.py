"""Rung 6: tensor cores.

An H100 multiplies 7 times as fast on its tensor cores, which take whole small matrices: the 32 threads of a warp hold
A (16, 8), B (8, 8) and C (16, 8) between them, 4, 2 and 4 numbers each, and one instruction computes C += A B.

The numbers are tf32: the exponent of float32, but 10 bits of its fraction instead of 23. Each number of A and B is
rounded to that before, so a product is off by up to 2 * 2^-11 of itself, about 0.1 %; the sums are kept in float32.
That is why this is a rung of its own and not what ``matmul`` does: who calls it has to accept three digits.

A block of 8 warps computes 128 x 128 elements of C, each warp 64 x 32, as 4 x 4 small matrices. Tiles go to shared
memory as they lie, 16 steps of K at a time and with two buffers as in rung 4. A row of A's tile takes 20 numbers and a
row of B's 136: so the 32 numbers that a warp reads at once lie in 32 banks. Only where A's tile
is written do threads meet in a bank, in twos.

Operations: 2 M N K. Bytes and intensity: as rung 4, 32 operations a byte. The ridge of an H100's tensor cores is at
148: the product is limited by memory, unless the L2 cache serves most of what blocks ask for.
"""

from __future__ import annotations

from collections.abc import Callable

from ..compiler import cuda, device, float32, int32
from ..kernel import Kernel
from ..vector import load4, mma_tf32, store4
from .rung import Rung


@device
def to_tf32(x):
    """The nearest number with 10 bits of fraction: rounding 2^13 x + x leaves no room for the others.

    Source: T. J. Dekker, A floating-point technique for extending the available precision, 1971. For |x| below 2^114.
    """
    large = float32(8193.0) * x
    return large - (large - x)


def make() -> Callable[..., None]:
    """The thread's function; the sizes of tiles and warps fit each other, so they are no arguments."""
    tile, depth = 128, 16
    threads = 256
    row_a, row_b = depth + 4, tile + 8  # from a row of a tile to the next
    buffer_a, buffer_b = tile * row_a, depth * row_b
    both_a, both_b = 2 * buffer_a, 2 * buffer_b

    def matmul_tensor_core(a, b, c):
        tiles_a = cuda.shared.array(both_a, float32, 16)
        tiles_b = cuda.shared.array(both_b, float32, 16)
        sums = cuda.local.array((4, 4, 4), float32)
        next_a = cuda.local.array((2, 4), float32)
        next_b = cuda.local.array((2, 4), float32)
        part_a = cuda.local.array((4, 4), float32)
        thread = int32(cuda.threadIdx.x)
        group, lane = thread >> 2 & 7, thread & 3
        from_row, from_column = (thread >> 7 & 1) * 64, (thread >> 5 & 3) * 32  # of the tile: what this warp computes
        row = cuda.blockIdx.y * tile
        column = cuda.blockIdx.x * tile
        M, N, K = c.shape[0], c.shape[1], a.shape[1]
        for i in range(4):
            for j in range(4):
                for q in range(4):
                    sums[i, j, q] = float32(0.0)

        for start in range(int32(0), int32(K + depth), int32(depth)):
            if start < K:
                for s in range(2):
                    four = thread + s * threads
                    i, k = four // 4, four % 4 * 4
                    for q in range(4):
                        next_a[s, q] = float32(0.0)
                        next_b[s, q] = float32(0.0)
                    if row + i < M and start + k < K:
                        index = (row + i) * K + start + k
                        next_a[s, 0], next_a[s, 1], next_a[s, 2], next_a[s, 3] = load4(a, index)
                    k, j = four // 32, four % 32 * 4
                    if start + k < K and column + j < N:
                        index = (start + k) * N + column + j
                        next_b[s, 0], next_b[s, 1], next_b[s, 2], next_b[s, 3] = load4(b, index)
            put = start // depth & 1  # the buffer to put into; the other is read
            if start > 0:
                for k in range(0, depth, 8):
                    for i in range(4):
                        at = (1 - put) * buffer_a + (from_row + i * 16 + group) * row_a + k + lane
                        part_a[i, 0] = tiles_a[at]
                        part_a[i, 1] = tiles_a[at + 8 * row_a]
                        part_a[i, 2] = tiles_a[at + 4]
                        part_a[i, 3] = tiles_a[at + 8 * row_a + 4]
                    for j in range(4):
                        at = (1 - put) * buffer_b + (k + lane) * row_b + from_column + j * 8 + group
                        b0, b1 = tiles_b[at], tiles_b[at + 4 * row_b]
                        for i in range(4):
                            sums[i, j, 0], sums[i, j, 1], sums[i, j, 2], sums[i, j, 3] = mma_tf32(
                                part_a[i, 0], part_a[i, 1], part_a[i, 2], part_a[i, 3], b0, b1,
                                sums[i, j, 0], sums[i, j, 1], sums[i, j, 2], sums[i, j, 3],
                            )  # fmt: skip
            if start < K:
                for s in range(2):
                    four = thread + s * threads
                    at_a = put * buffer_a + four // 4 * row_a + four % 4 * 4
                    store4(
                        tiles_a,
                        at_a,
                        to_tf32(next_a[s, 0]),
                        to_tf32(next_a[s, 1]),
                        to_tf32(next_a[s, 2]),
                        to_tf32(next_a[s, 3]),
                    )
                    at_b = put * buffer_b + four // 32 * row_b + four % 32 * 4
                    store4(
                        tiles_b,
                        at_b,
                        to_tf32(next_b[s, 0]),
                        to_tf32(next_b[s, 1]),
                        to_tf32(next_b[s, 2]),
                        to_tf32(next_b[s, 3]),
                    )
            cuda.syncthreads()

        for i in range(4):
            for j in range(4):
                for q in range(4):
                    to_row = row + from_row + i * 16 + q // 2 * 8 + group
                    to_column = column + from_column + j * 8 + lane * 2 + q % 2
                    if to_row < M and to_column < N:
                        c[to_row, to_column] = sums[i, j, q]

    return matmul_tensor_core


KERNEL = Kernel(make(), threads=256, types="float32[:, ::1], float32[:, ::1], float32[:, ::1]", blocks_per_sm=2)
TENSOR_CORE = Rung("tensor_core", KERNEL, tile=(128, 128), reuse=(128, 128), shared=24 / 512, multiple=4)
