"""Rows for tensors that are made from nothing: PyTorch's values and dtypes. (What is random has tests of its own.)"""

import numpy as np
from opcases import Case, integers, normal


def row(name, call):
    return Case(name, lambda lib: call(lib), grad=False)


CASES = [
    row("tensor", lambda lib: lib.tensor([[1.5, 2], [3, 4]])),
    row("tensor.number", lambda lib: lib.tensor(3)),
    row("tensor.booleans", lambda lib: lib.tensor([True, False])),
    row("tensor.mixed", lambda lib: lib.tensor([True, 2])),
    row("tensor.empty", lambda lib: lib.tensor([[], []])),
    row("tensor.dtype", lambda lib: lib.tensor([1.7, -1.7], dtype=lib.int64)),
    row("tensor.array", lambda lib: lib.tensor(np.array([1.5, 2]))),
    row("tensor.scalar", lambda lib: lib.tensor(np.float64(1.5))),
    row("tensor.of_tensors", lambda lib: lib.tensor([lib.tensor(1), lib.tensor(2.5)])),
    row("tensor.range", lambda lib: lib.tensor(range(3))),
    row("tensor.too_large", lambda lib: lib.tensor(1e300)),
    row("as_tensor", lambda lib: lib.as_tensor([1, 2], dtype=lib.float64)),
    row("as_tensor.array", lambda lib: lib.as_tensor(np.array([1, 2], np.int32))),
    Case("as_tensor.tensor", lambda lib, x: lib.as_tensor(x) * 2, normal(3)),
    row("from_numpy", lambda lib: lib.from_numpy(np.arange(6, dtype=np.int16).reshape(2, 3))),
    row("zeros", lambda lib: lib.zeros(2, 3)),
    row("zeros.tuple", lambda lib: lib.zeros((2, 0), dtype=lib.bool)),
    row("ones", lambda lib: lib.ones(2, 3, dtype=lib.int64)),
    row("ones.without_dimensions", lambda lib: lib.ones(())),
    row("full", lambda lib: lib.full((2, 3), 7)),
    row("full.float", lambda lib: lib.full((2,), 0.5)),
    row("full.boolean", lambda lib: lib.full([2], True)),
    row("full.dtype", lambda lib: lib.full((2,), 2.7, dtype=lib.int32)),
    row("empty", lambda lib: lib.empty(2, 3, dtype=lib.float64).fill_(1.5)),  # its own values are undefined
    Case("zeros_like", lambda lib, x: lib.zeros_like(x), normal(2, 3), grad=False),
    Case("ones_like", lambda lib, x: lib.ones_like(x), integers(0, 9, 3), grad=False),
    Case("full_like", lambda lib, x: lib.full_like(x, 1.5), integers(0, 9, 3), grad=False),
    Case("full_like.dtype", lambda lib, x: lib.full_like(x, 1.5, dtype=lib.float64), integers(0, 9, 3), grad=False),
    row("arange", lambda lib: lib.arange(5)),
    row("arange.float", lambda lib: lib.arange(3.5)),
    row("arange.from", lambda lib: lib.arange(2, 7)),
    row("arange.step", lambda lib: lib.arange(0, 1, 0.1)),
    row("arange.down", lambda lib: lib.arange(5, -2, -3)),
    row("arange.down_float", lambda lib: lib.arange(1.0, -1.0, -0.3, dtype=lib.float64)),
    row("arange.empty", lambda lib: lib.arange(3, 3)),
    row("arange.dtype", lambda lib: lib.arange(3, dtype=lib.float32)),
    row("arange.to_integers", lambda lib: lib.arange(0.5, 3, dtype=lib.int64)),
    row("arange.tensor", lambda lib: lib.arange(lib.tensor(3))),
    row("linspace", lambda lib: lib.linspace(-1, 1, 7, dtype=lib.float64)),
    row("linspace.float32", lambda lib: lib.linspace(-1, 1, 9)),
    row("linspace.down", lambda lib: lib.linspace(3, 0, 4, dtype=lib.float64)),
    row("linspace.one", lambda lib: lib.linspace(2, 5, 1)),
    row("linspace.none", lambda lib: lib.linspace(0, 1, 0)),
    row("linspace.integers", lambda lib: lib.linspace(0, 10, 4, dtype=lib.int64)),
    row("eye", lambda lib: lib.eye(3)),
    row("eye.rectangle", lambda lib: lib.eye(2, 4, dtype=lib.int64)),
    row("eye.empty", lambda lib: lib.eye(0)),
]
