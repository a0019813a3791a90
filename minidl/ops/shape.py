"""Operations that move elements without computing: reshape, transpose, permute, expand and their relatives.

All of them are views where the memory layout allows it: the result shares the input's memory and its count of
changes in place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Function, Tensor, unbroadcast
from ..backend import namespace
from . import check
from .vocabulary import m

__all__ = ["broadcast_to", "permute", "reshape", "swapaxes", "t", "transpose"]


class Reshape(Function):
    """y holds the elements of x, in the same order, in another shape; dL/dx = g in the shape of x."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.to = shape

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        y = x.reshape(self.to)
        self.is_view = x.flags.c_contiguous or namespace(x).may_share_memory(x, y)
        return y

    def backward(self, g: Any) -> Any:
        return g.reshape(self.shape)


class Permute(Function):
    """y has the dimensions of x in the order ``dims``; dL/dx = g with the order undone."""

    is_view = True

    def __init__(self, dims: tuple[int, ...]) -> None:
        self.dims = dims

    def forward(self, x: Any) -> Any:
        return x.transpose(self.dims)

    def backward(self, g: Any) -> Any:
        inverse = tuple(int(i) for i in np.argsort(self.dims))
        return m.apply(Permute(inverse), g)


class BroadcastTo(Function):
    """y repeats x along dimensions of length 1 (and new ones in front); dL/dx = g summed over them."""

    is_view = True

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.to = shape

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        return namespace(x).broadcast_to(x, self.to)

    def backward(self, g: Any) -> Any:
        return unbroadcast(g, self.shape)


def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The same elements, in the same order, in another shape; one length may be -1 (whatever is left).

    Shares memory with the input where its layout allows, otherwise copies.
    """
    x = check.tensor("reshape", input)
    to = check.shape_from("reshape", shape)
    size = int(x.array.size)
    known = int(np.prod([length for length in to if length != -1]))
    fits = (known == size) if -1 not in to else (to.count(-1) == 1 and known > 0 and size % known == 0)
    if not fits or any(length < -1 for length in to):
        raise ValueError(f"reshape: {x.shape} has {size} elements, which do not fill the shape {to}")
    return Reshape(to).apply(x)


def permute(input: Tensor, *dims: Any) -> Tensor:
    """The dimensions in another order: dimension i of the result is dimension dims[i] of the input."""
    x = check.tensor("permute", input)
    order = tuple(check.dimension("permute", d, x.ndim) for d in check.shape_from("permute", dims))
    if sorted(order) != list(range(x.ndim)):
        raise ValueError(f"permute: dims {order} do not name each of the {x.ndim} dimensions once")
    return Permute(order).apply(x)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dimensions exchanged."""
    x = check.tensor("transpose", input)
    first, second = (check.dimension("transpose", d, x.ndim) for d in (dim0, dim1))
    order = list(range(x.ndim))
    if x.ndim:
        order[first], order[second] = order[second], order[first]
    return Permute(tuple(order)).apply(x)


def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """Two dimensions exchanged; another name of ``transpose``."""
    return transpose(input, axis0, axis1)


def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; a tensor of fewer than two dimensions is returned as it is."""
    x = check.tensor("t", input)
    if x.ndim > 2:
        raise ValueError(f"t: at most 2 dimensions, not {x.ndim} (shape {x.shape}); transpose names the dimensions")
    return x if x.ndim < 2 else transpose(x, 0, 1)


def broadcast_to(input: Tensor, shape: Any) -> Tensor:
    """The tensor repeated, without a copy, along dimensions of length 1 and along new dimensions in front."""
    x = check.tensor("broadcast_to", input)
    to = check.shape_from("broadcast_to", (shape,))
    if len(to) < x.ndim or check.broadcast_shape("broadcast_to", x.shape, to) != to:
        raise ValueError(f"broadcast_to: a tensor of shape {x.shape} does not broadcast to {to}")
    return BroadcastTo(to).apply(x)
