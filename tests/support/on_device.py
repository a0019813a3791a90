"""``pytest --device strict tests/minidl``: the tests of the engine, with the arrays of another library inside.

``strict`` is the array as strict as CuPy (``strict_array.py``), ``cuda`` is CuPy on a GPU. Every tensor that a test
makes then lies on that device, and the engine's code sees nothing but arrays of that library. The test itself goes on
working with NumPy: where code in the folder of tests

* hands a NumPy array to ``Tensor`` or ``from_numpy``, the array is sent to the device;
* reads ``tensor.array`` or ``tensor.numpy()``, it gets the values on the CPU;
* writes ``tensor.array = ...``, the values are sent to the device.

In strict mode all this is the same memory under two names.

The engine's own code gets no such help. A test that speaks of the CPU itself (of memory shared with NumPy, of
``device('cpu')`` in a text, of a Function of its own that calls NumPy) cannot pass; ``CPU_ALONE`` names these tests and
the reason, and it is a failure if one of them passes after all.
"""

from __future__ import annotations

import sys
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cpu_alone import CPU_ALONE
from hypothesis import settings
from strict_array import Library

import minidl
from minidl import autograd, backend
from minidl.ops import access

__all__ = [
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_runtest_call",
    "pytest_terminal_summary",
]

TESTS = str(Path(__file__).parents[1])
LIBRARY = Library("strict")
# Files that bring strict arrays of their own, or watch the Functions of the engine from outside, in NumPy.
WITH_DEVICES = {
    "test_spy.py",
    "test_devices.py",
    "test_strict_array.py",
    "test_strict_training.py",
    "test_cuda.py",
    "test_cuda_attention.py",
    "test_cuda_matmul.py",
    "test_cupy_names.py",
    "test_on_device.py",
    "test_strict_families.py",
}
computed: Counter[bool] = Counter()  # passed tests, by whether they sent anything to strict arrays


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", help="the device that tests make their tensors on: cpu, strict or cuda")


def pytest_configure(config: pytest.Config) -> None:
    name = config.getoption("--device")
    if name == "cpu":
        return
    if name == "strict":
        backend.register(LIBRARY.backend())
    try:
        minidl.set_default_device(name)
    except (RuntimeError, ValueError) as error:
        raise pytest.UsageError(str(error)) from None
    settings.register_profile("device", deadline=None, max_examples=20)  # each takes longer here
    settings.load_profile("device")
    install()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--device") == "cpu":
        return
    away = [item for item in items if item.path.name in WITH_DEVICES]
    config.hook.pytest_deselected(items=away)
    items[:] = [item for item in items if item.path.name not in WITH_DEVICES]
    for item in items:
        for pattern, reason in CPU_ALONE.items():
            if fnmatch(item.nodeid.removeprefix("tests/"), pattern):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Any:
    before = LIBRARY.sends.total()
    result = yield
    computed[LIBRARY.sends.total() > before] += 1
    return result


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if config.getoption("--device") == "strict":
        terminalreporter.write_line(
            f"{computed[True]} tests passed with strict arrays; {computed[False]} others passed without any"
        )


# --- the border between tests and engine -------------------------------------------------------------------------

slot = autograd.Tensor.array  # where the array lies: the descriptor of the slot


def from_test(depth: int = 2) -> bool:
    """Whether the function that asks was called by the code of a test."""
    return sys._getframe(depth).f_code.co_filename.startswith(TESTS)


def from_test_through_numpy() -> bool:
    frame: Any = sys._getframe(2)
    while frame.f_globals.get("__name__", "").partition(".")[0] == "numpy":
        frame = frame.f_back
    return frame.f_code.co_filename.startswith(TESTS)


def sent(array: Any) -> Any:
    """A NumPy array on the device, in strict mode without a copy; anything else as it is."""
    if type(array) is not np.ndarray:
        return array
    if minidl.get_default_device().type == "strict":
        LIBRARY.sends["test"] += 1
        return LIBRARY.ndarray(array)
    return backend.to_device(array, minidl.get_default_device())


def read(tensor: minidl.Tensor) -> Any:
    array = slot.__get__(tensor)
    if not from_test() or type(array) is np.ndarray:
        return array
    return array._values if type(array) is LIBRARY.ndarray else backend.to_device(array, backend.CPU)


def write(tensor: minidl.Tensor, array: Any) -> None:
    slot.__set__(tensor, sent(array) if from_test() else array)


def install() -> None:
    autograd.Tensor.array = property(read, write)
    init, numpy, as_numpy, from_numpy = autograd.Tensor.__init__, access.numpy, access.as_numpy, minidl.from_numpy

    def new_init(self: Any, array: Any, *args: Any, **kwargs: Any) -> None:
        init(self, sent(array) if from_test() else array, *args, **kwargs)

    def new_numpy(self: Any, *args: Any, **kwargs: Any) -> Any:
        return numpy(self.to("cpu") if from_test() else self, *args, **kwargs)

    def new_as_numpy(self: Any, *args: Any, **kwargs: Any) -> Any:
        return as_numpy(self.to("cpu") if from_test_through_numpy() else self, *args, **kwargs)

    def new_from_numpy(array: Any) -> Any:
        made = from_numpy(array)
        if from_test():
            slot.__set__(made, sent(slot.__get__(made)))
        return made

    autograd.Tensor.__init__ = new_init
    autograd.Tensor.numpy, autograd.Tensor.__array__ = new_numpy, new_as_numpy
    minidl.from_numpy = new_from_numpy
