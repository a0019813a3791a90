"""Convolutions and transposed convolutions as layers, and the windows that they look through."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..autograd import Tensor
from ..ops import check
from ..ops.windows import numbers
from . import functional as F
from . import init
from .init import empty
from .module import Module
from .parameter import Parameter

__all__ = ["Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d", "Fold", "Unfold"]

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class Convolution(Module):
    """What the convolution layers share: settings, parameters, how they start, and the printed form."""

    dimensions: int  # besides batch and channels
    transposed = False
    bias: Parameter | None
    padding: Any  # numbers, or one of the names "same" and "valid"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        output_padding: Any,
        dilation: Any,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        name, n = type(self).__name__, self.dimensions
        self.in_channels = check.integer(name, in_channels, "in_channels")
        self.out_channels = check.integer(name, out_channels, "out_channels")
        self.kernel_size = numbers(name, "kernel_size", kernel_size, n, 1)
        self.stride = numbers(name, "stride", stride, n, 1)
        self.padding = padding if isinstance(padding, str) else numbers(name, "padding", padding, n, 0)
        self.dilation = numbers(name, "dilation", dilation, n, 1)
        self.output_padding = numbers(name, "output_padding", output_padding, n, 0)
        self.groups = check.integer(name, groups, "groups")
        self.padding_mode = padding_mode
        self.check_settings(name)
        first, second = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        shape = (first, second // groups, *self.kernel_size)
        self.weight = Parameter(empty(name, shape, device, dtype))
        self.register_parameter("bias", Parameter(empty(name, (out_channels,), device, dtype)) if bias else None)
        self.reset_parameters()

    def check_settings(self, name: str) -> None:
        if self.groups < 1:
            raise ValueError(f"{name}: groups must be at least 1, not {self.groups}")
        for channels in ("in_channels", "out_channels"):
            number = getattr(self, channels)
            if number < 1:
                raise ValueError(f"{name}: {channels} must be at least 1, not {number}")
            if number % self.groups:
                raise ValueError(f"{name}: {channels} is {number}, which {self.groups} groups do not divide")
        if isinstance(self.padding, str):
            if self.transposed:
                raise TypeError(f"{name}: padding must be numbers, not {self.padding!r}")
            if self.padding not in ("same", "valid"):
                raise ValueError(f"{name}: padding must be numbers, 'same' or 'valid', not {self.padding!r}")
            if self.padding == "same" and any(s != 1 for s in self.stride):
                raise ValueError(f"{name}: padding='same' needs a stride of 1, not {self.stride}")
        modes = PADDING_MODES[:1] if self.transposed else PADDING_MODES
        if self.padding_mode not in modes:
            raise ValueError(f"{name}: padding_mode must be {' or '.join(map(repr, modes))}, not {self.padding_mode!r}")

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            k = 1 / math.sqrt(math.prod(self.weight.shape[1:]))
            init.uniform_(self.bias, -k, k)

    def extra_repr(self) -> str:
        zeros, ones = (0,) * self.dimensions, (1,) * self.dimensions
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        parts += [f"padding={self.padding}"] * (self.padding != zeros)
        parts += [f"dilation={self.dilation}"] * (self.dilation != ones)
        parts += [f"output_padding={self.output_padding}"] * (self.output_padding != zeros)
        parts += [f"groups={self.groups}"] * (self.groups != 1)
        parts += ["bias=False"] * (self.bias is None)
        parts += [f"padding_mode={self.padding_mode}"] * (self.padding_mode != "zeros")
        return ", ".join(parts)


class ForwardConvolution(Convolution):
    """A layer that calls ``conv1d`` or ``conv2d``."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        settings = (kernel_size, stride, padding, 0, dilation, groups, bias, padding_mode)
        super().__init__(in_channels, out_channels, *settings, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        convolve, padding = (F.conv1d, F.conv2d)[self.dimensions - 1], self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self.widths(), self.padding_mode), 0
        return convolve(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def widths(self) -> list[int]:
        """The padding as ``F.pad`` counts it: the last dimension first, (before, after) of each."""
        if isinstance(self.padding, str):
            share = 1 if self.padding == "same" else 0
            totals = [share * d * (k - 1) for d, k in zip(self.dilation, self.kernel_size)]
        else:
            totals = [2 * p for p in self.padding]
        return [width for total in reversed(totals) for width in (total // 2, total - total // 2)]


class Conv1d(ForwardConvolution):
    """``Conv2d`` for signals: (N, in_channels, L) or (in_channels, L) become (N, out_channels, windows)."""

    dimensions = 1


class Conv2d(ForwardConvolution):
    """A convolution of images: every output channel is the sum over the input channels, each with a kernel of its own.

    y[n, o, i] = b[o] + sum over c, k of W[o, c, k] x[n, c, i stride + k dilation - padding].

    Shapes: x (N, in_channels, H, W) or without N; W (out_channels, in_channels / groups, kH, kW); b (out_channels,);
    y (N, out_channels, rows, columns), rows = floor((H + 2 padding - dilation (kH - 1) - 1) / stride) + 1.

    W and b start uniform in (-k, k) with k = 1 / sqrt(fan_in), fan_in = kH kW in_channels / groups.

    Args:
        kernel_size, stride, padding, dilation: a number or a pair (height, width); padding also "same" or "valid".
        groups: the channels are divided into so many parts, which are convolved separately.
        bias: False leaves b out.
        padding_mode: what stands around the image: "zeros", or the image "reflect"-ed, "replicate"-d or "circular".

    Raises:
        TypeError, ValueError: if a setting is of the wrong kind, too small, or does not fit the others.
    """

    dimensions = 2


class ConvolutionTranspose(Convolution):
    """A layer that calls ``conv_transpose1d`` or ``conv_transpose2d``."""

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        settings = (kernel_size, stride, padding, output_padding, dilation, groups, bias, padding_mode)
        super().__init__(in_channels, out_channels, *settings, device, dtype)

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        convolve = (F.conv_transpose1d, F.conv_transpose2d)[self.dimensions - 1]
        extra = self.output_padding if output_size is None else self.extra_for(input, output_size)
        settings = (self.stride, self.padding, extra, self.groups, self.dilation)
        return convolve(input, self.weight, self.bias, *settings)

    def extra_for(self, input: Tensor, output_size: Sequence[int]) -> tuple[int, ...]:
        """The output_padding that leads to ``output_size``, given as the last dimensions of the result."""
        wanted = tuple(output_size)[-self.dimensions :]
        each = zip(input.shape[-self.dimensions :], self.stride, self.padding, self.dilation, self.kernel_size)
        least = tuple((n - 1) * s - 2 * p + d * (k - 1) + 1 for n, s, p, d, k in each)
        most = tuple(n + s - 1 for n, s in zip(least, self.stride))
        if len(wanted) != self.dimensions or any(not a <= n <= b for a, n, b in zip(least, wanted, most)):
            raise ValueError(
                f"{type(self).__name__}: output_size {tuple(output_size)} does not lie between {least} and {most} "
                f"(input {input.shape})"
            )
        return tuple(n - a for n, a in zip(wanted, least))


class ConvTranspose1d(ConvolutionTranspose):
    """``ConvTranspose2d`` for signals: (N, in_channels, L) or (in_channels, L) become (N, out_channels, length)."""

    dimensions = 1


class ConvTranspose2d(ConvolutionTranspose):
    """A transposed convolution: every input element lays the kernel, times itself, over a window of the result.

    The layer that undoes the shapes of a ``Conv2d`` with the same settings; with a stride it makes images larger.

    Shapes: x (N, in_channels, H, W) or without N; W (in_channels, out_channels / groups, kH, kW); b (out_channels,);
    y (N, out_channels, height, width), height = (H - 1) stride - 2 padding + dilation (kH - 1) + 1 + output_padding.

    W and b start uniform in (-k, k) with k = 1 / sqrt(kH kW out_channels / groups).

    Args:
        padding: how much is cut off on either side of the result.
        output_padding: how much larger the result is at its end; a call may say ``output_size`` instead.
        kernel_size, stride, dilation, groups, bias: as in ``Conv2d``.
        padding_mode: "zeros" is the only one.

    Raises:
        TypeError, ValueError: as ``Conv2d``; ValueError if the size asked for cannot come out.
    """

    dimensions = 2


class Unfold(Module):
    """The windows of images as columns: (N, C, H, W) becomes (N, C kH kW, number of windows)."""

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> None:
        super().__init__()
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        names = ("kernel_size", "dilation", "padding", "stride")
        return ", ".join(f"{name}={getattr(self, name)}" for name in names)


class Fold(Module):
    """Columns added up to images, each element at the place that its window covers: the transpose of ``Unfold``."""

    def __init__(
        self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__()
        self.output_size, self.kernel_size = output_size, kernel_size
        self.dilation, self.padding, self.stride = dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        names = ("output_size", "kernel_size", "dilation", "padding", "stride")
        return ", ".join(f"{name}={getattr(self, name)}" for name in names)
