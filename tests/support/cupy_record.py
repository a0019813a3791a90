"""What CuPy offers, read off the installed library: its functions with their parameters, methods and loops of dtypes.

``python tests/support/cupy_record.py`` writes it to ``cupy_api.json``, which the strict array and the check of names
work from, so that both run where CuPy is not installed. Reading it needs no GPU. Only what NumPy has too is recorded:
the engine calls nothing else.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from pathlib import Path
from types import ModuleType, NoneType
from typing import Any

import numpy as np

__all__ = ["PATH", "read_record", "record"]

PATH = Path(__file__).parent / "cupy_api.json"


def read_record() -> dict[str, Any]:
    """The record that is kept with the tests."""
    return json.loads(PATH.read_text(encoding="utf-8"))


def record() -> dict[str, Any]:
    """The record of the CuPy that is installed here."""
    cupy = importlib.import_module("cupy")
    shared = sorted(name for name in dir(cupy) if not name.startswith("_") and hasattr(np, name))
    own = {name for name in shared if getattr(cupy, name) is getattr(np, name)}
    ufuncs = {name: getattr(cupy, name) for name in shared if isinstance(getattr(cupy, name), cupy.ufunc)}
    members = {name: getattr(cupy.ndarray, name) for name in dir(cupy.ndarray) if hasattr(np.ndarray, name)}
    return {
        "version": cupy.__version__,
        "numpy": sorted(own | {name for name in shared if isinstance(getattr(cupy, name), (float, NoneType))}),
        "functions": {
            name: "ufunc" if name in ufuncs else parameters(getattr(cupy, name))
            for name in shared
            if name not in own and callable(getattr(cupy, name)) and not inspect.isclass(getattr(cupy, name))
        },
        "loops": {name: loops(ufunc) for name, ufunc in ufuncs.items()},
        "scatters": sorted(name for name, ufunc in ufuncs.items() if ufunc._scatter_op),
        "methods": {
            name: parameters(member)
            for name, member in members.items()
            if not name.startswith("_") and callable(member)
        },
        "attributes": sorted(name for name, x in members.items() if not name.startswith("_") and not callable(x)),
        "special": sorted(name for name in dir(cupy.ndarray) if name.startswith("__")),
        "linalg": module(cupy.linalg, np.linalg),
        "stride_tricks": module(cupy.lib.stride_tricks, np.lib.stride_tricks),
    }


def module(ours: ModuleType, numpys: ModuleType) -> dict[str, Any]:
    names = [name for name in dir(ours) if not name.startswith("_") and hasattr(numpys, name)]
    return {name: parameters(getattr(ours, name)) for name in names if inspect.isfunction(getattr(ours, name))}


def parameters(function: Any) -> list[str]:
    """The names of the parameters, those of compiled functions from the first line of their docstring."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return from_docstring(function.__doc__)
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return [stars.get(p.kind, "") + p.name for p in found if p.name != "self"]


def from_docstring(text: str) -> list[str]:
    """``ndarray.argsort(self, int axis=-1, kind=None) -> ndarray`` has the parameters axis and kind."""
    inside = re.match(r"[\w.]+\((.*?)\)(\s|$)", text)
    assert inside, text
    words = [part.partition("=")[0].split()[-1] for part in inside[1].split(",") if part.strip()]
    return [word for word in words if word not in ("self", "/", "*")]


def loops(ufunc: Any) -> list[str]:
    """The dtypes of each loop, in the order in which CuPy tries them; ``!`` where choosing it is an error."""
    assert len(ufunc.types) == len(ufunc._ops.ops)
    return [("!" if op.error_func else "") + types for op, types in zip(ufunc._ops.ops, ufunc.types)]


def written(part: Any, indent: str = "\n") -> str:
    """JSON with one entry a line, however long."""
    if not isinstance(part, dict):
        return json.dumps(part)
    inner = indent + " "
    rows = [f"{json.dumps(key)}: {written(value, inner)}" for key, value in part.items()]
    return "{" + inner + ("," + inner).join(rows) + indent + "}"


if __name__ == "__main__":
    PATH.write_text(written(record()) + "\n", encoding="utf-8")
