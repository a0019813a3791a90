"""Smooth functions of one variable: exponentials, logarithms, roots, trigonometric and hyperbolic functions.

Where the derivative can be written with the result y instead of the argument x, y is what is kept for the way back:
it exists already. Integers and booleans are converted to the default floating-point dtype first.
"""

from __future__ import annotations

import math
from typing import Any

from .. import backend
from ..autograd import Function, Tensor
from ..backend import namespace
from . import check
from .arithmetic import binary, same_dtype, to_dtype
from .vocabulary import m

__all__ = [
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cos",
    "cosh",
    "exp",
    "exp2",
    "expm1",
    "log",
    "log10",
    "log1p",
    "log2",
    "reciprocal",
    "rsqrt",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
]


def real(operation: str, input: Tensor) -> Tensor:
    """The input, in the default floating-point dtype if it holds integers or booleans."""
    x = check.tensor(operation, input)
    return x if x.array.dtype.kind == "f" else to_dtype(x, backend.get_default_dtype())


# --- exponentials and logarithms -------------------------------------------------------------------------------------


class Exp(Function):
    """y = e^x; dL/dx = g y."""

    saves_output = True

    def forward(self, x: Any) -> Any:
        y = namespace(x).exp(x)
        self.saved = (y,)
        return y

    def backward(self, g: Any) -> Any:
        (y,) = self.saved
        return g * y


class Exp2(Function):
    """y = 2^x = e^(x ln 2); dL/dx = g y ln 2."""

    saves_output = True

    def forward(self, x: Any) -> Any:
        y = namespace(x).exp2(x)
        self.saved = (y,)
        return y

    def backward(self, g: Any) -> Any:
        (y,) = self.saved
        return g * y * math.log(2)


class Expm1(Function):
    """y = e^x - 1; dL/dx = g (y + 1)."""

    saves_output = True

    def forward(self, x: Any) -> Any:
        y = namespace(x).expm1(x)
        self.saved = (y,)
        return y

    def backward(self, g: Any) -> Any:
        (y,) = self.saved
        return g * (y + 1)


class Log(Function):
    """y = ln x; dL/dx = g / x."""

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        return namespace(x).log(x)

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        return g / x


class Log1p(Function):
    """y = ln(1 + x); dL/dx = g / (1 + x)."""

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        return namespace(x).log1p(x)

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        return g / (1 + x)


class Log2(Function):
    """y = log_2 x = ln x / ln 2; dL/dx = g / (x ln 2)."""

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        return namespace(x).log2(x)

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        return g / (x * math.log(2))


class Log10(Function):
    """y = log_10 x = ln x / ln 10; dL/dx = g / (x ln 10)."""

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        return namespace(x).log10(x)

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        return g / (x * math.log(10))


def exp(input: Tensor) -> Tensor:
    """e to the power of each element."""
    return Exp().apply(real("exp", input))


def exp2(input: Tensor) -> Tensor:
    """2 to the power of each element."""
    return Exp2().apply(real("exp2", input))


def expm1(input: Tensor) -> Tensor:
    """e^x - 1, accurate also where x is small and the subtraction would lose its digits."""
    return Expm1().apply(real("expm1", input))


def log(input: Tensor) -> Tensor:
    """The natural logarithm; -inf at 0, NaN below."""
    return Log().apply(real("log", input))


def log1p(input: Tensor) -> Tensor:
    """ln(1 + x), accurate also where x is small and the sum would lose its digits."""
    return Log1p().apply(real("log1p", input))


def log2(input: Tensor) -> Tensor:
    """The logarithm to base 2."""
    return Log2().apply(real("log2", input))


def log10(input: Tensor) -> Tensor:
    """The logarithm to base 10."""
    return Log10().apply(real("log10", input))


# --- powers with a fixed exponent ------------------------------------------------------------------------------------


class Square(Function):
    """y = x^2; dL/dx = 2 g x."""

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        return x * x

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        return g * (2 * x)


class Sqrt(Function):
    """y = x^(1/2); dL/dx = g / (2 y)."""

    saves_output = True

    def forward(self, x: Any) -> Any:
        y = namespace(x).sqrt(x)
        self.saved = (y,)
        return y

    def backward(self, g: Any) -> Any:
        (y,) = self.saved
        return g / (2 * y)


class Rsqrt(Function):
    """y = x^(-1/2); dL/dx = -g x^(-3/2) / 2 = -g y^3 / 2."""

    saves_output = True

    def forward(self, x: Any) -> Any:
        y = 1 / namespace(x).sqrt(x)
        self.saved = (y,)
        return y

    def backward(self, g: Any) -> Any:
        (y,) = self.saved
        return g * (y * y * y) * -0.5


class Reciprocal(Function):
    """y = 1 / x; dL/dx = -g / x^2 = -g y^2."""

    saves_output = True

    def forward(self, x: Any) -> Any:
        y = 1 / x
        self.saved = (y,)
        return y

    def backward(self, g: Any) -> Any:
        (y,) = self.saved
        return -g * (y * y)


def square(input: Tensor) -> Tensor:
    """The square of each element; that of an integer is an integer."""
    x = check.tensor("square", input)
    return Square().apply(to_dtype(x, backend.int64) if x.array.dtype.kind == "b" else x)


def sqrt(input: Tensor) -> Tensor:
    """The square root; NaN below 0, and at 0 the gradient is infinite."""
    return Sqrt().apply(real("sqrt", input))


def rsqrt(input: Tensor) -> Tensor:
    """1 divided by the square root."""
    return Rsqrt().apply(real("rsqrt", input))


def reciprocal(input: Tensor) -> Tensor:
    """1 divided by each element."""
    return Reciprocal().apply(real("reciprocal", input))


# --- trigonometric functions -----------------------------------------------------------------------------------------


class Sin(Function):
    """y = sin x; dL/dx = g cos x."""

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        return namespace(x).sin(x)

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        return g * m.cos(x)


class Cos(Function):
    """y = cos x; dL/dx = -g sin x."""

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        return namespace(x).cos(x)

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        return -g * m.sin(x)


class Tan(Function):
    """y = tan x; dL/dx = g (1 + y^2), for 1 / cos^2 x = 1 + tan^2 x."""

    saves_output = True

    def forward(self, x: Any) -> Any:
        y = namespace(x).tan(x)
        self.saved = (y,)
        return y

    def backward(self, g: Any) -> Any:
        (y,) = self.saved
        return g * (1 + y * y)


class Asin(Function):
    """y = arcsin x; dL/dx = g / sqrt(1 - x^2), for x = sin y has dx/dy = cos y = sqrt(1 - x^2)."""

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        return namespace(x).arcsin(x)

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        return g / m.sqrt(1 - x * x)


class Acos(Function):
    """y = arccos x; dL/dx = -g / sqrt(1 - x^2), for arccos x = pi/2 - arcsin x."""

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        return namespace(x).arccos(x)

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        return -g / m.sqrt(1 - x * x)


class Atan(Function):
    """y = arctan x; dL/dx = g / (1 + x^2), for x = tan y has dx/dy = 1 + x^2."""

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        return namespace(x).arctan(x)

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        return g / (1 + x * x)


def sin(input: Tensor) -> Tensor:
    """The sine of angles in radians."""
    return Sin().apply(real("sin", input))


def cos(input: Tensor) -> Tensor:
    """The cosine of angles in radians."""
    return Cos().apply(real("cos", input))


def tan(input: Tensor) -> Tensor:
    """The tangent of angles in radians."""
    return Tan().apply(real("tan", input))


def asin(input: Tensor) -> Tensor:
    """The angle from -pi/2 to pi/2 whose sine is given; NaN outside of -1 to 1."""
    return Asin().apply(real("asin", input))


def acos(input: Tensor) -> Tensor:
    """The angle from 0 to pi whose cosine is given; NaN outside of -1 to 1."""
    return Acos().apply(real("acos", input))


def atan(input: Tensor) -> Tensor:
    """The angle from -pi/2 to pi/2 whose tangent is given."""
    return Atan().apply(real("atan", input))


class Atan2(Function):
    """z = the angle of the point (y, x), so tan z = x / y; dL/dx = g y / (x^2 + y^2), dL/dy = -g x / (x^2 + y^2)."""

    def forward(self, x: Any, y: Any) -> Any:
        self.saved = x, y
        return namespace(x).arctan2(x, y)

    def backward(self, g: Any) -> Any:
        x, y = self.saved
        g = g / (x * x + y * y)
        return (
            g * y if self.needs_grad(0) else None,
            -g * x if self.needs_grad(1) else None,
        )


def atan2(input: Tensor, other: Tensor) -> Tensor:
    """The angle, from -pi to pi, of the point with height ``input`` and width ``other``; the two broadcast."""
    x, y = same_dtype("atan2", check.tensor("atan2", input), check.tensor("atan2", other, "other"))
    return binary(Atan2(), "atan2", real("atan2", x), real("atan2", y))


# --- hyperbolic functions --------------------------------------------------------------------------------------------


class Sinh(Function):
    """y = sinh x = (e^x - e^-x) / 2; dL/dx = g cosh x."""

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        return namespace(x).sinh(x)

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        return g * m.cosh(x)


class Cosh(Function):
    """y = cosh x = (e^x + e^-x) / 2; dL/dx = g sinh x."""

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        return namespace(x).cosh(x)

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        return g * m.sinh(x)


class Tanh(Function):
    """y = tanh x = sinh x / cosh x (D3-4-f); dL/dx = g (1 - y^2), for cosh^2 x - sinh^2 x = 1."""

    saves_output = True

    def forward(self, x: Any) -> Any:
        y = namespace(x).tanh(x)
        self.saved = (y,)
        return y

    def backward(self, g: Any) -> Any:
        (y,) = self.saved
        return g * (1 - y * y)


class Asinh(Function):
    """y = arsinh x; dL/dx = g / sqrt(x^2 + 1), for x = sinh y has dx/dy = cosh y = sqrt(x^2 + 1)."""

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        return namespace(x).arcsinh(x)

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        return g / m.sqrt(x * x + 1)


class Acosh(Function):
    """y = arcosh x; dL/dx = g / sqrt(x^2 - 1), for x = cosh y has dx/dy = sinh y = sqrt(x^2 - 1)."""

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        return namespace(x).arccosh(x)

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        return g / m.sqrt(x * x - 1)


class Atanh(Function):
    """y = artanh x; dL/dx = g / (1 - x^2), for x = tanh y has dx/dy = 1 - x^2."""

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        return namespace(x).arctanh(x)

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        return g / (1 - x * x)


def sinh(input: Tensor) -> Tensor:
    """The hyperbolic sine."""
    return Sinh().apply(real("sinh", input))


def cosh(input: Tensor) -> Tensor:
    """The hyperbolic cosine."""
    return Cosh().apply(real("cosh", input))


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent: it maps every number into the range from -1 to 1."""
    return Tanh().apply(real("tanh", input))


def asinh(input: Tensor) -> Tensor:
    """The number whose hyperbolic sine is given."""
    return Asinh().apply(real("asinh", input))


def acosh(input: Tensor) -> Tensor:
    """The number >= 0 whose hyperbolic cosine is given; NaN below 1."""
    return Acosh().apply(real("acosh", input))


def atanh(input: Tensor) -> Tensor:
    """The number whose hyperbolic tangent is given; NaN outside of -1 to 1."""
    return Atanh().apply(real("atanh", input))
