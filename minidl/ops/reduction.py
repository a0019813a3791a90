"""Reductions: sums, means, extrema, norms over some or all dimensions.

Every reduction takes ``dim`` (an integer, several, or None for all) and ``keepdim``. Its backward first gives g back
the dimensions that were summed away, with length 1, so that it broadcasts against x: ``restore``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import backend
from ..autograd import Function, Tensor
from . import check
from .arithmetic import to_dtype
from .vocabulary import m

__all__ = ["mean", "sum"]

Dim = int | Sequence[int] | None


def restore(g: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    """g with the reduced dimensions back in place, of length 1."""
    return g.reshape(tuple(1 if i in axes else length for i, length in enumerate(shape)))


class Sum(Function):
    """y = sum over the axes of x; dL/dx = g, copied along the axes."""

    def __init__(self, axes: tuple[int, ...], keepdim: bool) -> None:
        self.axes, self.keepdim = axes, keepdim

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        return x.sum(axis=self.axes, keepdims=self.keepdim)

    def backward(self, g: Any) -> Any:
        return m.broadcast_to(restore(g, self.shape, self.axes), self.shape)


class Mean(Function):
    """y = (1/n) sum over the axes of x, n elements each; dL/dx = g / n, copied along the axes."""

    def __init__(self, axes: tuple[int, ...], keepdim: bool) -> None:
        self.axes, self.keepdim = axes, keepdim

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        self.n = int(np.prod([x.shape[axis] for axis in self.axes]))
        return x.sum(axis=self.axes, keepdims=self.keepdim) / self.n if self.n else x.mean(self.axes)

    def backward(self, g: Any) -> Any:
        return m.broadcast_to(restore(g / self.n, self.shape, self.axes), self.shape)


def sum(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum over ``dim`` (all dimensions unless given). Integers and booleans are summed as int64."""
    x = check.tensor("sum", input)
    if dtype is not None:
        x = to_dtype(x, dtype)
    elif x.dtype.kind != "f":
        x = to_dtype(x, backend.int64)
    return Sum(check.dimensions("sum", dim, x.ndim), keepdim).apply(x)


def mean(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean over ``dim`` (all dimensions unless given); the mean of no elements is NaN."""
    x = check.floating("mean", input if dtype is None else to_dtype(input, dtype))
    return Mean(check.dimensions("mean", dim, x.ndim), keepdim).apply(x)
