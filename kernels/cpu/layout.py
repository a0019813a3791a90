"""The order of images and kernels in memory: channels last, as ``convolution`` and ``depthwise`` read them."""

from __future__ import annotations

import numpy as np

from . import sums

__all__ = ["channels_of_input_last", "in_order", "outputs_last", "put_in_order"]


def in_order(x: np.ndarray) -> np.ndarray:
    """x (N, H, W, C) as a contiguous array: itself, or a copy."""
    if x.flags.c_contiguous:
        return x
    copy = sums.scratch(x.shape)
    put_in_order(x, copy)
    return copy


def put_in_order(x: np.ndarray, copy: np.ndarray) -> None:
    """Fill the contiguous copy with x (N, H, W, C)."""
    images, height, width, channels = x.shape
    channels_first = x.transpose(0, 3, 1, 2)
    if channels_first.flags.c_contiguous:
        pixels = height * width
        sums.transpose(channels_first.reshape(images, channels, pixels), copy.reshape(images, pixels, channels))
    else:
        copy[...] = x


def outputs_last(w: np.ndarray) -> np.ndarray:
    """w (O, C, kH, kW) as (kH, kW, C, O), with neighbouring outputs side by side."""
    outputs, channels, *kernel = w.shape
    last = sums.transposed(np.ascontiguousarray(w).reshape(outputs, -1))
    return last.reshape(channels, *kernel, outputs).transpose(1, 2, 0, 3)


def channels_of_input_last(w: np.ndarray) -> np.ndarray:
    """w (O, C, kH, kW) as (kH, kW, O, C), with neighbouring channels side by side."""
    outputs, channels, *kernel = w.shape
    last = sums.transposed(np.ascontiguousarray(w).reshape(outputs, channels, -1))
    return last.reshape(outputs, *kernel, channels).transpose(1, 2, 0, 3)
