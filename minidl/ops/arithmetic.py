"""Arithmetic with broadcasting: +, -, *, /, //, %, powers, and the casts that bring two operands to one dtype.

In every formula g = dL/dy has the shape of the result y. Where an input was broadcast, the engine sums g over the
stretched dimensions afterwards (``walk.unbroadcast``), so the formulas here are those of equal shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import backend
from ..autograd import Function, Tensor
from ..backend import namespace, number_type, result_type_of
from . import check
from .vocabulary import m

__all__ = ["add", "div", "floor_divide", "mul", "neg", "pow", "remainder", "sub", "to_dtype"]

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


def in_single(function: Function, *operands: Tensor) -> Tensor:
    """Apply a Function; to float16 in float32 and back, as PyTorch does: its largest number is 65504, and a long sum in
    it loses every small term.
    """
    dtype = operands[0].array.dtype
    if dtype != backend.float16:
        return function.apply(*operands)
    return Cast(dtype).apply(function.apply(*(Cast(backend.float32).apply(x) for x in operands)))


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
    if type(number) is not float:
        number = as_choice(operation, number, name)  # NumPy's scalars would widen: np.float64(2) * float32 is float64
    dtype = x.array.dtype
    if dtype.kind != "f":
        dtype = number_type(dtype, number)
        x = to_dtype(x, dtype)
        if dtype.kind in "iu":
            check_fits(operation, number, dtype)
    return x, number


def as_choice(operation: str, value: Any, name: str) -> Tensor | Number:
    """``value`` if it is a Tensor or a number (NumPy's as Python's); a TypeError otherwise."""
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, (Tensor, bool, int, float)):
        raise TypeError(f"{operation}: {name} must be a Tensor or a number, not {type(value).__name__}")
    return value


def common_dtype(values: Sequence[Tensor | Number]) -> np.dtype:
    """The dtype in which Tensors and numbers meet, where it takes more than one NumPy call to combine them."""
    arrays = [z.array for z in values if isinstance(z, Tensor)]
    dtype = result_type_of(arrays) if arrays else backend.bool_
    for z in values:
        if not isinstance(z, Tensor):
            dtype = number_type(dtype, z)
    return dtype


def as_operand(operation: str, value: Tensor | Number, dtype: np.dtype, like: Any) -> Tensor:
    """A Tensor of that dtype, with a number made into one without dimensions, beside the array ``like``."""
    if isinstance(value, Tensor):
        return to_dtype(value, dtype)
    if dtype.kind in "iu":
        check_fits(operation, value, dtype)
        value = int(value)
    try:
        return Tensor(namespace(like).asarray(value, dtype))
    except OverflowError:
        raise too_large(operation) from None


def check_fits(operation: str, number: int | float, dtype: np.dtype) -> None:
    """A ValueError unless the integer ``dtype`` can hold the number."""
    if not np.iinfo(dtype).min <= number <= np.iinfo(dtype).max:  # NaN compares false too
        raise ValueError(f"{operation}: {number} does not fit into {dtype}")


def binary(function: Function, operation: str, x: Any, y: Any) -> Tensor:
    """Apply an elementwise Function of two operands in their common dtype."""
    x, y = same_dtype(operation, x, y)
    return broadcasting(function, operation, x, y)


def broadcasting(function: Function, operation: str, *operands: Any) -> Tensor:
    """Apply a Function whose operands broadcast: one clear error where they do not, and no check where they do."""
    try:
        return function.apply(*operands)
    except ValueError:
        check.broadcast_shape(operation, *(z.shape for z in operands if isinstance(z, Tensor)))
        raise
    except OverflowError:
        raise too_large(operation) from None


def too_large(operation: str) -> ValueError:
    return ValueError(f"{operation}: the number is too large for a floating-point tensor")


def refuse_booleans(operation: str, x: Any, y: Any) -> None:
    """A TypeError where NumPy would compute with truth values as if they were small integers, or not at all."""
    if (x.array if isinstance(x, Tensor) else y.array).dtype.kind == "b":
        raise TypeError(f"{operation}: not defined for two boolean operands; convert one to a number type first")


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
        return g, -g if self.needs_grad(1) else None


class Mul(Function):
    """z = x y; dL/dx = g y, dL/dy = g x. Each factor is kept only for the gradient of the other."""

    def forward(self, x: Any, y: Any) -> Any:
        self.saved = (x if self.needs_grad(1) else None), (y if self.needs_grad(0) else None)
        return x * y

    def backward(self, g: Any) -> Any:
        x, y = self.saved
        return (
            g * y if self.needs_grad(0) else None,
            g * x if self.needs_grad(1) else None,
        )


class Div(Function):
    """z = x / y; dL/dx = g / y, dL/dy = -g x / y^2 (as (x / y) / y: y^2 may overflow where the quotient does not)."""

    def forward(self, x: Any, y: Any) -> Any:
        self.saved = x, y
        return x / y

    def backward(self, g: Any) -> Any:
        x, y = self.saved
        return (
            g / y if self.needs_grad(0) else None,
            -g * (x / y / y) if self.needs_grad(1) else None,
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
    """input - alpha * other, with broadcasting; a TypeError for two boolean operands."""
    if alpha != 1:
        other = mul(other, alpha) if isinstance(other, Tensor) else other * alpha
    x, y = same_dtype("sub", input, other)
    refuse_booleans("sub", x, y)
    return binary(Sub(), "sub", x, y)


def mul(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """input * other, element by element, with broadcasting."""
    return binary(Mul(), "mul", input, other)


def div(input: Tensor | Number, other: Tensor | Number, *, rounding_mode: str | None = None) -> Tensor:
    """input / other, with broadcasting; the quotient of integers is floating point.

    With ``rounding_mode="floor"`` the quotient is rounded towards minus infinity, with ``"trunc"`` towards zero; that
    of integers is an integer then.

    Raises:
        ValueError: for another rounding mode, or shapes that do not broadcast.
        RuntimeError: for a rounded division of integers by zero.
    """
    x, y = same_dtype("div", input, other)
    if rounding_mode is not None:
        if rounding_mode not in ("floor", "trunc"):
            raise ValueError(f"div: rounding_mode must be None, 'floor' or 'trunc', not {rounding_mode!r}")
        return rounded("div", RoundedDiv(rounding_mode), x, y)
    x, y = (
        to_dtype(z, backend.get_default_dtype()) if isinstance(z, Tensor) and z.dtype.kind != "f" else z for z in (x, y)
    )
    return binary(Div(), "div", x, y)


def neg(input: Tensor) -> Tensor:
    """-input; a TypeError for a boolean tensor."""
    if check.tensor("neg", input).array.dtype.kind == "b":
        raise TypeError("neg: not defined for a boolean tensor (logical_not inverts a mask)")
    return Neg().apply(input)


# --- rounded quotients and what they leave over ------------------------------------------------------------------


class Zeros(Function):
    """y = 0 in the shape of x; dL/dx = 0. The derivative of every function that is made of flat steps."""

    def forward(self, x: Any) -> Any:
        return namespace(x).zeros_like(x)

    def backward(self, g: Any) -> Any:
        return m.apply(Zeros(), g)


class RoundedDiv(Function):
    """z = x / y, rounded down ("floor") or towards zero ("trunc"); dL/dx = dL/dy = 0, for z moves in flat steps."""

    def __init__(self, mode: str) -> None:
        self.mode = mode

    def forward(self, x: Any, y: Any) -> Any:
        if self.mode == "floor":
            return x // y
        z = x / y
        if (x if hasattr(x, "dtype") else y).dtype.kind == "f":
            return namespace(z).trunc(z)
        z = x // y  # integers have digits that a floating-point quotient would lose
        return z + ((z < 0) & (z * y != x))

    def backward(self, g: Any) -> Any:
        return tuple(m.apply(Zeros(), g) if self.needs_grad(i) else None for i in (0, 1))


class Remainder(Function):
    """z = x - y floor(x / y), which has the sign of y; dL/dx = g, dL/dy = -g floor(x / y)."""

    def forward(self, x: Any, y: Any) -> Any:
        self.saved = x, y
        return x % y

    def backward(self, g: Any) -> Any:
        x, y = self.saved
        return g, -g * (x // y) if self.needs_grad(1) else None


def rounded(operation: str, function: Function, x: Any, y: Any) -> Tensor:
    """Apply RoundedDiv or Remainder, which integers and zero do not agree with."""
    x, y = same_dtype(operation, x, y)
    refuse_booleans(operation, x, y)
    divisor = y.array if isinstance(y, Tensor) else y
    dtype = (x if isinstance(x, Tensor) else y).array.dtype
    if dtype.kind != "f" and not (divisor.all() if isinstance(y, Tensor) else divisor):
        raise RuntimeError(f"{operation}: integer division by zero")
    return binary(function, operation, x, y)


def floor_divide(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """input // other: the quotient rounded towards minus infinity, with broadcasting.

    Raises:
        RuntimeError: for a division of integers by zero.
    """
    return rounded("floor_divide", RoundedDiv("floor"), input, other)


def remainder(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """input % other: what floor division leaves over, with the sign of ``other`` and with broadcasting.

    Raises:
        RuntimeError: for a division of integers by zero.
    """
    return rounded("remainder", Remainder(), input, other)


# --- powers ------------------------------------------------------------------------------------------------------


class Pow(Function):
    """z = x^y; dL/dx = g y x^(y - 1), dL/dy = g x^y ln x.

    Two limits are set by hand, because the formulas give 0 times infinity there: x^0 is 1 for every x, so dL/dx = 0
    where y = 0; and 0^y is 0 for every y > 0, so dL/dy = 0 where x = 0 and y >= 0.
    """

    def forward(self, x: Any, y: Any) -> Any:
        self.saved = x, y
        if not isinstance(y, Number) or y not in (3, 4):
            return x**y
        square = x * x  # NumPy has short cuts for squares and roots only: a cube by x**3 takes 40 times as long
        return square * (x if y == 3 else square)

    def backward(self, g: Any) -> Any:
        x, y = self.saved
        return (
            self.gradient_of_base(g, x, y) if self.needs_grad(0) else None,
            m.where((x == 0) & (y >= 0), 0, g * (x**y * m.log(x))) if self.needs_grad(1) else None,
        )

    @staticmethod
    def gradient_of_base(g: Any, x: Any, y: Any) -> Any:
        if isinstance(y, Number):
            return g * (y * x ** (y - 1)) if y else m.apply(Zeros(), g)
        return m.where(y == 0, 0, g * (y * x ** (y - 1)))


def pow(input: Tensor | Number, exponent: Tensor | Number) -> Tensor:
    """input to the power of exponent, element by element, with broadcasting; powers of integers are exact.

    Raises:
        ValueError: for an integer and a negative integer exponent, or shapes that do not broadcast.
    """
    x, y = same_dtype("pow", input, exponent)
    refuse_booleans("pow", x, y)
    if not isinstance(x, Tensor):
        x = as_operand("pow", x, y.array.dtype, y.array)
    if x.array.dtype.kind in "iu" and ((y.array < 0).any() if isinstance(y, Tensor) else y < 0):
        raise ValueError("pow: an integer to a negative power is no integer; convert input to floating point first")
    return binary(Pow(), "pow", x, y)
