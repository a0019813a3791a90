r"""
Batches: all, one, or a few
===========================

The gradient of the mean loss needs every example. What if there are a million: must we look at all of them for a step?

:formulas: D0-1.3.1-b, D1-3.2.1-a, D1-3.2.1-b, D1-3.2.1-c
:time: 10 s
"""

# %%
# Twenty examples
# ---------------
#
# Lesson 05 walked downhill with the exact gradient. This lesson saves work by using an estimate of it. We keep the
# straight line :math:`\hat y = w x + b` with :math:`\theta = [w, b]`, but the twenty examples are now noisy, as
# measurements are: no line goes through all of them. The loss of one example is half the squared error of lesson 04,
#
# .. math:: E_i = \frac{1}{2} (\hat y_i - y_i)^2, \qquad
#           \nabla_\theta E_i = \begin{pmatrix} (\hat y_i - y_i)\, x_i \\ \hat y_i - y_i \end{pmatrix} .

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np

import minidl
from lessons import reproduce, save_figure

n = 20
rng = np.random.default_rng(0)
x = rng.normal(size=n)
y = 2 * x + 1 + 0.5 * rng.normal(size=n)


def gradient_of_one(theta, i):
    w, b = theta
    error = w * x[i] + b - y[i]
    return np.array([error * x[i], error])


# %%
# All of them: the batch
# ----------------------
#
# Document D1, section 3.2.1 "梯度下降优化算法" (Gradient-descent optimisers), begins with **batch** gradient descent.
# Each step uses the whole training set:
#
# .. math:: w := w - \alpha \cdot \nabla_W E
#
# (w and W mean the same thing here, all parameters.) But what is E, the **sum** of the :math:`E_i` or their **mean**?
# The document does not say. In its section 2.1.3 it was a sum. The two have the same lowest place, but the sum has a
# gradient that is n times as long, and so are the steps:

X = np.stack([x, np.ones(n)], axis=1)  # (n, 2): a column for w, a column of ones for b


def gradient_of_sum(theta):
    return X.T @ (X @ theta - y)


def gradient_of_mean(theta):
    return gradient_of_sum(theta) / n


def mean_loss(theta):
    return np.mean((X @ theta - y) ** 2) / 2


alpha = 0.2
theta_0 = np.zeros(2)
step_sum, step_mean = alpha * gradient_of_sum(theta_0), alpha * gradient_of_mean(theta_0)
reproduce("D1-3.2.1-a", ratio=np.linalg.norm(step_sum) / np.linalg.norm(step_mean))

for name, gradient in [("sum", gradient_of_sum), ("mean", gradient_of_mean)]:
    theta = theta_0
    for _ in range(5):
        theta = theta - alpha * gradient(theta)
    print(f"five steps with alpha = 0.2 and the {name}: mean loss {mean_loss(theta_0):.3f} -> {mean_loss(theta):.4g}")

# %%
# With the sum, a good learning rate for twenty examples is a bad one for two hundred. With the mean it stays good. We
# use the mean, as most people do; if you read :math:`\alpha = 0.2` somewhere, ask which one it belongs to.
#
# One of them: stochastic gradient descent
# ----------------------------------------
#
# The other extreme: draw one example, take a step along its gradient alone, draw the next. "Stochastic" means that
# chance has a part in it.
#
# .. math:: w := w - \alpha \cdot \nabla_{w} E(\hat{x}, \hat{y})
#
# In this formula of D1 the hats mark the example that was drawn. Elsewhere the document, and this course, writes
# :math:`\hat y` for the answer of the model; here it is a label. D0, section 1.3.1 "优化算法" (Optimisation
# algorithms), says in one sentence that each round updates the gradient of one sample. What is updated are the
# parameters, *with* the gradient of one sample.
#
# We take forty such steps, and check each of them: was it :math:`-\alpha` times the slope of the loss of that example?
# The judge measures the slope. Our losses are parabolas in w and in b, and for a parabola central differences are exact
# however long the step. So this time we take a long one, and lose next to nothing to rounding (lesson 01).


def loss_of_one(theta, i):
    return (theta[0] * x[i] + theta[1] - y[i]) ** 2 / 2


def slopes(parabola, theta):
    """Central differences with a step of 1 in w and in b."""
    return np.array([(parabola(theta + step) - parabola(theta - step)) / 2 for step in np.eye(2)])


drawn = rng.integers(0, n, size=40)
path = [theta_0]
for i in drawn:
    path.append(path[-1] - alpha * gradient_of_one(path[-1], i))

step_errors = [
    np.abs((after - before) + alpha * slopes(lambda theta, i=i: loss_of_one(theta, i), before)).max()
    for before, after, i in zip(path[:-1], path[1:], drawn, strict=True)
]
print(f"forty steps, one example each: mean loss {mean_loss(theta_0):.3f} -> {mean_loss(path[-1]):.3f}")

# %%
# Why is that allowed? One example knows little. But none of them is favoured, so what they say is right **on average**.
# The mean over all draws that could happen is
#
# .. math:: \frac{1}{n} \sum_{i=1}^{n} \nabla E_i = \nabla \left( \frac{1}{n} \sum_{i=1}^{n} E_i \right),
#
# the gradient of the mean loss: the slope of a sum is the sum of the slopes. Nothing else is needed, and it holds at
# every place.

place = path[10]
single = np.array([gradient_of_one(place, i) for i in range(n)])  # (n, 2)
mean_error = np.abs(single.mean(axis=0) - slopes(mean_loss, place)).max()
reproduce("D1-3.2.1-b", mean_error=np.abs(single.mean(axis=0) - gradient_of_sum(place) / n).max())
reproduce("D0-1.3.1-b", step_error=max(step_errors), mean_error=mean_error)

# %%
# The picture shows where each of the twenty examples would send us, from the start and from the best place of all. At
# the start they disagree, but most of them want a larger w. At the best place they disagree completely: the mean
# is zero, and the single gradients are not.

best = np.linalg.lstsq(X, y, rcond=None)[0]  # for a line the lowest place can be computed
assert np.linalg.norm(gradient_of_mean(best)) < 1e-12

fig, panels = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
for ax, where, name in zip(panels, [theta_0, best], ["at the start, w = b = 0", "at the best place"], strict=True):
    arrows = -np.array([gradient_of_one(where, i) for i in range(n)])
    zeros = np.zeros(n)
    ax.quiver(zeros, zeros, *arrows.T, angles="xy", scale_units="xy", scale=1, width=0.004, color="tab:blue", alpha=0.5)
    ax.plot(*arrows.T, ".", color="tab:blue", label="one example")
    ax.plot(*arrows.mean(axis=0), "o", color="tab:red", label="mean of all twenty")
    ax.axhline(0, color="0.8", zorder=0)
    ax.axvline(0, color="0.8", zorder=0)
    ax.set(xlabel="direction of w", ylabel="direction of b", title=f"Where they send us, {name}")
panels[0].legend()
save_figure(fig, "twenty_opinions")

# %%
# A few of them: the mini-batch
# -----------------------------
#
# Between all and one there is room. Draw m examples and take the mean of their gradients:
#
# .. math:: w := w - \alpha \cdot \frac{1}{m} \sum_{i=1}^{m} \nabla_{w} E(\hat{x}_i, \hat{y}_i)
#
# Here the document does write the mean. With m = 1 this is the stochastic step, and with m = n, each example once, the
# batch step for the mean loss. So the three methods are one, with a knob.


def mini_batch_step(theta, alpha, chosen):
    return theta - alpha * sum(gradient_of_one(theta, i) for i in chosen) / len(chosen)


one_step, all_step = place - alpha * gradient_of_one(place, 7), place - alpha * gradient_of_mean(place)
reproduce(
    "D1-3.2.1-c",
    one_error=np.abs(mini_batch_step(place, alpha, [7]) - one_step).max(),
    all_error=np.abs(mini_batch_step(place, alpha, range(n)) - all_step).max(),
)

# %%
# How much better are m opinions than one?
# ----------------------------------------
#
# The mean of m draws scatters around the true gradient. Let :math:`\sigma` be the scatter (the standard deviation) of
# single gradients (it has nothing to do with the sigmoid). If the draws know nothing of each other, their variances add
# up, the mean divides by m, and so
#
# .. math:: \text{scatter of the mean of } m = \frac{\sigma}{\sqrt{m}} .
#
# The root is the important part: **four times as many examples, half the noise.** A hundred examples cost a hundred
# times as much as one and are only ten times as exact. If each example may be drawn only once, as from a pack of
# cards, the scatter gets a further factor :math:`\sqrt{(n - m)/(n - 1)}`: after all n cards nothing is left to chance.
# We draw a few thousand mini-batches of each size, and compare.

sizes = np.array([1, 2, 5, 10, 20])
of_w = single[:, 0]  # the gradient of w, for each example
sigma = of_w.std()
replaced = np.array([rng.choice(of_w, size=(5000, m)).mean(axis=1).std() for m in sizes])
cards = np.array([np.mean([rng.permutation(of_w)[:m] for _ in range(5000)], axis=1).std() for m in sizes])
predicted = sigma / np.sqrt(sizes)
predicted_cards = predicted * np.sqrt((n - sizes) / (n - 1))
print("size       ", sizes)
print("scatter    ", np.round(replaced, 3), " predicted", np.round(predicted, 3))
print("like cards ", np.round(cards, 3), " predicted", np.round(predicted_cards, 3))
assert np.allclose(replaced, predicted, rtol=0.05)
assert np.allclose(cards, predicted_cards, rtol=0.05, atol=1e-12)

# %%
# A race
# ------
#
# Now the question from the top. We take a thousand examples, and let three methods look at the same number of them: ten
# **epochs**, which is what one pass through all examples is called. In each epoch the examples are shuffled and cut
# into batches. The batch method takes one step in an epoch, mini-batches of 32 take 32 (the last one has only 8
# examples), and single examples a thousand. A fourth run takes single examples too, and shortens its steps as it goes.
#
# One such run is a noisy affair, so we do twenty at once, side by side in arrays (lesson 00): the first axis is the
# number of the run. The height above the lowest loss is exactly
# :math:`\frac12 (\theta - \theta^*)^T H (\theta - \theta^*)`, with the matrix H of lesson 05 (less its factor 2, as we
# halve the square here) and the lowest place :math:`\theta^*`.

N, runs = 1000, 20
many_x = rng.normal(size=N)
many_y = 2 * many_x + 1 + 0.5 * rng.normal(size=N)
many_X = np.stack([many_x, np.ones(N)], axis=1)  # (N, 2)
lowest = np.linalg.lstsq(many_X, many_y, rcond=None)[0]
H = many_X.T @ many_X / N


def mean_gradient(theta, chosen):
    """The mean gradient of the chosen examples: theta (runs, 2), chosen (runs, m)."""
    rows = many_X[chosen]  # (runs, m, 2)
    errors = (rows @ theta[:, :, None])[:, :, 0] - many_y[chosen]  # (runs, m)
    return (rows * errors[:, :, None]).mean(axis=1)  # (runs, 2)


def above_the_lowest(theta):
    """How high the mean loss lies above its minimum, averaged over the runs."""
    away = theta - lowest
    return np.mean(np.sum(away @ H * away, axis=1)) / 2


def train(size, alpha_of, epochs=10):
    """After each step: how many examples each run has looked at, and the mean height above the lowest loss."""
    rng = np.random.default_rng(1)
    theta, looked, heights = np.zeros((runs, 2)), [0], []
    for epoch in range(epochs):
        order = np.array([rng.permutation(N) for _ in range(runs)])  # (runs, N)
        for start in range(0, N, size):
            chosen = order[:, start : start + size]
            theta = theta - alpha_of(epoch + start / N) * mean_gradient(theta, chosen)
            looked.append(looked[-1] + chosen.shape[1])
            heights.append(above_the_lowest(theta))
    return np.array(looked[1:]), np.array(heights)


racers = {
    "all 1000, alpha 0.5": train(1000, lambda epoch: 0.5),
    "32 at a time, alpha 0.2": train(32, lambda epoch: 0.2),
    "one at a time, alpha 0.05": train(1, lambda epoch: 0.05),
    "one at a time, alpha falling": train(1, lambda epoch: 0.05 / (1 + 5 * epoch)),
}
fig, ax = plt.subplots(figsize=(8, 4.8), layout="constrained")
for name, (looked, heights) in racers.items():
    ax.loglog(looked, heights, "-" if len(looked) > 1000 else "o-", markersize=3, linewidth=1, label=name)
ax.set(xlabel="examples looked at", ylabel="loss above the lowest", title="Ten epochs, mean of twenty runs")
ax.legend(loc="lower left")
save_figure(fig, "race")

goal = {name: looked[np.argmax(heights < 0.05)] for name, (looked, heights) in racers.items()}
for name, count in goal.items():
    print(f"{name}: within 0.05 of the lowest loss after {count} examples")
assert goal["one at a time, alpha 0.05"] * 10 < goal["all 1000, alpha 0.5"]

# %%
# Before the batch method has taken its first step, the others have nearly arrived. The thousand examples resemble
# each other, and a few of them are enough to know roughly where to go. Later it turns round: the batch method goes on
# to the bottom, and the others **dance around it**, because single gradients do not vanish there. (The spikes of the
# mini-batches come after the last batch of each epoch. It has only 8 examples, and more noise.) The steps must get
# shorter for the dance to end. How high do they dance? For small :math:`\alpha`, in proportion to it:

for_rate = {}
for rate in (0.08, 0.04, 0.02):
    heights = train(1, lambda epoch, rate=rate: rate)[1]
    for_rate[rate] = heights[len(heights) // 2 :].mean()  # the second half: the way down is over
print("mean height of the dance:", ", ".join(f"{height:.5f} with alpha {rate}" for rate, height in for_rate.items()))
assert 1.5 < for_rate[0.08] / for_rate[0.04] < 3
assert 1.5 < for_rate[0.04] / for_rate[0.02] < 3

# %%
# So why not always one at a time? Because computers prefer to do many equal things at once. The gradient of 32 examples
# is a handful of array operations. One by one, it is that handful 32 times, and each operation takes its time to get
# going.

one_run = lowest[None]  # (1, 2)
chosen = np.arange(32)[None]  # (1, 32)
start = perf_counter()
for _ in range(50):
    mean_gradient(one_run, chosen)
together = perf_counter() - start
start = perf_counter()
for _ in range(50):
    for i in range(32):
        mean_gradient(one_run, chosen[:, i : i + 1])
one_by_one = perf_counter() - start
print(f"32 examples one by one take {one_by_one / together:.0f} times as long as 32 examples together")

# %%
# That is why everybody uses mini-batches: large enough to keep the machine busy, small enough to take many steps.
#
# Two valleys
# -----------
#
# The document says of the batch method that it converges slowly (it lists this among the advantages, surely a slip)
# and that it avoids local minima better, while the stochastic method may end in one. Section 3.2.3 "算法性能分析"
# (Analysis of performance) adds that in theory the batch method finds the global minimum, though it may end in a local
# one; the other two may, too, with less risk for larger batches. The loss of our line has a single valley, and all of
# them find its bottom. Let us try a loss with two valleys,
#
# .. math:: E(w) = (w^2 - 1)^2 + 0.3\, w ,
#
# a shallow valley at w = 0.96 and a deeper one at w = -1.04. To have examples, we split it into twenty,
# :math:`E_i(w) = E(w) + s_i w`, where the :math:`s_i` are spread around zero and their sum is zero. Two hundred walkers
# start on the shallow side.


def slope(w):
    return 4 * w * (w**2 - 1) + 0.3


s = np.linspace(-6, 6, 20)
assert abs(s.sum()) < 1e-12
batch_w, stochastic_w = np.full(200, 1.5), np.full(200, 1.5)
for _ in range(2000):
    batch_w = batch_w - 0.05 * slope(batch_w)
    stochastic_w = stochastic_w - 0.05 * (slope(stochastic_w) + rng.choice(s, size=200))
print(f"batch: all at w = {batch_w[0]:.4f}, on the deeper side {np.mean(batch_w < 0):.0%}")
print(f"one at a time: on the deeper side {np.mean(stochastic_w < 0):.0%}")
assert np.all(np.abs(slope(batch_w)) < 1e-9)
assert np.all(batch_w > 0)
assert np.mean(stochastic_w < 0) > 0.5

# %%
# Here it is the other way round. Without chance one ends in the valley where one began. Noise shakes some walkers over
# the ridge, and more of them out of the shallow valley than out of the deep one. This is no guarantee, and a smaller
# :math:`\alpha` shakes less. But the global minimum is promised to nobody, unless the loss has only one valley.
#
# The engine does the same
# ------------------------
#
# ``DataLoader`` shuffles and cuts, an epoch at a time. We take the batches as they come, once into the engine and once
# into our own step.

data = minidl.data.TensorDataset(minidl.tensor(many_X), minidl.tensor(many_y))
loader = minidl.data.DataLoader(data, batch_size=32, shuffle=True, generator=minidl.Generator().manual_seed(0))
parameters = minidl.tensor(np.zeros(2), requires_grad=True)
optimiser = minidl.optim.SGD([parameters], lr=0.2)
theta = np.zeros(2)
lengths = []
for rows, labels in loader:
    optimiser.zero_grad()
    (minidl.nn.functional.mse_loss(rows @ parameters, labels) / 2).backward()
    optimiser.step()
    lengths.append(len(rows))
    theta = theta - 0.2 * rows.numpy().T @ (rows.numpy() @ theta - labels.numpy()) / len(rows)
print(f"one epoch: {len(lengths)} batches, the last of {lengths[-1]}")
print("engine", parameters.detach().numpy(), " by hand", theta)
assert sum(lengths) == N
assert np.allclose(parameters.detach().numpy(), theta, rtol=0, atol=1e-12)

# %%
# Summary
# -------
#
# * Batch, stochastic and mini-batch descent are one method, with n, 1 or m examples in a step.
# * Use the mean over the examples: with the sum, the learning rate depends on their number.
# * A random example's gradient is right on average. The scatter of m of them is :math:`\sigma / \sqrt m`.
# * Small batches are fast at first and never settle with a constant :math:`\alpha`; lower it towards the end.
# * Noise may lead out of a shallow valley. With the exact gradient and short steps one stays in it.
#
# Next: so far, slopes were easy to derive or were measured. Lesson 07 derives them for a unit of a network.
#
# Exercises
# ---------
#
# 1. (checked) Write ``batches(n, m, rng)``: a list of index arrays for one epoch. Every index from 0 to n - 1 occurs
#    once, in an order drawn from the NumPy generator rng, and every array has m entries, except perhaps the last. Check
#    it with ``python -m lessons check 6 my_solution.py``.
# 2. (checked) Write ``epoch_mean(means, sizes)``: the mean over all examples of an epoch, from the means of its batches
#    and their sizes.
# 3. In a thousand draws **with** replacement from a thousand examples, how many examples are never seen? Guess, try,
#    and then find the number on paper: each example is missed with probability :math:`(1 - 1/n)^n`.
# 4. Let the two hundred walkers use :math:`\alpha = 0.01`, and five times as many steps. Where do they end, and why?
# 5. Give the mini-batches a falling :math:`\alpha` too. Which size and which schedule come within 0.0001 of the lowest
#    loss, and stay there, with the fewest examples?
