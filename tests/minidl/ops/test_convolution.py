"""Convolutions: against loops and PyTorch over random settings, memory, edges, and every error text."""

import re
import tracemalloc
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
import minidl.nn.functional as F
from minidl.ops import correlation
from minidl.ops.windows import Windows, count_of

slow = settings(deadline=None)


@st.composite
def shapes(draw, least_kernel=1):
    """Operands and settings of a conv2d that fit: (x shape, w shape, stride, padding, dilation, groups)."""
    groups, inputs, outputs = (draw(st.integers(1, 3)) for _ in range(3))
    images = draw(st.integers(0, 3))
    kernel = tuple(draw(st.integers(least_kernel, 3)) for _ in range(2))
    stride, dilation = (tuple(draw(st.integers(1, 3)) for _ in range(2)) for _ in range(2))
    padding = tuple(draw(st.integers(0, 3)) for _ in range(2))
    least = [max(d * (k - 1) + 1 - 2 * p, 1) for k, d, p in zip(kernel, dilation, padding)]
    size = tuple(draw(st.integers(n, n + 4)) for n in least)
    w = (outputs * groups, inputs, *kernel)
    return (images, inputs * groups, *size), w, stride, padding, dilation, groups


def operands(x_shape, w_shape, outputs):
    rng = np.random.default_rng(0)
    return rng.standard_normal(x_shape), rng.standard_normal(w_shape), rng.standard_normal(outputs)


def by_loops(x, w, b, stride, padding, dilation, groups):
    """The definition, one product at a time."""
    at = (count_of(x.shape[2:], w.shape[2:], stride, padding, dilation), stride, padding, dilation)
    x = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))
    y = np.zeros((x.shape[0], w.shape[0], *at[0]))
    inputs, outputs = w.shape[1], w.shape[0] // groups
    for n, o, i, j in np.ndindex(*y.shape):
        y[n, o, i, j] = b[o]
        for c, k, l in product(range(inputs), *map(range, w.shape[2:])):
            place = (i * stride[0] + k * dilation[0], j * stride[1] + l * dilation[1])
            y[n, o, i, j] += w[o, c, k, l] * x[(n, o // outputs * inputs + c, *place)]
    return y


@settings(max_examples=25, deadline=None)
@given(shapes())
def test_conv2d_is_its_definition(drawn):
    x_shape, w_shape, *options = drawn
    x, w, b = operands(x_shape, w_shape, w_shape[0])
    found = F.conv2d(*map(minidl.tensor, (x, w, b)), *options)
    np.testing.assert_allclose(found.array, by_loops(x, w, b, *options), rtol=1e-12, atol=1e-12, strict=True)


def compare(torch, call, arrays):
    """Value and gradients against PyTorch's."""
    ours = [minidl.tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    y, expected = call(F, *ours), call(torch.nn.functional, *theirs)
    g = np.random.default_rng(1).standard_normal(expected.shape)
    y.backward(minidl.tensor(g))
    expected.backward(torch.tensor(g))
    pairs = [(y.array, expected.detach()), *((x.grad.array, z.grad) for x, z in zip(ours, theirs))]
    for found, wanted in pairs:
        np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-11, atol=1e-11, strict=True)


@slow
@given(shapes())
def test_conv2d_is_pytorchs(drawn):
    torch = pytest.importorskip("torch", reason="the oracle of this test is PyTorch")
    x_shape, w_shape, *options = drawn
    compare(torch, lambda lib, x, w, b: lib.conv2d(x, w, b, *options), operands(x_shape, w_shape, w_shape[0]))


@slow
@given(shapes(), st.data())
def test_conv_transpose2d_is_pytorchs(drawn, data):
    torch = pytest.importorskip("torch", reason="the oracle of this test is PyTorch")
    x_shape, (outputs, inputs, *kernel), stride, padding, dilation, groups = drawn
    count = count_of(x_shape[2:], kernel, stride, padding, dilation)
    extra = tuple(data.draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation))
    each = zip(count, kernel, stride, padding, dilation, extra)
    if min((n - 1) * s - 2 * p + d * (k - 1) + 1 + e for n, k, s, p, d, e in each) < 1:
        return
    arrays = operands((x_shape[0], outputs, *count), (outputs, inputs, *kernel), inputs * groups)
    compare(torch, lambda lib, x, w, b: lib.conv_transpose2d(x, w, b, stride, padding, extra, groups, dilation), arrays)


@settings(max_examples=40, deadline=None)
@given(shapes(), st.booleans())
def test_signals_are_images_of_height_1(drawn, batch):
    x_shape, w_shape, *options, groups = drawn
    x, w, b = operands(x_shape, w_shape, w_shape[0])
    if not len(x):
        return
    x, w = x[:, :, 0], w[:, :, 0]
    stride, padding, dilation = (pair[1] for pair in options)
    images = map(minidl.tensor, (x[:, :, None], w[:, :, None], b))
    image = F.conv2d(*images, (1, stride), (0, padding), (1, dilation), groups)
    tensors = list(map(minidl.tensor, (x if batch else x[0], w, b)))
    found = F.conv1d(*tensors, stride, padding, dilation, groups)
    expected = image.array[:, :, 0] if batch else image.array[0, :, 0]
    np.testing.assert_allclose(found.array, expected, rtol=1e-13, atol=1e-13, strict=True)


@slow
@given(st.lists(st.integers(1, 5), min_size=2, max_size=2), st.integers(1, 3), st.integers(1, 6))
def test_same_keeps_the_size(kernel, dilation, size):
    x, w, b = operands((1, 1, size, size + 1), (1, 1, *kernel), 1)
    y = F.conv2d(*map(minidl.tensor, (x, w, b)), padding="same", dilation=dilation)
    assert y.shape == x.shape
    total = [dilation * (k - 1) for k in kernel]
    around = [n for t in reversed(total) for n in (t // 2, t - t // 2)]
    expected = F.conv2d(F.pad(minidl.tensor(x), around), *map(minidl.tensor, (w, b)), dilation=dilation)
    np.testing.assert_allclose(y.array, expected.array, rtol=1e-13, atol=1e-13)


# --- the three sums on arrays ------------------------------------------------------------------------------------


@slow
@given(shapes(), st.sampled_from([(1, 1), (400, 3), (2**20, 256)]))
def test_all_three_are_derivatives_of_one_sum(drawn, limits):
    """g . forward(x, w) = x . input_gradient(g, w) = w . weight_gradient(x, g), however the work is cut into pieces."""
    x_shape, w_shape, stride, padding, dilation, groups = drawn
    count = count_of(x_shape[2:], w_shape[2:], stride, padding, dilation)
    at = Windows(x_shape[2:], w_shape[2:], stride, padding, dilation, count)
    x, w, g = operands(x_shape, w_shape, (x_shape[0], w_shape[0], *count))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(correlation, "BYTES", limits[0])
        patch.setattr(correlation, "ROWS", limits[1])
        products = [
            np.vdot(g, correlation.forward(x, w, None, at, groups)),
            np.vdot(x, correlation.input_gradient(g, w, None, at, groups)),
            np.vdot(w, correlation.weight_gradient(x, g, at, groups)),
        ]
    assert products == pytest.approx([products[0]] * 3, rel=1e-11, abs=1e-11)


@given(st.integers(0, 5), st.integers(1, 9), st.integers(1, 9), st.integers(1, 200))
def test_pieces_cover_every_window_once(images, height, width, rows):
    at = Windows((height, width), (1, 1), (1, 1), (0, 0), (1, 1), (height, width))
    x, covered = np.zeros((images, 1, height, width)), np.zeros((1, images, height, width))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(correlation, "BYTES", 0)
        patch.setattr(correlation, "ROWS", rows)
        for piece in correlation.pieces(x, 1, at):
            covered[piece] += 1
            assert covered[piece].size <= max(rows, width)
    assert (covered == 1).all()


def test_the_matrix_of_windows_is_never_whole():
    """It would take 9 times the memory of x; nothing but x and the weight is kept for backward."""
    x = minidl.tensor(np.zeros((16, 64, 32, 32), np.float32), requires_grad=True)
    w = minidl.tensor(np.zeros((64, 64, 3, 3), np.float32), requires_grad=True)
    F.conv2d(x, w, padding=1).sum().backward()  # what is compiled once takes memory of its own
    x.grad = w.grad = None
    tracemalloc.start()
    y = F.conv2d(x, w, padding=1)
    kept, _ = tracemalloc.get_traced_memory()
    y.backward(minidl.Tensor(np.zeros(y.shape, np.float32)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1.1 * y.array.nbytes
    assert peak < 6 * x.array.nbytes  # y, g, dx, and two copies with channels last


@pytest.mark.parametrize("channels", [3, 16])
def test_results_can_be_viewed(channels):
    """As scripts written for PyTorch expect, though in memory their channels may lie last."""
    x, w = minidl.zeros(2, channels, 8, 8), minidl.zeros(64, channels, 3, 3)
    assert F.conv2d(x, w, padding=1).view(2, -1).shape == (2, 4096)
    assert F.conv_transpose2d(minidl.zeros(2, 64, 3, 3), w, stride=2).view(2, -1).shape == (2, 49 * channels)


def test_without_channels_only_the_bias_is_left():
    y = F.conv2d(minidl.zeros(1, 0, 3, 3), minidl.zeros(2, 0, 2, 2), minidl.tensor([1.0, 2.0]))
    assert y.tolist() == [[[[1, 1], [1, 1]], [[2, 2], [2, 2]]]]


def test_a_place_beside_a_nan_is_not_touched_by_it():
    x = minidl.zeros(1, 1, 1, 5)
    x[0, 0, 0, 4] = float("nan")
    y = F.conv2d(x, minidl.ones(1, 1, 1, 2))
    assert np.isnan(y.array).tolist() == [[[[False, False, False, True]]]]


@pytest.mark.parametrize("operation", ["conv2d", "conv_transpose2d"])
def test_third_order(operation):
    """sum(conv(x, w) * conv(x, w) * conv(x, w)) has third derivatives in x and w alike."""
    rng = np.random.default_rng(0)
    x, w = (minidl.tensor(rng.standard_normal(s), requires_grad=True) for s in ((1, 1, 3, 3), (1, 1, 2, 2)))
    convolve = getattr(F, operation)

    def second(x, w):
        y = convolve(x, w)
        (first,) = minidl.grad((y * y * y).sum(), x, create_graph=True)
        return minidl.grad((first * first).sum(), (x, w), create_graph=True)

    assert minidl.gradcheck(second, (x, w), eps=1e-6, atol=1e-4, rtol=1e-6)


@pytest.mark.parametrize("operation", ["conv2d", "conv_transpose2d"])
def test_second_order_of_large_ones(operation):
    """In float32 they run compiled, with gradients that change their layout on the way: as exact as in float64."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((8, 16, 12, 12)), rng.standard_normal((16, 16, 3, 3))

    def second(dtype):
        tensors = [minidl.tensor(a.astype(dtype), requires_grad=True) for a in (x, w)]
        y = getattr(F, operation)(*tensors, padding=1)
        first = minidl.grad((y * y).sum(), tensors, create_graph=True)
        return minidl.grad(sum((g * g).sum() for g in first), tensors)

    for found, exact in zip(second(np.float32), second(np.float64)):
        assert found.dtype == minidl.float32
        assert np.abs(found.array - exact.array).max() < 1e-5 * np.abs(exact.array).max()


# --- errors ------------------------------------------------------------------------------------------------------


X, W = minidl.zeros(2, 4, 5, 6), minidl.zeros(6, 4, 3, 3)
T = minidl.zeros(4, 6, 3, 3)
SIGNALS = minidl.zeros(2, 4, 6)


@pytest.mark.parametrize(
    ("kind", "call", "text"),
    [
        (TypeError, lambda: F.conv2d(1, W), "conv2d: input must be a Tensor, not int"),
        (TypeError, lambda: F.conv2d(X, [1]), "conv2d: weight must be a Tensor, not list"),
        (TypeError, lambda: F.conv2d(X, W, 1.0), "conv2d: bias must be a Tensor, not float"),
        (
            TypeError,
            lambda: F.conv2d(X, W.double()),
            "conv2d: input is float32 but weight is float64; both must have one dtype",
        ),
        (
            TypeError,
            lambda: F.conv2d(X.long(), W.long()),
            "conv2d: input must be a floating-point tensor, not int64",
        ),
        (
            ValueError,
            lambda: F.conv2d(X[0, 0], W),
            "conv2d: input must be (N, C, H, W) or (C, H, W), not of shape (5, 6)",
        ),
        (ValueError, lambda: F.conv1d(X, W), "conv1d: input must be (N, C, L) or (C, L), not of shape (2, 4, 5, 6)"),
        (
            ValueError,
            lambda: F.conv2d(X, W[0]),
            "conv2d: weight must be (out_channels, in_channels / groups, kH, kW), not of shape (4, 3, 3)",
        ),
        (
            ValueError,
            lambda: F.conv1d(SIGNALS, W),
            "conv1d: weight must be (out_channels, in_channels / groups, k), not of shape (6, 4, 3, 3)",
        ),
        (
            ValueError,
            lambda: F.conv_transpose2d(X, T[0]),
            "conv_transpose2d: weight must be (in_channels, out_channels / groups, kH, kW), not of shape (6, 3, 3)",
        ),
        (ValueError, lambda: F.conv2d(X, W[:, :, :0]), "conv2d: weight (6, 4, 0, 3) has no kernel"),
        (ValueError, lambda: F.conv2d(X, W[:0]), "conv2d: weight (0, 4, 3, 3) has no kernel"),
        (ValueError, lambda: F.conv2d(X, W, groups=0), "conv2d: groups must be at least 1, not 0"),
        (TypeError, lambda: F.conv2d(X, W, groups=2.0), "conv2d: groups must be an integer, not float"),
        (
            ValueError,
            lambda: F.conv2d(X[:, :3], W),
            "conv2d: input has 3 channels but weight expects 4 = 4 for each of 1 groups (input (2, 3, 5, 6), weight "
            "(6, 4, 3, 3))",
        ),
        (
            ValueError,
            lambda: F.conv2d(X, W, groups=2),
            "conv2d: input has 4 channels but weight expects 8 = 4 for each of 2 groups (input (2, 4, 5, 6), weight "
            "(6, 4, 3, 3))",
        ),
        (
            ValueError,
            lambda: F.conv2d(X, W[:, :1], groups=4),
            "conv2d: weight has 6 output channels, which 4 groups do not divide (weight (6, 1, 3, 3))",
        ),
        (
            ValueError,
            lambda: F.conv2d(X, W, minidl.zeros(5)),
            "conv2d: bias has shape (5,) but there are 6 output channels (weight (6, 4, 3, 3))",
        ),
        (
            ValueError,
            lambda: F.conv2d(X, W, minidl.zeros(6, 1)),
            "conv2d: bias has shape (6, 1) but there are 6 output channels (weight (6, 4, 3, 3))",
        ),
        (ValueError, lambda: F.conv2d(X, W, stride=0), "conv2d: stride must be at least 1, not 0"),
        (ValueError, lambda: F.conv2d(X, W, stride=(1, 1, 1)), "conv2d: stride must be one number or 2, not (1, 1, 1)"),
        (
            ValueError,
            lambda: F.conv1d(SIGNALS, W[:, :, 0], stride=(1, 2)),
            "conv1d: stride must be one number, not (1, 2)",
        ),
        (ValueError, lambda: F.conv2d(X, W, padding=(0, -1)), "conv2d: padding must be at least 0, not (0, -1)"),
        (ValueError, lambda: F.conv2d(X, W, dilation=0), "conv2d: dilation must be at least 1, not 0"),
        (TypeError, lambda: F.conv2d(X, W, padding=0.5), "conv2d: padding must be an integer, not float"),
        (
            ValueError,
            lambda: F.conv2d(X, W, padding="full"),
            "conv2d: padding must be numbers, 'same' or 'valid', not 'full'",
        ),
        (
            ValueError,
            lambda: F.conv2d(X, W, stride=(1, 2), padding="same"),
            "conv2d: padding='same' needs a stride of 1, not (1, 2)",
        ),
        (
            ValueError,
            lambda: F.conv2d(X, W, dilation=3, padding=(0, 1)),
            "conv2d: the kernel spans (7, 7) places, but the padded input has only (5, 8) (input (2, 4, 5, 6), weight "
            "(6, 4, 3, 3))",
        ),
        (
            ValueError,
            lambda: F.conv1d(SIGNALS[:, :, :2], W[:, :, 0]),
            "conv1d: the kernel spans (3,) places, but the padded input has only (2,) (input (2, 4, 2), weight "
            "(6, 4, 3))",
        ),
        (ValueError, lambda: F.conv2d(X[:, :, :0], W[..., :1, :1]), "conv2d: input (2, 4, 0, 6) has no pixels"),
        (ValueError, lambda: F.conv2d(X[:, :, :0], W, padding=2), "conv2d: input (2, 4, 0, 6) has no pixels"),
        (ValueError, lambda: F.conv1d(X[:, :, :0, 0], W[:, :, 0], padding=2), "conv1d: input (2, 4, 0) has no places"),
        (
            ValueError,
            lambda: F.conv_transpose2d(X, W),
            "conv_transpose2d: input has 4 channels but weight expects 6 (input (2, 4, 5, 6), weight (6, 4, 3, 3))",
        ),
        (
            ValueError,
            lambda: F.conv_transpose2d(X, T, groups=3),
            "conv_transpose2d: input has 4 channels, which 3 groups do not divide (input (2, 4, 5, 6))",
        ),
        (
            ValueError,
            lambda: F.conv_transpose2d(X, T, minidl.zeros(6), groups=2),
            "conv_transpose2d: bias has shape (6,) but there are 12 output channels (weight (4, 6, 3, 3))",
        ),
        (
            ValueError,
            lambda: F.conv_transpose2d(X, T, stride=2, output_padding=(1, 2)),
            "conv_transpose2d: output_padding (1, 2) must be smaller than stride (2, 2) or dilation (1, 1)",
        ),
        (
            ValueError,
            lambda: F.conv_transpose2d(X, T, output_padding=-1),
            "conv_transpose2d: output_padding must be at least 0, not -1",
        ),
        (
            ValueError,
            lambda: F.conv_transpose2d(X, T, padding=4),
            "conv_transpose2d: nothing is left of the result, its size would be (-1, 0) (input (2, 4, 5, 6), weight "
            "(4, 6, 3, 3))",
        ),
        (
            TypeError,
            lambda: F.conv_transpose2d(X, T, padding="same"),
            "conv_transpose2d: padding must be an integer, not str",
        ),
    ],
)
def test_errors(kind, call, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        call()


def test_images_without_channels():
    x, w = minidl.zeros(2, 0, 5, 5, requires_grad=True), minidl.zeros(4, 0, 3, 3, requires_grad=True)
    y = F.conv2d(x, w, minidl.ones(4))
    y.sum().backward()
    assert minidl.equal(y, minidl.ones(2, 4, 3, 3))
    assert (x.grad.shape, w.grad.shape) == (x.shape, w.shape)
