"""Comparisons and logic over shapes and dtypes, Python's protocols, and every error text."""

import math
import operator
import re

import numpy as np
import pytest
from broadcasts import arrays_of
from hypothesis import given
from hypothesis import strategies as st

import minidl

SIX = ["eq", "ne", "lt", "le", "gt", "ge"]
END = "do not broadcast (aligned at the end, lengths must be equal or 1)"


def raises(error, text):
    return pytest.raises(error, match="^" + re.escape(text) + "$")


@given(arrays_of(low=0, high=3), st.sampled_from(SIX))
def test_comparisons_are_numpys(arrays, name):
    x, y = arrays
    found = getattr(operator, name)(minidl.tensor(x), minidl.tensor(y))
    np.testing.assert_array_equal(found.array, getattr(operator, name)(x, y), strict=True)


@given(arrays_of(low=0, high=3), st.sampled_from(["and", "or", "xor"]))
def test_logic_is_numpys(arrays, name):
    x, y = arrays
    expected = getattr(np, f"logical_{name}")(x, y)
    found = getattr(minidl, f"logical_{name}")(minidl.tensor(x), minidl.tensor(y))
    np.testing.assert_array_equal(found.array, expected, strict=True)


@given(arrays_of(["uint8", "int32", "int64", "bool"], low=0, high=3), st.sampled_from(["and_", "or_", "xor"]))
def test_bits_are_numpys(arrays, name):
    x, y = arrays
    found = getattr(operator, name)(minidl.tensor(x), minidl.tensor(y))
    np.testing.assert_array_equal(found.array, getattr(operator, name)(x, y))


def test_a_number_need_not_fit_to_be_compared():
    x = minidl.tensor([0, 255], dtype=minidl.uint8)
    assert (x < 300).tolist() == [True, True]
    assert (x == -1).tolist() == [False, False]
    assert (x > -1).tolist() == [True, True]
    assert (x > 0.5).tolist() == [False, True]
    assert (minidl.tensor([0.1]) == 0.1).tolist() == [True]  # at the precision of the tensor, as in PyTorch


def test_results_need_no_gradient():
    x = minidl.tensor([1.0, 2.0], requires_grad=True)
    for y in (x == x, x < 2, x.isnan(), x.isclose(x), minidl.logical_not(x)):
        assert y.dtype == minidl.bool
        assert not y.requires_grad


def test_equality_with_strangers_is_pythons():
    x = minidl.ones(2)
    assert (x == None) is False  # noqa: E711
    assert (x != None) is True  # noqa: E711
    assert (x == "ones") is False
    assert (x == [1.0, 1.0]) is False
    assert x in {x: 1}
    assert hash(x) != hash(minidl.ones(2))


def test_an_array_is_refused_rather_than_unequal():
    for name in ("eq", "ne"):
        with raises(TypeError, f"{name}: other must be a Tensor or a number, not ndarray"):
            getattr(operator, name)(minidl.ones(2), np.ones(2))


def test_isclose_and_allclose():
    x = minidl.tensor([1.0, 0.0, math.inf, -math.inf, math.nan], dtype=minidl.float64)
    y = minidl.tensor([1.0 + 9e-6, 9e-9, math.inf, math.inf, math.nan], dtype=minidl.float64)
    assert x.isclose(y).tolist() == [True, True, True, False, False]
    assert x.isclose(y, rtol=0, atol=0, equal_nan=True).tolist() == [False, False, True, False, True]
    assert minidl.isclose(minidl.tensor([1.0]), minidl.tensor([math.inf])).tolist() == [False]
    assert minidl.allclose(x[:3], y[:3])
    assert not minidl.allclose(x, y)
    assert minidl.allclose(minidl.zeros(0), minidl.zeros(0))
    assert minidl.tensor([True]).isclose(minidl.tensor([True])).tolist() == [True]


def test_equal_looks_at_shape_and_values():
    x = minidl.tensor([1.0, 2.0])
    assert x.equal(x.clone())
    assert x.equal(x.double())
    assert not x.equal(minidl.tensor([1.0, 3.0]))
    assert not x.equal(minidl.tensor([[1.0, 2.0]]))
    assert not minidl.tensor([math.nan]).equal(minidl.tensor([math.nan]))


def test_results_without_dimensions_are_tensors():
    x = minidl.tensor(1.0)
    for y in (x == x, x.isnan(), x.isinf(), x.isfinite(), ~(x == x), x.logical_not(), minidl.logical_and(x, x)):
        assert y.shape == ()
        assert y.dtype == minidl.bool


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
def test_numbers_beyond_int64_are_compared_as_they_are(number):
    for x in (minidl.tensor([True]), minidl.tensor([5], dtype=minidl.uint8), minidl.tensor([5]), minidl.tensor([5.0])):
        found = [getattr(x, name)(number).item() for name in SIX]
        assert found == [getattr(operator, name)(5, number) for name in SIX]


def test_a_result_that_memory_cannot_hold():
    column, row = minidl.zeros(1, 1).expand(2**28, 1), minidl.zeros(1).expand(2**28)
    with raises(MemoryError, "lt: not enough memory (inputs of shapes (268435456, 1), (268435456,))"):
        column < row  # noqa: B015


def test_errors():
    x = minidl.ones(2)
    with raises(ValueError, "eq: the number is too large for a floating-point tensor"):
        x.eq(10**400)
    with raises(TypeError, "isclose: rtol must be a number, not str"):
        x.isclose(x, "0")
    with raises(ValueError, "isclose: atol must not be negative, but is -1"):
        x.isclose(x, atol=-1)
    for name in SIX:
        with raises(ValueError, f"{name}: shapes (2,) and (3,) {END}"):
            getattr(minidl, name)(x, minidl.ones(3))
        with raises(TypeError, f"{name}: input must be a Tensor, not int"):
            getattr(minidl, name)(2, x)
        with raises(TypeError, f"{name}: other must be a Tensor or a number, not str"):
            getattr(minidl, name)(x, "2")
    for name in ("and", "or", "xor"):
        with raises(ValueError, f"logical_{name}: shapes (2,) and (3,) {END}"):
            getattr(minidl, f"logical_{name}")(x, minidl.ones(3))
        with raises(TypeError, f"logical_{name}: other must be a Tensor, not bool"):
            getattr(minidl, f"logical_{name}")(x, True)
        text = f"bitwise_{name}: input and other must be integers or booleans; the result would be float32"
        for pair in ((x, x), (x, 1), (minidl.tensor([1, 2]), 1.5)):
            with raises(TypeError, text):
                getattr(minidl, f"bitwise_{name}")(*pair)
    with raises(TypeError, "bitwise_not: input must hold integers or booleans, not float32"):
        minidl.bitwise_not(x)
    with raises(TypeError, "isclose: input is float32, but other is float64"):
        minidl.allclose(x, x.double())
    with raises(ValueError, f"isclose: shapes (2,) and (3,) {END}"):
        minidl.isclose(x, minidl.ones(3))
    with raises(TypeError, "equal: other must be a Tensor, not int"):
        x.equal(1)
    for name in ("isnan", "isinf", "isfinite", "logical_not", "bitwise_not"):
        with raises(TypeError, f"{name}: input must be a Tensor, not float"):
            getattr(minidl, name)(1.0)
