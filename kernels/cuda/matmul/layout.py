"""Where the numbers of matrices lie in memory, and how a kernel can walk over them there, without a copy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import arrays
from ..compiler import cuda

__all__ = ["Matrices", "address", "flat", "fold", "interface", "launches", "matrices", "overlap", "strides"]

FLOAT = 4  # bytes
INT32_LIMIT = 2**31
GRID_LIMIT = 65535  # blocks along y and along z


@dataclass(frozen=True)
class Matrices:
    """A batch of matrices in ``memory``, a flat array; all distances are counted in its elements.

    Attributes:
        transposed: what is stored are the transposes of the matrices that are meant.
        lead: from the beginning of a stored row to that of the next. The numbers of a row are neighbours.
        strides: from one matrix to the next, along each axis of the batch; 0 where the batch is broadcast.
    """

    memory: Any
    transposed: bool
    lead: int
    strides: tuple[int, ...]

    def wide(self, length: int) -> bool:
        """Whether stored rows of ``length`` numbers begin and end at multiples of 16 bytes."""
        return not any(number % 4 for number in (length, self.lead, *self.strides)) and address(self.memory) % 16 == 0


def matrices(array: Any, batch: tuple[int, ...], *, transpose: bool = False, by_rows: bool = False) -> Matrices | None:
    """The last two axes of an array as matrices, the others broadcast to ``batch``; None where only a copy would do.

    The neighbours along a row (or along a column, unless ``by_rows``) must be neighbours in memory, and no axis may run
    backwards. ``transpose``: the matrices meant are the transposes of those in the array.
    """
    if 0 in array.shape:
        return Matrices(flat(array), False, 0, (0,) * len(batch))  # nothing is read
    if any(step % FLOAT or step < 0 for step in array.strides):
        return None
    *sizes, rows, columns = array.shape
    *steps, by_row, by_column = strides(array)
    if transpose:
        rows, columns, by_row, by_column = columns, rows, by_column, by_row
    row_like = (by_column == 1 or columns == 1) and by_row < INT32_LIMIT
    column_like = (by_row == 1 or rows == 1) and by_column < INT32_LIMIT and not by_rows
    if not (row_like or column_like):
        return None
    transposed = column_like and (columns == 1 or not row_like)
    if transposed:
        lead = by_column if columns > 1 else rows
    else:
        lead = by_row if rows > 1 else columns
    steps = [step if size > 1 else 0 for size, step in zip(sizes, steps)]
    return Matrices(flat(array), transposed, lead, (0,) * (len(batch) - len(steps)) + tuple(steps))


def fold(batch: tuple[int, ...], rows: int, a: Matrices, b: Matrices, c: Matrices) -> tuple[tuple[int, ...], int]:
    """The batch without those of its last axes that are just more rows of A and C, and all the rows there are then.

    So it is where the matrices A lie below each other, the matrices C too, and each is multiplied by the same B: a
    batch of sequences that goes through one layer is one large matrix.
    """
    while batch and not a.transposed and rows * batch[-1] < INT32_LIMIT:
        axis = len(batch) - 1
        below = a.strides[axis] == rows * a.lead and c.strides[axis] == rows * c.lead and b.strides[axis] == 0
        if batch[-1] > 1 and not below:
            break
        batch, rows = batch[:-1], rows * batch[-1]
    return batch, rows


def launches(
    batch: tuple[int, ...], *operands: Matrices
) -> Iterator[tuple[tuple[int, int], list[tuple[int, int, int]]]]:
    """A batch of any number of axes as launches over two: their sizes and, for each operand, (start, stride, stride).

    Neighbouring axes over which all operands walk with one stride are one axis. Each index of those that are left
    beyond two takes a launch of its own, and so does each piece of an axis that is longer than a grid.
    """
    axes = [(1, [0] * len(operands)), (1, [0] * len(operands))]
    for size, *steps in zip(batch, *[operand.strides for operand in operands]):
        before, steps_before = axes[-1]
        if size == 1:
            continue
        if before == 1 or all(step_before == size * step for step_before, step in zip(steps_before, steps)):
            axes[-1] = (before * size, steps)
        else:
            axes.append((size, steps))
    *outer, (i_size, i_steps), (j_size, j_steps) = axes
    for index in np.ndindex(*[size for size, _ in outer]):
        starts = [sum(i * steps[n] for i, (_, steps) in zip(index, outer)) for n in range(len(operands))]
        for i in range(0, i_size, GRID_LIMIT):
            for j in range(0, j_size, GRID_LIMIT):
                walks = zip(starts, i_steps, j_steps)
                yield (
                    (min(GRID_LIMIT, i_size - i), min(GRID_LIMIT, j_size - j)),
                    [(start + i * i_step + j * j_step, i_step, j_step) for start, i_step, j_step in walks],
                )


def strides(array: Any) -> tuple[int, ...]:
    """From one index to the next along each axis, counted in elements."""
    return tuple(step // FLOAT for step in array.strides)


def interface(array: Any) -> dict[str, Any]:
    """How the array describes its memory to other libraries; its strides are None where it is C-contiguous."""
    return array.__cuda_array_interface__ if arrays.is_on_gpu(array) else array.__array_interface__


def address(array: Any) -> int:
    """Where the first element lies."""
    return interface(array)["data"][0]


class Described:
    """Memory under a description of its own; it keeps the owner alive."""

    def __init__(self, owner: Any, name: str, description: dict[str, Any]) -> None:
        self.owner = owner
        setattr(self, name, description)


def flat(array: Any) -> Any:
    """The memory from an array's first element to its last as one row, with what lies between its own elements."""
    span = 1 + sum((size - 1) * step for size, step in zip(array.shape, strides(array)))
    shape = (0 if 0 in array.shape else span,)
    if not arrays.is_on_gpu(array):
        return np.lib.stride_tricks.as_strided(array, shape, (FLOAT,))
    description = {**interface(array), "shape": shape, "strides": None}
    return cuda.as_cuda_array(Described(array, "__cuda_array_interface__", description), sync=False)


def overlap(one: Any, two: Any) -> bool:
    """Whether two arrays of the same side have an element in common, or it would take long to tell."""
    try:
        return np.shares_memory(addresses(one), addresses(two), max_work=10**6)
    except np.exceptions.TooHardError:
        return True


def addresses(array: Any) -> np.ndarray:
    """An array that has the same addresses, for reckoning with them; memory of a GPU must not be read through it."""
    if not arrays.is_on_gpu(array):
        return array
    description = {key: interface(array).get(key) for key in ("shape", "typestr", "data", "strides")}
    return np.asarray(Described(array, "__array_interface__", {**description, "version": 3}))
