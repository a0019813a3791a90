"""
Convolution
===========

The network of lesson 15 had to learn each stroke anew at each place of the image. Can we tell it that a stroke is a
stroke wherever it stands?

:formulas: D1-2.2.1-a
:time: 10 s
"""

# %%
# A window that slides
# --------------------
#
# Take a small table of weights, say 3 x 3, and lay it on the upper left corner of an image. Multiply each weight with
# the pixel under it and add up: one number. Move the window one pixel to the right, and do it again, with the *same*
# weights. When all places have been visited, the numbers form a new image, a little smaller than the first.
#
# The small table is called a **kernel**, the new image a **feature map**. With f for the image, g for the kernel,
# (p, q) for the place of the window, and (u, v) for the place inside the window:
#
# .. math:: \hat f_{p,q} = \sum_{u} \sum_{v} f_{p+u,\,q+v}\; g_{u,v}

import time

import matplotlib.pyplot as plt
import numpy as np

import minidl
import minidl.nn.functional as F
from lessons import progress, reproduce, save_figure
from minidl.data import MNIST5K


def slide(f, g):
    """(H, W), (K, L) -> (H - K + 1, W - L + 1): the formula, sum by sum."""
    (H, W), (K, L) = f.shape, g.shape
    f_hat = np.zeros((H - K + 1, W - L + 1))
    for p in range(H - K + 1):
        for q in range(W - L + 1):
            for u in range(K):
                for v in range(L):
                    f_hat[p, q] += f[p + u, q + v] * g[u, v]
    return f_hat


# %%
# A small image to see it work: dark (0) on the left, bright (1) on the right. The kernel takes the right column of its
# window minus the left one. Where both are the same, the answer is 0. It only speaks up where dark turns into bright:
# it is a detector of upright edges.

upright = np.array([[-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]])
half_bright = np.tile([0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0], (5, 1))  # (5, 7)
print(slide(half_bright, upright))
assert np.array_equal(slide(half_bright, upright), np.tile([0, 3, 3, 0, 0], (3, 1)))

# %%
# Now four kernels on real digits, where ink is 1 and paper is 0. The second is the first one, turned, and finds level
# edges. The third compares a pixel with the eight around it and draws outlines. The fourth takes the mean of nine
# pixels, which blurs.

kernels = {
    "upright edges": upright,
    "level edges": upright.T,
    "outline": np.array([[-1.0, -1.0, -1.0], [-1.0, 8.0, -1.0], [-1.0, -1.0, -1.0]]),
    "blur": np.full((3, 3), 1 / 9),
}
digits = MNIST5K(train=True).data.numpy() / 255.0  # (4000, 28, 28)
chosen = [digits[1606], digits[2802]]  # a four and a seven

fig, axes = plt.subplots(2, 5, figsize=(10, 4.3), layout="constrained")
for row, digit in zip(axes, chosen, strict=True):
    row[0].imshow(digit, cmap="gray_r")
    row[0].set_title("the digit, 28 x 28", fontsize=10)
    for ax, (name, kernel) in zip(row[1:], kernels.items(), strict=True):
        feature_map = slide(digit, kernel)
        assert feature_map.shape == (26, 26)
        limit = np.abs(feature_map).max()
        ax.imshow(feature_map, cmap="RdBu", vmin=-limit, vmax=limit)
        ax.set_title(name, fontsize=10)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
fig.suptitle("Feature maps, 26 x 26: blue is above zero, red below, white is zero")
save_figure(fig, "edges")

# %%
# We chose these kernels. A network will not be given any: it starts with random ones and learns them, as it learns all
# its weights. For that we need a layer first, and then its gradients.
#
# The formula in print
# --------------------
#
# A layer has several kernels, since one feature map is not enough. And its input may be several maps already: the
# three colours of a photograph, or the maps of the layer before. Maps that belong together are called **channels**.
# Document D1, section 2.2.1 "卷积神经网络" (Convolutional neural networks), prints
#
# .. math:: \hat{f}_{ij} = \sum_{k} f_{ik} * g_{kj}
#
# and says that :math:`\hat f_{ij}` are output features, :math:`f_{ik}` input features and :math:`g_{kj}` the kernels.
# It does not say what i, j and k count, nor what the star is. There are two ways to read the line.
#
# **Reading 1.** i is the number of the image, k the input channel, j the output channel, and the star is the sliding
# window. Each letter then stands for a whole map. An output map is the sum, over the input channels, of what slides
# over each of them; every pair of channels has a kernel of its own. With a bias for each output map, written out:
#
# .. math:: \hat f^{(j)}_{p,q} = \sum_{k} \sum_{u,v} f^{(k)}_{p+u,\,q+v}\; g^{(k \to j)}_{u,v} + b_j


def layer_by_loops(f, g, b):
    """(C, H, W), (J, C, K, L), (J,) -> (J, H - K + 1, W - L + 1)."""
    return np.array([sum(slide(f[k], g[j, k]) for k in range(len(f))) + b[j] for j in range(len(g))])


# %%
# **Reading 2.** i and j are the place of a pixel, and the star is ordinary multiplication. Then the line is the product
# of two matrices, f g, letter by letter. One sees at once that this is something else: a matrix of 28 x 28 cannot be
# multiplied with one of 3 x 3. We ask NumPy, to be sure.

try:
    chosen[0] @ upright
    defined = True
except ValueError:
    defined = False
print("reading 2: does the product of a 28 x 28 and a 3 x 3 matrix exist?", defined)

# %%
# What a shift does
# -----------------
#
# There is a second test. We wanted a stroke to be a stroke wherever it stands. So if the image moves, the feature map
# should move by as much, and change in no other way. This is called **shift equivariance**. A sliding window has it by
# its nature: it does the same at every place. Only near the border is a difference to be expected, where the shift
# brings something new into view, and there we do not look.
#
# To give the second reading a fair chance, its g gets 28 x 28 entries.


def shift(maps, down, right):
    """Move the last two axes; what leaves at one side comes in again at the other."""
    return np.roll(maps, (down, right), axis=(-2, -1))


def largest_apart(operation, f, down=3, right=2):
    """Shift first or shift last: how far are the results apart, away from the border?"""
    difference = operation(shift(f, down, right)) - shift(operation(f), down, right)
    return np.abs(difference[..., 4:-4, 4:-4]).max()


rng = np.random.default_rng(0)
three_digits = digits[[5, 1606, 2802]]  # (3, 28, 28), taken as the three channels of one image
g = rng.normal(size=(4, 3, 3, 3))  # (J, C, K, L)
b = rng.normal(size=4)
square = rng.normal(size=(28, 28))

shift_1 = largest_apart(lambda f: layer_by_loops(f, g, b), three_digits)
shift_2 = largest_apart(lambda f: f @ square, three_digits[1])
shift_2_rows = largest_apart(lambda f: f @ square, three_digits[1], right=0)
print(f"shifted, away from the border: reading 1 differs by {shift_1:.0e}, reading 2 by {shift_2:.1f}")
print(f"reading 2, shifted downwards only: {shift_2_rows:.0e}")

# %%
# The matrix product keeps up with a shift of the rows, because it treats all rows alike, and it fails as soon as the
# columns move. Reading 1 is the one that is meant. (The line is right, then; it only leaves the reader alone with it.)
#
# Padding and stride
# ------------------
#
# Two settings are used all the time. **Padding** puts P rows and columns of zeros around the image, so that the window
# can also be centred on the pixels at the border; with a 3 x 3 kernel and P = 1 the map keeps the size of the image.
# **Stride** S moves the window by S pixels instead of one, which makes the map about S times smaller each way. How many
# places are there? The window starts at 0 and its last pixel, at place + K - 1, must stay inside:
#
# .. math:: \text{places} = \left\lfloor \frac{H + 2P - K}{S} \right\rfloor + 1
#
# where the brackets cut off what is behind the decimal point. (With a stride of 2, the map keeps up with shifts by 2, 4
# and so on; after a shift by one pixel, the windows see other parts of the image.)
#
# A matrix product after all
# --------------------------
#
# Loops in Python are slow. But look at one window: its numbers times the numbers of the kernel, added up. That is a row
# times a column. So write every window as a row, all channels one after the other, and the weights of every output
# channel as a column. One matrix product then computes all places and all channels at once. The usual name of the
# first table is ``im2col``.
#
# NumPy hands out all windows of an array without copying anything: it is a view (lesson 00) in which the same pixel
# turns up in several places. Only ``reshape`` makes a real table of it, in which every pixel stands up to nine times.


def windows(f, K, L, stride, padding):
    """(C, H, W) -> (P, Q, C, K, L): what the window sees at each place (p, q)."""
    f = np.pad(f, ((0, 0), (padding, padding), (padding, padding)))
    all_places = np.lib.stride_tricks.sliding_window_view(f, (K, L), axis=(1, 2))  # (C, places, places, K, L)
    return all_places[:, ::stride, ::stride].transpose(1, 2, 0, 3, 4)


def layer(f, g, b, stride=1, padding=0):
    """(C, H, W), (J, C, K, L), (J,) -> (J, P, Q): the same sums as one matrix product."""
    J, C, K, L = g.shape
    seen = windows(f, K, L, stride, padding)
    P, Q = seen.shape[:2]
    table = seen.reshape(P * Q, C * K * L)
    maps = table @ g.reshape(J, C * K * L).T + b  # (P * Q, J)
    return maps.T.reshape(J, P, Q)


start = time.perf_counter()
by_loops = layer_by_loops(three_digits, g, b)
between = time.perf_counter()
by_product = layer(three_digits, g, b)
end = time.perf_counter()
print(f"4 maps of 3 channels: the product is {(between - start) / (end - between):.0f} times as fast as the loops")
assert np.abs(by_loops - by_product).max() < 1e-12

for H, K, padding, stride in [(28, 3, 0, 1), (28, 3, 1, 1), (28, 5, 2, 2), (27, 4, 0, 3), (5, 5, 0, 1)]:
    maps = layer(np.ones((1, H, H)), np.ones((1, 1, K, K)), np.zeros(1), stride, padding)
    assert maps.shape == (1, (H + 2 * padding - K) // stride + 1, (H + 2 * padding - K) // stride + 1)

# %%
# Now we can report on both readings. The "fast convolution" that the double sum is compared with is our matrix product,
# and the convolution of ``minidl``, which goes about it in another way still.

engine = F.conv2d(minidl.tensor(three_digits[None]), minidl.tensor(g), minidl.tensor(b)).numpy()[0]
reproduce(
    "D1-2.2.1-a",
    reading_1_error=max(np.abs(by_loops - by_product).max(), np.abs(by_loops - engine).max()),
    reading_1_shift=shift_1,
    reading_2_shift=shift_2,
    reading_2_defined=defined,
)

# %%
# Is it a convolution at all?
# ---------------------------
#
# A mathematician would say no. In mathematics the convolution of f and g runs against the kernel:
#
# .. math:: (f * g)_{p,q} = \sum_{u,v} f_{p-u,\,q-v}\; g_{u,v}
#
# There is a minus where we have a plus. Ours is called **cross-correlation**. One becomes the other if the kernel is
# turned by half a circle, so that its last entry comes first. What is the minus good for? With it the order does not
# matter, :math:`f * g = g * f`, as with a product of numbers. It even *is* such a product: the digits of 12 x 13 come
# from sliding like that, and so do the coefficients of a product of polynomials.


def turned(g):
    return g[..., ::-1, ::-1]


def convolve(f, g):
    """The convolution of mathematics, with all places where image and kernel overlap at all."""
    (K, L) = g.shape
    return slide(np.pad(f, ((K - 1, K - 1), (L - 1, L - 1))), turned(g))


one, other = rng.normal(size=(6, 5)), rng.normal(size=(3, 2))
assert np.abs(convolve(one, other) - convolve(other, one)).max() < 1e-12
assert np.array_equal(convolve(np.array([[1.0, 2.0]]), np.array([[1.0, 3.0]])), [[1, 5, 6]])  # 12 x 13 = 156
assert np.abs(np.convolve([1.0, 2.0], [1.0, 3.0]) - [1, 5, 6]).max() < 1e-12  # NumPy means the mathematical one

# %%
# For a network it is all the same: it learns its kernels, and whoever learns a kernel can as well learn the turned one.
# So all libraries leave out the turning and still say convolution. We do the same from here on. But remember the
# turned kernel: it comes back in a moment.
#
# The gradients
# -------------
#
# Let :math:`\delta^{(j)}_{p,q} = \partial L / \partial \hat f^{(j)}_{p,q}` be how the loss changes with each number of
# the output (lesson 08 called it the error of the layer). We want the same for the bias, the kernels and the input.
#
# *The bias* is added at every place, so all places add up: :math:`\partial L/\partial b_j = \sum_{p,q}
# \delta^{(j)}_{p,q}`.
#
# *The kernel.* A weight :math:`g_{u,v}` is used at every place too, each time with another pixel,
# :math:`f_{p+u,q+v}`. That pixel is the slope, so
#
# .. math:: \frac{\partial L}{\partial g^{(k \to j)}_{u,v}} = \sum_{p,q} \delta^{(j)}_{p,q}\; f^{(k)}_{p+u,\,q+v}
#
# Read it again: this is the sliding window, with :math:`\delta` as the kernel. We need no new code.
#
# *The input.* Which outputs did the pixel at (a, b) help to make? Those with :math:`p + u = a` and :math:`q + v = b`
# for some (u, v) of the kernel. So the place of the output is :math:`(a - u, b - v)`, and all kernels that the channel
# feeds add up:
#
# .. math::
#    \frac{\partial L}{\partial f^{(k)}_{a,b}}
#    = \sum_{j} \sum_{u,v} \delta^{(j)}_{a-u,\,b-v}\; g^{(k \to j)}_{u,v}
#
# Here is the minus: it is the convolution of mathematics. In terms of the sliding window: put K - 1 zeros around
# :math:`\delta` and slide the **turned kernel** over it.
#
# *Stride and padding.* A layer with stride S computes what the layer with stride 1 computes, and throws most of it
# away. What is thrown away has no influence: spread :math:`\delta` out with zeros in the gaps, then go on as above.
# Padding adds zeros that nobody wants the gradient of: go on as above and cut them off.


def gradients(f, g, delta, stride=1, padding=0):
    """dL/df, dL/dg, dL/db of a layer, from delta = dL/d(output): the formulas, map by map."""
    (C, H, W), (J, _, K, L) = f.shape, g.shape
    inside = (slice(padding, padding + H), slice(padding, padding + W))
    f = np.pad(f, ((0, 0), (padding, padding), (padding, padding)))
    spread = np.zeros((J, f.shape[1] - K + 1, f.shape[2] - L + 1))  # the size of the map with stride 1
    spread[:, ::stride, ::stride] = delta

    d_g = np.array([[slide(f[k], spread[j]) for k in range(C)] for j in range(J)])
    d_f = np.array([sum(convolve(spread[j], g[j, k]) for j in range(J)) for k in range(C)])
    return d_f[:, *inside], d_g, delta.sum(axis=(1, 2))


# %%
# The judge, as always: central differences (lesson 01) at every entry of everything, for four settings. The loss is the
# sum of all outputs, each with a random weight; so these weights are :math:`\delta`.


def measure(loss, at, epsilon=1e-5):
    slopes = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        step = np.zeros_like(at)
        step[index] = epsilon
        slopes[index] = (loss(at + step) - loss(at - step)) / (2 * epsilon)
    return slopes


f = rng.normal(size=(2, 7, 6))  # (C, H, W)
g = rng.normal(size=(3, 2, 3, 2))  # (J, C, K, L)
b = rng.normal(size=3)
for stride, padding in [(1, 0), (1, 1), (2, 0), (3, 2)]:
    delta = rng.normal(size=layer(f, g, b, stride, padding).shape)

    def loss(f, g, b, stride=stride, padding=padding, delta=delta):
        return np.sum(delta * layer(f, g, b, stride, padding))

    d_f, d_g, d_b = gradients(f, g, delta, stride, padding)
    error = max(
        np.abs(d_f - measure(lambda moved: loss(moved, g, b), f)).max(),
        np.abs(d_g - measure(lambda moved: loss(f, moved, b), g)).max(),
        np.abs(d_b - measure(lambda moved: loss(f, g, moved), b)).max(),
    )
    print(f"stride {stride}, padding {padding}: gradients and measured slopes differ by {error:.0e}")
    assert error < 1e-8

# %%
# A dense layer with most weights missing
# ---------------------------------------
#
# Each output of a convolution is a weighted sum of inputs. So there must be a dense layer, :math:`W x`, that does the
# same. To find column number i of W, send in an image that is zero except for pixel i. The picture shows W for an image
# of 8 x 8 pixels. Two things stand out, and the document names both: **local connections** (nearly everywhere is
# nothing: an output knows nine inputs) and **shared parameters** (every row has the same nine numbers, moved on).


def as_dense(g, H, W):
    """The matrix that does to a flattened (H, W) map what the kernel does."""
    images = np.eye(H * W).reshape(-1, 1, H, W)  # every image has a single bright pixel
    return np.array([layer(image, g[None, None], np.zeros(1)).ravel() for image in images]).T


kernel = rng.normal(size=(3, 3))
matrix = as_dense(kernel, 8, 8)  # (36, 64)
image, delta = rng.normal(size=(8, 8)), rng.normal(size=(6, 6))
assert np.abs(matrix @ image.ravel() - slide(image, kernel).ravel()).max() < 1e-12
assert len(np.unique(matrix[matrix != 0])) == 9

# %%
# Lesson 08 sent the error back through the transposed matrix. It still does, and what the transposed matrix does to a
# map is to slide the turned kernel over it. Two derivations, one result.

assert np.abs(matrix.T @ delta.ravel() - convolve(delta, kernel).ravel()).max() < 1e-12

fig, ax = plt.subplots(figsize=(7.5, 4.6), layout="constrained")
limit = np.abs(matrix).max()
image_shown = ax.imshow(np.where(matrix == 0, np.nan, matrix), cmap="RdBu", vmin=-limit, vmax=limit)
ax.set(
    xlabel="input: pixel 0 to 63 of the 8 x 8 image",
    ylabel="output: place 0 to 35",
    title="One 3 x 3 kernel, written as a dense layer (white: no weight)",
)
fig.colorbar(image_shown, ax=ax, label="weight", shrink=0.8)
save_figure(fig, "matrix")

# %%
# How much is saved? Eight maps from one digit of 28 x 28, once with 3 x 3 kernels, once with a dense layer.

places = 26 * 26
convolution = 8 * (1 * 3 * 3) + 8
dense = (28 * 28) * (8 * places) + 8 * places
print(f"weights and biases for 8 maps of 26 x 26: convolution {convolution}, dense layer {dense:,}")
assert convolution == 80
assert dense // convolution > 50_000

# %%
# Having few weights is no merit by itself; a dense layer with few outputs has few as well. It helps because the
# assumption behind it is true of images: neighbours belong together, and what is worth noticing here is worth noticing
# there.
#
# A kernel is learned
# -------------------
#
# Does a kernel really come out of examples alone? We take 20 digits and their maps of upright edges, hide the kernel
# that made them, and start from zeros. The loss is half the mean squared difference from the wanted map; its
# :math:`\delta` is the difference divided by the number of places. Gradient descent (lesson 05) does the rest.

examples = digits[rng.permutation(len(digits))[:20]]  # (20, 28, 28)
wanted = np.array([slide(example, upright) for example in examples])  # (20, 26, 26)
learned = np.zeros((3, 3))
looks, losses = {}, []
for step in progress(range(301), "learning a kernel"):
    if step in (0, 3, 30, 300):
        looks[step] = learned
    maps = np.array([layer(example[None], learned[None, None], np.zeros(1))[0] for example in examples])
    difference = maps - wanted
    losses.append(np.mean(difference**2) / 2)
    seen = np.lib.stride_tricks.sliding_window_view(examples, (26, 26), axis=(1, 2))  # (20, 3, 3, 26, 26)
    learned = learned - 1.0 * np.einsum("ipq,iuvpq->uv", difference / difference.size, seen)
print("the kernel after", len(losses) - 1, "steps:\n", np.round(learned, 2) + 0.0)
assert np.abs(learned - upright).max() < 0.05

fig, axes = plt.subplots(1, 5, figsize=(11, 2.8), layout="constrained", width_ratios=[1, 1, 1, 1, 1.6])
for ax, (step, look) in zip(axes, looks.items(), strict=False):
    ax.imshow(look, cmap="RdBu", vmin=-1.8, vmax=1.8)
    for (u, v), weight in np.ndenumerate(look):
        ax.text(v, u, f"{round(weight, 2) + 0.0:.2f}", ha="center", va="center", fontsize=9)
    ax.set(title=f"step {step}", xticks=[], yticks=[])
axes[-1].semilogy(losses)
axes[-1].set(xlabel="step", title="loss")
save_figure(fig, "learned_kernel")

# %%
# (The line with ``einsum`` is the gradient of the kernel from above, for all images at once: u and v remain, the rest
# is summed.)
#
# The engine does the same
# ------------------------
#
# ``F.conv2d`` takes a stack of images, (N, C, H, W), and kernels of the shape that we have used, (J, C, K, L). The
# gradients come from ``backward()``.

for stride, padding in [(1, 0), (1, 1), (2, 0), (3, 2)]:
    tensors = [minidl.tensor(array, requires_grad=True) for array in (f[None], g, b)]
    maps = F.conv2d(*tensors, stride=stride, padding=padding)
    delta = rng.normal(size=maps.shape)
    (maps * minidl.tensor(delta)).sum().backward()
    apart = [np.abs(maps.detach().numpy()[0] - layer(f, g, b, stride, padding)).max()]
    for tensor, by_hand in zip(tensors, gradients(f, g, delta[0], stride, padding), strict=True):
        apart.append(np.abs(tensor.grad.numpy().reshape(by_hand.shape) - by_hand).max())
    print(f"stride {stride}, padding {padding}: engine and hand differ by {max(apart):.0e}")
    assert max(apart) < 1e-12

# %%
# Summary
# -------
#
# * A convolution layer slides small kernels over its input; every output map is the sum over all input channels, plus
#   a bias. The printed line says so if its star is the sliding window and its indices count images and channels.
# * The map has :math:`\lfloor (H + 2P - K)/S \rfloor + 1` places in each direction.
# * If the image moves, the map moves with it.
# * What is called convolution is cross-correlation; the convolution of mathematics turns the kernel first.
# * The gradient of the kernel: slide :math:`\delta` over the input. The gradient of the input: slide the turned kernel
#   over the padded :math:`\delta`, which is the transposed matrix of lesson 08 again.
# * As a dense layer, it would have nearly all weights missing and the rest shared: 80 numbers instead of four million.
#
# Next: the maps are nearly as large as the image. Lesson 21 makes them smaller, and builds a network.
#
# Exercises
# ---------
#
# 1. (checked) Sound has one axis only. Write ``conv1d(f, g, b, stride, padding)`` for f of shape (C, T), g of shape
#    (J, C, K) and b of shape (J,). Check it with ``python -m lessons check 20 my_solution.py``.
# 2. (checked) Write ``conv1d_gradients(f, g, delta)``: the gradients with respect to f, g and b, for stride 1 and no
#    padding.
# 3. (checked) Write ``move_right()``: a 3 x 3 kernel that, with padding 1, moves an image one pixel to the right.
# 4. The upright kernel is a column (1, 1, 1) times a row (-1, 0, 1). Show that sliding the column and then the row
#    gives the same map. How many multiplications does that save with a kernel of 11 x 11? Which kernels are of this
#    kind, and is "outline" one of them?
# 5. Slide "blur" over a digit ten times, without padding. Which single kernel does that at once, and how large is it?
