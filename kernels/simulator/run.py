"""One run of a launch, through all of its blocks in one order."""

from __future__ import annotations

import numpy as np

from .access import address_of
from .arguments import device_copies, operands
from .counts import Counts, Log
from .launch import Launch
from .messages import Messages
from .phases import Interrupts, Phases, catching_interrupts
from .schedule import Block
from .shared import SharedMemory
from .state import BLOCK, GRID, LEFT_OUT, OPERANDS, PHASE, THREAD, THREADS, Stop, new_state

__all__ = ["Run"]


class Run:
    """One run of a launch, with memory of its own.

    Args:
        order: in which blocks and threads run: forward, backward or random.
        counted: how many blocks' accesses are counted.
    """

    def __init__(self, launch: Launch, order: str, seed: int = 0, counted: int = 0) -> None:
        self.launch, self.order, self.generator = launch, order, np.random.default_rng(seed)
        self.regions, self.array_rows = device_copies(launch.name, launch.arrays)
        self.shared = SharedMemory(launch.code.shared, len(self.array_rows))
        self.operands = operands(launch.arguments, self.array_rows, self.shared.rows)
        self.state, self.rows = new_state(launch.threads)
        self.phases = Phases(-(-launch.count // 32), self.state)
        self.messages = Messages(launch.name, launch.array_names, launch.code.sites, launch.threads)
        self.log = Log(launch, self.state) if counted else None
        self.counted = counted
        self.barriers = 0
        self.state[THREADS : THREADS + 3], self.state[GRID : GRID + 3] = launch.threads, launch.grid
        self.state[OPERANDS] = address_of(self.operands)
        self.left_out = np.zeros(len(launch.code.sites), np.int64)
        self.left_out[[launch.code.barriers[index] for index in launch.left_out]] = 1
        self.state[LEFT_OUT] = address_of(self.left_out)
        self.address = address_of(self.state)
        self.thread = launch.compiled()

    def run_in_turn(self, order: list[int]) -> None:
        """Run the threads of a block that do not wait for one another: each to its end."""
        for number in order:
            self.state[THREAD], self.state[PHASE] = number, self.phases.current[number >> 5]
            self.thread(self.address)

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
                self.run_in_turn(order)
        except Stop:
            raise self.messages.fault(self.state, self.phases) from None

    def run_together(self, order: list[int], index: tuple[int, ...], interrupts: Interrupts) -> None:
        """Run the threads of a block that wait for one another."""
        block = Block(
            lambda _: self.thread(self.address),
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
