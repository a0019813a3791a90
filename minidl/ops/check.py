"""The checks that operations share: is it a Tensor, which dimension is meant, do the shapes broadcast."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import Tensor

__all__ = [
    "broadcast_shape",
    "countable",
    "dimension",
    "dimensions",
    "floating",
    "integer",
    "not_negative",
    "number",
    "positive",
    "shape_from",
    "tensor",
]


def tensor(operation: str, value: Any, name: str = "input") -> Tensor:
    """``value`` itself if it is a Tensor; a TypeError that names the operation and the argument otherwise."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{operation}: {name} must be a Tensor, not {type(value).__name__}")
    return value


def floating(operation: str, value: Any, name: str = "input") -> Tensor:
    """As ``tensor``, for an operation that is defined for floating-point numbers alone."""
    if tensor(operation, value, name).array.dtype.kind != "f":
        raise TypeError(f"{operation}: {name} must be a floating-point tensor, not {value.dtype}")
    return value


def integer(operation: str, value: Any, name: str) -> int:
    """``value`` as a Python integer; an error that names the operation and the argument if it is none of 64 bits.

    True is none: ``x.sum(True)`` is likely to mean something else than the sum over dimension 1.
    """
    try:
        found = operator.index(value)
    except TypeError:
        found = None
    if found is None or isinstance(value, bool):
        raise TypeError(f"{operation}: {name} must be an integer, not {type(value).__name__}")
    if not -(2**63) <= found < 2**63:
        raise ValueError(f"{operation}: {name} is {found}, which does not fit into int64")
    return found


def positive(operation: str, value: Any, name: str) -> int:
    """As ``integer``, and at least 1: a size or a count."""
    found = integer(operation, value, name)
    if found < 1:
        raise ValueError(f"{operation}: {name} must be positive, not {found}")
    return found


def number(operation: str, value: Any, name: str) -> bool | int | float:
    """``value`` as a Python number, NumPy's too; a TypeError that names the operation and the argument otherwise."""
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, (bool, int, float)):
        raise TypeError(f"{operation}: {name} must be a number, not {type(value).__name__}")
    return value


def not_negative(operation: str, value: Any, name: str) -> int | float:
    """As ``number``, and at least 0: a ValueError otherwise, for NaN too."""
    found = number(operation, value, name)
    if not found >= 0:
        raise ValueError(f"{operation}: {name} must not be negative, but is {found}")
    return found


def dimension(operation: str, dim: Any, ndim: int, name: str = "dim") -> int:
    """``dim`` counted from the front. A tensor without dimensions counts as one with a single one, as in PyTorch."""
    index = integer(operation, dim, name)
    span = max(ndim, 1)
    if not -span <= index < span:
        raise IndexError(f"{operation}: {name} {index} is out of range for {ndim} dimensions ({-span} to {span - 1})")
    return index % span


def dimensions(operation: str, dim: Any, ndim: int) -> tuple[int, ...]:
    """Several dimensions counted from the front, in the order given; None (and an empty list) means all of them."""
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(ndim))
    found = tuple(dimension(operation, d, ndim) for d in (dim if isinstance(dim, (tuple, list)) else (dim,)))
    if len(set(found)) != len(found):
        raise ValueError(f"{operation}: a dimension appears twice in dim={dim}")
    return found if ndim else ()


def shape_from(operation: str, sizes: Sequence[Any]) -> tuple[int, ...]:
    """A shape given as ``f(2, 3)`` or as ``f((2, 3))``."""
    if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
        sizes = sizes[0]
    try:
        shape = tuple(operator.index(size) for size in sizes)
    except TypeError:
        shape = None
    if shape is None or any(isinstance(size, bool) for size in sizes):
        raise TypeError(f"{operation}: a shape is made of integers, not {tuple(sizes)!r}")
    return shape


def countable(operation: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a result, if an array can have it: its bytes must be counted with 63 bits."""
    if math.prod(length for length in shape if length) >= 2**60:
        raise ValueError(f"{operation}: no array can have the shape of the result, {shape}")
    return shape


def broadcast_shape(operation: str, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The common shape: dimensions are aligned at the end, and each pair is equal or has a 1."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        names = " and ".join(map(str, shapes))
        raise ValueError(
            f"{operation}: shapes {names} do not broadcast (aligned at the end, lengths must be equal or 1)"
        ) from None
