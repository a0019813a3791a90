"""Arguments of a launch: checked against the kernel's types, and copied to memory of their own, as on a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.core.sigutils import normalize_signature
from numba.np.numpy_support import as_dtype, from_dtype

from .access import address_of, described
from .arrays import Memory
from .memory import is_poison
from .shadow import RECORDS, UNWRITTEN, WRITE

__all__ = ["Region", "argument_types", "check_arguments", "device_copies", "is_array", "operands", "types_of"]

DTYPES = [np.dtype(kind) for kind in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8")]
ALIGNMENT = 256  # of every allocation on a GPU


def argument_types(signature: str) -> tuple[types.Type, ...]:
    """Numba's types of the arguments.

    Raises:
        TypeError: for what is no signature.
    """
    try:
        return normalize_signature(signature)[0]
    except Exception as error:  # the text is evaluated, so that it can be anything
        raise TypeError(f"simulator: {signature!r} is no signature of Numba's: {error}") from error


def check_arguments(kernel: str, names: list[str], expected: Any, arguments: tuple[Any, ...]) -> list[Any]:
    """The arguments, with numbers as NumPy scalars of the types that the kernel wants (None: as they come).

    Raises:
        TypeError: for a wrong number of arguments, a wrong dtype or number of axes.
        ValueError: for an array that must be contiguous and is not.
    """
    if len(arguments) != len(names):
        raise TypeError(f"{kernel}: {len(arguments)} arguments were given, the kernel takes {len(names)}: {names}")
    if expected is None:
        expected = [None] * len(names)
    if len(expected) != len(names):
        raise TypeError(f"{kernel}: the kernel takes {len(names)} arguments, its types name {len(expected)}")
    return [check(kernel, *each) for each in zip(names, expected, arguments)]


def check(kernel: str, name: str, expected: Any, value: Any) -> Any:
    if isinstance(value, np.ndarray | np.number) and value.dtype not in DTYPES:
        raise TypeError(f"{kernel}: {name} has dtype {value.dtype}, which is not simulated")
    if is_array(value):
        if value.ndim > 4:
            raise NotImplementedError(f"{kernel}: {name} has {value.ndim} axes; at most 4 are simulated")
        return value if expected is None else check_array(kernel, name, expected, value)
    if not isinstance(value, int | float | np.number | np.bool_ | np.ndarray):
        raise TypeError(f"{kernel}: {name} must be an array of NumPy or a number, not {type(value).__name__}")
    if isinstance(expected, types.Array):
        raise TypeError(f"{kernel}: {name} must be an array, not the number {value}")
    if expected is None:
        if type(value) is float:
            raise TypeError(f"{kernel}: {name} is a Python float, which is float64 on a GPU: give np.float32({value})")
        return np.asarray(value)[()]
    dtype = as_dtype(expected)
    if dtype.kind in "iu" and np.asarray(value).dtype.kind == "f":
        raise TypeError(f"{kernel}: {name} must be an integer ({dtype}), not {value}")
    return dtype.type(value)


def check_array(kernel: str, name: str, expected: Any, value: np.ndarray) -> np.ndarray:
    if not isinstance(expected, types.Array):
        raise TypeError(f"{kernel}: {name} must be a number ({expected}), not an array of shape {value.shape}")
    dtype = as_dtype(expected.dtype)
    if value.dtype != dtype or value.ndim != expected.ndim:
        wanted = f"{dtype} with {expected.ndim} axes"
        raise TypeError(f"{kernel}: {name} must be {wanted}, not {value.dtype} with {value.ndim} (shape {value.shape})")
    if expected.layout == "C" and not value.flags.c_contiguous:
        raise ValueError(f"{kernel}: {name} must be C-contiguous (shape {value.shape}, strides {value.strides})")
    return value


class Region:
    """A stretch of memory that one argument, or several that overlap, lie in; copied, and with its shadow."""

    def __init__(self, arrays: list[np.ndarray], itemsize: int) -> None:
        bounds = [np.lib.array_utils.byte_bounds(array) for array in arrays]
        self.first, self.itemsize = min(low for low, _ in bounds), itemsize
        size = max(0, max(high for _, high in bounds) - self.first)
        offset = (self.first - address_of(owner_of(arrays[0]))) % ALIGNMENT
        buffer = np.zeros(size + 2 * ALIGNMENT, np.uint8)
        start = -buffer.ctypes.data % ALIGNMENT + offset
        self.bytes = buffer[start : start + size]
        self.records = np.zeros((-(-size // itemsize), RECORDS), np.int64)
        self.arrays = arrays
        for array in arrays:
            self.copy_of(array)[...] = array

    def place(self, array: np.ndarray) -> int:
        return address_of(array) - self.first

    def copy_of(self, array: np.ndarray) -> np.ndarray:
        return np.ndarray(array.shape, array.dtype, self.bytes, self.place(array), array.strides)

    def shadow_of(self, array: np.ndarray) -> np.ndarray:
        row = self.records.strides[0]
        strides = (*(stride // self.itemsize * row for stride in array.strides), self.records.itemsize)
        start = self.place(array) // self.itemsize * row
        return np.ndarray((*array.shape, RECORDS), np.int64, self.records, start, strides)

    def deliver(self, kernel: str) -> None:
        """Copy what the kernel changed to the arrays of the caller."""
        for array in self.arrays:
            if array.flags.writeable:
                array[...] = self.copy_of(array)
            elif (self.shadow_of(array)[..., WRITE] > 0).any():
                raise ValueError(f"{kernel}: the kernel writes to an array that is read-only (shape {array.shape})")


def is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim > 0


def types_of(arguments: list[Any]) -> tuple[types.Type, ...]:
    """What compiled code sees the checked arguments as."""
    kinds = [from_dtype(value.dtype) for value in arguments]
    return tuple(Memory(kind, value.ndim) if is_array(value) else kind for kind, value in zip(kinds, arguments))


def operands(arguments: list[Any], rows: list[np.ndarray], shared: list[np.ndarray]) -> np.ndarray:
    """A cell of 8 bytes for each argument and then for each shared array: the number, or the address of its row."""
    row = iter(rows)
    values = [address_of(next(row)) if is_array(value) else value for value in arguments]
    values += [address_of(row) for row in shared]
    cells = np.zeros(len(values), np.int64)
    for number, value in enumerate(values):
        cells[number : number + 1].view(np.asarray(value).dtype)[0] = value
    return cells


def owner_of(array: np.ndarray) -> np.ndarray:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def device_copies(kernel: str, arrays: list[np.ndarray]) -> tuple[list[Region], list[np.ndarray]]:
    """The arrays in memory of their own: (regions, the row of each array)."""
    groups: list[list[np.ndarray]] = []
    for array in arrays:
        touching = [group for group in groups if any(np.may_share_memory(array, other) for other in group)]
        groups = [group for group in groups if not any(group is other for other in touching)]
        groups.append([array, *(other for group in touching for other in group)])
    regions, region_of = [], {}
    for group in groups:
        sizes = {array.itemsize for array in group}
        if len(sizes) > 1:
            raise TypeError(f"{kernel}: arguments of different dtypes share memory")
        region = Region(group, sizes.pop())
        regions.append(region)
        for array in group:
            region_of[id(array)] = region
            region.shadow_of(array)[is_poison(array), WRITE] = UNWRITTEN
    rows = []
    for number, array in enumerate(arrays):
        region = region_of[id(array)]
        rows.append(described(region.copy_of(array), region.records, address_of(region.bytes), number))
    return regions, rows
