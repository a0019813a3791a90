"""Arithmetic over shapes and dtypes, its limits at zero and infinity, and every error text."""

import operator
import re

import numpy as np
import pytest
from broadcasts import arrays_of, broadcasting
from hypothesis import given
from hypothesis import strategies as st

import minidl
from minidl.testing import gradcheck, gradgradcheck

FOUR = [operator.add, operator.sub, operator.mul, operator.truediv]


def raises(error, text):
    return pytest.raises(error, match="^" + re.escape(text) + "$")


def gradient(function, *values, dtype=minidl.float64):
    """The gradients of the sum of the results at these numbers, as lists."""
    inputs = [minidl.tensor(x, dtype=dtype, requires_grad=True) for x in values]
    return [g.tolist() for g in minidl.grad(function(*inputs).sum(), inputs)]


# --- values ------------------------------------------------------------------------------------------------------


@given(broadcasting(), st.sampled_from(FOUR))
def test_the_four_operations_are_numpys(arrays, operation):
    x, y = arrays
    found = operation(minidl.tensor(x), minidl.tensor(y))
    np.testing.assert_array_equal(found.array, operation(x, y), strict=True)


@given(
    arrays_of(low=1), st.sampled_from([operator.add, operator.mul, operator.truediv, operator.floordiv, operator.mod])
)
def test_dtypes_are_pytorchs(arrays, operation):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    x, y = arrays
    try:
        expected = operation(torch.from_numpy(x), torch.from_numpy(y))
    except (NotImplementedError, RuntimeError):  # what PyTorch does not define for booleans or float16
        return
    found = operation(minidl.tensor(x), minidl.tensor(y))
    assert str(found.dtype) == str(expected.dtype).removeprefix("torch.")
    np.testing.assert_allclose(found.array, expected.numpy(), rtol=1e-3 if found.dtype == np.float16 else 1e-6)


@given(arrays_of(["int64", "int32", "int8"], low=-3, high=9))
def test_rounded_quotients_and_remainders_of_integers_belong_together(arrays):
    x, y = (minidl.tensor(z) for z in arrays)
    y = minidl.where(y == 0, 2, y).to(y.dtype)
    quotient, rest = x // y, x % y
    np.testing.assert_array_equal((quotient * y + rest).array, (x + 0 * y).array)
    assert ((rest == 0) | ((rest < 0) == (y < 0))).array.all()
    exact = x.double() / y.double()
    np.testing.assert_array_equal(minidl.div(x, y, rounding_mode="trunc").array, np.trunc(exact.array))
    np.testing.assert_array_equal(quotient.array, np.floor(exact.array))


def test_large_integers_keep_all_their_digits():
    x = minidl.tensor([2**62 + 1, -(2**62) - 1])
    assert minidl.div(x, 1, rounding_mode="trunc").tolist() == x.tolist()
    assert (x // 1).tolist() == x.tolist()
    assert (minidl.tensor([3, -3]) ** 39).tolist() == [3**39, -(3**39)]


@pytest.mark.parametrize("number", [2, 2.5, True, np.float64(2.5), np.int64(2), np.float32(2.5)])
@pytest.mark.parametrize("operation", [*FOUR, operator.pow, operator.mod, operator.floordiv])
def test_a_number_does_not_widen(operation, number):
    for dtype in (minidl.float16, minidl.float32, minidl.float64):
        x = minidl.tensor([1.0, 3.0], dtype=dtype)
        assert operation(x, number).dtype == dtype
    x = minidl.tensor([1.0, 3.0])
    assert operation(number.item() if isinstance(number, np.generic) else number, x).dtype == minidl.float32


def test_a_tensor_without_dimensions_does_not_widen():
    x, wide = minidl.ones(2), minidl.tensor(2.0, dtype=minidl.float64)
    for operation in FOUR:
        assert operation(x, wide).dtype == operation(wide, x).dtype == minidl.float32
    assert (minidl.tensor([1, 2], dtype=minidl.int8) + minidl.tensor(3)).dtype == minidl.int8
    assert (minidl.tensor([1, 2]) + minidl.tensor(0.5)).dtype == minidl.float32


def test_division_by_zero():
    x = minidl.tensor([1.0, -1.0, 0.0])
    np.testing.assert_array_equal((x / 0).array, [np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal((x // 0).array, [np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal((x % 0).array, [np.nan] * 3)


# --- gradients ---------------------------------------------------------------------------------------------------


@given(broadcasting(), st.sampled_from([*FOUR, lambda x, y: minidl.add(x, y, alpha=3), lambda x, y: (x * x + 1) ** y]))
def test_gradients_over_shapes(arrays, operation):
    x, y = arrays
    inputs = [minidl.tensor(z, requires_grad=True) for z in (x, np.sign(y) * (np.abs(y) + 0.5))]
    assert gradcheck(operation, inputs)
    assert gradgradcheck(operation, inputs)


def test_gradients_of_remainders():
    divisors = minidl.tensor([2.0, -1.7, 3.1], dtype=minidl.float64, requires_grad=True)
    for function in (lambda y: 7.3 % y, lambda y: minidl.tensor([-9.1], dtype=minidl.float64) % y):
        assert gradcheck(function, [divisors])
        assert gradgradcheck(function, [divisors])


def test_the_derivative_of_a_large_divisor_does_not_overflow():
    (g,) = gradient(lambda y: minidl.tensor([1e30]) / y, [1e25], dtype=minidl.float32)
    np.testing.assert_allclose(g, [-1e-20], rtol=1e-6)


def test_powers_at_zero():
    """The limits that the formulas would turn into 0 times infinity."""
    for exponent, expected in ((0, 0.0), (1, 1.0), (2, 0.0), (3, 0.0), (0.5, np.inf), (-1, -np.inf)):
        assert gradient(lambda x, y=exponent: x**y, [0.0]) == [[expected]]
        assert gradient(lambda x, y=exponent: x ** minidl.tensor([y], dtype=minidl.float64), [0.0]) == [[expected]]
    assert gradient(lambda y: 0**y, [0.0, 1.0, 2.5, -1.0]) == [[0.0, 0.0, 0.0, -np.inf]]
    base, exponent = gradient(operator.pow, [0.0, 0.0, -2.0], [0.0, 2.0, 2.0])
    assert base == [0.0, 0.0, -4.0]
    np.testing.assert_array_equal(exponent, [0.0, 0.0, np.nan])  # x^y has no derivative in y for x < 0


def test_second_derivatives_of_powers_at_zero():
    x = minidl.tensor([0.0], requires_grad=True)
    for exponent, expected in ((2, 2.0), (3, 0.0)):
        (g,) = minidl.grad((x**exponent).sum(), x, create_graph=True)
        (second,) = minidl.grad(g.sum(), x)
        assert second.tolist() == [expected]


@given(st.integers(0, 12))
def test_whole_powers_of_floats(exponent):
    x = np.linspace(-2, 2, 41)
    np.testing.assert_allclose((minidl.tensor(x) ** exponent).array, x**exponent, rtol=1e-15)


# --- errors ------------------------------------------------------------------------------------------------------


def test_shapes_that_do_not_broadcast():
    x, y = minidl.ones(2, 3), minidl.ones(4)
    for name in ("add", "sub", "mul", "div", "pow", "remainder", "floor_divide"):
        text = f"{name}: shapes (2, 3) and (4,) do not broadcast (aligned at the end, lengths must be equal or 1)"
        with raises(ValueError, text):
            getattr(minidl, name)(x, y)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "pow", "remainder", "floor_divide"])
def test_operands_that_are_no_numbers(name):
    function, x = getattr(minidl, name), minidl.ones(2)
    with raises(TypeError, f"{name}: other must be a Tensor or a number, not list"):
        function(x, [1.0, 2.0])
    with raises(TypeError, f"{name}: input must be a Tensor or a number, not str"):
        function("1", x)
    with raises(TypeError, f"{name}: input must be a Tensor, not int"):
        function(1, 2)
    with raises(TypeError, f"{name}: other must be a Tensor or a number, not ndarray"):
        function(x, np.ones(2))
    with raises(TypeError, f"{name}: other must be a Tensor or a number, not complex"):
        function(x, 1j)


def test_operations_that_booleans_do_not_have():
    x = minidl.tensor([True, False])
    for name in ("sub", "pow", "remainder", "floor_divide"):
        text = f"{name}: not defined for two boolean operands; convert one to a number type first"
        with raises(TypeError, text):
            getattr(minidl, name)(x, x)
    with raises(TypeError, "neg: not defined for a boolean tensor (logical_not inverts a mask)"):
        minidl.neg(x)


def test_integers_divided_by_zero():
    x, zero = minidl.tensor([1, 2]), minidl.tensor([1, 0])
    for y in (0, zero):
        with raises(RuntimeError, "floor_divide: integer division by zero"):
            x // y
        with raises(RuntimeError, "remainder: integer division by zero"):
            x % y
        with raises(RuntimeError, "div: integer division by zero"):
            minidl.div(x, y, rounding_mode="trunc")


def test_numbers_that_do_not_fit():
    with raises(ValueError, "add: 300 does not fit into uint8"):
        minidl.tensor([1], dtype=minidl.uint8) + 300
    with raises(ValueError, "mul: -1 does not fit into uint8"):
        -1 * minidl.tensor([1], dtype=minidl.uint8)
    for operation, name in ((operator.add, "add"), (operator.pow, "pow")):
        with raises(ValueError, f"{name}: the number is too large for a floating-point tensor"):
            operation(10**400, minidl.ones(2))


def test_other_errors():
    with raises(ValueError, "div: rounding_mode must be None, 'floor' or 'trunc', not 'up'"):
        minidl.div(minidl.ones(2), 2, rounding_mode="up")
    text = "pow: an integer to a negative power is no integer; convert input to floating point first"
    for exponent in (-1, minidl.tensor([1, -1])):
        with raises(ValueError, text):
            minidl.tensor([1, 2]) ** exponent
    with raises(ValueError, text):
        2 ** minidl.tensor([1, -1])
    with raises(TypeError, "neg: input must be a Tensor, not float"):
        minidl.neg(1.0)
