"""A GPU on the processor: runs Numba-CUDA kernels in several thread orders and finds their faults."""

from .executor import Simulator, simulate
from .faults import (
    DivergentBarrier,
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
    "KernelFault",
    "LimitExceeded",
    "Misaligned",
    "OutOfBounds",
    "OutputsDiffer",
    "Race",
    "Simulator",
    "Uninitialised",
    "barriers",
    "simulate",
    "without_barrier",
]
