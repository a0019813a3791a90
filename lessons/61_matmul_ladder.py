"""
The product of matrices, rung by rung
=====================================

A layer of a network is a product of matrices, and nearly all time is spent there. The formula has one line. Why can
one program for it be forty times as fast as another, on the same GPU?

:time: 30 s
"""

# %%
# The task, and two counts
# ------------------------
#
# A has M rows and K columns, B has K rows and N columns, and each element of C is a sum of K products:
#
# .. math:: C_{ij} = \sum_k A_{ik} B_{kj}
#
# Two numbers tell what this costs. The **operations**: M N sums with K multiplications and K additions each, 2 M N K.
# And the **bytes** that must come from memory and go there. A ``float32`` has 4 bytes, so if each number is moved once,
# these are 4 (M K + K N + M N). For square matrices with n rows that is :math:`2 n^3` against :math:`12 n^2`: each
# number is needed n times. Whoever fetches it n times is lost; whoever keeps it close by can win. All of this lesson is
# about keeping numbers close by.
#
# The kernels stand in ``kernels/cuda/matmul``, a file for each rung. Have them open beside this lesson. Lesson 60
# explained threads, warps, blocks, shared memory and barriers. As there, kernels run in the simulator, and on the GPU
# as well if there is one.

import dataclasses

import matplotlib.pyplot as plt
import numpy as np

from kernels.cuda.compiler import cuda, float32, why_no_gpu
from kernels.cuda.kernel import running_on
from kernels.cuda.matmul import LADDER, work
from kernels.cuda.roofline import A100
from kernels.simulator import KernelFault, Simulator, barriers, simulate
from lessons import progress, save_figure

WHY_NO_GPU = why_no_gpu()
print(f"kernels run in the simulator{f' only: {WHY_NO_GPU}' if WHY_NO_GPU else ', and on the GPU as well'}")

M, N, K = 128, 128, 64
rng = np.random.default_rng(0)
A = rng.normal(size=(M, K)).astype(np.float32)
B = rng.normal(size=(K, N)).astype(np.float32)
exact = A.astype(np.float64) @ B


def wrong_by(C, exact):
    """The largest error, measured by the largest element."""
    return np.abs(C - exact).max() / np.abs(exact).max()


def climb(name, A, B):
    """C = A B by a rung of the ladder, and the simulator's report with the accesses of four blocks."""
    rung = LADDER[name]
    with running_on(Simulator(orders=("forward",), counting=4)) as simulator:  # the project's tests try other orders
        C = rung(A, B)
    if not WHY_NO_GPU:
        assert wrong_by(rung(A, B), C) < 1e-5
    return C, simulator.reports[-1]


results, reports = {}, {}
for name in progress(list(LADDER), "five rungs"):
    results[name], reports[name] = climb(name, A, B)


def counted(name, what, *arrays, **which):
    """A count of the whole launch. All blocks do the same here, so that four of them tell about all."""
    report = reports[name]
    blocks = report.grid[0] * report.grid[1]
    return getattr(report.counts.of(*arrays, **which), what) * blocks // report.counts.blocks


# %%
# Rung 1: a thread for each element
# ---------------------------------
#
# The formula as it stands. The thread for element (row, column) of C does this::
#
#     total = float32(0.0)
#     for k in range(K):
#         total += a[row, k] * b[k, column]
#     c[row, column] = total
#
# Each step asks for two numbers of 4 bytes, and in the end one is written:
#
# .. math:: \text{bytes} = 8\,M N K + 4\,M N
#
# 32 threads that stand side by side form a warp. They want 32 neighbours of B, which are 4 sectors of 32 bytes, and all
# of them the *same* number of A, which takes one sector. So a bit less is really sent; we predict both.

asked = counted("naive", "bytes", space="global")
sent = 32 * counted("naive", "sectors", space="global")
warps = M * N // 32
assert asked == 8 * M * N * K + 4 * M * N
assert sent == 32 * warps * (K * (1 + 4) + 4)
assert reports["naive"].counts.multiply_adds / reports["naive"].counts.blocks == 256 * K  # a block has 256 threads
print(f"rung 1: {2 * M * N * K / asked:.2f} operations for each byte asked for")
print(f"an {A100.name} does {A100.ridge:.1f} operations in the time of a byte")
assert wrong_by(results["naive"], exact) < 1e-5

# %%
# A quarter of an operation for each byte, on a machine that could do ten. The arithmetic stands idle.
#
# Rung 2: tiles
# -------------
#
# Two threads side by side need the same row of A; two above each other the same column of B. So let a block of 32 x 32
# threads fetch what it needs *together*. It walks along K in steps of T = 32. In each step, every thread copies one
# number of A and one of B to shared memory, waits until all have done so, and then all compute with these copies::
#
#     for start in range(0, K, T):
#         tile_a[y, x] = a[row, start + x]
#         tile_b[y, x] = b[start + y, column]
#         cuda.syncthreads()                      # the tiles are complete
#         for k in range(T):
#             total += tile_a[y, k] * tile_b[k, x]
#         cuda.syncthreads()                      # nobody reads them any more
#
# Now a row of A is fetched by N / T blocks instead of N threads, and a column of B by M / T blocks. In general, if a
# block computes a tile of C with R rows and S columns, then
#
# .. math:: \text{bytes} = 4 \left( \frac{M K N}{S} + \frac{K N M}{R} + M N \right)
#
# With R = S = 1 it is the formula of rung 1.


def fetched(M, N, K, R, S):
    return 4 * (M * K * N // S + K * N * M // R + M * N)


assert asked == fetched(M, N, K, 1, 1)
assert counted("tiled", "bytes", space="global") == fetched(M, N, K, 32, 32)
assert 32 * counted("tiled", "sectors", space="global") == fetched(M, N, K, 32, 32)  # coalesced: nothing sent in vain
assert np.array_equal(results["tiled"], results["naive"])
print(f"rung 2: {counted('tiled', 'bytes', space='global')} bytes instead of {asked}")

# %%
# Not a bit of the result has changed, by the way: each element still adds its products in the order of k.
#
# Rung 3: blocks in registers
# ---------------------------
#
# Memory is no longer the limit. But look at the inner loop: for each multiplication, a warp reads shared memory twice.
# A multiprocessor can serve *one* such read in a tick. In the same tick, that of an A100 could multiply for two warps.
# So it multiplies for half a warp where it could for two, a quarter of what it can do.
#
# The remedy is the same once more, one floor up: keep numbers even closer by. A thread's own variables live in
# **registers**, which cost nothing to read. Let a thread compute 8 x 8 elements. For each k it reads 8 numbers of A and
# 8 of B, and with them it does 64 multiplications::
#
#     for i in range(8):
#         for j in range(8):
#             sums[i, j] += column_a[i] * row_b[j]
#
# 16 reads for 64 multiplications instead of 128. And since a block still has 256 threads, its tile of C grows to
# 128 x 128, so that R = S = 128: less comes from memory, too. (Here C is a single tile.)

reads = {name: counted(name, "requests", action="load", space="shared") for name in ("tiled", "blocked")}
multiplications = M * N * K // 32  # of a warp: 32 threads take each step together
assert reads["tiled"] == 2 * multiplications
assert reads["blocked"] == 16 / 64 * multiplications
assert counted("blocked", "bytes", space="global") == fetched(M, N, K, 128, 128)
assert np.array_equal(results["blocked"], results["naive"])
for name, count in reads.items():
    print(f"{name}: {count / multiplications:.2f} reads of shared memory for a multiplication")

# %%
# Rung 4: sixteen bytes at a time
# -------------------------------
#
# Every instruction takes its turn, also one that does not multiply. In rung 3, of 80 instructions for each k, 16 read.
# One instruction can read four neighbouring numbers, 16 bytes, if their address is a multiple of 16 (``load4`` of
# ``kernels/cuda/vector.py``). Then 4 reads do what 16 did. For that, the 8 numbers of a thread must be neighbours, four
# and four. For B they are; A's tile must be turned by a quarter on its way to shared memory.
#
# There is a second change. In rung 3 the whole block waits at each step until its tiles have come. Rung 4 has **two
# buffers**: while the block computes with one, the next tiles are on their way, and are put into the other. So each
# step needs only one barrier::
#
#     fetch tile k to registers | multiply tile k - 1 | put tile k to the other buffer | barrier

steps = K // 8
assert reports["blocked"].barriers == 2 * steps
assert reports["vectorized"].barriers == steps + 1
reads["vectorized"] = counted("vectorized", "requests", action="load4", space="shared")
assert reads["vectorized"] == 4 / 64 * multiplications
assert counted("vectorized", "bytes", space="global") == fetched(M, N, K, 128, 128)
assert np.array_equal(results["vectorized"], results["naive"])

# %%
# An honest word about the last count. A request for 16 bytes is a big one: 32 threads want 512 bytes, and shared memory
# gives at most 128 in a tick. The simulator counts a quarter of the warp in each pass: 4 passes for a request. But here
# many threads want the same numbers, and together they ask for few. If the hardware always noticed that, fewer
# passes would do: that is what ``work`` assumes. NVIDIA's documents do not say. Only a GPU could tell us.

passes = counted("vectorized", "passes", action="load4", space="shared")
least = work("vectorized", M, N, K).shared_cycles
print(f"passes of shared memory for a multiplication: {passes / multiplications}, or {least / multiplications} at best")
assert least <= passes == 4 * reads["vectorized"]

# %%
# All rungs at a glance, and a check that ``work``, with which lesson 62 will foretell their speed, agrees with what the
# simulator counted:

for name in LADDER:
    asked_work = work(name, M, N, K)
    assert asked_work.operations == 2 * M * N * K
    assert asked_work.bytes == counted(name, "bytes", space="global")
for name in ("tiled", "blocked", "tensor_core"):
    assert work(name, M, N, K).shared_cycles == counted(name, "passes", action="load", space="shared")

rungs = ["naive", "tiled", "blocked", "vectorized"]
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
kibibytes = [counted(name, "bytes", space="global") / 1024 for name in rungs]
left.bar_label(left.bar(rungs, kibibytes, color="C0"), fmt="{:.0f}")
left.axhline(4 * (M * K + K * N + M * N) / 1024, color="k", linestyle=":", label="each number once")
left.set(yscale="log", ylabel="KiB asked of memory", title=f"Memory, for ({M}, {K}) times ({K}, {N})", ylim=(50, 20000))
left.legend()
requests = [count / multiplications for count in reads.values()]
right.bar_label(right.bar(list(reads), requests, color="C1"), fmt="{:.4g}")
right.set(ylabel="instructions that read it, for a multiplication", title="Shared memory", ylim=(0, 2.2))
save_figure(fig, "rungs")

# %%
# (In this small example C is a single tile of rung 3, and so each number is indeed fetched once.) And the edges? Sizes
# that are no multiples of the tile are filled up with zeros, which add nothing. Rung 4 wants multiples of 4.

for name in rungs:
    ragged_A, ragged_B = A[:65, :36].copy(), B[:36, :68].copy()
    C, _ = climb(name, ragged_A, ragged_B)
    assert wrong_by(C, ragged_A.astype(np.float64) @ ragged_B) < 1e-5

# %%
# Banks
# -----
#
# Shared memory has 32 **banks**. The number at place p lies in bank p modulo 32, and each bank hands out one number in
# a tick. 32 threads that read 32 neighbours are served at once. But if two threads want *different* numbers of the same
# bank, one has to wait: a **bank conflict**. (The same number for several threads is no conflict.) The worst case is a
# column of a tile whose rows have 32 numbers: the places 0, 32, 64, ... all lie in bank 0.


def passes_for(places):
    """How many ticks it takes to serve the threads of a warp."""
    banks = np.unique(places) % 32
    return np.bincount(banks).max()


lane = np.arange(32)
assert passes_for(lane) == 1  # a row
assert passes_for(32 * lane) == 32  # a column of a tile with 32 numbers in a row
assert passes_for(33 * lane) == 1  # with 33 numbers in a row: the last is never used

# %%
# The last line is the cure, **padding**: make the rows longer by one number that nobody uses. Then the numbers of a
# column lie in different banks. Let the simulator confirm it. A block of 32 x 32 threads turns a tile:


def turn(x, y, stride):
    tile = cuda.shared.array(32 * 33, float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    tile[ty * stride + tx] = x[ty, tx]
    cuda.syncthreads()
    y[ty, tx] = tile[tx * stride + ty]


square = rng.normal(size=(32, 32)).astype(np.float32)
for stride in (32, 33):
    turned = np.zeros_like(square)
    report = simulate(turn, 1, (32, 32), square, turned, stride, orders=("forward",), counting=True)
    assert np.array_equal(turned, square.T)
    read = report.counts.of("tile", action="load")
    print(f"rows of {stride}: a warp reads a column in {read.passes // read.requests} tick(s)")
    assert read.passes == 32 * passes_for(stride * lane)

fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.4), layout="constrained")
for ax, stride in zip(axes, (32, 33), strict=True):
    bank = (stride * np.arange(32)[:, None] + np.arange(stride)) % 32
    shown = ax.imshow(bank, cmap="twilight", vmin=0, vmax=31)
    ax.add_patch(plt.Rectangle((4.5, -0.5), 1, 32, fill=False, edgecolor="lime", linewidth=2))
    ticks = passes_for(stride * lane + 5)
    ax.set(title=f"rows of {stride} numbers, ticks: {ticks}", xlabel="column", ylabel="row")
fig.colorbar(shown, ax=axes, label="bank")
fig.suptitle("A warp reads a column (green): all in one bank, or each in its own")
save_figure(fig, "banks")

# %%
# Rung 4 turns the tile of A, so it has this trouble too. Thread t puts numbers of row t // 2 at the steps
# k = 4 (t % 2) + q of the turned tile. Are its rows 128 numbers long, two threads always meet in a bank. With 4 more,
# none do, and the next row still begins at a multiple of 16 bytes, as ``load4`` demands (with one more it would not).

row, k = lane // 2, lane % 2 * 4
assert passes_for(k * 128 + row) == 2
assert passes_for(k * 132 + row) == 1
puts = reports["vectorized"].counts.of("tiles_a", action="store")
assert puts.passes == puts.requests
assert puts.replays == 0

# %%
# Is every barrier needed?
# ------------------------
#
# A barrier costs time, so one would like to have few. We leave out each in turn and ask the simulator.

small_A, small_B = A[:32].copy(), B[:, :32].copy()
for name in ("tiled", "blocked", "vectorized"):
    for line, broken in barriers(LADDER[name].kernel):
        try:
            with running_on(Simulator()):
                dataclasses.replace(LADDER[name], kernel=broken)(small_A, small_B)
            raise AssertionError("the simulator found nothing")
        except KernelFault as fault:
            print(f"- without line {line}: {type(fault).__name__}: {fault}")

# %%
# None can go. Rungs 2 and 3 without the first barrier read what is not there yet; without the second, a fast thread
# overwrites what a slow one still needs. Rung 4 has one barrier a step for both purposes, and that suffices since
# nobody writes to the buffer that is being read: the simulator, which saw all five removals, has no complaint about
# the rung as it is.
#
# The last rung: tensor cores
# ---------------------------
#
# An A100 has a second kind of unit, the **tensor core**. Its one instruction multiplies whole small matrices, and all
# threads of a warp take part in it. For numbers like ours it is 8 times as fast as everything up to here:

print(f"{A100.name}: {A100.fp32:.3g} operations a second, with tensor cores {A100.tf32:.3g}")

# %%
# There must be a catch. A ``float32`` has a sign, 8 bits for the power of two, and 23 bits for the **fraction**, the
# digits behind it. The tensor cores read only 10 of these 23 bits; that format is called ``tf32``. Everything is still
# added in ``float32``. What does it cost? With 10 bits, neighbouring numbers between 1 and 2 are :math:`2^{-10}` apart.
# The nearest is at most half of that away, a relative error of :math:`2^{-11}`. A product has two factors, so it is
# wrong by up to :math:`2 \cdot 2^{-11} \approx 0.001`. Three digits remain.
#
# Simply ignoring the last 13 bits, as the hardware does by itself, is worse: it always errs towards zero, by up to
# :math:`2^{-10}`. So the rung rounds before, by a trick. Add to x a number that is :math:`2^{13}` times as large: there
# is no room left for the last 13 bits, and the addition rounds. Then take the large number away again.


def cut(x):
    """The first 10 bits of the fraction."""
    return (x.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)


def rounded(x):
    """The nearest number with 10 bits of fraction."""
    large = np.float32(2**13 + 1) * x
    return large - (large - x)


for change, bound in [(rounded, 2.0**-11), (cut, 2.0**-10)]:
    assert (np.abs(change(A) - A) <= bound * np.abs(A)).all()
    assert np.array_equal(change(A), cut(change(A)))  # there are no other bits

tensor = results["tensor_core"]
float32_error, tf32_error = wrong_by(results["naive"], exact), wrong_by(tensor, exact)
from_rounding = wrong_by(rounded(A).astype(np.float64) @ rounded(B), exact)
print(f"wrong by: float32 {float32_error:.0e}, tf32 {tf32_error:.0e}; by rounding A and B alone {from_rounding:.0e}")
assert 1e-5 < tf32_error < 1e-3
assert wrong_by(tensor, rounded(A).astype(np.float64) @ rounded(B)) < tf32_error / 5  # hardly any other error is there

# %%
# The errors of the terms partly cancel, since rounding goes up as often as down. Cutting always goes down. We see the
# difference where nothing else cancels: with positive matrices.

positive_A, positive_B = np.abs(A), np.abs(B)
positive_exact = positive_A.astype(np.float64) @ positive_B
errors = {}
for change in (rounded, cut):
    product = change(positive_A).astype(np.float64) @ change(positive_B)
    errors[change.__name__] = (product / positive_exact - 1).ravel()
    print(f"{change.__name__}: wrong by {errors[change.__name__].mean():+.0e} on average")
assert abs(errors["rounded"].mean()) < abs(errors["cut"].mean()) / 50
assert errors["cut"].max() < 0

fig, ax = plt.subplots(figsize=(8, 3.4), layout="constrained")
for name, error in errors.items():
    ax.hist(1e4 * error, bins=60, histtype="stepfilled", alpha=0.7, label=f"fractions {name} to 10 bits")
ax.set(xlabel="relative error of an element of C, in units of 0.0001", ylabel="elements", title="What tf32 costs")
ax.legend()
save_figure(fig, "tf32")

# %%
# For the weights of a network, whose gradients are noisy anyway, three digits are often enough. For a gradient check
# (lesson 11) they are not. So ``matmul`` keeps to ``float32``, and whoever wants this rung must call it by name.
#
# Summary
# -------
#
# * A product of n x n matrices has :math:`2 n^3` operations and :math:`3 n^2` numbers: each number is needed n times.
#   Everything depends on where it waits in between.
# * Tiles in shared memory: memory is asked once for a tile, not for each thread. Bytes fall with 1/R + 1/S.
# * Blocks in registers: shared memory is read 16 times for 64 multiplications, not 128 times.
# * 16 bytes at a time: fewer instructions that do not multiply. Two buffers: nobody waits for memory.
# * A warp's threads should ask 32 different banks; one unused number at the end of a row can see to that.
# * All these rungs add in the same order, and give the same bits.
# * Tensor cores are much faster and keep three digits.
#
# Next: lesson 62 says how fast each rung can be.
#
# Exercises
# ---------
#
# 1. (checked) Write the kernel ``times_transposed(a, b, c)``: :math:`C = A B^T`, where A has M rows and B has N rows,
#    both of K numbers. Blocks have 16 x 16 threads and use tiles of 16 x 16 in shared memory; all sizes may be ragged.
#    Fetch the tiles row by row, and read shared memory without bank conflicts. Check it with
#    ``python -m lessons check 61 my_solution.py``, which counts.
# 2. (checked) Write ``fetched(M, N, K, R, S)``: the bytes of this lesson's formula when M and N are *not* multiples of
#    R and S (a tile that hangs over the edge fetches only what exists).
# 3. A thread of rung 3 keeps 64 sums. Why not 16 x 16 = 256? (A thread can have at most 255 registers.) And why not
#    8 x 16? What would grow, what would shrink, and how many threads would find room on a multiprocessor?
# 4. Rung 4 has two buffers and one barrier a step. With *three* buffers, could one do with a barrier in every second
#    step? Think first, then write it and let the simulator judge.
# 5. Write numbers as a sum of two ``tf32`` numbers, x = rounded(x) + rest, and multiply matrices with three products of
#    tensor cores. How many digits are there now?
