"""
Activations
===========

Between the sums of a network stands a simple curve. Which curves are used, what are their slopes, and which one turns
scores into probabilities?

:formulas: D1-2.1.2-b, D1-2.1.2-c, D3-3-e, D3-4-a, D3-4-b, D3-4-c, D3-4-d, D3-4-e, D3-4-f, D3-4-g, D3-4-h
:time: 5 s
"""

# %%
# Why a curve at all?
# -------------------
#
# Lesson 02 showed that layers which only weigh and add collapse into a single one, whose picture is a straight line. An
# **activation function** between them prevents that. It takes the sum z of a unit and gives its answer a. It need not
# be complicated. The simplest one that is in use has a single bend:
#
# .. math:: f(x) = \max(0, x)
#
# It is called ReLU, short for *rectified linear unit*, and document D1 prints it in section 2.1.2 "前馈神经网络"
# (Feed-forward neural network). Document D3 has it twice, in section 3 "核心算法原理 & 具体操作步骤" (Core algorithm
# and steps) and in section 4 "数学模型和公式 & 详细讲解 & 举例说明" (Mathematical models, explanation, examples). There
# z is the sum and a the answer: :math:`a_i = \text{ReLU}(z_i) = \max(0, z_i)`. What is positive passes, the rest is
# blocked.

import matplotlib.pyplot as plt
import numpy as np

import minidl
from lessons import reproduce, save_figure


def relu(z):
    return np.maximum(0, z)


print("ReLU of -2 and 3:", relu(np.array([-2.0, 3.0])))
reproduce("D3-4-b", relu=relu(np.array([-2.0, 3.0])))

# %%
# How far does one bend take us? Add several of them, each shifted and scaled. Every term changes the slope of the sum
# at one place, so we can follow any curve with short straight pieces. Here are eight ReLU units and a sine wave; this
# is a network with one input, eight hidden units and one output, with weights chosen by hand.

knots = np.linspace(0, 2 * np.pi, 9)
piece_slopes = np.diff(np.sin(knots)) / np.diff(knots)  # (8,) the slope wanted on each piece
bends = np.diff(piece_slopes, prepend=0.0)  # (8,) by how much the slope changes at the start of each piece

x = np.linspace(0, 2 * np.pi, 200)
hidden = relu(x[:, None] - knots[:-1])  # (200, 8): unit k wakes up at knot k
wave = hidden @ bends  # (200,)
print(f"eight ReLUs follow a sine wave with an error of at most {np.abs(wave - np.sin(x)).max():.3f}")
assert np.abs(wave - np.sin(x)).max() < 0.08

fig, ax = plt.subplots(layout="constrained")
ax.plot(x, np.sin(x), "k:", label="sine")
ax.plot(x, wave, label="sum of eight ReLU units")
ax.plot(x, hidden * bends, color="grey", linewidth=0.6)
ax.plot([], [], color="grey", linewidth=0.6, label="the units, one by one")
ax.set(xlabel="x", ylim=(-2, 2), title="Bends add up to a curve")
ax.legend()
save_figure(fig, "bends")

# %%
# The slope of ReLU
# -----------------
#
# For learning we need slopes (lesson 01). ReLU is easy: slope 1 where z is positive and 0 where it is negative, written
# :math:`1[z > 0]`. At zero there is a kink and no slope. We must still return a number there, and choose 0, as nearly
# everybody does. The judge of lesson 01, which looks at both sides of a kink, would say one half; so we ask it only
# away from zero.


def relu_slope(z):
    return np.where(z > 0, 1.0, 0.0)


def central(f, value, epsilon=1e-5):
    """The slope of f at a number, from one step up and one step down (lesson 01)."""
    return (f(value + epsilon) - f(value - epsilon)) / (2 * epsilon)


z = np.linspace(-5, 5, 201)
away = z[np.abs(z) > 0.01]
assert np.isclose(central(relu, 0.0), 0.5)  # the judge's opinion at the kink
relu_slope_error = np.abs(relu_slope(away) - central(relu, away)).max()

reproduce("D1-2.1.2-c", f=relu(np.array([-2.0, 3.0])), at_zero=relu_slope(0.0))
reproduce("D3-4-a", error=np.abs(relu(z) - np.where(z > 0, z, 0)).max(), derivative_error=relu_slope_error)

# %%
# The sigmoid
# -----------
#
# All three sections also have the **sigmoid** (D1 writes f for it), an S-shaped curve from 0 to 1. It suits an output
# that means "how likely is a yes?".
#
# .. math:: \sigma(z) = \frac{1}{1 + e^{-z}}
#
# Where z is large, :math:`e^{-z}` is nearly 0 and the answer nearly 1. Where z is very negative, :math:`e^{-z}` is huge
# and the answer nearly 0. In the middle, at 0, it is one half. And it is symmetric: :math:`\sigma(-z) = 1 - \sigma(z)`,
# the chance of a no.


def sigmoid(z):
    """The sigmoid, literally as printed."""
    return 1 / (1 + np.exp(-z))


wide = np.linspace(-30, 30, 601)
reproduce(
    "D3-4-c",
    smallest=sigmoid(wide).min(),
    largest=sigmoid(wide).max(),
    symmetry_error=np.abs(sigmoid(-wide) - (1 - sigmoid(wide))).max(),
)

# %%
# Its slope comes from the chain rule. With :math:`s = 1 + e^{-z}`, the sigmoid is :math:`1/s`; the slope of
# :math:`1/s` is :math:`-1/s^2`, and that of s is :math:`-e^{-z}`. Together
#
# .. math::
#    \sigma'(z) = \frac{e^{-z}}{(1 + e^{-z})^2}
#    = \frac{1}{1 + e^{-z}} \cdot \frac{e^{-z}}{1 + e^{-z}} = \sigma(z)\,(1 - \sigma(z)) .
#
# What a gift: who has the answer a has the slope as well, :math:`a(1 - a)`.


def sigmoid_slope(z):
    a = sigmoid(z)
    return a * (1 - a)


sigmoid_slope_error = np.abs(sigmoid_slope(z) - central(sigmoid, z)).max()
reproduce("D1-2.1.2-b", f=[sigmoid(0.0), sigmoid(1.0)], derivative_error=sigmoid_slope_error)

# %%
# The worked numbers
# ------------------
#
# Document D3 adds examples: for the input -3 it prints the output 0.0478, and for the input 2 the output 0.8659. We
# calculate them, and we also ask the other way round: which z would give the printed answers? Solve for z:
#
# .. math:: a = \frac{1}{1 + e^{-z}} \;\Rightarrow\; e^{-z} = \frac{1 - a}{a} \;\Rightarrow\; z = \log \frac{a}{1 - a}


def logit(a):
    """The z whose sigmoid is a."""
    return np.log(a / (1 - a))


for value, printed in [(-3.0, 0.0478), (2.0, 0.8659)]:
    print(f"Sigmoid({value}) = {sigmoid(value):.4f}, printed {printed}, which belongs to z = {logit(printed):.4f}")

reproduce("D3-4-d", sigmoid=sigmoid(-3.0), z_of_printed=logit(0.0478))
reproduce("D3-4-e", sigmoid=sigmoid(2.0), z_of_printed=logit(0.8659))

# %%
# The first is a small slip in the last digits, the second is off by 0.015. Neither changes an argument, but a reader
# who programs the formula and compares would look for a mistake that is not there. Check worked numbers, also ours.
#
# Tanh
# ----
#
# The third curve of D3 is the hyperbolic tangent, again S-shaped, but from -1 to 1 and through the origin:
#
# .. math:: \tanh(z) = \frac{e^{z} - e^{-z}}{e^{z} + e^{-z}}
#
# It is the sigmoid in other clothes. Multiply above and below by :math:`e^{-z}`, and write the numerator as
# :math:`1 - e^{-2z} = 2 - (1 + e^{-2z})`:
#
# .. math::
#    \tanh(z) = \frac{1 - e^{-2z}}{1 + e^{-2z}} = \frac{2}{1 + e^{-2z}} - 1 = 2\,\sigma(2z) - 1
#
# So it needs no new derivation for the slope. The factor 2 outside and the 2 inside make 4; with
# :math:`\sigma(2z) = \frac{1 + a}{2}`, where a is the answer of tanh,
#
# .. math:: \tanh'(z) = 4\,\sigma(2z)\,(1 - \sigma(2z)) = 4 \cdot \frac{1 + a}{2} \cdot \frac{1 - a}{2} = 1 - a^2 .


def tanh(z):
    """Tanh, literally as printed."""
    return (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))


def tanh_slope(z):
    return 1 - tanh(z) ** 2


identity_error = np.abs(tanh(z) - (2 * sigmoid(2 * z) - 1)).max()
tanh_slope_error = np.abs(tanh_slope(z) - central(tanh, z)).max()

middle = np.linspace(-15, 15, 301)
reproduce("D3-4-f", largest=np.abs(tanh(middle)).max(), symmetry_error=np.abs(tanh(-middle) + tanh(middle)).max())

# %%
# The document's example has the outputs -0.7616 and 0.7616 for the inputs -2 and 2.

print(f"Tanh(2) = {tanh(2.0):.4f}; the printed 0.7616 is Tanh(1) = {tanh(1.0):.4f}")
reproduce("D3-4-g", tanh=[tanh(-2.0), tanh(2.0)], tanh_1=tanh(1.0))

# %%
# The values are right, but they belong to -1 and 1.
#
# Three curves, three slopes
# --------------------------

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for name, f, slope in [("ReLU", relu, relu_slope), ("sigmoid", sigmoid, sigmoid_slope), ("tanh", tanh, tanh_slope)]:
    left.plot(z, f(z), label=name)
    right.plot(z, slope(z), label=f"{name}, at most {slope(z).max():g}")
left.set(xlabel="z", ylabel="a", ylim=(-1.5, 3), title="The activations")
right.set(xlabel="z", ylabel="da/dz", ylim=(-0.05, 1.4), title="Their slopes")
for ax in (left, right):
    ax.grid(alpha=0.3)
    ax.legend()
save_figure(fig, "activations")

# %%
# The right picture explains much of the history of networks. The slope of the sigmoid is never more than a quarter. On
# the way back through many layers, slopes multiply (the chain rule), and ten quarters leave less than a millionth.
# Where the curves become flat, even less arrives. Tanh is better in the middle. ReLU passes the full slope for every
# positive sum, and costs almost nothing; that is why hidden layers mostly use it or a relative of it. Its own weakness:
# a unit whose sum is negative for every example has slope 0 for all of them and can learn no more.

print("through ten layers, at best:")
for name, best in [("sigmoid", sigmoid_slope(0.0)), ("tanh", tanh_slope(0.0)), ("ReLU", relu_slope(1.0))]:
    print(f"    {name:7} {best:g}^10 = {best**10:.0e}")
assert sigmoid_slope(0.0) == 0.25 == sigmoid_slope(wide).max()

# %%
# Large numbers
# -------------
#
# On paper we would be finished. On a computer :math:`e^{1000}` does not fit into a number: it *overflows* to infinity,
# and infinity divided by infinity is "not a number", ``nan``. A single nan spreads through a network like ink.

with np.errstate(over="ignore", invalid="ignore"):  # we know that these go wrong, so no warnings, please
    literal = tanh(1000.0)
    print(f"as printed: Tanh(1000) = {literal}, Sigmoid(-1000) = {sigmoid(-1000.0)} (by way of 1 / infinity)")

# %%
# The cure is always the same: rewrite the formula so that only :math:`e` to a *negative* power is taken, which can be
# no worse than 0. For tanh we have the form with :math:`e^{-2z}` from above, good for positive z, and the symmetry does
# the rest. For the sigmoid and a negative z, multiply above and below by :math:`e^{z}`.


def stable_sigmoid(z):
    e = np.exp(-np.abs(z))  # between 0 and 1
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


def stable_tanh(z):
    e = np.exp(-2 * np.abs(z))
    return np.sign(z) * (1 - e) / (1 + e)


extreme = np.array([-1000.0, -40.0, 0.0, 40.0, 1000.0])
for name, stable in [("tanh", stable_tanh), ("sigmoid", stable_sigmoid)]:
    print(f"stable {name} at -1000, -40, 0, 40, 1000:", ", ".join(f"{a:.2g}" for a in stable(extreme)))
assert np.allclose(stable_sigmoid(z), sigmoid(z), rtol=1e-14, atol=0)
assert np.allclose(stable_tanh(z), np.tanh(z), rtol=0, atol=1e-15)

reproduce(
    "D3-3-e",
    identity_error=identity_error,
    derivative_error=max(relu_slope_error, sigmoid_slope_error, tanh_slope_error),
    overflows=not np.isfinite(literal),
    stable=stable_tanh(1000.0),
)

# %%
# One answer out of many: softmax
# -------------------------------
#
# Is the picture a cat, a dog or a bird? The output layer has one unit for each class, and gives three **scores**. We
# want probabilities: none negative, and together 1. Section 4 of D3 says that tanh is common in the output layer for
# problems with many classes. Let us try it with the scores 1, 2 and -2, next to another function.
#
# That other function looks at all scores together. It makes each positive by the exponential, then divides by their
# sum. This is **softmax**:
#
# .. math:: p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}


def softmax(z):
    e = np.exp(z - z.max())  # the largest power is e^0 = 1: nothing can overflow
    return e / e.sum()


scores = np.array([1.0, 2.0, -2.0])
print("tanh:   ", stable_tanh(scores).round(3), "sum", stable_tanh(scores).sum().round(3))
print("softmax:", softmax(scores).round(3), "sum", softmax(scores).sum().round(3))

reproduce(
    "D3-4-h",
    right_sum=softmax(scores).sum(),
    right_min=softmax(scores).min(),
    printed_sum=stable_tanh(scores).sum(),
    printed_min=stable_tanh(scores).min(),
)

fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
positions = np.arange(3)
for shift, name, f, colour in [(-0.2, "tanh", stable_tanh, "tab:red"), (0.2, "softmax", softmax, "tab:green")]:
    ax.bar(positions + shift, f(scores), width=0.4, color=colour, label=f"{name}: sums to {f(scores).sum():.3g}")
ax.axhline(0, color="black", linewidth=0.8)
ax.set(xticks=positions, xticklabels=["cat, score 1", "dog, score 2", "bird, score -2"], title="Probabilities?")
ax.legend()
save_figure(fig, "softmax")

# %%
# A probability of -0.96 for a bird means nothing, and the loss of lesson 04 takes its logarithm, which does not exist.
# (The document's own program ends in a softmax, too. Tanh has its place in hidden layers.)
#
# Two properties of softmax. **Only differences matter**: add a constant c to all scores, and :math:`e^c` appears above
# and below and cancels. That is why we may subtract the largest score, and then nothing overflows. And **for two
# classes it is the sigmoid** of their difference:
#
# .. math:: \frac{e^{z_1}}{e^{z_1} + e^{z_2}} = \frac{1}{1 + e^{-(z_1 - z_2)}} = \sigma(z_1 - z_2)

assert np.allclose(softmax(scores + 1000), softmax(scores), rtol=1e-12)
assert np.isclose(softmax(np.array([1.3, 0.4]))[0], sigmoid(1.3 - 0.4), rtol=1e-14)

# %%
# Its slopes form a table, since every score acts on every probability. Let :math:`e_i = e^{z_i}` and S their sum, so
# :math:`p_i = e_i / S`. The score :math:`z_j` reaches :math:`p_i` by two paths (lesson 01): always through S, and
# through :math:`e_i` if i = j.
#
# .. math::
#    \frac{\partial p_i}{\partial z_j} = \frac{[i = j]\, e_i}{S} - \frac{e_i\, e_j}{S^2}
#    = p_i \left([i = j] - p_j\right)
#
# where :math:`[i = j]` is 1 if i and j are equal and 0 otherwise. On the diagonal stands :math:`p_i (1 - p_i)`, which
# looks familiar. Each column sums to 0: what one class gains, the others lose.

p = softmax(scores)
table = p[:, None] * (np.eye(3) - p)  # (3, 3): entry (i, j)
measured = np.stack([central(lambda t, d=d: softmax(scores + t * d), 0.0) for d in np.eye(3)], axis=1)
print(table.round(4))
assert np.allclose(table, measured, rtol=0, atol=1e-10)
assert np.allclose(table.sum(axis=0), 0)

# %%
# The engine does the same
# ------------------------
#
# ``minidl`` has all of them, in stable forms, and knows their slopes. Summing the answers before ``backward()`` gives
# the slope of every entry at once, since each answer depends only on its own z.

curves = [
    (minidl.relu, relu, relu_slope),
    (minidl.sigmoid, stable_sigmoid, sigmoid_slope),
    (minidl.tanh, stable_tanh, tanh_slope),
]
for engine, ours, slope in curves:
    z_t = minidl.tensor(z, requires_grad=True)
    a_t = engine(z_t)
    a_t.sum().backward()
    assert np.allclose(a_t.detach().numpy(), ours(z), rtol=0, atol=1e-15)
    assert np.allclose(z_t.grad.numpy(), slope(z), rtol=0, atol=1e-14)

assert np.array_equal(minidl.tanh(minidl.tensor(extreme)).numpy(), stable_tanh(extreme))
assert np.allclose(minidl.softmax(minidl.tensor(scores), dim=0).numpy(), softmax(scores), rtol=0, atol=1e-15)

# %%
# Summary
# -------
#
# * ReLU: :math:`\max(0, z)`, slope :math:`1[z > 0]`. Sigmoid: from 0 to 1, slope :math:`a(1 - a)`. Tanh: from -1 to 1,
#   slope :math:`1 - a^2`, and :math:`\tanh(z) = 2\sigma(2z) - 1`.
# * Hidden layers mostly use ReLU, since its slope does not shrink. A sigmoid at the end answers yes or no, a softmax
#   chooses one class out of many. Tanh does not.
# * The documents' formulas are right. Three worked examples of D3 are not, nor is tanh as an output for many classes.
# * Take :math:`e` to negative powers only, and nothing overflows.
# * The slope of softmax: :math:`\partial p_i/\partial z_j = p_i([i = j] - p_j)`.
#
# Next: the network answers. Lesson 04 asks how wrong the answer is.
#
# Exercises
# ---------
#
# ``python -m lessons check 3 my_solution.py`` checks the first two.
#
# 1. (checked) Write ``softmax(Z)`` for a table of scores with one row an example. Scores of 1000 must do no harm, and
#    one example must not disturb another.
# 2. (checked) Write ``silu_slope(z)``, the slope of :math:`z\,\sigma(z)`, a curve that many language models use in
#    place of ReLU. It should work for arrays, and for z = 1000 and -1000.
# 3. Divide the scores by a "temperature" T before the softmax. What happens to the probabilities for T = 0.1, and for
#    T = 100? Why the name?
# 4. Somebody gives you a network whose hidden units are tanh, and you have only sigmoids. Change its weights and biases
#    so that it gives exactly the same answers. (The identity above is all you need.)
