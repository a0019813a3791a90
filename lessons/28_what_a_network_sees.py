"""
What a network sees
===================

A network reads a digit. Which pixels made it say so? Pictures that answer this are easy to make and easy to believe.
How does one check them?

:time: 40 s
"""

# %%
# A network to look into
# ----------------------
#
# We take a small network of the kind of lesson 22: three convolutions, two poolings, two dense layers. Its first
# kernels have 7 x 7 weights instead of 3 x 3, so that there is something to look at, and only eight of them. One more
# change: they start small (a spread of 0.03; ``nn.Conv2d`` would take 0.08). A filter is what it began with plus what
# it has learned, and if it began large, one sees mostly the dice of the beginning.

import copy

import matplotlib.pyplot as plt
import numpy as np

import minidl
import minidl.nn as nn
import minidl.nn.functional as F
from lessons import progress, save_figure
from minidl.data import MNIST5K

minidl.set_num_threads(1)  # the same bits on every run, and no second thread to wait for

digits, test_digits = MNIST5K(train=True), MNIST5K(train=False)
pixels, names = digits.data.unsqueeze(1) / 255, digits.targets  # paper 0, ink 1
test_pixels, test_names = test_digits.data.unsqueeze(1) / 255, test_digits.targets


def untrained():
    minidl.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 7, padding=3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 24, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(24, 24, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(24 * 4 * 4, 48),
        nn.ReLU(),
        nn.Linear(48, 10),
    )
    nn.init.normal_(model[0].weight, 0, 0.03)
    return model


def train(model, labels, steps):
    optimiser, order = minidl.optim.Adam(model.parameters(), lr=0.002), np.random.default_rng(0)
    for _ in progress(range(steps), "training"):
        at = minidl.tensor(order.integers(0, len(labels), 64))
        optimiser.zero_grad()
        F.cross_entropy(model(pixels[at]), labels[at]).backward()
        optimiser.step()
    return model.requires_grad_(False)


def scores_of(model, images):
    with minidl.no_grad():
        return model(minidl.tensor(images)).numpy()


model = train(untrained(), names, 300)
scores = scores_of(model, test_pixels.numpy())  # (1000, 10)
truth = test_names.numpy()
print(f"{np.mean(scores.argmax(axis=1) == truth):.1%} of the test digits right")
assert np.mean(scores.argmax(axis=1) == truth) > 0.9

# %%
# The first filters
# -----------------
#
# The first kernels are the only ones that look at the picture itself, so they can be shown as pictures. Long before
# networks learned such filters, people made them by hand. Sobel's finds upright edges: a difference from left to right
# times a mean from top to bottom. Turned, it finds lying edges.
#
# .. math:: \begin{pmatrix} 1 \\ 2 \\ 1 \end{pmatrix} \begin{pmatrix} -1 & 0 & 1 \end{pmatrix}
#    = \begin{pmatrix} -1 & 0 & 1 \\ -2 & 0 & 2 \\ -1 & 0 & 1 \end{pmatrix}

sobel = np.outer([1.0, 2.0, 1.0], [-1.0, 0.0, 1.0])
learned = model[0].weight.numpy()[:, 0]  # (8, 7, 7)
digit = test_pixels[300:301]  # a three
by_hand = minidl.tensor(np.stack([sobel, sobel.T])[:, None].astype(np.float32))
edges = F.conv2d(digit, by_hand, padding=1).numpy()[0]
maps = F.conv2d(digit, model[0].weight, padding=3).numpy()[0]

fig, axes = plt.subplots(2, 10, figsize=(12, 2.9), layout="constrained")
for column, (kernel, answer) in enumerate(zip([sobel, sobel.T, *learned], [*edges, *maps], strict=True)):
    for ax, picture in zip(axes[:, column], (kernel, answer), strict=True):
        ax.imshow(picture, cmap="RdBu_r", vmin=-abs(picture).max(), vmax=abs(picture).max())
        ax.set(xticks=[], yticks=[])
    axes[0, column].set_title(["Sobel", "Sobel, turned"][column] if column < 2 else f"learned {column - 1}", fontsize=9)
axes[0, 0].set_ylabel("kernel")
axes[1, 0].set_ylabel("its map")
save_figure(fig, "filters")

# %%
# Red is positive, blue negative. The learned kernels are fairly smooth: red on one side and blue on the other, that is
# an edge at some angle, or a red bar between blue sides, that is a stroke. Nobody asked for this. Our eyes are quick to
# find order, though. Is it more than imagination? We describe each kernel by six simple patterns: a blob G (a
# bell-shaped hill), two edges (the slopes of G, which Sobel imitates), and three bars (the second slopes). Any six
# patterns of 49 numbers explain, on average, 6/49 of the square of a random kernel.

v, h = np.mgrid[-3:4, -3:4] / 1.5
G = np.exp(-(h**2 + v**2) / 2)
patterns = np.stack([G, h * G, v * G, (h**2 - 1) * G, h * v * G, (v**2 - 1) * G]).reshape(6, 49).T
basis, _ = np.linalg.qr(patterns)  # six directions at right angles to each other that span the same kernels


def explained(kernels):
    rows = kernels.reshape(-1, 49)
    return np.sum((rows @ basis) ** 2) / np.sum(rows**2)


chance = explained(np.random.default_rng(0).normal(size=(1000, 49)))
at_start = explained(untrained()[0].weight.detach().numpy())
print(f"six patterns explain {explained(learned):.0%} of the learned kernels,", end=" ")
print(f"{at_start:.0%} of the same before training, {chance:.0%} of random ones")
assert explained(learned) > 0.5 > 3 * chance
assert at_start < 0.25

# %%
# The gradient of a score
# -----------------------
#
# Deeper kernels look at maps, not at pictures, and cannot be shown like this. So let us ask the whole network. Which
# pixels matter to the score :math:`s_k` of class k? If the picture changes by a little d, then (lesson 01)
#
# .. math:: s_k(x + d) \approx s_k(x) + \sum_i g_i d_i, \qquad g_i = \frac{\partial s_k}{\partial x_i}
#
# The gradient g has the size of the picture. It is called the **saliency map** of class k. We know how to get it: it is
# the :math:`\delta` of lesson 09 carried on for one more layer, down to the pixels. In training nobody needs it; the
# engine gives it if the *input* wants a gradient. We take the score before the softmax: a probability of 0.999 is flat.


def gradients(model, images, classes):
    """(N, 28, 28): for every image the gradient of the score of its class. The images do not affect each other."""
    x = minidl.tensor(images, requires_grad=True)
    model(x)[np.arange(len(images)), classes].sum().backward()
    return x.grad.numpy()[:, 0]


# %%
# Do we get what we asked for? Central differences (lesson 11) at the twelve pixels with the largest gradients, in 64
# bits:

precise = copy.deepcopy(model).double()
three = digit.numpy().astype(float)
g = gradients(precise, three, [3])[0]
largest = np.argsort(-abs(g).ravel())[:12]
step, worst = 1e-5, 0.0
for row, column in zip(*np.unravel_index(largest, g.shape), strict=True):
    there, back = three.copy(), three.copy()
    there[0, 0, row, column] += step
    back[0, 0, row, column] -= step
    slope = (scores_of(precise, there) - scores_of(precise, back))[0, 3] / (2 * step)
    worst = max(worst, abs(slope - g[row, column]))
print(f"largest gradient {abs(g).max():.2f}; differences and gradient are apart by at most {worst:.0e}")
assert worst < 1e-6

# %%
# To *erase* a pixel is a change of :math:`d_i = -x_i`. By the formula above the score loses :math:`g_i x_i`. This
# product, **gradient times input**, says what each pixel contributes: it is zero on paper, positive where ink speaks
# for the class, negative where it speaks against it. For our kind of network it even adds up. Between the kinks of ReLU
# and of pooling, all is multiplying and adding. So the score is linear there, in the pixels and the biases b together:
#
# .. math:: s_k = \sum_i g_i x_i + \sum_j \frac{\partial s_k}{\partial b_j} b_j

precise.requires_grad_(True).zero_grad()  # away with what the training has left
x = minidl.tensor(three, requires_grad=True)
score = precise(x)[0, 3]
score.backward()
from_pixels = (x.grad * x).sum().item()
from_biases = sum((p.grad * p).sum().item() for name, p in precise.named_parameters() if name.endswith("bias"))
print(f"score {score.item():.4f} = {from_pixels:.4f} from the pixels + {from_biases:.4f} from the biases")
assert abs(from_pixels + from_biases - score.item()) < 1e-9

# %%
# A second judge
# --------------
#
# The gradient speaks of *small* changes. Erasing is not small: on the way, units cross their kinks. So we ask in
# another way, without any calculus: cover a patch of 4 x 4 pixels with paper and see how much score is lost. Then the
# next patch, two pixels on. This is the **occlusion map**. It needs a forward pass for each patch, 196 here, where the
# gradient needed one pass back.


def covered(images, row, column):
    images = images.copy()
    images[:, :, max(0, 2 * row - 1) : 2 * row + 3, max(0, 2 * column - 1) : 2 * column + 3] = 0
    return images


def occlusion(model, images, classes):
    """(N, 14, 14): the score that is lost when the patch around each place is covered."""
    at = np.arange(len(images))
    before = scores_of(model, images)[at, classes]
    lost = [before - scores_of(model, covered(images, row, column))[at, classes] for row, column in np.ndindex(14, 14)]
    return np.stack(lost, axis=1).reshape(-1, 14, 14)


sample = np.flatnonzero(scores.argmax(axis=1) == truth)[::9]  # digits that are read rightly
images, classes = test_pixels.numpy()[sample], truth[sample]
g = gradients(model, images, classes)
ink = images[:, 0]
lost = occlusion(model, images, classes)
print(f"{len(sample)} digits, with {(ink > 0).sum(axis=(1, 2)).mean():.0f} pixels of ink on average")


def patches(maps):
    """(N, 28, 28) -> (N, 14, 14): the sum over each of the patches above."""
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (4, 4), axis=(1, 2))[:, ::2, ::2]
    return windows.sum(axis=(3, 4))


# %%
# Do the two judges agree? Their numbers have different sizes, so we compare the *order* in which they put the patches.
# Replace each number by its rank (the smallest gets 0, equal ones get their mean rank) and take the correlation of the
# ranks, **Spearman's rank correlation**: 1 for the same order, 0 for no relation, -1 for the reverse. We leave out
# patches without any ink: there both judges say exactly 0, and that would be cheap agreement.


def ranks(values):
    smaller = (values[:, None] > values).sum(axis=1)
    equal = (values[:, None] == values).sum(axis=1)
    return smaller + (equal - 1) / 2


def rank_correlation(a, b):
    return np.corrcoef(ranks(a), ranks(b))[0, 1]


def agreement(maps):
    has_ink = patches(ink) > 0
    return np.mean([rank_correlation(a[i], b[i]) for a, b, i in zip(patches(maps), lost, has_ink, strict=True)])


judges = {"gradient times input": g * ink, "size of the gradient": abs(g), "ink alone": ink}
for name, maps in judges.items():
    print(f"rank correlation with occlusion: {agreement(maps):5.2f} for {name}")
assert agreement(g * ink) > 0.85
assert agreement(g * ink) > agreement(ink) + 0.2
assert agreement(ink) > agreement(abs(g))

# %%
# Gradient times input and occlusion are two different computations, and they put the patches in nearly the same order.
# The size of the gradient alone does worse than the ink: it answers another question, where a change *would* matter,
# and that may well be on empty paper, where ink would turn the digit into another one.
#
# Take it away
# ------------
#
# Agreement is no proof. A harder test: if these pixels matter, then the network must stumble without them. For every
# digit we erase the 10, 20, 40 or 80 pixels that a map puts first and let the network read again. And we need something
# to compare with. Erasing costs, whatever one erases. So we also erase pixels at random, pixels at random that have
# ink, and the darkest first.

COUNTS = [0, 10, 20, 40, 80]
dice = np.random.default_rng(0).uniform(size=ink.shape)


def still_read(maps):
    """For each count: the share of digits still read when that many pixels with the largest values are paper."""
    order, n = np.argsort(-maps.reshape(len(maps), -1), axis=1), len(maps)
    shares = []
    for count in COUNTS:
        erased = images.reshape(n, -1).copy()
        np.put_along_axis(erased, order[:, :count], 0, axis=1)
        shares.append(np.mean(scores_of(model, erased.reshape(images.shape)).argmax(axis=1) == classes))
    return np.array(shares)


judges |= {"darkest first": ink + 1e-6 * dice, "any ink": dice * (ink > 0), "any pixels": dice}
judges.pop("ink alone")

# %%
# One more thing is tested here. Look at a map, and one sees the digit: how convincing! But gradient times input is zero
# on paper and so shows the digit **whatever the network is**. So we also let two networks judge that cannot know which
# digit is which: one that was never trained, and one that was trained with all labels mixed up. If their maps did as
# well, the test (or the map) would be worth nothing.

minidl.manual_seed(0)
mixed_up = names[minidl.randperm(len(names))]
judges["untrained network"] = gradients(untrained(), images, classes) * ink
judges["random labels"] = gradients(train(untrained(), mixed_up, 150), images, classes) * ink
read = {name: still_read(maps) for name, maps in judges.items()}
print(f"{'pixels erased':22}", *(f"{count:6}" for count in COUNTS))
for name, shares in read.items():
    print(f"{name:22}", *(f"{share:6.1%}" for share in shares))
best = read["gradient times input"]
assert best[2] < 0.65
assert all(best[2] < shares[2] - 0.2 for name, shares in read.items() if name != "gradient times input")
blind = agreement(judges["untrained network"])
print(f"the untrained network's map and occlusion: rank correlation {blind:.2f}")
assert abs(blind) < 0.2

shown = [int(np.flatnonzero(classes == k)[0]) for k in (0, 2, 3, 4, 7, 9)]
rows = [
    ("the digit", ink, "gray_r"),
    ("gradient", g, "RdBu_r"),
    ("gradient\n x input", g * ink, "RdBu_r"),
    ("occlusion", lost, "RdBu_r"),
    ("untrained\nnetwork", judges["untrained network"], "RdBu_r"),
]
fig = plt.figure(figsize=(12, 5.2), layout="constrained")
left, right = fig.subfigures(1, 2, width_ratios=[1.15, 1])
for axes, (title, maps, colours) in zip(left.subplots(5, 6), rows, strict=True):
    for ax, i in zip(axes, shown, strict=True):
        ends = dict(vmin=0, vmax=1) if maps is ink else dict(vmin=-abs(maps[i]).max(), vmax=abs(maps[i]).max())
        ax.imshow(maps[i], cmap=colours, **ends)
        ax.set(xticks=[], yticks=[])
    axes[0].set_ylabel(title, fontsize=9)
left.suptitle("What speaks for the class that was read (red), and against it (blue)", fontsize=10)
ax = right.subplots()
for (name, shares), style in zip(read.items(), ["o-", "s-", "^-", "v-", "x-", "D--", "P--"], strict=True):
    ax.plot(COUNTS, 100 * shares, style, label=name)
ax.set(xlabel="pixels erased, in the order of the map", ylabel="digits still read, %", ylim=(0, 103))
ax.legend(fontsize=9)
save_figure(fig, "saliency")

# %%
# A digit has about 150 pixels with ink. Without the twenty that gradient times input names first, half of the digits
# are lost; without twenty pixels of ink drawn at random, one in a hundred. The map of the untrained network has the
# shape of the digit all the same, in speckles. But it does not agree with occlusion at all, and erasing by it does
# little harm. The network with mixed labels does a little more, perhaps because it names neighbours together: a stroke
# that is cut is worse than a stroke that is thinned. Still it is far from the map of the network that knows its digits.
#
# Uphill
# ------
#
# What would the network *like* to see? Start from faint noise and go along the gradient of a score, in steps of the
# same length. The weights stay as they are; the picture learns:
#
# .. math:: x \leftarrow x + \eta\, \frac{g}{|g|}
#
# We do the same with a dense network like that of lesson 15.


def uphill(model, start, k, steps, rate):
    """All pictures on the way, (steps + 1, 1, 28, 28)."""
    way = [start]
    for _ in range(steps):
        g = gradients(model, way[-1], [k])
        way.append((way[-1] + rate * g / np.linalg.norm(g)).astype(np.float32))
    return np.concatenate(way)


minidl.manual_seed(0)
dense = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
models = {"convolutional": model, "dense": train(dense, names, 300)}
faint = np.random.default_rng(0).normal(0, 0.1, (1, 1, 28, 28)).astype(np.float32)
dreams = {name: np.stack([uphill(net, faint, k, 60, 0.3)[-1] for k in range(10)]) for name, net in models.items()}


def roughness(pictures):
    """Squared differences of neighbours by squared pixels: near 0 if smooth, 2 if every pixel is drawn by itself."""
    across, down = np.diff(pictures, axis=3), np.diff(pictures, axis=2)
    return (np.sum(across**2) + np.sum(down**2)) / (2 * np.sum(pictures**2))


for name, pictures in dreams.items():
    reached = np.diag(scores_of(models[name], pictures))
    scores_of_real = scores_of(models[name], test_pixels.numpy())
    real = np.array([scores_of_real[truth == k, k].max() for k in range(10)])
    print(f"{name:14} scores {reached.min():.0f} to {reached.max():.0f},", end=" ")
    print(f"the best real digits {real.min():.0f} to {real.max():.0f}; roughness {roughness(pictures):.2f}")
    assert all(reached > real)
print(f"roughness of real digits {roughness(images):.2f}, of noise {roughness(faint):.2f}")
assert abs(roughness(dreams["convolutional"]) - roughness(images)) < 0.15
assert roughness(dreams["dense"]) > roughness(dreams["convolutional"]) + 0.1

# %%
# The pictures score higher than any real digit, and few of them would pass for one. Between kinks a score is a
# straight slope, and straight slopes do not end: going on uphill, one leaves behind everything that the network was
# trained on. There it has never been told what is *not* a digit.
#
# And where does the noise come from? In the dense network every pixel has weights of its own. Those of a pixel at the
# border, which is paper in all digits, get the gradient :math:`\delta\, x_i = 0`. They stay as the dice threw them, yet
# they are in g like all others. And nothing asks neighbours to agree. In the convolutional network neighbours share
# kernels, and the kernels are smooth: its pictures are as smooth as real digits, and made of strokes.

always_paper = (pixels.numpy().max(axis=0)[0] == 0).ravel()
minidl.manual_seed(0)
as_thrown = nn.Sequential(nn.Flatten(), nn.Linear(784, 128))[1].weight.detach().numpy()
now = dense[1].weight.numpy()
print(f"{always_paper.sum()} pixels are paper in all 4,000 digits; their weights have moved by", end=" ")
print(f"{np.abs(now - as_thrown)[:, always_paper].max():.0f}, the others by up to {np.abs(now - as_thrown).max():.2f}")
assert np.array_equal(now[:, always_paper], as_thrown[:, always_paper])

# %%
# Close to a real digit
# ---------------------
#
# One can also start from a real digit and climb towards the class that comes second. How far is it until the network
# reads that one? A picture of our digits has a length (the root of the sum of its squares) of about 9.

lengths, example = [], None
for i in progress(range(0, len(images), 3), "climbing"):
    second = np.argsort(scores_of(model, images[i : i + 1])[0])[-2]
    way = uphill(model, images[i : i + 1], second, 40, 0.1)
    other = np.flatnonzero(scores_of(model, way).argmax(axis=1) != classes[i])
    lengths.append(0.1 * other[0] if len(other) else np.inf)
    if example is None and (classes[i], second) == (4, 9) and len(other):
        example = way[0, 0], way[other[0], 0]
typical = np.median(lengths)
noise = np.random.default_rng(1).normal(size=images.shape)
noise *= typical / np.linalg.norm(noise.reshape(len(noise), -1), axis=1)[:, None, None, None]
unmoved = np.mean(scores_of(model, (images + noise).astype(np.float32)).argmax(axis=1) == classes)
print(f"length of the digits {np.linalg.norm(images.reshape(len(images), -1), axis=1).mean():.1f};", end=" ")
print(f"half of them are misread {typical:.1f} uphill, but {unmoved:.0%} are read right with {typical:.1f} of noise")
assert typical < 3
assert unmoved > 0.95

fig = plt.figure(figsize=(12, 3), layout="constrained")
left, right = fig.subfigures(1, 2, width_ratios=[2.6, 1])
for axes, (name, pictures) in zip(left.subplots(2, 10), dreams.items(), strict=True):
    for k, ax in enumerate(axes):
        ax.imshow(pictures[k, 0], cmap="RdBu_r", vmin=-1, vmax=1)
        ax.set(xticks=[], yticks=[])
        ax.set_title(k, fontsize=9)
    axes[0].set_ylabel(name)
left.suptitle("Sixty steps uphill from noise, for the classes 0 to 9 (red: more than 0, blue: less)", fontsize=10)
before, after = example
titles = ["read as 4", "read as 9", "difference"]
for ax, picture, title in zip(right.subplots(1, 3), (before, after, after - before), titles, strict=True):
    ax.imshow(picture, cmap="RdBu_r", vmin=-1, vmax=1)
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=9)
right.suptitle("A few steps from a real digit", fontsize=10)
save_figure(fig, "uphill")

# %%
# Look at the difference: faintly, it closes the 4 at the top, and that is just what makes a 9. But the change is so
# small that we go on reading a 4. The same length in a random direction does nothing. In 784 dimensions a random
# direction is nearly at a right angle to any given one, and g is the one that counts. So a saliency map is also a
# recipe for deceiving the network. Such pictures are called *adversarial examples*.
#
# Summary
# -------
#
# * First-layer kernels can be looked at: edges and strokes, like those that people made by hand. We checked it with six
#   patterns, since eyes find order anywhere.
# * Saliency is :math:`\partial s_k / \partial x`, one backward pass. Times the input it says what each pixel
#   contributes; with the biases' share it adds up to the score exactly.
# * A map is a claim. Check it: with a second judge (occlusion), by taking away what it names, and against networks that
#   know nothing. Gradient times input passed; the size of the gradient alone did poorly.
# * Uphill from noise a network scores higher than on any real digit. What it has not seen, it cannot judge.
#
# Next: an image is seen all at once. Speech and text come one after the other; lesson 30 begins with these.
#
# Exercises
# ---------
#
# ``python -m lessons check 28 my_solution.py`` checks the first three.
#
# 1. (checked) Write ``saliency(x, W_1, b_1, W_2, b_2, k)``: the gradient of :math:`s_k`, where
#    :math:`s = W_2\, \text{relu}(W_1 x + b_1) + b_2`, with respect to x (one example of shape (n,)), by hand.
# 2. (checked) Write ``occlusion_map(score, image, size, fill)``: ``score(image)`` is any function that gives a number
#    for an image (H, W). For every place where a square of ``size`` x ``size`` fits: the score that is lost when it is
#    covered with the value ``fill``.
# 3. (checked) Write ``sharpest_change(W, b, x, j, k)`` for a linear classifier :math:`s = W x + b` that prefers class j
#    for x: the *shortest* change d with which classes j and k score the same.
# 4. Which pixels made it a 4 and not a 9? Take the gradient of :math:`s_4 - s_9`. Do the same for a digit that was
#    misread.
# 5. Cover patches with grey (0.5) instead of paper. Which of the maps changes, and whose question is better?
# 6. Start the first kernels as ``nn.Conv2d`` does. How much do the six patterns explain now? Does the network read
#    worse?
