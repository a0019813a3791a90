"""The time of a launch, as shadow memory counts it, and how Ctrl-C ends it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .state import FIRST_OF_BARRIER, FIRST_OF_BLOCK

__all__ = ["Interrupts", "Phases", "catching_interrupts"]


class Phases:
    """Which phase each warp of the running block is in; see ``shadow``."""

    def __init__(self, warps: int, state: np.ndarray) -> None:
        self.current = list(range(1, warps + 1))
        self.state = state
        self.blocks: list[tuple[int, tuple[int, ...]]] = []  # (first phase, block index)

    def next_block(self, block: tuple[int, ...]) -> None:
        self.barrier()
        self.state[FIRST_OF_BLOCK] = self.state[FIRST_OF_BARRIER]
        self.blocks.append((int(self.state[FIRST_OF_BLOCK]), block))

    def barrier(self) -> None:
        """All warps of the block enter a new phase."""
        first = max(self.current) + 1
        self.current = list(range(first, first + len(self.current)))
        self.state[FIRST_OF_BARRIER] = first

    def warp_barrier(self, warp: int) -> None:
        """One warp enters a new phase."""
        self.current[warp] = max(self.current) + 1

    def block_of(self, phase: int) -> tuple[int, ...]:
        return next(block for first, block in reversed(self.blocks) if first <= phase)


class Interrupts:
    """Whether Ctrl-C was seen."""

    seen = False


@contextmanager
def catching_interrupts() -> Iterator[Interrupts]:
    """Ctrl-C ends a launch between two steps of its threads, never inside one, where no exception could pass."""
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return

    def note(signal_number: int, frame: Any) -> None:
        interrupts.seen = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupts.seen:
        raise KeyboardInterrupt
