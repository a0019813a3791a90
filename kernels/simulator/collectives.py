"""Where threads meet: barriers of a block, and what the lanes of a warp do together.

A thread that comes to one of these leaves its operands in its row of the state and waits (``meet``). The scheduler sees
who waits where; when all who must be there are there, it works out everybody's result (for a warp: one of the functions
in ``WARP_RESULTS``) and lets them go on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import float32, float64, int64, types
from numba.extending import overload

from .faults import DivergentBarrier
from .state import INNER, LEFT_OUT, THREAD, get, get_at, inner, meet, put, put_at, row_of

__all__ = [
    *("DONE", "MASK", "NAMES", "SYNCTHREADS", "SYNCWARP", "WARP_RESULTS"),
    *("all_sync", "any_sync", "ballot_sync", "mma_tf32", "syncthreads", "syncwarp"),
    *("shfl_down_sync", "shfl_sync", "shfl_up_sync", "shfl_xor_sync"),
]

DONE, SYNCTHREADS, SYNCWARP, SHUFFLE, VOTE, MMA = map(np.int64, range(6))
NAMES = ["end", "syncthreads", "syncwarp", "shuffle", "vote", "mma"]

MASK, OPERAND, VALUE, RESULT = range(4)  # cells of a thread's row
PIECES = 4  # the first of an mma's operands, and of its result
FULL = 0xFFFFFFFF


@inner
def syncthreads(state, site):
    if get(get(state, LEFT_OUT), site) == 0:
        meet(SYNCTHREADS, site)


def syncwarp(state: Any, site: Any, mask: Any = FULL) -> None:
    """``cuda.syncwarp``: the accesses of the warp's lanes before it come before those after it."""


@overload(syncwarp, jit_options=INNER)
def syncwarp_masked(state, site, mask=FULL):
    def wait(state, site, mask=FULL):
        if get(get(state, LEFT_OUT), site) == 0:
            put(row_of(state), MASK, mask)
            meet(SYNCWARP, site)

    return wait


@inner
def lane(state):
    """Which thread of its warp this one is."""
    return get(state, THREAD) & 31


# --- shuffles: a lane reads another lane's register ----------------------------------------------------------------


def exchange(state: Any, site: Any, mask: Any, value: Any, source: Any) -> Any:
    """The value that lane ``source`` of the warp brings."""


@overload(exchange, jit_options=INNER)
def exchange_by_type(state, site, mask, value, source):
    cell = float64(0) if isinstance(value, types.Float) else int64(0)

    def exchange(state, site, mask, value, source):
        row = row_of(state)
        put(row, MASK, mask)
        put(row, OPERAND, source)
        put_at(row + 8 * VALUE, cell, value)
        meet(SHUFFLE, site)
        return same(value, get_at(row + 8 * RESULT, cell))

    return exchange


def same(pattern: Any, value: Any) -> Any:
    """The value in the type of the pattern."""


@overload(same, jit_options=INNER)
def same_type(pattern, value):
    to = pattern
    return lambda pattern, value: to(value)


@inner
def shfl_sync(state, site, mask, value, source):
    return exchange(state, site, mask, value, source & 31)


@inner
def shfl_xor_sync(state, site, mask, value, lanes):
    return exchange(state, site, mask, value, lane(state) ^ lanes)


@inner
def shfl_up_sync(state, site, mask, value, delta):
    own = lane(state)
    return exchange(state, site, mask, value, own - delta if own >= delta else own)


@inner
def shfl_down_sync(state, site, mask, value, delta):
    own = lane(state)
    return exchange(state, site, mask, value, own + delta if own + delta < 32 else own)


def shuffle(lanes: np.ndarray, rows: np.ndarray) -> None:
    sources, first = rows[lanes, OPERAND], lanes[0] & ~31
    here = np.zeros(32, bool)
    here[lanes - first] = True
    absent = (sources >> 5 != 0) | ~here[sources & 31]
    if absent.any():
        reader, source = lanes[absent][0], sources[absent][0] & 31
        raise DivergentBarrier(f"lane {reader & 31} reads from lane {source}, which takes no part in the shuffle")
    rows[lanes, RESULT] = rows[first + sources, VALUE]


# --- votes: one bit of every lane ----------------------------------------------------------------------------------


@inner
def ballot_sync(state, site, mask, predicate):
    row = row_of(state)
    put(row, MASK, mask)
    put(row, VALUE, 1 if predicate else 0)
    meet(VOTE, site)
    return np.uint32(get(row, RESULT))


@inner
def any_sync(state, site, mask, predicate):
    return ballot_sync(state, site, mask, predicate) != 0


@inner
def all_sync(state, site, mask, predicate):
    return ballot_sync(state, site, mask, not predicate) == 0


def vote(lanes: np.ndarray, rows: np.ndarray) -> None:
    rows[lanes, RESULT] = np.sum(rows[lanes, VALUE] << (lanes & 31))


# --- tensor cores --------------------------------------------------------------------------------------------------


@inner
def mma_tf32(state, site, a0, a1, a2, a3, b0, b1, c0, c1, c2, c3):
    row = row_of(state)
    put(row, MASK, FULL)
    for cell, value in enumerate((a0, a1, a2, a3, b0, b1, c0, c1, c2, c3)):
        put_at(row + 8 * (PIECES + cell), float64(0), value)
    meet(MMA, site)
    d = row + 8 * PIECES
    return piece(d), piece(d + 8), piece(d + 16), piece(d + 24)


@inner
def piece(address):
    return float32(get_at(address, float64(0)))


def multiply_matrices(lanes: np.ndarray, rows: np.ndarray) -> None:
    """D = A B + C from the lanes' pieces; ``kernels.cuda.vector.mma_tf32`` says which piece is where."""
    if len(lanes) < 32:
        raise DivergentBarrier(f"only {len(lanes)} of the warp's 32 lanes come to the mma")
    g, t = (lanes & 31) // 4, (lanes & 31) % 4
    A, B, C = np.empty((16, 8)), np.empty((8, 8)), np.empty((16, 8))
    pieces = rows.view(np.float64)[lanes, PIECES:]
    A[g, t], A[g + 8, t], A[g, t + 4], A[g + 8, t + 4] = to_tf32(pieces[:, 0:4]).T
    B[t, g], B[t + 4, g] = to_tf32(pieces[:, 4:6]).T
    C[g, 2 * t], C[g, 2 * t + 1], C[g + 8, 2 * t], C[g + 8, 2 * t + 1] = pieces[:, 6:10].T
    D = A @ B + C
    rows.view(np.float64)[lanes, PIECES : PIECES + 4] = np.stack(
        [D[g, 2 * t], D[g, 2 * t + 1], D[g + 8, 2 * t], D[g + 8, 2 * t + 1]], 1
    )


def to_tf32(x: np.ndarray) -> np.ndarray:
    """The number without the 13 fraction bits that tf32 has not: what the tensor cores see of it."""
    return (x.astype(np.float32).view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)


WARP_RESULTS: dict[int, Callable[[np.ndarray, np.ndarray], None]] = {
    SYNCWARP: lambda lanes, rows: None,
    SHUFFLE: shuffle,
    VOTE: vote,
    MMA: multiply_matrices,
}
