"""Windows, unfold and fold: against loops and PyTorch over random settings, and every error text."""

import re
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
import minidl.nn.functional as F
from minidl.ops.windows import Windows, add_windows, count_of, padded, slid


@st.composite
def windows(draw):
    """Windows that fit, over images of 1 to 7 places in each direction."""
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    kernel, stride, dilation = draw(pair), draw(pair), draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    start = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    least = [max(d * (k - 1) + 1 - 2 * p, 1) for k, d, p in zip(kernel, dilation, start)]
    size = tuple(draw(st.integers(n, n + 4)) for n in least)
    return Windows(size, kernel, stride, start, dilation, count_of(size, kernel, stride, start, dilation))


def place(at, window, element):
    """Where in the padded image an element of a window stands."""
    return tuple(i * s + k * d for i, s, k, d in zip(window, at.stride, element, at.dilation))


@given(windows(), st.integers(0, 2))
def test_a_window_holds_the_places_that_it_covers(at, axis):
    x = np.random.default_rng(0).standard_normal((3,) * axis + at.size + (2,) * (2 - axis))
    image = padded(x, at, axis)
    np.testing.assert_array_equal(image[(slice(None),) * axis + at.inside], x)
    assert np.abs(image).sum() == pytest.approx(np.abs(x).sum())
    found = np.moveaxis(slid(image, at, axis), (axis, axis + 1), (0, 1))
    image = np.moveaxis(image, (axis, axis + 1), (0, 1))
    assert found.shape == (*at.count, *image.shape[2:], *at.kernel)
    for window in product(*map(range, at.count)):
        for element in product(*map(range, at.kernel)):
            np.testing.assert_array_equal(found[(*window, ..., *element)], image[place(at, window, element)])


@given(windows())
def test_adding_windows_is_the_transpose_of_looking_through_them(at):
    rng = np.random.default_rng(0)
    x, g = rng.standard_normal((2, *at.padded)), rng.standard_normal((2, *at.count, *at.kernel))
    added = np.zeros_like(x)
    add_windows(added, g, at, 1)
    assert np.vdot(added, x) == pytest.approx(np.vdot(g, slid(x, at, 1)), abs=1e-12)


@settings(deadline=None)
@given(windows())
def test_unfold_and_fold_are_pytorchs(at):
    torch = pytest.importorskip("torch", reason="the oracle of this test is PyTorch")
    options = (at.kernel, at.dilation, at.start, at.stride)
    x = np.random.default_rng(0).standard_normal((2, 3, *at.size))
    columns = torch.nn.functional.unfold(torch.from_numpy(x), *options)
    np.testing.assert_array_equal(F.unfold(minidl.tensor(x), *options).array, columns.numpy(), strict=True)
    image = torch.nn.functional.fold(columns, at.size, *options)
    found = F.fold(minidl.tensor(columns.numpy()), at.size, *options)
    np.testing.assert_allclose(found.array, image.numpy(), rtol=1e-13, atol=1e-13, strict=True)


def test_a_convolution_is_a_product_with_unfolded_images():
    rng = np.random.default_rng(0)
    x, w = (minidl.tensor(rng.standard_normal(shape)) for shape in ((2, 3, 5, 4), (6, 3, 2, 3)))
    expected = w.flatten(1) @ F.unfold(x, (2, 3))
    np.testing.assert_allclose(F.conv2d(x, w).flatten(2).array, expected.array, rtol=1e-13, atol=1e-13)


def test_fold_counts_how_many_windows_cover_a_place():
    ones = minidl.ones(1, 1, 3, 3)
    assert F.fold(F.unfold(ones, 2), 3, 2).tolist() == [[[[1, 2, 1], [2, 4, 2], [1, 2, 1]]]]


def test_unfolded_single_pixels_are_a_copy():
    x = minidl.zeros(1, 2, 3, 3)
    y = F.unfold(x, 1)
    y.fill_(1)
    assert not x.array.any()


X, COLUMNS = minidl.zeros(2, 3, 4, 5), minidl.zeros(2, 12, 12)


@pytest.mark.parametrize(
    ("kind", "call", "text"),
    [
        (TypeError, lambda: F.unfold([1.0], 2), "unfold: input must be a Tensor, not list"),
        (TypeError, lambda: F.unfold(X.long(), 2), "unfold: input must be a floating-point tensor, not int64"),
        (
            ValueError,
            lambda: F.unfold(X[0, 0], 2),
            "unfold: input must be (N, C, H, W) or (C, H, W), not of shape (4, 5)",
        ),
        (TypeError, lambda: F.unfold(X, 2.0), "unfold: kernel_size must be an integer, not float"),
        (TypeError, lambda: F.unfold(X, 2, stride=(1, "2")), "unfold: stride must be an integer, not str"),
        (ValueError, lambda: F.unfold(X, 0), "unfold: kernel_size must be at least 1, not 0"),
        (ValueError, lambda: F.unfold(X, 2, (1, 0)), "unfold: dilation must be at least 1, not (1, 0)"),
        (ValueError, lambda: F.unfold(X, 2, 1, -1), "unfold: padding must be at least 0, not -1"),
        (ValueError, lambda: F.unfold(X, 2, 1, 0, 0), "unfold: stride must be at least 1, not 0"),
        (ValueError, lambda: F.unfold(X, (2, 2, 2)), "unfold: kernel_size must be one number or 2, not (2, 2, 2)"),
        (ValueError, lambda: F.unfold(X, ()), "unfold: kernel_size must be one number or 2, not ()"),
        (
            ValueError,
            lambda: F.unfold(X, 3, 2, (0, 1)),
            "unfold: a window spans (5, 5) places, but the padded image has only (4, 7)",
        ),
        (
            ValueError,
            lambda: F.fold(COLUMNS[0, 0], 4, 2),
            "fold: input must be (N, C kH kW, L) or (C kH kW, L), not of shape (12,)",
        ),
        (ValueError, lambda: F.fold(COLUMNS, (4, 0), 2), "fold: output_size must be at least 1, not (4, 0)"),
        (
            ValueError,
            lambda: F.fold(COLUMNS, 4, (2, 4)),
            "fold: input has columns of 12 elements, which the 8 of kernel_size (2, 4) do not divide "
            "(input (2, 12, 12))",
        ),
        (
            ValueError,
            lambda: F.fold(COLUMNS, (4, 6), 2),
            "fold: input has 12 columns, but an image of size (4, 6) has 3 x 5 = 15 windows (input (2, 12, 12))",
        ),
        (
            ValueError,
            lambda: F.fold(COLUMNS, 2, 3),
            "fold: a window spans (3, 3) places, but the padded image has only (2, 2)",
        ),
    ],
)
def test_errors(kind, call, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        call()
