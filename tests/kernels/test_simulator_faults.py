"""Planted faults: the simulator must name each by its kind, and by its line (marked ``# fault``)."""

import numpy as np
import pytest

from kernels.cuda.compiler import cuda, device, float32, int32
from kernels.cuda.vector import load4, mma_tf32, store4
from kernels.simulator import (
    DivergentBarrier,
    DoublePrecision,
    LimitExceeded,
    Misaligned,
    OutOfBounds,
    OutputsDiffer,
    Race,
    Uninitialised,
    empty,
    simulate,
)

FULL = 0xFFFFFFFF
ROOM = 16640  # float32 numbers: 65 KiB


def name_of(value):
    return getattr(value, "__name__", "")


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


# --- barriers ------------------------------------------------------------------------------------------------------


def barrier_in_a_branch(a):
    if cuda.threadIdx.x < 4:
        cuda.syncthreads()  # fault
    a[cuda.threadIdx.x] = float32(1)


def a_barrier_in_each_branch(a):
    if cuda.threadIdx.x < 4:
        cuda.syncthreads()  # fault
    else:
        cuda.syncthreads()
    a[cuda.threadIdx.x] = float32(1)


def return_before_a_barrier(a):
    if cuda.threadIdx.x >= 5:
        return
    cuda.syncthreads()  # fault
    a[cuda.threadIdx.x] = float32(1)


def as_many_barriers_as_the_thread_number(a):
    for _ in range(cuda.threadIdx.x):
        cuda.syncthreads()  # fault
    a[cuda.threadIdx.x] = float32(1)


# --- races ---------------------------------------------------------------------------------------------------------


def no_barrier_after_a_store(a):
    t = cuda.threadIdx.x
    a[t] = float32(t)
    a[t + 8] = a[7 - t]  # fault


def no_barrier_before_the_next_store(a):
    shared = cuda.shared.array(8, float32)
    t = cuda.threadIdx.x
    for step in range(2):
        shared[t] = float32(step)  # fault
        cuda.syncthreads()
        a[t] += shared[7 - t]


def all_write_one_shared_number(a):
    shared = cuda.shared.array(1, float32)
    shared[0] = a[cuda.threadIdx.x]  # fault


def all_write_the_same_number(a):
    a[0] = float32(cuda.threadIdx.x)  # fault


def write_after_others_read(a):
    t = cuda.threadIdx.x
    x = a[0]
    if t == 7:
        a[0] = x + float32(1)  # fault


def write_before_others_read(a):
    t = cuda.threadIdx.x
    if t == 0:
        a[0] = float32(1)
    a[t + 8] = a[0]  # fault


def race_of_two_warps_after_a_shuffle(a):
    t = cuda.threadIdx.x
    x = cuda.shfl_xor_sync(FULL, a[t], 1)
    a[t ^ 32] = x  # fault


def double_buffer_with_its_barrier_misplaced(a):
    shared = cuda.shared.array((2, 8), float32)
    t = cuda.threadIdx.x
    shared[0, t] = a[t]
    cuda.syncthreads()
    for step in range(3):
        a[t] += shared[step % 2, 7 - t]
        shared[1, t] = a[t]  # fault
        cuda.syncthreads()


def blocks_that_read_what_another_wrote(a):
    a[cuda.blockIdx.x] = a[0] + float32(1)  # fault


def blocks_that_write_the_same(a):
    if cuda.threadIdx.x == 0:
        a[cuda.blockIdx.x // 2] = float32(1)  # fault


def a_block_that_writes_what_all_have_read(a):
    x = a[0]
    if cuda.blockIdx.x == cuda.gridDim.x - 1:
        a[0] = x  # fault


def a_barrier_does_not_order_blocks(a):
    i = cuda.grid(1)
    a[i] = float32(1)
    cuda.syncthreads()
    a[i + 32] = a[31 - i]  # fault


# --- warps ---------------------------------------------------------------------------------------------------------


def no_syncwarp(a):
    t = cuda.threadIdx.x
    a[t] = float32(t)
    a[t + 32] = a[31 - t]  # fault


def syncwarp_for_two_warps(a):
    t = cuda.threadIdx.x
    a[t] = float32(t)
    cuda.syncwarp()
    a[t + 64] = a[63 - t]  # fault


def a_shuffle_that_half_of_the_warp_misses(a):
    t = cuda.threadIdx.x
    if t < 16:
        a[t] = cuda.shfl_xor_sync(FULL, a[t], 1)  # fault
    cuda.syncwarp()


def a_shuffle_while_others_wait_at_a_barrier(a):
    t = cuda.threadIdx.x
    x = a[t]
    if t < 16:
        x = cuda.shfl_xor_sync(FULL, x, 1)  # fault
    cuda.syncthreads()
    a[t] = x


def shuffles_at_two_places(a):
    t = cuda.threadIdx.x
    if t < 16:
        a[t] = cuda.shfl_xor_sync(FULL, a[t], 1)  # fault
    else:
        a[t] = cuda.shfl_xor_sync(FULL, a[t], 1)


def a_shuffle_from_a_lane_outside_of_the_mask(a):
    t = cuda.threadIdx.x
    if t < 16:
        a[t] = cuda.shfl_sync(0xFFFF, a[t], 20)  # fault


def a_shuffle_from_lanes_that_do_not_exist(a):
    t = cuda.threadIdx.x
    a[t] = cuda.shfl_down_sync(FULL, a[t], 16)  # fault


def a_mask_without_the_caller(a):
    t = cuda.threadIdx.x
    a[t] = cuda.shfl_xor_sync(0xFFFF, a[t], 1)  # fault


def masks_that_differ(a):
    t = cuda.threadIdx.x
    a[t] = cuda.shfl_xor_sync(FULL if t < 31 else 0x80000000, a[t], 1)  # fault


def a_warp_barrier_that_lanes_have_left(a):
    t = cuda.threadIdx.x
    if t < 8:
        cuda.syncwarp()  # fault
    a[t] = float32(1)
    cuda.syncthreads()


def tensor_cores_with_half_a_warp(a):
    x = a[cuda.threadIdx.x]
    a[0], a[1], a[2], a[3] = mma_tf32(x, x, x, x, x, x, x, x, x, x)  # fault


# --- atomics -------------------------------------------------------------------------------------------------------


def a_plain_read_beside_atomics(a):
    t = cuda.threadIdx.x
    cuda.atomic.add(a, 0, float32(1))
    a[t + 1] = a[0]  # fault


def a_plain_write_beside_atomics(a):
    if cuda.threadIdx.x == 3:
        a[0] = float32(0)
    cuda.atomic.max(a, 0, float32(1))  # fault


def reading_what_other_blocks_add_to(a):
    cuda.atomic.add(a, 0, float32(1))
    cuda.syncthreads()
    a[cuda.grid(1) + 1] = a[0]  # fault


# --- bounds --------------------------------------------------------------------------------------------------------


def one_too_far(a):
    a[cuda.grid(1) + 1] = float32(1)  # fault


def one_too_low(a):
    a[cuda.threadIdx.x] = a[cuda.threadIdx.x - 1]  # fault


def past_the_row(a):
    a[0, cuda.threadIdx.x] = float32(1)  # fault


def past_the_shared_array(a):
    shared = cuda.shared.array(8, float32)
    shared[cuda.threadIdx.x + 1] = a[0]  # fault


def past_the_local_array(a):
    local = cuda.local.array(4, float32)
    for i in range(5):
        local[i] = a[0]  # fault


@device
def square_of_next(a, i):
    return a[i + 1] * a[i + 1]  # fault


def past_the_end_in_a_device_function(a):
    if cuda.threadIdx.x == 7:
        a[0] = square_of_next(a, cuda.threadIdx.x)


def past_the_end_of_a_part(a):
    row = a[0]
    row[8] = float32(1)  # fault


def four_past_the_end(a):
    x, y, z, w = load4(a, 4 * int32(cuda.threadIdx.x))  # fault
    a[4 * cuda.threadIdx.x] = x + y + z + w


# --- alignment -----------------------------------------------------------------------------------------------------


def four_from_an_odd_index(a):
    x, y, z, w = load4(a, cuda.threadIdx.x)  # fault
    a[0] = x + y + z + w


def four_to_an_odd_index(a):
    x = a[0]
    store4(a, 2, x, x, x, x)  # fault


def four_at_the_start(a):
    x, y, z, w = load4(a, 0)  # fault
    a[0] = x + y + z + w


def four_of_a_shared_array_without_alignment(a):
    shared = cuda.shared.array(8, float32)
    x = a[0]
    store4(shared, 0, x, x, x, x)  # fault


# --- numbers that nobody wrote -------------------------------------------------------------------------------------


def unwritten_shared_number(a):
    shared = cuda.shared.array(8, float32)
    a[cuda.threadIdx.x] = shared[cuda.threadIdx.x]  # fault


def shared_numbers_of_the_block_before(a):
    shared = cuda.shared.array(8, float32)
    t = cuda.threadIdx.x
    if cuda.blockIdx.x == 0:
        shared[t] = float32(1)
    a[cuda.grid(1)] = shared[t]  # fault


def unwritten_local_number(a):
    local = cuda.local.array(4, float32)
    for i in range(3):
        local[i] = a[i]
    a[0] = local[3]  # fault


def unwritten_local_integer(a):
    local = cuda.local.array((2, 2), int32)
    local[0, 0] = 1
    a[0] = a[local[1, 0]]  # fault


def sum_into_an_output(a):
    a[cuda.threadIdx.x] += float32(1)  # fault


def atomic_sum_into_an_output(a):
    cuda.atomic.add(a, 0, float32(1))  # fault


# --- others --------------------------------------------------------------------------------------------------------


def half_in_double(a):
    a[0] = a[0] * 0.5  # fault


def integers_divided(a):
    a[0] = float32(cuda.threadIdx.x / 2)  # fault


@device
def doubled(x):
    return x * 2.0  # fault


def double_in_a_device_function(a):
    a[0] = doubled(a[0])


def first_come_first_served(a):
    a[cuda.threadIdx.x + 1] = cuda.atomic.add(a, 0, float32(1))


def harmless(a):
    if cuda.grid(1) == 0:
        a[0] = float32(1)


def large_shared_array(a):
    shared = cuda.shared.array(ROOM, float32)
    shared[0] = a[0]


FAULTS = [  # kernel, kind, grid, threads, array
    (barrier_in_a_branch, DivergentBarrier, 1, 8, zeros(8)),
    (a_barrier_in_each_branch, DivergentBarrier, 1, 8, zeros(8)),
    (return_before_a_barrier, DivergentBarrier, 1, 8, zeros(8)),
    (as_many_barriers_as_the_thread_number, DivergentBarrier, 1, 8, zeros(8)),
    (no_barrier_after_a_store, Race, 1, 8, zeros(16)),
    (no_barrier_before_the_next_store, Race, 1, 8, zeros(8)),
    (all_write_one_shared_number, Race, 1, 8, zeros(8)),
    (all_write_the_same_number, Race, 1, 2, zeros(1)),
    (write_after_others_read, Race, 1, 8, zeros(1)),
    (write_before_others_read, Race, 1, 8, zeros(16)),
    (race_of_two_warps_after_a_shuffle, Race, 1, 64, zeros(64)),
    (double_buffer_with_its_barrier_misplaced, Race, 1, 8, zeros(8)),
    (blocks_that_read_what_another_wrote, Race, 4, 1, zeros(4)),
    (blocks_that_write_the_same, Race, 4, 32, zeros(2)),
    (a_block_that_writes_what_all_have_read, Race, 3, 1, zeros(1)),
    (a_barrier_does_not_order_blocks, Race, 2, 16, zeros(64)),
    (no_syncwarp, Race, 1, 32, zeros(64)),
    (syncwarp_for_two_warps, Race, 1, 64, zeros(128)),
    (a_shuffle_that_half_of_the_warp_misses, DivergentBarrier, 1, 32, zeros(32)),
    (a_shuffle_while_others_wait_at_a_barrier, DivergentBarrier, 1, 32, zeros(32)),
    (shuffles_at_two_places, DivergentBarrier, 1, 32, zeros(32)),
    (a_shuffle_from_a_lane_outside_of_the_mask, DivergentBarrier, 1, 32, zeros(32)),
    (a_shuffle_from_lanes_that_do_not_exist, DivergentBarrier, 1, 16, zeros(32)),
    (a_mask_without_the_caller, DivergentBarrier, 1, 32, zeros(32)),
    (masks_that_differ, DivergentBarrier, 1, 32, zeros(32)),
    (a_warp_barrier_that_lanes_have_left, DivergentBarrier, 1, 32, zeros(32)),
    (tensor_cores_with_half_a_warp, DivergentBarrier, 1, 16, zeros(16)),
    (a_plain_read_beside_atomics, Race, 1, 8, zeros(9)),
    (a_plain_write_beside_atomics, Race, 1, 8, zeros(1)),
    (reading_what_other_blocks_add_to, Race, 2, 4, zeros(9)),
    (one_too_far, OutOfBounds, 1, 8, zeros(8)),
    (one_too_low, OutOfBounds, 1, 8, zeros(8)),
    (past_the_row, OutOfBounds, 1, 8, zeros(2, 7)),
    (past_the_shared_array, OutOfBounds, 1, 8, zeros(8)),
    (past_the_local_array, OutOfBounds, 1, 1, zeros(1)),
    (past_the_end_in_a_device_function, OutOfBounds, 1, 8, zeros(8)),
    (past_the_end_of_a_part, OutOfBounds, 1, 1, zeros(2, 8)),
    (four_past_the_end, OutOfBounds, 1, 3, zeros(11)),
    (four_from_an_odd_index, Misaligned, 1, 2, zeros(8)),
    (four_to_an_odd_index, Misaligned, 1, 1, zeros(8)),
    (four_at_the_start, Misaligned, 1, 1, zeros(9)[1:]),
    (four_of_a_shared_array_without_alignment, Misaligned, 1, 1, zeros(8)),
    (unwritten_shared_number, Uninitialised, 1, 8, zeros(8)),
    (shared_numbers_of_the_block_before, Uninitialised, 2, 8, zeros(16)),
    (unwritten_local_number, Uninitialised, 1, 1, zeros(4)),
    (unwritten_local_integer, Uninitialised, 1, 1, zeros(4)),
    (sum_into_an_output, Uninitialised, 1, 8, empty(8)),
    (atomic_sum_into_an_output, Uninitialised, 1, 8, empty(8)),
    (half_in_double, DoublePrecision, 1, 1, zeros(1)),
    (integers_divided, DoublePrecision, 1, 1, zeros(1)),
    (double_in_a_device_function, DoublePrecision, 1, 1, zeros(1)),
]


@pytest.mark.parametrize(("kernel", "kind", "grid", "threads", "array"), FAULTS, ids=name_of)
def test_fault_is_found_at_its_line(kernel, kind, grid, threads, array):
    before = array.copy()
    with pytest.raises(kind, match="# fault") as caught:
        simulate(kernel, grid, threads, array)
    assert caught.type is kind
    assert str(caught.value).startswith(f"{kernel.__name__}, ")
    assert array.tobytes() == before.tobytes()  # the caller's numbers are as they were


LIMITS = [
    (harmless, 1, 1025, "(1025, 1, 1) threads in a block; at most 1024 are allowed"),
    (harmless, 1, (1, 1, 65), "(1, 1, 65) threads in a block; at most 1024 are allowed"),
    (harmless, (1, 65536), 1, "a grid of (1, 65536, 1) blocks of (1, 1, 1) threads is not allowed"),
    (harmless, 1, 0, "a grid of (1, 1, 1) blocks of (0, 1, 1) threads is not allowed"),
    (large_shared_array, 1, 1, "66560 bytes of shared memory; at most 49152 are allowed"),
]


@pytest.mark.parametrize(("kernel", "grid", "threads", "text"), LIMITS)
def test_limits(kernel, grid, threads, text):
    with pytest.raises(LimitExceeded) as caught:
        simulate(kernel, grid, threads, zeros(1))
    assert str(caught.value) == f"{kernel.__name__}: {text}"


def test_results_that_depend_on_the_order():
    with pytest.raises(OutputsDiffer) as caught:
        simulate(first_come_first_served, 1, 8, zeros(9))
    text = "first_come_first_served: 8 of 9 results differ between the orders forward and backward, the first at [1]"
    assert str(caught.value) == text


def test_a_launch_after_a_fault_works():
    for kernel, kind, grid, threads, array in FAULTS[:6]:
        with pytest.raises(kind):
            simulate(kernel, grid, threads, array)
        a = zeros(3)
        simulate(harmless, 2, 8, a)
        assert a.tolist() == [1, 0, 0]


def line_of(kernel, mark="# fault"):
    """Where a marked line stands in this file."""
    first = kernel.__code__.co_firstlineno
    with open(__file__) as file:
        lines = file.read().splitlines()
    return next(n for n in range(first, len(lines)) if mark in lines[n - 1])


TEXTS = [
    (
        *(no_barrier_after_a_store, 1, 8, zeros(16)),
        "no_barrier_after_a_store, line {before}: a[t] = float32(t): block (0, 0, 0), thread 4: store of a[4], "
        "unordered with thread 3 at line {line}: a[t + 8] = a[7 - t]  # fault",
    ),
    (
        *(blocks_that_write_the_same, (2, 1), (4, 2), zeros(2)),
        "blocks_that_write_the_same, line {line}: a[cuda.blockIdx.x // 2] = float32(1)  # fault: block (0, 0, 0), "
        "thread (0, 1): store of a[0], unordered with thread (0, 0) at line {line}: "
        "a[cuda.blockIdx.x // 2] = float32(1)  # fault",
    ),
    (
        *(blocks_that_read_what_another_wrote, 2, 1, zeros(2)),
        "blocks_that_read_what_another_wrote, line {line}: a[cuda.blockIdx.x] = a[0] + float32(1)  # fault: "
        "block (1, 0, 0), thread 0: load of a[0], unordered with thread 0 of block (0, 0, 0) at line {line}: "
        "a[cuda.blockIdx.x] = a[0] + float32(1)  # fault",
    ),
    (
        *(past_the_row, 1, 8, zeros(2, 7)),
        "past_the_row, line {line}: a[0, cuda.threadIdx.x] = float32(1)  # fault: block (0, 0, 0), thread 7: "
        "a[0, 7] is out of bounds",
    ),
    (
        *(return_before_a_barrier, 1, 8, zeros(8)),
        "return_before_a_barrier, block (0, 0, 0): not all threads of the block come to the same barrier: 5 threads "
        "(thread 0, ...) wait for syncthreads at line {line}: cuda.syncthreads()  # fault; 3 threads (thread 5, ...) "
        "have ended",
    ),
    (
        *(four_of_a_shared_array_without_alignment, 1, 1, zeros(8)),
        "four_of_a_shared_array_without_alignment, line {line}: store4(shared, 0, x, x, x, x)  # fault: "
        "block (0, 0, 0), thread 0: 16 bytes from shared[0] on do not begin at a multiple of 16",
    ),
    (
        *(unwritten_local_number, 1, 1, zeros(4)),
        "unwritten_local_number, line {line}: a[0] = local[3]  # fault: block (0, 0, 0), thread 0: local array[3] is "
        "read, and nobody wrote it",
    ),
    (
        *(half_in_double, 1, 1, zeros(4)),
        "half_in_double, line {line}: a[0] = a[0] * 0.5  # fault: arithmetic of float32 and float64 gives float64",
    ),
]


@pytest.mark.parametrize(("kernel", "grid", "threads", "array", "text"), TEXTS, ids=name_of)
def test_text_of_a_fault(kernel, grid, threads, array, text):
    with pytest.raises(Exception) as caught:
        simulate(kernel, grid, threads, array)
    line = line_of(kernel)
    assert str(caught.value) == text.format(line=line, before=line - 1)
