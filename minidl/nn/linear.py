"""Linear maps as layers."""

from __future__ import annotations

import math
from typing import Any

from ..autograd import Tensor
from . import functional as F
from . import init
from .init import empty
from .module import Module
from .parameter import Parameter

__all__ = ["Identity", "Linear"]


class Identity(Module):
    """Returns its input; accepts and ignores any arguments, so that it can stand for another layer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input


class Linear(Module):
    """y = x W^T + b: every output is a weighted sum of all inputs plus a bias (D1-2.1.2-a).

    Shapes: x (..., in_features), weight W (out_features, in_features), bias b (out_features,), y (..., out_features).

    W and b start uniform in (-k, k) with k = 1 / sqrt(in_features). For W that is Kaiming's uniform initialisation with
    slope a = sqrt(5), whose bound is sqrt(6 / ((1 + a^2) in_features)).

    Args:
        bias: False leaves b out.
    """

    bias: Parameter | None

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(empty("Linear", (out_features, in_features), device, dtype))
        self.register_parameter("bias", Parameter(empty("Linear", (out_features,), device, dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            k = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -k, k)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
