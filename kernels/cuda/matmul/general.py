"""Rung 5: any product, C = f(alpha op(A) op(B) + beta C + bias), where op(X) is X or its transpose.

The heart is that of rung 4. What surrounds it:

* Transposes. Shared memory wants the tile of A as [k][row] and that of B as [k][column]. A matrix whose rows run along
  k in memory (A as it is, B transposed) is turned when it is put there, the other way round it is copied as it lies.
  Nothing else depends on a transpose, so one kernel serves all four products.
* Edges. Where rows begin at multiples of 16 bytes and their lengths are multiples of 4 (``wide``), four numbers are
  fetched at a time and lie inside of the matrix or outside. Where not, they are fetched one by one, as many as exist.
* Batches. A block finds out which matrix of the batch it works on. Two axes of the batch may have any strides, so that
  the heads of an attention are multiplied where they lie; a stride of 0 is broadcasting.
* The order of the tiles. Blocks start in the order of their numbers. Eight tiles above each other come one after the
  other, then the eight to the right of them: the blocks that run at the same time need few rows of A and columns of B,
  and find them in the L2 cache.
* The rest of the formula. The sums start with the bias, A is multiplied by alpha on its way to shared memory, and f is
  applied to the sums in registers: none of that goes over memory again. C is read only where beta is not 0.

Operations: 2 M N K for each matrix of the batch, and a few for each element at the end.

Bytes and intensity: as rung 4, 32 operations a byte for large matrices.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from ..compiler import cuda, device, float32, int32
from ..kernel import Kernel
from ..vector import load4, store4
from .activations import ACTIVATIONS

__all__ = ["TILE", "kernel", "make"]


@device
def place(number, tiles_m, tiles_n):
    """Row and column of a tile of C, by its number: bands of eight rows, each band column by column."""
    band = number // (8 * tiles_n) * 8
    height = min(tiles_m - band, 8)
    number %= 8 * tiles_n
    return band + number % height, number // height


@device
def fetch_wide(array, index, runs_along_k, left_k, left):
    """Four numbers from ``index``: zeros where no step of K, or no row (column of B), is left."""
    x = y = z = w = float32(0.0)
    if left_k > 0:
        x, y, z, w = load4(array, index)
    return x, y, z, w


@device
def fetch_singly(array, index, runs_along_k, left_k, left):
    """The same for any edge: as many of the four as are left in the direction in which the matrix runs in memory."""
    x = y = z = w = float32(0.0)
    if left_k > 0:
        along = left_k if runs_along_k else left
        x = array[index]
        if along > 1:
            y = array[index + 1]
        if along > 2:
            z = array[index + 2]
        if along > 3:
            w = array[index + 3]
    return x, y, z, w


@device
def add_wide(sums, i, j, c, index, left, beta):
    """sums[i, j : j + 4] += beta C, for four elements of C from ``index`` on, if any are ``left`` in the row."""
    if left > 0:
        x, y, z, w = load4(c, index)
        sums[i, j] += beta * x
        sums[i, j + 1] += beta * y
        sums[i, j + 2] += beta * z
        sums[i, j + 3] += beta * w


@device
def add_singly(sums, i, j, c, index, left, beta):
    for q in range(4):
        if q < left:
            sums[i, j + q] += beta * c[index + q]


@device
def write_wide(sums, i, j, c, index, left):
    """C = sums[i, j : j + 4], for four elements of C from ``index`` on, if any are ``left`` in the row."""
    if left > 0:
        store4(c, index, sums[i, j], sums[i, j + 1], sums[i, j + 2], sums[i, j + 3])


@device
def write_singly(sums, i, j, c, index, left):
    for q in range(4):
        if q < left:
            c[index + q] = sums[i, j + q]


def make(tile: int, wide: bool, activation: str | None) -> Callable[..., None]:
    """The thread's function for tiles of C of ``tile`` x ``tile``."""
    side = tile // 8
    last = side * side - 1
    depth = tile // 16
    fours_k = depth // 4
    fours = tile // 4
    half = tile // 2
    stride = tile + 4
    buffer = depth * stride
    two_buffers = 2 * buffer
    trip = 2 * stride
    fetch = fetch_wide if wide else fetch_singly
    add = add_wide if wide else add_singly
    write = write_wide if wide else write_singly
    f = ACTIVATIONS[activation]

    @device
    def route(thread, runs_along_k, start, length, K, lead):
        """What four numbers a thread fetches of each tile of a matrix that has ``length`` rows (columns, of B).

        Returns:
            where they begin in memory, where they go in shared memory, how many steps of K there are from the first of
            them on (0 where no row is left), and how many rows (columns) are left.
        """
        if runs_along_k:
            line, k = thread // fours_k, thread % fours_k * 4
            first = (start + line) * lead + k
        else:
            k, line = thread // fours, thread % fours * 4
            first = k * lead + start + line
        left = int32(length - start - line)
        return first, int32(k * stride + line), int32(K - k if left > 0 else 0), left

    @device
    def put(tiles, at, turn, x, y, z, w):
        if turn:
            tiles[at] = x
            tiles[at + stride] = y
            tiles[at + 2 * stride] = z
            tiles[at + 3 * stride] = w
        else:
            store4(tiles, at, x, y, z, w)

    def matmul(
        a, b, c, bias, M, N, K, lead_a, lead_b, lead_c, a_along_k, b_along_k,
        outer_a, inner_a, outer_b, inner_b, outer_c, inner_c, alpha, beta,
    ):  # fmt: skip
        tiles_a = cuda.shared.array(two_buffers, float32, 16)
        tiles_b = cuda.shared.array(two_buffers, float32, 16)
        sums = cuda.local.array((8, 8), float32)
        column_a = cuda.local.array(8, float32)
        row_b = cuda.local.array(8, float32)
        next_a = cuda.local.array(4, float32)
        next_b = cuda.local.array(4, float32)
        thread = int32(cuda.threadIdx.x) & int32(last)  # changes nothing, but tells the compiler the range
        x = int32(thread % side * 4)
        y = int32(thread // side * 4)

        tiles_m = int32((M + tile - 1) // tile)
        tiles_n = int32((N + tile - 1) // tile)
        tile_m, tile_n = place(cuda.blockIdx.x, tiles_m, tiles_n)
        row, column = int32(tile_m * tile), int32(tile_n * tile)
        i_batch, j_batch = cuda.blockIdx.z, cuda.blockIdx.y

        from_a, put_a, left_k_a, left_a = route(thread, a_along_k, row, M, K, lead_a)
        from_b, put_b, left_k_b, left_b = route(thread, b_along_k, column, N, K, lead_b)
        from_a += i_batch * outer_a + j_batch * inner_a
        from_b += i_batch * outer_b + j_batch * inner_b

        for j in range(8):
            at = column + x + j % 4 + j // 4 * half
            shift = bias[at] if at < bias.size else float32(0.0)
            for i in range(8):
                sums[i, j] = shift
        now = int32(0)
        for start in range(int32(0), int32(K + depth), int32(depth)):
            if start < K:
                next_a[0], next_a[1], next_a[2], next_a[3] = fetch(a, from_a, a_along_k, left_k_a - start, left_a)
                for q in range(4):
                    next_a[q] *= alpha
                next_b[0], next_b[1], next_b[2], next_b[3] = fetch(b, from_b, b_along_k, left_k_b - start, left_b)
                from_a += depth if a_along_k else depth * lead_a
                from_b += depth if b_along_k else depth * lead_b
            if start > 0:
                for at in range(now, int32(now + buffer), int32(trip)):
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
                now = int32(buffer - now)
            if start < K:
                put(tiles_a, now + put_a, a_along_k, next_a[0], next_a[1], next_a[2], next_a[3])
                put(tiles_b, now + put_b, b_along_k, next_b[0], next_b[1], next_b[2], next_b[3])
            cuda.syncthreads()

        to = i_batch * outer_c + j_batch * inner_c + (row + y) * lead_c + column + x
        left_rows, left_columns = int32(M - row - y), int32(N - column - x)
        if beta != float32(0.0):
            for i in range(8):
                for j in range(0, 8, 4):
                    down, right = i % 4 + i // 4 * half, j // 4 * half
                    if down < left_rows:
                        add(sums, i, j, c, to + down * lead_c + right, left_columns - right, beta)
        for i in range(8):
            for j in range(8):
                sums[i, j] = f(sums[i, j])
        for i in range(8):
            for j in range(0, 8, 4):
                down, right = i % 4 + i // 4 * half, j // 4 * half
                if down < left_rows:
                    write(sums, i, j, c, to + down * lead_c + right, left_columns - right)

    return matmul


TILE = 128
FLAT = "float32[::1]"
TYPES = f"{FLAT}, {FLAT}, {FLAT}, {FLAT}" + ", int32" * 6 + ", boolean" * 2
TYPES += ", int64" * 6 + ", float32" * 2


@functools.cache
def kernel(wide: bool, activation: str | None) -> Kernel:
    """The kernel for one way to reach memory and one activation; each is compiled when it is first launched."""
    name = f"matmul_{'wide' if wide else 'any'}" + (f"_{activation}" if activation else "")
    return Kernel(make(TILE, wide, activation), threads=256, types=TYPES, blocks_per_sm=2, name=name)
