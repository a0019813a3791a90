"""Elements picked and placed along one dimension by an index tensor: gather, scatter, and sums at indexed places.

With an index n, ``gather`` reads x_i (n_ijk) k for dim = 1, and ``scatter`` writes to the same places. Reading and
adding are each other's gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Function, Tensor
from ..backend import namespace
from . import check
from .arithmetic import as_choice, as_operand, mul
from .indexing import Pick, Slice, add_at, in_range, integers
from .shape import reshape
from .vocabulary import m

__all__ = ["gather", "index_add", "one_hot", "scatter", "scatter_add"]

Number = bool | int | float


class Scatter(Function):
    """y = x, but y[index] = s (a Tensor or a number).

    dL/dx = g with zeros at the index, dL/ds = g[index]. Where the index names an element several times, one of the
    values wins, and dL/ds gives each of them the full gradient, as in PyTorch: it is right for different places only.
    """

    def __init__(self, index: tuple) -> None:
        self.index = index

    def forward(self, x: Any, s: Any, *sources: Any) -> Any:
        self.saved = sources
        y = x.copy()
        y[self.index] = s
        return y

    def backward(self, g: Any) -> Any:
        return (
            m.apply(Scatter(self.index), g, 0, *self.saved) if self.needs_grad(0) else None,
            m.apply(Pick(self.index), g, *self.saved) if self.needs_grad(1) else None,
            *(None for _ in self.saved),
        )


class AddInto(Function):
    """y = x, then y[index] += s, where every naming of an element counts; dL/dx = g, dL/ds = g[index]."""

    def __init__(self, index: tuple) -> None:
        self.index = index

    def forward(self, x: Any, s: Any, *sources: Any) -> Any:
        self.saved = sources
        y = x.copy()
        add_at(y, self.index, s)
        return y

    def backward(self, g: Any) -> Any:
        picked = m.apply(Pick(self.index), g, *self.saved) if self.needs_grad(1) else None
        return g, picked, *(None for _ in self.saved)


# --- operations --------------------------------------------------------------------------------------------------


def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """y_ijk = x_(n_ijk) jk for dim = 0, x_i (n_ijk) k for dim = 1, and so on; y has the shape of the index n.

    Args:
        index: integers from 0 to input.shape[dim] - 1; in every other dimension at most as long as the input.
    """
    x, places = with_places("gather", input, dim, index)
    return reshape(Pick(places).apply(x, index), index.shape)


def scatter(
    input: Tensor, dim: int, index: Tensor, src: Tensor | Number | None = None, *, value: Number | None = None
) -> Tensor:
    """A copy of the input with ``src``, a tensor or a number, written to the places that ``gather`` would read.

    Args:
        index: as for ``gather``.
        src: at least as long as the index in every dimension; what lies beyond is not used.
        value: a number in place of ``src``.
    """
    x, places = with_places("scatter", input, dim, index)
    if (src is None) == (value is None):
        raise TypeError("scatter: either src or value is needed")
    given = src if value is None else value
    if isinstance(given, Tensor):
        given = fitting("scatter", x, index, given)
    else:
        given = as_operand("scatter", as_choice("scatter", given, "src"), x.dtype, x.array)
    return reshape(Scatter(places).apply(x, given, index), input.shape)


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """A copy of the input with ``src`` added at the places that ``gather`` would read, as often as they are named."""
    x, places = with_places("scatter_add", input, dim, index)
    source = fitting("scatter_add", x, index, check.tensor("scatter_add", src, "src"))
    return reshape(AddInto(places).apply(x, source, index), input.shape)


def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Number = 1) -> Tensor:
    """y = input, then y[.., n_i, ..] += alpha source[.., i, ..] for every i; the index n has one dimension."""
    x = check.tensor("index_add", input)
    s = check.tensor("index_add", source, "source")
    axis = check.dimension("index_add", dim, x.ndim)
    numbers = integers("index_add", index)
    if not x.ndim or numbers.ndim != 1:
        raise ValueError(
            f"index_add: an input with dimensions and an index with one are needed, not {x.shape} and {numbers.shape}"
        )
    expected = x.shape[:axis] + numbers.shape + x.shape[axis + 1 :]
    if s.shape != expected:
        raise ValueError(
            f"index_add: source has shape {s.shape} but input {x.shape} and index {numbers.shape} expect {expected}"
        )
    check_dtype("index_add", x, s, "source")
    chosen = in_range("index_add", numbers.array, axis, x.shape, from_end=False)
    return AddInto((slice(None),) * axis + (chosen,)).apply(x, s if alpha == 1 else mul(s, alpha), numbers)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """y_..k = 1 where k equals the element, else 0: int64, with one further dimension of length ``num_classes``.

    ``num_classes`` is the largest element plus one unless given.
    """
    numbers = integers("one_hot", tensor, "tensor").array
    classes = check.integer("one_hot", num_classes, "num_classes")
    if not numbers.size and classes < 1:
        raise ValueError("one_hot: num_classes must be given for a tensor without elements")
    if classes < 1 and classes != -1:
        raise ValueError(f"one_hot: num_classes must be positive, or -1 to find it out, not {classes}")
    classes = int(numbers.max()) + 1 if classes == -1 else classes
    if numbers.size and not 0 <= int(numbers.min()) <= int(numbers.max()) < classes:
        raise ValueError(
            f"one_hot: elements must lie from 0 to {classes - 1}, but they range from {int(numbers.min())} to "
            f"{int(numbers.max())}"
        )
    check.countable("one_hot", (*numbers.shape, classes))
    xp = namespace(numbers)
    return Tensor((numbers.reshape(*numbers.shape, 1) == xp.arange(classes)).astype(np.int64))


# --- checks ------------------------------------------------------------------------------------------------------


def with_places(operation: str, input: Tensor, dim: int, index: Tensor) -> tuple[Tensor, tuple]:
    """The input with at least one dimension, and the places that the index names in it, one array a dimension.

    Along ``dim`` the array is the index itself; along the others it counts 0, 1, 2, ... in that direction.
    """
    x = check.tensor(operation, input)
    numbers = integers(operation, index).array
    axis = check.dimension(operation, dim, x.ndim)
    if not numbers.size:  # it names no place, whatever its shape
        return reshape(x, -1), (numbers.reshape(-1),)
    x = x if x.ndim else reshape(x, 1)
    numbers = numbers if numbers.ndim else numbers.reshape(1)
    if numbers.ndim != x.ndim or any(i != axis and length > x.shape[i] for i, length in enumerate(numbers.shape)):
        raise ValueError(
            f"{operation}: index {index.shape} must have as many dimensions as input {input.shape} and be no longer in "
            f"any but dimension {axis}"
        )
    xp = namespace(numbers)
    places = [xp.arange(n).reshape((-1,) + (1,) * (x.ndim - 1 - i)) for i, n in enumerate(numbers.shape)]
    places[axis] = in_range(operation, numbers, axis, x.shape, from_end=False)
    return x, tuple(places)


def fitting(operation: str, x: Tensor, index: Tensor, src: Tensor) -> Tensor:
    """The part of ``src`` that the index covers."""
    check_dtype(operation, x, src, "src")
    if src.ndim != index.ndim or any(n > have for n, have in zip(index.shape, src.shape, strict=True)):
        raise ValueError(f"{operation}: src {src.shape} is smaller than index {index.shape}")
    if src.shape != index.shape:
        src = Slice((*map(slice, index.shape), ...)).apply(src)
    return src if src.ndim and index.array.size else reshape(src, -1)


def check_dtype(operation: str, x: Tensor, src: Tensor, name: str) -> None:
    if x.dtype != src.dtype:
        raise TypeError(f"{operation}: {name} is {src.dtype} but input is {x.dtype}")
