"""The GPU that tests run on, or the reason why they cannot."""

from __future__ import annotations

import pytest

from minidl.backend import why_no_cuda

__all__ = ["need_cupy", "need_kernels"]


def need_cupy() -> None:
    """Skip the whole file where CuPy has no GPU."""
    reason = why_no_cuda()
    if reason:
        pytest.skip(f"no GPU for CuPy ({reason})", allow_module_level=True)


def need_kernels() -> None:
    """Skip the whole file where CuPy or Numba has no GPU."""
    need_cupy()
    from kernels.cuda.compiler import why_no_gpu

    reason = why_no_gpu()
    if reason:
        pytest.skip(f"no GPU for Numba ({reason})", allow_module_level=True)
