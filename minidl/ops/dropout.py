"""Dropout: noise that keeps units from relying on one another."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Function, Tensor
from ..backend import as_array, device_of, to_device
from ..random import default_generator
from . import check
from .piecewise import gate

__all__ = ["dropout"]


class Dropout(Function):
    """y_i = k_i x_i / (1 - p), where each k_i is 0 with probability p and 1 otherwise; dL/dx_i = k_i g_i / (1 - p).

    Dividing by 1 - p in training ("inverted" dropout) keeps the expected value of y at x, so that nothing is left to
    do in evaluation. The k come from one draw of the default generator (Srivastava et al., 2014).
    """

    def __init__(self, p: float) -> None:
        self.p = p
        self.scale = 1 / (1 - p) if p < 1 else 0.0

    def forward(self, x: Any) -> Any:
        drawn = default_generator.next().random(x.shape, np.float32)  # never 1, so that p = 1 drops everything
        kept = to_device(as_array(drawn >= self.p), device_of(x))
        self.saved = (kept,)
        return gate(x, kept) * self.scale

    def backward(self, g: Any) -> Any:
        (kept,) = self.saved
        return gate(g, kept) * self.scale


def dropout(input: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Each element is set to 0 with probability p, the others are divided by 1 - p.

    Outside training, and with p = 0, the input itself is returned.

    Raises:
        TypeError: if elements are to be dropped from a tensor that is not floating point.
        ValueError: if p is not between 0 and 1.
    """
    check.tensor("dropout", input)
    if not 0 <= check.number("dropout", p, "p") <= 1:
        raise ValueError(f"dropout: p is a probability and must lie between 0 and 1, not {p}")
    if not training or p == 0:
        return input
    return Dropout(p).apply(check.floating("dropout", input))
