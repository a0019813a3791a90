"""Finds, without running anything, where code asks arrays for something that CuPy does not have.

Looked at are, in the syntax tree of each file:

* functions of the array library: ``namespace(x).name(...)``, also through a name that the library or one of its
  functions was given (``xp = namespace(x)``, ``rint = namespace(x).rint``), and the words of ``m``, which are such
  functions where they run on arrays; each must exist in CuPy and have the keywords that it is called with;
* ``getattr(namespace(x), name)``: the name must be a string, or the possible names must be listed in ``COMPUTED``;
* methods: a name that NumPy's arrays have must be one that CuPy's have too, with the keywords that it is called with,
  or a name of Tensor (which of the two an object is, nobody can tell from the text);
* ``np.name``: outside of files that work on the CPU alone, only names that never get an array.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minidl import Tensor

__all__ = ["COMPUTED", "ON_THE_CPU", "Use", "misuses", "uses"]

# getattr(namespace(x), ...) with a name that is put together: file, expression and all the names that can come out.
COMPUTED = {
    ("ops/extrema.py", "f'arg{operation}'"): ("argmax", "argmin"),
    ("ops/vocabulary.py", "name"): (),  # the words of m, which are looked at where they are used
}
# What NumPy is asked for about dtypes, shapes and warnings; no array of another library goes in.
WITHOUT_ARRAYS = {"broadcast_shapes", "errstate", "finfo", "iinfo", "promote_types"}
# Files and functions whose arrays are NumPy's on purpose: data come in there, or numbers go out to people and files.
ON_THE_CPU = {
    "backend.py": "NumPy is one of the libraries that it tells apart",
    "checkpoint.py": "files hold what is fetched to the CPU",
    "creation.py": "tensors are filled on the CPU, then moved",
    "data": "data sets are read on the CPU",
    "drawing.py": "pictures are made of numbers on the CPU",
    "metrics.py": "counts are kept on the CPU",
    "nn/init.py": "initial values are drawn on the CPU, then moved",
    "nn/positions.py": "the table of sines is made on the CPU, then moved",
    "ops/access.py": "as_numpy fetches the tensor to the CPU first",
    "printing.py": "what is printed is fetched to the CPU first",
    "random.py": "random numbers are drawn on the CPU, then moved",
    "sampling.py": "random numbers are drawn on the CPU, then moved",
    "testing.py": "finite differences are compared on the CPU",
}
FOLDS = ("add", "multiply")  # the ufuncs whose ``reduce`` and ``accumulate`` CuPy has
# Methods that only NumPy's arrays have, called where a test of the type has shown that the array is one.
OF_NUMPY_ALONE = {("ops/diagonals.py", "setflags")}
# Single uses in other files: file and source of the call.
ON_THE_CPU_HERE = {
    ("ops/shape.py", "np.argsort(self.dims)"): "dims are Python integers",
    ("ops/indexing.py", "np.array(part)"): "an index given as a list",
    ("ops/indexing.py", "np.zeros(0, np.int64)"): "an index given as an empty list",
    ("nn/normalization.py", "np.zeros((), int64)"): "a buffer, moved with its module",
    ("nn/utils.py", "np.zeros((), np.float32)"): "no gradients at all: no device either",
    ("ops/pooling.py", "np.isnan(x.max())"): "after a test that the array is NumPy's",
    ("ops/resampling.py", "np.arange(new, dtype=np.float32)"): "places as numbers of the CPU",
    ("ops/resampling.py", "np.floor(np.arange(new, dtype=np.float32) * np.float32(step))"): "these places",
}


IMPORTS = (ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class Use:
    """One use of a function (``kind`` "function"), a method or an attribute of arrays, or of NumPy itself."""

    file: str
    line: int
    kind: str
    name: str  # with dots: "lib.stride_tricks.sliding_window_view"
    keywords: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


# --- what is used ------------------------------------------------------------------------------------------------


def uses(file: str, source: str) -> Iterator[Use]:
    """All uses in a file, whose path is relative to the package."""
    tree = ast.parse(source)
    modules = {
        alias.asname or alias.name for node in ast.walk(tree) if isinstance(node, IMPORTS) for alias in node.names
    }
    functions = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    rest = [node for node in tree.body if not isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    scopes = [part for node in functions for part in (node.body if isinstance(node, ast.ClassDef) else [node])]
    for scope in [*scopes, ast.Module(rest, [])]:
        yield from Scope(file, scope, modules).uses()


class Scope:
    """A function with all that is nested in it: which of its names stand for the library or one of its functions."""

    def __init__(self, file: str, tree: ast.AST, modules: set[str]) -> None:
        self.file, self.tree, self.modules = file, tree, modules
        self.libraries, self.functions = {"xp"}, {}
        self.read_assignments()
        self.called = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}

    def read_assignments(self) -> None:
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.Assign):
                continue
            for target in node.targets:
                pairs = [(target, node.value)]
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs = list(zip(target.elts, node.value.elts, strict=True))
                for name, value in pairs:
                    if isinstance(name, ast.Name) and self.is_library(value):
                        self.libraries.add(name.id)
                    elif isinstance(name, ast.Name) and self.function(value):
                        self.functions[name.id] = self.function(value)

    def is_library(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return node.func.id == "namespace"
        return isinstance(node, ast.Name) and node.id in self.libraries

    def function(self, node: ast.AST) -> str:
        """The dotted name of a function of the library, or nothing."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if parts and self.is_library(node):
            return ".".join(reversed(parts))
        word = isinstance(node, ast.Name) and node.id == "m" and len(parts) == 1 and parts != ["apply"]
        return parts[0] if word and hasattr(np, parts[0]) else ""

    def uses(self) -> Iterator[Use]:
        inner = {id(node.value) for node in ast.walk(self.tree) if isinstance(node, ast.Attribute)}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and id(node) not in inner:
                yield from self.attribute(node)
            elif isinstance(node, ast.Name) and node.id in self.functions and id(node) in self.called:
                yield self.use("function", self.functions[node.id], node)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
                yield from self.looked_up(node)

    def attribute(self, node: ast.Attribute) -> Iterator[Use]:
        name = self.function(node)
        if name:
            yield self.use("function", name, node)
            return
        if isinstance(node.value, ast.Name) and node.value.id == "np":
            yield self.use("numpy", node.attr, node)
            return
        step: ast.AST = node
        while isinstance(step, ast.Attribute) and not (
            isinstance(step.value, ast.Name) and step.value.id in self.modules
        ):
            if hasattr(np.ndarray, step.attr) and not step.attr.startswith("__"):
                yield self.use("member", step.attr, step)
            step = step.value

    def looked_up(self, node: ast.Call) -> Iterator[Use]:
        owner, name = node.args[:2]
        if not self.is_library(owner):
            return
        if isinstance(name, ast.Constant):
            yield self.use("function", name.value, node)
        else:
            computed = COMPUTED.get((self.file, ast.unparse(name)))
            for one in ("(a name that is put together)",) if computed is None else computed:
                yield self.use("function", one, node)

    def use(self, kind: str, name: str, node: Any) -> Use:
        call = self.called.get(id(node))
        keywords = tuple(keyword.arg for keyword in call.keywords if keyword.arg) if call else ()
        return Use(self.file, node.lineno, kind, name, keywords, ast.unparse(call or node))


# --- what CuPy has -----------------------------------------------------------------------------------------------


def misuses(api: dict[str, Any], package: Path) -> list[str]:
    """Everything in the package that CuPy, as recorded in ``api``, does not offer."""
    found = []
    for path in sorted(package.rglob("*.py")):
        file = path.relative_to(package).as_posix()
        for use in uses(file, path.read_text(encoding="utf-8")):
            problem = check(api, use)
            if problem:
                found.append(f"{use}: {problem}")
    return found


def check(api: dict[str, Any], use: Use) -> str:
    """What is wrong with a use, or an empty string."""
    if use.kind == "numpy":
        return on_the_cpu(use)
    if use.kind == "function":
        return function_problem(api, use)
    if hasattr(Tensor, use.name) or use.name in api["attributes"]:
        return ""
    if (use.file, use.name) in OF_NUMPY_ALONE:
        return ""
    if use.name not in api["methods"]:
        return f"CuPy's arrays have no {use.name}"
    return unknown_keywords(use, api["methods"][use.name])


def function_problem(api: dict[str, Any], use: Use) -> str:
    *path, name = use.name.split(".")
    if path and api["functions"].get(path[0]) == "ufunc":
        return (
            ""
            if path[0] in {"at": api["scatters"], "reduce": FOLDS, "accumulate": FOLDS}.get(name, ())
            else f"CuPy has no {use.name}"
        )
    table = {"": api["functions"], "linalg": api["linalg"], "lib.stride_tricks": api["stride_tricks"]}.get(
        ".".join(path), {}
    )
    if not path and name in api["numpy"]:
        return ""
    if name not in table:
        return f"CuPy has no {use.name}"
    parameters = table[name]
    return unknown_keywords(use, ["out", "dtype", "casting"] if parameters == "ufunc" else parameters)


def unknown_keywords(use: Use, parameters: list[str]) -> str:
    unknown = [keyword for keyword in use.keywords if keyword not in parameters]
    if unknown and not any(parameter.startswith("**") for parameter in parameters):
        return f"CuPy's {use.name} has no {', '.join(unknown)}"
    return ""


def on_the_cpu(use: Use) -> str:
    value = getattr(np, use.name, None)
    if use.name in WITHOUT_ARRAYS or isinstance(value, (type, float, type(None))):  # dtypes, types, pi
        return ""
    if any(use.file == name or use.file.startswith(name + "/") for name in ON_THE_CPU):
        return ""
    return "" if (use.file, use.text) in ON_THE_CPU_HERE else "NumPy's functions take no arrays of CuPy"
