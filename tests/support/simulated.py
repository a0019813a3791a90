"""The stand-in for a GPU in tests of the way from the engine to the kernels: strict arrays, and the simulator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from strict_array import Library

import minidl
from kernels.cuda.kernel import running_on
from kernels.simulator import Simulator
from minidl import backend

__all__ = ["assert_same", "pairs", "simulated_gpu"]


@contextmanager
def simulated_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A device "strict" whose arrays the kernels take, and a simulated GPU, whose reports tell which kernels ran."""
    monkeypatch.setattr(backend, "_by_type", dict(backend._by_type))
    monkeypatch.setattr(backend, "_by_device", dict(backend._by_device))
    monkeypatch.setattr(backend, "several", False)
    monkeypatch.setattr(minidl.backends.cuda, "_blas", "cublas")
    monkeypatch.setattr(minidl.backends.cuda, "_flash", True)
    library = Library("strict")
    backend.register(replace(library.backend(), lend=lambda array: array._values, take_back=library.wrap))
    with running_on(Simulator(orders=("random",))) as simulator:
        yield simulator


def pairs(*shapes: tuple[int, ...], dtype: Any = np.float32) -> tuple[list[minidl.Tensor], list[minidl.Tensor]]:
    """Tensors with gradients on the CPU, and the same on the device."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    here = [minidl.tensor(x, requires_grad=True) for x in arrays]
    return here, [minidl.tensor(x, device="strict", requires_grad=True) for x in arrays]


def assert_same(there: minidl.Tensor, here: minidl.Tensor, tolerance: float = 2e-5) -> None:
    assert there.device == minidl.device("strict")
    assert there.dtype == here.dtype
    np.testing.assert_allclose(there.detach().cpu().array, here.detach().array, rtol=tolerance, atol=tolerance)
