"""What a kernel asks of memory, counted as the hardware would serve it.

The 32 threads of a warp make their accesses together: what counts is the *request* of the warp, not the access of a
thread. The log of a block holds every access of every thread; those that belong together are found by the place in the
source and by how often the thread was there before.

* **Global memory** comes in sectors of 32 bytes. A request costs as many as it touches: 4 when 32 threads read 32
  neighbouring float32, 32 when they read a column of a wide matrix. Four neighbouring sectors are one line of 128
  bytes: a transaction.
* **Shared memory** has 32 banks, each 4 bytes wide. A request costs one pass, and another one for each further number
  that a bank must hand out in the same pass: a *replay*. Threads that want the same number share it. Accesses of 8
  bytes are served for half a warp at a time, those of 16 bytes for a quarter.

Source: NVIDIA, CUDA C++ Programming Guide, "Global Memory" and "Shared Memory" of compute capability 5.x and later.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from .access import LOG_CELLS, address_of
from .shared import BANKS
from .state import FUSED, LOG, LOG_LENGTH, LOG_ROOM, OCCURRENCES, SITES

__all__ = ["Counts", "Line", "Log", "bank_passes", "distinct"]

SECTOR, TRANSACTION = 32, 128  # bytes
ROOM = 1 << 20  # accesses of a block


@dataclass
class Line:
    """What one line of the source does to one array."""

    line: int
    text: str
    array: str
    action: str  # load, store, an atomic operation
    space: str  # global or shared
    requests: int = 0  # by warps
    accesses: int = 0  # by threads
    bytes: int = 0  # that threads asked for
    needed: int = 0  # global: bytes, each counted once a request
    sectors: int = 0  # global
    transactions: int = 0  # global
    passes: int = 0  # shared
    least: int = 0  # shared: passes without a conflict

    @property
    def replays(self) -> int:
        """Passes that bank conflicts add."""
        return self.passes - self.least

    @property
    def excess(self) -> float:
        """How many times as many bytes come from global memory as are needed: 1 where accesses are coalesced."""
        return self.sectors * SECTOR / self.needed if self.needed else 1.0

    def add(self, other: Line) -> None:
        for each in fields(self)[5:]:
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


@dataclass
class Counts:
    """What the counted blocks of a launch did."""

    lines: list[Line] = field(default_factory=list)
    fused: dict[int, int] = field(default_factory=dict)  # multiply-adds, by line
    blocks: int = 0  # how many blocks were counted

    def of(self, *arrays: str, action: str | None = None, space: str | None = None) -> Line:
        """The sum over all lines that access one of these arrays (without names: any), as one Line."""
        total = Line(0, "", ", ".join(arrays), action or "", space or "")
        for line in self.lines:
            if (not arrays or line.array in arrays) and action in (None, line.action) and space in (None, line.space):
                total.add(line)
        return total

    @property
    def multiply_adds(self) -> int:
        return sum(self.fused.values())


class Log:
    """The accesses of the block that is being counted, and what was counted before."""

    def __init__(self, launch: Any, state: np.ndarray) -> None:
        self.sites, self.names = launch.code.sites, launch.array_names
        self.first_shared, self.state = len(launch.arrays), state
        self.cells = np.zeros((ROOM, LOG_CELLS), np.int64)
        self.occurrences = np.zeros((launch.count, len(self.sites)), np.int64)
        self.fused = np.zeros(len(self.sites), np.int64)
        self.kernel = launch.name
        self.lines: dict[tuple[int, str, str], Line] = {}
        self.blocks = 0
        state[LOG_ROOM], state[SITES] = ROOM, len(self.sites)
        state[OCCURRENCES], state[FUSED] = address_of(self.occurrences), address_of(self.fused)

    def begin_block(self) -> None:
        self.occurrences[...] = 0
        self.state[LOG], self.state[LOG_LENGTH] = address_of(self.cells), 0

    def end_block(self) -> None:
        self.state[LOG], self.blocks = 0, self.blocks + 1
        length = self.state[LOG_LENGTH]
        if length > ROOM:
            raise RuntimeError(f"{self.kernel}: a block makes {length} accesses; at most {ROOM} can be counted")
        key, address, rest = self.cells[:length].T
        site, thread, size, array = key >> 32 & 0xFFFF, key >> 48, rest >> 16, rest & 0xFFFF
        for which in np.unique(site << 16 | array):
            chosen = (site << 16 | array) == which
            request = (thread[chosen] >> 5) << 32 | key[chosen] & 0xFFFFFFFF
            _, request = np.unique(request, return_inverse=True)
            accesses = request, thread[chosen] & 31, address[chosen], int(size[chosen][0])
            self.count(int(which) >> 16, int(which) & 0xFFFF, *accesses)

    def count(
        self, site: int, array: int, request: np.ndarray, lane: np.ndarray, address: np.ndarray, size: int
    ) -> None:
        """Add the accesses of one site to one array."""
        place, name = self.sites[site], self.names[array]
        space = "shared" if array >= self.first_shared else "global"
        new = Line(place.line, place.text, name, place.action, space)
        new.requests, new.accesses, new.bytes = int(request.max()) + 1, len(request), len(request) * size
        if space == "global":
            new.needed = distinct(request, address // size) * size
            new.sectors = distinct(request, address // SECTOR)
            new.transactions = distinct(request, address // TRANSACTION)
        else:
            new.passes, new.least = bank_passes(request, lane, address, size)
        key = place.line, name, place.action
        if key in self.lines:
            self.lines[key].add(new)
        else:
            self.lines[key] = new

    def counts(self) -> Counts:
        fused: dict[int, int] = {}
        for site, count in zip(self.sites, self.fused):
            if count:
                fused[site.line] = fused.get(site.line, 0) + int(count)
        return Counts([self.lines[key] for key in sorted(self.lines)], fused, self.blocks)


def distinct(request: np.ndarray, place: np.ndarray) -> int:
    """How many different places the requests touch, summed over the requests."""
    return len(np.unique(np.stack([request, place]), axis=1).T)


def bank_passes(request: np.ndarray, lane: np.ndarray, address: np.ndarray, size: int) -> tuple[int, int]:
    """(passes that shared memory needs for the requests, passes it would need without conflicts)."""
    words = max(size // 4, 1)
    phase = request * words + lane // (BANKS // words)  # a quarter of the warp at a time for 16 bytes
    phase = np.repeat(phase, words)
    word = (address[:, None] // 4 + np.arange(words)).ravel()
    phase, word = np.unique(np.stack([phase, word]), axis=1)
    banks, numbers = np.unique(np.stack([phase, word % BANKS]), axis=1, return_counts=True)
    starts = np.flatnonzero(np.diff(banks[0], prepend=-1))
    return int(np.maximum.reduceat(numbers, starts).sum()), len(starts)
