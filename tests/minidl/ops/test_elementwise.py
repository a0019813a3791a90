"""Smooth functions over their domains, at their edges and in every floating-point dtype; erf to the last digit."""

import math
import re

import numpy as np
import pytest
from broadcasts import broadcasting
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
from minidl.testing import gradcheck, gradgradcheck

# Each with the largest part of its domain on which differences are good enough to check gradients.
DOMAINS = {
    "acos": (-0.9, 0.9),
    "acosh": (1.1, 9.0),
    "asin": (-0.9, 0.9),
    "asinh": (-9.0, 9.0),
    "atan": (-9.0, 9.0),
    "atanh": (-0.9, 0.9),
    "cos": (-9.0, 9.0),
    "cosh": (-3.0, 3.0),
    "erf": (-3.0, 3.0),
    "exp": (-3.0, 3.0),
    "exp2": (-3.0, 3.0),
    "expm1": (-3.0, 3.0),
    "log": (0.2, 9.0),
    "log10": (0.2, 9.0),
    "log1p": (-0.8, 9.0),
    "log2": (0.2, 9.0),
    "reciprocal": (0.3, 9.0),
    "rsqrt": (0.3, 9.0),
    "sin": (-9.0, 9.0),
    "sinh": (-3.0, 3.0),
    "sqrt": (0.2, 9.0),
    "square": (-9.0, 9.0),
    "tan": (-1.2, 1.2),
    "tanh": (-3.0, 3.0),
}
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -2.0, math.inf, -math.inf, math.nan]

every_function = pytest.mark.parametrize("name", DOMAINS)


def raises(error, text):
    return pytest.raises(error, match="^" + re.escape(text) + "$")


@every_function
@settings(max_examples=25)
@given(data=st.data())
def test_gradients(name, data):
    low, high = DOMAINS[name]
    shape = data.draw(st.lists(st.integers(0, 3), max_size=3))
    x = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))).uniform(low, high, shape)
    inputs = [minidl.tensor(x, requires_grad=True)]
    assert gradcheck(getattr(minidl, name), inputs)
    assert gradgradcheck(getattr(minidl, name), inputs)


@every_function
def test_at_the_edges_values_and_gradients_are_pytorchs(name):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    x = minidl.tensor(SPECIAL, dtype=minidl.float64, requires_grad=True)
    other = torch.tensor(SPECIAL, dtype=torch.float64, requires_grad=True)
    y, expected = getattr(minidl, name)(x), getattr(torch, name)(other)
    np.testing.assert_allclose(y.detach().numpy(), expected.detach().numpy(), rtol=1e-14)
    (g,) = minidl.grad(y, x, minidl.ones_like(y))
    (g_expected,) = torch.autograd.grad(expected, other, torch.ones_like(expected))
    np.testing.assert_allclose(g.array, g_expected.numpy(), rtol=1e-14)


@every_function
@pytest.mark.parametrize("dtype", [minidl.float16, minidl.float32, minidl.float64])
def test_the_dtype_stays(name, dtype):
    x = minidl.tensor([DOMAINS[name][1]], dtype=dtype, requires_grad=True)
    y = getattr(x, name)()
    (g,) = minidl.grad(y.sum(), x)
    assert y.dtype == g.dtype == dtype


@every_function
def test_integers_become_the_default_dtype(name):
    x = minidl.tensor([1, 2, 3])
    expected = minidl.int64 if name == "square" else minidl.float32
    assert getattr(minidl, name)(x).dtype == expected
    assert getattr(minidl, name)(minidl.tensor([True])).dtype == expected


@every_function
def test_no_tensor(name):
    with raises(TypeError, f"{name}: input must be a Tensor, not float"):
        getattr(minidl, name)(1.5)


@given(broadcasting())
def test_atan2_over_shapes(arrays):
    inputs = [minidl.tensor(np.sign(x) * (np.abs(x) + 0.3), requires_grad=True) for x in arrays]
    assert gradcheck(minidl.atan2, inputs)
    assert gradgradcheck(minidl.atan2, inputs)


def test_atan2_knows_all_quadrants():
    y, x = minidl.tensor([1.0, 1.0, -1.0, -1.0, 0.0]), minidl.tensor([1.0, -1.0, -1.0, 1.0, -1.0])
    np.testing.assert_allclose(minidl.atan2(y, x).array, np.array([0.25, 0.75, -0.75, -0.25, 1]) * np.pi, rtol=1e-6)


def test_errors_of_atan2():
    x = minidl.ones(3)
    with raises(TypeError, "atan2: other must be a Tensor, not float"):
        minidl.atan2(x, 1.0)
    with raises(
        ValueError, "atan2: shapes (3,) and (2,) do not broadcast (aligned at the end, lengths must be equal or 1)"
    ):
        minidl.atan2(x, minidl.ones(2))


def test_small_arguments_keep_their_digits():
    x = minidl.tensor([1e-30, -1e-30], dtype=minidl.float32)
    for function in (minidl.expm1, minidl.log1p, minidl.asinh, minidl.atanh):
        np.testing.assert_array_equal(function(x).array, x.array)


# --- the error function ------------------------------------------------------------------------------------------


def distance(dtype):
    """By how many units in the last place erf differs from the standard library's, over its whole range."""
    x = np.concatenate([np.linspace(-6.5, 6.5, 40_001), 10.0 ** np.linspace(-30, 1, 2_001)]).astype(dtype)
    expected = np.array([math.erf(value) for value in x.tolist()])
    found = minidl.erf(minidl.from_numpy(x)).array.astype(np.float64)
    return np.abs(found - expected) / np.spacing(np.abs(expected).astype(dtype)).astype(np.float64)


def test_erf_is_exact_to_about_one_unit_in_the_last_place():
    assert distance(np.float64).max() <= 1.5
    assert distance(np.float32).max() <= 1.5
    assert distance(np.float16).max() <= 0.51  # computed in single precision, then rounded


@given(st.floats(allow_nan=False, width=32))
def test_erf_is_odd_and_bounded(x):
    there, back = minidl.erf(minidl.tensor([x, -x], dtype=minidl.float64)).tolist()
    assert there == -back
    assert abs(there) <= 1
    assert abs(there) == 1 or abs(x) < 6
    assert math.copysign(1, there) == math.copysign(1, x)
