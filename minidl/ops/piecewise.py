"""Functions with kinks and steps: abs, sign, rounding, clamp, maximum and minimum, and the choice between two values.

Where a derivative does not exist, at a kink or a tie, the gradients are PyTorch's. A gradient that passes through a
mask is multiplied by it (``gate``): NumPy's ``where`` takes ten times as long on a mask without a pattern, because the
processor cannot foresee which side the next element takes.
"""

from __future__ import annotations

import builtins
from typing import Any

from ..autograd import Function, Tensor
from ..backend import namespace
from . import check
from .arithmetic import (
    Cast,
    Number,
    Zeros,
    as_choice,
    as_operand,
    binary,
    broadcasting,
    common_dtype,
    in_single,
    to_dtype,
)
from .vocabulary import m

__all__ = [
    "abs",
    "ceil",
    "clamp",
    "floor",
    "masked_fill",
    "maximum",
    "minimum",
    "round",
    "sign",
    "trunc",
    "where",
]


def gate(g: Any, mask: Any) -> Any:
    """g where the mask is true, 0 elsewhere."""
    return g * m.apply(Cast(g.dtype), mask)


# --- functions of one variable -----------------------------------------------------------------------------------


class Step(Function):
    """A function made of flat steps: dL/dx = 0, wherever the derivative exists."""

    def backward(self, g: Any) -> Any:
        return m.apply(Zeros(), g)


class Sign(Step):
    """y = 1 for x > 0, -1 for x < 0, 0 for 0 and for NaN."""

    def forward(self, x: Any) -> Any:
        return namespace(x).subtract(x > 0, x < 0, dtype=x.dtype)


class Floor(Step):
    """y = the largest integer <= x."""

    def forward(self, x: Any) -> Any:
        return namespace(x).floor(x)


class Ceil(Step):
    """y = the smallest integer >= x."""

    def forward(self, x: Any) -> Any:
        return namespace(x).ceil(x)


class Round(Step):
    """y = the nearest integer, the even one where two are equally near."""

    def forward(self, x: Any) -> Any:
        return namespace(x).rint(x)


class RoundTo(Step):
    """y = x rounded to ``decimals`` digits after the point; negative ones stand for tens, hundreds and so on."""

    def __init__(self, decimals: int) -> None:
        self.decimals = decimals

    def forward(self, x: Any) -> Any:
        scale = 10.0 ** builtins.abs(self.decimals)
        rint = namespace(x).rint
        return rint(x * scale) / scale if self.decimals > 0 else rint(x / scale) * scale


class Trunc(Step):
    """y = x without its fraction."""

    def forward(self, x: Any) -> Any:
        return namespace(x).trunc(x)


class Abs(Function):
    """y = |x|; dL/dx = g sign(x), so 0 at x = 0, where no derivative exists."""

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        return namespace(x).abs(x)

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        return g * m.apply(Sign(), x)


def step(operation: str, function: Function, input: Tensor) -> Tensor:
    """Apply a rounding to floating-point numbers; integers are round already."""
    kind = check.tensor(operation, input).array.dtype.kind
    if kind == "b":
        raise TypeError(f"{operation}: not defined for a boolean tensor")
    return function.apply(input) if kind == "f" else Tensor(input.array.copy())


def sign(input: Tensor) -> Tensor:
    """1 for positive elements, -1 for negative ones, 0 for 0 and NaN; its gradient is 0."""
    x = check.tensor("sign", input)
    return Tensor(x.array.copy()) if x.array.dtype.kind == "b" else Sign().apply(x)


def floor(input: Tensor) -> Tensor:
    """Each element rounded down to an integer; the gradient is 0."""
    return step("floor", Floor(), input)


def ceil(input: Tensor) -> Tensor:
    """Each element rounded up to an integer; the gradient is 0."""
    return step("ceil", Ceil(), input)


def trunc(input: Tensor) -> Tensor:
    """Each element rounded towards zero; the gradient is 0."""
    return step("trunc", Trunc(), input)


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """Each element rounded to the nearest number with ``decimals`` digits after the point; the gradient is 0.

    Halves go to the even neighbour: 0.5 to 0, 1.5 to 2. Negative ``decimals`` round to tens, hundreds and so on.
    """
    digits = check.integer("round", decimals, "decimals")
    if not digits:
        return step("round", Round(), input)
    if builtins.abs(digits) > 308:
        raise ValueError(f"round: decimals must lie between -308 and 308, not {digits}")
    return in_single(RoundTo(digits), check.floating("round", input))


def abs(input: Tensor) -> Tensor:
    """The absolute value; its gradient at 0 is 0."""
    if check.tensor("abs", input).array.dtype.kind == "b":
        raise TypeError("abs: not defined for a boolean tensor")
    return Abs().apply(input)


# --- the larger and the smaller of two ---------------------------------------------------------------------------


class Maximum(Function):
    """z = max(x, y); dL/dx = g (1 + s) / 2, dL/dy = g (1 - s) / 2 with s = sign(x - y).

    So the larger of the two gets all of g, and each gets half of it where they are equal.
    """

    def forward(self, x: Any, y: Any) -> Any:
        self.saved = x, y
        return namespace(x).maximum(x, y)

    def backward(self, g: Any) -> Any:
        x, y = self.saved
        s = m.apply(Sign(), x - y)
        return (
            g * ((1 + s) / 2) if self.needs_grad(0) else None,
            g * ((1 - s) / 2) if self.needs_grad(1) else None,
        )


class Minimum(Function):
    """z = min(x, y); dL/dx = g (1 - s) / 2, dL/dy = g (1 + s) / 2 with s = sign(x - y). See ``Maximum``."""

    def forward(self, x: Any, y: Any) -> Any:
        self.saved = x, y
        return namespace(x).minimum(x, y)

    def backward(self, g: Any) -> Any:
        x, y = self.saved
        s = m.apply(Sign(), x - y)
        return (
            g * ((1 - s) / 2) if self.needs_grad(0) else None,
            g * ((1 + s) / 2) if self.needs_grad(1) else None,
        )


def maximum(input: Tensor, other: Tensor) -> Tensor:
    """The larger of the two, element by element, with broadcasting; NaN wins. At a tie each gets half the gradient."""
    return binary(Maximum(), "maximum", check.tensor("maximum", input), check.tensor("maximum", other, "other"))


def minimum(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of the two, element by element, with broadcasting; NaN wins. At a tie each gets half the gradient."""
    return binary(Minimum(), "minimum", check.tensor("minimum", input), check.tensor("minimum", other, "other"))


class Clamp(Function):
    """y = min(max(x, low), high), where a missing bound is None.

    dL/dx = g where low <= x <= high, dL/dlow = g where x < low < high, dL/dhigh = g where x > high or low > high,
    and 0 elsewhere.
    """

    def forward(self, x: Any, low: Any, high: Any) -> Any:
        xp = namespace(x)
        self.saved = x, low, high
        y = x if low is None else xp.maximum(x, low)
        return y if high is None else xp.minimum(y, high)

    def backward(self, g: Any) -> Any:
        x, low, high = self.saved
        if high is None:
            inside, below, above = x >= low, x < low, None
        elif low is None:
            inside, below, above = x <= high, None, x > high
        else:
            inside, below, above = (x >= low) & (x <= high), (x < low) & (low < high), (x > high) | (low > high)
        return (
            gate(g, inside) if self.needs_grad(0) else None,
            gate(g, below) if self.needs_grad(1) else None,
            gate(g, above) if self.needs_grad(2) else None,
        )


def clamp(input: Tensor, min: Tensor | Number | None = None, max: Tensor | Number | None = None) -> Tensor:
    """Each element moved into the range from min to max, numbers or Tensors, one of which may be missing.

    Where min is greater than max, the result is max. At a bound the gradient goes to ``input``.

    Raises:
        TypeError: if both bounds are missing, or one is neither a Tensor nor a number.
        ValueError: if the shapes do not broadcast.
    """
    x = check.tensor("clamp", input)
    if min is None and max is None:
        raise TypeError("clamp: at least one of min and max is needed")
    bounds = [None if z is None else as_choice("clamp", z, name) for name, z in (("min", min), ("max", max))]
    dtype = common_dtype([z for z in (x, *bounds) if z is not None])
    low, high = (None if z is None else as_operand("clamp", z, dtype, x.array) for z in bounds)
    return broadcasting(Clamp(), "clamp", to_dtype(x, dtype), low, high)


# --- the choice between two --------------------------------------------------------------------------------------


class Where(Function):
    """z = x where the condition c is true, y elsewhere; dL/dx = g where c, dL/dy = g where not c, and 0 elsewhere.

    Not ``gate``: an infinite or NaN gradient of the side that was not taken must not come through as 0 * inf.
    """

    def forward(self, c: Any, x: Any, y: Any) -> Any:
        self.saved = (c,)
        return namespace(c).where(c, x, y)

    def backward(self, g: Any) -> Any:
        (c,) = self.saved
        return (
            None,
            m.where(c, g, 0) if self.needs_grad(1) else None,
            m.where(c, 0, g) if self.needs_grad(2) else None,
        )


def is_mask(operation: str, value: Any, name: str) -> None:
    if check.tensor(operation, value, name).array.dtype.kind != "b":
        raise TypeError(f"{operation}: {name} must be a boolean tensor, not {value.dtype}")


def where(condition: Tensor, input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """input where the condition is true, other elsewhere; all three broadcast.

    Raises:
        TypeError: if the condition is not boolean, or a choice is neither a Tensor nor a number.
        ValueError: if the shapes do not broadcast.
    """
    is_mask("where", condition, "condition")
    choices = as_choice("where", input, "input"), as_choice("where", other, "other")
    dtype = common_dtype(choices)
    x, y = (as_operand("where", z, dtype, condition.array) for z in choices)
    return broadcasting(Where(), "where", condition, x, y)


def masked_fill(input: Tensor, mask: Tensor, value: Tensor | Number) -> Tensor:
    """input, with ``value`` (a number or a Tensor without dimensions) where the mask is true; the two broadcast.

    Raises:
        TypeError: if the mask is not boolean, or the value neither a Tensor nor a number.
        ValueError: if the shapes do not broadcast, the value has dimensions, or it does not fit into the dtype.
    """
    x = check.tensor("masked_fill", input)
    is_mask("masked_fill", mask, "mask")
    if isinstance(value, Tensor) and value.ndim:
        raise ValueError(
            f"masked_fill: value must be a number or a tensor without dimensions, not of shape {value.shape}"
        )
    filling = as_operand("masked_fill", as_choice("masked_fill", value, "value"), x.dtype, x.array)
    return broadcasting(Where(), "masked_fill", mask, filling, x)
