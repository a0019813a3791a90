"""The way out of the graph: from a Tensor to Python numbers, lists and NumPy arrays, and what ``len``, ``for``, ``in``,
``if``, ``copy`` and ``pickle`` do with a Tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..backend import Array, backend_of
from . import check
from .joining import unbind

__all__ = ["is_tensor", "numel"]


# --- how much there is -------------------------------------------------------------------------------------------


def is_tensor(obj: Any) -> bool:
    """True if ``obj`` is a Tensor."""
    return isinstance(obj, Tensor)


def numel(input: Tensor) -> int:
    """The number of elements."""
    return int(check.tensor("numel", input).array.size)


def size(input: Tensor, dim: int | None = None) -> Any:
    """The shape, or the length of one dimension."""
    return input.shape if dim is None else input.shape[pick_dimension("size", dim, input)]


def stride(input: Tensor, dim: int | None = None) -> Any:
    """By how many elements in memory neighbours along each dimension (or along ``dim``) lie apart."""
    strides = tuple(step // input.array.itemsize for step in input.array.strides)
    return strides if dim is None else strides[pick_dimension("stride", dim, input)]


def pick_dimension(operation: str, dim: int, input: Tensor) -> int:
    if not input.ndim:
        raise IndexError(f"{operation}: a tensor without dimensions has no dimension {dim}")
    return check.dimension(operation, dim, input.ndim)


def dim(input: Tensor) -> int:
    """The number of dimensions."""
    return input.ndim


def is_contiguous(input: Tensor) -> bool:
    """True if the elements lie in memory without gaps in the order of their indices, the last one running fastest."""
    return bool(input.array.flags.c_contiguous)


# --- to Python and NumPy -----------------------------------------------------------------------------------------


def host(array: Array) -> np.ndarray:
    """The array on the CPU: itself if it is there, otherwise a copy."""
    return backend_of(array).to_numpy(array)


def one_element(operation: str, input: Tensor) -> np.ndarray:
    """The one element of a tensor as an array without dimensions."""
    if input.array.size != 1:
        raise RuntimeError(f"{operation}: a tensor with one element is needed, not one of shape {input.shape}")
    return host(input.array).reshape(())


def item(input: Tensor) -> bool | int | float:
    """The value of a tensor with one element as a Python number, from any device."""
    return one_element("item", input).item()


def tolist(input: Tensor) -> Any:
    """The values as nested lists of Python numbers (a number for a tensor without dimensions)."""
    return host(input.array).tolist()


def numpy(input: Tensor, *, force: bool = False) -> np.ndarray:
    """The values as a NumPy array that shares the tensor's memory.

    Changes made through the array escape the guard that protects backward passes.

    Args:
        force: detach the tensor and fetch it from another device if need be (then it is a copy).

    Raises:
        RuntimeError: without ``force``, if the tensor requires a gradient.
        TypeError: without ``force``, if it is not on the CPU.
    """
    if not force:
        if input.requires_grad:
            raise RuntimeError("numpy: the tensor requires a gradient, which NumPy would lose; use detach().numpy()")
        if input.device.type != "cpu":
            raise TypeError(f"numpy: the tensor is on {input.device}; use cpu().numpy()")
    return host(input.array)


def as_numpy(input: Tensor, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    """What ``numpy.asarray(tensor)`` gets: the array of ``numpy()``, cast and copied as NumPy asks for."""
    return np.array(numpy(input), dtype=dtype, copy=copy)


# --- Python's protocols ------------------------------------------------------------------------------------------


def length(input: Tensor) -> int:
    if not input.ndim:
        raise TypeError("len: a tensor without dimensions has no length")
    return input.shape[0]


def iterate(input: Tensor) -> Iterator[Tensor]:
    """The slices along the first dimension, as views."""
    if not input.ndim:
        raise TypeError("iter: a tensor without dimensions cannot be iterated over")
    return iter(unbind(input, 0))


def contains(input: Tensor, element: Any) -> bool:
    """Whether an element equals the given number."""
    if isinstance(element, Tensor):
        element = item(element)
    if not isinstance(element, (bool, int, float, np.generic)):
        raise TypeError(f"in: a tensor contains numbers, not {type(element).__name__}")
    return bool((input.array == element).any())


def truth(input: Tensor) -> bool:
    if input.array.size != 1:
        raise RuntimeError(
            f"bool: the truth value of a tensor of shape {input.shape} is ambiguous; use any() or all() on a comparison"
        )
    return bool(one_element("bool", input))


def as_float(input: Tensor) -> float:
    return float(one_element("float", input))


def as_int(input: Tensor) -> int:
    value = one_element("int", input).item()
    try:
        return int(value)
    except (ValueError, OverflowError):
        raise ValueError(f"int: {value} is not a finite number") from None


def as_index(input: Tensor) -> int:
    """A tensor with one integer may stand where Python wants an integer: in ``range``, as an index, as a size."""
    if input.array.dtype.kind == "f" or input.array.size != 1:
        raise TypeError(
            f"index: a tensor with one integer is needed, not one of {input.dtype} with shape {input.shape}"
        )
    return int(one_element("index", input))


def formatted(input: Tensor, spec: str) -> str:
    """``f"{loss:.3f}"`` formats the number of a tensor without dimensions."""
    if not spec:
        return str(input)
    if input.ndim:
        raise TypeError(f"format: {spec!r} needs a tensor without dimensions, not one of shape {input.shape}")
    return format(item(input), spec)


def shallow_copy(input: Tensor) -> Tensor:
    """Another Tensor at the same place in the graph, with the same memory."""
    copy = type(input).__new__(type(input))
    Tensor.__init__(copy, input.array, input.requires_grad, input.grad_fn, input.version)
    copy.grad = input.grad
    return copy


def taken_apart(input: Tensor) -> tuple[Callable, tuple]:
    """How ``pickle`` takes a leaf apart: its class, its values, and whether it requires a gradient."""
    if input.grad_fn is not None:
        raise RuntimeError("pickle: only leaves can be pickled, since the graph stays behind; use detach()")
    return restore, (type(input), input.array, input.requires_grad)


def restore(kind: type[Tensor], array: Array, requires_grad: bool) -> Tensor:
    """Put together again what ``pickle`` took apart."""
    tensor = kind.__new__(kind)
    Tensor.__init__(tensor, array, requires_grad)
    return tensor
