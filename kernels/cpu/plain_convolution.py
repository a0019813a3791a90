"""Convolution in plain NumPy, one element k of the kernel at a time: what ``convolution`` computes, to be read and to
be compared with. Arrays, formulas and ``Windows`` as there; any dtype.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .windows import Windows, windows_inside

__all__ = ["forward", "input_gradient", "weight_gradient"]


def forward(x: Any, w: Any, b: Any, at: Windows, relu: bool = False) -> np.ndarray:
    """y[n, o, i] = b[o] + sum over c, k of w[o, c, k] x[n, c, p], or max(y, 0)."""
    y = np.zeros((x.shape[0], w.shape[0], *at.count), x.dtype)
    for k, windows, pixels in elements(at):
        y[(..., *windows)] += np.einsum("oc,ncij->noij", w[(..., *k)], x[(..., *pixels)])
    if b is not None:
        y += b[:, None, None]
    return np.maximum(y, 0) if relu else y


def input_gradient(g: Any, w: Any, b: Any, at: Windows) -> np.ndarray:
    """dx[n, c, p] = b[c] + sum over o, i, k of w[o, c, k] g[n, o, i]."""
    dx = np.zeros((g.shape[0], w.shape[1], *at.size), g.dtype)
    for k, windows, pixels in elements(at):
        dx[(..., *pixels)] += np.einsum("oc,noij->ncij", w[(..., *k)], g[(..., *windows)])
    if b is not None:
        dx += b[:, None, None]
    return dx


def weight_gradient(x: Any, g: Any, at: Windows) -> np.ndarray:
    """dw[o, c, k] = sum over n, i of g[n, o, i] x[n, c, p]."""
    dw = np.zeros((g.shape[1], x.shape[1], *at.kernel), x.dtype)
    for k, windows, pixels in elements(at):
        dw[(..., *k)] = np.einsum("noij,ncij->oc", g[(..., *windows)], x[(..., *pixels)])
    return dw


def elements(at: Windows) -> Iterator[tuple[tuple[int, ...], list[slice], list[slice]]]:
    """Each element k of the kernel, the windows i in which it lies on the image, and the pixels p on which it lies."""
    for k in np.ndindex(*at.kernel):
        windows, pixels = [], []
        for axis in (0, 1):
            inside = windows_inside(at, axis, k[axis])
            first = inside.start * at.stride[axis] + k[axis] * at.dilation[axis] - at.start[axis]
            windows.append(slice(inside.start, inside.stop))
            pixels.append(slice(first, first + (len(inside) - 1) * at.stride[axis] + 1, at.stride[axis]))
        if all(i.start < i.stop for i in windows):
            yield k, windows, pixels
