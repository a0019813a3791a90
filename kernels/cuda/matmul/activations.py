"""What the general product can apply to each element before it is written: y = f(x), the functions of PyTorch.

A kernel of its own would read and write all of C once more for an operation or two an element.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..compiler import device, float32

__all__ = ["ACTIVATIONS"]


@device
def identity(x):
    """y = x."""
    return x


@device
def relu(x):
    """y = max(x, 0), and NaN for NaN."""
    return float32(0.0) if x < float32(0.0) else x


@device
def gelu(x):
    """y = x Phi(x) = x/2 (1 + erf(x / sqrt 2)), Phi being the normal distribution's."""
    return float32(0.5) * x * (float32(1.0) + math.erf(x * float32(0.7071067811865476)))


@device
def gelu_tanh(x):
    """y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): GELU's approximation."""
    inner = float32(0.7978845608028654) * (x + float32(0.044715) * x * x * x)
    return float32(0.5) * x * (float32(1.0) + math.tanh(inner))


@device
def sigmoid(x):
    """y = 1 / (1 + e^-x)."""
    return float32(1.0) / (float32(1.0) + math.exp(-x))


@device
def silu(x):
    """y = x / (1 + e^-x)."""
    return x / (float32(1.0) + math.exp(-x))


@device
def tanh(x):
    """y = tanh x."""
    return math.tanh(x)


ACTIVATIONS: dict[str | None, Callable[[Any], Any]] = {
    None: identity,
    "relu": relu,
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "sigmoid": sigmoid,
    "silu": silu,
    "tanh": tanh,
}
