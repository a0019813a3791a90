"""Pooling: each window of an image, or of a sequence, gives its largest element or its mean.

A window is a product of one interval a dimension. So pooling goes dimension by dimension, first along the last one and
then along the one before: a 3x3 window takes 3 + 3 steps instead of 9, each of them over a whole array. Padding is
never stored, it only shortens the windows at the edges.

A plane is what is pooled by itself: an image (H, W), or a row (L,), of one channel of one sample. Planes are often
small and many, and a step of NumPy along short rows costs more than the work done there. So they are brought into the
order (H, W, planes) first, as many at a time as fit into a cache.

Where the channels of images lie last in memory anyway, and ``kernels`` has a compiled form, the largest elements are
found by that, and the results have their channels last in memory too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import fast
from ..autograd import Function, Tensor
from ..backend import int64, namespace
from ..grad_mode import is_grad_enabled
from . import check
from .vocabulary import m

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "max_pool1d",
    "max_pool2d",
]

Size = int | Sequence[int]
Sizes = int | None | Sequence[int | None]

BLOCK = 1 << 16  # elements: a few arrays of this length fit into a core's cache
FEW = 4  # places a window; up to here the k-th places of all windows are added at once, beyond window by window


# --- windows -----------------------------------------------------------------------------------------------------


class Windows(NamedTuple):
    """The windows along one dimension.

    ``steps`` are pairs of equally long slices (which windows, which places): each window named there contains the place
    named with it. In each pair no window and no place occurs twice, and the places of a window come in ascending order.
    """

    steps: list[tuple[slice, slice]]
    first: slice | list[int]  # the first place of each window
    spans: list[range]  # the places of each window
    sizes: list[int]  # what the sum of each window is divided by
    even: int = 0  # their size, if they lie side by side and cover everything

    @property
    def length(self) -> int:
        """How many windows there are."""
        return len(self.spans)


def sliding(n: int, size: int, stride: int, padding: int, dilation: int, count: int, whole: bool = True) -> Windows:
    """Windows of ``size`` places, ``dilation`` apart, that begin every ``stride`` places, from ``-padding`` on.

    Those outside of 0 to n - 1 are left out. They do count in the size of a mean if ``whole``, as far as the padding
    reaches.
    """
    starts = [o * stride - padding for o in range(count)]
    spans = [
        range(start if start >= 0 else start % dilation, min(n, start + (size - 1) * dilation + 1), dilation)
        for start in starts
    ]
    steps = []
    for k in range(size):
        shift = k * dilation - padding  # window o has its k-th place at o stride + shift
        low, high = max(0, -(shift // stride)), min(count, (n - 1 - shift) // stride + 1)
        if low < high:
            steps.append((slice(low, high), slice(low * stride + shift, (high - 1) * stride + shift + 1, stride)))
    ends = [min(start + size, n + padding) for start in starts]
    sizes = [end - start if whole else min(end, n) - max(start, 0) for start, end in zip(starts, ends, strict=True)]
    if not padding:
        even = size if size == stride and dilation == 1 and count * size == n else 0
        return Windows(steps, slice(0, count * stride, stride), spans, sizes, even)
    return Windows(steps, [span.start for span in spans], spans, sizes)


def adaptive(n: int, count: int) -> Windows:
    """``count`` windows that cover 0 to n - 1 as evenly as integers can: window o from floor(o n / count) up to, but
    without, ceil((o + 1) n / count).
    """
    if count and n % count == 0:
        return sliding(n, n // count, n // count, 0, 1, count)
    spans = [range(o * n // count, -(-(o + 1) * n // count)) for o in range(count)]
    steps = [(slice(o, o + 1), slice(i, i + 1)) for o, span in enumerate(spans) for i in span]
    return Windows(steps, [span.start for span in spans], spans, [len(span) for span in spans])


def at(axis: int, part: Any) -> tuple:
    """The index of a part of one dimension."""
    return (*[slice(None)] * axis, part)


def replaced(shape: tuple[int, ...], axis: int, length: int) -> tuple[int, ...]:
    """The shape with another length in one dimension."""
    return (*shape[:axis], length, *shape[axis + 1 :])


# --- planes ------------------------------------------------------------------------------------------------------


def as_planes(x: Any, dims: int) -> Any:
    """x as (planes, H, W), or (planes, L)."""
    return x.reshape(math.prod(x.shape[: x.ndim - dims]), *x.shape[x.ndim - dims :])


def blocks(x: Any) -> Iterator[tuple[slice, Any, int]]:
    """Some planes at a time: which they are, their elements in the quicker order, and which axis is the plane's first.

    It is 0 in (H, W, planes), 1 in (planes, H, W); the latter where a row is longer than there are planes.
    """
    step = max(1, BLOCK // max(1, math.prod(x.shape[1:])))
    rotate = min(step, x.shape[0]) > x.shape[-1]
    for start in range(0, x.shape[0], step):
        which = slice(start, start + step)
        part = x[which]
        yield which, namespace(x).ascontiguousarray(namespace(x).moveaxis(part, 0, -1)) if rotate else part, not rotate


def store(y: Any, which: slice, part: Any, first: int) -> None:
    """Put planes in the order of ``blocks`` back into (planes, H, W)."""
    y[which] = part if first else namespace(y).moveaxis(part, -1, 0)


# --- the largest element -----------------------------------------------------------------------------------------


class MaxPool(Function):
    """y_o = max of the x_i with i in window o; dL/dx_i = sum of the g_o whose window has its largest element at i.

    Where several elements are the largest, the first one counts. NaN is larger than all numbers, and here the last one
    counts: that is PyTorch's rule.

    The place of the largest element is an index into the plane, h W + w; later places have larger indices. A place that
    a comparison has chosen therefore is max(place so far, chosen * place): arithmetic with truth values is several
    times as fast as a choice by mask.

    Args:
        windows: of the last dimensions.
        keep: whether the places are needed, for a backward pass or as a result.
        return_indices: return the places as well.
    """

    def __init__(self, windows: Sequence[Windows], keep: bool, return_indices: bool) -> None:
        self.windows, self.keep, self.return_indices = windows, keep, return_indices

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        xp, dims = namespace(x), len(self.windows)
        if dims == 2 and (found := fast.pooling.max_pool(x, *(w.spans for w in self.windows))) is not None:
            return self.results(*found)
        shape = (*x.shape[: x.ndim - dims], *(w.length for w in self.windows))
        z, y = as_planes(x, dims), xp.empty(shape, x.dtype)
        if not self.keep:
            for which, part, first in blocks(z):
                for i in reversed(range(dims)):
                    part = largest(part, first + i, self.windows[i])
                store(as_planes(y, dims), which, part, first)
            return y
        with_nan = x.dtype.kind == "f" and x.size > 0
        if type(x) is np.ndarray:  # to look whether there is one costs less than to reckon with it, but not on a GPU
            with_nan = with_nan and bool(np.isnan(x.max()))
        size = math.prod(z.shape[1:])
        numbered = xp.arange(size, dtype=np.int32 if size < 2**31 else int64).reshape(z.shape[1:])
        places = xp.empty(shape, numbered.dtype)
        for which, part, first in blocks(z):
            found = numbered if first else numbered[..., None]
            found = xp.broadcast_to(found, part.shape)
            for i in reversed(range(dims)):
                part, found = largest_with_place(part, found, first + i, self.windows[i], with_nan)
            store(as_planes(y, dims), which, part, first)
            store(as_planes(places, dims), which, found, first)
        return self.results(y, places)

    def results(self, y: Any, places: Any) -> Any:
        self.saved = (places,)
        return (y, places.astype(int64)) if self.return_indices else y

    def backward(self, g: Any) -> Any:
        (places,) = self.saved
        return m.apply(AddInPlanes(self.shape, len(self.windows)), g[0] if self.return_indices else g, places)


def largest(x: Any, axis: int, windows: Windows) -> Any:
    """The largest element of each window."""
    y = x[at(axis, windows.first)].copy()
    for outputs, inputs in windows.steps:
        part = y[at(axis, outputs)]
        namespace(x).maximum(part, x[at(axis, inputs)], out=part)
    return y


def largest_with_place(x: Any, places: Any, axis: int, windows: Windows, with_nan: bool) -> tuple[Any, Any]:
    """The largest element of each window and, of the places of all elements, the one that belongs to it."""
    xp = namespace(x)
    y, found = x[at(axis, windows.first)].copy(), places[at(axis, windows.first)].copy()
    for outputs, inputs in windows.steps[isinstance(windows.first, slice) :]:
        part, chosen, value = y[at(axis, outputs)], found[at(axis, outputs)], x[at(axis, inputs)]
        better = value > part
        if with_nan:
            better |= value != value
        xp.maximum(part, value, out=part)
        xp.maximum(chosen, better * places[at(axis, inputs)], out=chosen)
    return y, found


class AddInPlanes(Function):
    """y = 0, then y[plane, places] += x: each element of x is added at its place in its plane; dL/dx = g taken there.

    Planes are the last ``dims`` dimensions of ``shape`` taken as one.
    """

    def __init__(self, shape: tuple[int, ...], dims: int) -> None:
        self.shape, self.dims = shape, dims

    def forward(self, x: Any, places: Any) -> Any:
        self.saved = (places,)
        if self.dims == 2 and (y := fast.pooling.add_at_places(x, places, self.shape)) is not None:
            return y
        y = namespace(x).zeros(self.shape, x.dtype)
        namespace(x).add.at(y.reshape(-1), in_memory(places, self.shape, self.dims), x.reshape(-1))
        return y

    def backward(self, g: Any) -> Any:
        (places,) = self.saved
        return m.apply(TakeInPlanes(self.dims), g, places), None


class TakeInPlanes(Function):
    """y = x[plane, places], where every plane of x has a plane of places; dL/dx = g added at these places."""

    def __init__(self, dims: int) -> None:
        self.dims = dims

    def forward(self, x: Any, places: Any) -> Any:
        self.shape, self.saved = x.shape, (places,)
        return x.reshape(-1)[in_memory(places, x.shape, self.dims)].reshape(places.shape)

    def backward(self, g: Any) -> Any:
        (places,) = self.saved
        return m.apply(AddInPlanes(self.shape, self.dims), g, places), None


def in_memory(places: Any, shape: tuple[int, ...], dims: int) -> Any:
    """Places in the planes of an array of that shape, as places in the whole array; in one dimension."""
    planes = math.prod(shape[: len(shape) - dims])
    starts = namespace(places).arange(planes) * math.prod(shape[len(shape) - dims :])
    return (places.reshape(planes, math.prod(places.shape[len(shape) - dims :])) + starts[:, None]).reshape(-1)


# --- the mean ----------------------------------------------------------------------------------------------------


class AvgPool(Function):
    """y_o = sum of the x_i with i in window o, divided by its size s_o; dL/dx_i = sum of g_o / s_o over the o with i.

    ``divisor``, if given, takes the place of all sizes.
    """

    def __init__(self, windows: Sequence[Windows], divisor: int | None = None) -> None:
        self.windows, self.divisor = windows, divisor

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        dims = len(self.windows)
        if tiled(self.windows):
            shape, axes = tiles(x.shape, self.windows)
            return divide(x.reshape(shape).sum(axes), self.windows, self.divisor)
        y = namespace(x).empty((*x.shape[: x.ndim - dims], *(w.length for w in self.windows)), x.dtype)
        for which, part, first in blocks(as_planes(x, dims)):
            for i in reversed(range(dims)):
                part = gathered(part, first + i, self.windows[i])
            store(as_planes(y, dims), which, part, first)
        return divide(y, self.windows, self.divisor)

    def backward(self, g: Any) -> Any:
        return m.apply(Spread(self.windows, self.divisor, self.shape), g)


class Spread(Function):
    """y_i = sum over the windows o of i of x_o / s_o: what ``AvgPool`` gathers, spread again; dL/dx = g pooled."""

    def __init__(self, windows: Sequence[Windows], divisor: int | None, shape: tuple[int, ...]) -> None:
        self.windows, self.divisor, self.shape = windows, divisor, shape

    def forward(self, x: Any) -> Any:
        dims = len(self.windows)
        x = divide(x.copy(), self.windows, self.divisor)
        y = namespace(x).empty(self.shape, x.dtype)
        if tiled(self.windows):
            shape, axes = tiles(self.shape, self.windows)
            y.reshape(shape)[...] = x.reshape([1 if axis in axes else n for axis, n in enumerate(shape)])
            return y
        for which, part, first in blocks(as_planes(x, dims)):
            for i, (windows, length) in enumerate(zip(self.windows, self.shape[len(self.shape) - dims :], strict=True)):
                part = scattered(part, first + i, windows, length)
            store(as_planes(y, dims), which, part, first)
        return y

    def backward(self, g: Any) -> Any:
        return m.apply(AvgPool(self.windows, self.divisor), g)


def tiled(windows: Sequence[Windows]) -> bool:
    """Whether the windows cover the plane side by side and are large enough to be summed one by one."""
    return min(w.even for w in windows) > FEW


def tiles(shape: tuple[int, ...], windows: Sequence[Windows]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shape with every dimension split into (windows, places), and the axes of the places."""
    batch = len(shape) - len(windows)
    split = tuple(n for w in windows for n in (w.length, w.even))
    return (*shape[:batch], *split), tuple(range(batch + 1, batch + len(split), 2))


def gathered(x: Any, axis: int, windows: Windows) -> Any:
    """The sum of each window."""
    y = namespace(x).zeros(replaced(x.shape, axis, windows.length), x.dtype)
    for outputs, inputs in windows.steps:
        part = y[at(axis, outputs)]
        part += x[at(axis, inputs)]
    return y


def scattered(x: Any, axis: int, windows: Windows, length: int) -> Any:
    """For each place the sum of the elements of x whose windows contain it."""
    y = namespace(x).zeros(replaced(x.shape, axis, length), x.dtype)
    for outputs, inputs in windows.steps:
        part = y[at(axis, inputs)]
        part += x[at(axis, outputs)]
    return y


def divide(x: Any, windows: Sequence[Windows], divisor: int | None) -> Any:
    """x_o / s_o, in place; s_o is the product of the sizes along the dimensions."""
    if divisor is not None:
        x /= divisor
        return x
    for behind, w in enumerate(reversed(windows)):  # dimensions that come after this one
        if len(set(w.sizes)) == 1:
            x /= w.sizes[0]
        else:
            x /= namespace(x).asarray(w.sizes, dtype=x.dtype).reshape(-1, *[1] * behind)
    return x


# --- operations --------------------------------------------------------------------------------------------------


def max_pool1d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest element of each window of (N, C, L) or (C, L); arguments, result and errors as ``max_pool2d``."""
    settings = (kernel_size, stride, padding, dilation, ceil_mode)
    return max_pool("max_pool1d", input, sliding_windows("max_pool1d", input, 1, *settings), return_indices)


def max_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest element of each window of every image (N, C, H, W) or (C, H, W).

    Of n places in a dimension become floor((n + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1. Padding
    never wins: it counts as smaller than all numbers.

    Args:
        kernel_size: the length of a window, one number or one for each dimension; so for the next three.
        stride: from one window to the next; as ``kernel_size`` unless given.
        padding: places added at both ends, at most half of ``kernel_size``.
        dilation: from one place of a window to the next.
        ceil_mode: round up instead of down; a last window may then begin inside and end outside.
        return_indices: return a pair, the second an int64 tensor of where in the plane, h W + w, each element stood.

    Raises:
        TypeError: for bool, and for settings that are no integers.
        ValueError: if the shape or a setting does not fit.
    """
    settings = (kernel_size, stride, padding, dilation, ceil_mode)
    return max_pool("max_pool2d", input, sliding_windows("max_pool2d", input, 2, *settings), return_indices)


def avg_pool1d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window of (N, C, L) or (C, L); arguments, result and errors as ``avg_pool2d``."""
    x = check.floating("avg_pool1d", input)
    return AvgPool(
        sliding_windows("avg_pool1d", x, 1, kernel_size, stride, padding, 1, ceil_mode, count_include_pad)
    ).apply(x)


def avg_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of every image (N, C, H, W) or (C, H, W).

    Args:
        kernel_size, stride, padding, ceil_mode: as in ``max_pool2d``.
        count_include_pad: padding counts as zeros; otherwise the sum is divided by the number of true elements alone.
        divisor_override: divide all sums by this number instead.

    Raises:
        TypeError: unless input is floating point.
        ValueError: if the shape or a setting does not fit.
    """
    x = check.floating("avg_pool2d", input)
    windows = sliding_windows("avg_pool2d", x, 2, kernel_size, stride, padding, 1, ceil_mode, count_include_pad)
    divisor = None if divisor_override is None else check.integer("avg_pool2d", divisor_override, "divisor_override")
    if divisor == 0:
        raise ValueError("avg_pool2d: divisor_override must not be 0")
    return AvgPool(windows, divisor).apply(x)


def adaptive_avg_pool1d(input: Tensor, output_size: Sizes) -> Tensor:
    """The means of ``output_size`` windows of (N, C, L) or (C, L); as ``adaptive_avg_pool2d``."""
    x = check.floating("adaptive_avg_pool1d", input)
    return AvgPool(adaptive_windows("adaptive_avg_pool1d", x, 1, output_size)).apply(x)


def adaptive_avg_pool2d(input: Tensor, output_size: Sizes) -> Tensor:
    """The means of windows that cover every image (N, C, H, W) or (C, H, W) evenly.

    Along a dimension of length n window o of O reaches from floor(o n / O) up to, but without, ceil((o + 1) n / O).
    So neighbours overlap by one place where O does not divide n.

    Args:
        output_size: how many windows, O: one number or one for each dimension; None leaves a dimension as it is.

    Raises:
        TypeError: unless input is floating point.
        ValueError: if the shape or the size does not fit.
    """
    x = check.floating("adaptive_avg_pool2d", input)
    return AvgPool(adaptive_windows("adaptive_avg_pool2d", x, 2, output_size)).apply(x)


def adaptive_max_pool1d(
    input: Tensor, output_size: Sizes, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest elements of the windows of ``adaptive_avg_pool1d``; indices as in ``max_pool2d``."""
    x = check.floating("adaptive_max_pool1d", input)
    return max_pool(
        "adaptive_max_pool1d", x, adaptive_windows("adaptive_max_pool1d", x, 1, output_size), return_indices
    )


def adaptive_max_pool2d(
    input: Tensor, output_size: Sizes, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest elements of the windows of ``adaptive_avg_pool2d``; indices as in ``max_pool2d``."""
    x = check.floating("adaptive_max_pool2d", input)
    return max_pool(
        "adaptive_max_pool2d", x, adaptive_windows("adaptive_max_pool2d", x, 2, output_size), return_indices
    )


def max_pool(operation: str, x: Tensor, windows: list[Windows], return_indices: bool) -> Tensor | tuple[Tensor, Tensor]:
    if x.dtype.kind == "b":
        raise TypeError(f"{operation}: input must hold numbers, not bool")
    keep = return_indices or (x.requires_grad and is_grad_enabled())
    return MaxPool(windows, keep, return_indices).apply(x)


# --- checks ------------------------------------------------------------------------------------------------------


def sliding_windows(
    operation: str,
    x: Any,
    dims: int,
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    dilation: Size,
    ceil_mode: bool,
    whole: bool = True,
) -> list[Windows]:
    """The windows of each of the last ``dims`` dimensions of x, with everything checked."""
    plane = plane_of(operation, x, dims)
    kernel = numbers(operation, "kernel_size", kernel_size, dims, 1)
    step = kernel if stride is None or stride in ((), []) else numbers(operation, "stride", stride, dims, 1)
    margin = numbers(operation, "padding", padding, dims, 0)
    gap = numbers(operation, "dilation", dilation, dims, 1)
    if any(p > k // 2 for p, k in zip(margin, kernel, strict=True)):
        raise ValueError(f"{operation}: padding {margin} is more than half of kernel_size {kernel}")
    found = []
    for n, k, s, p, d in zip(plane, kernel, step, margin, gap, strict=True):
        count = (n + 2 * p - d * (k - 1) - 1 + (s - 1 if ceil_mode else 0)) // s + 1
        count -= ceil_mode and (count - 1) * s >= n + p  # the last window would begin in the padding at the end
        if count < 1 or n < 1:
            raise ValueError(
                f"{operation}: a window with kernel_size {kernel} and dilation {gap} does not fit into input {x.shape} "
                f"with padding {margin}"
            )
        windows = sliding(n, k, s, p, d, count, whole)
        if isinstance(windows.first, list) and max(windows.first) >= n:
            raise ValueError(
                f"{operation}: with dilation {gap} and padding {margin}, a window holds nothing of input {x.shape}"
            )
        found.append(windows)
    return found


def adaptive_windows(operation: str, x: Tensor, dims: int, output_size: Sizes) -> list[Windows]:
    """The windows of each of the last ``dims`` dimensions of x, with everything checked."""
    plane = plane_of(operation, x, dims)
    given = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * dims
    if len(given) != dims:
        raise ValueError(f"{operation}: output_size must be one number or {dims}, not {output_size}")
    counts = tuple(
        n if o is None else check.integer(operation, o, "output_size") for n, o in zip(plane, given, strict=True)
    )
    if min(counts) < 0:
        raise ValueError(f"{operation}: output_size must not be negative, but is {counts}")
    if min(plane) < 1:
        raise ValueError(f"{operation}: input {x.shape} has nothing to pool")
    return [adaptive(n, count) for n, count in zip(plane, counts, strict=True)]


def plane_of(operation: str, x: Any, dims: int) -> tuple[int, ...]:
    """The lengths of the last ``dims`` dimensions of x, which has one or two more."""
    if check.tensor(operation, x).ndim not in (dims + 1, dims + 2):
        names = "C, L" if dims == 1 else "C, H, W"
        raise ValueError(f"{operation}: input must have the shape (N, {names}) or ({names}), not {x.shape}")
    return x.shape[-dims:]


def numbers(operation: str, name: str, value: Any, dims: int, least: int) -> tuple[int, ...]:
    """One number for all dimensions, or one for each."""
    given = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if len(given) not in (1, dims):
        raise ValueError(f"{operation}: {name} must be one number or {dims}, not {value}")
    found = tuple(check.integer(operation, v, name) for v in given) * (dims // len(given))
    if min(found) < least:
        raise ValueError(f"{operation}: {name} must be at least {least}, not {value}")
    return found
