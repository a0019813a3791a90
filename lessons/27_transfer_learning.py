"""
Transfer learning
=================

Twenty labelled pictures teach a network little. Can it bring along what it has learned from other pictures,
for which labels were easy to get?

:formulas: D1-B.1.2-a, D1-B.1.2-b, D1-B.1.2-c, D1-B.1.2-d
:time: 1 min
"""

# %%
# A program in print
# ------------------
#
# Document D1, appendix B.1.2 "基于大模型的图像识别系统" (An image recognition system based on a large model), prints a
# program for Keras. It loads a ResNet-50, a residual network (lesson 25) of 50 layers that was trained on more than a
# million photographs, without its last layer. It **freezes** this network: its weights shall not change any more. It
# puts a new last layer on top, with as many outputs as one's own task has classes, and trains this layer alone.
#
# The network below is called the **backbone**, the new layer the **head**, and the whole idea **transfer learning**.
# It is one of the most useful ideas of the trade, and the document has it right. Two of the program's lines are not.
# First we look at these; then we do such a transfer from beginning to end, with letters and digits.

import copy
import itertools

import matplotlib.pyplot as plt
import numpy as np

import minidl
import minidl.nn as nn
import minidl.nn.functional as F
from lessons import progress, reproduce, save_figure
from minidl.data import MNIST5K, DataLoader, TensorDataset
from minidl.models import resnet50
from minidl.models.resnet import BasicBlock

minidl.set_num_threads(1)  # the same bits on every run, and no second thread to wait for

# %%
# A map is not a row of features
# ------------------------------
#
# The program's model is a stack of two, in Keras' words
#
#     ``Sequential([ResNet50(include_top=False), Dense(num_classes, activation='softmax')])``
#
# What does the backbone put out? Without its top (the mean over the maps, and the dense layer behind it) a ResNet ends
# with *maps*. We send two pictures through ours and report the width of the maps after each stage. The weights are
# random, but shapes do not depend on weights. (Keras puts the channels last, so we do, too.)

minidl.manual_seed(0)
large = resnet50(num_classes=10).eval()
stages = [nn.Sequential(large.conv1, large.bn1, large.relu), large.maxpool]
stages += [large.layer1, large.layer2, large.layer3, large.layer4]
maps, widths = minidl.rand(2, 3, 224, 224), [224]
with minidl.no_grad():
    for stage in stages:
        maps = stage(maps)
        widths.append(maps.shape[-1])
maps = maps.permute(0, 2, 3, 1)
print("widths", " - ".join(map(str, widths)), "and in the end", " x ".join(map(str, maps.shape)))

# %%
# The width is halved five times, and 7 is left. A dense layer acts on the *last* axis and leaves the others as they
# are (lesson 02: a batch is an axis like this). So it gives ten scores for each of the 49 places, while the label is
# one of ten classes for the whole picture. The right form takes the mean over the places first, as in lesson 26: Keras
# calls it ``GlobalAveragePooling2D()``.

dense = nn.Linear(2048, 10)
labels = F.one_hot(minidl.tensor([3, 8]), 10).float()
with minidl.no_grad():
    printed_scores = dense(maps)
    right_scores = dense(maps.mean((1, 2)))
for name, scores in [("printed", printed_scores), ("right", right_scores)]:
    try:
        print(f"{name}: loss {F.cross_entropy(scores, labels).item():.2f}")
    except ValueError as error:
        print(f"{name}: {error}")

# %%
# Keras stops with a ``ValueError``, too. By the way, a mean and a linear layer may change places: the mean of the 49
# rows of scores *is* the row of scores of the mean. So the printed scores are not nonsense. They say what each place
# contributes (exercise 2 makes a picture of that).

apart = (printed_scores.mean((1, 2)) - right_scores).abs().max().item()
print(f"mean of the scores, scores of the mean: apart by {apart:.0e}")
assert apart < 1e-4

# %%
# How large is the backbone? The rules of lesson 23: a convolution from C to J channels has :math:`J C K^2` weights and,
# in Keras, J biases. Batch normalisation (lesson 24) has :math:`\gamma` and :math:`\beta`; Keras also counts the
# running mean and variance, so four numbers a channel. A block of ResNet-50 is a convolution 1 x 1 down to w channels,
# one of 3 x 3, and one of 1 x 1 up to 4 w. The first block of each stage has one more, since x must get the new shape
# before it can be added.


def with_norm(channels_in, channels_out, kernel):
    return channels_out * (channels_in * kernel**2 + 1) + 4 * channels_out


backbone_parameters, channels = with_norm(3, 64, 7), 64
for blocks, w in [(3, 64), (4, 128), (6, 256), (3, 512)]:
    for number in range(blocks):
        if number == 0:
            backbone_parameters += with_norm(channels, 4 * w, 1)
        backbone_parameters += with_norm(channels, w, 1) + with_norm(w, w, 3) + with_norm(w, 4 * w, 1)
        channels = 4 * w

# %%
# Our own network leaves out the biases (the norm behind would subtract them at once) and does not count the running
# averages. That is three numbers less for each channel of each norm. If we give them back, do the two counts agree?

norms = [module for module in large.modules() if isinstance(module, nn.BatchNorm2d)]
ours = sum(p.numel() for name, p in large.named_parameters() if not name.startswith("fc."))
ours += sum(3 * norm.num_features for norm in norms)
head_parameters = sum(p.numel() for p in dense.parameters())
print(f"backbone {backbone_parameters:,} (from our network: {ours:,}), head {head_parameters:,}")
assert ours == backbone_parameters
reproduce(
    "D1-B.1.2-b",
    labels=labels.shape,
    right_shape=right_scores.shape,
    printed_shape=printed_scores.shape,
    grid=maps.shape[1],
    backbone=backbone_parameters,
    head=head_parameters,
)
del large, stages, maps

# %%
# The language of the backbone
# ----------------------------
#
# The program scales its pictures with ``rescale=1./255``: white is (1, 1, 1). For a network that starts from scratch
# that is fine; we always do it. But this backbone has learned already, from pictures that were prepared in *one* way:
# the channels in the order blue, green, red, the mean of each channel subtracted, and no scaling at all. (The habit
# comes from an older program, Caffe.) That is the language in which it expects to be spoken to.


def preprocess(images):
    """(..., 3) red, green, blue from 0 to 255 -> blue, green, red around 0, as the ResNet-50 of Keras expects it."""
    return images[..., ::-1] - np.array([103.939, 116.779, 123.68])


white, red = np.full((1, 1, 3), 255.0), np.array([[[255.0, 0.0, 0.0]]])
for name, picture in [("white", white), ("red", red)]:
    print(f"{name:5}: expected {preprocess(picture)[0, 0].round(2)}, printed {picture[0, 0] / 255}")
reproduce("D1-B.1.2-a", right=preprocess(white)[0, 0], printed=white[0, 0] / 255)

# %%
# No error message tells of it. All pictures look nearly the same to this backbone, a shade of one grey. How bad is
# that? We shall measure it, on a backbone of our own.
#
# A task with labels for nothing
# ------------------------------
#
# We cannot bring photographs here, so we need another task with many labels. A computer knows how to *write*: with the
# fonts that come with matplotlib we make as many printed letters as we like, and each comes with its label. 37 classes:
# the capitals, and those small letters that look different from their capital. No digits! Four families of fonts, each
# plain, bold, slanted and both.

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"
FAMILIES = ["DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono", "STIXGeneral"]
FONTS = list(itertools.product(FAMILIES, ("normal", "bold"), ("normal", "italic")))


def typeset(family, weight, style):
    """(37, 40, 40): every letter in the middle of a square, ink 255 on paper 0."""
    fig = plt.figure(figsize=(len(LETTERS), 1), dpi=40)
    for i, letter in enumerate(LETTERS):
        fig.text(
            (i + 0.5) / len(LETTERS), 0.5, letter, ha="center", va="center", fontsize=42,
            family=family, weight=weight, style=style,
        )  # fmt: skip
    fig.canvas.draw()
    strip = 255 - np.asarray(fig.canvas.buffer_rgba())[..., 0].astype(np.float32)  # (40, 37 * 40)
    plt.close(fig)
    return strip.reshape(40, len(LETTERS), 40).swapaxes(0, 1)


# %%
# Every letter is then turned, slanted and stretched a little, and moved. The pixel (p, q) of the new picture looks up
# the place A (p, q) + b in the old one, with a random matrix A and a random b. Where that is between four pixels, it
# takes their weighted mean.


def distort(images, rng):
    """(N, 40, 40) -> (N, 1, 28, 28)"""
    n = len(images)
    angle, slant, size = rng.normal(0, 0.2, n), rng.normal(0, 0.2, n), np.exp(rng.normal(-0.05, 0.12, (n, 2)))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])  # (2, 2, N)
    lean = np.array([[np.ones(n), np.zeros(n)], [slant, np.ones(n)]])
    A = np.einsum("ijn, jkn, nk -> nik", turn, lean, size)
    new = np.moveaxis(np.mgrid[:28, :28], 0, -1).reshape(-1, 2) - 13.5
    old = np.einsum("nik, pk -> npi", A, new) + 19.5 + rng.uniform(-2, 2, (n, 1, 2))  # (N, 784, 2)
    old = np.clip(old, 0, 38.999)
    corner = old.astype(int)
    (row, column), (down, right) = np.moveaxis(corner, -1, 0), np.moveaxis(old - corner, -1, 0)
    at = np.arange(n)[:, None]
    upper = images[at, row, column] * (1 - right) + images[at, row, column + 1] * right
    lower = images[at, row + 1, column] * (1 - right) + images[at, row + 1, column + 1] * right
    return (upper * (1 - down) + lower * down).reshape(n, 1, 28, 28).astype(np.float32)


rng = np.random.default_rng(0)
sheet = np.stack([typeset(*font) for font in FONTS])  # (16, 37, 40, 40)
letter_names = rng.integers(0, len(LETTERS), 6000)
letter_pixels = minidl.tensor(distort(sheet[rng.integers(0, len(FONTS), 6000), letter_names], rng))
letter_names = minidl.tensor(letter_names)

digits, test_digits = MNIST5K(train=True), MNIST5K(train=False)
digit_pixels, test_pixels = (images.data.unsqueeze(1).float() for images in (digits, test_digits))  # 0 to 255
names, test_names = digits.targets, test_digits.targets

fig, axes = plt.subplots(3, 14, figsize=(11, 2.7), layout="constrained")
for i, ax in enumerate(axes.flat):
    picture = letter_pixels[i, 0] if i < 28 else digit_pixels[(i - 28) * 290, 0]
    ax.imshow(picture.numpy(), cmap="gray_r")
    ax.set(xticks=[], yticks=[])
axes[0, 0].set_ylabel("letters")
axes[1, 0].set_ylabel("letters")
axes[2, 0].set_ylabel("digits")
fig.suptitle("Learn from printed letters (labels for nothing), then read handwritten digits (few labels)")
save_figure(fig, "tasks")

# %%
# Pre-training
# ------------
#
# The backbone is a small ResNet: a convolution, then three residual blocks with batch normalisation (lessons 24 and
# 25). The second and the third halve the width and double the channels, so 1 x 28 x 28 becomes 64 x 4 x 4. The mean
# over the places leaves 64 **features**. The pictures are prepared like those of Keras' backbone: the mean is
# subtracted, nothing is scaled.

WIDTH = 16
mean = letter_pixels.mean().item()


def prepare(pixels):
    return pixels - mean


def halving(channels):
    past = nn.Sequential(nn.Conv2d(channels, 2 * channels, 1, stride=2, bias=False), nn.BatchNorm2d(2 * channels))
    return BasicBlock(channels, 2 * channels, stride=2, downsample=past)


def fresh_backbone():
    return nn.Sequential(
        nn.Conv2d(1, WIDTH, 5, stride=2, padding=2, bias=False),
        nn.BatchNorm2d(WIDTH),
        nn.ReLU(),
        BasicBlock(WIDTH, WIDTH),
        halving(WIDTH),
        halving(2 * WIDTH),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


def fit(model, x, y, steps, rate, seed=0, batch=32):
    """Adam on random batches, for all parameters that are not frozen; the rate falls to zero in a straight line."""
    rng = np.random.default_rng(seed)
    optimiser = minidl.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=rate)
    schedule = minidl.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / steps)
    for _ in progress(range(steps), "learning letters") if len(y) > 5000 else range(steps):
        at = minidl.tensor(rng.choice(len(y), min(batch, len(y)), replace=False))
        optimiser.zero_grad()
        F.cross_entropy(model(x[at]), y[at]).backward()
        optimiser.step()
        schedule.step()
    return model


def share_right(model, x, y):
    """Right answers are added up over the batches and divided once. The model is used in evaluation mode."""
    model.eval()
    right = 0
    with minidl.no_grad():
        for x_part, y_part in DataLoader(TensorDataset(x, y), batch_size=96):
            right += (model(x_part).argmax(1) == y_part).sum().item()
    return right / len(y)


minidl.manual_seed(0)
backbone, letter_head = fresh_backbone(), nn.Linear(4 * WIDTH, len(LETTERS))
reads_letters = nn.Sequential(backbone, letter_head)
letter_x = prepare(letter_pixels)
fit(reads_letters, letter_x[:5500], letter_names[:5500], steps=280, rate=0.005, batch=64)
letters_right = share_right(reads_letters, letter_x[5500:], letter_names[5500:])
print(f"{letters_right:.1%} of 500 new letters read (guessing: {1 / len(LETTERS):.1%});", end=" ")
print(f"the backbone has {sum(p.numel() for p in backbone.parameters()):,} parameters")
assert letters_right > 0.8

# %%
# Freezing
# --------
#
# To freeze a backbone takes *two* steps. ``requires_grad_(False)`` says that its weights want no gradient: the
# optimiser leaves them alone, and the way back ends at the head. But batch normalisation also holds running means and
# variances. No gradient changes these: in training mode they follow whatever comes by. So ``eval()`` is the second
# step. (Keras does both at ``base_model.trainable = False``, so the document needs one line only.)


def frozen_copy(model):
    return copy.deepcopy(model).requires_grad_(False).eval()


def new_head(seed=0):
    minidl.manual_seed(seed)
    return nn.Linear(4 * WIDTH, 10)


def chosen(k, seed=0):
    """The places of k digits of each class among the 4,000."""
    rng, labels = np.random.default_rng(seed), names.numpy()
    return minidl.tensor(np.concatenate([rng.choice(np.flatnonzero(labels == c), k, replace=False) for c in range(10)]))


def state(model):
    """All weights and all running averages, in one row."""
    return np.concatenate([np.ravel(value.numpy()).astype(float) for value in model.state_dict().values()])


digit_x, test_x = prepare(digit_pixels), prepare(test_pixels)
few = chosen(5)
frozen, head = frozen_copy(backbone), new_head()
frozen_before = state(frozen)
fit(nn.Sequential(frozen, head), digit_x[few], names[few], steps=20, rate=0.01)

# %%
# As the backbone stays as it is, it says the same about the same picture each time. So let it speak **once**: write the
# features down, and train the head on the list. It is the same training, at a small part of its price.


def features_of(backbone, x):
    with minidl.no_grad():
        return minidl.cat([backbone(x[i : i + 100]) for i in range(0, len(x), 100)])


digit_features, test_features = features_of(frozen, digit_x), features_of(frozen, test_x)  # (4000, 64), (1000, 64)
same_head = fit(new_head(), digit_features[few], names[few], steps=20, rate=0.01)
apart = np.abs(state(head) - state(same_head)).max()
print(f"the head trained through the backbone, and on the list of features: apart by {apart:.0e}")
assert apart < 1e-4

# %%
# The document's training
# -----------------------
#
# With all 4,000 digits we do as the document does: Adam with a learning rate of 0.001, batches of 32, ten epochs, only
# the head. Its loss is the categorical cross-entropy for one-hot labels, and its reader for folders
# (``class_mode='categorical'``) gives one-hot labels. This fits. With class numbers it is the same loss (lesson 22).

one_hot = F.one_hot(names, 10).float()


def documents_training(head, features, labels):
    optimiser = minidl.optim.Adam(head.parameters(), lr=0.001)
    for _ in range(10):
        for x, y in DataLoader(TensorDataset(features, labels), batch_size=32, shuffle=True):
            optimiser.zero_grad()
            F.cross_entropy(head(x), y).backward()
            optimiser.step()
    return head


def mean_loss(labels):
    with minidl.no_grad():
        return F.cross_entropy(head(digit_features), labels).item()


head = new_head()
head_before = state(head)
loss_start = mean_loss(one_hot)
documents_training(head, digit_features, one_hot)
loss_end = mean_loss(one_hot)
print(f"loss {loss_start:.3f} at the start, {loss_end:.3f} after ten epochs")
reproduce(
    "D1-B.1.2-c",
    frozen_change=np.abs(state(frozen) - frozen_before).max(),
    head_change=np.abs(state(head) - head_before).max(),
    loss_start=loss_start,
    loss_end=loss_end,
    one_hot_error=abs(mean_loss(one_hot) - mean_loss(names)),
)

# %%
# The evaluation is right as well, ``evaluate`` on pictures that were never shown. (The program never says what
# ``num_classes`` is; ours is 10.) We let the whole model read the test digits in batches, and then one by one.

model = nn.Sequential(frozen, head)
test_accuracy = share_right(model, test_x, test_names)
with minidl.no_grad():
    alone = [model(x.unsqueeze(0)).argmax(1).item() for x in test_x]
truth = test_names.numpy()
print(f"Test accuracy: {test_accuracy:.2f}; the head has {sum(p.numel() for p in head.parameters())} parameters")
reproduce(
    "D1-B.1.2-d",
    counted=np.mean([guess == name for guess, name in zip(alone, truth, strict=True)]),
    accuracy=test_accuracy,
    baseline=np.bincount(truth).max() / len(truth),
)

# %%
# A backbone that has never seen a digit, nor anything written by hand, and 650 numbers of our own on top of it.
#
# Few labels
# ----------
#
# With 400 labels a class one could have trained a network from the start. Transfer is for those who have few. Let there
# be 2, 5 or 20 labelled digits of each class. Who reads the 1,000 test digits best?
#
# * **frozen**: the backbone from the letters, and a new head;
# * **fine-tuned**: the same, and then all weights go on learning a little, with a small rate. (The running averages
#   stay in evaluation mode; so few pictures give poor averages.)
# * **from scratch**: the same network with random weights learns everything from the few;
# * **random backbone**: random weights, frozen, only the head learns. If this were as good, the letters would not
#   matter. (It gets right running averages for its norms, else it would be at a needless disadvantage.)
# * **pixels**: no backbone at all, a head on the 784 pixels.
#
# All heads on fixed features learn in the same way. We draw the labelled digits twice.

minidl.manual_seed(1)
random_backbone = fresh_backbone().train()
with minidl.no_grad():
    for i in range(0, 2000, 100):
        random_backbone(letter_x[i : i + 100])
random_backbone.requires_grad_(False).eval()
views = {
    "frozen": (digit_features, test_features),
    "random backbone": (features_of(random_backbone, digit_x), features_of(random_backbone, test_x)),
    "pixels": (digit_x.flatten(1) / 100, test_x.flatten(1) / 100),
}


def head_on(view, at, seed=0):
    """A head, trained on the features of the chosen digits, and its share of right answers."""
    features, test_view = view
    minidl.manual_seed(seed)
    head = fit(nn.Linear(features.shape[1], 10), features[at], names[at], steps=300, rate=0.01, batch=200)
    return head, share_right(head, test_view, test_names)


SIZES, SEEDS = (2, 5, 20), (0, 1)
right = {way: np.zeros((len(SIZES), len(SEEDS))) for way in [*views, "fine-tuned", "from scratch"]}
draws = [(i, j) for i in range(len(SIZES)) for j in range(len(SEEDS))]
for i, j in progress(draws, "few labels"):
    at = chosen(SIZES[i], SEEDS[j])
    for way, view in views.items():
        head, right[way][i, j] = head_on(view, at, SEEDS[j])
        if way == "frozen":
            tuned = nn.Sequential(copy.deepcopy(backbone).eval(), head)
    fit(tuned, digit_x[at], names[at], steps=40, rate=0.0003)
    right["fine-tuned"][i, j] = share_right(tuned, test_x, test_names)
    minidl.manual_seed(SEEDS[j])
    scratch = nn.Sequential(fresh_backbone(), nn.Linear(4 * WIDTH, 10)).train()
    fit(scratch, digit_x[at], names[at], steps=70, rate=0.005)
    right["from scratch"][i, j] = share_right(scratch, test_x, test_names)

print("labelled digits of each class:", *(f"{k:6}" for k in SIZES))
for way, shares in sorted(right.items(), key=lambda item: -item[1].mean()):
    print(f"{way:30}", *(f"{share:6.1%}" for share in shares.mean(axis=1)))
frozen_right, scratch_right, tuned_right = (right[way].mean(axis=1) for way in ("frozen", "from scratch", "fine-tuned"))
assert all(frozen_right[:2] > scratch_right[:2] + 0.15)
assert all(frozen_right > right["pixels"].mean(axis=1) + 0.03)
assert all(frozen_right > right["random backbone"].mean(axis=1) + 0.2)
assert all(right["random backbone"].mean(axis=1) < right["pixels"].mean(axis=1))
assert tuned_right.mean() > frozen_right.mean() - 0.01
assert scratch_right[2] - scratch_right[0] > 2 * (frozen_right[2] - frozen_right[0])

# %%
# With two labelled digits of each class the backbone from the letters reads nearly as well as the network from scratch
# does with twenty. Letters have strokes, corners and loops, and so have digits. It is what was *learned* there that
# helps, not the form of the network: with random weights the same backbone is worse than no backbone. And look how
# steep the curve from scratch is. The more labels one has, the less one gains: when we tried 80 of each class, the two
# were level.
#
# Fine-tuning adds about a point, no more than what separates two draws (the thin lines show that). Its rate must be
# small: with 0.001 in place of 0.0003 it cost six points where there were twenty pictures only. Then the backbone
# learns these twenty by heart and forgets what it had brought along.
#
# Spoken to in the wrong language
# -------------------------------
#
# Now back to ``rescale=1./255``. Our backbone, like that of Keras, expects the mean subtracted and no scaling. We
# repeat the document's training, once with pictures as the backbone knows them, once with pixels divided by 255.
# Nothing else changes, and training and test pictures are treated alike.

wrong_features, wrong_test = features_of(frozen, digit_pixels / 255), features_of(frozen, test_pixels / 255)
spread, wrong_spread = digit_features.std(0).mean().item(), wrong_features.std(0).mean().item()
scaled = {}
for way, features, features_of_test in [
    ("as the backbone expects", digit_features, test_features),
    ("divided by 255", wrong_features, wrong_test),
]:
    head = documents_training(new_head(), features, one_hot)
    scaled[way] = share_right(head, features_of_test, test_names)
    print(f"{way:24} {scaled[way]:.1%} of the test digits right")
print(f"from digit to digit a feature varies by {spread:.2f}, with wrong scaling by {wrong_spread:.4f}")
assert scaled["as the backbone expects"] > 0.85
assert scaled["divided by 255"] < 0.3
assert wrong_spread < spread / 100

# %%
# Guessing, after ten epochs on 4,000 digits. All pictures are nearly the same to the frozen backbone: its features vary
# some hundred times less than they should, too little for a head that learns with this rate. (How much the ResNet-50 of
# Keras would lose, we cannot measure here.) What is left in them? We can amplify it: standardise each feature with mean
# and spread over the training digits.

middle, width = wrong_features.mean(0), wrong_features.std(0) + 1e-6
loud_features, loud_test = ((features - middle) / width for features in (wrong_features, wrong_test))
loud_head = documents_training(new_head(), loud_features, one_hot)
scaled["divided by 255, amplified"] = share_right(loud_head, loud_test, test_names)
print(f"amplified: {scaled['divided by 255, amplified']:.1%}")
assert scaled["divided by 255"] + 0.3 < scaled["divided by 255, amplified"] < scaled["as the backbone expects"] - 0.05

# %%
# So something is left, but it is not what was learned. Inputs this small hardly move any unit across the kink of its
# ReLU. Then the whole backbone is *linear*: the features of a mixture of two pictures are the mixture of their features
# (lesson 03 told why this is little). We measure how far off that is, in parts of the difference of the two.


def bend(prepare):
    with minidl.no_grad():
        one, other = digit_pixels[:200], digit_pixels[-200:]
        f_one, f_other, f_mixed = (frozen(prepare(x)) for x in (one, other, (one + other) / 2))
        return ((f_mixed - (f_one + f_other) / 2).norm() / (f_one - f_other).norm()).item()


wrong_bend, right_bend = bend(lambda pixels: pixels / 255), bend(prepare)
print(f"off from linear: {right_bend:.0%} with the right pictures, {wrong_bend:.0%} with the wrong ones")
assert wrong_bend < 0.15 < 0.5 < right_bend

fig, (left, right_ax) = plt.subplots(1, 2, figsize=(11, 4.3), layout="constrained", width_ratios=[1.5, 1])
colours = ["tab:red", "tab:green", "tab:gray", "tab:blue", "tab:orange"]
for way, colour in zip(["fine-tuned", "frozen", "pixels", "from scratch", "random backbone"], colours, strict=True):
    shares = 100 * right[way]
    left.plot(SIZES, shares.mean(axis=1), "o-", color=colour, label=way)
    left.vlines(SIZES, shares.min(axis=1), shares.max(axis=1), color=colour, linewidth=1)
left.axhline(10, color="black", linewidth=0.8, linestyle=":", label="guessing")
left.set_xscale("log")
left.set_xticks(SIZES, [str(k) for k in SIZES])
left.set_xticks([], minor=True)
left.set(xlabel="labelled digits of each class", ylabel="test digits right, %", ylim=(0, 100), title="Few labels")
left.legend(loc="lower right", ncols=2, fontsize=9)
shares = [100 * share for share in scaled.values()]
bars = right_ax.barh(list(scaled), shares, color=["tab:green", "tab:red", "tab:pink"])
right_ax.bar_label(bars, fmt="%.0f", padding=3)
right_ax.axvline(10, color="black", linewidth=0.8, linestyle=":")
right_ax.invert_yaxis()
right_ax.set(xlabel="test digits right, %", xlim=(0, 105), title="Frozen backbone, all labels, pixels ...")
save_figure(fig, "transfer")

# %%
# Only half frozen
# ----------------
#
# And what if one forgets the second step of freezing? The weights want no gradient, but the backbone stays in training
# mode. We train a head on the fifty digits once more, twenty steps. Then we put the old head for *letters* back on.

half_frozen = copy.deepcopy(backbone).requires_grad_(False).train()
norms = [module for module in half_frozen.modules() if isinstance(module, nn.BatchNorm2d)]
weights_before = [parameter.numpy().copy() for parameter in half_frozen.parameters()]
variances_before = [norm.running_var.numpy().copy() for norm in norms]
fit(nn.Sequential(half_frozen, new_head()), digit_x[few], names[few], steps=20, rate=0.01)
weights_after = [parameter.numpy() for parameter in half_frozen.parameters()]
variances_after = [norm.running_var.numpy() for norm in norms]
drift = max(np.abs(new / old - 1).max() for new, old in zip(variances_after, variances_before, strict=True))
moved = max(np.abs(new - old).max() for new, old in zip(weights_after, weights_before, strict=True))
letters_now = share_right(nn.Sequential(half_frozen, letter_head), letter_x[5500:], letter_names[5500:])
frozen_letters = share_right(nn.Sequential(frozen, letter_head), letter_x[5500:], letter_names[5500:])
print(f"no weight has changed ({moved:.0f}), but a running variance has, by {drift:.0%}")
print(f"letters read: {letters_right:.1%} before, {frozen_letters:.1%} frozen, {letters_now:.1%} half frozen")
assert moved == 0
assert drift > 0.1
assert frozen_letters == letters_right > letters_now + 0.02

# %%
# Nobody has taught it anything, and it reads letters worse than before: the averages have moved over to the digits. If
# one backbone serves several heads, that ruins the others without a sound. Besides, the features of a picture now
# depend on the other pictures of its batch, and a list of features, written down once, would be a list of accidents.
#
# Summary
# -------
#
# * Transfer: a backbone that learned from plenty of labels, frozen, and a new head for the few labels that one has.
# * The printed model lacks the mean over the places; a dense layer on 7 x 7 x 2048 answers 49 times. The printed
#   scaling by 1/255 does not fit the weights. It raises no error and leaves our backbone guessing.
# * Speak to a trained backbone as it was spoken to in its training: order of channels, mean, scale, size.
# * Freezing is ``requires_grad_(False)`` *and* ``eval()``. Frozen features need to be computed only once.
# * With 5 digits of each class: about four in five right with the frozen backbone, one in two from scratch. With more
#   labels, the advantage shrinks.
# * Compare with a random backbone and with no backbone, or you do not know what the transfer was worth.
#
# Next: the first weights of such networks can be looked at. Lesson 28 asks what a network sees.
#
# Exercises
# ---------
#
# ``python -m lessons check 27 my_solution.py`` checks the first three.
#
# 1. (checked) Write ``preprocess(images, means)``: pictures (N, H, W, 3), red, green and blue as whole numbers from 0
#    to 255 *in 8 bits* (``np.uint8``), as files have them; means for blue, green and red. What is 100 - 104 in 8 bits?
# 2. (checked) Write ``class_map(maps, W, b, k)``: for the last maps (C, H, W') of one picture and a head with weights
#    (classes, C) and biases, the map (H, W') of what each place contributes to class k. Its mean is the score.
# 3. (checked) Write ``backbone_parameters(blocks)``: the parameters of a backbone like that of Keras, with so many
#    blocks in its four stages. ResNet-50 has (3, 4, 6, 3), ResNet-101 (3, 4, 23, 3).
# 4. Learn from fewer kinds of letters before the transfer: ten, then two. What is the backbone worth then? Is it the
#    number of pictures or the number of classes that counts?
# 5. Freeze only the first convolution and the first block, and train the rest with 20 digits of each class.
# 6. Exchange ink and paper in all digits (255 minus the pixel). Does the backbone still help? And if you fine-tune?
