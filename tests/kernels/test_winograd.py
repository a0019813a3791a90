"""Convolution with fewer multiplications against the plain one in float64, and against the error of the direct form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import on_other_processors, run

from kernels.cpu import convolution, plain_convolution, sums, threads, winograd
from kernels.cpu.windows import Windows

ERROR = 1e-6  # relative to the largest sum of the absolute values of all terms: pixels of a patch share their rounding


@pytest.fixture
def always(monkeypatch):
    """Even the smallest kernel of 3 x 3 goes this way, and a few lines of patches fill a block."""
    monkeypatch.setattr(convolution, "WORTH", 0)
    monkeypatch.setattr(winograd, "GAIN", float("inf"))
    monkeypatch.setattr(winograd, "BLOCK", 20_000)


compiled = pytest.mark.skipif(not sums.ready(), reason="Numba does not work here")


def windows(height, width, above=0, before=0, below=None, after=None):
    below, after = (start if end is None else end for start, end in ((above, below), (before, after)))
    count = height + above + below - 2, width + before + after - 2
    return Windows((height, width), (3, 3), (1, 1), (above, before), (1, 1), count)


@st.composite
def geometries(draw):
    """Images of any size with at least one window."""
    each = []
    for _ in range(2):
        start, end = draw(st.integers(0, 3)), draw(st.integers(0, 3))
        each.append((draw(st.integers(max(1, 3 - start - end), 11)), start, end))
    (height, above, below), (width, before, after) = each
    return windows(height, width, above, before, below, after)


def numbers(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def layout(x, channels_last):
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) if channels_last else x


def in_double(arrays, change=lambda x: x):
    return [None if x is None else change(x.astype(np.float64)) for x in arrays]


def operands(at, images=2, channels=9, outputs=16):
    """The arguments of the three functions."""
    x, g = numbers(0, images, channels, *at.size), numbers(1, images, outputs, *at.count)
    w, b, c = numbers(2, outputs, channels, 3, 3), numbers(3, outputs), numbers(4, channels)
    return {"forward": (x, w, b), "input_gradient": (g, w, c), "weight_gradient": (x, g)}


@compiled
@given(
    geometries(),
    st.integers(1, 9),
    st.sampled_from([8, 11, 16, 33, 70]),
    st.sampled_from([1, 6, 16, 33, 64, 70, 130]),
    st.booleans(),
)
@settings(max_examples=100)
def test_like_the_plain_one(at, images, channels, outputs, last):
    with pytest.MonkeyPatch.context() as patch:
        always.__wrapped__(patch)
        for name, arrays in operands(at, images, channels, outputs).items():
            plain = getattr(plain_convolution, name)
            ours = getattr(convolution, name)(
                *(layout(x, last) if x is not None and x.ndim == 4 else x for x in arrays), at
            )
            exact, scale = plain(*in_double(arrays), at), plain(*in_double(arrays, np.abs), at)
            assert ours.dtype == np.float32
            assert ours.shape == exact.shape
            assert np.abs(ours - exact).max() <= ERROR * scale.max()


@given(geometries())
@settings(max_examples=50)
def test_the_formulas(at):
    """The derivation, in float64: it leaves out multiplications and nothing else."""
    arrays = operands(at)
    x, w, _ = in_double(arrays["forward"])
    _, g = in_double(arrays["weight_gradient"])
    last = x.transpose(0, 2, 3, 1), g.transpose(0, 2, 3, 1)
    y = winograd.plain_correlate(last[0], w.transpose(2, 3, 1, 0), at)
    assert np.allclose(y.transpose(0, 3, 1, 2), plain_convolution.forward(x, w, None, at), rtol=1e-12, atol=1e-12)
    dw = winograd.plain_weight_gradient(*last, at)
    assert np.allclose(dw, plain_convolution.weight_gradient(x, g, at), rtol=1e-12, atol=1e-12)


@compiled
def test_the_error_is_like_that_of_the_direct_form(monkeypatch):
    at = windows(28, 28)
    for name, arrays in operands(at, 4, 64, 64).items():
        function, exact = getattr(convolution, name), getattr(plain_convolution, name)(*in_double(arrays), at)
        errors = []
        for gain in (0, float("inf")):
            monkeypatch.setattr(winograd, "GAIN", gain)
            errors.append(np.sqrt(np.mean((function(*arrays, at) - exact) ** 2)))
        direct, ours = errors
        assert 0 < ours < 1.5 * direct
        assert ours != direct  # it did go the other way


@compiled
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity(always, value):
    """They reach the windows that they lie in, and no others; an infinity may arrive as a NaN."""
    at = windows(9, 8, 1, 1)
    for line, column in np.ndindex(9, 8):
        x, w, _ = operands(at)["forward"]
        x[1, 3, line, column] = value
        exact = plain_convolution.forward(*in_double((x, w, None)), at)
        assert np.array_equal(np.isfinite(convolution.forward(x, w, None, at)), np.isfinite(exact))


@compiled
def test_classes_of_pixels_of_a_larger_kernel(always):
    """With a stride of 2, a kernel of 5 x 5 meets every second pixel with 3 x 3 of its elements."""
    at = Windows((11, 12), (5, 5), (2, 2), (2, 2), (1, 1), (6, 6))
    g, w, b = numbers(0, 7, 20, 6, 6), numbers(1, 20, 9, 5, 5), numbers(2, 9)
    exact = plain_convolution.input_gradient(*in_double((g, w, b)), at)
    assert np.abs(convolution.input_gradient(g, w, b, at) - exact).max() < 1e-4


@compiled
def test_inputs_are_not_changed(always):
    at = windows(7, 6, 1, 1)
    for name, arrays in operands(at).items():
        before = [x.copy() for x in arrays]
        for x in arrays:
            x.flags.writeable = False
        getattr(convolution, name)(*arrays, at)
        assert all(map(np.array_equal, arrays, before))


@compiled
def test_where_it_pays():
    """Large images with many channels: not a few of either, not other kernels, steps or gaps."""
    at = windows(28, 28)
    assert winograd.pays(16, 128, 128, at)
    assert winograd.pays(32, 64, 64, windows(32, 32))
    assert winograd.pays(32, 64, 64, windows(8, 8, 1, 1))
    assert not winograd.pays(16, 8, 128, at)
    assert not winograd.pays(16, 128, 8, at)
    assert not winograd.pays(1, 128, 128, windows(8, 8, 1, 1))
    assert not winograd.pays(64, 64, 64, windows(5, 5))
    for field, value in (("kernel", (3, 2)), ("stride", (2, 1)), ("dilation", (1, 2))):
        assert not winograd.pays(16, 128, 128, at._replace(**{field: value}))


@compiled
@pytest.mark.parametrize("channels", [64, 300])
def test_tables_are_made_for_some_patches_at_a_time(monkeypatch, channels):
    """Beside its result, a convolution needs memory for a block and for the kernel, however many images there are."""
    made = []
    scratch = sums.scratch
    monkeypatch.setattr(threads, "_threads", 1)
    monkeypatch.setattr(sums, "scratch", lambda shape: made.append(shape) or scratch(shape))
    at, x = windows(20, 20, 1, 1), layout(numbers(0, 24, channels, 20, 20), True)
    w = numbers(1, 64, channels, 3, 3)
    assert convolution.forward(x, w, None, at) is not None
    *kernel, inputs, products = made
    assert np.prod(kernel[0]) == 16 * channels * 64
    room = max(winograd.BLOCK, 4 * 16 * channels * 64)
    assert 0.8 * room < 4 * (np.prod(inputs) + np.prod(products)) <= room


PROGRAM = """
import numpy as np
from kernels.cpu import convolution as fast, plain_convolution as plain, winograd
from kernels.cpu.windows import Windows
winograd.GAIN, fast.WORTH, rng, worst = float("inf"), 0, np.random.default_rng(0), 0
for images, channels, outputs in ((2, 9, 5), (7, 20, 70)):
    at = Windows((9, 10), (3, 3), (1, 1), (1, 0), (1, 1), (9, 8))
    assert winograd.pays(images, channels, outputs, at)
    shapes = (images, channels, 9, 10), (outputs, channels, 3, 3), (images, outputs, 9, 8)
    x, w, g = (rng.standard_normal(shape).astype("f") for shape in shapes)
    for name, given in (("forward", (x, w, None)), ("input_gradient", (g, w, None)), ("weight_gradient", (x, g))):
        exact = getattr(plain, name)(*given, at)
        worst = max(worst, np.abs(getattr(fast, name)(*given, at) - exact).max() / np.abs(exact).max())
print(worst < 1e-5)
"""


@compiled
@on_other_processors
def test_other_processors(environment):
    assert run(PROGRAM, **environment) == "True"


def test_numba_is_not_imported_before_it_is_needed():
    assert run("import sys, kernels.cpu.winograd; print('numba' in sys.modules)") == "False"
