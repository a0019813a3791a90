"""
Reading digits by convolution
=============================

A document gives a convolutional network for handwritten digits in thirty lines of code, and no result. Does it run as
printed, and is it better than the network of lesson 15?

:formulas: D3-4-u, D3-4-v, D3-4-w, D3-4-x
:time: 1 min
"""

# %%
# A program in print
# ------------------
#
# Document D3, section 4 "数学模型和公式 & 详细讲解 & 举例说明" (Mathematical models, explanation, examples), ends with
# a case study: MNIST, read by a network that is written in Keras, another library for deep learning. We take its five
# parts one by one (data, scaling, model, training, evaluation) and write the same with ``minidl``. All that we need is
# known: convolution (lesson 20), pooling (21), Adam (13), the loop (12).
#
# The lesson runs as it stands, on the 5,000 digits of lesson 15. It also listens to a few words behind its name, which
# we shall use at the end.

import argparse

import matplotlib.pyplot as plt
import numpy as np

import minidl
import minidl.nn as nn
import minidl.nn.functional as F
from lessons import progress, reproduce, save_figure
from minidl.data import MNIST5K, DataLoader, IDXFolder, TensorDataset

minidl.set_num_threads(1)  # the same bits on every run, and no second thread to wait for

parser = argparse.ArgumentParser(description="The digit network of document D3")
parser.add_argument("--data", metavar="FOLDER", help="a folder with four IDX files, in place of the 5,000 digits")
parser.add_argument("--epochs", type=int, default=5, help="passes over the training images (default: 5)")
parser.add_argument("--shift", type=int, default=0, help="move training images by up to so many pixels (default: 0)")
parser.add_argument("--seeds", type=int, default=1, help="how often to train anew (default: 1)")
options = parser.parse_args()
as_printed = options == parser.parse_args([])

# %%
# Data and scaling
# ----------------
#
# The document reshapes the images to (60000, 28, 28, 1), converts them to ``float32`` and divides by 255, so that paper
# is 0 and ink is 1. The last axis is the channel; grey images have one. We put the channel before height and width,
# as PyTorch does: (N, 1, 28, 28). The labels stay integers from 0 to 9. All of this is right.
#
# (The text also promises data augmentation, "数据扩充". The code has none. We come back to it.)

if options.data is None:
    train_images, test_images = MNIST5K(train=True), MNIST5K(train=False)
else:
    train_images, test_images = IDXFolder(options.data, train=True), IDXFolder(options.data, train=False)
train_x, train_y = train_images.data.unsqueeze(1) / 255, train_images.targets  # (4000, 1, 28, 28), (4000,)
test_x, test_y = test_images.data.unsqueeze(1) / 255, test_images.targets
print(f"{len(train_x):,} images to learn from, {len(test_x):,} held out")
reproduce(
    "D3-4-u",
    image_shape=train_x.shape[2:],
    classes=len(np.unique(train_y.numpy())),
    smallest=train_x.min(),
    largest=train_x.max(),
)

# %%
# The network, layer for layer
# ----------------------------
#
# The document's code stacks eight layers. A ``Conv2D(32, (3, 3), activation='relu')`` of Keras is two of ours, the
# convolution and its ReLU. Keras sees from the data how many channels come in; we say so. The last layer of the
# document applies the softmax. Ours leaves it out, because the loss takes care of it (lesson 04).


def convolutional():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * 3 * 3, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


# %%
# What shapes go through it? A module can be asked to report: a **forward hook** is a function that is called after each
# forward pass of its module, with the module, the inputs and the output. We hang one on every layer and send one digit
# through.

model = convolutional()
reports = []


def report(layer, inputs, output):
    reports.append((type(layer).__name__, tuple(output.shape[1:]), sum(p.numel() for p in layer.parameters())))


hooks = [layer.register_forward_hook(report) for layer in model]
with minidl.no_grad():
    model(test_x[:1])
for hook in hooks:
    hook.remove()

for name, shape, parameters in reports:
    if name != "ReLU":
        print(f"{name:10}{' x '.join(map(str, shape)):>14}{parameters or '':>10}")
widths = [28] + [shape[-1] for name, shape, _ in reports if name in ("Conv2d", "MaxPool2d")]
features = next(shape[0] for name, shape, _ in reports if name == "Flatten")
parameters = [count for _, _, count in reports if count]
print(f"widths {' - '.join(map(str, widths))}, then {features} numbers; {sum(parameters):,} parameters")
reproduce("D3-4-v", sizes=widths, features=features, parameters=parameters, total=sum(parameters))

# %%
# A kernel of 3 x 3 takes two pixels from the width each time: 28 becomes 26, 13 becomes 11, 5 becomes 3. Pooling halves
# it, and where 11 is halved to 5, the last row and column are left out.
#
# The explanation that follows the code in the document ("代码解读与分析", Reading the code) skips two lines: the second
# pooling and the third convolution. Build the network from the explanation alone, and it runs as well, but it is
# another one. The maps are still 11 x 11 when they are flattened, and the dense layer behind them is huge:

skipped = [layer for i, layer in enumerate(convolutional()) if i not in (5, 6, 7)]
skipped[6] = nn.Linear(64 * 11 * 11, 64)
as_explained = nn.Sequential(*skipped)
with minidl.no_grad():
    assert as_explained(test_x[:1]).shape == (1, 10)
explained = sum(p.numel() for p in as_explained.parameters())
print(f"parameters: in the code {sum(parameters):,}, in the explanation {explained:,}")
assert explained > 5 * sum(parameters)

# %%
# The loss
# --------
#
# The document trains with ``loss='categorical_crossentropy'``, and its labels are integers in a column, (60000, 1).
# This does not go together. Categorical cross-entropy is, for one image with probabilities p,
#
# .. math:: L = -\sum_{k=0}^{9} y_k \log p_k
#
# where y is one-hot: ten numbers, a 1 at the true class and 0 elsewhere. An integer is not ten numbers. Keras compares
# the shapes (n, 1) and (n, 10) and stops with a ``ValueError``. So does our library:

scores = model(test_x[:4])
try:
    F.cross_entropy(scores, test_y[:4].reshape(4, 1))
except ValueError as error:
    print(error)

# %%
# What if nobody compared shapes? NumPy would spread the single number over the ten classes (lesson 00), and the loss
# would be the *number of the class* times :math:`-\sum_k \log p_k`. We evaluate this and the right loss for a digit
# 0 and two predictions, one good and one bad. (Two classes are enough to see it.)

p = np.array([[0.9, 0.1], [0.1, 0.9]])  # the good one and the bad one
labels = np.array([0, 0])


def spread_over_classes(p, labels):
    return -(labels[:, None] * np.log(p)).sum(axis=1)


def cross_entropy(p, labels):
    one_hot = np.eye(p.shape[1])[labels]
    return -(one_hot * np.log(p)).sum(axis=1)


print("right loss:  ", cross_entropy(p, labels).round(4))
print("printed loss:", spread_over_classes(p, labels) + 0.0)
reproduce("D3-4-w", right_losses=cross_entropy(p, labels), printed_losses=spread_over_classes(p, labels))

# %%
# A zero costs nothing, whatever we say about it. For the other digits the sum is smallest when all ten probabilities
# are equal, so this loss teaches to say nothing at all. We try, with the network of lesson 15 and the training loop as
# it should be, but for the loss. The functions serve for the real training, too.


def dense():
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 256),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(256, 128),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(128, 10),
    )


def moved(x, pixels):
    """(N, 1, H, W): every image moved by up to so many pixels down or up, right or left; paper comes in."""
    n, _, height, width = x.shape
    padded = np.pad(x.numpy()[:, 0], ((0, 0), (pixels, pixels), (pixels, pixels)))
    down, right = minidl.randint(0, 2 * pixels + 1, (2, n)).numpy()
    rows = down[:, None, None] + np.arange(height)[:, None]  # (N, H, 1)
    columns = right[:, None, None] + np.arange(width)  # (N, 1, W)
    return minidl.tensor(padded[np.arange(n)[:, None, None], rows, columns][:, None])


def evaluate(model, x, y):
    """Mean loss and share of right answers, batch by batch."""
    model.eval()
    loss = right = 0.0
    with minidl.no_grad():
        for x_part, y_part in DataLoader(TensorDataset(x, y), batch_size=96):
            scores = model(x_part)
            loss += F.cross_entropy(scores, y_part, reduction="sum").item()
            right += (scores.argmax(1) == y_part).sum().item()
    model.train()
    return loss / len(y), right / len(y)


def train(make_model, epochs, seed=0, shift=0, loss_of=F.cross_entropy, bar=False):
    minidl.manual_seed(seed)
    model = make_model()
    optimiser = minidl.optim.Adam(model.parameters())  # learning rate 0.001, as Keras has it
    loader = DataLoader(TensorDataset(train_x, train_y), batch_size=64, shuffle=True)
    held_out = []
    for epoch in range(epochs):
        for x, y in progress(loader, f"{make_model.__name__}, epoch {epoch + 1}") if bar else loader:
            optimiser.zero_grad()
            loss = loss_of(model(moved(x, shift) if shift else x), y)
            loss.backward()
            optimiser.step()
        held_out.append(evaluate(model, test_x, test_y)[1])
    return model, held_out


def printed_loss(scores, y):
    return -(y.unsqueeze(1) * F.log_softmax(scores, dim=1)).sum(1).mean()


says_nothing, _ = train(dense, 2, loss_of=printed_loss)
with minidl.no_grad():
    surest = F.softmax(says_nothing.eval()(test_x), dim=1).max(1).values.mean().item()
print(f"trained with the printed loss, its largest probability is {surest:.2f} on average; guessing has 0.10")
assert surest < 0.2

# %%
# The cure is one word. Keras's ``sparse_categorical_crossentropy`` takes integers and picks :math:`-\log p_{y}` of the
# true class; one-hot labels with the loss as printed would do as well. Our ``F.cross_entropy`` takes integers.
#
# Training
# --------
#
# Adam, 5 epochs, batches of 64: as in the document. Its text says that the test images "validate" the training; the
# call passes none. We do look at the held-out digits after every epoch, but decide nothing by it. Beside it we train
# the network of lesson 15, with the 12 epochs that it had there.

runs = [train(convolutional, options.epochs, seed, options.shift, bar=True) for seed in range(options.seeds)]
model, held_out = runs[0]
baseline_model, baseline_held_out = train(dense, max(12, options.epochs), shift=options.shift)

# %%
# Evaluation
# ----------
#
# The document asks Keras for loss and accuracy on the test images and prints four decimals. Our ``evaluate`` goes
# through the digits in batches of 96. The last batch is smaller, so it must not count as much as the others: we add up
# losses and right answers, and divide by the number of digits once. To be sure, we also go image by image.

test_loss, test_acc = evaluate(model, test_x, test_y)
print(f"Test accuracy: {test_acc:.4f}")
print(f"the network of lesson 15: {baseline_held_out[-1]:.4f}")
if options.seeds > 1:
    scores = [held_out[-1] for _, held_out in runs]
    print("all seeds:", " ".join(f"{score:.4f}" for score in scores), f"mean {np.mean(scores):.4f}")

with minidl.no_grad():
    log_p = np.concatenate([F.log_softmax(model(image.unsqueeze(0)), dim=1).numpy() for image in test_x])  # (1000, 10)
truth = test_y.numpy()
reproduce(
    "D3-4-x",
    counted=np.mean([row.argmax() == label for row, label in zip(log_p, truth, strict=True)]),
    accuracy=test_acc,
    counted_loss=np.mean([-row[label] for row, label in zip(log_p, truth, strict=True)], dtype=np.float64),
    loss=test_loss,
    baseline=np.bincount(truth).max() / len(truth),
)
dense_parameters = sum(p.numel() for p in baseline_model.parameters())
print(f"parameters: {sum(parameters):,} here, {dense_parameters:,} in lesson 15")
if as_printed:
    assert test_acc > 0.92
    assert test_acc > baseline_held_out[-1] - 0.02

# %%
# Fewer than half of the weights and fewer than half of the epochs, for a score that is as good. Each epoch does more
# work, though: a weight of a kernel is used at every place of a map. And is it *better*? One run cannot tell. With
# ``--seeds 3``, our runs lay two points apart, and the score of the dense network lay between them. Five epochs on
# 4,000 digits are few, and the network is not at its end yet; below we let it go on.
#
# Inside
# ------
#
# What does a digit look like on its way? We hang hooks on the layers once more, this time to keep the maps. In the
# first maps one still sees the digit, its edges and its strokes. Towards the end a map has nine numbers left, and what
# each of them means, only the dense layers know.

kept = []
layers = [model[1], model[2], model[4], model[5], model[7]]
hooks = [layer.register_forward_hook(lambda layer, inputs, output: kept.append(output.numpy()[0])) for layer in layers]
shown = 400 if len(test_x) > 400 else 0
with minidl.no_grad():
    model(test_x[shown : shown + 1])
for hook in hooks:
    hook.remove()

fig = plt.figure(figsize=(10, 5.6), layout="constrained")
left, right = fig.subfigures(1, 2, width_ratios=[1, 3.4])
axes = left.subplots()
axes.imshow(test_x[shown, 0].numpy(), cmap="gray_r")
axes.set(title="the digit, 28 x 28", xticks=[], yticks=[])
for row, maps in zip(right.subplots(5, 8), kept, strict=True):
    strongest = np.sort(np.argsort(-maps.reshape(len(maps), -1).sum(axis=1))[:8])
    for ax, which in zip(row, strongest, strict=True):
        ax.imshow(maps[which], cmap="gray_r", vmin=0)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(f"{len(maps)} maps\n{maps.shape[1]} x {maps.shape[2]}", fontsize=9)
right.suptitle("the eight strongest maps after each step (dark: large)", fontsize=11)
save_figure(fig, "maps")

# %%
# And what does it misread? We show the errors of which it is most certain.

read_as = log_p.argmax(axis=1)
wrong = np.flatnonzero(read_as != truth)
most_certain = wrong[np.argsort(-log_p[wrong, read_as[wrong]])][:15]

fig = plt.figure(figsize=(10, 4), layout="constrained")
left, right = fig.subfigures(1, 2, width_ratios=[1, 1.1])
axes = left.subplots()
for label, curve, colour in [
    ("convolutional", held_out, "tab:blue"),
    ("lesson 15, dense", baseline_held_out, "tab:gray"),
]:
    axes.plot(np.arange(1, len(curve) + 1), 100 * np.array(curve), "o-", color=colour, label=label)
axes.set(xlabel="epoch", ylabel="held-out images read correctly, %")
axes.legend(loc="lower right")
for ax, i in zip(right.subplots(3, 5).flat, most_certain, strict=False):
    ax.imshow(test_x[int(i), 0].numpy(), cmap="gray_r")
    ax.set_title(f"{truth[i]} read as {read_as[i]}", fontsize=9)
    ax.axis("off")
right.suptitle("Misread with the greatest certainty", fontsize=10)
save_figure(fig, "digits")

# %%
# The promised augmentation
# -------------------------
#
# Data augmentation means: show each image in slightly different forms, so that the network cannot learn one of them by
# heart. A digit that is moved by a pixel or two is still that digit. The function ``moved`` above does so, anew for
# every batch, and the options of this lesson switch it on. With 15 epochs this takes three times as long::
#
#     python lessons/22_digits_by_convolution.py --shift 2 --epochs 15
#
# When we ran it, it printed ``Test accuracy: 0.9780``, and 0.9520 for the dense network, which got the same epochs and
# shifts. Now the question of this lesson has an answer: half of the errors are gone.
#
# The images can be others, too, as long as they come in MNIST's format, four IDX files. Fashion-MNIST has 70,000 small
# pictures of clothes and is harder than digits (it takes a few minutes)::
#
#     python lessons/22_digits_by_convolution.py --data FOLDER
#
# Summary
# -------
#
# * The document's network is sound: three convolutions, two poolings, two dense layers, 93,322 parameters.
# * Its loss does not fit its labels. Integers need the sparse form, ``F.cross_entropy`` here; spread over the classes,
#   they would teach the network to say nothing.
# * Shapes tell much: print them layer by layer before you train, and a layer that is missing shows at once.
# * After five epochs it reads as well as the dense network of lesson 15 after twelve, with fewer than half of its
#   parameters. With more epochs and digits that move, it reads clearly better.
# * A mean over batches of unequal size must be weighted; sums, divided once, cannot go wrong.
#
# Next: lesson 23 counts where parameters and work sit in networks like this one.
#
# Exercises
# ---------
#
# 1. (checked) Write ``sparse_cross_entropy(p, labels)``: the mean loss for probabilities p (n, classes) and integer
#    labels of the shape (n,) *or* (n, 1), as the document has them. Check it with
#    ``python -m lessons check 22 my_solution.py``.
# 2. (checked) Write ``move(images, down, right)``: images (N, H, W), all moved by whole pixels, where zeros come in and
#    what leaves is lost. Negative numbers move up and left.
# 3. Train with ``--shift 2 --epochs 15``. How many errors are left? Is it the shifts or the epochs that help?
# 4. Move all held-out digits by two pixels. How much worse does the network read that was trained without shifts, and
#    how much worse the one with? Compare with lesson 21.
# 5. Train the network of the explanation, with its 515,146 parameters. Is it better?
