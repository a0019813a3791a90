"""Arithmetic with broadcasting: +, -, *, /, powers, and the casts that bring two operands to one dtype.

In every formula g = dL/dy has the shape of the result y. Where an input was broadcast, the engine sums g over the
stretched dimensions afterwards (``autograd.unbroadcast``), so the formulas here are those of equal shapes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend
from ..autograd import Function, Tensor
from ..backend import number_type, result_type_of
from . import check
from .vocabulary import m

__all__ = ["add", "div", "mul", "neg", "sub", "to_dtype"]

Number = bool | int | float


# --- dtypes ------------------------------------------------------------------------------------------------------


class Cast(Function):
    """y = x in another floating-point dtype; dL/dx = g in the dtype of x."""

    def __init__(self, dtype: np.dtype) -> None:
        self.to = dtype

    def forward(self, x: Any) -> Any:
        self.source = x.dtype
        return x.astype(self.to)

    def backward(self, g: Any) -> Any:
        return m.apply(Cast(self.source), g)


def to_dtype(input: Tensor, dtype: Any) -> Tensor:
    """The tensor in another dtype; the tensor itself if it has that dtype. Casts to integers truncate towards zero.

    A cast between floating-point dtypes is differentiable; any other cast starts a new leaf.
    """
    dtype = backend.as_dtype("to", dtype)
    array = check.tensor("to", input).array
    if array.dtype == dtype:
        return input
    if dtype.kind == array.dtype.kind == "f":
        return Cast(dtype).apply(input)
    with np.errstate(invalid="ignore"):  # NaN and infinity have no integer; what comes out is left to the hardware
        return Tensor(array.astype(dtype))


def same_dtype(operation: str, x: Any, y: Any) -> tuple[Any, Any]:
    """Both operands ready for one NumPy call: Tensors of one dtype, or one Tensor and a Python number.

    NumPy lets a Python number take the array's dtype, as PyTorch does, so a number stays as it is wherever it fits.
    """
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        if x.array.dtype == y.array.dtype:
            return x, y
        dtype = result_type_of([x.array, y.array])
        return to_dtype(x, dtype), to_dtype(y, dtype)
    if isinstance(x, Tensor):
        return with_number(operation, x, y, "other")
    if isinstance(y, Tensor):
        return with_number(operation, y, x, "input")[::-1]
    raise TypeError(f"{operation}: input must be a Tensor, not {type(x).__name__}")


def with_number(operation: str, x: Tensor, number: Any, name: str) -> tuple[Tensor, Number]:
    if isinstance(number, np.generic):  # NumPy's scalars would widen the result: np.float64(2) * float32 is float64
        number = number.item()
    if not isinstance(number, (bool, int, float)):
        raise TypeError(f"{operation}: {name} must be a Tensor or a number, not {type(number).__name__}")
    dtype = x.array.dtype
    if dtype.kind != "f":
        dtype = number_type(dtype, number)
        x = to_dtype(x, dtype)
        if dtype.kind in "iu" and not np.iinfo(dtype).min <= number <= np.iinfo(dtype).max:
            raise ValueError(f"{operation}: {number} does not fit into {dtype}")
    return x, number


def binary(function: Function, operation: str, x: Any, y: Any) -> Tensor:
    """Apply an elementwise Function of two operands: common dtype, broadcasting, one clear error."""
    x, y = same_dtype(operation, x, y)
    try:
        return function.apply(x, y)
    except ValueError:
        if isinstance(x, Tensor) and isinstance(y, Tensor):
            check.broadcast_shape(operation, x.shape, y.shape)
        raise


# --- the four operations -----------------------------------------------------------------------------------------


class Add(Function):
    """z = x + y; dL/dx = g, dL/dy = g."""

    def forward(self, x: Any, y: Any) -> Any:
        return x + y

    def backward(self, g: Any) -> Any:
        return g, g


class Sub(Function):
    """z = x - y; dL/dx = g, dL/dy = -g."""

    def forward(self, x: Any, y: Any) -> Any:
        return x - y

    def backward(self, g: Any) -> Any:
        return g, -g


class Mul(Function):
    """z = x y; dL/dx = g y, dL/dy = g x."""

    def forward(self, x: Any, y: Any) -> Any:
        self.saved = x, y
        return x * y

    def backward(self, g: Any) -> Any:
        x, y = self.saved
        return (
            g * y if self.needs_grad(0) else None,
            g * x if self.needs_grad(1) else None,
        )


class Div(Function):
    """z = x / y; dL/dx = g / y, dL/dy = -g x / y^2."""

    def forward(self, x: Any, y: Any) -> Any:
        self.saved = x, y
        return x / y

    def backward(self, g: Any) -> Any:
        x, y = self.saved
        return (
            g / y if self.needs_grad(0) else None,
            -g * x / (y * y) if self.needs_grad(1) else None,
        )


class Neg(Function):
    """y = -x; dL/dx = -g."""

    def forward(self, x: Any) -> Any:
        return -x

    def backward(self, g: Any) -> Any:
        return -g


def add(input: Tensor | Number, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    """input + alpha * other, with broadcasting."""
    if alpha != 1:
        other = mul(other, alpha) if isinstance(other, Tensor) else other * alpha
    return binary(Add(), "add", input, other)


def sub(input: Tensor | Number, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    """input - alpha * other, with broadcasting."""
    if alpha != 1:
        other = mul(other, alpha) if isinstance(other, Tensor) else other * alpha
    return binary(Sub(), "sub", input, other)


def mul(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """input * other, element by element, with broadcasting."""
    return binary(Mul(), "mul", input, other)


def div(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """input / other, with broadcasting; the quotient of integers is floating point."""
    x, y = same_dtype("div", input, other)
    x, y = (
        to_dtype(z, backend.get_default_dtype()) if isinstance(z, Tensor) and z.dtype.kind != "f" else z for z in (x, y)
    )
    return binary(Div(), "div", x, y)


def neg(input: Tensor) -> Tensor:
    """-input."""
    return Neg().apply(check.tensor("neg", input))
