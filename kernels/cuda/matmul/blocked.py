"""Rung 3: blocks in registers.

What limits rung 2 is shared memory: two reads for one multiplication. Here each thread computes 8 x 8 elements of C,
and keeps all 64 sums in registers. For each k it reads 8 numbers of A and 8 of B, and uses each of them 8 times::

    sums[i, j] += column_a[i] row_b[j]        64 multiplications for 16 reads

With 16 x 16 threads, a block's tile of C grows to 128 x 128. The rows of a thread are 16 apart, and so are its columns:
then the threads of a warp read neighbours, which lie in different banks of shared memory.

Operations: 2 M N K.

Bytes: 4 M N K (1/128 + 1/128), a quarter of what rung 2 fetches.

Intensity: 32 operations a byte, above the ridges of an A100 (9.6) and an H100 (20). From shared memory: 16 reads of a
warp for 64 multiplications. A multiprocessor of an H100 does one read and four multiplications in a cycle, so both take
16 cycles: it can just reach its peak, if nothing else takes time. But something does: each instruction needs a cycle of
a scheduler, and here a third of them do not multiply.
"""

from __future__ import annotations

from collections.abc import Callable

from ..compiler import cuda, float32, int32
from ..kernel import Kernel
from .rung import Rung


def make(tile: int, depth: int) -> Callable[..., None]:
    """The thread's function for tiles of C of ``tile`` x ``tile``, in steps of ``depth`` along K."""
    side = tile // 8  # threads along each side of the tile
    threads = side * side
    last = side - 1
    per_thread = tile * depth // threads  # numbers of each tile that a thread fetches

    def matmul_blocked(a, b, c):
        tile_a = cuda.shared.array((tile, depth), float32)
        tile_b = cuda.shared.array((depth, tile), float32)
        sums = cuda.local.array((8, 8), float32)
        column_a = cuda.local.array(8, float32)
        row_b = cuda.local.array(8, float32)
        thread = int32(cuda.threadIdx.x)
        x = thread & last  # thread % side, but the compiler sees that it is not negative: Python's a[-1] costs a test
        y = thread // side & last
        row = cuda.blockIdx.y * tile
        column = cuda.blockIdx.x * tile
        M, N, K = c.shape[0], c.shape[1], a.shape[1]
        for i in range(8):
            for j in range(8):
                sums[i, j] = float32(0.0)
        for start in range(0, K, depth):
            for s in range(per_thread):
                e = thread + s * threads
                i, k = e // depth, e % depth
                tile_a[i, k] = a[row + i, start + k] if row + i < M and start + k < K else float32(0.0)
                k, j = e // tile, e % tile
                tile_b[k, j] = b[start + k, column + j] if start + k < K and column + j < N else float32(0.0)
            cuda.syncthreads()
            for k in range(depth):
                for i in range(8):
                    column_a[i] = tile_a[y + i * side, k]
                for j in range(8):
                    row_b[j] = tile_b[k, x + j * side]
                for i in range(8):
                    for j in range(8):
                        sums[i, j] += column_a[i] * row_b[j]
            cuda.syncthreads()
        for i in range(8):
            for j in range(8):
                to_row, to_column = row + y + i * side, column + x + j * side
                if to_row < M and to_column < N:
                    c[to_row, to_column] = sums[i, j]

    return matmul_blocked


TILE, DEPTH = 128, 8
KERNEL = Kernel(
    make(TILE, DEPTH), threads=256, types="float32[:, ::1], float32[:, ::1], float32[:, ::1]", blocks_per_sm=2
)
BLOCKED = Rung("blocked", KERNEL, tile=(TILE, TILE), reuse=(TILE, TILE), shared=16 / 64)
