"""The source of a kernel: its syntax tree, the values its names have, and kernels that lack a barrier."""

from __future__ import annotations

import ast
import builtins
import copy
import dis
import inspect
import linecache
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import Any

__all__ = [
    *("Site", "Source", "barriers", "check_plain", "dotted", "line_of", "plain_function", "whole_of"),
    "without_barrier",
]


def plain_function(function: Any) -> FunctionType | None:
    """The Python function behind a kernel, a device function or a Numba function; None for anything else."""
    function = getattr(function, "thread", function)  # of a Kernel
    function = getattr(function, "py_func", function)  # of Numba's dispatchers
    return function if isinstance(function, FunctionType) else None


def dotted(node: ast.AST) -> str:
    """The name ``a.b.c`` that an expression spells, or nothing."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def line_of(file: str, number: int) -> str:
    """One line of a file, without its indentation."""
    return linecache.getline(file, number).strip()


@dataclass(frozen=True)
class Site:
    """A place in the source where something happens that the simulator watches."""

    line: int
    text: str
    action: str  # load, store, syncthreads, ...


class Source:
    """A function as text and as a syntax tree, with the line numbers of its file.

    Attributes:
        tree: the function's definition, free for the owner to change.
        values: the values of all names that the function can see and has not set itself: builtins, globals, closure.
    """

    def __init__(self, function: FunctionType) -> None:
        self.name = function.__name__
        self.file = function.__code__.co_filename
        self.tree = parse(function)
        self.values = dict(vars(builtins)) | function.__globals__
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            self.values[name] = cell.cell_contents
        for name in (*function.__code__.co_varnames, *function.__code__.co_cellvars):
            self.values.pop(name, None)
        self.check_names(function)

    def check_names(self, function: FunctionType) -> None:
        """Raises NameError for a name that is neither the function's own nor among the values."""
        for step in dis.get_instructions(function):
            if step.opname == "LOAD_GLOBAL" and step.argval not in self.values:
                line = step.positions.lineno
                where = f"line {line}: {self.line(line)}"
                raise NameError(f"simulator: {self.name}, {where}: the name {step.argval} is not defined")

    def line(self, number: int) -> str:
        return line_of(self.file, number)

    def error(self, node: ast.AST, reason: str, kind: type[Exception] = NotImplementedError) -> Exception:
        """What is wrong with a place in the source, as an exception."""
        return kind(f"simulator: {self.name}, line {node.lineno}: {self.line(node.lineno)}: {reason}")

    def barriers(self) -> list[ast.Call]:
        """The calls that make all threads of the block, or of the warp, wait for one another."""
        calls = [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]
        return [call for call in calls if dotted(call.func) in ("cuda.syncthreads", "cuda.syncwarp")]

    def function(self) -> FunctionType:
        """The tree as a function again."""
        module = ast.fix_missing_locations(ast.Module([self.tree], []))
        scope = dict(self.values)
        exec(compile(module, self.file, "exec"), scope)
        return scope[self.tree.name]


def check_plain(function: FunctionType) -> None:
    """Raises NotImplementedError for arguments with defaults, and for any but plain ones."""
    for argument in inspect.signature(function).parameters.values():
        if argument.kind is not argument.POSITIONAL_OR_KEYWORD or argument.default is not argument.empty:
            source = Source(function)
            raise source.error(source.tree, "kernels and device functions take plain arguments without defaults")


def parse(function: FunctionType) -> ast.FunctionDef:
    """A function's definition, without its decorators, with the line numbers of its file."""
    try:
        lines, first = inspect.getsourcelines(function)
    except OSError as error:
        name = function.__name__
        raise TypeError(
            f"simulator: the source of {name} cannot be found; define it in a file or a notebook"
        ) from error
    tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    if not isinstance(tree, ast.FunctionDef):
        raise TypeError(f"simulator: {function.__name__} must be defined by def")
    ast.increment_lineno(tree, first - 1)
    tree.decorator_list = []
    return tree


def barriers(kernel: Any) -> Iterator[tuple[int, Any]]:
    """Every way to leave one barrier out of a kernel: (line of the barrier, the kernel without it).

    A barrier that can be left out without a fault is not needed, or the simulator is blind; a test asks for neither::

        for line, broken in barriers(kernel):
            with pytest.raises(KernelFault):
                simulate(broken, grid, threads, *arrays)
    """
    for index, call in enumerate(Source(plain_function(kernel)).barriers()):
        yield call.lineno, without_barrier(kernel, index)


def without_barrier(kernel: Any, index: int) -> Any:
    """The same kernel (a function, or a Kernel) without one of its barriers, counted from 0, for the simulator alone.

    Its code is the kernel's own, and need not be compiled again: threads run past the barrier.
    """
    function = plain_function(kernel)
    broken = FunctionType(function.__code__, function.__globals__, function.__name__, None, function.__closure__)
    broken.whole, broken.left_out = whole_of(function)[0], {*whole_of(function)[1], index}
    if function is kernel:
        return broken
    result = copy.copy(kernel)
    result.thread = broken
    return result


def whole_of(function: FunctionType) -> tuple[FunctionType, set[int]]:
    """(the kernel with all of its barriers, which of them are left out)."""
    return getattr(function, "whole", function), getattr(function, "left_out", set())
