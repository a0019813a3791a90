"""Operations that move elements: NumPy's values over all shapes, views and copies, both orders, every error text."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
from minidl.testing import gradcheck, gradgradcheck

few = settings(max_examples=30)  # each example checks several gradients of both orders


def refuses(error_type, text, call):
    with pytest.raises(error_type) as error:
        call()
    assert str(error.value) == text


@st.composite
def arrays(draw, min_dims=0, min_side=0):
    """Arrays of up to four dimensions in any order of memory."""
    shape = draw(st.lists(st.integers(min_side, 3), min_size=min_dims, max_size=4))
    order = draw(st.permutations(range(len(shape))))
    array = np.random.default_rng(draw(st.integers(0, 99))).standard_normal([shape[i] for i in order])
    return array.transpose(np.argsort(order).astype(int))


def check(array, call, expected):
    """The call gives ``expected``, and its gradients of both orders are right."""
    x = minidl.Tensor(array.copy(order="K"), True)
    np.testing.assert_array_equal(call(x).array, expected, strict=True)
    assert gradcheck(lambda x: call(x) * 2, [x])
    assert gradgradcheck(lambda x: call(x * x), [x])


def dim_of(draw, ndim):
    return draw(st.integers(-max(ndim, 1), max(ndim, 1) - 1))


@few
@given(arrays(), st.data())
def test_reshape(array, data):
    divisors = [n for n in range(1, array.size + 1) if array.size % n == 0] or [1]
    first = data.draw(st.sampled_from(divisors))
    check(array, lambda x: x.reshape(first, -1), array.reshape(first, -1))
    check(array, lambda x: x.reshape(array.size), array.reshape(array.size))
    check(array, lambda x: x.ravel(), array.ravel())


@few
@given(arrays(min_dims=1), st.data())
def test_flatten_and_unflatten(array, data):
    first = data.draw(st.integers(0, array.ndim - 1))
    last = data.draw(st.integers(first, array.ndim - 1))
    shape = array.shape
    merged = (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])
    check(array, lambda x: x.flatten(first - x.ndim, last), array.reshape(merged))
    check(array.reshape(merged), lambda x: x.unflatten(first, shape[first : last + 1]), array)


@few
@given(arrays(), st.data())
def test_squeeze_and_unsqueeze(array, data):
    axis = data.draw(st.integers(-array.ndim - 1, array.ndim))
    wide = np.expand_dims(array, axis)
    check(array, lambda x: x.unsqueeze(axis), wide)
    check(wide, lambda x: x.squeeze(axis), array)
    check(array, lambda x: x.squeeze(), np.squeeze(array))


@few
@given(arrays(), st.data())
def test_orders_of_dimensions(array, data):
    order = data.draw(st.permutations(range(array.ndim)))
    check(array, lambda x: x.permute(order), array.transpose(order))
    one, other = dim_of(data.draw, array.ndim), dim_of(data.draw, array.ndim)
    expected = array.swapaxes(one, other) if array.ndim else array
    check(array, lambda x: x.transpose(one, other), expected)
    check(array, lambda x: x.swapaxes(one, other), expected)
    check(array, lambda x: x.movedim(one, other), np.moveaxis(array, one, other) if array.ndim else array)
    several = data.draw(st.integers(0, array.ndim))
    targets = data.draw(st.permutations(range(array.ndim)))
    source, target = tuple(order[:several]), tuple(targets[:several])
    check(array, lambda x: x.movedim(source, target), np.moveaxis(array, source, target))


@few
@given(arrays(), st.data())
def test_flip_and_roll(array, data):
    dims = data.draw(st.lists(st.integers(0, 3), max_size=3, unique=True))
    dims = [d for d in dims if d < array.ndim]
    check(array, lambda x: x.flip(dims), np.flip(array, dims))
    shifts = data.draw(st.lists(st.integers(-5, 5), min_size=len(dims), max_size=len(dims)))
    if dims:
        check(array, lambda x: x.roll(shifts, dims), np.roll(array, shifts, dims))
    check(array, lambda x: x.roll(3), np.roll(array, 3))


@few
@given(arrays(), st.data())
def test_copies_side_by_side(array, data):
    counts = data.draw(st.lists(st.integers(0, 2), max_size=4))
    check(array, lambda x: x.tile(counts), np.tile(array, counts))
    if len(counts) >= array.ndim:
        check(array, lambda x: x.repeat(counts), np.tile(array, counts))


@few
@given(arrays(), st.data())
def test_expand(array, data):
    front = data.draw(st.lists(st.integers(0, 3), max_size=2))
    to = tuple(front) + tuple(data.draw(st.sampled_from([n, 4])) if n == 1 else n for n in array.shape)
    check(array, lambda x: x.expand(to), np.broadcast_to(array, to))
    check(array, lambda x: x.broadcast_to(to), np.broadcast_to(array, to))
    kept = tuple(front) + (-1,) * array.ndim
    check(array, lambda x: x.expand(*kept), np.broadcast_to(array, (*front, *array.shape)))


@few
@given(arrays(min_dims=1, min_side=1), st.data())
def test_unfold(array, data):
    dim = data.draw(st.integers(0, array.ndim - 1))
    size, step = data.draw(st.integers(0, array.shape[dim])), data.draw(st.integers(1, 4))
    starts = range(0, array.shape[dim] - size + 1, step)
    expected = np.stack([np.moveaxis(array.take(range(i, i + size), dim), dim, -1) for i in starts], dim)
    check(array, lambda x: x.unfold(dim - x.ndim, size, step), expected)


@few
@given(st.lists(st.integers(0, 3), min_size=1, max_size=4), st.sampled_from(["ij", "xy"]))
def test_meshgrid(lengths, indexing):
    xs = [minidl.tensor(np.random.default_rng(n).standard_normal(n), requires_grad=True) for n in lengths]
    grids = minidl.meshgrid(xs, indexing=indexing)
    for grid, expected in zip(grids, np.meshgrid(*[x.array for x in xs], indexing=indexing), strict=True):
        np.testing.assert_array_equal(grid.array, expected, strict=True)
    assert gradcheck(lambda *xs: minidl.meshgrid(*xs, indexing=indexing), xs)


@few
@given(arrays(min_dims=2), st.data())
def test_diagonals_and_triangles(array, data):
    k = data.draw(st.integers(-4, 4))
    one, other = data.draw(st.permutations(range(array.ndim)))[:2]
    check(array, lambda x: x.diagonal(k, one, other), array.diagonal(k, one, other))
    check(array, lambda x: x.tril(k), np.tril(array, k))
    check(array, lambda x: x.triu(k), np.triu(array, k))
    matrix = array.reshape(array.shape[0], -1) if array.size else array.reshape(0, 0)
    check(matrix, lambda x: x.diag(k), np.diag(matrix, k))
    check(matrix, lambda x: x.trace(), np.asarray(np.trace(matrix)))
    check(matrix.ravel(), lambda x: x.diag(k), np.diag(matrix.ravel(), k))


# --- memory ------------------------------------------------------------------------------------------------------

VIEWS = {
    "reshape": lambda x: x.reshape(4, 3),
    "view": lambda x: x.view(12),
    "flatten": lambda x: x.flatten(),
    "unflatten": lambda x: x.unflatten(1, (2, 2)),
    "squeeze": lambda x: x.squeeze(),
    "unsqueeze": lambda x: x.unsqueeze(0),
    "permute": lambda x: x.permute(1, 0),
    "transpose": lambda x: x.transpose(0, 1),
    "t": lambda x: x.t(),
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "movedim": lambda x: x.movedim(0, 1),
    "expand": lambda x: x.expand(2, 3, 4),
    "unfold": lambda x: x.unfold(0, 2, 1),
    "diagonal": lambda x: x.diagonal(),
    "diag": lambda x: x.diag(),
    "squeeze of a transpose": lambda x: x.t().unsqueeze(1).squeeze(1),
    "unflatten of a transpose": lambda x: x.t().unflatten(0, (2, 2)),
    "detach": lambda x: x.detach(),
}
COPIES = {
    "reshape": lambda x: x.t().reshape(12),
    "flip": lambda x: x.flip(0),
    "flip of nothing": lambda x: x.flip(()),
    "roll": lambda x: x.roll(0),
    "repeat": lambda x: x.repeat(1, 1),
    "tile": lambda x: x.tile(1),
    "clone": lambda x: x.clone(),
    "contiguous": lambda x: x.t().contiguous(),
    "tril": lambda x: x.tril(9),
}


@pytest.mark.parametrize("call", VIEWS.values(), ids=VIEWS.keys())
def test_views_share_memory_and_the_count_of_changes(call):
    x = minidl.zeros(3, 4)
    assert np.shares_memory(call(x).array, x.array)
    assert call(x).version is x.version


@pytest.mark.parametrize("call", COPIES.values(), ids=COPIES.keys())
def test_copies_share_neither(call):
    x = minidl.zeros(3, 4)
    assert not np.shares_memory(call(x).array, x.array)
    assert call(x).version is not x.version


def test_contiguous_is_the_tensor_itself_where_it_can_be():
    x = minidl.zeros(3, 4)
    assert x.contiguous() is x
    assert x.is_contiguous()
    assert not x.t().is_contiguous()
    assert x.t().contiguous().is_contiguous()


@pytest.mark.parametrize("offset", [-3, -2, 3, 4, 2**40, -(2**40)])
def test_a_diagonal_outside_of_the_matrix_is_empty(offset):
    x = minidl.ones(2, 3)
    assert x.diagonal(offset).shape == x.diag(offset).shape == (0,)


def test_a_diagonal_can_be_written_to():
    x = minidl.zeros(2, 3)
    x.diagonal(1).fill_(7)
    assert x.tolist() == [[0.0, 7.0, 0.0], [0.0, 0.0, 7.0]]


def test_view_works_where_the_layout_allows_it():
    x = minidl.arange(24).reshape(2, 3, 4).transpose(0, 1)
    assert x.view(3, 2, 2, 2).tolist() == x.reshape(3, 2, 2, 2).tolist()
    assert minidl.zeros(2, 0, 3).transpose(0, 2).view(0, 5).shape == (0, 5)
    refuses(
        RuntimeError,
        "view: the elements of shape (3, 2, 4) do not lie in memory in the order that a view of shape (6, 4) needs; "
        "use reshape, which copies",
        lambda: x.view(6, 4),
    )


def test_view_copies_images_whose_channels_lie_last():
    """As convolutions make them. Scripts flatten them by view, which works in PyTorch, where they lie otherwise."""
    x = minidl.arange(24).reshape(1, 2, 3, 4).permute(0, 3, 1, 2)
    flat = x.view(1, 24)
    assert flat.tolist() == x.reshape(1, 24).tolist()
    assert not np.shares_memory(flat.array, x.array)
    assert np.shares_memory(x.view(1, 4, 6).array, x.array)


# --- errors ------------------------------------------------------------------------------------------------------

X, NUMBER = minidl.zeros(2, 3), minidl.tensor(1.0)


@pytest.mark.parametrize(
    ("kind", "call", "text"),
    [
        (ValueError, lambda: X.reshape(4, 2), "reshape: (2, 3) has 6 elements, which do not fill the shape (4, 2)"),
        (ValueError, lambda: X.reshape(4, -1), "reshape: (2, 3) has 6 elements, which do not fill the shape (4, -1)"),
        (ValueError, lambda: X.reshape(-1, -1), "reshape: (2, 3) has 6 elements, which do not fill the shape (-1, -1)"),
        (ValueError, lambda: X.reshape(-2, -3), "reshape: (2, 3) has 6 elements, which do not fill the shape (-2, -3)"),
        (
            ValueError,
            lambda: minidl.zeros(0, 3).reshape(0, -1),
            "reshape: (0, 3) has 0 elements, which do not fill the shape (0, -1)",
        ),
        (TypeError, lambda: X.reshape(2.0, 3), "reshape: a shape is made of integers, not (2.0, 3)"),
        (ValueError, lambda: X.view(5), "view: (2, 3) has 6 elements, which do not fill the shape (5,)"),
        (TypeError, lambda: X.view_as(3), "view_as: other must be a Tensor, not int"),
        (TypeError, lambda: X.reshape_as(3), "reshape_as: other must be a Tensor, not int"),
        (TypeError, lambda: minidl.ravel([1]), "ravel: input must be a Tensor, not list"),
        (ValueError, lambda: X.flatten(1, 0), "flatten: start_dim 1 comes after end_dim 0 (shape (2, 3))"),
        (IndexError, lambda: X.flatten(2), "flatten: start_dim 2 is out of range for 2 dimensions (-2 to 1)"),
        (
            ValueError,
            lambda: X.unflatten(1, (2, -1)),
            "unflatten: (3,) has 3 elements, which do not fill the shape (2, -1)",
        ),
        (
            ValueError,
            lambda: X.unflatten(1, ()),
            "unflatten: a dimension and at least one size are needed (shape (2, 3), sizes ())",
        ),
        (IndexError, lambda: X.squeeze(2), "squeeze: dim 2 is out of range for 2 dimensions (-2 to 1)"),
        (IndexError, lambda: X.unsqueeze(3), "unsqueeze: dim 3 is out of range for 3 dimensions (-3 to 2)"),
        (ValueError, lambda: X.permute(0, 0), "permute: dims (0, 0) do not name each of the 2 dimensions once"),
        (IndexError, lambda: X.transpose(0, 2), "transpose: dim 2 is out of range for 2 dimensions (-2 to 1)"),
        (
            ValueError,
            lambda: minidl.zeros(1, 2, 3).t(),
            "t: at most 2 dimensions, not 3 (shape (1, 2, 3)); transpose names the dimensions",
        ),
        (ValueError, lambda: X[0].mT, "mT: a matrix or a stack of them is needed, not shape (3,)"),
        (
            ValueError,
            lambda: X.movedim((0, 1), 1),
            "movedim: source (0, 1) and destination 1 must name equally many different dimensions",
        ),
        (
            ValueError,
            lambda: X.movedim((0, -2), (0, 1)),
            "movedim: source (0, -2) and destination (0, 1) must name equally many different dimensions",
        ),
        (ValueError, lambda: X.flip(0, 0), "flip: a dimension appears twice in dim=(0, 0)"),
        (IndexError, lambda: X.flip(2), "flip: dim 2 is out of range for 2 dimensions (-2 to 1)"),
        (ValueError, lambda: X.roll((1, 2)), "roll: 2 shifts need as many dims"),
        (ValueError, lambda: X.roll((1, 2), 0), "roll: 2 shifts but 1 dims"),
        (IndexError, lambda: NUMBER.roll(1, 0), "roll: a tensor without dimensions can only be rolled without dims"),
        (
            ValueError,
            lambda: X.broadcast_to((3, 3)),
            "broadcast_to: a tensor of shape (2, 3) does not broadcast to (3, 3) (aligned at the end, lengths must be "
            "equal or 1)",
        ),
        (
            ValueError,
            lambda: X.expand(3),
            "expand: a tensor of shape (2, 3) does not broadcast to (3,) (aligned at the end, lengths must be equal or "
            "1)",
        ),
        (
            ValueError,
            lambda: X.expand(-1, 2, 3),
            "expand: a tensor of shape (2, 3) does not broadcast to (-1, 2, 3) (aligned at the end, lengths must be "
            "equal or 1)",
        ),
        (
            ValueError,
            lambda: X[:1].expand(2**62, 3),
            "expand: no array can have the shape of the result, (4611686018427387904, 3)",
        ),
        (
            ValueError,
            lambda: X.repeat(2**62, 1),
            "repeat: no array can have the shape of the result, (9223372036854775808, 3)",
        ),
        (
            ValueError,
            lambda: X[0].diag(2**31),
            "diag: no array can have the shape of the result, (2147483651, 2147483651)",
        ),
        (ValueError, lambda: X.repeat(2), "repeat: 1 repeats for the 2 dimensions of shape (2, 3)"),
        (
            ValueError,
            lambda: X.repeat(2, -1),
            "repeat: a tensor cannot be repeated a negative number of times: (2, -1)",
        ),
        (ValueError, lambda: X.tile(-1), "tile: a tensor cannot be repeated a negative number of times: (1, -1)"),
        (
            IndexError,
            lambda: X.unfold(2, 1, 1),
            "unfold: dimension 2 is out of range for 2 dimensions (-2 to 1)",
        ),
        (ValueError, lambda: X.unfold(1, 4, 1), "unfold: size 4 does not fit into dimension 1 of shape (2, 3)"),
        (ValueError, lambda: X.unfold(1, -1, 1), "unfold: size -1 does not fit into dimension 1 of shape (2, 3)"),
        (ValueError, lambda: X.unfold(1, 2, 0), "unfold: step must be positive, not 0"),
        (ValueError, lambda: minidl.meshgrid(), "meshgrid: at least one tensor is needed"),
        (ValueError, lambda: minidl.meshgrid(X), "meshgrid: tensor 0 must have at most 1 dimension, not shape (2, 3)"),
        (
            TypeError,
            lambda: minidl.meshgrid(X[0], minidl.arange(2)),
            "meshgrid: tensor 1 is int64, but tensor 0 is float32",
        ),
        (
            ValueError,
            lambda: minidl.meshgrid(X[0], indexing="yx"),
            "meshgrid: indexing must be 'ij' or 'xy', not 'yx'",
        ),
        (ValueError, lambda: X.diagonal(0, 1, -1), "diagonal: dim1 and dim2 are both dimension 1 of shape (2, 3)"),
        (IndexError, lambda: X[0].diagonal(), "diagonal: dim2 1 is out of range for 1 dimensions (-1 to 0)"),
        (TypeError, lambda: X.diagonal(0.5), "diagonal: offset must be an integer, not float"),
        (ValueError, lambda: NUMBER.diag(), "diag: a vector or a matrix is needed, not shape ()"),
        (ValueError, lambda: X[0].trace(), "trace: a matrix is needed, not shape (3,)"),
        (ValueError, lambda: X[0].tril(), "tril: a matrix or a stack of them is needed, not shape (3,)"),
        (ValueError, lambda: X[0].triu(), "triu: a matrix or a stack of them is needed, not shape (3,)"),
        (TypeError, lambda: X.triu(None), "triu: diagonal must be an integer, not NoneType"),
    ],
)
def test_errors(kind, call, text):
    refuses(kind, text, call)
