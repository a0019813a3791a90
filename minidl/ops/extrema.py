"""Extrema: the largest and the smallest elements, and where they stand. NaN counts as both, so that it is not lost."""

from __future__ import annotations

from typing import Any

from ..autograd import Function, Tensor
from ..backend import as_array, namespace
from . import check
from .arithmetic import Cast
from .reduction import Dim, restore
from .sorting import Chosen, chosen, with_axis
from .vocabulary import m

__all__ = ["amax", "amin", "argmax", "argmin", "max", "min"]


class Amax(Function):
    """y = max x over the axes; dL/dx_i = g / n where x_i = y, else 0, with n the number of such elements.

    Where several elements are the largest, max has no derivative; g / n for each is the mean of the one-sided ones.
    """

    saves_output = True
    extremum = "max"

    def __init__(self, axes: tuple[int, ...], keepdim: bool) -> None:
        self.axes, self.keepdim = axes, keepdim

    def forward(self, x: Any) -> Any:
        y = as_array(getattr(x, self.extremum)(axis=self.axes, keepdims=self.keepdim))
        self.saved = x, y
        return y

    def backward(self, g: Any) -> Any:
        x, y = self.saved
        attained = self.attained(x, restore(y, x.shape, self.axes))
        n = m.apply(Cast(g.dtype), attained.sum(self.axes))
        return attained * (restore(g, x.shape, self.axes) / restore(n, x.shape, self.axes))

    def attained(self, x: Any, y: Any) -> Any:
        return x == y


class Amin(Amax):
    """y = min x over the axes; dL/dx_i = g / n where x_i = y, else 0, with n the number of such elements."""

    extremum = "min"


class Max(Amax):
    """y = max x over all elements, as ``Amax``; where y is NaN, the elements that are NaN share the gradient."""

    def attained(self, x: Any, y: Any) -> Any:
        return (x == y) | (x != x)


class Min(Max):
    """y = min x over all elements, as ``Amin``; where y is NaN, the elements that are NaN share the gradient."""

    extremum = "min"


def amax(input: Tensor, dim: Dim = (), keepdim: bool = False) -> Tensor:
    """The largest element over ``dim`` (all dimensions unless given); equal ones share the gradient evenly."""
    return extremum("amax", Amax, input, dim, keepdim)


def amin(input: Tensor, dim: Dim = (), keepdim: bool = False) -> Tensor:
    """The smallest element over ``dim`` (all dimensions unless given); equal ones share the gradient evenly."""
    return extremum("amin", Amin, input, dim, keepdim)


def max(input: Tensor, dim: int | Tensor | None = None, keepdim: bool = False) -> Tensor | Chosen:
    """The largest element: of all, or along one dimension; or, given a second tensor, ``maximum(input, other)``.

    Returns:
        Without ``dim`` the largest element; its gradient is shared evenly by all that are equal to it.
        With ``dim`` a pair (values, indices): the largest element along it and where it first stands; the gradient
        goes to that one alone.

    Raises:
        RuntimeError: if the tensor has no elements (an IndexError if ``dim`` has none).
    """
    if isinstance(dim, Tensor):
        return check.tensor("max", input).maximum(dim)
    if dim is None:
        return extremum("max", Max, input, None, keepdim)
    return extremum_along("max", input, dim, keepdim)


def min(input: Tensor, dim: int | Tensor | None = None, keepdim: bool = False) -> Tensor | Chosen:
    """The smallest element: of all, or along one dimension; or, given a second tensor, ``minimum(input, other)``.

    Results and errors are those of ``max``.
    """
    if isinstance(dim, Tensor):
        return check.tensor("min", input).minimum(dim)
    if dim is None:
        return extremum("min", Min, input, None, keepdim)
    return extremum_along("min", input, dim, keepdim)


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the largest element first stands: along ``dim``, or in the flattened tensor."""
    return argument("argmax", input, dim, keepdim)


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the smallest element first stands: along ``dim``, or in the flattened tensor."""
    return argument("argmin", input, dim, keepdim)


def extremum(operation: str, function: type[Amax], input: Any, dim: Dim, keepdim: bool) -> Tensor:
    x = check.tensor(operation, input)
    axes = check.dimensions(operation, dim, x.ndim)
    nonempty(operation, x, axes)
    return function(axes, keepdim).apply(x)


def extremum_along(operation: str, input: Any, dim: int, keepdim: bool) -> Chosen:
    x, axis = with_axis(operation, input, dim)
    nonempty(operation, x, (axis,))
    indices = getattr(namespace(x.array), f"arg{operation}")(x.array, axis=axis, keepdims=True)
    values, indices = chosen(x, indices, axis, input)
    if keepdim or not input.ndim:
        return Chosen(values, indices)
    left = input.shape[:axis] + input.shape[axis + 1 :]
    return Chosen(values.reshape(left), indices.reshape(left))


def argument(operation: str, input: Any, dim: int | None, keepdim: bool) -> Tensor:
    x = check.tensor(operation, input)
    if x.dtype.kind == "b":
        raise TypeError(f"{operation}: input must hold numbers, not bool")
    if dim is None:
        nonempty(operation, x, tuple(range(x.ndim)))
        found = as_array(getattr(x.array, operation)())
        return Tensor(found.reshape((1,) * x.ndim) if keepdim else found)
    x, axis = with_axis(operation, x, dim)
    nonempty(operation, x, (axis,))
    found = as_array(getattr(x.array, operation)(axis=axis))
    shape = list(input.shape)
    shape[axis : axis + 1] = [1] if keepdim else []
    return Tensor(found.reshape(shape if input.ndim else ()))


def nonempty(operation: str, x: Tensor, axes: tuple[int, ...]) -> None:
    """No elements have no largest one."""
    if len(axes) == x.ndim and not x.array.size:
        raise RuntimeError(f"{operation}: input has no elements (shape {x.shape})")
    for axis in axes:
        if not x.shape[axis]:
            raise IndexError(f"{operation}: dimension {axis} of the input has length 0 (shape {x.shape})")
