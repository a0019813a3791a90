"""
Backpropagation by hand: one unit
=================================

A unit has answered, and the answer was not quite right. By how much should each weight move, and which way?

:formulas: D1-2.1.3-b, D1-2.1.3-c, D1-2.1.3-d, D1-3.1.2-c, D1-3.1.2-d, D3-3-g, D3-3-h
:time: 5 s
"""

# %%
# One unit, one example
# ---------------------
#
# Document D1, section 2.1.3 "反向传播算法" (The backpropagation algorithm), starts from the error of the output layer,
#
# .. math:: E = \frac{1}{2} \sum_i (y_i - \hat y_i)^2
#
# where :math:`y_i` is the label and :math:`\hat y_i` what unit i says. Inside the unit, as in lesson 02,
#
# .. math:: z_i = \sum_j w_{ij} x_j + b_i, \qquad \hat y_i = \sigma(z_i) .
#
# The index i names the unit that receives and j the input that sends. We take one unit and one input, so that there is
# nothing to sum and every letter is a number.

import matplotlib.pyplot as plt
import numpy as np

import minidl
from lessons import reproduce, save_figure

x, y = 1.5, 1.0
w, b = 0.8, -0.2


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def squared_error(w, b):
    y_hat = sigmoid(w * x + b)
    return (y - y_hat) ** 2 / 2


print(f"the unit says {sigmoid(w * x + b):.6f}, the label is {y}, the error is E = {squared_error(w, b):.6f}")

# %%
# A chain of small changes
# ------------------------
#
# Move w by a tiny amount. What happens to E? Nothing happens directly: w changes z, z changes :math:`\hat y`, and
# :math:`\hat y` changes E. Suppose that z moves 1.5 times as far as w, that :math:`\hat y` moves 0.2 times as far as z,
# and that E moves -0.27 times as far as :math:`\hat y`. Then E moves :math:`-0.27 \cdot 0.2 \cdot 1.5` times as far as
# w. Rates along a chain multiply. This is the chain rule of lesson 01, and it is all that backpropagation knows:
#
# .. math::
#    \frac{\partial E}{\partial w}
#    = \frac{\partial E}{\partial \hat y} \cdot \frac{\partial \hat y}{\partial z} \cdot \frac{\partial z}{\partial w}
#
# The first of the three rates has a minus sign to be careful with: :math:`\hat y` appears as :math:`-\hat y` inside the
# square, so the derivative of :math:`\frac12 (y - \hat y)^2` by :math:`\hat y` is
# :math:`-(y - \hat y) = \hat y - y` (lesson 04).

z = w * x + b
y_hat = sigmoid(z)

dz_dw = x  # z = w x + b: with x fixed, z moves x times as far as w
dz_db = 1.0
dy_hat_dz = y_hat * (1 - y_hat)  # the slope of the sigmoid, lesson 03
dE_dy_hat = y_hat - y

dE_dw = dE_dy_hat * dy_hat_dz * dz_dw
dE_db = dE_dy_hat * dy_hat_dz * dz_db
print(f"dE/dw = {dE_dy_hat:.4f} * {dy_hat_dz:.4f} * {dz_dw:.4f} = {dE_dw:.6f}")

# %%
# The same rule as printed has :math:`y_i - \hat y_i` as its first factor:
#
# .. math::
#    \frac{\partial E}{\partial w_{ij}} = (y_i - \hat y_i) \cdot
#    \frac{\partial \hat y_i}{\partial z_i} \cdot \frac{\partial z_i}{\partial w_{ij}} \qquad\text{(as printed)}
#
# It differs by nothing but a sign. Whether that matters is quickly found out: measure the slope, then take one step of
# gradient descent with each of the two. The step is the document's own next formula,
#
# .. math:: w_{ij} := w_{ij} - \alpha \cdot \frac{\partial E}{\partial w_{ij}}, \qquad
#           b_i := b_i - \alpha \cdot \frac{\partial E}{\partial b_i}


def central(f, value, epsilon=1e-5):
    """The slope of f at a number, from one step up and one step down (lesson 01)."""
    return (f(value + epsilon) - f(value - epsilon)) / (2 * epsilon)


measured_w = central(lambda v: squared_error(v, b), w)
measured_b = central(lambda v: squared_error(w, v), b)
printed_w = (y - y_hat) * dy_hat_dz * dz_dw
printed_b = (y - y_hat) * dy_hat_dz * dz_db

alpha = 1.0
E = squared_error(w, b)
E_right = squared_error(w - alpha * dE_dw, b - alpha * dE_db)
E_printed = squared_error(w - alpha * printed_w, b - alpha * printed_b)
print(f"E before {E:.6f}; after a step: derived here {E_right:.6f}, as printed {E_printed:.6f}")

reproduce(
    "D1-2.1.3-b",
    measured=measured_w,
    right=dE_dw,
    printed=printed_w,
    loss=E,
    loss_right=E_right,
    loss_printed=E_printed,
)

# %%
# The printed gradient points uphill: the error grows. It is easy to see how the slip comes about. In
# :math:`y - \hat y` one reads "what is missing", and indeed the weights should move *towards* what is missing. But the
# rule for the step already subtracts. Two minus signs, one in the gradient and one in the step, make the descent; if
# one is lost, the unit unlearns.
#
# The steps themselves are right. To first order, a step against the gradient lowers the error by
# :math:`\alpha g^2`, where g is the gradient; we check that with a small :math:`\alpha`.

small = 0.001
decrease = E - squared_error(w - small * dE_dw, b)
reproduce("D1-2.1.3-c", w_new=w - alpha * dE_dw, decrease_ratio=decrease / (small * dE_dw**2))
reproduce("D1-2.1.3-d", measured=measured_b, gradient=dE_db, b_new=b - alpha * dE_db)

# %%
# The picture shows the error for every weight, with b fixed, and both steps.

weights = np.linspace(-3, 5, 200)
fig, ax = plt.subplots(layout="constrained")
ax.plot(weights, [squared_error(v, b) for v in weights], label="E")
for step, colour, name in [(dE_dw, "tab:green", "derived here"), (printed_w, "tab:red", "as printed")]:
    long = 15 * step  # fifteen times the step, to make it visible
    end = (w - long, squared_error(w - long, b))
    arrow = dict(arrowstyle="-|>", color=colour, linewidth=2)
    ax.annotate("", xy=end, xytext=(w, squared_error(w, b)), arrowprops=arrow)
    ax.plot([], [], color=colour, label=f"15 steps' length, {name}")
ax.plot(w, squared_error(w, b), "ko", label="start")
ax.set(xlabel="w", ylabel="E", title="One weight, one example: downhill and uphill")
ax.legend()
save_figure(fig, "two_steps")

# %%
# Another loss
# ------------
#
# Section 3.1.2 "模型训练流程" (Training procedure) of the same document prints the same rule again, now for "the loss
# function" E, whatever it may be; it names the mean squared error and the cross-entropy. But the factor
# :math:`\hat y - y` was the derivative of one particular loss. For the binary cross-entropy of lesson 04,
#
# .. math::
#    E = -\left[y \log \hat y + (1 - y) \log(1 - \hat y)\right], \qquad
#    \frac{\partial E}{\partial \hat y} = -\frac{y}{\hat y} + \frac{1 - y}{1 - \hat y}
#    = \frac{\hat y - y}{\hat y\,(1 - \hat y)} .
#
# So a general rule must keep the letter: :math:`\partial E/\partial \hat y`, to be worked out for each loss.


def cross_entropy(w, b, x=x, y=y):
    y_hat = sigmoid(w * x + b)
    return -(y * np.log(y_hat) + (1 - y) * np.log(1 - y_hat))


dE_dy_hat = (y_hat - y) / (y_hat * (1 - y_hat))
right = dE_dy_hat * dy_hat_dz * dz_dw
reproduce(
    "D1-3.1.2-c",
    measured=central(lambda v: cross_entropy(v, b), w),
    right=right,
    printed=(y - y_hat) * dy_hat_dz * dz_dw,
    printed_mended=(y_hat - y) * dy_hat_dz * dz_dw,
    factor=1 / (y_hat * (1 - y_hat)),
)
reproduce("D1-3.1.2-d", w_new=w - alpha * right, loss=cross_entropy(w, b), loss_new=cross_entropy(w - alpha * right, b))

# %%
# A happy cancellation
# --------------------
#
# Look at the last gradient again: its first factor has :math:`\hat y (1 - \hat y)` below the line, and the second
# factor *is* :math:`\hat y (1 - \hat y)`. They cancel, and all that is left is
#
# .. math:: \frac{\partial E}{\partial z} = \hat y - y, \qquad
#           \frac{\partial E}{\partial w_j} = (\hat y - y)\, x_j, \qquad \frac{\partial E}{\partial b} = \hat y - y .
#
# This is more than neat. With the squared error, a unit that is badly wrong learns slowly: where
# :math:`\hat y` is close to 0 or 1, the slope :math:`\hat y (1 - \hat y)` is close to 0 and takes the gradient with
# it. With the cross-entropy, the gradient is as large as the mistake.

for z_wrong in [-2.0, -5.0, -10.0]:
    a = sigmoid(z_wrong)
    print(
        f"label 1, output {a:.6f}: dE/dz is {(a - y) * a * (1 - a):+.6f} with the squared error, "
        f"{a - y:+.6f} with the cross-entropy"
    )

# %%
# Document D3, section 3 "核心算法原理 & 具体操作步骤" (Core algorithm and steps), has just this unit and this loss,
# in its own letters: :math:`a_i` is the output and :math:`L` the loss. It prints
#
# .. math::
#    \frac{\partial L}{\partial w_{ij}} = a_j \cdot (1 - a_j) \cdot (z_i - y_i), \qquad
#    \frac{\partial L}{\partial b_j} = a_j \cdot (1 - a_j) \cdot (z_i - y_i) \qquad\text{(as printed)}
#
# Three things went wrong. It compares the label with :math:`z_i`, the value *before* the sigmoid, instead of
# :math:`a_i`. The factor :math:`a (1 - a)` should have cancelled. And the input :math:`x_j` is missing, so that weight
# and bias get the same gradient. With x = 1.5, w = 1, b = 0.5, and the label 1:

w, b = 1.0, 0.5
z = w * x + b  # 2.0
a = sigmoid(z)
printed = a * (1 - a) * (z - y)
print(f"z = {z}, a = {a:.6f}: printed {printed:+.6f}, derived {(a - y) * x:+.6f} for w and {a - y:+.6f} for b")

reproduce("D3-3-g", measured=central(lambda v: cross_entropy(v, b), w), right=(a - y) * x, printed=printed)
reproduce("D3-3-h", measured=central(lambda v: cross_entropy(w, v), b), right=a - y, printed=printed)

# %%
# Even the sign differs. The unit says 0.88 where the label is 1, so it should say a little more; the printed gradient,
# seeing z = 2 above 1, would have it say less.
#
# The engine does the same
# ------------------------
#
# ``minidl`` keeps a note of every operation and multiplies the rates for us. The two lines of derivatives that took us
# half a lesson are one call.

w_tensor = minidl.tensor(w, dtype=minidl.float64, requires_grad=True)
b_tensor = minidl.tensor(b, dtype=minidl.float64, requires_grad=True)
y_hat = minidl.sigmoid(w_tensor * x + b_tensor)
loss = -(y * y_hat.log() + (1 - y) * (1 - y_hat).log())
loss.backward()
print(f"engine: dL/dw = {w_tensor.grad.item():.12f}, dL/db = {b_tensor.grad.item():.12f}")
assert abs(w_tensor.grad.item() - (a - y) * x) < 1e-15
assert abs(b_tensor.grad.item() - (a - y)) < 1e-15

# %%
# Summary
# -------
#
# * A weight acts on the loss through a chain: weight, z, output, loss. The rates along the chain multiply.
# * The squared error contributes :math:`\hat y - y`, not :math:`y - \hat y`; with the wrong sign, descent climbs.
# * A general rule keeps :math:`\partial E/\partial \hat y`; only for a particular loss may it be replaced.
# * For the sigmoid with the binary cross-entropy, :math:`\partial E/\partial z = \hat y - y`, and each weight gets that
#   times its own input.
#
# Next: this works for units whose output meets the loss directly. D1 has no rule for the others; lesson 08 finds it.
#
# Exercises
# ---------
#
# 1. (checked) Write ``gradients(w, b, x, y)`` for a unit with several inputs (w and x are arrays of the same length),
#    **tanh** in place of the sigmoid and the squared error. It returns the gradient of w and that of b. Check it with
#    ``python -m lessons check 7 my_solution.py``.
# 2. Where does the squared error of a sigmoid unit have its largest slope in z, if the label is 1? Find the place on
#    paper (the derivative of :math:`(a - 1)\,a\,(1 - a)` by z is zero there), then by trying.
# 3. Take a hundred steps with the printed gradient of D1 and watch w. Does the error grow for ever? Why not?
