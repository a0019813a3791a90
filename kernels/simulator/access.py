"""Every access of a thread to memory that threads share: is it allowed, where does it go?

Compiled once for all kernels, when this is imported. A kernel passes numbers only: the state, the site of the access,
the row of integers that describes the array, the index.
"""

from __future__ import annotations

import numpy as np
from numba import cfunc

from .shadow import NO_FAULT, RECORDS, UNINITIALISED, note
from .state import (
    FAULT,
    FAULT_ARRAY,
    FAULT_SITE,
    INDEX,
    INDEX_LENGTH,
    LOG,
    LOG_LENGTH,
    LOG_ROOM,
    OCCURRENCES,
    OTHER,
    SITES,
    THREAD,
    get,
    inner,
    put,
)

__all__ = [
    "LOG_CELLS",
    "MISALIGNED",
    "NUMBER",
    "OUT_OF_BOUNDS",
    "SHAPE",
    "access",
    "access4",
    "address_of",
    "blame",
    "described",
]

OUT_OF_BOUNDS, MISALIGNED = UNINITIALISED + 1, UNINITIALISED + 2
LOCAL = -1  # stands for a local array where an array's number is wanted

ADDRESS, AXES, NUMBERS, BYTES, CONTIGUOUS, SHADOW, FACTOR, NUMBER, SHAPE = range(9)  # cells of an array's row
STRIDES = SHAPE + 4
LOG_CELLS = 3  # of 8 bytes, for each access


def address_of(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def described(data: np.ndarray, records: np.ndarray, first: int, number: int) -> np.ndarray:
    """The row of an array, whose address is what compiled code gets.

    ``records`` holds the shadow of each number from address ``first`` on.
    """
    factor = records.strides[0] // data.itemsize
    shadow = address_of(records) - first * factor  # the records of the number at address a begin at shadow + a * factor
    place = address_of(data), data.ndim, data.size, data.itemsize, data.flags.c_contiguous, shadow, factor, number
    padding = (0,) * (4 - data.ndim)
    return np.array([*place, *data.shape, *padding, *data.strides, *padding], np.int64)


@inner
def report(state, fault, site, array, other, axes, index):
    put(state, FAULT, fault)
    put(state, FAULT_SITE, site)
    put(state, FAULT_ARRAY, array)
    put(state, OTHER, other)
    put(state, INDEX_LENGTH, axes)
    for axis in range(axes):
        put(state, INDEX + axis, index[axis])
    return 0


@inner
def log(state, site, array, address, size):
    """Keep the access, for counting: (thread, site, which of the thread's accesses there), address, bytes and array."""
    count = get(state, LOG_LENGTH)
    put(state, LOG_LENGTH, count + 1)
    if count >= get(state, LOG_ROOM):
        return
    times = get(state, OCCURRENCES) + 8 * (get(state, THREAD) * get(state, SITES) + site)
    cell = get(state, LOG) + 8 * LOG_CELLS * count
    put(cell, 0, (get(state, THREAD) << 16 | site) << 32 | get(times, 0))
    put(cell, 1, address)
    put(cell, 2, size << 16 | get(array, NUMBER))
    put(times, 0, get(times, 0) + 1)


@cfunc("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def access(state, site, array, kind, i, j, k, l):
    """Address of number [i, j, k, l] of an array (as far as it has axes); 0 for a fault, which is reported."""
    axes, index, address = get(array, AXES), (i, j, k, l), get(array, ADDRESS)
    for axis in range(axes):
        if not 0 <= index[axis] < get(array, SHAPE + axis):
            return report(state, OUT_OF_BOUNDS, site, get(array, NUMBER), 0, axes, index)
        address += index[axis] * get(array, STRIDES + axis)
    fault, other = note(state, site, get(array, SHADOW) + address * get(array, FACTOR), kind)
    if fault != NO_FAULT:
        return report(state, fault, site, get(array, NUMBER), other, axes, index)
    if get(state, LOG) != 0:
        log(state, site, array, address, get(array, BYTES))
    return address


@cfunc("int64(int64, int64, int64, int64, int64)")
def access4(state, site, array, kind, i):
    """Address of four neighbouring float32, the first the i-th of the array; 0 for a fault, which is reported."""
    number, address = get(array, NUMBER), get(array, ADDRESS) + 4 * i
    if i < 0 or i + 4 > get(array, NUMBERS) or get(array, CONTIGUOUS) == 0:
        return report(state, OUT_OF_BOUNDS, site, number, 0, 1, (i, 0, 0, 0))
    if address % 16 != 0:
        return report(state, MISALIGNED, site, number, 0, 1, (i, 0, 0, 0))
    records = get(array, SHADOW) + address * get(array, FACTOR)
    for lane in range(4):
        fault, other = note(state, site, records + lane * 8 * RECORDS, kind)
        if fault != NO_FAULT:
            return report(state, fault, site, number, other, 1, (i + lane, 0, 0, 0))
    if get(state, LOG) != 0:
        log(state, site, array, address, 16)
    return address


@cfunc("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def blame(state, site, fault, axes, i, j, k, l):
    """Report a fault in a local array."""
    return report(state, fault, site, LOCAL, 0, axes, (i, j, k, l))
