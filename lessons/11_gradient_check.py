"""
The gradient check
==================

A wrong gradient raises no error. The loss falls all the same, only not as far as it could. How can we be sure that ours
is right?

:time: 10 s
"""

# %%
# Wrong, and nobody notices
# -------------------------
#
# A small network is to tell the inside of a circle from its outside: two inputs, 16 tanh units, one sigmoid output, and
# the cross-entropy as its loss, averaged over 200 points. The rules of lesson 09 give the gradients; tanh has the slope
# :math:`1 - h^2`, where h is what the unit puts out.
#
# Now somebody applies the slope of tanh to h, where it belongs to the z that went into the tanh: :math:`1 - \tanh^2 h`
# in place of :math:`1 - \tanh^2 z = 1 - h^2`. It is an easy slip (lesson 08 found it in print).

import matplotlib.pyplot as plt
import numpy as np

import minidl
import minidl.nn as nn
import minidl.nn.functional as F
from lessons import save_figure
from minidl.testing import GradcheckError

minidl.set_num_threads(1)  # the matrices are small: a second thread would only wait

rng = np.random.default_rng(0)
X = rng.uniform(-1, 1, (200, 2))  # (200, 2)
Y = (X**2).sum(axis=1) < 0.5  # (200,) inside or not
start = [rng.normal(size=(16, 2)), rng.normal(size=16), rng.normal(size=16) / 4, np.zeros(1)]


def forward(W_1, b_1, w_2, b_2, X=X):
    h = np.tanh(X @ W_1.T + b_1)  # (200, 16)
    return h, 1 / (1 + np.exp(-(h @ w_2 + b_2)))  # (200, 16), (200,)


def loss(parameters, X=X):
    y_hat = forward(*parameters, X)[1]
    return -np.mean(np.log(np.where(Y, y_hat, 1 - y_hat)))


def right_slope(h):
    return 1 - h**2


def wrong_slope(h):
    return 1 - np.tanh(h) ** 2


def gradients(parameters, slope=right_slope, X=X):
    h, y_hat = forward(*parameters, X)
    delta_2 = (y_hat - Y) / len(Y)  # (200,)
    delta_1 = delta_2[:, None] * parameters[2] * slope(h)  # (200, 16)
    return [delta_1.T @ X, delta_1.sum(axis=0), delta_2 @ h, delta_2.sum(keepdims=True)]


def train(slope, rounds=600, alpha=1.0):
    parameters, losses = start, [loss(start)]
    for _ in range(rounds):
        parameters = [p - alpha * g for p, g in zip(parameters, gradients(parameters, slope), strict=True)]
        losses.append(loss(parameters))
    return losses


curves = {"right": train(right_slope), "wrong": train(wrong_slope)}
for name, losses in curves.items():
    print(f"{name} gradient: loss {losses[0]:.3f} at first, {losses[-1]:.3f} after 600 rounds")
assert curves["right"][-1] < curves["wrong"][-1] < curves["wrong"][0] / 4

# %%
# The wrong network learns! Its loss is twice the other one, but who knows the other one? Seen alone, it gives no reason
# for suspicion; one would try another learning rate, or more units, and blame the data in the end. Faults of this kind
# live for years. So nobody should believe a gradient that has not been checked, least of all one's own.
#
# The check
# ---------
#
# Lesson 01 had a judge who knows nothing of derivations: move one number a little up and a little down, and look at the
# loss. Lessons 07 to 09 asked it again and again. Here we ask how good the judge is, where it errs, and how to ask when
# there are a million numbers.


def measured_slopes(f, arrays, epsilon=1e-5):
    """Central differences of f for every entry of every array."""
    found = []
    for array in arrays:
        slopes = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            old = array[index]
            array[index] = old + epsilon
            above = f(arrays)
            array[index] = old - epsilon
            slopes[index] = (above - f(arrays)) / (2 * epsilon)
            array[index] = old
        found.append(slopes)
    return found


def flat(arrays):
    return np.concatenate([array.ravel() for array in arrays])


place = [p.copy() for p in start]
measured = flat(measured_slopes(loss, place))
for name, slope in [("right", right_slope), ("wrong", wrong_slope)]:
    difference = np.abs(flat(gradients(place, slope)) - measured)
    print(f"{name} gradient: largest of the {measured.size} differences {difference.max():.0e}")
    assert (difference.max() < 1e-9) == (name == "right")

# %%
# How much difference is too much?
# --------------------------------
#
# The differences are never zero, so we need a border. A fixed one, say :math:`10^{-6}`, is unfair: to a loss in the
# millions, where rounding alone is larger, and to a loss in millionths, where everything passes, right or wrong. A
# share of the slope, say a thousandth, is unfair where the true slope is zero and rounding leaves :math:`10^{-12}`. So
# the usual border has both parts, for the slope a that was derived and the slope n that was measured:
#
# .. math:: |a - n| \le \text{atol} + \text{rtol} \cdot |n|
#
# ``minidl.gradcheck`` uses it, with atol = 1e-5 and rtol = 1e-3. The absolute part should be small against the slopes
# themselves, so choose inputs that make these of about the size 1.
#
# Which step?
# -----------
#
# Lesson 01 found the best step for a sine. A whole network has the same two enemies, the bend of the curve at large
# steps and rounding at small ones, but more of both. And the judge must tell right from *nearly* right. We take a third
# gradient, wrong by a thousandth only, and draw the difference from the judge against the step, once with all numbers
# in double and once in single precision.


def difference_from_judge(factor, epsilon, dtype):
    arrays = [p.astype(dtype) for p in start]
    points = X.astype(dtype)
    derived = factor * flat(gradients(arrays, X=points))
    judged = flat(measured_slopes(lambda moved: loss(moved, points), arrays, epsilon))
    return np.abs(derived - judged).max() / np.abs(derived).max()


steps = np.logspace(0, -11, 23)
fig, ax = plt.subplots(layout="constrained")
best = {}
for dtype, style in [(np.float64, "-"), (np.float32, ":")]:
    visible = steps[steps > 4 * np.finfo(dtype).eps]
    for factor, name, colour in [(1.0, "right", "tab:green"), (1.001, "wrong by 0.1 %", "tab:red")]:
        errors = [difference_from_judge(factor, epsilon, dtype) for epsilon in visible]
        best[name, dtype] = min(errors)
        ax.loglog(visible, errors, style, color=colour, label=f"{name}, {dtype.__name__}")
ax.set(xlabel="step epsilon", ylabel="largest difference / largest slope", title="How well the judge sees")
ax.legend()
save_figure(fig, "steps")
for dtype in (np.float64, np.float32):
    pair = best["right", dtype], best["wrong by 0.1 %", dtype]
    print(f"{dtype.__name__}: smallest difference {pair[0]:.0e} if right, {pair[1]:.0e} if wrong by 0.1 %")
assert best["right", np.float64] < 1e-9
assert best["wrong by 0.1 %", np.float64] > 5e-4
assert best["right", np.float32] > 1e-5

# %%
# In double precision the green curve dives to :math:`10^{-10}` while the red one stops at a thousandth: **the
# difference of a right gradient depends on the step, that of a wrong one does not.** Whoever is in doubt tries two
# steps. In single precision the two only part at a few steps, and who knows beforehand at which? So gradients are
# checked in float64, even if the network will run in float32; the formula is the same.
#
# Many numbers in, many numbers out
# ---------------------------------
#
# The loss is one number. A layer puts out many, and one wants to check layers by themselves: a fault is found more
# easily there. All slopes of all outputs y by all inputs x form a table, the **Jacobian**
# :math:`J_{kj} = \partial y_k / \partial x_j`. The two sides of the check come to it from different directions:
#
# * a difference moves one input and sees all outputs: a **column** of J;
# * the backward pass takes rates g of the outputs and returns :math:`J^T g` for the inputs. With a 1 at place k of g
#   and 0 elsewhere, that is **row** k of J.
#
# As an example a layer :math:`y = \tanh(x W^T)` for three examples, and its slopes by the entries of W.

x, W = rng.normal(size=(3, 4)), rng.normal(size=(4, 4)) / 3  # (3, 4), (4, 4)


def layer(W):
    return np.tanh(x @ W.T)  # (3, 4)


def layer_backward(W, g):
    """dL/dW for g = dL/dy: J^T g, in the shape of W."""
    delta = g * (1 - layer(W) ** 2)  # (3, 4)
    return delta.T @ x  # (4, 4)


def jacobian_by_columns(f, at, epsilon=1e-5):
    directions = epsilon * np.eye(at.size).reshape(at.size, *at.shape)
    return np.stack([(f(at + d) - f(at - d)).ravel() / (2 * epsilon) for d in directions], axis=1)


def jacobian_by_rows(backward, at, shape):
    one_hot = np.eye(np.prod(shape)).reshape(-1, *shape)
    return np.stack([backward(at, g).ravel() for g in one_hot])


J = jacobian_by_rows(layer_backward, W, (3, 4))
print(f"Jacobian {J.shape}: largest difference {np.abs(J - jacobian_by_columns(layer, W)).max():.0e}")
assert np.allclose(J, jacobian_by_columns(layer, W), rtol=0, atol=1e-9)

# %%
# The table is a fine diagnosis, since it shows *where* a fault sits. Here are three faults that are made all the time.
# In the first, the gradient of W comes out transposed; W is square, so that all shapes fit. The second takes the slope
# of tanh at y instead of at z. The third forgets the last example. The picture shows the Jacobian (each of the four
# units sees its own row of W, for each of three examples: a staircase, three times) and what each fault adds to it.


def transposed(W, g):
    return layer_backward(W, g).T


def slope_at_y(W, g):
    return (g * (1 - np.tanh(layer(W)) ** 2)).T @ x


def last_example_lost(W, g):
    return (g * (1 - layer(W) ** 2))[:-1].T @ x[:-1]


faults = {"transposed": transposed, "slope taken at y": slope_at_y, "last example lost": last_example_lost}
fig, panels = plt.subplots(1, 4, figsize=(12, 3.2), layout="constrained", sharey=True)
limit = np.abs(J).max()
for ax, (name, backward) in zip(panels, [("the Jacobian", None), *faults.items()], strict=True):
    shown = J if backward is None else jacobian_by_rows(backward, W, (3, 4)) - J
    image = ax.imshow(shown, cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set(title=name if backward is None else f"fault: {name}", xlabel="entry of W", xticks=[0, 4, 8, 12])
panels[0].set(ylabel="entry of y", yticks=[0, 4, 8])
fig.colorbar(image, ax=panels, label="slope, or its fault")
save_figure(fig, "jacobians")

# %%
# One direction is enough
# -----------------------
#
# For a matrix with a million entries, the table is out of the question. But the two sides can also meet in a single
# number. Choose a random direction u for the input and a random v for the output. The differences give J u, from two
# evaluations; the backward pass gives :math:`J^T v`, from one. And
#
# .. math:: v \cdot (J u) = (J^T v) \cdot u .
#
# If the backward pass is wrong, if it returns :math:`(J + F)^T v` with some fault F, then the two sides differ by
# :math:`v \cdot F u`. For random u and v that is never exactly zero, and small only by bad luck.


def two_sides(f, backward, at, u, v, epsilon=1e-5):
    measured = np.sum(v * (f(at + epsilon * u) - f(at - epsilon * u))) / (2 * epsilon)
    return np.sum(backward(at, v) * u), measured


def random_direction(rng, shape):
    """Numbers of both signs and between 0.5 and 1.5: an entry near zero would not be tested."""
    return rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape)


smallest = dict.fromkeys(faults, np.inf)
for seed in range(1000):
    rng = np.random.default_rng(seed)
    u, v = random_direction(rng, (4, 4)), random_direction(rng, (3, 4))
    derived, judged = two_sides(layer, layer_backward, W, u, v)
    assert abs(derived - judged) < 1e-8
    for name, backward in faults.items():
        smallest[name] = min(smallest[name], abs(two_sides(layer, backward, W, u, v)[0] - judged))
print("1,000 random directions: the right gradient always within 1e-8 of the judge; the wrong ones never nearer than")
print("   ", ", ".join(f"{value:.0e} ({name})" for name, value in smallest.items()))
assert min(smallest.values()) > 1e-6

# %%
# Where to look
# -------------
#
# A check is as good as the place where it looks. Two comfortable choices are blind:
#
# * *All directions one.* The entries of a transposed gradient are the same numbers at other places, and their sum is
#   the same, too.
# * *All weights zero.* There z = 0 and h = 0, so the slope at z and the slope at h are the same. Zeros, ones, equal
#   rows and symmetric matrices hide faults. Square matrices hide a forgotten transpose: with different lengths it would
#   have raised an error.

ones = two_sides(layer, transposed, W, np.ones((4, 4)), v)
print(f"transposed gradient, direction of ones: derived {ones[0]:.9f}, measured {ones[1]:.9f}")
assert abs(ones[0] - ones[1]) < 1e-8

at_zero = [np.zeros_like(p) for p in start]
fault_at_zero = flat(gradients(at_zero, wrong_slope)) - flat(measured_slopes(loss, at_zero))
print(f"slope taken at h, all weights zero: largest difference {np.abs(fault_at_zero).max():.0e}")
assert np.abs(fault_at_zero).max() < 1e-9

# %%
# So: random numbers, of ordinary size, different lengths for all dimensions.
#
# Kinks
# -----
#
# It also happens that the gradient is right and the judge is wrong. ReLU has a kink at zero: slope 0 on the left, 1 on
# the right. A difference that steps across the kink sees a mixture. A network with 100 ReLU units and 200 examples has
# 20,000 places where that may happen. We move all first-layer biases up by a step and count how many of the 20,000
# units change sides.

z = np.random.default_rng(5).normal(size=(200, 100))
crossed = {epsilon: int(np.sum((z > 0) != (z + epsilon > 0))) for epsilon in (1e-1, 1e-3, 1e-6)}
print("units that change sides, by step:", crossed)
assert crossed[1e-1] > 500
assert crossed[1e-6] == 0

# %%
# Another reason for float64, with its small steps. What remains is bad luck, and special inputs: zeros exactly (images
# have many), or two equal values under a maximum. ``minidl.gradcheck`` looks at the slopes on both sides and says so.

at_kink = minidl.tensor(np.array([1.0, 0.0, -2.0]), requires_grad=True)
try:
    minidl.gradcheck(F.relu, at_kink)
    message = "no error"
except GradcheckError as error:
    message = str(error)
print(message)
assert "kink" in message

# %%
# The engine's check
# ------------------
#
# ``minidl.gradcheck(f, inputs)`` does what we did: the whole Jacobian for up to 1,000 numbers, random directions above.
# To see it at work, we write an operation of our own, the cube, with a ``forward`` and a ``backward`` by hand, and
# forget a square: :math:`3 x` in place of :math:`3 x^2`.


class WrongCube(minidl.Function):
    def forward(self, x):
        self.saved = (x,)
        return x**3

    def backward(self, g):
        (x,) = self.saved
        return g * 3 * x


def wrong_cube(x):
    return WrongCube().apply(x)


values = minidl.tensor(np.random.default_rng(6).normal(size=(2, 3)), requires_grad=True)
try:
    minidl.gradcheck(wrong_cube, values)
    message = "no error"
except GradcheckError as error:
    message = str(error)
print(message)
assert "analytic" in message
assert minidl.gradcheck(lambda x: x**3, values)
assert minidl.gradgradcheck(lambda x: x**3, values)  # the same for the gradient of the gradient

# %%
# It names the output, the input and both numbers. ``gradgradcheck`` asks the same of second derivatives: does the
# gradient have the right gradient?
#
# A whole model is checked in the same way. Its parameters are the inputs, and it must be made double first. Here is a
# network of 95 numbers with its loss, and then one that is too large for the table.


def check_model(hidden):
    minidl.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, hidden), nn.Tanh(), nn.Linear(hidden, 5)).double()
    inputs, labels = minidl.randn(7, 3, dtype=minidl.float64), minidl.tensor(np.arange(7) % 5)

    def model_loss(*parameters):  # the check moves the model's own parameters
        return F.cross_entropy(model(inputs), labels)

    parameters = tuple(model.parameters())
    return sum(p.numel() for p in parameters), minidl.gradcheck(model_loss, parameters)


for hidden in (10, 2000):
    count, passed = check_model(hidden)
    print(f"a model with {count:,} parameters: {'right' if passed else 'wrong'}")
    assert passed

# %%
# What the check cannot see
# -------------------------
#
# The check asks whether the numbers are right at the moment they are handed over. Here is a fault that comes later. For
# :math:`L = \sum_i (a_i + b_i)` both gradients are equal to g, all ones. So why not return g twice?


def backward_of_sum(g):
    return g, g


a, b = np.array([1.0, 2.0]), np.array([10.0, 20.0])
grad_a, grad_b = backward_of_sum(np.ones(2))
by_judge_a = measured_slopes(lambda arrays: np.sum(arrays[0] + b), [a.copy()])[0]
by_judge_b = measured_slopes(lambda arrays: np.sum(a + arrays[0]), [b.copy()])[0]
assert np.allclose(grad_a, by_judge_a, rtol=0, atol=1e-8)
assert np.allclose(grad_b, by_judge_b, rtol=0, atol=1e-8)

# %%
# Both pass. Then something quite innocent happens. An optimiser adds a little of each weight to its gradient (lesson 14
# tells why), and adds it in place, to save memory:

grad_a += 0.1 * a
grad_b += 0.1 * b
print("gradient of a:", grad_a, " expected:", 1 + 0.1 * a)
print("gradient of b:", grad_b, " expected:", 1 + 0.1 * b)
assert np.array_equal(grad_a, grad_b)

# %%
# Both are wrong: ``grad_a`` and ``grad_b`` are **one array with two names** (lesson 00), and each received both
# additions. There have been real libraries with this fault. No difference quotient will find it, but a question about
# memory does. The engine hands out arrays that nobody else writes to:

assert np.shares_memory(grad_a, grad_b)
tensor_a, tensor_b = minidl.tensor(a, requires_grad=True), minidl.tensor(b, requires_grad=True)
(tensor_a + tensor_b).sum().backward()
shared = np.shares_memory(tensor_a.grad.numpy(), tensor_b.grad.numpy())
print("minidl: do the two gradients share memory?", shared)
assert not shared

# %%
# A related fault is a backward pass that spoils what it still needs. The first call is right, the second is not. For
# this reason ``gradcheck`` calls everything twice.


class SpoiledSquare(minidl.Function):
    def forward(self, x):
        self.saved = (x,)
        return x * x

    def backward(self, g):
        (x,) = self.saved
        x *= 2  # in place: this is the input itself
        return g * x


try:
    minidl.gradcheck(lambda x: SpoiledSquare().apply(x), values)
    message = "no error"
except GradcheckError as error:
    message = str(error)
print(message)
assert "differs between two equal calls" in message

# %%
# Summary
# -------
#
# * A wrong gradient is silent: the loss falls with it, too. Check every one that was derived by hand.
# * Use central differences in float64, and a border with an absolute and a relative part. In doubt take two steps: only
#   the difference of a right gradient changes with the step.
# * For a few numbers compare the whole Jacobian, it shows where the fault is. For many compare
#   :math:`v \cdot (J u)` with :math:`(J^T v) \cdot u` for random u and v.
# * Look at random places with different lengths. Zeros, ones and symmetry hide faults. Keep away from kinks.
# * Two gradients must not share memory, and a second backward pass must give what the first one gave.
#
# Next: gradients that can be trusted are there to be used. Lesson 12 trains with them, from the first line to the last.
#
# Exercises
# ---------
#
# ``python -m lessons check 11 my_solution.py`` checks the first two.
#
# 1. (checked) Write ``agrees(f, gradient, at, seed)``: whether ``gradient(at)`` is the gradient of the function f,
#    which turns an array into a number. Use one random direction and at most four calls of f. Beware of functions with
#    very small or very large values.
# 2. (checked) Write ``softmax_backward(p, g)`` for one row: p is the softmax of some z, g the slopes of the loss by p.
#    It returns the slopes by z, :math:`J^T g`, without building J.
# 3. The judge errs by rounding. How large is the error of v . (J u) for a layer with 10 and with 1,000,000 weights?
#    Which step is best for each?
# 4. Find a wrong gradient for :math:`f(x) = \sin x` that passes at x = 0, at x = 1 and at x = 2. Then say why nobody
#    makes such a mistake by accident.
