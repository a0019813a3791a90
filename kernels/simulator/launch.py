"""A launch: the whole grid, block after block, in one order."""

from __future__ import annotations

import math
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numba import typeof

from . import memory
from .access import address_of, described
from .arguments import Region, argument_types, check_arguments, device_copies
from .faults import KernelFault, LimitExceeded, Misaligned, OutOfBounds, Race, Uninitialised
from .rewriter import SharedArray, ThreadCode
from .schedule import Block, Phases, catching_interrupts
from .shadow import RACE, RECORDS, UNWRITTEN, WRITE, others_of, phase_of, site_of, thread_of
from .source import plain_function
from .state import FAULT, FAULT_ARRAY, FAULT_SITE, INDEX, INDEX_LENGTH, OTHER, THREAD, Memory, Stop, Thread, new_state

__all__ = ["Launch", "thread_code"]

SHARED_LIMIT = 48 * 1024  # bytes a block may declare; numba-cuda cannot ask for more
THREAD_LIMIT = 1024
BLOCK_LIMITS = (1024, 1024, 64)
GRID_LIMITS = (2**31 - 1, 65535, 65535)

KINDS = [KernelFault, Race, Uninitialised, OutOfBounds, Misaligned]
WORDS = [
    "",
    "{action} of {array}, unordered with",
    "{array} is read, and nobody wrote it",
    "{array} is out of bounds",
    "16 bytes from {array} on do not begin at a multiple of 16",
]

_codes: WeakKeyDictionary[Any, ThreadCode] = WeakKeyDictionary()


def thread_code(function: Any) -> ThreadCode:
    """The rewritten code of a kernel; made once."""
    if function not in _codes:
        _codes[function] = ThreadCode(function)
    return _codes[function]


def three(size: Any) -> tuple[int, int, int]:
    size = (size,) if isinstance(size, int | np.integer) else tuple(size)
    return (*map(int, size), 1, 1)[:3]


class SharedMemory:
    """The shared memory of a block: all its arrays in one buffer, with a shadow."""

    def __init__(self, arrays: list[SharedArray], first_number: int) -> None:
        self.arrays: list[Memory] = []
        self.contents: list[tuple[np.ndarray, ...]] = []  # (numbers, the same unwritten, records, row)
        end, places = 0, []
        for array in arrays:
            place = -(-end // array.alignment) * array.alignment
            if array.alignment % 16 and place % 16 == 0:
                place += array.alignment  # promised no more than that, so a 16-byte access must not work by chance
            places.append(place)
            end = place + math.prod(array.shape) * array.dtype.itemsize
        buffer = np.zeros(end + 128, np.uint8)
        start = -buffer.ctypes.data % 128
        for number, (array, place) in enumerate(zip(arrays, places)):
            data = np.ndarray(array.shape, array.dtype, buffer, start + place)
            records = np.zeros((data.size, RECORDS), np.int64)
            description, row = described(data, records, address_of(data), first_number + number)
            self.contents.append((data, memory.poison(array.shape, array.dtype), records, row))
            self.arrays.append(description)

    def clear(self) -> None:
        """As a new block finds it: with nothing in it."""
        for data, unwritten, records, _ in self.contents:
            data[...] = unwritten
            records[...] = 0
            records[:, WRITE] = UNWRITTEN


class Launch:
    """A kernel with its grid and its arguments, ready to run."""

    def __init__(self, kernel: Any, grid: Any, threads: Any, arguments: tuple[Any, ...], unwritten: Any = ()) -> None:
        function = plain_function(kernel)
        if function is None:
            raise TypeError(f"simulator: a kernel must be a function, not {type(kernel).__name__}")
        self.name = function.__name__
        self.code = thread_code(function)
        self.grid, self.threads = three(grid), three(threads)
        self.count = math.prod(self.threads)
        self.check_limits()
        names = list(function.__code__.co_varnames[: function.__code__.co_argcount])
        expected = argument_types(kernel.signature) if hasattr(kernel, "signature") else None
        self.arguments = check_arguments(self.name, names, expected, arguments)
        self.arrays = [value for value in self.arguments if isinstance(value, np.ndarray) and value.ndim > 0]
        self.names = [name for name, value in zip(names, self.arguments) if any(value is a for a in self.arrays)]
        self.names += [array.name for array in self.code.shared]
        self.unwritten = unwritten

    def check_limits(self) -> None:
        shared = sum(math.prod(array.shape) * array.dtype.itemsize for array in self.code.shared)
        if self.count > THREAD_LIMIT or any(t > limit for t, limit in zip(self.threads, BLOCK_LIMITS)):
            raise LimitExceeded(f"{self.name}: {self.threads} threads in a block; at most {THREAD_LIMIT} are allowed")
        if any(not 0 < g <= limit for g, limit in zip(self.grid, GRID_LIMITS)) or self.count < 1:
            raise LimitExceeded(f"{self.name}: a grid of {self.grid} blocks of {self.threads} threads is not allowed")
        if shared > SHARED_LIMIT:
            raise LimitExceeded(f"{self.name}: {shared} bytes of shared memory; at most {SHARED_LIMIT} are allowed")

    def run(self, order: str = "forward", seed: int = 0) -> list[Region]:
        """Run all blocks; the memory afterwards."""
        regions, memories = device_copies(self.name, self.arrays, list(self.unwritten))
        places = iter(memories)
        arguments = [next(places) if any(value is a for a in self.arrays) else value for value in self.arguments]
        shared = SharedMemory(self.code.shared, len(self.arrays))
        state, rows = new_state(self.count)
        phases = Phases(-(-self.count // 32))
        dims = [np.int32(size) for size in (*self.threads, *self.grid)]
        x, y, _ = self.threads
        indices = [tuple(map(np.int32, (t % x, t // x % y, t // (x * y)))) for t in range(self.count)]
        blocks = [tuple(map(int, block[::-1])) for block in np.ndindex(self.grid[::-1])]
        generator = np.random.default_rng(seed)
        entry = None
        with catching_interrupts() as interrupts:
            for number in order_of(order, len(blocks), generator):
                block = blocks[number]
                shared.clear()
                phases.next_block(state, block)
                here = tuple(map(np.int32, block))

                def thread_of_block(thread: int, here=here) -> Thread:
                    return Thread(*indices[thread], *here, *dims, state.ctypes.data, tuple(shared.arrays))

                if entry is None:
                    entry = self.compiled(thread_of_block(0), arguments)

                def run_thread(thread: int, make=thread_of_block, entry=entry) -> None:
                    entry(make(thread), *arguments)

                runner = Block(
                    run_thread,
                    order_of(order, self.count, generator),
                    state,
                    rows,
                    phases,
                    self.code.sites,
                    interrupts,
                    f"{self.name}, block {block}",
                    self.thread_name,
                )
                try:
                    runner.execute()
                except Stop:
                    raise self.fault(state, block, phases) from None
        return regions

    def compiled(self, thread: Thread, arguments: list[Any]) -> Any:
        signature = tuple(map(typeof, (thread, *arguments)))
        if signature not in self.code.thread.overloads:
            self.code.thread.compile(signature)
        return self.code.thread.overloads[signature].entry_point

    # --- faults ----------------------------------------------------------------------------------------------------

    def thread_name(self, thread: int) -> str:
        x, y, z = self.threads
        index = (thread % x, thread // x % y, thread // (x * y))
        return f"thread {index if z > 1 else index[:2] if y > 1 else thread}"

    def fault(self, report: np.ndarray, block: tuple[int, ...], phases: Phases) -> KernelFault:
        """The exception that tells what a thread reported."""
        site = self.code.sites[report[FAULT_SITE]]
        index = tuple(map(int, report[INDEX : INDEX + report[INDEX_LENGTH]]))
        index_text = str(index[0]) if len(index) == 1 else ", ".join(map(str, index))
        name = "local array" if report[FAULT_ARRAY] < 0 else self.names[report[FAULT_ARRAY]]
        kind = KINDS[report[FAULT]]
        text = (
            f"{self.name}, line {site.line}: {site.text}: block {block}, {self.thread_name(int(report[THREAD]))}: "
            f"{WORDS[report[FAULT]].format(action=site.action, array=f'{name}[{index_text}]')}"
        )
        if report[FAULT] == RACE:
            text += self.other(int(report[OTHER]), block, phases)
        return kind(text)

    def other(self, record: int, block: tuple[int, ...], phases: Phases) -> str:
        site = self.code.sites[site_of(record)]
        where = phases.block_of(phase_of(record))
        who = self.thread_name(thread_of(record)) + ("" if where == block else f" of block {where}")
        return f" {who}{others_of(record)} at line {site.line}: {site.text}"


def order_of(order: str, count: int, generator: np.random.Generator) -> np.ndarray:
    if order == "forward":
        return np.arange(count)
    if order == "backward":
        return np.arange(count)[::-1]
    if order == "random":
        return generator.permutation(count)
    raise ValueError(f"simulator: order must be forward, backward or random, not {order!r}")
