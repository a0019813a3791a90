"""The compiled steps of the optimisers: the same bits as NumPy, and a plain no where they cannot run."""

import numpy as np
import pytest
from programs import run_silently

from kernels.cpu import optimizer, set_compiled

SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 1e30, -1e30, 1.0]


def numpy_sgd(w, g, sign, coupled, lr):
    d = sign * g
    d = d + coupled * w if coupled else d
    w -= lr * d


def numpy_momentum(w, g, b, sign, coupled, lr, mu, keep, nesterov):
    d = sign * g
    d = d + coupled * w if coupled else d
    b[...] = mu * b + keep * d
    w -= lr * (d + mu * b if nesterov else b)


def numpy_adam(w, g, m, v, sign, coupled, shrink, beta1, beta2, rate, eps):
    d = sign * g
    d = d + coupled * w if coupled else d
    m[...] = beta1 * m + (1 - beta1) * d
    v[...] = beta2 * v + (1 - beta2) * d * d
    w[...] = shrink * w - rate * m / (np.sqrt(v) + eps)


def numpy_adagrad(w, g, s, sign, coupled, rate, eps):
    d = sign * g
    d = d + coupled * w if coupled else d
    s += d * d
    w -= rate * d / (np.sqrt(s) + eps)


def numpy_rmsprop(w, g, v, sign, coupled, lr, alpha, eps):
    d = sign * g
    d = d + coupled * w if coupled else d
    v[...] = alpha * v + (1 - alpha) * d * d
    w -= lr * (d / (np.sqrt(v) + eps))


LOOPS = [
    (optimizer.sgd, numpy_sgd, 2, [(1, 0, 0.1), (-1, 0.01, 0.3)]),
    (
        optimizer.momentum,
        numpy_momentum,
        3,
        [(1, 0, 0.1, 0.9, 1, 0), (-1, 0.1, 0.1, 0.9, 0.7, 0), (1, 0.1, 0.3, 0.5, 1, 1)],
    ),
    (
        optimizer.adam,
        numpy_adam,
        4,
        [(1, 0, 1, 0.9, 0.999, 1e-3, 1e-8), (-1, 0.01, 1, 0.8, 0.99, 0.1, 1e-6), (1, 0, 0.999, 0.9, 0.999, 1e-3, 0)],
    ),
    (optimizer.adagrad, numpy_adagrad, 3, [(1, 0, 0.1, 1e-10), (-1, 0.1, 0.3, 0)]),
    (optimizer.rmsprop, numpy_rmsprop, 3, [(1, 0, 0.1, 0.99, 1e-8), (-1, 0.1, 0.3, 0.5, 0)]),
]
NAMES = ["sgd", "momentum", "adam", "adagrad", "rmsprop"]


def arrays_of(count, shape, dtype):
    """Random arrays; where the shape is "special", every pair of special values meets in w and g."""
    rng = np.random.default_rng(0)
    lengths = len(SPECIAL) ** 2 if shape == "special" else shape
    arrays = [np.array(rng.normal(size=lengths), dtype) for _ in range(count)]
    if shape == "special":
        arrays[0] = np.repeat(SPECIAL, len(SPECIAL)).astype(dtype)
        arrays[1] = np.tile(SPECIAL, len(SPECIAL)).astype(dtype)
    if count > 2:
        np.square(arrays[-1], out=arrays[-1])  # an average of squares; no harm where it is not one
    return arrays


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # inf - inf is meant
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (7, 3), (10_007,), "special"], ids=str)
@pytest.mark.parametrize(("loop", "plain", "count", "settings"), LOOPS, ids=NAMES)
def test_same_bits_as_numpy(loop, plain, count, settings, shape, dtype):
    for numbers in settings:
        ours = arrays_of(count, shape, dtype)
        theirs = [array.copy() for array in ours]
        for _ in range(3):
            assert loop(tuple(ours), numbers)
            plain(*theirs, *numbers)
        for name, x, y in zip("wgmv", ours, theirs, strict=False):
            assert x.dtype == dtype
            assert np.array_equal(x, y, equal_nan=True), f"{name} with {numbers}"


def test_what_a_loop_does_not_take():
    w = np.ones((4, 4), np.float32)
    for arrays in (
        (w.T[1:], w[1:]),  # not contiguous
        (w, w.astype(np.float64)),
        (w, w[:2]),
        (w, w.reshape(2, 8)),
        (w.astype(np.float16), w.astype(np.float16)),
        (w.astype(np.int64), w.astype(np.int64)),
        (w.tolist(), w.tolist()),
    ):
        before = np.array(arrays[0])
        assert not optimizer.sgd(arrays, (1, 0, 0.1))
        assert np.array_equal(arrays[0], before)


def test_the_switch():
    w = np.ones(3, np.float32)
    previous = set_compiled(False)
    try:
        assert not optimizer.sgd((w, w.copy()), (1, 0, 0.5))
        assert w.tolist() == [1, 1, 1]
        assert set_compiled(True) is False
        assert optimizer.sgd((w, np.ones(3, np.float32)), (1, 0, 0.5))
        assert w.tolist() == [0.5, 0.5, 0.5]
    finally:
        set_compiled(previous)


PROGRAM = """
import numpy as np
from kernels.cpu.optimizer import sgd
w = np.ones(3, np.float32)
print(sgd((w, np.ones(3, np.float32)), (1, 0, 0.5)), w.tolist())
"""


@pytest.mark.parametrize(
    ("program", "environment"),
    [
        (PROGRAM, {"KERNELS_COMPILED": "0"}),
        (PROGRAM, {"NUMBA_DISABLE_JIT": "1"}),
        ("import sys; sys.modules['numba'] = None" + PROGRAM, {}),
    ],
    ids=["switched off", "Numba switched off", "no Numba"],
)
def test_without_numba_a_loop_says_no(program, environment):
    assert run_silently(program, **environment) == "False [1.0, 1.0, 1.0]"


def test_numba_is_not_imported_before_it_is_needed():
    assert run_silently("import sys, kernels.cpu.optimizer; print('numba' in sys.modules)") == "False"


def test_a_cache_folder_that_cannot_be_used_costs_only_the_cache(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    for folder in (blocked, blocked / "below"):
        assert run_silently(PROGRAM, NUMBA_CACHE_DIR=str(folder)) == "True [0.5, 0.5, 0.5]"


def test_a_damaged_cache_costs_only_the_cache(tmp_path):
    assert run_silently(PROGRAM, NUMBA_CACHE_DIR=str(tmp_path)) == "True [0.5, 0.5, 0.5]"
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".nbi", ".nbc"}
    for path in files:
        path.write_bytes(b"\x80damaged")
    assert run_silently(PROGRAM, NUMBA_CACHE_DIR=str(tmp_path)) == "True [0.5, 0.5, 0.5]"
