"""x W^T on the register tile against the plain form in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.cpu import matmul, set_compiled, sums
from kernels.cpu.matmul import linear, plain_linear

ERROR = 1e-5  # relative to the sum of the absolute values of all terms

pytestmark = pytest.mark.skipif(not sums.ready(), reason="Numba does not work here")


def numbers(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def compare(x, w):
    ours = linear(x, w)
    exact = plain_linear(x.astype(np.float64), w.astype(np.float64))
    scale = plain_linear(np.abs(x).astype(np.float64), np.abs(w).astype(np.float64))
    assert ours.dtype == np.float32
    assert ours.flags.c_contiguous
    assert np.all(np.abs(ours - exact) <= ERROR * scale)


@given(st.integers(0, 140), st.integers(0, 70), st.integers(0, 70))
@settings(max_examples=200)
def test_like_the_plain_one(samples, inner, outputs):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matmul, "SAMPLES", range(1000))
        patch.setattr(matmul, "OUTPUTS", 0)
        patch.setattr(matmul, "WORTH", 0)
        compare(numbers(0, samples, inner), numbers(1, outputs, inner))


@pytest.mark.parametrize(
    ("samples", "inner", "outputs"), [(8, 784, 256), (64, 784, 256), (128, 300, 64), (33, 401, 130)]
)
def test_layers_that_gain(samples, inner, outputs):
    compare(numbers(0, samples, inner), numbers(1, outputs, inner))


@pytest.mark.parametrize(
    ("samples", "inner", "outputs"), [(7, 784, 256), (129, 784, 256), (64, 784, 63), (64, 124, 126), (1, 4096, 4096)]
)
def test_layers_that_do_not_gain(samples, inner, outputs):
    assert linear(numbers(0, samples, inner), numbers(1, outputs, inner)) is None


def test_nan_and_infinity():
    x, w = numbers(0, 16, 600), numbers(1, 128, 600)
    x[1, 2], x[0, 0], w[5, 3] = np.nan, np.inf, np.nan
    ours = linear(x, w)
    with np.errstate(invalid="ignore"):
        exact = plain_linear(x.astype(np.float64), w.astype(np.float64))
    assert np.isnan(ours[1]).all()
    assert np.isnan(ours[:, 5]).all()
    assert np.array_equal(np.isnan(ours), np.isnan(exact))
    assert np.array_equal(np.isinf(ours), np.isinf(exact))


def test_views():
    """A part of a larger array is taken where it is contiguous; so is a read-only one; what is not aligned is not."""
    x, w = numbers(0, 40, 784)[5:21], numbers(1, 256, 784)
    compare(x, w)
    x.flags.writeable = w.flags.writeable = False
    compare(x, w)
    assert linear(numbers(0, 16, 800)[:, 8:-8], w) is None
    assert linear(x, numbers(1, 512, 784)[::2]) is None
    memory = np.zeros(4 * 16 * 784 + 1, np.uint8)
    misplaced = memory[1:].view(np.float32).reshape(16, 784)
    assert not misplaced.flags.aligned
    assert linear(misplaced, w) is None


def test_what_it_does_not_take():
    x, w = numbers(0, 16, 784), numbers(1, 256, 784)
    for kind in (np.float64, np.float16, np.int64):
        assert linear(x.astype(kind), w.astype(kind)) is None
    assert linear(np.ma.array(x), w) is None
    previous = set_compiled(False)
    try:
        assert linear(x, w) is None
    finally:
        set_compiled(previous)
