"""Checkpoints: a nested state in one safetensors file, read without ever running code.

The arrays lie in the file as the format has them, under names made of their place in the state (``model.0.weight``).
How the state is nested, and every number and string in it, stands as JSON in the file's metadata. So a plain state_dict
is a file that any safetensors reader understands, and any safetensors file loads here as a dictionary of tensors.

Saving never leaves half a file: the state is written beside the old file, forced to disk, and renamed over it, which
the operating system does as a whole or not at all.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from . import backend
from .autograd import Tensor
from .backend import backend_of, device, to_device
from .safetensors_header import read_header

__all__ = ["load", "save"]

KEY, VERSION = "minidl", 1  # the entry of the metadata, and the form of what stands in it


# --- saving ------------------------------------------------------------------------------------------------------


def save(obj: Any, f: str | os.PathLike) -> None:
    """Save a state: numbers, strings, None, Tensors, NumPy arrays, and lists, tuples and dictionaries of all these.

    As ``torch.save``, except that

    * the file is a safetensors file, not a pickle: objects other than those above are refused, a module or an optimiser
      is saved as its ``state_dict()``, and ``f`` is a path (one process writes it at a time);
    * a tensor is stored by its values: it comes back as a leaf on the CPU that requires no gradient. Where the same
      tensor stands in several places (tied weights), it is stored once and comes back as one tensor;
    * dictionaries of any kind come back as dict, in the same order; NumPy's scalars as Python's numbers.

    If anything fails, the file that was there before is unchanged.

    Raises:
        TypeError: for an object that cannot be saved, with its place.
        ValueError: if the state contains itself or is nested too deeply.
        OSError: if the file cannot be written.
    """
    path = as_path("save", f)
    packer = Packer()
    try:
        state = packer.pack(obj, ())
        text = json.dumps({"version": VERSION, "state": state}, allow_nan=False, separators=(",", ":"))
    except RecursionError:
        raise ValueError("save: the state contains itself, or is nested too deeply") from None
    write(path, packer.arrays, {KEY: text})


class Packer:
    """Turns a state into JSON and a dictionary of arrays.

    In JSON, None, truth values, integers, finite floats, strings and lists stand for themselves; everything else is an
    object with one entry, whose key says what it is.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        # Which memory was stored under which name, with the array: a mapping may make its values as they are asked for,
        # and memory that were given back while this goes on would come again as that of another array.
        self.names: dict[Any, tuple[str, Any]] = {}

    def pack(self, value: Any, place: tuple) -> Any:
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, (bool, int, str)):
            return value
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {"float": repr(float(value))}
        if isinstance(value, Tensor):
            return {"tensor": self.store(value.array, place)}
        if isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray):  # a file has no place for masks
            return {"array": self.store(np.asarray(value), place)}
        if isinstance(value, (list, tuple)):
            items = [self.pack(item, (*place, i)) for i, item in enumerate(value)]
            return items if isinstance(value, list) else {"tuple": items}
        if isinstance(value, Mapping):
            return {"dict": [[self.pack_key(key, place), self.pack(value[key], (*place, key))] for key in value]}
        hint = "; save its state_dict()" if hasattr(value, "state_dict") else ""
        raise TypeError(f"save: {written(place)} is of type {type(value).__name__}, which cannot be saved{hint}")

    def pack_key(self, key: Any, place: tuple) -> Any:
        if not isinstance(key, (type(None), bool, int, float, str, np.generic)):
            raise TypeError(
                f"save: {written(place)} has a key of type {type(key).__name__}; keys are numbers or strings"
            )
        return self.pack(key, (*place, key))

    def store(self, array: Any, place: tuple) -> str:
        """Keep an array under a name of its own; memory that was seen before has its name already."""
        key = memory_of(array)
        if key not in self.names:
            if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
                raise TypeError(f"save: {written(place)} is an array of {array.dtype}, which cannot be saved")
            name = self.free_name(place)
            self.arrays[name] = np.array(backend_of(array).to_numpy(array), order="C", copy=None)
            self.names[key] = name, array
        return self.names[key][0]

    def free_name(self, place: tuple) -> str:
        """The place with dots between its parts; with a number where another array has that name."""
        plain = name = ".".join(map(str, place)).encode(errors="replace").decode() or "tensor"
        number = 1
        while name in self.arrays or name == "__metadata__":
            number += 1
            name = f"{plain}#{number}"
        return name


def memory_of(array: Any) -> Any:
    """What two arrays have in common exactly if they are the same elements of the same memory in the same shape."""
    interface = getattr(array, "__array_interface__", None) or getattr(array, "__cuda_array_interface__", None)
    if interface is None or not array.size:
        return id(array)
    return str(backend.device_of(array)), interface["data"][0], array.shape, array.strides, array.dtype.str


def written(place: tuple) -> str:
    """A place in the state as one writes it in Python: obj['model'][0]."""
    return "obj" + "".join(f"[{key!r}]" for key in place)


def write(path: Path, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Write beside the file, force it to disk, and rename."""
    if path.is_dir():
        raise IsADirectoryError(f"save: {path} is a folder")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"save: the folder {path.parent} does not exist")
    path = path.resolve()  # where the name is a link, what it points to is replaced
    if path.exists() and not path.is_file():
        raise OSError(f"save: {path} is a device or a pipe, which a file would replace")
    beside = path.with_name(f".{path.name}.tmp")
    try:
        save_file(arrays, beside, metadata)
        with open(beside, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    except Exception as error:
        raise OSError(f"save: {path} could not be written, and what was there before is unchanged ({error})") from error
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Force the new name to disk too, where the operating system lets a folder be opened (Windows does not)."""
    try:
        opened = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


# --- loading -----------------------------------------------------------------------------------------------------


def load(f: str | os.PathLike, map_location: Any = None, *, weights_only: bool = True) -> Any:
    """Load what ``save`` wrote, or any other safetensors file (as a dictionary of tensors by name).

    As ``torch.load``, except that only safetensors files are read, so that loading never runs code, and that tensors
    come to the CPU unless ``map_location`` names another device.

    Args:
        weights_only: accepted for PyTorch's sake; only data are ever loaded.

    Raises:
        FileNotFoundError, IsADirectoryError: if there is no such file.
        ValueError: if the file is truncated, damaged or of another format, with what is wrong; or for
            ``weights_only=False``.
    """
    path = as_path("load", f)
    if not weights_only:
        raise ValueError("load: weights_only=False asks for a pickle, and a pickle may run any code; it is never read")
    target = backend.CPU if map_location is None else device(map_location)
    header = read_header(path)
    metadata = header.pop("__metadata__", {})
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in header}
    except Exception as error:
        raise ValueError(f"load: {path} cannot be read as a safetensors file ({error})") from error
    unpacker = Unpacker(arrays, target)
    if KEY not in metadata:
        for name, array in arrays.items():
            if array.dtype not in backend.DTYPES:
                raise ValueError(f"load: {path}, tensor {name!r}: no Tensor can have the dtype {array.dtype}")
        return {name: unpacker.tensor(name) for name in arrays}
    try:
        stored = json.loads(metadata[KEY])
        if stored["version"] == VERSION:
            return unpacker.unpack(stored["state"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError(f"load: {path} holds tensors, but the description of the state is damaged") from None
    raise ValueError(f"load: {path} was saved in form {stored['version']!r}; this version reads form {VERSION}")


class Unpacker:
    """Turns JSON and a dictionary of arrays into the state that they came from."""

    def __init__(self, arrays: dict[str, np.ndarray], target: device) -> None:
        self.arrays = arrays
        self.target = target
        self.tensors: dict[str, Tensor] = {}  # what stands in several places is one tensor

    def unpack(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self.unpack(item) for item in node]
        if not isinstance(node, dict):
            return node
        ((kind, content),) = node.items()
        if kind == "float":
            return float(content)
        if kind == "tuple":
            return tuple(self.unpack(item) for item in content)
        if kind == "dict":
            return {self.unpack(key): self.unpack(value) for key, value in content}
        if kind == "array":
            return self.arrays[content]
        if kind == "tensor":
            return self.tensor(content)
        raise ValueError(f"unknown kind {kind!r}")

    def tensor(self, name: str) -> Tensor:
        if name not in self.tensors:
            self.tensors[name] = Tensor(to_device(self.arrays[name], self.target))
        return self.tensors[name]


def as_path(operation: str, f: Any) -> Path:
    if not isinstance(f, (str, os.PathLike)):
        raise TypeError(f"{operation}: f must be a path (str or os.PathLike), not {type(f).__name__}")
    path = Path(f)
    if "\0" in str(path):
        raise ValueError(f"{operation}: a path cannot hold a null character: {str(path)!r}")
    return path
