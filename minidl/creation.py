"""Making tensors: from data, filled with one number, and as sequences. (Random ones are made in sampling.py.)"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import backend
from .autograd import Tensor
from .backend import Array, as_dtype, device_of, is_array
from .ops import check
from .ops.access import host
from .ops.arithmetic import to_dtype

__all__ = [
    "arange",
    "as_tensor",
    "empty",
    "empty_like",
    "eye",
    "from_numpy",
    "full",
    "full_like",
    "linspace",
    "ones",
    "ones_like",
    "tensor",
    "zeros",
    "zeros_like",
]

Number = bool | int | float


def make(array: Array, where: Any, requires_grad: bool) -> Tensor:
    """The array as a leaf on the device ``where`` (None: the default device)."""
    return Tensor(backend.placed(array, where), requires_grad)


def cast(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The array in another dtype, itself if it has that; what is too large becomes infinite, silently as in PyTorch."""
    if array.dtype == dtype:
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        return array.astype(dtype, copy=False)


# --- from data ---------------------------------------------------------------------------------------------------


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new leaf with a copy of ``data``: a number, nested lists of numbers or tensors, an array or a Tensor.

    Python floats become the default dtype (float32), integers int64, truth values bool; arrays and Tensors keep their
    dtype, and a Tensor its device.

    Raises:
        TypeError: for data that are not numbers, or a dtype that the engine does not have.
        ValueError: for nested lists of different lengths, or integers that do not fit into the dtype.
    """
    source: Any = data.array if isinstance(data, Tensor) else data
    if is_array(source):
        wanted = as_dtype("tensor", source.dtype if dtype is None else dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            copied = source.astype(wanted)
        if device is None and (isinstance(data, Tensor) or type(source) is not np.ndarray):
            device = device_of(source)
        return make(copied, device, requires_grad)
    array, wanted = from_python(data, dtype)
    return make(cast(array, wanted), device, requires_grad)


def from_python(data: Any, dtype: Any) -> tuple[np.ndarray, np.dtype]:
    """Numbers and nested lists as an array, and the dtype that they are to get."""
    leaf = first_leaf(data)
    try:
        array = np.array(without_tensors(data) if isinstance(leaf, Tensor) else data)
    except ValueError:
        raise ValueError("tensor: nested lists must have the same length in each dimension") from None
    if type(leaf) is int and array.dtype.kind != "i" and all(type(part) is int for part in leaves([data])):
        raise ValueError("tensor: an integer does not fit into int64")  # NumPy has made something else of it
    if array.dtype.kind not in "biuf":
        raise TypeError(f"tensor: data must be numbers, not {type(leaf).__name__}")
    if dtype is None:
        parts = list(leaves(data)) if isinstance(leaf, Tensor) else []
        if parts and all(isinstance(part, Tensor) for part in parts):
            return array, backend.result_type_of([part.array for part in parts])
        of_python = array.dtype.kind == "f" and (parts or type(leaf) in (bool, int, float, list, tuple))
        return array, backend.get_default_dtype() if of_python else as_dtype("tensor", array.dtype)
    wanted = as_dtype("tensor", dtype)
    if wanted.kind in "iu" and array.dtype.kind in "iuf" and array.size:
        limits, low, high = np.iinfo(wanted), array.min().item(), array.max().item()  # NaN if there is one
        if not (limits.min <= low and high <= limits.max):
            raise ValueError(f"tensor: {high if limits.min <= low else low} does not fit into {wanted}")
    return array, wanted


def first_leaf(data: Any) -> Any:
    """The first element of nested lists: its type tells what the lists are made of."""
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return data


def leaves(data: Any) -> Iterator[Any]:
    """All elements of nested lists."""
    for part in data:
        yield from leaves(part) if isinstance(part, (list, tuple)) else (part,)


def without_tensors(data: Any) -> Any:
    """Nested lists with the values of Tensors instead of the Tensors."""
    if isinstance(data, (list, tuple)):
        return [without_tensors(part) for part in data]
    return host(data.array) if isinstance(data, Tensor) else data


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """``data`` as a Tensor, copied only where it must be: a Tensor stays itself, an array shares its memory."""
    if isinstance(data, Tensor):
        moved = data if device is None else data.to(device)
        return moved if dtype is None else to_dtype(moved, dtype)
    if isinstance(data, np.ndarray):
        wanted = as_dtype("as_tensor", data.dtype if dtype is None else dtype)
        return make(cast(np.asarray(data), wanted), device, False)
    return tensor(data, dtype=dtype, device=device)


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor that shares the memory of a NumPy array.

    Changes on one side are seen on the other, but the guard against changes in place does not see those made through
    the array.
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: a numpy.ndarray is needed, not {type(array).__name__}")
    as_dtype("from_numpy", array.dtype)
    return Tensor(np.asarray(array).view())  # the graph knows arrays by identity: each tensor has its own


# --- filled with one number --------------------------------------------------------------------------------------


def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros."""
    return filled("zeros", lengths("zeros", size), 0, dtype, device, requires_grad)


def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones."""
    return filled("ones", lengths("ones", size), 1, dtype, device, requires_grad)


def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor whose elements nobody has set yet: they may hold anything."""
    shape = lengths("empty", size)
    wanted = backend.get_default_dtype() if dtype is None else as_dtype("empty", dtype)
    return make(allocate("empty", shape, wanted, lambda: np.empty(shape, wanted)), device, requires_grad)


def full(size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor in which every element is ``fill_value``; its type gives the dtype, unless one is given."""
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"full: size must be a tuple or list of integers, not {type(size).__name__}")
    value = scalar("full", fill_value, "fill_value")
    if dtype is None:
        dtype = backend.bool_ if isinstance(value, bool) else backend.int64 if isinstance(value, int) else None
    return filled("full", lengths("full", (size,)), value, dtype, device, requires_grad)


def zeros_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros in the shape of ``input``, with its dtype and on its device unless others are given."""
    return filled_like("zeros_like", input, 0, dtype, device, requires_grad)


def ones_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones in the shape of ``input``, with its dtype and on its device unless others are given."""
    return filled_like("ones_like", input, 1, dtype, device, requires_grad)


def full_like(
    input: Tensor, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """``fill_value`` in the shape of ``input``, with its dtype and on its device unless others are given."""
    return filled_like("full_like", input, scalar("full_like", fill_value, "fill_value"), dtype, device, requires_grad)


def empty_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of the shape of ``input`` whose elements nobody has set yet, with its dtype and on its device."""
    dtype, device = like("empty_like", input, dtype, device)
    return empty(input.shape, dtype=dtype, device=device, requires_grad=requires_grad)


def filled_like(operation: str, input: Tensor, value: Number, dtype: Any, where: Any, requires_grad: bool) -> Tensor:
    dtype, where = like(operation, input, dtype, where)
    return filled(operation, input.shape, value, dtype, where, requires_grad)


def like(operation: str, input: Tensor, dtype: Any, where: Any) -> tuple[Any, Any]:
    """dtype and device of ``input`` where none are given."""
    check.tensor(operation, input)
    return input.dtype if dtype is None else dtype, input.device if where is None else where


def filled(
    operation: str, shape: tuple[int, ...], value: Number, dtype: Any, where: Any, requires_grad: bool
) -> Tensor:
    wanted = backend.get_default_dtype() if dtype is None else as_dtype(operation, dtype)
    if wanted.kind in "iu":
        value = whole(operation, value, wanted)
    build = (lambda: np.full(shape, cast(np.array(value), wanted))) if value else (lambda: np.zeros(shape, wanted))
    return make(allocate(operation, shape, wanted, build), where, requires_grad)


def whole(operation: str, value: Number, dtype: np.dtype) -> int:
    """A number cut to the integer that an integer dtype can hold."""
    limits = np.iinfo(dtype)
    endless = isinstance(value, float) and not math.isfinite(value)
    if endless or not limits.min <= int(value) <= limits.max:
        raise ValueError(f"{operation}: {value} does not fit into {dtype}")
    return int(value)


# --- sequences ---------------------------------------------------------------------------------------------------


def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """start, start + step, start + 2 step, ... below ``end`` (above it for a negative step); ``arange(end)`` from 0.

    There are ceil((end - start) / step) of them. They are int64 if all three numbers are integers, otherwise of the
    default dtype, unless a dtype is given.

    Raises:
        ValueError: if the step is 0 or leads away from ``end``, or if an end is infinite.
    """
    if end is None:
        start, end = 0, start
    first, last, stride = scalar("arange", start, "start"), scalar("arange", end, "end"), scalar("arange", step, "step")
    numbers = (first, last, stride)
    integral = all(isinstance(value, int) for value in numbers)
    if any(isinstance(value, float) and not math.isfinite(value) for value in numbers):
        raise ValueError(f"arange: start, end and step must be finite, not {first}, {last}, {stride}")
    if not stride:
        raise ValueError("arange: step must not be 0")
    if (last - first) * stride < 0:
        raise ValueError(f"arange: steps of {stride} lead from {first} away from {last}")
    if dtype is None:
        wanted = backend.int64 if integral else backend.get_default_dtype()
    else:
        wanted = as_dtype("arange", dtype)
    if integral:
        first, last = whole("arange", first, backend.int64), whole("arange", last, backend.int64)
        count = len(range(first, last, int(stride)))
    else:
        count = math.ceil((last - first) / stride)
    steps = allocate("arange", (count,), wanted, lambda: np.arange(count))
    return make(cast(first + steps * stride, wanted), device, requires_grad)


def linspace(
    start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """x_i = start + i (end - start) / (steps - 1) for i = 0 ... steps - 1: equal distances, both ends included.

    The second half is counted from the end, so that ``end`` comes out exactly.
    """
    first, last = scalar("linspace", start, "start"), scalar("linspace", end, "end")
    count = check.integer("linspace", steps, "steps")
    if count < 0:
        raise ValueError(f"linspace: steps must not be negative, not {count}")
    wanted = backend.get_default_dtype() if dtype is None else as_dtype("linspace", dtype)
    distance = (last - first) / (count - 1) if count > 1 else 0.0
    i = allocate("linspace", (count,), wanted, lambda: np.arange(count))
    values = np.where(i < count / 2, first + distance * i, last - distance * (count - 1 - i))
    return make(cast(values, wanted), device, requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The identity matrix with n rows and m columns (n unless given): ones where row and column agree, else zeros."""
    shape = lengths("eye", (n, n if m is None else m))
    wanted = backend.get_default_dtype() if dtype is None else as_dtype("eye", dtype)
    return make(allocate("eye", shape, wanted, lambda: np.eye(*shape, dtype=wanted)), device, requires_grad)


# --- checks ------------------------------------------------------------------------------------------------------


def lengths(operation: str, size: Any) -> tuple[int, ...]:
    """A shape whose lengths are not negative, given as ``f(2, 3)`` or as ``f((2, 3))``."""
    if not size:
        raise TypeError(f"{operation}: the shape is missing; {operation}(()) makes a tensor without dimensions")
    shape = check.shape_from(operation, size)
    if min(shape, default=0) < 0:
        raise ValueError(f"{operation}: a length is negative in shape {shape}")
    return shape


def scalar(operation: str, value: Any, name: str) -> Number:
    """A Python number; Tensors and NumPy scalars with one element become one."""
    if isinstance(value, Tensor) or (isinstance(value, np.ndarray) and value.size == 1):
        value = value.item()
    return check.number(operation, value, name)


def allocate(operation: str, shape: tuple[int, ...], dtype: np.dtype, build: Callable[[], np.ndarray]) -> np.ndarray:
    """The array that ``build`` makes; a MemoryError with the size asked for if there is no room for it."""
    try:
        return build()
    except (MemoryError, ValueError, OverflowError):
        room = math.prod(shape) * dtype.itemsize
        raise MemoryError(
            f"{operation}: a tensor of shape {shape} and {dtype} needs {room / 2**30:,.1f} GiB, which are not there"
        ) from None
