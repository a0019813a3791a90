"""Questions about GPUs. None of them raises where there is no GPU, or CuPy is missing or has no driver."""

from __future__ import annotations

from functools import cache
from typing import Any

from . import random
from .backend import why_no_cuda

__all__ = ["device_count", "is_available", "manual_seed_all", "synchronize"]


@cache  # the answer does not change while a program runs, and CuPy takes seconds to import
def _reason() -> str:
    return why_no_cuda()


def is_available() -> bool:
    """Whether ``tensor.to("cuda")`` will work."""
    return not _reason()


def device_count() -> int:
    """How many GPUs can be used; 0 where none can."""
    return _cupy().cuda.runtime.getDeviceCount() if is_available() else 0


def manual_seed_all(seed: int) -> None:
    """The same as ``minidl.manual_seed``: one generator serves all devices, so that all draw the same numbers."""
    random.manual_seed(seed)


def synchronize() -> None:
    """Wait until the GPU has done all that it was given; without a GPU there is nothing to wait for."""
    if is_available():
        _cupy().cuda.runtime.deviceSynchronize()


def _cupy() -> Any:
    import cupy

    return cupy
