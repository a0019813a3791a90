"""How many threads may share the work of an operation."""

from __future__ import annotations

from threadpoolctl import ThreadpoolController

from . import fast

__all__ = ["get_num_threads", "set_num_threads"]

_pools = ThreadpoolController().select(user_api="blas")


def get_num_threads() -> int:
    """The number of threads that matrix products and convolutions use at most."""
    return max([fast.get_threads(), *(pool["num_threads"] for pool in _pools.info())])


def set_num_threads(n: int) -> None:
    """Let NumPy's matrix products and the compiled functions use at most ``n`` threads, in the whole process.

    At first there is one for each core, or as many as the variable OMP_NUM_THREADS of the environment says. The last
    digits of convolutions and of sums over many rows depend on the number: each thread adds up its own.

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
    fast.set_threads(n)
