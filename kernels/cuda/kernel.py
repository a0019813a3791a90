"""A kernel and what it takes to launch it, on a GPU or in the simulator."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, Protocol

import numpy as np

from .compiler import cuda, why_no_gpu

__all__ = ["Executor", "Kernel", "executor", "on_gpu", "require_gpu", "running_on"]


class Executor(Protocol):
    """What runs kernels: by default the GPU."""

    def launch(self, kernel: Kernel, grid: tuple[int, ...], arguments: tuple[Any, ...], stream: Any = None) -> Any:
        """Run ``kernel`` with a block for each index below ``grid``, in the order of the stream."""

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """A new array in the executor's memory, whose numbers nobody has written yet."""


class Kernel:
    """The work of one thread, with the size of a block and the types of the arguments.

    Args:
        thread: what one thread does; a plain Python function without defaults, whose constants (such as the size of
            a tile) are globals or stand in its closure.
        threads: threads in a block, a number or (x, y) or (x, y, z).
        types: Numba's types of the arguments, such as ``"float32[:, ::1], int32"``.
        blocks_per_sm: how many blocks a multiprocessor must have room for at the same time; the compiler gives each
            thread no more registers than that leaves it.
        fastmath: approximate divisions and functions, and arithmetic that takes NaN and infinity for impossible.
        name: what to call it, where one function is made into several kernels; else the function's name.
    """

    def __init__(
        self,
        thread: Callable[..., None],
        *,
        threads: int | tuple[int, ...],
        types: str,
        blocks_per_sm: int = 1,
        fastmath: bool = False,
        name: str = "",
    ) -> None:
        self.thread = thread
        self.name = name or thread.__name__
        self.__doc__ = thread.__doc__
        self.threads = (threads,) if isinstance(threads, int) else tuple(threads)
        self.types = types
        self.blocks_per_sm = blocks_per_sm
        self.fastmath = fastmath
        self._compiled: Any = None

    def __repr__(self) -> str:
        return f"Kernel({self.name}, threads={self.threads}, types={self.types!r})"

    @property
    def signature(self) -> str:
        """Numba's signature: no result, and the types of the arguments."""
        return f"void({self.types})"

    @property
    def launch_bounds(self) -> tuple[int, int]:
        """Threads in a block, and blocks on a multiprocessor: what the compiler is told."""
        return math.prod(self.threads), self.blocks_per_sm

    def compiled(self) -> Any:
        """The kernel as Numba-CUDA's dispatcher, compiled for the GPU at hand on the first call."""
        if self._compiled is None:
            options = {"fastmath": self.fastmath, "launch_bounds": self.launch_bounds}
            self._compiled = cuda.jit(self.signature, **options)(self.thread)
        return self._compiled

    def launch(self, grid: int | tuple[int, ...], *arguments: Any, stream: Any = None) -> None:
        """Run one block of threads for each index below ``grid``: a number, (x, y) or (x, y, z).

        An empty grid is no work, and none is done.

        Raises:
            TypeError: for a grid that is anything else.
            RuntimeError: where there is no GPU and no simulator was chosen, with the reason.
        """
        sizes = tuple(grid) if isinstance(grid, tuple | list) else (grid,)
        if not (1 <= len(sizes) <= 3 and all(isinstance(size, int | np.integer) and size >= 0 for size in sizes)):
            raise TypeError(f"{self.name}: a grid is a whole number, (x, y) or (x, y, z), not {grid!r}")
        grid = tuple(map(int, sizes))
        if math.prod(grid) > 0:
            executor().launch(self, grid, arguments, stream)


def require_gpu(operation: str) -> None:
    """A GPU can be used.

    Raises:
        RuntimeError: where there is none, with the reason.
    """
    reason = why_no_gpu()
    if reason:
        raise RuntimeError(
            f"{operation}: no GPU can be used ({reason}); kernels.simulator runs kernels on the processor"
        )


class Gpu:
    """The GPU that is in use, through Numba-CUDA."""

    def launch(self, kernel: Kernel, grid: tuple[int, ...], arguments: tuple[Any, ...], stream: Any = None) -> None:
        require_gpu(kernel.name)
        kernel.compiled()[grid, kernel.threads, stream or 0](*arguments)

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        require_gpu("empty")
        return cuda.device_array(shape, dtype)


GPU = Gpu()
_executor: ContextVar[Executor] = ContextVar("executor", default=GPU)


def executor() -> Executor:
    """What runs kernels now."""
    return _executor.get()


def on_gpu() -> bool:
    """Whether kernels are launched on the GPU, and not in a simulator."""
    return executor() is GPU


@contextlib.contextmanager
def running_on(executor: Executor) -> Iterator[Executor]:
    """Launch every kernel of the block on this executor: ``with running_on(Simulator()) as gpu: ...``."""
    token = _executor.set(executor)
    try:
        yield executor
    finally:
        _executor.reset(token)
