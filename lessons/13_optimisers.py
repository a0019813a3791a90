"""
Optimisers
==========

Plain gradient descent takes each step as if it were the first. What can a method do that remembers the gradients it has
seen?

:formulas: D0-1.3.1-c
:time: 30 s
"""

# %%
# A ravine
# --------
#
# Lesson 05 ended with the trouble of gradient descent: the steepest direction limits the learning rate, the flattest
# one decides how long it takes. Here is this trouble in its purest form, a valley with two weights, 50 times more
# curved across than along:
#
# .. math::
#    L(w) = \frac{1}{2} \left( \lambda_1 w_1^2 + \lambda_2 w_2^2 \right), \qquad
#    g = \nabla L = (\lambda_1 w_1, \; \lambda_2 w_2), \qquad \lambda = (1, 50)
#
# We walk down this ravine in seven ways. Each method is a function of a few lines. It gets the weights w, the gradient
# g and a ``memory`` for whatever it wants to remember, and returns the new weights.

import math

import matplotlib.pyplot as plt
import numpy as np

import minidl
import minidl.nn as nn
import minidl.nn.functional as F
from lessons import progress, reproduce, save_figure
from minidl.data import MNIST5K

curvatures = np.array([1.0, 50.0])
along_axis = np.diag(curvatures)  # the ravine as a matrix H: L = w . H w / 2, and the gradient is H w
start = np.array([-8.0, 1.5])


def ravine(w):
    return curvatures * w


def height(w, H=along_axis):
    return np.sum(w * (w @ H), axis=-1) / 2


def walk(method, gradient, start, steps, **options):
    """All places on the way, the start among them: shape (steps + 1, weights)."""
    memory, places = {}, [np.array(start, dtype=float)]
    for _ in range(steps):
        places.append(method(places[-1], gradient(places[-1]), memory, **options))
    return np.array(places)


def gradient_descent(w, g, memory, eta):
    return w - eta * g


path = walk(gradient_descent, ravine, start, 100, eta=2 / curvatures.sum())
print(f"gradient descent at its best rate: each step keeps {path[-1, 0] / path[-2, 0]:.1%} of the distance")

# %%
# :math:`\eta` (eta) is the learning rate; in the documents it is :math:`\alpha`, a letter that we shall need otherwise.
#
# Every claim about these methods will be tested twice: by a property that we can derive, and by ``minidl.optim``, which
# has to arrive at the same places.


def agrees_with_engine(optimiser, path, **options):
    w = minidl.tensor(path[0], requires_grad=True)
    engine = optimiser([w], **options)
    for place in path[1:]:
        engine.zero_grad()
        (0.5 * (minidl.tensor(curvatures) * w * w).sum()).backward()
        engine.step()
        assert np.allclose(w.detach().numpy(), place, rtol=1e-9, atol=1e-12)
    return True


assert agrees_with_engine(minidl.optim.SGD, path, lr=2 / curvatures.sum())

# %%
# Momentum
# --------
#
# Let a heavy ball roll down. It does not follow the slope at every moment; it has a velocity, which the slope changes
# and friction wears down (Polyak 1964):
#
# .. math:: b_t = \mu\, b_{t-1} + g_t, \qquad w_t = w_{t-1} - \eta\, b_t
#
# The friction leaves the share :math:`\mu` (mu) of the velocity, 0.9 as a rule. What does it do to a gradient that
# stays the same, and to one that changes its sign in every step?
#
# * Constant g: the velocity grows to :math:`g (1 + \mu + \mu^2 + \dots) = g / (1 - \mu)`. Ten times g.
# * Alternating g: :math:`g (1 - \mu + \mu^2 - \dots) = g / (1 + \mu)`. About half of g.
#
# Exactly what the ravine needs: long steps along it, short ones across.


def momentum(w, g, memory, eta, mu=0.9):
    b = memory["b"] = mu * memory.get("b", 0) + g
    return w - eta * b


memory_same, memory_alternating = {}, {}
for t in range(200):
    momentum(0.0, 1.0, memory_same, eta=1.0)
    momentum(0.0, (-1.0) ** t, memory_alternating, eta=1.0)
print(f"velocity under a constant 1: {memory_same['b']:.3f}; under +1, -1, +1, ...: {abs(memory_alternating['b']):.3f}")
assert abs(memory_same["b"] - 1 / (1 - 0.9)) < 1e-6
assert abs(abs(memory_alternating["b"]) - 1 / (1 + 0.9)) < 1e-6

# %%
# How fast can it get? In a direction of curvature :math:`\lambda` the gradient is :math:`\lambda w`, and
# :math:`\eta b_{t-1} = w_{t-2} - w_{t-1}` is the last step. Put together,
#
# .. math:: w_t = (1 + \mu - \eta \lambda)\, w_{t-1} - \mu\, w_{t-2} .
#
# We look for solutions that shrink by the same factor in each step, :math:`w_t = r^t`. They need
#
# .. math:: r^2 - (1 + \mu - \eta\lambda)\, r + \mu = 0 .
#
# The two solutions r of such an equation have the product :math:`\mu`. As long as they are complex, they are mirror
# images of each other and equally large, so both have the size :math:`\sqrt{\mu}`. And there is no :math:`\lambda` in
# that! **Within a wide range, all directions shrink equally fast, whatever their curvature.** They are complex if
# :math:`(1 + \mu - \eta\lambda)^2 < 4 \mu`, which is :math:`(1 - \sqrt\mu)^2 < \eta\lambda < (1 + \sqrt\mu)^2`. The
# best choice makes the range just wide enough for all curvatures of the valley:
#
# .. math::
#    \sqrt{\mu} = \frac{\sqrt{\lambda_2} - \sqrt{\lambda_1}}{\sqrt{\lambda_2} + \sqrt{\lambda_1}}, \qquad
#    \eta = \left( \frac{2}{\sqrt{\lambda_1} + \sqrt{\lambda_2}} \right)^2

flat, steep = np.sqrt(curvatures)
best_mu, best_eta = ((steep - flat) / (steep + flat)) ** 2, (2 / (steep + flat)) ** 2
for curvature in np.linspace(1.001, 49.999, 50):
    sizes = np.abs(np.roots([1, -(1 + best_mu - best_eta * curvature), best_mu]))
    assert np.allclose(sizes, math.sqrt(best_mu), rtol=1e-6, atol=0)


def steps_needed(path, below=1e-6):
    """After how many steps the height is below a border and stays there."""
    return len(path) - np.argmin((height(path) < below)[::-1])


best_descent = walk(gradient_descent, ravine, start, 1000, eta=2 / curvatures.sum())
best_momentum = walk(momentum, ravine, start, 1000, eta=best_eta, mu=best_mu)
print(f"momentum at its best (eta {best_eta:.4f}, mu {best_mu:.3f}): each step keeps {math.sqrt(best_mu):.1%}")
print(f"steps to a height of 1e-6: descent {steps_needed(best_descent)}, momentum {steps_needed(best_momentum)}")
assert steps_needed(best_momentum) < steps_needed(best_descent) / 4
assert agrees_with_engine(minidl.optim.SGD, best_momentum[:100], lr=best_eta, momentum=best_mu)

# %%
# Gradient descent needs steps in proportion to the ratio of the curvatures, momentum only in proportion to its root.
# For a real network nobody knows the curvatures, so one takes :math:`\mu = 0.9` and tries a few rates.
#
# Nesterov: look before you leap
# ------------------------------
#
# The ball will move by :math:`-\eta\mu b_{t-1}` whatever the new gradient says. So why measure the gradient here, and
# not where that will take us (Nesterov 1983)?
#
# .. math::
#    b_t = \mu b_{t-1} + g(w_{t-1} - \eta\mu b_{t-1}), \qquad w_t = w_{t-1} - \eta b_t
#
# Programs want the gradient at the weights that they hold, so let them hold the place of the look-out,
# :math:`\theta_t = w_t - \eta\mu b_t`. Put in what w and b are:
#
# .. math::
#    \theta_t &= w_{t-1} - (1 + \mu)\, \eta b_t = \theta_{t-1} + \eta\mu b_{t-1} - (1 + \mu)\, \eta b_t \\
#             &= \theta_{t-1} + \eta (b_t - g_t) - (1 + \mu)\, \eta b_t = \theta_{t-1} - \eta\, (g_t + \mu b_t)
#
# with :math:`g_t` the gradient at :math:`\theta_{t-1}`. This is the form that is used. Are both the same walk?


def nesterov(w, g, memory, eta, mu=0.9):
    b = memory["b"] = mu * memory.get("b", 0) + g
    return w - eta * (g + mu * b)


look_outs = walk(nesterov, ravine, start, 60, eta=0.01)
w, b = start, np.zeros(2)
for place in look_outs[1:]:
    b = 0.9 * b + ravine(w - 0.01 * 0.9 * b)
    w = w - 0.01 * b
    assert np.allclose(w - 0.01 * 0.9 * b, place, rtol=0, atol=1e-12)
assert agrees_with_engine(minidl.optim.SGD, look_outs, lr=0.01, momentum=0.9, nesterov=True)
print("Nesterov's momentum: both forms walk the same way")

# %%
# A length for every weight
# -------------------------
#
# The other idea: give every weight its own step length. If its gradients have been large, shorten the step; if they
# have been small, lengthen it. **AdaGrad** (Duchi, Hazan and Singer 2011) adds up the squares of the gradients of each
# weight and divides by the root of the sum:
#
# .. math:: s_t = s_{t-1} + g_t^2, \qquad w_t = w_{t-1} - \eta\, \frac{g_t}{\sqrt{s_t} + \epsilon}
#
# All operations are meant element by element. The small :math:`\epsilon` prevents a division by zero and does nothing
# else. A gradient a thousand times larger makes the numerator and the root a thousand times larger: the steps remain
# the same. In the ravine the curvature of a direction no longer matters at all.


def adagrad(w, g, memory, eta, epsilon=1e-10):
    s = memory["s"] = memory.get("s", 0) + g**2
    return w - eta * g / (np.sqrt(s) + epsilon)


diagonal = walk(adagrad, ravine, (-2.0, -2.0), 50, eta=0.5)
print("AdaGrad from (-2, -2): after 1, 2, 10 steps", *(np.round(diagonal[t], 4) for t in (1, 2, 10)))
assert np.allclose(diagonal[:, 0], diagonal[:, 1], rtol=0, atol=1e-9)
assert agrees_with_engine(minidl.optim.Adagrad, diagonal, lr=0.5)

# %%
# It walks straight to the bottom, as if the ravine were round. But the sum can only grow, so the steps get shorter and
# shorter; under a constant gradient, step t has the length :math:`\eta / \sqrt{t}`. In a long training that may be too
# short too soon. **RMSprop** (Hinton 2012) forgets: it takes a moving average of the squares, in which the share
# :math:`\alpha` of the old value is kept, and the new square enters with :math:`1 - \alpha`.
#
# .. math:: v_t = \alpha v_{t-1} + (1 - \alpha)\, g_t^2, \qquad w_t = w_{t-1} - \eta\, \frac{g_t}{\sqrt{v_t} + \epsilon}


def rmsprop(w, g, memory, eta, alpha=0.9, epsilon=1e-8):
    v = memory["v"] = alpha * memory.get("v", 0) + (1 - alpha) * g**2
    return w - eta * g / (np.sqrt(v) + epsilon)


def steps_under(method, gradient, count, **options):
    """The lengths of the steps under a constant gradient."""
    return -np.diff(walk(method, lambda w: gradient, 0.0, count, **options))


print("lengths of steps under a constant gradient, eta = 1:")
print("    AdaGrad", np.round(steps_under(adagrad, 5.0, 5, eta=1.0), 3))
print("    RMSprop", np.round(steps_under(rmsprop, 5.0, 5, eta=1.0), 3))
assert np.allclose(steps_under(adagrad, 5.0, 5, eta=1.0), 1 / np.sqrt([1, 2, 3, 4, 5]), rtol=1e-6)
assert agrees_with_engine(minidl.optim.RMSprop, walk(rmsprop, ravine, start, 60, eta=0.1), lr=0.1, alpha=0.9)

# %%
# RMSprop has a flaw at the beginning. Its average starts at zero, so at first it is far too small: :math:`v_1` is only
# a tenth of :math:`g^2`, and the first step is :math:`1/\sqrt{0.1} = 3.2` times too long.
#
# Adam
# ----
#
# Document D0 lists three methods in section 1.3.1 "优化算法" (Optimisation algorithms) and says of **Adam** that it
# "结合了SGD和动量", combines SGD and momentum. There is no formula. SGD and momentum together are what we had above, so
# let us take the sentence at its word, and see how it compares with Adam as it was published (Kingma and Ba 2015):
#
# .. math::
#    m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t, \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2 \\
#    w_t &= w_{t-1} - \alpha\, \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}
#
# The first average, m, is a kind of momentum; the second, v, is that of RMSprop. Here :math:`\alpha` is the learning
# rate, the eta of the code; as a rule :math:`\beta_1 = 0.9`, :math:`\beta_2 = 0.999`.
#
# And the two divisions? They repair the beginning. Under a constant gradient g an average that starts at zero is
# :math:`m_1 = (1 - \beta) g`, then :math:`m_2 = \beta (1 - \beta) g + (1 - \beta) g = (1 - \beta^2) g`, and in general
# :math:`m_t = (1 - \beta^t)\, g`. Divided by :math:`1 - \beta^t` it is g from the first step on.


def adam(w, g, memory, eta, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    t = memory["t"] = memory.get("t", 0) + 1
    m = memory["m"] = beta_1 * memory.get("m", 0) + (1 - beta_1) * g
    v = memory["v"] = beta_2 * memory.get("v", 0) + (1 - beta_2) * g**2
    return w - eta * (m / (1 - beta_1**t)) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)


three_steps = {
    (method.__name__, gradient): walk(method, lambda w, g=gradient: g, 0.0, 3, eta=0.1)[1:]
    for method in (adam, momentum)
    for gradient in (1.0, 10.0)
}
for (name, gradient), places in three_steps.items():
    print(f"{name:8} from w = 0 under the gradient {gradient:4}: w = {np.round(places, 3)}")
reproduce(
    "D0-1.3.1-c",
    adam_1=three_steps["adam", 1.0],
    adam_10=three_steps["adam", 10.0],
    momentum_1=three_steps["momentum", 1.0],
    momentum_10=three_steps["momentum", 10.0],
)
assert agrees_with_engine(minidl.optim.Adam, walk(adam, ravine, start, 200, eta=0.3), lr=0.3)

# %%
# These are two different methods. Momentum goes ten times as far under a gradient ten times as large. Adam goes equally
# far, since the size of the gradient cancels; and it does not gather speed. The document's sentence describes the upper
# half of the fraction. "Momentum, RMSprop and a correction of the start" would be the whole.
#
# So in Adam **the learning rate is a length**: about how far a weight moves in a step. One can often guess it, and that
# is a good part of Adam's success.
#
# Six paths
# ---------

walks = [
    ("gradient descent", gradient_descent, dict(eta=0.037)),
    ("momentum", momentum, dict(eta=0.01)),
    ("Nesterov", nesterov, dict(eta=0.01)),
    ("AdaGrad", adagrad, dict(eta=1.5)),
    ("RMSprop", rmsprop, dict(eta=0.3)),
    ("Adam", adam, dict(eta=0.5)),
]
w_1, w_2 = np.meshgrid(np.linspace(-9, 4, 200), np.linspace(-2, 2, 200))
fig, panels = plt.subplots(2, 3, figsize=(12, 5.6), layout="constrained", sharex=True, sharey=True)
for ax, (name, method, options) in zip(panels.flat, walks, strict=True):
    path = walk(method, ravine, start, 40, **options)
    ax.contour(w_1, w_2, height(np.stack([w_1, w_2], axis=-1)), levels=[1, 5, 15, 30, 60, 90], colors="0.8")
    ax.plot(*path.T, ".-", linewidth=1)
    ax.plot(0, 0, "k*", markersize=11)
    ax.set(title=f"{name}, rate {options['eta']}")
fig.supxlabel("$w_1$, the flat direction")
fig.supylabel("$w_2$, the steep one")
save_figure(fig, "ravine")

# %%
# Forty steps each. Gradient descent bounces between the walls. The balls with momentum roll through the bottom and have
# to come back; Nesterov's calms down sooner. The other three set out diagonally, because both weights take steps of
# equal length.
#
# RMSprop seems to have arrived. It has not: near the bottom the gradients become small, so does the root of their
# average, and the steps get longer again, until they jump to and fro over the bottom with the full length
# :math:`\eta`. Whoever divides by the size of the gradient does not notice that there is nothing left to do.

jumping = walk(rmsprop, ravine, start, 1000, eta=0.3)
heights = height(jumping)
print(f"RMSprop: height {heights[40]:.4f} after 40 steps, {heights[1000]:.4f} after 1,000; the last step:", end=" ")
print(np.round(jumping[-1] - jumping[-2], 3))
assert heights[1000] > 100 * heights[40]
assert np.allclose(np.abs(jumping[-1] - jumping[-2]), 0.3, rtol=0, atol=0.01)

# %%
# Turn the ravine
# ---------------
#
# A length for every weight helps when the ravine runs along an axis. What if it lies across, at 45 degrees? We give
# each method forty rates to choose from (:math:`\mu` stays at 0.9), and count the steps to a height of 0.0001 for the
# best one.

turn = np.array([[1.0, -1.0], [1.0, 1.0]]) / math.sqrt(2)
across = turn @ along_axis @ turn.T


def fewest_steps(method, H, start):
    rates = np.logspace(-3, 1, 40)[:, None]  # (40, 1): forty walks at once, (40, 2)
    with np.errstate(over="ignore", invalid="ignore"):  # some rates are too large: those walks explode
        path = walk(method, lambda w: w @ H, np.tile(start, (40, 1)), 500, eta=rates)
        high = ~(height(path, H) < 1e-4)  # (501, 40); an exploded walk is no number, and counts as high
    arrived = ~high[-1]
    return np.min(len(path) - np.argmax(high[::-1], axis=0)[arrived])  # one more than the last step that was too high


turned = {}
for name, method, _ in walks:
    if name == "RMSprop":
        continue
    turned[name] = fewest_steps(method, along_axis, start), fewest_steps(method, across, turn @ start)
for name, (straight, askew) in turned.items():
    print(f"{name:16} steps: {straight:3} with the ravine along an axis, {askew:3} with the ravine turned")
for name in ("gradient descent", "momentum", "Nesterov"):
    assert turned[name][0] == turned[name][1]
assert turned["AdaGrad"][0] < 20 < 100 < turned["AdaGrad"][1]

# %%
# For the first three the direction makes no difference. AdaGrad, brilliant along the axis, falls behind plain descent
# when the ravine is turned: no length for :math:`w_1` and :math:`w_2` alone can describe a valley in which both move
# together. (RMSprop would never come so low.) No method is the best everywhere.
#
# Weight decay, and AdamW
# -----------------------
#
# One often wants all weights to shrink a little in every step, for reasons that lesson 14 gives. The classical way is
# to add :math:`\lambda w` to the gradient. (This :math:`\lambda` is the strength of the decay, not a curvature.) In
# plain descent that is the same as multiplying w by :math:`1 - \eta\lambda`:
#
# .. math:: w - \eta\, (g + \lambda w) = (1 - \eta\lambda)\, w - \eta g
#
# In Adam it is not the same. There the sum is divided by :math:`\sqrt{v}`, and the decay with it: a weight with large
# gradients hardly decays. **AdamW** (Loshchilov and Hutter 2019) therefore shrinks the weight itself, and hands Adam
# the pure gradient. To see the difference we take weights whose gradient is nothing but noise, of size 1 or of size
# 100. Noise leads nowhere on average; only the decay is left.


def adam_with_decay_inside(w, g, memory, eta, decay):
    return adam(w, g + decay * w, memory, eta)


def adamw(w, g, memory, eta, decay):
    return adam((1 - eta * decay) * w, g, memory, eta)


left_over = {}
for method in (adam_with_decay_inside, adamw):
    for size in (1.0, 100.0):
        noise = np.random.default_rng(1)

        def gradient(w, noise=noise, size=size):
            return noise.normal(0, size, w.shape)

        path = walk(method, gradient, np.ones(2000), 1000, eta=0.01, decay=0.1)
        left_over[method.__name__, size] = path[-1].mean()
        print(f"{method.__name__:22} noise of size {size:5}: mean weight 1 -> {left_over[method.__name__, size]:.2f}")
print(f"expected of a decay by 0.001 in each of 1,000 steps: {(1 - 0.01 * 0.1) ** 1000:.2f}")
assert abs(left_over["adamw", 1.0] - 0.999**1000) < 0.02
assert abs(left_over["adamw", 100.0] - 0.999**1000) < 0.02
assert left_over["adam_with_decay_inside", 100.0] > 0.95

decayed = walk(adamw, ravine, start, 100, eta=0.1, decay=0.2)
assert agrees_with_engine(minidl.optim.AdamW, decayed, lr=0.1, weight_decay=0.2)

# %%
# The rate over time
# ------------------
#
# The gradients of mini-batches are noisy (lesson 06), and noise keeps the weights from coming to rest. Take a single
# weight with :math:`L = \frac{\lambda}{2} w^2` and noise of variance :math:`\sigma^2`. A step is
# :math:`w \leftarrow (1 - \eta\lambda)\, w - \eta \cdot \text{noise}`, so the variance V of w becomes
# :math:`(1 - \eta\lambda)^2 V + \eta^2 \sigma^2`. It stays the same when
#
# .. math:: V = \frac{\eta\, \sigma^2}{\lambda\, (2 - \eta\lambda)} .
#
# The restlessness at the end is in proportion to the rate. A large rate travels fast and ends badly, a small one
# travels slowly and ends well. So change it on the way: large first, then small. A popular schedule is half a wave of
# the cosine (D0 speaks of "学习率调度", learning-rate schedules, and gives none):
#
# .. math:: \eta_t = \frac{\eta_0}{2} \left( 1 + \cos \frac{\pi t}{T} \right)

steps = 300
cosine = 0.25 * (1 + np.cos(np.pi * np.arange(steps) / steps))
schedules = {"constant 0.5": np.full(steps, 0.5), "constant 0.05": np.full(steps, 0.05), "cosine from 0.5": cosine}


def noisy_descent(rates, copies=4000):
    """The mean height over many copies of a noisy walk from w = 20, with curvature 1 and noise of variance 1."""
    noise, w, heights = np.random.default_rng(2), np.full(copies, 20.0), []
    for rate in rates:
        w = w - rate * (w + noise.normal(size=copies))
        heights.append(np.mean(w**2) / 2)
    return heights


noisy = {name: noisy_descent(rates) for name, rates in schedules.items()}
for name, heights in noisy.items():
    print(f"rate {name:15}: mean height {heights[20]:9.4f} after 20 steps, {heights[-1]:.4f} at the end")
assert abs(noisy["constant 0.5"][-1] - 0.5 * 0.5 / (2 - 0.5)) < 0.01  # L = V / 2
assert noisy["cosine from 0.5"][-1] < noisy["constant 0.05"][-1] < noisy["constant 0.5"][-1]

engine = minidl.optim.SGD([minidl.tensor(0.0, requires_grad=True)], lr=0.5)
schedule = minidl.optim.lr_scheduler.CosineAnnealingLR(engine, T_max=steps)
for rate in cosine:
    assert abs(engine.param_groups[0]["lr"] - rate) < 1e-12
    schedule.step()

# %%
# A race on digits
# ----------------
#
# Enough of valleys. A small network learns 2,000 digits of lesson 15's collection in three rounds, with batches of 50.
# To be fair, every method may try four learning rates, each about three times the one before, and shows its best.

minidl.set_num_threads(1)  # the matrices are small: a second thread would only wait
digits = MNIST5K(train=True)
pixels, labels = digits.data.reshape(-1, 784) / 255, digits.targets
some = np.random.default_rng(9).permutation(len(digits))[:2000]


def training_losses(make_optimiser, rate):
    minidl.manual_seed(0)
    model = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
    optimiser, order, losses = make_optimiser(model.parameters(), rate), np.random.default_rng(0), []
    for _ in range(3):
        for batch in order.permutation(some).reshape(-1, 50):
            at = minidl.tensor(batch)
            optimiser.zero_grad()
            loss = F.cross_entropy(model(pixels[at]), labels[at])
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
    return losses


runners = {
    "SGD": (minidl.optim.SGD, (0.03, 0.1, 0.3, 1.0)),
    "SGD, momentum 0.9": (lambda p, rate: minidl.optim.SGD(p, rate, momentum=0.9), (0.01, 0.03, 0.1, 0.3)),
    "AdaGrad": (minidl.optim.Adagrad, (0.003, 0.01, 0.03, 0.1)),
    "RMSprop": (minidl.optim.RMSprop, (0.0003, 0.001, 0.003, 0.01)),
    "Adam": (minidl.optim.Adam, (0.003, 0.01, 0.03, 0.1)),
}
last_round = {}
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for name, (make_optimiser, rates) in progress(runners.items(), "race"):
    curves = {rate: training_losses(make_optimiser, rate) for rate in rates}
    best_rate = min(rates, key=lambda rate: np.mean(curves[rate][-40:]))
    last_round[name] = np.mean(curves[best_rate][-40:])
    right.plot(np.convolve(curves[best_rate], np.ones(20) / 20, "valid"), label=f"{name}, {best_rate}")
for name, value in last_round.items():
    print(f"{name:18} mean loss in the last round {value:.3f}")
assert max(last_round, key=last_round.get) == "SGD"

for name, heights in noisy.items():
    left.semilogy(heights, label=name)
left.set(xlabel="step", ylabel="mean height", title="A noisy gradient, three schedules")
left.legend(title="rate")
right.set(xlabel="step", ylabel="loss on a batch of 50 (mean of 20 steps)", title="Learning digits", ylim=(0, 1.6))
right.legend()
save_figure(fig, "schedules_and_race")

# %%
# All of them beat plain SGD here. The order of the other four is that of one short run, with one seed; do not read too
# much into it.
#
# Two curves lie on each other, AdaGrad with 0.03 and RMSprop with 0.003. That is no accident. ``minidl`` (like PyTorch)
# takes :math:`\alpha = 0.99` for RMSprop, and in 120 steps such an average has hardly begun to forget: v is about 0.01
# times the sum s. The root of that is a tenth, so ten times smaller rates make the same steps. RMSprop has no
# correction of its start, and this is how it shows.
#
# Summary
# -------
#
# * Momentum adds up gradients: what lasts is amplified by :math:`1/(1 - \mu)`, what alternates is damped by
#   :math:`1/(1 + \mu)`. Nesterov's form measures the gradient where the momentum leads.
# * AdaGrad, RMSprop and Adam divide by the root of a sum or an average of squares: the size of the gradient cancels,
#   and the rate becomes the length of a step. They look at each weight by itself.
# * Adam is momentum, RMSprop and a correction of the start, not "SGD and momentum".
# * AdamW lets all weights decay alike.
# * The noise at the end is in proportion to the rate: begin with a large one and end with a small one.
#
# Next: good steps need a good place to start from. Lesson 14 finds one, and learns when to hold back.
#
# Exercises
# ---------
#
# ``python -m lessons check 13 my_solution.py`` checks the first two.
#
# 1. (checked) Adamax replaces Adam's root by the largest gradient, slowly forgotten:
#    :math:`u_t = \max(\beta_2 u_{t-1}, |g_t|)` and
#    :math:`w_t = w_{t-1} - \frac{\alpha}{1 - \beta_1^t} \frac{m_t}{u_t}`. Write
#    ``adamax(gradients, alpha, beta_1, beta_2)``: for gradients of shape (T, n), none of them zero, the places after
#    each step from w = 0, shape (T, n). Why does u need no correction of its start?
# 2. (checked) Write ``best_momentum(curvatures)``: for a list of curvatures the pair (eta, mu) with which momentum
#    shrinks the slowest direction fastest.
# 3. Give Adam a huge epsilon, 1000, and a rate that makes up for it. Which method is it now?
# 4. A weight of an embedding gets a gradient only once in a thousand steps. How long are its steps with SGD, with
#    AdaGrad, with Adam?
