"""The state of a launch that compiled code and the scheduler share: a row of integers at a fixed address.

Compiled code gets the address alone, and finds there where its arguments are. That keeps the functions of the simulator
free of array types, so that they are compiled once and not again for every kernel, and a kernel is compiled without a
wrapper that would take arrays from Python apart.
"""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Callable

import numpy as np
from llvmlite import ir
from numba import int64, njit, types
from numba.extending import intrinsic

__all__ = [
    *("BLOCK", "FAULT", "FAULT_ARRAY", "FAULT_SITE", "FIRST_OF_BARRIER", "FIRST_OF_BLOCK", "FUSED", "GRID", "INDEX"),
    *("INDEX_LENGTH", "INNER", "LEFT_OUT", "LOG", "LOG_LENGTH", "LOG_ROOM", "OCCURRENCES", "OPERANDS", "OTHER"),
    *("PHASE", "PLACE", "SITES", "THREAD", "THREADS", "Stop", "get", "get_at", "inner", "load_field", "meet"),
    *("new_state", "parking", "put", "put_at", "row_of", "small_code"),
]

INNER = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # options of functions that compiled code alone calls
inner = njit(**INNER)

THREAD, PHASE, FIRST_OF_BARRIER, FIRST_OF_BLOCK = range(4)  # who runs, and when: see shadow
FAULT, FAULT_SITE, FAULT_ARRAY, OTHER, INDEX_LENGTH, INDEX = range(4, 10)  # what a thread reports at a fault
LEFT_OUT = 14  # address of a number for each site: whether it is a barrier that is left out
OPERANDS = 15  # address of the kernel's arguments and shared arrays
ROWS = 16  # address of the rows, one a thread: through them, lanes of a warp exchange numbers
LOG, LOG_LENGTH, LOG_ROOM, OCCURRENCES, SITES, FUSED = range(17, 23)  # see counting
BLOCK, THREADS, GRID = 24, 27, 30  # index of the block, size of a block, size of the grid: three fields each
SIZE = 33

PLACE = 14  # in a thread's row, after what it exchanges: threadIdx, three cells
ROW_CELLS = PLACE + 3  # of 8 bytes


@intrinsic
def small_code(typingctx):
    """Stands first in a function and has it compiled for little code.

    LLVM would unroll every loop of a fixed length, and take twice as long for code that is hardly faster: each access
    in it is a call.
    """

    def build(context, builder, signature, arguments):
        builder.function.attributes.add("optsize")
        return context.get_dummy_value()

    return types.void(), build


class Stop(Exception):
    """Ends a thread: it reported a fault, or the launch was given up."""


# --- numbers at an address -----------------------------------------------------------------------------------------


def number_type(like):
    """The type of the numbers of an array; a number's own type."""
    return getattr(like, "dtype", like)


@intrinsic
def get_at(typingctx, address, like):
    """The number at an address, of the type of ``like``."""

    def build(context, builder, signature, arguments):
        pointer = builder.inttoptr(arguments[0], context.get_data_type(signature.return_type).as_pointer())
        return context.unpack_value(builder, signature.return_type, pointer)

    return number_type(like)(int64, like), build


@intrinsic
def put_at(typingctx, address, like, value):
    """Set the number at an address, of the type of ``like``."""

    def build(context, builder, signature, arguments):
        number = signature.args[2]
        pointer = builder.inttoptr(arguments[0], context.get_data_type(number).as_pointer())
        context.pack_value(builder, number, arguments[2], pointer)
        return context.get_dummy_value()

    return types.void(int64, like, number_type(like)), build


@intrinsic
def get(typingctx, address, field):
    """Field of a row of int64."""

    def build(context, builder, signature, arguments):
        return load_field(builder, *arguments)

    return int64(int64, int64), build


@intrinsic
def put(typingctx, address, field, value):
    """Set a field of a row of int64."""

    def build(context, builder, signature, arguments):
        builder.store(arguments[2], field_pointer(builder, *arguments[:2]))
        return context.get_dummy_value()

    return types.void(int64, int64, int64), build


def load_field(builder, address, field):
    """The code of ``get``."""
    return builder.load(field_pointer(builder, address, field))


def field_pointer(builder, address, field):
    if isinstance(field, int):
        field = ir.Constant(ir.IntType(64), field)
    return builder.gep(builder.inttoptr(address, ir.IntType(64).as_pointer()), [field])


@inner
def row_of(state):
    """Address of the running thread's row."""
    return get(state, ROWS) + get(state, THREAD) * (8 * ROW_CELLS)


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


def new_state(threads: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """(the state, the threads' rows), for blocks of this size."""
    state, rows = np.zeros(SIZE, np.int64), np.zeros((math.prod(threads), ROW_CELLS), np.int64)
    rows[:, PLACE:] = [place[::-1] for place in np.ndindex(threads[::-1])]  # of x, y, z, x runs fastest
    state[ROWS] = rows.ctypes.data
    return state, rows
