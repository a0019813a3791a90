"""Rung 2: tiles in shared memory.

Neighbouring threads of rung 1 ask for the same numbers again and again. Here a block fetches them once: it walks along
K in steps of T = 32, and in each step its T x T threads copy a T x T tile of A and one of B to shared memory, one
number a thread, and then all of them compute with these copies::

    C[row, column] = sum over steps of sum_k tile_a[row, k] tile_b[k, column]

A barrier stands before the computing (the tiles must be complete) and another after it (nobody may overwrite a number
that another thread still reads). Outside of the matrices the tiles hold zeros, which add nothing.

Operations: 2 M N K.

Bytes: each number of A is fetched by N / T blocks, each of B by M / T: 4 M N K (1/T + 1/T) bytes instead of 8 M N K.

Intensity: T / 4 = 8 operations a byte. But for each multiplication a warp still reads shared memory twice. A
multiprocessor serves one such read in a cycle, in which an A100 could multiply for two warps and an H100 for four:
this rung ends at a quarter of the one's peak, and an eighth of the other's.
"""

from __future__ import annotations

from collections.abc import Callable

from ..compiler import cuda, float32
from ..kernel import Kernel
from .rung import Rung


def make(T: int) -> Callable[..., None]:
    """The thread's function for tiles of T x T; ``c`` (M, N) = ``a`` (M, K) ``b`` (K, N)."""

    def matmul_tiled(a, b, c):
        tile_a = cuda.shared.array((T, T), float32)
        tile_b = cuda.shared.array((T, T), float32)
        x = cuda.threadIdx.x
        y = cuda.threadIdx.y
        row = cuda.blockIdx.y * T + y
        column = cuda.blockIdx.x * T + x
        M, N, K = c.shape[0], c.shape[1], a.shape[1]
        total = float32(0.0)
        for start in range(0, K, T):
            tile_a[y, x] = a[row, start + x] if row < M and start + x < K else float32(0.0)
            tile_b[y, x] = b[start + y, column] if start + y < K and column < N else float32(0.0)
            cuda.syncthreads()
            for k in range(T):
                total += tile_a[y, k] * tile_b[k, x]
            cuda.syncthreads()
        if row < M and column < N:
            c[row, column] = total

    return matmul_tiled


TILE = 32
KERNEL = Kernel(make(TILE), threads=(TILE, TILE), types="float32[:, ::1], float32[:, ::1], float32[:, ::1]")
TILED = Rung("tiled", KERNEL, tile=(TILE, TILE), reuse=(TILE, TILE), shared=2)
