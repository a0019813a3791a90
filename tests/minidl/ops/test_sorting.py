"""Order: stable in both directions, NaN last (or first), both orders of gradients, every error text."""

import math

import numpy as np
import pytest
from dims import along
from hypothesis import given
from hypothesis import strategies as st

import minidl
from minidl.testing import gradcheck, gradgradcheck

NAN, INF = math.nan, math.inf


def both_orders(function, array):
    x = minidl.tensor(array, requires_grad=True)
    assert gradcheck(function, x)
    assert gradgradcheck(function, x)


@given(along(), st.booleans())
def test_sorted_values_and_where_they_stood(drawn, descending):
    x, dim, axis, _ = drawn
    x = np.asarray(np.round(x))  # some elements are equal
    values, indices = minidl.tensor(x).sort(dim, descending)
    row = np.atleast_1d(x)
    order = np.argsort(-row if descending else row, axis, kind="stable")
    np.testing.assert_array_equal(indices.array, order.reshape(x.shape), strict=True)
    np.testing.assert_array_equal(values.array, np.take_along_axis(row, order, axis).reshape(x.shape))
    np.testing.assert_array_equal(minidl.tensor(x).argsort(dim, descending).array, indices.array)


@given(along(), st.booleans(), st.booleans(), st.data())
def test_topk_is_the_beginning_of_the_sorted_order(drawn, largest, equal, data):
    x, dim, axis, _ = drawn
    x = np.asarray(np.round(x)) if equal else x
    length = x.shape[axis] if x.ndim else 1
    k = data.draw(st.integers(min(1, length) if x.ndim == 0 else 0, length))
    values, indices = minidl.tensor(x).topk(k, dim, largest)
    row = np.atleast_1d(x)
    best = np.sort(-row if largest else row, axis)[(slice(None),) * axis + (slice(k),)]
    np.testing.assert_array_equal(values.array, (-best if largest else best).reshape(values.shape))
    places = indices.array.reshape(best.shape)
    np.testing.assert_array_equal(np.take_along_axis(row, places, axis), -best if largest else best)
    assert all(len(set(line)) == k for line in np.moveaxis(places, axis, -1).reshape(-1, max(k, 1)).tolist() if k)


@given(along(distinct=True), st.booleans(), st.data())
def test_gradients(drawn, descending, data):
    x, dim, axis, _ = drawn
    k = data.draw(st.integers(1 if not x.ndim else 0, x.shape[axis] if x.ndim else 1))
    both_orders(lambda x: x.sort(dim, descending).values, x)
    both_orders(lambda x: x.topk(k, dim, descending).values, x)


def test_equal_elements_keep_their_order_in_both_directions():
    x = minidl.tensor([1.0, 0.0, 1.0, 0.0])
    assert x.sort().indices.tolist() == [1, 3, 0, 2]
    assert x.sort(descending=True).indices.tolist() == [0, 2, 1, 3]


def test_the_gradient_goes_to_the_places_that_the_indices_name():
    x = minidl.tensor([2.0, 2.0, 1.0], requires_grad=True)
    values, indices = x.topk(1)
    values.sum().backward()
    expected = [0.0] * 3
    expected[int(indices.array[0])] = 1.0
    assert x.grad.tolist() == expected


def test_nan_is_larger_than_every_number():
    x = minidl.tensor([1.0, NAN, INF, -INF])
    assert x.argsort().tolist() == [3, 0, 2, 1]
    assert x.argsort(descending=True).tolist() == [1, 2, 0, 3]
    assert x.topk(2).indices.tolist() == [1, 2]
    assert x.topk(2, largest=False).values.tolist() == [-INF, 1]


@pytest.mark.parametrize("dtype", [minidl.uint8, minidl.int8, minidl.bool])
def test_integers_and_booleans(dtype):
    x = minidl.tensor(np.array([1, 0, 1], dtype))
    for pair in (x.sort(), x.sort(descending=True), x.topk(2), x.topk(2, largest=False)):
        assert pair.values.dtype == dtype
        assert pair.indices.dtype == minidl.int64
        assert not pair.values.requires_grad
    assert x.topk(2).values.tolist() == [1, 1]
    assert minidl.tensor(np.array([0, 255, 3], np.uint8)).topk(1).values.tolist() == [255]


def test_no_elements():
    assert minidl.zeros(0, 3).sort(0).values.shape == (0, 3)
    assert minidl.zeros(3, 0).topk(0).indices.shape == (3, 0)
    assert minidl.zeros(3, 4).topk(0).values.shape == (3, 0)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda x: x.sort(2), IndexError, "sort: dim 2 is out of range for 2 dimensions (-2 to 1)"),
        (lambda x: minidl.argsort([1.0]), TypeError, "argsort: input must be a Tensor, not list"),
        (lambda x: x.argsort(0.5), TypeError, "argsort: dim must be an integer, not float"),
        (lambda x: x.topk(4), IndexError, "topk: k=4 is out of range for dimension 1 of length 3 (input (2, 3))"),
        (lambda x: x.topk(-1, 0), IndexError, "topk: k=-1 is out of range for dimension 0 of length 2 (input (2, 3))"),
        (lambda x: x.topk(1.0), TypeError, "topk: k must be an integer, not float"),
        (lambda x: minidl.tensor(1.0).topk(0), IndexError, "topk: k must be 1 for a tensor without dimensions, not 0"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error) as caught:
        call(minidl.zeros(2, 3))
    assert str(caught.value) == text
