"""The roofline against figures that can be computed by hand or that NVIDIA publishes."""

import pytest

from kernels.cuda.roofline import A100, H100, Work, attention, attention_backward, matmul, occupancy, softmax


@pytest.mark.parametrize("gpu", [A100, H100], ids=lambda gpu: gpu.name)
def test_peak_is_two_operations_for_each_unit_in_each_cycle(gpu):
    assert gpu.sms * gpu.fp32_units * 2 * gpu.clock == pytest.approx(gpu.fp32, rel=0.005)


def test_ridges():
    assert A100.ridge == pytest.approx(9.56, abs=0.01)
    assert H100.ridge == pytest.approx(19.97, abs=0.01)


def test_one_thread_an_element_does_a_quarter_operation_a_byte():
    work = matmul(4096, 4096, 4096, tile=(1, 1))
    assert work.intensity == pytest.approx(1 / 4, rel=1e-3)
    assert work.limit(A100) == "memory"
    assert work.attainable(A100) == pytest.approx(A100.bandwidth / 4, rel=1e-3)


def test_a_tile_of_t_does_a_quarter_of_t_operations_a_byte():
    for t in (32, 64, 128):
        assert matmul(4096, 4096, 4096, tile=(t, t)).intensity == pytest.approx(t / 4, rel=0.02)


def test_edges_are_fetched_by_whole_tiles():
    assert matmul(129, 1, 10, tile=(128, 128)).bytes == 4 * (129 * 10 + 2 * 10 + 129)


def test_two_reads_of_shared_memory_for_a_multiplication_reach_an_eighth_of_the_peak_of_an_h100():
    work = matmul(4096, 4096, 4096, tile=(128, 128), shared=2)
    assert work.limit(H100) == "shared memory"
    assert work.attainable(H100) == pytest.approx(H100.fp32 / 8, rel=0.005)
    assert work.attainable(A100) == pytest.approx(A100.fp32 / 4, rel=0.005)


def test_large_tiles_reach_the_peak_and_tensor_cores_are_held_up_by_memory():
    assert matmul(4096, 4096, 4096, tile=(128, 128)).attainable(H100) == H100.fp32
    work = matmul(4096, 4096, 4096, tile=(128, 128), tensor=True)
    assert work.limit(H100) == "memory"
    assert work.limit(H100, cached=True) == "arithmetic"


def test_a_small_batch_is_limited_by_the_weights():
    work = matmul(8, 4096, 4096, tile=(128, 128))
    assert work.limit(H100, cached=True) == "memory"
    assert work.seconds(H100, cached=True) == pytest.approx(4 * 4096 * 4096 / H100.bandwidth, rel=0.01)


def test_softmax_is_limited_by_memory():
    assert softmax(1000, 500).bytes == 8 * 500_000
    assert softmax(1000, 500, reads=2).bytes == 12 * 500_000
    assert softmax(1000, 500, backward=True).bytes == 12 * 500_000
    assert softmax(1000, 500).limit(H100) == "memory"


def test_fusing_attention_moves_it_from_memory_to_arithmetic():
    three, fused = attention(8, 1024, 1024, 64), attention(8, 1024, 1024, 64, block=64)
    assert three.operations == fused.operations == 8 * 1024 * 1024 * (4 * 64 + 5)
    assert three.bytes == 8 * (16 * 1024 * 1024 + 16 * 1024 * 64)
    assert fused.bytes == 8 * 4 * 64 * 2 * (1024 + 1024 * 16)
    assert three.limit(H100) == "memory"
    assert fused.limit(H100) == "arithmetic"
    assert attention(8, 1024, 1024, 64, block=64, causal=True).operations == fused.operations / 2


def test_backward_of_attention_does_seven_products():
    work = attention_backward(2, 128, 256, 64, block=32)
    assert work.operations == 2 * 128 * 256 * (14 * 64 + 10)
    assert work.bytes == 2 * 4 * 64 * (3 * 128 + 4 * 256 + 4 * 128 * 256 / 32)


def test_intensity_times_bandwidth_is_the_slope_of_the_roof():
    work = Work(operations=1e9, bytes=1e9, least_bytes=1e9)
    assert work.attainable(A100) == pytest.approx(A100.bandwidth)


@pytest.mark.parametrize(
    ("registers", "shared", "threads", "blocks", "limit"),
    [
        (128, 0, 256, 2, "registers"),  # 65536 / (128 * 256)
        (129, 0, 256, 1, "registers"),  # 136 * 32 registers a warp: 15 warps, of which 12 in threes of four pools
        (32, 0, 256, 8, "threads"),
        (33, 0, 256, 6, "registers"),  # 40 * 32 a warp: 12 warps in each of four pools
        (16, 0, 32, 32, "blocks"),
        (32, 48 * 1024, 128, 3, "shared memory"),  # 164 / 49
        (168, 0, 128, 3, "registers"),
        (255, 0, 1024, 0, "registers"),
        (32, 0, 1025, 0, "a block is too large"),
        (256, 0, 32, 0, "a block is too large"),
        (32, 164 * 1024, 32, 0, "a block is too large"),
    ],
)
def test_occupancy_of_an_a100(registers, shared, threads, blocks, limit):
    result = occupancy(A100, registers=registers, shared=shared, threads=threads)
    assert (result.blocks, result.limit) == (blocks, limit)
    assert result.share == pytest.approx(blocks * threads / 2048 if blocks else 0)


def test_an_h100_has_room_for_more_shared_memory():
    assert occupancy(H100, registers=32, shared=48 * 1024, threads=128).blocks == 4  # 228 / 49
