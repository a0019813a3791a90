"""An array library on the CPU that is as strict as CuPy, to find code that would fail on a GPU.

The values are NumPy's, but only what CuPy offers can be done with them (``cupy_api.json`` lists the functions, methods
and parameters of the CuPy version named there, as read off the library), and where CuPy behaves differently, this one
refuses:

* nothing becomes a NumPy array by itself: ``np.asarray(x)`` and ``np.exp(x)`` raise, ``xp.exp(numpy_array)`` too;
* operands are arrays of the library or Python numbers: no NumPy arrays, no NumPy scalars, no lists;
* a result without dimensions is an array, never a scalar;
* an index beyond the end (CuPy wraps it around) and an assignment through repeated indices (CuPy stores any of the
  values) raise ``CupyDiffers``, which is no IndexError and so cannot be caught as one by accident.

A subclass of ``numpy.ndarray`` could not refuse ``np.asarray``, which never asks one; so this class holds an array.
"""

from __future__ import annotations

import json
import operator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from minidl.backend import Backend

__all__ = ["CupyDiffers", "Library"]

API = json.loads((Path(__file__).parent / "cupy_api.json").read_text())
NUMBERS = (bool, int, float)
# The parameters of CuPy's functions that must be arrays of the library (or, where NumPy takes them, numbers).
ARRAYS = {"a", "ar", "arr", "array", "ary", "b", "condition", "dst", "m", "src", "v", "x", "x1", "x2", "y"}
OPERATORS = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift"]
COMPARISONS = ["lt", "le", "eq", "ne", "gt", "ge"]
AT = {"add", "subtract", "maximum", "minimum"}  # the ufuncs whose ``at`` CuPy has for floating-point numbers
REDUCE = {"add", "multiply"}  # the ufuncs whose ``reduce`` and ``accumulate`` CuPy has


class CupyDiffers(AssertionError):
    """NumPy defines what happens here, and CuPy does not, or defines it differently."""


class Array:
    """The common part of the array types; each ``Library`` has a type of its own."""

    __slots__ = ("_values",)
    __array_ufunc__ = None  # numpy_scalar * x comes here instead of converting x
    __hash__ = None
    library: Library

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("implicit conversion to a NumPy array is not allowed (as in CuPy)")

    def __array_function__(self, function: Any, *_: Any) -> Any:
        raise TypeError(f"np.{function.__name__} was called on an array of another library")

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"CuPy's arrays have no attribute {name!r}")

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Any:
        if not self._values.ndim:
            raise TypeError("iteration over an array of shape ()")
        return (self[i] for i in range(len(self._values)))

    def __bool__(self) -> bool:
        return bool(self._values)

    def __int__(self) -> int:
        return int(self._values)

    def __float__(self) -> float:
        return float(self._values)

    def __repr__(self) -> str:
        return f"{self.library.name} {self._values!r}"

    def __getitem__(self, key: Any) -> Any:
        return self.library.wrap(self._values[self.library.index(self, key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        key = self.library.index(self, key)
        value = self.library.operand(value)
        if isinstance(value, np.ndarray) and value.size > 1:
            places = np.arange(self._values.size).reshape(self._values.shape)[key]
            if len(np.unique(places)) < places.size:
                raise CupyDiffers("values are assigned through an index that names a place twice")
        self._values[key] = value

    def __neg__(self) -> Any:
        return self.library.wrap(-self._values)

    def __pos__(self) -> Any:
        return self.library.wrap(+self._values)

    def __abs__(self) -> Any:
        return self.library.wrap(abs(self._values))

    def __invert__(self) -> Any:
        return self.library.wrap(~self._values)

    @property
    def flags(self) -> Any:
        flags = self._values.flags
        return SimpleNamespace(c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous, owndata=flags.owndata)

    @property
    def base(self) -> Any:
        return None if self._values.base is None else self.library.wrap(self._values.base)


def binary(name: str) -> Any:
    function = getattr(operator, f"__{name}__")

    def forward(self: Array, other: Any) -> Any:
        return self.library.wrap(function(self._values, self.library.operand(other)))

    def backward(self: Array, other: Any) -> Any:
        return self.library.wrap(function(self.library.operand(other), self._values))

    def in_place(self: Array, other: Any) -> Any:
        other = self.library.operand(other)
        values = getattr(operator, f"__i{name}__")(self._values, other)
        assert values is self._values
        return self

    return forward, backward, in_place


for name in OPERATORS:
    forward, backward, in_place = binary(name)
    setattr(Array, f"__{name}__", forward)
    setattr(Array, f"__r{name}__", backward)
    if name != "matmul":  # CuPy has no @=
        setattr(Array, f"__i{name}__", in_place)
for name in COMPARISONS:
    setattr(Array, f"__{name}__", binary(name)[0])


def attribute(name: str) -> Any:
    return property(lambda self: self.library.wrap(getattr(self._values, name)))


def method(name: str, parameters: list[str]) -> Any:
    def call(self: Array, *args: Any, **kwargs: Any) -> Any:
        check_parameters(f"ndarray.{name}", parameters, args, kwargs)
        return self.library.call(getattr(self._values, name), args, kwargs)

    return call


for name in API["attributes"]:
    if name not in ("flags", "base", "device", "data", "flat"):
        setattr(Array, name, attribute(name))
for name, parameters in API["methods"].items():
    setattr(Array, name, method(name, parameters))


def check_parameters(name: str, parameters: list[str], args: tuple, kwargs: dict) -> None:
    """CuPy's functions often have fewer parameters than NumPy's."""
    variadic = any(parameter.startswith("*") and not parameter.startswith("**") for parameter in parameters)
    if len(args) > len(parameters) and not variadic:
        raise TypeError(f"CuPy's {name} takes {len(parameters)} parameters")
    for key in kwargs:
        if key not in parameters and not any(parameter.startswith("**") for parameter in parameters):
            raise TypeError(f"CuPy's {name} has no parameter {key!r}")


class Library:
    """A module of functions and its type of array, for ``minidl.backend.register``."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ndarray = type(f"{name.capitalize()}Array", (Array,), {"__slots__": (), "library": self})
        self.linalg = Part(self, np.linalg, API["linalg"])
        self.lib = SimpleNamespace(stride_tricks=Part(self, np.lib.stride_tricks, API["stride_tricks"]))

    def backend(self) -> Backend:
        return Backend(
            self.name,
            Part(self, np, API["functions"]),
            self.ndarray,
            lambda array, index: self.ndarray(np.array(array)),
            lambda array: array._values.copy(),
        )

    # Crossing the border

    def wrap(self, result: Any) -> Any:
        """NumPy's result as this library would return it."""
        if isinstance(result, (np.ndarray, np.generic)):
            return self.ndarray(np.asarray(result))
        if isinstance(result, (tuple, list)) and any(isinstance(x, np.ndarray) for x in result):
            return [self.wrap(x) for x in result] if type(result) is list else tuple(map(self.wrap, result))
        return result

    def operand(self, value: Any) -> Any:
        """The operand of an operator: an array of this library or a Python number."""
        if type(value) is self.ndarray:
            return value._values
        if type(value) in NUMBERS:
            return value
        raise TypeError(f"{self.name}: an operand is of type {type(value).__name__}")

    def argument(self, value: Any) -> Any:
        """Any argument of a function: arrays of this library anywhere in it, none of NumPy's."""
        if type(value) is self.ndarray:
            return value._values
        if isinstance(value, (np.ndarray, np.generic, Array)):
            raise TypeError(f"{self.name}: an argument is of type {type(value).__name__}")
        if type(value) in (tuple, list):
            return type(value)(map(self.argument, value))
        return value

    def call(self, function: Any, args: tuple, kwargs: dict) -> Any:
        result = function(*map(self.argument, args), **{key: self.argument(value) for key, value in kwargs.items()})
        out = kwargs.get("out")
        return self.wrap(result) if out is None else out

    def index(self, array: Array, key: Any) -> Any:
        """An index that CuPy takes and treats as NumPy does."""
        parts = key if isinstance(key, tuple) else (key,)
        found = []
        for part in parts:
            if isinstance(part, (np.ndarray, Array)) and type(part) is not self.ndarray:
                raise TypeError(f"{self.name}: indexed with {type(part).__name__}")
            if isinstance(part, list):
                part = [self.argument(entry) for entry in part]
            found.append(part._values if type(part) is self.ndarray else part)
        try:
            array._values[tuple(found)]
        except IndexError as error:
            if any(isinstance(part, (np.ndarray, list)) for part in found):
                raise CupyDiffers(f"CuPy would not notice: {error}") from None
            raise
        return tuple(found)


class Part:
    """The functions of a module that CuPy has too."""

    def __init__(self, library: Library, module: Any, functions: dict) -> None:
        self._library, self._module, self._functions = library, module, functions
        if module is np:
            self.ndarray, self.linalg, self.lib = library.ndarray, library.linalg, library.lib

    def __getattr__(self, name: str) -> Any:
        if name in API["numpy"]:  # pi, newaxis, float32, finfo: CuPy has NumPy's own
            return getattr(np, name)
        if name not in self._functions:
            raise AttributeError(f"CuPy has no function {name!r}")
        value = getattr(self._module, name)
        if self._functions[name] == "ufunc":
            return Ufunc(self._library, value)
        return self._function(name, value)

    def _function(self, name: str, function: Any) -> Any:
        parameters = self._functions[name]
        library = self._library

        def call(*args: Any, **kwargs: Any) -> Any:
            check_parameters(name, parameters, args, kwargs)
            if name in ("asarray", "array", "ascontiguousarray"):  # the way in, on purpose
                args = tuple(x._values if type(x) is library.ndarray else x for x in args)
                return library.wrap(function(*args, **kwargs))
            for parameter, value in zip(parameters, args):
                if parameter in ARRAYS and type(value) not in (library.ndarray, *NUMBERS):
                    raise TypeError(f"CuPy's {name}: {parameter} is of type {type(value).__name__}")
            return library.call(function, args, kwargs)

        return call


class Ufunc:
    """A universal function: arrays of the library and Python numbers only."""

    def __init__(self, library: Library, function: np.ufunc) -> None:
        self._library, self._function = library, function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        positions = [f"x{i}" for i in range(self._function.nargs)]
        check_parameters(self._function.__name__, [*positions, "out", "dtype", "casting"], args, kwargs)
        values = [self._library.operand(x) for x in args[: self._function.nin]]
        outs = args[self._function.nin :]
        result = self._function(
            *values,
            *map(self._library.argument, outs),
            **{key: self._library.argument(value) for key, value in kwargs.items()},
        )
        out = kwargs.get("out", outs[0] if outs else None)
        return self._library.wrap(result) if out is None else out

    def at(self, array: Any, key: Any, value: Any) -> None:
        if self._function.__name__ not in AT:
            raise TypeError(f"CuPy has no {self._function.__name__}.at")
        if type(array) is not self._library.ndarray:
            raise TypeError(f"{self._library.name}: at on {type(array).__name__}")
        self._function.at(array._values, self._library.index(array, key), self._library.operand(value))

    def reduce(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        return self._folded("reduce", array, axis=axis, dtype=dtype, out=out, keepdims=keepdims)

    def accumulate(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None) -> Any:
        return self._folded("accumulate", array, axis=axis, dtype=dtype, out=out)

    def _folded(self, name: str, array: Any, **kwargs: Any) -> Any:
        if self._function.__name__ not in REDUCE:
            raise TypeError(f"CuPy has no {self._function.__name__}.{name}")
        return self._library.call(getattr(self._function, name), (array,), kwargs)
