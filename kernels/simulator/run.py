"""One run of a launch, through all of its blocks in one order."""

from __future__ import annotations

import numpy as np

from .arguments import device_copies, is_array
from .counts import Counts, Log
from .launch import Launch
from .messages import Messages
from .phases import Interrupts, Phases, catching_interrupts
from .schedule import Block
from .shared import SharedMemory
from .state import BLOCK, GRID, THREADS, Stop, new_state

__all__ = ["Run"]


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
        self.log = Log(launch, self.state) if counted else None
        self.counted = counted
        self.barriers = 0
        self.state[THREADS : THREADS + 3], self.state[GRID : GRID + 3] = launch.threads, launch.grid
        self.numbers = np.arange(launch.count)
        self.constants = tuple(self.shared.arrays), tuple(self.arguments)
        self.entry = launch.compiled(self.state.ctypes.data, 0, 0, *self.constants)

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
