"""Convolution in all three passes as sums of products, without copying windows out of the image.

The convolution of x (N, C, H, W) with w (O, C, kH, kW), its gradient for x and its gradient for w are

    y[n, o, i]  = b[o] + sum over c, k of   w[o, c, k] x[n, c, p]
    dx[n, c, p] = b[c] + sum over o, i, k of w[o, c, k] g[n, o, i]        p = i stride + k dilation - start
    dw[o, c, k] =        sum over n, i of    g[n, o, i] x[n, c, p]

where i, k and p are pairs (line, column) and x is 0 outside of the image.

**The layout.** Inside, channels lie last in memory: (N, H, W, C). Then one element k of the kernel is a product of
matrices, pixels x channels with channels x outputs, and the channels of neighbouring pixels follow each other, so that
a line of the kernel is one contiguous sum of kW C products. Results have the shape (N, O, H, W) but that memory, and a
network that keeps it pays for no change of layout between its layers. Images whose channels come first are copied, or
read where they lie if only one number at a time is taken of them: as A of a tile (see ``tile``).

**The rows of a tile** are pixels, chosen in one of two ways. By lines: neighbours in a line of y. The edge is dealt
with by copying some images at a time to where zeros surround them. By images: the same pixel of different images. Then
each pixel leaves out exactly those k that lie outside of the image, and no zeros are needed: with a 3 x 3 kernel on
images of 2 x 2 more than half of the products are left out. Nor do narrow images leave tiles half empty.

**The gradient of the input** is a convolution too, of g with the kernel turned round: p = i stride + k dilation - start
says which k reach a pixel p, and from which i. With a stride, pixels fall into stride^2 classes with different k.

**Kernels of 3 x 3.** On large images with many channels, ``winograd`` leaves out more than half of the products.

Each function returns None where it cannot run, or where it would not pay; ``plain_convolution`` has the same in NumPy.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from . import sums, threads, winograd
from .layout import channels_of_input_last, in_order, outputs_last, put_in_order
from .windows import (
    Target,
    Windows,
    by_images,
    by_lines,
    elements_met,
    everywhere,
    padded_size,
    products_by_channels,
    products_by_columns,
)

__all__ = ["Windows", "channels_last", "forward", "input_gradient", "weight_gradient"]

WORTH = 10**6  # products: with fewer there is no need to let anybody wait for a compiler
CACHE = 2**18  # bytes that some images may take, so that they stay in a second-level cache together with the kernel
FEW = 8  # channels: fewer do not fill the columns, or the rows, of a tile
ROWS = 6  # images that a thread should have at least, as many as a tile has rows


def forward(x: Any, w: Any, b: Any, at: Any, relu: bool = False) -> np.ndarray | None:
    """y of the formula above, or max(y, 0). ``at`` is a ``Windows``, or has its fields; b may be None."""
    images, products = x.shape[0], x.shape[0] * w.size * math.prod(at.count)
    if not pays(products, x, w, b):
        return None
    at, met = only_met(Windows(*fields(at)))
    y = np.empty((images, *at.count, w.shape[0]), np.float32)
    x, kernel, target = x.transpose(0, 2, 3, 1), outputs_last(w[:, :, *met]), everywhere(y)
    threads.share(lambda some: correlate(x[some], kernel, b, at, y[some], target, relu), images, products, ROWS)
    return y.transpose(0, 3, 1, 2)


def input_gradient(g: Any, w: Any, b: Any, at: Any) -> np.ndarray | None:
    """dx of the formula above; b may be None."""
    images, products = g.shape[0], g.shape[0] * w.size * math.prod(at.count)
    if not pays(products, g, w, b):
        return None
    at, g = Windows(*fields(at)), g.transpose(0, 2, 3, 1)
    dx = np.empty((images, *at.size, w.shape[1]), np.float32)
    if w.shape[1] < FEW:
        threads.share(lambda some: lay_out(g[some], w, b, at, dx[some]), images, products, ROWS)
    else:
        at, met = only_met(at)
        kernel = channels_of_input_last(w[:, :, *met])
        threads.share(lambda some: turn_round(g[some], kernel, b, at, dx[some]), images, products, ROWS)
    return dx.transpose(0, 3, 1, 2)


def weight_gradient(x: Any, g: Any, at: Any) -> np.ndarray | None:
    """dw of the formula above."""
    products = x.shape[1] * math.prod(at.kernel) * g.size
    if not pays(products, x, g):
        return None
    channels, outputs, whole = x.shape[1], g.shape[1], Windows(*fields(at))
    at, met = (whole, (slice(None), slice(None))) if channels < FEW else only_met(whole)
    way = by_channels
    if channels < FEW:
        way = by_columns
    elif winograd.pays(x.shape[0], channels, outputs, at):
        way = by_patches
    x, g = x.transpose(0, 2, 3, 1), g.transpose(0, 2, 3, 1)
    dw, *others = threads.share(lambda some: way(x[some], g[some], at), x.shape[0], products, ROWS)
    for other in others:
        dw += other
    if at.kernel == whole.kernel:
        return dw
    result = np.zeros((outputs, channels, *whole.kernel), np.float32)
    result[:, :, *met] = dw
    return result


def channels_last(x: Any, products: int) -> Any:
    """x (N, C, H, W) as the functions above want it, if several of them, each with so many products, will read it.

    It is x itself, or a copy that has its channels last in memory.
    """
    last = x.transpose(0, 2, 3, 1)
    if not pays(products, x) or last.flags.c_contiguous:
        return x
    copy = sums.scratch(last.shape)
    threads.share(lambda some: put_in_order(last[some], copy[some]), x.shape[0], x.size * threads.ELEMENT)
    return copy.transpose(0, 3, 1, 2)


def pays(products: int, *arrays: Any) -> bool:
    """Whether the compiled form can run on these arrays, and has so many products to compute that it is worth it."""
    for x in arrays:
        if x is not None and (type(x) is not np.ndarray or x.dtype.char != "f" or not x.flags.aligned):
            return False
    return products >= max(WORTH, 1) and sums.ready()


def fields(at: Any) -> tuple[tuple[int, int], ...]:
    return at.size, at.kernel, at.stride, at.start, at.dilation, at.count


# --- a kernel over images ----------------------------------------------------------------------------------------


def correlate(
    x: np.ndarray, kernel: np.ndarray, b: Any, at: Windows, y: np.ndarray, target: Target, relu: bool = False
) -> None:
    """y = the kernel (kH, kW, C, O) over x (N, H, W, C), in the pixels of the target."""
    if b is not None:
        b = np.ascontiguousarray(b)
    at, met = only_met(at)
    kernel = kernel[met]
    if not relu and winograd.pays(x.shape[0], *kernel.shape[2:], at):
        panels = sums.in_panels(winograd.transformed(kernel))
        for images, part in in_order_groups(x):
            winograd.correlate(part, panels, b, at, y[images], target)
        return
    if images_in_rows(x, at):
        plans = by_images(x.shape, kernel.shape[3], at, target, b is not None, relu)
        sums.run(plans, in_order(x), sums.in_panels(kernel), y, b)
        return
    panels, first = sums.in_panels(kernel), x.transpose(0, 3, 1, 2)
    if first.flags.c_contiguous and x.shape[3] >= FEW and not has_zeros(at):  # then it is read where it lies
        plans = by_lines(x.shape, kernel.shape[3], at, target, b is not None, relu, channels_first=True)
        sums.run(plans, first, panels, y, b)
        return
    for images, part in padded_groups(x, at):
        plans = by_lines(part.shape, kernel.shape[3], at, target, b is not None, relu)
        sums.run(plans, part, panels, y[images], b)


@functools.lru_cache(256)
def only_met(at: Windows) -> tuple[Windows, tuple[slice, slice]]:
    """The same windows with just those elements of the kernel that meet the image anywhere, and which these are.

    A 3 x 3 kernel with a padding of 1 meets an image of 1 x 1 with one element of 9.
    """
    met = [elements_met(at, axis) for axis in (0, 1)]
    start = tuple(start - k.start * d for start, k, d in zip(at.start, met, at.dilation))
    kernel = tuple(map(len, met))
    return at._replace(kernel=kernel, start=start), tuple(slice(k.start, k.stop) for k in met)


def images_in_rows(x: np.ndarray, at: Windows) -> bool:
    """Whether the rows of tiles are images. Measured: 0.35 to 1.0 of the time by lines, where lines need zeros around
    the image or are short; 1.05 to 1.2 elsewhere. There is a plan for each pixel, so there should not be too many.
    """
    if x.shape[0] < 6:
        return False
    return math.prod(at.count) <= (32 * 32 if has_zeros(at) else 8 * 8)


def has_zeros(at: Windows) -> bool:
    """Whether some windows reach beyond the image."""
    return any(padded_size(at, axis) > at.size[axis] for axis in (0, 1))


def padded_groups(x: np.ndarray, at: Windows, others: int = 0) -> Iterator[tuple[slice, np.ndarray]]:
    """Some images at a time, with zeros around them; valid until the next are asked for. ``others``: as in groups."""
    size = padded_size(at, 0), padded_size(at, 1)
    front = [max(start, 0) for start in at.start]
    left_out = [max(-start, 0) for start in at.start]
    if size == x.shape[1:3] and not any(left_out):
        yield from groups(x, others) if others else in_order_groups(x)
        return
    padded = None
    for images, part in groups(x, others):
        if padded is None:
            padded = sums.scratch((part.shape[0], *size, x.shape[3]))
            padded[...] = 0
        inside = padded[: part.shape[0]]
        inside[:, front[0] : front[0] + x.shape[1], front[1] : front[1] + x.shape[2]] = part
        yield images, inside


def in_order_groups(x: np.ndarray, *others: np.ndarray) -> Iterable[tuple[slice, np.ndarray]]:
    """All images at once where their channels lie last already, and those of the others too; otherwise groups."""
    if all(array.flags.c_contiguous for array in (x, *others)):
        return [(slice(0, x.shape[0]), x)]
    return groups(x, sum(array[0].nbytes for array in others))


def groups(x: np.ndarray, others: int = 0) -> Iterator[tuple[slice, np.ndarray]]:
    """Some images at a time, in order."""
    for images in some_images(x, others):
        yield images, in_order(x[images])


def some_images(x: np.ndarray, others: int = 0) -> Iterator[slice]:
    """As many images at a time as fit into the cache, with ``others`` bytes of another array for each."""
    count = max(1, CACHE // max(x[0].nbytes + others, 1))
    for first in range(0, x.shape[0], count):
        yield slice(first, min(first + count, x.shape[0]))


# --- the gradient of the kernel, (O, C, kH, kW) -------------------------------------------------------------------


def by_channels(x: np.ndarray, g: np.ndarray, at: Windows) -> np.ndarray:
    """The rows of tiles are channels. They are read where they lie, be they the first axis or the last."""
    first = x.transpose(0, 3, 1, 2)
    dw = np.zeros((x.shape[3], *at.kernel, g.shape[3]), np.float32)
    for images in some_images(x, g[0].nbytes):
        part = x[images]
        plans = products_by_channels(part.shape, g.shape[3], at, first.flags.c_contiguous)
        sums.run(plans, first[images] if first.flags.c_contiguous else in_order(part), in_order(g[images]), dw)
    return as_kernel(dw)


def by_columns(x: np.ndarray, g: np.ndarray, at: Windows) -> np.ndarray:
    """The rows of tiles are columns of the kernel, for few channels."""
    dw = np.zeros((x.shape[3], *at.kernel, g.shape[3]), np.float32)
    for images, part in padded_groups(x, at, g[0].nbytes):
        sums.run(products_by_columns(part.shape, g.shape[3], at), part, in_order(g[images]), dw)
    return as_kernel(dw)


def by_patches(x: np.ndarray, g: np.ndarray, at: Windows) -> np.ndarray:
    """With fewer products, see ``winograd``."""
    dm = np.zeros((16, g.shape[3], x.shape[3]), np.float32)
    for images, part in in_order_groups(x, g):
        winograd.weight_gradient(part, in_order(g[images]), at, dm)
    return winograd.kernel_gradient(dm)


def as_kernel(dw: np.ndarray) -> np.ndarray:
    """dw (C, kH, kW, O) as (O, C, kH, kW)."""
    *others, outputs = dw.shape
    return sums.transposed(dw.reshape(-1, outputs)).reshape(outputs, *others)


# --- the way back to the input -----------------------------------------------------------------------------------


def turn_round(g: np.ndarray, kernel: np.ndarray, b: Any, at: Windows, dx: np.ndarray) -> None:
    """dx, one class of pixels at a time: those that have the same elements of the kernel over them."""
    whole = everywhere(dx)
    for first in itertools.product(*(range(min(at.stride[axis], at.size[axis])) for axis in (0, 1))):
        turned = [reaching(at, axis, first[axis]) for axis in (0, 1)]
        places = dx[:, first[0] :: at.stride[0], first[1] :: at.stride[1]]
        if None in turned:
            places[...] = 0 if b is None else b
            continue
        elements, start, dilation = zip(*turned)
        some = kernel[elements]
        windows = Windows(at.count, some.shape[:2], (1, 1), start, dilation, places.shape[1:3])
        offset = first[0] * whole.line + first[1] * whole.pixel
        target = Target(offset, whole.image, at.stride[0] * whole.line, at.stride[1] * whole.pixel)
        correlate(g, some, b, windows, dx, target)


def reaching(at: Windows, axis: int, first: int) -> tuple[slice, int, int] | None:
    """Which elements of the kernel reach the pixels first, first + stride, ..., and how they lie on g.

    p = i stride + k dilation - start has a solution i only for every (stride / gcd(stride, dilation))-th k. From one of
    these to the next, i falls by dilation / gcd; so they are taken from last to first, and i rises.

    Returns:
        The elements, from the last; the start and the dilation of the windows on g; or None if no element reaches them.
    """
    stride, dilation = at.stride[axis], at.dilation[axis]
    place = first + at.start[axis]
    elements = [k for k in range(at.kernel[axis]) if (place - k * dilation) % stride == 0]
    if not elements:
        return None
    common = math.gcd(stride, dilation)
    step = stride // common
    turned = slice(elements[-1], elements[0] - 1 if elements[0] else None, -step)
    return turned, (elements[-1] * dilation - place) // stride, dilation // common


def lay_out(g: np.ndarray, w: np.ndarray, b: Any, at: Windows, dx: np.ndarray) -> None:
    """dx for few channels, where columns c would leave tiles almost empty: all products first, then their sums.

    The columns are all elements (c, k), so that one product of matrices gives what each g adds to its window. Windows
    overlap; element by element of the kernel, they are added to the image.
    """
    images, channels = dx.shape[0], dx.shape[3]
    matrix = w.reshape(1, 1, w.shape[0], -1)
    one = Windows(at.count, (1, 1), (1, 1), (0, 0), (1, 1), at.count)
    products = sums.scratch((images, *at.count, matrix.shape[3]))
    correlate(g, matrix, None, one, products, everywhere(products))
    elements = sums.transposed(products.reshape(-1, matrix.shape[3]))
    elements = elements.reshape(channels, *at.kernel, images, *at.count)
    size = padded_size(at, 0), padded_size(at, 1)
    padded = np.zeros((channels, images, *size), np.float32)
    for element in itertools.product(*map(range, at.kernel)):
        each = zip(element, at.dilation, at.stride, at.count)
        lines, columns = (slice(k * d, k * d + (n - 1) * step + 1, step) for k, d, step, n in each)
        padded[:, :, lines, columns] += elements[:, *element]
    lines, columns = (slice(start, start + n) for start, n in zip(at.start, at.size))
    dx[...] = padded[:, :, lines, columns].transpose(1, 2, 3, 0)
    if b is not None:
        dx += b
