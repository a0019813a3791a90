"""Counts of the simulator against numbers worked out by hand."""

import numpy as np
import pytest

from kernels.cuda.compiler import cuda, float32
from kernels.cuda.vector import load4, store4
from kernels.simulator import empty, simulate
from kernels.simulator.counts import bank_passes

T, T1 = 32, 33


def ones(*shape, dtype=np.float32):
    return np.ones(shape, dtype)


def counted(kernel, grid, threads, *arguments, **options):
    return simulate(kernel, grid, threads, *arguments, counting=True, orders=("forward",), **options).counts


# --- global memory: sectors of 32 bytes, lines of 128 --------------------------------------------------------------


def copy_from(x, y, stride, offset):
    i = cuda.grid(1)
    y[i] = x[offset + stride * i]


@pytest.mark.parametrize(
    ("stride", "offset", "dtype", "sectors", "lines", "excess"),
    [
        (1, 0, "float32", 4, 1, 1.0),  # 32 neighbours: 128 bytes
        (1, 1, "float32", 5, 2, 1.25),  # not at a multiple of 32 bytes: one sector more
        (2, 0, "float32", 8, 2, 2.0),  # every second: half of each sector is not wanted
        (8, 0, "float32", 32, 8, 8.0),  # a sector each
        (32, 0, "float32", 32, 32, 8.0),  # no worse, but a line each
        (0, 0, "float32", 1, 1, 8.0),  # all the same number
        (1, 0, "float64", 8, 2, 1.0),
        (1, 0, "int8", 1, 1, 1.0),
    ],
)
def test_sectors_of_a_copy(stride, offset, dtype, sectors, lines, excess):
    x, y = ones(8192, dtype=dtype), ones(256, dtype=dtype)
    counts = counted(copy_from, 2, 128, x, y, stride, offset)
    loads, stores = counts.of("x"), counts.of("y")
    assert (loads.requests, loads.accesses, loads.bytes) == (8, 256, 256 * x.itemsize)
    assert (loads.sectors, loads.transactions, loads.excess) == (8 * sectors, 8 * lines, excess)
    assert (stores.requests, stores.accesses, stores.excess) == (8, 256, 1.0)
    assert loads.passes == stores.passes == 0


def copy_four(x, y):
    i = 4 * cuda.grid(1)
    a, b, c, d = load4(x, i)
    store4(y, i, a, b, c, d)


def test_sectors_of_16_byte_accesses():
    counts = counted(copy_four, 1, 64, ones(256), empty(256))
    for line in counts.of("x"), counts.of("y"):
        assert (line.requests, line.accesses, line.bytes) == (2, 64, 1024)
        assert (line.sectors, line.transactions, line.excess) == (32, 8, 1.0)


def odd_rows_twice(X, y):
    t = cuda.threadIdx.x
    total = float32(0)
    for i in range(1 + t % 2):
        total += X[i, t]
    y[t] = total


def test_threads_of_a_warp_that_loop_differently():
    """The second time only the odd threads are there: 16 numbers from 4 sectors."""
    loads = counted(odd_rows_twice, 1, 32, ones(2, 32), empty(32)).of("X")
    assert (loads.requests, loads.accesses, loads.sectors) == (2, 48, 8)
    assert loads.excess == 8 * 32 / (48 * 4)


def test_where_an_array_begins_counts():
    """A part of an array lies where it lies in the whole, and the whole begins a line, as on a GPU."""
    x = ones(1024)
    assert counted(copy_from, 1, 32, x[3:], empty(32), 1, 0).of("x").sectors == 5
    assert counted(copy_from, 1, 32, x[8:], empty(32), 1, 0).of("x").sectors == 4


# --- shared memory: 32 banks of 4 bytes ----------------------------------------------------------------------------


def read_shared(y, stride):
    shared = cuda.shared.array(1056, float32)
    t = cuda.threadIdx.x
    for i in range(t, 1056, 32):
        shared[i] = float32(1)
    cuda.syncthreads()
    y[t] = shared[stride * t]


@pytest.mark.parametrize(
    ("stride", "passes"), [(1, 1), (2, 2), (3, 1), (4, 4), (16, 16), (32, 32), (33, 1), (0, 1), (31, 1), (6, 2)]
)
def test_bank_conflicts_of_strides(stride, passes):
    """The threads' numbers lie in 32 / gcd(stride, 32) banks; the same number for all is no conflict."""
    counts = counted(read_shared, 1, 32, empty(32), stride)
    loads, stores = counts.of("shared", action="load"), counts.of("shared", action="store")
    assert (loads.requests, loads.passes, loads.replays) == (1, passes, passes - 1)
    assert (stores.requests, stores.passes, stores.replays) == (33, 33, 0)


def transposed(X, Y):
    tile = cuda.shared.array((T, T), float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    tile[y, x] = X[y, x]
    cuda.syncthreads()
    Y[y, x] = tile[x, y]


def transposed_with_padding(X, Y):
    tile = cuda.shared.array((T, T1), float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    tile[y, x] = X[y, x]
    cuda.syncthreads()
    Y[y, x] = tile[x, y]


def transposed_without_shared_memory(X, Y):
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    Y[y, x] = X[x, y]


def test_three_ways_to_transpose():
    X, Y = np.arange(1024, dtype=np.float32).reshape(32, 32), empty((32, 32))
    for kernel, replays, excess in (
        (transposed, 31 * 32, 1.0),
        (transposed_with_padding, 0, 1.0),
        (transposed_without_shared_memory, 0, 8.0),
    ):
        report = simulate(kernel, 1, (32, 32), X, Y, counting=True)
        assert (Y == X.T).all()
        assert report.counts.of("tile").replays == replays
        assert report.counts.of("X").excess == excess
        assert report.counts.of("Y").excess == 1.0


def read_four(y, stride):
    shared = cuda.shared.array(1024, float32, 16)
    t = cuda.threadIdx.x
    for i in range(t, 1024, 32):
        shared[i] = float32(1)
    cuda.syncthreads()
    a, b, c, d = load4(shared, stride * t)
    y[t] = a + b + c + d


@pytest.mark.parametrize(("stride", "passes"), [(4, 4), (0, 4), (8, 8), (16, 16), (32, 32)])
def test_bank_conflicts_of_16_byte_accesses(stride, passes):
    """A quarter of the warp at a time: 8 threads with 4 numbers each fill the 32 banks, if they are neighbours."""
    loads = counted(read_four, 1, 32, empty(32), stride).of("shared", action="load4")
    assert (loads.requests, loads.accesses, loads.bytes) == (1, 32, 512)
    assert (loads.passes, loads.least, loads.replays) == (passes, 4, passes - 4)


def test_bank_passes_of_8_bytes():
    lanes, zeros = np.arange(32), np.zeros(32, int)
    assert bank_passes(zeros, lanes, 8 * lanes, 8) == (2, 2)  # half a warp at a time
    assert bank_passes(zeros, lanes, 16 * lanes, 8) == (4, 2)
    assert bank_passes(zeros, lanes, 2 * lanes, 2) == (1, 1)  # two threads share a number of 4 bytes


def bins(x, counts):
    cuda.atomic.add(counts, x[cuda.threadIdx.x], 1)


def test_atomics_are_counted_as_such():
    counts = counted(bins, 1, 32, np.arange(32) % 4, np.zeros(4, np.int32))
    line = counts.of("counts", action="atomic.add")
    assert (line.requests, line.accesses, line.sectors) == (1, 32, 1)


# --- arithmetic, blocks, the table ---------------------------------------------------------------------------------


def product(A, B, C):
    n, m = cuda.grid(2)
    local = cuda.local.array(1, float32)
    local[0] = float32(0)
    for k in range(A.shape[1]):
        local[0] += A[m, k] * B[k, n]  # a multiply-add; so is the next line
    C[m, n] = local[0] + A[m, 0] * B[0, n]
    C[m, n] = C[m, n] - float32(2) * local[0]
    C[m, n] = cuda.fma(C[m, n], float32(1), float32(0))


def test_multiply_adds():
    M, K, N = 8, 5, 16
    A, B, C = ones(M, K), ones(K, N), empty((M, N))
    counts = counted(product, (2, 2), (8, 4), A, B, C)
    first = product.__code__.co_firstlineno
    assert counts.fused == {first + 5: M * N * K, first + 6: M * N, first + 7: M * N, first + 8: M * N}
    assert counts.multiply_adds == M * N * (K + 3)
    assert counts.blocks == 4
    assert (C == -4).all()


def test_some_blocks_stand_for_all():
    A, B = ones(8, 5), ones(5, 16)
    whole = simulate(product, (2, 2), (8, 4), A, B, empty((8, 16)), counting=True).counts
    two = simulate(product, (2, 2), (8, 4), A, B, empty((8, 16)), counting=2).counts
    assert (whole.blocks, two.blocks) == (4, 2)
    assert whole.of("A").accesses == 2 * two.of("A").accesses
    assert whole.multiply_adds == 2 * two.multiply_adds


def test_the_sum_over_lines():
    counts = counted(transposed, 1, (32, 32), ones(32, 32), empty((32, 32)))
    assert counts.of().accesses == 4 * 1024
    assert counts.of(space="shared").accesses == counts.of("X", "Y").accesses == 2048
    assert counts.of("X", action="store").accesses == 0
    assert [(line.array, line.action, line.space) for line in counts.lines] == [
        ("X", "load", "global"),
        ("tile", "store", "shared"),
        ("Y", "store", "global"),
        ("tile", "load", "shared"),
    ]


def test_the_report_as_text():
    counted_report = simulate(transposed, 1, (32, 32), ones(32, 32), empty((32, 32)), counting=True)
    line = transposed.__code__.co_firstlineno + 3
    assert str(counted_report).splitlines() == [
        "transposed: grid (1, 1, 1), blocks of (32, 32, 1) threads, 4096 bytes shared, 1 barriers; "
        "1 of 1 blocks counted, 0 multiply-adds",
        "line  array         requests  accesses  KiB  sectors  lines  excess  passes  replays",
        f" {line}      X   load        32      1024  4.0      128     32     1.0                 ",
        f" {line}   tile  store        32      1024  4.0                              32        0",
        f" {line + 2}      Y  store        32      1024  4.0      128     32     1.0                 ",
        f" {line + 2}   tile   load        32      1024  4.0                            1024      992",
    ]
    report = simulate(transposed, 1, (32, 32), ones(32, 32), empty((32, 32)))
    text = "transposed: grid (1, 1, 1), blocks of (32, 32, 1) threads, 4096 bytes shared, 1 barriers"
    assert str(report) == text
    assert report.counts is None


def reads_without_end(x, y):
    total = float32(0)
    for _ in range(40000):
        total += x[0]
    y[cuda.grid(1)] = total


def test_more_accesses_than_can_be_counted():
    text = r"^reads_without_end: a block makes 1280032 accesses; at most 1048576 can be counted$"
    with pytest.raises(RuntimeError, match=text):
        counted(reads_without_end, 1, 32, ones(1), empty(32))
    simulate(reads_without_end, 1, 32, ones(1), empty(32), orders=("forward",))
