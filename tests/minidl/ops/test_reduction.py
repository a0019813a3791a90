"""Sums, means, variances and truth over every choice of dimensions; empty, NaN, equal elements; every error text."""

import math
import warnings

import numpy as np
import pytest
from dims import over
from hypothesis import given
from hypothesis import strategies as st

import minidl
from minidl.testing import gradcheck, gradgradcheck

INTEGERS = [minidl.uint8, minidl.int8, minidl.int16, minidl.int32, minidl.int64, minidl.bool]


def both_orders(function, *arrays):
    inputs = [minidl.tensor(x, requires_grad=True) for x in arrays]
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


@given(over())
def test_sum_is_numpys(drawn):
    x, dim, axes, keepdim = drawn
    np.testing.assert_allclose(minidl.tensor(x).sum(dim, keepdim).array, x.sum(axes, keepdims=keepdim), atol=1e-12)


@given(over())
def test_mean_is_numpys(drawn):
    x, dim, axes, keepdim = drawn
    expected = x.mean(axes, keepdims=keepdim) if x.size else x.sum(axes, keepdims=keepdim) * math.nan
    np.testing.assert_allclose(minidl.tensor(x).mean(dim, keepdim).array, expected, atol=1e-12)


@given(over(shortest=1), st.sampled_from([0, 0.5, 1, 2]))
def test_var_and_std_are_numpys(drawn, correction):
    x, dim, axes, keepdim = drawn
    n = math.prod(x.shape[axis] for axis in axes)
    squares = ((x - x.mean(axes, keepdims=True)) ** 2).sum(axes, keepdims=keepdim)
    with np.errstate(all="ignore"):
        expected = np.divide(squares, max(n - correction, 0))
    arguments = {"dim": dim, "keepdim": keepdim, "correction": correction}
    np.testing.assert_allclose(minidl.tensor(x).var(**arguments).array, expected, rtol=1e-10)
    np.testing.assert_allclose(minidl.tensor(x).std(**arguments).array, np.sqrt(expected), rtol=1e-10)


@given(over())
def test_gradients_of_sum_and_mean(drawn):
    x, dim, _, keepdim = drawn
    both_orders(lambda x: x.sum(dim, keepdim), x)
    if x.size:
        both_orders(lambda x: x.mean(dim, keepdim), x)


@given(over(shortest=2, distinct=True))
def test_gradients_of_var_and_std(drawn):
    x, dim, axes, keepdim = drawn
    if axes:
        both_orders(lambda x: x.var(dim, keepdim=keepdim), x)
        both_orders(lambda x: x.std(dim, keepdim=keepdim, correction=0), x)


@given(over(), st.floats(0, 1))
def test_truth_is_numpys(drawn, share):
    x, dim, axes, keepdim = drawn
    x = np.asarray(np.where(abs(x) < share, 0, x))
    np.testing.assert_array_equal(minidl.any(minidl.tensor(x), dim, keepdim).array, x.any(axes, keepdims=keepdim))
    np.testing.assert_array_equal(minidl.all(minidl.tensor(x), dim, keepdim).array, x.all(axes, keepdims=keepdim))
    np.testing.assert_array_equal(minidl.count_nonzero(minidl.tensor(x), dim).array, np.count_nonzero(x, axes))


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_are_summed_as_int64(dtype):
    y = minidl.tensor(np.array([[1, 0], [1, 1]], dtype)).sum(0)
    assert y.dtype == minidl.int64
    assert y.array.tolist() == [2, 1]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_truth_is_bool_but_uint8_for_uint8(dtype):
    x = minidl.tensor(np.array([1, 0], dtype))
    for y in (x.any(), x.all(), x.any(0, keepdim=True)):
        assert y.dtype == (minidl.uint8 if dtype == minidl.uint8 else minidl.bool)


def test_large_uint8_do_not_wrap_round():
    assert minidl.tensor(np.full(1000, 255, np.uint8)).sum().array == 255_000


def test_nan_spreads_through_sums_and_counts_as_true():
    x = minidl.tensor([[1.0, math.nan], [2.0, 3.0]])
    assert np.isnan(x.sum(1).array).tolist() == [True, False]
    assert np.isnan(x.var(1).array).tolist() == [True, False]
    assert minidl.tensor([0.0, math.nan]).any().array
    assert minidl.tensor([math.nan]).count_nonzero().array == 1


def test_no_elements():
    x = minidl.zeros(0, 3)
    assert x.sum().array == 0
    assert np.isnan(x.mean().array)
    assert np.isnan(x.var(0, keepdim=True).array).tolist() == [[True] * 3]
    assert not x.any().array
    assert x.all().array
    assert x.count_nonzero(0).array.tolist() == [0, 0, 0]


def test_the_variance_of_one_number_is_nan_and_its_gradient_too():
    x = minidl.tensor([4.0], requires_grad=True)
    x.var().backward()
    assert np.isnan(x.var().array)
    assert np.isnan(x.grad.array)


def test_equal_elements_have_a_standard_deviation_without_slope():
    x = minidl.tensor([[2.0, 2.0], [1.0, 2.0]], requires_grad=True)
    x.std(1).sum().backward()
    assert x.grad.array[0].tolist() == [0.0, 0.0]
    np.testing.assert_allclose(x.grad.array[1], [-math.sqrt(0.5), math.sqrt(0.5)], rtol=1e-6)


def test_the_variance_of_large_numbers_keeps_its_digits():
    x = minidl.tensor(np.float32(1e4) + np.arange(4, dtype=np.float32))
    np.testing.assert_allclose(x.var().array, 5 / 3, rtol=1e-6)


def test_the_older_words_for_the_correction():
    x = minidl.tensor([[1.0, 2.0], [4.0, 8.0]])
    assert x.var(False).array == x.var(correction=0).array
    assert x.std(True).array == x.std().array
    np.testing.assert_array_equal(x.var(0, False, True).array, x.var(0, keepdim=True, correction=0).array)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda x: minidl.sum([1.0]), TypeError, "sum: input must be a Tensor, not list"),
        (lambda x: x.sum(2), IndexError, "sum: dim 2 is out of range for 2 dimensions (-2 to 1)"),
        (lambda x: x.sum((0, -2)), ValueError, "sum: a dimension appears twice in dim=(0, -2)"),
        (lambda x: x.sum(1.0), TypeError, "sum: dim must be an integer, not float"),
        (lambda x: x.sum(dtype="word"), TypeError, "sum: 'word' is not a dtype"),
        (lambda x: minidl.mean(1.0, dtype=minidl.float64), TypeError, "mean: input must be a Tensor, not float"),
        (lambda x: minidl.tensor([1, 2]).mean(), TypeError, "mean: input must be a floating-point tensor, not int64"),
        (lambda x: x.mean(-3), IndexError, "mean: dim -3 is out of range for 2 dimensions (-2 to 1)"),
        (lambda x: minidl.tensor([1, 2]).var(), TypeError, "var: input must be a floating-point tensor, not int64"),
        (lambda x: minidl.tensor([True]).std(), TypeError, "std: input must be a floating-point tensor, not bool"),
        (
            lambda x: x.var(0, unbiased=False, correction=1),
            TypeError,
            "var: unbiased and correction say the same thing; give only one of them",
        ),
        (lambda x: x.any(2), IndexError, "any: dim 2 is out of range for 2 dimensions (-2 to 1)"),
        (lambda x: minidl.all(None), TypeError, "all: input must be a Tensor, not NoneType"),
        (lambda x: x.count_nonzero((1, 1)), ValueError, "count_nonzero: a dimension appears twice in dim=(1, 1)"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error) as caught:
        call(minidl.zeros(2, 3))
    assert str(caught.value) == text


def test_true_is_no_dimension():
    with pytest.raises(TypeError, match=r"^sum: dim must be an integer, not bool$"):
        minidl.zeros(2, 3).sum(True)


def test_means_and_variances_of_float16_are_computed_in_float32():
    x = minidl.full((300, 300), 300.0, dtype=minidl.float16, requires_grad=True)  # 90,000 elements, of sum 2.7e7
    for found, expected in ((x.mean(), 300.0), (x.mean(0)[0], 300.0), (x.var(), 0.0), (x.std(), 0.0)):
        assert found.dtype == minidl.float16
        assert found.item() == expected
    assert minidl.tensor([300.0, -300.0], dtype=minidl.float16).var().item() == np.inf  # 180,000 is beyond float16
    x.mean(0).sum().backward()
    assert x.grad.dtype == minidl.float16
    np.testing.assert_array_equal(x.grad.array, np.float16(1 / 300))


def silently(function, *values):
    """The value and the gradient of a function where every warning is an error, those of NumPy's own lines included."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"minidl\.")  # as minidl sets it
        x = minidl.tensor(values, requires_grad=True)
        y = function(x)
        y.backward()
    return y.item(), x.grad.tolist()


@pytest.mark.parametrize("name", ["sum", "mean", "var", "std", "prod"])
def test_a_result_that_overflows_is_infinite_silently(name):
    value, _ = silently(lambda x: getattr(x, name)(), 3e38, -3e38 if name in ("var", "std") else 3e38)
    assert value == math.inf


def test_a_gradient_that_overflows_is_infinite_silently():
    assert silently(lambda x: (x.expand(4, 2) * 3e38).sum(), 0.0, 0.0) == (0.0, [math.inf, math.inf])
