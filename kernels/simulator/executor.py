"""The simulator as an executor of kernels, and for functions alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arguments import Region
from .faults import OutputsDiffer
from .launch import Launch
from .shadow import ATOMIC

__all__ = ["Simulator", "simulate"]


class Simulator:
    """Runs kernels on the processor, in several thread orders: ``with running_on(Simulator()): ...``."""

    def __init__(self, orders: tuple[str, ...] = ("forward", "backward", "random"), seed: int = 0) -> None:
        self.orders, self.seed = tuple(orders), seed
        self.reports: list[Any] = []

    def launch(self, kernel: Any, grid: Any, arguments: tuple[Any, ...], stream: Any = None) -> None:
        """Run a kernel in all orders; its results go to the caller's arrays."""
        self.run(Launch(kernel, grid, kernel.threads, arguments))

    def run(self, launch: Launch) -> None:
        first = launch.run(self.orders[0], self.seed)
        for order in self.orders[1:]:
            compare(launch, first, launch.run(order, self.seed), self.orders[0], order)
        for region in first:
            region.deliver()


def compare(launch: Launch, first: list[Region], other: list[Region], first_order: str, order: str) -> None:
    """All numbers must have the same bits."""
    for one, two in zip(first, other):
        if np.array_equal(one.bytes, two.bytes):
            continue
        for array in one.arrays:
            atomic = one.shadow_of(array)[..., ATOMIC] != 0
            a, b = one.copy_of(array), two.copy_of(array)
            differs = a.view(f"u{a.itemsize}") != b.view(f"u{a.itemsize}")
            if a.dtype.kind == "f":  # sums by atomics are rounded in another order
                differs &= ~(atomic & np.isclose(a, b, rtol=1e-4, atol=1e-6))
            if differs.any():
                raise OutputsDiffer(
                    f"{launch.name}: {differs.sum()} of {a.size} numbers differ between the thread orders "
                    f"{first_order} and {order}, the first at {tuple(map(int, np.argwhere(differs)[0]))}"
                )


def simulate(
    kernel: Any,
    grid: Any,
    threads: Any,
    *arguments: Any,
    orders: tuple[str, ...] = ("forward", "backward", "random"),
    seed: int = 0,
    unwritten: tuple[np.ndarray, ...] = (),
) -> None:
    """Run a function as a kernel."""
    Simulator(orders, seed).run(Launch(kernel, grid, threads, arguments, unwritten))
