"""Convolution with a kernel of 3 x 3 and less than half of the multiplications: Winograd's F(2 x 2, 3 x 3).

**One dimension.** Two neighbouring results of a kernel (w0, w1, w2) over four pixels,

    y0 = x0 w0 + x1 w1 + x2 w2        y1 = x1 w0 + x2 w1 + x3 w2,

are six products. These four are enough::

    m0 = (x0 - x2) w0                 m1 = (x1 + x2) (w0 + w1 + w2) / 2
    m3 = (x3 - x1) w2                 m2 = (x2 - x1) (w0 - w1 + w2) / 2

for m1 + m2 = x1 w1 + x2 (w0 + w2) and m1 - m2 = x1 (w0 + w2) + x2 w1, so that

    y0 = m0 + m1 + m2                 y1 = m1 - m2 + m3.

With the three matrices below this is y = A^T m, m = (G w) * (B^T x), where * multiplies element by element.

**Two dimensions.** Done along lines and along columns, four results of a patch of 4 x 4 pixels X need 16 products in
the place of 36:

    Y = A^T ((G W G^T) * (B^T X B)) A.

A, B and G do not look at channels. The sum over channels can be taken between them, and then each of the 16 products is
a product of matrices: patches x channels with channels x outputs, which is what the register tile is for.

**The gradient of the kernel.** Y is linear in W, and sum(Y * dY) = sum(W * dW) for all W; a matrix on the left of one
side of that product goes to the other side transposed:

    dW = G^T ((B^T X B) * (A dY A^T)) G.

Now the sum over all patches is taken in the middle: matrices of outputs x patches with patches x channels. The gradient
of the input is a convolution by itself (see ``convolution.turn_round``), and so needs no third form.

**What it costs.** The tables of B^T X B have four numbers for each pixel, because patches overlap; so they are made for
some patches at a time, which stay in the second-level cache. Sums and differences are rounded before they are
multiplied, but sums over C products are more exact than those over 9 C: the error is 0.4 to 1.2 times that of the
direct form (root mean square, 32 to 512 channels). It is as large for all pixels of a patch, also where one of them is
tiny. And where an infinity meets its opposite, a NaN comes out; a NaN reaches just the windows that it lies in.

Source: A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", 2016 (arXiv:1509.09308), section 4.
"""

from __future__ import annotations

import enum
import functools
import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from . import compiler, sums
from .sums import ADD_BIAS, ADD_TO_C, Axis, Plan
from .windows import Target, Windows, everywhere, windows_inside

__all__ = ["correlate", "kernel_gradient", "pays", "plain_correlate", "plain_weight_gradient", "weight_gradient"]

A = np.array([[1, 0], [1, 1], [1, -1], [0, 1]])
B = np.array([[1, 0, 0, 0], [0, 1, -1, -1], [-1, 1, 1, 0], [0, 0, 0, 1]])
G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
G_TWICE = np.kron(G, G).astype(np.float32)  # times W as a vector of 9 numbers, this is G W G^T as one of 16
EVERYWHERE = 5  # of the 16 numbers, the one that A^T M A adds to all four results: a bias is added to it

BLOCK = 2**20  # bytes of tables at a time, so that they stay in a second-level cache together with some of the kernel
MOVED, TURNED = 16, 1500  # measured: multiply-adds in the time for a number in a table, and for an element of G W G^T
GAIN = 0.9  # of the time of the direct form at most: these numbers are estimates


class Kind(enum.IntEnum):
    """What is done to a patch, see ``patches``."""

    INPUT = 0  # B^T X B
    GRADIENT = 1  # A G A^T
    OUTPUT = 2  # A^T M A


class Grid(NamedTuple):
    """Where patches lie on images. The patch (i, j) begins at the pixel (2 i - above, 2 j - before)."""

    offset: int  # of the first pixel in memory, in floats; as are the next three
    image: int  # from one image to the next
    line: int
    pixel: int
    height: int  # of an image
    width: int
    above: int
    before: int
    lines: int  # of patches in an image
    columns: int
    channels: int


def pays(images: int, channels: int, outputs: int, at: Windows) -> bool:
    """Whether the kernel is one of 3 x 3 that moves pixel by pixel, and so many products are left out that it pays."""
    if (at.kernel, at.stride, at.dilation) != ((3, 3), (1, 1), (1, 1)):
        return False
    products = channels * outputs
    ours = 16 * math.prod(patches_along(at)) * (products + MOVED * (channels + outputs))
    direct = places_met(at) * products
    return images * ours + TURNED * products < GAIN * images * direct and compiled() is not None


@functools.lru_cache(256)
def places_met(at: Windows) -> int:
    """How many pixels all windows together cover inside of the image: so many products the direct form has."""
    return math.prod(sum(len(windows_inside(at, axis, k)) for k in range(at.kernel[axis])) for axis in (0, 1))


def patches_along(at: Windows) -> tuple[int, int]:
    """How many patches, for two windows each, there are below each other and side by side."""
    return -(-at.count[0] // 2), -(-at.count[1] // 2)


# --- block by block ----------------------------------------------------------------------------------------------


def correlate(x: np.ndarray, kernel: np.ndarray, b: Any, at: Windows, y: np.ndarray, target: Target) -> None:
    """y = the kernel over x (N, H, W, C), in the pixels of the target; b (O,) may be None.

    The kernel is ``transformed`` and in panels, (panels, 16, C, width).
    """
    channels, outputs = x.shape[3], y.shape[3]
    width = kernel.shape[-1]
    ends, most = blocks(x.shape[0], at, channels + width, kernel.nbytes)
    inputs, products = sums.scratch((16, most, channels)), sums.scratch((16, most, width))
    read = grid(at, everywhere(x), at.size, at.start, channels)
    for first, end in itertools.pairwise(ends):
        transform(Kind.INPUT, x, inputs, read, first, end)
        for panel, channel in enumerate(range(0, outputs, width)):
            columns = min(width, outputs - channel)
            place = target._replace(offset=target.offset + channel)
            patches = (end - first) * read.columns
            plans = inputs_times_kernel(patches, most, channels, width, panel, columns, b is not None)
            sums.run(plans, inputs, kernel, products, b)
            transform(Kind.OUTPUT, y, products, grid(at, place, at.count, (0, 0), columns), first, end)


def weight_gradient(x: np.ndarray, g: np.ndarray, at: Windows, dm: np.ndarray) -> None:
    """dm (16, O, C) += the sum over all patches of (A g A^T) (B^T x B), for x (N, H, W, C) and g (N, rows, columns, O).

    The gradient of the kernel is made of it at the end, by ``kernel_gradient``.
    """
    _, outputs, channels = dm.shape
    ends, most = blocks(x.shape[0], at, channels + outputs, dm.nbytes)
    inputs, gradients = sums.scratch((16, most, channels)), sums.scratch((16, most, outputs))
    of_x = grid(at, everywhere(x), at.size, at.start, channels)
    of_g = grid(at, everywhere(g), at.count, (0, 0), outputs)
    for first, end in itertools.pairwise(ends):
        transform(Kind.INPUT, x, inputs, of_x, first, end)
        transform(Kind.GRADIENT, g, gradients, of_g, first, end)
        patches = (end - first) * of_x.columns
        sums.run(gradients_times_inputs(patches, most, channels, outputs), gradients, inputs, dm)


def transformed(kernel: np.ndarray) -> np.ndarray:
    """G W G^T (16, C, O) for the kernel W (3, 3, C, O)."""
    return (G_TWICE @ kernel.reshape(9, -1)).reshape(16, *kernel.shape[2:])


def kernel_gradient(dm: np.ndarray) -> np.ndarray:
    """G^T M G for M (16, O, C), as a kernel lies in memory: (O, C, 3, 3)."""
    return (dm.reshape(16, -1).T @ G_TWICE).reshape(*dm.shape[1:], 3, 3)


def blocks(images: int, at: Windows, floats: int, kernel: int) -> tuple[list[int], int]:
    """Where blocks of lines of patches end, counted through all images, and how many patches the largest one has.

    For each block all of the kernel is read. With very many channels no cache holds it, and the tables may as well be
    as large, so that there are fewer blocks.

    Args:
        floats: in the tables, for each of the 16 numbers of a patch.
        kernel: bytes that it takes.
    """
    lines, columns = patches_along(at)
    lines *= images
    count = -(-lines // max(1, max(BLOCK, kernel) // (columns * 16 * 4 * floats)))
    return [lines * block // count for block in range(count + 1)], -(-lines // count) * columns


def grid(at: Windows, place: Target, size: tuple[int, int], start: tuple[int, int], channels: int) -> Grid:
    return Grid(*place, *size, *start, *patches_along(at), channels)


@functools.lru_cache(128)
def inputs_times_kernel(
    patches: int, most: int, channels: int, width: int, panel: int, columns: int, bias: bool
) -> Plan:
    """For each of the 16 numbers, patches x channels times a panel of channels x columns."""

    def some(first: int, count: int, start: int = 0) -> Plan:
        step = Axis(count, most * channels, channels * width, most * width)
        return sums.plan(
            i=step,
            rows=Axis(patches, channels, 0, width),
            columns=columns,
            inner=Axis(channels, 1, width),
            start=start,
            offsets=(first * step.a, (16 * panel + first) * step.b, first * step.c),
            bias=panel * width,
        )

    if not bias:
        return some(0, 16)
    return np.concatenate([some(0, EVERYWHERE), some(EVERYWHERE, 1, ADD_BIAS), some(EVERYWHERE + 1, 15 - EVERYWHERE)])


@functools.lru_cache(128)
def gradients_times_inputs(patches: int, most: int, channels: int, outputs: int) -> Plan:
    """For each of the 16 numbers, outputs x patches times patches x channels."""
    return sums.plan(
        i=Axis(16, most * outputs, most * channels, outputs * channels),
        rows=Axis(outputs, 1, 0, channels),
        columns=channels,
        inner=Axis(patches, outputs, channels),
        start=ADD_TO_C,
    )


# --- the compiled function ---------------------------------------------------------------------------------------


def transform(kind: Kind, image: np.ndarray, table: np.ndarray, grid: Grid, first: int, end: int) -> None:
    """Read patches into the table (16, patches, channels), or write them from it: those in some lines of patches."""
    function = compiled()
    assert function is not None  # as pays() has said
    function(int(kind), image.reshape(-1), table, grid, first, end)


@compiler.once
def compiled() -> Callable[..., None] | None:
    """``patches.transform``; None where it cannot be compiled."""
    return compiler.first_that_works(compile_and_try)


def compile_and_try(cache: bool) -> Callable[..., None]:
    """The compiled function, once it has shown on one patch that it computes what it should."""
    from . import patches

    with compiler.announced("kernels: compiling convolutions of 3 x 3 for this machine, once"):
        function = patches.compile_transform(cache)
    threes, table = np.full(16, 3, np.float32), np.zeros((16, 1, 1), np.float32)
    function(int(Kind.INPUT), threes, table, Grid(0, 16, 4, 1, 4, 4, 0, 0, 1, 1, 1), 0, 1)
    if table.ravel().tolist() != [12 if number == EVERYWHERE else 0 for number in range(16)]:
        raise RuntimeError("the compiled code computes wrongly on this machine")
    return function


# --- the plain form ----------------------------------------------------------------------------------------------


def plain_correlate(x: np.ndarray, kernel: np.ndarray, at: Windows) -> np.ndarray:
    """y (N, rows, columns, O) for the kernel (3, 3, C, O) over x (N, H, W, C): the formulas in NumPy, for any dtype."""
    inputs = np.einsum("pi,qj,nrspqc->nrsijc", B, B, plain_patches(x, 4, at.start, at))
    products = np.einsum("nrsijc,ijco->nrsijo", inputs, transformed(kernel).reshape(4, 4, *kernel.shape[2:]))
    y = np.einsum("ip,jq,nrsijo->nrpsqo", A, A, products)
    lines, columns = patches_along(at)
    return y.reshape(x.shape[0], 2 * lines, 2 * columns, -1)[:, : at.count[0], : at.count[1]]


def plain_weight_gradient(x: np.ndarray, g: np.ndarray, at: Windows) -> np.ndarray:
    """dw (O, C, 3, 3) for x (N, H, W, C) and g (N, rows, columns, O), alike."""
    inputs = np.einsum("pi,qj,nrspqc->nrsijc", B, B, plain_patches(x, 4, at.start, at))
    gradients = np.einsum("ip,jq,nrspqo->nrsijo", A, A, plain_patches(g, 2, (0, 0), at))
    return kernel_gradient(np.einsum("nrsijo,nrsijc->ijoc", gradients, inputs).reshape(16, g.shape[3], x.shape[3]))


def plain_patches(x: np.ndarray, size: int, start: tuple[int, int], at: Windows) -> np.ndarray:
    """All patches of size x size pixels, (N, lines, columns, size, size, C), with zeros outside of the image."""
    p, q = (2 * np.arange(n)[:, None] + np.arange(size) - first for n, first in zip(patches_along(at), start))
    p, q = p[:, None, :, None], q[None, :, None, :]
    height, width = x.shape[1:3]
    inside = (p >= 0) & (p < height) & (q >= 0) & (q < width)
    return np.where(inside[..., None], x[:, p.clip(0, height - 1), q.clip(0, width - 1)], 0)
