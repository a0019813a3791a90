"""Embedding as a layer: how it starts, the padding row, tables that exist, parity with PyTorch, every error text."""

import numpy as np
import pytest
from rows import assert_close

import minidl
import minidl.nn as nn
from minidl.testing import gradcheck, gradgradcheck

INDEX = np.array([[1, 0, 1], [3, 2, 0]])


def test_is_the_operation_on_its_table():
    layer = nn.Embedding(5, 3)
    y = layer(minidl.tensor(INDEX))
    assert y.shape == (2, 3, 3)
    assert y.dtype == minidl.float32
    np.testing.assert_array_equal(y.array, layer.weight.array[INDEX])
    np.testing.assert_array_equal(layer(minidl.tensor(4)).array, layer.weight.array[4])


def test_starts_standard_normal_and_the_padding_row_as_zeros():
    minidl.manual_seed(0)
    layer = nn.Embedding(200, 100, padding_idx=-1)
    table = layer.weight.array
    assert layer.padding_idx == 199
    assert not table[199].any()
    assert abs(table[:199].mean()) < 0.02
    assert abs(table[:199].std() - 1) < 0.02
    assert abs(np.mean(table[:199] ** 4) - 3) < 0.2
    before = table.copy()
    layer.reset_parameters()
    assert not layer.weight.array[199].any()
    assert not np.array_equal(layer.weight.array, before)
    minidl.manual_seed(0)
    again = nn.Embedding(200, 100, padding_idx=199, dtype=minidl.float64)
    assert again.weight.dtype == minidl.float64
    np.testing.assert_array_equal(again.weight.array.astype(np.float32), before)


def test_the_padding_row_stays_as_it_is_in_training():
    minidl.manual_seed(0)
    layer = nn.Embedding(4, 3, padding_idx=0)
    before = layer.weight.array.copy()
    optimizer = minidl.optim.SGD(layer.parameters(), lr=0.1)
    (layer(minidl.tensor(INDEX)) - 1).square().sum().backward()
    assert not layer.weight.grad.array[0].any()
    optimizer.step()
    np.testing.assert_array_equal(layer.weight.array[0], np.zeros(3))
    assert (layer.weight.array[1:] != before[1:]).all()


def test_a_table_that_exists():
    table = minidl.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    frozen = nn.Embedding.from_pretrained(table, padding_idx=1)
    assert not frozen.weight.requires_grad
    assert frozen(minidl.tensor([1, 2])).tolist() == [[3, 4], [5, 6]]  # the padding row keeps its values
    learning = nn.Embedding.from_pretrained(table, freeze=False)
    assert learning.weight.requires_grad
    assert np.shares_memory(learning.weight.array, table.array)
    learning(minidl.tensor([0, 0])).sum().backward()
    assert learning.weight.grad.tolist() == [[2, 2], [0, 0], [0, 0]]


def test_a_table_that_exists_costs_no_random_numbers():
    state = minidl.get_rng_state()
    nn.Embedding.from_pretrained(minidl.ones(3, 2))
    assert np.array_equal(minidl.get_rng_state().array, state.array)


@pytest.mark.gradcheck
@pytest.mark.parametrize("padding_idx", [None, 2])
def test_gradients_of_first_and_second_order(padding_idx):
    layer = nn.Embedding(5, 3, padding_idx=padding_idx, dtype=minidl.float64)
    index = minidl.tensor([[1, 0, 1], [3, 4, 0]])  # finite differences would see a padding row move

    def call(weight):
        del layer.weight
        layer.weight = weight * weight
        return layer(index)

    table = minidl.tensor(layer.weight.array, requires_grad=True)
    assert gradcheck(call, table)
    assert gradgradcheck(call, table)


# --- against PyTorch ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="parity with PyTorch needs torch")


@pytest.mark.parity
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("padding_idx", [None, 0, 3, -2])
def test_values_and_gradients_are_pytorchs(torch, padding_idx, dtype):
    theirs = torch.nn.Embedding(5, 3, padding_idx, dtype=getattr(torch, dtype))
    ours = nn.Embedding(5, 3, padding_idx, dtype=getattr(minidl, dtype))
    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    assert repr(ours) == repr(theirs)
    assert ours.padding_idx == theirs.padding_idx
    y, expected = ours(minidl.tensor(INDEX)), theirs(torch.tensor(INDEX))
    np.testing.assert_array_equal(y.array, expected.detach().numpy())
    (y * y).sum().backward()
    (expected * expected).sum().backward()
    assert_close("gradient", ours.weight.grad.array, theirs.weight.grad.numpy(), 1e-15 if dtype == "float64" else 1e-7)


@pytest.mark.parity
def test_from_pretrained_is_pytorchs(torch):
    table = np.arange(12.0).reshape(4, 3)
    for options in ({}, dict(freeze=False), dict(padding_idx=1), dict(freeze=False, padding_idx=-1)):
        ours, theirs = (lib.nn.Embedding.from_pretrained(lib.tensor(table), **options) for lib in (minidl, torch))
        assert repr(ours) == repr(theirs)
        assert ours.weight.requires_grad == theirs.weight.requires_grad
        np.testing.assert_array_equal(ours.weight.array, theirs.weight.detach().numpy())


# --- errors ------------------------------------------------------------------------------------------------------

ERRORS = {
    "number too large": (
        lambda: nn.Embedding(3, 2)(minidl.tensor([[0, 1], [2, 3]])),
        IndexError,
        "embedding: input[1, 1] is 3, but weight has 3 rows",
    ),
    "negative number": (
        lambda: nn.Embedding(3, 2)(minidl.tensor([0, -1])),
        IndexError,
        "embedding: input[1] is -1, but weight has 3 rows",
    ),
    "floats": (
        lambda: nn.Embedding(3, 2)(minidl.tensor([0.0])),
        TypeError,
        "embedding: input must be a tensor of signed integers, not float32",
    ),
    "padding beyond the end": (
        lambda: nn.Embedding(3, 2, padding_idx=3),
        ValueError,
        "Embedding: padding_idx is 3, but num_embeddings is 3",
    ),
    "padding before the start": (
        lambda: nn.Embedding(3, 2, padding_idx=-4),
        ValueError,
        "Embedding: padding_idx is -4, but num_embeddings is 3",
    ),
    "padding between rows": (
        lambda: nn.Embedding(3, 2, padding_idx=0.5),
        TypeError,
        "Embedding: padding_idx must be an integer, not float",
    ),
    "negative size": (
        lambda: nn.Embedding(-3, 2),
        ValueError,
        "Embedding: sizes must not be negative: (-3, 2)",
    ),
    "size that is none": (
        lambda: nn.Embedding(2.5, 2),
        TypeError,
        "Embedding: sizes must be integers, not (2.5, 2)",
    ),
    "table of another shape": (
        lambda: nn.Embedding(3, 2, _weight=minidl.ones(2, 3)),
        ValueError,
        "Embedding: _weight has shape (2, 3) but (num_embeddings, embedding_dim) is (3, 2)",
    ),
    "no table": (
        lambda: nn.Embedding.from_pretrained([[1.0]]),
        TypeError,
        "Embedding.from_pretrained: embeddings must be a Tensor, not list",
    ),
    "table without columns": (
        lambda: nn.Embedding.from_pretrained(minidl.ones(3)),
        ValueError,
        "Embedding.from_pretrained: embeddings must have 2 dimensions (num_embeddings, embedding_dim), not shape (3,)",
    ),
    "padding beyond the table": (
        lambda: nn.Embedding.from_pretrained(minidl.ones(3, 2), padding_idx=7),
        ValueError,
        "Embedding: padding_idx is 7, but num_embeddings is 3",
    ),
}


@pytest.mark.parametrize(("call", "error", "text"), ERRORS.values(), ids=ERRORS)
def test_error_texts(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == text
