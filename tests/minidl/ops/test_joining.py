"""cat, stack, split, chunk and unbind: each the inverse of another, NumPy's values, memory, every error text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
from minidl.testing import gradcheck, gradgradcheck

few = settings(max_examples=30)  # each example checks gradients of both orders


def refuses(error_type, text, call):
    with pytest.raises(error_type) as error:
        call()
    assert str(error.value) == text


def leaf(shape, seed=0):
    return minidl.tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


@st.composite
def shapes_and_dim(draw, extra=0):
    shape = tuple(draw(st.lists(st.integers(0, 4), min_size=1 - extra, max_size=3)))
    dim = draw(st.integers(-len(shape) - extra, len(shape) - 1 + extra))
    return shape, dim


@few
@given(shapes_and_dim(), st.lists(st.integers(0, 3), min_size=1, max_size=4))
def test_cat_and_split_undo_each_other(drawn, lengths):
    shape, dim = drawn
    axis = dim % len(shape)
    arrays = [np.random.default_rng(n).standard_normal((*shape[:axis], n, *shape[axis + 1 :])) for n in lengths]
    xs = [minidl.tensor(x, requires_grad=True) for x in arrays]
    joined = minidl.cat(xs, dim)
    np.testing.assert_array_equal(joined.array, np.concatenate(arrays, axis), strict=True)
    for piece, x in zip(joined.split(lengths, dim), arrays, strict=True):
        np.testing.assert_array_equal(piece.array, x, strict=True)
    assert gradcheck(lambda *xs: minidl.cat(xs, dim) * 2, xs)
    assert gradgradcheck(lambda *xs: minidl.cat(xs, dim) * minidl.cat(xs, dim), xs)


@few
@given(shapes_and_dim(extra=1), st.integers(1, 4))
def test_stack_and_unbind_undo_each_other(drawn, count):
    shape, dim = drawn
    dim = max(dim, -len(shape) - 1) if dim < 0 else min(dim, len(shape))
    arrays = [np.random.default_rng(n).standard_normal(shape) for n in range(count)]
    xs = [minidl.tensor(x, requires_grad=True) for x in arrays]
    stacked = minidl.stack(xs, dim)
    np.testing.assert_array_equal(stacked.array, np.stack(arrays, dim), strict=True)
    for piece, x in zip(stacked.unbind(dim), arrays, strict=True):
        np.testing.assert_array_equal(piece.array, x, strict=True)
    assert gradcheck(lambda *xs: minidl.stack(xs, dim) * 2, xs)
    assert gradgradcheck(lambda *xs: minidl.stack(xs, dim) * minidl.stack(xs, dim), xs)


@given(st.integers(0, 12), st.integers(1, 14))
def test_pieces_are_as_long_as_pytorchs(length, count):
    torch = pytest.importorskip("torch", reason="the lengths are compared with PyTorch's")
    for name in ("split", "chunk"):
        found = [len(piece) for piece in getattr(minidl, name)(minidl.zeros(length), count)]
        assert found == [len(piece) for piece in getattr(torch, name)(torch.zeros(length), count)]


def test_pieces_are_views():
    x = minidl.zeros(4, 4)
    for piece in (*x.split(2), *x.chunk(2, 1), *x.unbind(1), *x):
        assert piece.version is x.version
        assert np.shares_memory(piece.array, x.array)
    joined = minidl.cat([x])
    assert joined.version is not x.version
    assert not np.shares_memory(joined.array, x.array)


def test_the_pieces_of_a_split_are_one_node():
    """Nodes of their own would need one gradient of full size each, zeros but for the piece."""
    x = leaf((6, 2))
    pieces = x.split(2)
    assert len({piece.grad_fn.function for piece in pieces}) == 1
    (pieces[0].sum() + (pieces[2] * 3).sum()).backward()
    np.testing.assert_array_equal(x.grad.array, np.repeat([1.0, 0.0, 3.0], 2)[:, None] * np.ones(2))


ZEROS = minidl.zeros(2, 3)


@pytest.mark.parametrize(
    ("kind", "call", "text"),
    [
        (TypeError, lambda: minidl.cat(ZEROS), "cat: tensors must be a list or tuple of Tensors, not Tensor"),
        (TypeError, lambda: minidl.cat([ZEROS, 1]), "cat: tensor 1 must be a Tensor, not int"),
        (ValueError, lambda: minidl.cat([]), "cat: at least one tensor is needed"),
        (
            ValueError,
            lambda: minidl.cat([ZEROS, minidl.tensor(1.0)]),
            "cat: tensor 1 has no dimensions (stack joins along a new one)",
        ),
        (
            ValueError,
            lambda: minidl.cat([minidl.zeros(0), ZEROS, minidl.zeros(2, 4)]),
            "cat: tensor 2 has shape (2, 4) but tensor 1 has (2, 3); they may differ in dimension 0 alone",
        ),
        (
            ValueError,
            lambda: minidl.cat([ZEROS, minidl.zeros(2)], 1),
            "cat: tensor 1 has shape (2,) but tensor 0 has (2, 3); they may differ in dimension 1 alone",
        ),
        (IndexError, lambda: minidl.cat([ZEROS], 2), "cat: dim 2 is out of range for 2 dimensions (-2 to 1)"),
        (
            ValueError,
            lambda: minidl.stack([ZEROS, minidl.zeros(3, 2)]),
            "stack: tensor 1 has shape (3, 2) but tensor 0 has (2, 3)",
        ),
        (IndexError, lambda: minidl.stack([ZEROS], 3), "stack: dim 3 is out of range for 3 dimensions (-3 to 2)"),
        (
            ValueError,
            lambda: ZEROS.split([1, 2]),
            "split: sections [1, 2] do not add up to 2, the length of dimension 0 of shape (2, 3)",
        ),
        (
            ValueError,
            lambda: ZEROS.split([3, -1]),
            "split: sections [3, -1] do not add up to 2, the length of dimension 0 of shape (2, 3)",
        ),
        (ValueError, lambda: ZEROS.split(0), "split: the size of a piece must be positive, not 0"),
        (TypeError, lambda: ZEROS.split(1.5), "split: split_size_or_sections must be an integer, not float"),
        (ValueError, lambda: ZEROS[0, 0].split(1), "split: a tensor without dimensions cannot be cut"),
        (ValueError, lambda: ZEROS.chunk(0), "chunk: chunks must be positive, not 0"),
        (ValueError, lambda: ZEROS[0, 0].unbind(), "unbind: a tensor without dimensions cannot be cut"),
    ],
)
def test_errors(kind, call, text):
    refuses(kind, text, call)
