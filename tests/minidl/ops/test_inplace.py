"""Changes in place: the memory changes, the count goes up, an error leaves both as they were, and every error text."""

import operator
import re

import numpy as np
import pytest
from broadcasts import broadcasting
from hypothesis import given
from hypothesis import strategies as st

import minidl
from minidl import Tensor

TRUE = minidl.tensor([True, False])

# Every operation once, on two float32 elements.
CHANGES = {
    "add_": lambda x: x.add_(1),
    "sub_": lambda x: x.sub_(1),
    "mul_": lambda x: x.mul_(3),
    "div_": lambda x: x.div_(4),
    "clamp_": lambda x: x.clamp_(5, 6),
    "copy_": lambda x: x.copy_(minidl.tensor([8.0, 9.0])),
    "fill_": lambda x: x.fill_(7),
    "masked_fill_": lambda x: x.masked_fill_(TRUE, 7),
    "normal_": lambda x: x.normal_(),
    "uniform_": lambda x: x.uniform_(),
    "zero_": lambda x: x.zero_(),
    "index": lambda x: x.__setitem__(0, 7),
}

every_change = pytest.mark.parametrize("name", CHANGES)


def raises(error, text):
    return pytest.raises(error, match="^" + re.escape(text) + "$")


# --- what all of them do -----------------------------------------------------------------------------------------


@every_change
def test_the_memory_changes_and_the_change_is_counted(name):
    x = minidl.tensor([1.0, 2.0])
    array, view, before = x.array, x.detach(), x.tolist()
    result = CHANGES[name](x)
    assert x.array is array
    assert x.tolist() != before
    assert x.tolist() == view.tolist()
    assert x.version == view.version == [1]
    assert result is (None if name == "index" else x)
    assert x.dtype == minidl.float32


@every_change
def test_without_dimensions(name):
    x = minidl.tensor(1.5)
    array = x.array
    if name == "index":
        x[...] = 7
    elif name == "copy_":
        x.copy_(minidl.tensor(8))
    elif name == "masked_fill_":
        x.masked_fill_(minidl.tensor(True), 7)
    else:
        CHANGES[name](x)
    assert x.array is array
    assert array.shape == ()
    assert array != 1.5


@every_change
def test_a_change_between_forward_and_backward_is_found(name):
    x = minidl.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    CHANGES[name](x.detach())
    text = "backward: Mul needs its input 0 as it was in the forward pass, but it was changed in place since then"
    with raises(RuntimeError, text):
        y.backward()


@every_change
def test_no_gradient_may_be_lost(name):
    leaf = minidl.tensor([1.0, 2.0], requires_grad=True)
    text = (
        f"{name}: a change in place is not recorded, so nothing that takes part may require a gradient; use no_grad(), "
        f"or the operation that returns a new tensor"
    )
    for x in (leaf, leaf * 2):
        with raises(RuntimeError, text):
            CHANGES[name](x)
        assert x.version == [0]
        with minidl.no_grad():
            CHANGES[name](x)
        assert x.version == [1]


@pytest.mark.parametrize(
    "change",
    [
        lambda x, y: x.add_(y),
        lambda x, y: x.copy_(y),
        lambda x, y: x.clamp_(y, 1),
        lambda x, y: x.fill_(y[0]),
        lambda x, y: x.masked_fill_(TRUE, y[0]),
        lambda x, y: x.__setitem__(slice(None), y),
    ],
)
def test_a_value_that_requires_a_gradient_is_refused_too(change):
    x, y = minidl.ones(2), minidl.tensor([3.0, 4.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="a change in place is not recorded"):
        change(x, y)
    assert x.tolist() == [1.0, 1.0]
    with minidl.no_grad():
        change(x, y)
    assert x.version == [1]


@every_change
def test_memory_that_stands_for_several_elements_is_not_written_to(name):
    text = (
        f"{name}: the memory of the tensor cannot be written to (expand and broadcast_to show one element in several "
        f"places, and NumPy arrays may be read-only); clone() it first"
    )
    frozen = np.ones(2, np.float32)
    frozen.flags.writeable = False
    repeated = np.lib.stride_tricks.as_strided(np.ones(1, np.float32), (2,), (0,))
    for x in (minidl.ones(1).broadcast_to((2,)), minidl.from_numpy(frozen), Tensor(repeated)):
        with raises(RuntimeError, text):
            CHANGES[name](x)
        assert x.tolist() == [1.0, 1.0]


@every_change
def test_the_empty_tensor(name):
    x = minidl.zeros(0, 2)
    if name == "index":
        x[:, 0] = 7
    else:
        CHANGES[name](x)
    assert x.version == [1]


ASSIGNMENTS = {
    "+=": (operator.iadd, [3.0, 4.0]),
    "-=": (operator.isub, [-1.0, 0.0]),
    "*=": (operator.imul, [2.0, 4.0]),
    "/=": (operator.itruediv, [0.5, 1.0]),
}


@pytest.mark.parametrize(("assign", "expected"), ASSIGNMENTS.values(), ids=ASSIGNMENTS)
def test_an_assignment_changes_in_place_where_nothing_is_recorded(assign, expected):
    x, w = minidl.tensor([1.0, 2.0]), minidl.tensor([1.0, 2.0], requires_grad=True)
    assert assign(x, 2.0) is x
    assert x.tolist() == expected
    assert x.version == [1]
    with minidl.no_grad():
        assert assign(w, 2.0) is w
    assert w.tolist() == expected
    assert w.requires_grad
    assert w.is_leaf


@pytest.mark.parametrize(("assign", "expected"), ASSIGNMENTS.values(), ids=ASSIGNMENTS)
def test_an_assignment_that_is_recorded_makes_a_new_tensor(assign, expected):
    x = minidl.tensor([1.0, 2.0], requires_grad=True)
    y = assign(x, 2.0)
    assert y is not x
    assert x.tolist() == [1.0, 2.0]
    assert y.tolist() == expected
    total = minidl.zeros(2)
    total = assign(total, x)
    assert total.requires_grad


# --- arithmetic --------------------------------------------------------------------------------------------------


@given(broadcasting(), st.sampled_from(["add", "sub", "mul", "div"]))
def test_the_value_alone_is_broadcast(arrays, name):
    x, y = arrays
    tensor = minidl.tensor(x)
    shape = np.broadcast_shapes(x.shape, y.shape)
    if shape == x.shape:
        expected = getattr(minidl, name)(minidl.tensor(x), minidl.tensor(y))
        assert getattr(tensor, f"{name}_")(minidl.tensor(y)) is tensor
        np.testing.assert_array_equal(tensor.array, expected.array)
    else:
        with raises(ValueError, f"{name}_: the result has shape {shape}, but the tensor has shape {x.shape}"):
            getattr(tensor, f"{name}_")(minidl.tensor(y))
        np.testing.assert_array_equal(tensor.array, x)
        assert tensor.version == [0]


def test_the_dtype_of_the_tensor_stays():
    wide = minidl.ones(2, dtype=minidl.float64)
    for dtype in (minidl.float16, minidl.float32):
        assert minidl.ones(2, dtype=dtype).add_(wide).dtype == dtype
    assert minidl.tensor([1, 2], dtype=minidl.int8).add_(minidl.tensor([1, 2])).tolist() == [2, 4]
    assert minidl.tensor([1, 2]).mul_(True).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda x: x.add_(1.5), "add_: the result is float32, which a tensor of int64 cannot hold"),
        (lambda x: x.mul_(minidl.ones(2)), "mul_: the result is float32, which a tensor of int64 cannot hold"),
        (lambda x: x.div_(2), "div_: the result is float32, which a tensor of int64 cannot hold"),
        (lambda x: x.clamp_(0.5), "clamp_: the result is float32, which a tensor of int64 cannot hold"),
    ],
)
def test_a_result_of_a_higher_kind_is_refused(change, text):
    x = minidl.tensor([1, 2])
    with raises(TypeError, text):
        change(x)
    assert x.tolist() == [1, 2]
    assert x.version == [0]


def test_booleans_hold_booleans_only():
    x = minidl.tensor([True, False])
    with raises(TypeError, "add_: the result is int64, which a tensor of bool cannot hold"):
        x.add_(1)
    assert x.add_(minidl.tensor([False, True])).tolist() == [True, True]


def test_a_tensor_and_its_own_transpose():
    x = minidl.arange(9).reshape(3, 3)
    expected = x.array + x.array.T
    assert x.add_(x.t()).tolist() == expected.tolist()


# --- new values --------------------------------------------------------------------------------------------------


def test_copy_and_fill_cast():
    assert minidl.tensor([0, 0]).copy_(minidl.tensor([1.7, -1.7])).tolist() == [1, -1]
    assert minidl.zeros(2, 2).copy_(minidl.tensor([1, 2])).tolist() == [[1.0, 2.0], [1.0, 2.0]]
    assert minidl.tensor([0, 0]).fill_(2.7).tolist() == [2, 2]
    assert minidl.zeros(2).fill_(minidl.tensor(3)).tolist() == [3.0, 3.0]


def test_copying_from_the_same_memory():
    x = minidl.arange(4)
    x[1:].copy_(x[:-1])
    assert x.tolist() == [0, 0, 1, 2]
    x[:-1] = x[1:]
    assert x.tolist() == [0, 1, 2, 2]


def test_errors_of_copy_and_fill():
    x = minidl.zeros(2)
    with raises(TypeError, "copy_: src must be a Tensor, not list"):
        x.copy_([1.0, 2.0])
    with raises(ValueError, "copy_: src has shape (2, 2), which does not broadcast to the shape (2,)"):
        x.copy_(minidl.ones(2, 2))
    end = "do not broadcast (aligned at the end, lengths must be equal or 1)"
    with raises(ValueError, f"copy_: shapes (2,) and (3,) {end}"):
        x.copy_(minidl.ones(3))
    with raises(ValueError, "fill_: value must be a number or a tensor without dimensions, not of shape (2,)"):
        x.fill_(minidl.ones(2))
    with raises(TypeError, "fill_: value must be a Tensor or a number, not str"):
        x.fill_("1")
    with raises(ValueError, "fill_: 300 does not fit into uint8"):
        minidl.zeros(2, dtype=minidl.uint8).fill_(300)
    with raises(ValueError, "fill_: nan does not fit into int64"):
        minidl.zeros(2, dtype=minidl.int64).fill_(float("nan"))
    with raises(
        ValueError, "add: shapes (2,) and (3,) do not broadcast (aligned at the end, lengths must be equal or 1)"
    ):
        x.add_(minidl.ones(3))
    assert x.tolist() == [0.0, 0.0]
    assert x.version == [0]


# --- x[index] = value --------------------------------------------------------------------------------------------

INDICES = [
    1,
    -1,
    slice(1, None),
    slice(None, None, 2),
    ...,
    None,
    (slice(None), 2),
    (0, 1),
    (..., slice(0, 2)),
    (None, 1, ..., None),
    [0, 2],
    np.array([2, 0]),
    (np.array([0, 2]), slice(1, 3)),
    (slice(None), np.array([3, 0])),
    (np.array([0, 1]), np.array([1, 3])),
    (np.array([[0], [1]]), np.array([1, 3])),
    np.arange(12).reshape(3, 4) % 2 == 0,
    np.array([True, False, True]),
    (slice(None), np.array([True, False, True, False])),
    True,
    False,
]


@pytest.mark.parametrize("index", INDICES, ids=repr)
@pytest.mark.parametrize("as_tensors", [False, True], ids=["arrays", "tensors"])
def test_assignment_is_numpys(index, as_tensors):
    expected = np.arange(12.0).reshape(3, 4)
    values = 100 + np.arange(expected[index].size, dtype=float).reshape(expected[index].shape)
    parts = index if isinstance(index, tuple) else (index,)
    if as_tensors:
        parts = tuple(minidl.tensor(part) if isinstance(part, (np.ndarray, list)) else part for part in parts)
    x = minidl.arange(12.0, dtype=minidl.float64).reshape(3, 4)
    version = x.version[0]
    x[parts if isinstance(index, tuple) else parts[0]] = minidl.tensor(values)
    expected[index] = values
    np.testing.assert_array_equal(x.array, expected)
    assert x.version[0] == version + 1
    x[parts if isinstance(index, tuple) else parts[0]] = 5
    expected[index] = 5
    np.testing.assert_array_equal(x.array, expected)


def test_an_augmented_assignment_to_elements():
    x = minidl.zeros(3)
    x[1] += 2
    x[[*TRUE.tolist(), True]] *= 3
    assert x.tolist() == [0.0, 2.0, 0.0]


@pytest.mark.parametrize(
    ("index", "value", "error", "text"),
    [
        (5, 1, IndexError, "index: 5 (position 0) is out of range for dimension 0 of shape (2,) (-2 to 1)"),
        (
            minidl.tensor([0, 5]),
            1,
            IndexError,
            "index: 5 (at [1] of the index array) is out of range for dimension 0 of shape (2,) (-2 to 1)",
        ),
        (
            slice(None),
            minidl.ones(3),
            ValueError,
            "index: a value of shape (3,) does not broadcast to the selected shape (2,)",
        ),
        (0, minidl.ones(2), ValueError, "index: a value of shape (2,) does not broadcast to the selected shape ()"),
        (
            minidl.tensor([0, 1, 0]),
            minidl.ones(2),
            ValueError,
            "index: a value of shape (2,) does not broadcast to the selected shape (3,)",
        ),
        (
            TRUE,
            minidl.ones(2),
            ValueError,
            "index: a value of shape (2,) does not broadcast to the selected shape (1,)",
        ),
        (0, [1.0], TypeError, "index: value must be a Tensor or a number, not list"),
        (0, "1", TypeError, "index: value must be a Tensor or a number, not str"),
        (0, np.ones(1), TypeError, "index: value must be a Tensor or a number, not ndarray"),
    ],
)
def test_errors_of_assignment_change_nothing(index, value, error, text):
    x = minidl.zeros(2)
    with raises(error, text):
        x[index] = value
    assert x.tolist() == [0.0, 0.0]
    assert x.version == [0]


# --- random numbers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [minidl.float16, minidl.float32, minidl.float64])
def test_random_numbers_have_the_moments_asked_for(dtype):
    minidl.manual_seed(0)
    x = minidl.zeros(100, 1000, dtype=dtype)
    values = x.normal_(3, 2).array.astype(np.float64)
    assert abs(values.mean() - 3) < 0.03
    assert abs(values.std() - 2) < 0.03
    values = x.uniform_(-1, 3).array.astype(np.float64)
    assert abs(values.mean() - 1) < 0.03
    assert abs(values.std() - 4 / 12**0.5) < 0.03
    assert -1 <= values.min() < -0.99
    assert 2.99 < values.max() <= 3


def test_random_numbers_follow_from_the_seed():
    for name in ("normal_", "uniform_"):
        minidl.manual_seed(3)
        first, second = (getattr(minidl.zeros(4), name)().tolist() for _ in range(2))
        assert first != second
        minidl.manual_seed(3)
        assert getattr(minidl.zeros(4), name)().tolist() == first
        assert getattr(minidl.zeros(4), name)(generator=minidl.Generator().manual_seed(3)).tolist() == first


def test_errors_of_random_numbers_draw_nothing():
    state = minidl.get_rng_state()
    x = minidl.zeros(2)
    with raises(ValueError, "uniform_: from_ must not be greater than to, but from_=2, to=1"):
        x.uniform_(2, 1)
    with raises(ValueError, "normal_: std must not be negative, but is -1"):
        x.normal_(0, -1)
    with raises(TypeError, "uniform_: to must be a number, not NoneType"):
        x.uniform_(0, None)
    with raises(TypeError, "normal_: mean must be a number, not str"):
        x.normal_("0")
    for name in ("normal_", "uniform_"):
        with raises(TypeError, f"{name}: input must be a floating-point tensor, not int64"):
            getattr(minidl.tensor([1, 2]), name)()
    assert minidl.get_rng_state().equal(state)
    assert x.version == [0]
