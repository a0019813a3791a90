"""
A unit, a layer, a network
==========================

A neural network is made of very simple parts. What can one of them do, and what can many do that one cannot?

:formulas: D1-2.1.1-a, D1-2.1.2-a, D1-3.1.2-b, D3-2-a
:time: 10 s
"""

# %%
# A unit weighs things up
# -----------------------
#
# Shall we go for a walk today? The sun speaks for it, the wind against it, and some people like walking anyway. You
# weigh the reasons, add them up, and decide. An artificial **unit** (or neuron) does just that. Document D1 (lesson 00
# has the list of documents), section 2.1.2 "前馈神经网络" (Feed-forward neural network), prints
#
# .. math:: z_i = \sum_{j} w_{ij} x_j + b_i
#
# * :math:`x_j` are the **inputs**: the reasons, as numbers.
# * :math:`w_{ij}` is the **weight** of input j for unit i. Positive: speaks for. Negative: against. Zero: no matter.
# * :math:`b_i` is the **bias**: what the unit thinks before it has heard anything.
# * :math:`z_i` is the sum, often called the *pre-activation*. The document calls it the input of unit i.
#
# The document calls :math:`w_{ij}` the weight between unit i and unit j. Which is which? The formula tells: the sum
# runs over j, so j *sends* and i *receives*. Keep this order in mind, "to, from"; all matrices of this course have it.
#
# To begin, one unit with one input, so that we can follow every digit.

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

import minidl
from lessons import progress, reproduce, save_figure

x, w, b = 1.5, 0.8, -0.2
z = w * x + b
print(f"z = {w} * {x} + ({b}) = {z:.1f}")

# %%
# The sum can be any number. But a unit should answer something like "no", "perhaps", "yes", so a curve squeezes the sum
# into the range from 0 to 1. Section 3.1.2 "模型训练流程" (Training procedure) prints both steps together,
#
# .. math:: z_i = \sum_{j} w_{ij} x_j + b_i, \qquad a_i = \sigma(z_i)
#
# where :math:`\sigma` is the **activation function** and :math:`a_i` the **activation**, the answer of the unit. We
# take the curve that the document names first, the sigmoid. Lesson 03 is about it and its relatives; for now, this is
# what it does:
#
# .. math:: \sigma(z) = \frac{1}{1 + e^{-z}}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


for value in [-5.0, -1.0, 0.0, 1.0, 5.0]:
    print(f"sigmoid({value:4}) = {sigmoid(value):.4f}")

reproduce("D1-3.1.2-b", z=z, a=sigmoid(z))

# %%
# The last line hands our figures to the **register**, a list of all formulas of the documents with what must be true of
# each. The formula's name there is D1-3.1.2-b: document D1, section 3.1.2, the second entry. The lesson would stop if a
# figure were wrong. ``python -m lessons formulas D1-3.1.2-b`` shows the entry.
#
# What one unit can say
# ---------------------
#
# With two inputs, a unit can already reason a little. Let the inputs be 0 (no) or 1 (yes). Weights of 10 make the
# answers clear: a sum of 5 gives 0.993, a sum of -5 gives 0.007.

questions = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])  # (4, 2), all there are


def unit(w, b, X):
    """What a unit answers to each row of X."""
    return sigmoid(X @ w + b)


at_least_one = unit(np.array([10.0, 10.0]), -5.0, questions)
both = unit(np.array([10.0, 10.0]), -15.0, questions)
first_not_second = unit(np.array([10.0, -10.0]), -5.0, questions)
print("inputs            ", questions.astype(int).tolist())
print("at least one      ", at_least_one.round(2))
print("both              ", both.round(2))
print("first, not second ", first_not_second.round(2))
assert ((at_least_one > 0.5) == [False, True, True, True]).all()
assert ((both > 0.5) == [False, False, False, True]).all()
assert ((first_not_second > 0.5) == [False, False, True, False]).all()

# %%
# The first two units differ only in their bias: it is the height of the hurdle. But no weights and bias exist for
# "**exactly** one of the two", the answers 0, 1, 1, 0. Try! There is a reason. A unit says "perhaps" where
#
# .. math:: w_1 x_1 + w_2 x_2 + b = 0
#
# and this is a straight line in the plane of the inputs. On one side of it the unit says yes, on the other no. The
# two points with the answer 1 lie at opposite corners of a square, and no line separates them from the other two.
#
# The proof takes one line. The four answers ask for :math:`b < 0`, :math:`w_2 + b > 0`, :math:`w_1 + b > 0` and
# :math:`w_1 + w_2 + b < 0`. Add the two in the middle: :math:`w_1 + w_2 + 2b > 0`. Add the two others:
# :math:`w_1 + w_2 + 2b < 0`. Both cannot be true.
#
# A layer
# -------
#
# Several units that see the same inputs form a **layer**. Write the weights of each unit as a row, and put the rows
# below each other: this is the weight matrix W, with :math:`w_{ij}` in row i and column j. Then all sums at once are
# the matrix product of lesson 00,
#
# .. math:: z = W x + b, \qquad W\,(n_\text{out} \times n_\text{in}),\; x\,(n_\text{in}),\; b\,(n_\text{out})

rng = np.random.default_rng(0)
n_in, n_out = 3, 4
W, bias, inputs = rng.normal(size=(n_out, n_in)), rng.normal(size=n_out), rng.normal(size=n_in)

by_loops = np.zeros(n_out)
for i in range(n_out):  # the unit that receives
    for j in range(n_in):  # the input that sends
        by_loops[i] += W[i, j] * inputs[j]
    by_loops[i] += bias[i]

reproduce("D1-2.1.2-a", z=z, matrix_error=np.abs(by_loops - (W @ inputs + bias)).max())

# %%
# Usually there are many examples, one in each row of a table X of shape (examples, n_in). The result should again have
# one row an example, (examples, n_out). So the inner length must be n_in, and W is transposed:
#
# .. math:: Z = X W^T + b
#
# The bias (n_out,) is broadcast over the examples. This little formula does most of the work in every network.

examples = rng.normal(size=(5, n_in))
Z = examples @ W.T + bias  # (5, 3) @ (3, 4) + (4,) -> (5, 4)
assert Z.shape == (5, n_out)
assert np.allclose(Z[2], W @ examples[2] + bias)

# %%
# A network
# ---------
#
# If one line is not enough, take two. "Exactly one" means "at least one, but not both". Two units draw the two lines,
# and a third unit listens to *them*: it wants the first and does not want the second.

W_hidden, b_hidden = np.array([[10.0, 10.0], [10.0, 10.0]]), np.array([-5.0, -15.0])
W_output, b_output = np.array([[10.0, -10.0]]), np.array([-5.0])


def exactly_one(X):
    hidden = sigmoid(X @ W_hidden.T + b_hidden)  # (examples, 2): at least one; both
    return hidden, sigmoid(hidden @ W_output.T + b_output)  # (examples, 1)


hidden, answer = exactly_one(questions)
print("exactly one       ", answer[:, 0].round(2))
assert ((answer[:, 0] > 0.5) == [False, True, True, False]).all()

line = np.linspace(-0.5, 1.5, 100)
plane = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)  # (10000, 2), every point of a square
hidden, answer = exactly_one(plane)
pictures = [("at least one", hidden[:, 0]), ("both", hidden[:, 1]), ("the first, not the second", answer[:, 0])]

fig, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained", sharey=True)
for ax, (title, values) in zip(axes, pictures, strict=True):
    image = ax.imshow(
        values.reshape(100, 100), extent=(-0.5, 1.5, -0.5, 1.5), origin="lower", cmap="coolwarm_r", vmin=0, vmax=1
    )
    ax.scatter(*questions.T, c=[0, 1, 1, 0], cmap="gray", edgecolors="black", s=80)
    ax.set(title=title, xlabel="x_1")
axes[0].set_ylabel("x_2")
fig.colorbar(image, ax=axes, label="what the unit says")
fig.suptitle("Two hidden units and the one that listens to them (white points: 1, black points: 0)")
save_figure(fig, "exactly_one")

# %%
# This is the whole idea. Section 2.1.1 "神经网络基本结构" (Basic structure of neural networks) lists three kinds of
# layers: the **input layer**, which takes in the data and has one unit a feature; **hidden layers**, which transform
# them step by step; and the **output layer**, with the result. Each of the units weighs and squeezes. The input layer
# does not compute anything, so a "network with two layers of weights" is also called one with a single hidden layer.
#
# Unit by unit, or layer by layer: it must be the same. A network with 3 inputs, layers of 5 and 4 units, and 2 outputs:

widths = [3, 5, 4, 2]
weights = [rng.normal(size=(n_out, n_in)) for n_in, n_out in pairwise(widths)]
biases = [rng.normal(size=n_out) for n_out in widths[1:]]


def by_layers(x):
    for W, b in zip(weights, biases, strict=True):
        x = sigmoid(W @ x + b)
    return x


def by_units(x):
    for W, b in zip(weights, biases, strict=True):
        x = [sigmoid(sum(W[i, j] * x[j] for j in range(len(x))) + b[i]) for i in range(len(b))]
    return np.array(x)


inputs = rng.normal(size=3)
error = np.abs(by_layers(inputs) - by_units(inputs)).max()

# %%
# What is the curve good for?
# ---------------------------
#
# The document says that the activation function transforms the output of each unit in a *non-linear* way. Let us leave
# it out, and have two layers that only weigh and add:
#
# .. math:: W_2 (W_1 x + b_1) + b_2 = (W_2 W_1)\, x + (W_2 b_1 + b_2)
#
# The right side is one single layer, with the matrix :math:`W_2 W_1`. A hundred layers without a curve between them
# collapse into one in the same way, and can only draw straight lines. The curve keeps them apart.

(W_1, W_2, _), (b_1, b_2, _) = weights, biases
two_layers = W_2 @ (W_1 @ inputs + b_1) + b_2
one_layer = (W_2 @ W_1) @ inputs + (W_2 @ b_1 + b_2)
reproduce("D1-2.1.1-a", error=error, collapse_error=np.abs(two_layers - one_layer).max())

assert not np.allclose(sigmoid(two_layers), sigmoid(W_2 @ sigmoid(W_1 @ inputs + b_1) + b_2))

# %%
# Nobody wants to choose weights by hand
# --------------------------------------
#
# Here are 80 points. Those inside a circle have the label 1, the others 0. How many lines does one need to fence them
# in? A triangle is the least; we allow six hidden units. That makes 6 * 2 weights and 6 biases in the hidden layer,
# and 6 weights and 1 bias in the output layer: 25 numbers. We do not choose them. We let the network find them.

rng = np.random.default_rng(0)
points = rng.uniform(-1.5, 1.5, (80, 2))
labels = (np.hypot(points[:, 0], points[:, 1]) < 0.95).astype(float)  # (80,)

# %%
# Document D3, section 2 "核心概念与联系" (Core concepts), lists the five components of a model: input layer, hidden
# layers, output layer, **loss function** and **optimiser**. (Its chart has three hidden layers; ours has one.) Three
# of them we know. The loss measures how wrong the answers are, in one number; here it is the mean of the squared
# differences (lesson 04 has more). The optimiser changes the weights so that the loss falls; here it turns each of
# the 25 knobs against its slope, as lesson 01 advised (lesson 05 has more). The step length is called alpha.
#
# All 25 numbers stand in one row, theta, and the layers use views of it.


def input_layer(X):
    return X


def hidden_layer(X, theta):
    W, b = theta[:12].reshape(6, 2), theta[12:18]
    return sigmoid(X @ W.T + b)  # (examples, 6)


def output_layer(H, theta):
    w, b = theta[18:24], theta[24]
    return sigmoid(H @ w + b)  # (examples,)


def mean_squared_error(answers, labels):
    return np.mean((answers - labels) ** 2)


def descend(theta, gradient, alpha=5.0):
    return theta - alpha * gradient


model = {
    "input layer": input_layer,
    "hidden layers": [hidden_layer],
    "output layer": output_layer,
    "loss function": mean_squared_error,
    "optimiser": descend,
}


def answers(theta, X):
    values = model["input layer"](X)
    for layer in model["hidden layers"]:
        values = layer(values, theta)
    return model["output layer"](values, theta)


def loss(theta):
    return model["loss function"](answers(theta, points), labels)


def slopes(f, at, epsilon=1e-5):
    """Central differences for every entry (lesson 01)."""
    return np.array([(f(at + step) - f(at - step)) / (2 * epsilon) for step in epsilon * np.eye(at.size)])


theta = start = rng.normal(size=25)
losses = [loss(theta)]
for _ in progress(range(1000), "training"):
    theta = model["optimiser"](theta, slopes(loss, theta))
    losses.append(loss(theta))

right = np.mean((answers(theta, points) > 0.5) == labels)
print(f"loss {losses[0]:.4f} at the start, {losses[-1]:.4f} at the end; {right:.0%} of the points are right")
assert right > 0.95
reproduce("D3-2-a", components=len(model), loss_start=losses[0], loss_end=losses[-1])

# %%
# It has learned. Each of its six hidden units draws a line (dotted), and the output unit makes a fence of them.

line = np.linspace(-1.5, 1.5, 120)
plane = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
fig, axes = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
for ax, parameters, title in [(axes[0], start, "before"), (axes[1], theta, "after 1000 steps")]:
    values = answers(parameters, plane).reshape(120, 120)
    image = ax.imshow(values, extent=(-1.5, 1.5, -1.5, 1.5), origin="lower", cmap="coolwarm_r", vmin=0, vmax=1)
    for unit_sum in (plane @ parameters[:12].reshape(6, 2).T + parameters[12:18]).T:
        ax.contour(line, line, unit_sum.reshape(120, 120), levels=[0], colors="black", linestyles="dotted")
    ax.scatter(*points.T, c=labels, cmap="gray", edgecolors="black", s=25)
    ax.set(title=title, xlabel="x_1", ylabel="x_2")
fig.colorbar(image, ax=axes[:2], label="what the network says")
axes[2].plot(losses)
axes[2].set(xlabel="step", ylabel="loss", title="The loss on the way", ylim=(0, None))
save_figure(fig, "circle")

# %%
# But look at the price. Each step evaluated the network 50 times, twice for each of 25 numbers. A language model has a
# billion numbers and more, and would need billions of evaluations for a single step. Lessons 07 to 09 find all slopes
# at once, for the price of about three evaluations. That is backpropagation.
#
# The engine does the same
# ------------------------
#
# In ``minidl``, a layer's sums are ``nn.Linear``, and ``nn.Sequential`` puts layers behind each other. We give it our
# 25 numbers and ask for its answers. Its weights have the shape (n_out, n_in), too.

network = minidl.nn.Sequential(
    minidl.nn.Linear(2, 6), minidl.nn.Sigmoid(), minidl.nn.Linear(6, 1), minidl.nn.Sigmoid()
).to(minidl.float64)
parts = {
    "0.weight": theta[:12].reshape(6, 2),
    "0.bias": theta[12:18],
    "2.weight": theta[None, 18:24],
    "2.bias": theta[24:],
}
network.load_state_dict({name: minidl.tensor(part) for name, part in parts.items()})
print(network)

engine = network(minidl.tensor(points)).detach().numpy()[:, 0]
assert np.allclose(engine, answers(theta, points), rtol=0, atol=1e-12)
assert sum(parameter.numel() for parameter in network.parameters()) == 25

# %%
# Summary
# -------
#
# * A unit weighs its inputs, adds a bias, and bends the sum: :math:`z_i = \sum_j w_{ij} x_j + b_i`,
#   :math:`a_i = \sigma(z_i)`. The index i receives, j sends.
# * A single unit draws one straight line.
# * A layer is a matrix: :math:`z = W x + b`, and for many examples :math:`Z = X W^T + b`.
# * Layers behind each other can do what one line cannot, but only with a curve between them; without it, they collapse
#   into one layer.
# * A model has five components: input layer, hidden layers, output layer, loss function and optimiser.
#
# Next: why just this curve? Lesson 03 compares it with others.
#
# Exercises
# ---------
#
# ``python -m lessons check 2 my_solution.py`` checks the first two.
#
# 1. (checked) Write ``layer(W, b, X)``: the sums Z of a layer for a table X of examples, one in each row.
# 2. (checked) Write ``majority()``, which returns the weights (three numbers) and the bias of a single unit that says
#    more than 0.9 if at least two of three inputs are 1, and less than 0.1 otherwise.
# 3. How many weights and biases has a network with 784 inputs (a small picture), two hidden layers of 128 units, and 10
#    outputs? Which layer has most of them?
# 4. Train the network on the circle with 3, 2 and 1 hidden units (mind the slices of theta). What do the pictures show?
#    Then leave out the sigmoid of the hidden layer, and explain what you see.
