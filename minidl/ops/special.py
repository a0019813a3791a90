"""Special functions: the error function.

NumPy has none, so it is put together here from array operations, which run on NumPy and CuPy alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..autograd import Function, Tensor
from ..backend import float16, float32, namespace
from .elementwise import real
from .vocabulary import m

__all__ = ["erf"]


class Fit(NamedTuple):
    """Coefficients, the constant first, of the quotients of polynomials that stand for two smooth functions.

    ``inner`` is erf(t) / t - 1 as a function of t^2, for t from 0 to 1; ``outer`` is exp(t^2) (1 - erf(t)) as a
    function of t, from 1 up to where erf(t) rounds to 1. They were fitted with 50 digits by weighted least squares,
    the denominators linearised (H. Loeb 1957) and the weights moved towards the largest errors (C. Lawson 1961). The
    largest error of erf that the fit itself causes is 1.1e-8 in single and 1.3e-18 in double precision.
    """

    inner_p: Sequence[float]
    inner_q: Sequence[float]
    outer_p: Sequence[float]
    outer_q: Sequence[float]


SINGLE = Fit(
    inner_p=(0.128379164734833934, -0.331013861803964033, -0.0145078233594795406, -0.00134616873285518097),
    inner_q=(1.0, 0.351399204675524596, 0.0376013502697543662),
    outer_p=(0.993540224095330699, 0.412903471891251903, 0.00335435389021170042),
    outer_q=(1.0, 1.5061638555305705, 0.79096499699582896),
)
DOUBLE = Fit(
    inner_p=(
        0.128379167095512575,
        -0.317014126915389114,
        -0.0483097712214294995,
        -0.00881253305083356485,
        -0.000495130614213208809,
        -0.0000207101557797809712,
    ),
    inner_q=(
        1.0,
        0.460450581303972543,
        0.0937841147818610059,
        0.0106873546921568714,
        0.000691916363316223335,
        0.0000207838552730431952,
    ),
    outer_p=(
        0.999999888985386013,
        1.39007280121480062,
        0.948895735895635177,
        0.373227130096257008,
        0.0842307495578336412,
        0.00891266437381906584,
    ),
    outer_q=(
        1.0,
        2.51845079732754572,
        2.79066903868961712,
        1.75594304027516864,
        0.669486360000443358,
        0.149291184620731414,
        0.0157974097432672422,
    ),
)


def ratio(x: Any, p: Sequence[float], q: Sequence[float]) -> Any:
    """P(x) / Q(x)."""
    return polynomial(x, p) / polynomial(x, q)


def polynomial(x: Any, c: Sequence[float]) -> Any:
    """c_0 + x (c_1 + x (c_2 + ...)): Horner's rule."""
    y = c[-1] * x
    for coefficient in c[-2:0:-1]:
        y += coefficient
        y *= x
    return y + c[0]


class Erf(Function):
    """y = erf(x) = 2 / sqrt(pi) times the integral of exp(-s^2) for s from 0 to x; dL/dx = g 2 / sqrt(pi) exp(-x^2).

    With t = |x| it is computed as t + t inner(t^2) for t < 1 and as 1 - exp(-t^2) outer(t) beyond. Both are a large
    exact term plus a small one, so what the small one loses to rounding hardly counts: the error is about one unit in
    the last place. The idea of the two ranges is W. J. Cody's (Mathematics of Computation 23, 1969).
    """

    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        if x.dtype == float16:
            return self.erf(x.astype(float32)).astype(float16)
        return self.erf(x)

    @staticmethod
    def erf(x: Any) -> Any:
        xp = namespace(x)
        fit, end = (SINGLE, 4) if x.dtype == float32 else (DOUBLE, 6)
        t = xp.minimum(xp.abs(x), end)
        z = t * t
        inner = t + t * ratio(z, fit.inner_p, fit.inner_q)
        outer = 1 - xp.exp(-z) * ratio(t, fit.outer_p, fit.outer_q)
        near = (t < 1).astype(x.dtype)  # 1 or 0, so the products are exact; faster than a choice (see piecewise.gate)
        return xp.copysign(near * inner + (1 - near) * outer, x)

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        return g * (2 / math.sqrt(math.pi)) * m.exp(-x * x)


def erf(input: Tensor) -> Tensor:
    """The error function: the probability that a normal number with variance 1/2 lies between -input and input."""
    return Erf().apply(real("erf", input))
