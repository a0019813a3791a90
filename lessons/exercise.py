"""Checks a reader's solution of an exercise: says what is wrong with it, never the answer.

The exercises of lesson 7 stand in `lessons/exercises/07.py`: one function each, named `check_` and what it checks,
whose docstring is the task as the reader sees it. It calls the solution's functions and says with `expect` which
relation must hold:

    def check_sigmoid(solution):
        \"\"\"Write `sigmoid(z)`: the logistic function, also for z = -1000.\"\"\"
        for z in (-1000.0, -3.0, 0.0, 2.0):
            a = solution.sigmoid(z)
            expect(0 <= a <= 1, "0 <= sigmoid(z) <= 1", z=z, got=a)
            expect(close(solution.sigmoid(-z), 1 - a), "sigmoid(-z) = 1 - sigmoid(z)", z=z, got=a)

A function of the solution that is missing, raises or returns nothing is reported by itself, and so is a result that the
check can make nothing of. Arguments are copied first, so that a solution cannot spoil the check by writing into them.
The reader's file runs in a process of its own, under a time limit.
"""

from __future__ import annotations

import copy
import functools
import importlib.util
import inspect
import subprocess
import sys
import traceback
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from lessons.pipe import while_read
from lessons.runner import child_environment

EXERCISES = Path(__file__).with_name("exercises")
TIME_LIMIT = 60.0


class Wrong(Exception):
    """The solution is not right; the message says how that shows."""


class Solution:
    """The reader's file: its functions are this object's attributes."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Callable[..., Any]:
        path = Path(self._module.__file__ or "")
        function = getattr(self._module, name, None)
        if function is None:
            raise Wrong(f"{path.name} defines no function {name}")
        if not callable(function):
            raise Wrong(f"{name} in {path.name} is not a function but {function!r}")

        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            text = f"{name}({_arguments(arguments, named)})"
            try:
                result = function(*copy.deepcopy(arguments), **copy.deepcopy(named))
            except (Exception, SystemExit) as error:
                raise Wrong(f"{text} raised {type(error).__name__}: {error}{_line_of(error, path)}") from error
            if result is None:
                raise Wrong(f"{text} returned nothing (is there a return statement?)")
            return result

        return call


def expect(condition: Any, relation: str, **shown: Any) -> None:
    """Says that `relation` must hold; where it does not, the reader sees it with the values in `shown`."""
    if not np.all(condition):
        lines = [_aligned(f"    {name} = ", _show(value)) for name, value in shown.items()]
        raise Wrong("\n".join([f'"{relation}" does not hold' + (" for" if shown else ""), *lines]))


def close(a: Any, b: Any, tolerance: float = 1e-8) -> bool:
    """Whether two results have one shape and agree to `tolerance`, absolute and relative."""
    try:
        a, b = np.asarray(a, float), np.asarray(b, float)
    except (TypeError, ValueError):
        return False
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=tolerance, atol=tolerance))


def simulated(kernel: Callable[..., Any], grid: Any, threads: Any, *arguments: Any) -> Any:
    """Runs a solution's kernel in the simulator, which writes to the arrays; the report, with accesses counted.

    A fault that the simulator finds, or Python it cannot compile, is the solution's, and the reader sees it.
    """
    from kernels.simulator import simulate  # most checks run no kernel, and compilers take a second to import

    try:
        return simulate(inspect.unwrap(kernel), grid, threads, *arguments, counting=True)
    except Exception as error:
        raise Wrong(f"{type(error).__name__}: {error}") from error


def slopes(f: Callable[[Any], Any], at: Any, epsilon: float = 1e-6) -> Any:
    """The judge of lesson 01: central differences of the number f(at), for every entry of `at` (or `at` itself)."""
    at = np.asarray(at, float)
    found = np.zeros(at.shape)
    for index in np.ndindex(at.shape):
        step = np.zeros(at.shape)
        step[index] = epsilon
        found[index] = (f(at + step) - f(at - step)) / (2 * epsilon)
    return found[()]


def checks(number: int, folder: Path = EXERCISES) -> dict[str, Callable[[Solution], None]]:
    """The check functions of a lesson, by name without `check_`; none where the lesson has no checked exercise."""
    path = folder / f"{number:02d}.py"
    if not path.exists():
        return {}
    module = _load(path, f"exercises_{number:02d}")
    return {name.removeprefix("check_"): value for name, value in vars(module).items() if name.startswith("check_")}


def check(number: int, solution: Path, folder: Path = EXERCISES, time_limit: float = TIME_LIMIT) -> int:
    """Checks a solution in a process of its own; prints what is wrong. 0: all right; 1: not."""
    if not checks(number, folder):
        print(f"lesson {number:02d} has no checked exercise")
        return 1
    if not solution.is_file():
        print(f"there is no file {solution}")
        return 1
    command = [sys.executable, "-m", "lessons.exercise", str(number), str(solution.resolve()), str(folder.resolve())]
    try:
        run = subprocess.run(command, env=child_environment(), timeout=time_limit, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        print(f"still running after {time_limit:g} s: is there a loop that never ends?")
        return 1
    if run.returncode not in (0, 1):
        print(f"the process ended with exit status {run.returncode}")
    return 1 if run.returncode else 0


def _check_here(number: int, path: Path, folder: Path) -> int:
    """What the process of its own does."""
    try:
        solution = Solution(_load(path, "solution"))
    except SyntaxError as error:
        print(f"{path.name} is not valid Python: line {error.lineno}: {error.msg}")
        return 1
    except (Exception, SystemExit) as error:
        print(f"{path.name} cannot be loaded: {type(error).__name__}: {error}{_line_of(error, path)}")
        return 1
    status = 0
    for name, function in checks(number, folder).items():
        print(f"{name}: ", end="", flush=True)
        try:
            function(solution)
            print("right", flush=True)
        except Wrong as error:
            print(f"not yet. {error}", flush=True)
            status = 1
        except Exception as error:
            print(f"not yet. The check can make nothing of the result: {type(error).__name__}: {error}", flush=True)
            status = 1
    return status


def _load(path: Path, name: str) -> ModuleType:
    loader = SourceFileLoader(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    if spec is None:
        raise ImportError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and the like look their module up
    loader.exec_module(module)
    return module


def _arguments(arguments: tuple[Any, ...], named: dict[str, Any]) -> str:
    shown = [*map(_show, arguments), *(f"{name}={_show(value)}" for name, value in named.items())]
    return ", ".join(shown).replace("\n", "")


def _aligned(name: str, text: str) -> str:
    """The rows of an array below each other, also behind a name."""
    return name + text.replace("\n", "\n" + " " * len(name))


def _show(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return np.array2string(value, precision=6, separator=", ", threshold=20)
    if type(value) in (list, tuple):
        inside = ", ".join(map(_show, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    return f"{value:.10g}" if isinstance(value, float) else repr(value)


def _line_of(error: BaseException, path: Path) -> str:
    """Where in the reader's file an exception arose."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    return f" (line {lines[-1]} of {path.name})" if lines else ""


if __name__ == "__main__":
    from lessons import exercise  # not as __main__: the checks raise the class Wrong of the imported module

    sys.exit(while_read(lambda: exercise._check_here(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))))
