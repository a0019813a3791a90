"""Embedding: against the product with one-hot rows, and every error text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidl
import minidl.nn.functional as F
from minidl.testing import gradcheck, gradgradcheck


@given(st.lists(st.integers(0, 3), max_size=3), st.integers(1, 5), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_is_the_product_with_one_hot_rows(shape, rows, width, seed):
    rng = np.random.default_rng(seed)
    index, table = rng.integers(0, rows, shape), rng.standard_normal((rows, width))
    one_hot = np.eye(rows)[index]
    weight = minidl.tensor(table, requires_grad=True)
    y = F.embedding(minidl.tensor(index), weight)
    np.testing.assert_array_equal(y.array, one_hot @ table)
    g = rng.standard_normal(y.shape)
    y.backward(minidl.tensor(g))
    np.testing.assert_allclose(
        weight.grad.array, one_hot.reshape(-1, rows).T @ g.reshape(int(index.size), width), rtol=1e-13, atol=1e-13
    )
    assert gradcheck(lambda w: F.embedding(minidl.tensor(index), w), weight)
    assert gradgradcheck(lambda w: F.embedding(minidl.tensor(index), w * w), weight)


def test_the_padding_row_gets_no_gradient_of_any_order():
    index, weight = minidl.tensor([0, 1, 1, 2]), minidl.tensor(np.ones((3, 2)), requires_grad=True)
    y = F.embedding(index, weight, padding_idx=1)
    np.testing.assert_array_equal(y.array, np.ones((4, 2)))
    (g,) = minidl.grad((y * y * y).sum(), weight, create_graph=True)
    np.testing.assert_array_equal(g.array, [[3, 3], [0, 0], [3, 3]])
    (second,) = minidl.grad(g.sum(), weight)
    np.testing.assert_array_equal(second.array, [[6, 6], [0, 0], [6, 6]])


def test_a_change_of_the_numbers_in_place_is_found():
    index, weight = minidl.tensor([0, 1]), minidl.ones(3, 2, requires_grad=True)
    y = F.embedding(index, weight).sum()
    index.zero_()
    with pytest.raises(RuntimeError) as caught:
        y.backward()
    assert str(caught.value) == (
        "backward: Embedding needs its input 1 as it was in the forward pass, but it was changed in place since then"
    )


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: F.embedding(minidl.tensor([[0, 1], [2, 3]]), minidl.ones(3, 2)),
            IndexError,
            "embedding: input[1, 1] is 3, but weight has 3 rows",
        ),
        (
            lambda: F.embedding(minidl.tensor(-1), minidl.ones(3, 2)),
            IndexError,
            "embedding: input is -1, but weight has 3 rows",
        ),
        (
            lambda: F.embedding(minidl.tensor([0.0]), minidl.ones(3, 2)),
            TypeError,
            "embedding: input must be a tensor of signed integers, not float32",
        ),
        (
            lambda: F.embedding([0], minidl.ones(3, 2)),
            TypeError,
            "embedding: input must be a Tensor, not list",
        ),
        (
            lambda: F.embedding(minidl.tensor([0]), minidl.ones(3)),
            ValueError,
            "embedding: weight must have 2 dimensions (num_embeddings, embedding_dim), not shape (3,)",
        ),
        (
            lambda: F.embedding(minidl.tensor([0]), minidl.ones(3, 2), padding_idx=3),
            ValueError,
            "embedding: padding_idx is 3, but weight has 3 rows",
        ),
    ],
)
def test_error_texts(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == text
