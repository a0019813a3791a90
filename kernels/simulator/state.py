"""The state of a launch that compiled code and the scheduler share: a row of integers at a fixed address.

Compiled code gets the address alone. That keeps the functions of the simulator free of array types, so that they are
compiled once and not again for every kernel.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import int64, njit, types
from numba.extending import intrinsic

__all__ = [
    *("BLOCK", "FAULT", "FAULT_ARRAY", "FAULT_SITE", "FIRST_OF_BARRIER", "FIRST_OF_BLOCK", "FUSED", "GRID", "INDEX"),
    *("INDEX_LENGTH", "INNER", "LOG", "LOG_LENGTH", "LOG_ROOM", "OCCURRENCES", "OTHER", "PHASE", "SITES", "THREAD"),
    *("THREADS", "Memory", "Stop", "Thread", "bits_of", "get", "get_at", "inner", "meet", "new_state", "parking"),
    *("put", "put_at", "row_of"),
]

INNER = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # options of functions that compiled code alone calls
inner = njit(**INNER)

THREAD, PHASE, FIRST_OF_BARRIER, FIRST_OF_BLOCK = range(4)  # who runs, and when: see shadow
FAULT, FAULT_SITE, FAULT_ARRAY, OTHER, INDEX_LENGTH, INDEX = range(4, 10)  # what a thread reports at a fault
ROWS = 16  # address of the rows (one a thread) through which lanes of a warp exchange numbers
LOG, LOG_LENGTH, LOG_ROOM, OCCURRENCES, SITES, FUSED = range(17, 23)  # see counting
BLOCK, THREADS, GRID = 24, 27, 30  # index of the block, size of a block, size of the grid: three fields each
SIZE = 33

ROW_CELLS = 16  # of 8 bytes


class Memory(NamedTuple):
    """An array that threads share, as compiled code sees it."""

    row: Any  # address of what is known of the array: see access
    shape: Any
    size: Any
    ndim: Any
    zero: Any  # a number of the array's dtype
    first: Any  # of part of an array, the indices of the first axes; else ()


class Thread(NamedTuple):
    """One thread: its place in the grid, the state, and the shared arrays of its block."""

    tx: Any  # threadIdx
    ty: Any
    tz: Any
    bx: Any  # blockIdx
    by: Any
    bz: Any
    dx: Any  # blockDim
    dy: Any
    dz: Any
    gx: Any  # gridDim
    gy: Any
    gz: Any
    state: Any
    shared: Any


class Stop(Exception):
    """Ends a thread: it reported a fault, or the launch was given up."""


# --- numbers at an address -----------------------------------------------------------------------------------------


@intrinsic
def get_at(typingctx, address, like):
    """The number at an address, of the type of ``like``."""

    def build(context, builder, signature, arguments):
        number = context.get_data_type(like)
        pointer = builder.inttoptr(arguments[0], number.as_pointer())
        return context.unpack_value(builder, like, pointer)

    return like(int64, like), build


@intrinsic
def put_at(typingctx, address, like, value):
    """Set the number at an address, of the type of ``like``."""

    def build(context, builder, signature, arguments):
        number = context.get_data_type(like)
        pointer = builder.inttoptr(arguments[0], number.as_pointer())
        context.pack_value(builder, like, arguments[2], pointer)
        return context.get_dummy_value()

    return types.void(int64, like, like), build


@intrinsic
def get(typingctx, address, field):
    """Field of a row of int64."""

    def build(context, builder, signature, arguments):
        return builder.load(field_pointer(builder, *arguments))

    return int64(int64, int64), build


@intrinsic
def put(typingctx, address, field, value):
    """Set a field of a row of int64."""

    def build(context, builder, signature, arguments):
        builder.store(arguments[2], field_pointer(builder, *arguments[:2]))
        return context.get_dummy_value()

    return types.void(int64, int64, int64), build


def field_pointer(builder, address, field):
    return builder.gep(builder.inttoptr(address, ir.IntType(64).as_pointer()), [field])


@inner
def row_of(state):
    """Address of the running thread's row for exchanges."""
    return get(state, ROWS) + get(state, THREAD) * (8 * ROW_CELLS)


@intrinsic
def bits_of(typingctx, value):
    """The 32 bits of a float32, as an integer."""

    def build(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.int32(value), build


# --- waiting -------------------------------------------------------------------------------------------------------


class Parking(threading.local):
    """Where a waiting thread goes: the scheduler in charge sets ``wait``, which says whether to go on.

    Each thread of Python that launches kernels has a scheduler of its own.
    """

    wait: Callable[[int, int], int]


parking = Parking()


@ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
def park(kind: int, site: int) -> int:
    return parking.wait(kind, site)


@inner
def meet(kind, site):
    """Wait until the others of the block, or of the warp, are here too."""
    if park(kind, site) == 0:
        raise Stop


def new_state(threads: int) -> tuple[np.ndarray, np.ndarray]:
    """(the state, the rows for exchanges)."""
    state, rows = np.zeros(SIZE, np.int64), np.zeros((threads, ROW_CELLS), np.int64)
    state[ROWS] = rows.ctypes.data
    return state, rows
