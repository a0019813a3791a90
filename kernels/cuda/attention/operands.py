"""What every rung of the attention ladder does before and after its kernels: checks, views, widths, masks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import arrays
from ..compiler import cuda, float32, int32
from ..kernel import Kernel

__all__ = ["KERNELS", "Operands", "finished", "flat", "operands", "padded"]

WIDTHS = (16, 32, 64, 128)  # the widths of a head that kernels exist for; others are filled up with zeros


@dataclass
class Operands:
    """Attention's operands as kernels take them: of one width, without gaps, on the device.

    ``mask`` holds numbers, (batch, heads, queries, keys) made flat, and ``steps`` says how to find them: whether there
    is a mask, and by how much the index grows from one batch, head, query or key to the next.
    """

    q: Any
    k: Any
    v: Any
    mask: Any
    steps: tuple[int, int, int, int, int]
    causal: int
    scale: np.float32
    stream: Any

    @property
    def width(self) -> int:
        return self.q.shape[3]

    @property
    def group(self) -> int:
        """How many heads of the queries share a head of the keys."""
        return self.q.shape[1] // self.k.shape[1] if self.k.shape[1] else 1

    @property
    def share(self) -> np.float32:
        return np.float32(1 / self.group)


def operands(
    operation: str, q: Any, k: Any, v: Any, mask: Any, causal: bool, scale: float | None, stream: Any
) -> Operands:
    """Check the operands and make them ready.

    Raises:
        TypeError: if one is no array, or not float32, or the mask neither bool nor float32.
        ValueError: if shapes do not fit, or arrays of NumPy and of the GPU meet.
    """
    arrays.check_float32(operation, q=q, k=k, v=v)
    check_shapes(operation, q, k, v)
    stream = arrays.stream_of(q, k, v) if stream is None else stream
    width = next(w for w in WIDTHS if w >= max(q.shape[3], v.shape[3]))
    numbers, steps = mask_numbers(operation, mask, q, k, stream)
    scale = 1 / math.sqrt(q.shape[3]) if scale is None else scale
    q, k, v = (padded(x, width, stream) for x in (q, k, v))
    return Operands(q, k, v, numbers, steps, int(causal), np.float32(scale), stream)


# --- checks ------------------------------------------------------------------------------------------------------


def check_shapes(operation: str, q: Any, k: Any, v: Any) -> None:
    """(batch, heads, length, width) each, that fit."""
    shapes = f"(q {q.shape}, k {k.shape}, v {v.shape})"
    for name, x in (("q", q), ("k", k), ("v", v)):
        if len(x.shape) != 4:
            raise ValueError(f"{operation}: {name} must have the shape (batch, heads, length, width), not {x.shape}")
    if not q.shape[0] == k.shape[0] == v.shape[0]:
        raise ValueError(f"{operation}: q, k and v must have the same batch {shapes}")
    if k.shape[1] != v.shape[1]:
        raise ValueError(f"{operation}: k has {k.shape[1]} heads but v has {v.shape[1]} {shapes}")
    if q.shape[1] and (not k.shape[1] or q.shape[1] % k.shape[1]):
        raise ValueError(f"{operation}: k has {k.shape[1]} heads, which do not divide the {q.shape[1]} of q {shapes}")
    if k.shape[2] != v.shape[2]:
        raise ValueError(f"{operation}: k has length {k.shape[2]} but v has {v.shape[2]} {shapes}")
    if not k.shape[2]:
        raise ValueError(f"{operation}: the sequence of keys is empty, so there is nothing to attend to {shapes}")
    if q.shape[3] != k.shape[3]:
        raise ValueError(f"{operation}: q has width {q.shape[3]} but k has {k.shape[3]} {shapes}")
    for name, x in (("q", q), ("v", v)):
        if not 1 <= x.shape[3] <= WIDTHS[-1]:
            raise ValueError(f"{operation}: {name} has width {x.shape[3]}; the kernels know 1 to {WIDTHS[-1]} {shapes}")


def check_mask(operation: str, mask: Any, q: Any, k: Any) -> None:
    """A mask of booleans or float32 that broadcasts to the scores."""
    if not (isinstance(mask, np.ndarray) or arrays.is_on_gpu(mask)):
        raise TypeError(f"{operation}: mask must be an array of NumPy or on the GPU, not {type(mask).__name__}")
    if mask.dtype not in (np.bool_, np.float32):
        raise TypeError(f"{operation}: mask must be bool or float32, not {mask.dtype}")
    if arrays.is_on_gpu(mask) != arrays.is_on_gpu(q):
        raise ValueError(f"{operation}: mask and q must both be NumPy's arrays, or both be on the GPU")
    scores = (q.shape[0], q.shape[1], q.shape[2], k.shape[2])
    padded_shape = (1,) * (4 - len(mask.shape)) + tuple(mask.shape)
    if len(padded_shape) > 4 or any(m not in (1, n) for m, n in zip(padded_shape, scores, strict=True)):
        raise ValueError(f"{operation}: mask of shape {mask.shape} does not broadcast to the scores {scores}")


# --- making ready ------------------------------------------------------------------------------------------------


def mask_numbers(operation: str, mask: Any, q: Any, k: Any, stream: Any) -> tuple[Any, tuple[int, int, int, int, int]]:
    """The mask as numbers to add, flat, and its steps; a single zero where there is none."""
    if mask is None:
        return arrays.view(arrays.zeros((1,), q)), (0, 0, 0, 0, 0)
    check_mask(operation, mask, q, k)
    mask = mask.reshape((1,) * (4 - len(mask.shape)) + tuple(mask.shape))
    batch, heads, queries, keys = mask.shape
    strides = (heads * queries * keys, queries * keys, keys, 1)
    steps = (1, *(0 if n == 1 else s for n, s in zip(mask.shape, strides, strict=True)))
    if mask.dtype == np.float32:
        return flat(padded(mask, keys, stream)), steps
    numbers = arrays.view(arrays.empty(mask.shape, mask))
    NUMBERS.launch((-(-queries * keys // 256), heads, batch), arrays.view(mask), numbers, stream=stream)
    return flat(numbers), steps


def padded(array: Any, width: int, stream: Any) -> Any:
    """A four-dimensional array on the device with rows of ``width`` numbers and no gaps, zeros behind its own.

    The array itself, if it is like that and begins at an address for accesses of 16 bytes.
    """
    view = arrays.view(array)
    aligned = not arrays.is_on_gpu(view) or view.__cuda_array_interface__["data"][0] % 16 == 0
    if view.shape[3] == width and view.flags["C_CONTIGUOUS"] and aligned:
        return view
    result = arrays.view(arrays.empty((*view.shape[:3], width), view))
    launch_fit(view, result, stream)
    return result


def finished(result: Any, width: int, like: Any, stream: Any) -> Any:
    """A result as the caller gets it: with its own width, on the caller's side."""
    if result.shape[3] != width:
        whole, result = result, arrays.empty((*result.shape[:3], width), like)
        launch_fit(arrays.view(whole), arrays.view(result), stream)
    return arrays.deliver(result, like)


def flat(array: Any) -> Any:
    """An array without gaps as kernels take it, in one dimension."""
    return arrays.view(array).reshape(math.prod(array.shape))


def launch_fit(source: Any, result: Any, stream: Any) -> None:
    batch, heads, length, width = result.shape
    FIT.launch((-(-length * width // 256), heads, batch), source, result, stream=stream)


def fit_kernel() -> Kernel:
    """Copy rows to rows of another width: a thread an element, neighbours writing neighbours.

    Bytes: 8 an element of the result; no operations.
    """

    def attention_fit(source, result):
        element = int32(cuda.blockIdx.x) * 256 + int32(cuda.threadIdx.x)
        head = int32(cuda.blockIdx.y)
        batch = int32(cuda.blockIdx.z)
        row = element // result.shape[3]
        column = element % result.shape[3]
        if row < result.shape[2]:
            if column < source.shape[3]:
                result[batch, head, row, column] = source[batch, head, row, column]
            else:
                result[batch, head, row, column] = float32(0.0)

    attention_fit.__doc__ = fit_kernel.__doc__
    return Kernel(attention_fit, threads=256, types="float32[:, :, :, :], float32[:, :, :, ::1]")


def numbers_kernel() -> Kernel:
    """A mask of booleans as numbers to add: 0 where a key takes part, -inf where not; a thread an element.

    Bytes: 5 an element; no operations.
    """

    def attention_mask(flags, numbers):
        element = int32(cuda.blockIdx.x) * 256 + int32(cuda.threadIdx.x)
        head = int32(cuda.blockIdx.y)
        batch = int32(cuda.blockIdx.z)
        query = element // flags.shape[3]
        key = element % flags.shape[3]
        if query < flags.shape[2]:
            numbers[batch, head, query, key] = float32(0.0) if flags[batch, head, query, key] else float32(-math.inf)

    attention_mask.__doc__ = numbers_kernel.__doc__
    return Kernel(attention_mask, threads=256, types="boolean[:, :, :, :], float32[:, :, :, ::1]")


FIT = fit_kernel()
NUMBERS = numbers_kernel()
KERNELS = [FIT, NUMBERS]
