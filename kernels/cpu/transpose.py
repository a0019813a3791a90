"""The transpose of matrices, square by square in registers.

Copied element by element, a transpose reads or writes with large steps, and a line of the cache (64 bytes) is fetched
for every 4. Here LANES rows of LANES floats are loaded as vectors, their elements change places between the registers,
and LANES columns are stored as vectors: both sides of the copy go over memory in whole lines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core.extending import intrinsic

from .tile import FLOAT, INT, LANES, masked_load, masked_store, number, spread

__all__ = ["compile_transpose"]


@intrinsic
def square(typing_context, x, x_row, rows, y, y_row, columns):
    """y[c, r] = x[r, c] for r < rows and c < columns, both at most LANES. x and y are addresses."""

    def generate(context, code, signature, values):
        x, x_row, rows, y, y_row, columns = values
        lanes = ir.Constant(ir.VectorType(INT, LANES), list(range(LANES)))
        x, y = (code.inttoptr(address, FLOAT.as_pointer()) for address in (x, y))

        def line(pointer, stride, i, count, lanes_in_use):
            """Where line i begins, and its lanes in use: none if there is no such line."""
            exists = spread(code, code.icmp_signed("<", number(i), count))
            return code.gep(pointer, [code.mul(stride, number(i))]), code.and_(exists, lanes_in_use)

        in_row = code.icmp_signed("<", lanes, spread(code, columns))
        in_column = code.icmp_signed("<", lanes, spread(code, rows))
        vectors = [masked_load(code, *line(x, x_row, r, rows, in_row)) for r in range(LANES)]
        for c, vector in enumerate(exchanged(code, vectors)):
            masked_store(code, vector, *line(y, y_row, c, columns, in_column))
        return context.get_dummy_value()

    return types.void(*[types.intp] * 6), generate


def exchanged(code: ir.IRBuilder, vectors: list[ir.Value]) -> list[ir.Value]:
    """The transpose of LANES vectors: in each step, one bit of the row's number and of the lane's change places.

    After the step for ``bit``, vector r holds at lane l what vector r' held at lane l', where r' is r with that bit
    taken from l, and l' is l with that bit taken from r. Once every bit has been exchanged, r' = l and l' = r.
    """
    bit = 1
    while bit < LANES:
        low = order(lane if not lane & bit else LANES + lane - bit for lane in range(LANES))
        high = order(lane + bit if not lane & bit else LANES + lane for lane in range(LANES))
        for r in range(LANES):
            if not r & bit:
                x, y = vectors[r], vectors[r + bit]
                vectors[r], vectors[r + bit] = code.shuffle_vector(x, y, low), code.shuffle_vector(x, y, high)
        bit *= 2
    return vectors


def order(lanes: Any) -> ir.Constant:
    return ir.Constant(ir.VectorType(ir.IntType(32), LANES), list(lanes))


def transpose(x, y):
    """y[i, c, r] = x[i, r, c]."""
    matrices, rows, columns = x.shape
    for i in range(matrices):
        x_i, y_i = x.ctypes.data + 4 * i * rows * columns, y.ctypes.data + 4 * i * rows * columns
        for r in range(0, rows, LANES):
            for c in range(0, columns, LANES):
                from_here, to_there = x_i + 4 * (r * columns + c), y_i + 4 * (c * rows + r)
                square(from_here, columns, min(LANES, rows - r), to_there, rows, min(LANES, columns - c))


def compile_transpose(cache: bool) -> Callable[..., None]:
    """Compile ``transpose`` for contiguous arrays of float32; with ``cache``, or take it from the disk."""
    signature = types.void(types.Array(types.float32, 3, "C", readonly=True), types.Array(types.float32, 3, "C"))
    return njit(signature, cache=cache, error_model="numpy", nogil=True)(transpose)
