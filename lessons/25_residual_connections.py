"""
Residual connections
====================

A network of thirty layers can do whatever one of six can. Why does it learn so much less, and what does "+ x" change?

:time: 40 s
"""

# %%
# Deeper and worse
# ----------------
#
# Give a network more layers, and it should become better, or at worst stay as good: the new layers need only hand on
# what they get. Let us try. Layers of 64 ReLU units, always two of them in one **block**,
#
# .. math:: y = \text{relu}(f(x)), \qquad f(x) = W_2\, \text{relu}(W_1 x + b_1) + b_2,
#
# with all weights of variance 2/n, which lesson 14 found to be right. Between a first layer (784 pixels to 64) and a
# last one (64 to ten scores) we put 1, 3, 7 or 15 blocks: 2, 6, 14 or 30 layers. All learn the same digits from the
# same batches, 200 steps of SGD. Each may try three learning rates, and its best one counts.

import itertools
import math

import matplotlib.pyplot as plt
import numpy as np

import minidl
import minidl.nn as nn
import minidl.nn.functional as F
from lessons import progress, save_figure
from minidl.data import MNIST5K

minidl.set_num_threads(1)  # the matrices are small: a second thread would only wait

digits, test_digits = MNIST5K(train=True), MNIST5K(train=False)
pixels, names = digits.data.reshape(-1, 784) / 255, digits.targets
test_pixels, test_names = test_digits.data.reshape(-1, 784) / 255, test_digits.targets
WIDTH = 64


def linear(inputs, outputs, variance):
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, 0, math.sqrt(variance))
    nn.init.zeros_(layer.bias)
    return layer


class PlainBlock(nn.Module):
    def __init__(self, variance_1, variance_2):
        super().__init__()
        self.first = linear(WIDTH, WIDTH, variance_1)
        self.second = linear(WIDTH, WIDTH, variance_2)

    def f(self, x):
        return self.second(F.relu(self.first(x)))

    def forward(self, x):
        return F.relu(self.f(x))


def network(make_block, blocks, seed=0):
    minidl.manual_seed(seed)
    middle = [make_block() for _ in range(blocks)]
    return nn.Sequential(linear(784, WIDTH, 2 / 784), nn.ReLU(), *middle, linear(WIDTH, 10, 1 / WIDTH))


def plain():
    return PlainBlock(2 / WIDTH, 2 / WIDTH)


def learn(model, rate, steps=200):
    """The losses; cut off where they are no numbers any more."""
    optimiser, order, losses = minidl.optim.SGD(model.parameters(), lr=rate), np.random.default_rng(0), []
    with np.errstate(all="ignore"):
        for _ in range(steps):
            at = minidl.tensor(order.integers(0, len(digits), 64))
            optimiser.zero_grad()
            loss = F.cross_entropy(model(pixels[at]), names[at])
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                break
            loss.backward()
            optimiser.step()
    return losses


def final(losses):
    return float(np.mean(losses[-20:])) if math.isfinite(losses[-1]) else math.inf


def best_of_three_rates(make_block, blocks):
    """The model that learned best, and its losses."""
    tries = []
    for rate in (0.01, 0.03, 0.1):
        model = network(make_block, blocks)
        tries.append((model, learn(model, rate)))
    return min(tries, key=lambda one: final(one[1]))


DEPTHS = [1, 3, 7, 15]  # in blocks
plain_runs = {blocks: best_of_three_rates(plain, blocks) for blocks in progress(DEPTHS, "plain networks")}
for blocks, (_, losses) in plain_runs.items():
    print(f"plain, {2 * blocks:2} layers: loss {final(losses):.2f} after {len(losses)} steps (guessing: 2.30)")
assert final(plain_runs[15][1]) > 1.2
assert final(plain_runs[15][1]) > 2 * final(plain_runs[3][1])

# %%
# The deepest network is by far the worst. This is *not* over-fitting (lesson 12), since we are looking at the loss in
# training. Nor is it weakness: thirty layers can do what six do. We take the trained network of six layers and append
# 24, whose matrices are the identity. All signals are positive behind a ReLU, so these layers hand on what they get:

shallow = plain_runs[3][0]
deep = nn.Sequential(*list(shallow)[:-1], *[plain() for _ in range(12)], list(shallow)[-1])
with minidl.no_grad():
    for block in list(deep)[5:-1]:
        for layer in (block.first, block.second):
            layer.weight.copy_(minidl.eye(WIDTH))
            layer.bias.zero_()
    assert np.array_equal(deep(test_pixels).numpy(), shallow(test_pixels).numpy())
print("30 layers, 24 of them the identity: the same scores as the network of 6 layers")

# %%
# So a good solution is there, but 30 layers do not find it. To hand something on, the simplest of all tasks, is hard to
# learn for a layer that starts from random weights.
#
# One unit wide
# -------------
#
# Make the network as narrow as can be, and we can see all of it. Thirty layers of a single tanh unit,
# :math:`f_k(x) = \tanh(w_k x + b_k)`, one after the other, are a function of one number. Its slope is the product of
# all slopes (chain rule, lesson 01):
#
# .. math:: \frac{dy}{dx} = f_{30}' \cdot f_{29}' \cdots f_1'
#
# Thirty factors, and most of them smaller than 1: nothing is left. The rates that would teach the first layers go
# through the same product, so the first layers are not taught.

DEPTH = 30
rng = np.random.default_rng(3)
w, b = rng.normal(0, 1, DEPTH), rng.normal(0, 0.5, DEPTH)


def chain(x, step):
    """All values on the way, and the slope of the last by the first. step gives the next value and its slope by x."""
    values, slope = [x], np.ones_like(x)
    for k in range(DEPTH):
        f = np.tanh(w[k] * values[-1] + b[k])
        f_slope = w[k] * (1 - f * f)
        value, factor = step(values[-1], f, f_slope)
        values.append(value)
        slope = slope * factor
    return np.array(values), slope


x = np.linspace(-3, 3, 301)
plain_values, plain_slope = chain(x, lambda x, f, f_slope: (f, f_slope))
print(f"30 plain layers: the slope is at most {np.abs(plain_slope).max():.0e}")
assert np.abs(plain_slope).max() < 1e-10

# %%
# A way past the layer
# --------------------
#
# He, Zhang, Ren and Sun (2015) let each block compute not the next signal but a *change* of it:
#
# .. math:: y = x + f(x)
#
# The signal itself goes past the block, on what is called a **residual** (or skip) **connection**; f only has to learn
# what remains to be done. To hand on x, f has to be zero, and zero is easy. And the slope is
#
# .. math:: \frac{dy}{dx} = \frac{d}{dx}\left(x + f(x)\right) = 1 + f'(x)
#
# Along all blocks the slopes are multiplied, as before. But look at what the product is made of:
#
# .. math:: (1 + f_1')(1 + f_2')(1 + f_3') = 1 + (f_1' + f_2' + f_3') + (f_1' f_2' + f_1' f_3' + f_2' f_3')
#    + f_1' f_2' f_3'
#
# Every term is a path from the input to the output. At each block the path goes either through (a factor
# :math:`f_k'`) or past it (a factor 1). The last term is the plain network, the only path that it has. The first term
# goes past everything. **It is 1, however many blocks there are and whatever they do**: this part of the rates reaches
# the first layer as it left the last one. With L blocks there are :math:`2^L` paths. We count with ten:

slopes = rng.normal(0, 0.5, 10)
through = itertools.product([False, True], repeat=10)  # which blocks a path goes through
paths = [math.prod(f_slope for f_slope, taken in zip(slopes, path, strict=True) if taken) for path in through]
print(f"{len(paths)} paths, sum {sum(paths):.10f}; product of all (1 + f') {np.prod(1 + slopes):.10f}")
assert len(paths) == 2**10
assert abs(sum(paths) - np.prod(1 + slopes)) < 1e-12

# %%
# The same thirty functions of one unit, now with "x +" (and a small factor before f, which we shall derive next):

scale = 1 / math.sqrt(DEPTH)
residual_values, residual_slope = chain(x, lambda x, f, f_slope: (x + scale * f, 1 + scale * f_slope))
print(f"30 residual blocks: the slope is between {residual_slope.min():.2f} and {residual_slope.max():.2f}")
assert residual_slope.min() > 0.1
assert residual_slope.max() < 5

fig, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.9), layout="constrained")
for ax, values, name in [(left, plain_values, "plain"), (middle, residual_values, "residual")]:
    for k, colour in [(0, "lightgray"), (1, "#a6cee3"), (3, "#5a9fd4"), (10, "#1f5f9f"), (30, "black")]:
        ax.plot(x, values[k], color=colour, label=f"behind {k} layers" if k else "the input")
    ax.set(xlabel="input", ylim=(-3.6, 3.6), title=f"One unit wide, {name}")
left.set(ylabel="signal")
left.legend(fontsize=8)
tiny = 1e-20
right.semilogy(x, np.maximum(np.abs(plain_slope), tiny), color="tab:green", label="plain")
right.semilogy(x, residual_slope, color="tab:red", label="residual")
right.set(xlabel="input", title="Slope of the output by the input", ylim=(tiny, 1e3))
right.legend(loc="center right")
save_figure(fig, "one_unit")

# %%
# Three plain layers have left no more than a small step of the input; behind ten, all inputs give the same. The
# residual chain bends the input gently, and keeps different things different.
#
# How large may f be?
# -------------------
#
# The product cannot vanish as before, but it might explode. Let the slopes :math:`f_k'` be random, independent of each
# other, with mean 0 and variance :math:`\tau^2`. The mean of a product of independent factors is the product of their
# means. The mean of :math:`1 + f'` is 1, and the mean of :math:`(1 + f')^2 = 1 + 2 f' + f'^2` is :math:`1 + \tau^2`:
#
# .. math::
#    \overline{\textstyle\prod (1 + f_k')} = 1, \qquad
#    \overline{\textstyle\prod (1 + f_k')^2} = (1 + \tau^2)^L, \qquad
#    \text{plain:}\quad \overline{\textstyle\prod f_k'^2} = \tau^{2L}
#
# A plain network needs :math:`\tau = 1`, precisely. A residual one is fine with any :math:`\tau` that is small enough.
# With :math:`\tau^2 = 1 / L` it has :math:`(1 + 1/L)^L`, which is less than e = 2.718 in any depth. But with
# :math:`\tau^2 = 1` it would have :math:`2^L`, a billion for 30 blocks. So **the blocks should begin small.** (That is
# the factor :math:`1 / \sqrt{30}` in the chain above.)

draws = rng.normal(size=(200_000, DEPTH))
for tau_squared in (1 / 30, 1 / 10):
    product = np.prod(1 + math.sqrt(tau_squared) * draws, axis=1)
    derived = (1 + tau_squared) ** DEPTH
    print(f"variance {tau_squared:.3f}: mean {product.mean():.3f}, mean square {np.mean(product**2):.2f}", end="")
    print(f" (derived: 1 and {derived:.2f}); a plain chain: {tau_squared**DEPTH:.0e}")
    assert abs(product.mean() - 1) < 0.03
    assert abs(np.mean(product**2) / derived - 1) < 0.2

# %%
# Many units
# ----------
#
# With n units, f' becomes a matrix, the Jacobian :math:`J` of lesson 11, and the slope of a block is :math:`I + J`.
# Rates r (a row) become :math:`r + r J` on their way back. Their square is
#
# .. math:: |r + rJ|^2 = |r|^2 + 2\, r \cdot (rJ) + |rJ|^2 .
#
# The second weights of a block have mean 0, so on average :math:`r \cdot (rJ)` is 0. What is the size of
# :math:`rJ`? Lesson 14 has the answer: a matrix multiplies the mean square by :math:`n \text{Var}(w)`, and a ReLU by
# 1/2. With :math:`\text{Var} = 2/n` in the first layer, :math:`|rJ|^2` is about :math:`n \text{Var}(w_2)\, |r|^2`. So
# :math:`n \text{Var}(w_2)` is our :math:`\tau^2`, and in a network of B blocks the second weights get the variance
# :math:`\frac{1}{B} \cdot \frac{1}{n}`. The signal, by the same calculation, grows by no more than e either.


class ResidualBlock(PlainBlock):
    def forward(self, x):
        return x + self.f(x)


def residual(blocks):
    return lambda: ResidualBlock(2 / WIDTH, 1 / (blocks * WIDTH))


def small_weights():
    return PlainBlock(1 / (3 * WIDTH), 1 / (3 * WIDTH))  # as nn.Linear begins


sample = minidl.tensor(np.arange(0, 4000, 20))  # 200 images, 20 of each digit


def gradient_norms(model):
    """The length of dL/dW for each of the layers in the blocks, from the first to the last."""
    model.zero_grad()
    F.cross_entropy(model(pixels[sample]), names[sample]).backward()
    return [layer.weight.grad.norm().item() for block in list(model)[2:-1] for layer in (block.first, block.second)]


def likeness(model):
    """The mean cosine between the signals of two different images, behind each block."""
    with minidl.no_grad():
        h, found = pixels[sample], []
        for layer in list(model)[:-1]:
            h = layer(h)
            row = h.numpy() / np.linalg.norm(h.numpy(), axis=1, keepdims=True)
            n = len(row)
            found.append((np.sum(row @ row.T) - n) / (n * (n - 1)))
    return found[1:]


starts = {
    "plain, Var = 1/(3n)": network(small_weights, 15),
    "plain, Var = 2/n": network(plain, 15),
    "residual": network(residual(15), 15),
}
at_start = {name: gradient_norms(model) for name, model in starts.items()}
alike = {name: likeness(model) for name, model in starts.items()}
for name, norms in at_start.items():
    print(f"{name:19}: gradient of layer 2 {norms[1]:.0e}, of layer 30 {norms[-1]:.0e};", end="")
    print(f" likeness {alike[name][0]:.2f} at first, {alike[name][-1]:.2f} in the end")
assert at_start["plain, Var = 1/(3n)"][1] < 1e-10
assert 0.2 < at_start["plain, Var = 2/n"][1] / at_start["plain, Var = 2/n"][-1] < 8
assert 0.3 < at_start["residual"][1] / at_start["residual"][-1] < 3
assert alike["plain, Var = 2/n"][-1] > 0.85
assert abs(alike["residual"][-1] - alike["residual"][0]) < 0.2

# %%
# With the small weights that ``nn.Linear`` begins with, the gradient of the plain network has vanished, in all layers:
# in the first ones the rates are tiny, in the last ones the signals are. With 2/n its *size* is fine. So what is wrong
# with that one? The last two columns tell. They show the mean cosine between the signals of two different images: 1
# means that they point in the same direction. Behind thirty plain layers nearly all of the signal is the same for all
# images. Its size has survived, but not what is in it. (Behind a ReLU all numbers are positive or zero, so two signals
# cannot point far apart. With every layer the angle between them closes further.) The residual blocks have changed
# little.

# %%
# Thirty layers that learn
# ------------------------
#
# The same depths, the same number of weights, the same batches and rates, now with "x +".

residual_runs = {
    blocks: best_of_three_rates(residual(blocks), blocks) for blocks in progress(DEPTHS, "residual networks")
}


def share_right(model):
    with minidl.no_grad():
        return (model(test_pixels).argmax(1) == test_names).float().mean().item()


for blocks in DEPTHS:
    figures = [(final(losses), share_right(model)) for model, losses in (plain_runs[blocks], residual_runs[blocks])]
    (plain_loss, plain_right), (residual_loss, residual_right) = figures
    print(f"{2 * blocks:2} layers: loss {plain_loss:.2f} plain, {residual_loss:.2f} residual;", end="")
    print(f" test digits right {plain_right:.1%} and {residual_right:.1%}")
assert all(final(residual_runs[blocks][1]) < 0.7 * final(plain_runs[blocks][1]) for blocks in DEPTHS[2:])
assert final(residual_runs[15][1]) < 0.6
assert share_right(residual_runs[15][0]) > share_right(plain_runs[15][0]) + 0.2

fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for runs, name, colour in [(plain_runs, "plain", "tab:green"), (residual_runs, "residual", "tab:red")]:
    for blocks, style in [(3, ":"), (15, "-")]:
        losses = runs[blocks][1]
        smooth = np.convolve(losses, np.ones(10) / 10, mode="valid")
        left.plot(np.arange(9, len(losses)), smooth, style, color=colour, label=f"{name}, {2 * blocks} layers")
    right.plot([2 * blocks for blocks in DEPTHS], [final(runs[d][1]) for d in DEPTHS], "o-", color=colour, label=name)
left.set(xlabel="step", ylabel="loss (mean of 10 steps)", ylim=(0, 2.6), title="Learning digits, best of three rates")
right.set(xlabel="layers in the blocks", ylabel="loss after 200 steps", ylim=(0, 2.6), xticks=[2, 6, 14, 30])
right.set_title("Deeper and worse, deeper and as good")
for ax in (left, right):
    ax.axhline(math.log(10), color="gray", linewidth=0.8, linestyle="--")
    ax.legend()
save_figure(fig, "training")

# %%
# (The dashed line is guessing.) Thirty residual layers learn about as well as six. The gradients, layer by layer, at
# the start and after the 200 steps:

at_end = {"plain, Var = 2/n": gradient_norms(plain_runs[15][0]), "residual": gradient_norms(residual_runs[15][0])}
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
colours = {"plain, Var = 1/(3n)": "tab:blue", "plain, Var = 2/n": "tab:green", "residual": "tab:red"}
for ax, norms, when in [(left, at_start, "at the start"), (right, at_end, "after 200 steps")]:
    for name, by_layer in norms.items():
        for which, style in enumerate(["o--", "o-"]):  # the first and the second layers of the blocks
            label = f"{name}, {('first', 'second')[which]} layers of the blocks"
            at = range(1 + which, 31, 2)
            ax.semilogy(at, by_layer[which::2], style, markersize=3, color=colours[name], label=label)
    ax.set(xlabel="layer", ylabel="length of the gradient of the weights", title=f"Gradient by layer, {when}")
right.set(ylim=(0.01, 10))
left.legend(fontsize=8, loc="center")
save_figure(fig, "gradients")
for name, by_layer in at_end.items():
    print(f"after training, {name:16}: gradients from {min(by_layer):.2f} to {max(by_layer):.2f}")
assert max(at_end["residual"]) < 30 * min(at_end["residual"])

# %%
# At the start the gradients of the residual network are as large in its first layers as in its last. (The second layers
# of the blocks meet the rates as they are. To the first layers they come through the second weights, which began small;
# hence the distance between the two red lines.) They stay near each other while it learns.

# %%
# As it is built
# --------------
#
# In the networks that made residual connections famous, the ResNets for images, f consists of two convolutions (lesson
# 20), each followed by batch normalisation (lesson 24), and often a ReLU follows the sum. Where is our factor 1/B
# there? Batch normalisation gives every f the mean square 1 in the beginning, whatever its weights are. So the signal
# has mean square k behind k blocks (if it starts with about 1), and the next f changes it by one part in k. The product
#
# .. math:: \prod_{k=1}^{B} \left(1 + \frac{1}{k}\right) = \frac{2}{1} \cdot \frac{3}{2} \cdots \frac{B + 1}{B} = B + 1
#
# grows with the number of blocks, and no faster. That is slow enough.


class NormalisedBlock(PlainBlock):
    def __init__(self):
        super().__init__(2 / WIDTH, 2 / WIDTH)
        self.norm_1, self.norm_2 = nn.BatchNorm1d(WIDTH), nn.BatchNorm1d(WIDTH)

    def forward(self, x):
        return x + self.norm_2(self.second(F.relu(self.norm_1(self.first(x)))))


minidl.manual_seed(0)
signal = minidl.randn(500, WIDTH)
squares = []
with minidl.no_grad():
    for _ in range(30):
        signal = NormalisedBlock()(signal)
        squares.append((signal**2).mean().item())
for k in (1, 2, 10, 30):
    print(f"mean square behind {k:2} blocks with batch normalisation: {squares[k - 1]:.1f}")
assert all(abs(square / (k + 2) - 1) < 0.2 for k, square in enumerate(squares))

# %%
# One practical point: x and f(x) must have the same shape. Where a network changes its width, x is sent through a
# matrix of its own, :math:`y = W_s x + f(x)`.
#
# Residual connections are everywhere today. The cell of an LSTM, older than all this, adds to its state for the same
# reason, and each layer of a transformer is two residual blocks.
#
# Summary
# -------
#
# * Plain deep networks are hard to train although good solutions exist: the loss *in training* gets worse with depth.
# * :math:`y = x + f(x)` has the slope :math:`1 + f'`. Along the layers the product is a sum over :math:`2^L` paths, and
#   the one that goes past everything is 1. So the gradient no longer vanishes.
# * It could still explode: the mean square grows by :math:`(1 + \tau^2)^L`. Let the blocks begin small, 1/B of the
#   signal's square, or put batch normalisation into them.
# * With the right variance, a plain network keeps the size of its signals, but makes all images alike.
#
# Next: convolutions, batch normalisation and "+ x" together make the networks that read real photographs. The lessons
# from 26 on put them to work.
#
# Exercises
# ---------
#
# ``python -m lessons check 25 my_solution.py`` checks the first two.
#
# 1. (checked) Write ``backward(x, W_1, W_2, g)`` for the block :math:`y = x + W_2\, \text{relu}(W_1 x)` and one example
#    x of shape (n,), W_1 of shape (m, n), W_2 of shape (n, m): the triple dL/dx, dL/dW_1, dL/dW_2, given g = dL/dy.
# 2. (checked) Write ``by_length(slopes)``: for the slopes :math:`f_k'` of L blocks, L + 1 numbers, the sums over all
#    paths that go through exactly 0, 1, ..., L blocks. It must manage 60 blocks; they have more paths than anybody
#    can list.
# 3. Begin with all second weights zero. What does the network compute then? Which weights get a gradient in the first
#    step, and which in the second?
# 4. Take one block out of the trained networks of 30 layers (replace it by the identity), each of the 15 in turn. How
#    many test digits are still read, with and without "+ x"? Think of the paths.
# 5. Write :math:`y = 2 x + f(x)` instead. What happens to the product, and to the training?
