"""The convolution on the register tile against the plain one in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import on_other_processors, run

from kernels.cpu import convolution, plain_convolution, set_compiled, sums
from kernels.cpu.convolution import Windows

ERROR = 1e-5  # relative to the sum of the absolute values of all terms

pytestmark = pytest.mark.skipif(not sums.ready(), reason="Numba does not work here")


@pytest.fixture(autouse=True)
def small_enough(monkeypatch):
    """Even the smallest convolution runs compiled, and a few images fill the cache."""
    monkeypatch.setattr(convolution, "WORTH", 0)
    monkeypatch.setattr(convolution, "CACHE", 4096)


def windows(size, kernel, stride=(1, 1), start=(0, 0), dilation=(1, 1), end=None):
    each = zip(size, kernel, stride, start, dilation, end or start, strict=True)
    count = tuple((n + s + e - d * (k - 1) - 1) // step + 1 for n, k, step, s, d, e in each)
    return Windows(size, kernel, stride, start, dilation, count)


@st.composite
def geometries(draw):
    """How a kernel slides over an image, with at least one window."""
    pair = lambda least, most: draw(st.tuples(st.integers(least, most), st.integers(least, most)))  # noqa: E731
    kernel, stride, dilation, start, more = pair(1, 4), pair(1, 3), pair(1, 3), pair(0, 4), pair(0, 1)
    end = tuple(s + m for s, m in zip(start, more, strict=True))
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    least = [max(1, span - s - e) for span, s, e in zip(spans, start, end, strict=True)]
    size = tuple(n + extra for n, extra in zip(least, pair(0, 9), strict=True))
    return windows(size, kernel, stride, start, dilation, end)


def numbers(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def layout(x, channels_last):
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) if channels_last else x


def compare(name, arrays, at, **options):
    """The compiled function against the plain one in float64, and the error against that with absolute values."""
    ours = getattr(convolution, name)(*arrays, at, **options)
    plain = getattr(plain_convolution, name)
    exact = plain(*(None if x is None else x.astype(np.float64) for x in arrays), at, **options)
    scale = plain(*(None if x is None else np.abs(x).astype(np.float64) for x in arrays), at, **options)
    assert ours.dtype == np.float32
    assert ours.shape == exact.shape
    assert np.all(np.abs(ours - exact) <= ERROR * scale)


@given(
    geometries(),
    st.integers(1, 9),
    st.sampled_from([1, 2, 3, 8, 11, 20]),
    st.sampled_from([1, 6, 16, 33, 64, 70]),
    *[st.booleans()] * 4,
)
@settings(max_examples=200)
def test_like_the_plain_one(at, images, channels, outputs, x_last, g_last, bias, relu):
    x = layout(numbers(0, images, channels, *at.size), x_last)
    g = layout(numbers(1, images, outputs, *at.count), g_last)
    w = numbers(2, outputs, channels, *at.kernel)
    compare("forward", (x, w, numbers(3, outputs) if bias else None), at, relu=relu)
    compare("input_gradient", (g, w, numbers(4, channels) if bias else None), at)
    compare("weight_gradient", (x, g), at)


@pytest.mark.parametrize("in_rows", [False, True], ids=["by lines", "by images"])
@given(geometries())
@settings(max_examples=50)
def test_both_kinds_of_rows(in_rows, at):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution, "images_in_rows", lambda x, at: in_rows)
        x, g, w = numbers(0, 7, 9, *at.size), numbers(1, 7, 66, *at.count), numbers(2, 66, 9, *at.kernel)
        compare("forward", (x, w, numbers(3, 66)), at)
        compare("input_gradient", (g, w, numbers(4, 9)), at)


@pytest.mark.parametrize(
    ("images", "channels", "size", "outputs", "kernel", "stride", "padding"),
    [
        (3, 1, 28, 32, 3, 1, 0),
        (2, 3, 32, 64, 7, 2, 3),
        (4, 6, 14, 16, 5, 1, 0),
        (2, 16, 56, 130, 1, 1, 0),
        (8, 32, 13, 64, 3, 1, 1),
        (8, 40, 8, 48, 3, 2, 1),
        (8, 40, 8, 48, 1, 2, 0),
        (8, 16, 1, 16, 3, 1, 1),
        (8, 16, 2, 16, 5, 1, 2),
        (1, 8, 40, 8, 11, 4, 2),
    ],
)
def test_layers_of_known_networks(images, channels, size, outputs, kernel, stride, padding):
    at = windows((size, size), (kernel, kernel), (stride, stride), (padding, padding))
    x, w = numbers(0, images, channels, size, size), numbers(1, outputs, channels, kernel, kernel)
    g = numbers(2, images, outputs, *at.count)
    compare("forward", (x, w, numbers(3, outputs)), at)
    compare("input_gradient", (g, w, None), at)
    compare("weight_gradient", (x, g), at)


@pytest.mark.parametrize("images", [2, 8], ids=["by lines", "by images"])
def test_nan_and_infinity(images):
    """They reach the windows that they lie in, and no others; max(y, 0) keeps a NaN."""
    at = windows((6, 7), (3, 3), start=(1, 1))
    x, w = numbers(0, images, 8, 6, 7), numbers(1, 16, 8, 3, 3)
    x[1, 2, 3, 4], x[0, 0, 0, 0] = np.nan, np.inf
    for relu in (False, True):
        ours = convolution.forward(x, w, None, at, relu)
        exact = plain_convolution.forward(x.astype(np.float64), w.astype(np.float64), None, at, relu)
        assert np.isnan(ours[1, :, 2:5, 3:6]).all()
        assert np.array_equal(np.isnan(ours), np.isnan(exact))
        assert np.array_equal(np.isinf(ours), np.isinf(exact))


def test_views_of_any_kind():
    """Steps, offsets, reversed and read-only arrays; an array that is not aligned is left to others."""
    at = windows((9, 8), (3, 2), start=(1, 0))
    big = numbers(0, 3, 20, 9, 16)
    w, g = numbers(1, 40, 10, 3, 2)[::2, :, ::-1], numbers(2, 3, 22, *at.count)[:, 1:-1]
    x = big[:, ::2, :, ::2]
    compare("forward", (x, w, numbers(3, 40)[::-2]), at)
    compare("input_gradient", (g, w, None), at)
    compare("weight_gradient", (x, g), at)
    x.flags.writeable = False
    compare("forward", (x, w, None), at)
    memory = np.zeros(4 * 10 * 9 * 8 + 1, np.uint8)
    misplaced = memory[1:].view(np.float32).reshape(1, 10, 9, 8)
    assert not misplaced.flags.aligned
    assert convolution.forward(misplaced, w, None, at) is None


def test_channels_last(monkeypatch):
    """A copy if it will be read often enough and lies otherwise; any layout will do."""
    big = numbers(0, 3, 20, 9, 16)
    for x in (big, big[:, ::2, :, ::2], big[:1, 3:4], big.transpose(1, 0, 3, 2)):
        y = convolution.channels_last(x, 10)
        assert np.array_equal(x, y)
        assert y.transpose(0, 2, 3, 1).flags.c_contiguous
        assert convolution.channels_last(y, 10) is y
    monkeypatch.setattr(convolution, "WORTH", 11)
    assert convolution.channels_last(big, 10) is big
    assert convolution.channels_last(big, 11) is not big
    double = big.astype(np.float64)
    assert convolution.channels_last(double, 11) is double


def test_inputs_are_not_changed():
    at = windows((5, 5), (3, 3), start=(1, 1))
    arrays = [numbers(0, 7, 8, 5, 5), numbers(1, 9, 8, 3, 3), numbers(2, 7, 9, 5, 5), numbers(3, 9)]
    before = [array.copy() for array in arrays]
    x, w, g, b = arrays
    convolution.forward(x, w, b, at, True)
    convolution.input_gradient(g, w, None, at)
    convolution.weight_gradient(x, g, at)
    assert all(map(np.array_equal, arrays, before))


def test_empty_arrays_are_left_to_others():
    at = windows((5, 5), (3, 3))
    for images, channels in ((0, 8), (2, 0)):
        x, w, g = numbers(0, images, channels, 5, 5), numbers(1, 9, channels, 3, 3), numbers(2, images, 9, 3, 3)
        assert convolution.forward(x, w, None, at) is None
        assert convolution.input_gradient(g, w, None, at) is None
        assert convolution.weight_gradient(x, g, at) is None


def test_what_it_does_not_take(monkeypatch):
    at = windows((5, 5), (3, 3))
    x, w, g = numbers(0, 2, 8, 5, 5), numbers(1, 9, 8, 3, 3), numbers(2, 2, 9, 3, 3)
    for kind in (np.float64, np.float16, np.int64):
        assert convolution.forward(x.astype(kind), w.astype(kind), None, at) is None
        assert convolution.input_gradient(g.astype(kind), w.astype(kind), None, at) is None
        assert convolution.weight_gradient(x.astype(kind), g.astype(kind), at) is None
    assert convolution.forward(x, w, numbers(3, 9).astype(np.float64), at) is None
    monkeypatch.setattr(convolution, "WORTH", 2 * 9 * 8 * 9 * 9)
    assert convolution.forward(x, w, None, at) is not None
    monkeypatch.setattr(convolution, "WORTH", 2 * 9 * 8 * 9 * 9 + 1)
    assert convolution.forward(x, w, None, at) is None
    assert convolution.input_gradient(g, w, None, at) is None
    assert convolution.weight_gradient(x, g, at) is None


def test_the_switch():
    at = windows((5, 5), (3, 3))
    previous = set_compiled(False)
    try:
        assert convolution.forward(numbers(0, 2, 8, 5, 5), numbers(1, 9, 8, 3, 3), None, at) is None
    finally:
        set_compiled(previous)


def test_results_are_the_same_every_time():
    at = windows((13, 13), (3, 3), start=(1, 1))
    x, w = numbers(0, 9, 20, 13, 13), numbers(1, 33, 20, 3, 3)
    first = convolution.forward(x, w, None, at)
    assert all(np.array_equal(convolution.forward(x, w, None, at), first) for _ in range(3))


PROGRAM = """
import numpy as np
from kernels.cpu import convolution as fast, plain_convolution as plain
from kernels.cpu.convolution import Windows
fast.WORTH, rng, worst = 0, np.random.default_rng(0), 0
for images, channels, outputs in ((2, 1, 5), (7, 3, 40), (8, 20, 70)):
    at = Windows((9, 10), (3, 3), (2, 1), (1, 1), (1, 2), (5, 8))
    shapes = (images, channels, 9, 10), (outputs, channels, 3, 3), (images, outputs, 5, 8)
    x, w, g = (rng.standard_normal(shape).astype("f") for shape in shapes)
    for name, given in (("forward", (x, w, None)), ("input_gradient", (g, w, None)), ("weight_gradient", (x, g))):
        exact = getattr(plain, name)(*given, at)
        worst = max(worst, np.abs(getattr(fast, name)(*given, at) - exact).max() / np.abs(exact).max())
print(worst < 1e-5)
"""


@on_other_processors
def test_other_processors(environment):
    assert run(PROGRAM, **environment) == "True"
