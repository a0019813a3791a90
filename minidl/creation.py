"""Making tensors: from data, filled with a number, as sequences, and at random."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import backend
from .autograd import Tensor
from .backend import as_dtype, device, to_device

__all__ = ["from_numpy", "ones", "tensor", "zeros"]


def make(array: Any, where: Any, requires_grad: bool) -> Tensor:
    """The array as a leaf on the device ``where`` (None: the CPU)."""
    return Tensor(array if where is None else to_device(array, device(where)), requires_grad)


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new leaf with a copy of ``data``: a number, nested lists of numbers, a NumPy array or a Tensor.

    Python floats become the default dtype (float32), integers int64, truth values bool; arrays keep their dtype.

    Raises:
        TypeError: for data that are not numbers, or a dtype that the engine does not have.
        ValueError: for nested lists of different lengths.
    """
    if isinstance(data, Tensor):
        array = data.array.copy()
        where = str(data.device) if device is None else device
        return make(array if dtype is None else array.astype(as_dtype("tensor", dtype)), where, requires_grad)
    try:
        array = np.array(data)
    except ValueError:
        raise ValueError("tensor: nested lists must have the same length in each dimension") from None
    if dtype is not None:
        wanted = as_dtype("tensor", dtype)
    elif isinstance(data, (np.ndarray, np.generic)) or array.dtype.kind != "f":
        wanted = array.dtype
    else:
        wanted = backend.get_default_dtype()
    if array.dtype.kind not in "biuf":
        raise TypeError(f"tensor: data must be numbers, not {type(data).__name__} with elements of {array.dtype}")
    return make(array.astype(as_dtype("tensor", wanted), copy=False), device, requires_grad)


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor that shares the memory of a NumPy array.

    Changes on one side are seen on the other, but the guard against changes in place does not see those made through
    the array.
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: a numpy.ndarray is needed, not {type(array).__name__}")
    as_dtype("from_numpy", array.dtype)
    return Tensor(np.asarray(array))


def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros."""
    return filled("zeros", size, 0, dtype, device, requires_grad)


def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones."""
    return filled("ones", size, 1, dtype, device, requires_grad)


def filled(operation: str, size: Any, value: Any, dtype: Any, where: Any, requires_grad: bool) -> Tensor:
    from .ops.check import shape_from

    shape = shape_from(operation, size)
    wanted = backend.get_default_dtype() if dtype is None else as_dtype(operation, dtype)
    return make(np.full(shape, value, wanted), where, requires_grad)
