"""The three sums of a convolution, as plain functions of arrays.

A convolution, its gradients and the gradients of those are all derivatives of one number,

    S(x, w, g) = sum over n, o, i, c, k of  g[n, o, i]  w[o, c, k]  x[n, c, i stride + k dilation - start],

where n counts images, o and c channels, i windows and k elements of the kernel (i and k have two components), and x is
0 outside of the image. S is linear in each of the three, so its derivative for one is made of products of the others:

    forward          dS/dg = y   (N, O, rows, columns)    the convolution of x with w
    input_gradient   dS/dx       (N, C, H, W)             every g spread over the window that it came from
    weight_gradient  dS/dw       (O, C / groups, kH, kW)  every g times its window, summed over all windows

Each is a matrix product. A row of the matrix of windows holds the kH kW C numbers that one window covers ("im2col"):

    Y = X_windows W,    dX_windows = G W^T,    dW = X_windows^T G.

That matrix is kH kW times as large as x. It is made in pieces that fit into a cache, used, and overwritten by the next;
nothing of it is kept for the backward pass. Channels come last in it, so that what is copied lies together.

Where ``kernels`` has a compiled form that does without this matrix, it is used instead. Its results have their channels
last in memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from .. import fast
from ..backend import device_of, namespace
from .windows import ALL, Windows, add_windows, padded, slid

__all__ = ["channel_sums", "forward", "input_gradient", "weight_gradient"]

# How large a piece of the matrix of windows may be: on a CPU it should stay in the cache, on a GPU each piece costs
# some launches of kernels, and large ones keep it busy. But a product of few rows is slow, so there are always some.
BYTES, BYTES_ELSEWHERE, ROWS = 2**20, 2**28, 256


def forward(x: Any, w: Any, b: Any, at: Windows, groups: int) -> Any:
    """y[n, o, i] = b[o] + sum over c, k of w[o, c, k] x[n, c, place(i, k)]; b may be None."""
    kernels = compiled(groups, w.shape[0], w.shape[1])
    if kernels is not None and (y := kernels.forward(x, w, b, at)) is not None:
        return y
    xp = namespace(x)
    images, outputs = x.shape[0], w.shape[0]
    y = xp.empty((images, groups, outputs // groups, *at.count), x.dtype)
    targets = y.transpose(1, 0, 3, 4, 2)
    matrix, scratch = kernel_matrix(w, groups), Scratch(x)
    for piece, windows in matrices(window_rows(x, at, groups), pieces(x, x.shape[1], at)):
        product = xp.matmul(windows, matrix, out=scratch((groups, windows.shape[1], outputs // groups)))
        if b is not None:
            product += b.reshape(groups, 1, outputs // groups)
        target = targets[piece]
        target[...] = product.reshape(target.shape)
    return y.reshape(images, outputs, *at.count)


def input_gradient(g: Any, w: Any, b: Any, at: Windows, groups: int) -> Any:
    """dS/dx: g[n, o, i] w[o, c, k], added up at place(i, k); plus b[c], for a transposed convolution (b may be None).

    With a stride of 1, place(i, k) = p means i = p + start - k dilation. So x[p] gets the sum of the g[i] in a window
    around p, read backwards: a convolution of g with the kernel turned round and its channels exchanged, which is the
    faster way, unless the windows of g hold many more channels than those of x.
    """
    kernels = compiled(groups, w.shape[0], w.shape[1])
    if kernels is not None and (dx := kernels.input_gradient(g, w, b, at)) is not None:
        return dx
    images, channels = g.shape[0], w.shape[1] * groups
    back = turned(at)
    if at.stride == (1, 1) and min(back.start) >= 0 and g.shape[1] <= 4 * channels:
        return forward(g, turned_kernel(w, groups), b, back, groups)
    xp = namespace(g)
    dx = xp.zeros((images, *at.padded, groups, w.shape[1]), g.dtype)
    matrix, scratch = kernel_matrix(w, groups).mT, Scratch(g)
    for piece, gradients in matrices(channels_last(g, groups), pieces(g, channels, at)):
        _, some, lines = piece
        windows = xp.matmul(gradients, matrix, out=scratch((*gradients.shape[:2], matrix.shape[2])))
        height, width = lines.stop - lines.start, at.count[1]
        windows = windows.reshape(groups, windows.shape[1] // (height * width), height, width, *at.kernel, w.shape[1])
        add_windows(dx[some, lines.start * at.stride[0] :], windows.transpose(1, 2, 3, 0, 6, 4, 5), at, 1)
    dx = dx[(ALL, *at.inside)].transpose(0, 3, 4, 1, 2)
    if b is not None:
        dx += b.reshape(groups, w.shape[1], 1, 1)
    return xp.ascontiguousarray(dx).reshape(images, channels, *at.size)


def weight_gradient(x: Any, g: Any, at: Windows, groups: int) -> Any:
    """dS/dw[o, c, k] = sum over n, i of g[n, o, i] x[n, c, place(i, k)]."""
    kernels = compiled(groups, g.shape[1], x.shape[1] // groups)
    if kernels is not None and (dw := kernels.weight_gradient(x, g, at)) is not None:
        return dw
    xp = namespace(x)
    channels, outputs = x.shape[1] // groups, g.shape[1] // groups
    dw = xp.zeros((groups, math.prod(at.kernel) * channels, outputs), x.dtype)
    gradients, scratch, product = channels_last(g, groups), Scratch(g), Scratch(dw)
    for piece, windows in matrices(window_rows(x, at, groups), pieces(x, x.shape[1], at)):
        dw += xp.matmul(windows.mT, as_rows(gradients[piece], scratch), out=product(dw.shape))
    dw = dw.reshape(groups, *at.kernel, channels, outputs).transpose(0, 4, 3, 1, 2)
    return xp.ascontiguousarray(dw).reshape(groups * outputs, channels, *at.kernel)


def in_layout(g: Any, w: Any, at: Windows, groups: int) -> Any:
    """g, or a copy of it, in the order in memory in which both gradients of a convolution read it fastest."""
    kernels = compiled(groups, w.shape[0], w.shape[1])
    return g if kernels is None else kernels.channels_last(g, g.shape[0] * w.size * math.prod(at.count))


def compiled(groups: int, outputs: int, channels: int) -> Any:
    """The compiled functions for kernels of so many outputs and channels, or None."""
    if groups == 1:
        return fast.convolution
    return fast.depthwise if groups == outputs and channels == 1 else None


def channel_sums(g: Any) -> Any:
    """sum over n, i of g[n, o, i], for each channel o.

    Where channels lie last in memory it is a product with ones: one after the other in memory come different channels,
    and adding whole rows of them is what BLAS does several times as fast as ``sum``.
    """
    images, channels, *pixels = g.shape
    last = g.transpose(0, 2, 3, 1)
    if not last.flags.c_contiguous:
        return g.sum((0, 2, 3))
    ones = namespace(g).ones((1, math.prod(pixels)), g.dtype)
    return (ones @ last.reshape(images, math.prod(pixels), channels)).sum((0, 1))


# --- the kernel --------------------------------------------------------------------------------------------------


def kernel_matrix(w: Any, groups: int) -> Any:
    """The kernel (O, C / groups, kH, kW) as one matrix a group, (groups, kH kW C / groups, O / groups)."""
    outputs, channels, height, width = w.shape
    matrix = w.reshape(groups, outputs // groups, channels, height, width).transpose(0, 3, 4, 2, 1)
    return matrix.reshape(groups, height * width * channels, outputs // groups)


def turned_kernel(w: Any, groups: int) -> Any:
    """The kernel for the way back: both of its directions turned round, outputs and inputs exchanged in each group."""
    outputs, channels, height, width = w.shape
    parts = w.reshape(groups, outputs // groups, channels, height, width)[..., ::-1, ::-1]
    return parts.swapaxes(1, 2).reshape(groups * channels, outputs // groups, height, width)


def turned(at: Windows) -> Windows:
    """The windows of the way back, for a stride of 1: one around each place of the image, over the output."""
    start = tuple(span - 1 - start for span, start in zip(at.spans, at.start))
    return Windows(at.count, at.kernel, at.stride, start, at.dilation, at.size)


# --- the matrices of windows -------------------------------------------------------------------------------------


def channels_last(x: Any, groups: int) -> Any:
    """(N, C, H, W) as (groups, N, H, W, C / groups), a view."""
    images, channels, height, width = x.shape
    return x.reshape(images, groups, channels // groups, height, width).transpose(1, 0, 3, 4, 2)


def window_rows(x: Any, at: Windows, groups: int) -> Any:
    """All windows of the images, a view (groups, N, rows, columns, kH kW C / groups in three dimensions)."""
    image = padded(channels_last(x, groups).transpose(1, 2, 3, 0, 4), at, 1)
    return slid(namespace(x).ascontiguousarray(image), at, 1).transpose(3, 0, 1, 2, 5, 6, 4)


def pieces(x: Any, channels: int, at: Windows) -> Iterator[tuple[slice, slice, slice]]:
    """Indices (all groups, some images, some lines of windows) that cut the matrix of windows into pieces.

    Args:
        x: an array of as many images as there are, to know their number, dtype and device.
        channels: of the image that the windows look at.
    """
    (height, columns), images = at.count, x.shape[0]
    size = max(channels * math.prod(at.kernel) * x.dtype.itemsize, 1)  # of a row
    room = BYTES if device_of(x).type == "cpu" else BYTES_ELSEWHERE
    lines = max(max(room // size, ROWS) // columns, 1)
    if lines < height:
        for n in range(images):
            for line in range(0, height, lines):
                yield ALL, slice(n, n + 1), slice(line, min(line + lines, height))
    else:
        together = lines // height
        for n in range(0, images, together):
            yield ALL, slice(n, n + together), slice(0, height)


def matrices(x: Any, cuts: Iterator[tuple]) -> Iterator[tuple[tuple, Any]]:
    """Each piece of x (groups, N, rows, columns, ...) as one matrix a group, with a row for each of (N, rows, columns).

    A matrix is valid until the next one is asked for.
    """
    scratch = Scratch(x)
    for piece in cuts:
        yield piece, as_rows(x[piece], scratch)


def as_rows(part: Any, scratch: Scratch) -> Any:
    """(groups, a, b, c, ...) as (groups, a b c, ...): itself where it lies in memory like that, otherwise a copy."""
    shape = part.shape
    if not part.flags.c_contiguous:
        copy = scratch(shape)
        copy[...] = part
        part = copy
    return part.reshape(shape[0], math.prod(shape[1:4]), math.prod(shape[4:]))


class Scratch:
    """Memory that is used again and again: the first use of fresh memory costs more than all that is computed in it."""

    def __init__(self, like: Any) -> None:
        self.memory = namespace(like).empty(0, like.dtype)

    def __call__(self, shape: tuple[int, ...]) -> Any:
        size = math.prod(shape)
        if self.memory.size < size:
            self.memory = namespace(self.memory).empty(size, self.memory.dtype)
        return self.memory[:size].reshape(shape)
