"""Activation functions: the non-linearities between layers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import fast
from ..autograd import Function, Tensor
from ..backend import as_array, namespace
from . import check
from .elementwise import real
from .piecewise import gate
from .special import Erf
from .vocabulary import m

__all__ = ["elu", "gelu", "leaky_relu", "logsigmoid", "relu", "sigmoid", "silu", "softplus"]


# --- the rectifier and its relatives -----------------------------------------------------------------------------


class Relu(Function):
    """y = max(0, x); dL/dx = g where x > 0, else 0 (D1-2.1.2-c, D3-4-a). At 0, where no derivative exists, it is 0.

    Since y >= 0, x > 0 where y is not 0. To keep y costs nothing: the next layer keeps it anyway.
    """

    saves_output = True

    def forward(self, x: Any) -> Any:
        y = namespace(x).maximum(x, 0)
        self.saved = (y,)
        return y

    def backward(self, g: Any) -> Any:
        (y,) = self.saved
        return m.apply(Gate(), g, y)


class Gate(Function):
    """y = x [z is not 0]; dL/dx = g [z is not 0]."""

    def forward(self, x: Any, z: Any) -> Any:
        self.saved = (z,)
        y = fast.gated(x, z)
        return x * (z != 0).astype(x.dtype) if y is None else y

    def backward(self, g: Any) -> Any:
        (z,) = self.saved
        return m.apply(Gate(), g, z), None


class LeakyRelu(Function):
    """y = max(0, x) + a min(0, x) with the slope a; dL/dx = g where x > 0, else a g (Maas, Hannun, Ng 2013)."""

    def __init__(self, slope: float) -> None:
        self.slope = slope

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        xp = namespace(x)
        return xp.maximum(x, 0) + self.slope * xp.minimum(x, 0)

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        return gate(g, x > 0) + gate(self.slope * g, x <= 0)


class Elu(Function):
    """y = x for x > 0, else a (e^x - 1); dL/dx = g where x > 0, else g a e^x (Clevert, Unterthiner, Hochreiter 2015).

    The exponential is taken of min(x, 0) = x [x <= 0], so that it cannot overflow where it is not used.
    """

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        xp = namespace(x)
        return xp.maximum(x, 0) + self.alpha * xp.expm1(xp.minimum(x, 0))

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        return gate(g, x > 0) + gate(self.alpha * g * m.exp(gate(x, x <= 0)), x <= 0)


def relu(input: Tensor) -> Tensor:
    """max(0, input), element by element; its gradient at 0 is 0."""
    if check.tensor("relu", input).array.dtype.kind == "b":
        raise TypeError("relu: not defined for a boolean tensor")
    return Relu().apply(input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """input where it is positive, ``negative_slope`` times input elsewhere; its gradient at 0 is the slope."""
    slope = check.number("leaky_relu", negative_slope, "negative_slope")
    return LeakyRelu(slope).apply(check.floating("leaky_relu", input))


def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """input where it is positive, alpha (e^input - 1) elsewhere: it bends towards -alpha."""
    return Elu(check.number("elu", alpha, "alpha")).apply(check.floating("elu", input))


# --- the sigmoid and its relatives -------------------------------------------------------------------------------


class Sigmoid(Function):
    """y = 1 / (1 + e^-x) (D1-2.1.2-b, D3-4-c); dL/dx = g y (1 - y).

    With u = 1 + e^-x: dy/dx = e^-x / u^2 = (1 / u) (u - 1) / u = y (1 - y). Where e^-x overflows, y is 0, as it should
    be to the last digit.
    """

    saves_output = True

    def forward(self, x: Any) -> Any:
        xp = namespace(x)
        y = as_array(-x)
        with np.errstate(over="ignore"):
            xp.exp(y, out=y)
        y += 1
        xp.divide(1, y, out=y)
        self.saved = (y,)
        return y

    def backward(self, g: Any) -> Any:
        (y,) = self.saved
        return g * (y * (1 - y))


class LogSigmoid(Function):
    """y = ln s(x) with the sigmoid s; dL/dx = g s'(x) / s(x) = g (1 - s(x)) = g s(-x).

    ln s(x) = -ln(1 + e^-x) = min(x, 0) - ln(1 + e^-|x|), where nothing overflows.
    """

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        xp = namespace(x)
        return xp.minimum(x, 0) - xp.log1p(xp.exp(-xp.abs(x)))

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        return g * m.apply(Sigmoid(), -x)


class Softplus(Function):
    """y = ln(1 + e^(b x)) / b, and y = x where b x > threshold; dL/dx = g s(b x), or g there, with the sigmoid s.

    ln(1 + e^z) = max(z, 0) + ln(1 + e^-|z|), where nothing overflows.
    """

    def __init__(self, beta: float, threshold: float) -> None:
        self.beta, self.threshold = beta, threshold

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        xp = namespace(x)
        z = self.beta * x
        y = (xp.maximum(z, 0) + xp.log1p(xp.exp(-xp.abs(z)))) / self.beta
        return xp.where(z > self.threshold, x, y)

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        z = self.beta * x
        return m.where(z > self.threshold, g, g * m.apply(Sigmoid(), z))


class Silu(Function):
    """y = x s(x) with the sigmoid s; dL/dx = g (s + x s (1 - s)) = g s (1 + x (1 - s))."""

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        return x * Sigmoid().forward(x)

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        s = m.apply(Sigmoid(), x)
        return g * (s * (1 + x * (1 - s)))


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + e^-input): maps every number into the range from 0 to 1."""
    return Sigmoid().apply(real("sigmoid", input))


def logsigmoid(input: Tensor) -> Tensor:
    """The logarithm of the sigmoid, exact also where the sigmoid itself rounds to 0 or 1."""
    return LogSigmoid().apply(check.floating("logsigmoid", input))


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """ln(1 + e^(beta input)) / beta, a smooth relu; input itself where beta input > threshold (Dugas et al. 2001)."""
    beta, threshold = check.number("softplus", beta, "beta"), check.number("softplus", threshold, "threshold")
    return Softplus(beta, threshold).apply(check.floating("softplus", input))


def silu(input: Tensor) -> Tensor:
    """input times its sigmoid, also called swish (Elfwing, Uchibe, Doya 2017)."""
    return Silu().apply(check.floating("silu", input))


# --- the gate of the Transformers --------------------------------------------------------------------------------


class Gelu(Function):
    """y = x P(x), P(x) = (1 + erf(x / sqrt 2)) / 2 the probability that a standard normal number is less than x.

    dL/dx = g (P(x) + x p(x)) with the density p(x) = P'(x) = exp(-x^2 / 2) / sqrt(2 pi).
    """

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        return x * self.probability(x)

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        density = m.exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))
        return g * (self.probability(x) + x * density)

    @staticmethod
    def probability(x: Any) -> Any:
        return m.apply(Erf(), x * math.sqrt(0.5)) * 0.5 + 0.5


class GeluTanh(Function):
    """y = x (1 + t) / 2, t = tanh(u), u = c (x + a x^3), c = sqrt(2 / pi), a = 0.044715: close to ``Gelu`` and cheaper.

    dL/dx = g ((1 + t) / 2 + x (1 - t^2) u' / 2) with u' = c (1 + 3 a x^2).
    """

    A, C = 0.044715, math.sqrt(2 / math.pi)

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        return x * (self.t(x) * 0.5 + 0.5)

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        t = self.t(x)
        slope = self.C + (3 * self.A * self.C) * (x * x)
        return g * ((t * 0.5 + 0.5) + x * (1 - t * t) * slope * 0.5)

    def t(self, x: Any) -> Any:
        return m.tanh(x * (self.C + (self.A * self.C) * (x * x)))


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """input times the probability that a standard normal number is less than it (Hendrycks, Gimpel 2016).

    With ``approximate="tanh"`` the probability is approximated by a hyperbolic tangent, as GPT-2 does.
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate must be 'none' or 'tanh', not {approximate!r}")
    function = GeluTanh() if approximate == "tanh" else Gelu()
    return function.apply(check.floating("gelu", input))
