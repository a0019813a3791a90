"""Kernels for GPUs, written in Python and compiled by Numba-CUDA: matrix products and softmax attention.

Arrays go in and come out; see ``arrays``. Nothing here has run on a GPU yet: the kernels run in ``kernels.simulator``,
which looks for races and other faults, and ``gate`` compiles them to machine code and inspects that.
"""

from __future__ import annotations

import importlib

from .kernel import Kernel

__all__ = ["FAMILIES", "all_kernels"]

FAMILIES = ("matmul", "softmax", "attention")


def all_kernels() -> list[Kernel]:
    """Every kernel, at the sizes of its tiles that are used: the lists ``KERNELS`` of the families."""
    modules = [importlib.import_module(f".{name}", __name__) for name in FAMILIES]
    return [kernel for module in modules for kernel in module.KERNELS]
