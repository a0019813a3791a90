"""Rung 1: one thread an element of C.

Thread (row, column) walks along row ``row`` of A and column ``column`` of B::

    C[row, column] = sum_k A[row, k] B[k, column]

Operations: 2 M N K, a multiplication and an addition for each (row, column, k).

Bytes: each thread asks for 2 K numbers of 4 bytes, so all of them ask for 8 M N K bytes. The 32 threads of a warp stand
side by side in a row: they ask for one number of A, which is sent once to all, and for 32 neighbours of B, which come
in one transaction. Blocks share nothing but what the caches happen to keep.

Intensity: 2 M N K operations / 8 M N K bytes = 1/4 operation a byte. An A100 does 9.6 in the time of a byte.
"""

from __future__ import annotations

from collections.abc import Callable

from ..compiler import cuda, float32
from ..kernel import Kernel
from .rung import Rung


def make() -> Callable[..., None]:
    """The thread's function; ``c`` (M, N) = ``a`` (M, K) ``b`` (K, N)."""

    def matmul_naive(a, b, c):
        row = cuda.blockIdx.y * cuda.blockDim.y + cuda.threadIdx.y
        column = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if row < c.shape[0] and column < c.shape[1]:
            total = float32(0.0)
            for k in range(a.shape[1]):
                total += a[row, k] * b[k, column]
            c[row, column] = total

    return matmul_naive


KERNEL = Kernel(make(), threads=(32, 8), types="float32[:, ::1], float32[:, ::1], float32[:, ::1]")
NAIVE = Rung("naive", KERNEL, tile=(8, 32), reuse=(1, 1))
