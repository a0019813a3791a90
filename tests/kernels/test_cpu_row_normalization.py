"""Rows normalised in the cache against NumPy in float64, and the operations with and without them."""

import numpy as np
import pytest
from programs import run

import minidl
import minidl.nn.functional as F
from kernels.cpu import row_normalization as rows
from kernels.cpu import set_compiled, sums

pytestmark = pytest.mark.skipif(not sums.ready(), reason="Numba does not work here")


@pytest.fixture(autouse=True)
def small_enough(monkeypatch):
    """Even the smallest row runs compiled."""
    monkeypatch.setattr(rows, "WORTH", 0)


def numbers(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", [(1, 1, 2), (3, 1, 7), (5, 4, 130), (2, 3, 5000)], ids=str)
def test_like_the_formula(shape, affine, centred):
    x, dy = 3 + numbers(0, *shape), numbers(1, *shape)
    gamma, beta = (numbers(seed, *shape[1:]) if affine else None for seed in (2, 3))
    y, mean, inverse = rows.forward(x, gamma, beta, centred, 0.01)
    z, g = x.astype(np.float64), dy.astype(np.float64)
    middle = z.mean(2, keepdims=True) * centred
    factor = 1 / np.sqrt(((z - middle) ** 2).mean(2, keepdims=True) + 0.01)
    xhat, h = (z - middle) * factor, g * (1 if gamma is None else gamma)
    wanted_dx = (h - centred * h.mean(2, keepdims=True) - xhat * (h * xhat).mean(2, keepdims=True)) * factor
    np.testing.assert_allclose(mean, middle, rtol=0, atol=1e-5)
    np.testing.assert_allclose(inverse, factor, rtol=1e-4)
    np.testing.assert_allclose(y, xhat * (1 if gamma is None else gamma) + (0 if beta is None else beta), atol=1e-4)
    dx, dgamma, dbeta = rows.backward(dy, x, gamma, centred, mean, inverse)
    np.testing.assert_allclose(dx, wanted_dx, rtol=0, atol=2e-4 * np.abs(factor).max())
    np.testing.assert_allclose(dgamma, (g * xhat).sum(0), rtol=0, atol=1e-4 * len(x))
    np.testing.assert_allclose(dbeta, g.sum(0), rtol=0, atol=1e-5 * len(x))
    assert all(v.dtype == np.float32 for v in (y, mean, inverse, dx, dgamma, dbeta))


CALLS = [
    (lambda x, w, b: F.layer_norm(x, x.shape[1:], w, b), (5, 3, 8), (3, 8)),
    (lambda x, w, b: F.layer_norm(x, x.shape[2:]), (5, 3, 8), (8,)),
    (lambda x, w, b: F.group_norm(x, 3, w, b), (4, 6, 2, 5), (6,)),
    (lambda x, w, b: F.rms_norm(x, x.shape[1:], w), (6, 9), (9,)),
]


@pytest.mark.parametrize("layout", [np.array, lambda x: np.array(x.T).T], ids=["in order", "transposed"])
@pytest.mark.parametrize(("call", "shape", "places"), CALLS)
def test_the_operations_with_and_without_them(call, shape, places, layout):
    def results(compiled):
        previous = set_compiled(compiled)
        try:
            arrays = layout(numbers(0, *shape)), numbers(1, *places), numbers(2, *places)
            tensors = [minidl.Tensor(x, requires_grad=True) for x in arrays]
            y = call(*tensors)
            y.backward(minidl.Tensor(layout(numbers(3, *shape))))
            return [y.detach().numpy(), *(t.grad.numpy() for t in tensors if t.grad is not None)]
        finally:
            set_compiled(previous)

    for ours, plain in zip(results(True), results(False), strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, plain, rtol=0, atol=1e-5)


def test_nan_and_infinity_stay_in_their_rows():
    x = numbers(0, 3, 1, 40)
    x[0, 0, 3], x[1, 0, 30] = np.nan, np.inf
    y, _, _ = rows.forward(x, None, None, True, 1e-5)
    assert np.isnan(y[0]).all()
    assert np.isnan(y[1, 0, 30])
    assert np.isfinite(y[2]).all()


def test_what_they_do_not_take(monkeypatch):
    x = numbers(0, 2, 3, 4)
    for other in (x.astype(np.float64), x[:0]):
        assert rows.forward(other, None, None, True, 1e-5) is None
        assert rows.backward(other, other, None, True, other[..., :1], other[..., :1]) is None
    monkeypatch.setattr(rows, "WORTH", 25)
    assert rows.forward(x, None, None, True, 1e-5) is None
    monkeypatch.setattr(rows, "WORTH", 24)
    assert rows.forward(x, None, None, True, 1e-5) is not None
    previous = set_compiled(False)
    try:
        assert rows.forward(x, None, None, True, 1e-5) is None
    finally:
        set_compiled(previous)


PROGRAM = """
import numpy as np
from kernels.cpu import row_normalization as rows
rows.WORTH = 0
x = np.random.default_rng(0).standard_normal((4, 2, 77)).astype("f")
y, mean, inverse = rows.forward(x, None, None, True, 0.0)
print(np.allclose(y, (x - x.mean(2, keepdims=True)) / x.std(2, keepdims=True), atol=1e-5))
print(np.allclose(rows.backward(x, x, None, True, mean, inverse)[0], 0, atol=1e-5))  # y does not change with scale
"""


def test_other_processors():
    assert run(PROGRAM, NUMBA_CPU_NAME="haswell").split() == ["True"] * 2
