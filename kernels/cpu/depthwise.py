"""Convolution of every channel by itself ("depthwise") in all three passes, on images whose channels lie last.

    y[n, i, c]  = b[c] + sum over k of w[k, c] x[n, p, c]        p = i stride + k dilation - start
    dx[n, p, c] = b[c] + sum over i, k of w[k, c] g[n, i, c]
    dw[k, c]    =        sum over n, i of g[n, i, c] x[n, p, c]

There is no product of matrices in it: a number of x meets kH kW others, and no more. So neighbouring channels are
multiplied as vectors, one element of the kernel after the other. Each function returns None where it cannot run.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import sums
from .compiler import kernel
from .convolution import channels_last
from .layout import in_order

__all__ = ["channels_last", "forward", "input_gradient", "weight_gradient"]

WORTH = 10**5  # products: with fewer nobody should wait for a compiler
FEW = 8  # channels: with fewer a vector is not filled


def forward(x: Any, w: Any, b: Any, at: Any) -> np.ndarray | None:
    """y for x (N, C, H, W) and w (C, 1, kH, kW); b may be None."""
    if not pays(x.shape[0] * w.size * math.prod(at.count), x, w):
        return None
    y = filled((x.shape[0], *at.count, w.shape[0]), b)
    return y.transpose(0, 3, 1, 2) if gather(last(x), kernel_last(w), geometry(at), y) else None


def input_gradient(g: Any, w: Any, b: Any, at: Any) -> np.ndarray | None:
    """dx for g (N, C, rows, columns) and w (C, 1, kH, kW); b may be None."""
    if not pays(g.shape[0] * w.size * math.prod(at.count), g, w):
        return None
    dx = filled((g.shape[0], *at.size, w.shape[0]), b)
    return dx.transpose(0, 3, 1, 2) if scatter(last(g), kernel_last(w), geometry(at), dx) else None


def weight_gradient(x: Any, g: Any, at: Any) -> np.ndarray | None:
    """dw, (C, 1, kH, kW)."""
    if not pays(g.size * math.prod(at.kernel), x, g):
        return None
    dw = np.zeros((*at.kernel, x.shape[1]))
    if not correlate(last(x), last(g), geometry(at), dw):
        return None
    return np.ascontiguousarray(dw.transpose(2, 0, 1)[:, None], np.float32)


def pays(products: int, x: Any, y: Any) -> bool:
    fit = all(type(z) is np.ndarray and z.dtype.char == "f" and z.flags.aligned for z in (x, y))
    return fit and products >= max(WORTH, 1) and x.shape[1] >= FEW and sums.ready()


def filled(shape: tuple[int, ...], b: Any) -> np.ndarray:
    y = np.zeros(shape, np.float32)
    if b is not None:
        y += b
    return y


def last(x: np.ndarray) -> np.ndarray:
    """x (N, C, H, W) as (N, H, W, C) in order."""
    return np.require(in_order(x.transpose(0, 2, 3, 1)), requirements="W")


def kernel_last(w: np.ndarray) -> np.ndarray:
    """w (C, 1, kH, kW) as (kH, kW, C) in order."""
    return np.array(w[:, 0].transpose(1, 2, 0), order="C")


def geometry(at: Any) -> np.ndarray:
    return np.array([at.stride, at.dilation, at.start], np.int64)


@kernel("void(f4[:, :, :, ::1], f4[:, :, ::1], i8[:, ::1], f4[:, :, :, ::1])", dealt="x y")
def gather(x, w, at, y):
    """y[n, i, c] += the sum over k of w[k, c] x[n, p, c]."""
    for n in range(y.shape[0]):
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                for k in range(w.shape[0]):
                    h = i * at[0, 0] + k * at[1, 0] - at[2, 0]
                    for m in range(w.shape[1]):
                        v = j * at[0, 1] + m * at[1, 1] - at[2, 1]
                        if 0 <= h < x.shape[1] and 0 <= v < x.shape[2]:
                            for c in range(y.shape[3]):
                                y[n, i, j, c] += w[k, m, c] * x[n, h, v, c]


@kernel("void(f4[:, :, :, ::1], f4[:, :, ::1], i8[:, ::1], f4[:, :, :, ::1])", dealt="g dx")
def scatter(g, w, at, dx):
    """dx[n, p, c] += w[k, c] g[n, i, c] for all i and k."""
    for n in range(g.shape[0]):
        for i in range(g.shape[1]):
            for j in range(g.shape[2]):
                for k in range(w.shape[0]):
                    h = i * at[0, 0] + k * at[1, 0] - at[2, 0]
                    for m in range(w.shape[1]):
                        v = j * at[0, 1] + m * at[1, 1] - at[2, 1]
                        if 0 <= h < dx.shape[1] and 0 <= v < dx.shape[2]:
                            for c in range(g.shape[3]):
                                dx[n, h, v, c] += w[k, m, c] * g[n, i, j, c]


@kernel("void(f4[:, :, :, ::1], f4[:, :, :, ::1], i8[:, ::1], f8[:, :, ::1])", dealt="x g", added="dw")
def correlate(x, g, at, dw):
    """dw[k, c] += g[n, i, c] x[n, p, c] for all n and i."""
    for n in range(g.shape[0]):
        for i in range(g.shape[1]):
            for j in range(g.shape[2]):
                for k in range(dw.shape[0]):
                    h = i * at[0, 0] + k * at[1, 0] - at[2, 0]
                    for m in range(dw.shape[1]):
                        v = j * at[0, 1] + m * at[1, 1] - at[2, 1]
                        if 0 <= h < x.shape[1] and 0 <= v < x.shape[2]:
                            for c in range(g.shape[3]):
                                dw[k, m, c] += g[n, i, j, c] * x[n, h, v, c]
