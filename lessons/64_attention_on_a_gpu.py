"""
Attention on a GPU
==================

Attention compares each place of a sequence with every other. For 32,768 places these are a thousand million weights,
for a single head. Where should they all be put? Could we do without ever writing them down?

:time: 30 s
"""

# %%
# The matrix in the middle
# ------------------------
#
# Lesson 40: N queries, N keys and N values of width d are the rows of Q, K and V. Scores, weights and result are
#
# .. math:: S = \frac{Q K^T}{\sqrt d}, \qquad P = \text{softmax}(S) \text{ by row}, \qquad O = P V
#
# What goes in and what comes out has :math:`4 N d` numbers. What stands in the middle, S and P, has :math:`N^2`. Each
# number takes 4 bytes. For the usual width of 64, and for one head:

import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

import minidl
import minidl.nn.functional as F
from kernels.cuda import arrays, roofline
from kernels.cuda import attention as family
from kernels.cuda.compiler import cuda, device, float32, why_no_gpu
from kernels.cuda.kernel import Kernel, running_on
from kernels.simulator import KernelFault, Simulator, simulate
from lessons import save_figure

MiB = 2**20
print("     N   Q, K, V, O         P")
for N in (1024, 4096, 32768):
    print(f"{N:6d} {4 * 4 * N * 64 / MiB:8.0f} MiB {4 * N**2 / MiB:5.0f} MiB")

# %%
# Twice the length, four times the matrix. At 32,768 places, P has 4 GiB where Q, K, V and O together have 32 MiB. And
# twelve heads in each of twelve layers want a P of their own, all of them kept for the way back: 576 GiB. No GPU has so
# much memory. And even where it would fit, it takes time to move P to the memory and back.
#
# Three kernels
# -------------
#
# We begin with what the formula says: a kernel for S, one that makes P of it, one for O. In this lesson the width is 16
# and so is the side of a block: 16 x 16 threads. So a thread has one element of everything: thread (tx, ty) fetches
# element (ty, tx) of a tile, computes one score, and later one element of the result. (A **tile** is a block of a
# matrix; lesson 61 multiplies matrices with them.) Five functions that the kernels of this lesson share:

TILE = 16  # of queries and of keys; also the width of the head
PADDED = (TILE, TILE + 1)  # shared memory has 32 banks; with 17 numbers a row, columns are spread over all of them
EVERYBODY = 0xFFFFFFFF
NEGATIVE_INFINITY = float32(-math.inf)


@device
def fetch(tile, matrix, first):
    """Rows first, first + 1, ... of the matrix go to the tile; zeros stand for rows beyond its end."""
    row = first + cuda.threadIdx.y
    tile[cuda.threadIdx.y, cuda.threadIdx.x] = matrix[row, cuda.threadIdx.x] if row < matrix.shape[0] else float32(0.0)


@device
def dot(a, i, b, j):
    """Row i of tile a times row j of tile b."""
    total = float32(0.0)
    for c in range(TILE):
        total += a[i, c] * b[j, c]
    return total


@device
def combine(a, i, b, j):
    """Row i of tile a times column j of tile b."""
    total = float32(0.0)
    for c in range(TILE):
        total += a[i, c] * b[c, j]
    return total


@device
def row_sum(x, lanes):
    """A butterfly (lesson 63) over groups of 16 or of 32 neighbours."""
    d = 1
    while d < lanes:
        x += cuda.shfl_xor_sync(EVERYBODY, x, d)
        d *= 2
    return x


@device
def row_max(x, lanes):
    d = 1
    while d < lanes:
        x = max(x, cuda.shfl_xor_sync(EVERYBODY, x, d))
        d *= 2
    return x


# %%
# Now the three kernels. The second one is the softmax in two passes of lesson 63, with a warp for each row.


def scores_of(q, k, s, scale):
    tile_q = cuda.shared.array(PADDED, float32)
    tile_k = cuda.shared.array(PADDED, float32)
    query, key = cuda.blockIdx.y * TILE + cuda.threadIdx.y, cuda.blockIdx.x * TILE + cuda.threadIdx.x
    fetch(tile_q, q, cuda.blockIdx.y * TILE)
    fetch(tile_k, k, cuda.blockIdx.x * TILE)
    cuda.syncthreads()
    if query < s.shape[0] and key < s.shape[1]:
        s[query, key] = scale * dot(tile_q, cuda.threadIdx.y, tile_k, cuda.threadIdx.x)


def weights_of(s):
    row = cuda.blockIdx.x
    m, l = NEGATIVE_INFINITY, float32(0.0)
    for j in range(cuda.threadIdx.x, s.shape[1], 32):
        x = s[row, j]
        top = max(m, x)
        l = l * math.exp(m - top) + math.exp(x - top)
        m = top
    top = row_max(m, 32)
    l = row_sum(l * math.exp(m - top), 32)
    for j in range(cuda.threadIdx.x, s.shape[1], 32):
        s[row, j] = math.exp(s[row, j] - top) / l


def result_of(p, v, o):
    tile_p = cuda.shared.array(PADDED, float32)
    tile_v = cuda.shared.array(PADDED, float32)
    query = cuda.blockIdx.x * TILE + cuda.threadIdx.y
    total = float32(0.0)
    for first in range(0, v.shape[0], TILE):
        key = first + cuda.threadIdx.x
        inside = query < p.shape[0] and key < p.shape[1]
        tile_p[cuda.threadIdx.y, cuda.threadIdx.x] = p[query, key] if inside else float32(0.0)
        fetch(tile_v, v, first)
        cuda.syncthreads()
        total += combine(tile_p, cuda.threadIdx.y, tile_v, cuda.threadIdx.x)
        cuda.syncthreads()
    if query < o.shape[0]:
        o[query, cuda.threadIdx.x] = total


# %%
# As before, kernels run in the simulator, in three orders of the threads, and on the GPU too if there is one. The
# simulator counts what two of the blocks ask of the memory. As all blocks do the same, we know what all of them do.

WHY_NO_GPU = why_no_gpu()
print(f"kernels run in the simulator{f' only: {WHY_NO_GPU}' if WHY_NO_GPU else ', and on the GPU as well'}")
SCALE = np.float32(1 / math.sqrt(TILE))


def run(thread, grid, *arguments, threads=(TILE, TILE), counting=2):
    """Launch in the simulator, and on the GPU if there is one; the bytes from and to memory, by array."""
    types = [f"{a.dtype}[{':, ' * (a.ndim - 1)}::1]" if isinstance(a, np.ndarray) else "" for a in arguments]
    types = [text or ("int32" if isinstance(a, int) else "float32") for text, a in zip(types, arguments, strict=True)]
    kernel = Kernel(thread, threads=threads, types=", ".join(types))
    on_gpu = [] if WHY_NO_GPU else [arrays.view(a) if isinstance(a, np.ndarray) else a for a in arguments]
    with running_on(Simulator(counting=counting)) as simulator:
        kernel.launch(grid, *arguments)
    if on_gpu:
        kernel.launch(grid, *on_gpu)
        for ours, theirs in zip(arguments, on_gpu, strict=True):
            assert not isinstance(ours, np.ndarray) or np.allclose(ours, theirs.copy_to_host(), rtol=1e-4, atol=1e-5)
    return bytes_by_array(simulator.reports[-1])


def bytes_by_array(report):
    names = {line.array for line in report.counts.lines if line.space == "global"}
    share = report.counts.blocks / math.prod(report.grid)
    return {name: report.counts.of(name).bytes / share for name in sorted(names)}


def three_kernels(q, k, v):
    N = len(q)
    s, o, tiles = np.full((N, N), np.nan, np.float32), np.full_like(q, np.nan), -(-N // TILE)
    moved = (
        run(scores_of, (tiles, tiles), q, k, s, SCALE),
        run(weights_of, N, s, threads=32),
        run(result_of, tiles, s, v, o),
    )
    return o, sum(sum(each.values()) for each in moved)


def attention(q, k, v, hidden=False):
    """By the definition, in double precision: the result, and the log-sum-exp of each row of scores."""
    q, k, v = (x.astype(np.float64) for x in (q, k, v))
    s = np.where(hidden, -np.inf, q @ k.T / math.sqrt(q.shape[1]))
    m = s.max(axis=1, keepdims=True)
    l = np.exp(s - m).sum(axis=1, keepdims=True)
    return np.exp(s - m) / l @ v, (m + np.log(l))[:, 0]


rng = np.random.default_rng(0)
q, k, v = rng.normal(size=(3, 40, TILE)).astype(np.float32)  # 40: two tiles and a half
q *= 2
right, right_L = attention(q, k, v)
o, _ = three_kernels(q, k, v)
print(f"three kernels: largest error {np.abs(o - right).max():.0e}")
assert np.allclose(o, right, rtol=1e-5, atol=1e-5)

# %%
# How many bytes are moved? S is written (4 bytes for each pair of a query and a key), read twice and written by the
# softmax (12), and read again (4): 20 bytes a pair. For each tile of :math:`T \times T` pairs (T = 16), the first
# kernel fetches two tiles of :math:`T \times d` numbers and the last one fetches one: that is :math:`12\,d/T` bytes a
# pair. And O is written.
#
# .. math:: \text{bytes}_\text{three} = \left(20 + 12\,\frac dT\right) N^2 + 4 N d


def bytes_of_three(N, d, tile):
    return (20 + 12 * d / tile) * N**2 + 4 * N * d


# %%
# A running sum of vectors
# ------------------------
#
# Take a single query, with the scores :math:`s_1, s_2, \dots` Its result is
#
# .. math:: o = \sum_j \frac{e^{s_j - m}}{l}\, v_j = \frac1l \sum_j e^{s_j - m}\, v_j
#
# The division can wait till the end. What is left is a sum of powers relative to m, times vectors; and lesson 63 knows
# what to do with powers when a new maximum m' comes: multiply the sum by :math:`e^{m - m'}`. So we carry along not two
# things but three. With a new score x and its value v,
#
# .. math::
#    m' = \max(m, x), \qquad l' = l\, e^{m - m'} + e^{x - m'}, \qquad o' = o\, e^{m - m'} + e^{x - m'}\, v
#
# and at the very end :math:`o / l`. The claim: after j keys, :math:`o_j = \sum_{i \le j} e^{s_i - m_j}\, v_i`. The
# proof is that of lesson 63, with a v behind each power. For one key, :math:`o_1 = e^0\, v_1`. And if it is true for j,
#
# .. math::
#    o_{j+1} = \sum_{i \le j} e^{s_i - m_j}\, v_i \; e^{m_j - m_{j+1}} + e^{s_{j+1} - m_{j+1}}\, v_{j+1}
#    = \sum_{i \le j + 1} e^{s_i - m_{j+1}}\, v_i
#
# So it is exact. A score is used the moment it is made, and then it may be forgotten: **no row of S need ever exist.**
# This is how attention is computed on GPUs today (Dao and others, 2022, "FlashAttention").
#
# Tile by tile
# ------------
#
# One key at a time would be slow. So we take a tile of 16 keys at once: the new maximum is that of the old one and of
# 16 scores, and what is added are 16 powers and 16 vectors. The same for 16 queries at once. In NumPy, to be read. It
# also returns :math:`L = m + \log l` for each row (lesson 63), which we shall need on the way back.
#
# Under a **causal** mask (lesson 40), a query sees the keys up to its own place. Tiles that lie wholly in the future
# hold nothing but weights of 0. So the loop does not go there at all.


def tiled_attention(q, k, v, causal=False):
    N, d = q.shape
    o, L, visited = np.zeros((N, d)), np.zeros(N), []
    for start in range(0, N, TILE):
        queries = np.arange(start, min(start + TILE, N))
        m, l, total = np.full((len(queries), 1), -np.inf), 0.0, 0.0
        for first in range(0, min(N, start + TILE) if causal else N, TILE):
            visited.append((start // TILE, first // TILE))
            keys = np.arange(first, min(first + TILE, N))
            s = q[queries] @ k[keys].T / math.sqrt(d)  # at most 16 x 16 scores, soon forgotten
            if causal:
                s = np.where(keys > queries[:, None], -np.inf, s)
            new_m = np.maximum(m, s.max(axis=1, keepdims=True))
            p = np.exp(s - new_m)
            l = l * np.exp(m - new_m) + p.sum(axis=1, keepdims=True)
            total = total * np.exp(m - new_m) + p @ v[keys]
            m = new_m
        o[queries], L[queries] = total / l, (m + np.log(l))[:, 0]
    return o, L, visited


hidden = ~np.tri(len(q), dtype=bool)
in_double = [x.astype(np.float64) for x in (q, k, v)]
for causal in (False, True):
    o, L, visited = tiled_attention(*in_double, causal)
    expected, expected_L = attention(q, k, v, hidden if causal else False)
    assert np.allclose(o, expected, rtol=1e-13, atol=1e-13)
    assert np.allclose(L, expected_L, rtol=1e-13)
    print(f"tile by tile{', causal' if causal else ''}: error {np.abs(o - expected).max():.0e}, {len(visited)} tiles")

# %%
# In double precision nothing is lost but the last bits. Is there always a key to be seen? Tile number 0 comes first,
# and every query may see key 0, so m is a number from the first tile on. (With other masks it need not be; then the
# guard against :math:`-\infty - (-\infty)` of lesson 63 is needed.)
#
# One kernel
# ----------
#
# The kernel is the inner part of this, for a block with 16 queries. The thread (tx, ty) has the score of query ty with
# key tx. A query's 16 scores are with 16 neighbouring threads, half a warp: the butterfly finds their maximum and their
# sum. The powers go to shared memory, since the weighted sum needs all 16 of a row; and then the same thread has
# element tx of the result of query ty in a register.


@device
def score(tile_q, i, tile_k, j, scale, query, key, N, causal):
    """Of query and key, which are rows i and j of their tiles; -inf where the key is not there or in the future."""
    if key >= N or (causal and key > query):
        return NEGATIVE_INFINITY
    return scale * dot(tile_q, i, tile_k, j)


def fused(q, k, v, o, L, scale, causal):
    tile_q = cuda.shared.array(PADDED, float32)
    tile_k = cuda.shared.array(PADDED, float32)
    tile_v = cuda.shared.array(PADDED, float32)
    tile_p = cuda.shared.array(PADDED, float32)
    tx, ty, N = cuda.threadIdx.x, cuda.threadIdx.y, q.shape[0]
    start = cuda.blockIdx.x * TILE
    query = start + ty
    fetch(tile_q, q, start)
    m, l, total = NEGATIVE_INFINITY, float32(0.0), float32(0.0)
    end = min(N, start + TILE) if causal else N
    for first in range(0, end, TILE):
        fetch(tile_k, k, first)
        fetch(tile_v, v, first)
        cuda.syncthreads()
        s = score(tile_q, ty, tile_k, tx, scale, query, first + tx, N, causal)
        new_m = max(m, row_max(s, TILE))
        p = math.exp(s - new_m)
        tile_p[ty, tx] = p
        cuda.syncthreads()
        l = l * math.exp(m - new_m) + row_sum(p, TILE)
        total = total * math.exp(m - new_m) + combine(tile_p, ty, tile_v, tx)
        m = new_m
        cuda.syncthreads()
    if query < N:
        o[query, tx] = total / l
        if tx == 0:
            L[query] = m + math.log(l)


def by_fused(q, k, v, causal=False, counting=2):
    o, L = np.full_like(q, np.nan), np.full(len(q), np.nan, np.float32)
    moved = run(fused, -(-len(q) // TILE), q, k, v, o, L, SCALE, int(causal), counting=counting)
    return o, L, moved


for causal in (False, True):
    o, L, _ = by_fused(q, k, v, causal)
    expected, expected_L = attention(q, k, v, hidden if causal else False)
    print(f"one kernel{', causal' if causal else ''}: largest error {np.abs(o - expected).max():.0e}")
    assert np.allclose(o, expected, rtol=1e-5, atol=1e-5)
    assert np.allclose(L, expected_L, rtol=1e-5)

# %%
# What was saved
# --------------
#
# The one kernel reads Q and writes O and L once. Each of the N/T blocks reads all of K and V, :math:`2 N d` numbers.
#
# .. math:: \text{bytes}_\text{fused} = \frac{8 d}{T}\, N^2 + 8 N d + 4 N
#
# This still grows with :math:`N^2`, but with a factor that we can choose: larger tiles of queries, fewer readings. And
# these readings are of another kind. K and V are small enough for the GPU's cache, which serves one block after the
# other, while the S of a long sequence does not fit. We let the simulator count, and compare with the formulas. (It
# counts what the kernels ask for; it has no cache.)


def bytes_of_fused(N, d, tile):
    return 8 * d / tile * N**2 + 8 * N * d + 4 * N


lengths, counted = [16, 32, 48], {"three kernels": [], "one kernel": []}
for N in lengths:
    x = rng.normal(size=(3, N, TILE)).astype(np.float32)
    counted["three kernels"].append(three_kernels(*x)[1])
    counted["one kernel"].append(sum(by_fused(*x)[2].values()))
    assert counted["three kernels"][-1] == bytes_of_three(N, TILE, TILE)
    assert counted["one kernel"][-1] == bytes_of_fused(N, TILE, TILE)
print(f"N = {N}, counted: " + ", ".join(f"{name} {found[-1]:.0f} bytes" for name, found in counted.items()))

fig, (held, moved) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
N = 2.0 ** np.arange(8, 18)
held.loglog(N, 4 * N**2 / MiB, "C3o-", label="P, for one head")
held.loglog(N, (16 * N * 64 + 4 * N) / MiB, "C2o-", label="Q, K, V, O and L, width 64")
held.axhline(80e9 / MiB, color="k", linestyle=":")
held.text(N[0], 80e9 / MiB / 2.6, "all memory of a GPU with 80 GB")
held.set(xlabel="length N", ylabel="MiB", title="What must be kept")
held.set_xscale("log", base=2)
held.legend(loc="lower right")
N = 2.0 ** np.arange(4, 16)
for (name, found), formula, colour in zip(counted.items(), (bytes_of_three, bytes_of_fused), ("C3", "C2"), strict=True):
    moved.loglog(N, formula(N, TILE, TILE) / MiB, color=colour, label=f"{name}: formula")
    moved.loglog(lengths, np.array(found) / MiB, "o", color=colour, label=f"{name}: counted in the simulator")
moved.loglog(N, bytes_of_fused(N, TILE, 64) / MiB, "C0--", label="one kernel, 64 queries a block: formula")
moved.set_xscale("log", base=2)
moved.set(xlabel="length N", ylabel="MiB", title="What is moved (width 16, tiles of 16)")
moved.legend(fontsize=9)
save_figure(fig, "memory")

# %%
# And in time? Take twelve heads of width 64, 4096 places, 64 queries a block. ``roofline`` knows what an A100 needs at
# least, from its data sheet, for the arithmetic and for the memory. Nothing in this lesson was timed, and none of these
# kernels has run on a GPU yet. (For the three kernels it assumes the best ones possible: S is moved with 16 bytes a
# pair, and everything else once.)

A100 = roofline.A100
best_three, best_one = (roofline.attention(12, 4096, 4096, 64, block=block) for block in (None, 64))
memory = {
    "three kernels": best_three.times(A100)["memory"],
    "one kernel, no help from the cache": best_one.times(A100)["memory"],
    "one kernel, K and V in the cache": best_one.times(A100, cached=True)["memory"],
}
arithmetic = {"in float32": best_one.times(A100)["arithmetic"], "by tensor cores": best_one.operations / A100.tf32}
print("memory, ms:", ", ".join(f"{name}: {1e3 * time:.2f}" for name, time in memory.items()))
print("arithmetic, ms:", ", ".join(f"{name}: {1e3 * time:.2f}" for name, time in arithmetic.items()))
assert arithmetic["by tensor cores"] < memory["three kernels"] < arithmetic["in float32"]
assert memory["one kernel, K and V in the cache"] < arithmetic["by tensor cores"]

# %%
# In plain ``float32`` the arithmetic alone takes longer than moving S. But the softmax's kernel computes next to
# nothing: its time with the memory comes on top of that of the others, and the one kernel saves it. The tensor cores,
# parts of the GPU that multiply small matrices at once, are so fast that three kernels would wait for the memory most
# of the time; a single one need not. And in any case, P need not be *kept*.
#
# The future is not even read
# ---------------------------
#
# With a causal mask and n tiles on each side, block number i (from 0) visits i + 1 tiles. All of them together:
#
# .. math:: 1 + 2 + \dots + n = \frac{n (n + 1)}{2} \qquad\text{of}\qquad n^2
#
# For long sequences this is half of the arithmetic and half of the reading. Only the tiles on the diagonal must look at
# each pair; in the others all keys are visible. How many tiles does the kernel visit? Each costs it one tile of K,
# :math:`4 \cdot 16 \cdot 16` bytes:

x = rng.normal(size=(3, 64, TILE)).astype(np.float32)
tiles = by_fused(*x, causal=True, counting=True)[2]["k"] / (4 * TILE * TILE)
print(f"4 x 4 tiles, causal: {tiles:.0f} visited")
assert tiles == 4 * 5 / 2

*_, visited = tiled_attention(*rng.normal(size=(3, 8 * TILE, TILE)), causal=True)
picture = np.zeros((8, 8))
for query_tile, key_tile in visited:
    picture[query_tile, key_tile] = 2 if query_tile == key_tile else 1
assert (picture > 0).sum() == 8 * 9 / 2

fig, (picture_ax, share_ax) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained", width_ratios=[1, 1.2])
picture_ax.pcolormesh(picture, cmap=ListedColormap(["whitesmoke", "C2", "gold"]), edgecolor="white", linewidth=1.5)
for text, key_tile, query_tile in [("whole", 2.5, 5.5), ("not visited", 5.5, 2.5)]:
    picture_ax.text(key_tile, query_tile, text, ha="center", va="center", fontsize=12)
picture_ax.text(4.5, 4.5, "pair\nby pair", ha="center", va="center", fontsize=8)
picture_ax.set(
    xlabel="tile of keys", ylabel="tile of queries", aspect="equal", title="Causal, 128 places: tiles of 16 x 16"
)
picture_ax.set(xticks=np.arange(8) + 0.5, xticklabels=range(8), yticks=np.arange(8) + 0.5, yticklabels=range(8))
picture_ax.invert_yaxis()
n = 2 ** np.arange(0, 9)
share_ax.semilogx(TILE * n, (n + 1) / (2 * n), "C0-", base=2, label="(n + 1) / 2n")
share_ax.plot(64, tiles / 16, "ko", label="counted in the simulator")
share_ax.axhline(0.5, color="k", linestyle=":")
share_ax.set(xlabel="length N", ylabel="share of the tiles", ylim=(0, 1.05), title="The share that is visited")
share_ax.legend()
save_figure(fig, "causal")

# %%
# The fast kernel
# ---------------
#
# Our kernel reads two numbers from shared memory for each multiplication. ``kernels.cuda.attention`` has the same loop
# with two changes, both known from lesson 61: a thread holds 4 x 4 scores and 4 x 8 elements of the result in
# registers, so that each number that it fetches serves several multiplications, and it fetches four numbers at a time.
# A block has 64 queries and meets tiles of 32 keys. It takes arrays as the engine has them, (batch, heads, length,
# width), for widths up to 128. We let it run at width 64 with the causal mask, and count. Of the two blocks, the first
# should visit two tiles of keys and the second four; with all eight, the bytes would be those of the formula with
# T = 64.

N, width = 128, 64
q, k, v = rng.normal(size=(3, N, width)).astype(np.float32)
heads = [x[None, None] for x in (q, k, v)]  # a batch of one, one head
with running_on(Simulator(counting=True)) as simulator:
    fast, fast_L = family.attention(*heads, causal=True)
expected, expected_L = attention(q, k, v, ~np.tri(N, dtype=bool))
print(f"the fast kernel: largest error {np.abs(fast[0, 0] - expected).max():.0e}")
assert np.allclose(fast[0, 0], expected, rtol=1e-5, atol=1e-5)
assert np.allclose(fast_L[0, 0], expected_L, rtol=1e-5)
by_engine = F.scaled_dot_product_attention(*map(minidl.tensor, heads), is_causal=True)
assert np.allclose(fast, by_engine.numpy(), rtol=1e-5, atol=1e-5)
if not WHY_NO_GPU:
    assert np.allclose(family.attention(*heads, causal=True)[0], fast, rtol=1e-5, atol=1e-5)

tile_of_keys = 32 * width * 4  # bytes
moved = bytes_by_array(simulator.reports[-1])
print(f"tiles of keys visited: {moved['k'] / tile_of_keys:.0f} of {2 * 4}")
assert moved["k"] == moved["v"] == (2 + 4) * tile_of_keys
assert sum(moved.values()) == bytes_of_fused(N, width, 64) - 2 * 2 * tile_of_keys

# %%
# The way back
# ------------
#
# Let :math:`G = \partial E/\partial O`. Lesson 40 found the way back, with ``dP`` for :math:`\partial E/\partial P`:
#
# .. math:: dV = P^T G, \qquad dP = G V^T, \qquad dS_{ij} = P_{ij} \Big( dP_{ij} - \sum_k P_{ik}\, dP_{ik} \Big)
#
# and :math:`dQ = dS\, K/\sqrt d`, :math:`dK = dS^T Q/\sqrt d`. Everywhere there is P, which we have not kept. Three
# ideas make it go.
#
# **P can be made again, element by element.** With :math:`L_i = m_i + \log l_i`, as in lesson 63,
#
# .. math:: P_{ij} = \frac{e^{S_{ij} - m_i}}{l_i} = e^{S_{ij} - L_i}
#
# No maximum, no sum, no running anything: L has it all. We keep N numbers instead of :math:`N^2`, and pay with one more
# product, :math:`Q K^T`.
#
# **The sum over the row is known beforehand.** It seems to need a whole row of P and dP. But write dP out,
# :math:`dP_{ik} = g_i \cdot v_k`, and pull :math:`g_i` out of the sum:
#
# .. math::
#    D_i = \sum_k P_{ik}\, dP_{ik} = \sum_k P_{ik}\; g_i \cdot v_k
#    = g_i \cdot \sum_k P_{ik}\, v_k = g_i \cdot o_i
#
# A product of two rows of width d; the length is gone. So :math:`dS_{ij} = P_{ij}\, (dP_{ij} - D_i)`, and each element
# of dS depends on a row of Q and G, a row of K and V, and two numbers.
#
# **Every sum has one owner.** dQ sums over keys; dK and dV sum over queries. In the forward pass a block owns queries.
# Were it to add its share to dV as well, all blocks would add to the same numbers at the same time. What that means,
# the simulator tells (we give it a finished P for once):


def dv_by_all(p, g, dv):
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    for first in range(0, p.shape[1], TILE):
        total = float32(0.0)
        for i in range(cuda.blockIdx.x * TILE, (cuda.blockIdx.x + 1) * TILE):
            total += p[i, first + ty] * g[i, tx]
        dv[first + ty, tx] += total


try:
    simulate(dv_by_all, 2, (TILE, TILE), np.ones((32, 32), np.float32), *np.ones((2, 32, TILE), np.float32))
    found = "no fault"
except KernelFault as fault:
    found = type(fault).__name__
    print(f"{found}: {fault}")
assert found == "Race"

# %%
# One block reads a number, another adds to it meanwhile, the first writes its own sum: an addition is lost. There is an
# instruction against it, the *atomic* addition; but then additions wait for each other, and come in another order each
# time, so that each run rounds differently. Better: **two kernels**. One owns queries, walks over the keys and sums
# up dQ. The other owns keys, walks over the queries and sums up dK and dV. Both make P and dP for themselves: seven
# products instead of five. For this price no two threads ever write to the same number, and each run gives the same
# bits.
#
# With the causal mask, the first walks from tile 0 to the diagonal, and the second from the diagonal to the end.


def backward_queries(q, k, v, g, o, L, D, dq, scale, causal):
    tile_q = cuda.shared.array(PADDED, float32)
    tile_g = cuda.shared.array(PADDED, float32)
    tile_k = cuda.shared.array(PADDED, float32)
    tile_v = cuda.shared.array(PADDED, float32)
    tile_ds = cuda.shared.array(PADDED, float32)
    tx, ty, N = cuda.threadIdx.x, cuda.threadIdx.y, q.shape[0]
    start = cuda.blockIdx.x * TILE
    query = start + ty
    fetch(tile_q, q, start)
    fetch(tile_g, g, start)
    row = min(query, N - 1)  # threads beyond the end compute something, and do not write it
    own_D, own_L, total = row_sum(g[row, tx] * o[row, tx], TILE), L[row], float32(0.0)
    end = min(N, start + TILE) if causal else N
    for first in range(0, end, TILE):
        fetch(tile_k, k, first)
        fetch(tile_v, v, first)
        cuda.syncthreads()
        p = math.exp(score(tile_q, ty, tile_k, tx, scale, query, first + tx, N, causal) - own_L)
        tile_ds[ty, tx] = p * (dot(tile_g, ty, tile_v, tx) - own_D)
        cuda.syncthreads()
        total += combine(tile_ds, ty, tile_k, tx)
        cuda.syncthreads()
    if query < N:
        dq[query, tx] = scale * total
        if tx == 0:
            D[query] = own_D  # for the other kernel


def backward_keys(q, k, v, g, L, D, dk, dv, scale, causal):
    tile_q = cuda.shared.array(PADDED, float32)
    tile_g = cuda.shared.array(PADDED, float32)
    tile_k = cuda.shared.array(PADDED, float32)
    tile_v = cuda.shared.array(PADDED, float32)
    tile_p = cuda.shared.array(PADDED, float32)
    tile_ds = cuda.shared.array(PADDED, float32)
    tx, ty, N = cuda.threadIdx.x, cuda.threadIdx.y, q.shape[0]
    start = cuda.blockIdx.x * TILE
    key = start + ty
    fetch(tile_k, k, start)
    fetch(tile_v, v, start)
    total_k, total_v = float32(0.0), float32(0.0)
    begin = start if causal else 0
    for first in range(begin, N, TILE):
        fetch(tile_q, q, first)
        fetch(tile_g, g, first)
        cuda.syncthreads()
        query = first + tx
        p, ds = float32(0.0), float32(0.0)
        if query < N:
            p = math.exp(score(tile_q, tx, tile_k, ty, scale, query, key, N, causal) - L[query])
            ds = p * (dot(tile_g, tx, tile_v, ty) - D[query])
        tile_p[ty, tx], tile_ds[ty, tx] = p, ds
        cuda.syncthreads()
        total_v += combine(tile_p, ty, tile_g, tx)
        total_k += combine(tile_ds, ty, tile_q, tx)
        cuda.syncthreads()
    if key < N:
        dk[key, tx] = scale * total_k
        dv[key, tx] = total_v


# %%
# The engine does the same
# ------------------------
#
# The judge is ``F.scaled_dot_product_attention`` in double precision, whose gradients lesson 40 has checked against
# measured slopes. We compare the result and all three gradients, with and without the mask.


def engine(q, k, v, g, causal):
    """Result and gradients, in double precision."""
    inputs = [minidl.tensor(x.astype(np.float64)[None, None], requires_grad=True) for x in (q, k, v)]
    o = F.scaled_dot_product_attention(*inputs, is_causal=causal)
    (o * minidl.tensor(g.astype(np.float64)[None, None])).sum().backward()
    return [x.numpy()[0, 0] for x in (o.detach(), *(x.grad for x in inputs))]


N, blocks = 40, 3
q, k, v, g = rng.normal(size=(4, N, TILE)).astype(np.float32)
for causal in (False, True):
    o, L, _ = by_fused(q, k, v, causal)
    D, dq, dk, dv = np.full(N, np.nan, np.float32), *np.full((3, N, TILE), np.nan, np.float32)
    run(backward_queries, blocks, q, k, v, g, o, L, D, dq, SCALE, int(causal))
    run(backward_keys, blocks, q, k, v, g, L, D, dk, dv, SCALE, int(causal))
    apart = [
        np.abs(ours - theirs).max() for ours, theirs in zip((o, dq, dk, dv), engine(q, k, v, g, causal), strict=True)
    ]
    print(f"kernels and engine{', causal' if causal else ''}: O, dQ, dK, dV differ by", *(f"{x:.0e}" for x in apart))
    assert max(apart) < 1e-5

# %%
# And on a GPU, the fast kernels of ``kernels.cuda.attention`` go the same way back. (In the simulator they take longer
# than this lesson has time for. The tests run them there.)

if not WHY_NO_GPU:
    heads = [x[None, None] for x in (q, k, v)]
    fast, fast_L = family.attention(*heads)
    gradients = family.attention_backward(g[None, None], *heads, fast, fast_L)
    for ours, theirs in zip((fast, *gradients), engine(q, k, v, g, False), strict=True):
        assert np.allclose(ours[0, 0], theirs, rtol=1e-4, atol=1e-5)

# %%
# Summary
# -------
#
# * S and P have :math:`N^2` numbers, all else has N d. Written out by three kernels, they cost 20 bytes a pair, and the
#   memory that P needs.
# * A weighted sum can run along with the running softmax: :math:`o' = o\, e^{m - m'} + e^{x - m'}\, v`. It is exact,
#   and each score may be forgotten at once. One kernel, no matrix.
# * What is left to be moved again and again is K and V, once for each block of queries, and a cache can hold them.
# * Causal: tiles in the future are not visited. That is nearly half of them.
# * The way back makes P again from :math:`L = m + \log l`, and replaces the sum over a row by
#   :math:`D_i = g_i \cdot o_i`. One kernel owns queries, another one keys; so there are neither races nor atomics.
#
# Exercises
# ---------
#
# Check your file with ``python -m lessons check 64 my_solution.py``. For kernels, begin it with ``import math`` and
# ``from kernels.cuda.compiler import cuda, float32``.
#
# 1. (checked) The keys are too many for one GPU, so two GPUs have half of them each, and both have all queries. Each
#    finds its results and its L. Write ``merge(O_a, L_a, O_b, L_b)``, in NumPy: O and L for all keys. For some queries
#    one of the halves may have been hidden throughout; its L is then :math:`-\infty` and its result 0.
# 2. (checked) A language model that writes has a single new query and many keys. Write the kernel
#    ``one_query(q, k, v, o)`` for one block of 32 threads and width 32: thread t has column t. Each number of k and v
#    is to be read only once. Hint: a score is a sum over the threads of the warp.
# 3. (checked) Write ``visited(N, rows, columns)``: how many tiles of ``rows`` queries by ``columns`` keys a causal
#    kernel visits, for any N. Try it on the fast kernel's counts.
# 4. In a *sliding window*, a query sees its own place and the 31 before it. Which tiles would the kernels for dQ and
#    for dK and dV visit? How do time and memory grow with N?
# 5. What if a score is 10,000? L is near 10,000 then, and a ``float32`` of that size is rounded by up to 0.0005. How
#    large does the error of :math:`P = e^{S - L}` become? Would keeping m and l instead of L be better?
