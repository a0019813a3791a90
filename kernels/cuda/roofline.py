"""How fast a kernel could be: what a GPU can do, what a kernel asks for, and which of the two is the limit.

The roofline model (Williams, Waterman and Patterson, 2009) compares two times. A kernel does a number of operations and
moves a number of bytes; the GPU does at most ``peak`` operations and moves at most ``bandwidth`` bytes in a second::

    intensity  = operations / bytes
    attainable = min(peak, intensity * bandwidth)           operations in a second

Left of the ridge, where intensity = peak / bandwidth, memory is the limit, and better arithmetic gains nothing; right
of it, arithmetic is. Shared memory is a third roof here, since it limits the middle rungs of the matrix product.

These are upper bounds, computed from data sheets and from the kernels' loops. None of them was measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

__all__ = [
    "A100",
    "H100",
    "Gpu",
    "Occupancy",
    "Work",
    "attention",
    "attention_backward",
    "matmul",
    "occupancy",
    "softmax",
]

WARP = 32
FLOAT = 4  # bytes


@dataclass(frozen=True)
class Gpu:
    """What the data sheet of a GPU says; a multiprocessor is an SM.

    Attributes:
        fp32_units: multiplications with addition that an SM does in a cycle.
        fp32, tf32: operations in a second, by the ordinary units and by the tensor cores (without sparsity).
        bandwidth: bytes in a second from and to the GPU's memory.
        clock: cycles in a second, at which ``fp32`` is reached.
        shared_per_sm, shared_per_block: bytes of shared memory; a block can have at most so much.
        registers_per_sm: of 32 bits.
    """

    name: str
    architecture: tuple[int, int]
    sms: int
    fp32_units: int
    clock: float
    fp32: float
    tf32: float
    bandwidth: float
    l2: int
    shared_per_sm: int
    shared_per_block: int
    registers_per_sm: int = 64 * 1024
    registers_per_thread: int = 255
    threads_per_sm: int = 2048
    threads_per_block: int = 1024
    blocks_per_sm: int = 32

    @property
    def ridge(self) -> float:
        """Operations a byte at which a kernel in float32 goes from memory's limit to arithmetic's."""
        return self.fp32 / self.bandwidth


# Sources: NVIDIA A100 Tensor Core GPU Architecture (2020) and the data sheet of the A100 80GB (2021), of the SXM form;
# NVIDIA H100 Tensor Core GPU Architecture (2022, with the final clocks), of the SXM5 form. Shared memory and the limits
# of an SM: CUDA C++ Programming Guide, technical specifications by compute capability.
A100 = Gpu(
    name="A100",
    architecture=(8, 0),
    sms=108,
    fp32_units=64,
    clock=1.41e9,
    fp32=19.5e12,
    tf32=156e12,
    bandwidth=2.039e12,
    l2=40 * 2**20,
    shared_per_sm=164 * 1024,
    shared_per_block=163 * 1024,
)
H100 = Gpu(
    name="H100",
    architecture=(9, 0),
    sms=132,
    fp32_units=128,
    clock=1.98e9,
    fp32=66.9e12,
    tf32=494.7e12,
    bandwidth=3.35e12,
    l2=50 * 2**20,
    shared_per_sm=228 * 1024,
    shared_per_block=227 * 1024,
)


@dataclass(frozen=True)
class Work:
    """What a kernel asks of a GPU.

    Attributes:
        operations: additions and multiplications of float32 numbers.
        bytes: what the blocks ask of the GPU's memory, if no two of them profit from the same cache line.
        least_bytes: each array once: what remains if the caches keep everything that is asked for again.
        shared_cycles: how long it takes to read shared memory, summed over all SMs. In a cycle, an SM serves one read
            of a warp: a number from each of 32 banks, and any number of threads may want the same one.
        tensor: whether the products are done by the tensor cores.
    """

    operations: float
    bytes: float
    least_bytes: float
    shared_cycles: float = 0.0
    tensor: bool = False

    @property
    def intensity(self) -> float:
        """Operations a byte of ``bytes``."""
        return self.operations / self.bytes

    def times(self, gpu: Gpu, *, cached: bool = False) -> dict[str, float]:
        """Seconds that each part of the GPU needs at least, if nothing else holds it up."""
        return {
            "arithmetic": self.operations / (gpu.tf32 if self.tensor else gpu.fp32),
            "memory": (self.least_bytes if cached else self.bytes) / gpu.bandwidth,
            "shared memory": self.shared_cycles / (gpu.sms * gpu.clock),
        }

    def limit(self, gpu: Gpu, *, cached: bool = False) -> str:
        """What takes longest: ``"arithmetic"``, ``"memory"`` or ``"shared memory"``."""
        times = self.times(gpu, cached=cached)
        return max(times, key=times.__getitem__)

    def seconds(self, gpu: Gpu, *, cached: bool = False) -> float:
        """The least time in which the GPU can do this."""
        return max(self.times(gpu, cached=cached).values())

    def attainable(self, gpu: Gpu, *, cached: bool = False) -> float:
        """Operations in a second: the height of the roof over this work."""
        return self.operations / self.seconds(gpu, cached=cached)


def matmul(
    M: int, N: int, K: int, *, tile: tuple[int, int], shared: float = 0.0, tensor: bool = False, batch: int = 1
) -> Work:
    """C (M, N) = A (M, K) B (K, N), where a number fetched of A serves ``tile[1]`` columns, and of B ``tile[0]`` rows.

    Args:
        shared: cycles that reading shared memory takes a warp for 32 multiplications, one a thread.
    """
    operations = 2.0 * batch * M * N * K
    times_a, times_b = ceil(N / tile[1]), ceil(M / tile[0])
    fetched = FLOAT * batch * (M * K * times_a + K * N * times_b + M * N)
    least = FLOAT * batch * (M * K + K * N + M * N)
    return Work(operations, fetched, least, shared * operations / 2 / WARP, tensor)


def softmax(rows: int, columns: int, *, reads: int = 1, backward: bool = False) -> Work:
    """Softmax of each row; ``reads`` is how often the kernel reads a row (once where it fits into registers).

    For each element the forward pass compares, subtracts, takes an exponential, adds and multiplies; the backward pass,
    dx = y (g - sum(g y)), multiplies, adds, subtracts and multiplies, and reads two arrays.
    """
    elements = rows * columns
    inputs = 2 if backward else 1
    operations = (4.0 if backward else 5.0) * elements
    return Work(operations, FLOAT * elements * (inputs * reads + 1), FLOAT * elements * (inputs + 1))


def attention(
    heads: int, queries: int, keys: int, width: int, *, block: int | None = None, causal: bool = False
) -> Work:
    """O = softmax(Q K^T) V for each head, without (``block=None``) or with fusing.

    Without: three kernels, which write the scores, read and write them, and read them: 16 bytes for each pair of a
    query and a key. Fused: a block keeps ``block`` queries and walks over all keys, so K and V are fetched
    queries / block times, and the scores never. A causal mask halves the pairs.
    """
    pairs = queries * keys * (0.5 if causal else 1.0)
    operations = heads * pairs * (4.0 * width + 5)
    arrays = FLOAT * heads * width * 2 * (queries + keys)  # Q, O, K, V
    if block is None:
        return Work(
            operations, arrays + heads * 4 * FLOAT * queries * keys, arrays + heads * 4 * FLOAT * queries * keys
        )
    fetched = FLOAT * heads * width * 2 * (queries + pairs / block)
    return Work(operations, fetched, arrays)


def attention_backward(heads: int, queries: int, keys: int, width: int, *, block: int, causal: bool = False) -> Work:
    """dQ, dK and dV by two kernels without atomics, which both compute the scores and their gradients again.

    One walks over the queries for each block of keys (scores, dP, dV, dK: four products), the other over the keys for
    each block of queries (scores, dP, dQ: three): seven products of 2 width operations for each pair.
    """
    pairs = queries * keys * (0.5 if causal else 1.0)
    operations = heads * pairs * (14.0 * width + 10)
    own = queries * 3 + keys * 4  # Q, dO, dQ by queries and K, V, dK, dV by keys stay with their block
    fetched = FLOAT * heads * width * (own + 2 * 2 * pairs / block)
    return Work(operations, fetched, FLOAT * heads * width * (own + 2 * queries + 2 * keys))


@dataclass(frozen=True)
class Occupancy:
    """How many blocks an SM holds at the same time, what keeps it from holding more, and how full it is (0 to 1)."""

    blocks: int
    limit: str
    share: float


def occupancy(gpu: Gpu, *, registers: int, shared: int, threads: int) -> Occupancy:
    """Blocks of ``threads`` threads with ``registers`` registers each and ``shared`` bytes, by NVIDIA's rules.

    Registers are given to whole warps, in units of 256, from four pools with a quarter of an SM's registers each;
    shared memory in units of 128 bytes, and the system keeps 1 KiB for itself in every block.

    Sources: CUDA C++ Programming Guide (technical specifications by compute capability); the tables of the
    CUDA Occupancy Calculator for 8.0 and 9.0.
    """
    if (
        not 0 < threads <= gpu.threads_per_block
        or registers > gpu.registers_per_thread
        or shared > gpu.shared_per_block
    ):
        return Occupancy(0, "a block is too large", 0.0)
    warps = ceil(threads / WARP)
    registers_per_warp = 256 * ceil(registers * WARP / 256)
    warps_by_registers = 4 * (gpu.registers_per_sm // 4 // registers_per_warp) if registers else 4 * WARP
    shared_per_block = 128 * ceil((shared + 1024) / 128)
    limits = {
        "threads": gpu.threads_per_sm // (warps * WARP),
        "registers": warps_by_registers // warps,
        "shared memory": gpu.shared_per_sm // shared_per_block,
        "blocks": gpu.blocks_per_sm,
    }
    limit = min(limits, key=limits.__getitem__)
    return Occupancy(limits[limit], limit, limits[limit] * warps * WARP / gpu.threads_per_sm)
