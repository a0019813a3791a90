"""softmax and log_softmax of kernels.cuda, run in the simulator in three thread orders, against float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.cuda.kernel import running_on
from kernels.cuda.softmax import BACKWARD, FORWARD, log_softmax, log_softmax_backward, softmax, softmax_backward
from kernels.simulator import KernelFault, Simulator, barriers, simulate

# The first is what Hypothesis takes for the simplest and tries first: a length with several ragged pieces.
LENGTHS = st.sampled_from([65, 1, 17, 64, 128, 200, 257])


def numbers(*shape, seed=0, scale=3.0):
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def run(function, *arrays, **options):
    """Call it with kernels in the simulator."""
    with running_on(Simulator()):
        return function(*arrays, **options)


def reference(x, axis, log):
    x = x.astype(np.float64)
    with np.errstate(invalid="ignore"):
        z = x - x.max(axis, keepdims=True)
        z = z - np.log(np.exp(z).sum(axis, keepdims=True))
    return z if log else np.exp(z)


def backward_reference(g, y, axis, log):
    g, y = g.astype(np.float64), y.astype(np.float64)
    if log:
        return g - np.exp(y) * g.sum(axis, keepdims=True)
    return y * (g - (g * y).sum(axis, keepdims=True))


def check(x, axis):
    g = numbers(*x.shape, seed=1)
    for log, forward, backward in ((False, softmax, softmax_backward), (True, log_softmax, log_softmax_backward)):
        expected = reference(x, axis, log)
        y = run(forward, x, axis)
        assert y.dtype == np.float32
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6 if log else 1e-30)
        dx = run(backward, g, y, axis)
        wanted = backward_reference(g, y, axis, log)
        np.testing.assert_allclose(dx, wanted, rtol=0, atol=1e-5 * max(1.0, np.abs(wanted).max()))


@settings(max_examples=6, derandomize=True)
@given(rows=st.integers(1, 9), length=LENGTHS)
def test_rows(rows, length):
    check(numbers(rows, length), -1)


@pytest.mark.parametrize("length", [1024, 1025])
def test_long_rows(length):
    check(numbers(2, length), -1)


@settings(max_examples=3, derandomize=True)
@given(outer=st.integers(1, 3), length=LENGTHS, inner=st.sampled_from([2, 17, 130]))
def test_an_axis_in_the_middle(outer, length, inner):
    check(numbers(outer, length, inner), 1)


def test_views_with_gaps():
    x = numbers(6, 40)
    np.testing.assert_array_equal(run(softmax, x[::2, ::4]), run(softmax, x[::2, ::4].copy()))
    np.testing.assert_array_equal(run(softmax, x.T), run(softmax, x.T.copy()))


@pytest.mark.parametrize("length", [5, 1100])
def test_huge_numbers(length):
    x = np.zeros((3, length), np.float32)
    x[0, 1], x[1, 2], x[2] = 3e38, -3e38, -3e38
    np.testing.assert_allclose(run(softmax, x), reference(x, -1, False), rtol=1e-6)


@pytest.mark.parametrize("shape", [(4, 5), (4, 1100), (4, 5, 2)])
@pytest.mark.parametrize("function", [softmax, log_softmax])
def test_infinite_and_nan_as_in_pytorch(function, shape):
    x = np.zeros(shape, np.float32)
    x[0], x[1, :3], x[2, 1], x[3, 2] = -np.inf, -np.inf, np.inf, np.nan
    y = run(function, x, 1)
    assert np.isnan(y[[0, 2, 3]]).all()
    expected = reference(x[1], 0, function is log_softmax)
    np.testing.assert_allclose(y[1], expected, rtol=1e-5)


def test_nothing_to_do():
    assert run(softmax, np.zeros((0, 3), np.float32)).shape == (0, 3)
    assert run(log_softmax, np.zeros((3, 0), np.float32)).shape == (3, 0)


@pytest.mark.parametrize("kernel", [FORWARD[False]["long"], BACKWARD[True]["long"]], ids=lambda kernel: kernel.name)
def test_no_barrier_can_be_left_out(kernel):
    x = numbers(1, 1100)
    count = kernel.types.count("float32")
    broken = [kernel for _, kernel in barriers(kernel)]
    assert len(broken) == 1
    with pytest.raises(KernelFault):
        simulate(broken[0], 1, 128, *[x.copy() for _ in range(count)])


def test_errors():
    x = numbers(2, 3)
    with pytest.raises(TypeError) as error:
        softmax(x.astype(np.float64))
    assert "softmax: x must be float32, not float64" in str(error.value)
    with pytest.raises(ValueError) as error:
        run(log_softmax, x, 2)
    assert str(error.value) == "log_softmax: axis 2 is not among the 2 of shape (2, 3)"
    with pytest.raises(ValueError) as error:
        run(softmax_backward, x, x[:1])
    assert str(error.value) == "softmax_backward: grad has the shape (2, 3) but y has (1, 3)"
