"""
Pooling, and a whole convolutional network
==========================================

A feature map tells to the pixel where something was seen. Do we need it that exactly, and how do maps become one answer
out of ten?

:formulas: D1-2.2.1-b, D1-2.2.1-c, D4-3.1-a
:time: 40 s
"""

# %%
# One number for four
# -------------------
#
# A convolution (lesson 20) turns an image into feature maps that are hardly smaller than the image. **Pooling** shrinks
# them: cut a map into little squares of s x s numbers, and keep one number for each. Document D1, section 2.2.1
# "卷积神经网络" (Convolutional neural networks), names the two usual ways, the largest number and the mean:
#
# .. math::
#    P_{p,q} = \max_{0 \le u,v < s} f_{sp+u,\,sq+v}
#    \qquad\text{or}\qquad
#    P_{p,q} = \frac{1}{s^2} \sum_{u,v} f_{sp+u,\,sq+v}
#
# f is the map, P the pooled map, (p, q) a place in the pooled map, and (u, v) a place inside a square. There is nothing
# to learn here: a pooling layer has no weights. Each channel is pooled by itself.

import matplotlib.pyplot as plt
import numpy as np

import minidl
import minidl.nn as nn
import minidl.nn.functional as F
from lessons import progress, reproduce, save_figure
from minidl.data import MNIST5K, DataLoader, TensorDataset

minidl.set_num_threads(1)  # the matrices are small: a second thread would only wait


def max_pool_by_loops(f, s):
    """(H, W) -> (H // s, W // s)."""
    (H, W) = f.shape
    return np.array([[f[s * p : s * p + s, s * q : s * q + s].max() for q in range(W // s)] for p in range(H // s)])


def average_pool_by_loops(f, s):
    (H, W) = f.shape
    squares = [[f[s * p : s * p + s, s * q : s * q + s] for q in range(W // s)] for p in range(H // s)]
    return np.array([[square.sum() / s**2 for square in row] for row in squares])


numbers = np.arange(16.0).reshape(4, 4)
print(numbers)
print("max:\n", max_pool_by_loops(numbers, 2), "\nmean:\n", average_pool_by_loops(numbers, 2))
reproduce("D1-2.2.1-b", max_pool=max_pool_by_loops(numbers, 2), average_pool=average_pool_by_loops(numbers, 2))

# %%
# Without loops: if the sides can be divided by s, ``reshape`` splits each of the two axes in a pair, the place of the
# square and the place inside it. With the two inner axes side by side, every square becomes a row of s x s numbers.


def squares(f, s):
    """(..., H, W) -> (..., H // s, W // s, s * s)."""
    *front, H, W = f.shape
    return f.reshape(*front, H // s, s, W // s, s).swapaxes(-3, -2).reshape(*front, H // s, W // s, s * s)


def joined(rows, s):
    """The way back: (..., P, Q, s * s) -> (..., P * s, Q * s)."""
    *front, P, Q, _ = rows.shape
    return rows.reshape(*front, P, Q, s, s).swapaxes(-3, -2).reshape(*front, P * s, Q * s)


assert np.array_equal(joined(squares(numbers, 2), 2), numbers)
assert np.array_equal(squares(numbers, 2).max(-1), max_pool_by_loops(numbers, 2))
assert np.array_equal(squares(numbers, 2).mean(-1), average_pool_by_loops(numbers, 2))

# %%
# What becomes of a small shift
# -----------------------------
#
# Fewer numbers mean less work for the layers behind. But there is a second gain. The maximum of a square does not say
# *where* in the square it was. A bright pixel may move inside its square, and the pooled map does not notice. If it
# crosses to the next square, the pooled map does notice, so nobody should say that pooling makes a network blind to
# shifts. It makes it less sensitive to small ones.
#
# How much less? We take the upright edges of 200 digits (first kernel of lesson 20, only where it answers with more
# than 0), move the digits one pixel to the right, and compare. The change is measured in per cent of the map: the root
# of the sum of the squared differences, divided by the root of the sum of the squares.

upright = np.array([[-1.0, 0.0, 1.0]] * 3)
train_digits, test_digits = MNIST5K(train=True), MNIST5K(train=False)
digits = train_digits.data.numpy() / 255.0  # (4000, 28, 28)
labels = train_digits.targets.numpy()  # (4000,)


def edges(images):
    """(N, 28, 28) -> (N, 26, 26)."""
    seen = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(1, 2))  # (N, 26, 26, 3, 3)
    return np.maximum((seen * upright).sum(axis=(-2, -1)), 0)


def change(before, after):
    return np.sqrt(np.sum((after - before) ** 2) / np.sum(before**2))


some = digits[::20]  # (200, 28, 28)
maps, moved_maps = edges(some), edges(np.roll(some, 1, axis=2))
poolings = {
    "the map itself": lambda f: f,
    "mean of 2 x 2": lambda f: squares(f, 2).mean(-1),
    "max of 2 x 2": lambda f: squares(f, 2).max(-1),
    "mean of 13 x 13": lambda f: squares(f, 13).mean(-1),
    "max of 13 x 13": lambda f: squares(f, 13).max(-1),
    "mean of the whole map": lambda f: squares(f, 26).mean(-1),
}
changes = {name: change(pool(maps), pool(moved_maps)) for name, pool in poolings.items()}
for name, by in changes.items():
    print(f"moved by one pixel: {name:22} changes by {by:.0%}")
assert changes["mean of the whole map"] < 1e-12 < changes["max of 13 x 13"] < changes["max of 2 x 2"]
assert changes["max of 2 x 2"] < changes["the map itself"]

fig, axes = plt.subplots(2, 4, figsize=(10, 5.2), layout="constrained")
for row, image, name in zip(axes, [some[100], np.roll(some[100], 1, axis=1)], ["as it is", "moved by 1"], strict=True):
    feature_map = edges(image[None])[0]
    shown = [image, feature_map, squares(feature_map, 2).max(-1), squares(feature_map, 13).max(-1)]
    titles = [f"digit, {name}", "upright edges, 26 x 26", "max pooled, 13 x 13", "max pooled, 2 x 2"]
    for ax, picture, title in zip(row, shown, titles, strict=True):
        ax.imshow(picture, cmap="gray_r", vmin=0)
        ax.set(title=title, xticks=[], yticks=[])
save_figure(fig, "shift")

# %%
# The last line of the table is as insensitive as can be: the mean of a whole map does not change at all, as long as
# nothing leaves the image. It also knows nothing about places any more. How much to pool is a compromise.
#
# The gradients
# -------------
#
# The document does not give them, so we derive them. Let :math:`\delta_{p,q} = \partial L / \partial P_{p,q}`.
#
# *Mean.* Each of the :math:`s^2` numbers of a square counts with :math:`1/s^2`: the error is **spread evenly**.
#
# *Maximum.* If the largest number of the square moves a little, the maximum moves with it; if another moves a little,
# nothing happens. So the whole error goes to **the place of the maximum**, and the others get nothing:
#
# .. math::
#    \frac{\partial L}{\partial f_{sp+u,\,sq+v}} = \frac{\delta_{p,q}}{s^2}
#    \qquad\text{or}\qquad
#    \frac{\partial L}{\partial f_{sp+u,\,sq+v}}
#    = \begin{cases} \delta_{p,q} & \text{if } (u, v) \text{ is the place of the maximum} \\ 0 & \text{else} \end{cases}
#
# If two numbers share the maximum, there is a kink, as in ReLU at 0, and no slope. We choose the first of them.


def average_pool_gradient(f, s, delta):
    d_f = np.zeros_like(f)
    for p, q in np.ndindex(delta.shape):
        d_f[s * p : s * p + s, s * q : s * q + s] = delta[p, q] / s**2
    return d_f


def max_pool_gradient(f, s, delta):
    d_f = np.zeros_like(f)
    for p, q in np.ndindex(delta.shape):
        square = f[s * p : s * p + s, s * q : s * q + s]
        u, v = np.unravel_index(square.argmax(), square.shape)
        d_f[s * p + u, s * q + v] = delta[p, q]
    return d_f


def measure(loss, at, epsilon=1e-5, indices=None):
    """Central differences (lesson 01), at all entries or at the given ones."""
    slopes = np.zeros_like(at)
    for index in np.ndindex(at.shape) if indices is None else indices:
        step = np.zeros_like(at)
        step[index] = epsilon
        slopes[index] = (loss(at + step) - loss(at - step)) / (2 * epsilon)
    return slopes


rng = np.random.default_rng(0)
f, delta = rng.normal(size=(6, 9)), rng.normal(size=(2, 3))
for pool, gradient in [(average_pool_by_loops, average_pool_gradient), (max_pool_by_loops, max_pool_gradient)]:
    measured = measure(lambda f, pool=pool: np.sum(delta * pool(f, 3)), f)
    print(
        f"{gradient.__name__}: differs from the measured slopes by {np.abs(gradient(f, 3, delta) - measured).max():.0e}"
    )
    assert np.abs(gradient(f, 3, delta) - measured).max() < 1e-9


def max_pool_gradient_of_all(f, s, delta):
    """The same without loops: (..., H, W), (..., P, Q) -> (..., H, W)."""
    rows = squares(f, s)
    routed = np.zeros_like(rows)
    np.put_along_axis(routed, rows.argmax(-1)[..., None], delta[..., None], axis=-1)
    return joined(routed, s)


assert np.array_equal(max_pool_gradient_of_all(f, 3, delta), max_pool_gradient(f, 3, delta))

# %%
# From maps to scores
# -------------------
#
# The same section of D1 ends with the **fully connected layer**: it maps what the convolutions have found to the
# output. That is the dense layer of lesson 02. It wants a row of numbers, so the maps are first **flattened**: written
# one after the other, row by row. To say that in a formula, let J maps of P x Q numbers go in, and let each of the M
# classes have a weight for every channel j and place (p, q):
#
# .. math:: z_m = \sum_{j} \sum_{p,q} W_{m,(j,p,q)}\; P^{(j)}_{p,q} + c_m
#
# Nothing is lost by flattening, as long as it is always done in the same order.

P = rng.normal(size=(8, 13, 13))  # (J, P, Q)
W, c = rng.normal(size=(10, 8 * 13 * 13)), rng.normal(size=10)
scores = W @ P.ravel() + c  # (10,)
one_by_one = c.copy()
for m in range(10):
    weights = W[m].reshape(8, 13, 13)
    for j, p, q in np.ndindex(8, 13, 13):
        one_by_one[m] += weights[j, p, q] * P[j, p, q]
reproduce("D1-2.2.1-c", error=np.abs(scores - one_by_one).max())

# %%
# Four steps
# ----------
#
# Document D4, section 3.1 "卷积神经网络（CNN）" (Convolutional neural networks), puts it together in four steps:
# convolve, activate, pool, and classify with a fully connected layer. We have all of them. Here is a small network for
# digits: eight 3 x 3 kernels, ReLU, maximum of 2 x 2, ten scores. It works on N images at once.
#
# The convolution is a matrix product again. This time we let NumPy look through windows of the size of the *map*: for
# each of the nine weights we get all the pixels that it meets, at all places. With these as rows, the eight kernels
# times the rows are the eight maps.

start = [
    rng.normal(0, np.sqrt(2 / 9), (8, 3, 3)),  # the kernels g; for the spreads see lesson 14
    rng.normal(0, 0.1, 8),  # b
    rng.normal(0, np.sqrt(1 / 1352), (10, 1352)),  # W
    np.zeros(10),  # c
]


def forward(parameters, images):
    g, b, W, c = parameters
    N = len(images)
    seen = np.lib.stride_tricks.sliding_window_view(images, (26, 26), axis=(1, 2)).reshape(N, 9, 676)
    z = (g.reshape(8, 9) @ seen + b[:, None]).reshape(N, 8, 26, 26)  # 1. convolve
    a = np.maximum(z, 0)  # 2. activate
    pooled = squares(a, 2).max(-1)  # 3. pool: (N, 8, 13, 13)
    scores = pooled.reshape(N, 1352) @ W.T + c  # 4. classify: (N, 10)
    return seen, z, a, pooled, scores


def forward_by_loops(parameters, image):
    g, b, W, c = parameters
    scores, a, pooled = c.copy(), np.zeros((8, 26, 26)), np.zeros((8, 13, 13))
    for j, p, q in np.ndindex(8, 26, 26):
        z = b[j]
        for u, v in np.ndindex(3, 3):
            z += g[j, u, v] * image[p + u, q + v]
        a[j, p, q] = z if z > 0 else 0
    for j, p, q in np.ndindex(8, 13, 13):
        pooled[j, p, q] = max(a[j, 2 * p + u, 2 * q + v] for u in range(2) for v in range(2))
    for m in range(10):
        for i, (j, p, q) in enumerate(np.ndindex(8, 13, 13)):
            scores[m] += W[m, i] * pooled[j, p, q]
    return scores


_, z, a, pooled, scores = forward(start, digits[:1])
reproduce(
    "D4-3.1-a",
    sizes=[z.size, a.size, pooled.size, scores.size],
    smallest=a.min(),
    error=np.abs(scores[0] - forward_by_loops(start, digits[0])).max(),
)

# %%
# The way back
# ------------
#
# With the cross-entropy of lesson 04, the error of the scores is :math:`p - y`, divided by N for the mean. Then the
# four steps in the opposite order: through the transposed weights, to the place of each maximum, past the ReLU where z
# was positive, and to the kernels. (Where a whole square is 0 after the ReLU, its "maximum" is a tie. It does no harm:
# the ReLU lets nothing through there.)


def loss_and_errors(scores, labels):
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    one_hot = np.eye(10, dtype=scores.dtype)[labels]
    return -np.sum(log_p * one_hot) / len(labels), (np.exp(log_p) - one_hot) / len(labels)


def gradients(parameters, images, labels):
    W = parameters[2]
    seen, z, a, pooled, scores = forward(parameters, images)
    loss, delta = loss_and_errors(scores, labels)  # (N, 10)
    d_pooled = (delta @ W).reshape(pooled.shape)  # back through step 4
    d_a = max_pool_gradient_of_all(a, 2, d_pooled)  # step 3
    d_z = (d_a * (z > 0)).reshape(len(images), 8, 676)  # step 2
    d_g = np.sum(d_z @ seen.swapaxes(1, 2), axis=0).reshape(8, 3, 3)  # step 1: the errors slide over the images
    return loss, [d_g, d_z.sum(axis=(0, 2)), delta.T @ pooled.reshape(len(images), 1352), delta.sum(axis=0)]


few, few_labels = digits[::1000], labels[::1000]  # (4, 28, 28)
loss, by_hand = gradients(start, few, few_labels)
for which, name in enumerate(["kernels", "b", "W", "c"]):
    indices = list(np.ndindex(start[which].shape))[:: 97 if name == "W" else 1]  # of 13,520 weights, every 97th

    def loss_with(value, which=which):
        return loss_and_errors(forward([*start[:which], value, *start[which + 1 :]], few)[-1], few_labels)[0]

    measured = measure(loss_with, start[which], epsilon=1e-7, indices=indices)
    error = max(abs(measured[index] - by_hand[which][index]) for index in indices)
    print(f"{name}: {len(indices)} slopes measured, largest difference {error:.0e}")
    assert error < 1e-7

# %%
# (The step of the central differences is smaller than usual. Of the 21,632 sums in the maps of four digits, some are
# so near to the kink of ReLU that a step of 1e-5 would cross it; see lesson 11.)
#
# Training it a little
# --------------------
#
# Mini-batches of 64 digits (lesson 06), single precision, four rounds, and after each round a look at the 1,000
# held-out digits. To see what learning the kernels is worth, we also train with the kernels left as they were drawn at
# random, so that only the last layer learns.

images32 = digits.astype(np.float32)
test_images = test_digits.data.numpy().astype(np.float32) / 255
test_labels = test_digits.targets.numpy()


def accuracy(parameters):
    return np.mean(forward(parameters, test_images)[-1].argmax(1) == test_labels)


def train_by_hand(label, learning, rounds=4, alpha=0.3):
    """`learning`: for each of the four parameters whether it may change."""
    rng = np.random.default_rng(1)
    parameters = [p.astype(np.float32) for p in start]
    scores = [accuracy(parameters)]
    for _ in progress(range(rounds), label):
        order = rng.permutation(len(digits))
        for batch in np.split(order[:3968], 62):
            slopes = gradients(parameters, images32[batch], labels[batch])[1]
            steps = [np.float32(alpha * may) * slope for may, slope in zip(learning, slopes, strict=True)]
            parameters = [p - step for p, step in zip(parameters, steps, strict=True)]
        scores.append(accuracy(parameters))
    print(f"{label}: held-out digits read correctly:", ", ".join(f"{score:.1%}" for score in scores))
    return parameters, scores[-1]


learned, with_kernels = train_by_hand("all four learn", [True, True, True, True])
_, without_kernels = train_by_hand("kernels as drawn", [False, False, True, True])
assert with_kernels > 0.91
assert with_kernels > without_kernels + 0.01

# %%
# Even random kernels are of use, since thousands of weights behind them make the best of what they see. Learned kernels
# are better. What do they look like?

_, z, a, pooled, _ = forward(learned, test_images[700:701])
fig, axes = plt.subplots(4, 9, figsize=(11, 5.3), layout="constrained", height_ratios=[1, 1, 1, 1])
axes[2, 0].imshow(test_images[700], cmap="gray_r")
axes[2, 0].set_title("the digit", fontsize=9)
for ax in axes[[0, 1, 3], 0]:
    ax.set_axis_off()
limit = np.abs(learned[0]).max()
for j, column in enumerate(axes[:, 1:].T):
    column[0].imshow(start[0][j], cmap="RdBu", vmin=-limit, vmax=limit)
    column[1].imshow(learned[0][j], cmap="RdBu", vmin=-limit, vmax=limit)
    column[2].imshow(a[0, j], cmap="gray_r", vmin=0, vmax=a.max())
    column[3].imshow(pooled[0, j], cmap="gray_r", vmin=0, vmax=a.max())
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
for ax, name in zip(axes[:, 1], ["kernel at start", "learned", "after ReLU", "pooled"], strict=True):
    ax.set_ylabel(name, fontsize=9)
save_figure(fig, "inside")

awake = [np.mean(forward(learned, test_images)[1][:, j] > 0) for j in range(8)]
moved = [np.abs(learned[0][j] - start[0][j]).max() for j in range(8)]
print("share of places with an answer:", " ".join(f"{share:.0%}" for share in awake))
print("largest change of a weight:    ", " ".join(f"{by:.2f}" for by in moved))
sleeper = int(np.argmin(awake))
assert awake[sleeper] < 0.001
assert moved[sleeper] == min(moved)

# %%
# Several kernels have sharpened into detectors of edges of one direction or another. Nobody told them to. And one of
# the eight has hardly learned at all: its sums are negative nearly everywhere, so its ReLU lets nothing through, so no
# error comes back, so it stays as it is. Such a unit is called a **dead** ReLU. It takes part in nothing any more.
#
# The engine does the same
# ------------------------
#
# In ``minidl`` each step is a layer. With the weights from which we started, loss and gradients are those of our hands.
# The engine wants a channel axis also where there is only one channel: (N, 1, 28, 28).


def network():
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1352, 10))


model = network().double()
with minidl.no_grad():
    for parameter, array in zip(model.parameters(), start, strict=True):
        parameter.copy_(minidl.tensor(array).reshape(parameter.shape))
engine_loss = F.cross_entropy(model(minidl.tensor(few[:, None])), minidl.tensor(few_labels))
engine_loss.backward()
apart = max(
    np.abs(parameter.grad.numpy().reshape(slope.shape) - slope).max()
    for parameter, slope in zip(model.parameters(), by_hand, strict=True)
)
print(f"loss: {loss:.12f} by hand, {engine_loss.item():.12f} engine; gradients differ by {apart:.0e}")
assert abs(loss - engine_loss.item()) < 1e-12
assert apart < 1e-12

# %%
# Was it worth it?
# ----------------
#
# Now that training takes five lines, we can compare: ten scores right from the pixels (the logistic regression of
# lesson 15), the convolution without pooling, and with it; two seeds each. We look at the held-out digits as they are,
# and also moved to the right by one to four pixels, which none of the three has seen in training.


def without_pooling():
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(5408, 10))


def from_pixels():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


def train(make_model, seed, epochs=5):
    minidl.manual_seed(seed)
    model = make_model()
    optimizer = minidl.optim.Adam(model.parameters(), lr=0.003)
    loader = DataLoader(TensorDataset(images, targets), batch_size=64, shuffle=True)
    for _ in progress(range(epochs), f"{make_model.__name__}, seed {seed}"):
        for x, y in loader:  # (64, 1, 28, 28), (64,)
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    return model


def accuracy_moved(model, pixels):
    moved = np.roll(test_images, pixels, axis=2)[:, None]  # (1000, 1, 28, 28)
    with minidl.no_grad():
        return np.mean(model(minidl.tensor(moved)).argmax(1).numpy() == test_labels)


images, targets = minidl.tensor(images32[:, None]), train_digits.targets
makers = {"pixels": from_pixels, "convolution": without_pooling, "convolution and pooling": network}
curves, sizes = {}, {}
for name, make_model in makers.items():
    models = [train(make_model, seed) for seed in (0, 1)]
    curves[name] = [np.mean([accuracy_moved(model, pixels) for model in models]) for pixels in range(5)]
    sizes[name] = sum(parameter.numel() for parameter in models[0].parameters())
for name, curve in curves.items():
    print(f"{name:24}{sizes[name]:7,} parameters; moved by 0 to 4:", " ".join(f"{score:.1%}" for score in curve))
assert min(curves["convolution"][0], curves["convolution and pooling"][0]) > curves["pixels"][0] + 0.02
assert curves["convolution and pooling"][1] > curves["pixels"][1] + 0.02
assert sizes["convolution and pooling"] < sizes["convolution"] / 3

fig, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
for name, curve in curves.items():
    ax.plot(range(5), np.array(curve) * 100, "o-", label=f"{name} ({sizes[name]:,} parameters)")
ax.set(
    xlabel="held-out digits moved to the right by ... pixels",
    ylabel="read correctly, %",
    xticks=range(5),
    ylim=(0, 100),
)
ax.legend()
save_figure(fig, "moved")

# %%
# The convolution helps: it makes about a third fewer errors than the pixels alone. Pooling keeps that score with a
# quarter of the parameters, and it is a little better with digits that have moved by one pixel. That is all. Against
# larger shifts it does not help, and the reason stands in the formula of the scores above: the last layer has a weight
# for every *place*. The lessons that follow pool more than once, and with every round of convolving and pooling a
# number of the map stands for a larger part of the image.
#
# Summary
# -------
#
# * Pooling keeps one number for each square of a map: the largest, or the mean. It has nothing to learn.
# * It makes the maps smaller and less sensitive to small shifts, not blind to them.
# * Going back, the mean spreads the error evenly, the maximum hands it to the place of the maximum.
# * The last maps are flattened, and a dense layer turns them into scores, one for each class.
# * Convolve, activate, pool, classify: the four steps of the document make a network that learns its own kernels.
# * A ReLU that is never awake never learns.
#
# Next: one round of convolution and pooling is a beginning. Lesson 22 stacks three convolutions and two poolings.
#
# Exercises
# ---------
#
# 1. (checked) The squares need not lie side by side. Write ``max_pool(f, size, stride)`` for a map f (H, W), with
#    windows of ``size`` x ``size`` that start every ``stride`` numbers and stay inside the map. AlexNet takes size 3
#    with stride 2. Check it with ``python -m lessons check 21 my_solution.py``.
# 2. (checked) Write ``max_pool_gradient(f, size, stride, delta)`` for the same. What if a number is the maximum of two
#    windows?
# 3. Replace the pooling and flattening of the network by the mean of each whole map, ``nn.AdaptiveAvgPool2d(1)``: eight
#    numbers go into the last layer. How well does it read, and how much does a shift cost? Then give it 64 kernels.
# 4. Start every b at -2. How many kernels are dead at the start, and how many wake up?
