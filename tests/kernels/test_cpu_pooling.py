"""Max pooling in one pass against windows taken one by one, and the operation with and without it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import run

import minidl
import minidl.nn.functional as F
from kernels.cpu import pooling, set_compiled, sums

pytestmark = pytest.mark.skipif(not sums.ready(), reason="Numba does not work here")


@pytest.fixture(autouse=True)
def small_enough(monkeypatch):
    """Even the smallest image runs compiled."""
    monkeypatch.setattr(pooling, "WORTH", 0)
    monkeypatch.setattr(pooling, "FEW", 0)


def channels_last(x):
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def images(seed, *shape):
    """Few different numbers, so that there are ties, and a NaN here and there."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-3, 3, shape).astype(np.float32)
    x[rng.random(shape) < 0.05] = np.nan
    return channels_last(x)


def one_by_one(x, lines, columns):
    """The first largest element of each window, or its last NaN, and its place."""
    shape = (*x.shape[:2], len(lines), len(columns))
    y, places = np.empty(shape, np.float32), np.empty(shape, np.int32)
    for n, c, i, j in np.ndindex(*shape):
        best = None
        for h in lines[i]:
            for w in columns[j]:
                value = x[n, c, h, w]
                if best is None or value > best or value != value:
                    best, places[n, c, i, j] = value, h * x.shape[3] + w
        y[n, c, i, j] = best
    return y, places


@st.composite
def windows(draw, n):
    """Some windows with one element or more of range(n)."""
    spans = []
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, n - 1))
        spans.append(range(start, draw(st.integers(start + 1, n)), draw(st.integers(1, 3))))
    return spans


@given(st.data(), *[st.integers(1, 4)] * 2, st.sampled_from([1, 3, 8, 17, 33]), *[st.integers(1, 6)] * 2)
@settings(max_examples=60)
def test_like_windows_one_by_one(data, seed, n, channels, height, width):
    x = images(seed, n, channels, height, width)
    lines, columns = data.draw(windows(height)), data.draw(windows(width))
    y, places = pooling.max_pool(x, lines, columns)
    wanted, wanted_places = one_by_one(x, lines, columns)
    assert np.array_equal(y, wanted, equal_nan=True)
    assert np.array_equal(places, wanted_places)
    g = np.random.default_rng(0).standard_normal(y.shape).astype(np.float32)
    wanted_dx = np.zeros((n, channels, height * width), np.float32)
    for at in np.ndindex(*y.shape):
        wanted_dx[(*at[:2], places[at])] += g[at]
    for layout in (g, channels_last(g)):
        dx = pooling.add_at_places(layout, places, x.shape)
        np.testing.assert_allclose(dx, wanted_dx.reshape(x.shape), rtol=0, atol=1e-5)


SETTINGS = [(2,), (3, 2, 1), (3, 1, 1, 2), (2, 3, 0, 1, True), ((1, 3), (2, 1), (0, 1))]


@pytest.mark.parametrize("given", SETTINGS, ids=str)
def test_the_operation_with_and_without_it(given):
    def results(compiled):
        previous = set_compiled(compiled)
        try:
            x = minidl.Tensor(images(0, 3, 9, 11, 8), requires_grad=True)
            y, places = F.max_pool2d(x, *given, return_indices=True)
            y.backward(minidl.Tensor(np.sin(np.arange(y.numel(), dtype=np.float32)).reshape(y.shape)))
            with minidl.no_grad():
                return y.array, places.array, x.grad.array, F.max_pool2d(x, *given).array
        finally:
            set_compiled(previous)

    ours, plain = results(True), results(False)
    assert not ours[0].flags.c_contiguous  # channels still lie last
    assert plain[0].flags.c_contiguous
    for x, y in zip(ours, plain, strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_allclose(x, y, rtol=0, atol=1e-6)


def test_what_it_does_not_take(monkeypatch):
    x = images(0, 2, 9, 4, 4)
    spans = [range(0, 2), range(2, 4)]
    fixed = x.copy("K")
    fixed.flags.writeable = False
    for other in (x.astype(np.float64), np.ascontiguousarray(x), x[0], x[:, ::2], fixed, x.tolist()):
        assert pooling.max_pool(other, spans, spans) is None
    y, places = pooling.max_pool(x, spans, spans)
    for g, where in ((y.astype(np.float64), places), (y, places.astype(np.int64)), (y[0], places[0])):
        assert pooling.add_at_places(g, where, x.shape) is None
    assert pooling.add_at_places(y, np.ascontiguousarray(places), x.shape) is None
    monkeypatch.setattr(pooling, "FEW", 10)
    assert pooling.max_pool(x, spans, spans) is None
    monkeypatch.undo()
    assert pooling.max_pool(x, spans, spans) is None


PROGRAM = """
import numpy as np
from kernels.cpu import pooling
pooling.WORTH = 0
x = np.random.default_rng(0).standard_normal((3, 8, 6, 40)).astype("f")
spans = range(0, 3), range(2, 5), range(1, 6, 2)
y, places = pooling.max_pool(x.transpose(0, 3, 1, 2), spans, spans)
wanted = [[x[:, a][:, :, b].max((1, 2)) for b in map(list, spans)] for a in map(list, spans)]
print(np.array_equal(y, np.array(wanted).transpose(2, 3, 0, 1)), pooling.add_at_places(y, places, (3, 40, 8, 6)).sum())
print(y.sum())
"""


def test_other_processors():
    same, total, wanted = run(PROGRAM, NUMBA_CPU_NAME="haswell").split()
    assert same == "True"
    assert float(total) == pytest.approx(float(wanted), rel=1e-5)
