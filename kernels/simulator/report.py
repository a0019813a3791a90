"""What a launch did, as a table to read."""

from __future__ import annotations

from dataclasses import dataclass

from .counts import Counts

__all__ = ["Report"]

HEADERS = ("line", "array", "", "requests", "accesses", "KiB", "sectors", "lines", "excess", "passes", "replays")


@dataclass(frozen=True)
class Report:
    """One launch: how it ran, and what it asked of memory where that was counted.

    ``print(report)`` shows a row for each line of the source and each array: requests of warps, accesses of threads,
    the KiB they asked for; of global memory the sectors (32 bytes) and lines (128 bytes) that were moved, and how many
    times the needed bytes that is; of shared memory the passes, and how many of them bank conflicts caused.
    """

    kernel: str
    grid: tuple[int, int, int]
    threads: tuple[int, int, int]
    orders: tuple[str, ...]
    shared_bytes: int
    barriers: int  # that blocks came to, in one order
    counts: Counts | None = None

    def __str__(self) -> str:
        title = f"{self.kernel}: grid {self.grid}, blocks of {self.threads} threads, {self.shared_bytes} bytes shared"
        if self.counts is None:
            return f"{title}, {self.barriers} barriers"
        blocks = self.grid[0] * self.grid[1] * self.grid[2]
        counted = f"{self.counts.blocks} of {blocks} blocks counted, {self.counts.multiply_adds} multiply-adds"
        rows = [HEADERS, *map(row_of, self.counts.lines)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADERS))]
        table = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in rows]
        return "\n".join([f"{title}, {self.barriers} barriers; {counted}", *table])


def row_of(line) -> tuple[str, ...]:
    common = (
        str(line.line),
        line.array,
        line.action,
        str(line.requests),
        str(line.accesses),
        f"{line.bytes / 1024:.1f}",
    )
    if line.space == "global":
        return (*common, str(line.sectors), str(line.transactions), f"{line.excess:.1f}", "", "")
    return (*common, "", "", "", str(line.passes), str(line.replays))
