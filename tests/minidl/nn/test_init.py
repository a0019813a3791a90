"""Initial values: spreads, bounds, shapes, and what is refused."""

import math
import re

import numpy as np
import pytest

import minidl
import minidl.nn as nn
from minidl.nn import init

SHAPE = (300, 200)


def error(kind, text):
    return pytest.raises(kind, match=f"^{re.escape(text)}$")


@pytest.fixture(autouse=True)
def seeded():
    minidl.manual_seed(3)


def test_fixed_values():
    x = minidl.empty(2, 3)
    assert init.constant_(x, 1.5) is x
    assert x.tolist() == [[1.5] * 3] * 2
    assert init.zeros_(x).tolist() == [[0] * 3] * 2
    assert init.ones_(x).tolist() == [[1] * 3] * 2
    assert init.eye_(x).tolist() == [[1, 0, 0], [0, 1, 0]]


# name, arguments, standard deviation, largest value possible (None: no bound)
SPREADS = [
    ("uniform_", (-2, 4), 6 / math.sqrt(12), 4),
    ("normal_", (0, 3), 3, None),
    ("trunc_normal_", (), 0.8796, 2),  # of a normal variable between -2 and 2
    ("xavier_uniform_", (), math.sqrt(2 / 500), math.sqrt(6 / 500)),
    ("xavier_uniform_", (2.0,), 2 * math.sqrt(2 / 500), 2 * math.sqrt(6 / 500)),
    ("xavier_normal_", (), math.sqrt(2 / 500), None),
    ("kaiming_uniform_", (), math.sqrt(2 / 200), math.sqrt(6 / 200)),
    ("kaiming_uniform_", (math.sqrt(5),), math.sqrt(1 / 600), math.sqrt(1 / 200)),
    ("kaiming_uniform_", (0, "fan_out", "linear"), math.sqrt(1 / 300), math.sqrt(3 / 300)),
    ("kaiming_normal_", (0, "fan_in", "relu"), math.sqrt(2 / 200), None),
    ("kaiming_normal_", (0, "fan_out", "tanh"), 5 / 3 / math.sqrt(300), None),
]


@pytest.mark.parametrize(("name", "arguments", "std", "bound"), SPREADS)
def test_spread_and_bound(name, arguments, std, bound):
    x = getattr(init, name)(minidl.zeros(*SHAPE), *arguments)
    assert x.dtype == minidl.float32
    values = x.numpy().astype(np.float64)
    assert abs(values.std() / std - 1) < 0.01  # 60,000 values: the standard error of std is 0.3 %
    if bound is not None:
        assert 0.99 * bound < abs(values).max() <= bound * (1 + 1e-7)


def test_fans_of_a_kernel():
    x = init.kaiming_uniform_(minidl.zeros(64, 16, 3, 5, dtype=minidl.float64))
    assert 0.99 < abs(x.numpy()).max() / math.sqrt(6 / (16 * 15)) <= 1


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (3, 2, 4)])
def test_orthogonal(shape):
    x = init.orthogonal_(minidl.zeros(*shape, dtype=minidl.float64), gain=2.0).numpy().reshape(shape[0], -1)
    gram = x @ x.T if x.shape[0] <= x.shape[1] else x.T @ x
    assert np.allclose(gram, 4 * np.eye(len(gram)), atol=1e-12)


def test_gains():
    assert [init.calculate_gain(name) for name in ("linear", "conv2d", "sigmoid", "tanh", "relu", "selu")] == [
        1,
        1,
        1,
        5 / 3,
        math.sqrt(2),
        3 / 4,
    ]
    assert init.calculate_gain("leaky_relu") == math.sqrt(2 / (1 + 0.01**2))
    assert init.calculate_gain("leaky_relu", 0.2) == math.sqrt(2 / (1 + 0.2**2))


def test_own_generator_and_count_of_changes():
    x = minidl.zeros(3)
    first = init.normal_(x, generator=minidl.Generator().manual_seed(5)).tolist()
    before = x.version[0]
    assert init.normal_(x, generator=minidl.Generator().manual_seed(5)).tolist() == first
    assert x.version[0] == before + 1


def test_empty_tensors():
    for name in ("xavier_uniform_", "kaiming_normal_", "orthogonal_"):
        assert getattr(init, name)(minidl.zeros(0, 0)).shape == (0, 0)


@pytest.mark.parametrize("name", [name for name in init.__all__ if name.endswith("_")])
def test_only_tensors(name):
    with error(TypeError, f"{name}: tensor must be a Tensor, not list"):
        getattr(init, name)([1.0], *([0] if name == "constant_" else []))


@pytest.mark.parametrize("name", ["uniform_", "normal_", "trunc_normal_", "orthogonal_"])
def test_only_floating_point(name):
    with error(TypeError, f"{name}: tensor must be floating point, not int64"):
        getattr(init, name)(minidl.zeros(2, 2, dtype=minidl.int64))


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda x: init.eye_(minidl.zeros(2)), ValueError, "eye_: tensor must have 2 dimensions, not shape (2,)"),
        (lambda x: init.uniform_(x, 2, 1), ValueError, "uniform_: a must not be above b, but a=2, b=1"),
        (lambda x: init.normal_(x, 0, -1), ValueError, "normal_: std must not be negative, but is -1"),
        (lambda x: init.normal_(x, None), TypeError, "normal_: mean must be a number, not NoneType"),
        (lambda x: init.uniform_(x, 0, "1"), TypeError, "uniform_: b must be a number, not str"),
        (lambda x: init.trunc_normal_(x, a=None), TypeError, "trunc_normal_: a must be a number, not NoneType"),
        (lambda x: init.xavier_uniform_(x, "2"), TypeError, "xavier_uniform_: gain must be a number, not str"),
        (lambda x: init.constant_(x, None), TypeError, "constant_: val must be a number, not NoneType"),
        (lambda x: init.constant_(x.long(), 2**70), ValueError, f"constant_: {2**70} does not fit into int64"),
        (
            lambda x: init.zeros_(x[:1].expand(4, 2)),
            RuntimeError,
            "zeros_: the memory of the tensor cannot be written to (expand and broadcast_to show one element in "
            "several places, and NumPy arrays may be read-only); clone() it first",
        ),
        (
            lambda x: nn.Linear(2**20, 2**40),
            MemoryError,
            "Linear: a tensor of shape (1099511627776, 1048576) and float32 needs 4,294,967,296.0 GiB, which are not "
            "there",
        ),
        (
            lambda x: init.trunc_normal_(x, mean=9),
            ValueError,
            "trunc_normal_: needs std > 0, a < b, and [a, b] within 4 std of the mean, "
            "but mean=9, std=1.0, a=-2.0, b=2.0",
        ),
        (lambda x: init.calculate_gain("elu"), ValueError, "calculate_gain: no gain is known for 'elu'"),
        (
            lambda x: init.calculate_gain("leaky_relu", True),
            ValueError,
            "calculate_gain: the slope of leaky_relu must be a number, not True",
        ),
        (
            lambda x: init.kaiming_uniform_(x, mode="fan"),
            ValueError,
            "kaiming_uniform_: mode must be 'fan_in' or 'fan_out', not 'fan'",
        ),
        (
            lambda x: init.xavier_normal_(minidl.zeros(3)),
            ValueError,
            "xavier_normal_: tensor needs at least 2 dimensions (out, in, ...), not shape (3,)",
        ),
    ],
)
def test_errors(call, kind, text):
    with error(kind, text):
        call(minidl.zeros(2, 2))
