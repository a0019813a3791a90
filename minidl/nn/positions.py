"""Positions: what tells a Transformer, which has no sense of order, where in the sequence a vector stands."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Tensor
from ..ops import check
from .init import empty, fill
from .module import Module

__all__ = ["SinusoidalPositions"]


class SinusoidalPositions(Module):
    """x_pos + P_pos, where each pair of features of P turns with the position at a speed of its own::

        P[pos, 2i]     = sin(pos / 10000^(2i/d))
        P[pos, 2i + 1] = cos(pos / 10000^(2i/d))

    (D4-3.3-a, which the document leaves out; Vaswani et al. 2017). With w = 1 / 10000^(2i/d), a step of k positions
    turns the pair (sin(w pos), cos(w pos)) by the angle w k, wherever it is taken: a linear map, the same for all
    positions, so that attention can learn to look k places back. Wavelengths reach from 2 pi to nearly 10000 2 pi.

    Shapes: x (n, B, d_model), or (B, n, d_model) if batch_first, or (n, d_model); the result as x.

    Args:
        d_model: the width of every position.
        max_len: the largest length of a sequence.
        batch_first: whether the batch is the first dimension.

    Attributes:
        table: P, (max_len, d_model); it follows from the formula and is not part of the state_dict.

    Raises:
        TypeError: if a size is no integer; from forward, if x is not floating point or of another dtype than the table.
        ValueError: if a size is not positive; from forward, if x has a wrong shape or is longer than the table.
    """

    table: Tensor

    def __init__(
        self,
        d_model: int,
        max_len: int = 5000,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.d_model = check.positive("SinusoidalPositions", d_model, "d_model")
        self.max_len = check.positive("SinusoidalPositions", max_len, "max_len")
        self.batch_first = batch_first
        table = empty("SinusoidalPositions", (max_len, d_model), device, dtype)
        self.register_buffer("table", fill("SinusoidalPositions", table, sinusoids(max_len, d_model)), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        check.floating("SinusoidalPositions", x, "x")
        if x.ndim not in (2, 3) or x.shape[-1] != self.d_model:
            raise ValueError(
                f"SinusoidalPositions: x must have 2 or 3 dimensions, the last of length d_model {self.d_model}, not "
                f"shape {x.shape}"
            )
        if x.dtype != self.table.dtype:
            raise TypeError(f"SinusoidalPositions: x is {x.dtype} but the table is {self.table.dtype}")
        places = 1 if self.batch_first and x.ndim == 3 else 0
        length = x.shape[places]
        if length > self.max_len:
            raise ValueError(f"SinusoidalPositions: x has length {length} but max_len is {self.max_len} (x {x.shape})")
        p = self.table[:length]
        return x + (p.unsqueeze(1) if x.ndim == 3 and not places else p)

    def extra_repr(self) -> str:
        return f"{self.d_model}, max_len={self.max_len}, batch_first={self.batch_first}"


def sinusoids(length: int, width: int) -> np.ndarray:
    """P in float64; an odd width ends with a sine that has no cosine."""
    feature = np.arange(width)
    angle = np.arange(length)[:, None] / 10000.0 ** (2 * (feature // 2) / width)
    return np.where(feature % 2 == 0, np.sin(angle), np.cos(angle))
