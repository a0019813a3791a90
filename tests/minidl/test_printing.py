"""Printed tensors: PyTorch's text, character by character, and what PyTorch has no words for."""

import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import minidl


@pytest.fixture(autouse=True)
def default_options():
    yield
    minidl.set_printoptions(profile="default")


def assert_as_in_pytorch(array):
    """The same text but for the name of the dtype, which is one character longer here and so may need a new line."""
    torch = pytest.importorskip("torch", reason="the text is compared with PyTorch's")
    found, expected = (
        re.fullmatch(r"(.*?)(?:,\s+dtype=\w+\.(\w+))?\)", str(lib.from_numpy(array)), re.DOTALL).groups()
        for lib in (minidl, torch)
    )
    assert found == expected


numbers = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.5, np.nan, np.inf, -np.inf, 1e-4, 9.9e-5, 1e8, 1.1e8, 1000.0, 1001.0]),
    st.floats(-10, 10),
    st.integers(-2000, 2000).map(float),
    st.floats(allow_nan=True, allow_infinity=True),
)
shapes = array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=8)


@settings(max_examples=300)
@given(arrays(np.float64, shapes, elements=numbers))
@example(np.array([np.nan, np.inf]))
@example(np.array([0.0, np.nan]))
@example(np.array([1e9, 1.0]))
@example(np.array([123456.5, 1.0]))
def test_float64(array):
    assert_as_in_pytorch(array)


@given(arrays(np.float32, shapes, elements=st.floats(-100, 100, width=32)))
def test_float32(array):
    assert_as_in_pytorch(array)


@given(arrays(st.sampled_from([np.int64, np.int8, np.uint8, np.int32, np.bool_]), shapes))
def test_integers_and_booleans(array):
    assert_as_in_pytorch(array)


@settings(max_examples=30)
@given(
    st.sampled_from([(1001,), (2000, 2), (3, 7, 60), (30, 40), (1, 1, 1100), (6, 200), (5, 5, 5, 9), (1000,)]),
    st.integers(0, 99),
)
def test_more_than_a_thousand_elements_show_their_edges(shape, seed):
    array = np.random.default_rng(seed).standard_normal(shape) * 10.0 ** (seed % 4)
    assert_as_in_pytorch(array)
    whole = array.round()
    assert_as_in_pytorch(whole)


def test_what_is_not_the_default_stands_behind_the_values():
    x = minidl.tensor([1.0, 2.0], requires_grad=True)
    assert repr(x) == "tensor([1., 2.], requires_grad=True)"
    assert repr(x * 2) == "tensor([2., 4.], grad_fn=<Mul>)"
    assert repr(x.unbind()[1]) == "tensor(2., grad_fn=<Unbind>)"
    assert repr(x.detach()) == "tensor([1., 2.])"
    assert repr(minidl.tensor([1.5], dtype=minidl.float16)) == "tensor([1.5000], dtype=minidl.float16)"
    assert repr(minidl.zeros(0, 3)) == "tensor([], size=(0, 3))"
    assert repr(minidl.zeros(0, dtype=minidl.int64)) == "tensor([], dtype=minidl.int64)"
    assert str(x) == repr(x) == f"{x}"


def test_a_full_line_is_continued():
    x = minidl.full((2, 8), -1.25, requires_grad=True)
    assert repr(x).splitlines() == [
        "tensor([[-1.2500, -1.2500, -1.2500, -1.2500, -1.2500, -1.2500, -1.2500, -1.2500],",
        "        [-1.2500, -1.2500, -1.2500, -1.2500, -1.2500, -1.2500, -1.2500, -1.2500]],",
        "       requires_grad=True)",
    ]


def test_the_default_dtype_goes_without_saying():
    minidl.set_default_dtype(minidl.float64)
    try:
        assert repr(minidl.tensor(1.5)) == "tensor(1.5000)"
        assert repr(minidl.tensor(1.5, dtype=minidl.float32)) == "tensor(1.5000, dtype=minidl.float32)"
    finally:
        minidl.set_default_dtype(minidl.float32)


def test_options():
    x = minidl.tensor([1.0 / 3, 2.0])
    minidl.set_printoptions(precision=2)
    assert repr(x) == "tensor([0.33, 2.00])"
    minidl.set_printoptions(sci_mode=True)
    assert repr(x) == "tensor([3.33e-01, 2.00e+00])"
    minidl.set_printoptions(profile="default", threshold=3, edgeitems=1)
    assert repr(minidl.arange(4)) == "tensor([0,  ..., 3])"
    minidl.set_printoptions(profile="full", linewidth=20)
    assert repr(minidl.arange(6)) == "tensor([0, 1, 2, 3,\n        4, 5])"
    minidl.set_printoptions(profile="short")
    assert repr(x) == "tensor([0.33, 2.00])"
    minidl.set_printoptions(profile="default", sci_mode=False)
    assert repr(minidl.tensor([1e9, 0.5])) == "tensor([1000000000.0000,          0.5000])"


def test_an_unknown_profile():
    with pytest.raises(ValueError) as error:
        minidl.set_printoptions(profile="tiny")
    assert str(error.value) == "set_printoptions: profile must be 'default', 'short' or 'full', not 'tiny'"
