"""The compiled gate of a rectifier's gradient: the same bits as NumPy in every layout, and a plain no elsewhere."""

import numpy as np
import pytest

import minidl
import minidl.nn.functional as F
from kernels.cpu import activation, set_compiled, sums

pytestmark = pytest.mark.skipif(not sums.ready(), reason="Numba does not work here")

SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, 1.0, -2.5])


@pytest.fixture(autouse=True)
def small_enough(monkeypatch):
    monkeypatch.setattr(activation, "WORTH", 0)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # 0 times infinity is meant
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_bits_as_numpy(dtype):
    x, z = np.repeat(SPECIAL, len(SPECIAL)).astype(dtype), np.tile(SPECIAL, len(SPECIAL)).astype(dtype)
    y = activation.gated(x, z)
    assert y.dtype == dtype
    assert np.array_equal(y, x * (z != 0).astype(dtype), equal_nan=True)


@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 2, 3, 1), (3, 1, 0, 2)])
def test_arrays_in_one_order_in_memory(axes):
    rng = np.random.default_rng(0)
    shape = (3, 1, 4, 5)
    x, z = (np.ascontiguousarray(rng.integers(-1, 2, shape).astype("f").transpose(axes)) for _ in range(2))
    back = np.argsort(axes)
    x, z = x.transpose(back), z.transpose(back)
    y = activation.gated(x, z)
    assert y.transpose(axes).flags.c_contiguous
    assert np.array_equal(y, x * (z != 0))


def test_what_it_does_not_take(monkeypatch):
    x = np.ones((4, 6), np.float32)
    for y, z in ((x, x.astype(np.float64)), (x, np.ones((6, 4), "f").T), (x[:, ::2], x[:, ::2]), (x.tolist(), x)):
        assert activation.gated(y, z) is None
    monkeypatch.setattr(activation, "WORTH", 25)
    assert activation.gated(x, x) is None


def test_the_operation_with_and_without_it():
    values = np.random.default_rng(0).standard_normal((5, 7)).astype(np.float32)

    def gradient(compiled):
        previous = set_compiled(compiled)
        try:
            x = minidl.tensor(values, requires_grad=True)
            F.relu(x).backward(minidl.tensor(values[::-1].copy()))
            return x.grad.array
        finally:
            set_compiled(previous)

    assert np.array_equal(gradient(True), gradient(False))
