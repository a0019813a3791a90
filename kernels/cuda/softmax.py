"""softmax and log_softmax along an axis, and their gradients: arrays in, arrays out.

With m = max_j x_j and l = sum_j exp(x_j - m), both over the row,

    softmax(x)_i = exp(x_i - m) / l,        log_softmax(x)_i = x_i - m - log l

and for y = softmax(x), z = log_softmax(x) and the gradient g of the result

    dx_i = sum_j g_j dy_j/dx_i = sum_j g_j y_j ([i = j] - y_i) = y_i (g_i - sum_j g_j y_j),
    dx_i = sum_j g_j dz_j/dx_i = sum_j g_j ([i = j] - exp z_i) = g_i - exp(z_i) sum_j g_j.

A row of -inf throughout, and one with inf or NaN, is NaN, as in PyTorch: the formula says so.

All of it is bound by memory: some ten operations for a number read and one written, 8 bytes. What differs between the
kernels is who owns a row, so that it is read in whole lines and, where it can be, only once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from . import arrays
from .compiler import cuda, device, float32, int32
from .kernel import Kernel

__all__ = ["KERNELS", "log_softmax", "log_softmax_backward", "softmax", "softmax_backward"]

THREADS = 128
SHORT, MEDIUM = 4, 32  # numbers of a row that a lane of a warp holds at most: rows up to 128 and 1024


# --- what all kernels compute ------------------------------------------------------------------------------------


@device
def base_of(top):
    """What exponents subtract: the maximum, or 0 for -inf, as exp(-inf - 0) = 0 while exp(-inf - -inf) is NaN."""
    if top == float32(-math.inf):
        return float32(0.0)
    return top


@device
def warp_max(x):
    """The maximum over a warp, for each of its lanes."""
    for n in range(5):
        x = max(x, cuda.shfl_xor_sync(0xFFFFFFFF, x, 1 << n))
    return x


@device
def warp_sum(x):
    """The sum over a warp, for each of its lanes."""
    for n in range(5):
        x += cuda.shfl_xor_sync(0xFFFFFFFF, x, 1 << n)
    return x


def result_of(log: bool) -> Callable[..., Any]:
    """``result(x, base, total)``: an element of the result, for the row's m and l."""

    @device
    def softmax_result(x, base, total):
        return math.exp(x - base) / total

    @device
    def log_softmax_result(x, base, total):
        return x - base - math.log(total)

    return log_softmax_result if log else softmax_result


def slope_of(log: bool) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """``term(g, y)``, what is summed over a row for its gradient, and ``slope(g, y, total)``, the gradient itself."""

    @device
    def softmax_term(g, y):
        return g * y

    @device
    def softmax_slope(g, y, total):
        return y * (g - total)

    @device
    def log_softmax_term(g, y):
        return g

    @device
    def log_softmax_slope(g, y, total):
        return g - math.exp(y) * total

    return (log_softmax_term, log_softmax_slope) if log else (softmax_term, softmax_slope)


# --- a warp a row ------------------------------------------------------------------------------------------------


def warp_kernel(log: bool, held: int) -> Kernel:
    """Rows of at most 32 * ``held`` numbers: a warp a row, which it holds in registers.

    Lane i has the numbers i, i + 32, ... The row is read once and written once: 8 bytes a number. Maximum and sum go
    through shuffles; nothing is shared, nobody waits.
    """
    result = result_of(log)

    def warp(x, y):
        numbers = cuda.local.array(held, float32)
        row = int32(cuda.blockIdx.x) * 4 + int32(cuda.threadIdx.x) // 32
        lane = int32(cuda.threadIdx.x) % 32
        length = x.shape[1]
        if row >= x.shape[0]:
            length = 0
        top = float32(-math.inf)
        for n in range(held):
            numbers[n] = float32(-math.inf)
            if lane + 32 * n < length:
                numbers[n] = x[row, lane + 32 * n]
            top = max(top, numbers[n])
        base = base_of(warp_max(top))
        total = float32(0.0)
        for n in range(held):
            total += math.exp(numbers[n] - base)
        total = warp_sum(total)
        for n in range(held):
            if lane + 32 * n < length:
                y[row, lane + 32 * n] = result(numbers[n], base, total)

    return named(warp, "warp", warp_kernel, log, "float32[:, ::1], float32[:, ::1]", held)


def warp_backward_kernel(log: bool, held: int) -> Kernel:
    """The gradient for rows of at most 32 * ``held`` numbers: a warp a row, as in ``warp_kernel``.

    12 bytes a number: g and the result are read once, the gradient is written.
    """
    term, slope = slope_of(log)

    def warp_backward(g, y, dx):
        slopes = cuda.local.array(held, float32)
        numbers = cuda.local.array(held, float32)
        row = int32(cuda.blockIdx.x) * 4 + int32(cuda.threadIdx.x) // 32
        lane = int32(cuda.threadIdx.x) % 32
        length = y.shape[1]
        if row >= y.shape[0]:
            length = 0
        total = float32(0.0)
        for n in range(held):
            slopes[n] = float32(0.0)
            numbers[n] = float32(0.0)
            if lane + 32 * n < length:
                slopes[n] = g[row, lane + 32 * n]
                numbers[n] = y[row, lane + 32 * n]
            total += term(slopes[n], numbers[n])
        total = warp_sum(total)
        for n in range(held):
            if lane + 32 * n < length:
                dx[row, lane + 32 * n] = slope(slopes[n], numbers[n], total)

    types = "float32[:, ::1], float32[:, ::1], float32[:, ::1]"
    return named(warp_backward, "warp_backward", warp_backward_kernel, log, types, held)


# --- a block a row -----------------------------------------------------------------------------------------------


def block_kernel(log: bool) -> Kernel:
    """Rows of any length: a block a row, read twice, with a running maximum and sum.

    Two readings instead of three (for m, for l, for the result): each thread keeps m and l of the numbers that it has
    seen. A number x gives M = max(m, x) and l = exp(m - M) l + exp(x - M), which is exact, since exp(x_j - M) =
    exp(x_j - m) exp(m - M). The same joins the sums of lanes and warps: l = sum_t exp(m_t - M) l_t.

    12 bytes a number from memory, or 8 where the cache still has the row at the second reading.
    """
    warps = THREADS // 32
    result = result_of(log)

    def block(x, y):
        tops = cuda.shared.array(warps, float32)
        totals = cuda.shared.array(warps, float32)
        thread = int32(cuda.threadIdx.x)
        row = int32(cuda.blockIdx.x)
        m = float32(-math.inf)
        l = float32(0.0)
        for column in range(thread, x.shape[1], THREADS):
            number = x[row, column]
            top = max(m, number)
            base = base_of(top)
            l = l * math.exp(m - base) + math.exp(number - base)
            m = top
        top = warp_max(m)
        l = warp_sum(l * math.exp(m - base_of(top)))
        if thread % 32 == 0:
            tops[thread // 32] = top
            totals[thread // 32] = l
        cuda.syncthreads()
        for w in range(warps):
            top = max(top, tops[w])
        base = base_of(top)
        total = float32(0.0)
        for w in range(warps):
            total += totals[w] * math.exp(tops[w] - base)
        for column in range(thread, x.shape[1], THREADS):
            y[row, column] = result(x[row, column], base, total)

    return named(block, "block", block_kernel, log, "float32[:, ::1], float32[:, ::1]")


def block_backward_kernel(log: bool) -> Kernel:
    """The gradient for rows of any length: a block a row; g and the result are read twice, 20 bytes a number."""
    warps = THREADS // 32
    term, slope = slope_of(log)

    def block_backward(g, y, dx):
        totals = cuda.shared.array(warps, float32)
        thread = int32(cuda.threadIdx.x)
        row = int32(cuda.blockIdx.x)
        total = float32(0.0)
        for column in range(thread, y.shape[1], THREADS):
            total += term(g[row, column], y[row, column])
        total = warp_sum(total)
        if thread % 32 == 0:
            totals[thread // 32] = total
        cuda.syncthreads()
        total = float32(0.0)
        for w in range(warps):
            total += totals[w]
        for column in range(thread, y.shape[1], THREADS):
            dx[row, column] = slope(g[row, column], y[row, column], total)

    types = "float32[:, ::1], float32[:, ::1], float32[:, ::1]"
    return named(block_backward, "block_backward", block_backward_kernel, log, types)


# --- a thread a row ----------------------------------------------------------------------------------------------


def column_kernel(log: bool) -> Kernel:
    """Along an axis that is not the last, (outer, n, inner): a thread a row.

    The numbers of such a row lie ``inner`` apart, but those of neighbouring rows are neighbours: a thread walks along
    its row, twice, and a warp reads whole lines at every step. The running maximum and sum are those of
    ``block_kernel``, with nobody to join.
    """
    result = result_of(log)

    def column(x, y):
        place = int32(cuda.blockIdx.x) * THREADS + int32(cuda.threadIdx.x)
        outer = int32(cuda.blockIdx.y)
        if place < x.shape[2]:
            m = float32(-math.inf)
            l = float32(0.0)
            for i in range(x.shape[1]):
                number = x[outer, i, place]
                top = max(m, number)
                base = base_of(top)
                l = l * math.exp(m - base) + math.exp(number - base)
                m = top
            for i in range(x.shape[1]):
                y[outer, i, place] = result(x[outer, i, place], base_of(m), l)

    return named(column, "column", column_kernel, log, "float32[:, :, ::1], float32[:, :, ::1]")


def column_backward_kernel(log: bool) -> Kernel:
    """The gradient along an axis that is not the last: a thread a row, as in ``column_kernel``."""
    term, slope = slope_of(log)

    def column_backward(g, y, dx):
        place = int32(cuda.blockIdx.x) * THREADS + int32(cuda.threadIdx.x)
        outer = int32(cuda.blockIdx.y)
        if place < y.shape[2]:
            total = float32(0.0)
            for i in range(y.shape[1]):
                total += term(g[outer, i, place], y[outer, i, place])
            for i in range(y.shape[1]):
                dx[outer, i, place] = slope(g[outer, i, place], y[outer, i, place], total)

    types = "float32[:, :, ::1], float32[:, :, ::1], float32[:, :, ::1]"
    return named(column_backward, "column_backward", column_backward_kernel, log, types)


def named(thread: Callable[..., None], form: str, factory: Any, log: bool, types: str, *held: int) -> Kernel:
    """The Kernel of a thread, called after what it computes and how."""
    thread.__name__ = "_".join(["log_softmax" if log else "softmax", form, *map(str, held)])
    thread.__doc__ = factory.__doc__
    return Kernel(thread, threads=THREADS, types=types)


FORWARD = {
    log: {
        "short": warp_kernel(log, SHORT),
        "medium": warp_kernel(log, MEDIUM),
        "long": block_kernel(log),
        "column": column_kernel(log),
    }
    for log in (False, True)
}
BACKWARD = {
    log: {
        "short": warp_backward_kernel(log, SHORT),
        "medium": warp_backward_kernel(log, MEDIUM),
        "long": block_backward_kernel(log),
        "column": column_backward_kernel(log),
    }
    for log in (False, True)
}
KERNELS = [kernel for table in (FORWARD, BACKWARD) for forms in table.values() for kernel in forms.values()]


# --- arrays in, arrays out ---------------------------------------------------------------------------------------


def softmax(x: Any, axis: int = -1, *, stream: Any = None) -> Any:
    """exp(x_i - m) / l along an axis of a float32 array; m and l as above.

    Raises:
        TypeError: if x is no float32 array.
        ValueError: if there is no such axis.
        RuntimeError: where there is no GPU.
    """
    return launched("softmax", FORWARD[False], axis, stream, x=x)


def log_softmax(x: Any, axis: int = -1, *, stream: Any = None) -> Any:
    """x_i - m - log l along an axis of a float32 array; raises as ``softmax``."""
    return launched("log_softmax", FORWARD[True], axis, stream, x=x)


def softmax_backward(grad: Any, y: Any, axis: int = -1, *, stream: Any = None) -> Any:
    """The gradient of x from that of y = softmax(x); raises as ``softmax``, and ValueError if the shapes differ."""
    return launched("softmax_backward", BACKWARD[False], axis, stream, grad=grad, y=y)


def log_softmax_backward(grad: Any, y: Any, axis: int = -1, *, stream: Any = None) -> Any:
    """The gradient of x from that of y = log_softmax(x); raises as ``softmax_backward``."""
    return launched("log_softmax_backward", BACKWARD[True], axis, stream, grad=grad, y=y)


def launched(operation: str, kernels: dict[str, Kernel], axis: int, stream: Any, **given: Any) -> Any:
    """Check the arrays, view them as rows along the axis, and let the kernel for such rows fill the result."""
    arrays.check_float32(operation, **given)
    x = next(iter(given.values()))
    for name, other in given.items():
        if other.shape != x.shape:
            raise ValueError(f"{operation}: grad has the shape {x.shape} but {name} has {other.shape}")
    if not -len(x.shape) <= axis < len(x.shape):
        raise ValueError(f"{operation}: axis {axis} is not among the {len(x.shape)} of shape {x.shape}")
    result = arrays.empty(x.shape, x)
    axis %= len(x.shape)
    outer, length, inner = math.prod(x.shape[:axis]), x.shape[axis], math.prod(x.shape[axis + 1 :])
    stream = arrays.stream_of(*given.values()) if stream is None else stream
    views = [*(without_gaps(operation, name, array) for name, array in given.items()), arrays.view(result)]
    if inner == 1:
        form = "short" if length <= 32 * SHORT else "medium" if length <= 32 * MEDIUM else "long"
        grid: Any = outer if form == "long" else -(-outer // 4)
        shape: tuple[int, ...] = (outer, length)
    else:
        form, grid, shape = "column", (-(-inner // THREADS), outer), (outer, length, inner)
    if math.prod(x.shape):
        kernels[form].launch(grid, *(view.reshape(shape) for view in views), stream=stream)
    return arrays.deliver(result, x)


def without_gaps(operation: str, name: str, array: Any) -> Any:
    """The array on the device, its elements in C's order; a copy where they are not."""
    view = arrays.view(array)
    if view.flags["C_CONTIGUOUS"]:
        return view
    if not hasattr(array, "ravel") or not hasattr(array, "flat"):
        raise ValueError(f"{operation}: {name} has gaps between its elements, and its library cannot close them")
    return arrays.view(array.ravel().reshape(array.shape))
