"""Norms: the length of vectors, vectors of length 1, and the cosine of the angle between two."""

from __future__ import annotations

import math
from typing import Any

from ..autograd import Function, Tensor
from ..backend import as_array, namespace
from . import check
from .arithmetic import in_single
from .extrema import nonempty
from .reduction import Dim, converted, restore
from .vocabulary import m

__all__ = ["cosine_similarity", "norm", "normalize"]


class Norm(Function):
    """y = sqrt(sum_i x_i^2) over the axes; dL/dx_i = g x_i / y, and 0 where y = 0, where no derivative exists."""

    saves_output = True

    def __init__(self, axes: tuple[int, ...], keepdim: bool) -> None:
        self.axes, self.keepdim = axes, keepdim

    def forward(self, x: Any) -> Any:
        y = as_array(namespace(x).sqrt((x * x).sum(axis=self.axes, keepdims=self.keepdim)))
        self.saved = x, y
        return y

    def backward(self, g: Any) -> Any:
        x, y = self.saved
        return x * restore(g / (y + (y == 0)), x.shape, self.axes)  # where y is 0 it is 0 / 1


class PNorm(Function):
    """y = (sum_i |x_i|^p)^(1/p) over the axes; dL/dx_i = g sign(x_i) (|x_i| / y)^(p - 1), 0 for x_i = 0.

    dy/dx_i = (1/p) (sum_k |x_k|^p)^(1/p - 1) p |x_i|^(p - 1) sign(x_i), and the first power is y^(1 - p).
    """

    saves_output = True

    def __init__(self, p: float, axes: tuple[int, ...], keepdim: bool) -> None:
        self.p, self.axes, self.keepdim = p, axes, keepdim

    def forward(self, x: Any) -> Any:
        y = as_array((abs(x) ** self.p).sum(axis=self.axes, keepdims=self.keepdim) ** (1 / self.p))
        self.saved = x, y
        return y

    def backward(self, g: Any) -> Any:
        x, y = self.saved
        # Zeros become ones before they are divided by or raised to a negative power; the factors sign(x) and y != 0
        # make the gradient 0 there.
        ratio = (m.abs(x) + (x == 0)) / restore(y + (y == 0), x.shape, self.axes)
        return m.sign(x) * ratio ** (self.p - 1) * restore(g * (y != 0), x.shape, self.axes)


def norm(
    input: Tensor, p: float | str | None = "fro", dim: Dim = None, keepdim: bool = False, dtype: Any = None
) -> Tensor:
    """The p-norm (sum_i |x_i|^p)^(1/p) over ``dim``, or of all elements; p = 2 unless given.

    Args:
        p: a number, or "fro" (2). inf gives the largest |x_i|, -inf the smallest, 0 the number of elements other
            than 0 (through which no gradient passes).
        dtype: cast the input to this dtype first.

    Raises:
        ValueError: for another name than "fro".
        RuntimeError, IndexError: for p = inf or p < 0, if there are no elements.
    """
    x = check.floating("norm", converted("norm", input, dtype))
    axes = check.dimensions("norm", dim, x.ndim)
    p = 2 if p is None or p == "fro" else p
    if not isinstance(p, (int, float)):
        raise ValueError(f"norm: p must be a number or 'fro', not {p!r}")
    if p < 0 or p == math.inf:
        nonempty("norm", x, axes)
    if p == 2:
        return in_single(Norm(axes, keepdim), x)
    if p == 0:
        return Tensor(as_array((x.array != 0).sum(axis=axes, keepdims=keepdim, dtype=x.dtype)))
    if p == 1:
        return x.abs().sum(axes, keepdim)
    if math.isinf(p):
        return x.abs().amax(axes, keepdim) if p > 0 else x.abs().amin(axes, keepdim)
    return in_single(PNorm(p, axes, keepdim), x)


def normalize(input: Tensor, p: float = 2.0, dim: Dim = 1, eps: float = 1e-12) -> Tensor:
    """x / max(norm of x, eps) along ``dim``: vectors of p-norm 1 (those shorter than eps stay shorter)."""
    x = check.floating("normalize", input)
    axes = check.dimensions("normalize", dim, x.ndim)
    return x / norm(x, p, axes, True).clamp(min=eps)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along ``dim`` of the shapes broadcast together: between -1 and 1."""
    check.floating("cosine_similarity", x1, "x1")
    check.floating("cosine_similarity", x2, "x2")
    shape = check.broadcast_shape("cosine_similarity", x1.shape, x2.shape)
    axis = check.dimension("cosine_similarity", dim, len(shape))
    units = [normalize(x.broadcast_to(shape), 2.0, axis, eps) for x in (x1, x2)]
    return (units[0] * units[1]).sum(axis)
