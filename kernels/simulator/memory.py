"""Loads and stores, as the rewritten kernel makes them: each subscript of its source became a call of ``load`` or ``store``.

What such a call does follows from the type of the array. Arrays that threads share (arguments and shared memory) come
as ``Memory``, and each access is checked against the shadow. Local arrays belong to one thread: their bounds are
checked, and that a number was written before it is read. Tuples are left alone.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import int64, njit, types
from numba.extending import overload

from .shadow import MISALIGNED, OUT_OF_BOUNDS, READ, UNINITIALISED, WRITE, check_access, report
from .state import INDEX, INDEX_LENGTH, Memory, Stop, bits_of, get_at, put, put_at

__all__ = ["is_memory", "load", "load4", "local_array", "poison", "store", "store4", "touch", "whole"]

POISON = 0x7FDEAD01  # what fills memory that nobody has written: as float32 it is a NaN that no arithmetic yields


def poison(shape: Any, dtype: np.dtype) -> np.ndarray:
    """An array of numbers that nobody has written."""
    array = np.empty(shape, dtype)
    if dtype.itemsize % 4 == 0:
        array.reshape(-1).view(np.uint32)[...] = POISON
    else:
        array.reshape(-1).view(np.uint8)[...] = POISON >> 24
    return array


def is_memory(numba_type: Any) -> bool:
    return isinstance(numba_type, types.NamedTuple) and numba_type.instance_class is Memory


def whole(index: Any) -> Any:
    """The index with all of its numbers as int64."""


@overload(whole)
def whole_numbers(index):
    return {
        1: lambda index: (int64(index[0]),),
        2: lambda index: (int64(index[0]), int64(index[1])),
        3: lambda index: (int64(index[0]), int64(index[1]), int64(index[2])),
        4: lambda index: (int64(index[0]), int64(index[1]), int64(index[2]), int64(index[3])),
    }.get(len(index))


@njit
def note_index(state, index):
    """Keep the index that is at fault."""
    put(state, INDEX_LENGTH, len(index))
    for axis in range(len(index)):
        put(state, INDEX + axis, index[axis])


@njit
def fail(state, kind, site, array, index):
    note_index(state, index)
    report(state, kind, site, array, 0)
    raise Stop


@njit
def offset_of(state, site, array, shape, strides, index):
    """Bytes from the array's start to the number: every index must be at least 0 and below its axis' length."""
    offset = 0
    for axis in range(len(index)):
        if not 0 <= index[axis] < shape[axis]:
            fail(state, OUT_OF_BOUNDS, site, array, index)
        offset += index[axis] * strides[axis]
    return offset


@njit
def touch(state, site, array, records, count, access, index):
    """Check an access against the shadow."""
    if check_access(state, site, array, records, count, access) != 0:
        note_index(state, index)
        raise Stop


# --- single numbers ------------------------------------------------------------------------------------------------


def load(state: Any, site: Any, array: Any, index: Any) -> Any:
    """``array[index]`` in a kernel."""


def store(state: Any, site: Any, array: Any, index: Any, value: Any) -> None:
    """``array[index] = value`` in a kernel."""


@overload(load)
def load_by_type(state, site, array, index):
    if len(index) == 1 and isinstance(index[0], types.BaseTuple):  # an index that was a tuple in a variable
        return lambda state, site, array, index: load(state, site, array, index[0])
    if is_memory(array):
        return load_row if len(index) < len(array[array.fields.index("shape")]) else load_shared
    if isinstance(array, types.Array):
        return load_local
    if isinstance(array, types.BaseTuple):
        return lambda state, site, array, index: array[index[0]]
    return None


@overload(store)
def store_by_type(state, site, array, index, value):
    if len(index) == 1 and isinstance(index[0], types.BaseTuple):
        return lambda state, site, array, index, value: store(state, site, array, index[0], value)
    if is_memory(array):
        return store_shared
    if isinstance(array, types.Array):
        return store_local
    return None


def load_shared(state, site, array, index):
    index = whole(index)
    address = array.address + offset_of(state, site, array.number, array.shape, array.strides, index)
    touch(state, site, array.number, array.records + address * array.factor, 1, READ, index)
    return get_at(address, array.zero)


def store_shared(state, site, array, index, value):
    index = whole(index)
    address = array.address + offset_of(state, site, array.number, array.shape, array.strides, index)
    touch(state, site, array.number, array.records + address * array.factor, 1, WRITE, index)
    put_at(address, array.zero, value)


def load_row(state, site, array, index):
    """Part of an array, by its first axes: still shared memory."""
    index = whole(index)
    address = array.address + offset_of(state, site, array.number, array.shape, array.strides, index)
    shape, strides = array.shape[len(index) :], array.strides[len(index) :]
    size = 1
    for axis in range(len(shape)):
        size *= shape[axis]
    rest = array.zero, array.records, array.factor, array.number
    return Memory(address, shape, strides, size, len(shape), array.contiguous, *rest)


def load_local(state, site, array, index):
    index = whole(index)
    for axis in range(len(index)):
        if not 0 <= index[axis] < array.shape[axis]:
            fail(state, OUT_OF_BOUNDS, site, -1, index)
    value = array[index]
    if is_poison(value):
        fail(state, UNINITIALISED, site, -1, index)
    return value


def store_local(state, site, array, index, value):
    index = whole(index)
    for axis in range(len(index)):
        if not 0 <= index[axis] < array.shape[axis]:
            fail(state, OUT_OF_BOUNDS, site, -1, index)
    array[index] = value


# --- arrays of one thread ------------------------------------------------------------------------------------------


@cache
def local_array(shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """The function that makes such an array for a thread, full of poison."""
    pattern = poison(1, dtype)[0]
    return njit(lambda: np.full(shape, pattern))


def is_poison(value: Any) -> Any:
    """Whether the number is the one that stands for "not written"."""


@overload(is_poison)
def is_poison_by_type(value):
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


@njit
def four_at(state, site, number, start, size, contiguous, index):
    """The address of four neighbours."""
    if index < 0 or index + 4 > size or not contiguous:
        fail(state, OUT_OF_BOUNDS, site, number, (index,))
    address = start + 4 * index
    if address % 16 != 0:
        fail(state, MISALIGNED, site, number, (index,))
    return address


@overload(load4)
def load4_by_type(state, site, array, index):
    def load(state, site, array, index):
        index = int64(index)
        address = four_at(state, site, array.number, array.address, array.size, array.contiguous, index)
        touch(state, site, array.number, array.records + address * array.factor, 4, READ, (index,))
        zero = array.zero
        return get_at(address, zero), get_at(address + 4, zero), get_at(address + 8, zero), get_at(address + 12, zero)

    return load if is_memory(array) else None


@overload(store4)
def store4_by_type(state, site, array, index, x, y, z, w):
    def store(state, site, array, index, x, y, z, w):
        index = int64(index)
        address = four_at(state, site, array.number, array.address, array.size, array.contiguous, index)
        touch(state, site, array.number, array.records + address * array.factor, 4, WRITE, (index,))
        put_at(address, array.zero, x)
        put_at(address + 4, array.zero, y)
        put_at(address + 8, array.zero, z)
        put_at(address + 12, array.zero, w)

    return store if is_memory(array) else None
