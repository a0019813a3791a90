"""The shared memory of a block."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .access import address_of, described
from .memory import poison
from .shadow import RECORDS, UNWRITTEN, WRITE

__all__ = ["BANKS", "SHARED_LIMIT", "SharedArray", "SharedMemory"]

SHARED_LIMIT = 48 * 1024  # bytes that a block may declare
BANKS = 32  # of 4 bytes: each hands out one number at a time


@dataclass(frozen=True)
class SharedArray:
    """A ``cuda.shared.array`` of a kernel."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    alignment: int

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


class SharedMemory:
    """All shared arrays in one buffer, with a shadow."""

    def __init__(self, arrays: list[SharedArray], first_number: int) -> None:
        self.rows: list[np.ndarray] = []  # see access.described
        self.contents: list[tuple[np.ndarray, ...]] = []  # (numbers, the same unwritten, records) for each
        end, places = 0, []
        for array in arrays:
            place = -(-end // array.alignment) * array.alignment
            if array.alignment % 16 and place % 16 == 0:
                place += array.alignment  # promised no more than that, so a 16-byte access must not work by chance
            places.append(place)
            end = place + array.size
        self.buffer = np.zeros(end + 4 * BANKS, np.uint8)
        start = -address_of(self.buffer) % (4 * BANKS)
        for number, (array, place) in enumerate(zip(arrays, places)):
            data = np.ndarray(array.shape, array.dtype, self.buffer, start + place)
            records = np.zeros((data.size, RECORDS), np.int64)
            self.rows.append(described(data, records, address_of(data), first_number + number))
            self.contents.append((data, poison(array.shape, array.dtype), records))

    def clear(self) -> None:
        """As a new block finds it: with nothing in it."""
        for data, unwritten, records in self.contents:
            data[...] = unwritten
            records[...] = 0
            records[:, WRITE] = UNWRITTEN
