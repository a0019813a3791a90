"""A GPU on the processor: runs Numba-CUDA kernels in several thread orders and finds their faults."""

from .executor import Simulator, empty, simulate
from .faults import (
    DivergentBarrier,
    DoublePrecision,
    KernelFault,
    LimitExceeded,
    Misaligned,
    OutOfBounds,
    OutputsDiffer,
    Race,
    Uninitialised,
)
from .source import barriers, without_barrier

__all__ = [
    "DivergentBarrier",
    "DoublePrecision",
    "KernelFault",
    "LimitExceeded",
    "Misaligned",
    "OutOfBounds",
    "OutputsDiffer",
    "Race",
    "Simulator",
    "Uninitialised",
    "barriers",
    "empty",
    "simulate",
    "without_barrier",
]
