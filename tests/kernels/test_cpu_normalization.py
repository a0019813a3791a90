"""Batch normalisation in compiled passes against NumPy in float64, and the operation with and without them."""

import numpy as np
import pytest
from programs import run

import minidl
import minidl.nn.functional as F
from kernels.cpu import normalization, set_compiled, sums

SHAPES = [(40, 9), (5, 3, 7), (2, 8, 1), (3, 17, 4, 5), (4, 33, 1, 1), (2, 3, 2, 3, 4)]

pytestmark = pytest.mark.skipif(not sums.ready(), reason="Numba does not work here")


@pytest.fixture(autouse=True)
def small_enough(monkeypatch):
    """Even the smallest batch runs compiled."""
    monkeypatch.setattr(normalization, "WORTH", 0)
    monkeypatch.setattr(normalization, "FEW", 0)


def numbers(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def channels_last(x):
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_rows_and_back(shape):
    x = numbers(0, *shape)
    fixed = channels_last(x)
    fixed.flags.writeable = False
    for layout in (x, channels_last(x), fixed, x[::-1], np.broadcast_to(x[:1], shape)):
        assert normalization.takes(layout)
        rows = normalization.as_rows(layout)
        assert rows.flags.c_contiguous
        assert rows.flags.writeable
        assert np.array_equal(rows, np.moveaxis(layout, 1, -1).reshape(-1, shape[1]))
        assert np.array_equal(normalization.with_channels(rows, shape), layout)
    last = channels_last(x)
    assert np.shares_memory(normalization.as_rows(last), last)


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_passes(rows):
    g, x = numbers(0, rows, 11), 5 + numbers(1, rows, 11)
    k, scale, shift, slope = (numbers(seed, 11) for seed in range(2, 6))
    first, second, y = np.ones(11), np.ones(11), np.empty_like(x)
    assert normalization.moments(x, k, first, second)
    e = x.astype(np.float64) - k
    np.testing.assert_allclose(first, 1 + e.sum(0), rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(second, 1 + (e * e).sum(0), rtol=1e-6)
    assert normalization.affine(x, k, scale, shift, y)
    assert np.array_equal(y, (x - k) * scale + shift)
    first[:], second[:] = 1, 1
    assert normalization.products(g, x, k, first, second)
    np.testing.assert_allclose(first, 1 + g.astype(np.float64).sum(0), rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(second, 1 + (g * e).sum(0), rtol=1e-5, atol=1e-3)
    assert normalization.without_mean_and_slope(g, x, k, shift, slope, scale, y)
    assert np.array_equal(y, (g - shift - (x - k) * slope) * scale)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_operation_with_and_without_them(shape, training):
    channels = shape[1]

    def results(compiled, arrange):
        previous = set_compiled(compiled)
        try:
            x = minidl.Tensor(arrange(3 + numbers(0, *shape)), requires_grad=True)
            weight, bias = (minidl.Tensor(numbers(seed, channels), requires_grad=True) for seed in (1, 2))
            mean, var = minidl.Tensor(numbers(3, channels)), minidl.Tensor(numbers(4, channels) ** 2)
            y = F.batch_norm(x, mean, var, weight, bias, training)
            y.backward(minidl.Tensor(numbers(5, *shape)))
            return [t.numpy() for t in (y.detach(), x.grad, weight.grad, bias.grad, mean, var)]
        finally:
            set_compiled(previous)

    plain = results(False, np.copy)
    for arrange in (np.copy, channels_last):
        for ours, wanted in zip(results(True, arrange), plain, strict=True):
            assert ours.dtype == np.float32
            np.testing.assert_allclose(ours, wanted, rtol=0, atol=2e-6 * max(1, np.abs(wanted).max()))


def test_what_they_do_not_take(monkeypatch):
    x = numbers(0, 4, 6, 2, 2)
    for other in (x.astype(np.float64), x[:0], x.tolist()):
        assert not normalization.takes(other)
    monkeypatch.setattr(normalization, "FEW", 7)
    assert not normalization.takes(x)
    monkeypatch.setattr(normalization, "FEW", 6)
    monkeypatch.setattr(normalization, "WORTH", 97)
    assert not normalization.takes(x)
    monkeypatch.setattr(normalization, "WORTH", 96)
    assert normalization.takes(x)
    previous = set_compiled(False)
    try:
        assert not normalization.takes(x)
    finally:
        set_compiled(previous)


def test_a_large_mean_leaves_the_variance_precise():
    x = channels_last(10_000 + numbers(0, 64, 8, 5, 5))
    y = F.batch_norm(minidl.Tensor(x), None, None, training=True).numpy()
    exact = x.astype(np.float64)
    exact = (exact - exact.mean((0, 2, 3), keepdims=True)) / exact.std((0, 2, 3), keepdims=True)
    np.testing.assert_allclose(y, exact, rtol=0, atol=1e-4)


PROGRAM = """
import numpy as np
from kernels.cpu import normalization
x, k = np.random.default_rng(0).standard_normal((50, 37)).astype("f"), np.ones(37, "f")
total, squares, y = np.zeros(37), np.zeros(37), np.empty_like(x)
print(normalization.moments(x, k, total, squares), normalization.affine(x, k, total.astype("f"), k, y))
print(np.allclose(squares, ((x - k) ** 2).sum(0), rtol=1e-5))
print(np.allclose(y, (x - k) * total.astype("f") + k, rtol=1e-5))
"""


def test_other_processors():
    assert run(PROGRAM, NUMBA_CPU_NAME="haswell").split() == ["True"] * 4
