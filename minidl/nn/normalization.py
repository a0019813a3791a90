"""Normalisation as layers: the operations with their scale, their shift and, over the batch, running statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..backend import int64, placed
from . import functional as F
from . import init
from .init import empty
from .module import Module
from .parameter import Parameter

__all__ = ["BatchNorm1d", "BatchNorm2d", "GroupNorm", "LayerNorm", "RMSNorm"]


class Scaled(Module):
    """A layer with a weight that starts at 1 and a bias that starts at 0, each of which may be left out."""

    weight: Parameter | None
    bias: Parameter | None

    def add_scale(self, shape: tuple[int, ...], device: Any, dtype: Any, **wanted: bool) -> None:
        """Register the parameters that are named; one that is not wanted is None."""
        for name, is_wanted in wanted.items():
            tensor = Parameter(empty(type(self).__name__, shape, device, dtype)) if is_wanted else None
            self.register_parameter(name, tensor)

    def reset_parameters(self) -> None:
        """The initial values again: weight 1, bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        bias = getattr(self, "bias", None)  # RMSNorm has no such attribute
        if bias is not None:
            init.zeros_(bias)


class BatchNorm(Scaled):
    """What ``BatchNorm1d`` and ``BatchNorm2d`` share."""

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    ranks: tuple[int, ...]  # how many dimensions the input may have

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-05,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self.add_scale((num_features,), device, dtype, weight=affine, bias=affine and bias)
        for name in ("running_mean", "running_var"):
            statistic = empty(type(self).__name__, (num_features,), device, dtype) if track_running_stats else None
            self.register_buffer(name, statistic)
        count = Tensor(placed(np.zeros((), int64), device)) if track_running_stats else None
        self.register_buffer("num_batches_tracked", count)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """The running statistics as they were in the beginning: mean 0, variance 1, no batches."""
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """The initial values and statistics again."""
        self.reset_running_stats()
        super().reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        name = type(self).__name__
        if isinstance(input, Tensor) and input.ndim not in self.ranks:
            wanted = " or ".join(map(str, self.ranks))
            raise ValueError(f"{name}: input must have {wanted} dimensions, not shape {input.shape}")
        count = self.num_batches_tracked if self.training else None
        momentum = self.momentum
        if momentum is None:  # the mean of all batches: this one counts as one of n + 1
            momentum = 0.0 if count is None else 1 / (count.item() + 1)
        mean, var = self.running_mean, self.running_var
        training = self.training or mean is None
        if self.training and not self.track_running_stats:
            mean = var = None
        y = F.batch_norm(input, mean, var, self.weight, self.bias, training, momentum, self.eps)
        if count is not None and self.track_running_stats:
            count.add_(1)
        return y

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(BatchNorm):
    """Batch normalisation of (N, C) or (N, C, L): each of the C channels to mean 0 and variance 1 over N and L.

    In training mean and variance are those of the batch, and running ones follow them; after ``eval()`` the running
    ones are used. See ``F.batch_norm``.

    Args:
        num_features: C.
        momentum: the share of the new batch in the running statistics; None makes them the means of all batches.
        affine: whether there are a weight and a bias, one number a channel each.
        track_running_stats: False keeps no statistics, and those of the batch are used after ``eval()`` too.
        bias: False leaves out the bias alone.
    """

    ranks = (2, 3)


class BatchNorm2d(BatchNorm):
    """Batch normalisation of images (N, C, H, W), over N, H and W; all else as ``BatchNorm1d``."""

    ranks = (4,)


class LayerNorm(Scaled):
    """Layer normalisation: each sample to mean 0 and variance 1 over its last dimensions. See ``F.layer_norm``.

    Args:
        normalized_shape: the lengths of these dimensions; one number stands for the last one alone.
        elementwise_affine: whether there are a weight and a bias, one number a place each.
        bias: False leaves out the bias alone.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-05,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = as_shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.add_scale(
            self.normalized_shape, device, dtype, weight=elementwise_affine, bias=elementwise_affine and bias
        )
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Scaled):
    """Each sample divided by the root of the mean of its squares over its last dimensions. See ``F.rms_norm``.

    Args:
        normalized_shape: the lengths of these dimensions; one number stands for the last one alone.
        eps: None takes the distance from 1 to the next number of the input's dtype.
        elementwise_affine: whether there is a weight, one number a place.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = as_shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.add_scale(self.normalized_shape, device, dtype, weight=elementwise_affine)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(Scaled):
    """Group normalisation: groups of channels of each sample of (N, C, ...) to mean 0 and variance 1.

    See ``F.group_norm``.

    Args:
        num_groups: how many groups of neighbouring channels; must divide ``num_channels``.
        num_channels: C.
        affine: whether there are a weight and a bias, one number a channel each.
        bias: False leaves out the bias alone.
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-05,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(f"GroupNorm: num_groups {num_groups} does not divide num_channels {num_channels}")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self.add_scale((num_channels,), device, dtype, weight=affine, bias=affine and bias)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


def as_shape(lengths: int | Sequence[int]) -> tuple[int, ...]:
    """One length or several, as a shape."""
    return (lengths,) if isinstance(lengths, int) else tuple(lengths)
