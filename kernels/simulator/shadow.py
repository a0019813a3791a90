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

from .state import FIRST_OF_BARRIER, FIRST_OF_BLOCK, PHASE, THREAD, get, inner, put

__all__ = [
    *("ATOMIC", "NO_FAULT", "RACE", "READ", "RECORDS", "UNINITIALISED", "UNWRITTEN", "WRITE"),
    *("note", "read_record"),
]

WRITE, READ, ATOMIC = 0, 1, 2  # kinds of access, and places of their records
RECORDS = 3
UNWRITTEN = -1  # in place of a write: the number holds nothing yet

NO_FAULT, RACE, UNINITIALISED = 0, 1, 2

LANES, WARPS, BLOCKS = 1, 2, 4  # flags: who else, beside the thread that the record names
THREAD_FIELD, SITE_FIELD, PHASE_FIELD = 3, 13, 29  # positions


@inner
def phase_of(record):
    return record >> PHASE_FIELD


@inner
def thread_of(record):
    return (record >> THREAD_FIELD) & 0x3FF


def read_record(record: int) -> tuple[int, int, int, str]:
    """(phase, site, thread, who else in words), for Python."""
    others = " and other blocks" if record & BLOCKS else " and others" if record & (LANES | WARPS) else ""
    return record >> PHASE_FIELD, record >> SITE_FIELD & 0xFFFF, record >> THREAD_FIELD & 0x3FF, others


@inner
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


@inner
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


@inner
def note(state, site, records, access):
    """Check an access to a number against its records and keep it there: (fault, record of the other access).

    A plain read must be ordered with writes and atomic accesses; a plain write with all; an atomic access with plain
    ones.
    """
    write, read, atomic = get(records, WRITE), get(records, READ), get(records, ATOMIC)
    if access != WRITE and write == UNWRITTEN:
        return UNINITIALISED, 0
    if conflict(state, write):
        return RACE, write
    if access != READ and conflict(state, read):
        return RACE, read
    if access != ATOMIC and conflict(state, atomic):
        return RACE, atomic
    put(records, access, updated(state, get(records, access), site))
    return NO_FAULT, 0
