"""
Reading digits
==============

Can a network of three layers, trained with nothing but what we have built so far, read handwriting? And is it any
better than something much simpler?

:time: 30 s
"""

# %%
# The data
# --------
#
# MNIST is the fruit fly of this field: 70,000 grey images of handwritten digits, 28 x 28 pixels each. A part of it,
# 500 of each digit, comes with ``minidl``. We learn from 400 of each digit and keep the last 100 of each to ourselves
# until the end. A network that is tested on what it has learned from may simply have memorised it; the images that we
# **hold out** show what it can do with handwriting it has never seen.

import matplotlib.pyplot as plt
import numpy as np

import minidl
import minidl.nn as nn
import minidl.nn.functional as F
from lessons import progress, save_figure
from minidl.data import MNIST5K, DataLoader, TensorDataset

train_digits, test_digits = MNIST5K(train=True), MNIST5K(train=False)
print(f"{len(train_digits)} images to learn from, {len(test_digits)} held out")

# %%
# A pixel is an integer from 0 (paper) to 255 (ink). The network wants numbers of about the size 1, so we divide; and it
# wants a row of 784 numbers, so we flatten. The labels stay as they are, integers from 0 to 9.

train_x = train_digits.data.reshape(-1, 784) / 255  # (4000, 784)
train_y = train_digits.targets  # (4000,)
test_x = test_digits.data.reshape(-1, 784) / 255  # (1000, 784)
test_y = test_digits.targets  # (1000,)
assert train_x.dtype == minidl.float32

# %%
# Two models
# ----------
#
# A score means little without something to compare it with. Ten units that look at the pixels directly, one for each
# digit, form the simplest model that can be trained at all: it is called logistic regression. Guessing alone would be
# right once in ten times.
#
# Our network has two hidden layers in between. The last layer has no activation: it gives ten scores, and the
# cross-entropy of lesson 04 applies the softmax by itself.


def logistic_regression():
    return nn.Linear(784, 10)


def network():
    return nn.Sequential(
        nn.Linear(784, 256),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(256, 128),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(128, 10),
    )


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


print(network())
print(f"parameters: logistic regression {count(logistic_regression()):,}, network {count(network()):,}")
assert count(network()) == (784 * 256 + 256) + (256 * 128 + 128) + (128 * 10 + 10)

# %%
# Training
# --------
#
# The loop is that of lesson 12. ``manual_seed`` fixes everything that is left to chance: the first weights, the order
# of the images, and what dropout switches off. We repeat the whole training with three seeds, since a single run may
# be lucky.
#
# One line is about this machine, not about learning: the matrices here are small, and a second thread would spend more
# time waiting than working.

minidl.set_num_threads(1)


def accuracy(model, x, y):
    model.eval()  # dropout is for training only
    with minidl.no_grad():
        right = (model(x).argmax(1) == y).float().mean().item()
    model.train()
    return right


def train(make_model, seed, epochs=12):
    minidl.manual_seed(seed)
    model = make_model()
    optimiser = minidl.optim.Adam(model.parameters(), lr=0.001)
    loader = DataLoader(TensorDataset(train_x, train_y), batch_size=64, shuffle=True)
    losses = []
    for _ in progress(range(epochs), f"{make_model.__name__}, seed {seed}"):
        for x, y in loader:  # (64, 784), (64,)
            optimiser.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
    return model, losses, accuracy(model, test_x, test_y)


runs = {make.__name__: [train(make, seed) for seed in (0, 1, 2)] for make in (logistic_regression, network)}
scores = {name: [score for _, _, score in three] for name, three in runs.items()}
for name, three in scores.items():
    listed = ", ".join(f"{score:.1%}" for score in three)
    print(f"{name:20} held-out digits read correctly: {listed}; mean {np.mean(three):.1%}")

fewer = 1 - (1 - np.mean(scores["network"])) / (1 - np.mean(scores["logistic_regression"]))
print(f"the network makes {fewer:.0%} fewer errors")
assert np.mean(scores["network"]) >= 0.93
assert fewer > 0.3
assert np.mean(scores["network"]) > np.mean(scores["logistic_regression"]) + 0.02

# %%
# What it gets wrong
# ------------------
#
# The errors tell more than the score. We look at the held-out digits that the first network misreads: some are hard for
# us too. The table counts, for each true digit (row), what it was read as (column).

model, losses, _ = runs["network"][0]
model.eval()
with minidl.no_grad():
    probabilities = F.softmax(model(test_x), dim=1).numpy()  # (1000, 10)
read_as = probabilities.argmax(1)
truth = test_y.numpy()
wrong = np.flatnonzero(read_as != truth)
table = np.zeros((10, 10), dtype=int)
np.add.at(table, (truth, read_as), 1)
print(table)
assert table.sum() == 1000
assert table.trace() == 1000 - len(wrong)

fig = plt.figure(figsize=(10, 4), layout="constrained")
left, right = fig.subfigures(1, 2, width_ratios=[1, 1.1])
axes = left.subplots()
steps_an_epoch = len(losses) // 12
for name, colour in [("logistic_regression", "tab:gray"), ("network", "tab:blue")]:
    curve = runs[name][0][1]
    smooth = np.convolve(curve, np.ones(steps_an_epoch) / steps_an_epoch, mode="valid")
    axes.plot(curve, color=colour, alpha=0.25, linewidth=0.7)
    axes.plot(np.arange(len(smooth)) + steps_an_epoch - 1, smooth, color=colour, label=name.replace("_", " "))
axes.set(xlabel="step", ylabel="loss on a batch of 64 (strong: mean of an epoch)", ylim=(0, 1.5))
axes.legend()
most_certain = wrong[np.argsort(-probabilities[wrong, read_as[wrong]])][:15]
for ax, i in zip(right.subplots(3, 5).flat, most_certain, strict=False):
    ax.imshow(test_digits.data[int(i)].numpy(), cmap="gray_r")
    ax.set_title(f"{truth[i]} read as {read_as[i]}", fontsize=9)
    ax.axis("off")
right.suptitle("Misread with the greatest certainty", fontsize=10)
save_figure(fig, "digits")

# %%
# Summary
# -------
#
# * Held-out images, a simple baseline and several seeds turn a number into a result.
# * Ten units on the raw pixels read about nine digits in ten; two hidden layers save about a third of the errors.
# * Everything in the loop was built in the lessons before: linear layers (02), ReLU (03), cross-entropy (04), batches
#   (06), backpropagation (07 to 10), the loop (12), Adam (13), dropout (14).
# * The errors that remain are mostly digits in unusual shapes. The network looks at every pixel by itself and has to
#   learn each shape at each place anew. Convolutions, from lesson 20 on, do not.
#
# Next: "right nine times in ten" can mean very little. Lesson 16 asks how a classifier should be judged.
#
# Exercises
# ---------
#
# 1. (checked) Write ``recall(table)``: for a table as above, an array with, for every digit, the share of its images
#    that were read correctly. Check it with ``python -m lessons check 15 my_solution.py``.
# 2. Remove the dropout. What happens to the loss in training, and what to the score on the held-out digits?
# 3. Train with 100 images of each digit instead of 400, then with 25. How does the score fall for both models? At which
#    size does the simple one win?
# 4. Shift every held-out image by two pixels to the right. How many are still read correctly?
