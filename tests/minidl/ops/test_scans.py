"""Running sums and products and the product itself: zeros among the factors, both orders, dtypes, every error text."""

import numpy as np
import pytest
from dims import along
from hypothesis import given
from hypothesis import strategies as st

import minidl
from minidl.ops.scans import Recurrence
from minidl.testing import gradcheck, gradgradcheck


def both_orders(function, *arrays):
    inputs = [minidl.tensor(x, requires_grad=True) for x in arrays]
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


@st.composite
def with_zeros(draw):
    """What ``along`` draws, with any share of zeros from none to all."""
    x, dim, axis, keepdim = draw(along())
    share = draw(st.sampled_from([0.0, 0.3, 0.7, 9.0]))
    return np.asarray(np.where(abs(x) < share, 0.0, x)), dim, axis, keepdim


@given(with_zeros())
def test_values_are_numpys(drawn):
    x, dim, axis, keepdim = drawn
    row, y = np.atleast_1d(x), minidl.tensor(x)
    np.testing.assert_allclose(y.cumsum(dim).array, row.cumsum(axis).reshape(x.shape), atol=1e-12)
    np.testing.assert_allclose(y.cumprod(dim).array, row.cumprod(axis).reshape(x.shape), rtol=1e-12)
    np.testing.assert_allclose(y.prod().array, x.prod(), rtol=1e-12)
    expected = row.prod(axis, keepdims=keepdim and x.ndim > 0)
    np.testing.assert_allclose(y.prod(dim, keepdim).array, expected, rtol=1e-12, strict=True)


@given(with_zeros())
def test_gradients_with_zeros_among_the_factors(drawn):
    x, dim, _, keepdim = drawn
    both_orders(lambda x: x.cumsum(dim), x)
    both_orders(lambda x: x.cumprod(dim), x)
    both_orders(lambda x: x.prod(dim, keepdim), x)
    if x.size < 9:
        both_orders(lambda x: x.prod(), x)


@given(along(), st.booleans())
def test_a_recurrence_and_its_gradients(drawn, reverse):
    a, _, axis, _ = drawn
    if a.ndim:
        b = np.cos(a)
        both_orders(lambda a, b: Recurrence(axis, reverse).apply(a, b), a, b)
        h = np.zeros(b.shape)
        order = range(b.shape[axis])[:: -1 if reverse else 1]
        previous = 0.0
        for t in order:
            at = (slice(None),) * axis + (t,)
            h[at] = previous = b[at] + a[at] * previous
        result = Recurrence(axis, reverse).apply(minidl.tensor(a), minidl.tensor(b))
        np.testing.assert_allclose(result.array, h, rtol=1e-12, atol=1e-12)


def test_third_derivatives_of_a_product_with_zeros():
    """d^3(xyz)/dx dy dz = 1, also where all three are 0, where any division would give NaN."""
    x = minidl.tensor([0.0, 0.0, 0.0], dtype=minidl.float64, requires_grad=True)
    for product in (lambda: x.prod(), lambda: x.cumprod(0)[2]):
        y = product()
        for i in range(3):
            (g,) = minidl.grad(y, x, create_graph=True)
            y = g[i]
        assert y.array == 1


def test_one_zero_sends_the_gradient_to_itself_alone():
    x = minidl.tensor([2.0, 0.0, 5.0], requires_grad=True)
    x.prod().backward()
    assert x.grad.tolist() == [0.0, 10.0, 0.0]


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "prod"])
@pytest.mark.parametrize("dtype", [minidl.uint8, minidl.int32, minidl.bool])
def test_integers_become_int64(name, dtype):
    x = minidl.tensor(np.array([[1, 1], [1, 0]], dtype))
    y = getattr(x, name)(0)
    assert y.dtype == minidl.int64
    assert getattr(x, name)(0, dtype=minidl.float32).dtype == minidl.float32
    np.testing.assert_array_equal(y.array, getattr(np, name)(x.array.astype(int), 0))


def test_nan_stays_from_where_it_stands():
    x = minidl.tensor([1.0, float("nan"), 2.0])
    assert np.isnan(x.cumsum(0).array).tolist() == [False, True, True]
    assert np.isnan(x.cumprod(0).array).tolist() == [False, True, True]
    assert np.isnan(x.prod().array)


def test_a_running_sum_of_float16_is_computed_in_float32():
    y = minidl.ones(5000, dtype=minidl.float16).cumsum(0)  # in float16, 2048 + 1 is 2048
    assert y.dtype == minidl.float16
    assert y[-1].item() == 5000


def test_the_product_of_nothing_is_one():
    x = minidl.zeros(0, 2)
    assert x.prod().array == 1
    assert x.prod(0).tolist() == [1, 1]
    assert x.prod(keepdim=True).tolist() == [[1]]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda x: x.cumsum(2), IndexError, "cumsum: dim 2 is out of range for 2 dimensions (-2 to 1)"),
        (lambda x: minidl.cumsum(3, 0), TypeError, "cumsum: input must be a Tensor, not int"),
        (lambda x: x.cumprod(None), TypeError, "cumprod: dim must be an integer, not NoneType"),
        (lambda x: x.prod((0, 1)), TypeError, "prod: dim must be an integer, not tuple"),
        (lambda x: x.prod(-3), IndexError, "prod: dim -3 is out of range for 2 dimensions (-2 to 1)"),
        (lambda x: minidl.prod([1.0]), TypeError, "prod: input must be a Tensor, not list"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error) as caught:
        call(minidl.zeros(2, 3))
    assert str(caught.value) == text
