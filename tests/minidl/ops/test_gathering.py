"""gather, scatter and sums at indexed places: NumPy's values, both orders, repeated indices, every error text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
import minidl.nn.functional as F
from minidl.testing import gradcheck, gradgradcheck

T = minidl.tensor


def refuses(error_type, text, call):
    with pytest.raises(error_type) as error:
        call()
    assert str(error.value) == text


@st.composite
def places(draw, distinct=False):
    """An array, a dimension, and an index that is no longer than the array in the other dimensions."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    dim = draw(st.integers(0, len(shape) - 1))
    longest = shape[dim] if distinct else 5
    lengths = [draw(st.integers(0, longest if i == dim else n)) for i, n in enumerate(shape)]
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    if distinct:
        order = np.argsort(rng.random([shape[dim] if i == dim else n for i, n in enumerate(lengths)]), dim)
        index = np.take(order, range(lengths[dim]), dim)
    else:
        index = rng.integers(0, shape[dim], lengths)
    return rng.standard_normal(shape), dim, index, rng.standard_normal(lengths)


def every_place(index, dim):
    """(where it stands in the index, where it points to) for every element of the index."""
    for at in np.ndindex(*index.shape):
        yield at, (*at[:dim], index[at], *at[dim + 1 :])


@settings(max_examples=40)
@given(places())
def test_gather(drawn):
    array, dim, index, _ = drawn
    expected = np.zeros(index.shape)
    for at, target in every_place(index, dim):
        expected[at] = array[target]
    x = T(array, requires_grad=True)
    np.testing.assert_array_equal(x.gather(dim, T(index)).array, expected, strict=True)
    assert gradcheck(lambda x: x.gather(dim, T(index)) * 2, [x])
    assert gradgradcheck(lambda x: (x * x).gather(dim - x.ndim, T(index)), [x])


@settings(max_examples=40)
@given(places(distinct=True))
def test_scatter(drawn):
    array, dim, index, values = drawn
    expected, filled = array.copy(), array.copy()
    for at, target in every_place(index, dim):
        expected[target], filled[target] = values[at], 7.0
    x, s = T(array, requires_grad=True), T(values, requires_grad=True)
    np.testing.assert_array_equal(x.scatter(dim, T(index), s).array, expected, strict=True)
    np.testing.assert_array_equal(x.scatter(dim, T(index), 7).array, filled, strict=True)
    assert gradcheck(lambda x, s: x.scatter(dim, T(index), s) * 2, [x, s])
    assert gradgradcheck(lambda x, s: (x * x).scatter(dim, T(index), s * s), [x, s])


@settings(max_examples=40)
@given(places())
def test_scatter_add(drawn):
    array, dim, index, values = drawn
    expected = array.copy()
    for at, target in every_place(index, dim):
        expected[target] += values[at]
    x, s = T(array, requires_grad=True), T(values, requires_grad=True)
    np.testing.assert_allclose(x.scatter_add(dim, T(index), s).array, expected, rtol=1e-12, atol=1e-12, strict=True)
    assert gradcheck(lambda x, s: x.scatter_add(dim, T(index), s) * 2, [x, s])
    assert gradgradcheck(lambda x, s: (x * x).scatter_add(dim, T(index), s * s), [x, s])


@settings(max_examples=40)
@given(st.lists(st.integers(0, 2), max_size=6), st.sampled_from([1, -2, 0.5]))
def test_index_add(numbers, alpha):
    index = np.array(numbers, int)
    rng = np.random.default_rng(len(numbers))
    array, values = rng.standard_normal((2, 3)), rng.standard_normal((2, len(numbers)))
    expected = array.copy()
    for i, n in enumerate(numbers):
        expected[:, n] += alpha * values[:, i]
    x, s = T(array, requires_grad=True), T(values, requires_grad=True)
    found = x.index_add(1, T(index), s, alpha=alpha)
    np.testing.assert_allclose(found.array, expected, rtol=1e-12, strict=True)
    assert gradgradcheck(lambda x, s: (x * x).index_add(1, T(index), s * s, alpha=alpha), [x, s])


def test_the_sum_of_very_many_values_at_one_place():
    index = T(np.zeros(100_000, np.int64))
    total = minidl.zeros(2, dtype=minidl.float64).scatter_add(0, index, minidl.ones(100_000, dtype=minidl.float64))
    assert total.tolist() == [100_000.0, 0.0]


def test_without_dimensions():
    x = T(2.0, requires_grad=True)
    assert x.gather(0, T(0)).shape == ()
    assert x.gather(0, T([0, 0])).tolist() == [2.0, 2.0]
    assert x.scatter(0, T(0), T(5.0)).tolist() == 5.0
    assert x.scatter_add(0, T([0, 0]), T([5.0, 1.0])).tolist() == 8.0
    assert T([1.0, 2.0]).gather(0, T(1)).tolist() == 2.0


def test_an_index_changed_in_place_is_found_out():
    x, index = minidl.zeros(3, requires_grad=True), T([0, 1])
    y = x.gather(0, index)
    index.version[0] += 1
    refuses(
        RuntimeError,
        "backward: Pick needs its input 1 as it was in the forward pass, but it was changed in place since then",
        lambda: y.sum().backward(),
    )


def test_one_hot():
    assert F.one_hot(T([[0, 2], [1, 0]])).tolist() == [[[1, 0, 0], [0, 0, 1]], [[0, 1, 0], [1, 0, 0]]]
    assert F.one_hot(T(1), 3).tolist() == [0, 1, 0]
    assert F.one_hot(T([1], dtype=minidl.int32)).dtype == minidl.int64
    assert F.one_hot(minidl.zeros(0, dtype=minidl.int64), 4).shape == (0, 4)


X, INDEX = minidl.zeros(2, 3), T([[0, 1]])


@pytest.mark.parametrize(
    ("kind", "call", "text"),
    [
        (IndexError, lambda: X.gather(2, INDEX), "gather: dim 2 is out of range for 2 dimensions (-2 to 1)"),
        (TypeError, lambda: X.gather(0, [[0]]), "gather: index must be a Tensor, not list"),
        (
            TypeError,
            lambda: X.gather(0, T([[0.0]])),
            "gather: index must be a tensor of signed integers, not float32",
        ),
        (
            ValueError,
            lambda: X.gather(0, T([0])),
            "gather: index (1,) must have as many dimensions as input (2, 3) and be no longer in any but dimension 0",
        ),
        (
            ValueError,
            lambda: X.gather(1, T([[0]] * 3)),
            "gather: index (3, 1) must have as many dimensions as input (2, 3) and be no longer in any but dimension 1",
        ),
        (
            IndexError,
            lambda: X.gather(1, T([[0, 3]])),
            "gather: 3 (at [0, 1] of the index array) is out of range for dimension 1 of shape (2, 3) (-3 to 2)",
        ),
        (
            IndexError,
            lambda: X.gather(1, T([[0, -1]])),
            "gather: -1 (at [0, 1] of the index array) is negative; counting from the end is for x[...] alone",
        ),
        (
            ValueError,
            lambda: X.scatter(1, INDEX, minidl.zeros(1, 1)),
            "scatter: src (1, 1) is smaller than index (1, 2)",
        ),
        (
            TypeError,
            lambda: X.scatter(1, INDEX, minidl.zeros(1, 2, dtype=minidl.float64)),
            "scatter: src is float64 but input is float32",
        ),
        (TypeError, lambda: X.scatter(1, INDEX), "scatter: either src or value is needed"),
        (TypeError, lambda: X.scatter(1, INDEX, 1.0, value=2.0), "scatter: either src or value is needed"),
        (TypeError, lambda: X.scatter(1, INDEX, "1"), "scatter: src must be a Tensor or a number, not str"),
        (TypeError, lambda: X.scatter_add(1, INDEX, 1.0), "scatter_add: src must be a Tensor, not float"),
        (
            ValueError,
            lambda: X.scatter_add(1, INDEX, minidl.zeros(2)),
            "scatter_add: src (2,) is smaller than index (1, 2)",
        ),
        (
            ValueError,
            lambda: X.index_add(0, T([0, 1]), minidl.zeros(3, 3)),
            "index_add: source has shape (3, 3) but input (2, 3) and index (2,) expect (2, 3)",
        ),
        (
            ValueError,
            lambda: X.index_add(0, INDEX, X),
            "index_add: an input with dimensions and an index with one are needed, not (2, 3) and (1, 2)",
        ),
        (
            TypeError,
            lambda: X.index_add(0, T([0, 1]), T([[0] * 3] * 2)),
            "index_add: source is int64 but input is float32",
        ),
        (
            IndexError,
            lambda: X.index_add(0, T([0, 2]), X),
            "index_add: 2 (at [1] of the index array) is out of range for dimension 0 of shape (2, 3) (-2 to 1)",
        ),
        (
            TypeError,
            lambda: F.one_hot(T([1.0])),
            "one_hot: tensor must be a tensor of signed integers, not float32",
        ),
        (
            ValueError,
            lambda: F.one_hot(T([0, 3]), 3),
            "one_hot: elements must lie from 0 to 2, but they range from 0 to 3",
        ),
        (
            ValueError,
            lambda: F.one_hot(T([0, -1])),
            "one_hot: elements must lie from 0 to 0, but they range from -1 to 0",
        ),
        (
            ValueError,
            lambda: F.one_hot(minidl.zeros(0, dtype=minidl.int64)),
            "one_hot: num_classes must be given for a tensor without elements",
        ),
        (
            ValueError,
            lambda: F.one_hot(T([0]), 0),
            "one_hot: num_classes must be positive, or -1 to find it out, not 0",
        ),
        (TypeError, lambda: F.one_hot(T([0]), 2.0), "one_hot: num_classes must be an integer, not float"),
        (
            ValueError,
            lambda: F.one_hot(T([0]), 2**62),
            "one_hot: no array can have the shape of the result, (1, 4611686018427387904)",
        ),
        (
            ValueError,
            lambda: T([1, 2]).scatter(0, T([0]), 2**63),
            "scatter: 9223372036854775808 does not fit into int64",
        ),
    ],
)
def test_errors(kind, call, text):
    refuses(kind, text, call)
