"""A GPU on the processor: runs Numba-CUDA kernels, checks every access they make, and counts what they cost.

A kernel is the program of one thread. Here its source is rewritten (``rewriter``) into a function of its own, compiled
by Numba for the processor, and run for every thread of every block, block after block. Threads that wait for one
another are greenlets: at a barrier the processor goes on with the next one (``schedule``).

    report = simulate(kernel, grid, threads, *arrays)                       # a function
    with running_on(Simulator()): ...                                       # whatever launches kernels
    print(simulate(kernel, grid, threads, *arrays, counting=True))          # what it asks of memory

**What is found.** A GPU runs threads in an order of its own, so a wrong kernel may work a thousand times. The simulator
does not wait for the unlucky order: beside every number that threads share stands who wrote it and who read it last
(``shadow``), and two accesses that no barrier orders are an error whatever came out. So are barriers that not all
threads reach, indices out of bounds, reads of what nobody wrote, 16-byte accesses at wrong addresses, shuffles from
lanes that are not there, arithmetic that slips into float64. Each launch runs in three orders, and the results must
agree to the bit.

**What is counted.** Requests of warps as the hardware would serve them: sectors of global memory, passes of shared
memory, multiply-adds, by line of the source (``counts``).

**What is not simulated.** Time; caches; fences and other ways to order blocks; a ``syncwarp`` of part of a warp; a loop
that waits for another thread without a barrier never ends. Arrays have at most 4 axes. Functions of ``math`` are the
processor's, whose last bits may differ from a GPU's.

The files, in the order in which to read them: ``source`` and ``rewriter`` (from source to the code of a thread),
``state`` (what compiled code and scheduler share), ``shadow``, ``access``, ``arrays`` and ``memory`` (every load and
store), ``collectives`` and ``schedule`` (barriers and warps), ``launch`` and ``run``, ``counts`` and ``report``.
"""

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
