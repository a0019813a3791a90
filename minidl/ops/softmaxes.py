"""Softmax and its relatives: scores to probabilities, to log-probabilities, and the smooth maximum log-sum-exp.

All three subtract the largest score first. That changes nothing in the formulas and keeps exp from overflowing: the
largest exponent is then 0.
"""

from __future__ import annotations

from typing import Any

from ..autograd import Function, Tensor
from ..backend import as_array, get_default_dtype, namespace
from . import check
from .arithmetic import to_dtype
from .reduction import Dim, converted, restore
from .vocabulary import m

__all__ = ["log_softmax", "logsumexp", "softmax"]


def below_peak(x: Any, axis: int) -> Any:
    """x - max(x) along the axis, in a new array."""
    return x - x.max(axis=axis, keepdims=True) if x.size else x.copy()


def dot(x: Any, y: Any, axis: int) -> Any:
    """sum_k x_k y_k along the axis, which stays with length 1: products of rows and columns, none of them stored."""
    rows, columns = x.swapaxes(axis, -1)[..., None, :], y.swapaxes(axis, -1)[..., None]
    return (rows @ columns)[..., 0].swapaxes(axis, -1)


class Softmax(Function):
    """p_i = exp(x_i) / sum_k exp(x_k) along one axis; dL/dx_i = p_i (g_i - sum_k g_k p_k).

    dp_k/dx_i = p_k ([k = i] - p_i), and so dL/dx_i = sum_k g_k p_k ([k = i] - p_i).
    """

    saves_output = True

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        p = below_peak(x, self.axis)
        namespace(x).exp(p, out=p)
        p /= p.sum(axis=self.axis, keepdims=True)
        self.saved = (p,)
        return p

    def backward(self, g: Any) -> Any:
        (p,) = self.saved
        return p * (g - dot(g, p, self.axis))


class LogSoftmax(Function):
    """y_i = x_i - log sum_k exp(x_k) along one axis; dL/dx_i = g_i - exp(y_i) sum_k g_k.

    dy_k/dx_i = [k = i] - p_i with p = softmax(x) = exp(y), and so dL/dx_i = sum_k g_k ([k = i] - p_i).
    """

    saves_output = True

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        xp = namespace(x)
        y = below_peak(x, self.axis)
        y -= xp.log(xp.exp(y).sum(axis=self.axis, keepdims=True))
        self.saved = (y,)
        return y

    def backward(self, g: Any) -> Any:
        (y,) = self.saved
        return g - m.exp(y) * restore(g.sum(self.axis), y.shape, (self.axis,))


class LogSumExp(Function):
    """y = log sum_i exp(x_i) over the axes; dL/dx_i = g exp(x_i - y), the softmax of x times g."""

    saves_output = True

    def __init__(self, axes: tuple[int, ...], keepdim: bool) -> None:
        self.axes, self.keepdim = axes, keepdim

    def forward(self, x: Any) -> Any:
        xp = namespace(x)
        peak = x.max(axis=self.axes, keepdims=True) if x.size else x.sum(axis=self.axes, keepdims=True)
        peak = xp.where(xp.isfinite(peak), peak, xp.zeros_like(peak))  # inf - inf would be NaN
        e = as_array(x - peak)
        xp.exp(e, out=e)
        y = xp.log(e.sum(axis=self.axes, keepdims=True)) + peak
        y = as_array(y if self.keepdim else y.squeeze(self.axes))
        self.saved = x, y
        return y

    def backward(self, g: Any) -> Any:
        x, y = self.saved
        return restore(g, x.shape, self.axes) * m.exp(x - restore(y, x.shape, self.axes))


def softmax(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """exp(x_i) / sum_k exp(x_k) along ``dim``: positive numbers that sum to 1 (D3-4-h).

    A row of nothing but -inf has no softmax: it gives NaN.

    Args:
        dtype: cast the input to this dtype first.
    """
    return along("softmax", Softmax, input, dim, dtype)


def log_softmax(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The logarithm of ``softmax(input, dim)``, exact also where the softmax itself would round to 0.

    Args:
        dtype: cast the input to this dtype first.
    """
    return along("log_softmax", LogSoftmax, input, dim, dtype)


def logsumexp(input: Tensor, dim: Dim, keepdim: bool = False) -> Tensor:
    """log sum_i exp(x_i) over ``dim``, without overflow; -inf where all elements are -inf or there are none."""
    x = check.tensor("logsumexp", input)
    if x.dtype.kind != "f":
        x = to_dtype(x, get_default_dtype())
    return LogSumExp(check.dimensions("logsumexp", dim, x.ndim), keepdim).apply(x)


def along(operation: str, function: Any, input: Tensor, dim: int, dtype: Any) -> Tensor:
    """The Function along one dimension; a tensor without dimensions counts as one with a single one."""
    x = check.floating(operation, converted(operation, input, dtype))
    axis = check.dimension(operation, dim, x.ndim)
    return function(axis).apply(x) if x.ndim else function(0).apply(x.reshape(1)).reshape(())
