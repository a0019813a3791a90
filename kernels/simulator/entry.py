"""The way into compiled code: runs threads of a block, one after the other, each to its end."""

from __future__ import annotations

from typing import Any

from numba import int32, njit

from .state import BLOCK, FIRST_OF_BARRIER, GRID, PHASE, THREAD, THREADS, Thread, get, inner, put

__all__ = ["entry_to"]


@inner
def place_of(state, number):
    """threadIdx, blockIdx, blockDim and gridDim of a thread, given its number within the block."""
    dx, dy, dz = get(state, THREADS), get(state, THREADS + 1), get(state, THREADS + 2)
    gx, gy, gz = get(state, GRID), get(state, GRID + 1), get(state, GRID + 2)
    bx, by, bz = get(state, BLOCK), get(state, BLOCK + 1), get(state, BLOCK + 2)
    index = int32(number % dx), int32(number // dx % dy), int32(number // (dx * dy))
    sizes = int32(dx), int32(dy), int32(dz), int32(gx), int32(gy), int32(gz)
    return (*index, int32(bx), int32(by), int32(bz), *sizes)


def entry_to(kernel: Any) -> Any:
    """The function that runs the ``count`` threads whose numbers begin at the address ``order``."""

    def run(state, order, count, shared, arguments):
        for i in range(count):
            number = get(order, i)
            put(state, THREAD, number)
            put(state, PHASE, get(state, FIRST_OF_BARRIER) + (number >> 5))
            kernel(Thread(*place_of(state, number), state, shared), *arguments)

    return njit(no_cfunc_wrapper=True)(run)
