"""Operations that move elements without computing: reshape, transpose, permute, expand, flip and their relatives.

Most are views where the memory layout allows it, as in PyTorch: the result shares the input's memory and its count of
changes in place. Their gradient is the same move backwards; where an element was copied several times, the sum of the
gradients of its copies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import Function, Tensor
from ..backend import namespace
from ..walk import unbroadcast
from . import check
from .vocabulary import m

__all__ = [
    "broadcast_to",
    "clone",
    "flatten",
    "flip",
    "meshgrid",
    "movedim",
    "permute",
    "ravel",
    "reshape",
    "roll",
    "squeeze",
    "swapaxes",
    "t",
    "tile",
    "transpose",
    "unflatten",
    "unsqueeze",
]


# --- the moves ---------------------------------------------------------------------------------------------------


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


class Tile(Function):
    """y = x laid side by side ``counts[i]`` times along dimension i; dL/dx = the sum of g over these copies."""

    def __init__(self, counts: tuple[int, ...]) -> None:
        self.counts = counts

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        return namespace(x).tile(x, self.counts)

    def backward(self, g: Any) -> Any:
        if not self.counts:
            return g
        lengths = (1,) * (len(self.counts) - len(self.shape)) + self.shape
        pairs = tuple(n for pair in zip(self.counts, lengths, strict=True) for n in pair)  # (copy, place) a dimension
        return g.reshape(pairs).sum(tuple(range(0, len(pairs), 2))).reshape(self.shape)


class Flip(Function):
    """y_i = x_(n - 1 - i) along each of ``dims``, a copy; dL/dx = g flipped the same way."""

    def __init__(self, dims: tuple[int, ...]) -> None:
        self.dims = dims

    def forward(self, x: Any) -> Any:
        return namespace(x).flip(x, self.dims).copy()

    def backward(self, g: Any) -> Any:
        return m.apply(Flip(self.dims), g)


class Roll(Function):
    """y_((i + s) mod n) = x_i along each dimension, or over all elements if dims is None; dL/dx = g rolled back."""

    def __init__(self, shifts: tuple[int, ...], dims: tuple[int, ...] | None) -> None:
        self.shifts, self.dims = shifts, dims

    def forward(self, x: Any) -> Any:
        return namespace(x).roll(x, self.shifts if self.dims is not None else self.shifts[0], self.dims)

    def backward(self, g: Any) -> Any:
        return m.apply(Roll(tuple(-shift for shift in self.shifts), self.dims), g)


class Unfold(Function):
    """y[.., i, .., k] = x[.., i step + k, ..]: windows of ``size`` elements, k in a new last dimension; a view.

    dL/dx_j = sum over the windows i and places k with i step + k = j of g[.., i, .., k].
    """

    is_view = True

    def __init__(self, dim: int, size: int, step: int) -> None:
        self.dim, self.size, self.step = dim, size, step

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        windows = namespace(x).lib.stride_tricks.sliding_window_view(x, self.size, self.dim)
        return windows[(slice(None),) * self.dim + (slice(None, None, self.step),)]

    def backward(self, g: Any) -> Any:
        return m.apply(Fold(self.dim, self.size, self.step, self.shape), g)


class Fold(Function):
    """y_j = sum over i step + k = j of x[.., i, .., k]: the windows of ``Unfold`` added up; dL/dx = g unfolded.

    For a fixed k no two windows meet, so that each k is one addition to a slice.
    """

    def __init__(self, dim: int, size: int, step: int, shape: tuple[int, ...]) -> None:
        self.dim, self.size, self.step, self.shape = dim, size, step, shape

    def forward(self, x: Any) -> Any:
        y = namespace(x).zeros(self.shape, x.dtype)
        before, reach = (slice(None),) * self.dim, self.step * x.shape[self.dim]
        for k in range(self.size):
            y[(*before, slice(k, k + reach, self.step))] += x[..., k]
        return y

    def backward(self, g: Any) -> Any:
        return m.apply(Unfold(self.dim, self.size, self.step), g)


class Clone(Function):
    """y = x in new memory, its elements in the order of their indices; dL/dx = g."""

    def forward(self, x: Any) -> Any:
        return x.copy()

    def backward(self, g: Any) -> Any:
        return g


# --- other shapes ------------------------------------------------------------------------------------------------


def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The same elements, in the same order, in another shape; one length may be -1 (whatever is left).

    Shares memory with the input where its layout allows, otherwise copies.
    """
    x = check.tensor("reshape", input)
    return Reshape(filling("reshape", x.shape, check.shape_from("reshape", shape))).apply(x)


def view(input: Tensor, *shape: Any) -> Tensor:
    """As ``reshape``, but certain to share the input's memory, with one exception.

    Images whose channels lie last in memory, as they come out of a convolution here, are copied if need be. In PyTorch
    they lie as their shape says, and scripts written for it call ``view`` to flatten them.

    Raises:
        RuntimeError: if the layout does not allow it.
    """
    to = filling("view", input.shape, check.shape_from("view", shape))
    array = input.array
    channels_last = array.ndim == 4 and array.transpose(0, 2, 3, 1).flags.c_contiguous
    if (
        not (array.flags.c_contiguous or channels_last)
        and array.size
        and not namespace(array).may_share_memory(array, array.reshape(to))
    ):
        raise RuntimeError(
            f"view: the elements of shape {input.shape} do not lie in memory in the order that a view of shape {to} "
            f"needs; use reshape, which copies"
        )
    return Reshape(to).apply(input)


def filling(operation: str, shape: tuple[int, ...], to: tuple[int, ...]) -> tuple[int, ...]:
    """The shape ``to``, with its -1 worked out, checked to have as many elements as ``shape``."""
    size, known = math.prod(shape), math.prod(length for length in to if length != -1)
    if to.count(-1) == 1 and known and size % known == 0:
        to = tuple(size // known if length == -1 else length for length in to)
    if any(length < 0 for length in to) or math.prod(to) != size:
        raise ValueError(f"{operation}: {shape} has {size} elements, which do not fill the shape {to}")
    return to


def view_as(input: Tensor, other: Tensor) -> Tensor:
    """``view`` in the shape of ``other``."""
    return view(input, check.tensor("view_as", other, "other").shape)


def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """``reshape`` to the shape of ``other``."""
    return reshape(input, check.tensor("reshape_as", other, "other").shape)


def ravel(input: Tensor) -> Tensor:
    """All elements in one dimension, a view where the layout allows it."""
    return reshape(check.tensor("ravel", input), -1)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dimensions from ``start_dim`` to ``end_dim``, both included, become one."""
    x = check.tensor("flatten", input)
    first = check.dimension("flatten", start_dim, x.ndim, "start_dim")
    last = check.dimension("flatten", end_dim, x.ndim, "end_dim")
    if first > last:
        raise ValueError(f"flatten: start_dim {first} comes after end_dim {last} (shape {x.shape})")
    merged = math.prod(x.shape[first : last + 1])
    return Reshape((*x.shape[:first], merged, *x.shape[last + 1 :])).apply(x)


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Dimension ``dim`` becomes several, of the lengths ``sizes`` (one may be -1); a view."""
    x = check.tensor("unflatten", input)
    axis = check.dimension("unflatten", dim, x.ndim)
    to = check.shape_from("unflatten", (sizes,))
    if not x.ndim or not to:
        raise ValueError(f"unflatten: a dimension and at least one size are needed (shape {x.shape}, sizes {to})")
    return Reshape(x.shape[:axis] + filling("unflatten", x.shape[axis : axis + 1], to) + x.shape[axis + 1 :]).apply(x)


def squeeze(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Without its dimensions of length 1, or without those of ``dim`` that have length 1; a view."""
    x = check.tensor("squeeze", input)
    axes = tuple(range(x.ndim)) if dim is None else check.dimensions("squeeze", dim, x.ndim) if dim != () else ()
    return Reshape(tuple(n for i, n in enumerate(x.shape) if n != 1 or i not in axes)).apply(x)


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a new dimension of length 1 at place ``dim`` of the result; a view."""
    x = check.tensor("unsqueeze", input)
    axis = check.dimension("unsqueeze", dim, x.ndim + 1)
    return Reshape((*x.shape[:axis], 1, *x.shape[axis:])).apply(x)


# --- another order -----------------------------------------------------------------------------------------------


def permute(input: Tensor, *dims: Any) -> Tensor:
    """The dimensions in another order: dimension i of the result is dimension dims[i] of the input; a view."""
    x = check.tensor("permute", input)
    order = tuple(check.dimension("permute", d, x.ndim) for d in check.shape_from("permute", dims))
    if sorted(order) != list(range(x.ndim)):
        raise ValueError(f"permute: dims {order} do not name each of the {x.ndim} dimensions once")
    return Permute(order).apply(x)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dimensions exchanged; a view."""
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
    """The transpose of a matrix; a tensor of fewer than two dimensions stays as it is; a view."""
    x = check.tensor("t", input)
    if x.ndim > 2:
        raise ValueError(f"t: at most 2 dimensions, not {x.ndim} (shape {x.shape}); transpose names the dimensions")
    return Permute(tuple(reversed(range(x.ndim)))).apply(x)


def mT(input: Tensor) -> Tensor:
    """The last two dimensions exchanged, as a view: the transpose of each matrix of a stack."""
    if input.ndim == 1:
        raise ValueError(f"mT: a matrix or a stack of them is needed, not shape {input.shape}")
    return transpose(input, -2, -1) if input.ndim else Permute(()).apply(input)


def movedim(input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """Dimension ``source[i]`` moved to place ``destination[i]``; the others keep their order; a view."""
    x = check.tensor("movedim", input)
    places = [(d,) if not isinstance(d, (tuple, list)) else d for d in (source, destination)]
    origins, targets = ([check.dimension("movedim", d, x.ndim) for d in part] for part in places)
    if len(origins) != len(targets) or len(set(origins)) != len(origins) or len(set(targets)) != len(targets):
        raise ValueError(
            f"movedim: source {source} and destination {destination} must name equally many different dimensions"
        )
    if not x.ndim:
        return Permute(()).apply(x)
    order = [d for d in range(x.ndim) if d not in origins]
    for target, origin in sorted(zip(targets, origins, strict=True)):
        order.insert(target, origin)
    return Permute(tuple(order)).apply(x)


def flip(input: Tensor, *dims: Any) -> Tensor:
    """The order of the elements reversed along each of ``dims``; a copy."""
    x = check.tensor("flip", input)
    axes = check.shape_from("flip", dims)
    return Flip(check.dimensions("flip", axes, x.ndim) if axes else ()).apply(x)


def roll(input: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Tensor:
    """The elements moved on by ``shifts`` along ``dims``; those that leave at one end come in at the other.

    Without ``dims``, the tensor is treated as one row of elements.
    """
    x = check.tensor("roll", input)
    steps = check.shape_from("roll", (shifts if isinstance(shifts, (tuple, list)) else (shifts,),))
    if dims is None or dims == ():
        if len(steps) != 1:
            raise ValueError(f"roll: {len(steps)} shifts need as many dims")
        return Roll(steps, None).apply(x)
    axes = tuple(check.dimension("roll", d, x.ndim) for d in (dims if isinstance(dims, (tuple, list)) else (dims,)))
    if not x.ndim:
        raise IndexError("roll: a tensor without dimensions can only be rolled without dims")
    if len(steps) != len(axes):
        raise ValueError(f"roll: {len(steps)} shifts but {len(axes)} dims")
    return Roll(steps, axes).apply(x)


# --- more elements -----------------------------------------------------------------------------------------------


def broadcast_to(input: Tensor, shape: Any) -> Tensor:
    """The tensor repeated, without a copy, along dimensions of length 1 and along new dimensions in front."""
    x = check.tensor("broadcast_to", input)
    return BroadcastTo(widened("broadcast_to", x.shape, check.shape_from("broadcast_to", (shape,)))).apply(x)


def expand(input: Tensor, *sizes: Any) -> Tensor:
    """As ``broadcast_to``; a length of -1 leaves that dimension as it is."""
    return BroadcastTo(widened("expand", input.shape, check.shape_from("expand", sizes))).apply(input)


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """``expand`` to the shape of ``other``."""
    return expand(input, check.tensor("expand_as", other, "other").shape)


def widened(operation: str, shape: tuple[int, ...], to: tuple[int, ...]) -> tuple[int, ...]:
    """The shape ``to``, with the lengths of ``shape`` for its -1, checked to be one that ``shape`` broadcasts to."""
    aligned = (-1,) * (len(to) - len(shape)) + shape
    found = tuple(old if new == -1 else new for old, new in zip(aligned, to, strict=False))
    if len(to) < len(shape) or any(new < 0 or old not in (new, 1, -1) for old, new in zip(aligned, found, strict=True)):
        raise ValueError(
            f"{operation}: a tensor of shape {shape} does not broadcast to {to} (aligned at the end, lengths must be "
            f"equal or 1)"
        )
    return check.countable(operation, found)


def repeat(input: Tensor, *repeats: Any) -> Tensor:
    """The tensor laid side by side, ``repeats[i]`` times along dimension i; a copy.

    More numbers than dimensions add dimensions in front.
    """
    counts = check.shape_from("repeat", repeats)
    if len(counts) < input.ndim:
        raise ValueError(f"repeat: {len(counts)} repeats for the {input.ndim} dimensions of shape {input.shape}")
    return Tile(copies("repeat", counts, input.shape)).apply(input)


def tile(input: Tensor, *dims: Any) -> Tensor:
    """As ``Tensor.repeat``, but missing numbers count as 1, in front."""
    x = check.tensor("tile", input)
    counts = check.shape_from("tile", dims)
    return Tile(copies("tile", (1,) * (x.ndim - len(counts)) + counts, x.shape)).apply(x)


def copies(operation: str, counts: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The counts, one for each dimension of the result, if so many copies of that shape are possible."""
    if min(counts, default=0) < 0:
        raise ValueError(f"{operation}: a tensor cannot be repeated a negative number of times: {counts}")
    lengths = (1,) * (len(counts) - len(shape)) + shape
    check.countable(operation, tuple(n * length for n, length in zip(counts, lengths, strict=True)))
    return counts


def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """All windows of ``size`` elements along ``dimension``, ``step`` apart, in a new last dimension; a view.

    The length n of the dimension becomes the number of windows, floor((n - size) / step) + 1.
    """
    axis = check.dimension("unfold", dimension, input.ndim, "dimension")
    width, stride = check.integer("unfold", size, "size"), check.integer("unfold", step, "step")
    x = input if input.ndim else reshape(input, 1)
    if not 0 <= width <= x.shape[axis]:
        raise ValueError(f"unfold: size {width} does not fit into dimension {axis} of shape {input.shape}")
    if stride < 1:
        raise ValueError(f"unfold: step must be positive, not {stride}")
    y = Unfold(axis, width, stride).apply(x)
    return y if input.ndim else reshape(y, width)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Coordinates of all points of a grid: result k holds x_k repeated along the dimensions of the others; views.

    Args:
        tensors: tensors of at most one dimension, separately or in one list.
        indexing: "ij" (the first tensor runs down, along dimension 0) or "xy" (it runs across, along dimension 1).
    """
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
    xs = [check.tensor("meshgrid", x, f"tensor {i}") for i, x in enumerate(given)]
    if not xs:
        raise ValueError("meshgrid: at least one tensor is needed")
    for i, x in enumerate(xs):
        if x.ndim > 1:
            raise ValueError(f"meshgrid: tensor {i} must have at most 1 dimension, not shape {x.shape}")
        if x.dtype != xs[0].dtype:
            raise TypeError(f"meshgrid: tensor {i} is {x.dtype}, but tensor 0 is {xs[0].dtype}")
    if indexing not in ("ij", "xy"):
        raise ValueError(f"meshgrid: indexing must be 'ij' or 'xy', not {indexing!r}")
    lengths = tuple(int(x.array.size) for x in xs)
    grids = tuple(expand(reshape(x, (1,) * i + (-1,) + (1,) * (len(xs) - 1 - i)), lengths) for i, x in enumerate(xs))
    swap = indexing == "xy" and len(xs) > 1
    return tuple(transpose(grid, 0, 1) for grid in grids) if swap else grids


# --- other memory ------------------------------------------------------------------------------------------------


def clone(input: Tensor) -> Tensor:
    """A copy that gradients flow through: dL/dinput = dL/dclone."""
    return Clone().apply(check.tensor("clone", input))


def contiguous(input: Tensor) -> Tensor:
    """The tensor itself if its elements lie in memory in the order of their indices, otherwise a copy in that order."""
    return input if input.array.flags.c_contiguous else Clone().apply(input)
