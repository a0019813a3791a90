"""Reads the source of every ``backward`` and lists what may not stand there.

Backward runs on arrays and, with ``create_graph=True``, on Tensors, so it may only use words that both understand:
operators, indexing, ``.shape``, ``.sum()``, ``.reshape()``, ``.swapaxes()``, ``.mT``, ``m.name()`` and helpers made of
these. What is checked is whatever g and the saved arrays flow into; numbers and shapes may be handled in any way.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

__all__ = ["breaches", "breaches_in"]

METHODS = {"sum", "reshape", "swapaxes"}
FACTS = {"shape", "ndim", "dtype", "size"}  # no array comes out of these
CONTAINERS = {"enumerate", "list", "reversed", "tuple", "zip"}
Function = ast.FunctionDef


def breaches(package: Path) -> list[str]:
    """All breaches in the package, as "file:line Class.backward: what"."""
    modules = {path: ast.parse(path.read_text()) for path in sorted(package.rglob("*.py"))}
    helpers = {
        node.name: node for module in modules.values() for node in module.body if isinstance(node, ast.FunctionDef)
    }
    classes = {node.name: node for module in modules.values() for node in module.body if isinstance(node, ast.ClassDef)}
    found = []
    for path, module in modules.items():
        for line, text in breaches_in(module, helpers, classes):
            found.append(f"{path.relative_to(package.parent)}:{line} {text}")
    return found


def breaches_in(
    module: ast.Module, helpers: dict[str, Function], classes: dict[str, ast.ClassDef]
) -> Iterator[tuple[int, str]]:
    """The breaches in one module: of each backward whose class has no composed twin."""
    for node in module.body:
        if not isinstance(node, ast.ClassDef):
            continue
        methods = methods_of(node, classes)
        if "backward" in methods and "composed" not in methods and "forward" in methods:
            reader = Reader(helpers, methods)
            reader.read(methods["backward"], [False, True])
            for line, text in reader.found:
                yield line, f"{node.name}.backward: {text}"


def methods_of(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> dict[str, Function]:
    """The methods of a class and of its bases in the package, but for those of Function itself."""
    methods: dict[str, Function] = {}
    for base in reversed(node.bases):
        if isinstance(base, ast.Name) and base.id in classes and base.id != "Function":
            methods |= methods_of(classes[base.id], classes)
    return methods | {part.name: part for part in node.body if isinstance(part, ast.FunctionDef)}


class Reader:
    """Follows the arrays through one function and the helpers that it hands them to."""

    def __init__(self, helpers: dict[str, Function], methods: dict[str, Function]) -> None:
        self.helpers, self.methods = helpers, methods
        self.found: list[tuple[int, str]] = []
        self.done: set[tuple[str, tuple]] = set()

    def read(self, function: Function, arrays: list[bool]) -> None:
        """Read a function, given which of its parameters are arrays."""
        if (function.name, tuple(arrays)) in self.done:
            return
        self.done.add((function.name, tuple(arrays)))
        parameters = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        known = {p.arg for p, array in zip(parameters, arrays) if array}
        if function.args.vararg and any(arrays):
            known.add(function.args.vararg.arg)
        for _ in range(2):  # a name may be used in a loop before the line that makes it an array
            for statement in function.body:
                self.learn(statement, known)
        for statement in function.body:
            for node in ast.walk(statement):
                self.check(node, known)

    def learn(self, statement: ast.stmt, known: set[str]) -> None:
        """Note the names that arrays are assigned to."""
        for node in ast.walk(statement):
            if isinstance(node, ast.Assign):
                pairs = [(target, node.value) for target in node.targets]
            elif isinstance(node, (ast.For, ast.comprehension)):
                pairs = [(node.target, node.iter)]
            elif isinstance(node, ast.NamedExpr):
                pairs = [(node.target, node.value)]
            else:
                continue
            for target, value in pairs:
                if self.is_array(value, known):
                    known |= {name.id for name in ast.walk(target) if isinstance(name, ast.Name)}

    def is_array(self, node: ast.AST, known: set[str]) -> bool:
        """Whether an array, or something that holds one, comes out of the expression."""
        if isinstance(node, ast.Name):
            return node.id in known
        if isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Name) and node.value.id == "self":
                return node.attr == "saved"
            return node.attr not in FACTS and self.is_array(node.value, known)
        if isinstance(node, ast.Compare) and all(isinstance(op, (ast.Is, ast.IsNot)) for op in node.ops):
            return False
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("len", "isinstance"):
            return False
        return any(self.is_array(child, known) for child in ast.iter_child_nodes(node))

    def check(self, node: ast.AST, known: set[str]) -> None:
        if isinstance(node, ast.Call):
            self.check_call(node, known)
        elif isinstance(node, ast.Attribute):
            if self.is_array(node.value, known) and node.attr not in METHODS | FACTS | {"mT"}:
                self.note(node, f".{node.attr}")
        elif isinstance(node, (ast.If, ast.While, ast.IfExp)):
            if self.is_array(node.test, known):
                self.note(node, "a branch on the values of an array")
        elif isinstance(node, ast.AugAssign):
            if self.is_array(node.target, known):
                self.note(node, "a change in place")
        elif isinstance(node, (ast.Assign, ast.Delete)):
            for target in node.targets:
                if isinstance(target, ast.Subscript) and self.is_array(target.value, known):
                    self.note(node, "a change in place")

    def check_call(self, node: ast.Call, known: set[str]) -> None:
        values = [*node.args, *(keyword.value for keyword in node.keywords)]
        arrays = [self.is_array(value, known) for value in values]
        function = node.func
        if not any(arrays):
            return
        if isinstance(function, ast.Attribute):
            owner = function.value
            if isinstance(owner, ast.Name) and owner.id == "m":
                return
            if isinstance(owner, ast.Name) and owner.id == "self" and function.attr in self.methods:
                method = self.methods[function.attr]
                unbound = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in method.decorator_list)
                self.read(method, arrays if unbound else [False, *arrays])
            elif not self.is_array(owner, known):
                self.note(node, f"{ast.unparse(function)}()")
        elif isinstance(function, ast.Name):
            if function.id in self.helpers:
                self.read(self.helpers[function.id], arrays)
            elif function.id not in CONTAINERS | {"isinstance", "len"}:
                self.note(node, f"{function.id}()")

    def note(self, node: ast.AST, text: str) -> None:
        if (node.lineno, text) not in self.found:
            self.found.append((node.lineno, text))
