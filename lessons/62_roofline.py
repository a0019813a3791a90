"""
How fast could it be?
=====================

A kernel takes a millisecond. Is that much or little? What is the least time that any program could take for this, and
can one know it before anybody has measured anything?

:time: 15 s
"""

# %%
# One word first. **Nothing in this lesson was measured on a GPU.** All times here are computed, from data sheets, from
# the loops of the kernels, and from what the simulator counts. They are bounds: no program can be faster. How close a
# real one comes, only a GPU can tell.
#
# Two clocks
# ----------
#
# A kernel does two things: it computes, and it moves numbers between memory and the places where they are computed
# with. Let it do W operations (additions and multiplications) and move Q bytes. A GPU does at most P operations in a
# second, its **peak**, and moves at most :math:`\beta` bytes in a second, its **bandwidth**. So the time is at least
#
# .. math:: T \ge \frac{W}{P} \qquad \text{and} \qquad T \ge \frac{Q}{\beta}
#
# A GPU does both at the same time: while some threads wait for numbers, others compute (lesson 60). At best the longer
# of the two hides the shorter one, :math:`T = \max(W/P,\; Q/\beta)`. How many operations in a second is that? Divide W
# by T:
#
# .. math:: \frac{W}{T} = \min\left(P,\; \frac{W}{Q}\,\beta\right) = \min(P,\; I \beta) \qquad \text{with } I = W/Q
#
# All that counts about the kernel is one number, I, the operations for each byte: its **arithmetic intensity**. This is
# the **roofline** (Williams, Waterman and Patterson, 2009): over I it rises with slope :math:`\beta` until it meets the
# flat roof P, and there it stays. It meets the roof at the **ridge**, :math:`I = P/\beta`.

import math
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

from kernels.cuda import arrays
from kernels.cuda.compiler import cuda, why_no_gpu
from kernels.cuda.kernel import Kernel, running_on
from kernels.cuda.machine_code import compile_kernel, why_no_gate
from kernels.cuda.matmul import LADDER, work
from kernels.cuda.roofline import A100, H100, Work, attention, matmul, occupancy, softmax
from kernels.simulator import Simulator
from lessons import save_figure


def roof(intensity, peak, bandwidth):
    return np.minimum(peak, intensity * bandwidth)


# %%
# Two data sheets
# ---------------
#
# Where does a peak come from? A multiprocessor (SM) of NVIDIA's A100 has 64 units; each does a multiplication and an
# addition in one tick. Times two operations, times 108 SMs, times 1.41 billion ticks in a second. The H100 has more of
# each. The bandwidths come from the data sheets as they are.

for gpu in (A100, H100):
    peak = gpu.sms * gpu.fp32_units * 2 * gpu.clock
    assert math.isclose(peak, gpu.fp32, rel_tol=0.005)
    assert math.isclose(gpu.ridge, gpu.fp32 / gpu.bandwidth)
    print(
        f"{gpu.name}: {peak:.3g} operations/s, {gpu.bandwidth:.3g} bytes/s, ridge at {gpu.ridge:.1f} operations a byte"
    )

# %%
# Remember the ridges: 10 and 20. A ``float32`` has 4 bytes. So on an H100 a kernel must do 80 operations with each
# number that it fetches, or the units stand idle.
#
# The simplest kernel, :math:`y_i \leftarrow a\,x_i + y_i`, is far from that. For each i it does 2 operations, reads two
# numbers and writes one: :math:`I = 2/12`. The simulator counts the same:


def axpy(a, x, y):
    i = cuda.grid(1)  # blockIdx.x * blockDim.x + threadIdx.x
    if i < y.size:
        y[i] = a * x[i] + y[i]


axpy_kernel = Kernel(axpy, threads=256, types="float32, float32[::1], float32[::1]")
x, y = np.ones((2, 4096), np.float32)
with running_on(Simulator(orders=("forward",), counting=True)) as simulator:
    axpy_kernel.launch(16, 0.5, x, y)
counts = simulator.reports[-1].counts
of_axpy = Work(operations=2 * counts.multiply_adds, bytes=counts.of().bytes, least_bytes=counts.of().bytes)
assert of_axpy.intensity == 2 / 12
for gpu in (A100, H100):
    share = of_axpy.attainable(gpu) / gpu.fp32
    assert math.isclose(of_axpy.attainable(gpu), roof(1 / 6, gpu.fp32, gpu.bandwidth))
    print(f"axpy on an {gpu.name}: {of_axpy.limit(gpu)} is the limit, at {share:.1%} of the peak")

# %%
# Less than 2 % of the peak, and no cleverness can change it: *this formula* cannot be faster on these machines. That is
# what a roofline is good for. It tells when to stop.
#
# If there is a GPU at hand, one can hold a stopwatch to it:


def bandwidth_by_stopwatch(n=1 << 26):
    """Bytes in a second that axpy moves on the GPU."""
    x, y = (arrays.view(np.ones(n, np.float32)) for _ in range(2))
    start, end = cuda.event(), cuda.event()
    axpy_kernel.launch(n // 256, 0.5, x, y)  # compiles it
    start.record()
    for _ in range(10):
        axpy_kernel.launch(n // 256, 0.5, x, y)
    end.record()
    end.synchronize()
    return 10 * 12 * n / (cuda.event_elapsed_time(start, end) / 1000)


why = why_no_gpu()
print(f"nothing to measure here: {why}" if why else f"measured: {bandwidth_by_stopwatch():.3g} bytes/s")

# %%
# The matrix product
# ------------------
#
# A product of n x n matrices does :math:`2 n^3` operations. If each number is moved once, that is :math:`12 n^2` bytes:
#
# .. math:: I = \frac{2 n^3}{12 n^2} = \frac{n}{6}
#
# The intensity grows with n. From :math:`n = 6 P/\beta` on, arithmetic is the limit; small products are limited by
# memory, however they are programmed.

for gpu in (A100, H100):
    n = math.ceil(6 * gpu.ridge)
    one_tile = matmul(n, n, n, tile=(n, n))
    assert math.isclose(one_tile.intensity, n / 6)
    assert one_tile.limit(gpu) == "arithmetic"
    assert matmul(n - 2, n - 2, n - 2, tile=(n, n)).limit(gpu) == "memory"
    print(f"{gpu.name}: arithmetic is the limit from n = {n} on")

# %%
# But "each number once" is a wish. Lesson 61 counted what the rungs of the ladder really ask for: a block that computes
# a tile of T x T elements fetches each number n / T times, which makes :math:`I \approx T/4` for large n. (Each step of
# k: 2 T numbers of 4 bytes for :math:`2 T^2` operations.) For the naive kernel T is 1, for the tiles 32, for the blocks
# in registers 128.

n = 4096
ladder = {name: work(name, n, n, n) for name in LADDER}
for name, T in [("naive", 1), ("tiled", 32), ("blocked", 128), ("vectorized", 128)]:
    assert math.isclose(ladder[name].intensity, T / 4, rel_tol=0.02)  # a little less: C must be written

# %%
# What is asked of memory need not come from memory: the caches answer part of it. How much? Something between nothing
# and everything but the first time; more cannot be said here. So the rung lies between I as it asks and n / 6. Below,
# the first of two numbers assumes caches that help nothing, the second perfect ones.
#
# There is a third roof, shared memory. In a tick, an SM serves one read of a warp, and in the same tick an A100 could
# multiply for two warps (64 units), an H100 for four. Rung 2 reads twice for each multiplication. So its units work in
# one tick of four on an A100, and of eight on an H100, whatever the caches do. The same holds for rung 1 with the best
# of caches: the cache of an SM is made of the same memory as its shared memory, and serves one request in a tick too.

ladder["naive"] = replace(ladder["naive"], shared_cycles=ladder["tiled"].shared_cycles)
for gpu in (A100, H100):
    print(f"{gpu.name}, n = {n}, at most (10^12 operations/s; percent of the peak):")
    for name, asked in ladder.items():
        low, high = asked.attainable(gpu), asked.attainable(gpu, cached=True)
        print(f"  {name:12}{low / 1e12:6.1f} to {high / 1e12:6.1f}", end="")
        print(f"  {low / gpu.fp32:5.0%} to {high / gpu.fp32:5.0%}  limit: {asked.limit(gpu)}")
assert math.isclose(ladder["tiled"].attainable(A100), A100.fp32 / 4, rel_tol=0.001)
assert math.isclose(ladder["tiled"].attainable(H100), H100.fp32 / 8, rel_tol=0.001)

# %%
# By this bound, rungs 3 and 4 reach the peak (and the tensor cores several times the peak of the ordinary units, as
# they are other units). Then what was rung 4 good for?
#
# A fourth roof: instructions
# ---------------------------
#
# An SM has four **schedulers**. Each starts one instruction of a warp in a tick, be it a multiplication or not. An SM
# of an H100 multiplies for four warps in a tick, so its schedulers must start *nothing else* to reach the peak. Where
# only a share s of the instructions multiplies, the peak is out of reach:
#
# .. math:: \text{attainable} \le P \cdot \min\left(1,\; s \cdot \frac{4}{\text{units of an SM} / 32}\right)
#
# On an A100, with units for two warps, half of the instructions may do something else. The machine code of the inner
# loop tells s. This project compiles its kernels without a GPU and counts (``python -m kernels.cuda.gate``); what it
# found stands here, and where the compiler is installed, the last line is checked again.

inner_loops = {"blocked": (64, 98), "vectorized": (128, 144)}  # FFMA (multiply-adds), instructions
registers, shared_bytes = 122, 16_896  # of rung 4: registers of a thread, shared memory of a block


def share_of_peak(gpu, multiplying, instructions):
    return min(1, multiplying / instructions * 4 / (gpu.fp32_units / 32))


for name, loop in inner_loops.items():
    print(
        f"{name}: at most",
        ", ".join(f"{share_of_peak(gpu, *loop):.0%} of an {gpu.name}'s peak" for gpu in (A100, H100)),
    )

if why_no_gate():
    print(f"not compiled here: {why_no_gate()}")
else:
    code = compile_kernel(LADDER["vectorized"].kernel, A100.architecture)
    found = code.product_loops[0].count("FFMA"), len(code.product_loops[0].instructions)
    print(f"compiled: {found[0]} of {found[1]} instructions multiply, {code.registers} registers")
    assert abs(found[0] / found[1] - 128 / 144) < 0.03
    assert abs(code.registers - registers) <= 6
    assert code.shared == shared_bytes

# %%
# On an H100, rung 4 can be a third faster than rung 3. On an A100, this model sees no difference between them: there,
# the two buffers must earn their keep by hiding the waiting, which no roofline shows.
#
# Softmax and attention
# ---------------------
#
# Softmax does about 5 operations for each element, and moves 8 bytes if it reads and writes each number once; lesson
# 63 begins with a kernel that reads three times. It is far left of the ridge either way: only bytes count.

once, three_times = softmax(n, n), softmax(n, n, reads=3)
for gpu in (A100, H100):
    assert once.limit(gpu) == "memory"
    assert math.isclose(three_times.seconds(gpu) / once.seconds(gpu), 2)  # 16 bytes against 8

# %%
# Attention (lesson 40) is a product, a softmax and another product. With m queries and as many keys of d numbers, these
# are 4 d + 5 operations for each *pair* of a query and a key. Written as three kernels, the scores go to memory and
# come back, twice: 16 bytes for each pair. The three run one after the other, and **their times add up**: each has its
# own roof. Fused into one kernel, which never writes a score (lesson 64), a block of 64 queries walks over all keys.

heads, length, width = 64, 2048, 64
scores = matmul(length, length, width, tile=(128, 128), batch=heads)  # Q K^T
weights = softmax(heads * length, length)
mixture = matmul(length, width, length, tile=(128, 64), batch=heads)  # P V
fused = attention(heads, length, length, width, block=64)
for gpu in (A100, H100):
    parts = [1000 * part.seconds(gpu) for part in (scores, weights, mixture)]
    print(f"{gpu.name}: {' + '.join(f'{part:.2f}' for part in parts)} = {sum(parts):.2f} ms in three kernels", end="")
    print(f", {1000 * fused.seconds(gpu):.2f} ms fused, limit: {fused.limit(gpu)}")
    assert fused.limit(gpu) == "arithmetic"
    assert weights.limit(gpu) == "memory"
    assert 1000 * fused.seconds(gpu) < 0.8 * sum(parts)
print(f"and {4 * heads * length**2 / 2**30:.0f} GiB of scores need not be kept")

# %%
# (On an H100 even the first product is limited by memory: it must write all scores.)
#
# Now everything in one picture. A mark is what a kernel can reach at most without any help from caches; an arrow shows
# how far perfect caches could move it. Rung 2 hangs below the roof, held down by shared memory. On the H100, rungs 3
# and 4 do too, because of their instructions (those of attention are not looked at here). Where three marks lie on each
# other, the model sees no difference.

points = {"axpy": of_axpy, "softmax": once, "attention, fused": fused} | ladder
markers = {"attention, fused": ("D", 14), "blocked": ("s", 9), "vectorized": ("o", 5)}
fig, axes = plt.subplots(1, 2, figsize=(12, 4.6), layout="constrained", sharey=True)
intensity = np.logspace(-1, 3, 200)
for ax, gpu in zip(axes, (A100, H100), strict=True):
    ax.loglog(
        intensity, roof(intensity, gpu.tf32, gpu.bandwidth) / 1e12, "--", color="0.6", label="tensor cores (tf32)"
    )
    ax.loglog(intensity, roof(intensity, gpu.fp32, gpu.bandwidth) / 1e12, "k", label="float32")
    for color, (name, asked) in enumerate(points.items()):
        reach = [asked.attainable(gpu, cached=cached) / 1e12 for cached in (False, True)]
        if name in inner_loops:
            reach = [min(each, share_of_peak(gpu, *inner_loops[name]) * gpu.fp32 / 1e12) for each in reach]
        marker, size = markers.get(name, ("o", 8))
        look = dict(marker=marker, markersize=size, markeredgewidth=2, fillstyle="none", linestyle="none", zorder=3)
        ax.plot(asked.intensity, reach[0], color=f"C{color}", label=name, **look)
        if name in ladder:
            best = asked.operations / asked.least_bytes
            arrow = dict(arrowstyle="->", color=f"C{color}", linewidth=1, linestyle="--")
            ax.annotate("", (best, reach[1]), (asked.intensity, reach[0]), arrowprops=arrow)
    ax.axvline(gpu.ridge, color="0.8", linewidth=1, zorder=0)
    ax.set(title=f"{gpu.name}: ridge at {gpu.ridge:.1f}", xlabel="operations a byte", xlim=(0.1, 1000), ylim=(0.2, 700))
axes[0].set_ylabel("10$^{12}$ operations a second, at most")
fig.legend(*axes[1].get_legend_handles_labels(), loc="outside right center")
fig.suptitle("Foretold, not measured: where each kernel can end up (matrices of 4096 x 4096, 64 heads of 2048 x 64)")
save_figure(fig, "roofline")

# %%
# Who fits into a multiprocessor
# ------------------------------
#
# All this holds if there are always threads that have something to do. How many threads an SM holds at the same time
# depends on what they need, and can be found with a pencil. The **occupancy** is how many it holds, of the 2048 that
# it could. Take rung 4: blocks of 256 threads, 122 registers for each, 16,896 bytes of shared memory.
#
# * *Threads*: 2048 / 256 = 8 blocks.
# * *Registers*: an SM has 65,536, in four parts of 16,384. A warp needs 32 times 122 = 3904, which is rounded up to a
#   multiple of 256: 4096. So each part holds 4 warps, the SM 16, and since a block has 8 warps: 2 blocks.
# * *Shared memory*: 164 KiB on an A100. A block needs its 16,896 bytes and 1 KiB that the system keeps: 9 blocks.
#
# The smallest of the three decides.


def blocks_by_hand(gpu, registers, shared, threads):
    warps = math.ceil(threads / 32)
    registers_of_warp = math.ceil(32 * registers / 256) * 256
    shared_of_block = math.ceil((shared + 1024) / 128) * 128
    by_threads = gpu.threads_per_sm // (32 * warps)
    by_registers = 4 * (16_384 // registers_of_warp) // warps
    by_shared = gpu.shared_per_sm // shared_of_block
    return min(by_threads, by_registers, by_shared, 32)  # and never more than 32


assert blocks_by_hand(A100, registers, shared_bytes, 256) == 2
held = occupancy(A100, registers=registers, shared=shared_bytes, threads=256)
print(f"rung 4: {held.blocks} blocks, {held.share:.0%} of the threads; the limit: {held.limit}")

for gpu in (A100, H100):  # the function of the project does the same
    for of_thread in range(16, 256, 7):
        for of_block in range(0, 48 * 1024 + 1, 4096):
            for threads in (32, 96, 256, 512, 1024):
                theirs = occupancy(gpu, registers=of_thread, shared=of_block, threads=threads).blocks
                assert theirs == blocks_by_hand(gpu, of_thread, of_block, threads)

fig, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
of_thread = np.arange(16, 256)
for threads in (128, 256, 512):
    share = [occupancy(A100, registers=int(r), shared=0, threads=threads).share for r in of_thread]
    ax.step(of_thread, 100 * np.array(share), where="post", label=f"blocks of {threads} threads")
ax.plot(registers, 100 * held.share, "ko", label="rung 4")
ax.set(
    xlabel="registers of a thread",
    ylabel="threads held, % of 2048",
    ylim=(0, 105),
    title=f"Occupancy of an {A100.name}",
)
ax.legend()
save_figure(fig, "occupancy")

# %%
# A quarter: is that bad? A multiplication's result is ready about 4 ticks after its start. A scheduler has 4 of our
# warps, so if each could start one instruction every 4 ticks, it would be busy. But rung 4 is better off: its 64 sums
# do not depend on each other, so even a single warp has 64 instructions that need not wait. The registers that cost us
# the occupancy are what makes it unnecessary. Occupancy is a means. A kernel like axpy, which only waits for memory,
# needs the many threads; the product needs its registers.
#
# What no roof shows
# ------------------
#
# * The first and the last moments. 4096 x 4096 elements are 1024 tiles of 128 x 128. An A100 holds 2 x 108 blocks at
#   a time, so these come in rounds, and the last round is not full.
# * How long a launch takes; what a clock does when the chip gets warm; how much the caches really keep.
# * Programs that wait where they need not.

tiles = (n // 128) ** 2
at_once = held.blocks * A100.sms
rounds = math.ceil(tiles / at_once)
print(f"{tiles} tiles, {at_once} at once: {rounds} rounds, of which {tiles / (rounds * at_once):.0%} are filled")

# %%
# So the numbers above are promises of what *cannot* be exceeded. When a GPU is at hand, the first thing to do is to
# measure, and the second to ask why the number is smaller.
#
# Summary
# -------
#
# * Time is at least operations / peak, and at least bytes / bandwidth. The intensity W / Q decides which counts.
# * The ridge of an A100 lies at 10 operations a byte, that of an H100 at 20 (in ``float32``).
# * axpy and softmax lie far left: only bytes count. Products of matrices can lie far right: it takes tiles.
# * Shared memory and the instructions are roofs of their own: the middle rungs end there.
# * Kernels that run one after the other add up their times. Fusing spares the bytes in between.
# * Registers, shared memory and threads decide how many blocks an SM holds. Few may be enough.
# * All of it is foretold, and none of it measured.
#
# Next: lesson 63 takes softmax from three passes over memory to one.
#
# Exercises
# ---------
#
# 1. (checked) Two kernels, t = a + b and then y = t + c, move 24 bytes for each element. Write one kernel
#    ``add_three(a, b, c, y)`` that moves 16. Blocks have 128 threads, arrays any length. Check it with
#    ``python -m lessons check 62 my_solution.py``.
# 2. (checked) Write ``least_n(peak, bandwidth)``: the smallest n for which the product of n x n matrices, each number
#    moved once, is limited by arithmetic.
# 3. (checked) Write ``most_registers(threads, blocks)``: how many registers a thread may have at most, so that an SM
#    with 65,536 registers holds that many blocks (0 if it cannot be). A block has a multiple of 32 threads, and a
#    thread at most 255 registers.
# 4. With numbers of 2 bytes instead of 4, what happens to I? An A100's tensor cores do :math:`312 \cdot 10^{12}`
#    operations a second with them. Where is the ridge now, and how large must a tile be?
# 5. A layer y = x W with a batch of b rows and W of n x n: for which b is the product limited by memory, if n is large?
#    What does that say about answering one user at a time?
