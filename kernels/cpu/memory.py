"""Memory that is freed stays with the process.

A training step frees all that it has computed, and the next one needs as much again. The C library (glibc) hands large
blocks back to the system in between, which takes them away page by page, and gives them back page by page, filled with
zeros: 3,000 pages and up to a quarter of a step of a small convolutional network. Two numbers tell it to keep them.
"""

from __future__ import annotations

import ctypes
import os

__all__ = ["keep_freed_memory"]

BLOCK = 2**25  # bytes: larger blocks still come from the system, and go back to it; glibc goes no further by itself
KEPT = 2**30  # bytes: what is free beyond that, at the end of the memory in use, goes back
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # the numbers of these settings in malloc.h
SET_BY_USER = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory() -> bool:
    """Let the process keep blocks of memory that it frees, up to 1 GiB; for the whole process, from now on.

    Returns:
        False, with nothing changed, where the C library has no such settings, or they are in the environment already.
    """
    if any(name in os.environ for name in SET_BY_USER):
        return False
    try:
        set_number = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(set_number(TRIM_THRESHOLD, KEPT) and set_number(MMAP_THRESHOLD, BLOCK))
