"""Changes in place: ``x.add_(y)``, ``x[i] = v`` and their relatives overwrite the memory of x, and return x.

The graph holds values, not the history of a memory cell, so a change in place is never recorded. It is allowed where
nothing that takes part requires a gradient, and everywhere inside ``no_grad()``. Each one is counted in
``x.version``, which all views of the same memory share: a backward pass that needs the old values finds out.

Every operation computes all of its result before it touches the memory. So one that fails has changed nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd import Tensor
from ..backend import Array, as_array, can_be_written, can_hold, float32, float64, to_device
from ..grad_mode import is_grad_enabled
from ..random import Generator, default_generator
from . import check
from .arithmetic import Number, add, as_choice, as_operand, div, mul, sub, to_dtype
from .indexing import array_index
from .piecewise import clamp, masked_fill

__all__ = [
    "add_",
    "clamp_",
    "copy_",
    "div_",
    "fill_",
    "masked_fill_",
    "mul_",
    "normal_",
    "sub_",
    "uniform_",
    "zero_",
]


# --- what all of them share --------------------------------------------------------------------------------------


def writable(operation: str, input: Tensor, *values: Any) -> Array:
    """The array of ``input``, if it may be changed.

    Raises:
        RuntimeError: where a gradient would be lost, or where one element in memory stands for several of the tensor.
    """
    array = check.tensor(operation, input).array
    if is_grad_enabled() and any(isinstance(z, Tensor) and z.requires_grad for z in (input, *values)):
        raise RuntimeError(
            f"{operation}: a change in place is not recorded, so nothing that takes part may require a gradient; use "
            f"no_grad(), or the operation that returns a new tensor"
        )
    check_memory(operation, array)
    return array


def check_memory(operation: str, array: Array) -> None:
    """A RuntimeError unless every element of the array has a place of its own that can be written to."""
    if not can_be_written(array):
        raise RuntimeError(
            f"{operation}: the memory of the tensor cannot be written to (expand and broadcast_to show one element in "
            f"several places, and NumPy arrays may be read-only); clone() it first"
        )


def overwrite(input: Tensor, values: Any) -> Tensor:
    """Put the values, which fit, into the memory of the tensor, and count the change."""
    input.array[...] = values
    input.version[0] += 1
    return input


def change(operation: str, function: Callable[..., Tensor], input: Tensor, *values: Any, **settings: Any) -> Tensor:
    """input = function(input, *values) in place, if shape and dtype of the tensor can hold the result."""
    writable(operation, input, *values)
    result = function(input, *values, **settings)
    if result.shape != input.shape:
        raise ValueError(f"{operation}: the result has shape {result.shape}, but the tensor has shape {input.shape}")
    if not can_hold(input.dtype, result.dtype):
        raise TypeError(f"{operation}: the result is {result.dtype}, which a tensor of {input.dtype} cannot hold")
    return overwrite(input, result.array)


# --- arithmetic --------------------------------------------------------------------------------------------------


def add_(input: Tensor, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    """input becomes input + alpha * other."""
    return change("add_", add, input, other, alpha=alpha)


def sub_(input: Tensor, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    """input becomes input - alpha * other."""
    return change("sub_", sub, input, other, alpha=alpha)


def mul_(input: Tensor, other: Tensor | Number) -> Tensor:
    """input becomes input * other."""
    return change("mul_", mul, input, other)


def div_(input: Tensor, other: Tensor | Number, *, rounding_mode: str | None = None) -> Tensor:
    """input becomes input / other, rounded as in ``div``; integers can be divided in place only with rounding."""
    return change("div_", div, input, other, rounding_mode=rounding_mode)


def clamp_(input: Tensor, min: Tensor | Number | None = None, max: Tensor | Number | None = None) -> Tensor:
    """Every element is moved into the range from min to max."""
    return change("clamp_", clamp, input, min, max)


def masked_fill_(input: Tensor, mask: Tensor, value: Tensor | Number) -> Tensor:
    """The elements where the mask is true become ``value``."""
    return change("masked_fill_", masked_fill, input, mask, value)


def assignment(operation: Callable[..., Tensor], in_place: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """x += y and its like: a change in place where nothing is recorded, a new tensor under the old name otherwise.

    So ``w -= lr * w.grad`` within ``no_grad()`` changes the parameter, and ``loss += term`` adds to the graph. (PyTorch
    records the second in place too, and refuses it for a leaf.)
    """

    def assign(self: Tensor, other: Tensor | Number) -> Tensor:
        recorded = is_grad_enabled() and any(isinstance(z, Tensor) and z.requires_grad for z in (self, other))
        return operation(self, other) if recorded else in_place(self, other)

    return assign


# --- new values --------------------------------------------------------------------------------------------------


def copy_(input: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
    """The elements become those of ``src``, which is broadcast, cast to the dtype and moved to the device of input."""
    writable("copy_", input, check.tensor("copy_", src, "src"))
    if check.broadcast_shape("copy_", input.shape, src.shape) != input.shape:
        raise ValueError(f"copy_: src has shape {src.shape}, which does not broadcast to the shape {input.shape}")
    return overwrite(input, to_device(apart(input, to_dtype(src, input.dtype)), input.device))


def apart(input: Tensor, values: Tensor) -> Any:
    """The array of ``values``; a copy if it lies in the memory of ``input``: CuPy reads while it writes."""
    return values.array.copy() if values.version is input.version else values.array


def fill_(input: Tensor, value: Tensor | Number) -> Tensor:
    """Every element becomes ``value``, a number or a tensor without dimensions; casts truncate towards zero."""
    array = writable("fill_", input, value)
    if isinstance(value, Tensor) and value.ndim:
        raise ValueError(f"fill_: value must be a number or a tensor without dimensions, not of shape {value.shape}")
    return overwrite(input, as_operand("fill_", as_choice("fill_", value, "value"), input.dtype, array).array)


def zero_(input: Tensor) -> Tensor:
    """Every element becomes 0."""
    writable("zero_", input)
    return overwrite(input, 0)


def setitem(input: Tensor, index: Any, value: Tensor | Number) -> None:
    """input[index] = value, for every kind of index; the value is broadcast and cast to the dtype of the tensor.

    Where an index array names an element twice, one of its values stays, on a GPU any of them.

    Raises:
        IndexError, TypeError, ValueError: as for reading ``input[index]``, and for values that are neither tensors nor
            numbers or do not broadcast to the selected shape.
        RuntimeError: as for every change in place.
    """
    array = writable("index", input, value)
    basic, advanced = array_index("index", index, array)
    values = apart(input, as_operand("index", as_choice("index", value, "value"), input.dtype, array))
    view = array[basic]
    try:
        view[... if advanced is None else advanced] = values
    except ValueError:
        selected = view if advanced is None else view[advanced]
        raise ValueError(
            f"index: a value of shape {values.shape} does not broadcast to the selected shape {selected.shape}"
        ) from None
    input.version[0] += 1


# --- random numbers ----------------------------------------------------------------------------------------------


def uniform_(input: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Every element is drawn from the uniform distribution between from_ and to.

    Raises:
        TypeError: for a tensor that is not floating point.
        ValueError: if from_ is greater than to.
    """
    writable("uniform_", input)
    if not check.number("uniform_", from_, "from_") <= check.number("uniform_", to, "to"):
        raise ValueError(f"uniform_: from_ must not be greater than to, but from_={from_}, to={to}")
    return overwrite(input, drawn("uniform_", input, "random", to - from_, from_, generator))


def normal_(input: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Every element is drawn from the normal distribution with that mean and standard deviation.

    Raises:
        TypeError: for a tensor that is not floating point.
        ValueError: for a negative standard deviation.
    """
    writable("normal_", input)
    mean, std = check.number("normal_", mean, "mean"), check.not_negative("normal_", std, "std")
    return overwrite(input, drawn("normal_", input, "standard_normal", std, mean, generator))


def drawn(operation: str, input: Tensor, kind: str, scale: float, shift: float, generator: Generator | None) -> Any:
    """scale * z + shift with numbers z of that kind: drawn on the CPU, so that every device gets the same."""
    check.floating(operation, input)
    numbers = (default_generator if generator is None else generator).next()
    z = getattr(numbers, kind)(input.shape, float64 if input.dtype == float64 else float32)
    return to_device(as_array(z * scale + shift).astype(input.dtype), input.device)
