"""
Starting and holding back
=========================

With which weights should a network begin, so that it can learn at all? And how is it kept from learning its examples by
heart?

:time: 40 s
"""

# %%
# Why not begin with zeros?
# -------------------------
#
# Document D1, section 3.1.2 "模型训练流程" (Training procedure), begins with "初始化参数" (initialise the
# parameters) and names two ways, Gaussian and uniform random numbers. It does not say why they must be random, nor how
# large they should be. Both matter a great deal. First the randomness: what happens if all weights are equal?

import copy
import math

import matplotlib.pyplot as plt
import numpy as np

import minidl
import minidl.nn as nn
import minidl.nn.functional as F
from lessons import progress, save_figure
from minidl.data import MNIST5K

minidl.set_num_threads(1)  # the matrices are small: a second thread would only wait

rng = np.random.default_rng(0)
X = rng.uniform(-1, 1, (300, 2))  # (300, 2)
Y = X[:, 0] * X[:, 1] > 0  # (300,) do both coordinates have the same sign?
inputs, labels = minidl.tensor(X), minidl.tensor(Y.astype(int))


def learn(model, steps=300):
    optimiser = minidl.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(steps):
        optimiser.zero_grad()
        loss = F.cross_entropy(model(inputs), labels)
        loss.backward()
        optimiser.step()
    return loss.item()


def small_network(fill):
    minidl.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 20), nn.Tanh(), nn.Linear(20, 2)).double()
    for parameter in model.parameters():
        fill(parameter)
    return model


for name, fill in [
    ("zero", nn.init.zeros_),
    ("0.1", lambda p: nn.init.constant_(p, 0.1)),
    ("random", lambda p: nn.init.normal_(p, 0, 0.5)),
]:
    model = small_network(fill)
    loss = learn(model)
    hidden = model[0].weight.detach().numpy()  # (20, 2): one row a unit
    different = len(np.unique(hidden.round(6), axis=0))
    print(f"all parameters {name:6} at first: loss {loss:.3f} after 300 steps, {different} different hidden units")
    assert (different == 20 and loss < 0.3) if name == "random" else (different == 1 and loss > 0.6)

# %%
# (A loss of :math:`\log 2 = 0.693` means guessing.) Units that are equal compute the same, receive the same gradient,
# take the same step and stay equal (but for rounding): twenty units do the work of one. With zeros even that one is
# stuck: the error goes back through the output weights, which are zero, and nothing arrives. Random numbers make the
# units different, and learning can keep them so. The biases may well start at zero.
#
# How large?
# ----------
#
# Lesson 08 sent signals forward through one hidden layer. Now let there be thirty. Each layer multiplies by a matrix;
# thirty factors that are a little too small make nothing, thirty a little too large make astronomical numbers. How
# large is "just right"?
#
# One unit computes :math:`z = \sum_{j=1}^{n} w_j x_j` from its n inputs. Let the weights be independent of each other
# and of x, with mean 0 and variance :math:`\text{Var}(w)`. The mean of z is 0, and its variance is the mean of
#
# .. math:: z^2 = \sum_j w_j^2 x_j^2 + \sum_{j \ne k} w_j w_k\, x_j x_k .
#
# In the second sum the means of :math:`w_j` and :math:`w_k` are zero, so it disappears. What is left:
#
# .. math:: \text{Var}(z) = n\, \text{Var}(w)\, \overline{x^2}
#
# The mean square of the signal is multiplied by :math:`n\, \text{Var}(w)` in each layer. Then comes the activation:
#
# * **tanh** is nearly the identity for small z. So :math:`\text{Var}(w) = 1 / n` keeps the signal.
# * **ReLU** sets one half to zero. z is as often positive as negative, so it halves the mean square, and
#   :math:`\text{Var}(w) = 2 / n` makes up for it (He et al. 2015).

z = rng.normal(size=1_000_000)
half = np.mean(np.maximum(z, 0) ** 2) / np.mean(z**2)
print(f"what ReLU leaves of the mean square: {half:.3f}")
assert abs(half - 0.5) < 0.005

# %%
# On the way back it is the same with the roles exchanged. The rates go through the transposed matrix, where each is a
# sum over the units that an input feeds, :math:`n_{out}` of them, and then they are multiplied by the slope of the
# activation. That of ReLU is 0 or 1, half of the time each, so again there is a factor of one half. With layers of
# equal width, **what is right for the signal is right for the gradient.** (Where the widths differ, Glorot and Bengio's
# compromise is :math:`2 / (n_{in} + n_{out})`, in ``nn.init.xavier_normal_``.)
#
# Thirty layers
# -------------
#
# We measure: thirty layers of 200 units, 200 random inputs, and random rates that come back from the end. Three
# variances for each activation: half of what we derived, just that, and twice as much.

DEPTH, WIDTH = 30, 200
activations = {"tanh": (np.tanh, lambda h: 1 - h**2, 1), "ReLU": (lambda z: np.maximum(z, 0), lambda h: h > 0, 2)}


def normal(rng, variance, shape):
    return rng.normal(0, math.sqrt(variance), shape)


def signals(activation, variance, draw=normal, seed=0):
    """The root mean square of the signal behind every layer, and of the rates that go back, both by layer."""
    rng = np.random.default_rng(seed)
    function, slope, _ = activations[activation]
    weights = [draw(rng, variance, (WIDTH, WIDTH)) for _ in range(DEPTH)]
    h = [rng.normal(size=(200, WIDTH))]  # (200, WIDTH)
    for W in weights:
        h.append(function(h[-1] @ W.T))
    rates = [rng.normal(size=(200, WIDTH))]
    for W, output in zip(reversed(weights), reversed(h), strict=False):
        rates.append((rates[-1] * slope(output)) @ W)
    return [[np.sqrt(np.mean(each**2)) for each in walk] for walk in (h, rates[::-1])]


fig, panels = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained", sharey=True)
last = {}
for ax, (activation, (_, _, right)) in zip(panels, activations.items(), strict=True):
    for factor, colour in [(0.5, "tab:blue"), (1, "tab:green"), (2, "tab:red")]:
        ahead, back = signals(activation, factor * right / WIDTH)
        last[activation, factor] = ahead[-1], back[0]
        ax.semilogy(ahead, color=colour, label=f"Var = {factor * right:g} / n")
        ax.semilogy(back, ":", color=colour)
        print(f"{activation}, variance {factor * right:3} / n: signal 1 -> {ahead[-1]:.1e}, rates 1 -> {back[0]:.1e}")
    ax.set(xlabel="layer", title=activation)
    ax.legend(loc="lower center")
panels[0].set(ylabel="size of the signal (dotted: of the rates)")
save_figure(fig, "thirty_layers")
assert 0.3 < last["ReLU", 1][0] < 3
assert 0.3 < last["ReLU", 1][1] < 3
assert 0.3 < last["ReLU", 0.5][0] * 2 ** (DEPTH / 2) < 3
assert 0.3 < last["ReLU", 2][0] / 2 ** (DEPTH / 2) < 3
assert 0.05 < last["tanh", 1][0] < 0.5
assert last["tanh", 0.5][0] < 1e-4

# %%
# Read solid lines from left to right and dotted lines from right to left. With half of the variance the signal loses a
# factor of :math:`\sqrt 2` in every layer, :math:`2^{15}` in all; ReLU with twice the variance gains as much. Right in
# between it arrives as it set out. tanh cannot explode, since it ends at 1, but with too large weights its *rates* grow
# on their way back. And with 1 / n its signal fades slowly, because tanh is always a little smaller than the identity.
#
# "A factor of two too small" sounds like a small mistake. This is what it does to learning: twenty ReLU layers of 64
# units, digits, plain SGD.

digits = MNIST5K(train=True)
pixels, names = digits.data.reshape(-1, 784) / 255, digits.targets


def deep_network(factor):
    minidl.manual_seed(0)
    layers = [nn.Linear(784, 64), nn.ReLU()]
    for _ in range(19):
        layers += [nn.Linear(64, 64), nn.ReLU()]
    for layer in layers[::2]:
        nn.init.normal_(layer.weight, 0, math.sqrt(factor / layer.in_features))
        nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers, nn.Linear(64, 10))


def first_steps(model, steps=200):
    optimiser, order, losses = minidl.optim.SGD(model.parameters(), lr=0.03), np.random.default_rng(0), []
    for _ in range(steps):
        at = minidl.tensor(order.integers(0, len(digits), 50))
        optimiser.zero_grad()
        loss = F.cross_entropy(model(pixels[at]), names[at])
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return np.mean(losses[-20:])


after = {factor: first_steps(deep_network(factor)) for factor in (1.0, 2.0)}
for factor, loss in after.items():
    print(f"20 layers, variance {factor:g} / n: loss {loss:.3f} after 200 steps (guessing: {math.log(10):.3f})")
assert abs(after[1.0] - math.log(10)) < 0.02
assert after[2.0] < 2.0

# %%
# With 1 / n the network has not even begun. In a network of two or three layers nobody would have noticed.
#
# And the shape of the distribution, Gaussian or uniform? It has no part in the derivation, only the variance has. A
# uniform number between -c and c has the variance :math:`c^2 / 3`, so :math:`c = \sqrt{3\, \text{Var}}`.


def uniform(rng, variance, shape):
    c = math.sqrt(3 * variance)
    return rng.uniform(-c, c, shape)


gaussian, even = (signals("ReLU", 2 / WIDTH, draw)[0][-1] for draw in (normal, uniform))
print(f"signal behind 30 ReLU layers: Gaussian weights {gaussian:.2f}, uniform weights {even:.2f}")
assert 0.3 < even / gaussian < 3

minidl.manual_seed(1)
he, square = nn.init.kaiming_normal_(minidl.zeros(300, 500)), nn.init.xavier_uniform_(minidl.zeros(400, 400))
for tensor, expected, name in [(he, 2 / 500, "kaiming_normal_"), (square, 1 / 400, "xavier_uniform_")]:
    print(f"nn.init.{name}: variance {tensor.var().item():.5f}, expected {expected:.5f}")
    assert abs(tensor.var().item() / expected - 1) < 0.02

# %%
# One surprise: a layer that is just made, ``nn.Linear(n, m)``, has weights of variance 1 / (3 n), in ``minidl`` as in
# PyTorch. That is less than any of our values; it is kept for the sake of old programs. For two or three layers it does
# no harm. For more, choose your own.

default = nn.Linear(500, 300).weight.var().item() * 500
print(f"nn.Linear: variance {default:.3f} / n")
assert abs(default - 1 / 3) < 0.01

# %%
# Holding back: small weights
# ---------------------------
#
# Now the network can learn. Soon it learns too well: lesson 12 showed how it memorises its examples, errors and all. A
# network with large weights can bend its output sharply between two examples; with small weights it cannot. So let us
# charge for large weights. Instead of the loss L we minimise
#
# .. math:: L + \lambda \sum_k w_k^2
#
# This is called **L2 regularisation**. The sum has the slope :math:`2 \lambda w`, so that a step of gradient descent is
#
# .. math:: w - \eta\, (g + 2 \lambda w) = (1 - 2 \eta\lambda)\, w - \eta g .
#
# Every weight decays by a fixed share in each step, hence the name **weight decay**. In ``minidl.optim`` it is the
# option ``weight_decay``, and it stands for the whole factor :math:`2 \lambda`. (With Adam the two are not the same,
# see lesson
# 13. And usually only weights are charged, not biases: they do not bend anything.)

w = minidl.tensor(np.array([3.0, -2.0]), requires_grad=True)
by_hand = w.detach().numpy() - 0.1 * (2 * (w.detach().numpy() - 1) + 2 * 0.05 * w.detach().numpy())
optimiser = minidl.optim.SGD([w], lr=0.1, weight_decay=2 * 0.05)
((w - 1) ** 2).sum().backward()
optimiser.step()
print("a step with weight decay: by hand", by_hand, " engine", w.detach().numpy())
assert np.allclose(w.detach().numpy(), by_hand, rtol=0, atol=1e-14)

# %%
# What does the charge do to the result? Look at a single direction, with a loss of curvature h and the bottom at
# :math:`w^*`. Where is the bottom of :math:`\frac{h}{2} (w - w^*)^2 + \lambda w^2`? The slope
# :math:`h (w - w^*) + 2 \lambda w` is zero at
#
# .. math:: w = \frac{h}{h + 2 \lambda}\, w^* .
#
# If h is large, if the examples speak clearly about this direction, it hardly changes. If h is small, w goes to zero:
# **what the examples do not decide is left at zero.** Without the charge such weights would follow the noise.

curvature, bottom, charge = np.array([0.01, 0.1, 1.0, 10.0]), 1.0, 0.05
place = np.zeros(4)
for _ in range(2000):
    place = place - 0.1 * (curvature * (place - bottom) + 2 * charge * place)
print("curvatures", curvature, "lead to w =", np.round(place, 3), "in place of 1")
assert np.allclose(place, curvature / (curvature + 2 * charge) * bottom, rtol=0, atol=1e-9)

# %%
# Fourteen noisy points of a sine, and a network with 2,701 parameters, far too many for them:

x = np.sort(np.random.default_rng(3).uniform(-1, 1, 14))
y = np.sin(3 * x) + np.random.default_rng(4).normal(0, 0.3, 14)
grid = np.linspace(-1, 1, 200)


def fitted_curve(decay, steps=1500):
    minidl.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 50), nn.Tanh(), nn.Linear(50, 50), nn.Tanh(), nn.Linear(50, 1)).double()
    weights = [p for p in model.parameters() if p.ndim == 2]
    optimiser = minidl.optim.Adam(model.parameters(), lr=0.01)
    points, values = minidl.tensor(x[:, None]), minidl.tensor(y[:, None])
    for _ in range(steps):
        optimiser.zero_grad()
        loss = F.mse_loss(model(points), values) + decay * sum((w * w).sum() for w in weights)
        loss.backward()
        optimiser.step()
    with minidl.no_grad():
        squares = sum((w * w).sum().item() for w in weights)
        return model(minidl.tensor(grid[:, None])).numpy()[:, 0], squares


distance = {}
fig, panels = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained", sharey=True)
for ax, (decay, name) in zip(panels, [(0.0, "none"), (0.001, "some"), (0.1, "too much")], strict=True):
    curve, squares = fitted_curve(decay)
    distance[decay] = np.mean((curve - np.sin(3 * grid)) ** 2)
    print(f"lambda {decay:5}: sum of w^2 {squares:6.1f}, mean squared distance from the sine {distance[decay]:.3f}")
    ax.plot(grid, np.sin(3 * grid), "k:", label="the sine")
    ax.plot(x, y, "o", label="14 noisy points")
    ax.plot(grid, curve, label="the network")
    ax.set(title=f"L2: {name} ($\\lambda$ = {decay:g})", xlabel="x", ylim=(-2, 2))
panels[0].set(ylabel="y")
panels[0].legend()
save_figure(fig, "weight_decay")
assert distance[0.001] < distance[0.0]
assert distance[0.001] < distance[0.1]

# %%
# How large :math:`\lambda` should be cannot be derived; it is tried out on validation data.
#
# Dropout
# -------
#
# A different way to keep a network from relying on details: in every training step, switch off a random part of the
# units (Srivastava et al. 2014). No unit can count on a particular other one to correct its errors, so each has to be
# useful by itself. Every output x of a layer becomes zero with probability p. The others are divided by 1 - p:
#
# .. math:: y_i = \frac{k_i}{1 - p}\, x_i, \qquad k_i = 0 \text{ with probability } p, \text{ otherwise } 1
#
# Why the division? The next layer adds up many of these, and its sums should keep their size when all units are back at
# work after training. The mean of :math:`k_i` is 1 - p, so the mean of :math:`y_i` is
# :math:`\frac{1 - p}{1 - p} x_i = x_i`. With the division in training ("inverted" dropout), nothing is left to do in
# use. On the way back the rates pass where the signal passed, with the same factor: :math:`k_i g_i / (1 - p)`.


def dropout(x, p, rng):
    factor = (rng.random(x.shape) >= p) / (1 - p)  # k / (1 - p)
    return x * factor, factor


rng = np.random.default_rng(5)
x_units = rng.normal(size=8)
means = np.mean([dropout(x_units, 0.4, rng)[0] for _ in range(40_000)], axis=0)
print("x:                 ", np.round(x_units, 2))
print("mean of 40,000 y:  ", np.round(means, 2))
assert np.allclose(means, x_units, rtol=0, atol=0.05)

many = minidl.ones(100_000, requires_grad=True)
minidl.manual_seed(0)
dropped = F.dropout(many, 0.4)
dropped.sum().backward()
print(f"minidl: share of zeros {(dropped == 0).float().mean().item():.3f}, mean {dropped.mean().item():.3f}")
assert abs((dropped == 0).float().mean().item() - 0.4) < 0.01
assert abs(dropped.mean().item() - 1) < 0.01
assert np.array_equal(many.grad.numpy(), dropped.detach().numpy())  # the rates meet the same factors as the ones did
assert F.dropout(many, 0.4, training=False) is many

# %%
# Remember ``model.eval()`` before the network is used, and ``model.train()`` before it goes on learning.
#
# Early stopping
# --------------
#
# The simplest way to hold back is to stop in time. Look at the validation loss after each epoch, keep a copy of the
# weights whenever it is lower than ever before, and give up when it has not been for a while (the *patience*). Then
# return to the copy.
#
# We let 300 digits be learned, 60 of them with a wrong label. Wrong labels are a fact of life, and only by heart can
# they be learned. 500 other digits are for validation, 1,000 for the test at the end; these have all their labels
# right.

some = np.random.default_rng(0).permutation(len(digits))
train_at, valid_at = some[:300], some[300:800]
held_out = MNIST5K(train=False)
test_x, test_y = held_out.data.reshape(-1, 784) / 255, held_out.targets
valid_x, valid_y = pixels[minidl.tensor(valid_at)], names[minidl.tensor(valid_at)]


def with_wrong_labels(seed):
    """All labels, but 60 of those that are taught are wrong."""
    rng = np.random.default_rng(seed)
    taught, spoiled = names.numpy().copy(), rng.permutation(train_at)[:60]
    taught[spoiled] = (taught[spoiled] + rng.integers(1, 10, 60)) % 10
    return minidl.tensor(taught)


def judge(model, x, y):
    """Loss and share of right answers, with all units at work."""
    model.eval()
    with minidl.no_grad():
        scores = model(x)
        result = F.cross_entropy(scores, y).item(), (scores.argmax(1) == y).float().mean().item()
    model.train()
    return result


def train(p, seed, epochs=60, patience=10):
    minidl.manual_seed(seed)
    taught = with_wrong_labels(seed)

    model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Dropout(p), nn.Linear(256, 10))
    optimiser, order = minidl.optim.Adam(model.parameters(), lr=0.001), np.random.default_rng(seed)
    valid_losses, best, stop_at = [], None, None
    for epoch in range(epochs):
        for batch in order.permutation(train_at).reshape(-1, 50):
            at = minidl.tensor(batch)
            optimiser.zero_grad()
            F.cross_entropy(model(pixels[at]), taught[at]).backward()
            optimiser.step()
        valid_losses.append(judge(model, valid_x, valid_y)[0])
        if stop_at is None:
            if valid_losses[-1] == min(valid_losses):
                best = copy.deepcopy(model.state_dict())
            elif epoch - np.argmin(valid_losses) >= patience:
                stop_at = epoch  # here one would stop; we go on, to see what we are spared
    at_the_end = judge(model, test_x, test_y)
    model.load_state_dict(best)
    assert abs(judge(model, valid_x, valid_y)[0] - min(valid_losses[:stop_at])) < 1e-6
    return valid_losses, at_the_end, judge(model, test_x, test_y)


fig, ax = plt.subplots(layout="constrained")
table = {}
for p, colour in [(0.0, "tab:blue"), (0.5, "tab:orange")]:
    runs = [train(p, seed) for seed in progress((0, 1, 2), f"dropout {p}")]
    for curve, _, _ in runs:
        ax.plot(curve, color=colour, label=f"dropout {p}" if curve is runs[0][0] else None)
    for when, column in [("after 60 epochs", 1), ("stopped early", 2)]:
        table[p, when] = np.mean([run[column] for run in runs], axis=0)
for (p, when), (loss, right) in table.items():
    print(f"dropout {p}, {when:15}: test loss {loss:.3f}, {right:.1%} of the digits right")
ax.set(xlabel="epoch", ylabel="validation loss", ylim=(0.6, 1.4), title="300 digits, 60 wrong labels, three seeds")
ax.legend()
save_figure(fig, "early_stopping")
assert table[0.0, "stopped early"][0] < table[0.0, "after 60 epochs"][0] - 0.1
assert table[0.5, "after 60 epochs"][0] < table[0.0, "after 60 epochs"][0] - 0.05
assert table[0.0, "stopped early"][1] > table[0.0, "after 60 epochs"][1]

# %%
# Both help. Left to itself the network learns the wrong labels, too, and becomes sure of itself where it is wrong. With
# dropout that takes longer. Whoever stops in time is spared most of it, and then dropout adds little here. (How much
# each gains depends on which labels happen to be wrong: look how far the three runs are apart.) Nothing of this
# replaces what helps most: more examples, with right labels.
#
# Summary
# -------
#
# * Equal units stay equal: weights start at random. Their variance decides, not the shape of the distribution.
# * :math:`\text{Var}(z) = n\, \text{Var}(w)\, \overline{x^2}`. So 1 / n for tanh and 2 / n for ReLU; the gradient asks
#   for the same. A factor of two is nothing in 2 layers and 30,000 in 30.
# * L2 adds :math:`\lambda \sum w^2` to the loss: weights decay, and what the examples do not decide goes to zero.
# * Inverted dropout: zero with probability p, otherwise divided by 1 - p; only in training.
# * Early stopping: keep the weights with the lowest validation loss.
#
# Next: all parts are there. Lesson 15 puts them together and reads handwriting.
#
# Exercises
# ---------
#
# ``python -m lessons check 14 my_solution.py`` checks the first three.
#
# 1. (checked) Write ``weights(sizes, slope, seed)`` for an activation that is z for positive z and ``slope`` times z
#    for negative z (a "leaky" ReLU): a list of matrices, from ``sizes[0]`` inputs to ``sizes[1]`` units and so on, with
#    which the mean square of the signal stays as it is.
# 2. (checked) Write ``dropout(x, p, rng)``: the pair of y and of what dL/dy has to be multiplied by to give dL/dx.
# 3. (checked) Write ``stopped(losses, patience)``: given the validation loss after each epoch, the epoch whose weights
#    early stopping returns. It gives up after ``patience`` epochs in a row without a new lowest loss, and never sees
#    the epochs after that.
# 4. What variance would the sigmoid need? Measure it through 30 layers as above. Why does no value make it work well?
# 5. Charge :math:`\lambda \sum |w|` in place of the squares ("L1"). What is the slope now, and why does it make many
#    weights exactly zero, while L2 does not?
