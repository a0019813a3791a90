"""Kinks, steps, ties and choices: PyTorch's gradients where there is no derivative, and every error text."""

import math
import re

import numpy as np
import pytest
from broadcasts import broadcasting
from hypothesis import given
from hypothesis import strategies as st

import minidl
from minidl.testing import gradcheck, gradgradcheck

INF, NAN = math.inf, math.nan


def raises(error, text):
    return pytest.raises(error, match="^" + re.escape(text) + "$")


def gradient(function, *values):
    inputs = [minidl.tensor(x, requires_grad=True) for x in values]
    return [g.tolist() for g in minidl.grad(function(*inputs).sum(), inputs)]


# --- steps -------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(-1e6, 1e6)))
def test_steps_are_numpys(values):
    x = np.array(values, float)
    for name in ("floor", "ceil", "trunc", "round", "sign", "abs"):
        np.testing.assert_array_equal(getattr(minidl.tensor(x), name)().array, getattr(np, name)(x))


@pytest.mark.parametrize("name", ["floor", "ceil", "trunc", "round", "sign"])
def test_the_gradient_of_a_step_is_zero_even_if_the_upstream_one_is_infinite(name):
    x = minidl.tensor([0.5, -1.2, 0.0, NAN, INF], requires_grad=True)
    upstream = minidl.tensor([INF] * 5, requires_grad=True)
    (g,) = minidl.grad(getattr(minidl, name)(x), x, upstream, create_graph=True)
    assert g.tolist() == [0.0] * 5
    (second,) = minidl.grad(g.sum(), upstream)
    assert second.tolist() == [0.0] * 5


def test_sign_and_abs_where_they_have_no_derivative():
    x = [-1.0, 0.0, -0.0, 1.0, NAN]
    assert minidl.sign(minidl.tensor(x)).tolist() == [-1.0, 0.0, 0.0, 1.0, 0.0]
    assert gradient(minidl.abs, x) == [[-1.0, 0.0, 0.0, 1.0, 0.0]]
    assert minidl.sign(minidl.tensor([True, False])).tolist() == [True, False]
    assert minidl.sign(minidl.tensor([3, 0], dtype=minidl.uint8)).tolist() == [1, 0]


def test_integers_are_round_already():
    x = minidl.tensor([1, -2])
    for name in ("floor", "ceil", "trunc", "round"):
        y = getattr(minidl, name)(x)
        assert y.dtype == minidl.int64
        assert y.tolist() == [1, -2]
        assert not np.shares_memory(y.array, x.array)


@pytest.mark.parametrize("name", ["floor", "ceil", "trunc", "round", "abs"])
def test_booleans_have_no_steps(name):
    with raises(TypeError, f"{name}: not defined for a boolean tensor"):
        getattr(minidl, name)(minidl.tensor([True]))
    with raises(TypeError, f"{name}: input must be a Tensor, not float"):
        getattr(minidl, name)(1.5)


def test_decimals_need_floating_point():
    with raises(TypeError, "round: input must be a floating-point tensor, not int64"):
        minidl.round(minidl.tensor([12]), decimals=-1)
    with raises(TypeError, "round: decimals must be an integer, not float"):
        minidl.round(minidl.ones(1), decimals=2.5)
    with raises(ValueError, "round: decimals must lie between -308 and 308, not 400"):
        minidl.round(minidl.ones(1), decimals=400)


def test_decimals_of_float16_do_not_overflow():
    y = minidl.tensor([300.25], dtype=minidl.float16).round(decimals=3)  # by way of 300,250, beyond float16
    assert y.dtype == minidl.float16
    assert y.tolist() == [300.25]


# --- maximum, minimum, clamp -------------------------------------------------------------------------------------


@given(broadcasting(), st.sampled_from([minidl.maximum, minidl.minimum]))
def test_maximum_and_minimum_over_shapes(arrays, function):
    inputs = [minidl.tensor(x, requires_grad=True) for x in arrays]
    expected = getattr(np, function.__name__)(*arrays)
    np.testing.assert_array_equal(function(*inputs).array, expected, strict=True)
    if np.abs(arrays[0] - arrays[1]).min(initial=1) > 1e-3:
        assert gradcheck(function, inputs)
        assert gradgradcheck(function, inputs)


def test_ties_share_the_gradient():
    x, y = [1.0, 2.0, 3.0, INF, INF], [1.0, 1.0, 4.0, INF, 0.0]
    assert gradient(minidl.maximum, x, y) == [[0.5, 1.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 0.5, 0.0]]
    assert gradient(minidl.minimum, x, y) == [[0.5, 0.0, 1.0, 0.5, 0.0], [0.5, 1.0, 0.0, 0.5, 1.0]]


def test_nan_wins():
    x, y = minidl.tensor([NAN, 1.0]), minidl.tensor([1.0, NAN])
    assert np.isnan(minidl.maximum(x, y).array).all()
    assert np.isnan(minidl.minimum(x, y).array).all()
    assert np.isnan(minidl.clamp(x, 0, 2).array).tolist() == [True, False]


def test_clamp_at_its_bounds_is_pytorchs():
    x = [-2.0, -1.0, 0.0, 1.0, 2.0, NAN]
    assert gradient(lambda x: x.clamp(-1, 1), x) == [[0.0, 1.0, 1.0, 1.0, 0.0, 0.0]]
    assert gradient(lambda x: x.clamp(min=-1), x) == [[0.0, 1.0, 1.0, 1.0, 1.0, 0.0]]
    assert gradient(lambda x: x.clamp(max=1), x) == [[1.0, 1.0, 1.0, 1.0, 0.0, 0.0]]
    assert gradient(minidl.clamp, x, [-1.0] * 6, [1.0] * 6) == [
        [0.0, 1.0, 1.0, 1.0, 0.0, 0.0],
        [1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 1.0, 0.0],
    ]


def test_clamp_with_crossed_bounds_gives_the_upper_one():
    x = [-2.0, 1.0, 1.5, 3.0]
    assert minidl.tensor(x).clamp(2, 1).tolist() == [1.0] * 4
    assert gradient(minidl.clamp, x, [2.0] * 4, [1.0] * 4) == [[0.0] * 4, [0.0] * 4, [1.0] * 4]


@given(broadcasting(3))
def test_clamp_over_shapes(arrays):
    x, low, high = arrays
    np.testing.assert_array_equal(
        minidl.clamp(*map(minidl.tensor, arrays)).array, np.minimum(np.maximum(x, low), high), strict=True
    )
    apart = min(np.abs(a - b).min(initial=1) for a, b in ((x, low), (x, high), (low, high)))
    if apart > 1e-3:
        inputs = [minidl.tensor(z, requires_grad=True) for z in arrays]
        assert gradcheck(minidl.clamp, inputs)
        assert gradgradcheck(minidl.clamp, inputs)


def test_errors_of_clamp_and_maximum():
    x = minidl.ones(2)
    with raises(TypeError, "clamp: at least one of min and max is needed"):
        x.clamp()
    with raises(TypeError, "clamp: min must be a Tensor or a number, not list"):
        x.clamp([0.0, 1.0])
    with raises(TypeError, "clamp: max must be a Tensor or a number, not str"):
        x.clamp(0, "1")
    with raises(TypeError, "clamp: input must be a Tensor, not float"):
        minidl.clamp(1.0, 0)
    end = "do not broadcast (aligned at the end, lengths must be equal or 1)"
    with raises(ValueError, f"clamp: shapes (2,) and (3,) and () {end}"):
        x.clamp(minidl.zeros(3), 1)
    with raises(ValueError, "clamp: 300 does not fit into uint8"):
        minidl.tensor([1], dtype=minidl.uint8).clamp(0, 300)
    for name in ("maximum", "minimum"):
        with raises(TypeError, f"{name}: other must be a Tensor, not float"):
            getattr(minidl, name)(x, 1.0)
        with raises(ValueError, f"{name}: shapes (2,) and (3,) {end}"):
            getattr(minidl, name)(x, minidl.ones(3))


# --- where and masked_fill ---------------------------------------------------------------------------------------


@given(broadcasting(3))
def test_where_over_shapes(arrays):
    condition = minidl.tensor(arrays[0] > 0)
    inputs = [minidl.tensor(z, requires_grad=True) for z in arrays[1:]]
    np.testing.assert_array_equal(minidl.where(condition, *inputs).array, np.where(arrays[0] > 0, *arrays[1:]))
    assert gradcheck(lambda x, y: minidl.where(condition, x, y), inputs)
    assert gradgradcheck(lambda x, y: minidl.where(condition, x * y, y), inputs)


def test_the_side_not_taken_gets_no_gradient_however_large_it_is():
    """sqrt has an infinite derivative at 0; a mask as a factor would make NaN of it."""
    x = minidl.tensor([0.0, 4.0], requires_grad=True)
    y = minidl.where(x > 0, x, 0)
    (g,) = minidl.grad(y, x, minidl.tensor([INF, 1.0]))
    assert g.tolist() == [0.0, 1.0]


def test_where_finds_the_common_dtype():
    c, x, i = minidl.tensor([True, False]), minidl.ones(2), minidl.tensor([1, 2])
    wide = minidl.tensor(1.0, dtype=minidl.float64)
    for other, expected in (
        (1, "float32"),
        (2.5, "float32"),
        (i, "float32"),
        (wide, "float32"),
        (wide + x.double(), "float64"),
    ):
        assert str(minidl.where(c, x, other).dtype) == str(minidl.where(c, other, x).dtype) == expected
    for pair, expected in (((1, 2), "int64"), ((1, 2.0), "float32"), ((True, False), "bool"), ((i, 0.5), "float32")):
        assert str(minidl.where(c, *pair).dtype) == expected


def test_masked_fill_keeps_the_dtype():
    mask = minidl.tensor([True, False])
    assert minidl.tensor([1, 2]).masked_fill(mask, 1.5).tolist() == [1, 2]
    assert minidl.tensor([1, 2]).masked_fill(mask, 1.5).dtype == minidl.int64
    assert minidl.ones(2).masked_fill(mask, minidl.tensor(2.5, dtype=minidl.float64)).dtype == minidl.float32
    assert minidl.tensor(1.0).masked_fill(mask, -INF).tolist() == [-INF, 1.0]


def test_errors_of_where_and_masked_fill():
    c, x = minidl.tensor([True, False]), minidl.ones(2)
    with raises(TypeError, "where: condition must be a boolean tensor, not int64"):
        minidl.where(minidl.tensor([1, 0]), x, x)
    with raises(TypeError, "where: condition must be a Tensor, not bool"):
        minidl.where(True, x, x)
    with raises(TypeError, "where: other must be a Tensor or a number, not NoneType"):
        minidl.where(c, x, None)
    end = "do not broadcast (aligned at the end, lengths must be equal or 1)"
    with raises(ValueError, f"where: shapes (2,) and (2,) and (3,) {end}"):
        minidl.where(c, x, minidl.ones(3))
    with raises(TypeError, "masked_fill: mask must be a boolean tensor, not float32"):
        x.masked_fill(x, 1)
    with raises(ValueError, "masked_fill: value must be a number or a tensor without dimensions, not of shape (2,)"):
        x.masked_fill(c, x)
    with raises(TypeError, "masked_fill: value must be a Tensor or a number, not str"):
        x.masked_fill(c, "0")
    with raises(ValueError, "masked_fill: inf does not fit into int64"):
        minidl.tensor([1, 2]).masked_fill(c, INF)
    with raises(ValueError, f"masked_fill: shapes (2,) and () and (3,) {end}"):
        minidl.ones(3).masked_fill(c, 0)
