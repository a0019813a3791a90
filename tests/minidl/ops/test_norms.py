"""Norms of every order, unit vectors and cosines: zeros, kinks, both orders of gradients, every error text."""

import math

import numpy as np
import pytest
from dims import along, over
from hypothesis import given
from hypothesis import strategies as st

import minidl
import minidl.nn.functional as F
from minidl.testing import gradcheck, gradgradcheck

INF = math.inf
ORDERS = [0.5, 1, 1.5, 2, 2.5, 3, 4, INF, -INF, -1, -2.5]


def both_orders(function, *arrays):
    inputs = [minidl.tensor(x, requires_grad=True) for x in arrays]
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


def gradient(function, data):
    x = minidl.tensor(data, dtype=minidl.float64, requires_grad=True)
    function(x).sum().backward()
    return x.grad.array


def spread_out(x):
    """Numbers of both signs, none near 0 and no two of one size."""
    return np.asarray(np.where(x < 0, x - 0.3, x + 0.35))


@given(over(shortest=1, distinct=True), st.sampled_from(ORDERS))
def test_norm_is_the_formula(drawn, p):
    x, dim, axes, keepdim = drawn
    x = spread_out(x)
    sizes = abs(x)
    if math.isinf(p):
        expected = sizes.max(axes, keepdims=keepdim) if p > 0 else sizes.min(axes, keepdims=keepdim)
    else:
        expected = (sizes**p).sum(axes, keepdims=keepdim) ** (1 / p)
    np.testing.assert_allclose(minidl.tensor(x).norm(p, dim, keepdim).array, expected, rtol=1e-12)


@given(over(shortest=1, distinct=True), st.sampled_from(ORDERS))
def test_gradients_of_norm(drawn, p):
    x, dim, _, keepdim = drawn
    both_orders(lambda x: x.norm(p, dim, keepdim), spread_out(x))


@given(along(shortest=1, distinct=True), st.sampled_from([1, 2, 3]))
def test_normalized_vectors_have_norm_one(drawn, p):
    x, dim, axis, _ = drawn
    x = spread_out(x)
    unit = F.normalize(minidl.tensor(x), p, dim)
    lengths = (abs(np.atleast_1d(unit.array)) ** p).sum(axis) ** (1 / p)
    np.testing.assert_allclose(lengths, 1, rtol=1e-12)
    both_orders(lambda x: F.normalize(x, p, dim), x)


@given(along(shortest=1, distinct=True), st.data())
def test_cosine_similarity_is_the_formula(drawn, data):
    x, dim, axis, _ = drawn
    x, y = spread_out(x), spread_out(np.cos(5 * x))
    if x.ndim and data.draw(st.booleans()):
        y = y[:1] if axis else y
    row, other = np.atleast_1d(x), np.atleast_1d(y)
    dots = (row * other).sum(axis)
    expected = dots / np.sqrt((row**2).sum(axis) * (other**2).sum(axis))
    cosine = minidl.cosine_similarity(minidl.tensor(x), minidl.tensor(y), dim)
    np.testing.assert_allclose(cosine.array, expected.reshape(cosine.shape), rtol=1e-10, atol=1e-12)
    both_orders(lambda x, y: F.cosine_similarity(x, y, dim), x, y)


@pytest.mark.parametrize("p", [p for p in ORDERS if p != 1] + ["fro"])
def test_a_zero_vector_has_norm_zero_and_no_slope(p):
    assert minidl.zeros(3).norm(p).array == 0
    assert gradient(lambda x: x.norm(p), [0.0, 0.0]).tolist() == [0, 0]


def test_at_a_kink_the_slope_is_zero_and_ties_share_it():
    assert gradient(lambda x: x.norm(1), [0.0, 2.0, -3.0]).tolist() == [0, 1, -1]
    assert gradient(lambda x: x.norm(INF), [1.0, 3.0, -3.0]).tolist() == [0, 0.5, -0.5]
    assert gradient(lambda x: x.norm(0.5), [0.0, 4.0]).tolist() == [0, 1]
    assert gradient(lambda x: x.norm(-1), [0.0, 4.0]).tolist() == [0, 0]


def test_norm_zero_counts():
    y = minidl.tensor([[0.0, 1.0, 2.0], [0.0, 0.0, 3.0]], requires_grad=True).norm(0, 1)
    assert y.tolist() == [2, 1]
    assert y.dtype == minidl.float32
    assert not y.requires_grad


def test_float16_is_computed_in_float32():
    x = minidl.full((100,), 300.0, dtype=minidl.float16)  # their squares are 90,000: beyond float16
    for found, expected in (
        (x.norm(), 3000),
        (x.norm(3), 1392),
        (F.normalize(x, dim=0)[0], 0.1),
        (F.cosine_similarity(x, x, 0), 1.0),
    ):
        assert found.dtype == minidl.float16
        assert found.item() == pytest.approx(expected, rel=2e-3)


def test_no_elements():
    assert minidl.zeros(0).norm().array == 0
    assert minidl.zeros(2, 0).norm(3, 1).tolist() == [0, 0]


def test_short_vectors_are_divided_by_eps():
    assert F.normalize(minidl.tensor([[0.0, 0.0]])).tolist() == [[0, 0]]
    assert F.normalize(minidl.tensor([[0.0, 0.5]]), eps=2.0).tolist() == [[0, 0.25]]
    assert F.cosine_similarity(minidl.zeros(3), minidl.ones(3), 0).array == 0
    assert gradient(lambda x: F.normalize(x, dim=0, eps=0.5)[0], [0.0, 0.0]).tolist() == [2, 0]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda x: minidl.norm(1.0), TypeError, "norm: input must be a Tensor, not float"),
        (lambda x: minidl.tensor([1]).norm(), TypeError, "norm: input must be a floating-point tensor, not int64"),
        (lambda x: x.norm("nuc"), ValueError, "norm: p must be a number or 'fro', not 'nuc'"),
        (lambda x: x.norm(2, 2), IndexError, "norm: dim 2 is out of range for 2 dimensions (-2 to 1)"),
        (lambda x: minidl.zeros(0).norm(INF), RuntimeError, "norm: input has no elements (shape (0,))"),
        (
            lambda x: minidl.zeros(2, 0).norm(-1, 1),
            IndexError,
            "norm: dimension 1 of the input has length 0 (shape (2, 0))",
        ),
        (
            lambda x: F.normalize(minidl.zeros(3)),
            IndexError,
            "normalize: dim 1 is out of range for 1 dimensions (-1 to 0)",
        ),
        (
            lambda x: F.normalize(minidl.tensor([[1]])),
            TypeError,
            "normalize: input must be a floating-point tensor, not int64",
        ),
        (
            lambda x: F.cosine_similarity(x, minidl.zeros(2)),
            ValueError,
            "cosine_similarity: shapes (2, 3) and (2,) do not broadcast (aligned at the end, lengths must be equal or "
            "1)",
        ),
        (
            lambda x: F.cosine_similarity(x, x, 2),
            IndexError,
            "cosine_similarity: dim 2 is out of range for 2 dimensions (-2 to 1)",
        ),
        (
            lambda x: F.cosine_similarity(x, minidl.tensor([1, 2, 3])),
            TypeError,
            "cosine_similarity: x2 must be a floating-point tensor, not int64",
        ),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error) as caught:
        call(minidl.zeros(2, 3))
    assert str(caught.value) == text
