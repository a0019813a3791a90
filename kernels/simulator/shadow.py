"""Shadow memory: what the simulator remembers of each number that threads share.

Each number has a row of three records: the last plain write, the last plain read, the last atomic access. A record is
one integer::

    phase (34 bits) | site in the source (16 bits) | thread (10 bits) | FLAGS (3 bits)

A *phase* is a span of time within one warp. Every barrier begins a new one for all warps of the block, every
``cuda.syncwarp()`` for its warp; the numbers only grow, through all blocks of a launch. So two numbers say all that
counts: phases before ``first_of_block`` belong to other blocks, which nothing orders; phases from
``first_of_barrier`` on lie after the block's last barrier, so nothing orders other warps' accesses; within a warp,
an access in an earlier phase came before a ``syncwarp``, one in the same phase is unordered.

One record cannot list all readers of a number, and need not: the flags say whether there were others in the same warp's
phase, in other warps since the barrier, in other blocks.
"""

from __future__ import annotations

import numpy as np
from numba import cfunc, njit

from .state import FAULT, FAULT_ARRAY, FAULT_SITE, FIRST_OF_BARRIER, FIRST_OF_BLOCK, OTHER, PHASE, THREAD, get, put

__all__ = [
    *("ATOMIC", "READ", "RECORDS", "UNWRITTEN", "WRITE"),
    *("check_access", "new_records", "others_of", "phase_of", "site_of", "thread_of"),
    *("MISALIGNED", "OUT_OF_BOUNDS", "RACE", "UNINITIALISED"),
]

WRITE, READ, ATOMIC = 0, 1, 2  # kinds of access, and places of their records
RECORDS = 3
UNWRITTEN = -1  # in place of a write: the number holds nothing yet

OUT_OF_BOUNDS, MISALIGNED, UNINITIALISED, RACE = 1, 2, 3, 4  # kinds of fault

LANES, WARPS, BLOCKS = 1, 2, 4  # flags: who else, beside the thread that the record names
THREAD_FIELD, SITE_FIELD, PHASE_FIELD = 3, 13, 29  # positions


def new_records(words: int) -> np.ndarray:
    """Rows for numbers that were written before the launch and not touched since."""
    return np.zeros((words, RECORDS), np.int64)


@njit
def phase_of(record):
    return record >> PHASE_FIELD


@njit
def site_of(record):
    return (record >> SITE_FIELD) & 0xFFFF


@njit
def thread_of(record):
    return (record >> THREAD_FIELD) & 0x3FF


def others_of(record: int) -> str:
    """Who else, in words."""
    if record & BLOCKS:
        return " and other blocks"
    return " and others" if record & (LANES | WARPS) else ""


@njit
def conflict(state, record):
    """Whether an access now is unordered with the one recorded (and another thread made that)."""
    if record <= 0:
        return False
    phase = phase_of(record)
    if record & BLOCKS or phase < get(state, FIRST_OF_BLOCK):
        return True
    if phase < get(state, FIRST_OF_BARRIER):
        return False
    other, thread = thread_of(record), get(state, THREAD)
    if record & WARPS or other >> 5 != thread >> 5:
        return True
    return phase == get(state, PHASE) and (record & LANES != 0 or other != thread)


@njit
def updated(state, record, site):
    """The record after an access now."""
    flags, thread, now = 0, get(state, THREAD), get(state, PHASE)
    if record > 0:
        flags, phase, other = record & BLOCKS, phase_of(record), thread_of(record)
        if phase < get(state, FIRST_OF_BLOCK):
            flags = BLOCKS
        elif phase >= get(state, FIRST_OF_BARRIER):
            if record & WARPS or other >> 5 != thread >> 5:
                flags |= WARPS
            elif phase == now and (record & LANES or other != thread):
                flags |= LANES
    return now << PHASE_FIELD | site << SITE_FIELD | thread << THREAD_FIELD | flags


@njit
def report(state, kind, site, array, other):
    put(state, FAULT, kind)
    put(state, FAULT_SITE, site)
    put(state, FAULT_ARRAY, array)
    put(state, OTHER, other)
    return 1


@cfunc("int64(int64, int64, int64, int64, int64, int64)", cache=True)
def check(state, site, array, records, count, access):
    """Check and note an access to ``count`` neighbouring numbers; 1 if it is a fault (then reported), else 0.

    A plain read must be ordered with writes and atomic accesses; a plain write with all; an atomic access with plain
    ones.
    """
    for row in range(records, records + count * 8 * RECORDS, 8 * RECORDS):
        if access != WRITE and get(row, WRITE) == UNWRITTEN:
            return report(state, UNINITIALISED, site, array, 0)
        if conflict(state, get(row, WRITE)):
            return report(state, RACE, site, array, get(row, WRITE))
        if access != READ and conflict(state, get(row, READ)):
            return report(state, RACE, site, array, get(row, READ))
        if access != ATOMIC and conflict(state, get(row, ATOMIC)):
            return report(state, RACE, site, array, get(row, ATOMIC))
        put(row, access, updated(state, get(row, access), site))
    return 0


check_access = check.ctypes
