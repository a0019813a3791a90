"""Which library an array belongs to, which dtype a result has, and which device a tensor lives on.

Everything above this file handles arrays without asking whether NumPy or CuPy made them: it calls ``namespace(array)``
and gets the module whose functions accept that array. This is the only file that knows the differences.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

__all__ = [
    "Backend",
    "device",
    "get_default_device",
    "get_default_dtype",
    "namespace",
    "register",
    "result_type",
    "set_default_device",
    "set_default_dtype",
]

Array = Any  # a numpy.ndarray, a cupy.ndarray, or the array of a backend that a test registered

float16, float32, float64 = np.dtype("float16"), np.dtype("float32"), np.dtype("float64")
uint8, int8, int16, int32, int64 = (np.dtype(name) for name in ("uint8", "int8", "int16", "int32", "int64"))
bool_ = np.dtype("bool")
DTYPES = (float16, float32, float64, uint8, int8, int16, int32, int64, bool_)


# --- devices -----------------------------------------------------------------------------------------------------


class device:
    """A place where arrays live, as in PyTorch: ``device("cpu")``, ``device("cuda")``, ``device("cuda:1")``.

    A missing index means the first device of that type.

    Raises:
        ValueError: for a name that is not ``type`` or ``type:index``, or a type that nobody registered.
    """

    __slots__ = ("type", "index")

    def __init__(self, name: str | device) -> None:
        if isinstance(name, device):
            name = str(name)
        kind, _, index = str(name).partition(":")
        if kind not in _by_device or (index and not index.isdecimal()):
            known = ", ".join(sorted(_by_device))
            raise ValueError(f"device: {name!r} is not a device (known types: {known}; an index follows a colon)")
        self.type = kind
        self.index = int(index or 0)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __str__(self) -> str:
        return self.type if self.type == "cpu" else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        return f"device('{self}')"


@dataclass(frozen=True)
class Backend:
    """One array library: the module with NumPy's function names, its array type, and the way there and back."""

    device_type: str
    module: ModuleType
    array_type: type
    from_numpy: Callable[[np.ndarray, int], Array]
    to_numpy: Callable[[Array], np.ndarray]
    index_of: Callable[[Array], int] = lambda array: 0
    lend: Any = None  # the array as the kernels for GPUs take it: a function, if they take it; and their result back
    take_back: Callable[[Any], Array] = lambda result: result


NUMPY = Backend("cpu", np, np.ndarray, lambda array, index: array, lambda array: array)

_by_type: dict[type, Backend] = {np.ndarray: NUMPY}
# A device type stands here with None until its library is loaded: importing CuPy takes seconds.
_by_device: dict[str, Backend | None] = {"cpu": NUMPY, "cuda": None}
several = False  # True once a second library is in use: only then can devices be mixed, and only then is it checked


def register(backend: Backend) -> None:
    """Make a further array library known: ``tensor.to(backend.device_type)`` works from now on."""
    global several
    _by_type[backend.array_type] = backend
    _by_device[backend.device_type] = backend
    several = True


def load(device_type: str) -> Backend:
    """The backend of a device type; CuPy is imported on the first call that asks for ``cuda``.

    Raises:
        RuntimeError: if there is no usable GPU, with the reason.
    """
    backend = _by_device[device_type]
    if backend is not None:
        return backend
    reason = why_no_cuda()
    if reason:
        raise RuntimeError(f"cuda: no usable GPU ({reason})")
    cupy = importlib.import_module("cupy")
    count = cupy.cuda.runtime.getDeviceCount()

    def from_numpy(array: np.ndarray, index: int) -> Array:
        if index >= count:
            raise RuntimeError(f"cuda: there is no device cuda:{index}; the last one is cuda:{count - 1}")
        with cupy.cuda.Device(index):
            return cupy.asarray(array)

    def index_of(array: Array) -> int:
        return array.device.id

    register(Backend("cuda", cupy, cupy.ndarray, from_numpy, cupy.asnumpy, index_of, lambda array: array))
    return load("cuda")


def why_no_cuda() -> str:
    """The reason why CUDA cannot be used here, or an empty string. Never raises: CuPy without a driver does."""
    try:
        cupy = importlib.import_module("cupy")
    except ImportError:
        return "CuPy is not installed: pip install 'minidl[cuda]'"
    except Exception as error:  # a broken installation may raise anything while it is imported
        return f"CuPy cannot be imported: {error}"
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:
        return f"CuPy is installed, but the CUDA driver does not answer: {error}"
    return "" if count else "CuPy is installed, but no CUDA device was found"


def backend_of(array: Array) -> Backend:
    backend = _by_type.get(type(array))
    if backend is None:
        raise TypeError(f"an array of a known library is needed (numpy or cupy), not {type(array).__name__}")
    return backend


def namespace(array: Array) -> Any:
    """The module (NumPy or CuPy) whose functions take this array."""
    if type(array) is np.ndarray or isinstance(array, np.generic):
        return np
    return backend_of(array).module


def is_array(value: Any) -> bool:
    """True for an array of a library that is known here."""
    return type(value) is np.ndarray or type(value) in _by_type


def as_array(result: Any) -> Array:
    """NumPy returns a scalar where the result has no dimensions; a tensor always holds an array."""
    return np.asarray(result) if isinstance(result, np.generic) else result


def can_be_written(array: Array) -> bool:
    """Whether every element has a place of its own, which may change.

    NumPy marks arrays as read-only, among them those of broadcast_to. CuPy does not, so the steps in memory tell.
    """
    repeated = array.size > 0 and any(step == 0 and n > 1 for step, n in zip(array.strides, array.shape, strict=True))
    return not repeated and getattr(array.flags, "writeable", True)


def device_of(array: Array) -> device:
    if type(array) is np.ndarray:
        return CPU
    backend = backend_of(array)
    return device(f"{backend.device_type}:{backend.index_of(array)}")


as_device = device  # where an argument has the name
CPU = device("cpu")


def to_device(array: Array, target: device) -> Array:
    """The same array on another device; the array itself where it is there already."""
    if device_of(array) == target:
        return array
    return load(target.type).from_numpy(backend_of(array).to_numpy(array), target.index)


_default_device = CPU


def get_default_device() -> device:
    """The device of new tensors for which none is named (``zeros(3)``, the parameters of a layer); at first the CPU."""
    return _default_device


def set_default_device(device: Any) -> None:
    """Choose the device of new tensors. It is looked for at once: a missing GPU is an error here, not at first use.

    ``from_numpy`` and data loaders go on making tensors on the CPU, where their data are.

    Raises:
        ValueError: for an unknown device.
        RuntimeError: for "cuda" where there is no usable GPU, with the reason.
    """
    global _default_device
    chosen = as_device(device)
    load(chosen.type)
    _default_device = CPU if chosen == CPU else chosen


def placed(array: Array, where: Any) -> Array:
    """The array on the device ``where``, or on the default device for None."""
    if where is None:
        return array if _default_device is CPU else to_device(array, _default_device)
    return to_device(array, device(where))


def check_one_device(operation: str, arrays: Iterable[Any]) -> None:
    """All arrays must be on one device.

    Raises:
        RuntimeError: if they are not.
    """
    devices = {device_of(array) for array in arrays if is_array(array)}
    if len(devices) > 1:
        names = " and ".join(sorted(map(str, devices)))
        raise RuntimeError(f"{operation}: tensors on different devices ({names}); move them with to(device)")


# --- dtypes ------------------------------------------------------------------------------------------------------

_default_dtype = float32


def get_default_dtype() -> np.dtype:
    """The floating-point dtype of ``tensor(1.5)``, ``zeros(3)`` and of a quotient of integers; at first float32."""
    return _default_dtype


def set_default_dtype(dtype: Any) -> None:
    """Choose the default floating-point dtype: float16, float32 or float64.

    Raises:
        TypeError: if the dtype is not a floating-point dtype.
    """
    global _default_dtype
    chosen = as_dtype("set_default_dtype", dtype)
    if chosen.kind != "f":
        raise TypeError(f"set_default_dtype: a floating-point dtype is needed, not {chosen}")
    _default_dtype = chosen


def as_dtype(operation: str, dtype: Any) -> np.dtype:
    """A dtype given as np.float32, minidl.float32, float, "float32", checked against those the engine has.

    Python's own types mean what they mean in PyTorch: ``float`` is float64, ``int`` is int64.
    """
    try:
        found = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"{operation}: {dtype!r} is not a dtype") from None
    if found not in DTYPES:
        raise TypeError(f"{operation}: dtype {found} is not supported ({', '.join(map(str, DTYPES))} are)")
    return found


_RANK = {"b": 0, "u": 1, "i": 1, "f": 2}


def result_type(first: np.dtype, second: np.dtype) -> np.dtype:
    """The dtype of an operation on two tensors with at least one dimension each (PyTorch's promotion rule).

    The categories are bool < integer < float. The higher one wins as it is, whatever the size of the other (int64 with
    float32 is float32; NumPy would say float64); within one category the wider one wins.
    """
    if first == second:
        return first
    rank, other = _RANK[first.kind], _RANK[second.kind]
    if rank != other:
        return first if rank > other else second
    return np.promote_types(first, second)


def can_hold(dtype: np.dtype, result: np.dtype) -> bool:
    """Whether results of one dtype may be written to a tensor of another: its category must be at least as high."""
    return _RANK[dtype.kind] >= _RANK[result.kind]


def result_type_of(arrays: list[Array]) -> np.dtype:
    """The common dtype of several arrays, where a 0-d array does not widen one that has dimensions.

    A 0-d array counts only if its category is higher than that of every array with dimensions.
    """
    winner: np.dtype | None = None
    for dimensions in (True, False):
        found: np.dtype | None = None
        for array in arrays:
            if (array.ndim > 0) == dimensions:
                found = array.dtype if found is None else result_type(found, array.dtype)
        if winner is None or (found is not None and _RANK[found.kind] > _RANK[winner.kind]):
            winner = found
    assert winner is not None
    return winner


def number_type(dtype: np.dtype, number: bool | int | float) -> np.dtype:
    """The dtype of an operation between a tensor of ``dtype`` and a Python number: a number only lifts the category."""
    if isinstance(number, float):
        return dtype if dtype.kind == "f" else _default_dtype
    if isinstance(number, bool) or dtype.kind != "b":
        return dtype
    return int64
