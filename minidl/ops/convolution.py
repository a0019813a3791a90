"""Convolutions and transposed convolutions of signals and images.

A convolution slides a kernel over the image and takes at every place the inner product of the kernel with the window
below it. Strictly speaking that is a correlation: mathematicians turn the kernel round first. Since the kernel is
learned, it makes no difference.

The three Functions here are the three first derivatives of the trilinear form S(x, w, g) of ``correlation.py``, one for
each argument. A derivative of one of them is therefore one of the two others, and so on without end: this file holds
gradients of every order.
"""

from __future__ import annotations

from typing import Any

from ..autograd import Function, Tensor
from . import check, correlation
from .linalg import one_dtype
from .vocabulary import m
from .windows import Windows, count_of, numbers

__all__ = ["conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d"]


class Convolution(Function):
    """y[n, o, i] = b[o] + sum over c, k of w[o, c, k] x[n, c, p(i, k)],  p(i, k) = i stride + k dilation - start.

    Apart from b this is dS/dg, so that dL/dx = dS/dx and dL/dw = dS/dw at (x, w, g) with the incoming g = dL/dy:

        dL/dx[n, c, p] = sum over o and all (i, k) with p(i, k) = p of g[n, o, i] w[o, c, k]     (TransposedConvolution)
        dL/dw[o, c, k] = sum over n, i of g[n, o, i] x[n, c, p(i, k)]                            (KernelGradient)
        dL/db[o] = sum over n, i of g[n, o, i]

    The first says that g, with stride - 1 zeros after each of its elements, is convolved with the kernel turned round;
    the second that x is correlated with g as if g were a kernel.
    """

    def __init__(self, at: Windows, groups: int) -> None:
        self.at, self.groups = at, groups

    def forward(self, x: Any, w: Any, b: Any) -> Any:
        self.saved = x, w
        return correlation.forward(x, w, b, self.at, self.groups)

    def backward(self, g: Any) -> Any:
        x, w = self.saved
        if self.needs_grad(0) and self.needs_grad(1):
            g = m.apply(InLayout(self.at, self.groups), g, w)
        return (
            m.apply(TransposedConvolution(self.at, self.groups), g, w, None) if self.needs_grad(0) else None,
            m.apply(KernelGradient(self.at, self.groups), x, g) if self.needs_grad(1) else None,
            m.apply(ChannelSums(), g) if self.needs_grad(2) else None,
        )


class TransposedConvolution(Function):
    """y[n, c, p] = b[c] + sum over o and all (i, k) with p(i, k) = p of x[n, o, i] w[o, c, k]: every x[i] laid out over
    its window, times the kernel. It is ``Convolution`` as a matrix, transposed.

    Apart from b this is dS/dx with x in the place of g. With the incoming g = dL/dy in the place of x, therefore:

        dL/dx[n, o, i] = sum over c, k of w[o, c, k] g[n, c, p(i, k)]     (Convolution)
        dL/dw[o, c, k] = sum over n, i of x[n, o, i] g[n, c, p(i, k)]     (KernelGradient)
        dL/db[c] = sum over n, p of g[n, c, p]
    """

    def __init__(self, at: Windows, groups: int) -> None:
        self.at, self.groups = at, groups

    def forward(self, x: Any, w: Any, b: Any) -> Any:
        self.saved = x, w
        return correlation.input_gradient(x, w, b, self.at, self.groups)

    def backward(self, g: Any) -> Any:
        x, w = self.saved
        return (
            m.apply(Convolution(self.at, self.groups), g, w, None) if self.needs_grad(0) else None,
            m.apply(KernelGradient(self.at, self.groups), g, x) if self.needs_grad(1) else None,
            m.apply(ChannelSums(), g) if self.needs_grad(2) else None,
        )


class KernelGradient(Function):
    """y[o, c, k] = sum over n, i of z[n, o, i] x[n, c, p(i, k)]: dS/dw, with z in the place of g.

    With the incoming g = dL/dy in the place of w, dL/dx is dS/dx (TransposedConvolution of z) and dL/dz is dS/dg
    (Convolution of x), both with the kernel g.
    """

    def __init__(self, at: Windows, groups: int) -> None:
        self.at, self.groups = at, groups

    def forward(self, x: Any, z: Any) -> Any:
        self.saved = x, z
        return correlation.weight_gradient(x, z, self.at, self.groups)

    def backward(self, g: Any) -> Any:
        x, z = self.saved
        return (
            m.apply(TransposedConvolution(self.at, self.groups), z, g, None) if self.needs_grad(0) else None,
            m.apply(Convolution(self.at, self.groups), x, g, None) if self.needs_grad(1) else None,
        )


class InLayout(Function):
    """y = x, in the order in memory that the convolutions with these windows and groups want; dL/dx = g.

    Three sums go over the gradient of a convolution; this changes its layout once for all of them.
    """

    def __init__(self, at: Windows, groups: int) -> None:
        self.at, self.groups = at, groups

    def forward(self, x: Any, w: Any) -> Any:
        y = correlation.in_layout(x, w, self.at, self.groups)
        self.is_view = y is x
        return y

    def backward(self, g: Any) -> Any:
        return g, None


class ChannelSums(Function):
    """y[o] = sum over n, i of x[n, o, i], the gradient of a bias; each counts once, so that dL/dx[n, o, i] = g[o]."""

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        return correlation.channel_sums(x)

    def backward(self, g: Any) -> Any:
        return m.broadcast_to(g.reshape(-1, 1, 1), self.shape)


# --- operations --------------------------------------------------------------------------------------------------


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """``conv2d`` of signals: input (N, C, L) or (C, L), weight (O, C / groups, k), result (N, O, windows)."""
    return convolve("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """y[n, o, i] = bias[o] + sum over c, k of weight[o, c, k] input[n, c, i stride + k dilation - padding].

    Shapes: input (N, C, H, W), or (C, H, W) without a batch; weight (O, C / groups, kH, kW); bias (O,); result
    (N, O, rows, columns) with rows = floor((H + 2 padding - dilation (kH - 1) - 1) / stride) + 1, and columns alike.

    Args:
        stride: how far the kernel moves from one window to the next; like the next two a number or a pair (height,
            width).
        padding: how many zeros stand on either side of the image; "same" for as many as keep its size (where their
            number is odd, the one more comes last), "valid" for none.
        dilation: how far the elements of the kernel lie apart.
        groups: into how many parts the channels are divided, with kernels of their own; outputs of one part see nothing
            of the others. With groups = C every channel is convolved by itself ("depthwise").

    Raises:
        TypeError: if the dtypes differ or are not floating point, or a setting is not made of integers.
        ValueError: if the shapes do not fit each other or the groups, a setting is too small, or the kernel is larger
            than the padded image.
    """
    return convolve("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """``conv_transpose2d`` of signals: input (N, C, L) or (C, L), weight (C, O / groups, k), result (N, O, length)."""
    return convolve_transposed(
        "conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Every input element laid out over a window of the result, times the kernel; where windows meet, the sum.

    It undoes the shapes (not the values) of ``conv2d`` with the same weight and settings, and is the gradient of that
    with respect to its input.

    Shapes: input (N, C, H, W) or (C, H, W); weight (C, O / groups, kH, kW); bias (O,); result (N, O, height, width)
    with height = (H - 1) stride - 2 padding + dilation (kH - 1) + 1 + output_padding, and width alike.

    Args:
        padding: how much is cut off on either side of the result.
        output_padding: how many rows and columns the result has more at its end: a convolution with a stride maps
            several sizes to one, and this tells which of them is meant.
        stride, groups, dilation: as in ``conv2d``.

    Raises:
        TypeError, ValueError: as ``conv2d``; ValueError also if output_padding reaches both stride and dilation, or
            nothing is left of the result.
    """
    return convolve_transposed(
        "conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


def convolve(
    operation: str,
    n: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Tensor:
    """A convolution with n dimensions besides batch and channels."""
    x, w = input, weight
    groups = check_operands(operation, n, x, w, bias, groups)
    size, kernel = x.shape[-n:], w.shape[2:]
    stride = numbers(operation, "stride", stride, n, 1)
    dilation = numbers(operation, "dilation", dilation, n, 1)
    if isinstance(padding, str):
        start, count = named_padding(operation, padding, size, kernel, stride, dilation)
    else:
        start = numbers(operation, "padding", padding, n, 0)
        count = count_of(size, kernel, stride, start, dilation)
    at = Windows(size, kernel, stride, start, dilation, count)
    if min(count) < 1:
        around = tuple(length + 2 * p for length, p in zip(size, start))
        raise ValueError(
            f"{operation}: the kernel spans {at.spans} places, but the padded input has only {around} "
            f"(input {x.shape}, weight {w.shape})"
        )
    return as_images(Convolution, n, x, w, bias, at, groups)


def named_padding(
    operation: str,
    padding: str,
    size: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What padding "same" and "valid" mean: the padding in front, and the number of windows."""
    if padding not in ("same", "valid"):
        raise ValueError(f"{operation}: padding must be numbers, 'same' or 'valid', not {padding!r}")
    if padding == "valid":
        none = (0,) * len(size)
        return none, count_of(size, kernel, stride, none, dilation)
    if any(s != 1 for s in stride):
        raise ValueError(f"{operation}: padding='same' needs a stride of 1, not {stride}")
    return tuple(d * (k - 1) // 2 for d, k in zip(dilation, kernel)), size


def convolve_transposed(
    operation: str,
    n: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Tensor:
    """A transposed convolution with n dimensions besides batch and channels."""
    x, w = input, weight
    groups = check_operands(operation, n, x, w, bias, groups, transposed=True)
    count, kernel = x.shape[-n:], w.shape[2:]
    stride = numbers(operation, "stride", stride, n, 1)
    dilation = numbers(operation, "dilation", dilation, n, 1)
    cut = numbers(operation, "padding", padding, n, 0)
    extra = numbers(operation, "output_padding", output_padding, n, 0)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation)):
        raise ValueError(
            f"{operation}: output_padding {extra} must be smaller than stride {stride} or dilation {dilation}"
        )
    each = zip(count, kernel, stride, dilation, cut, extra)
    size = tuple((i - 1) * s - 2 * p + d * (k - 1) + 1 + e for i, k, s, d, p, e in each)
    if min(size) < 1 or min(count) < 1:
        raise ValueError(
            f"{operation}: nothing is left of the result, its size would be {size} (input {x.shape}, weight {w.shape})"
        )
    return as_images(TransposedConvolution, n, x, w, bias, Windows(size, kernel, stride, cut, dilation, count), groups)


# --- what they share ---------------------------------------------------------------------------------------------


def check_operands(operation: str, n: int, x: Any, w: Any, b: Any, groups: Any, transposed: bool = False) -> int:
    """Check what input x, weight w, bias b and groups are, and how their lengths fit; returns ``groups``."""
    if b is None:
        one_dtype(operation, input=x, weight=w)
    else:
        one_dtype(operation, input=x, weight=w, bias=b)
    check.floating(operation, x)
    if x.ndim not in (n + 1, n + 2):
        places = ("L", "H, W")[n - 1]
        raise ValueError(f"{operation}: input must be (N, C, {places}) or (C, {places}), not of shape {x.shape}")
    if w.ndim != n + 2:
        channels = "in_channels, out_channels / groups" if transposed else "out_channels, in_channels / groups"
        places = ("k", "kH, kW")[n - 1]
        raise ValueError(f"{operation}: weight must be ({channels}, {places}), not of shape {w.shape}")
    if not w.shape[0] or 0 in w.shape[2:]:
        raise ValueError(f"{operation}: weight {w.shape} has no kernel")
    count = check.integer(operation, groups, "groups")
    if count < 1:
        raise ValueError(f"{operation}: groups must be at least 1, not {count}")
    check_channels(operation, x, x.shape[-n - 1], w, b, count, transposed)
    if 0 in x.shape[-n:]:
        raise ValueError(f"{operation}: input {x.shape} has no {'pixels' if n == 2 else 'places'}")
    return count


def check_channels(
    operation: str, x: Tensor, channels: int, w: Tensor, b: Tensor | None, groups: int, transposed: bool
) -> None:
    """Input x has the channels that weight w expects, groups divide w's first dimension, and bias b fits the result.

    A weight is (out, in / groups, ...) for a convolution and (in, out / groups, ...) for a transposed one.
    """
    first, second = w.shape[0], w.shape[1] * groups
    if transposed:
        expected, outputs, explained = first, second, ""
        divided = f"input has {first} channels", f"input {x.shape}"
    else:
        expected, outputs, explained = second, first, f" = {w.shape[1]} for each of {groups} groups"
        divided = f"weight has {first} output channels", f"weight {w.shape}"
    if channels != expected:
        raise ValueError(
            f"{operation}: input has {channels} channels but weight expects {expected}{explained} "
            f"(input {x.shape}, weight {w.shape})"
        )
    if first % groups:
        raise ValueError(f"{operation}: {divided[0]}, which {groups} groups do not divide ({divided[1]})")
    if b is not None and b.shape != (outputs,):
        raise ValueError(
            f"{operation}: bias has shape {b.shape} but there are {outputs} output channels (weight {w.shape})"
        )


def as_images(function: type, n: int, x: Tensor, w: Tensor, b: Tensor | None, at: Windows, groups: int) -> Tensor:
    """Apply one of the two Functions to a batch of images: a signal counts as an image of height 1."""
    batch, places = x.shape[: -n - 1], (1,) * (2 - n)
    if n == 1:
        at = Windows(*((least, *field) for least, field in zip((1, 1, 1, 0, 1, 1), vars(at).values())))
        w = w.reshape(*w.shape[:2], 1, w.shape[2])
    if n == 1 or not batch:
        x = x.reshape(*(batch or (1,)), x.shape[-n - 1], *places, *x.shape[-n:])
    y = function(at, groups).apply(x, w, b)
    return y if n == 2 and batch else y.reshape(*batch, y.shape[1], *y.shape[4 - n :])
