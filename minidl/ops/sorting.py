"""Order: sort, argsort, topk, and the pair of Functions that move values to and from chosen places.

Which places are chosen is not differentiable; the values that come from them are. So an operation here first computes
integer indices, outside the graph, and then applies ``TakeAlong``. NaN counts as larger than every number.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..autograd import Function, Tensor
from ..backend import namespace
from . import check
from .vocabulary import m

__all__ = ["argsort", "sort", "topk"]


class Chosen(NamedTuple):
    """Values of a tensor and the places along one dimension where they stood."""

    values: Tensor
    indices: Tensor


class TakeAlong(Function):
    """y_k = x_i(k) along one axis, every i(k) at most once; dL/dx_i(k) = g_k, and 0 where nothing was taken."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x: Any, indices: Any) -> Any:
        self.length = x.shape[self.axis]
        self.saved = (indices,)
        return namespace(x).take_along_axis(x, indices, self.axis)

    def backward(self, g: Any) -> Any:
        (indices,) = self.saved
        return m.apply(PutAlong(self.axis, self.length), g, indices), None


class PutAlong(Function):
    """y_i(k) = x_k along one axis of ``length``, and 0 elsewhere, every i(k) at most once; dL/dx_k = g_i(k)."""

    def __init__(self, axis: int, length: int) -> None:
        self.axis, self.length = axis, length

    def forward(self, x: Any, indices: Any) -> Any:
        xp = namespace(x)
        self.saved = (indices,)
        shape = list(x.shape)
        shape[self.axis] = self.length
        y = xp.zeros(shape, x.dtype)
        places = [xp.arange(n).reshape([-1 if j == i else 1 for j in range(x.ndim)]) for i, n in enumerate(x.shape)]
        places[self.axis] = indices
        y[tuple(places)] = x
        return y

    def backward(self, g: Any) -> Any:
        (indices,) = self.saved
        return m.apply(TakeAlong(self.axis), g, indices), None


def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Chosen:
    """The elements along ``dim`` in ascending (or descending) order, and the indices where they stood.

    Equal elements always keep their order, so ``stable`` may be asked for but changes nothing.
    """
    x, axis = with_axis("sort", input, dim)
    return chosen(x, ordered(x.array, axis, descending), axis, input)


def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The indices that sort the tensor along ``dim``: the second result of ``sort``."""
    x, axis = with_axis("argsort", input, dim)
    return Tensor(ordered(x.array, axis, descending).reshape(input.shape))


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Chosen:
    """The k largest (or smallest) elements along ``dim``, the best first, and the indices where they stood.

    Which of equal elements are taken is left open. They come out in order even if ``sorted`` does not ask for it.

    Raises:
        IndexError: if ``dim`` has fewer than k elements.
    """
    x, axis = with_axis("topk", input, dim)
    length = x.shape[axis]
    k = check.integer("topk", k, "k")
    if not input.ndim and k != 1:
        raise IndexError(f"topk: k must be 1 for a tensor without dimensions, not {k}")
    if not 0 <= k <= length:
        raise IndexError(f"topk: k={k} is out of range for dimension {axis} of length {length} (input {input.shape})")
    return chosen(x, best(x.array, k, axis, largest), axis, input)


def chosen(x: Tensor, indices: Any, axis: int, input: Tensor) -> Chosen:
    """The values at the indices; without dimensions again if the input had none."""
    taken = Chosen(TakeAlong(axis).apply(x, found := Tensor(indices)), found)
    return taken if input.ndim else Chosen(taken.values.reshape(()), taken.indices.reshape(()))


def ordered(x: Any, axis: int, descending: bool) -> Any:
    """The indices of x in order along the axis, equal elements as they stood."""
    xp = namespace(x)
    if not descending:
        return xp.argsort(x, axis=axis, kind="stable")
    # Turned round before and after, so that what is equal is turned round twice and keeps its order.
    backwards = xp.argsort(xp.flip(x, axis), axis=axis, kind="stable")
    return x.shape[axis] - 1 - xp.flip(backwards, axis)


def best(x: Any, k: int, axis: int, largest: bool) -> Any:
    """The indices of the k largest or smallest elements, in order; only these k are sorted."""
    xp = namespace(x)
    length = x.shape[axis]
    if 0 < k < length:
        parted = xp.argpartition(x, length - k if largest else k - 1, axis=axis)
        first = slice(length - k, None) if largest else slice(k)
        indices = parted[(slice(None),) * axis + (first,)]
        among = ordered(xp.take_along_axis(x, indices, axis), axis, largest)
        return xp.take_along_axis(indices, among, axis)
    return ordered(x, axis, largest)[(slice(None),) * axis + (slice(k),)]


def with_axis(operation: str, input: Any, dim: Any) -> tuple[Tensor, int]:
    """The tensor, with one dimension if it had none, and ``dim`` counted from the front."""
    x = check.tensor(operation, input)
    axis = check.dimension(operation, dim, x.ndim)
    return (x if x.ndim else x.reshape(1)), axis
