"""
Backpropagation through a hidden layer
======================================

A weight deep inside a network reaches the loss only by way of other units. How do we find its gradient, and is the
worked example of our document right?

:formulas: D4-4.3-a, D4-4.3.1-a, D4-4.3.1-b, D4-4.3.1-c, D4-4.3.1-d, D4-4.3.1-e, D4-4.3.1-f, D4-4.3.1-g, D4-4.3.1-h
:time: 5 s
"""

# %%
# The network and its letters
# ---------------------------
#
# Document D4, section 4.3.1 "反向传播算法举例" (Backpropagation, example), has an input layer, one hidden layer and an
# output layer:
#
# .. math:: h_1 = \sigma(W_1 \cdot X + b_1), \qquad y = \sigma(W_2 \cdot h_1 + b_2)
#
# :math:`X` is the input, :math:`W_1, b_1` are the weights and biases of the hidden layer, :math:`h_1` is what its units
# put out, and :math:`W_2, b_2` belong to the output layer. :math:`\sigma` is the sigmoid of lesson 03.
#
# One letter is used twice. Here :math:`y` is the output of the network; one page earlier, in the losses of section
# 4.1, :math:`y` is the label and :math:`\hat y` the output. We keep the meaning of section 4.1 all the way through:
# **y is the label, y_hat is the output.**
#
# To begin, every layer has a single unit, so that all letters are plain numbers and a pocket calculator can follow.

import matplotlib.pyplot as plt
import numpy as np

import minidl
from lessons import progress, reproduce, save_figure

x, y = 1.5, 1.0  # the input and its label
w_1, b_1 = 0.8, -0.2  # the hidden unit
w_2, b_2 = -1.2, 0.3  # the output unit


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# %%
# Forward, in atoms
# -----------------
#
# A formula is a chain of small steps. Let us give every intermediate value a name, one operation a line: the way back
# will use each of them again. The loss at the end is the binary cross-entropy of lesson 04,
#
# .. math:: L = -\left[\,y \log \hat y + (1 - y) \log(1 - \hat y)\,\right]

p_1 = w_1 * x
z_1 = p_1 + b_1
h_1 = sigmoid(z_1)
p_2 = w_2 * h_1
z_2 = p_2 + b_2
y_hat = sigmoid(z_2)
L = -(y * np.log(y_hat) + (1 - y) * np.log(1 - y_hat))

print(f"hidden unit: z_1 = {z_1:.6f}, h_1 = {h_1:.6f}")
print(f"output unit: z_2 = {z_2:.6f}, y_hat = {y_hat:.6f}")
print(f"loss: L = {L:.6f}   (the label is 1, the output says {y_hat:.2f}: a poor answer)")

# %%
# A judge who knows no calculus
# -----------------------------
#
# Before we derive anything we want somebody who can tell us when we are wrong. Lesson 01 had such a judge: move one
# number up a little and down a little, and see how the loss follows. With a step of :math:`\varepsilon`,
#
# .. math:: \frac{\partial L}{\partial w} \approx \frac{L(w + \varepsilon) - L(w - \varepsilon)}{2 \varepsilon}


def loss_of(w_1, b_1, w_2, b_2, y=y):
    y_hat = sigmoid(w_2 * sigmoid(w_1 * x + b_1) + b_2)
    return -(y * np.log(y_hat) + (1 - y) * np.log(1 - y_hat))


def central(f, value, epsilon=1e-5):
    """The slope of f at a number, from one step up and one step down."""
    return (f(value + epsilon) - f(value - epsilon)) / (2 * epsilon)


measured = {
    "w_1": central(lambda v: loss_of(v, b_1, w_2, b_2), w_1),
    "b_1": central(lambda v: loss_of(w_1, v, w_2, b_2), b_1),
    "w_2": central(lambda v: loss_of(w_1, b_1, v, b_2), w_2),
    "b_2": central(lambda v: loss_of(w_1, b_1, w_2, v), b_2),
}

# %%
# Backward, in atoms
# ------------------
#
# Now we walk the chain from its end to its start. For every value v of the forward pass we compute one number,
# ``d_v``, short for :math:`\partial L / \partial v`: how fast the loss changes when v does. The chain rule gives each
# of them from the one computed just before:
#
# .. math:: \text{d\_v} = \text{d\_next} \cdot \frac{\partial\, \text{next}}{\partial v}
#
# No step needs more than the derivative of a sum, a product, a logarithm or the sigmoid, and the sigmoid's derivative
# costs nothing, since its output is at hand: :math:`\sigma'(z) = \sigma(z)(1 - \sigma(z))`.

d_y_hat = -(y / y_hat - (1 - y) / (1 - y_hat))  # the derivative of log v is 1 / v
d_z_2 = d_y_hat * y_hat * (1 - y_hat)  # y_hat = sigmoid(z_2)
d_b_2 = d_z_2 * 1  # z_2 = p_2 + b_2: both terms pass the change on as it is
d_p_2 = d_z_2 * 1
d_w_2 = d_p_2 * h_1  # p_2 = w_2 * h_1: the derivative by one factor is the other factor
d_h_1 = d_p_2 * w_2
d_z_1 = d_h_1 * h_1 * (1 - h_1)  # h_1 = sigmoid(z_1)
d_b_1 = d_z_1 * 1
d_p_1 = d_z_1 * 1
d_w_1 = d_p_1 * x

for name, ours in [("w_2", d_w_2), ("b_2", d_b_2), ("w_1", d_w_1), ("b_1", d_b_1)]:
    print(f"dL/d{name}: by hand {ours:+.6f}, measured {measured[name]:+.6f}")
    assert abs(ours - measured[name]) < 1e-8

# %%
# Two things are worth a second look. First, the two lines for the output unit melt into something very simple:
#
# .. math::
#    \frac{\partial L}{\partial z_2}
#    = \left(\frac{1 - y}{1 - \hat y} - \frac{y}{\hat y}\right) \hat y\,(1 - \hat y)
#    = (1 - y)\,\hat y - y\,(1 - \hat y)
#    = \hat y - y .
#
# Second, :math:`w_2` stands in the line for :math:`h_1`. It must: a change of :math:`h_1` reaches the loss through
# :math:`w_2` and through nothing else. This factor is how a hidden unit learns what it is to blame for.

assert abs(d_z_2 - (y_hat - y)) < 1e-15
assert abs(d_h_1 - w_2 * (y_hat - y)) < 1e-15

# %%
# The loss as printed
# -------------------
#
# The document's second step computes its loss by
#
# .. math:: L = -\sum_i y_i \log(y_i) \qquad\text{(as printed)}
#
# There is only one letter in it. If :math:`y` is the output, the label never enters, and the network could not learn
# anything about it. If :math:`y` is the label, there is no network in it, and its gradient is zero. Yet the next lines
# of the document go on with the difference of both. We try both readings and compare :math:`\partial L/\partial z_2`
# with the :math:`\hat y - y` that is claimed.


def entropy(p):
    return -p * np.log(p) if p > 0 else 0.0


def right_loss(z_2, y):
    y_hat = sigmoid(z_2)
    return -(y * np.log(y_hat) + (1 - y) * np.log(1 - y_hat))


reproduce(
    "D4-4.3.1-c",
    claimed=y_hat - y,
    right=central(lambda z: right_loss(z, y), z_2),
    printed_output=central(lambda z: entropy(sigmoid(z)), z_2),
    printed_label=central(lambda z: entropy(y), z_2),
    right_zero=central(lambda z: right_loss(z, 0.0), z_2),
    printed_zero=central(lambda z: -0.0 * np.log(sigmoid(z)), z_2),
)

# %%
# The last two figures are for an example with the label 0. Even with the second letter mended, to
# :math:`-\sum_i y_i \log \hat y_i`, the loss of such an example is :math:`-0 \cdot \log \hat y = 0` whatever the
# network says. Sigmoid outputs need the term with :math:`1 - y`.
#
# The gradients as printed
# ------------------------
#
# The third step of the document, "计算梯度" (Compute the gradients), prints
#
# .. math::
#    \begin{aligned}
#    \nabla_{W_2} L &= (y - \hat y) \cdot h_1  &\quad  \nabla_{b_2} L &= (y - \hat y) \\
#    \nabla_{W_1} L &= \sigma'(h_1) \cdot (y - \hat y) \cdot X  &  \nabla_{b_1} L &= \sigma'(h_1) \cdot (y - \hat y)
#    \end{aligned} \qquad\text{(as printed)}
#
# We evaluate them as they stand. Since the letters are used both ways, we also give the hidden layer a second chance,
# with :math:`y` as the output and :math:`\hat y` as the label, which turns every sign round.

slope_at_h_1 = sigmoid(h_1) * (1 - sigmoid(h_1))  # sigma'(h_1): the sigmoid is applied to h_1 once more

printed = {
    "w_2": (y - y_hat) * h_1,
    "b_2": y - y_hat,
    "w_1": slope_at_h_1 * (y - y_hat) * x,
    "b_1": slope_at_h_1 * (y - y_hat),
}
for name, value in printed.items():
    print(f"dL/d{name}: printed {value:+.6f} or {-value:+.6f}, measured {measured[name]:+.6f}")

# %%
# The gradients of the output layer have the wrong sign (or the right one, if the letters change their meaning). Those
# of the hidden layer are wrong in both readings, for two reasons that we can now name. The factor :math:`w_2` is
# missing: the hidden unit is never told how its output was used. And :math:`\sigma'` is taken at :math:`h_1`, where
# the sigmoid was not evaluated; it belongs at :math:`z_1`.
#
# From one unit to many
# ---------------------
#
# Now let the layers be wide: n inputs, H hidden units, K outputs. Unit i of the hidden layer has a weight for every
# input j. Written for single units, the forward pass is
#
# .. math:: z_{1,i} = \sum_j w_{ij} x_j + b_i
#
# and if the weights of a unit form one row of a matrix, all units at once are :math:`z_1 = W_1 X + b_1`. So the shapes
# are :math:`W_1 (H \times n),\; b_1 (H),\; W_2 (K \times H),\; b_2 (K)`.

rng = np.random.default_rng(4)
n, H, K = 2, 3, 2
X = rng.normal(size=n)  # (n,)
Y = np.array([1.0, 0.0])  # (K,) the labels
W_1, B_1 = rng.normal(size=(H, n)), rng.normal(size=H)  # (H, n), (H,)
W_2, B_2 = rng.normal(size=(K, H)), rng.normal(size=K)  # (K, H), (K,)


def forward(W_1, B_1, W_2, B_2, X):
    Z_1 = W_1 @ X + B_1  # (H,)
    H_1 = sigmoid(Z_1)  # (H,)
    Z_2 = W_2 @ H_1 + B_2  # (K,)
    return H_1, sigmoid(Z_2)  # (H,), (K,)


def forward_by_units(W_1, B_1, W_2, B_2, X):
    H_1 = [sigmoid(sum(W_1[i, j] * X[j] for j in range(n)) + B_1[i]) for i in range(H)]
    Y_hat = [sigmoid(sum(W_2[k, i] * H_1[i] for i in range(H)) + B_2[k]) for k in range(K)]
    return np.array(H_1), np.array(Y_hat)


H_1, Y_hat = forward(W_1, B_1, W_2, B_2, X)
by_units = forward_by_units(W_1, B_1, W_2, B_2, X)
matrix_error = max(np.abs(H_1 - by_units[0]).max(), np.abs(Y_hat - by_units[1]).max())
reproduce("D4-4.3.1-b", h_1=h_1, output=y_hat, matrix_error=matrix_error)

# %%
# Going back, one thing is new. A hidden unit now feeds **several** output units. If it changes, all of them change,
# and the effects on the loss add up:
#
# .. math:: \frac{\partial L}{\partial h_{1,i}} = \sum_k \frac{\partial L}{\partial z_{2,k}}\, w_{ki}
#
# The sum runs over the first index of :math:`W_2`, where the forward pass summed over the second. That is the product
# with the transposed matrix, :math:`W_2^T (\hat y - y)`. This one line, "the error goes back through the transpose",
# is what the document's gradients lack. With it,
#
# .. math::
#    \begin{aligned}
#    \nabla_{W_2} L &= (\hat y - y)\, h_1^T  &\quad  \nabla_{b_2} L &= \hat y - y \\
#    \delta_1 &= \left(W_2^T (\hat y - y)\right) \odot h_1 \odot (1 - h_1) && \\
#    \nabla_{W_1} L &= \delta_1 X^T  &  \nabla_{b_1} L &= \delta_1
#    \end{aligned}
#
# where :math:`\odot` multiplies element by element, and a column times a row, such as :math:`\delta_1 X^T`, is the
# table of all products: entry (i, j) is :math:`\delta_{1,i} x_j`. (:math:`\delta_1` is the ``d_z_1`` from above.)


def gradients(W_1, B_1, W_2, B_2, X, Y):
    H_1, Y_hat = forward(W_1, B_1, W_2, B_2, X)
    delta_2 = Y_hat - Y  # (K,)
    delta_1 = (W_2.T @ delta_2) * H_1 * (1 - H_1)  # (H,)
    return np.outer(delta_1, X), delta_1, np.outer(delta_2, H_1), delta_2


def loss(W_1, B_1, W_2, B_2, X, Y):
    Y_hat = forward(W_1, B_1, W_2, B_2, X)[1]
    return -np.sum(Y * np.log(Y_hat) + (1 - Y) * np.log(1 - Y_hat))


def measure(f, parameters, which):
    """Central differences of f(parameters) for every entry of one of the four parameters."""
    slopes = np.zeros_like(parameters[which])
    for index in np.ndindex(slopes.shape):

        def f_with(value, index=index):
            moved = [p.copy() for p in parameters]
            moved[which][index] = value
            return f(moved)

        slopes[index] = central(f_with, parameters[which][index])
    return slopes


parameters = [W_1, B_1, W_2, B_2]
error = {
    name: np.abs(by_hand - measure(lambda p: loss(*p, X, Y), parameters, which)).max()
    for which, (name, by_hand) in enumerate(
        zip(["w_1", "b_1", "w_2", "b_2"], gradients(*parameters, X, Y), strict=True)
    )
}
print("largest difference from central differences:", ", ".join(f"{name} {value:.1e}" for name, value in error.items()))

reproduce("D4-4.3.1-d", measured=measured["w_2"], right=d_w_2, printed=printed["w_2"], network_error=error["w_2"])
reproduce("D4-4.3.1-e", measured=measured["b_2"], right=d_b_2, printed=printed["b_2"], network_error=error["b_2"])
reproduce(
    "D4-4.3.1-f",
    measured=measured["w_1"],
    right=d_w_1,
    printed_label=printed["w_1"],
    printed_output=-printed["w_1"],
    network_error=error["w_1"],
)
reproduce(
    "D4-4.3.1-g",
    measured=measured["b_1"],
    right=d_b_1,
    printed_label=printed["b_1"],
    printed_output=-printed["b_1"],
    network_error=error["b_1"],
)

# %%
# The shapes as printed
# ---------------------
#
# The document gives its weights as two rows of n numbers, :math:`W_1 = [w_{11}, \dots, w_{1n}]` and
# :math:`W_2 = [w_{21}, \dots, w_{2n}]`. Can that be the fully connected network it announces? Take n = 3 inputs.
#
# * Read :math:`W_1 \cdot X` as a product of a row and a column: it is one number, so there is one hidden unit and
#   :math:`b_1` is one number. Then :math:`W_2 \cdot h_1`, n numbers times one, has n entries, and so has the printed
#   gradient of :math:`b_1`. A gradient must have as many entries as what it belongs to.
# * Read every product element by element: all shapes fit, but output i depends on input i alone. These are n separate
#   little networks side by side, with no connection between them.
#
# We count the entries, and we move one input to see which outputs follow.

n, H, K = 3, 4, 2
wide = [rng.normal(size=(H, n)), rng.normal(size=H), rng.normal(size=(K, H)), rng.normal(size=K)]
inputs, labels = rng.normal(size=n), np.array([0.0, 1.0])
row_1, row_2 = rng.normal(size=n), rng.normal(size=n)  # W_1 and W_2 as printed

one_unit = sigmoid(row_1 @ inputs + 0.1)  # a single number
n_outputs = sigmoid(row_2 * one_unit + 0.1)  # (n,)
printed_gradient = one_unit * (1 - one_unit) * (np.array([0.0, 1.0, 0.0]) - n_outputs)  # (n,), for a single b_1


def by_elements(inputs):
    return sigmoid(row_2 * sigmoid(row_1 * inputs + 0.1) + 0.1)


def fully_connected(inputs):
    return forward(*wide, inputs)[1]


def largest_cross_slope(network):
    """The largest |d output_i / d x_j| with i different from j: do the units talk to each other?"""
    slopes = [central(lambda v, j=j: network(np.where(np.arange(n) == j, v, inputs)), inputs[j]) for j in range(n)]
    table = np.abs(np.array(slopes))  # (n inputs, outputs)
    return max(table[j, i] for j in range(n) for i in range(table.shape[1]) if i != j)


reproduce(
    "D4-4.3.1-a",
    right_b1=wide[1].size,
    right_gradient=gradients(*wide, inputs, labels)[1].size,
    printed_b1=np.size(one_unit),
    printed_gradient=printed_gradient.size,
    right_cross=largest_cross_slope(fully_connected),
    printed_cross=largest_cross_slope(by_elements),
)

# %%
# Learning
# --------
#
# The fourth step moves every parameter against its gradient, with the learning rate :math:`\alpha`:
#
# .. math:: W_2 = W_2 - \alpha \cdot \nabla_{W_2} L \quad\text{and so on for } b_2, W_1, b_1
#
# One step for our little network, with :math:`\alpha = 1`:

alpha = 1.0
new = [w_2 - alpha * d_w_2, b_2 - alpha * d_b_2, w_1 - alpha * d_w_1, b_1 - alpha * d_b_1]
reproduce("D4-4.3.1-h", updated=new, loss=L, loss_new=loss_of(new[2], new[3], new[0], new[1]))

# %%
# Section 4.3 "反向传播算法" (Backpropagation) sums the method up in four steps: forward, loss, gradients, update. Its
# third step speaks of the gradient of the parameters "with respect to" the loss; it is the other way round, the loss
# changes and the parameters are what we change it by.
#
# Let us see the four steps learn something that a single unit cannot: "exclusive or", where the label is 1 if exactly
# one of the two inputs is 1. No straight line separates the two kinds (lesson 02), so a hidden layer is needed. A
# network with four hidden units starts from random weights and takes steps against the mean gradient of the four
# examples, once with the gradients that we derived and once with the printed ones (the transposes and sums needed to
# make the shapes fit are given to them for free).

xor_X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])  # (4, 2)
xor_Y = np.array([[0.0], [1.0], [1.0], [0.0]])  # (4, 1)


def printed_gradients(W_1, B_1, W_2, B_2, X, Y):
    H_1, Y_hat = forward(W_1, B_1, W_2, B_2, X)
    slope = sigmoid(H_1) * (1 - sigmoid(H_1))
    hidden = slope * np.sum(Y - Y_hat)  # (H,)
    return np.outer(hidden, X), hidden, np.outer(Y - Y_hat, H_1), Y - Y_hat


def mean_loss(parameters):
    return np.mean([loss(*parameters, X, Y) for X, Y in zip(xor_X, xor_Y, strict=True)])


def mean_gradients(rule, parameters):
    each = [rule(*parameters, X, Y) for X, Y in zip(xor_X, xor_Y, strict=True)]
    return [np.mean([one[which] for one in each], axis=0) for which in range(4)]


rng = np.random.default_rng(1)
start = [rng.normal(size=(4, 2)), rng.normal(size=4), rng.normal(size=(1, 4)), rng.normal(size=1)]


def train(rule, steps, alpha=1.0):
    parameters = start
    losses = [mean_loss(parameters)]
    for _ in progress(range(steps), rule.__name__):
        parameters = [p - alpha * g for p, g in zip(parameters, mean_gradients(rule, parameters), strict=True)]
        losses.append(mean_loss(parameters))
    return parameters, losses


learned, losses = train(gradients, 2000)
_, losses_printed = train(printed_gradients, 30)
answers = [forward(*learned, X)[1][0] for X in xor_X]
print("right gradients:   loss", f"{losses[0]:.3f} -> {losses[-1]:.3f}, answers", np.round(answers, 2))
print("printed gradients: loss", f"{losses_printed[0]:.3f} -> {losses_printed[-1]:.3f} after 30 steps")
assert losses[-1] < 0.02
assert losses_printed[-1] > losses_printed[0]

# %%
# The printed rule climbs: nearly all of its signs point uphill, and the network becomes more and more certain of wrong
# answers. The right rule finds a solution, and the picture shows what it is. Each hidden unit draws one soft line
# through the plane of inputs, and the output unit combines the sides.

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.plot(range(1, len(losses) + 1), losses, label="derived here")
left.plot(range(1, len(losses_printed) + 1), losses_printed, label="as printed")
left.set(
    xlabel="forward pass (the first is before any step)",
    ylabel="mean loss",
    ylim=(0, 3),
    xscale="log",
    title="Exclusive or, alpha = 1",
)
left.legend()
axis = np.linspace(-0.5, 1.5, 101)
plane = np.array([[forward(*learned, np.array([u, v]))[1][0] for u in axis] for v in axis])
image = right.imshow(plane, extent=(-0.5, 1.5, -0.5, 1.5), origin="lower", cmap="RdBu_r", vmin=0, vmax=1)
for corner, label in zip(xor_X, xor_Y, strict=True):
    right.text(*corner, f"{label[0]:.0f}", color="white", fontsize=16, ha="center", va="center")
right.set(xlabel="$x_1$", ylabel="$x_2$", title="What the network answers; in white, the labels")
fig.colorbar(image, ax=right, label=r"$\hat{y}$")
save_figure(fig, "exclusive_or")

# %%
# The first step of that training also serves as a record of the four steps as the document lists them.

first = mean_gradients(gradients, start)
gradient_error = max(np.abs(first[which] - measure(mean_loss, start, which)).max() for which in range(4))
reproduce("D4-4.3-a", gradient_error=gradient_error, loss=losses[0], loss_new=losses[1])

# %%
# The engine does the same
# ------------------------
#
# Nothing above was special to this network. The walk back looked at one operation at a time, used the derivative of
# that operation alone, and added up where a value had been used more than once. A program can do that. In ``minidl``
# every operation remembers its inputs, and ``backward()`` walks the chain for us. In lesson 10 we build such a program
# ourselves; here we only check that it agrees with our hands.

tensors = [minidl.tensor(p, requires_grad=True) for p in [W_1, B_1, W_2, B_2]]
T_1, C_1, T_2, C_2 = tensors
hidden = minidl.sigmoid(T_1 @ minidl.tensor(X) + C_1)  # (H,)
output = minidl.sigmoid(T_2 @ hidden + C_2)  # (K,)
target = minidl.tensor(Y)
total = -(target * output.log() + (1 - target) * (1 - output).log()).sum()
total.backward()

for tensor, by_hand in zip(tensors, gradients(W_1, B_1, W_2, B_2, X, Y), strict=True):
    difference = np.abs(tensor.grad.numpy() - by_hand).max()
    print(f"engine and hand, shape {tuple(tensor.shape)}: largest difference {difference:.1e}")
    assert difference < 1e-14

# %%
# Summary
# -------
#
# * Backpropagation is the chain rule, walked from the loss to the inputs, one operation at a time; each step reuses
#   the result of the step before.
# * For sigmoid outputs with the binary cross-entropy, :math:`\partial L/\partial z_2 = \hat y - y`.
# * The error of a hidden layer is the error of the next layer, sent back through the transposed weights and multiplied
#   by the slope of the activation where the activation was evaluated:
#   :math:`\delta_1 = (W_2^T \delta_2) \odot \sigma'(z_1)`.
# * The gradient of a weight is the error at its end times the value at its start:
#   :math:`\nabla_{W_1} L = \delta_1 X^T`.
# * The document has the sign of :math:`\hat y - y` wrong (if y is the label, as it was a page before), leaves out
#   :math:`W_2^T`, takes :math:`\sigma'` at :math:`h_1` instead of :math:`z_1`, prints rows where matrices are needed,
#   and a loss without a label.
# * Central differences found all of this without any calculus. Never trust a gradient that has not met them.
#
# Next: one hidden layer is done. Lesson 09 has the rules for any number of them.
#
# Exercises
# ---------
#
# 1. (checked) Write ``delta(W, delta_next, z)``, the error of a hidden layer of **tanh** units with the
#    pre-activations z, given the weights W and the error of the layer behind it. Its slope is
#    :math:`1 - \tanh^2 z`. Check it with ``python -m lessons check 8 my_solution.py``.
# 2. (checked) Write ``backward(W_1, b_1, W_2, b_2, W_3, b_3, X, Y)`` for a network with two hidden sigmoid layers, a
#    sigmoid output layer and the binary cross-entropy. It returns the six gradients in the order of the arguments.
# 3. Start the training on "exclusive or" with all weights zero. What happens to the hidden units, and why can
#    they never become different from each other? Lesson 14 takes it from there.
# 4. Remove one hidden unit after the other. With how many does the training still succeed, from ten different seeds?
