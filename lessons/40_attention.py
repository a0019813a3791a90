"""
Attention
=========

A recurrent network hears of what was long ago only through a state that has been rewritten many times. Could every
place of a sequence not simply look at all the others, and decide for itself what matters to it?

:formulas: D0-1.3.2-a, D1-2.2.3-a, D1-2.2.3-b, D1-2.2.3-c
:time: 30 s
"""

# %%
# A dictionary that answers softly
# --------------------------------
#
# A Python dictionary is asked with a **query**. It compares the query with its **keys**, finds the one that is equal,
# and hands out that key's **value**. Attention does the same, only softly: it compares the query with *all* keys, and
# hands out a *mixture* of all values, with more of those whose keys fit better.
#
# How well does a key fit? All of them are vectors now, and the product :math:`q \cdot k = \sum_i q_i k_i` is large if
# they point the same way. From such **scores** the softmax (lesson 03) makes **weights**: positive, with sum 1.
#
# An example by hand, for the sentence "cats eat fish". The four entries of a key tell, in this invented example, how
# much a word is alive, an animal, an action, food. The word "eat" wants to know who eats, so its query asks for
# something alive, and for an animal.

import matplotlib.pyplot as plt
import numpy as np

import minidl
import minidl.nn as nn
import minidl.nn.functional as F
from lessons import progress, reproduce, save_figure

minidl.set_num_threads(1)  # the products are small: dividing them up would cost more than it saves

words = ["cats", "eat", "fish"]
keys = np.array([[1.0, 1, 0, 0], [0, 0, 1, 0], [0, 1, 0, 1]])
values = np.array([[10.0, 0], [0, 0], [0, 10]])  # what a word gives to those who look at it
query = np.array([2.0, 2, 0, 0])  # asked by "eat"

scores = np.array([query @ key for key in keys]) / 2  # 4, 0, 2, halved; why halved comes below
powers = np.exp(scores)  # e^2, e^0, e^1
weights = powers / powers.sum()
answer = sum(weight * value for weight, value in zip(weights, values, strict=True))
print('"eat" looks at', ", ".join(f"{word}: {weight:.3f}" for word, weight in zip(words, weights, strict=True)))
print(f"and receives ({answer[0]:.2f}, {answer[1]:.2f})")
assert np.allclose(weights, [0.665, 0.090, 0.245], rtol=0, atol=5e-4)

# %%
# Two thirds of the answer come from "cats", a quarter from "fish" (it is an animal too, after all), and a little from
# "eat" itself. With a pencil: :math:`e^2 = 7.39`, :math:`e^0 = 1`, :math:`e^1 = 2.72`; :math:`7.39 / 11.11 = 0.665`.
#
# Query by query and key by key
# -----------------------------
#
# Every place of a sequence may ask. Let there be m queries, and n keys with a value each; queries and keys have
# :math:`d_k` entries, values :math:`d_v`. Document D1, section 2.2.3 "自注意力机制" (Self-attention), prints
#
# .. math:: \text{Attention}(Q, K, V) = \text{softmax}\left(\frac{QK^T}{\sqrt{d_k}}\right) V
#
# Q, K and V, "vectors" in the text, are matrices with a query, a key, a value in each row. First we write what a single
# entry means, with loops and without any matrix:


def attention_by_loops(Q, K, V):
    """(m, d_k), (n, d_k), (n, d_v) -> the result (m, d_v) and the weights (m, n)."""
    results, all_weights = [], []
    for q in Q:
        scores = [sum(q[i] * k[i] for i in range(len(q))) / len(q) ** 0.5 for k in K]
        powers = [np.exp(score - max(scores)) for score in scores]
        weights = [power / sum(powers) for power in powers]
        results.append([sum(weights[j] * V[j][c] for j in range(len(V))) for c in range(len(V[0]))])
        all_weights.append(weights)
    return np.array(results), np.array(all_weights)


# %%
# Now with matrices. Row i of :math:`Q K^T` holds the scores of query i with all keys, so the softmax must act on each
# **row**, over the keys. The weighted sums of values are a matrix product again.
#
# As in lesson 03, the softmax takes the largest score of the row away first, so that no power can overflow. It
# changes nothing: in the quotient, the factor :math:`e^{-\max}` cancels.


def softmax(S):
    powers = np.exp(S - S.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def attention(Q, K, V):
    S = Q @ K.T / np.sqrt(Q.shape[-1])
    P = softmax(S)
    return P @ V, P


rng = np.random.default_rng(0)
Q, K, V = rng.normal(size=(4, 8)), rng.normal(size=(6, 8)), rng.normal(size=(6, 3))
by_loops, _ = attention_by_loops(Q, K, V)
by_matrices, P = attention(Q, K, V)
loops_apart = np.abs(by_loops - by_matrices).max()
rows_apart = np.abs(P.sum(axis=1) - 1).max()
print(f"loops and matrices differ by {loops_apart:.0e}")

huge, _ = attention(1000 * Q, 1000 * K, V)
assert np.isfinite(huge).all()  # scores beyond a million, and no overflow

# %%
# Where do Q, K and V come from?
# ------------------------------
#
# From the sequence itself; hence the name **self-attention**. Let X hold a vector of d entries for each of n places.
# Three matrices of weights, which training has to find, turn each of these vectors into a query, a key and a value:
#
# .. math:: Q = X W^Q, \qquad K = X W^K, \qquad V = X W^V
#
# So a place can ask for one thing, be found by another, and hand out a third. What is learned are these matrices; the
# attention weights follow from them and from X, anew for each sequence. (If Q comes from one sequence and K, V from
# another, as when a translation looks at the original, it is called *cross-attention*.)
#
# Document D0, section 1.3.2 "注意力机制" (Attention mechanism), has only words: attention computes how important inputs
# are relative to each other. What can be checked is this: all weights of a place are positive, their sum is 1, and the
# place receives the mixture that they describe.

n, d = 5, 8
X = rng.normal(size=(n, d))
W_Q, W_K, W_V = (rng.normal(size=(d, d)) / np.sqrt(d) for _ in range(3))
mixed, P = attention(X @ W_Q, X @ W_K, X @ W_V)
one_by_one = np.zeros((n, d))
for i in range(n):
    for j in range(n):
        one_by_one[i] += P[i, j] * (X[j] @ W_V)

reproduce(
    "D0-1.3.2-a",
    smallest_weight=P.min(),
    row_sum_error=np.abs(P.sum(axis=1) - 1).max(),
    mixture_error=np.abs(mixed - one_by_one).max(),
)

# %%
# In lesson 30, news from place 1 reached place 40 through 39 steps, each of which multiplied it. Here it takes **one**
# step, however far apart two places are. The price: n places have :math:`n^2` scores.
#
# Why divide by the root of the width?
# ------------------------------------
#
# Take the entries of q and k to be independent, with mean 0 and variance 1. What is the variance of
# :math:`q \cdot k`? One product :math:`q_i k_i` has the mean :math:`E[q_i]\,E[k_i] = 0`, so its variance is
#
# .. math:: E[(q_i k_i)^2] = E[q_i^2]\; E[k_i^2] = 1 \cdot 1 = 1
#
# The variances of independent terms add up. So the sum of :math:`d_k` such products has the variance :math:`d_k`, and
# scores are typically as large as :math:`\sqrt{d_k}`. Divided by just that, they have variance 1 again, for any width.

d_k = 64
products = (rng.normal(size=(50_000, d_k)) * rng.normal(size=(50_000, d_k))).sum(axis=1)
reproduce(
    "D1-2.2.3-a",
    error=loops_apart,
    row_sum_error=rows_apart,
    raw_variance=products.var(),
    scaled_variance=(products / np.sqrt(d_k)).var(),
)

# %%
# And what is so bad about large scores? The softmax then gives nearly all weight to a single key, and its slope dies.
# Write p for the weights of one query and s for its scores. Lesson 03 found
#
# .. math:: \frac{\partial p_i}{\partial s_j} = p_i\,([i = j] - p_j)
#
# where :math:`[i = j]` is 1 if i and j are equal and 0 otherwise. If one weight is 1 and the others are 0, **every**
# slope is 0: :math:`1 \cdot (1 - 1)`, or :math:`1 \cdot (0 - 0)`, or 0 times something. No gradient reaches queries and
# keys, and they cannot learn to look elsewhere. We measure for ten keys and growing width: the largest weight, and the
# sum of the slopes :math:`\partial p_i/\partial s_i`; of 1000 draws we take the median.


def largest_and_slope(d_k, divisor, draws=1000, keys=10):
    rng = np.random.default_rng(0)
    q, k = rng.normal(size=(draws, 1, d_k)), rng.normal(size=(draws, keys, d_k))
    p = softmax((q * k).sum(axis=-1) / divisor)
    return np.median(p.max(axis=-1)), np.median((p * (1 - p)).sum(axis=-1))


widths = [1, 4, 16, 64, 256, 1024]
raw = np.array([largest_and_slope(width, 1.0) for width in widths])
scaled = np.array([largest_and_slope(width, np.sqrt(width)) for width in widths])
print(f"width 1024, raw: largest weight {raw[-1, 0]:.4f}, slopes {raw[-1, 1]:.0e}; scaled: slopes {scaled[-1, 1]:.2f}")
assert raw[-1, 0] > 0.999
assert raw[-1, 1] < 1e-4
assert scaled[:, 1].min() > 0.5

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for found, label, style in [(raw, r"$q \cdot k$", "o--"), (scaled, r"$q \cdot k\,/\sqrt{d_k}$", "o-")]:
    left.semilogx(widths, found[:, 0], style, base=2, label=label)
    right.loglog(widths, found[:, 1], style, label=label)
right.set_xscale("log", base=2)
left.set(xlabel="$d_k$", ylabel="largest of ten weights", ylim=(0, 1.05), title="One key takes all")
right.set(xlabel="$d_k$", ylabel=r"$\sum_i\, \partial p_i / \partial s_i$", title="and the slope dies")
left.legend(loc="center right")
right.legend()
save_figure(fig, "scaling")

# %%
# This is about the *start*. A trained network may well make large scores, but it should come to them by learning.
#
# Looking away: masks
# -------------------
#
# Sometimes a place must not look everywhere:
#
# * **Causal**: a network that foretells the next letter must not see it. Place i looks at places up to i alone.
# * **Padding**: short sequences are filled up to the length of the longest. Nobody may look at the filling.
#
# A hidden key must get the weight 0 and the others must share the whole. So its score becomes :math:`-\infty`
# *before* the softmax: :math:`e^{-\infty} = 0`. And what if **all** keys are hidden from a query? Then the softmax is
# 0/0: somebody asks, and nobody is there to answer. No number is right; we agree on weights of 0 and a result of 0.
# (Under a causal mask it cannot happen, since each place sees at least itself.)


def masked_attention(Q, K, V, hidden):
    """As attention; hidden (m, n) is True where the query must not see the key."""
    S = np.where(hidden, -np.inf, Q @ K.T / np.sqrt(Q.shape[-1]))
    largest = S.max(axis=-1, keepdims=True)
    powers = np.exp(S - np.where(np.isfinite(largest), largest, 0))
    total = powers.sum(axis=-1, keepdims=True)
    P = powers / np.where(total > 0, total, 1)
    return P @ V, P


n = 6
Q, K, V = rng.normal(size=(3, n, 8))
place = np.arange(n)
nothing = np.zeros((n, n), bool)
causal = place[None, :] > place[:, None]  # key j lies in the future of query i
padding = nothing | (place >= 4)  # the sequence has four places, then comes filling
masks = {"nothing hidden": nothing, "causal": causal, "padding from place 5": padding}
seen = {name: masked_attention(Q, K, V, hidden) for name, hidden in masks.items()}

fig, axes = plt.subplots(1, 3, figsize=(11, 3.7), layout="constrained")
for ax, (name, (_, P)) in zip(axes, seen.items(), strict=True):
    shown = ax.imshow(np.where(masks[name], np.nan, P), vmin=0, vmax=1, cmap="viridis")
    ax.set(title=name, xlabel="key", xticks=place, xticklabels=place + 1, yticks=place, yticklabels=place + 1)
axes[0].set_ylabel("query")
fig.colorbar(shown, ax=axes, label="weight (white: hidden, 0)")
save_figure(fig, "masks")

# %%
# Does a mask hide what it should? We change everything after place 3, and the first three results must not change
# in a single bit. A tempting shortcut fails here: setting the hidden *weights* to zero, after the softmax. By then the
# hidden scores have been counted in its sum, so the rows no longer sum to 1, and the future leaks.

K_other, V_other = K.copy(), V.copy()
K_other[3:], V_other[3:] = rng.normal(size=(2, 3, 8))
other, _ = masked_attention(Q, K_other, V_other, causal)
assert np.array_equal(other[:3], seen["causal"][0][:3])
assert not np.allclose(other[3:], seen["causal"][0][3:])

too_late, too_late_other = (np.where(causal, 0, attention(Q, k, V)[1]) for k in (K, K_other))
print(f"masked after the softmax: the rows sum to {too_late.sum(axis=1).min():.2f} and more,", end=" ")
print(f"and the first rows change by up to {np.abs(too_late - too_late_other)[:3].max():.2f}")
assert np.abs(too_late - too_late_other)[:3].max() > 0.01

nobody = nothing.copy()
nobody[2] = True  # all keys are hidden from query 3
assert np.array_equal(masked_attention(Q, K, V, nobody)[0][2], np.zeros(8))

# %%
# Several heads
# -------------
#
# One softmax gives one mixture to a query. But a word may want to know several things: who acts, on what, and when. So
# let several attentions, called **heads**, look at the sequence side by side, each with matrices of its own. Their
# results are written next to one another, and a last matrix :math:`W^O` mixes them:
#
# .. math::
#    \text{MultiHead}(Q,K,V) = [\text{head}_1;\dots;\text{head}_h]\,W^O,\qquad
#    \text{head}_i = \text{Attention}(QW_i^Q,\,KW_i^K,\,VW_i^V)
#
# In self-attention, the Q, K and V in this formula are all X. Each of the h heads gets the width d/h, so that together
# they cost about as much as one head of width d.
#
# D1 describes this rightly in words, "several independent self-attentions", and then prints as its formula what stands
# above, :math:`\text{softmax}(QK^T/\sqrt{d_k})\,V`. But that is a **single** head: nothing is put together in it. Does
# it matter? We take five places, d = 8, and two heads of width 4. From the same projections we compute: head by head;
# both heads in one piece, as programs do, by giving the arrays one more axis; and one head of width 8, as printed.

n, d, h = 5, 8, 2
X = rng.normal(size=(n, d))
W_Q, W_K, W_V, W_O = rng.normal(size=(4, d, d)) / np.sqrt(d)


def head_by_head(X):
    heads = []
    for i in range(h):
        own = slice(i * d // h, (i + 1) * d // h)  # the columns that are W_i
        heads.append(attention(X @ W_Q[:, own], X @ W_K[:, own], X @ W_V[:, own])[0])
    return np.concatenate(heads, axis=1) @ W_O


def in_one_piece(X):
    Q, K, V = ((X @ W).reshape(len(X), h, d // h).swapaxes(0, 1) for W in (W_Q, W_K, W_V))  # (h, n, d/h)
    P = softmax(Q @ K.mT / np.sqrt(d // h))  # (h, n, n)
    return (P @ V).swapaxes(0, 1).reshape(len(X), d) @ W_O


several = head_by_head(X)
as_printed = attention(X @ W_Q, X @ W_K, X @ W_V)[0] @ W_O
reproduce(
    "D1-2.2.3-b",
    right_error=np.abs(in_one_piece(X) - several).max(),
    printed_error=np.abs(as_printed - several).max(),
)

# %%
# So the printed formula is right, and its name is not.
#
# What comes out: as many vectors as went in
# ------------------------------------------
#
# The same section says that the encoder of a Transformer (a stack of such attentions, and of small networks that work
# on each place by itself) makes "a vector representation of fixed length" of a sequence. We count what comes out.

rows = [len(head_by_head(rng.normal(size=(places, d)))) for places in (3, 5, 9)]
reproduce("D1-2.2.3-c", rows=rows)

# %%
# As many vectors as went in, each of them now knowing of the others. Only their *width* is fixed. One vector for the
# whole sequence is what the recurrent networks of lessons 30 and 31 hand on, their last state; it was to escape from
# this bottleneck that attention was invented.
#
# The way back
# ------------
#
# Let L be any loss and :math:`G = \partial L/\partial O` its slope by the result :math:`O = P V`. We go back step by
# step; P are the weights, :math:`S = Q K^T/\sqrt{d_k}` the scores, and ``dP`` is short for
# :math:`\partial L/\partial P`.
#
# 1. The product, :math:`O_{ic} = \sum_j P_{ij} V_{jc}`. Value j is used by all queries, so their slopes add up:
#    :math:`dV_{jc} = \sum_i P_{ij}\, G_{ic}`. And :math:`dP_{ij} = \sum_c G_{ic} V_{jc}`. As matrices:
#    :math:`dV = P^T G` and :math:`dP = G V^T`.
# 2. The softmax, row by row, with the slopes from above:
#
#    .. math::
#       dS_{ij} = \sum_k dP_{ik}\, \frac{\partial P_{ik}}{\partial S_{ij}}
#       = \sum_k dP_{ik}\, P_{ik}\,([k = j] - P_{ij}) = P_{ij} \Big( dP_{ij} - \sum_k P_{ik}\, dP_{ik} \Big)
#
#    The last sum is the mean of dP under the weights of the row. So it counts how a key compares with *the average* of
#    what was looked at: more for one is less for the others. A hidden key, with :math:`P_{ij} = 0`, gets exactly 0.
# 3. The scores are a product again, divided by a number: :math:`dQ = dS\, K/\sqrt{d_k}` and
#    :math:`dK = dS^T Q/\sqrt{d_k}`.


def attention_backward(Q, K, V, P, G):
    dV = P.T @ G
    dP = G @ V.T
    dS = P * (dP - (P * dP).sum(axis=1, keepdims=True))
    return dS @ K / np.sqrt(Q.shape[1]), dS.T @ Q / np.sqrt(Q.shape[1]), dV


# %%
# The judge is central differences (lesson 01). As a loss we take :math:`L = \sum_{ij} G_{ij} O_{ij}` with random G: its
# slope by O is G, whatever G is. We put the causal mask on, to have it judged too, and let the engine go the same way.


def measure(f, at, epsilon=1e-5):
    """Central differences of f for every entry of an array."""
    slopes = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        step = np.zeros_like(at)
        step[index] = epsilon
        slopes[index] = (f(at + step) - f(at - step)) / (2 * epsilon)
    return slopes


def loss(Q, K, V):
    return np.sum(G * masked_attention(Q, K, V, causal)[0])


G = rng.normal(size=V.shape)
O, P = masked_attention(Q, K, V, causal)
dQ, dK, dV = attention_backward(Q, K, V, P, G)
judged = {
    "dQ": np.abs(dQ - measure(lambda moved: loss(moved, K, V), Q)).max(),
    "dK": np.abs(dK - measure(lambda moved: loss(Q, moved, V), K)).max(),
    "dV": np.abs(dV - measure(lambda moved: loss(Q, K, moved), V)).max(),
}
print("by hand and measured differ by", ", ".join(f"{name}: {error:.0e}" for name, error in judged.items()))
assert max(judged.values()) < 1e-8

# %%
# The engine does the same
# ------------------------
#
# ``F.scaled_dot_product_attention`` is our attention, and ``backward()`` our way back. A trap: its boolean mask is True
# where the query **may** see the key, the opposite of our ``hidden``. Who may see nobody gets zeros here too.

tensors = [minidl.tensor(array, requires_grad=True) for array in (Q, K, V)]
engine_O = F.scaled_dot_product_attention(*tensors, attn_mask=minidl.tensor(~causal))
(engine_O * minidl.tensor(G)).sum().backward()
pairs = [(engine_O.detach(), O), *zip([tensor.grad for tensor in tensors], (dQ, dK, dV), strict=True)]
apart = max(np.abs(engine.numpy() - by_hand).max() for engine, by_hand in pairs)
print(f"engine and hand, result and gradients: largest difference {apart:.0e}")
assert apart < 1e-12
assert np.allclose(F.scaled_dot_product_attention(*tensors, is_causal=True).detach().numpy(), O, rtol=0, atol=1e-12)
engine_nobody = F.scaled_dot_product_attention(*tensors, attn_mask=minidl.tensor(~nobody)).detach().numpy()
assert np.allclose(engine_nobody, masked_attention(Q, K, V, nobody)[0], rtol=0, atol=1e-12)

# %%
# ``nn.MultiheadAttention`` is our multi-head attention. It keeps :math:`W^Q, W^K, W^V` in one array, one below the
# other and transposed, and adds biases, which start at zero. It returns the result and the weights. (Its boolean masks
# are True where something is *hidden*, unlike those of the function above. This has cost many people an evening.)

layer = nn.MultiheadAttention(d, h, batch_first=True, dtype=minidl.float64)
with minidl.no_grad():
    layer.in_proj_weight.copy_(minidl.tensor(np.concatenate([W_Q.T, W_K.T, W_V.T])))
    layer.out_proj.weight.copy_(minidl.tensor(np.ascontiguousarray(W_O.T)))
sequence = minidl.tensor(X[None])  # a batch of one
engine_result, engine_weights = layer(sequence, sequence, sequence, average_attn_weights=False)
assert engine_weights.shape == (1, h, n, n)
assert np.abs(engine_result.detach().numpy()[0] - several).max() < 1e-12

# %%
# Blind to order
# --------------
#
# Shuffle the places of a sequence, and see what attention makes of it. A matrix :math:`\Pi` that shuffles rows turns Q
# into :math:`\Pi Q`, and K and V likewise. The scores become :math:`\Pi Q K^T \Pi^T`: rows and columns are
# shuffled. The softmax does not care where in a row a score stands. And since :math:`\Pi^T \Pi` is the identity, the
# result is
#
# .. math:: (\Pi P\, \Pi^T)(\Pi V) = \Pi\, (P V)
#
# The same vectors as before, shuffled as the input was (*permutation equivariant* is the word). In "dog bites man" and
# in "man bites dog", each word receives the same.

order = np.array([3, 0, 4, 1, 2])
assert np.allclose(head_by_head(X[order]), head_by_head(X)[order], rtol=0, atol=1e-12)

# %%
# The remedy is to write into each vector x where it stands: :math:`x + t_{pos}`, with a vector :math:`t_{pos}` for each
# place pos = 0, 1, 2, ... It should be different everywhere, and make it easy to see how far apart two places are.
# Clocks do this: one hand alone soon comes back to where it was, but several hands with different speeds tell every
# moment of the day. Each pair of entries is such a hand; pair number i has the speed :math:`\omega_i`:
#
# .. math::
#    t_{pos,\,2i} = \sin(\omega_i\, pos), \qquad t_{pos,\,2i+1} = \cos(\omega_i\, pos), \qquad
#    \omega_i = 10000^{-2i/d}
#
# Why is this easy for attention? Since :math:`\sin a \sin b + \cos a \cos b = \cos(a - b)`, the product of two such
# vectors is :math:`t_a \cdot t_b = \sum_i \cos(\omega_i (a - b))`. It depends on the **distance** alone, and is largest
# at distance 0. And going k places on turns each hand by the angle :math:`\omega_i k`, wherever it stands: this is a
# matrix, which :math:`W^Q` can learn. So "k places before me" is a question that a query can ask.


def positions(n, d):
    angles = np.arange(n)[:, None] * 10000.0 ** (-np.arange(0, d, 2) / d)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(n, d)


table = positions(64, 32)
products = table @ table.T
assert np.allclose(np.diag(products, k=5), products[0, 5], rtol=0, atol=1e-12)  # distance 5, wherever it is
assert (products.argmax(axis=1) == np.arange(64)).all()
engine_table = nn.SinusoidalPositions(32, 64, dtype=minidl.float64).table.numpy()
assert np.abs(engine_table - table).max() < 1e-12

placed, shuffled = X + positions(n, d), X[order] + positions(n, d)
assert not np.allclose(head_by_head(shuffled), head_by_head(placed)[order], rtol=0, atol=0.1)  # no longer blind

fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained", width_ratios=[1, 1.1])
shown = left.imshow(table, aspect="auto", cmap="RdBu_r", vmin=-1, vmax=1)
left.set(xlabel="entry", ylabel="place", title="Positions: slow hands to the right")
fig.colorbar(shown, ax=left)
for start in (10, 32, 50):
    right.plot(np.arange(64), products[start], label=f"with place {start}")
right.set(xlabel="place", ylabel=r"product $t_a \cdot t_b$", ylim=(4, 20), title="The product sees the distance")
right.legend()
save_figure(fig, "positions")

# %%
# Attention learns where to look
# ------------------------------
#
# Now a task. A sequence has ten places, each with one of ten letters at random. Each place has two questions to answer:
#
# * Which letter stands in the **mirror** place (the first looks at the last, the second at the last but one, ...)?
# * Which letter stands **two places before**? (The first two go round to the end.)
#
# No place finds an answer in itself. Our network is attention and little else: the letters become vectors
# (``nn.Embedding``, a table with a learned row for each letter), positions are added, then one layer of attention, and
# one linear layer to 2 x 10 scores. We train it with two heads; with one head of the same total width; and with two
# heads but without positions. All sequences are drawn fresh; with :math:`10^{10}` of them, those of the test are new.

length, letters, width = 10, 10, 32


class Looker(nn.Module):
    def __init__(self, heads, with_positions):
        super().__init__()
        self.embedding = nn.Embedding(letters, width)
        self.positions = nn.SinusoidalPositions(width, batch_first=True) if with_positions else nn.Identity()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.scores = nn.Linear(width, 2 * letters)

    def forward(self, x):
        """(B, n) -> scores (B, n, 2, letters), and where each head looked, (B, heads, n, n)."""
        x = self.positions(self.embedding(x))
        mixed, weights = self.attention(x, x, x, average_attn_weights=False)
        return self.scores(mixed).unflatten(-1, (2, letters)), weights


def sequences(rng, count):
    x = rng.integers(letters, size=(count, length))
    return x, np.stack([x[:, ::-1], np.roll(x, 2, axis=1)], axis=-1)


def train(name, heads, with_positions, rounds=400):
    minidl.manual_seed(0)
    rng = np.random.default_rng(0)
    model = Looker(heads, with_positions)
    optimiser = minidl.optim.Adam(model.parameters(), lr=0.02)
    for _ in progress(range(rounds), name):
        x, y = map(minidl.tensor, sequences(rng, 64))
        optimiser.zero_grad()
        F.cross_entropy(model(x)[0].flatten(0, 2), y.flatten()).backward()
        optimiser.step()
    return model


models = {
    "two heads": train("two heads", 2, True),
    "one head": train("one head", 1, True),
    "no positions": train("no positions", 2, False),
}

# %%
# What does somebody reach who does not know where to look? Guessing gives 10 %. Better: neither of the two places is
# ever one's own, so count the letters at the nine other places and say the most frequent one. Nobody who is blind to
# order can do better than that.

x_test, y_test = sequences(np.random.default_rng(1), 500)
counts = np.eye(letters)[x_test].sum(axis=1, keepdims=True) - np.eye(letters)[x_test]  # (B, n, letters)
most_frequent = counts.argmax(axis=-1)[..., None]

right_share, looked = {"most frequent": (most_frequent == y_test).mean(axis=(0, 1))}, {}
for name, model in models.items():
    with minidl.no_grad():
        answers, weights = model(minidl.tensor(x_test))
    right_share[name] = (answers.argmax(-1).numpy() == y_test).mean(axis=(0, 1))
    looked[name] = weights.numpy().mean(axis=0)  # (heads, n, n)
for name, (mirror, before) in right_share.items():
    print(f"{name:13s}: mirror {mirror:4.0%}, two before {before:4.0%} right")

assert right_share["two heads"].min() > 0.99
assert right_share["one head"].mean() < 0.65
assert abs(right_share["no positions"] - right_share["most frequent"]).max() < 0.05

# %%
# Two heads solve it. Without positions the network finds out by itself what the best blind guess is, and stays there.
#
# And one head? It has one mixture for each query, of both places. But a linear layer turns a mixture of letters into
# the same mixture of their scores, and mostly the letter with the larger share wins *both* questions: one is answered
# well, the other badly. The heat maps show where each query (row) looked, on average.


def share(weights, columns):
    """How much of the weights lies on these columns, one in each row."""
    return weights[np.arange(length), columns].mean()


mirror_place, place_before = np.arange(length)[::-1], (np.arange(length) - 2) % length
maps = [("two heads", 0), ("two heads", 1), ("one head", 0)]
fig, axes = plt.subplots(1, 3, figsize=(12, 4.2), layout="constrained")
for ax, (name, head) in zip(axes, maps, strict=True):
    weights = looked[name][head]
    on_mirror, on_before = share(weights, mirror_place), share(weights, place_before)
    print(f"{name}, head {head + 1}: {on_mirror:.0%} of its weight on the mirror place, {on_before:.0%} on two before")
    shown = ax.imshow(weights, vmin=0, vmax=1, cmap="viridis")
    title = f"{name}: head {head + 1}" if name == "two heads" else name
    ticks = np.arange(length)
    ax.set(title=title, xlabel="place looked at (key)", xticks=ticks, xticklabels=ticks + 1)
    ax.set(yticks=ticks, yticklabels=ticks + 1)
axes[0].set_ylabel("place that looks (query)")
fig.colorbar(shown, ax=axes, label="mean weight", shrink=0.9)
save_figure(fig, "heads")

favourites = [weights.argmax(axis=1) for weights in looked["two heads"]]  # of each query, in each head
for wanted in (mirror_place, place_before):
    assert any(np.array_equal(favourite, wanted) for favourite in favourites)

# %%
# Nobody told the heads to divide the work; it follows from the loss. One took the mirror, the other the places two
# before, and in every row the right place gets most. (Not all: once the answers are right, hardly anything pushes the
# weights further.) The single head shows a cross, both places at once. Do not expect such clean pictures from large
# networks. And a weight says where a head looked, not what was made of it.
#
# Summary
# -------
#
# * Attention compares each query with all keys, makes weights of the scores by a softmax over the keys, and averages
#   the values with them: :math:`\text{softmax}(QK^T/\sqrt{d_k})\,V`.
# * The raw scores have the variance :math:`d_k`, and large scores kill the slope of the softmax. Hence the division.
# * A mask sets scores to :math:`-\infty` before the softmax. A query that may see nobody has no answer; we say 0.
# * The document's formula is one head. Several heads are several mixtures, put together by :math:`W^O`. What comes out
#   has as many rows as went in.
# * Attention is blind to order. Positions must be written into the vectors.
#
# Next: lesson 41 stacks such layers, with causal masks, into a small GPT.
#
# Exercises
# ---------
#
# 1. (checked) Write ``multi_head(X, W_Q, W_K, W_V, W_O, h)``: self-attention with h heads **and** a causal mask. All
#    four matrices are (d, d); head i has the columns that follow those of head i - 1. Check it with
#    ``python -m lessons check 40 my_solution.py``.
# 2. (checked) Write ``one_pass(q, pairs)``: attention of a single query, where ``pairs`` hands out key and value, one
#    pair after the other, and only once. Hint: carry along the largest score so far, the sum of the powers and that of
#    the weighted values; correct both when a new largest score comes. (Graphics cards compute attention in this way.)
# 3. (checked) Write ``shift(d, k)``: a (d, d) matrix R, so that :math:`t_{pos}\, R = t_{pos + k}` for the positions of
#    this lesson and every pos. Hint: :math:`\sin(a + b) = \sin a \cos b + \cos a \sin b`.
# 4. Train on sequences of ten letters and test on twelve. Which of the two questions does the network still answer, and
#    at which places? Why?
# 5. Give one head a fair chance: more rounds, a larger width, a layer with a ReLU before the scores. Which one helps?
