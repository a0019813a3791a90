"""Activation functions as layers."""

from __future__ import annotations

from ..autograd import Tensor
from . import functional as F
from .module import Module

__all__ = ["ReLU"]


class ReLU(Module):
    """max(0, x), element by element (D1-2.1.2-c)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input)
