"""Reductions over some or all dimensions: sum, mean, variance, standard deviation, any, all, count_nonzero.

Every reduction takes ``dim`` (an integer, several, or None for all) and ``keepdim``. Its backward first gives g back
the dimensions that were summed away, with length 1, so that it broadcasts against x: ``restore``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import backend
from ..autograd import Function, Tensor
from ..backend import as_array, namespace
from . import check
from .arithmetic import in_single, to_dtype
from .vocabulary import m

__all__ = ["all", "any", "count_nonzero", "mean", "std", "sum", "var"]

Dim = int | Sequence[int] | None

quiet = np.errstate(over="ignore", invalid="ignore")  # where NumPy warns from lines of its own


def restore(g: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    """g with the reduced dimensions back in place, of length 1."""
    return g.reshape(tuple(1 if i in axes else length for i, length in enumerate(shape)))


def count(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    """How many elements each element of the result is made of."""
    return math.prod(shape[axis] for axis in axes)


def converted(operation: str, input: Any, dtype: Any) -> Tensor:
    """The input, surely a Tensor, in the dtype that was asked for (None: its own)."""
    x = check.tensor(operation, input)
    return x if dtype is None else to_dtype(x, backend.as_dtype(operation, dtype))


class Sum(Function):
    """y = sum over the axes of x; dL/dx = g, copied along the axes."""

    def __init__(self, axes: tuple[int, ...], keepdim: bool) -> None:
        self.axes, self.keepdim = axes, keepdim

    @quiet
    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        return x.sum(axis=self.axes, keepdims=self.keepdim)

    def backward(self, g: Any) -> Any:
        return m.broadcast_to(restore(g, self.shape, self.axes), self.shape)


class Mean(Function):
    """y = (1/n) sum over the axes of x, n elements each; dL/dx = g / n, copied along the axes."""

    def __init__(self, axes: tuple[int, ...], keepdim: bool) -> None:
        self.axes, self.keepdim = axes, keepdim

    @quiet
    def forward(self, x: Any) -> Any:
        self.shape, self.n = x.shape, count(x.shape, self.axes)
        return x.sum(axis=self.axes, keepdims=self.keepdim) / self.n

    def backward(self, g: Any) -> Any:
        return m.broadcast_to(restore(g / self.n, self.shape, self.axes), self.shape)


class Var(Function):
    """y = 1/(n - c) sum_i (x_i - mean)^2 over the axes, c the correction; dL/dx_i = g 2 (x_i - mean) / (n - c).

    The mean depends on x as well, but its share is -2/(n - c) sum_i (x_i - mean) dmean/dx_j, and that sum is 0.
    """

    def __init__(self, axes: tuple[int, ...], keepdim: bool, correction: float) -> None:
        self.axes, self.keepdim, self.correction = axes, keepdim, correction

    @quiet
    def forward(self, x: Any) -> Any:
        self.n = count(x.shape, self.axes)
        self.degrees = max(self.n - self.correction, 0)
        self.saved = (x,)
        d = self.centred(x)
        d *= d
        return d.sum(axis=self.axes, keepdims=self.keepdim) / self.degrees

    def centred(self, x: Any) -> Any:
        return x - restore(x.sum(self.axes) / self.n, x.shape, self.axes)

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        return restore(g * 2 / self.degrees, x.shape, self.axes) * self.centred(x)


class Std(Var):
    """y = sqrt(var x); dL/dx_i = g (x_i - mean) / ((n - c) y), by dy = dvar / (2 y) and the gradient of the variance.

    Where y = 0 all x_i are equal and no derivative exists; there it is 0.
    """

    saves_output = True

    def forward(self, x: Any) -> Any:
        y = as_array(namespace(x).sqrt(super().forward(x)))
        self.saved = x, y
        return y

    def backward(self, g: Any) -> Any:
        x, y = self.saved
        return restore(g / ((y + (y == 0)) * self.degrees), x.shape, self.axes) * self.centred(x)


def sum(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum over ``dim`` (all dimensions unless given). Integers and booleans are summed as int64."""
    x = converted("sum", input, dtype)
    if dtype is None and x.dtype.kind != "f":
        x = to_dtype(x, backend.int64)
    return Sum(check.dimensions("sum", dim, x.ndim), keepdim).apply(x)


def mean(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean over ``dim`` (all dimensions unless given); the mean of no elements is NaN."""
    x = check.floating("mean", converted("mean", input, dtype))
    return in_single(Mean(check.dimensions("mean", dim, x.ndim), keepdim), x)


def var(
    input: Tensor,
    dim: Dim | bool = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """The variance over ``dim`` (all dimensions unless given): sum (x_i - mean)^2 / (n - correction).

    Args:
        dim: dimensions; a bool in this place is taken for ``unbiased``, as in ``x.var(False)``.
        unbiased: the older way to say correction 1 (True) or 0 (False).
        correction: 1 unless given, which makes the result an unbiased estimate. NaN or infinite where it leaves no
            degree of freedom.
    """
    return spread("var", Var, input, dim, unbiased, keepdim, correction)


def std(
    input: Tensor,
    dim: Dim | bool = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """The standard deviation over ``dim``: the square root of ``var`` with the same arguments.

    Where all elements are equal it is 0, and so is its gradient.
    """
    return spread("std", Std, input, dim, unbiased, keepdim, correction)


def spread(
    operation: str,
    function: type[Var],
    input: Tensor,
    dim: Dim | bool,
    unbiased: bool | None,
    keepdim: bool,
    correction: float | None,
) -> Tensor:
    x = check.floating(operation, input)
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise TypeError(f"{operation}: unbiased and correction say the same thing; give only one of them")
    if correction is None:
        correction = 0 if unbiased is False else 1
    return in_single(function(check.dimensions(operation, dim, x.ndim), keepdim, correction), x)


def any(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether at least one element is not 0, over ``dim``; False for no elements. NaN is not 0."""
    return truth("any", input, dim, keepdim)


def all(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether no element is 0, over ``dim``; True for no elements. NaN is not 0."""
    return truth("all", input, dim, keepdim)


def truth(operation: str, input: Tensor, dim: Dim, keepdim: bool) -> Tensor:
    """The result is bool, but uint8 for uint8, which served as bool before there was one."""
    x = check.tensor(operation, input).array
    result = getattr(x, operation)(axis=check.dimensions(operation, dim, x.ndim), keepdims=keepdim)
    return Tensor(as_array(result).astype(x.dtype if x.dtype == backend.uint8 else bool, copy=False))


def count_nonzero(input: Tensor, dim: Dim = None) -> Tensor:
    """How many elements are not 0, over ``dim`` (all dimensions unless given). NaN is not 0."""
    x = check.tensor("count_nonzero", input).array
    return Tensor(as_array((x != 0).sum(axis=check.dimensions("count_nonzero", dim, x.ndim), dtype=backend.int64)))
