"""How many threads a matrix product may use."""

from __future__ import annotations

import os

from threadpoolctl import ThreadpoolController

__all__ = ["get_num_threads", "set_num_threads"]

_pools = ThreadpoolController().select(user_api="blas")


def get_num_threads() -> int:
    """The number of threads that NumPy's matrix products use at most."""
    counts = [pool["num_threads"] for pool in _pools.info()]
    return max(counts, default=os.cpu_count() or 1)


def set_num_threads(n: int) -> None:
    """Let NumPy's matrix products use at most ``n`` threads, in the whole process.

    Products of small matrices, a batch of 64 in a layer of 256, gain little from a second thread, and its waiting costs
    a lot as soon as the machine has other things to do. ``set_num_threads(1)`` is then the fastest and the steadiest.

    Raises:
        TypeError, ValueError: unless ``n`` is a positive integer.
    """
    if not isinstance(n, int) or isinstance(n, bool):
        raise TypeError(f"set_num_threads: n must be an integer, not {type(n).__name__}")
    if n < 1:
        raise ValueError(f"set_num_threads: n must be at least 1, not {n}")
    _pools.limit(limits=n)
