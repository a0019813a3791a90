"""Softmax, log_softmax, logsumexp: every dimension, extreme scores, both orders, every error text."""

import math

import numpy as np
import pytest
from dims import along, over
from hypothesis import given
from hypothesis import strategies as st

import minidl
import minidl.nn.functional as F
from minidl.testing import gradcheck, gradgradcheck

NAN, INF = math.nan, math.inf


def both_orders(function, array):
    x = minidl.tensor(array, requires_grad=True)
    assert gradcheck(function, x)
    assert gradgradcheck(function, x)


def gradient(function, data):
    x = minidl.tensor(data, requires_grad=True)
    function(x).backward()
    return x.grad.array


@given(along())
def test_softmax_is_the_formula(drawn):
    x, dim, axis, _ = drawn
    e = np.exp(np.atleast_1d(x))
    p = (e / e.sum(axis, keepdims=True)).reshape(x.shape)
    np.testing.assert_allclose(F.softmax(minidl.tensor(x), dim).array, p, rtol=1e-12, strict=True)
    np.testing.assert_allclose(F.log_softmax(minidl.tensor(x), dim).array, np.log(p), rtol=1e-12, atol=1e-12)


@given(over(shortest=1))
def test_logsumexp_is_the_formula(drawn):
    x, dim, axes, keepdim = drawn
    expected = np.log(np.exp(x).sum(axes, keepdims=keepdim))
    np.testing.assert_allclose(minidl.tensor(x).logsumexp(dim, keepdim).array, expected, rtol=1e-12, atol=1e-12)


@given(along(), over(shortest=1))
def test_gradients(drawn, many):
    x, dim, _, _ = drawn
    both_orders(lambda x: x.softmax(dim), x)
    both_orders(lambda x: x.log_softmax(dim), x)
    x, dim, _, keepdim = many
    both_orders(lambda x: x.logsumexp(dim, keepdim), x)


@given(along(shortest=1), st.integers(-1000, 1000))
def test_a_common_shift_changes_nothing(drawn, shift):
    x, dim, _, _ = drawn
    x = np.asarray(np.round(x))  # so that x + shift is exact
    np.testing.assert_array_equal(minidl.tensor(x + shift).softmax(dim).array, minidl.tensor(x).softmax(dim).array)


def test_huge_scores_neither_overflow_nor_vanish():
    x = minidl.tensor([[1e30, -1e30, 0.0], [88.8, 88.8, -200.0]])
    np.testing.assert_allclose(x.softmax(1).array, [[1, 0, 0], [0.5, 0.5, 0]], atol=1e-30)
    np.testing.assert_allclose(x.log_softmax(1).array[0], [0, -2e30, -1e30], rtol=1e-6)
    np.testing.assert_allclose(x.logsumexp(1).array, [1e30, 88.8 + math.log(2)], rtol=1e-6)


def test_minus_infinity_is_a_score_without_weight():
    x = minidl.tensor([-INF, 0.0, 0.0])
    assert x.softmax(0).tolist() == [0, 0.5, 0.5]
    assert x.log_softmax(0).tolist()[0] == -INF
    np.testing.assert_allclose(x.logsumexp(0).array, math.log(2), rtol=1e-6)
    assert gradient(lambda x: x.softmax(0)[1], [-INF, 0.0, 0.0]).tolist() == [0, 0.25, -0.25]
    assert gradient(lambda x: x.logsumexp(0), [-INF, 0.0, 0.0]).tolist() == [0, 0.5, 0.5]


def test_nothing_but_minus_infinity_has_no_softmax():
    x = minidl.tensor([[-INF, -INF], [0.0, 0.0]])
    assert np.isnan(x.softmax(1).array).tolist() == [[True, True], [False, False]]
    assert np.isnan(x.log_softmax(1).array).tolist() == [[True, True], [False, False]]
    assert x.logsumexp(1).tolist() == [-INF, pytest.approx(math.log(2))]


def test_infinity_and_nan():
    assert np.isnan(minidl.tensor([INF, 1.0]).softmax(0).array).all()
    assert np.isnan(minidl.tensor([NAN, 1.0]).softmax(0).array).all()
    assert np.isnan(minidl.tensor([NAN, 1.0]).logsumexp(0).array)
    assert minidl.tensor([INF, 1.0]).logsumexp(0).array == INF


def test_no_elements():
    assert minidl.zeros(0, 3).softmax(0).shape == (0, 3)
    assert minidl.zeros(3, 0).log_softmax(1).shape == (3, 0)
    assert minidl.zeros(3, 0).logsumexp(1).tolist() == [-INF] * 3
    assert minidl.zeros(0, 3).logsumexp(1).shape == (0,)


def test_log_softmax_keeps_what_the_logarithm_of_softmax_loses():
    x = minidl.tensor([0.0, -200.0])
    assert x.log_softmax(0).tolist() == [0, -200]
    assert x.softmax(0).tolist() == [1, 0]


def test_dtype_is_cast_before_the_exponential():
    x = minidl.tensor(np.array([0, 1]))
    y = minidl.softmax(x, 0, dtype=minidl.float64)
    np.testing.assert_allclose(y.array, np.exp([0, 1]) / (1 + math.e), rtol=1e-15)
    assert F.log_softmax(minidl.tensor([0.0, 1.0]), 0, dtype=minidl.float64).dtype == minidl.float64


def test_logsumexp_of_integers_is_floating_point():
    y = minidl.tensor([[0, 1], [2, 3]]).logsumexp(0)
    assert y.dtype == minidl.float32
    np.testing.assert_allclose(y.array, np.log(np.exp([0, 1]) + np.exp([2, 3])), rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda x: x.softmax(2), IndexError, "softmax: dim 2 is out of range for 2 dimensions (-2 to 1)"),
        (lambda x: F.softmax(x, None), TypeError, "softmax: dim must be an integer, not NoneType"),
        (lambda x: F.softmax([0.0], 0), TypeError, "softmax: input must be a Tensor, not list"),
        (
            lambda x: minidl.tensor([1, 2]).softmax(0),
            TypeError,
            "softmax: input must be a floating-point tensor, not int64",
        ),
        (lambda x: x.log_softmax((0, 1)), TypeError, "log_softmax: dim must be an integer, not tuple"),
        (
            lambda x: minidl.tensor([True]).log_softmax(0),
            TypeError,
            "log_softmax: input must be a floating-point tensor, not bool",
        ),
        (lambda x: x.logsumexp((0, 2)), IndexError, "logsumexp: dim 2 is out of range for 2 dimensions (-2 to 1)"),
        (lambda x: x.logsumexp((0, 0)), ValueError, "logsumexp: a dimension appears twice in dim=(0, 0)"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error) as caught:
        call(minidl.zeros(2, 3))
    assert str(caught.value) == text
