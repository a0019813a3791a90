"""From Tensors to numbers, lists and NumPy arrays, and what Python's own words do with a Tensor."""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import minidl


def refuses(error_type, text, call):
    with pytest.raises(error_type) as error:
        call()
    assert str(error.value) == text


@given(arrays(st.sampled_from([np.float32, np.int64, np.bool_]), array_shapes(min_dims=0, min_side=0)))
def test_tolist_numpy_and_iteration(array):
    x = minidl.from_numpy(array)
    assert repr(x.tolist()) == repr(array.tolist())
    assert x.numpy().__array_interface__ == array.__array_interface__  # the same memory, seen the same way
    assert (x.numel(), x.size(), x.dim()) == (array.size, array.shape, array.ndim)
    assert x.stride() == tuple(step // array.itemsize for step in array.strides)
    if array.ndim:
        assert len(x) == len(array)
        assert repr([row.tolist() for row in x]) == repr(array.tolist())
        assert x.size(-1) == array.shape[-1]
        assert x.stride(-1) == x.stride()[-1]


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1)])
def test_a_tensor_with_one_element_is_a_number(shape):
    x = minidl.full(shape, 2.5, requires_grad=True)
    assert type(x.item()) is float
    assert x.item() == float(x) == 2.5
    assert int(x) == 2
    assert type(minidl.full(shape, 3).item()) is int
    assert type(minidl.full(shape, True).item()) is bool
    assert bool(x) is True
    assert bool(x - 2.5) is False
    assert range(5)[minidl.full(shape, 3)] == 3


def test_float32_numbers_come_out_as_they_are():
    assert minidl.tensor(0.1).item() == float(np.float32(0.1))
    assert math.isnan(minidl.tensor(math.nan).item())


def test_numpy_shares_memory():
    x = minidl.zeros(3)
    x.numpy()[1] = 5
    np.asarray(x)[2] = 6
    assert x.tolist() == [0.0, 5.0, 6.0]
    assert np.array(x) is not x.array
    assert np.asarray(x, np.int64).dtype == np.int64
    assert not np.shares_memory(np.array(x, copy=True), x.array)
    y = minidl.ones(2, requires_grad=True) * 2
    np.testing.assert_array_equal(y.numpy(force=True), [2.0, 2.0])


def test_functions_of_numpy_take_tensors_as_arrays():
    x = minidl.tensor([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(np.concatenate([x, x]), np.tile(x.array, (2, 1)))
    np.testing.assert_array_equal(np.stack(list(x)), x.array)


def test_in():
    x = minidl.tensor([[1.0, 2.0], [3.0, math.nan]])
    assert 2 in x
    assert minidl.tensor(3.0) in x
    assert 5.0 not in x
    assert math.nan not in x
    refuses(TypeError, "in: a tensor contains numbers, not str", lambda: "a" in x)


def test_format():
    x = minidl.tensor(1.25, requires_grad=True)
    assert f"{x:.1f}|{x:8.3f}|{minidl.tensor(3):03d}" == "1.2|   1.250|003"
    assert f"{x}" == "tensor(1.2500, requires_grad=True)"
    refuses(
        TypeError,
        "format: '.2f' needs a tensor without dimensions, not one of shape (1,)",
        lambda: f"{minidl.zeros(1):.2f}",
    )


def test_questions():
    assert minidl.is_tensor(minidl.zeros(1))
    assert not minidl.is_tensor([1.0])
    assert minidl.numel(minidl.zeros(2, 3)) == 6


# --- copies ------------------------------------------------------------------------------------------------------


def test_a_shallow_copy_shares_memory_gradient_and_the_count_of_changes():
    x = minidl.ones(2, requires_grad=True)
    (x * 3).sum().backward()
    y = copy.copy(x)
    assert y is not x
    assert np.shares_memory(y.array, x.array)
    assert y.version is x.version
    assert y.grad is x.grad
    assert y.is_leaf
    assert y.requires_grad
    z = copy.copy(x * 2)
    z.sum().backward()
    assert x.grad.tolist() == [5.0, 5.0]


def test_a_deep_copy_shares_nothing():
    x = minidl.ones(2, requires_grad=True)
    (x * 3).sum().backward()
    y = copy.deepcopy(x)
    assert not np.shares_memory(y.array, x.array)
    assert not np.shares_memory(y.grad.array, x.grad.array)
    assert y.grad.tolist() == [3.0, 3.0]


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_leaves_can_be_pickled(protocol):
    x = minidl.tensor([[1.5, math.inf]], requires_grad=True)
    y = pickle.loads(pickle.dumps(x, protocol))
    assert y.tolist() == x.tolist()
    assert y.dtype == x.dtype
    assert y.requires_grad
    assert not pickle.loads(pickle.dumps(minidl.arange(3), protocol)).requires_grad


def test_the_graph_cannot_be_pickled():
    x = minidl.ones(2, requires_grad=True)
    refuses(
        RuntimeError,
        "pickle: only leaves can be pickled, since the graph stays behind; use detach()",
        lambda: pickle.dumps(x * 2),
    )


# --- errors ------------------------------------------------------------------------------------------------------

X, NUMBER = minidl.zeros(2, 3), minidl.tensor(1.5)
LEAF = minidl.zeros(2, requires_grad=True)
AMBIGUOUS = "bool: the truth value of a tensor of shape {} is ambiguous; use any() or all() on a comparison"


@pytest.mark.parametrize(
    ("kind", "call", "text"),
    [
        (RuntimeError, X.item, "item: a tensor with one element is needed, not one of shape (2, 3)"),
        (RuntimeError, lambda: float(X), "float: a tensor with one element is needed, not one of shape (2, 3)"),
        (RuntimeError, lambda: int(X), "int: a tensor with one element is needed, not one of shape (2, 3)"),
        (RuntimeError, lambda: bool(X), AMBIGUOUS.format("(2, 3)")),
        (RuntimeError, lambda: bool(minidl.zeros(0)), AMBIGUOUS.format("(0,)")),
        (ValueError, lambda: int(minidl.tensor(math.nan)), "int: nan is not a finite number"),
        (ValueError, lambda: int(minidl.tensor(-math.inf)), "int: -inf is not a finite number"),
        (
            TypeError,
            lambda: range(NUMBER),
            "index: a tensor with one integer is needed, not one of float32 with shape ()",
        ),
        (
            TypeError,
            lambda: range(minidl.arange(2)),
            "index: a tensor with one integer is needed, not one of int64 with shape (2,)",
        ),
        (
            RuntimeError,
            LEAF.numpy,
            "numpy: the tensor requires a gradient, which NumPy would lose; use detach().numpy()",
        ),
        (
            RuntimeError,
            lambda: np.asarray(LEAF * 2),
            "numpy: the tensor requires a gradient, which NumPy would lose; use detach().numpy()",
        ),
        (TypeError, lambda: len(NUMBER), "len: a tensor without dimensions has no length"),
        (TypeError, lambda: list(NUMBER), "iter: a tensor without dimensions cannot be iterated over"),
        (IndexError, lambda: X.size(2), "size: dim 2 is out of range for 2 dimensions (-2 to 1)"),
        (IndexError, lambda: NUMBER.size(0), "size: a tensor without dimensions has no dimension 0"),
        (IndexError, lambda: NUMBER.stride(0), "stride: a tensor without dimensions has no dimension 0"),
        (TypeError, lambda: minidl.numel([1]), "numel: input must be a Tensor, not list"),
    ],
)
def test_errors(kind, call, text):
    refuses(kind, text, call)
