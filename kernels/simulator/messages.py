"""Faults in words: the kernel, the line, the block, the threads."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from .access import LOCAL, MISALIGNED, OUT_OF_BOUNDS
from .collectives import DONE, NAMES
from .faults import KernelFault, Misaligned, OutOfBounds, Race, Uninitialised
from .phases import Phases
from .shadow import RACE, UNINITIALISED, read_record
from .source import Site, line_of
from .state import FAULT, FAULT_ARRAY, FAULT_SITE, INDEX, INDEX_LENGTH, OTHER, THREAD

__all__ = ["Messages", "why_not_compiled"]

HERE = str(Path(__file__).parent)

FAULTS: dict[int, tuple[type[KernelFault], str]] = {
    RACE: (Race, "{action} of {number}, unordered with {other}"),
    UNINITIALISED: (Uninitialised, "{number} is read, and nobody wrote it"),
    OUT_OF_BOUNDS: (OutOfBounds, "{number} is out of bounds"),
    MISALIGNED: (Misaligned, "16 bytes from {number} on do not begin at a multiple of 16"),
}


class Messages:
    """Speaks of one launch: its kernel, its arrays' names, the places in its source, the shape of its blocks."""

    def __init__(self, kernel: str, arrays: list[str], sites: list[Site], threads: tuple[int, int, int]) -> None:
        self.kernel, self.arrays, self.sites, self.threads = kernel, arrays, sites, threads

    def thread(self, number: int) -> str:
        x, y, z = self.threads
        index = (number % x, number // x % y, number // (x * y))
        return f"thread {index if z > 1 else index[:2] if y > 1 else number}"

    def line(self, site: int) -> str:
        place = self.sites[site]
        return f"line {place.line}: {place.text}"

    def fault(self, state: np.ndarray, phases: Phases) -> KernelFault:
        """What the running thread reported, as an exception."""
        kind, words = FAULTS[state[FAULT]]
        block = phases.blocks[-1][1]
        index = ", ".join(str(i) for i in state[INDEX : INDEX + state[INDEX_LENGTH]])
        array = "local array" if state[FAULT_ARRAY] == LOCAL else self.arrays[state[FAULT_ARRAY]]
        text = words.format(
            action=self.sites[state[FAULT_SITE]].action,
            number=f"{array}[{index}]",
            other=self.other(int(state[OTHER]), phases, block) if kind is Race else "",
        )
        who = f"block {block}, {self.thread(int(state[THREAD]))}"
        return kind(f"{self.kernel}, {self.line(state[FAULT_SITE])}: {who}: {text}")

    def other(self, record: int, phases: Phases, block: tuple[int, ...]) -> str:
        """Who made the access that a record speaks of."""
        phase, site, thread, others = read_record(record)
        its_block = phases.block_of(phase)
        who = self.thread(thread) + ("" if its_block == block else f" of block {its_block}")
        return f"{who}{others} at {self.line(site)}"

    def diverged(self, what: str, places: dict[tuple[int, int], list[int]], block: tuple[int, ...]) -> str:
        """Who waits where, of threads that should have met."""
        parts = [
            f"{len(threads)} threads ({self.thread(threads[0])}{', ...' if threads[1:] else ''}) "
            + ("have ended" if kind == DONE else f"wait for {NAMES[kind]} at {self.line(site)}")
            for (kind, site), threads in places.items()
        ]
        return f"{self.kernel}, block {block}: {what}: {'; '.join(parts)}"


def why_not_compiled(text: str) -> str:
    """The line and the reason in Numba's many lines about code that it cannot compile.

    They begin with the innermost reason, or with a function of which it says further down what is wrong with its
    arguments.
    """
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("Failed in ")]
    signature = [line.removeprefix(">>> ") for line in lines if line.startswith(">>> ")]
    specific = re.findall(r"^ *TypingError: (?!Failed in )(.+)$", text, re.MULTILINE)
    reason = lines[0]
    if signature:
        is_access = signature[0].startswith(("load(", "store("))
        reason = specific[-1] if is_access and specific else f"no such operation: {signature[0]}"
    for file, number in re.findall(r"(?:at|from|location:) (.+) \((\d+)\)$", text, re.MULTILINE):
        if not file.startswith(HERE):
            return f"line {number}: {line_of(file, int(number))}: {reason}"
    return reason
