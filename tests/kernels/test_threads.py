"""Work shared among threads: the same results, each part once, errors and new processes."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from kernels.cpu import convolution, depthwise, normalization, pooling, row_normalization, sums, threads
from kernels.cpu.activation import gated
from kernels.cpu.compiler import once
from kernels.cpu.convolution import Windows


@pytest.fixture(autouse=True)
def four_threads(monkeypatch):
    monkeypatch.setattr(threads, "WORTH", 1)
    before = threads.get_threads()
    threads.set_threads(4)
    yield
    threads.set_threads(before)


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 100])
@pytest.mark.parametrize("least", [1, 6])
def test_every_piece_is_dealt_out_once_and_in_order(length, least):
    parts = threads.share(lambda some: list(range(length))[some], length, 100, least)
    assert [piece for part in parts for piece in part] == list(range(length))
    assert len(parts) == max(1, min(4, length // least))
    assert all(len(part) >= least for part in parts) or len(parts) == 1


def test_little_work_stays_with_the_caller(monkeypatch):
    monkeypatch.setattr(threads, "WORTH", 100)
    assert threads.share(lambda some: threading.current_thread(), 10, 199) == [threading.current_thread()]
    here, other = threads.share(lambda some: threading.current_thread(), 10, 299)
    assert here is threading.current_thread() is not other


def test_the_parts_run_at_the_same_time():
    meeting = threading.Barrier(4, timeout=30)
    assert sorted(threads.share(lambda some: meeting.wait(), 4, 4)) == [0, 1, 2, 3]


@pytest.mark.parametrize("wrong", [0, 3])
def test_an_error_in_any_part_reaches_the_caller(wrong):
    def part(some):
        if some.start == wrong:
            raise ArithmeticError(f"part {some.start}")

    with pytest.raises(ArithmeticError, match=f"^part {wrong}$"):
        threads.share(part, 4, 4)
    assert threads.share(lambda some: some.start, 4, 4) == [0, 1, 2, 3]


def test_what_is_asked_for_at_the_same_time_is_made_once():
    made = []

    @once
    def slowly():
        time.sleep(0.05)
        made.append(1)
        return len(made)

    assert threads.share(lambda some: slowly(), 4, 4) == [1, 1, 1, 1]


@pytest.mark.parametrize(("told", "count"), [("3", 3), ("2,4", 2), ("0", None), ("many", None), (None, None)])
def test_as_many_as_the_environment_says(monkeypatch, told, count):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if told is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", told)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert threads.threads_at_first() == (count or cores)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_has_threads_of_its_own():
    program = """
import os
from kernels.cpu import threads
threads.set_threads(2)
assert threads.share(lambda some: some.start, 2, 10**8) == [0, 1]
child = os.fork()
if child == 0:
    os._exit(0 if threads.share(lambda some: some.start, 2, 10**8) == [0, 1] else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=60)


@pytest.mark.skipif(not sums.ready(), reason="Numba does not work here")
@pytest.mark.parametrize("channels", [1, 16])
@pytest.mark.parametrize(("size", "padding", "stride"), [(9, 1, 1), (20, 0, 2)])
def test_convolutions_do_not_depend_on_the_number_of_threads(monkeypatch, channels, size, padding, stride):
    monkeypatch.setattr(convolution, "WORTH", 1)
    rng = np.random.default_rng(0)
    count = (size + 2 * padding - 3) // stride + 1
    at = Windows(*((n, n) for n in (size, 3, stride, padding, 1, count)))
    x, w, g, b = (
        rng.standard_normal(shape).astype(np.float32)
        for shape in ((25, channels, size, size), (10, channels, 3, 3), (25, 10, count, count), (10,))
    )
    shared = forward, back, weights = all_passes(x, w, g, b, at)
    threads.set_threads(1)
    alone = all_passes(x, w, g, b, at)
    assert np.array_equal(forward, alone[0])
    assert np.array_equal(back, alone[1])
    np.testing.assert_allclose(weights, alone[2], rtol=0, atol=1e-6 * np.abs(x).max() * np.abs(g).sum((0, 2, 3)).max())
    threads.set_threads(4)
    assert all(map(np.array_equal, shared, all_passes(x, w, g, b, at)))  # the same again


def numbers(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def moments(x):
    total, squares = np.zeros((2, x.shape[1]))
    assert normalization.moments(x, x[0], total, squares)
    return total, squares


def centred(x):
    y = np.empty_like(x)
    assert normalization.affine(x, x[0], x[1], x[2], y)
    return (y,)


def pooled(x):
    lines = [range(i, i + 2) for i in range(0, 10, 2)]
    y, places = pooling.max_pool(x.transpose(0, 3, 1, 2), lines, lines)
    return y, places, pooling.add_at_places(y, places, (x.shape[0], x.shape[3], 10, 10))


def depthwise_passes(x):
    at, x, w = (
        Windows(*((n, n) for n in (10, 3, 1, 1, 1, 10))),
        x.transpose(0, 3, 1, 2),
        numbers(1, x.shape[3], 1, 3, 3),
    )
    return (
        depthwise.forward(x, w, None, at),
        depthwise.input_gradient(x, w, None, at),
        depthwise.weight_gradient(x, x, at),
    )


def normalised(x):
    y, mean, inverse = row_normalization.forward(x, x[0], x[1], True, 1e-5)
    return y, mean, inverse, *row_normalization.backward(x[::-1].copy(), x, x[0], True, mean, inverse)


SHARED = [  # a function of one array, and the array's shape
    (moments, (3000, 16)),
    (centred, (3000, 16)),
    (pooled, (13, 10, 10, 16)),
    (depthwise_passes, (13, 10, 10, 16)),
    (normalised, (1500, 4, 8)),
    (lambda x: (gated(x, np.maximum(x, 0)),), (50_000,)),
]


@pytest.mark.skipif(not sums.ready(), reason="Numba does not work here")
@pytest.mark.parametrize(("function", "shape"), SHARED)
def test_other_functions_do_not_depend_on_it(function, shape):
    """But for the rounding of sums over rows, which are added up by every thread for itself."""
    x = numbers(0, *shape)
    shared, again = function(x), function(x)
    threads.set_threads(1)
    for ours, repeated, alone in zip(shared, again, function(x), strict=True):
        assert np.array_equal(ours, repeated)
        assert ours.dtype == alone.dtype
        np.testing.assert_allclose(ours, alone, rtol=1e-6, atol=1e-9)


def all_passes(x, w, g, b, at):
    return (
        convolution.forward(x, w, b, at),
        convolution.input_gradient(g, w, None, at),
        convolution.weight_gradient(x, g, at),
    )
