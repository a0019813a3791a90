"""
Softmax on a GPU
================

Softmax needs the largest number of a row before it takes a single power, and the sum of all powers before it writes a
single result. So the row must be read three times. Or must it?

:time: 30 s
"""

# %%
# Three passes
# ------------
#
# Lesson 03 made probabilities of a row of scores x. With m for the largest of them and l for the sum of the powers,
#
# .. math:: m = \max_j x_j, \qquad l = \sum_j e^{x_j - m}, \qquad p_j = \frac{e^{x_j - m}}{l}
#
# Each of the three needs the one before to be finished. So a program walks over the row three times: for m, for l, and
# to write p. A GPU hardly notices the arithmetic; what takes time is to fetch numbers from memory (lesson 60). An
# element is read three times and written once, 4 bytes each time: 16 bytes. The least that is possible is 8, one read
# and one write. This lesson goes from 16 to 12, and from there to 8, and what it finds on the way is the key to
# lesson 64.
#
# Do we need m at all? It cancels in the quotient, and without it one pass less would do. But a ``float32`` ends near
# :math:`3.4 \cdot 10^{38}`, which is :math:`e^{88.7}`:

import math

import matplotlib.pyplot as plt
import numpy as np

import minidl
import minidl.nn.functional as F
from kernels.cuda import arrays, roofline
from kernels.cuda import softmax as family
from kernels.cuda.compiler import cuda, device, float32, why_no_gpu
from kernels.cuda.kernel import Kernel, running_on
from kernels.simulator import Simulator
from lessons import save_figure


def softmax(x):
    """By the definition, for each row of a matrix."""
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


scores = np.array([[88, 89, 90]], np.float32)
with np.errstate(all="ignore"):
    powers = np.exp(scores)
    without_m = powers / powers.sum()
print("powers:", powers[0], " without m:", without_m[0], " with m:", softmax(scores)[0].round(4))
assert np.isnan(without_m).any()
assert np.allclose(softmax(scores), softmax(scores - 88))

# %%
# With m, all exponents are at most 0, all powers at most 1, and one of them is 1. Nothing overflows, and l, being at
# least 1, is safe to divide by.
#
# What a warp knows
# -----------------
#
# Which threads compute what? We give each row a block of 128 threads. Thread t takes the numbers t, t + 128, t + 256,
# ... of the row: neighbours read neighbours. Then 128 threads have 128 maxima, and **all** of them need the one of the
# whole row.
#
# Lesson 60 ended with shuffles, where a thread of a warp reads a register of another. There the sum arrived at thread
# 0. If all are to have it, both of a pair must profit: in each step, thread t takes the number of the thread whose
# place differs from t in *one bit*, first by 1, then by 2, 4, 8, 16 (in Python: ``t ^ d``), while that one takes the
# number of t. Nobody idles, and nobody is left behind. It is called a **butterfly**, for what it looks like:

fig, ax = plt.subplots(figsize=(9, 3.4), layout="constrained")
numbers = np.array([3, 1, 4, 1, 5, 9, 2, 6])
for step in range(4):
    if step:
        partner = np.arange(8) ^ (1 << step - 1)
        for t in range(8):
            ax.plot([t, t], [-step + 0.82, -step + 0.18], color="0.6", linewidth=1)
            ax.plot([partner[t], t], [-step + 0.82, -step + 0.18], color=f"C{step}", linewidth=1.3)
        ax.text(7.5, -step + 0.5, f"t ^ {1 << step - 1}", va="center", color=f"C{step}")
        numbers = np.maximum(numbers, numbers[partner])
    for t, number in enumerate(numbers):
        shade = "gold" if number == 9 else "lightblue"
        ax.text(t, -step, number, ha="center", va="center", bbox=dict(boxstyle="square,pad=0.35", facecolor=shade))
ax.set(xlim=(-0.5, 8.3), ylim=(-3.4, 0.4), xticks=range(8), yticks=[], xlabel="thread")
ax.set_title("A butterfly: after 3 steps, all 8 threads know the largest number")
save_figure(fig, "butterfly")
assert (numbers == 9).all()

# %%
# 32 threads need 5 steps. A function that kernels call is marked by ``@device``.

EVERYBODY = 0xFFFFFFFF
NEGATIVE_INFINITY = float32(-math.inf)


@device
def warp_max(m):
    for step in range(5):
        m = max(m, cuda.shfl_xor_sync(EVERYBODY, m, 1 << step))
    return m


@device
def warp_sum(l):
    for step in range(5):
        l += cuda.shfl_xor_sync(EVERYBODY, l, 1 << step)
    return l


# %%
# Now the kernel. Its block has four warps, and shuffles do not reach from one to another. So the first thread of each
# warp writes down what its warp has found, everybody waits at a barrier, and then everybody reads all four.

THREADS = 128
WARPS = THREADS // 32


def three_passes(x, p):
    maxima = cuda.shared.array(WARPS, float32)
    sums = cuda.shared.array(WARPS, float32)
    t, row = cuda.threadIdx.x, cuda.blockIdx.x
    m = NEGATIVE_INFINITY
    for j in range(t, x.shape[1], THREADS):  # first pass
        m = max(m, x[row, j])
    m = warp_max(m)
    if t % 32 == 0:
        maxima[t // 32] = m
    cuda.syncthreads()
    for w in range(WARPS):
        m = max(m, maxima[w])

    l = float32(0.0)
    for j in range(t, x.shape[1], THREADS):  # second pass
        l += math.exp(x[row, j] - m)
    l = warp_sum(l)
    if t % 32 == 0:
        sums[t // 32] = l
    cuda.syncthreads()
    l = float32(0.0)
    for w in range(WARPS):
        l += sums[w]

    for j in range(t, x.shape[1], THREADS):  # third pass
        p[row, j] = math.exp(x[row, j] - m) / l


# %%
# As in lesson 60, kernels run in the simulator, and on the GPU too if there is one. We take rows of 1000 numbers, which
# is no multiple of 128, and compare with NumPy in double precision.

WHY_NO_GPU = why_no_gpu()
print(f"kernels run in the simulator{f' only: {WHY_NO_GPU}' if WHY_NO_GPU else ', and on the GPU as well'}")


def run(thread, blocks, *arguments):
    """Launch in the simulator, and on the GPU if there is one; the simulator's report."""
    types = ", ".join(f"{a.dtype}[{':, ' * (a.ndim - 1)}::1]" for a in arguments)
    kernel = Kernel(thread, threads=THREADS, types=types)
    on_gpu = [] if WHY_NO_GPU else [arrays.view(a) for a in arguments]
    with running_on(Simulator(counting=True)) as simulator:
        kernel.launch(blocks, *arguments)
    if on_gpu:
        kernel.launch(blocks, *on_gpu)
        for ours, theirs in zip(arguments, on_gpu, strict=True):
            assert np.allclose(ours, theirs.copy_to_host(), rtol=1e-5, atol=1e-6, equal_nan=True)
    return simulator.reports[-1]


def bytes_an_element(report, elements):
    """From and to global memory."""
    return report.counts.of(space="global").bytes / elements


rng = np.random.default_rng(0)
rows, columns = 6, 1000
x = rng.normal(scale=3, size=(rows, columns)).astype(np.float32)
right = softmax(x.astype(np.float64))

p = np.full_like(x, np.nan)
plain = run(three_passes, rows, x, p)
moved = {"three passes": bytes_an_element(plain, x.size)}
error = np.abs(p / right - 1).max()
print(f"three passes: {moved['three passes']:.0f} bytes an element, largest error {error:.0e} of the number itself")
assert np.allclose(p, right, rtol=2e-6, atol=0)
assert moved["three passes"] == 16
assert plain.counts.of("x").excess == 1  # whole sectors, nothing fetched in vain

# %%
# One pass for maximum and sum
# ----------------------------
#
# The second pass waits for m, since each power is taken *relative to m*. But suppose that we took powers relative to
# the largest number **so far**, and it turns out that it was not the largest. Is the work lost? No:
#
# .. math:: e^{x_j - m'} = e^{x_j - m}\; e^{m - m'}
#
# The powers relative to the new m' are the old ones times a factor that is *the same for all of them*. So their sum is
# the old sum times that factor, and we need not look at a single old number again. We carry along m and l; when a new
# x comes,
#
# .. math:: m' = \max(m, x), \qquad l' = l\; e^{m - m'} + e^{x - m'}
#
# This is the **running** (or online) softmax (Milakov and Gimelshein, 2018). It is no approximation. We claim: after k
# numbers,
#
# .. math:: m_k = \max(x_1, \dots, x_k) \qquad\text{and}\qquad l_k = \sum_{j=1}^{k} e^{x_j - m_k}
#
# *Proof by induction.* For k = 1: :math:`m_1 = x_1` and :math:`l_1 = e^{x_1 - x_1} = 1`. And if the claim is true for k
# numbers, the next step makes
#
# .. math::
#    l_{k+1} = l_k\, e^{m_k - m_{k+1}} + e^{x_{k+1} - m_{k+1}}
#    = \sum_{j=1}^{k} e^{x_j - m_k}\, e^{m_k - m_{k+1}} + e^{x_{k+1} - m_{k+1}} = \sum_{j=1}^{k+1} e^{x_j - m_{k+1}}
#
# so it is true for k + 1, and hence for all. Let us watch it.


def running(x):
    """m and l after each number of a row."""
    m, l = x[0], 1.0
    found = [(m, l)]
    for number in x[1:]:
        top = max(m, number)
        l = l * math.exp(m - top) + math.exp(number - top)
        m = top
        found.append((m, l))
    return np.array(found).T


short = np.concatenate([rng.normal(0, 1, 12), [2.6], rng.normal(0, 1, 11), [4.2], rng.normal(0, 1, 15)])
m, l = running(short)
for k in range(1, len(short) + 1):
    assert math.isclose(l[k - 1], np.exp(short[:k] - short[:k].max()).sum(), rel_tol=1e-14)

fig, (above, below) = plt.subplots(2, 1, figsize=(9, 4.6), layout="constrained", sharex=True)
read = np.arange(1, len(m) + 1)
above.plot(read, short, "o", color="0.5", label="$x_k$")
above.step(read, m, where="post", color="C3", label="$m_k$, the largest so far")
above.set(ylabel="score", title="A new largest number, and the sum is measured anew")
above.legend(loc="upper left")
below.step(read, l, where="post", color="C0", label="$l_k$: sum of powers, relative to $m_k$")
for k in read[1:][np.diff(m) > 0]:
    for ax in (above, below):
        ax.axvline(k, color="C3", linewidth=0.7, linestyle=":")
below.set(xlabel="numbers read, k", ylabel="$l_k$", ylim=(0, None))
below.legend(loc="upper left")
save_figure(fig, "running")

# %%
# At each dotted line m jumps up, and l is shrunk by the factor :math:`e^{m - m'}` before the new number adds its
# :math:`e^0 = 1`.
#
# Two halves
# ----------
#
# A single thread can do this. But 128 threads? Each runs over numbers of its own, and in the end there are 128 pairs
# (m, l). Put two of them together by the same trick: measure both sums relative to the larger maximum, then add.
#
# .. math::
#    (m_a, l_a) \oplus (m_b, l_b) = (m,\;\; l_a\, e^{m_a - m} + l_b\, e^{m_b - m}), \qquad m = \max(m_a, m_b)
#
# If the first pair stands for a set A of numbers and the second for a set B, the result stands for both together: the
# maximum of all, and the sum of all powers relative to it. It does not matter who was merged with whom and when; in the
# end there is the same pair, for it depends on nothing but the numbers. So brackets may be put as one likes: the
# operation is **associative**, as + and max are, and this is all that a parallel program wants of it. The running step
# is the special case in which b is a single number, the pair (x, 1).
#
# One trap is left. A score may be :math:`-\infty`: so lesson 40 hides a key. Its power is 0, and no sum should mind.
# But if *all* numbers so far were :math:`-\infty`, then m is :math:`-\infty` as well, and :math:`e^{m - m'}` asks for
# :math:`-\infty - (-\infty)`, which is not a number. It takes only a row that *begins* with a hidden key, or a thread
# that got no others, and a NaN eats the row. The remedy: :math:`e^{x - m}` is 0 for :math:`x = -\infty`, whatever m is.


def exp_below_on_cpu(x, m):
    """e^(x - m) for x <= m."""
    return 0.0 if x == -math.inf else math.exp(x - m)


def merge(a, b):
    (m_a, l_a), (m_b, l_b) = a, b
    m = max(m_a, m_b)
    return m, l_a * exp_below_on_cpu(m_a, m) + l_b * exp_below_on_cpu(m_b, m)


NOTHING = (-math.inf, 0.0)  # the pair of no numbers at all: it changes no other


def pair_of(numbers):
    pair = NOTHING
    for number in numbers:
        pair = merge(pair, (number, 1.0))
    return pair


row = np.array([-math.inf, -math.inf, 1.0, 700.0, -math.inf, 699.0])
assert pair_of(row) == (700.0, 1 + math.exp(-1))
for cut in range(len(row) + 1):
    assert merge(pair_of(row[:cut]), pair_of(row[cut:])) == pair_of(row)

a, b, c = (pair_of(part) for part in np.split(short, [10, 25]))
assert np.allclose(merge(merge(a, b), c), merge(a, merge(b, c)), rtol=1e-14)
assert merge(a, b) == merge(b, a)
with np.errstate(invalid="ignore"):
    unguarded = np.exp(row[1] - row[0])
print(f"e^(-inf - -inf) = {unguarded}; guarded: {pair_of(row[:2])}, the pair of two hidden keys")

# %%
# Two passes
# ----------
#
# Here is the kernel with the running softmax. The butterfly now merges pairs. As for a fourth warp's pair, so for a
# thread without numbers: it has (:math:`-\infty`, 0), and disturbs nobody.


@device
def exp_below(x, m):
    return math.exp(x - m) if x > NEGATIVE_INFINITY else float32(0.0)


@device
def merged(m_a, l_a, m_b, l_b):
    m = max(m_a, m_b)
    return m, l_a * exp_below(m_a, m) + l_b * exp_below(m_b, m)


@device
def block_merge(m, l, maxima, sums):
    """The pair of all threads of the block, for each of them."""
    for step in range(5):
        other_m = cuda.shfl_xor_sync(EVERYBODY, m, 1 << step)
        other_l = cuda.shfl_xor_sync(EVERYBODY, l, 1 << step)
        m, l = merged(m, l, other_m, other_l)
    if cuda.threadIdx.x % 32 == 0:
        maxima[cuda.threadIdx.x // 32] = m
        sums[cuda.threadIdx.x // 32] = l
    cuda.syncthreads()
    m, l = NEGATIVE_INFINITY, float32(0.0)
    for w in range(WARPS):
        m, l = merged(m, l, maxima[w], sums[w])
    return m, l


def two_passes(x, p):
    maxima = cuda.shared.array(WARPS, float32)
    sums = cuda.shared.array(WARPS, float32)
    t, row = cuda.threadIdx.x, cuda.blockIdx.x
    m, l = NEGATIVE_INFINITY, float32(0.0)
    for j in range(t, x.shape[1], THREADS):
        m, l = merged(m, l, x[row, j], float32(1.0))
    m, l = block_merge(m, l, maxima, sums)
    for j in range(t, x.shape[1], THREADS):
        p[row, j] = exp_below(x[row, j], m) / l


p = np.full_like(x, np.nan)
online = run(two_passes, rows, x, p)
moved["two passes"] = bytes_an_element(online, x.size)
error = np.abs(p / right - 1).max()
print(f"two passes: {moved['two passes']:.0f} bytes an element, largest error {error:.0e}")
assert np.allclose(p, right, rtol=2e-6, atol=0)
assert moved["two passes"] == 12
assert (plain.barriers, online.barriers) == (2 * rows, rows)

# %%
# Nothing was lost in exactness, and the barriers went from two to one. What has grown is the arithmetic: the running
# pass takes up to two powers for a number where the plain one took one. That is a good trade as long as memory is what
# we wait for.
#
# The hard cases: a row with hidden keys at its beginning, a row with huge numbers, and a row in which all is hidden. In
# the last one :math:`l = 0`, and 0/0 is not a number. Softmax has no answer there, and says so; NumPy and the engine do
# the same. (Attention is asked the same question and answers 0, as lesson 40 agreed. It is a matter of agreement.)

hard = x[:3].copy()
hard[0, :900] = -np.inf
hard[1] *= 1e30
hard[2] = -np.inf
p = np.zeros_like(hard)
run(two_passes, 3, hard, p)
assert np.allclose(p[:2], softmax(hard[:2].astype(np.float64)), rtol=2e-6, atol=0)
assert (p[0, :900] == 0).all()
assert p[1].max() == 1
assert np.isnan(p[2]).all()
assert np.isnan(minidl.softmax(minidl.tensor(hard), dim=1).numpy()[2]).all()

# %%
# One pass, where the row fits
# ----------------------------
#
# The second reading can be saved as well, if each thread *keeps* its numbers. Registers are the fastest memory that
# there is, and there are many: a thread can have up to 255. With 8 numbers a thread, 128 threads hold a row of 1024.
# Beyond the end of the row they hold :math:`-\infty`, which is what "no number" looks like to a softmax.

KEPT = 8


def in_registers(x, p):
    maxima = cuda.shared.array(WARPS, float32)
    sums = cuda.shared.array(WARPS, float32)
    kept = cuda.local.array(KEPT, float32)  # loops over it have a fixed length, so the compiler can use registers
    t, row = cuda.threadIdx.x, cuda.blockIdx.x
    m, l = NEGATIVE_INFINITY, float32(0.0)
    for k in range(KEPT):
        j = t + k * THREADS
        kept[k] = x[row, j] if j < x.shape[1] else NEGATIVE_INFINITY
        m = max(m, kept[k])
    for k in range(KEPT):
        l += exp_below(kept[k], m)
    m, l = block_merge(m, l, maxima, sums)
    for k in range(KEPT):
        j = t + k * THREADS
        if j < x.shape[1]:
            p[row, j] = exp_below(kept[k], m) / l


p = np.full_like(x, np.nan)
moved["one pass"] = bytes_an_element(run(in_registers, rows, x, p), x.size)
assert np.allclose(p, right, rtol=2e-6, atol=0)
assert moved["one pass"] == 8

# %%
# A thread that has all of its numbers at hand takes the plain way, first its maximum, then its sum. It is the threads'
# *pairs* that are merged, and here the trick saves a barrier.
#
# What is it worth? The function ``roofline.softmax`` knows bytes and operations, and computes the least time in which a
# GPU could do it: no program can be faster than the memory is. This is a bound from a data sheet, not a measurement:
# nothing in this lesson was timed on a GPU. We ask for the scores of a language model, 4096 places and 50,257 words.
# (A power counts as one operation here. In truth it takes a few; memory is the limit all the same.)

A100 = roofline.A100
gpt = {reads: roofline.softmax(4096, 50_257, reads=reads) for reads in (3, 2, 1)}
for bytes_counted, work in zip(moved.values(), gpt.values(), strict=True):
    assert work.bytes == bytes_counted * 4096 * 50_257
    assert work.limit(A100) == "memory"
milliseconds = [1000 * work.seconds(A100) for work in gpt.values()]
arithmetic = 1000 * gpt[3].times(A100)["arithmetic"]
print(f"{A100.name}, at best: " + ", ".join(f"{time:.2f} ms" for time in milliseconds), end="")
print(f"; arithmetic alone {arithmetic:.2f} ms")

names = [name.replace(" ", "\n") for name in moved]
fig, (counted, timed) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
bars = counted.bar(names, list(moved.values()), color=["C3", "C1", "C2"])
counted.bar_label(bars, fmt="%d")
counted.set(ylabel="bytes an element", ylim=(0, 18), title="Moved (counted in the simulator)")
bars = timed.bar(names, milliseconds, color=["C3", "C1", "C2"])
timed.bar_label(bars, fmt="%.2f")
timed.axhline(arithmetic, color="k", linestyle=":", linewidth=1)
timed.text(0.5, arithmetic + 0.1, "arithmetic alone", ha="center", bbox=dict(facecolor="white", edgecolor="none"))
timed.set(ylabel="milliseconds", ylim=(0, 1.15 * max(milliseconds)))
timed.set_title(f"Least time on an {A100.name} (computed)")
save_figure(fig, "bytes")

# %%
# A row of 50,257 fits into no block's registers at 8 numbers a thread, but 1024 threads with 50 numbers each could just
# hold it. And two passes suit any length. So the running softmax has its place with long rows; and it has another one,
# where the scores stand in no memory at all but are made on the way and forgotten. That is lesson 64.
#
# Many blocks for one row
# -----------------------
#
# What if there is one row only, of a million numbers? One block would leave 107 of the A100's 108 multiprocessors idle.
# Merging does not care who made a pair. So each block makes the pair of *its* piece of the row and writes it to memory;
# the next launch merges all pairs, and each of its blocks writes a piece of the result.

PIECE = 1000


def pairs_of_pieces(x, piece_m, piece_l):
    maxima = cuda.shared.array(WARPS, float32)
    sums = cuda.shared.array(WARPS, float32)
    start = cuda.blockIdx.x * PIECE
    m, l = NEGATIVE_INFINITY, float32(0.0)
    for j in range(start + cuda.threadIdx.x, min(start + PIECE, x.size), THREADS):
        m, l = merged(m, l, x[j], float32(1.0))
    m, l = block_merge(m, l, maxima, sums)
    if cuda.threadIdx.x == 0:
        piece_m[cuda.blockIdx.x] = m
        piece_l[cuda.blockIdx.x] = l


def pieces_of_result(x, piece_m, piece_l, p):
    maxima = cuda.shared.array(WARPS, float32)
    sums = cuda.shared.array(WARPS, float32)
    m, l = NEGATIVE_INFINITY, float32(0.0)
    for i in range(cuda.threadIdx.x, piece_m.size, THREADS):
        m, l = merged(m, l, piece_m[i], piece_l[i])
    m, l = block_merge(m, l, maxima, sums)
    start = cuda.blockIdx.x * PIECE
    for j in range(start + cuda.threadIdx.x, min(start + PIECE, x.size), THREADS):
        p[j] = exp_below(x[j], m) / l


long = rng.normal(scale=3, size=20_500).astype(np.float32)
pieces = -(-long.size // PIECE)
piece_m, piece_l, p = np.zeros(pieces, np.float32), np.zeros(pieces, np.float32), np.zeros_like(long)
first = run(pairs_of_pieces, pieces, long, piece_m, piece_l)
second = run(pieces_of_result, pieces, long, piece_m, piece_l, p)
assert np.allclose(p, softmax(long.astype(np.float64)), rtol=5e-6, atol=0)
total = bytes_an_element(first, long.size) + bytes_an_element(second, long.size)
print(f"one row, {pieces} blocks: {total:.2f} bytes an element; the pairs cost what is above 12")

# %%
# The logarithm
# -------------
#
# The loss of a classifier wants :math:`\log p` (lesson 04). Do not take the logarithm of a softmax: a small p may have
# been rounded to 0, and log 0 is :math:`-\infty`. Write the logarithm out instead:
#
# .. math:: \log p_j = \log \frac{e^{x_j - m}}{l} = x_j - m - \log l
#
# Nothing can go wrong: l is at least 1. In the kernel, only the last line changes. A number to remember from this is
# :math:`L = m + \log l`, the **log-sum-exp** of the row: it is :math:`\log \sum_j e^{x_j}` without any overflow, and
# with it alone every p can be made again, :math:`p_j = e^{x_j - L}`. Lesson 64 lives on that.


def log_softmax_kernel(x, log_p):
    maxima = cuda.shared.array(WARPS, float32)
    sums = cuda.shared.array(WARPS, float32)
    t, row = cuda.threadIdx.x, cuda.blockIdx.x
    m, l = NEGATIVE_INFINITY, float32(0.0)
    for j in range(t, x.shape[1], THREADS):
        m, l = merged(m, l, x[row, j], float32(1.0))
    m, l = block_merge(m, l, maxima, sums)
    for j in range(t, x.shape[1], THREADS):
        log_p[row, j] = x[row, j] - m - math.log(l)


far = x.copy()
far[:, 0] = 200  # the others become very unlikely
log_p, far_p = np.zeros_like(x), np.zeros_like(x)
run(log_softmax_kernel, rows, far, log_p)
run(two_passes, rows, far, far_p)
with np.errstate(divide="ignore"):
    too_late = np.log(far_p)
print(f"log of the softmax: {too_late.min()}, log_softmax: {log_p.min():.1f}")
assert np.isneginf(too_late).any()
exact = far - np.float64(200) - np.log(np.exp(far - np.float64(200)).sum(axis=1, keepdims=True))
assert np.allclose(log_p, exact, rtol=1e-6, atol=1e-6)

# %%
# The way back
# ------------
#
# Let :math:`g_i = \partial E/\partial p_i` be what comes back from a loss E. Lesson 03 found
# :math:`\partial p_i/\partial x_j = p_i\,([i = j] - p_j)`, where :math:`[i = j]` is 1 if i and j are equal and 0
# otherwise. Every p depends on every x, so we add up:
#
# .. math::
#    dx_j = \sum_i g_i\, \frac{\partial p_i}{\partial x_j} = \sum_i g_i\, p_i\, [i = j] - p_j \sum_i g_i\, p_i
#    = p_j \Big( g_j - \sum_i g_i\, p_i \Big)
#
# A matrix of slopes, with a million entries for a row of 1000, has shrunk to one sum. There is no maximum to be found
# and no power to be taken: p is known. The kernel reads p and g for the sum, then both again.
#
# For the logarithm, :math:`\partial \log p_i/\partial x_j = [i = j] - p_j`, so :math:`dx_j = g_j - p_j \sum_i g_i`.


def softmax_backward(p, g, dx):
    sums = cuda.shared.array(WARPS, float32)
    t, row = cuda.threadIdx.x, cuda.blockIdx.x
    total = float32(0.0)
    for j in range(t, p.shape[1], THREADS):
        total += g[row, j] * p[row, j]
    total = warp_sum(total)
    if t % 32 == 0:
        sums[t // 32] = total
    cuda.syncthreads()
    total = float32(0.0)
    for w in range(WARPS):
        total += sums[w]
    for j in range(t, p.shape[1], THREADS):
        dx[row, j] = p[row, j] * (g[row, j] - total)


g = rng.normal(size=x.shape).astype(np.float32)
dx = np.full_like(x, np.nan)
report = run(softmax_backward, rows, right.astype(np.float32), g, dx)
print(f"backward: {bytes_an_element(report, x.size):.0f} bytes an element")
assert bytes_an_element(report, x.size) == 20  # two arrays twice, one written

# %%
# Three judges. The slopes of :math:`E = \sum_j g_j\, p_j`, measured by central differences (lesson 01) at the places
# with the largest p; the engine, in double precision; and a property: adding a number to all x of a row changes no p,
# so the slopes of a row must have the sum 0.

x64, g64, step = x.astype(np.float64), g.astype(np.float64), 1e-5
for row, j in enumerate(x.argmax(axis=1)):
    moved_x = np.stack([x64[row], x64[row]])
    moved_x[:, j] += [step, -step]
    up, down = softmax(moved_x) @ g64[row]
    assert math.isclose(dx[row, j], (up - down) / (2 * step), rel_tol=1e-4, abs_tol=1e-6)

tensor = minidl.tensor(x64, requires_grad=True)
(F.softmax(tensor, dim=1) * minidl.tensor(g64)).sum().backward()
print(f"engine and kernel differ by {np.abs(tensor.grad.numpy() - dx).max():.0e}; ", end="")
print(f"a row of slopes sums to {np.abs(dx.sum(axis=1)).max():.0e} at most")
assert np.allclose(dx, tensor.grad.numpy(), rtol=1e-5, atol=1e-7)
assert np.abs(dx.sum(axis=1)).max() < 1e-6

# %%
# Ready to use
# ------------
#
# ``kernels.cuda.softmax`` has softmax, log-softmax and their ways back for arrays of any shape. It looks at the length
# of the rows and chooses: up to 1024 numbers, a warp holds the row in registers; a longer one gets a block, and the
# running softmax. We let the simulator count once more.

for length in (100, 1500):
    short_or_long = x.ravel()[: 3 * length].reshape(3, length)
    with running_on(Simulator(counting=True)) as simulator:
        p = family.softmax(short_or_long)
    assert np.allclose(p, softmax(short_or_long.astype(np.float64)), rtol=2e-6, atol=0)
    if not WHY_NO_GPU:
        assert np.allclose(p, family.softmax(short_or_long), rtol=1e-5, atol=0)
    report = simulator.reports[-1]
    print(f"rows of {length}: {report.kernel}, {bytes_an_element(report, p.size):.0f} bytes an element")
    assert bytes_an_element(report, p.size) == (8 if length <= 1024 else 12)

# %%
# Summary
# -------
#
# * Softmax by the definition reads a row three times, 16 bytes an element with the writing. Memory is the limit, so
#   bytes are time.
# * In a butterfly of shuffles, all 32 threads of a warp get the maximum, or the sum, in 5 steps without memory.
# * Powers relative to an old maximum become powers relative to a new one by the common factor :math:`e^{m - m'}`. So
#   maximum and sum need one pass, and the result is exact: 12 bytes. If a row fits into registers: 8.
# * Pairs (m, l) can be merged, in any order: threads, warps and blocks may share a row. The pair of no numbers is
#   (:math:`-\infty`, 0).
# * Where :math:`-\infty` may occur, :math:`e^{-\infty - m}` must be 0 for *every* m, or a NaN is born.
# * :math:`\log p_j = x_j - m - \log l`. The way back: :math:`dx_j = p_j\,(g_j - \sum_i g_i p_i)`.
#
# Next: lesson 64 lets the running softmax carry a weighted sum as well, and attention needs no matrix of weights.
#
# Exercises
# ---------
#
# Start your file with ``import math`` and ``from kernels.cuda.compiler import cuda, float32``; kernels are plain
# functions. Check it with ``python -m lessons check 63 my_solution.py``, which runs them in the simulator.
#
# 1. (checked) Write ``split(whole, a)``, the other way round: from the pair (m, l) of a set of numbers and the pair of
#    one part of it, find the sum of powers of the *rest*, relative to the m of the whole. (No kernel. In floating
#    point it is less exact than merging. Why?)
# 2. (checked) Write the kernel ``log_sum_exp(x, L)``: :math:`L = m + \log l` for each row of a matrix. A block is a
#    *single warp* and has one row; each number may be read only once. Rows may be shorter than a warp, may begin with
#    :math:`-\infty`, and may be :math:`-\infty` throughout (then L is, too).
# 3. (checked) Write the kernel ``log_softmax_backward(log_p, g, dx)``, with :math:`dx_j = g_j - p_j \sum_i g_i`. Blocks
#    have one warp and one row.
# 4. A running step takes two powers, but one of them is always :math:`e^0`. Write ``merged`` with one power alone. Does
#    a GPU, where 32 threads take each step together, gain from an ``if`` there?
# 5. Let ``exp_below`` forget its ``if``. Which of the asserts above fails first, and why not the very first?
