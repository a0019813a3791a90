"""Dropout as a layer."""

from __future__ import annotations

from ..autograd import Tensor
from ..ops import check
from . import functional as F
from .module import Module

__all__ = ["Dropout"]


class Dropout(Module):
    """In training, every element becomes 0 with probability ``p`` and the others are divided by 1 - p.

    So the expected value of every element stays the same, and after ``eval()`` the layer is the identity (Srivastava et
    al. 2014).

    Args:
        inplace: accepted for PyTorch's sake; the result is a new tensor.

    Raises:
        TypeError: if p is not a number.
        ValueError: if p is not between 0 and 1.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= check.number("Dropout", p, "p") <= 1:
            raise ValueError(f"Dropout: p must be between 0 and 1, but is {p}")
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"
