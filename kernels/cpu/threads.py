"""The threads that share the work of a compiled function: one pool for the whole process.

A compiled function lets go of Python's lock while it runs, so that several can run at once. Work is cut once, as far
outside as possible: a thread that has fallen asleep takes up to a tenth of a millisecond to wake up.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["ELEMENT", "alone", "get_threads", "set_threads", "share"]

Result = TypeVar("Result")

WORTH = 10**7  # multiply-adds for each thread, about a tenth of a millisecond
ELEMENT = 64  # as long as this many multiply-adds takes a pass over memory for an element


def threads_at_first() -> int:
    """As many as OMP_NUM_THREADS says, like the threads of a BLAS library, or one for each core of this process."""
    told = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if told.isdecimal() and int(told):
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_threads = threads_at_first()


def get_threads() -> int:
    """Among how many threads a call shares its work at most."""
    return _threads


def set_threads(n: int) -> None:
    """Let calls share their work among at most ``n`` threads, their own among them."""
    global _threads
    _threads = n


def threads_for(work: int) -> int:
    """How many threads so many multiply-adds are worth."""
    return max(1, min(_threads, work // WORTH))


def alone(work: int) -> bool:
    """Whether so many multiply-adds are best done by the thread that calls."""
    return threads_for(work) == 1


def share(function: Callable[[slice], Result], length: int, work: int, least: int = 1) -> list[Result]:
    """``function(some)`` for parts of range(length) that follow each other, at the same time; the results in order.

    The thread that calls does the first part itself. An error in any part is raised here.

    Args:
        function: gets a slice. Only what it does without Python's lock runs at the same time.
        length: how many pieces there are to deal out.
        work: multiply-adds in all of them, to judge how many threads are worth it.
        least: pieces in a part.
    """
    parts = max(1, min(threads_for(work), length // least))
    ends = [length * part // parts for part in range(parts + 1)]
    first, *others = itertools.starmap(slice, itertools.pairwise(ends))
    waiting = [helpers(_threads).submit(function, some) for some in others]
    return [function(first), *(other.result() for other in waiting)]


@functools.lru_cache(1)  # with another number, the pool before ends as soon as it has nothing left to do
def helpers(threads: int) -> ThreadPoolExecutor:
    """The threads beside the one that calls; they start when they are first needed."""
    return ThreadPoolExecutor(max(1, threads - 1), "kernels")


if hasattr(os, "register_at_fork"):  # a new process has the pool, but none of its threads
    os.register_at_fork(after_in_child=helpers.cache_clear)
