"""Blocks of matrices in shared memory, and the two products that attention makes of them.

A tile is a block of a matrix, stored row by row in pieces of four numbers (16 bytes). Whole pieces are read and
written, by ``load4`` and ``store4``. Shared memory has 32 banks of 4 bytes and serves eight pieces at a time if they
lie in different banks. Were piece p always at place p of its row, then eight threads that read piece p of eight rows
would all want the same four banks (rows are a multiple of 32 numbers apart), and wait for each other. So piece p of row
r lies at place

    p XOR ((r // 4) mod m),    m = min(8, pieces in a row)

which puts those eight pieces in eight places, and only reorders the pieces of a row.

The threads of a block stand in rows of ``across``: thread t is number tx = t mod across of row ty = t // across. In
every product a thread owns the result's rows 4 ty to 4 ty + 3 and, of each ``4 * across`` columns, those from 4 tx to
4 tx + 3. It holds the numbers of its rows in registers and uses each number that it reads four times or more.

These are factories: the sizes become constants of the functions that they return, whose loops the compiler unrolls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..compiler import cuda, device, float32, int32
from ..vector import load4, store4

__all__ = [
    "Sizes",
    "loader",
    "product",
    "row_reductions",
    "row_writer",
    "shared_head",
    "storer",
    "swizzle",
    "transposed_product",
]


class Sizes(NamedTuple):
    """What follows from a kernel's ``width``, ``rows``, ``columns`` and ``across``."""

    chunk: int  # numbers in a row of the tile that passes by: 64 at most, for shared memory is small
    chunks: int  # so many make up the width
    pieces: int  # of four numbers, in a row of a chunk
    owned_scores: int  # columns that a thread owns: of the scores,
    owned: int  # of a chunk of the results,
    owned_results: int  # and of all of the results
    threads: int

    @classmethod
    def of(cls, width: int, rows: int, columns: int, across: int) -> Sizes:
        chunk = min(width, 64)
        return cls(
            chunk, width // chunk, chunk // 4, columns // across, chunk // across, width // across, rows // 4 * across
        )


def swizzle(columns: int) -> int:
    """m - 1 for rows of so many numbers; ``x & (m - 1)`` is x mod m, for m is a power of two."""
    return min(8, columns // 4) - 1


def loader(rows: int, columns: int, width: int, threads: int) -> Callable[..., Any]:
    """``load(tile, matrix, start, length)``: all threads fill a tile from a matrix whose rows have ``width`` numbers.

    The tile begins at flat index ``start`` of the matrix. Its rows from ``length`` on lie beyond the matrix and become
    zeros, which add nothing to a product. Neighbouring threads read neighbouring pieces, so that a row is read in whole
    lines of memory; a thread's rows are up to four neighbours, which share their swizzle.
    """
    pieces = columns // 4
    together = threads // pieces
    run = min(4, rows // together)
    turn = swizzle(columns)

    @device
    def load(tile, matrix, start, length):
        thread = int32(cuda.threadIdx.x)
        piece = thread % pieces
        row = thread // pieces * run
        left = length - row
        for first in range(0, rows, run * together):
            place = (row + first) * columns + ((piece ^ (((row + first) >> 2) & turn)) << 2)
            for e in range(run):
                x = float32(0.0)
                y = float32(0.0)
                z = float32(0.0)
                w = float32(0.0)
                if first + e < left:
                    x, y, z, w = load4(matrix, start + (row + first + e) * width + piece * 4)
                store4(tile, place + e * columns, x, y, z, w)

    return load


def storer(columns: int, across: int) -> Callable[..., Any]:
    """``store(tile, values, ty, tx)``: each thread writes what it owns of a result into a tile."""
    groups = columns // (4 * across)
    turn = swizzle(columns)

    @device
    def store(tile, values, ty, tx):
        for i in range(4):
            for g in range(groups):
                place = (4 * ty + i) * columns + (((tx + g * across) ^ (ty & turn)) << 2)
                store4(tile, place, values[i, 4 * g], values[i, 4 * g + 1], values[i, 4 * g + 2], values[i, 4 * g + 3])

    return store


def row_writer(width: int, chunk: int, across: int) -> Callable[..., Any]:
    """``write_row(matrix, start, values, i, factor, tx)``: a thread writes its row i of a result, times ``factor``.

    The row begins at flat index ``start`` of the matrix. The thread's columns lie as in ``values``: chunk by chunk.
    """
    chunks = width // chunk
    owned = chunk // across
    groups = owned // 4

    @device
    def write_row(matrix, start, values, i, factor, tx):
        for c in range(chunks):
            for g in range(groups):
                j = c * owned + 4 * g
                store4(
                    matrix, start + c * chunk + 4 * (tx + g * across), values[i, j] * factor,
                    values[i, j + 1] * factor, values[i, j + 2] * factor, values[i, j + 3] * factor,
                )  # fmt: skip

    return write_row


def transposed_product(columns_a: int, columns_b: int, rows_b: int, across: int) -> Callable[..., Any]:
    """``multiply(sums, a, first, b, ty, tx)``: sums += A' B^T, where A' is A from its piece ``first`` on, as wide as B.

    Of each piece (four columns of both) the thread reads its four rows of A' and its ``rows_b / across`` rows of B, and
    multiplies and adds 16 times for each of the latter: with 32 rows of B and 8 threads across, 8 loads for 64.
    """
    pieces = columns_b // 4
    groups = rows_b // (4 * across)
    turn_a = swizzle(columns_a)
    turn_b = swizzle(columns_b)

    @device
    def multiply(sums, a, first, b, ty, tx):
        held = cuda.local.array((4, 4), float32)
        for piece in range(pieces):
            at_a = 4 * ty * columns_a + (((piece + first) ^ (ty & turn_a)) << 2)
            for i in range(4):
                x, y, z, w = load4(a, at_a + i * columns_a)
                held[i, 0] = x
                held[i, 1] = y
                held[i, 2] = z
                held[i, 3] = w
            for g in range(groups):
                at_b = 4 * (tx + g * across) * columns_b + ((piece ^ ((tx + g * across) & turn_b)) << 2)
                for e in range(4):
                    x, y, z, w = load4(b, at_b + e * columns_b)
                    for i in range(4):
                        sums[i, 4 * g + e] += held[i, 0] * x
                        sums[i, 4 * g + e] += held[i, 1] * y
                        sums[i, 4 * g + e] += held[i, 2] * z
                        sums[i, 4 * g + e] += held[i, 3] * w

    return multiply


def product(columns_a: int, columns_b: int, across: int) -> Callable[..., Any]:
    """``multiply(sums, first, a, b, ty, tx)``: sums += A B, into the columns of sums from ``first`` on.

    Of each piece of A (four of its columns, four rows of B) the thread reads its four rows of A and ``columns_b /
    across`` pieces of B, and multiplies and adds 16 times for each of the latter: with 64 columns and 8 threads across,
    12 loads for 128.
    """
    pieces = columns_a // 4
    groups = columns_b // (4 * across)
    turn_a = swizzle(columns_a)
    turn_b = swizzle(columns_b)

    @device
    def multiply(sums, first, a, b, ty, tx):
        held = cuda.local.array((4, 4), float32)
        for piece in range(pieces):
            at_a = 4 * ty * columns_a + ((piece ^ (ty & turn_a)) << 2)
            for i in range(4):
                x, y, z, w = load4(a, at_a + i * columns_a)
                held[i, 0] = x
                held[i, 1] = y
                held[i, 2] = z
                held[i, 3] = w
            for g in range(groups):
                at_b = 4 * piece * columns_b + (((tx + g * across) ^ (piece & turn_b)) << 2)
                for k in range(4):
                    x, y, z, w = load4(b, at_b + k * columns_b)
                    for i in range(4):
                        sums[i, first + 4 * g] += held[i, k] * x
                        sums[i, first + 4 * g + 1] += held[i, k] * y
                        sums[i, first + 4 * g + 2] += held[i, k] * z
                        sums[i, first + 4 * g + 3] += held[i, k] * w

    return multiply


def row_reductions(across: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """``row_max(x)`` and ``row_sum(x)`` over the ``across`` threads of a row, by shuffles; all of them get the result.

    In step n a thread takes the number of the neighbour whose place differs in bit n. After log2(across) steps, each
    has seen all: no shared memory, no barrier, for the threads of a row are in one warp.
    """
    steps = across.bit_length() - 1

    @device
    def row_max(x):
        for n in range(steps):
            x = max(x, cuda.shfl_xor_sync(0xFFFFFFFF, x, 1 << n))
        return x

    @device
    def row_sum(x):
        for n in range(steps):
            x += cuda.shfl_xor_sync(0xFFFFFFFF, x, 1 << n)
        return x

    return row_max, row_sum


@device
def shared_head(head, share):
    """head // group for share = 1 / group: the head of the keys that this head of the queries uses.

    A GPU has no instruction that divides integers, and the many that stand for it cost this kernel its registers. The
    product of float32 lies at least share / 2 from any integer, further than rounding reaches below a million heads.
    """
    return int32((float32(head) + float32(0.5)) * share)
