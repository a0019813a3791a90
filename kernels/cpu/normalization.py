"""Batch normalisation of rows of channels, (rows, C): sums down the columns, and what is computed from them, each in
one pass. Sums are in float64; a vector holds neighbouring channels, so that every one of them has a sum of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import sums
from .compiler import kernel
from .convolution import in_order

__all__ = ["affine", "as_rows", "moments", "products", "takes", "with_channels", "without_mean_and_slope"]

WORTH = 10**4  # elements: with fewer nobody should wait for a compiler
FEW = 8  # channels: with fewer a vector is not filled


def takes(x: Any) -> bool:
    """Whether the compiled functions can run on x (N, C, ...), and are worth it."""
    if type(x) is not np.ndarray or x.dtype.char != "f" or not x.flags.aligned:
        return False
    if x.size < max(WORTH, 1) or x.shape[1] < FEW:
        return False
    return sums.ready() and all(f.compiled for f in (moments, affine, products, without_mean_and_slope))


def as_rows(x: np.ndarray) -> np.ndarray:
    """x (N, C, ...) as (rows, C), a row for each place of each sample: a view where channels lie last in memory."""
    if x.ndim > 2:
        x = in_order(x.reshape(*x.shape[:3], -1).transpose(0, 2, 3, 1))
    return np.require(x, requirements="CAW").reshape(-1, x.shape[-1])


def with_channels(rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The rows as (N, C, ...) again, a view."""
    return np.moveaxis(rows.reshape(shape[0], *shape[2:], shape[1]), -1, 1)


@kernel("void(f4[:, ::1], f4[::1], f8[::1], f8[::1])", dealt="x", added="total squares")
def moments(x, k, total, squares):
    """total_c += the sum of x - k_c, squares_c += the sum of (x - k_c)^2."""
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            e = x[r, c] - k[c]
            total[c] += e
            squares[c] += e * e


@kernel("void(f4[:, ::1], f4[::1], f4[::1], f4[::1], f4[:, ::1])", dealt="x y")
def affine(x, k, scale, shift, y):
    """y = (x - k_c) scale_c + shift_c."""
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            y[r, c] = (x[r, c] - k[c]) * scale[c] + shift[c]


@kernel("void(f4[:, ::1], f4[:, ::1], f4[::1], f8[::1], f8[::1])", dealt="g x", added="along_g along_x")
def products(g, x, mean, along_g, along_x):
    """along_g_c += the sum of g, along_x_c += the sum of g (x - mean_c)."""
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            along_g[c] += g[r, c]
            along_x[c] += g[r, c] * (x[r, c] - mean[c])


@kernel("void(f4[:, ::1], f4[:, ::1], f4[::1], f4[::1], f4[::1], f4[::1], f4[:, ::1])", dealt="g x dx")
def without_mean_and_slope(g, x, mean, level, slope, scale, dx):
    """dx = (g - level_c - (x - mean_c) slope_c) scale_c."""
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            dx[r, c] = (g[r, c] - level[c] - (x[r, c] - mean[c]) * slope[c]) * scale[c]
