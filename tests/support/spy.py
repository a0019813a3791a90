"""Watches Functions at work: which ones run, and whether each backward keeps to its contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from rows import same

from minidl.autograd import Function, Tensor

__all__ = ["Spy", "watch"]


class Spy:
    """What was seen: the applied Functions with their inputs, and the breaches of contract as sentences."""

    def __init__(self) -> None:
        self.applied: list[tuple[Function, tuple]] = []
        self.breaches: list[str] = []

    @property
    def types(self) -> set[type]:
        return {type(function) for function, _ in self.applied}

    def check_forward(self, function: Function, inputs: tuple, result: Any) -> None:
        name = type(function).__name__
        outputs = result if isinstance(result, tuple) else (result,)
        sources = [(i, x) for i, x in enumerate(inputs) if isinstance(x, Tensor)]
        if function.saves_output and isinstance(result, tuple):
            self.breaches.append(f"{name}: saves_output is for Functions with one output")
        for array in function.saved:
            if isinstance(array, np.ndarray) and not any(array is x.array for _, x in sources):
                self.check_saved(function, array, sources, outputs)
        for k, y in enumerate(outputs):
            if y.requires_grad and y.dtype.kind != "f":
                self.breaches.append(f"{name}: output {k} is {y.dtype} and requires a gradient")
            for i, x in sources:
                counted = y.version is x.version
                if np.shares_memory(x.array, y.array) and not counted:
                    self.breaches.append(f"{name}: output {k} lies in the memory of input {i}, but is_view is not set")

    def check_saved(self, function: Function, array: np.ndarray, sources: list, outputs: tuple) -> None:
        """Changes in place are looked for in inputs and in a declared output, known by identity: nothing else."""
        name = type(function).__name__
        for i, x in sources:
            if np.shares_memory(array, x.array):
                self.breaches.append(f"{name}.forward saves a view of input {i}, which is not guarded")
        for k, y in enumerate(outputs):
            if np.shares_memory(array, y.array) and not function.saves_output:
                self.breaches.append(f"{name}.forward saves output {k} without saves_output, so it is not guarded")

    def check_backward(self, function: Function, g: Any, before: list, gradients: tuple) -> None:
        name = type(function).__name__
        upstream = [x for x in (g if isinstance(g, list) else [g]) if isinstance(x, np.ndarray)]
        saved = [x for x in function.saved if isinstance(x, np.ndarray)]
        if any(not same(x, old) for x, old in zip(upstream, before, strict=True)):
            self.breaches.append(f"{name}.backward changes the gradient that it is given")
        for i, (x, edge) in enumerate(zip(gradients, function.edges or (), strict=False)):
            if x is not None and edge is not None and x.dtype != function.spied_dtypes[i]:
                self.breaches.append(
                    f"{name}.backward: gradient {i} is {x.dtype}, the input {function.spied_dtypes[i]}"
                )
        arrays = [(i, x) for i, x in enumerate(gradients) if isinstance(x, np.ndarray)]
        for i, x in arrays:
            if any(np.shares_memory(x, kept) for kept in saved):
                self.breaches.append(f"{name}.backward: gradient {i} shares memory with a saved array")
            for j, y in arrays:
                of_upstream = any(np.shares_memory(x, up) for up in upstream)
                if i < j and not of_upstream and np.shares_memory(x, y):
                    self.breaches.append(f"{name}.backward: gradients {i} and {j} share memory")


@contextmanager
def watch() -> Iterator[Spy]:
    """Within the block, every Function that is applied and every gradient that is computed on arrays is looked at."""
    spy = Spy()
    apply, gradients = Function.apply, Function.gradients

    def watched_apply(self: Function, *inputs: Any) -> Any:
        spy.applied.append((self, inputs))
        self.spied_dtypes = [getattr(x, "dtype", None) for x in inputs]
        result = apply(self, *inputs)
        spy.check_forward(self, inputs, result)
        return result

    def watched_gradients(self: Function, g: Any, create_graph: bool) -> tuple:
        if create_graph:
            found = gradients(self, g, create_graph)
            for i, x in enumerate(found):
                if x is not None and not isinstance(x, Tensor):
                    spy.breaches.append(f"{type(self).__name__}.backward: gradient {i} is no Tensor with create_graph")
            return found
        before = [x.copy() for x in (g if isinstance(g, list) else [g]) if isinstance(x, np.ndarray)]
        found = gradients(self, g, create_graph)
        spy.check_backward(self, g, before, found)
        return found

    Function.apply, Function.gradients = watched_apply, watched_gradients
    try:
        yield spy
    finally:
        Function.apply, Function.gradients = apply, gradients
