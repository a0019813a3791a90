"""The same values in another dtype or on another device."""

from __future__ import annotations

from typing import Any

from .. import backend
from ..autograd import Function, Tensor
from ..backend import device_of, to_device
from . import check
from .arithmetic import to_dtype
from .vocabulary import m

__all__ = ["to"]


class ToDevice(Function):
    """y = x on another device; dL/dx = g on the device of x."""

    def __init__(self, target: backend.device) -> None:
        self.target = target

    def forward(self, x: Any) -> Any:
        self.source = device_of(x)
        return to_device(x, self.target)

    def backward(self, g: Any) -> Any:
        return m.apply(ToDevice(self.source), g)


def to(input: Tensor, *targets: Any, dtype: Any = None, device: Any = None, non_blocking: bool = False) -> Tensor:
    """The tensor in another dtype, on another device, or both; the tensor itself where nothing changes.

    ``x.to(minidl.float64)``, ``x.to("cuda")``, ``x.to("cuda", minidl.float64)``, or ``x.to(other)`` for the dtype and
    the device of another tensor. A cast to integers truncates towards zero. Between floating-point dtypes and between
    devices gradients pass; any other cast starts a new leaf. ``non_blocking`` is accepted and changes nothing.

    Raises:
        ValueError: for an unknown device.
        TypeError: for anything that is no dtype.
        RuntimeError: for "cuda" where there is no usable GPU, with the reason.
    """
    x = check.tensor("to", input)
    for target in targets:
        if isinstance(target, Tensor):
            dtype, device = target.dtype, target.device
        elif isinstance(target, (str, backend.device)):
            device = target
        else:
            dtype = target
    if device is not None and x.device != backend.device(device):
        x = ToDevice(backend.device(device)).apply(x)
    return x if dtype is None else to_dtype(x, dtype)


def cpu(input: Tensor) -> Tensor:
    """The tensor in the memory of the CPU."""
    return to(input, "cpu")


def cuda(input: Tensor, device: Any = None) -> Tensor:
    """The tensor on a GPU: the first one, or the one of that number or name."""
    return to(input, f"cuda:{device}" if isinstance(device, int) else device or "cuda")


def type_as(input: Tensor, other: Tensor) -> Tensor:
    """The tensor in the dtype and on the device of another one."""
    return to(input, check.tensor("type_as", other, "other"))


def half(input: Tensor) -> Tensor:
    """The tensor in float16."""
    return to_dtype(input, backend.float16)


def single(input: Tensor) -> Tensor:
    """The tensor in float32."""
    return to_dtype(input, backend.float32)


def double(input: Tensor) -> Tensor:
    """The tensor in float64."""
    return to_dtype(input, backend.float64)


def integer(input: Tensor) -> Tensor:
    """The tensor in int32, truncated towards zero."""
    return to_dtype(input, backend.int32)


def long(input: Tensor) -> Tensor:
    """The tensor in int64, truncated towards zero."""
    return to_dtype(input, backend.int64)


def boolean(input: Tensor) -> Tensor:
    """Which elements are not 0."""
    return to_dtype(input, backend.bool_)
