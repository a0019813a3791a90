"""Windows: the places of an image that a kernel covers while it slides, as views; unfold and fold.

Convolution and pooling both look at an image through windows. Window i covers, with its element k, the place

    p = i stride + k dilation - start

of each dimension, where ``start`` counts the zeros that padding puts in front. Reading through the windows (``slid``)
costs no memory: it is a view in which one element stands at several indices. Its transpose (``add_windows``) adds what
the windows hold to the places that they cover, which is what every gradient of such an operation does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Any

from ..autograd import Function, Tensor
from ..backend import namespace
from . import check
from .vocabulary import m

__all__ = ["fold", "unfold"]

ALL = slice(None)


# --- on arrays ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Windows:
    """How a kernel slides over an image; each field has one number for each dimension."""

    size: tuple[int, ...]  # of the image
    kernel: tuple[int, ...]
    stride: tuple[int, ...]  # from one window to the next
    start: tuple[int, ...]  # how much padding stands in front of the image
    dilation: tuple[int, ...]  # from one element of a window to the next
    count: tuple[int, ...]  # of windows

    @property
    def spans(self) -> tuple[int, ...]:
        """How many places there are from the first to the last element of one window."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation))

    @property
    def padded(self) -> tuple[int, ...]:
        """The size of the image with the padding in front, and with as much behind as the last window needs."""
        ends = zip(self.size, self.start, self.count, self.stride, self.spans)
        return tuple(max(start + size, (n - 1) * step + span) for size, start, n, step, span in ends)

    @property
    def inside(self) -> tuple[slice, ...]:
        """Where the image lies in the padded one."""
        return tuple(slice(start, start + size) for start, size in zip(self.start, self.size))


def padded(x: Any, at: Windows, axis: int) -> Any:
    """x with zeros around its dimensions from ``axis`` on, as the windows need them; x itself if they need none."""
    if at.padded == at.size:
        return x
    before, after = x.shape[:axis], x.shape[axis + len(at.size) :]
    y = namespace(x).zeros((*before, *at.padded, *after), x.dtype)
    y[(ALL,) * axis + at.inside] = x
    return y


def slid(x: Any, at: Windows, axis: int) -> Any:
    """The windows of a padded x, a view that must not be written to.

    The dimensions from ``axis`` on become numbers of windows, and the elements of the windows stand in new dimensions
    at the end: (N, C, H, W) with axis 2 becomes (N, C, rows, columns, kernel height, kernel width).
    """
    axes = tuple(range(axis, axis + len(at.size)))
    view = namespace(x).lib.stride_tricks.sliding_window_view(x, at.spans, axes)
    steps = tuple(slice(0, (n - 1) * step + 1, step) for n, step in zip(at.count, at.stride))
    return view[(ALL,) * axis + steps + (...,) + tuple(slice(None, None, d) for d in at.dilation)]


def add_windows(y: Any, windows: Any, at: Windows, axis: int) -> None:
    """y += windows, each element at the place that it covers: the transpose of ``slid``, in place.

    For one element k of the kernel no two windows meet, so that each k is one addition to a slice.
    """
    counts = windows.shape[axis : axis + len(at.size)]
    for element in product(*map(range, at.kernel)):
        first = [k * d for k, d in zip(element, at.dilation)]
        places = tuple(slice(p, p + (n - 1) * s + 1, s) for p, n, s in zip(first, counts, at.stride))
        y[(ALL,) * axis + places] += windows[(..., *element)]


# --- settings ----------------------------------------------------------------------------------------------------


def numbers(operation: str, name: str, value: Any, n: int, least: int | None) -> tuple[int, ...]:
    """``value``, one integer for all or one for each of n places, as n integers, none below ``least`` if that is given.

    Raises:
        TypeError: if it is neither an integer nor a sequence of them.
        ValueError: if there are not n of them, or if one is too small.
    """
    given = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    found = tuple(check.integer(operation, number, name) for number in given)
    if len(found) not in (1, n):
        several = f" or {n}" if n > 1 else ""
        raise ValueError(f"{operation}: {name} must be one number{several}, not {found}")
    if least is not None and min(found) < least:
        raise ValueError(f"{operation}: {name} must be at least {least}, not {value}")
    return found if len(found) == n else found * n


def count_of(
    size: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, ...], padding: tuple[int, ...], dilation: Any
) -> tuple[int, ...]:
    """How many windows fit into the padded image: floor((size + 2 padding - span) / stride) + 1, below 1 if none."""
    each = zip(size, kernel, stride, padding, dilation)
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in each)


# --- unfold and fold ---------------------------------------------------------------------------------------------


class Im2col(Function):
    """y[n, (c, k), i] = x[n, c, place(i, k)]: the windows of an image as the columns of a matrix.

    y_j = x_p(j) copies elements, some several times, so dL/dx adds each g_j to the place p(j): ``Col2im``.
    """

    def __init__(self, at: Windows) -> None:
        self.at = at

    def forward(self, x: Any) -> Any:
        images, channels = x.shape[:2]
        windows = slid(padded(x, self.at, 2), self.at, 2)  # (N, C, rows, columns, kernel height, kernel width)
        columns = windows.transpose(0, 1, 4, 5, 2, 3).copy()
        return columns.reshape(images, channels * math.prod(self.at.kernel), math.prod(self.at.count))

    def backward(self, g: Any) -> Any:
        return m.apply(Col2im(self.at), g)


class Col2im(Function):
    """y[n, c, p] = the sum over all (i, k) with place(i, k) = p of x[n, (c, k), i]; dL/dx = g unfolded: ``Im2col``."""

    def __init__(self, at: Windows) -> None:
        self.at = at

    def forward(self, x: Any) -> Any:
        images, channels = x.shape[0], x.shape[1] // math.prod(self.at.kernel)
        windows = x.reshape(images, channels, *self.at.kernel, *self.at.count).transpose(0, 1, 4, 5, 2, 3)
        y = namespace(x).zeros((images, channels, *self.at.padded), x.dtype)
        add_windows(y, windows, self.at, 2)
        return y[(ALL, ALL, *self.at.inside)].copy()

    def backward(self, g: Any) -> Any:
        return m.apply(Im2col(self.at), g)


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """The windows of an image as columns: (N, C, H, W) becomes (N, C kH kW, L), L = the number of windows.

    With it a convolution is a matrix product: ``weight.flatten(1) @ unfold(x, kernel_size)``. Without a batch, (C, H,
    W) becomes (C kH kW, L). Every setting is a number or a pair.

    Raises:
        TypeError: if the input is not floating point, or a setting not made of integers.
        ValueError: if the input is no image, a setting is too small, or no window fits.
    """
    x = check.floating("unfold", input)
    if x.ndim not in (3, 4):
        raise ValueError(f"unfold: input must be (N, C, H, W) or (C, H, W), not of shape {x.shape}")
    at = image_windows("unfold", x.shape[-2:], kernel_size, dilation, padding, stride)
    y = Im2col(at).apply(x if x.ndim == 4 else x.reshape(1, *x.shape))
    return y if x.ndim == 4 else y.reshape(y.shape[1:])


def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Columns added up to an image, each element at the place that its window covers: the transpose of ``unfold``.

    (N, C kH kW, L) becomes (N, C, H, W) with (H, W) = ``output_size``. It is no inverse: a place that several windows
    cover gets the sum of them.

    Raises:
        TypeError, ValueError: as ``unfold``, and if the columns do not fit the windows.
    """
    x = check.floating("fold", input)
    if x.ndim not in (2, 3):
        raise ValueError(f"fold: input must be (N, C kH kW, L) or (C kH kW, L), not of shape {x.shape}")
    size = numbers("fold", "output_size", output_size, 2, 1)
    at = image_windows("fold", size, kernel_size, dilation, padding, stride)
    elements, columns = math.prod(at.kernel), math.prod(at.count)
    if x.shape[-2] % elements:
        raise ValueError(
            f"fold: input has columns of {x.shape[-2]} elements, which the {elements} of kernel_size {at.kernel} do "
            f"not divide (input {x.shape})"
        )
    if x.shape[-1] != columns:
        raise ValueError(
            f"fold: input has {x.shape[-1]} columns, but an image of size {size} has {at.count[0]} x {at.count[1]} = "
            f"{columns} windows (input {x.shape})"
        )
    y = Col2im(at).apply(x if x.ndim == 3 else x.reshape(1, *x.shape))
    return y if x.ndim == 3 else y.reshape(y.shape[1:])


def image_windows(
    operation: str, size: tuple[int, ...], kernel_size: Any, dilation: Any, padding: Any, stride: Any
) -> Windows:
    """The windows of an image, from settings as the caller gave them."""
    kernel = numbers(operation, "kernel_size", kernel_size, 2, 1)
    dilation = numbers(operation, "dilation", dilation, 2, 1)
    padding = numbers(operation, "padding", padding, 2, 0)
    stride = numbers(operation, "stride", stride, 2, 1)
    count = count_of(size, kernel, stride, padding, dilation)
    at = Windows(tuple(size), kernel, stride, padding, dilation, count)
    if min(count) < 1:
        around = tuple(n + 2 * p for n, p in zip(size, padding))
        raise ValueError(f"{operation}: a window spans {at.spans} places, but the padded image has only {around}")
    return at
