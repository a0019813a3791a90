"""An array library on the CPU that is as strict as CuPy, to find code that would fail on a GPU.

The values are NumPy's, but only what CuPy offers can be done with them (``cupy_api.json`` lists the functions, methods,
parameters and loops of dtypes of the CuPy version named there, as read off the library), and where CuPy behaves
differently, this one refuses:

* nothing becomes a NumPy array by itself: ``np.asarray(x)`` and ``np.exp(x)`` raise, ``xp.exp(numpy_array)`` too;
* operands are arrays of the library or Python numbers: no NumPy arrays, no NumPy scalars, no lists; shapes, axes and
  other settings are Python's own numbers, never arrays;
* a result without dimensions is an array, never a scalar;
* universal functions choose among CuPy's loops by CuPy's rule; a missing loop is a TypeError;
* sorting is stable or nothing.

``CupyDiffers``, which is no IndexError or ValueError and so cannot be caught as one by accident, is raised for

* an index beyond the end (CuPy wraps it around) and an assignment through repeated indices (CuPy stores any of them);
* a universal function whose result has another dtype with CuPy than with NumPy;
* a floating-point number that no integer of the dtype equals, cast to it (C++ does not define what comes out);
* a write to memory that NumPy protects, such as a broadcast array (CuPy does not protect it);
* copying a piece of memory over a part of itself (CuPy copies in any order);
* a negative power of integers, and sorting an array without dimensions (NumPy raises, CuPy does not).

Whatever makes the host wait for the GPU is counted by its name in ``Library.waits`` (``float(x)``, ``if x``, a mask as
an index, whose result has a length that the host must know), and whatever sends data there in ``Library.sends``.

A subclass of ``numpy.ndarray`` could not refuse ``np.asarray``, which never asks one; so this class holds an array.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from cupy_record import read_record

from minidl.backend import Backend

__all__ = ["CupyDiffers", "Library"]

API = read_record()
NUMBERS = (bool, int, float)
# The parameters of CuPy's functions that must be arrays of the library (or, where NumPy takes them, numbers).
ARRAYS = {"a", "ar", "arr", "array", "ary", "b", "condition", "dst", "m", "src", "v", "x", "x1", "x2", "y"}
# Those that may be: indices, sequences of arrays, and numbers that take part in the computation.
MAY_BE_ARRAYS = {
    *ARRAYS,
    "indices",
    "out",
    "arrays",
    "tup",
    "arys",
    "tuples",
    "choices",
    "fill_value",
    "prototype",
    "A",
}
MAY_BE_ARRAYS |= {"a_min", "a_max", "min", "max", "value", "values", "sorter", "q", "xp", "fp", "*args", "*operands"}
# Operators and the universal functions that they are.
OPERATORS = {"add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide"}
OPERATORS |= {"mod": "remainder", "pow": "power", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor"}
OPERATORS |= {"lshift": "left_shift", "rshift": "right_shift"}
COMPARISONS = {"lt": "less", "le": "less_equal", "eq": "equal", "ne": "not_equal", "gt": "greater"}
COMPARISONS |= {"ge": "greater_equal"}
REDUCE = {"add", "multiply"}  # the ufuncs whose ``reduce`` and ``accumulate`` CuPy has
# The dtypes of CUDA's atomic operations, which ``ufunc.at`` is made of: there is none for int64.
ATOMIC = {"add": {"int32", "uint32", "uint64", "float16", "float32", "float64"}}
ATOMIC |= {name: ATOMIC["add"] - {"float16"} for name in ("maximum", "minimum")}
ATOMIC["subtract"] = {"int32", "uint32"}
ATOMIC |= {name: {"int32", "uint32", "uint64"} for name in ("bitwise_and", "bitwise_or", "bitwise_xor")}
WAITING = {"item", "tolist", "nonzero", "argwhere", "flatnonzero", "tobytes", "dump", "dumps", "unique", "allclose"}
WRAPPING = {"take", "take_along_axis", "choose"}  # they turn an index beyond the end into one inside
SORTING = {"sort", "argsort", "partition", "argpartition"}


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

    def __iter__(self) -> Iterator[Any]:
        if not self._values.ndim:
            raise TypeError("iteration over an array of shape ()")
        return (self[i] for i in range(len(self._values)))

    def __bool__(self) -> bool:
        self.library.waits["bool"] += 1
        return bool(self._values)

    def __int__(self) -> int:
        self.library.waits["int"] += 1
        return int(self._values)

    def __float__(self) -> float:
        self.library.waits["float"] += 1
        return float(self._values)

    def __reduce__(self) -> tuple:
        return revived, (LIBRARIES.index(self.library), self.library.to_numpy(self))

    def __str__(self) -> str:
        self.library.waits["str"] += 1
        return str(self._values)

    def __repr__(self) -> str:
        return f"{self.library.name} {self._values!r}"

    def __getitem__(self, key: Any) -> Any:
        return self.library.wrap(self._values[self.library.index(self, key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        key = self.library.index(self, key)
        value = self.library.operand(value)
        self.library.writable(self)
        if isinstance(value, np.ndarray):
            if overlaps(self._values, key, value):
                raise CupyDiffers("memory is copied over a part of itself")
            exact("an assignment", value, self._values.dtype)
        with np.errstate(all="ignore"):
            self._values[key] = value
        if isinstance(value, np.ndarray) and value.size > 1 and named_twice(self._values.shape, key):
            raise CupyDiffers("values were assigned through an index that names a place twice")

    def __neg__(self) -> Any:
        return self.library.ufunc("negative", operator.neg, self)

    def __pos__(self) -> Any:
        return self.library.ufunc("positive", operator.pos, self)

    def __abs__(self) -> Any:
        return self.library.ufunc("absolute", abs, self)

    def __invert__(self) -> Any:
        return self.library.ufunc("invert", operator.invert, self)

    def __matmul__(self, other: Any) -> Any:
        return self.library.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return self.library.matmul(other, self)

    @property
    def flags(self) -> Any:
        flags = self._values.flags
        return SimpleNamespace(c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous, owndata=flags.owndata)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return self._values.__array_interface__

    @property
    def base(self) -> Any:
        return None if self._values.base is None else self.library.wrap(self._values.base)


def revived(library: int, values: np.ndarray) -> Array:
    """An array out of a pickle, of the same library: several may have one name."""
    return LIBRARIES[library].ndarray(values)


def named_twice(shape: tuple[int, ...], key: tuple) -> bool:
    """Whether an index names a place of an array of that shape more than once."""
    if not any(isinstance(part, (np.ndarray, list)) for part in key):
        return False
    places = np.arange(np.prod(shape, dtype=int)).reshape(shape)[key]
    return len(np.unique(places)) < places.size


def overlaps(target: np.ndarray, key: tuple, value: np.ndarray) -> bool:
    """Whether an assignment would copy between two pieces of memory that share a part, but are not the same."""
    if any(isinstance(part, (np.ndarray, list)) for part in key) or not np.may_share_memory(target, value):
        return False
    place = target[key]
    same = isinstance(place, np.ndarray) and (place.ctypes.data, place.strides) == (value.ctypes.data, value.strides)
    return not same and isinstance(place, np.ndarray) and np.shares_memory(place, value)


def exact(what: str, values: np.ndarray, dtype: np.dtype) -> None:
    """A floating-point number is cast to an integer dtype only where C++ says what comes out."""
    if values.dtype.kind != "f" or dtype.kind not in "iu" or not values.size:
        return
    limits, whole = np.iinfo(dtype), np.trunc(values.astype(np.float64))
    if not np.all((whole >= float(limits.min)) & (whole < float(limits.max) + 1)):
        raise CupyDiffers(f"{what} casts a number to {dtype} that does not fit")


# --- operators ---------------------------------------------------------------------------------------------------


def binary(name: str, ufunc: str) -> Any:
    function = getattr(operator, f"__{name}__")

    def forward(self: Array, other: Any) -> Any:
        return self.library.ufunc(ufunc, function, self, other)

    def backward(self: Array, other: Any) -> Any:
        return self.library.ufunc(ufunc, function, other, self)

    def in_place(self: Array, other: Any) -> Any:
        other = self.library.operand(other)
        self.library.writable(self)
        chosen(ufunc, (self._values, other))
        with np.errstate(all="ignore"):
            values = getattr(operator, f"__i{name}__")(self._values, other)
        assert values is self._values
        return self

    return forward, backward, in_place


for name, ufunc in OPERATORS.items():
    forward, backward, in_place = binary(name, ufunc)
    setattr(Array, f"__{name}__", forward)
    setattr(Array, f"__r{name}__", backward)
    setattr(Array, f"__i{name}__", in_place)
for name, ufunc in COMPARISONS.items():
    setattr(Array, f"__{name}__", binary(name, ufunc)[0])


# --- the loops of universal functions ----------------------------------------------------------------------------


def chosen(name: str, operands: tuple) -> list[np.dtype]:
    """The dtypes of the results with CuPy.

    Raises:
        TypeError: if CuPy has no loop for these operands.
    """
    found = loop(name, tuple(x.dtype if isinstance(x, np.ndarray) else type(x) for x in operands))
    if found is None:
        kinds = ", ".join(str(x.dtype) if isinstance(x, np.ndarray) else type(x).__name__ for x in operands)
        raise TypeError(f"CuPy's {name} has no loop for {kinds}")
    return found


@cache
def loop(name: str, kinds: tuple) -> list[np.dtype] | None:
    """CuPy takes the first loop that all operands can be cast to safely.

    A Python number counts as weak (any dtype of its category will do) if an array has its category or a higher one,
    otherwise as bool, int64 or float64.
    """
    rank = {"b": 0, "i": 1, "u": 1, "f": 2}
    arrays = [rank[kind.kind] for kind in kinds if isinstance(kind, np.dtype)]
    numbers = [rank[np.dtype(kind).kind] for kind in kinds if not isinstance(kind, np.dtype)]
    weak = bool(arrays) and max(arrays) >= max(numbers, default=0)

    def fits(kind: Any, wanted: np.dtype) -> bool:
        if np.can_cast(np.dtype(kind), wanted):
            return True
        return weak and not isinstance(kind, np.dtype) and np.result_type(kind(0), wanted) == wanted

    for types in API["loops"][name]:
        into, out = types.strip("!").split("->")
        if all(map(fits, kinds, map(np.dtype, into))):
            return None if types.startswith("!") else [np.dtype(char) for char in out]
    return None


# --- attributes and methods --------------------------------------------------------------------------------------


def attribute(name: str) -> Any:
    return property(lambda self: self.library.wrap(getattr(self._values, name)))


def method(name: str, parameters: list[str]) -> Any:
    def call(self: Array, *args: Any, **kwargs: Any) -> Any:
        check_parameters(f"ndarray.{name}", parameters, args, kwargs)
        check_settings(name, parameters, args, kwargs)
        check_behaviour(self.library, name, self._values, {**dict(zip(parameters, args)), **kwargs})
        return self.library.call(getattr(self._values, name), args, kwargs, name)

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


def check_settings(name: str, parameters: list[str], args: tuple, kwargs: dict) -> None:
    """Shapes, axes and the like are Python's own numbers: CuPy does not fetch them from the GPU."""
    star = next((i for i, parameter in enumerate(parameters) if parameter.startswith("*")), len(parameters))
    places = parameters[:star] + parameters[star : star + 1] * len(args)
    for parameter, value in [*zip(places, args), *kwargs.items()]:
        parts = value if isinstance(value, (tuple, list)) else (value,)
        if parameter not in MAY_BE_ARRAYS and any(isinstance(part, Array) for part in parts):
            raise TypeError(f"CuPy's {name}: {parameter} must not be an array")


def check_behaviour(library: Library, name: str, values: np.ndarray, settings: dict) -> None:
    """What CuPy does differently, method by method."""
    if name in WAITING:
        library.waits[name] += 1
    if name in SORTING:
        if settings.get("kind") not in (None, "stable"):
            raise ValueError(f"CuPy's {name} has no kind {settings['kind']!r}")
        if not values.ndim:
            raise CupyDiffers(f"{name} of an array without dimensions")
    if name == "astype":
        exact("astype", values, np.dtype(settings["dtype"]))
    if name == "nonzero" and not values.ndim:
        raise CupyDiffers("nonzero of an array without dimensions")


LIBRARIES: list[Library] = []


class Library:
    """A module of functions and its type of array, for ``minidl.backend.register``."""

    def __init__(self, name: str) -> None:
        self.name = name
        LIBRARIES.append(self)
        self.ndarray = type(f"{name.capitalize()}Array", (Array,), {"__slots__": (), "library": self})
        self.linalg = Part(self, np.linalg, API["linalg"])
        self.lib = SimpleNamespace(stride_tricks=Part(self, np.lib.stride_tricks, API["stride_tricks"]))
        self.waits: Counter[str] = Counter()  # how often the host would wait for the GPU, and for what
        self.sends: Counter[str] = Counter()  # how often data would go from the host to the GPU

    def backend(self) -> Backend:
        return Backend(self.name, Part(self, np, API["functions"]), self.ndarray, self.from_numpy, self.to_numpy)

    def from_numpy(self, array: np.ndarray, index: int) -> Any:
        self.sends["from_numpy"] += 1
        return self.ndarray(np.array(array))

    def to_numpy(self, array: Any) -> np.ndarray:
        self.waits["to_numpy"] += 1
        return array._values.copy()

    # Computing

    def ufunc(self, name: str, function: Callable, *operands: Any) -> Any:
        """A universal function with CuPy's dtypes."""
        values = tuple(map(self.operand, operands))
        wanted = chosen(name, values)
        with np.errstate(all="ignore"):  # a GPU does not warn
            try:
                result = function(*values)
            except ValueError as error:
                if "negative integer powers" in str(error):
                    raise CupyDiffers(f"NumPy: {error}") from None
                raise
        return self.wrap(agreed(name, result, wanted))

    def matmul(self, x: Any, y: Any) -> Any:
        if not type(x) is type(y) is self.ndarray:
            raise TypeError(f"{self.name}: a matrix product of {type(x).__name__} and {type(y).__name__}")
        with np.errstate(all="ignore"):
            return self.wrap(x._values @ y._values)

    def writable(self, array: Any) -> None:
        """NumPy protects memory that several elements share, and CuPy does not."""
        if type(array) is not self.ndarray:
            raise TypeError(f"{self.name}: {type(array).__name__} is to be written to")
        if not array._values.flags.writeable:
            raise CupyDiffers("memory is written to that NumPy protects")

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

    def call(self, function: Any, args: tuple, kwargs: dict, name: str = "") -> Any:
        out = kwargs.get("out")
        if out is not None:
            self.writable(out)
        try:
            with np.errstate(all="ignore"):
                result = function(*map(self.argument, args), **{key: self.argument(x) for key, x in kwargs.items()})
        except IndexError as error:
            if name in WRAPPING:
                raise CupyDiffers(f"CuPy would not notice: {error}") from None
            raise
        if name == "diagonal":  # which NumPy protects, though each element has a place of its own
            result.setflags(write=result.base is None or result.base.flags.writeable)
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
                self.sends["index"] += 1
            if type(part) is self.ndarray and part.dtype.kind == "b":
                self.waits["mask"] += 1
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
            return Ufunc(self._library, name, value)
        return self._function(name, value)

    def _function(self, name: str, function: Any) -> Any:
        parameters = self._functions[name]
        library = self._library

        def call(*args: Any, **kwargs: Any) -> Any:
            check_parameters(name, parameters, args, kwargs)
            check_settings(name, parameters, args, kwargs)
            first = args[0] if args else None
            if isinstance(first, self._library.ndarray):
                check_behaviour(library, name, first._values, {**dict(zip(parameters, args)), **kwargs})
            if name in ("asarray", "array", "ascontiguousarray"):  # the way in, on purpose
                if type(first) is not library.ndarray:
                    library.sends[name] += 1
                args = tuple(x._values if type(x) is library.ndarray else x for x in args)
                return library.wrap(function(*args, **kwargs))
            for parameter, value in zip(parameters, args):
                if parameter in ARRAYS and type(value) not in (library.ndarray, *NUMBERS):
                    raise TypeError(f"CuPy's {name}: {parameter} is of type {type(value).__name__}")
            return library.call(function, args, kwargs, name)

        return call


def agreed(name: str, result: Any, wanted: list[np.dtype]) -> Any:
    """NumPy's result, if CuPy's has the same dtype."""
    found = [x.dtype for x in (result if isinstance(result, tuple) else (result,))]
    if found != wanted:
        raise CupyDiffers(f"{name} is {wanted} with CuPy, {found} with NumPy")
    return result


class Ufunc:
    """A universal function: arrays of the library and Python numbers only."""

    def __init__(self, library: Library, name: str, function: np.ufunc) -> None:
        self._library, self._name, self._function = library, name, function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        positions = [f"x{i}" for i in range(self._function.nargs)]
        check_parameters(self._name, [*positions, "out", "dtype", "casting"], args, kwargs)
        operands, outs = args[: self._function.nin], args[self._function.nin :]
        if not outs and not kwargs:
            return self._library.ufunc(self._name, self._function, *operands)
        values = tuple(map(self._library.operand, operands))
        if kwargs.get("dtype") is None:
            chosen(self._name, values)
        else:
            self._has_results(np.dtype(kwargs["dtype"]))
        out = kwargs.pop("out", outs[0] if outs else None)
        if out is None:
            with np.errstate(all="ignore"):
                return self._library.wrap(self._function(*values, **kwargs))
        self._library.writable(out)
        with np.errstate(all="ignore"):
            self._function(*values, out=out._values, **kwargs)
        return out

    def _has_results(self, dtype: np.dtype) -> None:
        """Where a dtype is asked for, CuPy takes the first loop whose results have it."""
        for types in API["loops"][self._name]:
            if all(np.dtype(char) == dtype for char in types.split("->")[1]):
                return
        raise TypeError(f"CuPy's {self._name} has no loop with results of {dtype}")

    def at(self, array: Any, key: Any, value: Any) -> None:
        if self._name not in API["scatters"]:
            raise TypeError(f"CuPy has no {self._name}.at")
        self._library.writable(array)
        places = self._library.index(array, key)
        kinds = [part.dtype.kind for part in places if isinstance(part, np.ndarray)]
        if any(kind in "iu" for kind in kinds) and array.dtype.name not in ATOMIC[self._name]:
            raise TypeError(f"CuPy's {self._name}.at cannot change an array of {array.dtype}")
        value = self._library.operand(value)
        if isinstance(value, np.ndarray):
            exact(f"{self._name}.at", value, array.dtype)
        self._function.at(array._values, places, value)

    def reduce(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        return self._folded("reduce", array, axis=axis, dtype=dtype, out=out, keepdims=keepdims)

    def accumulate(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None) -> Any:
        return self._folded("accumulate", array, axis=axis, dtype=dtype, out=out)

    def _folded(self, name: str, array: Any, **kwargs: Any) -> Any:
        if self._name not in REDUCE:
            raise TypeError(f"CuPy has no {self._name}.{name}")
        return self._library.call(getattr(self._function, name), (array,), kwargs)
