"""Activation functions: the non-linearities between layers."""

from __future__ import annotations

from typing import Any

from ..autograd import Function, Tensor
from ..backend import namespace
from . import check

__all__ = ["relu"]


class Relu(Function):
    """y = max(0, x); dL/dx = g where x > 0, else 0 (D1-2.1.2-c, D3-4-a). At 0, where no derivative exists, it is 0."""

    def forward(self, x: Any) -> Any:
        y = namespace(x).maximum(x, 0)
        self.saved = (y > 0,)
        return y

    def backward(self, g: Any) -> Any:
        (positive,) = self.saved
        return g * positive


def relu(input: Tensor) -> Tensor:
    """max(0, input), element by element."""
    return Relu().apply(check.tensor("relu", input))
