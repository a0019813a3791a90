"""A launch: a kernel, a grid and arguments, checked; and its run through all blocks in one order."""

from __future__ import annotations

import math
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numba import typeof
from numba.core.errors import NumbaError

from .arguments import argument_types, check_arguments, device_copies, is_array
from .counts import Counts, Log
from .doubles import check_precision
from .faults import LimitExceeded
from .messages import Messages
from .phases import Interrupts, Phases, catching_interrupts
from .rewriter import ThreadCode
from .schedule import Block
from .shared import SHARED_LIMIT, SharedMemory
from .source import plain_function
from .state import BLOCK, GRID, THREADS, Stop, new_state

__all__ = ["Launch", "Run"]

THREAD_LIMIT = 1024
BLOCK_LIMITS = (1024, 1024, 64)
GRID_LIMITS = (2**31 - 1, 65535, 65535)

_codes: WeakKeyDictionary[Any, dict[bool, ThreadCode]] = WeakKeyDictionary()


def thread_code(function: Any, counting: bool) -> ThreadCode:
    """The rewritten code of a kernel; made once."""
    codes = _codes.setdefault(function, {})
    if counting not in codes:
        codes[counting] = ThreadCode(function, counting)
    return codes[counting]


def three(size: Any) -> tuple[int, int, int]:
    size = (size,) if isinstance(size, int | np.integer) else tuple(size)
    return (*map(int, size), 1, 1)[:3]


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
        self.code = thread_code(function, counting)
        self.grid, self.threads = three(grid), three(threads)
        self.count = math.prod(self.threads)
        self.check_limits()
        names = list(function.__code__.co_varnames[: function.__code__.co_argcount])
        expected = argument_types(kernel.signature) if hasattr(kernel, "signature") else None
        self.arguments = check_arguments(self.name, names, expected, arguments)
        self.arrays = [value for value in self.arguments if is_array(value)]
        self.array_names = [name for name, value in zip(names, self.arguments) if is_array(value)]
        self.array_names += [array.name for array in self.code.shared]

    def check_limits(self) -> None:
        shared = sum(array.size for array in self.code.shared)
        if self.count > THREAD_LIMIT or any(t > limit for t, limit in zip(self.threads, BLOCK_LIMITS)):
            raise LimitExceeded(f"{self.name}: {self.threads} threads in a block; at most {THREAD_LIMIT} are allowed")
        if any(not 0 < g <= limit for g, limit in zip(self.grid, GRID_LIMITS)) or self.count < 1:
            raise LimitExceeded(f"{self.name}: a grid of {self.grid} blocks of {self.threads} threads is not allowed")
        if shared > SHARED_LIMIT:
            raise LimitExceeded(f"{self.name}: {shared} bytes of shared memory; at most {SHARED_LIMIT} are allowed")

    def compiled(self, *arguments: Any) -> Any:
        """The machine code, for arguments of these types."""
        dispatcher, signature = self.code.entry, tuple(map(typeof, arguments))
        if signature not in self.code.sound:
            try:
                dispatcher.compile(signature)
            except NumbaError as error:
                raise TypeError(f"{self.name}: Numba cannot compile the kernel: {error}") from error
            check_precision(self.name, self.code)
            self.code.sound.add(signature)
        return dispatcher.overloads[signature].entry_point


class Run:
    """One run of a launch, with memory of its own.

    Args:
        order: in which blocks and threads run: forward, backward or random.
        counted: how many blocks' accesses are counted.
    """

    def __init__(self, launch: Launch, order: str, seed: int = 0, counted: int = 0) -> None:
        self.launch, self.order, self.generator = launch, order, np.random.default_rng(seed)
        self.regions, memories = device_copies(launch.name, launch.arrays)
        self.shared = SharedMemory(launch.code.shared, len(memories))
        memory = iter(memories)
        self.arguments = [next(memory) if is_array(value) else value for value in launch.arguments]
        self.state, self.rows = new_state(launch.count)
        self.phases = Phases(-(-launch.count // 32), self.state)
        self.messages = Messages(launch.name, launch.array_names, launch.code.sites, launch.threads)
        self.log = Log(launch, self.state, self.memory_bounds()) if counted else None
        self.counted = counted
        self.barriers = 0
        self.state[THREADS : THREADS + 3], self.state[GRID : GRID + 3] = launch.threads, launch.grid
        self.numbers = np.arange(launch.count)
        self.constants = tuple(self.shared.arrays), tuple(self.arguments)
        self.entry = launch.compiled(self.state.ctypes.data, 0, 0, *self.constants)

    def memory_bounds(self) -> int:
        """The number of arrays that arguments are; the following ones are shared arrays."""
        return len(self.launch.arrays)

    def run_threads(self, order: np.ndarray) -> None:
        """Run threads to their end, one after the other."""
        self.entry(self.state.ctypes.data, order.ctypes.data, len(order), *self.constants)

    def execute(self) -> None:
        """Run all blocks."""
        blocks = [tuple(map(int, block[::-1])) for block in np.ndindex(self.launch.grid[::-1])]
        counted = set(np.linspace(0, len(blocks) - 1, min(self.counted, len(blocks))).astype(int))
        with catching_interrupts() as interrupts:
            for number in self.in_order(len(blocks)):
                if interrupts.seen:
                    return
                if number in counted:
                    self.log.begin_block()
                self.run_block(blocks[number], interrupts)
                if number in counted:
                    self.log.end_block()

    def run_block(self, index: tuple[int, ...], interrupts: Interrupts) -> None:
        self.shared.clear()
        self.phases.next_block(index)
        self.state[BLOCK : BLOCK + 3] = index
        order = self.in_order(self.launch.count)
        try:
            if self.launch.code.waits:
                self.run_together(order, index, interrupts)
            else:
                self.run_threads(np.array(order))
        except Stop:
            raise self.messages.fault(self.state, self.phases) from None

    def run_together(self, order: list[int], index: tuple[int, ...], interrupts: Interrupts) -> None:
        """Run the threads of a block that wait for one another."""
        block = Block(
            lambda thread: self.run_threads(self.numbers[thread : thread + 1]),
            order,
            self.state,
            self.rows,
            self.phases,
            interrupts,
            lambda what, places: self.messages.diverged(what, places, index),
        )
        block.execute()
        self.barriers += block.barriers

    def in_order(self, count: int) -> list[int]:
        if self.order == "forward":
            return list(range(count))
        if self.order == "backward":
            return list(reversed(range(count)))
        if self.order == "random":
            return self.generator.permutation(count).tolist()
        raise ValueError(f"simulator: an order is forward, backward or random, not {self.order!r}")

    def counts(self) -> Counts | None:
        return self.log.counts() if self.log else None
