"""Interpolation: values of PyTorch over random sizes, what one would expect of it, and every error text."""

import re

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import minidl
import minidl.nn.functional as F
from minidl.ops.resampling import Taps, runs, sampled, spread
from minidl.testing import gradcheck, gradgradcheck

LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


def leaf(shape, seed=0):
    return minidl.tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_values_are_pytorchs(data):
    torch = pytest.importorskip("torch", reason="the oracle of this test is PyTorch")
    n = data.draw(st.integers(1, 3))
    shape = (1, 2, *data.draw(st.lists(st.integers(1, 7), min_size=n, max_size=n)))
    options = {"mode": data.draw(st.sampled_from(["nearest", LINEAR[n]]))}
    if data.draw(st.booleans()):
        options["size"] = tuple(data.draw(st.lists(st.integers(1, 9), min_size=n, max_size=n)))
    else:
        lowest = max(1 / size for size in shape[2:])
        options["scale_factor"] = data.draw(st.floats(lowest, 3)) if lowest < 3 else 3
        options["recompute_scale_factor"] = data.draw(st.booleans())
        for old in shape[2:]:  # PyTorch's kernels differ on j s where the size comes out the same or twice as large
            assume(options["mode"] != "nearest" or int(old * options["scale_factor"]) not in (old, 2 * old))
    if options["mode"] != "nearest":
        options["align_corners"] = data.draw(st.booleans())
    x = leaf(shape).detach()
    expected = torch.nn.functional.interpolate(torch.from_numpy(x.array), **options).numpy()
    np.testing.assert_allclose(F.interpolate(x, **options).array, expected, rtol=1e-6, atol=1e-6, strict=True)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=4, max_size=4), st.booleans())
def test_gradients(lengths, linear):
    x, size = leaf((1, 1, *lengths[:2])), lengths[2:]
    mode = "bilinear" if linear else "nearest"
    assert gradcheck(lambda x: F.interpolate(x, size, mode=mode), [x])
    assert gradgradcheck(lambda x: F.interpolate(x * x, size, mode=mode), [x])


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.integers(1, 4))
def test_runs_cover_every_place_once(places, step):
    pairs = [(j, p) for to, source in runs(places, step) for j, p in zip(range(12)[to], range(6)[source], strict=True)]
    assert sorted(pairs) == list(enumerate(places))


@given(st.data())
def test_spread_is_the_transpose(data):
    """g . (A x) = (A^T g) . x for any places and weights."""
    length, result = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 9))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    places = tuple(tuple(int(p) for p in rng.integers(0, length, result)) for _ in range(2))
    taps = Taps(1, length, places, (None, tuple(rng.standard_normal(result))))
    x, g = rng.standard_normal((2, length, 3)), rng.standard_normal((2, result, 3))
    assert np.vdot(g, sampled(x, taps)) == pytest.approx(np.vdot(spread(g, taps), x), abs=1e-12)


def test_a_straight_line_stays_straight():
    x = minidl.arange(5, dtype=minidl.float64).reshape(1, 1, 5)
    y = F.interpolate(x, 9, mode="linear", align_corners=True)
    np.testing.assert_allclose(y.array.ravel(), np.arange(9) / 2, atol=1e-15)


def test_nearest_repeats_and_its_gradient_adds_up():
    x = minidl.tensor([[[1.0, 2.0]]], requires_grad=True)
    y = F.interpolate(x, scale_factor=3)
    assert y.tolist() == [[[1, 1, 1, 2, 2, 2]]]
    y.backward(minidl.arange(6, dtype=minidl.float32).reshape(1, 1, 6))
    assert x.grad.tolist() == [[[0 + 1 + 2, 3 + 4 + 5]]]


X = minidl.zeros(1, 1, 3, 4)


@pytest.mark.parametrize(
    ("kind", "call", "text"),
    [
        (TypeError, lambda: F.interpolate(3, 2), "interpolate: input must be a Tensor, not int"),
        (
            TypeError,
            lambda: F.interpolate(X.long(), 2),
            "interpolate: input must be a floating-point tensor, not int64",
        ),
        (
            ValueError,
            lambda: F.interpolate(X, 2, mode="cubic"),
            "interpolate: mode must be 'nearest', 'linear', 'bilinear' or 'trilinear', not 'cubic'",
        ),
        (
            ValueError,
            lambda: F.interpolate(X[0], 2, mode="bilinear"),
            "interpolate: mode 'bilinear' is for inputs of 4 dimensions, not of shape (1, 3, 4)",
        ),
        (
            ValueError,
            lambda: F.interpolate(X[0, 0], 2),
            "interpolate: mode 'nearest' is for inputs of 3 to 5 dimensions, not of shape (3, 4)",
        ),
        (
            ValueError,
            lambda: F.interpolate(X, 2, align_corners=False),
            "interpolate: align_corners has no meaning for mode 'nearest'",
        ),
        (ValueError, lambda: F.interpolate(X), "interpolate: exactly one of size and scale_factor is needed"),
        (ValueError, lambda: F.interpolate(X, 2, 2), "interpolate: exactly one of size and scale_factor is needed"),
        (
            ValueError,
            lambda: F.interpolate(X, (2,)),
            "interpolate: size must be one number or 2, not (2,) (input (1, 1, 3, 4))",
        ),
        (
            ValueError,
            lambda: F.interpolate(X, scale_factor=(2, 2, 2)),
            "interpolate: scale_factor must be one number or 2, not (2, 2, 2) (input (1, 1, 3, 4))",
        ),
        (TypeError, lambda: F.interpolate(X, 2.5), "interpolate: size must be an integer, not float"),
        (TypeError, lambda: F.interpolate(X, None, "2"), "interpolate: scale_factor must be a number, not str"),
        (
            ValueError,
            lambda: F.interpolate(X, None, -1),
            "interpolate: scale_factor must be positive and finite, not -1",
        ),
        (
            ValueError,
            lambda: F.interpolate(X, 0),
            "interpolate: sizes must be positive, but (3, 4) would become (0, 0)",
        ),
        (
            ValueError,
            lambda: F.interpolate(X, None, 0.3),
            "interpolate: sizes must be positive, but (3, 4) would become (0, 1)",
        ),
        (
            ValueError,
            lambda: F.interpolate(X[:, :, :0], 2),
            "interpolate: sizes must be positive, but (0, 4) would become (2, 2)",
        ),
        (
            ValueError,
            lambda: F.interpolate(X, 2, recompute_scale_factor=True),
            "interpolate: recompute_scale_factor has no meaning where size is given",
        ),
    ],
)
def test_errors(kind, call, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        call()
