"""Casts and their gradients, and every way to write ``to``. (Moves between devices: test_devices.py.)"""

import re

import numpy as np
import pytest
from broadcasts import DTYPES
from hypothesis import given
from hypothesis import strategies as st

import minidl


def raises(error, text):
    return pytest.raises(error, match="^" + re.escape(text) + "$")


@given(st.sampled_from(DTYPES), st.sampled_from(DTYPES), st.lists(st.integers(0, 100)))
def test_casts_are_numpys(first, second, values):
    x = np.array(values, first)
    np.testing.assert_array_equal(minidl.tensor(x).to(getattr(minidl, second)).array, x.astype(second), strict=True)


def test_pythons_types_name_the_dtypes_that_they_name_in_pytorch():
    x = minidl.tensor([1.5, 0.0])
    named = {float: minidl.float64, int: minidl.int64, bool: minidl.bool}
    assert {kind: x.to(kind).dtype for kind in named} == named
    assert minidl.zeros(2, dtype=float).dtype == minidl.float64


def test_methods_name_the_dtypes():
    x = minidl.tensor([1.5, -2.7, 0.0])
    assert x.double().dtype == minidl.float64
    assert x.half().dtype == minidl.float16
    assert x.double().float().dtype == minidl.float32
    assert x.long().tolist() == [1, -2, 0]
    assert x.int().dtype == minidl.int32
    assert x.bool().tolist() == [True, True, False]
    assert x.type_as(minidl.tensor([1])).dtype == minidl.int64


def test_every_way_to_write_it():
    x, other = minidl.ones(2), minidl.zeros(3, dtype=minidl.float64)
    for y in (
        x.to(minidl.float64),
        x.to(dtype=minidl.float64),
        x.to("cpu", minidl.float64),
        x.to(minidl.device("cpu"), dtype=minidl.float64, non_blocking=True),
        x.to(other),
    ):
        assert y.dtype == minidl.float64
        assert y.tolist() == [1.0, 1.0]


def test_what_changes_nothing_returns_the_tensor_itself():
    x = minidl.ones(2)
    for y in (x.to(minidl.float32), x.to("cpu"), x.to(x), x.to(), x.cpu(), x.float(), x.type_as(x)):
        assert y is x


def test_gradients_pass_between_floating_point_dtypes():
    x = minidl.tensor([1.0, 2.0], requires_grad=True)
    y = x.double()
    (g,) = minidl.grad((y * y * y).sum(), x, create_graph=True)
    assert g.dtype == minidl.float32
    assert g.tolist() == [3.0, 12.0]
    (second,) = minidl.grad(g.sum(), x)
    assert second.dtype == minidl.float32
    assert second.tolist() == [6.0, 12.0]


def test_a_cast_to_integers_starts_a_new_leaf():
    x = minidl.tensor([1.5], requires_grad=True)
    for y in (x.long(), x.bool(), x.long().float()):
        assert not y.requires_grad
        assert y.is_leaf


def test_errors():
    x = minidl.ones(2)
    with raises(ValueError, "device: 'tpu' is not a device (known types: cpu, cuda; an index follows a colon)"):
        x.to("tpu")
    with raises(TypeError, "to: 3 is not a dtype"):
        x.to(3)
    with raises(
        TypeError,
        "to: dtype complex64 is not supported (float16, float32, float64, uint8, int8, int16, int32, int64, bool are)",
    ):
        x.to(np.complex64)
    with raises(TypeError, "type_as: other must be a Tensor, not str"):
        x.type_as("float32")
