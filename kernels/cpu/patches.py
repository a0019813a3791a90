"""The small matrices of ``winograd`` on both sides of patches of an image, in registers.

    INPUT      V = B^T X B     X: a patch of 4 x 4 pixels of x       V: its 16 numbers in a table
    GRADIENT   Z = A G A^T     G: a patch of 2 x 2 pixels of g       Z: its 16 numbers in a table
    OUTPUT     Y = A^T M A     M: 16 numbers from a table            Y: a patch of 2 x 2 pixels of y

All elements of the two matrices are 0, 1 and -1, so there is nothing to multiply. Each pixel here is a vector of LANES
neighbouring channels. A patch is loaded once, its columns and then its rows are added up while it is in registers, and
it is stored once. Pixels beyond the edge of the image are masked: zeros where they are read, and never written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core.extending import intrinsic

from .tile import FLOAT, INT, LANES, masked_load, masked_store, number, spread
from .winograd import A, B, Grid, Kind

__all__ = ["compile_transform"]

Vectors = list[list[ir.Value]]  # those of a square, line by line


class Square:
    """A square of vectors in memory: element (i, j) lies i ``line`` + j ``step`` floats from the address.

    With ``bounds`` (top, bottom, left, right) it exists where top <= i < bottom and left <= j < right.
    """

    def __init__(self, code: ir.IRBuilder, address: Any, line: Any, step: Any, lanes: Any, bounds: Any = None) -> None:
        self.code, self.line, self.step = code, line, step
        self.pointer = code.inttoptr(address, FLOAT.as_pointer())
        self.lanes, self.bounds = lanes, bounds

    def place(self, i: int, j: int) -> tuple[ir.Value, ir.Value]:
        """Where a vector lies, and its lanes in use."""
        code, lanes = self.code, self.lanes
        if self.bounds:
            top, bottom, left, right = self.bounds
            exists = code.and_(self.between(i, top, bottom), self.between(j, left, right))
            lanes = code.and_(spread(code, exists), lanes)
        offset = code.add(code.mul(self.line, number(i)), code.mul(self.step, number(j)))
        return code.gep(self.pointer, [offset]), lanes

    def between(self, i: int, first: ir.Value, end: ir.Value) -> ir.Value:
        code = self.code
        return code.and_(code.icmp_signed("<=", first, number(i)), code.icmp_signed("<", number(i), end))

    def load(self, size: int) -> Vectors:
        return [[masked_load(self.code, *self.place(i, j)) for j in range(size)] for i in range(size)]

    def store(self, vectors: Vectors) -> None:
        for i, line in enumerate(vectors):
            for j, vector in enumerate(line):
                masked_store(self.code, vector, *self.place(i, j))


def both_sides(code: ir.IRBuilder, matrix: Any, x: Vectors) -> Vectors:
    """matrix x matrix^T."""
    columns = [times(code, matrix, column) for column in zip(*x)]
    return [times(code, matrix, line) for line in zip(*columns)]


def times(code: ir.IRBuilder, matrix: Any, x: Any) -> list[ir.Value]:
    """matrix x, by additions and subtractions; there is a 1 in each row of the matrix."""
    result = []
    for row in matrix:
        first, *added = (vector for vector, sign in zip(x, row) if sign == 1)
        for vector in added:
            first = code.fadd(first, vector)
        for vector, sign in zip(x, row):
            first = code.fsub(first, vector) if sign == -1 else first
        result.append(first)
    return result


@intrinsic
def patch(typing_context, kind, image, line, pixel, top, bottom, left, right, table, step, channels):
    """One patch of at most LANES channels: a ``Square`` of the image, and 16 numbers ``step`` floats apart."""

    def generate(context, code, signature, values):
        kind, image, line, pixel, top, bottom, left, right, table, step, channels = values
        numbers = ir.Constant(ir.VectorType(INT, LANES), list(range(LANES)))
        lanes = code.icmp_signed("<", numbers, spread(code, channels))
        pixels = Square(code, image, line, pixel, lanes, (top, bottom, left, right))
        places = Square(code, table, code.mul(step, number(4)), step, lanes)
        done = code.append_basic_block("done")
        jump = code.switch(kind, done)
        for case, matrix, source, size, target in (
            (Kind.INPUT, B.T, pixels, 4, places),
            (Kind.GRADIENT, A, pixels, 2, places),
            (Kind.OUTPUT, A.T, places, 4, pixels),
        ):
            block = code.append_basic_block(case.name)
            jump.add_case(number(case), block)
            with code.goto_block(block):
                target.store(both_sides(code, matrix, source.load(size)))
                code.branch(done)
        code.position_at_end(done)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 11), generate


def transform(kind, image, table, grid, first, end):
    """The patches in the lines ``first`` to ``end`` of all lines of patches in all images, one after the other."""
    _, patches, channels = table.shape
    place = 0
    for i in range(first, end):
        top = 2 * (i % grid.lines) - grid.above
        for j in range(grid.columns):
            left = 2 * j - grid.before
            pixel = grid.offset + i // grid.lines * grid.image + top * grid.line + left * grid.pixel
            for c in range(0, grid.channels, LANES):
                patch(
                    kind, image.ctypes.data + 4 * (pixel + c), grid.line, grid.pixel,
                    -top, grid.height - top, -left, grid.width - left,
                    table.ctypes.data + 4 * (place * channels + c), patches * channels, grid.channels - c,
                )  # fmt: skip
            place += 1


def compile_transform(cache: bool) -> Callable[..., None]:
    """Compile ``transform`` for arrays of float32; with ``cache``, or take it from the disk."""
    image = types.Array(types.float32, 1, "C", readonly=True)  # inputs may be; results are written by their addresses
    table = types.Array(types.float32, 3, "C")
    numbers = types.NamedUniTuple(types.int64, len(Grid._fields), Grid)
    signature = types.void(types.int64, image, table, numbers, types.int64, types.int64)
    return njit(signature, cache=cache, error_model="numpy", nogil=True)(transform)
