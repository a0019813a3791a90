"""
Batch normalisation
===================

Lesson 14 gave the weights of a deep network the right size for the first step. Every further step changes them. Can a
network keep its signals at the right size by itself?

:time: 40 s
"""

# %%
# What it computes
# ----------------
#
# Lesson 12 put its data on a scale with mean 0 and spread 1 before training. Ioffe and Szegedy (2015) do the same
# *between the layers, in every step*. Look at one unit, and let :math:`x_1, \dots, x_N` be what it puts out for the N
# examples of a batch. **Batch normalisation** subtracts their mean, divides by their spread, and then lets the network
# choose a new spread :math:`\gamma` and a new mean :math:`\beta`:
#
# .. math::
#    \mu = \frac{1}{N} \sum_i x_i, \qquad
#    v = \frac{1}{N} \sum_i (x_i - \mu)^2, \qquad
#    \hat x_i = \frac{x_i - \mu}{\sqrt{v + \varepsilon}}, \qquad
#    y_i = \gamma\, \hat x_i + \beta
#
# The small :math:`\varepsilon` is there for a unit that says the same for all examples (v = 0). Each unit has its own
# :math:`\mu` and v, found anew for each batch, and its own :math:`\gamma` and :math:`\beta`, which are learned like any
# weight. They start at 1 and 0.

import math

import matplotlib.pyplot as plt
import numpy as np

import minidl
import minidl.nn as nn
import minidl.nn.functional as F
from lessons import progress, save_figure
from minidl.data import MNIST5K

minidl.set_num_threads(1)  # the matrices are small: a second thread would only wait


def normalise(x, eps=1e-5):
    """(N, C), one column a unit -> x_hat (N, C) and the spread s (C,)."""
    c = x - x.mean(axis=0)  # (N, C)
    s = np.sqrt((c * c).mean(axis=0) + eps)  # (C,)
    return c / s, s


def batch_norm(x, gamma, beta, eps=1e-5):
    return gamma * normalise(x, eps)[0] + beta


rng = np.random.default_rng(0)
x = rng.normal(5.0, 3.0, (6, 4))  # six examples, four units: far from mean 0 and spread 1
gamma, beta = np.array([1.0, 1.0, 2.0, 0.5]), np.array([0.0, 0.0, -1.0, 3.0])
y = batch_norm(x, gamma, beta)
print("mean and spread before:", x.mean(axis=0).round(2), x.std(axis=0).round(2))
print("mean and spread after: ", (y.mean(axis=0) + 0.0).round(2), y.std(axis=0).round(2))
assert np.allclose(y.mean(axis=0), beta, rtol=0, atol=1e-12)
assert np.allclose(y.std(axis=0), gamma, rtol=1e-5)

# %%
# Whatever the layers before do to the mean and to the spread of a unit, it is undone here: :math:`7 x + 100` gives the
# same y as x. Without this layer the mean of a unit depends on all weights before it, and each step of learning
# disturbs it. Now it is :math:`\beta`, a single number, and learning can leave it alone or move it on purpose.

assert np.allclose(batch_norm(7 * x + 100, gamma, beta), y, rtol=0, atol=1e-4)

# %%
# A layer, not a preparation
# --------------------------
#
# Document D3, section 8 "附录：常见问题与解答" (Appendix: questions and answers), question 3, lists "批量归一化" (batch
# normalisation) under "数据预处理" (data preprocessing), next to data augmentation, and says that this makes training
# converge faster. The second half is right; we measure it below. The first half mixes up two things. To put *data* on a
# scale, as we did in lesson 12, is preprocessing: it is done once, before training, with fixed numbers. Batch
# normalisation is a **layer** of the network:
#
# * it stands between other layers, and what it subtracts depends on their weights, so it is different in every step;
# * it has parameters that are learned;
# * the gradient passes through it, as we shall see at once.
#
# Backward, in atoms
# ------------------
#
# The last point is the interesting one. :math:`\mu` and v depend on *all* examples of the batch. So each output depends
# on each input, and the way back has to follow all of these paths. One unit, four examples, a squared loss; first
# forward, every value with a name:

x = np.array([2.0, -1.0, 0.5, 4.0])  # the unit's output for four examples
t = np.array([0.0, 1.0, -1.0, 0.5])  # where we would like y to be
N, eps = 4, 1e-5
gamma, beta = 1.5, -0.3

mu = x.mean()
c = x - mu
q = c * c
v = q.mean()
s = np.sqrt(v + eps)
x_hat = c / s
y = gamma * x_hat + beta
L = 0.5 * np.sum((y - t) ** 2)

# %%
# Now back, as in lesson 08: ``d_v`` is short for :math:`\partial L / \partial v`. Two values are used twice. c goes
# straight into :math:`\hat x`, and by way of q, v and s into all of them; x goes straight into c, and by way of
# :math:`\mu`. Where ways meet, the rates add up.

d_y = y - t
d_gamma = np.sum(d_y * x_hat)  # one gamma for all examples: a sum
d_beta = np.sum(d_y)
d_x_hat = d_y * gamma
d_s = np.sum(d_x_hat * -c / s**2)  # one s for all examples: a sum
d_v = d_s / (2 * s)  # s is the root of v + eps
d_q = d_v / N  # v is a mean: each q has the share 1 / N
d_c = d_x_hat / s + d_q * 2 * c  # the straight way, and the way through q
d_mu = np.sum(-d_c)
d_x = d_c + d_mu / N  # the straight way, and the way through mu


def loss_of(x, gamma, beta):
    c = x - x.mean()
    return 0.5 * np.sum((gamma * c / np.sqrt((c * c).mean() + eps) + beta - t) ** 2)


def central(f, value, epsilon=1e-5):
    return (f(value + epsilon) - f(value - epsilon)) / (2 * epsilon)


def loss_with(value, i):
    return loss_of(np.where(np.arange(N) == i, value, x), gamma, beta)


measured = [central(lambda value, i=i: loss_with(value, i), x[i]) for i in range(N)]
print("dL/dx by hand: ", d_x.round(6))
print("dL/dx measured:", np.round(measured, 6))
assert np.allclose(d_x, measured, rtol=0, atol=1e-8)
assert abs(d_gamma - central(lambda value: loss_of(x, value, beta), gamma)) < 1e-8
assert abs(d_beta - central(lambda value: loss_of(x, gamma, value), beta)) < 1e-8

# %%
# The lines melt into one. Write :math:`h_i` for ``d_x_hat``. In the line for s, :math:`c_i / s = \hat x_i`, and so
# ``d_s`` is :math:`-\frac{1}{s} \sum_k h_k \hat x_k`. Put this into ``d_c``:
#
# .. math::
#    \text{d\_c}_i = \frac{h_i}{s} + \frac{2 c_i}{2 s N} \cdot \text{d\_s}
#    = \frac{1}{s} \left(h_i - \hat x_i \cdot \frac{1}{N} \sum_k h_k \hat x_k\right)
#
# The last two lines subtract the mean of ``d_c`` from ``d_c``. The mean of :math:`\hat x` is zero, hence
#
# .. math::
#    \frac{\partial L}{\partial x_i} = \frac{1}{s} \left(h_i - \overline{h} - \hat x_i\, \overline{h \hat x}\right),
#    \qquad h_i = \gamma\, \frac{\partial L}{\partial y_i},
#
# with a bar for the mean over the batch. The formula says what must be so. To add the same number to all x changes
# nothing, so the gradient has no part in this direction: its sum is zero. To stretch all x changes nothing, so it has
# no part along :math:`\hat x` either. Both parts are taken out, and the rest is divided by the spread.


def batch_norm_backward(g, x_hat, s, gamma):
    """g = dL/dy (N, C) -> dL/dx (N, C), dL/dgamma (C,), dL/dbeta (C,)."""
    h = gamma * g
    d_x = (h - h.mean(axis=0) - x_hat * (h * x_hat).mean(axis=0)) / s
    return d_x, (g * x_hat).sum(axis=0), g.sum(axis=0)


assert np.allclose(batch_norm_backward(d_y, x_hat, s, gamma)[0], d_x, rtol=0, atol=1e-14)
assert abs(d_x.sum()) < 1e-12
assert abs(np.sum(d_x * x_hat)) < 1e-4  # not quite zero: eps does not stretch

# %%
# What if somebody takes :math:`\mu` and s for constants, as a preparation of the data would have them? Then only
# :math:`h_i / s` is left. This is not slightly wrong:

print("with constants:", (d_x_hat / s).round(6))
assert np.abs(d_x_hat / s - measured).max() > 0.2

# %%
# Training and use
# ----------------
#
# During training the answer for one image depends on the others in its batch. They serve as a kind of noise, and do
# little harm. In use it cannot stay so: the same image must get the same answer in any company. And a single image has
# no spread at all; its :math:`\hat x` would be zero, whatever it shows.
#
# So the layer keeps a record while it trains. After every batch it moves a **running mean** and a **running variance**
# a little towards those of the batch, and in use it takes these in place of :math:`\mu` and v:
#
# .. math:: r \leftarrow (1 - m)\, r + m\, \mu, \qquad m = 0.1
#
# After n batches the start still has a share of :math:`0.9^n`; it is forgotten soon. The variance that is recorded is
# divided by N - 1, not by N. It is an estimate for images that are still to come, and the mean was fitted to these N,
# so they lie closer to it than new ones will.


class BatchNorm:
    def __init__(self, units, momentum=0.1, eps=1e-5):
        self.gamma, self.beta = np.ones(units), np.zeros(units)
        self.running_mean, self.running_var = np.zeros(units), np.ones(units)
        self.momentum, self.eps, self.training = momentum, eps, True

    def __call__(self, x):
        if not self.training:
            return self.gamma * (x - self.running_mean) / np.sqrt(self.running_var + self.eps) + self.beta
        m = self.momentum
        self.running_mean = (1 - m) * self.running_mean + m * x.mean(axis=0)
        self.running_var = (1 - m) * self.running_var + m * x.var(axis=0, ddof=1)
        return batch_norm(x, self.gamma, self.beta, self.eps)


layer = BatchNorm(1)
for batch in range(100):
    layer(rng.normal(5.0, 3.0, (20, 1)))
    if batch in (0, 9, 99):
        print(f"after {batch + 1:3} batches: mean {layer.running_mean[0]:.2f}, variance {layer.running_var[0]:.2f}")
assert abs(layer.running_mean[0] - 5) < 0.6
assert abs(layer.running_var[0] - 9) < 3

one, others = np.array([[6.0]]), rng.normal(5.0, 3.0, (2, 5, 1))
in_training = [layer(np.vstack([one, company]))[0, 0] for company in others]
layer.training = False
in_use = [layer(np.vstack([one, company]))[0, 0] for company in others]
print(f"the answer to 6 in training, in two batches: {in_training[0]:+.2f} and {in_training[1]:+.2f}")
print(f"in use, in the same company:                 {in_use[0]:+.2f} and {in_use[1]:+.2f}")
assert abs(in_training[0] - in_training[1]) > 0.1
assert in_use[0] == in_use[1] == layer(one)[0, 0]

# %%
# The engine does the same
# ------------------------
#
# ``F.batch_norm`` is this function, ``nn.BatchNorm1d`` this layer; ``model.train()`` and ``model.eval()`` switch it
# over, together with dropout. For images there is ``nn.BatchNorm2d``: a feature map uses the same weights at all places
# (lesson 20), so all places are taken together with all examples, and there is one :math:`\mu`, v, :math:`\gamma` and
# :math:`\beta` for each *channel*.

x, g = rng.normal(2.0, 3.0, (8, 5)), rng.normal(size=(8, 5))
gamma, beta = rng.normal(size=5), rng.normal(size=5)
tensors = [minidl.tensor(array, requires_grad=True) for array in (x, gamma, beta)]
output = F.batch_norm(tensors[0], None, None, tensors[1], tensors[2], training=True)
(output * minidl.tensor(g)).sum().backward()
apart = [np.abs(output.detach().numpy() - batch_norm(x, gamma, beta)).max()]
for tensor, by_hand in zip(tensors, batch_norm_backward(g, *normalise(x), gamma), strict=True):
    apart.append(np.abs(tensor.grad.numpy() - by_hand).max())

ours, theirs = BatchNorm(5), nn.BatchNorm1d(5).double()
for _ in range(3):
    batch = rng.normal(1.0, 2.0, (8, 5))
    ours(batch)
    theirs(minidl.tensor(batch))
apart.append(np.abs(theirs.running_mean.numpy() - ours.running_mean).max())
apart.append(np.abs(theirs.running_var.numpy() - ours.running_var).max())
theirs.eval()
ours.training = False
apart.append(np.abs(theirs(minidl.tensor(x)).detach().numpy() - ours(x)).max())

images = rng.normal(2.0, 3.0, (4, 3, 6, 6))  # (N, C, H, W)
columns = images.transpose(0, 2, 3, 1).reshape(-1, 3)  # one column a channel, as above one a unit
by_hand = normalise(columns)[0].reshape(4, 6, 6, 3).transpose(0, 3, 1, 2)
apart.append(np.abs(nn.BatchNorm2d(3).double()(minidl.tensor(images)).detach().numpy() - by_hand).max())
print(f"engine and hand differ by {max(apart):.0e} at most")
assert max(apart) < 1e-12

# %%
# Thirty layers again
# -------------------
#
# Back to the experiment of lesson 14: thirty ReLU layers of 200 units, and random rates that come back from the end.
# The weights have the variance 1/(3n), which is what ``nn.Linear`` starts with, or 2/n, which we derived. Then we put
# batch normalisation before each ReLU. The inputs are on a scale of mean 0 and spread 1 in every case: they *are*
# prepared.

DEPTH, WIDTH = 30, 200


def signals(variance, normalised, seed=0):
    """The root mean square of the signal behind every layer, and of the rates that go back, both by layer."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(0, math.sqrt(variance), (WIDTH, WIDTH)) for _ in range(DEPTH)]
    h, passed = [rng.normal(size=(200, WIDTH))], []
    for W in weights:
        z, s = h[-1] @ W.T, None
        if normalised:
            z, s = normalise(z)
        passed.append((z, s))
        h.append(np.maximum(z, 0))
    rates = [rng.normal(size=(200, WIDTH))]
    for W, (z, s) in zip(reversed(weights), reversed(passed), strict=True):
        d_z = rates[-1] * (z > 0)
        if normalised:
            d_z = batch_norm_backward(d_z, z, s, 1.0)[0]
        rates.append(d_z @ W)
    return [np.sqrt([np.mean(each**2) for each in walk]) for walk in (h, rates[::-1])]


fig, panels = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained", sharey=True)
walks = {}
for name, variance, normalised, style in [
    ("Var = 1/(3n)", 1 / (3 * WIDTH), False, "tab:blue"),
    ("Var = 2/n", 2 / WIDTH, False, "tab:green"),
    ("1/(3n), batch normalisation", 1 / (3 * WIDTH), True, "tab:red"),
    ("2/n, batch normalisation", 2 / WIDTH, True, "black"),
]:
    walks[name] = signals(variance, normalised)
    ahead, back = walks[name]
    print(f"{name:28} signal 1 -> {ahead[-1]:.1e}, rates 1 -> {back[0]:.1e}")
    for ax, walk in zip(panels, (ahead, back), strict=True):
        ax.semilogy(walk, color=style, linestyle="--" if style == "black" else "-", label=name)
panels[0].set(xlabel="layer", ylabel="root mean square", title="The signal, from left to right")
panels[1].set(xlabel="layer", title="The rates, from right to left")
panels[0].legend()
save_figure(fig, "thirty_layers")
assert walks["Var = 1/(3n)"][0][-1] < 1e-9
assert np.allclose(walks["1/(3n), batch normalisation"][0][1:], math.sqrt(0.5), rtol=0.02)
assert np.allclose(walks["1/(3n), batch normalisation"], walks["2/n, batch normalisation"], rtol=0.02)

# %%
# The signal stays where it is, at :math:`\sqrt{1/2}` (ReLU keeps one half of the mean square of :math:`\hat x`), and
# the size of the weights does not matter at all. That is what we wanted.
#
# But look at the right panel: the rates *grow* on their way back, a little in each layer. Why? Follow their mean square
# through one layer. ReLU keeps one half. The weights multiply by :math:`n \text{Var}(w)`. The normalisation
# divides by the variance of z over the batch, which is :math:`n \text{Var}(w)` times the *variance* of the ReLU's
# output, not its mean square, since the mean is subtracted. For a normal :math:`\hat x` the mean square of
# :math:`\max(\hat x, 0)` is 1/2, its mean is :math:`1/\sqrt{2 \pi}`, and so
#
# .. math::
#    \text{growth} = \frac{\frac{1}{2} \cdot n \text{Var}(w)}{n \text{Var}(w)
#    \left(\frac{1}{2} - \frac{1}{2 \pi}\right)} = \frac{\pi}{\pi - 1} \approx 1.47
#
# in every layer, whatever the weights are; the root of it is 1.21. (The first layer is an exception, as no ReLU stands
# before it.)

back = walks["2/n, batch normalisation"][1]
growth = (back[1] / back[-1]) ** (1 / (DEPTH - 1))
print(f"growth of the rates in a layer: measured {growth:.3f}, derived {math.sqrt(math.pi / (math.pi - 1)):.3f}")
assert abs(growth / math.sqrt(math.pi / (math.pi - 1)) - 1) < 0.02

# %%
# In ten layers this makes a factor of 7, which is nothing to worry about. In a hundred it would be 200 million. Batch
# normalisation alone does not make a network as deep as one likes; lesson 25 has what is missing.
#
# Which learning rates work?
# --------------------------
#
# Now we learn: digits, ten ReLU layers of 64 units, 150 steps of plain SGD with batches of 64. Both networks start with
# the same weights of variance 2/n, so that the plain one has its best start. We try eight learning rates for each.

digits, test_digits = MNIST5K(train=True), MNIST5K(train=False)
pixels, names = digits.data.reshape(-1, 784) / 255, digits.targets
test_pixels, test_names = test_digits.data.reshape(-1, 784) / 255, test_digits.targets.numpy()


def network(normalised):
    minidl.manual_seed(0)
    layers = []
    for n in [784] + 9 * [64]:
        linear = nn.Linear(n, 64)
        nn.init.normal_(linear.weight, 0, math.sqrt(2 / n))
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.BatchNorm1d(64), nn.ReLU()] if normalised else [linear, nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(64, 10))


def learn(model, rate, steps=150):
    """The mean loss of the last 20 steps; infinite once it is no number any more."""
    optimiser, order, losses = minidl.optim.SGD(model.parameters(), lr=rate), np.random.default_rng(0), []
    for _ in range(steps):
        at = minidl.tensor(order.integers(0, len(digits), 64))
        optimiser.zero_grad()
        loss = F.cross_entropy(model(pixels[at]), names[at])
        if not math.isfinite(loss.item()):
            return math.inf
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return float(np.mean(losses[-20:]))


rates = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0]
kinds = {"plain": False, "batch normalisation": True}
after = {kind: [] for kind in kinds}
models = {}
with np.errstate(all="ignore"):  # a rate that is too large ends in infinity: that is a result, too
    for rate in progress(rates, "learning rates"):
        for kind, normalised in kinds.items():
            models[kind, rate] = network(normalised)
            after[kind].append(learn(models[kind, rate], rate))
for kind, losses in after.items():
    print(f"{kind:20}", " ".join(f"{loss:6.2f}" for loss in losses))
assert min(after["plain"]) > 1.5 * min(after["batch normalisation"])
assert max(after["batch normalisation"]) < 3
assert all(loss < min(after["plain"]) for loss in after["batch normalisation"][3:7])  # rates 0.1 to 3

fig, ax = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
for kind, colour in [("plain", "tab:green"), ("batch normalisation", "tab:red")]:
    finite = np.minimum(after[kind], 2.6)
    ax.semilogx(rates, finite, "o-", color=colour, label=kind)
    for rate, loss in zip(rates, after[kind], strict=True):
        if not math.isfinite(loss):
            ax.plot(rate, 2.6, "X", color=colour, markersize=11)
ax.axhline(math.log(10), color="gray", linestyle=":", label="guessing")
ax.set(xlabel="learning rate", ylabel="loss after 150 steps", title="Ten layers (cross: the loss became infinite)")
ax.legend()
save_figure(fig, "learning_rates")

# %%
# With batch normalisation the network learns faster, and the rate hardly matters: any from 0.1 to 3 gets it further
# than the plain one gets with its best. And none of the eight ends in infinity. How can it bear such rates? Because y
# does not change if all weights of a unit are multiplied by a number a > 0 (its :math:`\mu` and s are multiplied, too).
# Two things follow for the loss L(W) and its gradient g:
#
# * Along W itself L is flat: :math:`\sum w\, g = 0`. A step is at a right angle to W, and by Pythagoras it makes W
#   **longer**: :math:`|W - \eta g|^2 = |W|^2 + \eta^2 |g|^2`.
# * From L(aW) = L(W) follows, by the chain rule, that the gradient at aW is 1/a times the one at W. **Longer weights
#   have smaller gradients.** And for longer weights the same step is a smaller turn, so what counts is
#   :math:`\eta / |W|^2`.
#
# A rate that is too large lengthens the weights, and so makes itself smaller.

x, g = minidl.tensor(rng.normal(size=(50, 20))), minidl.tensor(rng.normal(size=(50, 7)))
W = rng.normal(size=(7, 20))


def gradient_at(W):
    weight = minidl.tensor(W, requires_grad=True)
    (F.batch_norm(F.linear(x, weight), None, None, training=True, eps=0.0) * g).sum().backward()
    return weight.grad.numpy()


along = np.abs((W * gradient_at(W)).sum(axis=1)).max()
apart = np.abs(4 * gradient_at(4 * W) - gradient_at(W)).max()
print(f"gradient along W: {along:.0e}; 4 times the gradient at 4 W, and the one at W: apart by {apart:.0e}")
assert along < 1e-12
assert apart < 1e-12
pythagoras = np.sum(W**2) + 0.5**2 * np.sum(gradient_at(W) ** 2)
assert abs(np.sum((W - 0.5 * gradient_at(W)) ** 2) - pythagoras) < 1e-10 * pythagoras

first = network(True)[3].weight.norm().item()
lengths = [models["batch normalisation", rate][3].weight.norm().item() for rate in rates]
print(f"length of the second layer's weights: {first:.1f} at first; after training, by rate:")
print(", ".join(f"{rate:g}: {length:.1f}" for rate, length in zip(rates, lengths, strict=True)))
assert abs(lengths[0] / first - 1) < 0.01
assert first * 1.05 < lengths[5] < lengths[6] < lengths[7]
assert lengths[7] > 2 * first

# %%
# Never forget to switch over
# ---------------------------
#
# One last experiment, since this is the mistake that everybody makes once. The network that was trained with the rate
# 0.1 reads the test digits: in use (``eval``), then by mistake in training mode, a hundred mixed digits at a time, and
# then a hundred at a time that all show the same digit.


def share_right(model, batches):
    with minidl.no_grad():
        return np.mean([model(test_pixels[minidl.tensor(at)]).argmax(1).numpy() == test_names[at] for at in batches])


mixed = np.random.default_rng(0).permutation(1000).reshape(10, 100)
sorted_by_digit = np.argsort(test_names, kind="stable").reshape(10, 100)
model = models["batch normalisation", 0.1]
model.eval()
right = {"eval, mixed": share_right(model, mixed), "eval, one digit at a time": share_right(model, sorted_by_digit)}
model.train()
right["train, mixed"] = share_right(model, mixed)
right["train, one digit at a time"] = share_right(model, sorted_by_digit)
for name, share in right.items():
    print(f"{name:27} {share:.1%} of the test digits right")
assert abs(right["eval, mixed"] - right["eval, one digit at a time"]) < 0.002
assert right["eval, mixed"] > 0.8
assert right["train, mixed"] > 0.8
assert right["train, one digit at a time"] < 0.4

# %%
# With mixed digits nobody notices. With a hundred nines the layers take for the mean what is common to all nines, and
# subtract just that.
#
# Summary
# -------
#
# * Batch normalisation gives every unit mean 0 and spread 1 over the batch, then a learned spread and mean. It is a
#   layer of the network, not a preparation of the data.
# * Backward: :math:`(h - \overline{h} - \hat x\, \overline{h \hat x}) / s`. What would shift or stretch is taken out.
# * In training the batch decides, in use the running averages: ``model.eval()``.
# * The signal keeps its size in any depth with any weights. The rates grow by 1.21 in each ReLU layer.
# * It learns fast, and with a wide range of rates: too large steps lengthen the weights, and longer weights have
#   smaller gradients.
#
# Next: normalised or not, a very deep network is hard to train. Lesson 25 adds a second way through it.
#
# Exercises
# ---------
#
# ``python -m lessons check 24 my_solution.py`` checks the first three.
#
# 1. (checked) Write ``fold(W, b, gamma, beta, mean, var, eps)``: in use, batch normalisation after a linear layer
#    :math:`z = W x + b` is a linear layer again. Return the pair of its W and b.
# 2. (checked) Layer normalisation, which transformers use, takes mean and spread over the C units of *one example*
#    instead of the N examples of one unit. Write ``layer_norm_backward(x, gamma, g, eps)`` for x and g of shape (N, C)
#    and gamma of shape (C,): the triple dL/dx, dL/dgamma, dL/dbeta. Does it need running averages?
# 3. (checked) Write ``running(batches, momentum)``: for an array of shape (T, N), T batches of one unit, the pair of
#    its running mean and running variance after all of them. With ``momentum=None``, every batch shall have the same
#    weight, and the start none.
# 4. A linear layer before batch normalisation needs no bias. Why? What is its gradient?
# 5. What does batch normalisation make of a batch of two examples, whatever they are?
