"""Loads and stores, as the rewritten kernel makes them: each subscript of its source became ``load`` or ``store``.

What such a call does follows from the type of the array. Arrays that threads share (arguments and shared memory) come
as ``Memory``: ``access`` checks what is done to them. Local arrays belong to one thread: their bounds are checked, and
that a number was written before it is read. Tuples are left alone.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import int64, types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic, overload
from numba.np.arrayobj import make_array, populate_array
from numba.np.numpy_support import from_dtype

from .access import OUT_OF_BOUNDS, access, access4, blame
from .shadow import READ, UNINITIALISED, WRITE
from .state import INNER, Memory, Stop, bits_of, get_at, put_at

__all__ = ["is_memory", "length", "load", "load4", "local_array", "is_poison", "poison", "store", "store4", "whole"]

POISON = 0x7FDEAD01  # what fills memory that nobody has written: as float32 it is a NaN that no arithmetic yields


def poison(shape: Any, dtype: np.dtype) -> np.ndarray:
    """An array of numbers that nobody has written."""
    array = np.empty(shape, dtype)
    if dtype.itemsize % 4 == 0:
        array.reshape(-1).view(np.uint32)[...] = POISON
    else:
        array.reshape(-1).view(np.uint8)[...] = POISON >> 24
    return array


def is_poison(array: np.ndarray) -> np.ndarray:
    """Where an array holds what ``poison`` put there."""
    if array.itemsize not in (4, 8):  # 0x7F in a single byte may well be meant
        return np.zeros(array.shape, bool)
    pattern = poison(1, array.dtype).view(f"u{array.itemsize}")[0]
    return array.view(f"u{array.itemsize}") == pattern


def is_memory(numba_type: Any) -> bool:
    return isinstance(numba_type, types.NamedTuple) and numba_type.instance_class is Memory


def axes_of(memory_type: Any) -> int:
    return len(memory_type[memory_type.fields.index("shape")])


def whole(index: Any) -> Any:
    """The index as four int64, with zeros for axes that are not there."""


@overload(whole, jit_options=INNER)
def whole_numbers(index):
    return {
        1: lambda index: (int64(index[0]), 0, 0, 0),
        2: lambda index: (int64(index[0]), int64(index[1]), 0, 0),
        3: lambda index: (int64(index[0]), int64(index[1]), int64(index[2]), 0),
        4: lambda index: (int64(index[0]), int64(index[1]), int64(index[2]), int64(index[3])),
    }.get(len(index))


def length(array: Any) -> int:
    """``len(array)`` in a kernel."""


@overload(length, jit_options=INNER)
def length_by_type(array):
    if is_memory(array):
        return lambda array: array.shape[0]
    return lambda array: len(array)


# --- single numbers ------------------------------------------------------------------------------------------------


def load(state: Any, site: Any, array: Any, index: Any) -> Any:
    """``array[index]`` in a kernel."""


def store(state: Any, site: Any, array: Any, index: Any, value: Any) -> None:
    """``array[index] = value`` in a kernel."""


def check_index(axes: int, index: Any) -> None:
    """Raises numba's TypingError, with words of ours, for an index that no array of so many axes takes."""
    for number in index:
        if not isinstance(number, types.Integer):
            raise TypingError(f"an index must be an integer, not {number}")
    if len(index) > axes:
        raise TypingError(f"{len(index)} indices for an array with {axes} axes")


@overload(load, jit_options=INNER)
def load_by_type(state, site, array, index):
    if len(index) == 1 and isinstance(index[0], types.BaseTuple):  # an index that was a tuple in a variable
        return lambda state, site, array, index: load(state, site, array, index[0])
    if is_memory(array):
        check_index(axes_of(array), index)
        return load_part if len(index) < axes_of(array) else load_shared
    if isinstance(array, types.Array):
        return load_local
    if isinstance(array, types.BaseTuple):
        return lambda state, site, array, index: array[index[0]]
    raise TypingError(f"{array} takes no index here")


@overload(store, jit_options=INNER)
def store_by_type(state, site, array, index, value):
    if len(index) == 1 and isinstance(index[0], types.BaseTuple):
        return lambda state, site, array, index, value: store(state, site, array, index[0], value)
    if is_memory(array):
        check_index(axes_of(array), index)
        if len(index) < axes_of(array):
            raise TypingError(f"one number is set at a time: {axes_of(array)} indices are needed, not {len(index)}")
        return store_shared
    if isinstance(array, types.Array):
        return store_local
    raise TypingError(f"{array} takes no index here")


def load_shared(state, site, array, index):
    i, j, k, l = whole(array.first + index)
    address = access(state, site, array.row, READ, i, j, k, l)
    if address == 0:
        raise Stop
    return get_at(address, array.zero)


def store_shared(state, site, array, index, value):
    i, j, k, l = whole(array.first + index)
    address = access(state, site, array.row, WRITE, i, j, k, l)
    if address == 0:
        raise Stop
    put_at(address, array.zero, value)


def load_part(state, site, array, index):
    """Part of an array, by its first axes."""
    shape = array.shape[len(index) :]
    size = 1
    for length in shape:
        size *= length
    return Memory(array.row, shape, size, len(shape), array.zero, array.first + index)


def load_local(state, site, array, index):
    for axis in range(len(index)):
        if not 0 <= index[axis] < array.shape[axis]:
            i, j, k, l = whole(index)
            blame(state, site, OUT_OF_BOUNDS, len(index), i, j, k, l)
            raise Stop
    value = array[index]
    if holds_poison(value):
        i, j, k, l = whole(index)
        blame(state, site, UNINITIALISED, len(index), i, j, k, l)
        raise Stop
    return value


def store_local(state, site, array, index, value):
    for axis in range(len(index)):
        if not 0 <= index[axis] < array.shape[axis]:
            i, j, k, l = whole(index)
            blame(state, site, OUT_OF_BOUNDS, len(index), i, j, k, l)
            raise Stop
    array[index] = value


# --- arrays of one thread ------------------------------------------------------------------------------------------


@cache
def local_array(shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """The function that makes such an array for a thread: on its stack, full of poison."""
    array_type = types.Array(from_dtype(dtype), len(shape), "C")
    pattern = poison(1, dtype).view(f"u{dtype.itemsize}")[0]

    @intrinsic
    def local_array(typingctx):
        def build(context, builder, signature, arguments):
            integer = ir.IntType(8 * dtype.itemsize)
            length = context.get_constant(types.intp, int(np.prod(shape)))
            numbers = cgutils.alloca_once(builder, integer, length)
            with cgutils.for_range(builder, length) as loop:
                builder.store(integer(int(pattern)), builder.gep(numbers, [loop.index]))
            array = make_array(array_type)(context, builder)
            strides = np.empty(shape, dtype).strides
            populate_array(
                array,
                data=builder.bitcast(numbers, array.data.type),
                shape=[context.get_constant(types.intp, length) for length in shape],
                strides=[context.get_constant(types.intp, stride) for stride in strides],
                itemsize=context.get_constant(types.intp, dtype.itemsize),
                meminfo=None,
            )
            return array._getvalue()

        return array_type(), build

    return local_array


def holds_poison(value: Any) -> Any:
    """Whether the number is the one that stands for "not written"."""


@overload(holds_poison, jit_options=INNER)
def holds_poison_by_type(value):
    if value == types.float32:
        return lambda value: bits_of(value) == POISON
    if isinstance(value, types.Integer) and value.bitwidth == 32:
        return lambda value: value == POISON
    return lambda value: False


# --- accesses of 16 bytes ------------------------------------------------------------------------------------------


def load4(state: Any, site: Any, array: Any, index: Any) -> Any:
    """``kernels.cuda.vector.load4`` in the simulator."""


def store4(state: Any, site: Any, array: Any, index: Any, x: Any, y: Any, z: Any, w: Any) -> None:
    """``kernels.cuda.vector.store4`` in the simulator."""


def is_whole_float32(array: Any) -> bool:
    zero, first = array.fields.index("zero"), array.fields.index("first")
    return is_memory(array) and array[zero] == types.float32 and len(array[first]) == 0


@overload(load4, jit_options=INNER)
def load4_by_type(state, site, array, index):
    def load(state, site, array, index):
        address = access4(state, site, array.row, READ, index)
        if address == 0:
            raise Stop
        zero = array.zero
        return get_at(address, zero), get_at(address + 4, zero), get_at(address + 8, zero), get_at(address + 12, zero)

    return load if is_whole_float32(array) else None


@overload(store4, jit_options=INNER)
def store4_by_type(state, site, array, index, x, y, z, w):
    def store(state, site, array, index, x, y, z, w):
        address = access4(state, site, array.row, WRITE, index)
        if address == 0:
            raise Stop
        put_at(address, array.zero, x)
        put_at(address + 4, array.zero, y)
        put_at(address + 8, array.zero, z)
        put_at(address + 12, array.zero, w)

    return store if is_whole_float32(array) else None
