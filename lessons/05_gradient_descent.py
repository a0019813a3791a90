"""
Gradient descent
================

The loss says how wrong a model is, its slopes say which way is better. How do we get from there to a good model?

:formulas: D0-1.3.1-a, D3-3-c, D3-3-d, D4-4.2.1-a, D4-4.2.2-a
:time: 5 s
"""

# %%
# A line through four points
# --------------------------
#
# The smallest model worth training is a straight line, :math:`\hat y = w x + b`. It has two parameters, the slope w and
# the intercept b, and we write both together as :math:`\theta = [w, b]`. Document D4 uses it in section 4.2.2
# "梯度下降算法举例" (Gradient descent, example), with the mean squared error of lesson 04 as its loss J:
#
# .. math:: J(\theta) = \frac{1}{n} \sum_{i=1}^{n} (y_i - \hat y_i)^2, \qquad \hat y_i = w x_i + b
#
# The document gives no data, so we choose four points that lie on the line with w = 2 and b = 1. Our model does not
# know that. It starts with both parameters zero and has to find them.

import matplotlib.pyplot as plt
import numpy as np

import minidl
from lessons import reproduce, save_figure

x = np.array([0.0, 1.0, 2.0, 3.0])
y = 2 * x + 1


def J(theta, x=x):
    w, b = theta
    return np.mean((y - (w * x + b)) ** 2)


theta_0 = np.zeros(2)
print(f"J at w = 0, b = 0: {J(theta_0)};  at w = 2, b = 1: {J([2, 1])}")

# %%
# Think of J as the height of a landscape over the plane of all (w, b). We stand at (0, 0), at a height of 21, in thick
# fog, and want to go down. We cannot see the valley. But we can feel how the ground slopes under our feet.
#
# The gradient
# ------------
#
# How does J change with w? One example contributes :math:`(y_i - w x_i - b)^2`. The outer derivative is
# :math:`2 (y_i - w x_i - b)`; inside, w stands with the factor :math:`-x_i`, and b with -1. The two minus signs turn
# the difference round:
#
# .. math::
#    \frac{\partial J}{\partial w} = \frac{2}{n} \sum_i (\hat y_i - y_i)\, x_i, \qquad
#    \frac{\partial J}{\partial b} = \frac{2}{n} \sum_i (\hat y_i - y_i)
#
# Both together are the **gradient** :math:`\nabla_\theta J`, a list with one slope for each parameter (lesson 01). As
# always we ask for a second opinion from central differences.


def gradient(theta, x=x):
    w, b = theta
    error = w * x + b - y
    return np.array([2 * np.mean(error * x), 2 * np.mean(error)])


def slopes(f, at, epsilon=1e-5):
    """The slope of f in each entry of an array, from one step up and one step down (lesson 01)."""
    steps = epsilon * np.eye(len(at))
    return np.array([(f(at + step) - f(at - step)) / (2 * epsilon) for step in steps])


print("gradient at (0, 0): by hand", gradient(theta_0), " measured", np.round(slopes(J, theta_0), 6))

# %%
# One step
# --------
#
# Both slopes are negative: more w and more b would make J smaller. So we should move each parameter *against* its
# slope, and further where the slope is steeper. This is the whole method, section 4.2.1 "梯度下降算法原理" (Gradient
# descent, principle):
#
# .. math:: \theta_{t+1} = \theta_{t} - \alpha \cdot \nabla_{\theta} J(\theta)
#
# t counts the steps, and the gradient is taken at :math:`\theta_t`, where we stand. The number :math:`\alpha`, the
# **learning rate**, says how long the steps are. (The document's words speak of moving "along" the gradient. That
# would be uphill; its formula has the minus sign that it takes.)

alpha = 0.1
theta_1 = theta_0 - alpha * gradient(theta_0)
print(f"one step leads to w = {theta_1[0]:.2f}, b = {theta_1[1]:.2f}: J falls from {J(theta_0)} to {J(theta_1):.3f}")
reproduce("D4-4.2.1-a", theta_1=theta_1, loss=J(theta_0), loss_new=J(theta_1))

# %%
# Could another direction have been better? For a step that is short enough, no. We try 3600 directions, all with the
# same tiny length, and look for the one that leads lowest.

angles = np.linspace(0, 2 * np.pi, 3600, endpoint=False)
directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
lowest = directions[np.argmin([J(theta_0 + 1e-4 * d) for d in directions])]
against = -gradient(theta_0) / np.linalg.norm(gradient(theta_0))
print("the best of 3600 directions:", np.round(lowest, 3), " against the gradient:", np.round(against, 3))
assert np.allclose(lowest, against, rtol=0, atol=2e-3)

# %%
# The step as printed
# -------------------
#
# For the line, section 4.2.2 prints the step with the gradient written out:
#
# .. math::
#    \theta_{t+1} = \theta_{t} - \alpha \cdot \left[ \frac{1}{n} \sum_{i=1}^{n} (y_i - \hat{y}_i) \cdot x_i,
#    \frac{1}{n} \sum_{i=1}^{n} (y_i - \hat{y}_i) \right] \qquad\text{(as printed)}
#
# Two things differ from what we derived. The factor 2 is missing; that is harmless, since half the gradient with
# :math:`\alpha = 0.2` is the same step as the whole gradient with :math:`\alpha = 0.1`. And the difference is the wrong
# way round; that is not harmless. We follow the printed rule for five steps, and then the same rule with its sign
# mended for two hundred.


def printed_bracket(theta):
    w, b = theta
    missing = y - (w * x + b)
    return np.array([np.mean(missing * x), np.mean(missing)])


def descend(gradient, start, alpha, steps):
    """All places on the way, the start among them: shape (steps + 1, parameters)."""
    path = [np.array(start, dtype=float)]
    for _ in range(steps):
        path.append(path[-1] - alpha * gradient(path[-1]))
    return np.array(path)


printed_losses = [J(theta) for theta in descend(printed_bracket, theta_0, 0.1, 5)]
mended_end = descend(lambda theta: -printed_bracket(theta), theta_0, 0.1, 200)[-1]
print("as printed:", " -> ".join(f"{loss:.1f}" for loss in printed_losses))
print(f"sign mended, 200 steps: w = {mended_end[0]:.4f}, b = {mended_end[1]:.4f}")
reproduce(
    "D4-4.2.2-a",
    measured=slopes(J, theta_0),
    right=gradient(theta_0),
    printed=printed_bracket(theta_0),
    printed_losses=printed_losses,
    right_end=mended_end,
)

# %%
# The printed rule climbs, faster and faster. The slip is an easy one: :math:`y - \hat y` is what is *missing*, and one
# wants to add what is missing. Whoever writes :math:`\theta + \alpha\,[\dots]` with this bracket is right; with the
# minus sign in front, the difference must be turned round.
#
# Many steps
# ----------
#
# D0, section 1.3.1 "优化算法" (Optimisation algorithms), describes gradient descent in one sentence: change the
# parameters again and again, so that the loss gets smaller. We do, and count how often it does not.

path = descend(gradient, theta_0, 0.1, 100)
losses = np.array([J(theta) for theta in path])
print("J after 0, 1, 2, 10, 50, 100 steps:", " ".join(f"{losses[t]:.2g}" for t in [0, 1, 2, 10, 50, 100]))
reproduce(
    "D0-1.3.1-a",
    steps=len(path) - 1,
    rises=np.sum(losses[1:] > losses[:-1]),
    loss_start=losses[0],
    loss_end=losses[-1],
)

# %%
# How long should a step be?
# --------------------------
#
# The first steps were quick, the later ones slow. We try other learning rates, and for the picture we start at another
# place, w = -0.5 and b = 4, from where the way is less direct. Each ellipse joins places of equal height; the star is
# the bottom.

names = {0.01: "too small", 0.1: "fair", 0.22: "about the best", 0.245: "too large"}
paths = {rate: descend(gradient, (-0.5, 4.0), rate, 100) for rate in names}

w_axis, b_axis = np.linspace(-1.2, 5.2, 150), np.linspace(-0.8, 4.6, 150)
height = np.array([[J((w, b)) for w in w_axis] for b in b_axis])
fig, panels = plt.subplots(2, 2, figsize=(9, 7.6), layout="constrained", sharex=True, sharey=True)
for ax, (rate, name) in zip(panels.flat, names.items(), strict=True):
    ax.contour(w_axis, b_axis, height, levels=[0.2, 1, 3, 7, 13, 21, 32, 46], colors="0.75", linewidths=0.8)
    ax.plot(*paths[rate][:31].T, "o-", markersize=3, linewidth=1)
    ax.plot(2, 1, "k*", markersize=12)
    ax.set(xlim=(-1.2, 5.2), ylim=(-0.8, 4.6), title=f"30 steps with {rate}: {name}")
fig.supxlabel("w")
fig.supylabel("b")
save_figure(fig, "from_above")

fig, ax = plt.subplots(layout="constrained")
for rate, name in names.items():
    ax.semilogy([J(theta) for theta in paths[rate]], label=f"{rate}, {name}")
ax.set(xlabel="step", ylabel="J", title="Height after each step")
ax.legend(title="learning rate", loc="lower left")
save_figure(fig, "heights")

# %%
# With 0.01 we creep. With 0.1 we are soon on the floor of the valley, and then follow it slowly. With 0.22 we jump from
# one wall to the other, and still reach the bottom sooner than with the careful 0.1. With 0.245 the jumps grow, and
# soon each one lands higher than the one before. Where is the border?
#
# Take a valley with a single parameter and its bottom at zero, :math:`J(\theta) = \frac{\lambda}{2} \theta^2`. The
# number :math:`\lambda` says how strongly it is curved. Its slope is :math:`\lambda \theta`, and a step gives
#
# .. math:: \theta_{t+1} = \theta_t - \alpha \lambda \theta_t = (1 - \alpha \lambda)\, \theta_t .
#
# Every step multiplies the distance to the bottom by the same number :math:`1 - \alpha \lambda`. It shrinks as long as
# this number lies between -1 and 1, so :math:`\alpha` must stay below :math:`2 / \lambda`. If the number is negative,
# we cross the bottom each time.
#
# Our valley has two parameters. Write the gradient down once more, sorted by w and b, and it turns out to be a matrix H
# times the distance from the bottom :math:`\theta^* = [2, 1]`:
#
# .. math::
#    \nabla_\theta J = H (\theta - \theta^*), \qquad
#    H = 2 \begin{pmatrix} \overline{x^2} & \overline{x} \\ \overline{x} & 1 \end{pmatrix}
#
# (the bars are means over the examples). For a matrix that is equal to its transpose there are always directions, at
# right angles to each other, in which it does nothing but stretch. ``np.linalg.eigh`` finds them, and how much it
# stretches in each: the **eigenvalues** :math:`\lambda`. In each of these directions, our valley is the simple one from
# above, with its own curvature.

H = 2 * np.array([[np.mean(x**2), np.mean(x)], [np.mean(x), 1.0]])
bottom = np.array([2.0, 1.0])
assert np.allclose(gradient(theta_1), H @ (theta_1 - bottom), rtol=0, atol=1e-12)

curvatures, directions = np.linalg.eigh(H)  # directions[:, k] belongs to curvature k
along = (paths[0.1] - bottom) @ directions  # the distance from the bottom, split into the two directions
print(f"curvatures {curvatures[0]:.3f} and {curvatures[1]:.3f}: alpha must stay below {2 / curvatures[1]:.3f}")
print("alpha = 0.1: each step multiplies the two distances by", np.round(along[1] / along[0], 4))
assert np.allclose(along[1:6] / along[:5], 1 - 0.1 * curvatures, rtol=1e-6)

# %%
# Here is the trouble of all gradient descent in a nutshell. **The steepest direction limits the learning rate, and the
# flattest one decides how long we need.** The border is 2 / 8.405 = 0.238, but with any rate below it, the flat
# direction with its 0.595 loses at best 14 percent of its distance in a step. The ratio of the two curvatures, here 14,
# tells how bad it is.
#
# A rounder valley
# ----------------
#
# There is a remedy that costs nothing. Why is the valley narrow and slanted? Because all x lie on one side of zero: a
# larger w lifts every point, and a smaller b can undo most of it. Measure x from its mean instead. Then
# :math:`\overline{x}` is zero, H has nothing outside of its diagonal, and w and b do not get in each other's way.

x_centred = x - np.mean(x)
curvatures_centred = np.linalg.eigvalsh(2 * np.diag([np.mean(x_centred**2), 1.0]))


def steps_needed(x, alpha):
    """How many steps of descent on the inputs x it takes until J is below one millionth."""
    heights = np.array([J(theta, x) for theta in descend(lambda theta: gradient(theta, x), theta_0, alpha, 200)])
    assert heights[-1] < 1e-6
    return np.argmax(heights < 1e-6)  # the first place where it is true


best, best_centred = 2 / np.sum(curvatures), 2 / np.sum(curvatures_centred)
before, after = steps_needed(x, best), steps_needed(x_centred, best_centred)
print(f"x as it is: curvatures {np.round(curvatures, 2)}, {before} steps until J < 1e-6")
print(f"x centred:  curvatures {np.round(curvatures_centred, 2)}, {after} steps")
assert after * 5 < before

# %%
# (The best rate makes the steepest and the flattest direction shrink equally fast, one of them with changing sign:
# :math:`1 - \alpha \lambda_{small} = -(1 - \alpha \lambda_{large})` gives
# :math:`\alpha = 2 / (\lambda_{small} + \lambda_{large})`.) This is why people subtract the mean from their inputs and
# divide them by their spread before they train anything.
#
# Not only lines
# --------------
#
# Nothing in the method knows about lines. Document D3 prints the same step in section 3 "核心算法原理 & 具体操作步骤"
# (Core algorithm and steps), once for weights and once for biases, with L for the loss, and adds: repeat until you are
# content.
#
# .. math::
#    w_{new} = w_{old} - \alpha \cdot \frac{\partial L}{\partial w}, \qquad
#    b_{new} = b_{old} - \alpha \cdot \frac{\partial L}{\partial b}
#
# We try it on the sigmoid unit of lesson 03 with the cross-entropy of lesson 04: input 1.5, label 1, w = 1, b = 0.5. We
# have not derived the slopes of this loss, that is for lesson 07. But they can be measured.

unit = np.array([1.0, 0.5])  # w and b


def L(unit):
    w, b = unit
    return -np.log(1 / (1 + np.exp(-(w * 1.5 + b))))


dL_dw, dL_db = slopes(L, unit)
w_new, b_new = unit - 1.0 * np.array([dL_dw, dL_db])  # alpha = 1
after_w, after_b, after_both = L([w_new, 0.5]), L([1.0, b_new]), L([w_new, b_new])
print(f"L before {L(unit):.4f}; moved w {after_w:.4f}, moved b {after_b:.4f}, moved both {after_both:.4f}")
reproduce("D3-3-c", w_new=w_new, loss=L(unit), loss_new=after_w)
reproduce("D3-3-d", b_new=b_new, loss=L(unit), loss_new=after_b)

# %%
# The engine does the same
# ------------------------
#
# ``minidl`` finds the gradient by itself, and an *optimiser* takes the steps. The three lines in this loop are the ones
# that you will find in every training program: forget the old gradient, compute the new one, take a step.

theta = minidl.tensor(np.zeros(2), requires_grad=True)
inputs, labels = minidl.tensor(x), minidl.tensor(y)
optimiser = minidl.optim.SGD([theta], lr=0.1)
for _ in range(100):
    optimiser.zero_grad()
    minidl.nn.functional.mse_loss(theta[0] * inputs + theta[1], labels).backward()
    optimiser.step()
print("engine, 100 steps:", theta.detach().numpy(), " by hand:", path[-1])
assert np.allclose(theta.detach().numpy(), path[-1], rtol=0, atol=1e-12)

# %%
# For a line there is a formula that gives the best w and b at once, and ``np.linalg.lstsq`` knows it. For a network
# there is none. Gradient descent asks for nothing but slopes, and that is why it is used.
#
# Summary
# -------
#
# * The gradient lists the slopes of the loss, one for each parameter. For the line they are twice the means of
#   :math:`(\hat y - y)\,x` and of :math:`\hat y - y`, with the answer first and the label second.
# * A step goes against the gradient: :math:`\theta_{t+1} = \theta_t - \alpha \nabla_\theta J(\theta_t)`.
# * A factor in the loss only rescales :math:`\alpha`. A wrong sign climbs.
# * Below :math:`2 / \lambda` for the largest curvature the loss falls, above it explodes; the smallest curvature
#   decides how long it takes. Centred inputs make the valley rounder.
#
# Next: every step looked at all examples. What if there are a million? Lesson 06 takes a few at a time.
#
# Exercises
# ---------
#
# 1. (checked) Write ``gradient(w, b, X, y)`` for several inputs: :math:`\hat y_i = \sum_k w_k X_{ik} + b`, mean squared
#    error, X of shape (n, K). It returns the gradient of w and that of b. Check it with
#    ``python -m lessons check 5 my_solution.py``.
# 2. (checked) Write ``descend(gradient, start, alpha, steps)`` without looking above.
# 3. (checked) Write ``largest_alpha(x)``: the border between falling and exploding, for the line and the mean squared
#    error on inputs x. The labels do not matter. Why not?
# 4. For :math:`J(\theta) = \theta^2`, what do the rates 0.5, 1 and 1.1 do? Answer first, then run it.
# 5. Descend :math:`(w^2 - 1)^2 + 0.3 w` from 1.5 and from -1.5, with the rate 0.01. Draw the function. What did
#    gradient descent not see?
