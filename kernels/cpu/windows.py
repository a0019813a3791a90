"""Which sums a convolution is made of: plans (see ``sums.plan``) for images (N, H, W, C) and kernels (kH, kW, C, O).

For each window i = (line, column) and each element k of the kernel there is one product, a pixel of C channels times a
matrix C x O. The plans say which of i, k, image and channel go along the rows of a tile and which along its sums.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import NamedTuple

import numpy as np

from . import sums
from .sums import ADD_BIAS, ADD_TO_C, Axis, Plan

__all__ = ["Target", "Windows", "by_images", "by_lines", "elements_met", "everywhere", "padded_size"]
__all__ += ["products_by_channels", "products_by_columns", "windows_inside"]


class Windows(NamedTuple):
    """Where the kernel lies on the image; a pair (height, width) each.

    Element k of window i lies on the pixel i stride + k dilation - start.
    """

    size: tuple[int, int]  # of the image
    kernel: tuple[int, int]
    stride: tuple[int, int]  # from one window to the next
    start: tuple[int, int]  # how many zeros stand in front of the image; negative: how many pixels are left out
    dilation: tuple[int, int]  # from one element of the kernel to the next
    count: tuple[int, int]  # of windows


class Steps(NamedTuple):
    """How many floats lie in memory from one line, pixel or channel of an image to the next."""

    line: int
    pixel: int
    channel: int

    @classmethod
    def of(cls, shape: tuple, channels_first: bool = False) -> Steps:
        """Of images with the shape (N, H, W, C), which may lie in memory as (N, C, H, W)."""
        _, height, width, channels = shape
        return cls(width, 1, height * width) if channels_first else cls(width * channels, channels, 1)


class Target(NamedTuple):
    """Which pixels of an array to compute: where the first begins, and from one to the next, in floats."""

    offset: int
    image: int
    line: int
    pixel: int


def everywhere(y: np.ndarray) -> Target:
    """All pixels of y (N, H, W, C)."""
    _, height, width, channels = y.shape
    return Target(0, height * width * channels, width * channels, channels)


def elements_inside(at: Windows, axis: int, window: int) -> range:
    """The elements of the kernel that lie on the image in this window."""
    place = window * at.stride[axis] - at.start[axis]
    return stepping_inside(place, at.dilation[axis], at.kernel[axis], at.size[axis])


def windows_inside(at: Windows, axis: int, element: int) -> range:
    """The windows in which this element of the kernel lies on the image."""
    place = element * at.dilation[axis] - at.start[axis]
    return stepping_inside(place, at.stride[axis], at.count[axis], at.size[axis])


def stepping_inside(place: int, step: int, count: int, size: int) -> range:
    """Those n in range(count) for which 0 <= place + n step < size."""
    least = max(0, -(place // step))
    most = min(count, (size - 1 - place) // step + 1)
    return range(least, max(least, most))


def elements_met(at: Windows, axis: int) -> range:
    """The elements of the kernel, from the first to the last, that lie on the image in any window."""
    met = [k for k in range(at.kernel[axis]) if windows_inside(at, axis, k)]
    return range(met[0], met[-1] + 1) if met else range(0)


def padded_size(at: Windows, axis: int) -> int:
    """How long the image is with zeros in front, and with as many behind as the last window needs."""
    front = max(at.start[axis], 0)
    last = front - at.start[axis] + (at.count[axis] - 1) * at.stride[axis]
    return max(front + at.size[axis], last + (at.kernel[axis] - 1) * at.dilation[axis] + 1)


# --- y = the kernel over x ---------------------------------------------------------------------------------------


@functools.lru_cache(128)
def by_lines(
    shape: tuple, outputs: int, at: Windows, target: Target, bias: bool, relu: bool, channels_first: bool = False
) -> Plan:
    """Rows are neighbours in a line. ``shape`` is that of the padded images."""
    images, height, width, channels = shape
    panel = min(outputs, sums.columns_of_a_panel())
    step = Steps.of(shape, channels_first)
    i, j, rows = joined(
        Axis(images, height * width * channels, 0, target.image),
        Axis(at.count[0], at.stride[0] * step.line, 0, target.line),
        Axis(at.count[1], at.stride[1] * step.pixel, 0, target.pixel),
    )
    outer, middle, inner = kernel_axes(at, at.kernel, step, channels, panel)
    left_out = [max(-start, 0) for start in at.start]
    return sums.plan(
        i=i,
        j=j,
        rows=rows,
        columns=outputs,
        outer=outer,
        middle=middle,
        inner=inner,
        panel=math.prod(at.kernel) * channels * panel,
        start=ADD_BIAS if bias else 0,
        relu=relu,
        offsets=(left_out[0] * step.line + left_out[1] * step.pixel, 0, target.offset),
    )


@functools.lru_cache(32)
def by_images(shape: tuple, outputs: int, at: Windows, target: Target, bias: bool, relu: bool) -> Plan:
    """Rows are the same pixel of different images; one plan for each panel and pixel, with just the elements inside."""
    images, height, width, channels = shape
    panel = min(outputs, sums.columns_of_a_panel())
    plans = []
    for first, line, column in itertools.product(range(0, outputs, panel), *map(range, at.count)):
        elements = elements_inside(at, 0, line), elements_inside(at, 1, column)
        place = [
            window * stride + k.start * dilation - start
            for window, stride, k, dilation, start in zip((line, column), at.stride, elements, at.dilation, at.start)
        ]
        outer, middle, inner = kernel_axes(at, tuple(map(len, elements)), Steps.of(shape), channels, panel)
        element = elements[0].start * at.kernel[1] + elements[1].start
        plans.append(
            sums.plan(
                rows=Axis(images, height * width * channels, 0, target.image),
                columns=min(panel, outputs - first),
                outer=outer,
                middle=middle,
                inner=inner,
                start=ADD_BIAS if bias else 0,
                relu=relu,
                offsets=(
                    (place[0] * width + place[1]) * channels,
                    first * math.prod(at.kernel) * channels + element * channels * panel,
                    target.offset + line * target.line + column * target.pixel + first,
                ),
                bias=first,
            )
        )
    return np.concatenate(plans)


def kernel_axes(at: Windows, count: tuple, step: Steps, channels: int, panel: int) -> tuple[Axis, Axis, Axis]:
    """The sum over so many lines and columns of the kernel and over all channels."""
    return joined(
        Axis(count[0], at.dilation[0] * step.line, at.kernel[1] * channels * panel),
        Axis(count[1], at.dilation[1] * step.pixel, channels * panel),
        Axis(channels, step.channel, panel),
    )


def joined(outer: Axis, middle: Axis, inner: Axis) -> tuple[Axis, Axis, Axis]:
    """The same steps in the same order, with axes made one where the second goes on where the first ends."""
    for _ in range(2):
        if middle[1:] == tuple(inner.length * stride for stride in inner[1:]):
            outer, middle, inner = Axis(1), outer, Axis(middle.length * inner.length, *inner[1:])
    return outer, middle, inner


# --- dw = x times g ----------------------------------------------------------------------------------------------


@functools.lru_cache(128)
def products_by_channels(shape: tuple, outputs: int, at: Windows, channels_first: bool = False) -> Plan:
    """Rows are channels. One plan for each element of the kernel, with just the windows in which it lies inside."""
    images, height, width, channels = shape
    step = Steps.of(shape, channels_first)
    plans = [np.empty((0, 9, 4), np.int64)]  # the kernel may have no elements
    for element in itertools.product(*map(range, at.kernel)):
        windows = [windows_inside(at, axis, element[axis]) for axis in (0, 1)]
        place = [
            i.start * stride + k * dilation - start
            for i, stride, k, dilation, start in zip(windows, at.stride, element, at.dilation, at.start)
        ]
        plans.append(
            sums.plan(
                rows=Axis(channels, step.channel, 0, math.prod(at.kernel) * outputs),
                columns=outputs,
                outer=Axis(images, height * width * channels, math.prod(at.count) * outputs),
                middle=Axis(len(windows[0]), at.stride[0] * step.line, at.count[1] * outputs),
                inner=Axis(len(windows[1]), at.stride[1] * step.pixel, outputs),
                start=ADD_TO_C,
                offsets=(
                    place[0] * step.line + place[1] * step.pixel,
                    (windows[0].start * at.count[1] + windows[1].start) * outputs,
                    (element[0] * at.kernel[1] + element[1]) * outputs,
                ),
            )
        )
    return np.concatenate(plans)


@functools.lru_cache(128)
def products_by_columns(shape: tuple, outputs: int, at: Windows) -> Plan:
    """Rows are the columns of the kernel: for few channels, of padded images. One plan for each channel."""
    images, height, width, channels = shape
    plans = [
        sums.plan(
            i=Axis(at.kernel[0], at.dilation[0] * width * channels, 0, at.kernel[1] * outputs),
            rows=Axis(at.kernel[1], at.dilation[1] * channels, 0, outputs),
            columns=outputs,
            outer=Axis(images, height * width * channels, math.prod(at.count) * outputs),
            middle=Axis(at.count[0], at.stride[0] * width * channels, at.count[1] * outputs),
            inner=Axis(at.count[1], at.stride[1] * channels, outputs),
            start=ADD_TO_C,
            offsets=(channel, 0, channel * math.prod(at.kernel) * outputs),
        )
        for channel in range(channels)
    ]
    return np.concatenate(plans)
