"""Joining tensors and cutting them apart: cat and split, stack and unbind.

Each undoes its partner and so is its partner's gradient: what was joined is cut apart on the way back. A split is one
node however many pieces it has; a slice for every piece would make one zero-filled gradient of full size for each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..autograd import Function, Tensor
from ..backend import namespace, result_type_of
from . import check
from .arithmetic import to_dtype
from .vocabulary import m

__all__ = ["cat", "chunk", "split", "stack", "unbind"]


class Cat(Function):
    """y = the inputs one after the other along ``dim``; dL/dx_k = the piece of g where x_k lies."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, *xs: Any) -> Any:
        self.lengths = [x.shape[self.dim] for x in xs]
        return namespace(xs[0]).concatenate(xs, axis=self.dim)

    def backward(self, g: Any) -> Any:
        return m.apply(Split(self.lengths, self.dim), g)


class Split(Function):
    """y_k = the k-th piece of x along ``dim``, a view; dL/dx = the g_k one after the other."""

    is_view = True

    def __init__(self, lengths: Sequence[int], dim: int) -> None:
        self.lengths, self.dim = lengths, dim

    def forward(self, x: Any) -> Any:
        pieces, start = [], 0
        for length in self.lengths:
            pieces.append(x[(slice(None),) * self.dim + (slice(start, start + length),)])
            start += length
        return tuple(pieces)

    def backward(self, g: Any) -> Any:
        return m.apply(Cat(self.dim), *g)


class Stack(Function):
    """y[.., k, ..] = x_k, k in a new dimension ``dim``; dL/dx_k = g[.., k, ..]."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, *xs: Any) -> Any:
        return namespace(xs[0]).stack(xs, axis=self.dim)

    def backward(self, g: Any) -> Any:
        return m.apply(Unbind(self.dim), g)


class Unbind(Function):
    """y_k = x[.., k, ..], a view, for every k of dimension ``dim``; dL/dx[.., k, ..] = g_k."""

    is_view = True

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, x: Any) -> Any:
        before = (slice(None),) * self.dim
        return tuple(x[(*before, k, ...)] for k in range(x.shape[self.dim]))

    def backward(self, g: Any) -> Any:
        return m.apply(Stack(self.dim), *g)


# --- operations --------------------------------------------------------------------------------------------------


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors one after the other along ``dim``; all other lengths must agree.

    Different dtypes are promoted. A tensor of shape (0,) fits everywhere, as in PyTorch.

    Raises:
        ValueError: if there is no tensor, or if the shapes do not fit.
    """
    xs = several("cat", tensors)
    full = [x for x in xs if x.shape != (0,)] or xs[:1]
    axis = check.dimension("cat", dim, full[0].ndim)
    try:
        return Cat(axis).apply(*full)
    except (ValueError, IndexError):
        refuse_misfit(xs, axis)
        raise


def refuse_misfit(xs: list[Tensor], axis: int) -> None:
    """Say which tensor does not fit the first one."""
    full = [(i, x) for i, x in enumerate(xs) if x.shape != (0,)]
    number, first = full[0]
    for i, x in full:
        if not x.ndim:
            raise ValueError(f"cat: tensor {i} has no dimensions (stack joins along a new one)") from None
        if (
            x.ndim != first.ndim
            or x.shape[:axis] != first.shape[:axis]
            or x.shape[axis + 1 :] != first.shape[axis + 1 :]
        ):
            raise ValueError(
                f"cat: tensor {i} has shape {x.shape} but tensor {number} has {first.shape}; they may differ in "
                f"dimension {axis} alone"
            ) from None


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape side by side in a new dimension ``dim``. Different dtypes are promoted.

    Raises:
        ValueError: if there is no tensor, or if the shapes differ.
    """
    xs = several("stack", tensors)
    for i, x in enumerate(xs):
        if x.shape != xs[0].shape:
            raise ValueError(f"stack: tensor {i} has shape {x.shape} but tensor 0 has {xs[0].shape}")
    return Stack(check.dimension("stack", dim, xs[0].ndim + 1)).apply(*xs)


def several(operation: str, tensors: Any) -> list[Tensor]:
    """A sequence of at least one Tensor, all in their common dtype."""
    if isinstance(tensors, Tensor) or not isinstance(tensors, Sequence):
        raise TypeError(f"{operation}: tensors must be a list or tuple of Tensors, not {type(tensors).__name__}")
    xs = [check.tensor(operation, x, f"tensor {i}") for i, x in enumerate(tensors)]
    if not xs:
        raise ValueError(f"{operation}: at least one tensor is needed")
    if all(x.dtype == xs[0].dtype for x in xs):
        return xs
    dtype = result_type_of([x.array for x in xs])
    return [to_dtype(x, dtype) for x in xs]


def split(tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Views of consecutive pieces along ``dim``: of one size (the last may be smaller), or of the given sizes."""
    x = check.tensor("split", tensor, "tensor")
    axis = pieces_of("split", x, dim)
    length = x.shape[axis]
    if isinstance(split_size_or_sections, (list, tuple)):
        sizes = list(check.shape_from("split", (split_size_or_sections,)))
        if sum(sizes) != length or any(size < 0 for size in sizes):
            raise ValueError(
                f"split: sections {sizes} do not add up to {length}, the length of dimension {axis} of shape {x.shape}"
            )
    else:
        size = check.integer("split", split_size_or_sections, "split_size_or_sections")
        if size < 0 or (size == 0 and length > 0):
            raise ValueError(f"split: the size of a piece must be positive, not {size}")
        count = max(1, math.ceil(length / size)) if size else 1
        sizes = [size] * (count - 1) + [length - size * (count - 1)]
    return Split(sizes, axis).apply(x)


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of at most ``chunks`` consecutive pieces along ``dim``, of ceil(length / chunks) elements each.

    The last piece may be smaller, and there may be fewer pieces than asked for, as in PyTorch.
    """
    x = check.tensor("chunk", input)
    axis = pieces_of("chunk", x, dim)
    number = check.positive("chunk", chunks, "chunks")
    if not x.shape[axis]:
        return Split([0] * number, axis).apply(x)
    return split(x, math.ceil(x.shape[axis] / number), axis)


def pieces_of(operation: str, x: Tensor, dim: int) -> int:
    """The dimension to cut along; a tensor without dimensions has none."""
    if not x.ndim:
        raise ValueError(f"{operation}: a tensor without dimensions cannot be cut")
    return check.dimension(operation, dim, x.ndim)


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of all slices along ``dim``, which disappears."""
    x = check.tensor("unbind", input)
    return Unbind(pieces_of("unbind", x, dim)).apply(x)
