"""Tensors from data, filled with one number, and as sequences: PyTorch's values and dtypes, every error text."""

import math

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


def same_as_torch(call, rtol=0.0, atol=0.0):
    torch = pytest.importorskip("torch", reason="the oracle of this test is PyTorch")
    found, expected = call(minidl), call(torch)
    assert str(found.dtype) == str(expected.dtype).removeprefix("torch.")
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=rtol, atol=atol, strict=True)


# --- from data ---------------------------------------------------------------------------------------------------

leaves = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))


@given(st.lists(leaves, min_size=1, max_size=4), st.sampled_from(["flat", "nested", "tuple", "number"]))
def test_python_data_become_what_they_become_in_pytorch(numbers, form):
    data = {"flat": numbers, "nested": [numbers, numbers], "tuple": (tuple(numbers),), "number": numbers[0]}[form]
    same_as_torch(lambda lib: lib.tensor(data))


@given(arrays(st.sampled_from([np.float32, np.float64, np.int8, np.bool_]), array_shapes(min_dims=0, min_side=0)))
def test_arrays_keep_their_dtype_and_are_copied(array):
    x = minidl.tensor(array)
    assert x.dtype == array.dtype
    assert repr(x.tolist()) == repr(array.tolist())
    assert not np.shares_memory(x.array, array)


def test_tensor_copies_a_tensor_out_of_the_graph():
    x = minidl.ones(2, requires_grad=True)
    y = minidl.tensor(x * 2)
    assert y.is_leaf
    assert not y.requires_grad
    assert minidl.tensor(x, dtype=minidl.int64).tolist() == [1, 1]
    assert minidl.tensor([x[0], 3 * x[1]]).tolist() == [1.0, 3.0]
    assert minidl.tensor([[x[0]], [2.5]]).tolist() == [[1.0], [2.5]]


def test_as_tensor_copies_only_what_it_must():
    x, array = minidl.ones(2, requires_grad=True), np.ones(2, np.float32)
    assert minidl.as_tensor(x) is x
    assert minidl.as_tensor(x, dtype=minidl.float64).grad_fn is not None
    assert np.shares_memory(minidl.as_tensor(array).array, array)
    assert not np.shares_memory(minidl.as_tensor(array, dtype=minidl.float64).array, array)
    assert minidl.as_tensor([1, 2]).tolist() == [1, 2]


def test_from_numpy_shares_memory():
    array = np.arange(6.0).reshape(2, 3).T
    x = minidl.from_numpy(array)
    array[0, 0] = 7
    assert x[0, 0].item() == 7.0
    assert not x.is_contiguous()


# --- filled and sequences ----------------------------------------------------------------------------------------

SHAPES = [(), (0,), (3,), (2, 0, 3), (2, 3)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shapes_as_numbers_and_as_a_tuple(shape):
    for make in (minidl.zeros, minidl.ones, minidl.empty, minidl.rand, minidl.randn):
        assert make(shape).shape == make(list(shape)).shape == shape
        if shape:
            assert make(*shape).shape == shape
        assert make(shape).dtype == minidl.float32
        assert make(shape, dtype=minidl.float64, requires_grad=True).requires_grad
    for like in (minidl.zeros_like, minidl.ones_like, minidl.empty_like, minidl.rand_like, minidl.randn_like):
        x = like(minidl.zeros(shape, dtype=minidl.float64))
        assert (x.shape, x.dtype) == (shape, minidl.float64)
        assert like(x, dtype=minidl.float16, requires_grad=True).dtype == minidl.float16


def test_sizes_may_be_numpy_integers_and_tensors():
    assert minidl.zeros(np.int64(2), minidl.tensor(3)).shape == (2, 3)


@given(st.integers(-20, 20), st.integers(-20, 20), st.integers(-5, 5).filter(bool))
def test_arange_of_integers(start, end, step):
    if (end - start) * step < 0:
        refuses(
            ValueError,
            f"arange: steps of {step} lead from {start} away from {end}",
            lambda: minidl.arange(start, end, step),
        )
    else:
        same_as_torch(lambda lib: lib.arange(start, end, step))


@given(st.floats(-20, 20), st.floats(0, 20), st.floats(0.1, 5), st.sampled_from([1, -1]))
def test_arange_of_floats(start, width, step, sign):
    end, step = start + sign * width, sign * step
    # Near 0 what remains of start + i step is rounding, which is relative to start.
    same_as_torch(lambda lib: lib.arange(start, end, step, dtype=lib.float64), rtol=1e-12, atol=1e-14)


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.integers(0, 50))
def test_linspace(start, end, steps):
    x = minidl.linspace(start, end, steps, dtype=minidl.float64).array
    np.testing.assert_allclose(x, np.linspace(start, end, steps), rtol=1e-12, atol=1e-12)
    if steps > 1:
        assert (x[0], x[-1]) == (start, end)


def test_the_default_dtype_is_followed():
    minidl.set_default_dtype(minidl.float64)
    try:
        for x in (
            minidl.tensor(1.5),
            minidl.zeros(1),
            minidl.full((1,), 1.5),
            minidl.arange(1.0),
            minidl.linspace(0, 1, 2),
            minidl.eye(1),
            minidl.rand(1),
            minidl.randn(1),
            minidl.normal(0, 1, (1,)),
        ):
            assert x.dtype == minidl.float64
    finally:
        minidl.set_default_dtype(minidl.float32)


def test_other_devices(other_device):
    for x in (
        minidl.tensor([1.0], device=other_device),
        minidl.as_tensor(np.ones(1), device=other_device),
        minidl.zeros(2, device=other_device),
        minidl.full((2,), 3, device=other_device),
        minidl.empty(2, device=other_device),
        minidl.arange(3, device=other_device),
        minidl.linspace(0, 1, 3, device=other_device),
        minidl.eye(2, device=other_device),
        minidl.rand(2, device=other_device),
        minidl.randn(2, device=other_device),
        minidl.randint(5, (2,), device=other_device),
        minidl.randperm(4, device=other_device),
        minidl.normal(0, 1, (2,), device=other_device),
    ):
        assert str(x.device) == f"{other_device}:0"
    x = minidl.full((3,), 0.5, device=other_device)
    for y in (
        minidl.tensor(x),
        minidl.zeros_like(x),
        minidl.full_like(x, 2),
        minidl.empty_like(x),
        minidl.rand_like(x),
        minidl.randn_like(x),
        minidl.bernoulli(x),
        minidl.multinomial(x, 2),
        minidl.normal(x, 1.0),
    ):
        assert y.device == x.device
    assert repr(x) == f"tensor([0.5000, 0.5000, 0.5000], device='{other_device}:0')"
    assert (x.tolist(), x[0].item()) == ([0.5] * 3, 0.5)
    assert x.numpy(force=True).tolist() == [0.5] * 3
    refuses(TypeError, f"numpy: the tensor is on {other_device}:0; use cpu().numpy()", x.numpy)
    minidl.manual_seed(3)
    on_cpu = minidl.randn(5)
    minidl.manual_seed(3)
    assert minidl.randn(5, device=other_device).tolist() == on_cpu.tolist()


@pytest.fixture
def other_device(monkeypatch):
    from strict_array import Library

    from minidl import backend

    monkeypatch.setattr(backend, "_by_type", dict(backend._by_type))
    monkeypatch.setattr(backend, "_by_device", dict(backend._by_device))
    monkeypatch.setattr(backend, "several", False)
    backend.register(Library("strict").backend())
    return "strict"


# --- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "call", "text"),
    [
        (TypeError, lambda: minidl.tensor("1"), "tensor: data must be numbers, not str"),
        (TypeError, lambda: minidl.tensor([None]), "tensor: data must be numbers, not NoneType"),
        (TypeError, lambda: minidl.tensor(1j), "tensor: data must be numbers, not complex"),
        (
            ValueError,
            lambda: minidl.tensor([[1], [1, 2]]),
            "tensor: nested lists must have the same length in each dimension",
        ),
        (ValueError, lambda: minidl.tensor(2**63), "tensor: an integer does not fit into int64"),
        (ValueError, lambda: minidl.tensor([2**70]), "tensor: an integer does not fit into int64"),
        (ValueError, lambda: minidl.tensor([[1, 2**63]]), "tensor: an integer does not fit into int64"),
        (ValueError, lambda: minidl.tensor(math.nan, dtype=minidl.int32), "tensor: nan does not fit into int32"),
        (ValueError, lambda: minidl.tensor([1.0, 1e30], dtype=minidl.int64), "tensor: 1e+30 does not fit into int64"),
        (ValueError, lambda: minidl.tensor([-0.5, -1.5], dtype=minidl.uint8), "tensor: -1.5 does not fit into uint8"),
        (ValueError, lambda: minidl.tensor([0, 300], dtype=minidl.uint8), "tensor: 300 does not fit into uint8"),
        (ValueError, lambda: minidl.tensor(-1, dtype=minidl.uint8), "tensor: -1 does not fit into uint8"),
        (TypeError, lambda: minidl.tensor(1, dtype="float31"), "tensor: 'float31' is not a dtype"),
        (
            RuntimeError,
            lambda: minidl.tensor(1, requires_grad=True),
            "requires_grad: only floating-point tensors can require a gradient, not int64",
        ),
        (TypeError, lambda: minidl.from_numpy([1]), "from_numpy: a numpy.ndarray is needed, not list"),
        (ValueError, lambda: minidl.zeros(2, -1), "zeros: a length is negative in shape (2, -1)"),
        (TypeError, lambda: minidl.ones(2.0), "ones: a shape is made of integers, not (2.0,)"),
        (TypeError, lambda: minidl.empty(), "empty: the shape is missing; empty(()) makes a tensor without dimensions"),
        (TypeError, lambda: minidl.full(2, 1), "full: size must be a tuple or list of integers, not int"),
        (TypeError, lambda: minidl.full((2,), "1"), "full: fill_value must be a number, not str"),
        (
            ValueError,
            lambda: minidl.full((2,), math.nan, dtype=minidl.int64),
            "full: nan does not fit into int64",
        ),
        (
            ValueError,
            lambda: minidl.full_like(minidl.zeros(2, dtype=minidl.uint8), 256),
            "full_like: 256 does not fit into uint8",
        ),
        (TypeError, lambda: minidl.zeros_like([1]), "zeros_like: input must be a Tensor, not list"),
        (ValueError, lambda: minidl.arange(0, 1, 0), "arange: step must not be 0"),
        (
            ValueError,
            lambda: minidl.arange(math.inf),
            "arange: start, end and step must be finite, not 0, inf, 1",
        ),
        (TypeError, lambda: minidl.arange("3"), "arange: end must be a number, not str"),
        (ValueError, lambda: minidl.arange(10**400), f"arange: {10**400} does not fit into int64"),
        (ValueError, lambda: minidl.arange(2**63), "arange: 9223372036854775808 does not fit into int64"),
        (ValueError, lambda: minidl.arange(2**64, 2**64 + 2), "arange: 18446744073709551616 does not fit into int64"),
        (ValueError, lambda: minidl.linspace(0, 1, -1), "linspace: steps must not be negative, not -1"),
        (TypeError, lambda: minidl.linspace(0, 1, 2.0), "linspace: steps must be an integer, not float"),
        (TypeError, lambda: minidl.linspace(0, 1, True), "linspace: steps must be an integer, not bool"),
        (
            ValueError,
            lambda: minidl.linspace(0, 1, 2**63),
            "linspace: steps is 9223372036854775808, which does not fit into int64",
        ),
        (TypeError, lambda: minidl.zeros(True), "zeros: a shape is made of integers, not (True,)"),
        (ValueError, lambda: minidl.eye(-1), "eye: a length is negative in shape (-1, -1)"),
        (
            MemoryError,
            lambda: minidl.zeros(2**40, 2**20),
            "zeros: a tensor of shape (1099511627776, 1048576) and float32 needs 4,294,967,296.0 GiB, which are not "
            "there",
        ),
        (
            MemoryError,
            lambda: minidl.ones(10**20, dtype=minidl.bool),
            "ones: a tensor of shape (100000000000000000000,) and bool needs 93,132,257,461.5 GiB, which are not there",
        ),
        (
            MemoryError,
            lambda: minidl.randn(2**50),
            "randn: a tensor of shape (1125899906842624,) and float32 needs 4,194,304.0 GiB, which are not there",
        ),
        (
            MemoryError,
            lambda: minidl.arange(2**60),
            "arange: a tensor of shape (1152921504606846976,) and int64 needs 8,589,934,592.0 GiB, which are not there",
        ),
        (
            ValueError,
            lambda: minidl.zeros(2, device="tpu"),
            "device: 'tpu' is not a device (known types: cpu, cuda; an index follows a colon)",
        ),
    ],
)
def test_errors(kind, call, text):
    refuses(kind, text, call)
