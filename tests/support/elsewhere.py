"""A row of the table of cases on another device than the CPU, held against the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from opcases import Case
from rows import assert_close, run

import minidl
from minidl import Tensor, backend

__all__ = ["Elsewhere", "check_row", "send", "values"]


def send(array: Any, device: str, requires_grad: bool = False) -> Tensor:
    """The array as a leaf on the device."""
    return Tensor(backend.to_device(array, minidl.device(device)), requires_grad)


def values(tensor: Tensor) -> np.ndarray:
    """The tensor's numbers, brought to the CPU."""
    return backend.to_device(tensor.array, backend.CPU)


class Elsewhere:
    """minidl, with the tensors that a row makes by itself (constants, weights) on a device."""

    def __init__(self, device: str) -> None:
        self.device_of_row = device

    def __getattr__(self, name: str) -> Any:
        value = getattr(minidl, name)
        if name not in minidl.creation.__all__:
            return value
        return lambda *args, **kwargs: send(value(*args, **kwargs).array, self.device_of_row)


def check_row(row: Case, dtype: Any, device: str, tolerance: float) -> None:
    """Values and gradients are those of the CPU, and on the device; gradients also where they could be differentiated
    again. A row without inputs has nothing to send, and passes.
    """
    expected = run(row, row.arrays(dtype))
    inputs = [send(x, device, row.grad and x.dtype.kind == "f") for x in row.arrays(dtype)]
    if not inputs:
        return
    results = row.results(Elsewhere(device), inputs)
    for i, (y, other) in enumerate(zip(results, expected.values, strict=True)):
        assert y.device == minidl.device(device), f"{row}: result {i} is on {y.device}"
        assert_close(f"{row}: result {i}", values(y), other, tolerance)
    roots, wanted = [y for y in results if y.requires_grad], [x for x in inputs if x.requires_grad]
    if not roots:
        return
    upstream = [send(g.array, device) for g in expected.upstream]
    for create_graph in (False, True) if row.second else (False,):
        found = minidl.grad(roots, wanted, upstream, retain_graph=True, create_graph=create_graph, allow_unused=True)
        for i, (g, other) in enumerate(zip(found, expected.gradients, strict=True)):
            if g is not None:
                assert g.device == minidl.device(device), f"{row}: gradient {i} is on {g.device}"
                assert_close(f"{row}: gradient {i}", values(g), other, tolerance)
