"""Correct kernels run without a false alarm and compute what NumPy computes; and the simulator's own errors."""

import math
import signal
import sys
import threading

import numpy as np
import pytest

from kernels.cuda.compiler import cuda, device, float32, int32
from kernels.cuda.kernel import Kernel, running_on
from kernels.cuda.vector import load4, mma_tf32, store4
from kernels.simulator import KernelFault, Simulator, barriers, empty, simulate, without_barrier
from kernels.simulator.phases import Phases

FULL = 0xFFFFFFFF
T, T1 = 8, 9


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def close(result, expected):
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


# --- correct kernels -----------------------------------------------------------------------------------------------


def plain_matmul(A, B, C):
    """One thread an element; threads outside of C return."""
    n, m = cuda.grid(2)
    if m >= C.shape[0] or n >= C.shape[1]:
        return
    total = float32(0)
    for k in range(A.shape[1]):
        total += A[m, k] * B[k, n]
    C[m, n] = total


def test_one_thread_an_element():
    A, B, C = normal(13, 9), normal(9, 21), empty((13, 21))
    simulate(plain_matmul, (3, 2), (8, 8), A, B, C)
    close(C, A @ B)


def tiled_matmul(A, B, C):
    """Tiles of A and B in shared memory, with a barrier after they are filled and one after they are used."""
    tile_A = cuda.shared.array((T, T1), float32)
    tile_B = cuda.shared.array((T, T), float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    m, n = cuda.blockIdx.y * T + y, cuda.blockIdx.x * T + x
    total = float32(0)
    for k0 in range(0, A.shape[1], T):
        tile_A[y, x] = A[m, k0 + x] if m < A.shape[0] and k0 + x < A.shape[1] else float32(0)
        tile_B[y, x] = B[k0 + y, n] if k0 + y < A.shape[1] and n < B.shape[1] else float32(0)
        cuda.syncthreads()
        for k in range(T):
            total += tile_A[y, k] * tile_B[k, x]
        cuda.syncthreads()
    if m < C.shape[0] and n < C.shape[1]:
        C[m, n] = total


@pytest.mark.parametrize(("M", "K", "N"), [(1, 1, 1), (17, 23, 9), (16, 16, 8)])
def test_tiles(M, K, N):
    A, B, C = normal(M, K), normal(K, N), empty((M, N))
    report = simulate(tiled_matmul, (-(-N // T), -(-M // T)), (T, T), A, B, C)
    close(C, A @ B)
    assert report.barriers == 2 * -(-K // T) * report.grid[0] * report.grid[1]
    assert report.shared_bytes == 4 * (T * T1 + T * T)


def double_buffered_matmul(A, B, C):
    """While one pair of tiles is used, the next is filled: a single barrier a step. C is a multiple of tiles."""
    tiles_A = cuda.shared.array((2, T, T), float32)
    tiles_B = cuda.shared.array((2, T, T), float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    m, n = cuda.blockIdx.y * T + y, cuda.blockIdx.x * T + x
    tiles_A[0, y, x] = A[m, x]
    tiles_B[0, y, x] = B[y, n]
    cuda.syncthreads()
    total, now = float32(0), 0
    for k0 in range(T, A.shape[1] + T, T):
        if k0 < A.shape[1]:
            tiles_A[1 - now, y, x] = A[m, k0 + x]
            tiles_B[1 - now, y, x] = B[k0 + y, n]
        for k in range(T):
            total += tiles_A[now, y, k] * tiles_B[now, k, x]
        now = 1 - now
        cuda.syncthreads()
    C[m, n] = total


def test_double_buffer():
    A, B, C = normal(16, 32), normal(32, 8), empty((16, 8))
    simulate(double_buffered_matmul, (1, 2), (T, T), A, B, C)
    close(C, A @ B)


def register_blocked_matmul(A, B, C):
    """Each of 64 threads computes 4 x 4 of a 32 x 32 tile; four numbers at a time."""
    tile_A = cuda.shared.array(256, float32, 16)  # [k][m]
    tile_B = cuda.shared.array(256, float32, alignment=16)  # [k][n]
    total = cuda.local.array((4, 4), float32)
    a = cuda.local.array(4, float32)
    b = cuda.local.array(4, float32)
    t = int32(cuda.threadIdx.x)
    x, y, K = t % 8, t // 8, A.shape[1]
    for i in range(4):
        for j in range(4):
            total[i, j] = float32(0)
    for k0 in range(0, K, 8):
        for q in range(4):
            tile_A[(4 * (t % 2) + q) * 32 + t // 2] = A[t // 2, k0 + 4 * (t % 2) + q]
        p, q, r, s = load4(B, (k0 + t // 8) * B.shape[1] + 4 * x)
        store4(tile_B, 4 * t, p, q, r, s)
        cuda.syncthreads()
        for k in range(8):
            a[0], a[1], a[2], a[3] = load4(tile_A, 32 * k + 4 * y)
            b[0], b[1], b[2], b[3] = load4(tile_B, 32 * k + 4 * x)
            for i in range(4):
                for j in range(4):
                    total[i, j] += a[i] * b[j]
        cuda.syncthreads()
    for i in range(4):
        store4(C, (4 * y + i) * C.shape[1] + 4 * x, total[i, 0], total[i, 1], total[i, 2], total[i, 3])


def test_register_blocks_and_16_byte_accesses():
    A, B, C = normal(32, 24), normal(24, 32), empty((32, 32))
    simulate(register_blocked_matmul, 1, 64, A, B, C)
    close(C, A @ B)


def row_sums(X, sums):
    """Each warp folds its numbers by shuffles, the first warp those of all warps."""
    parts = cuda.shared.array(4, float32)
    t = cuda.threadIdx.x
    row = X[cuda.blockIdx.x]
    total = float32(0)
    for c in range(t, len(row), cuda.blockDim.x):
        total += row[c]
    for step in (16, 8, 4, 2, 1):
        total += cuda.shfl_xor_sync(FULL, total, step)
    if cuda.laneid == 0:
        parts[t // cuda.warpsize] = total
    cuda.syncthreads()
    if t < 4:
        total = parts[t]
        total += cuda.shfl_xor_sync(0xF, total, 2)
        total += cuda.shfl_xor_sync(0xF, total, 1)
        if t == 0:
            sums[cuda.blockIdx.x] = total


def sums_of_the_first_lane_only(X, sums):
    """Lanes that have ended need not come to a shuffle that names them, if nobody reads from them."""
    t = cuda.threadIdx.x
    if t >= 4:
        return
    x = X[0, t]
    x += cuda.shfl_xor_sync(FULL, x, 2)
    sums[t] = x + cuda.shfl_xor_sync(FULL, x, 1)


def test_shuffles():
    X, sums = normal(3, 200), empty(3)
    simulate(row_sums, 3, 128, X, sums)
    close(sums, X.sum(1))
    sums = empty(4)
    simulate(sums_of_the_first_lane_only, 1, 32, X, sums)
    close(sums, np.full(4, X[0, :4].sum()))


def all_shuffles(x, results):
    """Numbers of two types; a scan by shuffles upwards."""
    t = cuda.threadIdx.x
    count = x[t]
    for step in (1, 2, 4, 8, 16):
        below = cuda.shfl_up_sync(FULL, count, step)
        if cuda.laneid >= step:
            count += below
    results[0, t] = count
    results[1, t] = cuda.shfl_sync(FULL, x[t], 5)
    results[2, t] = int32(cuda.shfl_down_sync(FULL, float32(x[t]), 3))
    results[3, t] = int32(cuda.ballot_sync(FULL, x[t] % 2 == 0) & 0xFFFF)
    results[4, t] = int32(cuda.any_sync(FULL, x[t] == 7)) + 2 * int32(cuda.all_sync(FULL, x[t] < 100))


def test_every_shuffle_and_vote():
    x = np.random.default_rng(0).integers(0, 50, 64).astype(np.int32)
    results = empty((5, 64), np.int32)
    simulate(all_shuffles, 1, 64, x, results)
    for warp in (slice(0, 32), slice(32, 64)):
        lanes, scan, chosen, down, even, votes = x[warp], *results[:, warp]
        assert (scan == np.cumsum(lanes)).all()
        assert (chosen == lanes[5]).all()
        assert (down == np.concatenate([lanes[3:], lanes[-3:]])).all()
        assert (even == sum(1 << i for i in range(16) if lanes[i] % 2 == 0)).all()
        assert (votes == (7 in lanes) + 2).all()


def transposed_by_warps(X, Y):
    """Each warp turns 32 numbers around in its own part of shared memory: no barrier of the block is needed."""
    shared = cuda.shared.array(64, float32)
    t = cuda.threadIdx.x
    first = t - cuda.laneid
    for step in range(X.shape[0]):
        shared[t] = X[step, t]
        cuda.syncwarp()
        Y[step, t] = shared[first + 31 - cuda.laneid]
        cuda.syncwarp()


def test_syncwarp_orders_a_warp():
    X, Y = normal(3, 64), empty((3, 64))
    simulate(transposed_by_warps, 1, 64, X, Y)
    assert (X.reshape(3, 2, 32)[:, :, ::-1].reshape(3, 64) == Y).all()


def histogram(x, counts):
    """Atomics in shared memory, then one atomic a bin in global memory."""
    bins = cuda.shared.array(16, int32)
    t = cuda.threadIdx.x
    if t < 16:
        bins[t] = 0
    cuda.syncthreads()
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        cuda.atomic.add(bins, x[i], 1)
    cuda.syncthreads()
    if t < 16:
        cuda.atomic.add(counts, t, bins[t])


def float_atomics(x, results):
    i = cuda.grid(1)
    cuda.atomic.add(results, (0, 0), x[i])
    cuda.atomic.max(results, (0, 1), x[i])
    cuda.atomic.min(results, (0, 2), x[i])
    cuda.atomic.sub(results, (0, 3), x[i])


def test_atomics():
    x = np.random.default_rng(0).integers(0, 16, 300).astype(np.int32)
    counts = np.zeros(16, np.int32)
    simulate(histogram, 3, 32, x, counts)
    assert (counts == np.bincount(x, minlength=16)).all()
    y, results = normal(96), np.zeros((1, 4), np.float32)
    simulate(float_atomics, 3, 32, y, results)
    close(results[0], [y.sum(), y.max(), y.min(), -y.sum()])


def locked_counter(a, winners):
    t = cuda.threadIdx.x
    old = cuda.atomic.cas(a, 0, 0, t + 1)
    cuda.atomic.add(winners, 0, 1 if old == 0 else 0)
    cuda.atomic.or_(winners, 1, 1 << t)
    cuda.atomic.xor(winners, 2, 1 << t)
    cuda.atomic.and_(winners, 3, ~(1 << t))


def test_integer_atomics():
    a, winners = np.array([3], np.int32), np.array([0, 0, 0, 255], np.int32)
    simulate(locked_counter, 1, 4, a, winners)
    assert a[0] == 3
    assert winners.tolist() == [0, 15, 15, 240]


def softmax(X, Y):
    """A row a block; maximum and sum fold in shared memory."""
    folded = cuda.shared.array(32, float32)
    t, r = cuda.threadIdx.x, cuda.blockIdx.x
    largest = float32(-math.inf)
    for c in range(t, X.shape[1], 32):
        largest = max(largest, X[r, c])
    folded[t] = largest
    cuda.syncthreads()
    half = 16
    while half > 0:
        if t < half:
            folded[t] = max(folded[t], folded[t + half])
        cuda.syncthreads()
        half //= 2
    largest = folded[0]
    cuda.syncthreads()
    total = float32(0)
    for c in range(t, X.shape[1], 32):
        total += math.exp(X[r, c] - largest)
    folded[t] = total
    cuda.syncthreads()
    if t == 0:
        for i in range(1, 32):
            total += folded[i]
        folded[0] = total
    cuda.syncthreads()
    for c in range(t, X.shape[1], 32):
        Y[r, c] = math.exp(X[r, c] - largest) / folded[0]


def test_softmax():
    X, Y = normal(4, 45), empty((4, 45))
    simulate(softmax, 4, 32, X, Y)
    expected = np.exp(X - X.max(1, keepdims=True))
    close(Y, expected / expected.sum(1, keepdims=True))


@device
def index_of(place):
    x, y, z = place
    return (z * 4 + y) * 5 + x


@device
def scaled(row, i, factor):
    return cuda.fma(row[i], factor, float32(index_of(cuda.grid(3))))


def three_axes(X, factor, Y):
    """Grids and blocks with three axes, device functions that call others, parts of arrays, an index in a variable."""
    x, y, z = cuda.grid(3)
    width, height, depth = cuda.gridsize(3)
    place = z, y, x
    if x < width and y < height and z < depth:
        Y[place] = scaled(X[z][y], x, factor)


def test_three_axes_and_device_functions():
    X, Y = normal(6, 4, 5), empty((6, 4, 5))
    simulate(three_axes, (5, 2, 2), (1, 2, 3), X, np.float32(3), Y)
    z, y, x = np.indices(X.shape)
    close(Y, 3 * X + (z * 4 + y) * 5 + x)


def tensor_core_product(A, B, C):
    """One warp, one step of the tensor cores."""
    lane = cuda.threadIdx.x
    g, t = lane // 4, lane % 4
    zero = float32(0)
    a0, a1, a2, a3 = A[g, t], A[g + 8, t], A[g, t + 4], A[g + 8, t + 4]
    d0, d1, d2, d3 = mma_tf32(a0, a1, a2, a3, B[t, g], B[t + 4, g], zero, zero, zero, float32(1))
    C[g, 2 * t], C[g, 2 * t + 1], C[g + 8, 2 * t], C[g + 8, 2 * t + 1] = d0, d1, d2, d3


def test_tensor_cores():
    A, B, C = normal(16, 8), normal(8, 8), empty((16, 8))
    simulate(tensor_core_product, 1, 32, A, B, C)
    one = np.zeros((16, 8))
    one[8:, 1::2] = 1
    tf32 = [(x.view(np.uint32) & 0xFFFFE000).view(np.float32) for x in (A, B)]
    close(C, tf32[0] @ tf32[1] + one)
    assert abs(C - (A @ B + one)).max() > 1e-5  # the cut-off bits show


def reversed_in_place(x):
    """The same memory as input and output; all read before anybody writes."""
    t = cuda.threadIdx.x
    mirrored = x[x.shape[0] - 1 - t]
    cuda.syncthreads()
    x[t] = mirrored


def shifted(source, target):
    t = cuda.threadIdx.x
    value = source[t]
    cuda.syncthreads()
    target[t] = value


def test_memory_that_arguments_share():
    x = normal(16)
    expected = x[::-1].copy()
    simulate(reversed_in_place, 1, 16, x)
    assert (x == expected).all()
    simulate(shifted, 1, 15, x[:-1], x[1:])
    assert (x[1:] == expected[:-1]).all()


def shifted_in_a_race(source, target):
    t = cuda.threadIdx.x
    target[t] = source[t]


def test_a_race_through_memory_that_arguments_share():
    x = normal(16)
    simulate(shifted_in_a_race, 1, 15, x[:-1], np.empty_like(x[1:]))
    with pytest.raises(KernelFault, match=r"store of target\[0\], unordered|load of source\[1\], unordered"):
        simulate(shifted_in_a_race, 1, 15, x[:-1], x[1:])


def copied(X, Y):
    i, j = cuda.grid(2)
    if i < X.shape[0] and j < X.shape[1]:
        Y[i, j] = X[i, j]


@pytest.mark.parametrize("dtype", ["float64", "int8", "bool"])
def test_dtypes_and_strides(dtype):
    X = (10 * normal(6, 10)).astype(dtype)
    for source in (X, X[::2, 1::3], X.T, X[::-1]):
        target = np.zeros((2, *source.shape), dtype)[1]
        simulate(copied, (2, 2), (8, 8), source, target)
        assert (source == target).all()


def infinities(x):
    one = float32(1)
    x[0] = one / x[3]
    x[1] = -one / x[3]
    x[2] = x[3] / x[3]


def test_division_by_zero_is_infinite_as_on_a_gpu():
    x = np.zeros(4, np.float32)
    simulate(infinities, 1, 1, x)
    assert x[:2].tolist() == [math.inf, -math.inf]
    assert np.isnan(x[2])


def nan_in_local_memory(x):
    local = cuda.local.array(2, float32)
    local[0] = x[0]
    local[1] = x[0] - x[0]
    x[1] = local[0] + local[1]


def test_nan_is_not_taken_for_unwritten():
    for value in (math.nan, math.inf):
        x = np.array([value, 0], np.float32)
        simulate(nan_in_local_memory, 1, 1, x)
        assert np.isnan(x[1])


# --- barriers, one after the other ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kernel", "count"), [(tiled_matmul, 2), (double_buffered_matmul, 2), (register_blocked_matmul, 2), (row_sums, 1)]
)
def test_each_barrier_that_is_left_out_is_missed(kernel, count):
    if kernel is row_sums:
        grid, threads, arrays = 3, 128, [normal(3, 200), empty(3)]
    elif kernel is register_blocked_matmul:
        grid, threads, arrays = 1, 64, [normal(32, 24), normal(24, 32), empty((32, 32))]
    else:
        grid, threads, arrays = 1, (T, T), [normal(8, 32), normal(32, 8), empty((8, 8))]
    variants = list(barriers(kernel))
    lines = [line for line, _ in variants]
    with open(__file__) as file:
        source = file.read().splitlines()
    assert len(lines) == count
    assert all("cuda.syncthreads()" in source[line - 1] for line in lines)
    for _, broken in variants:
        with pytest.raises(KernelFault, match=r"unordered with|nobody wrote it"):
            simulate(broken, grid, threads, *arrays)


def test_a_kernel_without_a_barrier_stays_a_kernel():
    kernel = Kernel(transposed_by_warps, threads=64, types="float32[:, ::1], float32[:, ::1]")
    broken = without_barrier(kernel, 1)
    assert (broken.name, broken.threads, broken.types) == (kernel.name, kernel.threads, kernel.types)
    with running_on(Simulator()), pytest.raises(KernelFault, match="unordered with"):
        broken.launch(1, normal(3, 64), empty((3, 64)))
    with running_on(Simulator()):
        kernel.launch(1, normal(3, 64), empty((3, 64)))


# --- kernels as the launcher gives them ----------------------------------------------------------------------------


def scaled_copy(x, factor, count, y):
    i = cuda.grid(1)
    if i < count:
        y[i] = factor * x[i]


SCALED = Kernel(scaled_copy, threads=32, types="float32[::1], float32, int32, float32[::1]")


def test_launch_in_the_simulator():
    x, y = normal(50), empty(50)
    with running_on(Simulator(counting=1)) as simulator:
        SCALED.launch(2, x, 2.0, 50, y)
        SCALED.launch((2, 1), x, np.float32(3), np.int64(40), y)
    close(y, np.concatenate([3 * x[:40], 2 * x[40:]]))
    assert [(report.kernel, report.grid, report.threads) for report in simulator.reports] == [
        ("scaled_copy", (2, 1, 1), (32, 1, 1))
    ] * 2


@pytest.mark.parametrize("grid", [1.5, -1, (1, -1), (1, 1, 1, 1), (), "ab", None], ids=str)
def test_no_grid(grid):
    with running_on(Simulator()), pytest.raises(TypeError) as caught:
        SCALED.launch(grid, normal(5), 2.0, 5, normal(5))
    assert str(caught.value) == f"scaled_copy: a grid is a whole number, (x, y) or (x, y, z), not {grid!r}"


def test_grids_of_numpy_numbers_and_empty_ones():
    x, y = normal(32), empty(32)
    with running_on(Simulator()) as simulator:
        SCALED.launch(np.int64(1), x, 2.0, 32, y)
        SCALED.launch((0, 1), x, 2.0, 32, y)
    close(y, 2 * x)
    assert len(simulator.reports) == 1


def test_types_that_are_no_signature():
    kernel = Kernel(scaled_copy, threads=32, types="float33[::1]")
    with running_on(Simulator()), pytest.raises(TypeError) as caught:
        kernel.launch(1, normal(5))
    text = "simulator: 'void(float33[::1])' is no signature of Numba's: name 'float33' is not defined"
    assert str(caught.value) == text


WRONG = [
    (
        (normal(5), 1.0, 5),
        TypeError,
        "3 arguments were given, the kernel takes 4: ['x', 'factor', 'count', 'y']",
    ),
    (
        (normal(5).astype("f8"), 1.0, 5, normal(5)),
        TypeError,
        "x must be float32 with 1 axes, not float64 with 1 (shape (5,))",
    ),
    ((normal(5, 1), 1.0, 5, normal(5)), TypeError, "x must be float32 with 1 axes, not float32 with 2 (shape (5, 1))"),
    ((normal(10)[::2], 1.0, 5, normal(5)), ValueError, "x must be C-contiguous (shape (5,), strides (8,))"),
    ((1.0, 1.0, 5, normal(5)), TypeError, "x must be an array, not the number 1.0"),
    ((normal(5), normal(5), 5, normal(5)), TypeError, "factor must be a number (float32), not an array of shape (5,)"),
    ((normal(5), 1.0, 5.5, normal(5)), TypeError, "count must be an integer (int32), not 5.5"),
    ((normal(5), None, 5, normal(5)), TypeError, "factor must be an array of NumPy or a number, not NoneType"),
]


@pytest.mark.parametrize(("arguments", "kind", "text"), WRONG)
def test_arguments_that_the_kernel_does_not_take(arguments, kind, text):
    with running_on(Simulator()), pytest.raises(kind) as caught:
        SCALED.launch(1, *arguments)
    assert str(caught.value) == f"scaled_copy: {text}"


def test_python_floats_need_a_type():
    with pytest.raises(TypeError) as caught:
        simulate(scaled_copy, 1, 5, normal(5), 1.5, 5, normal(5))
    text = "scaled_copy: factor is a Python float, which is float64 on a GPU: give np.float32(1.5)"
    assert str(caught.value) == text


# --- what the simulator does not know ------------------------------------------------------------------------------


def with_a_fence(x):
    cuda.threadfence()
    x[0] = float32(1)


def with_a_clock(x):
    x[0] = float32(cuda.clock)


def with_a_slice(x):
    y = x[1:]
    y[0] = float32(1)


def with_a_default(x, i=0):
    x[i] = float32(1)


def with_half_a_warp(x):
    if cuda.threadIdx.x < 16:
        cuda.syncwarp(0xFFFF)
    x[cuda.threadIdx.x] = float32(1)
    cuda.syncthreads()


def with_a_name_nobody_knows(x):
    x[0] = unheard_of  # noqa: F821


def with_four_axes(x):
    x[cuda.grid(4)] = float32(1)


def with_a_size_and_no_dtype(x):
    shared = cuda.shared.array(4)
    shared[0] = x[0]


def with_no_size(x):
    shared = cuda.shared.array(-4, float32)
    shared[0] = x[0]


def with_a_wrong_dtype(x):
    shared = cuda.shared.array(4, "float33")
    shared[0] = x[0]


def with_the_size_of_an_argument(T):
    shared = cuda.shared.array(T, float32)
    shared[0] = T[0]


@device
def factorial(n):
    return 1 if n == 0 else n * factorial(n - 1)


def with_numbers_as_loop_variables(x):
    for x[0] in range(3):
        pass


def with_a_size_from_memory(x):
    n = x.shape[0]
    local = cuda.local.array(n, float32)
    local[0] = x[0]


UNKNOWN = [
    (with_a_fence, NotImplementedError, "cuda.threadfence()", "cuda.threadfence is not simulated"),
    (with_a_clock, NotImplementedError, "x[0] = float32(cuda.clock)", "cuda.clock is not simulated"),
    (with_a_slice, NotImplementedError, "y = x[1:]", "slices are not simulated"),
    (
        *(with_a_name_nobody_knows, NameError, "x[0] = unheard_of  # noqa: F821"),
        "the name unheard_of is not defined",
    ),
    (with_four_axes, TypeError, "x[cuda.grid(4)] = float32(1)", "cuda.grid takes the number of axes: 1, 2 or 3"),
    (
        *(with_a_size_and_no_dtype, TypeError, "shared = cuda.shared.array(4)"),
        "cuda.shared.array takes a shape and a dtype",
    ),
    (
        *(with_no_size, TypeError, "shared = cuda.shared.array(-4, float32)"),
        "(-4,) is no shape: sizes are whole numbers above 0",
    ),
    (with_a_wrong_dtype, TypeError, 'shared = cuda.shared.array(4, "float33")', "'float33' is no dtype"),
    (
        *(with_the_size_of_an_argument, TypeError, "shared = cuda.shared.array(T, float32)"),
        "T must be known before the kernel runs",
    ),
    (
        *(factorial, NotImplementedError, "return 1 if n == 0 else n * factorial(n - 1)"),
        "factorial calls itself, which is not simulated",
    ),
    (
        *(with_numbers_as_loop_variables, NotImplementedError, "for x[0] in range(3):"),
        "a number of an array is set by = only",
    ),
    (
        *(with_a_default, NotImplementedError, "def with_a_default(x, i=0):"),
        "kernels and device functions take plain arguments without defaults",
    ),
    (
        *(with_a_size_from_memory, TypeError, "local = cuda.local.array(n, float32)"),
        "n must be known before the kernel runs",
    ),
]


def line_where(kernel, source):
    """Where this line of a kernel stands in the file."""
    first = getattr(kernel, "py_func", kernel).__code__.co_firstlineno
    with open(__file__) as file:
        return next(n for n, text in enumerate(file, 1) if n >= first and text.strip() == source)


@pytest.mark.parametrize(("kernel", "kind", "source", "reason"), UNKNOWN, ids=lambda x: getattr(x, "__name__", ""))
def test_what_is_not_simulated(kernel, kind, source, reason):
    with pytest.raises(kind) as caught:
        simulate(kernel, 1, 32, normal(32))
    line = line_where(kernel, source)
    assert str(caught.value) == f"simulator: {kernel.__name__}, line {line}: {source}: {reason}"


def test_other_things_that_are_not_simulated():
    with pytest.raises(
        NotImplementedError, match=r"^simulator: cuda.syncwarp for a part of the warp is not simulated$"
    ):
        simulate(with_half_a_warp, 1, 32, normal(32))
    with pytest.raises(TypeError, match=r"^simulator: a kernel must be a function, not int$"):
        simulate(3, 1, 1)
    with pytest.raises(ValueError, match=r"^simulator: an order is forward, backward or random, not 'sideways'$"):
        simulate(reversed_in_place, 1, 4, normal(4), orders=("sideways",))
    scope = {"cuda": cuda}
    exec("def kernel(x):\n    x[0] = x[1]", scope)
    with pytest.raises(
        TypeError, match=r"^simulator: the source of kernel cannot be found; define it in a file or a notebook$"
    ):
        simulate(scope["kernel"], 1, 1, normal(4))
    for grid in (1.5, "ab", (1, 1, 1, 1), (2.5, 1), None):
        with pytest.raises(TypeError) as caught:
            simulate(reversed_in_place, grid, 4, normal(4))
        assert str(caught.value) == f"simulator: a size is a whole number, (x, y) or (x, y, z), not {grid!r}"
    with pytest.raises(ValueError, match=r"^simulator: at least one order is needed$"):
        simulate(reversed_in_place, 1, 4, normal(4), orders=())
    for dtype in (">f4", "float16", "complex64", "U1", "O"):
        x = np.zeros(4, dtype)
        with pytest.raises(TypeError) as caught:
            simulate(reversed_in_place, 1, 4, x)
        assert str(caught.value) == f"reversed_in_place: x has dtype {x.dtype}, which is not simulated"


def with_two_indices(x):
    x[0, 0] = float32(1)


def with_a_float_index(x):
    x[1.5] = float32(1)


def with_an_ellipsis(x):
    x[...] = float32(1)


def with_a_list(x):
    numbers = [1, 2]
    x[0] = numbers[0]


def with_a_method(x):
    x[0] = x.sum()


def with_a_sum(x):
    x[0] = np.sum(x)


def with_a_global(x):
    global T
    T = 3
    x[0] = T


UNCOMPILED = [
    (with_two_indices, "x[0, 0] = float32(1)", "2 indices for an array with 1 axes"),
    (with_a_float_index, "x[1.5] = float32(1)", "an index must be an integer, not float64"),
    (with_an_ellipsis, "x[...] = float32(1)", "an index must be an integer, not ..."),
    (with_a_list, "x[0] = numbers[0]", "list(int64)<iv=[1, 2]> takes no index here"),
    (with_a_method, "x[0] = x.sum()", "Unknown attribute 'sum' of type array(float32, 1d)"),
    (with_a_sum, "x[0] = np.sum(x)", "no such operation: sum(array(float32, 1d))"),
    (with_a_global, "T = 3", "Use of unsupported opcode (STORE_GLOBAL) found"),
]


@pytest.mark.parametrize(("kernel", "source", "reason"), UNCOMPILED, ids=lambda x: getattr(x, "__name__", ""))
def test_what_numba_cannot_compile(kernel, source, reason):
    with pytest.raises(TypeError) as caught:
        simulate(kernel, 1, 1, normal(4))
    line = line_where(kernel, source)
    assert str(caught.value).startswith(
        f"{kernel.__name__}: Numba cannot compile the kernel: line {line}: {source}: {reason}"
    )
    assert "\n" not in str(caught.value)


def test_a_part_of_an_array_cannot_be_set():
    def kernel(x):
        x[0] = float32(1)

    with pytest.raises(TypeError, match=r"one number is set at a time: 2 indices are needed, not 1$"):
        simulate(kernel, 1, 1, normal(4, 4))


def test_a_kernel_returns_nothing():
    def kernel(x):
        return x[0]

    with pytest.raises(TypeError, match=r"^kernel: a kernel returns nothing; its results go to arrays$"):
        simulate(kernel, 1, 1, normal(4))


def test_any_spelling_of_a_dtype():
    def kernel(x):
        shared, typed = cuda.shared.array(4, np.float32), cuda.local.array(1, "float32")
        shared[cuda.threadIdx.x] = x[cuda.threadIdx.x]
        typed[0]: float32 = shared[cuda.threadIdx.x] + float32(1)
        x[cuda.threadIdx.x] = typed[0]

    x = normal(4)
    expected = x + 1
    simulate(kernel, 1, 4, x)
    np.testing.assert_array_equal(x, expected)


# --- how a launch ends ---------------------------------------------------------------------------------------------


def test_ctrl_c_ends_a_launch(monkeypatch):
    calls = []

    def interrupted(phases):
        calls.append(phases)
        if len(calls) == 4:
            signal.raise_signal(signal.SIGINT)
        original(phases)

    original = Phases.barrier
    monkeypatch.setattr(Phases, "barrier", interrupted)
    before = signal.getsignal(signal.SIGINT)
    A, B, C = normal(8, 80), normal(80, 8), empty((8, 8))
    with pytest.raises(KeyboardInterrupt):
        simulate(tiled_matmul, 1, (T, T), A, B, C)
    assert len(calls) == 4
    assert signal.getsignal(signal.SIGINT) is before
    simulate(tiled_matmul, 1, (T, T), A, B, C)
    close(C, A @ B)


def test_launches_in_another_thread():
    x, failures = normal(16), []

    def launch():
        try:
            simulate(reversed_in_place, 1, 16, x)
        except BaseException as error:
            failures.append(error)

    expected = x[::-1].copy()
    thread = threading.Thread(target=launch)
    thread.start()
    thread.join()
    assert not failures
    assert (x == expected).all()


def test_launches_in_two_threads_at_once():
    failures = []

    def launch():
        try:
            for _ in range(5):
                x = normal(64)
                expected = x[::-1].copy()
                simulate(reversed_in_place, 1, 64, x)
                assert (x == expected).all()
        except BaseException as error:
            failures.append(error)

    simulate(reversed_in_place, 1, 64, normal(64))  # compiled once, so that the threads meet in the launches
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=launch) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert not failures


def order_seen(places, counter):
    places[cuda.grid(1)] = cuda.atomic.add(counter, 0, 1)


def test_orders_and_seeds():
    def seen(order, seed=0):
        places, counter = empty(64, np.int32), np.zeros(1, np.int32)
        simulate(order_seen, 2, 32, places, counter, orders=(order,), seed=seed)
        return places.tolist()

    assert seen("forward") == list(range(64))
    assert seen("backward") == list(reversed(range(64)))
    first = seen("random")
    assert sorted(first) == list(range(64))
    assert first not in (seen("forward"), seen("backward"), seen("random", 1))
    assert first == seen("random")


def first_of_each_row(X, y):
    i = cuda.grid(1)
    if i < X.shape[0] and X[i].shape[0] > 0:
        y[i] = X[i, 0]


def test_unusual_arrays():
    y = empty(3)
    simulate(first_of_each_row, 1, 3, normal(3, 0), y)
    simulate(first_of_each_row, 1, 3, normal(0, 3), y)
    simulate(copied, 1, (8, 8), np.full((2, 2), 127, np.int8), np.zeros((2, 2), np.int8))
    X = normal(3, 5)
    X.flags.writeable = False
    simulate(first_of_each_row, 1, 3, X, y)
    assert (y == X[:, 0]).all()
    with pytest.raises(
        ValueError, match=r"^reversed_in_place: the kernel writes to an array that is read-only \(shape"
    ):
        simulate(reversed_in_place, 1, 3, X[:, 0])
    with pytest.raises(NotImplementedError, match=r"^copied: X has 5 axes; at most 4 are simulated$"):
        simulate(copied, 1, 1, np.zeros((1, 1, 1, 1, 1)), y)


@device
def times(x, factor):
    return x * factor


def double_through_an_argument(x):
    x[0] = times(x[0], 0.5)


def test_double_precision_through_the_argument_of_a_device_function():
    with pytest.raises(KernelFault, match="return x \\* factor: arithmetic of float32 and float64 gives float64"):
        simulate(double_through_an_argument, 1, 1, normal(1))
