"""x[...] in all of its forms: PyTorch's values and shapes, views and copies, both orders, every error text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
from minidl.ops.indexing import positions
from minidl.testing import gradcheck, gradgradcheck


def leaf(*shape, seed=0):
    return minidl.tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


def refuses(error_type, text, call):
    with pytest.raises(error_type) as error:
        call()
    assert str(error.value) == text


# --- against PyTorch ---------------------------------------------------------------------------------------------


@st.composite
def indices(draw):
    """A shape and an index for it as a list of parts; arrays stand for what becomes a tensor, an array or a list."""
    shape = tuple(draw(st.lists(st.integers(1, 4), max_size=4)))
    common = draw(st.sampled_from([(), (2,), (3, 1), (0,)]))  # the shape that index arrays broadcast to
    parts, dim = [], 0
    ellipsis_at = draw(st.integers(0, 6))
    while dim < len(shape):
        if len(parts) == ellipsis_at:
            parts.append(...)
            dim += draw(st.integers(0, len(shape) - dim))
            ellipsis_at = -1
            continue
        n = shape[dim]
        kind = draw(
            st.sampled_from(["integer", "slice", "slice", "none", "array", "array", "mask", "wide mask", "stop"])
        )
        if kind == "integer":
            parts.append(draw(st.integers(-n, n - 1)))
        elif kind == "slice":
            ends = st.none() | st.integers(-n - 2, n + 2)
            parts.append(slice(draw(ends), draw(ends), draw(st.none() | st.integers(1, 3))))
        elif kind == "none":
            parts.append(None)
            continue
        elif kind == "array" and common:
            count = int(np.prod(common))
            numbers = draw(st.lists(st.integers(-n, n - 1), min_size=count, max_size=count))
            parts.append(np.array(numbers, int).reshape(common))
        elif kind == "mask" and not common:
            parts.append(np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n))))
            common = (int(parts[-1].sum()),)  # what follows must broadcast against the elements that the mask names
        elif kind == "wide mask" and not common and dim + 1 < len(shape):
            count = n * shape[dim + 1]
            bits = draw(st.lists(st.booleans(), min_size=count, max_size=count))
            parts.append(np.array(bits).reshape(n, shape[dim + 1]))
            common = (sum(bits),)
            dim += 1
        elif ellipsis_at < 0:  # behind an ellipsis every dimension needs its part
            parts.append(slice(None))
        else:
            break
        dim += 1
    return shape, parts


def index_for(lib, parts):
    index = tuple(lib.tensor(part) if isinstance(part, np.ndarray) else part for part in parts)
    return index[0] if len(index) == 1 else index


@settings(max_examples=300)
@given(indices())
def test_value_and_gradients_of_both_orders_are_pytorchs(drawn):
    torch = pytest.importorskip("torch", reason="the oracle of this test is PyTorch")
    shape, parts = drawn
    array = np.random.default_rng(0).standard_normal(shape)
    found = []
    for lib, gradients in ((minidl, minidl.grad), (torch, torch.autograd.grad)):
        x = lib.tensor(array, requires_grad=True)
        y = x[index_for(lib, parts)]
        weight = lib.tensor(np.random.default_rng(1).standard_normal(tuple(y.shape)), requires_grad=True)
        (g,) = gradients((y * y * weight).sum(), [x], create_graph=True)
        second = gradients((g * g).sum(), [x, weight])
        found.append([value.detach().numpy() for value in (y, g, *second)])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, strict=True)


@given(indices())
def test_arrays_and_lists_index_like_tensors(drawn):
    shape, parts = drawn
    x = minidl.tensor(np.random.default_rng(0).standard_normal(shape))
    expected = x[index_for(minidl, parts)]
    for convert in (lambda part: part, lambda part: part.tolist()):
        index = tuple(convert(part) if isinstance(part, np.ndarray) else part for part in parts)
        np.testing.assert_array_equal(x[index].array, expected.array, strict=True)


def test_an_integer_beside_an_index_array_is_taken_first():
    """As in PyTorch; NumPy moves the index to the front here, since it takes the integer for an index array too."""
    x = minidl.tensor(np.arange(24).reshape(2, 3, 4))
    assert x[0, :, [0, 1]].shape == (3, 2)
    assert x.array[0, :, [0, 1]].shape == (2, 3)


def test_numpy_numbers_and_tensors_of_one_integer_are_integers():
    x = minidl.arange(12).reshape(3, 4)
    for one in (np.int64(1), minidl.tensor(1), np.array(1)):
        assert x[one].tolist() == [4, 5, 6, 7]
        assert x[one].version is x.version
    assert x[:, minidl.tensor(1) : np.int32(3)].tolist() == [[1, 2], [5, 6], [9, 10]]
    assert x[np.True_].shape == x[minidl.tensor(True)].shape == (1, 3, 4)
    assert x[np.array(False)].shape == (0, 3, 4)


# --- memory ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0, slice(1, 3), (..., 1), None, (slice(None), 0), ..., (0, 0)], ids=str)
def test_integers_and_slices_give_views(index):
    x = minidl.zeros(3, 4)
    y = x[index]
    assert np.shares_memory(x.array, y.array)
    assert y.version is x.version


@pytest.mark.parametrize("index", [[0, 1], np.array([True, False, True]), (slice(None), [0]), True], ids=str)
def test_index_arrays_and_masks_give_copies(index):
    x = minidl.zeros(3, 4)
    y = x[index]
    assert not np.shares_memory(x.array, y.array)
    assert y.version is not x.version


@pytest.mark.parametrize("make", [lambda: minidl.tensor([0, 2, 1]), lambda: minidl.tensor([True, False, True])])
def test_an_index_changed_in_place_is_found_out(make):
    x, index = leaf(3, 2), make()
    y = x[index]
    index.array[...] = 0
    index.version[0] += 1
    refuses(
        RuntimeError,
        "backward: Pick needs its input 1 as it was in the forward pass, but it was changed in place since then",
        lambda: y.sum().backward(),
    )


def test_an_index_changed_after_the_first_of_two_backward_passes_is_found_out():
    x, index = leaf(3, 2), minidl.tensor([0, 2, 2])
    weight = leaf(3, 2, seed=1)
    (g,) = minidl.grad((x[index] * weight).sum(), x, create_graph=True)
    index.version[0] += 1
    refuses(
        RuntimeError,
        "backward: AddAt needs its input 1 as it was in the forward pass, but it was changed in place since then",
        lambda: (g * g).sum().backward(),
    )


def test_an_index_given_as_an_array_is_copied():
    x, index = leaf(3), np.array([0, 0])
    y = x[index]
    index[:] = 2
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.array, [2.0, 0.0, 0.0])


def test_rows_named_many_times_get_the_sum_of_all_gradients():
    numbers = np.random.default_rng(0).integers(0, 7, (50, 20))
    g = np.random.default_rng(1).standard_normal((50, 20, 3))
    x = leaf(7, 3)
    x[minidl.tensor(numbers)].backward(minidl.tensor(g))
    expected = [g[numbers == row].sum(0) for row in range(7)]
    np.testing.assert_allclose(x.grad.array, expected, rtol=1e-12)


def test_positions_in_memory_are_computed_in_int64():
    assert positions([np.array([2**19], np.int32)], (2**20, 2**13, 1))[0, 1] == 2**32 + 1
    assert positions([np.array([2**19], np.int32), np.array([5], np.int32)], (2**20, 2**13))[0] == 2**32 + 5


# --- other selections --------------------------------------------------------------------------------------------


@given(st.integers(1, 4), st.data())
def test_select_narrow_and_index_select_are_indexing(n, data):
    x = leaf(2, n, 3)
    i = data.draw(st.integers(-n, n - 1))
    start = data.draw(st.integers(0, n))
    length = data.draw(st.integers(0, n - start))
    numbers = np.array(data.draw(st.lists(st.integers(0, n - 1), max_size=5)), int)
    for found, expected in (
        (x.select(1, i), x.array[:, i]),
        (x.narrow(1, start, length), x.array[:, start : start + length]),
        (x.index_select(-2, minidl.tensor(numbers)), x.array[:, numbers]),
    ):
        np.testing.assert_array_equal(found.array, expected, strict=True)
    assert gradcheck(lambda x: x.index_select(1, minidl.tensor(numbers)), [x])
    assert gradgradcheck(lambda x: x.index_select(1, minidl.tensor(numbers)) * x.sum(), [x])


def test_without_dimensions():
    x = leaf()
    assert x[...].shape == x[()].shape == ()
    assert x[None].shape == x[True].shape == x[minidl.tensor(True)].shape == (1,)
    assert x[False].shape == (0,)
    assert x.index_select(0, minidl.tensor([0])).shape == ()
    assert x.take(minidl.tensor([0, -1])).shape == (2,)
    assert x.masked_select(minidl.tensor([True, False, True])).shape == (2,)
    assert minidl.nonzero(x).shape == (1, 0)


# --- errors ------------------------------------------------------------------------------------------------------

T = minidl.tensor
ERRORS = [
    (IndexError, 3, "index: 3 (position 0) is out of range for dimension 0 of shape (3, 4) (-3 to 2)"),
    (IndexError, (0, -5), "index: -5 (position 1) is out of range for dimension 1 of shape (3, 4) (-4 to 3)"),
    (IndexError, (None, ..., 4), "index: 4 (position 2) is out of range for dimension 1 of shape (3, 4) (-4 to 3)"),
    (IndexError, (0, 0, 0), "index: 3 indices are too many for a tensor of shape (3, 4)"),
    (IndexError, (..., ...), "index: an index can have only one ellipsis (...)"),
    (
        IndexError,
        [0, 3],
        "index: 3 (at [1] of the index array) is out of range for dimension 0 of shape (3, 4) (-3 to 2)",
    ),
    (
        IndexError,
        (slice(None), T([[0, 1], [-5, 9]])),
        "index: -5 (at [1, 0] of the index array) is out of range for dimension 1 of shape (3, 4) (-4 to 3)",
    ),
    (
        IndexError,
        T([True, False]),
        "index: the mask at position 0 has shape (2,), but the dimensions that it covers have shape (3,) (tensor "
        "(3, 4))",
    ),
    (
        IndexError,
        np.ones((3, 5), bool),
        "index: the mask at position 0 has shape (3, 5), but the dimensions that it covers have shape (3, 4) (tensor "
        "(3, 4))",
    ),
    (IndexError, np.ones((3, 4, 1), bool), "index: 3 indices are too many for a tensor of shape (3, 4)"),
    (
        TypeError,
        1.0,
        "index: float cannot be an index (integers, slices, None, ..., index arrays and masks can)",
    ),
    (TypeError, "a", "index: str cannot be an index (integers, slices, None, ..., index arrays and masks can)"),
    (TypeError, T([1.0]), "index: an index array holds signed integers or booleans, not float32"),
    (TypeError, [0.5], "index: an index array holds signed integers or booleans, not float64"),
    (TypeError, [None], "index: an index array holds signed integers or booleans, not object"),
    (
        TypeError,
        T([1], dtype=minidl.uint8),
        "index: an index array holds signed integers or booleans, not uint8: to(minidl.int64) makes numbers of it, "
        "to(minidl.bool) a mask",
    ),
    (TypeError, slice(0.5, None), "index: a slice is made of integers and None, not slice(0.5, None, None)"),
    (
        ValueError,
        slice(None, None, -1),
        "index: the step of a slice must be positive, not -1 (flip reverses a dimension)",
    ),
    (
        ValueError,
        slice(None, None, 0),
        "index: the step of a slice must be positive, not 0 (flip reverses a dimension)",
    ),
    (
        ValueError,
        ([0, 1], [0, 1, 2]),
        "index: shapes (2,) and (3,) do not broadcast (aligned at the end, lengths must be equal or 1)",
    ),
    (ValueError, [[0], [0, 1]], "index: nested lists must have the same length in each dimension"),
]


@pytest.mark.parametrize(("kind", "index", "text"), ERRORS, ids=[str(entry[1]) for entry in ERRORS])
def test_errors_of_an_index(kind, index, text):
    refuses(kind, text, lambda: minidl.zeros(3, 4)[index])


def test_an_empty_dimension_has_no_elements_to_name():
    refuses(
        IndexError,
        "index: 0 (position 0) is out of range for dimension 0 of shape (0, 2) (it has no elements)",
        lambda: minidl.zeros(0, 2)[0],
    )


@pytest.mark.parametrize(
    ("kind", "call", "text"),
    [
        (IndexError, lambda x: x.select(2, 0), "select: dim 2 is out of range for 2 dimensions (-2 to 1)"),
        (
            IndexError,
            lambda x: x.select(1, 4),
            "select: 4 (position 1) is out of range for dimension 1 of shape (3, 4) (-4 to 3)",
        ),
        (TypeError, lambda x: x.select(0, 1.5), "select: index must be an integer, not float"),
        (
            IndexError,
            lambda x: x[0, 0].select(0, 0),
            "select: a tensor without dimensions has nothing to select from",
        ),
        (
            IndexError,
            lambda x: x.narrow(0, 2, 2),
            "narrow: start 2 with length 2 is out of range for dimension 0 of shape (3, 4)",
        ),
        (
            IndexError,
            lambda x: x.narrow(0, 0, -1),
            "narrow: start 0 with length -1 is out of range for dimension 0 of shape (3, 4)",
        ),
        (TypeError, lambda x: x.narrow(0, 0, 1.0), "narrow: length must be an integer, not float"),
        (IndexError, lambda x: x[0, 0].narrow(0, 0, 0), "narrow: a tensor without dimensions cannot be narrowed"),
        (
            TypeError,
            lambda x: x.index_select(0, [0]),
            "index_select: index must be a Tensor, not list",
        ),
        (
            TypeError,
            lambda x: x.index_select(0, T([0.0])),
            "index_select: index must be a tensor of signed integers, not float32",
        ),
        (
            IndexError,
            lambda x: x.index_select(0, T([[0]])),
            "index_select: index must have at most 1 dimension, not shape (1, 1)",
        ),
        (
            IndexError,
            lambda x: x.index_select(1, T([0, 4])),
            "index_select: 4 (at [1] of the index array) is out of range for dimension 1 of shape (3, 4) (-4 to 3)",
        ),
        (
            IndexError,
            lambda x: x.index_select(1, T([0, -1])),
            "index_select: -1 (at [1] of the index array) is negative; counting from the end is for x[...] alone",
        ),
        (
            IndexError,
            lambda x: x.take(T(12)),
            "take: 12 (at [] of the index array) is out of range for dimension 0 of shape (12,) (-12 to 11)",
        ),
        (IndexError, lambda x: x[:0].take(T([0])), "take: the input has no elements (shape (0, 4))"),
        (
            TypeError,
            lambda x: x.masked_select(T([1, 0, 1, 0])),
            "masked_select: mask must be a boolean tensor, not int64",
        ),
        (
            ValueError,
            lambda x: x.masked_select(T([True, False])),
            "masked_select: shapes (3, 4) and (2,) do not broadcast (aligned at the end, lengths must be equal or 1)",
        ),
    ],
)
def test_errors_of_selections(kind, call, text):
    refuses(kind, text, lambda: call(minidl.zeros(3, 4)))
