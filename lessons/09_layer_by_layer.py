"""
Layer by layer: the rules of D3
===============================

Lesson 08 solved one network. What are the rules that carry a gradient through any number of layers?

:formulas: D3-4-m, D3-4-n, D3-4-o, D3-4-p, D3-4-q, D3-4-r, D3-4-s, D3-4-t
:time: 5 s
"""

# %%
# The letters
# -----------
#
# Document D3, section 4 "数学模型和公式 & 详细讲解 & 举例说明" (Mathematical models, explanation, examples), numbers
# its layers :math:`l = 1, \dots, L`. A layer takes the values :math:`a_{l-1}` of the layer before, forms
# :math:`z_l = W_l a_{l-1} + b_l`, and puts out :math:`a_l = g(z_l)` with an activation g. The same letter L also
# stands for the loss: in :math:`\partial L/\partial a_L` the first L is the loss, the second the last layer.
#
# The document prints four rules for the way back, each with a sentence of explanation. Each of them is wrong in another
# way, so this lesson takes them one at a time: what must be true, what is printed, and a small example on which the two
# differ.

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

import minidl
from lessons import reproduce, save_figure


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def central(f, value, epsilon=1e-5):
    """The slope of f at a number, from one step up and one step down (lesson 01)."""
    return (f(value + epsilon) - f(value - epsilon)) / (2 * epsilon)


# %%
# Rule 1: across the activation
# -----------------------------
#
# The walk starts at the output with :math:`\partial L/\partial a_L`, which the loss provides, and must get to
# :math:`z_L`. Since :math:`a_L = g(z_L)`, a change of z is first multiplied by the slope of g:
#
# .. math:: \frac{\partial L}{\partial z_L} = \frac{\partial L}{\partial a_L} \odot g'(z_L)
#
# The document prints the two ends exchanged:
#
# .. math::
#    \frac{\partial L}{\partial a_L} = \frac{\partial L}{\partial z_L} \cdot \frac{\partial z_L}{\partial a_L}
#    \qquad\text{(as printed)}
#
# That is what you would write if z were computed from a. And the sentence below it does call z the activation and a the
# input. With these meanings the rule would be right, but in the document's formulas for the activations, and in its
# words for rule 3, they are the other way round. With z as the input, the rule is still true if the activation can be
# undone; yet it asks for what we have and uses what we want. If the activation cannot be undone, the rule fails. ReLU
# maps every negative z to 0, so nothing leads from a back to z. Take z = -2 and the loss :math:`(a - 1)^2 / 2`:

z = -2.0
a = max(0.0, z)
dL_da = a - 1  # the derivative of (a - 1)^2 / 2
slope = 1.0 if z > 0 else 0.0  # g'(z) of ReLU
dL_dz = dL_da * slope
for dz_da in [-100.0, 0.0, 1.0, 100.0]:
    print(f"as printed, with dz/da = {dz_da:6}: dL/da = {dL_dz * dz_da + 0.0}, but it is {dL_da}")

reproduce(
    "D3-4-m",
    measured_dz=central(lambda z: (max(0.0, z) - 1) ** 2 / 2, z),
    measured_da=central(lambda a: (a - 1) ** 2 / 2, a),
    right=dL_dz,
    printed=dL_dz * 1.0,
)

# %%
# Rule 2: to the layer before
# ---------------------------
#
# A unit j of layer l feeds the units of layer l + 1, and only those. What it does to the loss, it does through them:
#
# .. math::
#    \frac{\partial L}{\partial a_{l,j}} = \sum_{i \in \text{units of layer } l+1}
#    \frac{\partial L}{\partial z_{l+1,i}}\, w_{ij},
#    \qquad\text{all at once:}\quad \frac{\partial L}{\partial a_l} = W_{l+1}^T \frac{\partial L}{\partial z_{l+1}}
#
# This is the step through the transpose that we met in lesson 08. The document sums as well, but over *layers*:
#
# .. math::
#    \frac{\partial L}{\partial a_l} = \sum_{i = l+1}^{L} \frac{\partial L}{\partial z_i}
#    \cdot \frac{\partial z_i}{\partial a_l} \qquad\text{(as printed)}
#
# Its own words speak of the "next layer". Why is a sum over all later layers wrong? Because
# :math:`\partial L/\partial z_{l+1}` already contains everything that happens behind layer l + 1. Adding the effect
# through layer l + 2 counts the same path a second time. A chain with one unit in each layer shows it: three layers
# after :math:`a_1`, with tanh between them.

w_2, w_3, w_4, a_1 = 0.7, -1.3, 0.9, 0.4


def chain(a_1):
    z_2 = w_2 * a_1
    z_3 = w_3 * np.tanh(z_2)
    z_4 = w_4 * np.tanh(z_3)
    return z_2, z_3, z_4, (z_4 - 1) ** 2 / 2  # the last is the loss


z_2, z_3, z_4, loss = chain(a_1)

# Back from the loss, one layer after the other: rule 1 and rule 2 in turn.
dL_dz_4 = z_4 - 1
dL_dz_3 = dL_dz_4 * w_4 * (1 - np.tanh(z_3) ** 2)
dL_dz_2 = dL_dz_3 * w_3 * (1 - np.tanh(z_2) ** 2)
dL_da_1 = dL_dz_2 * w_2

# As printed: every later layer, each with the full effect that a_1 has on it.
dz_2_da_1 = w_2
dz_3_da_1 = w_3 * (1 - np.tanh(z_2) ** 2) * dz_2_da_1
dz_4_da_1 = w_4 * (1 - np.tanh(z_3) ** 2) * dz_3_da_1
terms = [dL_dz_2 * dz_2_da_1, dL_dz_3 * dz_3_da_1, dL_dz_4 * dz_4_da_1]
print("the three terms of the printed sum:", ", ".join(f"{term:.6f}" for term in terms))

# %%
# All three terms are equal: each is the whole effect, seen from another place along the only path there is. The
# printed sum is three times too large; with a hundred layers behind it would be a hundred times too large. In a chain
# of two layers with all weights 1 and no activation, one sees it without a calculator: the true rate is 1, the printed
# sum 1 + 1.

reproduce(
    "D3-4-n",
    measured=central(lambda a: chain(a)[3], a_1),
    right=dL_da_1,
    printed=sum(terms),
    right_linear=1.0 * 1.0,
    printed_linear=1.0 * 1.0 + 1.0 * (1.0 * 1.0),
)

# %%
# The sum over layers is not nonsense. If :math:`\partial z_i/\partial a_l` means only the *direct* effect of
# :math:`a_l` on layer i, with everything between held fixed, then in a plain network all terms but the first are zero
# and the formula holds; in a network with shortcuts from layer to layer it is even the right one. A formula needs its
# reading.
#
# Rule 3: weights and biases
# --------------------------
#
# Once :math:`\partial L/\partial z_i` is known, the rest is easy: in :math:`z_i = \sum_j w_{ij} a_j + b_i` the factor
# next to :math:`w_{ij}` is :math:`a_j`, and the one next to :math:`b_i` is 1.
#
# .. math::
#    \frac{\partial L}{\partial w_{ij}} = a_j\, \frac{\partial L}{\partial z_i}, \qquad
#    \frac{\partial L}{\partial b_i} = \frac{\partial L}{\partial z_i}
#
# The document has the same factor for both, and a slope in it:
#
# .. math::
#    \frac{\partial L}{\partial w_{ij}} = a_j (1 - a_j) \cdot \frac{\partial L}{\partial z_i}, \qquad
#    \frac{\partial L}{\partial b_j} = a_j (1 - a_j) \cdot \frac{\partial L}{\partial z_i} \qquad\text{(as printed)}
#
# :math:`a (1 - a)` is the slope of the sigmoid. It has its place in rule 1, so it is already inside
# :math:`\partial L/\partial z_i`. We try both readings of :math:`a_j`, as the output of the layer before and as the
# output of this unit.

a_j, w, b, y = 0.6, 1.1, -0.3, 0.0


def unit_loss(w, b, a_j=a_j):
    return (sigmoid(w * a_j + b) - y) ** 2 / 2


a_i = sigmoid(w * a_j + b)
dL_dz = (a_i - y) * a_i * (1 - a_i)  # rule 1, with its slope
dL_dw = a_j * dL_dz
dL_db = dL_dz
measured_w = central(lambda v: unit_loss(v, b), w)
measured_b = central(lambda v: unit_loss(w, v), b)
previous, this = a_j * (1 - a_j) * dL_dz, a_i * (1 - a_i) * dL_dz

reproduce("D3-4-o", measured=measured_w, right=dL_dw, printed_previous=previous, printed_this=this)
reproduce("D3-4-p", measured=measured_b, right=dL_db, printed_previous=previous, printed_this=this)

# %%
# Rule 4: what gradient descent moves
# -----------------------------------
#
# The document collects its derivatives in a vector and then updates all three kinds:
#
# .. math::
#    \nabla L = \left[\frac{\partial L}{\partial w_{ij}}, \frac{\partial L}{\partial b_j},
#    \frac{\partial L}{\partial z_i}\right] \qquad\text{(as printed)}
#
#    w_{ij} = w_{ij} - \alpha \frac{\partial L}{\partial w_{ij}}, \quad
#    b_j = b_j - \alpha \frac{\partial L}{\partial b_j}, \quad
#    z_i = z_i - \alpha \frac{\partial L}{\partial z_i}
#
# The first two updates are gradient descent as we know it. The third is not: z is no parameter. It is computed anew
# for every example from w, b and the input, and has another value, and another derivative, for each.

dL_dz_of = [(sigmoid(w * a + b) - y) * sigmoid(w * a + b) * (1 - sigmoid(w * a + b)) for a in (a_j, -2.0)]
print("dL/dz of one unit for two examples:", ", ".join(f"{value:.6f}" for value in dL_dz_of))
reproduce(
    "D3-4-q",
    parameters=len([w, b]),
    right=len([dL_dw, dL_db]),
    printed=len([dL_dw, dL_db, dL_dz]),
    spread=abs(dL_dz_of[0] - dL_dz_of[1]),
)

alpha = 1.0
reproduce("D3-4-r", w_new=w - alpha * dL_dw, loss=unit_loss(w, b), loss_new=unit_loss(w - alpha * dL_dw, b))
reproduce("D3-4-s", b_new=b - alpha * dL_db, loss=unit_loss(w, b), loss_new=unit_loss(w, b - alpha * dL_db))

# %%
# What would the third update do? We store z, move it, and run the network again. The forward pass computes z from w
# and b, and the moved value is gone. The line changes nothing; it can only be deleted.

stored = {"w": w, "b": b}


def forward(store):
    store["z"] = store["w"] * a_j + store["b"]
    return (sigmoid(store["z"]) - y) ** 2 / 2


before = forward(stored)
stored["z"] -= alpha * dL_dz  # the printed update
after_printed = forward(stored)
stored["w"] -= alpha * dL_dw
stored["b"] -= alpha * dL_db
after_right = forward(stored)
reproduce("D3-4-t", loss=before, right_loss=after_right, printed_loss=after_printed)

# %%
# All rules together
# ------------------
#
# With the rules mended, the way back through a network of any depth is a loop of three lines. Here are its layers of
# widths 3, 5, 4 and 2, tanh everywhere, and the squared error.

rng = np.random.default_rng(0)
widths = [3, 5, 4, 2]
W = [rng.normal(size=(n_out, n_in)) for n_in, n_out in pairwise(widths)]  # (n_out, n_in)
B = [rng.normal(size=n_out) for n_out in widths[1:]]
x, label = rng.normal(size=3), np.array([0.5, -0.5])


def network(W, B, x):
    outputs = [x]
    for W_l, b_l in zip(W, B, strict=True):
        outputs.append(np.tanh(W_l @ outputs[-1] + b_l))
    return outputs  # a_0 = x, a_1, ..., the last is the answer


def backward(W, B, x, label):
    outputs = network(W, B, x)
    gradients_W, gradients_B = [], []
    dL_da = outputs[-1] - label
    for l in reversed(range(len(W))):
        delta = dL_da * (1 - outputs[l + 1] ** 2)  # rule 1: delta is dL/dz; the slope of tanh is 1 - a^2
        gradients_W.insert(0, np.outer(delta, outputs[l]))  # rule 3: dL/dW = delta a^T
        gradients_B.insert(0, delta)
        dL_da = W[l].T @ delta  # rule 2
    return gradients_W, gradients_B


gradients_W, gradients_B = backward(W, B, x, label)

# %%
# The judge has the last word, for every single weight; and then the engine, which was told nothing but the forward
# pass.


def loss_with(l, index, value):
    moved = [W_l.copy() for W_l in W]
    moved[l][index] = value
    return np.sum((network(moved, B, x)[-1] - label) ** 2) / 2


differences = [
    abs(gradients_W[l][index] - central(lambda v, l=l, index=index: loss_with(l, index, v), W[l][index]))
    for l in range(3)
    for index in np.ndindex(W[l].shape)
]
print(f"{len(differences)} weights: largest difference from central differences {max(differences):.1e}")
assert max(differences) < 1e-9

weights, biases = ([minidl.tensor(p, requires_grad=True) for p in parameters] for parameters in (W, B))
answer = minidl.tensor(x)
for W_l, b_l in zip(weights, biases, strict=True):
    answer = (W_l @ answer + b_l).tanh()
difference = answer - minidl.tensor(label)
((difference * difference).sum() / 2).backward()
for parameter, by_hand in zip(weights + biases, gradients_W + gradients_B, strict=True):
    assert np.allclose(parameter.grad.numpy(), by_hand, rtol=0, atol=1e-15)

# %%
# How much would the printed sum of rule 2 have spoilt? In a chain with one unit in each layer, the factor by which it
# is too large is the number of layers behind. So the layers near the input suffer most. Here are chains of up to twenty
# layers with tanh and random weights.


def printed_over_true(w, a=0.4):
    """The printed sum for the input of a chain with the weights w, divided by the true gradient."""
    slopes, dz_da = [], []
    rate = 1.0  # of what enters the layer, with the input of the chain
    for w_l in w:
        dz_da.append(rate * w_l)
        a = np.tanh(w_l * a)
        slopes.append(1 - a**2)
        rate = dz_da[-1] * slopes[-1]
    dL_dz = [(a - 1) * slopes[-1]]  # the loss is (a - 1)^2 / 2
    for l in reversed(range(len(w) - 1)):
        dL_dz.insert(0, dL_dz[0] * w[l + 1] * slopes[l])
    return np.dot(dL_dz, dz_da) / (dL_dz[0] * w[0])


behind = np.arange(1, 21)
ratios = [printed_over_true(rng.normal(size=layers)) for layers in behind]
assert np.allclose(ratios, behind, rtol=1e-12)

fig, ax = plt.subplots(layout="constrained")
ax.axhline(1, color="tab:green", label="rule 2: the next layer")
ax.plot(behind, ratios, "o-", color="tab:red", label="as printed: all later layers")
ax.set(xlabel="layers behind", ylabel="gradient, as a multiple of the true one", xticks=behind[1::2], ylim=(0, None))
ax.set_title("Chains of tanh units with random weights")
ax.legend()
save_figure(fig, "counted_twice")

# %%
# Summary
# -------
#
# * Across an activation: :math:`\partial L/\partial z = \partial L/\partial a \odot g'(z)`.
# * To the layer before: :math:`\partial L/\partial a_l = W_{l+1}^T\, \partial L/\partial z_{l+1}`, the next layer only.
# * To the parameters: :math:`\partial L/\partial W = \partial L/\partial z\; a^T` with the values *before* the layer,
#   and :math:`\partial L/\partial b = \partial L/\partial z`.
# * Only parameters are moved. :math:`\partial L/\partial z` is a means to an end.
# * These rules, applied from the last layer to the first, cost about twice as much as the forward pass, for all weights
#   together. Central differences cost two forward passes for every single weight.
#
# Next: the rules never change. So a program can apply them; lesson 10 writes it.
#
# Exercises
# ---------
#
# 1. (checked) Write ``backward(W, b, x, label)`` for a network of any depth with **ReLU** in all layers but the last,
#    which has no activation, and the squared error :math:`\sum_i (a_i - y_i)^2 / 2`. W and b are lists; return two
#    lists of the same shapes. Check it with ``python -m lessons check 9 my_solution.py``.
# 2. Give the chain of rule 2 a shortcut: let :math:`z_4 = w_4 \tanh(z_3) + 0.5\, a_1`. What is
#    :math:`\partial L/\partial a_1` now? Which reading of the printed sum gives it?
# 3. Count the multiplications of ``network`` and of ``backward`` for layers of width n. What is their ratio for
#    large n?
