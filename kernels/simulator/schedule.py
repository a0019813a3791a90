"""One block of threads, each in a greenlet: who runs when, and who must meet whom.

All threads run on one processor, one at a time, each until it waits for others. The order among those that may run is
the simulator's choice: a kernel must give the same results for all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

import numpy as np
from greenlet import getcurrent, greenlet

from .collectives import DONE, FULL, MASK, SYNCTHREADS, SYNCWARP, WARP_RESULTS
from .faults import DivergentBarrier
from .phases import Interrupts, Phases
from .state import PHASE, THREAD, Stop, parking

__all__ = ["Block"]


class Block:
    """The threads of a block while they run.

    Args:
        run: runs one thread, given its number, to its end.
        order: the threads' numbers, in the order in which they run.
        state, rows: see ``state``.
        describe: turns what is wrong and the places where threads are, {(why, site): threads}, into a text.
    """

    def __init__(
        self,
        run: Callable[[int], None],
        order: Sequence[int],
        state: np.ndarray,
        rows: np.ndarray,
        phases: Phases,
        interrupts: Interrupts,
        describe: Callable[[str, dict[tuple[int, int], list[int]]], str],
    ) -> None:
        self.run, self.order, self.describe = run, order, describe
        self.state = memoryview(state)  # whose single numbers are set twice as fast
        self.rows, self.phases, self.interrupts = rows, phases, interrupts
        self.scheduler = getcurrent()
        self.threads: list[greenlet | None] = [None] * len(order)
        self.waiting: list[tuple[int, int]] = [(DONE, 0)] * len(order)  # (what for, at which site), by thread
        self.ending = False
        self.barriers = 0

    def execute(self) -> None:
        """Run the block to its end."""
        parking.wait = self.wait
        ready = self.order
        try:
            while ready:
                for thread in ready:
                    self.go(thread)
                released = self.released()
                ready = [thread for thread in self.order if released[thread]]
        finally:
            self.end()

    def go(self, thread: int) -> None:
        """Let a thread run until it waits or is done."""
        if self.interrupts.seen:
            raise KeyboardInterrupt
        runner = self.threads[thread]
        if runner is None:
            runner = self.threads[thread] = greenlet(self.run, self.scheduler)
        self.state[THREAD] = thread
        self.state[PHASE] = self.phases.current[thread >> 5]
        self.waiting[thread] = runner.switch(thread) or (DONE, 0)

    def wait(self, kind: int, site: int) -> int:
        """Called by a thread: wait for others. 1 when it may run on, 0 when it has to end."""
        if not self.ending:
            self.scheduler.switch((kind, site))
        return 0 if self.ending else 1

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
            lanes = slice(32 * warp, 32 * warp + 32)
            released = self.meet_in_warp(int(warp), kinds[lanes], sites[lanes])
            if not len(released):
                raise self.diverged("not all lanes that the mask names come to the same place", int(warp))
            result[released] = True
        if not result.any() and (kinds == SYNCTHREADS).any():
            if (kinds != SYNCTHREADS).any() or (sites != sites[0]).any():
                raise self.diverged("not all threads of the block come to the same barrier")
            self.phases.barrier()
            self.barriers += 1
            result[:] = True
        return result

    def meet_in_warp(self, warp: int, kinds: np.ndarray, sites: np.ndarray) -> np.ndarray:
        """The threads that wait at the same place of the source, if no lane that their mask names is missing."""
        first = 32 * warp
        masks = self.rows[first : first + 32, MASK] & FULL
        alive = lanes_to_bits(np.flatnonzero(kinds != DONE))
        met = []
        for site in np.unique(sites[kinds >= SYNCWARP]):
            lanes = np.flatnonzero((kinds >= SYNCWARP) & (sites == site))
            kind, mask, here = kinds[lanes[0]], int(masks[lanes[0]]), lanes_to_bits(lanes)
            if (masks[lanes] != mask).any() or here & ~mask:
                raise self.diverged(f"the mask {mask:#x} is not every lane's, or leaves out a lane that calls", warp)
            if mask & alive & ~here:
                continue  # somebody has yet to come
            if kind == SYNCWARP:
                if here != alive:
                    raise NotImplementedError("simulator: cuda.syncwarp for a part of the warp is not simulated")
                self.phases.warp_barrier(warp)
            try:
                WARP_RESULTS[kind](lanes + first, self.rows)
            except DivergentBarrier as fault:
                raise self.diverged(str(fault), warp) from None
            met.append(lanes + first)
        return np.concatenate(met) if met else np.array([], int)

    def diverged(self, what: str, warp: int | None = None) -> DivergentBarrier:
        """The fault, with a list of who waits where."""
        places: dict[tuple[int, int], list[int]] = {}
        for thread, place in enumerate(self.waiting):
            if warp is None or thread >> 5 == warp:
                places.setdefault(place, []).append(thread)
        return DivergentBarrier(self.describe(what, places))


def lanes_to_bits(lanes: np.ndarray) -> int:
    return int(np.bitwise_or.reduce(1 << lanes))
