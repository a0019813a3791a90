"""Comparisons, tests for NaN and infinity, and logic. Their results are truth values, which no gradient passes."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..backend import as_array, check_one_device, int64, namespace
from . import check
from .arithmetic import Number, as_choice, same_dtype, to_dtype, too_large

__all__ = [
    "allclose",
    "bitwise_and",
    "bitwise_not",
    "bitwise_or",
    "bitwise_xor",
    "eq",
    "equal",
    "ge",
    "gt",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "le",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "lt",
    "ne",
]


OPERANDS: tuple[type, ...] = (
    Tensor,
    bool,
    int,
    float,
    np.generic,
    np.ndarray,
)  # of ==; for an array there is an error, not False


# --- comparisons -------------------------------------------------------------------------------------------------


def compare(operation: str, function: Callable, x: Any, y: Any) -> Tensor:
    """A truth value an element: ``function`` is a Python operator on arrays of one dtype, or an array and a number."""
    check.tensor(operation, x)
    if isinstance(y, Tensor):
        x, y = same_dtype(operation, x, y)
    else:  # compared as it is: 300 is greater than every uint8, although it does not fit into one
        y = as_choice(operation, y, "other")
        if x.array.dtype.kind == "b" and type(y) is int:
            x = to_dtype(x, int64)  # NumPy would cast the number, which may not fit, instead of comparing it
    return on_arrays(operation, function, x, y)


def on_arrays(operation: str, function: Callable, x: Tensor, y: Tensor | Number) -> Tensor:
    arrays = [x.array, y.array if isinstance(y, Tensor) else y]
    check_one_device(operation, arrays)
    if isinstance(y, Tensor) and x.shape != y.shape:
        check.broadcast_shape(operation, x.shape, y.shape)
    try:
        return Tensor(as_array(function(*arrays)))
    except MemoryError:
        shapes = ", ".join(str(z.shape) for z in (x, y) if isinstance(z, Tensor))
        raise MemoryError(f"{operation}: not enough memory (inputs of shapes {shapes})") from None
    except OverflowError:
        raise too_large(operation) from None


def eq(input: Tensor, other: Tensor | Number) -> Tensor:
    """input == other, element by element, with broadcasting; NaN equals nothing."""
    return compare("eq", operator.eq, input, other)


def ne(input: Tensor, other: Tensor | Number) -> Tensor:
    """input != other, element by element, with broadcasting."""
    return compare("ne", operator.ne, input, other)


def lt(input: Tensor, other: Tensor | Number) -> Tensor:
    """input < other, element by element, with broadcasting."""
    return compare("lt", operator.lt, input, other)


def le(input: Tensor, other: Tensor | Number) -> Tensor:
    """input <= other, element by element, with broadcasting."""
    return compare("le", operator.le, input, other)


def gt(input: Tensor, other: Tensor | Number) -> Tensor:
    """input > other, element by element, with broadcasting."""
    return compare("gt", operator.gt, input, other)


def ge(input: Tensor, other: Tensor | Number) -> Tensor:
    """input >= other, element by element, with broadcasting."""
    return compare("ge", operator.ge, input, other)


def equals(input: Tensor, other: Any) -> Any:
    """input == other. With anything but tensors, arrays and numbers, Python compares: nothing else equals a tensor."""
    known = isinstance(other, OPERANDS)
    return eq(input, other) if known else NotImplemented


def differs(input: Tensor, other: Any) -> Any:
    """input != other; see ``equals``."""
    known = isinstance(other, OPERANDS)
    return ne(input, other) if known else NotImplemented


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and the same elements."""
    x, y = same_dtype("equal", check.tensor("equal", input), check.tensor("equal", other, "other"))
    return x.shape == y.shape and bool(eq(x, y).array.all())


def isclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """|input - other| <= atol + rtol |other|, element by element; infinities are close if they are equal.

    Raises:
        TypeError: if the dtypes differ.
        ValueError: if the shapes do not broadcast, or a tolerance is negative.
    """
    x, y = check.tensor("isclose", input), check.tensor("isclose", other, "other")
    rtol, atol = check.not_negative("isclose", rtol, "rtol"), check.not_negative("isclose", atol, "atol")
    if x.dtype != y.dtype:
        raise TypeError(f"isclose: input is {x.dtype}, but other is {y.dtype}")

    def close(x: Any, y: Any) -> Any:
        xp = namespace(x)
        if x.dtype.kind == "b":
            return x == y
        distance = abs(x - y)
        found = (x == y) | (xp.isfinite(distance) & (distance <= atol + rtol * abs(y)))
        return found | ((x != x) & (y != y)) if equal_nan else found

    return on_arrays("isclose", close, x, y)


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether ``isclose`` holds for all elements."""
    return bool(isclose(input, other, rtol, atol, equal_nan).array.all())


# --- tests -------------------------------------------------------------------------------------------------------


def isnan(input: Tensor) -> Tensor:
    """Which elements are NaN, not a number."""
    x = check.tensor("isnan", input).array
    return Tensor(as_array(namespace(x).isnan(x)))


def isinf(input: Tensor) -> Tensor:
    """Which elements are plus or minus infinity."""
    x = check.tensor("isinf", input).array
    return Tensor(as_array(namespace(x).isinf(x)))


def isfinite(input: Tensor) -> Tensor:
    """Which elements are neither infinite nor NaN."""
    x = check.tensor("isfinite", input).array
    return Tensor(as_array(namespace(x).isfinite(x)))


# --- logic -------------------------------------------------------------------------------------------------------


def logic(operation: str, function: Callable, x: Any, y: Any) -> Tensor:
    """A logical operation on Tensors of any dtypes, where every number but 0 counts as true."""
    check.tensor(operation, x)
    check.tensor(operation, y, "other")
    return on_arrays(operation, lambda x, y: function(x != 0, y != 0), x, y)


def logical_and(input: Tensor, other: Tensor) -> Tensor:
    """Whether both elements are true, that is not 0; with broadcasting."""
    return logic("logical_and", operator.and_, input, other)


def logical_or(input: Tensor, other: Tensor) -> Tensor:
    """Whether at least one of the elements is true, that is not 0; with broadcasting."""
    return logic("logical_or", operator.or_, input, other)


def logical_xor(input: Tensor, other: Tensor) -> Tensor:
    """Whether exactly one of the elements is true, that is not 0; with broadcasting."""
    return logic("logical_xor", operator.xor, input, other)


def logical_not(input: Tensor) -> Tensor:
    """Whether the element is 0."""
    return Tensor(as_array(check.tensor("logical_not", input).array == 0))


def bits(operation: str, function: Callable, x: Any, y: Any) -> Tensor:
    """An operation on the bits of integers, or on truth values."""
    x, y = same_dtype(operation, x, y)
    if not isinstance(x, Tensor):
        x, y = y, x
    if x.array.dtype.kind == "f":
        raise TypeError(f"{operation}: input and other must be integers or booleans; the result would be {x.dtype}")
    return on_arrays(operation, function, x, y)


def bitwise_and(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """input & other: the bits that are set in both; for booleans, whether both are true."""
    return bits("bitwise_and", operator.and_, input, other)


def bitwise_or(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """input | other: the bits that are set in at least one; for booleans, whether one is true."""
    return bits("bitwise_or", operator.or_, input, other)


def bitwise_xor(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """input ^ other: the bits that are set in exactly one; for booleans, whether they differ."""
    return bits("bitwise_xor", operator.xor, input, other)


def bitwise_not(input: Tensor) -> Tensor:
    """~input: every bit turned around; for booleans, whether it is false."""
    x = check.tensor("bitwise_not", input)
    if x.array.dtype.kind == "f":
        raise TypeError(f"bitwise_not: input must hold integers or booleans, not {x.dtype}")
    return Tensor(as_array(~x.array))
