"""The table of cases: one row an operation or variant of it, which feeds all generic tests of operations.

A row is a call written once for two libraries and the inputs that go in::

    CASES = [
        Case("add", lambda lib, x, y: lib.add(x, y), normal(3, 4), normal(4)),
        Case("relu", lambda lib, x: lib.nn.functional.relu(x), away_from([0.0], 3, 4)),
    ]

``lib`` is minidl or torch. Rows stand in ``tests/support/cases/FAMILY.py``, each in the list ``CASES``. The tests that
run over them are ``test_cases.py`` (gradients, memory, layout, dtype, strict arrays, twins) and ``test_parity.py``
(PyTorch's values, gradients and dtypes).
"""

from __future__ import annotations

import importlib.util
import traceback
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "Case",
    "Input",
    "away_from",
    "booleans",
    "distinct",
    "integers",
    "load",
    "normal",
    "positive",
    "uniform",
]


# --- inputs ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Input:
    """An array still to be drawn; each row draws with a generator of its own, so rows do not depend on each other."""

    draw: Callable[[np.random.Generator], np.ndarray]


def normal(*shape: int) -> Input:
    """Standard normal numbers."""
    return Input(lambda rng: rng.standard_normal(shape))


def uniform(low: float, high: float, *shape: int) -> Input:
    """Numbers spread evenly between low and high."""
    return Input(lambda rng: rng.uniform(low, high, shape))


def positive(*shape: int) -> Input:
    """Numbers from 0.3 to 2.3: far from 0, where log, sqrt and division have their poles."""
    return uniform(0.3, 2.3, *shape)


def distinct(*shape: int) -> Input:
    """Numbers of both signs that all differ by at least 0.1, in random order: no ties for max, sort and median."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        size = int(np.prod(shape))
        steps = rng.permutation(size) - size // 2
        return (0.15 * steps + rng.uniform(0.0, 0.05, size)).reshape(shape)

    return Input(draw)


def away_from(points: Sequence[float], *shape: int) -> Input:
    """Normal numbers, none nearer than 0.05 to a point where the function has a kink or a jump."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        x = rng.standard_normal(shape)
        while True:
            near = np.zeros(shape, bool)
            for point in points:
                near |= np.abs(x - point) < 0.05
            if not near.any():
                return x
            x = np.where(near, rng.standard_normal(shape), x)

    return Input(draw)


def integers(low: int, high: int, *shape: int) -> Input:
    """int64 from low to high - 1."""
    return Input(lambda rng: rng.integers(low, high, shape))


def booleans(*shape: int) -> Input:
    """True and False, and where there is room for both, both."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        size = int(np.prod(shape))
        return (rng.permutation(size) % 2 == 0).reshape(shape)

    return Input(draw)


# --- rows --------------------------------------------------------------------------------------------------------


class Case:
    """One row of the table.

    Args:
        name: "operation" or "operation.variant"; the operation is the public name that the row covers.
        call: gets the library (minidl or torch) and the inputs as its tensors; returns a tensor or a tuple of them.
        inputs: what to draw (``normal(3, 4)``), or arrays as they are; floating-point ones are cast to the dtype of the
            test, all others are passed on.
        grad: whether the result can be differentiated.
        smooth: whether finite differences can judge the row; False (at ties and kinks, with NaN or infinity) leaves
            parity with PyTorch and all else in force, and needs a ``reason``.
        second: whether gradients of gradients are checked; False needs a ``reason``.
        twin: demands that a Function with a composed twin runs (any twin that runs is compared in any case).
    """

    family = ""  # the file that the row stands in, once it is loaded

    def __init__(
        self,
        name: str,
        call: Callable[..., Any],
        *inputs: Input | np.ndarray,
        grad: bool = True,
        smooth: bool = True,
        second: bool = True,
        reason: str = "",
        twin: bool = False,
    ) -> None:
        for i, entry in enumerate(inputs):
            if not isinstance(entry, (Input, np.ndarray)):
                raise TypeError(f"{name}: input {i} is {type(entry).__name__}, neither an Input nor an array")
        if not (second and smooth) and not reason:
            raise ValueError(f"{name}: second=False and smooth=False need a reason")
        self.name, self.call, self.inputs = name, call, inputs
        self.grad, self.smooth, self.second, self.reason, self.twin = grad, smooth, second, reason, twin

    @property
    def operation(self) -> str:
        """The public name that the row covers."""
        return self.name.partition(".")[0]

    def arrays(self, dtype: Any = np.float64) -> list[np.ndarray]:
        """The inputs: the same numbers at every call, floating-point ones in the given dtype."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        drawn = [np.asarray(entry.draw(rng) if isinstance(entry, Input) else entry.copy()) for entry in self.inputs]
        return [array.astype(dtype) if array.dtype.kind == "f" else array for array in drawn]

    def upstream(self, shapes: Sequence[tuple[int, ...]], dtype: Any = np.float64) -> list[np.ndarray]:
        """A gradient to start from for each result."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()) + 1)
        return [np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1, 1], shape)).astype(dtype) for shape in shapes]

    def results(self, lib: Any, tensors: Sequence[Any]) -> tuple:
        """What the call returns, as a tuple of tensors."""
        result = self.call(lib, *tensors)
        return tuple(result) if isinstance(result, (tuple, list)) else (result,)

    def __str__(self) -> str:
        return f"{self.family}:{self.name}"


# --- the whole table ---------------------------------------------------------------------------------------------


def load(folder: Path | None = None) -> tuple[list[Case], dict[str, str]]:
    """All rows, in the order of the files, and for each file that fails to load what went wrong."""
    rows: list[Case] = []
    broken: dict[str, str] = {}
    for path in sorted((folder or Path(__file__).parent / "cases").glob("*.py")):
        try:
            for row in rows_of(path):
                if any(other.name == row.name for other in rows):
                    raise ValueError(f"the name {row.name!r} is used twice")
                rows.append(row)
        except Exception:
            broken[path.name] = traceback.format_exc(limit=-3)
    return rows, broken


def rows_of(path: Path) -> Iterator[Case]:
    spec = importlib.util.spec_from_file_location(f"cases_of_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for row in module.CASES:
        row.family = path.stem
        yield row
