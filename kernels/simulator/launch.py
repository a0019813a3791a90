"""A launch: a kernel, its grid and its arguments, checked and compiled."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numba import int64, types
from numba.core.errors import NumbaError, UnsupportedBytecodeError

from .arguments import argument_types, check_arguments, is_array, types_of
from .doubles import check_precision
from .faults import LimitExceeded
from .messages import why_not_compiled
from .rewriter import ThreadCode
from .shared import SHARED_LIMIT
from .source import check_plain, plain_function, whole_of

__all__ = ["Launch"]

THREAD_LIMIT = 1024
BLOCK_LIMITS = (1024, 1024, 64)
GRID_LIMITS = (2**31 - 1, 65535, 65535)

_codes: WeakKeyDictionary[Any, dict[Any, ThreadCode]] = WeakKeyDictionary()


def thread_code(function: Any, arguments: tuple[types.Type, ...], counting: bool) -> ThreadCode:
    """The rewritten code of a kernel; made once."""
    codes = _codes.setdefault(function, {})
    if (arguments, counting) not in codes:
        codes[arguments, counting] = ThreadCode(function, arguments, counting)
    return codes[arguments, counting]


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Numba makes millions of objects that stay; to look for garbage among them takes a tenth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def three(size: Any) -> tuple[int, int, int]:
    sizes = tuple(size) if isinstance(size, tuple | list) else (size,)
    if not (1 <= len(sizes) <= 3 and all(isinstance(each, int | np.integer) for each in sizes)):
        raise TypeError(f"simulator: a size is a whole number, (x, y) or (x, y, z), not {size!r}")
    return (*map(int, sizes), 1, 1)[:3]


class Launch:
    """A kernel with its grid and its arguments, ready to run.

    Raises:
        LimitExceeded: for more threads, blocks or shared memory than a GPU allows.
        TypeError, ValueError: for arguments that the kernel does not take.
    """

    def __init__(self, kernel: Any, grid: Any, threads: Any, arguments: tuple[Any, ...], counting: bool) -> None:
        function = plain_function(kernel)
        if function is None:
            raise TypeError(f"simulator: a kernel must be a function, not {type(kernel).__name__}")
        self.name = getattr(kernel, "name", function.__name__)
        function, self.left_out = whole_of(function)
        check_plain(function)
        self.grid, self.threads = three(grid), three(threads)
        self.count = math.prod(self.threads)
        self.check_size()
        names = list(function.__code__.co_varnames[: function.__code__.co_argcount])
        expected = argument_types(kernel.signature) if hasattr(kernel, "signature") else None
        self.arguments = check_arguments(self.name, names, expected, arguments)
        self.code = thread_code(function, types_of(self.arguments), counting)
        self.check_shared()
        self.arrays = [value for value in self.arguments if is_array(value)]
        self.array_names = [name for name, value in zip(names, self.arguments) if is_array(value)]
        self.array_names += [array.name for array in self.code.shared]

    def check_size(self) -> None:
        if self.count > THREAD_LIMIT or any(t > limit for t, limit in zip(self.threads, BLOCK_LIMITS)):
            raise LimitExceeded(f"{self.name}: {self.threads} threads in a block; at most {THREAD_LIMIT} are allowed")
        if any(not 0 < g <= limit for g, limit in zip(self.grid, GRID_LIMITS)) or self.count < 1:
            raise LimitExceeded(f"{self.name}: a grid of {self.grid} blocks of {self.threads} threads is not allowed")

    def check_shared(self) -> None:
        shared = sum(array.size for array in self.code.shared)
        if shared > SHARED_LIMIT:
            raise LimitExceeded(f"{self.name}: {shared} bytes of shared memory; at most {SHARED_LIMIT} are allowed")

    def compiled(self) -> Any:
        """The machine code of one thread: a function of the state's address."""
        thread, signature = self.code.thread, (int64,)
        if not self.code.sound:
            try:
                with without_garbage_collection():
                    thread.compile(signature)
            except (NumbaError, UnsupportedBytecodeError) as error:
                reason = why_not_compiled(str(error))
                raise TypeError(f"{self.name}: Numba cannot compile the kernel: {reason}") from error
            check_precision(self.name, self.code)
            if thread.overloads[signature].signature.return_type != types.none:
                raise TypeError(f"{self.name}: a kernel returns nothing; its results go to arrays")
            self.code.sound = True
        return thread.overloads[signature].entry_point
