"""Dropout: how many elements it drops, what is left of them, and where it leaves its input alone."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidl
import minidl.nn.functional as F
from minidl.testing import gradcheck, gradgradcheck


@given(st.floats(0.05, 0.95), st.integers(0, 2**32 - 1))
def test_the_share_and_the_scale(p, seed):
    minidl.manual_seed(seed)
    y = F.dropout(minidl.ones(4000), p).array
    kept = y[y != 0]
    np.testing.assert_allclose(kept, 1 / (1 - p), rtol=1e-6)
    # the number kept is binomial: six standard deviations are left out once in 5e8 times
    assert abs(kept.size - 4000 * (1 - p)) < 6 * math.sqrt(4000 * p * (1 - p))


def test_the_same_seed_drops_the_same_elements_in_every_dtype():
    masks = []
    for dtype in (minidl.float32, minidl.float64):
        minidl.manual_seed(3)
        masks.append(F.dropout(minidl.ones(50, dtype=dtype), 0.5).array != 0)
    np.testing.assert_array_equal(*masks)
    assert F.dropout(minidl.ones(50), 0.5).array.tolist() != F.dropout(minidl.ones(50), 0.5).array.tolist()


def test_gradients():
    x = minidl.tensor(np.random.default_rng(0).standard_normal((4, 5)), requires_grad=True)

    def seeded(x):
        minidl.manual_seed(1)
        return F.dropout(x * x, 0.4)

    assert gradcheck(seeded, x)
    assert gradgradcheck(seeded, x)


def test_the_backward_pass_uses_the_mask_of_its_forward_pass():
    x = minidl.ones(100, requires_grad=True)
    y = F.dropout(x, 0.3)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.array, y.array)


def test_where_nothing_is_dropped_the_input_itself_comes_back():
    for x in (minidl.ones(3), minidl.tensor([1, 2])):
        assert F.dropout(x, 0.5, training=False) is x
        assert F.dropout(x, 0.0) is x


def test_dropping_everything():
    np.testing.assert_array_equal(F.dropout(minidl.ones(5), 1.0).array, np.zeros(5))
    assert np.isnan(F.dropout(minidl.tensor([math.nan]), 1.0).array).all()  # as in PyTorch: NaN times 0


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: F.dropout([1.0]), TypeError, "dropout: input must be a Tensor, not list"),
        (lambda: F.dropout(minidl.ones(2), None), TypeError, "dropout: p must be a number, not NoneType"),
        (
            lambda: F.dropout(minidl.ones(2), 1.5),
            ValueError,
            "dropout: p is a probability and must lie between 0 and 1, not 1.5",
        ),
        (
            lambda: F.dropout(minidl.ones(2), math.nan),
            ValueError,
            "dropout: p is a probability and must lie between 0 and 1, not nan",
        ),
        (
            lambda: F.dropout(minidl.tensor([1, 2])),
            TypeError,
            "dropout: input must be a floating-point tensor, not int64",
        ),
    ],
)
def test_error_texts(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == text
