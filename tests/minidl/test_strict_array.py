"""The strict array itself: what it refuses, so that a pass of the table on it means something."""

import copy
import pickle

import numpy as np
import pytest
import strict_array
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
        lambda: xp.zeros(array(3, np.int64)),
        lambda: xp.zeros((2, array(3, np.int64))),
        lambda: xp.sum(X, axis=array(0, np.int64)),
        lambda: X.reshape(array(2, np.int64), 1),
        lambda: X.copy().__setitem__(0, N[0]),
        lambda: X @ N,
        lambda: X @ 2.0,
        lambda: -array([True], bool),
        lambda: array([True], bool) - array([False], bool),
        lambda: ~X,
        lambda: X & X,
        lambda: xp.add(X, X, dtype=np.str_),
        lambda: xp.exp(X, out=N),
        lambda: xp.add.at(array([1, 2], np.int64), array([0, 0], np.int64), 1),
        lambda: xp.add.at(array([1, 2], np.int8), array([0], np.int64), 1),
        lambda: xp.maximum.at(array([1, 2], np.float16), array([0], np.int64), 1.0),
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


@pytest.mark.parametrize(
    "stray",
    [
        lambda: X.take(array([2], np.int64)),
        lambda: xp.take(X, array([2], np.int64)),
        lambda: xp.take_along_axis(X, array([5], np.int64), 0),
        lambda: array([1.5, np.nan]).astype(np.int64),
        lambda: array([np.inf]).astype(np.int32),
        lambda: array([-1.0]).astype(np.uint8),
        lambda: array([0, 0], np.int32).__setitem__(slice(None), array([3e9, 0.0])),
        lambda: xp.broadcast_to(array(1.0), (3,)).__setitem__(0, 2.0),
        lambda: xp.broadcast_to(array(1.0), (3,)).__iadd__(2.0),
        lambda: xp.exp(X, out=xp.broadcast_to(array(1.0), (2,))),
        lambda: shifted(array([1.0, 2.0, 3.0])),
        lambda: array([2, 3], np.int64) ** -1,
        lambda: array([2, 3], np.int64) ** array([-1, 1], np.int64),
        lambda: array(3.0).argsort(),
        lambda: array(3.0).nonzero(),
    ],
)
def test_what_cupy_does_differently_is_refused(stray):
    with pytest.raises(CupyDiffers):
        stray()


def shifted(x):
    x[1:] = x[:-1]


def test_moves_inside_one_memory_that_do_no_harm():
    x = array([1.0, 2.0, 3.0, 4.0])
    x[:2] = x[2:]
    x[:] = x
    assert x.tolist() == [3.0, 4.0, 3.0, 4.0]


def test_only_the_stable_sort():
    assert xp.argsort(array([2.0, 1.0]), kind="stable").tolist() == [1, 0]
    with pytest.raises(ValueError, match="no kind 'quicksort'"):
        array([2.0, 1.0]).argsort(kind="quicksort")


def test_dtypes_are_those_of_cupys_loops():
    """NumPy and CuPy agree where the engine goes; where they would not, the strict array says so."""
    assert (array([1], np.int8) + 1).dtype == np.int8
    assert (array([1], np.int64) + 1.5).dtype == np.float64
    assert (array([1.0]) + 1.5).dtype == np.float32
    assert xp.sqrt(array([1], np.int8)).dtype == np.float16
    assert (array([1.0]) * array([1], np.int64)).dtype == np.float64
    assert (array([1.0]) * array(1.0, np.float64)).dtype == np.float64  # no exception for arrays without dimensions
    assert xp.floor(array([1], np.int64)).dtype == np.int64
    assert (array([True], bool) * 2).dtype == np.int64


def test_a_loop_with_another_dtype_is_noticed(monkeypatch):
    monkeypatch.setitem(strict_array.API["loops"], "cosh", ["d->d"])
    monkeypatch.setattr(strict_array, "loop", strict_array.loop.__wrapped__)  # which remembers nothing
    with pytest.raises(CupyDiffers, match=r"^cosh is .*float64.* with CuPy, .*float32.* with NumPy$"):
        xp.cosh(X)


def test_what_the_host_waits_for_is_counted():
    library = Library("counted")
    ours = library.backend().module
    x = library.from_numpy(np.array([1.0, 2.0]), 0)
    assert library.sends == {"from_numpy": 1}
    y = ours.exp(x[0] + x.sum()) * 2
    assert not library.waits
    assert float(y) > 0
    assert bool(y)
    assert y.item() > 0
    x[x > 1] = 0.0
    library.to_numpy(x)
    assert library.waits == {"float": 1, "bool": 1, "item": 1, "mask": 1, "to_numpy": 1}


def test_pickles_and_copies_stay_in_the_library():
    library = Library("pickled")
    x = library.ndarray(np.array([1.0, 2.0]))
    for y in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x)):
        assert type(y) is library.ndarray
        assert y.tolist() == [1.0, 2.0]


def test_special_methods_are_cupys():
    """What Python asks of an object by itself (an index, a hash, a context) must not be there where CuPy has none."""
    inherited = set(dir(object)) | {"__module__", "__slots__", "__getattr__", "__annotations__", "__reduce_ex__"}
    own = {name for name in dir(strict_array.Array) if name.startswith("__")} - inherited
    assert own <= {*strict_array.API["special"], "__firstlineno__", "__static_attributes__"}


def test_in_place_operators_keep_the_array():
    x = array(1.0)
    y = x
    y += 2
    y *= array(3.0)
    assert x is y
    assert x.item() == 9.0
    xp.exp(x, out=x)
    assert x.item() == np.exp(np.float32(9))
