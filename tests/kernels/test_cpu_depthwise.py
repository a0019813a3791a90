"""Depthwise convolution in compiled loops against the plain one, with a kernel that is zero between channels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import run

import minidl
import minidl.nn.functional as F
from kernels.cpu import depthwise, plain_convolution, set_compiled, sums
from kernels.cpu.windows import Windows

pytestmark = pytest.mark.skipif(not sums.ready(), reason="Numba does not work here")


@pytest.fixture(autouse=True)
def small_enough(monkeypatch):
    """Even the smallest convolution runs compiled."""
    monkeypatch.setattr(depthwise, "WORTH", 0)
    monkeypatch.setattr(depthwise, "FEW", 0)


@st.composite
def geometries(draw):
    """How a kernel slides over an image, with at least one window."""
    pair = lambda least, most: draw(st.tuples(st.integers(least, most), st.integers(least, most)))  # noqa: E731
    kernel, stride, dilation, start = pair(1, 4), pair(1, 3), pair(1, 3), pair(0, 4)
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    extra = pair(0, 7)
    size = tuple(max(1, span - 2 * s) + e for span, s, e in zip(spans, start, extra, strict=True))
    each = zip(size, start, spans, stride, strict=True)
    return Windows(size, kernel, stride, start, dilation, tuple((n + 2 * s - p) // t + 1 for n, s, p, t in each))


def numbers(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def layout(x, channels_last):
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) if channels_last else x


@given(geometries(), st.integers(1, 3), st.sampled_from([1, 3, 8, 19]), *[st.booleans()] * 3)
@settings(max_examples=100)
def test_like_the_plain_one(at, images, channels, x_last, g_last, bias):
    x, g = (
        layout(numbers(0, images, channels, *at.size), x_last),
        layout(numbers(1, images, channels, *at.count), g_last),
    )
    w, b = numbers(2, channels, 1, *at.kernel), numbers(3, channels) if bias else None
    full = np.zeros((channels, channels, *at.kernel))
    full[np.arange(channels), np.arange(channels)] = w[:, 0]
    every = plain_convolution.weight_gradient(x.astype(np.float64), g.astype(np.float64), at)
    for ours, wanted in (
        (depthwise.forward(x, w, b, at), plain_convolution.forward(x.astype(np.float64), full, b, at)),
        (depthwise.input_gradient(g, w, b, at), plain_convolution.input_gradient(g.astype(np.float64), full, b, at)),
        (depthwise.weight_gradient(x, g, at), every[np.arange(channels), np.arange(channels)][:, None]),
    ):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, wanted, rtol=0, atol=2e-5 * max(1, np.abs(wanted).max()))


def test_the_operation_with_and_without_it():
    def results(compiled):
        previous = set_compiled(compiled)
        try:
            tensors = [
                minidl.Tensor(numbers(*a), requires_grad=True) for a in ((0, 2, 9, 7, 6), (1, 9, 1, 3, 2), (2, 9))
            ]
            y = F.conv2d(*tensors, stride=2, padding=1, groups=9)
            z = F.conv_transpose2d(y, tensors[1], tensors[2], stride=2, groups=9)
            z.backward(minidl.Tensor(numbers(3, *z.shape)))
            return [y.detach().numpy(), z.detach().numpy(), *(t.grad.numpy() for t in tensors)]
        finally:
            set_compiled(previous)

    for ours, plain in zip(results(True), results(False), strict=True):
        np.testing.assert_allclose(ours, plain, rtol=0, atol=1e-4)


def test_what_it_does_not_take(monkeypatch):
    at = Windows((5, 5), (3, 3), (1, 1), (0, 0), (1, 1), (3, 3))
    x, w, g = numbers(0, 2, 8, 5, 5), numbers(1, 8, 1, 3, 3), numbers(2, 2, 8, 3, 3)

    def answers(x, w, g):
        found = depthwise.forward(x, w, None, at), depthwise.input_gradient(g, w, None, at)
        return [y is not None for y in (*found, depthwise.weight_gradient(x, g, at))]

    assert answers(x, w, g) == [True] * 3
    assert answers(*(z.astype(np.float64) for z in (x, w, g))) == [False] * 3
    assert answers(x[:0], w, g[:0]) == [False] * 3
    monkeypatch.setattr(depthwise, "FEW", 9)
    assert answers(x, w, g) == [False] * 3
    monkeypatch.setattr(depthwise, "FEW", 8)
    monkeypatch.setattr(depthwise, "WORTH", 2 * 8 * 9 * 9 + 1)
    assert answers(x, w, g) == [False] * 3
    monkeypatch.setattr(depthwise, "WORTH", 2 * 8 * 9 * 9)
    assert answers(x, w, g) == [True] * 3
    previous = set_compiled(False)
    try:
        assert answers(x, w, g) == [False] * 3
    finally:
        set_compiled(previous)


PROGRAM = """
import numpy as np
from kernels.cpu import depthwise
from kernels.cpu.windows import Windows
depthwise.WORTH, rng = 0, np.random.default_rng(0)
at = Windows((6, 7), (1, 1), (1, 1), (0, 0), (1, 1), (6, 7))
x, w = rng.standard_normal((2, 37, 6, 7)).astype("f"), rng.standard_normal((37, 1, 1, 1)).astype("f")
print(np.array_equal(depthwise.forward(x, w, None, at), x * w[:, 0]))
print(np.array_equal(depthwise.input_gradient(x, w, None, at), x * w[:, 0]))
print(np.allclose(depthwise.weight_gradient(x, x, at).ravel(), (x * x).sum((0, 2, 3)), rtol=1e-5))
"""


def test_other_processors():
    assert run(PROGRAM, NUMBA_CPU_NAME="haswell").split() == ["True"] * 3
