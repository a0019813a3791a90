"""Padding: every mode against PyTorch over random widths, and every error text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
import minidl.nn.functional as F
from minidl.testing import gradcheck, gradgradcheck

few = settings(max_examples=30, deadline=None)  # each example checks gradients of both orders


def refuses(error_type, text, call):
    with pytest.raises(error_type) as error:
        call()
    assert str(error.value) == text


def leaf(shape, seed=0):
    return minidl.tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


@few
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), max_size=3), st.floats(-2, 2))
def test_a_constant_is_pytorchs(pairs, value):
    torch = pytest.importorskip("torch", reason="the oracle of this test is PyTorch")
    x = leaf((3, 2, 4))
    widths = [width for pair in pairs for width in pair]
    kept = [n + min(a, 0) + min(b, 0) for n, (a, b) in zip((4, 2, 3), pairs, strict=False)]
    if min(kept, default=0) < 0:
        with pytest.raises(ValueError, match="cuts more off than there is"):
            F.pad(x, widths, value=value)
        return
    expected = torch.nn.functional.pad(torch.from_numpy(x.array), widths, value=value).numpy()
    np.testing.assert_array_equal(F.pad(x, widths, value=value).array, expected, strict=True)
    assert gradcheck(lambda x: F.pad(x, widths, value=value) * 2, [x])
    assert gradgradcheck(lambda x: F.pad(x * x, widths, value=value), [x])


@few
@given(st.sampled_from(["reflect", "replicate", "circular"]), st.data())
def test_continuations_are_pytorchs(mode, data):
    torch = pytest.importorskip("torch", reason="the oracle of this test is PyTorch")
    shape = (2, *data.draw(st.lists(st.integers(2, 4), min_size=1, max_size=3)))
    widths = []
    for size in reversed(shape[1:]):
        most = size if mode == "circular" else size - 1 if mode == "reflect" else size + 2
        widths += data.draw(st.lists(st.integers(0, most), min_size=2, max_size=2))
    x = leaf(shape)
    expected = torch.nn.functional.pad(torch.from_numpy(x.array), widths, mode).numpy()
    np.testing.assert_array_equal(F.pad(x, widths, mode).array, expected, strict=True)
    assert gradcheck(lambda x: F.pad(x, widths, mode) * 2, [x])
    assert gradgradcheck(lambda x: F.pad(x * x, widths, mode), [x])


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("reflect", [1, 2, 1, 0]), ("replicate", [1, 2, 2, 2]), ("circular", [1, 2, 1, 2])],
)
def test_what_is_cut_off_at_one_end_and_added_at_the_other(mode, expected):
    assert F.pad(minidl.tensor([[0, 1, 2]]), (-1, 2), mode).tolist() == [expected]


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_without_anything_to_add_the_result_is_a_copy(mode):
    x = minidl.zeros(2, 3)
    assert not np.shares_memory(F.pad(x, (0, 0), mode).array, x.array)


ZEROS = minidl.zeros(2, 3)


@pytest.mark.parametrize(
    ("kind", "call", "text"),
    [
        (TypeError, lambda: F.pad([1.0], (1, 1)), "pad: input must be a Tensor, not list"),
        (
            ValueError,
            lambda: F.pad(ZEROS, (1,)),
            "pad: 1 numbers for a tensor of shape (2, 3); they come in pairs, at most one a dimension",
        ),
        (
            ValueError,
            lambda: F.pad(ZEROS, (1,) * 6),
            "pad: 6 numbers for a tensor of shape (2, 3); they come in pairs, at most one a dimension",
        ),
        (ValueError, lambda: F.pad(ZEROS, (-2, -2)), "pad: (-2, -2) cuts more off than there is in shape (2, 3)"),
        (
            ValueError,
            lambda: F.pad(ZEROS, (1, 1), "mirror"),
            "pad: mode must be 'constant', 'reflect', 'replicate' or 'circular', not 'mirror'",
        ),
        (TypeError, lambda: F.pad(ZEROS, (1, 1), value="0"), "pad: value must be a number, not str"),
        (TypeError, lambda: F.pad(ZEROS, (0.5, 1)), "pad: a shape is made of integers, not (0.5, 1)"),
        (
            ValueError,
            lambda: F.pad(ZEROS, (1, 1, 1, 1), "reflect"),
            "pad: mode 'reflect' pads the last 1, 2 or 3 dimensions of a tensor that has one or two more, but there "
            "are 4 numbers for shape (2, 3)",
        ),
        (
            ValueError,
            lambda: F.pad(minidl.zeros(1, 1, 1, 3), (1, 1), "circular"),
            "pad: mode 'circular' pads the last 1, 2 or 3 dimensions of a tensor that has one or two more, but there "
            "are 2 numbers for shape (1, 1, 1, 3)",
        ),
        (
            ValueError,
            lambda: F.pad(ZEROS, (), "replicate"),
            "pad: mode 'replicate' pads the last 1, 2 or 3 dimensions of a tensor that has one or two more, but there "
            "are 0 numbers for shape (2, 3)",
        ),
        (
            ValueError,
            lambda: F.pad(ZEROS, (1, 1), "reflect", 2.0),
            "pad: mode 'reflect' has no use for a value, but value=2.0",
        ),
        (
            ValueError,
            lambda: F.pad(ZEROS, (0, 3), "reflect"),
            "pad: mode 'reflect' cannot continue dimension 1 of shape (2, 3) by 0 in front and 3 behind",
        ),
        (
            ValueError,
            lambda: F.pad(ZEROS, (4, 0), "circular"),
            "pad: mode 'circular' cannot continue dimension 1 of shape (2, 3) by 4 in front and 0 behind",
        ),
        (
            ValueError,
            lambda: F.pad(minidl.zeros(2, 0), (1, 0), "replicate"),
            "pad: mode 'replicate' cannot continue dimension 1 of shape (2, 0) by 1 in front and 0 behind",
        ),
    ],
)
def test_errors(kind, call, text):
    refuses(kind, text, call)
