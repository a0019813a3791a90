"""Plain Python loops over arrays, compiled by Numba when they are first needed.

A loop is worth compiling where NumPy would pass over memory once an operation: the loop reads and writes every element
once. Compiling takes about a second the first time and is kept on disk for later processes. Where Numba is missing or
does not work, or was switched off, a loop says so and its caller uses NumPy.

The arithmetic is exactly that of the source: no reordering and no fused multiply-add, so that NumPy, operation by
operation, gives the same bits.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from . import threads

__all__ = ["Kernel", "Loop", "announced", "enabled", "first_that_works", "kernel", "once", "set_compiled"]

Result = TypeVar("Result")

_enabled = os.environ.get("KERNELS_COMPILED", "1") != "0"


def set_compiled(enabled: bool) -> bool:
    """Switch compiled loops on or off and return what it was.

    They start off where KERNELS_COMPILED=0 is in the environment.
    """
    global _enabled
    previous, _enabled = _enabled, bool(enabled)
    return previous


def enabled() -> bool:
    """Whether compiled loops are switched on."""
    return _enabled


def first_that_works(compile: Callable[[bool], Result]) -> Result | None:
    """What ``compile(cache)`` returns, with the cache on disk or else without it; None if both fail.

    The cache may be unwritable, full or damaged, and Numba absent or at odds with this NumPy. None of that is worth
    stopping a training for. ``compile`` should call what it made, to prove it.
    """
    for cache in (True, False):
        try:
            import numba

            if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
                return None
            return compile(cache)
        except Exception:
            continue
    return None


def once(function: Callable[[], Result]) -> Callable[[], Result]:
    """Remember what a function without arguments returns; threads that ask at the same time wait for one of them."""
    found: list[Result] = []
    lock = threading.Lock()

    @functools.wraps(function)
    def remembered() -> Result:
        if not found:
            with lock:
                if not found:
                    found.append(function())
        return found[0]

    return remembered


@contextlib.contextmanager
def announced(message: str, seconds: float = 0.5) -> Iterator[None]:
    """Print the message on the error stream if the block takes long: who waits should know what for."""
    begin_numba()
    timer = threading.Timer(seconds, print, [message], {"file": sys.stderr, "flush": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def begin_numba() -> None:
    """Let Numba load what it needs before it compiles a first function, or takes it from its cache: half a second."""
    from numba.core.registry import cpu_target

    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()


class Loop:
    """A function ``loop(arrays, numbers)`` made from a plain Python function of 1-D arrays and floats; a decorator.

    What it does with an element must not depend on other elements: long arrays are dealt out among threads.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self.function = function
        self.__doc__ = function.__doc__
        self._compiled: dict[np.dtype, Callable[..., None] | None] = {}  # None: it was tried and does not work

    def __call__(self, arrays: tuple[Any, ...], numbers: tuple[float, ...]) -> bool:
        """Run over the arrays in place, seen as 1-D.

        Returns:
            False, with nothing changed, unless the loop is on and can be compiled, and all arrays are NumPy arrays of
            one dtype, float32 or float64, of one shape and in one order in memory, without gaps.
        """
        rows = side_by_side(arrays) if _enabled else None
        if rows is None:
            return False
        dtype = arrays[0].dtype
        if dtype not in self._compiled:
            self._compiled[dtype] = self._compile(dtype, len(arrays), len(numbers))
        compiled = self._compiled[dtype]
        if compiled is None:
            return False
        work, numbers = rows[0].size * threads.ELEMENT, tuple(map(float, numbers))
        if threads.alone(work):
            compiled(*rows, *numbers)
        else:
            threads.share(lambda some: compiled(*(row[some] for row in rows), *numbers), rows[0].size, work)
        return True

    def _compile(self, dtype: np.dtype, arrays: int, numbers: int) -> Callable[..., None] | None:
        """The function compiled for arrays of this dtype and proved on arrays of one element, or None."""

        def compile(cache: bool) -> Callable[..., None]:
            import numba

            compiled = numba.njit(self.function, cache=cache, error_model="numpy", nogil=True)
            compiled(*[np.ones(1, dtype) for _ in range(arrays)], *[0.5] * numbers)
            return compiled

        return first_that_works(compile)


def side_by_side(arrays: tuple[Any, ...]) -> list[np.ndarray] | None:
    """The arrays as 1-D views in the order of memory, in which the same places meet; None if a loop cannot take them.

    Small parameters feel this check, so it is a plain loop.
    """
    first = arrays[0]
    if type(first) is not np.ndarray or first.dtype.char not in "fd":
        return None
    dtype, shape, in_order = first.dtype, first.shape, True
    for array in arrays:
        if type(array) is not np.ndarray or array.dtype != dtype or array.shape != shape:
            return None
        in_order = in_order and array.flags.c_contiguous
    if not in_order:
        axes = sorted(range(len(shape)), key=lambda axis: -first.strides[axis])
        arrays = tuple(array.transpose(axes) for array in arrays)
        if not all(array.flags.c_contiguous for array in arrays):
            return None
    return [array.reshape(-1) for array in arrays]


class Kernel:
    """A function of arrays of one signature, made from a plain Python function.

    With ``any_order`` sums may be taken in another order than the source's, which lets them fill vectors. Large arrays
    are dealt out among threads if the function says how: each thread gets some rows of the arrays named in ``dealt``,
    and an array of its own in place of each named in ``added``, to which the function only adds.
    """

    def __init__(self, signature: str, any_order: bool, dealt: str, added: str, function: Callable[..., None]) -> None:
        self.signature, self.function = signature, function
        self.freedom = {"reassoc"} if any_order else False
        names = list(inspect.signature(function).parameters)
        self.dealt, self.added = ([names.index(name) for name in some.split()] for some in (dealt, added))
        self.__doc__ = function.__doc__

    def __call__(self, *given: Any) -> bool:
        """Run over the arrays, which must have the types and the layout of the signature and be writeable.

        Returns:
            False, with nothing changed, if compiled functions are switched off or cannot be compiled.
        """
        if not _enabled or self.compiled is None:
            return False
        work = max((given[place].size for place in self.dealt), default=0) * threads.ELEMENT
        if threads.alone(work):
            self.compiled(*given)
        else:
            _, *others = threads.share(functools.partial(self.part, given), len(given[self.dealt[0]]), work)
            for sums in others:
                for place, more in zip(self.added, sums):
                    given[place][...] += more
        return True

    def part(self, given: tuple[Any, ...], some: slice) -> list[Any]:
        """Run over some rows; the first part adds to the arrays given, the others to new ones, which are returned."""
        own = list(given)
        for place in self.dealt:
            own[place] = given[place][some]
        if some.start:
            for place in self.added:
                own[place] = np.zeros_like(given[place])
        self.compiled(*own)
        return [own[place] for place in self.added]

    @functools.cached_property
    def compiled(self) -> Callable[..., None] | None:
        def compile(cache: bool) -> Callable[..., None]:
            import numba

            options = {"cache": cache, "error_model": "numpy", "nogil": True, "fastmath": self.freedom}
            with announced(f"kernels: compiling {self.function.__name__} for this machine, once"):
                return numba.njit(self.signature, **options)(self.function)

        return first_that_works(compile)


def kernel(
    signature: str, any_order: bool = False, dealt: str = "", added: str = ""
) -> Callable[[Callable[..., None]], Kernel]:
    """Make a ``Kernel`` of the function below; a decorator. The signature is Numba's: "void(f4[:, ::1], f8[::1])"."""
    return functools.partial(Kernel, signature, any_order, dealt, added)
