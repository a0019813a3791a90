"""What can be wrong with a kernel: one exception for each kind of fault."""

from __future__ import annotations

__all__ = [
    "DivergentBarrier",
    "DoublePrecision",
    "KernelFault",
    "LimitExceeded",
    "Misaligned",
    "OutOfBounds",
    "OutputsDiffer",
    "Race",
    "Uninitialised",
]


class KernelFault(RuntimeError):
    """A kernel did what a GPU does not allow or gives no meaning. The text names the kernel, the line, the threads."""


class Race(KernelFault):
    """Two threads touched the same number, at least one of them wrote it, and nothing orders the two."""


class DivergentBarrier(KernelFault):
    """Threads that must meet (at a barrier, in a warp's shuffle) do not all come to the same place."""


class OutOfBounds(KernelFault):
    """An index that is negative, or not below the length of its axis."""


class Misaligned(KernelFault):
    """An access of 16 bytes at an address that is no multiple of 16."""


class Uninitialised(KernelFault):
    """A number was read that nobody had written."""


class LimitExceeded(KernelFault):
    """More threads, blocks or shared memory than a GPU has."""


class DoublePrecision(KernelFault):
    """Arithmetic in float64 that comes of mixing: of a float32 with a Python number, or of integers divided."""


class OutputsDiffer(Race):
    """The results depend on the order in which the threads run."""
