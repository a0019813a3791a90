"""Sums of products over strided arrays: the one form that matrix products and convolutions share.

    C[i, j, m, n] = start + sum over o, p, k of A[i, j, m, o, p, k] B[i, j, n, o, p, k]

Each of the seven axes has a length, and a stride in A, in B and in C: how many floats one step along it moves there (0:
the axis does not matter to that array). A plan lists them. It is all that the compiled ``walk`` needs, so ONE compiled
function serves every product, and a convolution is a table of strides rather than another loop nest.

Along the columns n, B and C are contiguous. B may lie in panels of ``COLUMNS`` columns, each contiguous as a whole:
rows that are some thousand bytes apart share few places in a cache and drive each other out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from . import compiler

__all__ = ["ADD_BIAS", "ADD_TO_C", "Axis", "Plan", "columns_of_a_panel", "in_panels", "plain", "plan", "ready"]
__all__ += ["run", "scratch", "transpose", "transposed"]

# The places of the numbers in a plan. The compiled walk knows them: if they change, so must tile.py, or an old walk
# would be taken from the cache.
I, J, ROW, COLUMN, OUTER, MIDDLE, INNER, OFFSET, OPTION = range(9)
LENGTH, A, B, C = range(4)
PANEL, START, RELU = range(3)
ADD_BIAS, ADD_TO_C = 1, 2

LINE = 16  # floats in a line of the cache

Plan = np.ndarray


class Axis(NamedTuple):
    """So many steps, each of which moves so many floats in A, in B and in C."""

    length: int
    a: int = 0
    b: int = 0
    c: int = 0


ONCE = Axis(1)


def plan(
    *,
    rows: Axis,
    columns: int,
    inner: Axis,
    middle: Axis = ONCE,
    outer: Axis = ONCE,
    i: Axis = ONCE,
    j: Axis = ONCE,
    panel: int = 0,
    start: int = 0,
    relu: bool = False,
    offsets: tuple[int, int, int] = (0, 0, 0),
    bias: int = 0,
) -> Plan:
    """The table of one product, (1, 9, 4); tables may be stacked, ``run`` goes through them in turn.

    Args:
        rows: the axis m. columns: the length of the axis n.
        inner, middle, outer: the axes of the sum, k, p and o.
        i, j: for each of their steps there is a whole matrix C.
        panel: floats in B from one panel to the next; 0 where B does not lie in panels.
        start: 0, ``ADD_BIAS`` (start with bias[n]) or ``ADD_TO_C`` (start with what C holds).
        relu: store max(C, 0).
        offsets: where A, B and C begin in their arrays, in floats. bias: where the bias begins in its array.
    """
    table = [i, j, rows, (columns, 0, 1, 1), outer, middle, inner, (bias, *offsets)]
    return np.array([[*table, (panel or columns_of_a_panel(), start, relu, 0)]], np.int64)


def run(plans: Plan, a: np.ndarray, b: np.ndarray, c: np.ndarray, bias: np.ndarray | None = None) -> None:
    """Compute C in place. ``ready()`` must have said yes; arrays must be contiguous, aligned and of float32."""
    nothing = b if bias is None else bias  # never read then
    compiled().walk(a.reshape(-1), b.reshape(-1), c.reshape(-1), nothing.reshape(-1), plans)


def transposed(x: np.ndarray) -> np.ndarray:
    """A copy with the last two axes exchanged; for the same arrays as ``run``."""
    *stack, rows, columns = x.shape
    y = np.empty((*stack, columns, rows), np.float32)
    transpose(x, y)
    return y


def transpose(x: np.ndarray, y: np.ndarray) -> None:
    """Make y that copy."""
    *stack, rows, columns = x.shape
    matrices = math.prod(stack)
    compiled().transpose(x.reshape(matrices, rows, columns), y.reshape(matrices, columns, rows))


def scratch(shape: tuple[int, ...]) -> np.ndarray:
    """Memory for floats that begins where a line of the cache does, to be filled, read several times and forgotten.

    A vector of 16 floats is just one line. NumPy's own memory begins 16 bytes after the start of a line, so that each
    vector lies on two of them, and the second-level cache has to deliver nearly twice as many: sums over rows of B that
    are not in the first-level cache then take up to 1.4 times as long. (It is a view of a little more memory, which the
    results that are handed out should not be.)
    """
    size = math.prod(shape)
    memory = np.empty(size + LINE, np.float32)
    skipped = -memory.ctypes.data % (4 * LINE) // 4
    return memory[skipped : skipped + size].reshape(shape)


def in_panels(b: np.ndarray) -> np.ndarray:
    """A copy of b (..., columns) in panels, (panels, ..., columns of a panel). The last one may be full in part."""
    columns = b.shape[-1]
    width = min(columns, columns_of_a_panel())
    result = scratch((-(-columns // width), *b.shape[:-1], width))
    for panel, first in zip(result, range(0, columns, width)):
        some = b[..., first : first + width]
        panel[..., : some.shape[-1]] = some
    return result


# --- the compiled functions --------------------------------------------------------------------------------------


class Compiled(NamedTuple):
    walk: Callable[..., None]
    transpose: Callable[..., None]


def ready() -> bool:
    """Whether products can run compiled. Compiles when it is asked for the first time, which takes some seconds."""
    return compiler.enabled() and compiled() is not None


def columns_of_a_panel() -> int:
    """How many columns lie side by side in registers on this machine: 64 with AVX-512."""
    from . import tile

    return tile.COLUMNS


@compiler.once
def compiled() -> Compiled | None:
    """The compiled functions; None where Numba is missing, switched off or at odds with its libraries."""
    return compiler.first_that_works(compile_and_try)


def compile_and_try(cache: bool) -> Compiled:
    """The compiled functions, once they have shown on a few numbers that they compute what they should."""
    from . import tile, transpose

    with compiler.announced("kernels: compiling products and convolutions for this machine, once"):
        functions = Compiled(tile.compile_walk(cache), transpose.compile_transpose(cache))
    two, three, product = (np.full(1, value, np.float32) for value in (2, 3, 0))
    functions.walk(two, three, product, three, plan(rows=Axis(1), columns=1, inner=Axis(1), start=ADD_BIAS))
    row, column = np.array([[[1, 2]]], np.float32), np.zeros((1, 2, 1), np.float32)
    functions.transpose(row, column)
    if product[0] != 9 or column.ravel().tolist() != [1, 2]:
        raise RuntimeError("the compiled code computes wrongly on this machine")
    return functions


# --- the plain form ----------------------------------------------------------------------------------------------


def plain(plans: Plan, a: np.ndarray, b: np.ndarray, c: np.ndarray, bias: np.ndarray | None = None) -> None:
    """What ``run`` computes, by ``einsum`` over strided views, for any dtype."""
    width = columns_of_a_panel()
    for plan in plans:
        for n in range(0, plan[COLUMN, LENGTH], width):
            columns = min(plan[COLUMN, LENGTH] - n, width)
            x = view(a, plan, A, (I, J, ROW, OUTER, MIDDLE, INNER))
            y = view(b, plan, B, (I, J, COLUMN, OUTER, MIDDLE, INNER), n // width * plan[OPTION, PANEL], columns)
            z = view(c, plan, C, (I, J, ROW, COLUMN), n, columns)
            sums = np.einsum("ijmopk,ijnopk->ijmn", x, y)
            for i, j in np.ndindex(sums.shape[:2]):  # in turn: with ADD_TO_C they may all be the same matrix
                total = sums[i, j]
                if plan[OPTION, START] == ADD_BIAS:
                    total = total + bias.reshape(-1)[plan[OFFSET, LENGTH] + n :][:columns]
                if plan[OPTION, START] == ADD_TO_C:
                    total = total + z[i, j]
                z[i, j] = np.maximum(total, 0) if plan[OPTION, RELU] else total


def view(x: np.ndarray, plan: Plan, array: int, axes: tuple[int, ...], offset: int = 0, columns: int = 0) -> np.ndarray:
    """The array of the plan as one with an axis for each index."""
    x = x.reshape(-1)[plan[OFFSET, array] + offset :]
    shape = [columns if axis == COLUMN else plan[axis, LENGTH] for axis in axes]
    strides = [plan[axis, array] * x.itemsize for axis in axes]
    return np.lib.stride_tricks.as_strided(x, shape, strides)
