"""The largest and the smallest elements, and where they stand: ties, NaN, infinities, no elements, every error text."""

import math

import numpy as np
import pytest
from dims import along, over
from hypothesis import given
from hypothesis import strategies as st

import minidl
from minidl.testing import gradcheck, gradgradcheck

NAN, INF = math.nan, math.inf


def both_orders(function, array):
    x = minidl.tensor(array, requires_grad=True)
    assert gradcheck(function, x)
    assert gradgradcheck(function, x)


def gradient(function, data):
    x = minidl.tensor(data, dtype=minidl.float64, requires_grad=True)
    function(x).sum().backward()
    return x.grad.array.tolist()


@given(over(shortest=1))
def test_amax_and_amin_are_numpys(drawn):
    x, dim, axes, keepdim = drawn
    dim = () if dim is None else dim
    np.testing.assert_array_equal(minidl.tensor(x).amax(dim, keepdim).array, x.max(axes, keepdims=keepdim))
    np.testing.assert_array_equal(minidl.tensor(x).amin(dim, keepdim).array, x.min(axes, keepdims=keepdim))


@given(over(shortest=1, distinct=True), st.sampled_from(["amax", "amin"]))
def test_gradients_of_amax_and_amin(drawn, name):
    x, dim, _, keepdim = drawn
    both_orders(lambda x: getattr(x, name)(dim, keepdim), x)


@given(along(shortest=1), st.sampled_from(["max", "min"]))
def test_max_and_min_along_a_dimension_are_numpys(drawn, name):
    x, dim, axis, keepdim = drawn
    pair = getattr(minidl.tensor(x), name)(dim, keepdim)
    kept = keepdim and x.ndim > 0
    row = np.atleast_1d(x)
    np.testing.assert_array_equal(pair.values.array, getattr(row, name)(axis, keepdims=kept))
    np.testing.assert_array_equal(pair.indices.array, getattr(row, f"arg{name}")(axis, keepdims=kept))
    assert pair.values.shape == pair.indices.shape
    assert pair.indices.dtype == minidl.int64
    arg = getattr(minidl, f"arg{name}")(minidl.tensor(x), dim, keepdim)
    np.testing.assert_array_equal(arg.array, pair.indices.array)


@given(along(shortest=1, distinct=True), st.sampled_from(["max", "min"]))
def test_gradients_of_max_and_min(drawn, name):
    x, dim, _, keepdim = drawn
    both_orders(lambda x: getattr(x, name)(), x)
    both_orders(lambda x: getattr(x, name)(dim, keepdim).values, x)


@given(over(shortest=1))
def test_argmax_of_all_counts_through_the_flattened_tensor(drawn):
    x = minidl.tensor(drawn[0])
    assert x.argmax().array == drawn[0].argmax()
    assert x.argmin().array == drawn[0].argmin()
    assert x.argmax(keepdim=True).shape == (1,) * x.ndim


def test_equal_elements_share_the_gradient_evenly():
    data = [[3.0, 1.0, 3.0], [3.0, 2.0, 2.0]]
    third = 1 / 3
    assert gradient(lambda x: x.max(), data) == [[third, 0, third], [third, 0, 0]]
    assert gradient(lambda x: x.amax(), data) == [[third, 0, third], [third, 0, 0]]
    assert gradient(lambda x: x.amax(1), data) == [[0.5, 0, 0.5], [1, 0, 0]]
    assert gradient(lambda x: x.amin(1, keepdim=True), data) == [[0, 1, 0], [0, 0.5, 0.5]]
    assert gradient(lambda x: x.min(), [INF, -INF, -INF]) == [0, 0.5, 0.5]


def test_along_a_dimension_the_first_of_equal_elements_takes_the_whole_gradient():
    data = [[3.0, 1.0, 3.0], [3.0, 2.0, 2.0]]
    assert minidl.tensor(data).max(1).indices.tolist() == [0, 0]
    assert gradient(lambda x: x.max(1).values, data) == [[1, 0, 0], [1, 0, 0]]
    assert gradient(lambda x: x.min(1).values, data) == [[0, 1, 0], [0, 1, 0]]


def test_nan_is_the_largest_and_the_smallest():
    data = [[1.0, NAN, 3.0, NAN], [0.0, -1.0, 5.0, 2.0]]
    x = minidl.tensor(data)
    for y in (x.max(), x.min(), x.amax(), x.amin(), x.max(1).values[0], x.min(1).values[0]):
        assert np.isnan(y.array)
    assert x.max(1).indices.tolist() == [1, 2]
    assert x.min(1).indices.tolist() == [1, 1]
    assert gradient(lambda x: x.max(), data) == [[0, 0.5, 0, 0.5], [0, 0, 0, 0]]
    assert np.isnan(gradient(lambda x: x.amax(1), data)[0]).all()


def test_second_argument_may_be_a_tensor():
    x, y = minidl.tensor([1.0, 5.0]), minidl.tensor([[2.0], [6.0]])
    assert minidl.max(x, y).tolist() == [[2, 5], [6, 6]]
    assert x.min(y).tolist() == [[1, 2], [1, 5]]


def test_a_changed_result_is_noticed():
    x = minidl.tensor([[1.0, 2.0]], requires_grad=True)
    values, indices = x.max(1)
    indices.array[...] = 0
    indices.version[0] += 1
    with pytest.raises(RuntimeError, match="changed in place"):
        values.sum().backward()


@pytest.mark.parametrize("name", ["max", "min"])
def test_dimensions_left_over_may_be_empty(name):
    pair = getattr(minidl.zeros(0, 3), name)(1)
    assert pair.values.shape == pair.indices.shape == (0,)
    assert getattr(minidl.zeros(0, 3), f"a{name}")(1, keepdim=True).shape == (0, 1)
    assert getattr(minidl.zeros(0, 3), f"arg{name}")(1).shape == (0,)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda x: minidl.max([1.0]), TypeError, "max: input must be a Tensor, not list"),
        (lambda x: minidl.max(1.0, x), TypeError, "max: input must be a Tensor, not float"),
        (lambda x: minidl.min(1.0, x), TypeError, "min: input must be a Tensor, not float"),
        (lambda x: x.max(), RuntimeError, "max: input has no elements (shape (0, 3))"),
        (lambda x: x.min(0), IndexError, "min: dimension 0 of the input has length 0 (shape (0, 3))"),
        (lambda x: x.max(2), IndexError, "max: dim 2 is out of range for 2 dimensions (-2 to 1)"),
        (lambda x: x.max((0, 1)), TypeError, "max: dim must be an integer, not tuple"),
        (lambda x: x.amax(), RuntimeError, "amax: input has no elements (shape (0, 3))"),
        (lambda x: x.amin(0), IndexError, "amin: dimension 0 of the input has length 0 (shape (0, 3))"),
        (lambda x: x.amax((1, -1)), ValueError, "amax: a dimension appears twice in dim=(1, -1)"),
        (lambda x: x.argmax(), RuntimeError, "argmax: input has no elements (shape (0, 3))"),
        (lambda x: x.argmin(-2), IndexError, "argmin: dimension 0 of the input has length 0 (shape (0, 3))"),
        (lambda x: minidl.tensor([True]).argmax(), TypeError, "argmax: input must hold numbers, not bool"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error) as caught:
        call(minidl.zeros(0, 3))
    assert str(caught.value) == text
