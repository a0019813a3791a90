"""The strict array itself: what it refuses, so that a pass of the table on it means something."""

import numpy as np
import pytest
from strict_array import CupyDiffers, Library

LIBRARY = Library("strict")
xp = LIBRARY.backend().module


def array(values, dtype=np.float32):
    return LIBRARY.ndarray(np.array(values, dtype))


def test_it_computes_with_its_own_kind():
    x, y = array([[1, 2], [3, 4]]), array([10, 20])
    z = xp.exp(x * 2 + y)[1:].sum(axis=1)
    assert type(z) is LIBRARY.ndarray
    assert z.dtype == np.float32
    np.testing.assert_allclose(z.item(), np.exp(16) + np.exp(28), rtol=1e-6)


def test_results_without_dimensions_are_arrays():
    for result in (array([1, 2]).sum(), array([1, 2])[0], xp.add(array(1), 2), array(1) + array(2), -array(3)):
        assert type(result) is LIBRARY.ndarray
        assert result.shape == ()


X = array([1.0, 2.0])
N = np.array([1.0, 2.0], np.float32)
OTHER = Library("other").ndarray(N)


@pytest.mark.parametrize(
    "stray",
    [
        lambda: np.asarray(X),
        lambda: np.array(X),
        lambda: np.exp(X),
        lambda: np.sum(X),
        lambda: np.maximum(X, 0),
        lambda: np.concatenate([X, X]),
        lambda: X + N,
        lambda: N + X,
        lambda: X * np.float32(2),
        lambda: np.float64(2) * X,
        lambda: X * [1.0, 2.0],
        lambda: X == N,
        lambda: X + OTHER,
        lambda: xp.exp(N),
        lambda: xp.exp([1.0, 2.0]),
        lambda: xp.where(X > 0, X, N),
        lambda: xp.concatenate([X, N]),
        lambda: xp.sum([1.0, 2.0]),
        lambda: X[np.array([0, 1])],
        lambda: X.__setitem__(0, np.float32(1)),
        lambda: X.sum(where=X > 0),
        lambda: X.max(initial=0),
        lambda: xp.sum(X, where=X > 0),
        lambda: xp.exp(X, where=X > 0),
        lambda: X.copy().__iadd__(N),
        lambda: xp.multiply.at(X.copy(), 0, 2.0),
        lambda: xp.maximum.accumulate(X),
        lambda: range(array(3, np.int64)),
    ],
)
def test_strays_are_refused(stray):
    with pytest.raises(TypeError):
        stray()


@pytest.mark.parametrize(
    "stray",
    [
        lambda: X.ctypes,
        lambda: X.setflags(write=False),
        lambda: X.flags.writeable,
        lambda: xp.unstack,
        lambda: xp.errstate,
    ],
)
def test_what_cupy_lacks_is_missing(stray):
    with pytest.raises(AttributeError):
        stray()


def test_indices_beyond_the_end_and_repeated_places_are_noticed():
    indices = array([0, 2], np.int64)
    with pytest.raises(CupyDiffers):
        X[indices]
    with pytest.raises(CupyDiffers):
        xp.add.at(X.copy(), indices, 1.0)
    with pytest.raises(IndexError):
        X[5]
    twice = array([1, 1], np.int64)
    with pytest.raises(CupyDiffers):
        X.copy()[twice] = X
    y = X.copy()
    y[twice] = 7.0
    xp.add.at(y, twice, X)
    assert y.tolist() == [1.0, 10.0]


def test_in_place_operators_keep_the_array():
    x = array(1.0)
    y = x
    y += 2
    y *= array(3.0)
    assert x is y
    assert x.item() == 9.0
    xp.exp(x, out=x)
    assert x.item() == np.exp(np.float32(9))
