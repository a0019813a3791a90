"""Pooling as layers. They hold no parameters; what they compute stands with the operations that are called here."""

from __future__ import annotations

from collections.abc import Sequence

from ..autograd import Tensor
from . import functional as F
from .module import Module

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "MaxPool1d",
    "MaxPool2d",
]

Size = int | tuple[int, ...]
Sizes = int | None | Sequence[int | None]


class MaxPool(Module):
    """What ``MaxPool1d`` and ``MaxPool2d`` share."""

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def settings(self) -> tuple:
        """What the operation takes after the input."""
        return self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(MaxPool):
    """The largest element of each window: (N, C, L) to (N, C, L'), or without N. See ``F.max_pool1d``."""

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return F.max_pool1d(input, *self.settings())


class MaxPool2d(MaxPool):
    """The largest element of each window: (N, C, H, W) to (N, C, H', W'), or without N. See ``F.max_pool2d``."""

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return F.max_pool2d(input, *self.settings())


class AvgPool(Module):
    """What ``AvgPool1d`` and ``AvgPool2d`` share."""

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def settings(self) -> tuple[Size, Size, Size, bool, bool]:
        """What the operation takes after the input."""
        return self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(AvgPool):
    """The mean of each window: (N, C, L) to (N, C, L'), or without N. See ``F.avg_pool1d``."""

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        stride = None if stride is None else as_tuple(stride)
        super().__init__(as_tuple(kernel_size), stride, as_tuple(padding), ceil_mode, count_include_pad)

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(input, *self.settings())


class AvgPool2d(AvgPool):
    """The mean of each window: (N, C, H, W) to (N, C, H', W'), or without N. See ``F.avg_pool2d``."""

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool2d(input, *self.settings(), self.divisor_override)


class AdaptivePool(Module):
    """What all four adaptive layers share."""

    def __init__(self, output_size: Sizes) -> None:
        super().__init__()
        self.output_size = output_size

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(AdaptivePool):
    """The means of ``output_size`` windows: (N, C, L) to (N, C, O), or without N. See ``F.adaptive_avg_pool1d``."""

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(AdaptivePool):
    """The means of ``output_size`` windows: (N, C, H, W) to (N, C, *O), or without N. See ``F.adaptive_avg_pool2d``."""

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveMaxPool(AdaptivePool):
    """What ``AdaptiveMaxPool1d`` and ``AdaptiveMaxPool2d`` share."""

    def __init__(self, output_size: Sizes, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices


class AdaptiveMaxPool1d(AdaptiveMaxPool):
    """The largest elements of ``output_size`` windows: (N, C, L) to (N, C, O). See ``F.adaptive_max_pool1d``."""

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(AdaptiveMaxPool):
    """The largest elements of ``output_size`` windows: (N, C, H, W) to (N, C, *O). See ``F.adaptive_max_pool2d``."""

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)


def as_tuple(value: Size) -> tuple[int, ...]:
    """One number as a tuple, as PyTorch keeps and prints the settings of ``AvgPool1d``."""
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)
