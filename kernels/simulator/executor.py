"""The simulator as an executor of kernels, and for functions alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .faults import OutputsDiffer
from .launch import Launch
from .memory import poison
from .report import Report
from .run import Run
from .shadow import ATOMIC

__all__ = ["ORDERS", "Simulator", "empty", "simulate"]

ORDERS = ("forward", "backward", "random")


class Simulator:
    """Runs kernels on the processor, for ``with running_on(Simulator()): ...``.

    Args:
        orders: in which the threads (and blocks) run; the results must have the same bits for all.
        seed: of the random order.
        counting: whether to count accesses, in the first order: True for all blocks, or how many blocks, spread evenly
            over the grid.

    Attributes:
        reports: one for each launch.
    """

    def __init__(self, orders: tuple[str, ...] = ORDERS, seed: int = 0, counting: bool | int = False) -> None:
        self.orders, self.seed, self.counting = tuple(orders), seed, counting
        if not self.orders:
            raise ValueError("simulator: at least one order is needed")
        self.reports: list[Report] = []

    def launch(self, kernel: Any, grid: Any, arguments: tuple[Any, ...], stream: Any = None) -> Report:
        """Run a kernel; its results go to the caller's arrays, which keep their numbers if there is a fault.

        Raises:
            KernelFault: for anything that a GPU does not allow or gives no meaning.
            NotImplementedError: for what the simulator does not know.
        """
        return self.run(Launch(kernel, grid, kernel.threads, arguments, bool(self.counting)))

    def run(self, launch: Launch) -> Report:
        blocks = math.prod(launch.grid)
        first = Run(launch, self.orders[0], self.seed, blocks if self.counting is True else int(self.counting))
        first.execute()
        for order in self.orders[1:]:
            other = Run(launch, order, self.seed)
            other.execute()
            compare(first, other)
        for region in first.regions:
            region.deliver(launch.name)
        shared = sum(array.size for array in launch.code.shared)
        where = launch.name, launch.grid, launch.threads, self.orders
        self.reports.append(Report(*where, shared, first.barriers, first.counts()))
        return self.reports[-1]

    def empty(self, shape: Any, dtype: Any = np.float32) -> np.ndarray:
        return empty(shape, dtype)


def simulate(
    kernel: Any,
    grid: Any,
    threads: Any,
    *arguments: Any,
    orders: tuple[str, ...] = ORDERS,
    seed: int = 0,
    counting: bool | int = False,
) -> Report:
    """Run a function as a kernel: ``grid`` blocks of ``threads`` threads, each a number, (x, y) or (x, y, z).

    ``orders``, ``seed`` and ``counting`` as in ``Simulator``, errors as in ``Simulator.launch``.
    """
    return Simulator(orders, seed, counting).run(Launch(kernel, grid, threads, arguments, bool(counting)))


def empty(shape: Any, dtype: Any = np.float32) -> np.ndarray:
    """An array of numbers that nobody has written: a kernel that reads one of them is at fault."""
    return poison(shape, np.dtype(dtype))


def compare(first: Run, other: Run) -> None:
    """All numbers must have the same bits. Sums of floats by atomics may differ by their rounding."""
    for one, two in zip(first.regions, other.regions):
        if np.array_equal(one.bytes, two.bytes):
            continue
        for array in one.arrays:
            a, b = one.copy_of(array), two.copy_of(array)
            differs = a.view(f"u{a.itemsize}") != b.view(f"u{a.itemsize}")
            if a.dtype.kind == "f":
                differs &= ~((one.shadow_of(array)[..., ATOMIC] != 0) & np.isclose(a, b, rtol=1e-4, atol=1e-6))
            if differs.any():
                index = ", ".join(map(str, np.argwhere(differs)[0]))
                raise OutputsDiffer(
                    f"{first.launch.name}: {differs.sum()} of {a.size} results differ between the orders "
                    f"{first.order} and {other.order}, the first at [{index}]"
                )
