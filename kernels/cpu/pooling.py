"""Max pooling of images whose channels lie last in memory, in one pass.

Neighbours in memory are then channels of one pixel. They take part in different maxima, so that a vector of them is
compared at once; along a line of pixels, a vector would hold elements of several windows.

Windows are given as one range of lines and one of columns for each line and column of the result.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .compiler import kernel

__all__ = ["add_at_places", "max_pool"]

WORTH = 10**4  # elements of the input: with fewer nobody should wait for a compiler
FEW = 8  # channels: with fewer a vector is not filled


def max_pool(x: Any, lines: Sequence[range], columns: Sequence[range]) -> tuple[np.ndarray, np.ndarray] | None:
    """The largest element of each window of x (N, C, H, W) and its place h W + w: the first one, or the last NaN.

    None where it cannot run. Every window must have an element.
    """
    last = channels_last(x)
    if last is None or x.size < WORTH or x.shape[1] < FEW or not last.flags.c_contiguous:
        return None
    shape = (x.shape[0], len(lines), len(columns), x.shape[1])
    y, places = np.empty(shape, np.float32), np.empty(shape, np.int32)
    if not largest(last, limits(lines), limits(columns), y, places):
        return None
    return y.transpose(0, 3, 1, 2), places.transpose(0, 3, 1, 2)


def add_at_places(x: Any, places: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    """Zeros of the shape (N, C, H, W), and each element of x added at its place; None where it cannot run."""
    x = channels_last(x)
    if x is None or places.dtype != np.int32 or x.size * math.prod(shape) == 0:
        return None
    places = places.transpose(0, 2, 3, 1)
    if not places.flags.c_contiguous:
        return None
    images, channels, height, width = shape
    y = np.zeros((images, height, width, channels), np.float32)
    if not add(np.ascontiguousarray(x), places, y.reshape(images, height * width, channels)):
        return None
    return y.transpose(0, 3, 1, 2)


def channels_last(x: Any) -> np.ndarray | None:
    """x (N, C, H, W) seen as (N, H, W, C), if it is what the compiled functions take apart from its layout."""
    if type(x) is not np.ndarray or x.dtype.char != "f" or x.ndim != 4 or not x.flags.aligned or not x.flags.writeable:
        return None
    return x.transpose(0, 2, 3, 1)


def limits(ranges: Sequence[range]) -> np.ndarray:
    return np.array([(places.start, places.stop, places.step) for places in ranges], np.int64)


@kernel("void(f4[:, :, :, ::1], i8[:, ::1], i8[:, ::1], f4[:, :, :, ::1], i4[:, :, :, ::1])", dealt="x y places")
def largest(x, lines, columns, y, places):
    """y = the largest element of each window, and its place."""
    width, channels = x.shape[2], x.shape[3]
    for n in range(y.shape[0]):
        for i in range(y.shape[1]):
            top, bottom, down = lines[i, 0], lines[i, 1], lines[i, 2]
            for j in range(y.shape[2]):
                left, right, along = columns[j, 0], columns[j, 1], columns[j, 2]
                best, place, values = y[n, i, j], places[n, i, j], x[n, top, left]
                here = np.int32(top * width + left)
                for c in range(channels):
                    best[c], place[c] = values[c], here
                for h in range(top, bottom, down):
                    for w in range(left, right, along):
                        values, here = x[n, h, w], np.int32(h * width + w)
                        for c in range(channels):
                            value = values[c]
                            better = (value > best[c]) | (value != value)
                            best[c] = value if better else best[c]
                            place[c] = here if better else place[c]


@kernel("void(f4[:, :, :, ::1], i4[:, :, :, ::1], f4[:, :, ::1])", dealt="x places y")
def add(x, places, y):
    """y[n, places[n, i, j, c], c] += x[n, i, j, c]."""
    for n in range(x.shape[0]):
        for i in range(x.shape[1]):
            for j in range(x.shape[2]):
                for c in range(x.shape[3]):
                    y[n, places[n, i, j, c], c] += x[n, i, j, c]
