"""Numba's compiler for CUDA, imported in this one place.

The source of a kernel names ``cuda`` only inside of its body, so that it can be read, and run by the simulator, where
Numba comes without a compiler for GPUs.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import float32, int32

if not hasattr(np, "row_stack"):  # NumPy 2.5 dropped the name, and numba-cuda still asks for it
    setattr(np, "row_stack", np.vstack)  # noqa: B010

# A lesson's grid is small on purpose, so numba-cuda need not warn of it.
os.environ.setdefault("NUMBA_CUDA_LOW_OCCUPANCY_WARNINGS", "0")

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of NumPy 2.5, at numba-cuda's way to say "no date"
        from numba import cuda
        from numba.cuda.extending import intrinsic
except ImportError:
    cuda = intrinsic = None

__all__ = ["cuda", "device", "float32", "int32", "intrinsic", "why_no_gpu"]


def device(function: Callable[..., Any]) -> Any:
    """Mark a function that kernels call; a decorator. Where it is called, its body takes the place of the call."""
    if cuda is None:
        return function
    return cuda.jit(function, device=True, inline="always")


def why_no_gpu() -> str:
    """Why no kernel can run on a GPU here, in one sentence; empty where it can. Never raises."""
    if cuda is None:
        return "Numba has no compiler for GPUs here: pip install 'minidl[cuda]'"
    try:
        return "" if cuda.is_available() else "Numba finds no CUDA driver, or no GPU"
    except Exception as error:
        return f"Numba's CUDA support does not work: {error}"
