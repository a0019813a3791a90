"""Indexing: x[...] in all of its forms, and the operations that select elements by number or by mask.

An index is worked off in two steps, as in PyTorch. First its integers, slices, ``None`` and ``...`` cut a view out of
the tensor (``Slice``); then its index arrays and masks, if there are any, copy elements out of that view (``Pick``).
NumPy treats an integer beside an index array as an index array too, so ``x[0, :, [0, 1]]`` has another shape there.

Both are linear maps that copy elements: y_j = x_p(j). Their gradient carries each g_j back to the place p(j) where the
element came from: dL/dx_i = sum over the j with p(j) = i of g_j. For a view every place occurs at most once.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ..autograd import Function, Tensor
from ..backend import device_of, is_array, namespace, to_device
from . import check
from .vocabulary import m

__all__ = ["index_select", "masked_select", "narrow", "nonzero", "select", "take"]


ALL = slice(None)  # the one object that stands for a whole dimension in the indices made here


# --- the index ---------------------------------------------------------------------------------------------------


def array_index(operation: str, index: Any, array: Any) -> tuple[tuple, tuple | None]:
    """What is written between the brackets, checked and split into an index for a view and one for copied elements.

    Args:
        operation: the name that error messages start with.
        index: integers, slices, None, ``...``, booleans, and masks or index arrays as Tensors, arrays or lists.
        array: the array that is to be indexed; index arrays are moved to its device.

    Returns:
        ``(basic, advanced)``: ``array[basic]`` is a view. If ``advanced`` is None, that is the result; otherwise
        ``array[basic][advanced]`` is. All numbers in ``advanced`` are non-negative.

    Raises:
        IndexError: for a number out of range, too many indices, a mask that does not fit, two ellipses.
        TypeError: for anything that cannot be an index.
        ValueError: for a slice with a step that is not positive, or index arrays that do not broadcast.
    """
    parts = [as_part(operation, part, array) for part in (index if type(index) is tuple else (index,))]
    spent = sum(dimensions_of(part) for part in parts)
    if spent > array.ndim:
        raise IndexError(f"{operation}: {spent} indices are too many for a tensor of shape {array.shape}")
    if sum(part is Ellipsis for part in parts) > 1:
        raise IndexError(f"{operation}: an index can have only one ellipsis (...)")
    basic: list[Any] = []
    advanced: list[Any] = []
    dim = 0
    for position, part in enumerate(parts):
        if part is Ellipsis:
            skipped = array.ndim - spent
            basic += [ALL] * skipped
            advanced += [ALL] * skipped
            dim += skipped
        elif part is None:
            basic.append(None)
            advanced.append(ALL)
        elif type(part) is bool:  # a mask without dimensions: a new dimension of length 1 or 0
            basic.append(None)
            advanced.append(namespace(array).zeros(int(part), np.int64))
        elif type(part) is int:
            length = array.shape[dim]
            if not -length <= part < length:
                raise out_of_range(operation, f"{part} (position {position})", dim, array.shape)
            basic.append(part)
            dim += 1
        elif type(part) is slice:
            basic.append(cut(operation, part, array.shape[dim]))
            advanced.append(ALL)
            dim += 1
        elif part.dtype.kind == "b":
            covered = array.shape[dim : dim + part.ndim]
            if part.shape != covered:
                raise IndexError(
                    f"{operation}: the mask at position {position} has shape {part.shape}, but the dimensions that it "
                    f"covers have shape {covered} (tensor {array.shape})"
                )
            basic += [ALL] * part.ndim
            advanced.append(part)
            dim += part.ndim
        else:
            basic.append(ALL)
            advanced.append(in_range(operation, part, dim, array.shape))
            dim += 1
    basic.append(Ellipsis)  # NumPy would turn an element that integers alone name into a scalar
    arrays = [part for part in advanced if type(part) is not slice]
    if not arrays:
        return tuple(basic), None
    if len(arrays) > 1:
        advanced = without_masks(advanced)
        check.broadcast_shape(operation, *(part.shape for part in advanced if type(part) is not slice))
    return tuple(basic), tuple(advanced)


def as_part(operation: str, part: Any, array: Any) -> Any:
    """One part of an index as None, ``...``, a slice, an int, a bool, or an array on the device of ``array``."""
    if part is None or part is Ellipsis or type(part) in (int, slice, bool):
        return part
    found: Any
    if isinstance(part, Tensor):
        found = part.array
        if device_of(found).type == "cpu":
            found = to_device(found, device_of(array))
    elif is_array(part):
        found = to_device(part.copy(), device_of(array))  # a copy: its owner may change it before backward
    elif isinstance(part, (list, tuple, range)):
        try:
            found = np.array(part) if len(part) else np.zeros(0, np.int64)
        except ValueError:
            raise ValueError(f"{operation}: nested lists must have the same length in each dimension") from None
        found = to_device(found, device_of(array))
    elif isinstance(part, np.bool_):
        return bool(part)
    else:
        try:
            return operator.index(part)
        except TypeError:
            raise TypeError(
                f"{operation}: {type(part).__name__} cannot be an index (integers, slices, None, ..., index arrays and "
                f"masks can)"
            ) from None
    if found.dtype.kind not in "bi":
        hint = ": to(minidl.int64) makes numbers of it, to(minidl.bool) a mask" if found.dtype == np.uint8 else ""
        raise TypeError(f"{operation}: an index array holds signed integers or booleans, not {found.dtype}{hint}")
    if found.ndim:
        return found
    return bool(found) if found.dtype.kind == "b" else int(found)


def dimensions_of(part: Any) -> int:
    """How many dimensions of the tensor a part of the index uses up."""
    if part is None or part is Ellipsis or type(part) is bool:
        return 0
    return 1 if type(part) in (int, slice) or part.dtype.kind != "b" else part.ndim


def cut(operation: str, part: slice, length: int) -> slice:
    """The slice with its ends inside the dimension."""
    try:
        start, stop, step = part.indices(length)
    except TypeError:
        raise TypeError(f"{operation}: a slice is made of integers and None, not {part!r}") from None
    except ValueError:
        step = 0
    if step <= 0:
        raise ValueError(f"{operation}: the step of a slice must be positive, not {step} (flip reverses a dimension)")
    return ALL if part == ALL else slice(start, stop, step)


def in_range(operation: str, numbers: Any, dim: int, shape: tuple[int, ...], from_end: bool = True) -> Any:
    """An index array with negative numbers counted from the front; an IndexError names the first that does not fit.

    gather and its relatives take no negative numbers (``from_end=False``).
    """
    if not numbers.size:
        return numbers
    length = shape[dim]
    lowest, highest = int(numbers.min()), int(numbers.max())
    if lowest >= 0 and highest < length:
        return numbers
    if lowest < 0 and not from_end:
        which = first_of(numbers, numbers < 0)
        raise IndexError(f"{operation}: {which} is negative; counting from the end is for x[...] alone")
    if lowest < -length or highest >= length:
        which = first_of(numbers, (numbers < -length) | (numbers >= length))
        raise out_of_range(operation, which, dim, shape)
    return namespace(numbers).where(numbers < 0, numbers + length, numbers)


def first_of(numbers: Any, wrong: Any) -> str:
    """The first number where ``wrong`` is true, and its place."""
    place = tuple(int(i) for i in namespace(wrong).argwhere(wrong)[0])
    return f"{int(numbers[place])} (at {list(place)} of the index array)"


def out_of_range(operation: str, what: str, dim: int, shape: tuple[int, ...]) -> IndexError:
    length = shape[dim]
    span = f"{-length} to {length - 1}" if length else "it has no elements"
    return IndexError(f"{operation}: {what} is out of range for dimension {dim} of shape {shape} ({span})")


def without_masks(parts: list[Any]) -> list[Any]:
    """Every mask replaced by the index arrays of its true elements, one a dimension."""
    found: list[Any] = []
    for part in parts:
        found += part.nonzero() if type(part) is not slice and part.dtype.kind == "b" else (part,)
    return found


# --- the four maps -----------------------------------------------------------------------------------------------


def add_at(array: Any, index: tuple, values: Any) -> None:
    """array[index] += values, where an element that the index names several times gets every one of its values.

    ``array`` is C-contiguous, ``index`` the advanced part of an ``array_index``, and ``values`` have the shape of
    ``array[index]``. Index arrays that stand in front are turned into positions in memory, because NumPy adds three to
    four times faster at positions of a one-dimensional array than at rows.

    A GPU adds integers of 32 bits in one step, and those of 64 bits without a sign, whose sums have the same bits.
    """
    if array.dtype.kind in "iu" and array.dtype.itemsize < 4:
        wide = array.astype(np.int32)
        add_at(wide, index, values.astype(np.int32))
        array[...] = wide
        return
    if array.dtype == np.int64:
        array, values = array.view(np.uint64), values.view(np.uint64)
    arrays = [part for part in index if type(part) is not slice]
    if arrays[0].dtype.kind == "b":  # a mask stands alone and names every element once
        array[index] += values
    elif any(type(part) is slice for part in index[: len(arrays)]):
        namespace(array).add.at(array, index, values)
    else:
        places = positions(arrays, array.shape)
        namespace(array).add.at(array.reshape(-1), places.reshape(-1), values.reshape(-1))


def positions(numbers: list[Any], shape: tuple[int, ...]) -> Any:
    """Where in memory the elements lie whose first indices are ``numbers``, in an array of that shape.

    Element (i, j, .., rest) lies at (i shape[1] + j) ... inner + rest, where inner elements share their first indices.
    """
    step = inner = math.prod(shape[len(numbers) :])
    starts: Any = 0
    for part, length in zip(reversed(numbers), reversed(shape[: len(numbers)]), strict=True):
        starts = starts + part.astype(np.int64) * step
        step *= length
    return starts if inner == 1 else starts.reshape(-1, 1) + namespace(numbers[0]).arange(inner)


class Slice(Function):
    """y = x[index], a view, for an index of integers, slices, None and ``...``.

    y_j = x_p(j) with different places p(j), so dL/dx is g at these places and 0 elsewhere.
    """

    is_view = True

    def __init__(self, index: tuple) -> None:
        self.index = index

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        return x[self.index]

    def backward(self, g: Any) -> Any:
        return m.apply(Unslice(self.index, self.shape), g)


class Unslice(Function):
    """y[index] = x in a new tensor that holds ``fill`` elsewhere; dL/dx = g[index]."""

    def __init__(self, index: tuple, shape: tuple[int, ...], fill: float = 0) -> None:
        self.index, self.shape, self.fill = index, shape, fill

    def forward(self, x: Any) -> Any:
        xp = namespace(x)
        y = xp.full(self.shape, self.fill, x.dtype) if self.fill else xp.zeros(self.shape, x.dtype)
        y[self.index] = x
        return y

    def backward(self, g: Any) -> Any:
        return m.apply(Slice(self.index), g)


class Pick(Function):
    """y = x[index], a copy, for an index with index arrays or a mask.

    y_j = x_p(j), where a place may occur many times, so dL/dx_i = sum over the j with p(j) = i of g_j. The Tensors that
    the index was made of follow x as inputs: only so does a change in place between forward and backward come to light.
    """

    def __init__(self, index: tuple) -> None:
        self.index = index

    def forward(self, x: Any, *sources: Any) -> Any:
        self.shape = x.shape
        self.saved = sources
        return x[self.index]

    def backward(self, g: Any) -> Any:
        return m.apply(AddAt(self.index, self.shape), g, *self.saved), *(None for _ in self.saved)


class AddAt(Function):
    """y = zeros, then y[index] += x, adding up where the index names an element twice; dL/dx = g[index]."""

    def __init__(self, index: tuple, shape: tuple[int, ...]) -> None:
        self.index, self.shape = index, shape

    def forward(self, x: Any, *sources: Any) -> Any:
        self.saved = sources
        y = namespace(x).zeros(self.shape, x.dtype)
        add_at(y, self.index, x)
        return y

    def backward(self, g: Any) -> Any:
        return m.apply(Pick(self.index), g, *self.saved), *(None for _ in self.saved)


# --- operations --------------------------------------------------------------------------------------------------


def getitem(input: Tensor, index: Any) -> Tensor:
    """x[index]: integers, slices, None and ``...`` give a view; index arrays and masks copy.

    Index arrays and masks may be Tensors, NumPy arrays or lists. Several of them broadcast against each other; their
    common dimensions take the place of the indexed ones if these stand side by side, and come first otherwise.
    """
    basic, advanced = array_index("index", index, input.array)
    if advanced is None:
        return Slice(basic).apply(input)
    x = input if all(part is ALL or part is Ellipsis for part in basic) else Slice(basic).apply(input)
    return Pick(advanced).apply(x, *sources(index, x))


def sources(index: Any, x: Tensor) -> list[Tensor]:
    """The Tensors in an index whose memory ``Pick`` reads (those on another device are copied)."""
    parts = index if type(index) is tuple else (index,)
    return [part for part in parts if isinstance(part, Tensor) and part.ndim and part.device == x.device]


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """Element ``index`` along dimension ``dim``, which disappears; a view."""
    x = check.tensor("select", input)
    axis = check.dimension("select", dim, x.ndim)
    if not x.ndim:
        raise IndexError("select: a tensor without dimensions has nothing to select from")
    number = check.integer("select", index, "index")
    basic, _ = array_index("select", (slice(None),) * axis + (number,), x.array)
    return Slice(basic).apply(x)


def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """``length`` elements along dimension ``dim``, from ``start`` on; a view."""
    x = check.tensor("narrow", input)
    axis = check.dimension("narrow", dim, x.ndim)
    if not x.ndim:
        raise IndexError("narrow: a tensor without dimensions cannot be narrowed")
    first, count = check.integer("narrow", start, "start"), check.integer("narrow", length, "length")
    size = x.shape[axis]
    begin = first + size if first < 0 else first
    if not (-size <= first <= size and 0 <= count <= size - begin):
        raise IndexError(
            f"narrow: start {first} with length {count} is out of range for dimension {axis} of shape {x.shape}"
        )
    return Slice((slice(None),) * axis + (slice(begin, begin + count), Ellipsis)).apply(x)


def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The elements along ``dim`` that the 1-dimensional ``index`` n names: y[.., i, ..] = x[.., n_i, ..]."""
    x = check.tensor("index_select", input)
    numbers = integers("index_select", index)
    axis = check.dimension("index_select", dim, x.ndim)
    if numbers.ndim > 1:
        raise IndexError(f"index_select: index must have at most 1 dimension, not shape {numbers.shape}")
    if not x.ndim:
        return index_select(x.reshape(1), 0, numbers).reshape(())
    chosen = in_range("index_select", numbers.array.reshape(-1), axis, x.shape, from_end=False)
    return Pick((slice(None),) * axis + (chosen,)).apply(x, numbers)


def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements at the given positions of the flattened input; the result has the shape of ``index``."""
    x = check.tensor("take", input)
    numbers = integers("take", index)
    if not x.array.size and numbers.array.size:
        raise IndexError(f"take: the input has no elements (shape {x.shape})")
    flat = x.reshape(-1)
    return Pick((in_range("take", numbers.array, 0, flat.shape),)).apply(flat, numbers)


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where ``mask`` is true, in one dimension; input and mask broadcast."""
    x = check.tensor("masked_select", input)
    if check.tensor("masked_select", mask, "mask").dtype.kind != "b":
        raise TypeError(f"masked_select: mask must be a boolean tensor, not {mask.dtype}")
    shape = check.broadcast_shape("masked_select", x.shape, mask.shape)
    x, wide = x.broadcast_to(shape), mask.broadcast_to(shape)
    if not shape:
        x, wide = x.reshape(1), wide.reshape(1)
    return Pick((wide.array,)).apply(x, wide)


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """Where elements are not zero: int64 (count, dimensions), or with ``as_tuple`` one tensor a dimension."""
    x = check.tensor("nonzero", input).array
    places = x.reshape(1) if as_tuple and not x.ndim else x
    xp = namespace(x)
    if not places.ndim:
        return Tensor(xp.zeros((int(bool(x)), 0), np.int64))
    axes = places.nonzero()
    return tuple(Tensor(axis) for axis in axes) if as_tuple else Tensor(xp.stack(axes, axis=1))


def integers(operation: str, value: Any, name: str = "index") -> Tensor:
    """``value`` if it is a Tensor of integers; a TypeError otherwise."""
    if check.tensor(operation, value, name).dtype.kind != "i":
        raise TypeError(f"{operation}: {name} must be a tensor of signed integers, not {value.dtype}")
    return value
