"""The GPU's products of matrices in the simulator, at the sizes of tiles that are used, against float64."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.cuda import arrays
from kernels.cuda.compiler import cuda
from kernels.cuda.kernel import running_on
from kernels.cuda.matmul import ACTIVATIONS, KERNELS, LADDER, general, layout, matmul, work
from kernels.simulator import Race, Simulator, Uninitialised, barriers, empty, simulate

# The first of each list is what Hypothesis takes for the simplest and tries first: a size with several ragged tiles.
SIZES = st.sampled_from([65, 1, 17, 64, 128, 200, 257])
FOURS = st.sampled_from([68, 4, 20, 64, 128, 200, 260])


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def run(function, *arrays, **options):
    """Call it with kernels in the simulator."""
    with running_on(Simulator()):
        return function(*arrays, **options)


def check(c, a, b, tolerance=1e-5):
    """c is a b: no error is above ``tolerance`` of the largest sum of |a| |b|."""
    expected = a.astype(np.float64) @ b.astype(np.float64)
    scale = (np.abs(a) @ np.abs(b)).max(initial=1e-30)
    assert c.dtype == np.float32
    assert c.shape == expected.shape
    np.testing.assert_allclose(c, expected, rtol=0, atol=tolerance * scale)


# --- the rungs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["naive", "tiled"])
@given(M=SIZES, N=SIZES, K=SIZES)
@settings(max_examples=3, derandomize=True)
def test_rungs_with_a_thread_for_each_element(name, M, N, K):
    a, b = numbers(M, K), numbers(K, N, seed=1)
    check(run(LADDER[name], a, b), a, b)


@given(M=SIZES, N=SIZES, K=SIZES)
@settings(max_examples=3, derandomize=True)
def test_blocked(M, N, K):
    a, b = numbers(M, K), numbers(K, N, seed=1)
    check(run(LADDER["blocked"], a, b), a, b)


@given(M=SIZES, N=FOURS, K=FOURS)
@settings(max_examples=4, derandomize=True)
def test_vectorized(M, N, K):
    a, b = numbers(M, K), numbers(K, N, seed=1)
    check(run(LADDER["vectorized"], a, b), a, b)


@given(M=SIZES, N=FOURS, K=FOURS)
@settings(max_examples=2, derandomize=True)
def test_tensor_cores_reach_three_digits(M, N, K):
    a, b = numbers(M, K), numbers(K, N, seed=1)
    check(run(LADDER["tensor_core"], a, b), a, b, tolerance=2**-10)


def test_tensor_cores_are_exact_where_ten_bits_are_enough():
    a, b = np.round(4 * numbers(17, 20)), np.round(4 * numbers(20, 24, seed=1))
    np.testing.assert_array_equal(run(LADDER["tensor_core"], a, b), a @ b)


def at_odd_place(rows, columns):
    """A matrix that does not begin at a multiple of 16 bytes, wherever NumPy's memory begins."""
    memory = numbers(rows * columns + 4)
    start = 1 if memory.ctypes.data % 16 == 0 else 0
    return memory[start : start + rows * columns].reshape(rows, columns)


def test_rungs_name_what_is_wrong():
    a, b = numbers(4, 6), numbers(5, 8)
    for name, first, second, error, text in [
        ("naive", a, b, ValueError, "naive: a has 6 columns but b has 5 rows (a (4, 6), b (5, 8))"),
        ("tiled", a[0], b, ValueError, "tiled: a and b must be matrices (a (6,), b (5, 8))"),
        ("blocked", a, b.astype(np.float64), TypeError, "blocked: b must be float32, not float64"),
        (
            "vectorized",
            a,
            numbers(6, 8),
            ValueError,
            "vectorized: the columns of a and of b must be multiples of 4 (a (4, 6), b (6, 8))",
        ),
        ("naive", a, numbers(8, 6).T, ValueError, "naive: a and b must be C-contiguous (a (4, 6), b (6, 8))"),
        (
            "vectorized",
            at_odd_place(4, 4),
            numbers(4, 8),
            ValueError,
            "vectorized: a and b must begin at multiples of 16 bytes (a (4, 4), b (4, 8))",
        ),
    ]:
        with pytest.raises(error) as caught:
            run(LADDER[name], first, second)
        assert str(caught.value) == text


# --- the general product ---------------------------------------------------------------------------------------------


@given(M=SIZES, N=SIZES, K=SIZES, transpose_a=st.booleans(), transpose_b=st.booleans())
@settings(max_examples=5, derandomize=True)
def test_matmul(M, N, K, transpose_a, transpose_b):
    a, b = numbers(M, K), numbers(K, N, seed=1)
    given_a = np.ascontiguousarray(a.T) if transpose_a else a
    given_b = np.ascontiguousarray(b.T) if transpose_b else b
    check(run(matmul, given_a, given_b, transpose_a=transpose_a, transpose_b=transpose_b), a, b)


@pytest.mark.parametrize(("M", "N", "K"), [(132, 68, 20), (131, 67, 19)], ids=["wide", "single"])
@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
def test_all_transposes_by_16_bytes_and_one_by_one(M, N, K, transpose_a, transpose_b):
    a, b = numbers(M, K), numbers(K, N, seed=1)
    given_a = np.ascontiguousarray(a.T) if transpose_a else a
    given_b = np.ascontiguousarray(b.T) if transpose_b else b
    check(run(matmul, given_a, given_b, transpose_a=transpose_a, transpose_b=transpose_b), a, b)


def test_many_tiles_are_computed_in_bands():
    """Nine rows of tiles are a band of eight and a band of one."""
    a, b = numbers(1028, 4), numbers(4, 260, seed=1)
    check(run(matmul, a, b), a, b)


def test_batches_are_broadcast():
    a, b = numbers(3, 1, 5, 9), numbers(2, 9, 7, seed=1)
    check_batch(run(matmul, a, b), a, b)


def check_batch(c, a, b):
    np.testing.assert_allclose(c, a.astype(np.float64) @ b.astype(np.float64), rtol=1e-5, atol=1e-5)


def test_heads_are_multiplied_where_they_lie():
    """Queries (batch, length, heads, width), moved to (batch, heads, length, width): no copy, one launch."""
    q, k = numbers(2, 6, 3, 8).swapaxes(1, 2), numbers(2, 10, 3, 8, seed=1).swapaxes(1, 2)
    with running_on(Simulator()) as gpu:
        check_batch(matmul(q, k, transpose_b=True), q, k.swapaxes(2, 3))
    assert [report.grid for report in gpu.reports] == [(1, 3, 2)]


def test_axes_beyond_two_take_a_launch_each():
    a = numbers(2, 4, 3, 3, 5, 5).transpose(0, 2, 1, 3, 4, 5)[:, :, :, ::2]
    b = numbers(2, 1, 4, 1, 5, 6, seed=1)
    with running_on(Simulator()) as gpu:
        check_batch(matmul(a, b), a, b)
    assert [report.grid for report in gpu.reports] == [(1, 2, 4)] * 6


def test_a_batch_that_goes_through_one_layer_is_one_matrix():
    a, b = numbers(4, 5, 6, 8), numbers(8, 12, seed=1)
    with running_on(Simulator()) as gpu:
        check_batch(matmul(a, b), a, b)
    assert [report.grid for report in gpu.reports] == [(1, 1, 1)]


def test_a_batch_longer_than_a_grid_is_cut():
    operand = layout.Matrices(np.empty(0), False, 1, (2,))
    assert list(layout.launches((70_000,), operand)) == [
        ((1, 65535), [(0, 0, 2)]),
        ((1, 4465), [(2 * 65535, 0, 2)]),
    ]


@pytest.mark.parametrize(
    "view",
    [
        lambda x: np.ascontiguousarray(x.T).T,
        lambda x: np.pad(x, ((0, 0), (0, 3)))[:, :-3],
        lambda x: np.pad(x, ((1, 0), (1, 0)))[1:, 1:],
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: np.repeat(x, 2, axis=1)[:, ::2],
        lambda x: x[::-1].copy()[::-1],
    ],
    ids=["transposed", "columns", "offset", "every second row", "every second column", "backwards"],
)
def test_arrays_that_are_not_contiguous(view):
    a, b = numbers(8, 12), numbers(12, 20, seed=1)
    check(run(matmul, view(a), view(b)), a, b)


def test_only_what_must_be_copied_is():
    x = numbers(8, 12)
    for view in (x, x.T, x[:, 2:8], x[::2], np.broadcast_to(x[:1], (5, 12)), x[:, :1], x[None].repeat(2, 0)):
        assert np.shares_memory(layout.matrices(view, view.shape[:-2]).memory, view)
    for view in (x[:, ::2], x[::-1], x[:, ::-1]):
        assert layout.matrices(view, ()) is None


@pytest.mark.parametrize(("M", "N", "K"), [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0)])
def test_empty(M, N, K):
    np.testing.assert_array_equal(run(matmul, numbers(M, K), numbers(K, N)), np.zeros((M, N)))


def test_no_steps_of_k_leave_what_was_there():
    out = numbers(3, 4)
    expected = np.float32(2) * out + numbers(4, seed=1)
    result = run(matmul, numbers(3, 0), numbers(0, 4), out, beta=2.0, bias=numbers(4, seed=1))
    assert result is out
    np.testing.assert_allclose(out, expected, rtol=1e-6)


@pytest.mark.parametrize("columns", [20, 19], ids=["wide", "single"])
def test_alpha_beta_and_bias(columns):
    a, b, c, bias = numbers(7, 12), numbers(12, columns, seed=1), numbers(7, columns, seed=2), numbers(columns, seed=3)
    expected = 0.5 * (a.astype(np.float64) @ b) - 2.0 * c.astype(np.float64) + bias
    run(matmul, a, b, c, alpha=0.5, beta=-2.0, bias=bias)
    np.testing.assert_allclose(c, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "view",
    [lambda bias: bias[::2], lambda bias: bias[8::-1], lambda bias: np.broadcast_to(bias[0], 9)],
    ids=["every other", "backwards", "one for all"],
)
def test_bias_need_not_lie_side_by_side(view):
    a, b, bias = numbers(5, 4), numbers(4, 9, seed=1), view(numbers(18, seed=2)[:17])
    np.testing.assert_allclose(run(matmul, a, b, bias=bias), a @ b + bias, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("columns", [20, 19], ids=["wide", "single"])
def test_what_out_holds_is_not_read_where_beta_is_0(columns):
    a, b = numbers(7, 12), numbers(12, columns, seed=1)
    for out in (np.full((7, columns), np.nan, np.float32), empty((7, columns))):
        check(run(matmul, a, b, out), a, b)


def test_out_may_be_part_of_a_larger_array():
    whole = np.full((3, 9, 40), 7, np.float32)
    a, b = numbers(3, 8, 12), numbers(12, 20, seed=1)
    run(matmul, a, b, whole[:, 1:, 4:24])
    check_batch(whole[:, 1:, 4:24], a, b)
    whole[:, 1:, 4:24] = 7
    np.testing.assert_array_equal(whole, np.full((3, 9, 40), 7))


def test_nan_and_infinity_reach_the_elements_that_need_them():
    a, b = numbers(5, 8), numbers(8, 8, seed=1)
    a[1, 3], a[2, 2] = np.nan, np.inf
    c = run(matmul, a, b)
    assert np.isnan(c[1]).all()
    np.testing.assert_array_equal(c[2], np.inf * np.sign(b[2]))
    assert np.isfinite(c[[0, 3, 4]]).all()


def test_activation_is_applied_last():
    a, b, bias = numbers(5, 8), numbers(8, 7, seed=1), numbers(7, seed=2)
    x = a.astype(np.float64) @ b + bias
    expected = x / 2 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))
    np.testing.assert_allclose(run(matmul, a, b, bias=bias, activation="gelu"), expected, rtol=1e-5, atol=1e-6)


def apply_to_all(f):
    def kernel(x, y):
        if cuda.threadIdx.x < x.size:
            y[cuda.threadIdx.x] = f(x[cuda.threadIdx.x])

    return kernel


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("relu", lambda x: max(x, 0.0)),
        ("gelu", lambda x: x / 2 * (1 + math.erf(x / math.sqrt(2)))),
        ("gelu_tanh", lambda x: x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))),
        ("sigmoid", lambda x: 1 / (1 + math.exp(-x))),
        ("silu", lambda x: x / (1 + math.exp(-x))),
        ("tanh", math.tanh),
        (None, lambda x: x),
    ],
)
def test_activations(name, formula):
    x = np.linspace(-6, 6, 25, dtype=np.float32)
    y = np.empty_like(x)
    simulate(apply_to_all(ACTIVATIONS[name]), 1, 32, x, y, orders=("forward",))
    np.testing.assert_allclose(y, [formula(float(number)) for number in x], rtol=2e-6, atol=1e-7)


def test_errors():
    a, b, c = numbers(4, 6), numbers(6, 8), numbers(4, 8)
    known = "None, 'relu', 'gelu', 'gelu_tanh', 'sigmoid', 'silu', 'tanh'"
    whole = numbers(4, 20)
    locked = numbers(4, 8)
    locked.flags.writeable = False
    beyond = "is beyond the largest float32, 3.4028235e+38"
    for text, error, arguments, options in [
        ("matmul: out is read-only", ValueError, (a, b, locked), {}),
        ("matmul: alpha must be a number, not NoneType", TypeError, (a, b), {"alpha": None}),
        ("matmul: alpha must be a number, not ndarray", TypeError, (a, b), {"alpha": np.ones(2)}),
        ("matmul: beta must be a number, not str", TypeError, (a, b, c), {"beta": "2"}),
        (f"matmul: alpha {beyond}", ValueError, (a, b), {"alpha": -1e300}),
        (f"matmul: beta {beyond}", ValueError, (a, b, c), {"beta": 10**400}),
        (f"matmul: activation must be one of {known}, not ['relu']", ValueError, (a, b), {"activation": ["relu"]}),
        ("matmul: a must be an array of NumPy or on the GPU, not list", TypeError, ([[1.0]], b), {}),
        ("matmul: b must be float32, not float64", TypeError, (a, b.astype(np.float64)), {}),
        ("matmul: bias must be float32, not int64", TypeError, (a, b), {"bias": np.arange(8)}),
        ("matmul: a and b must have at least 2 axes (a (6,), b (6, 8))", ValueError, (a[0], b), {}),
        ("matmul: op(a) has 6 columns but op(b) has 4 rows (a (4, 6), b (4, 8))", ValueError, (a, c), {}),
        (
            "matmul: op(a) has 4 columns but op(b) has 8 rows (a (4, 6) transposed, b (6, 8) transposed)",
            ValueError,
            (a, b),
            {"transpose_a": True, "transpose_b": True},
        ),
        (
            "matmul: the axes before the last two of a and b do not broadcast (a (2, 4, 6), b (3, 6, 8))",
            ValueError,
            (numbers(2, 4, 6), numbers(3, 6, 8)),
            {},
        ),
        (
            "matmul: bias must have shape (8,), a number for each column, not (4,)",
            ValueError,
            (a, b),
            {"bias": c[:, 0]},
        ),
        (f"matmul: activation must be one of {known}, not 'softmax'", ValueError, (a, b), {"activation": "softmax"}),
        ("matmul: beta is 1.0, but there is no out to multiply by it", ValueError, (a, b), {"beta": 1.0}),
        ("matmul: out has shape (4, 6), but the product has shape (4, 8)", ValueError, (a, b, a), {}),
        (
            "matmul: the numbers of out's rows must be neighbours in memory, and each number must have a place of its "
            "own (shape (4, 8), strides (4, 16) bytes)",
            ValueError,
            (a, b, np.empty((8, 4), np.float32).T),
            {},
        ),
        (
            "matmul: the numbers of out's rows must be neighbours in memory, and each number must have a place of its "
            "own (shape (4, 8), strides (0, 4) bytes)",
            ValueError,
            (a, b, np.lib.stride_tricks.as_strided(c, (4, 8), (0, 4))),
            {},
        ),
        ("matmul: out shares memory with a", ValueError, (whole[:, :6], b, whole[:, 5:13]), {}),
        ("matmul: out shares memory with b", ValueError, (numbers(6, 6), b, b), {}),
        ("matmul: out shares memory with bias", ValueError, (a, b, c), {"bias": c[0]}),
    ]:
        with pytest.raises(error) as caught:
            run(matmul, *arguments, **options)
        assert str(caught.value) == text


@pytest.mark.parametrize("call", [matmul, LADDER["naive"]], ids=["matmul", "naive"])
def test_no_gpu_and_no_simulator(call, monkeypatch):
    monkeypatch.setattr("kernels.cuda.kernel.why_no_gpu", lambda: "it went home")
    with pytest.raises(RuntimeError) as caught:
        call(numbers(4, 6), numbers(6, 8))
    name = getattr(call, "name", "matmul")
    words = "no GPU can be used (it went home); kernels.simulator runs kernels on the processor"
    assert str(caught.value) == f"{name}: {words}"
    with pytest.raises(RuntimeError) as caught:
        arrays.empty((2, 3), like=numbers(2, 3))
    assert str(caught.value) == f"empty: {words}"


def test_out_beside_an_input_in_one_array_is_fine():
    whole, b = numbers(4, 20), numbers(6, 8)
    a = whole[:, :6].copy()
    check(run(matmul, whole[:, :6], b, whole[:, 6:14]), a, b)


class OnGpu:
    """An array that says it is on a GPU."""

    def __init__(self, array):
        self.__cuda_array_interface__ = {**array.__array_interface__, "version": 3}


def test_overlaps_are_seen_on_a_gpu_too():
    whole = numbers(4, 20)
    left, middle, right = OnGpu(whole[:, :6]), OnGpu(whole[:, 5:13]), OnGpu(whole[:, 13:])
    assert layout.overlap(left, middle)
    assert not layout.overlap(left, right)
    assert not layout.overlap(middle, right)


# --- barriers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tiled", "blocked", "vectorized", "tensor_core", "general"])
def test_no_barrier_can_be_left_out(name, monkeypatch):
    a, b = numbers(33, 40), numbers(40, 36)
    kernel = LADDER[name].kernel if name in LADDER else general.kernel(True, None)
    without_one = [broken for _, broken in barriers(kernel)]
    assert len(without_one) == (2 if name in ("tiled", "blocked") else 1)
    for broken in without_one:
        monkeypatch.setattr(general, "kernel", lambda wide, activation, broken=broken: broken)
        product = replace(LADDER[name], kernel=broken) if name in LADDER else matmul
        with pytest.raises((Race, Uninitialised)):
            run(product, a, b)


# --- what they cost --------------------------------------------------------------------------------------------------


def test_the_roofline_knows_the_bytes():
    with running_on(Simulator(("forward",), counting=True)) as gpu:
        LADDER["tiled"](numbers(64, 32), numbers(32, 64))
    assert gpu.reports[0].counts.of(space="global").bytes == work("tiled", 64, 64, 32).bytes


def test_the_work_of_no_rung():
    with pytest.raises(ValueError) as error:
        work("cubed", 64, 64, 32)
    assert str(error.value) == (
        "work: the rungs are naive, tiled, blocked, vectorized, tensor_core; there is no 'cubed'"
    )


def test_kernels_are_listed_once():
    assert len({id(kernel) for kernel in KERNELS}) == len(KERNELS) == 11
