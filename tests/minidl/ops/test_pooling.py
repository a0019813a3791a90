"""Pooling: window by window against loops and against PyTorch over all options, ties, planes without places, errors."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import minidl
import minidl.nn.functional as F
from minidl.ops import pooling
from minidl.testing import gradcheck, gradgradcheck

OPERATIONS = ["max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d"]
ADAPTIVE = ["adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d"]


def dims_of(operation):
    return int(operation[-2])


@st.composite
def sliding(draw, operation):
    """An input and settings that fit it."""
    dims = dims_of(operation)
    kernel = draw(st.lists(st.integers(1, 4), min_size=dims, max_size=dims))
    options = {
        "kernel_size": tuple(kernel),
        "stride": tuple(draw(st.integers(1, 4)) for _ in kernel),
        "padding": tuple(draw(st.integers(0, k // 2)) for k in kernel),
        "ceil_mode": draw(st.booleans()),
    }
    gaps = [1] * dims
    if "max" in operation:
        options["dilation"] = gaps = tuple(draw(st.integers(1, 3)) for _ in kernel)
    else:
        options["count_include_pad"] = draw(st.booleans())
    if operation == "avg_pool2d":
        options["divisor_override"] = draw(st.sampled_from([None, 3, -2]))
    plane = []
    for k, p, d in zip(kernel, options["padding"], gaps, strict=True):
        plane.append(draw(st.integers(max(1, d * (k - 1) + 1 - 2 * p), d * (k - 1) + 6)))
        assume(not p or any(0 <= j * d - p < plane[-1] for j in range(k)))  # else PyTorch reads beyond the plane
    return draw_input(draw, plane), options


@st.composite
def adaptive(draw, operation):
    plane = draw(st.lists(st.integers(1, 7), min_size=dims_of(operation), max_size=dims_of(operation)))
    sizes = tuple(draw(st.none() | st.integers(1, 8)) if "2d" in operation else draw(st.integers(1, 8)) for _ in plane)
    return draw_input(draw, plane), {"output_size": sizes}


def draw_input(draw, plane):
    shape = (*draw(st.sampled_from([(1,), (2,), (1, 2), (2, 1), (0, 2)])), *plane)
    x = np.random.default_rng(draw(st.integers(0, 99))).permutation(math.prod(shape)).reshape(shape) / 8.0
    return np.floor(x) if draw(st.booleans()) else x  # floor makes ties


# --- against loops -----------------------------------------------------------------------------------------------


def intervals(n, k, s, p, d, ceil_mode):
    """The windows of one dimension as lists of places, and their sizes with padding: straight from the definition."""
    found = []
    for start in itertools.count(-p, s):
        span = d * (k - 1) + 1
        if start + span > n + p and not (ceil_mode and start < n and start + span - s < n + p):
            return found
        found.append(([i for i in range(start, start + span, d) if 0 <= i < n], min(start + k, n + p) - start))


def by_loops(operation, x, kernel_size, stride, padding, ceil_mode, dilation=(1, 1), **more):
    whole, divisor = more.get("count_include_pad", True), more.get("divisor_override")
    plane = x.shape[x.ndim - len(kernel_size) :]
    windows = [
        intervals(*setting, ceil_mode) for setting in zip(plane, kernel_size, stride, padding, dilation, strict=False)
    ]
    y = np.zeros((*x.shape[: x.ndim - len(plane)], *map(len, windows)))
    for o in itertools.product(*map(range, y.shape[y.ndim - len(plane) :])):
        chosen = [w[i] for w, i in zip(windows, o, strict=True)]
        values = [x[(..., *place)] for place in itertools.product(*(places for places, _ in chosen))]
        if "max" in operation:
            y[(..., *o)] = np.max(values, 0)
        else:
            size = math.prod(size for _, size in chosen) if whole else len(values)
            y[(..., *o)] = np.sum(values, 0) / (divisor or size)
    return y


@pytest.mark.parametrize("operation", OPERATIONS)
@given(data=st.data())
def test_windows_one_by_one(operation, data):
    x, options = data.draw(sliding(operation))
    expected = by_loops(operation, x, **options)
    np.testing.assert_allclose(getattr(F, operation)(minidl.tensor(x), **options).array, expected, rtol=1e-12)


@pytest.mark.parametrize("operation", ADAPTIVE)
@given(data=st.data())
def test_adaptive_windows_one_by_one(operation, data):
    x, options = data.draw(adaptive(operation))
    dims = dims_of(operation)
    sizes = [n if o is None else o for n, o in zip(x.shape[-dims:], options["output_size"], strict=True)]
    y = np.zeros((*x.shape[:-dims], *sizes))
    for o in itertools.product(*map(range, sizes)):
        ends = [
            slice(i * n // size, math.ceil((i + 1) * n / size))
            for i, n, size in zip(o, x.shape[-dims:], sizes, strict=True)
        ]
        window, axes = x[(..., *ends)], tuple(range(-dims, 0))
        y[(..., *o)] = window.max(axes) if "max" in operation else window.mean(axes)
    np.testing.assert_allclose(getattr(F, operation)(minidl.tensor(x), **options).array, y, rtol=1e-12)


# --- blocks of planes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 40, 100, 1 << 16])
@pytest.mark.parametrize("shape", [(3, 7, 4, 5), (1, 2, 6, 12), (11, 6, 6), (5, 4, 12)])
def test_blocks_change_nothing(monkeypatch, block, shape):
    x = np.random.default_rng(0).permutation(math.prod(shape)).reshape(shape) // 3.0  # with ties
    calls = [lambda x: F.max_pool1d(x.reshape(-1, *x.shape[-2:]), 3, 2, 1, return_indices=True)]
    calls += [lambda x: F.max_pool2d(x, 2, return_indices=True), lambda x: (F.max_pool2d(x, 3, 2, 1),)]
    calls += [lambda x: (F.avg_pool2d(x, 3, 2, 1),), lambda x: (F.adaptive_avg_pool2d(x, (4, 3)),)]
    calls += [lambda x: (F.adaptive_avg_pool2d(x, 1),), lambda x: F.adaptive_max_pool2d(x, 2, return_indices=True)]

    def every():
        found = []
        for call in calls:
            leaf = minidl.tensor(x, requires_grad=True)
            results = call(leaf)
            results[0].backward(minidl.tensor(np.sin(np.arange(results[0].array.size)).reshape(results[0].shape)))
            with minidl.no_grad():
                found += [call(leaf)[0].array]
            found += [leaf.grad.array, *(y.array for y in results)]
        return found

    expected = every()
    monkeypatch.setattr(pooling, "BLOCK", block)
    for y, other in zip(every(), expected, strict=True):
        np.testing.assert_allclose(y, other, rtol=1e-12, atol=1e-13)


def test_planes_are_taken_in_both_orders(monkeypatch):
    monkeypatch.setattr(pooling, "BLOCK", 60)
    for shape, first, steps in (
        ((9, 2, 3), 0, [9]),
        ((15, 2, 3), 0, [10, 5]),
        ((2, 2, 3), 1, [2]),
        ((8, 4, 5), 1, [3]),
    ):
        x = np.arange(math.prod(shape)).reshape(shape)
        y = np.zeros_like(x)
        lengths = []
        for which, part, axis in pooling.blocks(x):
            assert axis == first
            lengths.append(part.shape[0 if first else -1])
            assert part.flags.c_contiguous
            pooling.store(y, which, part, axis)
        assert np.array_equal(x, y)
        assert lengths[: len(steps)] == steps


# --- gradients ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", OPERATIONS + ADAPTIVE)
@settings(max_examples=25)
@given(data=st.data())
def test_gradients_of_both_orders(operation, data):
    x, options = data.draw((adaptive if "adaptive" in operation else sliding)(operation))
    x = np.random.default_rng(0).permutation(x.size).reshape(x.shape) / 4.0  # no ties
    leaf = minidl.tensor(x, requires_grad=True)
    assert gradcheck(lambda x: getattr(F, operation)(x, **options), [leaf])
    assert gradgradcheck(lambda x: getattr(F, operation)(x * x, **options), [leaf])


@pytest.mark.parametrize("operation", OPERATIONS + ADAPTIVE)
@given(data=st.data())
def test_same_as_pytorch_ties_included(operation, data):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    x, options = data.draw((adaptive if "adaptive" in operation else sliding)(operation))
    more = {"return_indices": True} if "max" in operation else {}
    ours, theirs = minidl.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    found = getattr(F, operation)(ours, **options, **more)
    expected = getattr(torch.nn.functional, operation)(theirs, **options, **more)
    if more:
        np.testing.assert_array_equal(found[1].array, expected[1].numpy())
        assert found[1].dtype == minidl.int64
        found, expected = found[0], expected[0]
    np.testing.assert_allclose(found.array, expected.detach().numpy(), rtol=1e-12)
    g = np.random.default_rng(1).normal(size=found.shape)
    found.backward(minidl.tensor(g))
    expected.backward(torch.tensor(g))
    np.testing.assert_allclose(ours.grad.array, theirs.grad.numpy(), rtol=1e-12, atol=1e-14)


def gradient(x, function):
    leaf = minidl.tensor(x, requires_grad=True)
    function(leaf).sum().backward()
    return leaf.grad.tolist()


def test_the_first_of_equal_elements_gets_the_gradient():
    assert gradient([[[0.0, 0.0], [0.0, 0.0]]], lambda x: F.max_pool2d(x, 2)) == [[[1, 0], [0, 0]]]
    assert gradient([[[0.0, 1.0], [1.0, 1.0]]], lambda x: F.max_pool2d(x, 2)) == [[[0, 1], [0, 0]]]
    assert gradient([[[0.0, 0.0], [1.0, 0.0]]], lambda x: F.max_pool2d(x, 2)) == [[[0, 0], [1, 0]]]


def test_the_last_nan_of_a_window_wins():
    x = minidl.tensor([[1.0, math.nan, 3.0, math.nan, 5.0]])
    y, indices = F.max_pool1d(x, 4, 1, return_indices=True)
    assert np.isnan(y.array).all()
    assert indices.tolist() == [[3, 3]]
    assert np.isnan(F.max_pool1d(x, 4, 1).array).all()  # without places


def test_an_element_of_several_windows_sums_their_gradients():
    assert gradient([[0.0, 5.0, 1.0]], lambda x: F.max_pool1d(x, 2, 1)) == [[0, 2, 0]]
    assert gradient([[0.0, 5.0, 1.0]], lambda x: F.avg_pool1d(x, 2, 1)) == [[0.5, 1, 0.5]]


def test_windows_of_infinities_have_a_place():
    x = minidl.full((1, 3, 3), -math.inf)
    y, indices = F.max_pool2d(x, 3, 2, 1, return_indices=True)
    assert y.tolist() == [[[-math.inf] * 2] * 2]
    assert indices.tolist() == [[[0, 1], [3, 4]]]


def test_infinities_stay_in_their_windows():
    x = minidl.tensor([[math.inf, 1.0, 2.0, 3.0, math.nan]])
    assert F.avg_pool1d(x[:, :4], 2).tolist() == [[math.inf, 2.5]]
    assert F.adaptive_avg_pool1d(x[:, :4], 3).tolist() == [[math.inf, 1.5, 2.5]]


def test_a_mean_of_all_equals_mean():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    y = F.adaptive_avg_pool2d(minidl.tensor(x), 1)
    np.testing.assert_allclose(y.array, x.mean((2, 3), keepdims=True), rtol=1e-12)
    assert F.adaptive_max_pool2d(minidl.tensor(x), 1).array.tolist() == x.max((2, 3), keepdims=True).tolist()


@pytest.mark.parametrize("dtype", [minidl.int8, minidl.uint8, minidl.int32, minidl.int64, minidl.float16])
def test_max_pool_keeps_the_dtype(dtype):
    x = minidl.tensor([[[3, 1, 0], [2, 7, 5]]]).to(dtype)
    y, indices = F.max_pool2d(x, 2, 1, return_indices=True)
    assert (y.dtype, y.tolist(), indices.tolist()) == (dtype, [[[7, 7]]], [[[4, 4]]])
    assert F.max_pool2d(x, 2, 1).tolist() == [[[7, 7]]]


def test_no_samples_and_no_channels():
    for shape in ((0, 2, 4, 6), (2, 0, 4, 6), (0, 4, 6)):
        for function in (F.max_pool2d, F.avg_pool2d, F.adaptive_avg_pool2d, F.adaptive_max_pool2d):
            x = minidl.zeros(shape, requires_grad=True)
            y = function(x, 2)
            assert y.shape == (*shape[:-2], 2, 3 if "adaptive" not in function.__name__ else 2)
            y.sum().backward()
            assert x.grad.shape == shape


def test_places_are_not_computed_where_nobody_needs_them(monkeypatch):
    def fail(*_):
        raise AssertionError("places were computed")

    x = minidl.ones(1, 4, 4, requires_grad=True)
    monkeypatch.setattr(pooling, "largest_with_place", fail)
    with minidl.no_grad():
        assert F.max_pool2d(x, 2).tolist() == [[[1, 1], [1, 1]]]
    assert F.max_pool2d(x.detach(), 2).tolist() == [[[1, 1], [1, 1]]]
    with pytest.raises(AssertionError, match="places"):
        F.max_pool2d(x, 2)


def test_returned_indices_are_a_copy():
    x = minidl.tensor([[1.0, 2.0, 4.0, 3.0]], requires_grad=True)
    y, indices = F.max_pool1d(x, 2, return_indices=True)
    indices.zero_()
    y.sum().backward()
    assert x.grad.tolist() == [[0, 1, 1, 0]]


# --- errors ------------------------------------------------------------------------------------------------------

X = minidl.zeros(2, 3, 5, 5)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: F.max_pool2d([1.0], 2), TypeError, "max_pool2d: input must be a Tensor, not list"),
        (lambda: F.max_pool2d(X > 0, 2), TypeError, "max_pool2d: input must hold numbers, not bool"),
        (
            lambda: F.avg_pool2d(X.to(minidl.int64), 2),
            TypeError,
            "avg_pool2d: input must be a floating-point tensor, not int64",
        ),
        (
            lambda: F.avg_pool1d(X[0].to(minidl.int64), 2),
            TypeError,
            "avg_pool1d: input must be a floating-point tensor, not int64",
        ),
        (
            lambda: F.adaptive_avg_pool1d(X[0].to(minidl.int64), 2),
            TypeError,
            "adaptive_avg_pool1d: input must be a floating-point tensor, not int64",
        ),
        (
            lambda: F.adaptive_avg_pool2d(X.to(minidl.int64), 2),
            TypeError,
            "adaptive_avg_pool2d: input must be a floating-point tensor, not int64",
        ),
        (
            lambda: F.adaptive_max_pool1d(X[0].to(minidl.int64), 2),
            TypeError,
            "adaptive_max_pool1d: input must be a floating-point tensor, not int64",
        ),
        (
            lambda: F.adaptive_max_pool2d(X.to(minidl.int64), 2),
            TypeError,
            "adaptive_max_pool2d: input must be a floating-point tensor, not int64",
        ),
        (
            lambda: F.max_pool2d(X[0, 0], 2),
            ValueError,
            "max_pool2d: input must have the shape (N, C, H, W) or (C, H, W), not (5, 5)",
        ),
        (
            lambda: F.max_pool1d(X, 2),
            ValueError,
            "max_pool1d: input must have the shape (N, C, L) or (C, L), not (2, 3, 5, 5)",
        ),
        (
            lambda: F.adaptive_avg_pool1d(X, 2),
            ValueError,
            "adaptive_avg_pool1d: input must have the shape (N, C, L) or (C, L), not (2, 3, 5, 5)",
        ),
        (
            lambda: F.max_pool2d(X, 6),
            ValueError,
            "max_pool2d: a window with kernel_size (6, 6) and dilation (1, 1) does not fit into input (2, 3, 5, 5) "
            "with padding (0, 0)",
        ),
        (
            lambda: F.max_pool2d(X, 3, dilation=4, padding=1),
            ValueError,
            "max_pool2d: a window with kernel_size (3, 3) and dilation (4, 4) does not fit into input (2, 3, 5, 5) "
            "with padding (1, 1)",
        ),
        (
            lambda: F.avg_pool1d(minidl.zeros(2, 3, 0), 1),
            ValueError,
            "avg_pool1d: a window with kernel_size (1,) and dilation (1,) does not fit into input (2, 3, 0) with "
            "padding (0,)",
        ),
        (
            lambda: F.max_pool1d(minidl.zeros(1, 2), 2, padding=1, dilation=3),
            ValueError,
            "max_pool1d: with dilation (3,) and padding (1,), a window holds nothing of input (1, 2)",
        ),
        (
            lambda: F.max_pool2d(X, 2, padding=2),
            ValueError,
            "max_pool2d: padding (2, 2) is more than half of kernel_size (2, 2)",
        ),
        (
            lambda: F.avg_pool2d(X, (4, 3), padding=(2, 2)),
            ValueError,
            "avg_pool2d: padding (2, 2) is more than half of kernel_size (4, 3)",
        ),
        (lambda: F.max_pool2d(X, 2, padding=-1), ValueError, "max_pool2d: padding must be at least 0, not -1"),
        (lambda: F.max_pool2d(X, 0), ValueError, "max_pool2d: kernel_size must be at least 1, not 0"),
        (lambda: F.max_pool2d(X, 2, (1, 0)), ValueError, "max_pool2d: stride must be at least 1, not (1, 0)"),
        (lambda: F.max_pool2d(X, 2, dilation=0), ValueError, "max_pool2d: dilation must be at least 1, not 0"),
        (
            lambda: F.max_pool2d(X, (2, 2, 2)),
            ValueError,
            "max_pool2d: kernel_size must be one number or 2, not (2, 2, 2)",
        ),
        (lambda: F.max_pool1d(X[0], (2, 2)), ValueError, "max_pool1d: kernel_size must be one number or 1, not (2, 2)"),
        (lambda: F.max_pool2d(X, 2.0), TypeError, "max_pool2d: kernel_size must be an integer, not float"),
        (lambda: F.avg_pool2d(X, 2, (1, 0.5)), TypeError, "avg_pool2d: stride must be an integer, not float"),
        (
            lambda: F.avg_pool2d(X, 2, divisor_override=0),
            ValueError,
            "avg_pool2d: divisor_override must not be 0",
        ),
        (
            lambda: F.avg_pool2d(X, 2, divisor_override=1.5),
            TypeError,
            "avg_pool2d: divisor_override must be an integer, not float",
        ),
        (
            lambda: F.adaptive_avg_pool2d(X, (1, 2, 3)),
            ValueError,
            "adaptive_avg_pool2d: output_size must be one number or 2, not (1, 2, 3)",
        ),
        (
            lambda: F.adaptive_max_pool2d(X, (2, -1)),
            ValueError,
            "adaptive_max_pool2d: output_size must not be negative, but is (2, -1)",
        ),
        (
            lambda: F.adaptive_max_pool1d(X[0], 2.5),
            TypeError,
            "adaptive_max_pool1d: output_size must be an integer, not float",
        ),
        (
            lambda: F.adaptive_avg_pool2d(X[:, :, :0], 2),
            ValueError,
            "adaptive_avg_pool2d: input (2, 3, 0, 5) has nothing to pool",
        ),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == text
