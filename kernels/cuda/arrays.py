"""Arrays in, arrays out: NumPy's, CuPy's, Numba's, and any other that shows its memory as CuPy's do.

An array that is on the GPU is used where it is, without a copy, through ``__cuda_array_interface__``. A NumPy array is
copied to the GPU and its result back. In the simulator, NumPy's arrays are the GPU's memory.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from .compiler import cuda
from .kernel import executor, on_gpu, require_gpu

__all__ = ["check_float32", "deliver", "empty", "is_on_gpu", "stream_of", "view", "zeros"]


def is_on_gpu(array: Any) -> bool:
    """Whether the array shows memory of a GPU."""
    return hasattr(array, "__cuda_array_interface__")


def check_float32(operation: str, **arrays: Any) -> None:
    """All of the arrays are float32, and on the same side: all on the GPU, or all NumPy's; and kernels can run.

    Raises:
        TypeError: for anything that is no such array.
        ValueError: for arrays of both sides.
        RuntimeError: where there is no GPU and no simulator was chosen.
    """
    for name, array in arrays.items():
        if not (isinstance(array, np.ndarray) or is_on_gpu(array)):
            raise TypeError(f"{operation}: {name} must be an array of NumPy or on the GPU, not {type(array).__name__}")
        if not on_gpu() and is_on_gpu(array):
            raise TypeError(f"{operation}: {name} is on the GPU; the simulator runs on NumPy's arrays")
        if array.dtype != np.float32:
            raise TypeError(f"{operation}: {name} must be float32, not {array.dtype}")
    if len({is_on_gpu(array) for array in arrays.values()}) > 1:
        sides = ", ".join(f"{name} {'on the GPU' if is_on_gpu(array) else 'NumPy'}" for name, array in arrays.items())
        raise ValueError(f"{operation}: arrays of NumPy and arrays on the GPU do not mix ({sides})")
    if on_gpu():
        require_gpu(operation)


def view(array: Any) -> Any:
    """The array as kernels take it: the same memory, but for NumPy's arrays on their way to a GPU."""
    if not on_gpu():
        return array
    if is_on_gpu(array):
        return cuda.as_cuda_array(array, sync=False)  # kernels are launched in the caller's stream: nothing to wait for
    return cuda.to_device(array)


def empty(shape: tuple[int, ...], like: Any, dtype: Any = np.float32) -> Any:
    """A new array for results: CuPy's where ``like`` is CuPy's, else Numba's on the GPU; in the simulator NumPy's."""
    if on_gpu() and is_cupy(like):
        return sys.modules["cupy"].empty(shape, dtype)
    return executor().empty(shape, dtype)


def zeros(shape: tuple[int, ...], like: Any, dtype: Any = np.float32) -> Any:
    """The same as ``empty``, filled with zeros."""
    if on_gpu() and not is_cupy(like):
        return cuda.to_device(np.zeros(shape, dtype))
    result = empty(shape, like, dtype)
    result[...] = 0
    return result


def deliver(result: Any, like: Any) -> Any:
    """The result on the side of the caller: back in NumPy's memory where ``like`` is NumPy's."""
    return result.copy_to_host() if on_gpu() and isinstance(like, np.ndarray) else result


def stream_of(*arrays: Any) -> Any:
    """The stream that the caller works in: CuPy's current one for CuPy's arrays, else the default stream."""
    if on_gpu() and any(map(is_cupy, arrays)):
        return cuda.external_stream(sys.modules["cupy"].cuda.get_current_stream().ptr)
    return None


def is_cupy(array: Any) -> bool:
    return type(array).__module__.partition(".")[0] == "cupy"
