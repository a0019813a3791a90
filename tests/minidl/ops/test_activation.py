"""Activations at their kinks and far out, where the plain formulas overflow or lose their digits; every error text."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
import minidl.nn.functional as F
from minidl.testing import gradcheck, gradgradcheck

ALL = {
    "elu": F.elu,
    "gelu": F.gelu,
    "gelu tanh": lambda x: F.gelu(x, approximate="tanh"),
    "leaky_relu": F.leaky_relu,
    "logsigmoid": F.logsigmoid,
    "relu": F.relu,
    "sigmoid": F.sigmoid,
    "silu": F.silu,
    "softplus": F.softplus,
    "tanh": F.tanh,
}
EDGES = [0.0, -0.0, 20.0, 20.5, -20.0, 100.0, -100.0, 800.0, -800.0]

every_activation = pytest.mark.parametrize("name", ALL)


def raises(error, text):
    return pytest.raises(error, match="^" + re.escape(text) + "$")


@every_activation
@settings(max_examples=25)
@given(data=st.data())
def test_gradients_over_shapes(name, data):
    shape = data.draw(st.lists(st.integers(0, 3), max_size=3))
    x = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))).standard_normal(shape)
    inputs = [minidl.tensor(np.sign(x) * (np.abs(x) + 0.05), requires_grad=True)]
    assert gradcheck(ALL[name], inputs)
    assert gradgradcheck(ALL[name], inputs)


@every_activation
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_edges_are_pytorchs_and_nothing_overflows(name, dtype):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    function, _, approximate = name.partition(" ")
    settings = {"approximate": approximate} if approximate else {}
    x = minidl.tensor(EDGES, dtype=getattr(minidl, dtype), requires_grad=True)
    other = torch.tensor(EDGES, dtype=getattr(torch, dtype), requires_grad=True)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = getattr(F, function)(x, **settings)
        (g,) = minidl.grad(y, x, minidl.ones_like(y))
    expected = getattr(torch.nn.functional, function)(other, **settings)
    (g_expected,) = torch.autograd.grad(expected, other, torch.ones_like(expected))
    tolerance = {"rtol": 1e-6, "atol": 1e-37} if dtype == "float32" else {"rtol": 1e-14, "atol": 1e-300}
    np.testing.assert_allclose(y.detach().numpy(), expected.detach().numpy(), **tolerance)
    np.testing.assert_allclose(g.array, g_expected.numpy(), **tolerance)


@every_activation
def test_infinity_and_nan(name):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    function, _, approximate = name.partition(" ")
    settings = {"approximate": approximate} if approximate else {}
    x = [math.inf, -math.inf, math.nan]
    found = getattr(F, function)(minidl.tensor(x, dtype=minidl.float64), **settings)
    expected = getattr(torch.nn.functional, function)(torch.tensor(x, dtype=torch.float64), **settings)
    np.testing.assert_array_equal(found.array, expected.numpy())


@every_activation
@pytest.mark.parametrize("dtype", [minidl.float16, minidl.float32, minidl.float64])
def test_the_dtype_stays(name, dtype):
    x = minidl.tensor([0.5, -0.5], dtype=dtype, requires_grad=True)
    y = ALL[name](x)
    (g,) = minidl.grad(y.sum(), x)
    assert y.dtype == g.dtype == dtype


def gradient(function, *values):
    x = minidl.tensor(values, requires_grad=True)
    return minidl.grad(function(x), x, minidl.ones_like(x))[0].tolist()


def test_gradients_at_kinks():
    assert gradient(F.relu, -1.0, 0.0, 1.0, math.nan) == [0.0, 0.0, 1.0, 1.0]
    assert gradient(lambda x: F.leaky_relu(x, 0.25), -1.0, 0.0, 1.0) == [0.25, 0.25, 1.0]
    assert gradient(lambda x: F.elu(x, 2.0), 0.0, 1.0, -800.0) == [2.0, 1.0, 0.0]
    assert gradient(lambda x: F.softplus(x, beta=1.0, threshold=1.0), 1.5) == [1.0]


def test_a_small_probability_keeps_its_digits():
    x = minidl.tensor([-80.0, -20.0])
    np.testing.assert_allclose(F.sigmoid(x).array, np.exp([-80.0, -20.0]), rtol=1e-5)
    np.testing.assert_allclose(F.logsigmoid(x).array, [-80.0, -20.0], rtol=1e-6)
    np.testing.assert_allclose(F.logsigmoid(-x).array, -np.exp([-80.0, -20.0]), rtol=1e-5)


@given(st.floats(-700, 700))
def test_sigmoid_and_its_mirror_image_add_up_to_one(x):
    there, back = F.sigmoid(minidl.tensor([x, -x], dtype=minidl.float64)).tolist()
    assert abs(there + back - 1) < 1e-15
    assert 0 < min(there, back) <= 0.5


def test_the_output_of_relu_is_guarded():
    x = minidl.tensor([1.0, -1.0], requires_grad=True)
    y = F.relu(x)
    y.detach().add_(1.0)
    text = "backward: Relu needs its output as it was in the forward pass, but it was changed in place since then"
    with raises(RuntimeError, text):
        y.sum().backward()


def test_relu_of_integers():
    assert F.relu(minidl.tensor([-2, 3])).tolist() == [0, 3]
    assert F.relu(minidl.tensor([2, 3], dtype=minidl.uint8)).dtype == minidl.uint8


def test_errors():
    for name in ("elu", "gelu", "leaky_relu", "logsigmoid", "silu", "softplus"):
        with raises(TypeError, f"{name}: input must be a floating-point tensor, not int64"):
            getattr(F, name)(minidl.tensor([1, 2]))
    for name in ("elu", "gelu", "leaky_relu", "logsigmoid", "silu", "softplus", "relu", "sigmoid", "tanh"):
        with raises(TypeError, f"{name}: input must be a Tensor, not float"):
            getattr(F, name)(1.0)
    for name, option in (
        ("leaky_relu", "negative_slope"),
        ("elu", "alpha"),
        ("softplus", "beta"),
        ("softplus", "threshold"),
    ):
        with raises(TypeError, f"{name}: {option} must be a number, not str"):
            getattr(F, name)(minidl.ones(2), **{option: "1"})
    with raises(TypeError, "relu: not defined for a boolean tensor"):
        F.relu(minidl.tensor([True]))
    with raises(ValueError, "gelu: approximate must be 'none' or 'tanh', not 'erf'"):
        F.gelu(minidl.ones(2), approximate="erf")
