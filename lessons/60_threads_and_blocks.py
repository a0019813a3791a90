"""
Threads and blocks
==================

A graphics card does ten thousand multiplications at the same time, and yet each of its workers is slower than the
processor's. How must a program be written that so many slow workers are fast together?

:time: 30 s
"""

# %%
# Many slow workers
# -----------------
#
# A processor (CPU) has a few cores, and each of them does its best to finish *one* piece of work soon. A graphics card
# (**GPU**) has thousands of simple units. None of them is in a hurry; what counts is how much all of them do together.
# Here is what the data sheet of one GPU, NVIDIA's A100, says. It has 108 parts called **multiprocessors**. Each of them
# does 64 multiplications, with an addition each, in one tick of its clock.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

from kernels.cuda import arrays
from kernels.cuda.compiler import cuda, float32, why_no_gpu
from kernels.cuda.kernel import Kernel, running_on
from kernels.cuda.roofline import A100
from kernels.simulator import KernelFault, Simulator, barriers, simulate
from lessons import save_figure

at_once = A100.sms * A100.fp32_units
print(f"{A100.name}: {at_once} multiply-adds at once, {2 * at_once * A100.clock:.3g} operations a second")

# %%
# Most of the time, though, a program does not compute: it waits for memory. When a number is asked for, it takes
# several hundred ticks until it arrives; let us say 500. A CPU keeps what it may need again close by, in caches. A GPU
# does something simpler: whoever must wait steps aside, and somebody else computes. That works if there are enough
# others. How many? The memory of an A100 can deliver :math:`2 \cdot 10^{12}` bytes in a second. To keep it busy, so
# many numbers of 4 bytes must be under way at any time:

under_way = A100.bandwidth * (500 / A100.clock) / 4
threads_held = A100.sms * A100.threads_per_sm
print(f"numbers under way: {under_way:.0f}; workers that the {A100.name} holds ready: {threads_held}")
assert under_way < threads_held

# %%
# So this is the bargain: if each of 200,000 workers waits for one number, nobody notices the waiting. The workers are
# called **threads**, and a program for them is a **kernel** (it has nothing to do with those of lesson 20): a function
# that says what *one* thread does.
#
# The first kernel
# ----------------
#
# We want :math:`y_i \leftarrow a\,x_i + y_i` for every i. On a CPU one writes a loop:


def axpy_by_loop(a, x, y):
    for i in range(len(y)):
        y[i] = a * x[i] + y[i]


# %%
# A kernel is the body of the loop. The loop itself is gone: there is a thread for each i, and each thread must find out
# which i is its own. For this it knows three numbers.
#
# Threads come in **blocks** of equal size, at most 1024 threads in each. All blocks of a launch are its **grid**. A
# thread knows its place in the block (``cuda.threadIdx.x``), the number of its block (``cuda.blockIdx.x``) and the
# size of a block (``cuda.blockDim.x``). Before block b there are b whole blocks, hence
#
# .. math:: i = \text{block} \cdot \text{threads in a block} + \text{place in the block}


def axpy(a, x, y):
    i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    if i < y.size:
        y[i] = a * x[i] + y[i]


# %%
# And the ``if``? Take 1000 numbers and blocks of 256 threads. Three blocks are too few and four are 24 threads too
# many. The number of blocks is the quotient, rounded *up*; in Python ``-(-n // threads)``. The threads beyond the
# **ragged end** have nothing to do, and must know it.
#
# To run a kernel we need a GPU. Most readers have none at hand, so this project has a **simulator**: it runs each
# thread on the CPU, one after the other, in three orders (forwards, backwards, at random), and watches everything that
# they do. It is slow, but it sees more than a GPU tells. Where there is a GPU, this lesson uses it too, and compares.
#
# ``Kernel`` puts the thread's function together with the size of a block and the types of the arguments: ``float32`` is
# a number of 4 bytes, ``float32[::1]`` an array of them whose numbers lie side by side.

WHY_NO_GPU = why_no_gpu()
print(f"kernels run in the simulator{f' only: {WHY_NO_GPU}' if WHY_NO_GPU else ', and on the GPU as well'}")


def run(kernel, grid, *arguments):
    """Launch in the simulator, and on the GPU if there is one; the simulator's report."""
    on_gpu = [] if WHY_NO_GPU else [arrays.view(a) if isinstance(a, np.ndarray) else a for a in arguments]
    with running_on(Simulator(counting=True)) as simulator:
        kernel.launch(grid, *arguments)
    if on_gpu:
        kernel.launch(grid, *on_gpu)
        for ours, theirs in zip(arguments, on_gpu, strict=True):
            assert not isinstance(ours, np.ndarray) or np.allclose(ours, theirs.copy_to_host(), rtol=1e-5, atol=1e-6)
    return simulator.reports[-1]


VECTOR = "float32[::1]"
THREADS = 256

rng = np.random.default_rng(0)
x, y = rng.normal(size=(2, 1000)).astype(np.float32)
expected = y.copy()
axpy_by_loop(np.float32(0.3), x, expected)

blocks = -(-y.size // THREADS)
axpy_kernel = Kernel(axpy, threads=THREADS, types=f"float32, {VECTOR}, {VECTOR}")
report = run(axpy_kernel, blocks, np.float32(0.3), x, y)
print(f"{blocks} blocks of {THREADS} threads; kernel and loop differ by {np.abs(y - expected).max():.0e}")
assert np.allclose(y, expected, rtol=1e-6, atol=1e-6)

# %%
# (Not by exactly zero: a GPU rounds :math:`a x + y` once, the loop rounds twice.)
#
# What if we forget the ``if``? Thread 1000 reads a number that lies behind the end of x. On a GPU that number is
# whatever happens to be there, and worse, what stands behind y is overwritten. Perhaps the program stops; perhaps it
# goes on with a wrong number somewhere else. The simulator stops at once and names the line, the block and the thread:


def axpy_without_end(a, x, y):
    i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    y[i] = a * x[i] + y[i]


def fault_of(kernel, grid, threads, *arguments):
    """What the simulator finds wrong with a kernel."""
    try:
        simulate(kernel, grid, threads, *arguments)
    except KernelFault as fault:
        print(f"{type(fault).__name__}: {fault}")
        return type(fault).__name__
    return "no fault"


assert fault_of(axpy_without_end, blocks, THREADS, np.float32(0.3), x, y) == "OutOfBounds"

# %%
# Who does what
# -------------
#
# Images and matrices have two axes, and so may blocks and grids: ``x`` runs along a row, ``y`` down. This kernel writes
# down who has been where. Each thread leaves the number of its block, and that of its **warp**: a multiprocessor does
# not run the threads of a block one by one but in groups of 32 neighbours, and such a group, a warp, takes each step
# together. The threads are counted along x first.

ACROSS, DOWN = 16, 4  # threads of a block: 64, which are two warps


def sign(block, warp):
    row = cuda.blockIdx.y * DOWN + cuda.threadIdx.y
    column = cuda.blockIdx.x * ACROSS + cuda.threadIdx.x
    if row < block.shape[0] and column < block.shape[1]:
        block[row, column] = cuda.blockIdx.y * cuda.gridDim.x + cuda.blockIdx.x
        warp[row, column] = (cuda.threadIdx.y * ACROSS + cuda.threadIdx.x) // 32


height, width = 10, 40
block, warp = np.full((2, height, width), -1, np.int32)
grid = (-(-width // ACROSS), -(-height // DOWN))  # x first: 3 blocks across, 3 down
sign_kernel = Kernel(sign, threads=(ACROSS, DOWN), types="int32[:, ::1], int32[:, ::1]")
run(sign_kernel, grid, block, warp)
assert block.max() == 8
assert warp.max() == 1

everybody = np.full((grid[1] * DOWN, grid[0] * ACROSS), -1)  # also the threads that have nothing to do
everybody[:height, :width] = 2 * block + warp
fig, ax = plt.subplots(figsize=(10, 3.2), layout="constrained")
shades = ListedColormap(["whitesmoke", *plt.get_cmap("tab20").colors[:18]])
ax.pcolormesh(everybody, cmap=shades, vmin=-1.5, vmax=17.5, edgecolor="white", linewidth=0.6)
for down in range(grid[1]):
    for across in range(grid[0]):
        middle = ((across + 0.5) * ACROSS, (down + 0.5) * DOWN)
        box = dict(facecolor="white", edgecolor="none", boxstyle="round")
        ax.annotate(f"block ({across}, {down})", middle, ha="center", va="center", bbox=box)
ax.add_patch(plt.Rectangle((0, 0), width, height, fill=False, linewidth=2))
ax.set(xticks=range(0, 49, ACROSS), yticks=range(0, 13, DOWN), xlabel="column (x)", ylabel="row (y)", aspect="equal")
ax.invert_yaxis()
ax.set_title("10 x 40 numbers (black frame) under 3 x 3 blocks; dark and light: two warps; grey: nothing to do")
save_figure(fig, "who")

# %%
# No order is promised: not among blocks, nor among the warps of a block. Blocks go to whichever multiprocessor has
# room. This is what lets one program run on small and on large GPUs, and it is why the simulator tries several orders:
# a right kernel gives the same bits in each of them.
#
# Neighbours ask together
# -----------------------
#
# When a warp reads memory, its 32 threads ask at the same moment. The memory does not hand out single numbers but
# **sectors** of 32 bytes, which hold 8 neighbouring ``float32``. Do 32 threads ask for 32 neighbours, four sectors
# answer all of them, and every byte of them is used. This is called a **coalesced** access. Do they ask for numbers
# that lie apart, each of them may need a sector of its own, and most of what is sent is thrown away.
#
# We read every s-th number and let the simulator count. Between the first and the last number of a warp lie 32 s
# numbers, which are 4 s sectors; but more than 32, one for each thread, are never needed:
#
# .. math:: \text{sectors of a warp} = \min(4 s,\; 32)


def read_every(x, y, stride):
    i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    if i < y.size:
        y[i] = x[i * stride]


read_kernel = Kernel(read_every, threads=THREADS, types=f"{VECTOR}, {VECTOR}, int32")
x = rng.normal(size=32 * THREADS).astype(np.float32)
strides = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32]
sectors = []
for stride in strides:
    y = np.zeros(THREADS, np.float32)
    reads = run(read_kernel, 1, x, y, stride).counts.of("x", action="load")
    assert np.array_equal(y, x[::stride][:THREADS])
    assert reads.requests == THREADS // 32  # one for each warp
    sectors.append(reads.sectors / reads.requests)
    assert sectors[-1] == min(4 * stride, 32)
print(f"sectors for a warp: {sectors[0]:.0f} for neighbours, {sectors[-1]:.0f} for every 32nd number")

# %%
# That is a factor of 8 in time, if memory is the limit, for a change that no formula shows. The usual place to meet it
# is a matrix. NumPy lays matrices out row after row. To add up the columns, give each thread a column: in each step a
# warp then reads 32 neighbours in a row. To add up the rows, one would like to give each thread a row. But then the
# threads of a warp read, in each step, numbers that are a whole row apart.

SIDE = 128


def sum_columns(matrix, sums):
    column = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    total = float32(0.0)
    for row in range(matrix.shape[0]):
        total += matrix[row, column]
    sums[column] = total


def sum_rows(matrix, sums):
    row = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    total = float32(0.0)
    for column in range(matrix.shape[1]):
        total += matrix[row, column]
    sums[row] = total


matrix = rng.normal(size=(SIDE, SIDE)).astype(np.float32)
excess = {}
for thread, axis in [(sum_columns, 0), (sum_rows, 1)]:
    sums = np.zeros(SIDE, np.float32)
    report = run(Kernel(thread, threads=SIDE, types=f"float32[:, ::1], {VECTOR}"), 1, matrix, sums)
    reads = report.counts.of("matrix")
    excess[thread.__name__] = reads.sectors * 32 / matrix.nbytes
    assert np.allclose(sums, matrix.sum(axis=axis), atol=1e-4)
    print(f"{thread.__name__}: {reads.bytes} bytes asked for, {32 * reads.sectors} bytes sent")
assert excess == {"sum_columns": 1, "sum_rows": 8}

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained", width_ratios=[3, 2])
left.plot(strides, sectors, "o-", label="counted")
left.plot(strides, np.minimum(4 * np.array(strides), 32), "k:", label="min(4 s, 32)")
left.set(xlabel="stride s: every s-th number is read", ylabel="sectors for a warp", ylim=(0, 35), xticks=strides)
left.set_title("What a warp asks for")
left.legend(loc="lower right")
right.bar(["a thread for\neach column", "a thread for\neach row"], excess.values(), color=["C2", "C3"])
right.set(ylabel="bytes sent / bytes of the matrix", title="Sums of a 128 x 128 matrix")
save_figure(fig, "sectors")

# %%
# (A cache may keep the sectors until the other seven numbers are asked for. With thousands of threads that all read
# something else, it is soon full.)
#
# Shared memory and barriers
# --------------------------
#
# So far no thread needed another. Now we want the sum of all numbers of x. On a CPU,


def sum_by_loop(x):
    total = np.float32(0)
    for number in x:
        total += number
    return total


# %%
# Each addition waits for the one before: 255 steps for 256 numbers. With many workers it goes faster: pair the numbers
# up and add all pairs at once, then pair up these sums, and so on. With 256 numbers it takes 8 steps, since
# :math:`2^8 = 256`. Such a **reduction tree** needs two things:
#
# * A place where threads of a block can hand numbers to each other: **shared memory**, a small fast memory that each
#   block has for itself. ``cuda.shared.array(256, float32)`` is a piece of it; the size must be a plain number, or a
#   name whose value is known before the kernel runs.
# * A way to wait until the others are done: the **barrier** ``cuda.syncthreads()``. Nobody passes it until all threads
#   of the block have come to it; and what was written before, all can read after.


def block_sum(x, sums):
    shared = cuda.shared.array(THREADS, float32)
    t = cuda.threadIdx.x
    i = cuda.blockIdx.x * THREADS + t
    shared[t] = x[i] if i < x.size else float32(0.0)
    cuda.syncthreads()
    half = THREADS // 2
    while half > 0:
        if t < half:
            shared[t] += shared[t + half]
        cuda.syncthreads()
        half //= 2
    if t == 0:
        sums[cuda.blockIdx.x] = shared[0]


# %%
# With 8 numbers, the tree looks as follows. In each step, the first half adds the second half to itself.

fig, ax = plt.subplots(figsize=(9, 3), layout="constrained")
numbers = np.arange(1, 9)
for step, half in enumerate([8, 4, 2, 1]):
    if step:
        numbers = numbers[:half] + numbers[half:]
        ax.axhline(-step + 0.5, xmax=0.9, color="C3", linewidth=0.8, linestyle="--")
        ax.text(7.6, -step + 0.5, "barrier", va="center", color="C3")
    for t, number in enumerate(numbers):
        ax.text(t, -step, number, ha="center", va="center", bbox=dict(boxstyle="square,pad=0.4", facecolor="lightblue"))
        for source in [t, t + half] if step else []:
            ax.annotate("", (t, -step + 0.2), (source, -step + 0.8), arrowprops=dict(arrowstyle="->", color="0.4"))
ax.set(xlim=(-0.5, 8.4), ylim=(-3.5, 0.5), xticks=range(8), yticks=[], xlabel="place in shared memory = thread")
ax.set_title("A reduction tree: 8 numbers, 3 steps")
save_figure(fig, "tree")

# %%
# Blocks cannot wait for each other, for it is not even promised that they run at the same time. So each block hands in
# its own sum, and a second launch adds up these: a launch begins when the one before has ended.

x = rng.uniform(size=8000).astype(np.float32)


def sum_of(kernel, x):
    """All of x, by as many launches as it takes; and the report of the first."""
    reports = []
    while x.size > 1:
        sums = np.zeros(-(-x.size // THREADS), np.float32)
        reports.append(run(kernel, sums.size, x, sums))
        x = sums
    return x[0], reports[0]


tree_kernel = Kernel(block_sum, threads=THREADS, types=f"{VECTOR}, {VECTOR}")
by_tree, tree_report = sum_of(tree_kernel, x)
exact = x.astype(np.float64).sum()
print(f"wrong by: the tree {abs(by_tree - exact) / exact:.0e}, the loop {abs(sum_by_loop(x) - exact) / exact:.0e}")
assert abs(by_tree - exact) < abs(sum_by_loop(x) - exact)

# %%
# The tree is not only faster. It is more exact as well: the loop adds each small number to an ever larger sum and
# rounds there, while the tree adds numbers of like size.
#
# The forgotten barrier
# ---------------------
#
# What if a barrier is missing? Then a thread may read a number that its neighbour has not written yet. Or it has; it
# depends on who is faster. This is a **race**, the worst fault of all, for it may sleep for years. The simulator keeps,
# for each number, who touched it last since the barrier, and does not need bad luck to find a race. ``barriers`` leaves
# out one barrier after the other:

x_short = x[: 2 * THREADS]
found = []
for line, broken in barriers(block_sum):
    print(f"without the barrier in line {line}:")
    found.append(fault_of(broken, 2, THREADS, x_short, np.zeros(2, np.float32)))
assert found == ["Uninitialised", "Race"]

# %%
# Without the first barrier, thread 0 adds a number before its owner has put it there. Without the second, thread 0
# runs through all its steps at once and has read ``shared[1]`` long before thread 1 adds to it: thread 0 is one of the
# "others" in the message.
#
# The other way to go wrong: a barrier that not everybody comes to. In the tree only the first half has anything to add.
# Somebody may think that only these need to wait:


def block_sum_divergent(x, sums):
    shared = cuda.shared.array(THREADS, float32)
    t = cuda.threadIdx.x
    shared[t] = x[cuda.blockIdx.x * THREADS + t]
    cuda.syncthreads()
    half = THREADS // 2
    while half > 0:
        if t < half:
            shared[t] += shared[t + half]
            cuda.syncthreads()
        half //= 2
    if t == 0:
        sums[cuda.blockIdx.x] = shared[0]


assert fault_of(block_sum_divergent, 2, THREADS, x_short, np.zeros(2, np.float32)) == "DivergentBarrier"

# %%
# Half of the threads wait for the others, who have long gone home. A GPU may hang here, or go on with wrong numbers.
# The rule: **all threads of a block must come to the same barrier**; an ``if`` around it must be true for all or none.
#
# From register to register
# -------------------------
#
# The last five steps, from 32 numbers to one, concern a single warp. Its threads take each step together anyway, and
# they have a shorter way to each other: a **shuffle** hands a number from one thread's registers (where its variables
# are) to another's, without memory and without a barrier. ``cuda.shfl_down_sync(mask, value, d)`` gives a thread the
# value of the one that is d places further on. The mask says which threads of the warp take part, a bit for each; here
# it is all 32.

EVERYBODY = 0xFFFFFFFF


def block_sum_shuffled(x, sums):
    shared = cuda.shared.array(THREADS, float32)
    t = cuda.threadIdx.x
    i = cuda.blockIdx.x * THREADS + t
    shared[t] = x[i] if i < x.size else float32(0.0)
    cuda.syncthreads()
    half = THREADS // 2
    while half >= 32:
        if t < half:
            shared[t] += shared[t + half]
        cuda.syncthreads()
        half //= 2
    if t < 32:
        total = shared[t]
        distance = 16
        while distance > 0:
            total += cuda.shfl_down_sync(EVERYBODY, total, distance)
            distance //= 2
        if t == 0:
            sums[cuda.blockIdx.x] = total


shuffled_kernel = Kernel(block_sum_shuffled, threads=THREADS, types=f"{VECTOR}, {VECTOR}")
by_shuffles, shuffled_report = sum_of(shuffled_kernel, x)
assert by_shuffles == by_tree  # the same pairs were added: not a bit is different

for name, report in [("tree", tree_report), ("tree, then shuffles", shuffled_report)]:
    blocks = report.counts.blocks
    requests = report.counts.of(space="shared").requests / blocks
    print(f"{name}: {report.barriers / blocks:.0f} barriers and {requests:.0f} requests to shared memory a block")
assert tree_report.barriers == 9 * blocks
assert shuffled_report.barriers == 4 * blocks

# %%
# By hand, for the tree: 8 warps write their number, 8 requests. A step in which w warps take part makes 3 w requests:
# two reads and a write. The steps have 4, 2, 1, and then, for 16 threads and fewer, five more times 1 warp. With the
# last read that is :math:`8 + 3\,(4 + 2 + 1 + 5) + 1 = 45`. With shuffles, the last five steps cost nothing of the
# kind: :math:`8 + 3\,(4 + 2 + 1) + 1 = 30`.

assert tree_report.counts.of(space="shared").requests == 45 * blocks
assert shuffled_report.counts.of(space="shared").requests == 30 * blocks

# %%
# Summary
# -------
#
# * A GPU is fast because 200,000 threads wait at the same time, and so memory never has to wait for them.
# * A kernel says what one thread does. Its index is block times size of a block plus place in the block; the number of
#   blocks is rounded up, and threads beyond the end must do nothing.
# * 32 neighbouring threads are a warp. If they ask for 32 neighbouring numbers, 4 sectors of 32 bytes are moved; if
#   they ask for numbers far apart, 32.
# * Threads of a block share a small fast memory, and wait for each other at barriers. A barrier too few is a race; one
#   that not all come to may hang.
# * A reduction tree adds n numbers in :math:`\log_2 n` steps, and rounds less than a loop does.
# * No order is promised. The simulator tries several, and finds faults that a GPU may hide for years.
#
# Next: lesson 61 multiplies matrices with all of this.
#
# Exercises
# ---------
#
# Start your file with ``from kernels.cuda.compiler import cuda, float32`` and write each kernel as a plain function.
#
# 1. (checked) Write ``reverse(x, y)``: y is x from back to front, for any length. Blocks have 64 threads. Check it with
#    ``python -m lessons check 60 my_solution.py``, which runs it in the simulator.
# 2. (checked) Write ``block_largest(x, largest)``: ``largest[b]`` is the largest number that block b sees. Blocks have
#    64 threads, and x may end in the middle of the last one.
# 3. (checked) Write ``transpose(x, y)``: y is the transpose of the matrix x, and both are to be read and written in
#    whole sectors. Blocks have 16 x 16 threads. Hint: a row of x is a column of y; so write to shared memory one way
#    round and read it the other way round.
# 4. How many warps does a block of 48 threads have, and how many lanes of them do nothing? What about blocks of 16 x 3?
#    Let ``sign`` tell you.
# 5. The simulator counts 8 times the bytes for ``sum_rows``. Let instead one *warp* add up a row: lane 0 takes the
#    numbers 0, 32, 64, ..., lane 1 the numbers 1, 33, 65, ..., and shuffles add up the lanes. How many sectors now?
