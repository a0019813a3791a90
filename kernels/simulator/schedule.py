"""One block of threads, each in a greenlet: who runs when, and who must meet whom.

All threads run on one processor, one at a time, each until it waits for others. The order among those that may run is
the simulator's choice: a kernel must give the same results for all.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from greenlet import getcurrent, greenlet

from .collectives import DONE, FULL, MASK, NAMES, SYNCTHREADS, SYNCWARP, WARP_RESULTS
from .faults import DivergentBarrier
from .rewriter import Site
from .state import FIRST_OF_BARRIER, FIRST_OF_BLOCK, PHASE, THREAD, Stop, parking

__all__ = ["Block", "Phases", "catching_interrupts"]


class Phases:
    """The time of all warps: which phase each is in; see ``shadow``."""

    def __init__(self, warps: int) -> None:
        self.current = np.arange(1, warps + 1)
        self.blocks: list[tuple[int, tuple[int, ...]]] = []  # (first phase, block index)

    def next_block(self, state: np.ndarray, block: tuple[int, ...]) -> None:
        self.barrier(state)
        state[FIRST_OF_BLOCK] = state[FIRST_OF_BARRIER]
        self.blocks.append((int(state[FIRST_OF_BLOCK]), block))

    def barrier(self, state: np.ndarray) -> None:
        """All warps of the block enter a new phase."""
        first = int(self.current.max()) + 1
        self.current = np.arange(first, first + len(self.current))
        state[FIRST_OF_BARRIER] = first

    def warp_barrier(self, warp: int) -> None:
        self.current[warp] = self.current.max() + 1

    def block_of(self, phase: int) -> tuple[int, ...]:
        return [block for first, block in self.blocks if first <= phase][-1]


class Interrupts:
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


class Block:
    """The threads of a block while they run."""

    def __init__(
        self,
        run: Callable[[int], None],
        order: np.ndarray,
        state: np.ndarray,
        rows: np.ndarray,
        phases: Phases,
        sites: list[Site],
        interrupts: Interrupts,
        where: str,
        name: Callable[[int], str],
    ) -> None:
        self.run, self.order, self.phases, self.sites = run, order, phases, sites
        self.state, self.rows = state, rows
        self.interrupts, self.where, self.name = interrupts, where, name
        self.scheduler = getcurrent()
        self.threads: list[greenlet | None] = [None] * len(order)
        self.waiting: list[tuple[int, int]] = [(DONE, 0)] * len(order)  # (what for, at which site), by thread
        self.ending = False
        parking.wait = self.wait

    def wait(self, kind: int, site: int) -> int:
        """A thread waits; it runs on when it may (1), or ends (0)."""
        if not self.ending:
            self.scheduler.switch((kind, site))
        return 0 if self.ending else 1

    def go(self, thread: int) -> None:
        """Let a thread run until it waits or is done."""
        if self.interrupts.seen:
            raise KeyboardInterrupt
        if self.threads[thread] is None:
            self.threads[thread] = greenlet(self.run, self.scheduler)
        self.state[THREAD] = thread
        self.state[PHASE] = self.phases.current[thread >> 5]
        self.waiting[thread] = self.threads[thread].switch(thread) or (DONE, 0)

    def execute(self) -> None:
        """Run the block to its end."""
        ready = self.order
        try:
            while len(ready):
                for thread in ready:
                    self.go(int(thread))
                ready = self.order[self.released()[self.order]]
        finally:
            self.end()

    def end(self) -> None:
        """Let every thread that still waits unwind."""
        self.ending = True
        for thread in self.threads:
            if thread is not None and not thread.dead:
                with contextlib.suppress(Stop):
                    thread.switch()

    def released(self) -> np.ndarray:
        """Which threads may run on, as a mask: lanes that met in their warp, else all, if all are at one barrier."""
        kinds, sites = np.array(self.waiting).T
        result = np.zeros(len(kinds), bool)
        for warp in np.unique(np.flatnonzero(kinds >= SYNCWARP) >> 5):
            lanes = np.arange(32 * warp, min(32 * warp + 32, len(kinds)))
            self.meet_in_warp(int(warp), lanes, kinds[lanes], sites[lanes], result)
        if not result.any() and (kinds == SYNCTHREADS).any():
            if (kinds != SYNCTHREADS).any() or (sites != sites[0]).any():
                raise self.diverged("not all threads of the block come to the same barrier", np.arange(len(kinds)))
            self.phases.barrier(self.state)
            result[:] = True
        return result

    def meet_in_warp(
        self, warp: int, lanes: np.ndarray, kinds: np.ndarray, sites: np.ndarray, result: np.ndarray
    ) -> None:
        """Release the lanes that wait at the same place, if no lane that their mask names is missing."""
        masks = self.rows[:, MASK] & FULL
        for site in np.unique(sites[kinds >= SYNCWARP]):
            here = lanes[(sites == site) & (kinds >= SYNCWARP)]
            mask = int(masks[here[0]])
            named = (mask >> (lanes & 31) & 1).astype(bool)
            if (masks[here] != mask).any() or not np.isin(here, lanes[named]).all():
                raise self.diverged(f"a mask ({mask:#x}) that is not the same, or leaves out a lane that calls", lanes)
            if not np.isin(lanes[named & (kinds != DONE)], here).all():
                continue
            kind = kinds[here[0] & 31]
            try:
                WARP_RESULTS[kind](here, self.rows)
            except DivergentBarrier as fault:
                raise self.diverged(str(fault), lanes) from None
            if kind == SYNCWARP:
                self.phases.warp_barrier(warp)
            result[here] = True
        if not result[lanes].any():
            raise self.diverged("not all lanes that the mask names come to the same place", lanes)

    def diverged(self, what: str, threads: np.ndarray) -> DivergentBarrier:
        """The fault, with a list of who is where."""
        places: dict[tuple[int, int], list[int]] = {}
        for thread in threads:
            places.setdefault(self.waiting[thread], []).append(int(thread))
        parts = []
        for (kind, site), members in places.items():
            where = "have ended" if kind == DONE else f"wait at line {self.sites[site].line} ({NAMES[kind]})"
            parts.append(f"{len(members)} threads {where}, such as {self.name(members[0])}")
        return DivergentBarrier(f"{self.where}: {what}: {'; '.join(parts)}")
