"""
A folder of images
==================

Digits come in one file, all of the same size. Photographs come in folders, large and small, upright and wide. How do
they get into a network?

:formulas: D4-5.2-a, D4-5.2-b, D4-5.2-c, D4-5.2-d, D4-5.2-e
:time: 1 min
"""

# %%
# A program in print
# ------------------
#
# Document D4, section 5.2 "源代码详细实现和代码解读" (Source code and explanation), prints a complete program in
# PyTorch: it reads a folder of images, trains a small convolutional network for ten epochs and prints the accuracy on
# the validation images. There are four parts: preparing the images, the model, the training, the evaluation. We build
# all four. The second one will need two repairs.
#
# First we need images. We paint them ourselves: ten kinds of shapes and patterns, given by rules for a point (x, y),
# with x to the right and y downwards from the centre. Each picture has colours, a size and a place of its own, and
# some noise. It is saved where the document's program looks for it, in a folder named after its class::
#
#     train/disc/07.png    val/disc/07.png

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import minidl
import minidl.nn as nn
import minidl.nn.functional as F
from lessons import progress, reproduce, save_figure
from minidl.data import DataLoader, Dataset

minidl.set_num_threads(1)  # the same bits on every run, and no second thread to wait for

shapes = {
    "checks": lambda x, y: np.sin(9 * x) * np.sin(9 * y) > 0,
    "cross": lambda x, y: (np.minimum(abs(x), abs(y)) < 0.2) & (np.maximum(abs(x), abs(y)) < 0.8),
    "disc": lambda x, y: x**2 + y**2 < 0.5,
    "dots": lambda x, y: np.cos(10 * x) + np.cos(10 * y) > 0.7,
    "lying": lambda x, y: np.sin(10 * y) > 0,
    "ring": lambda x, y: abs(np.hypot(x, y) - 0.6) < 0.15,
    "slanted": lambda x, y: np.sin(8 * (x + y)) > 0,
    "square": lambda x, y: np.maximum(abs(x), abs(y)) < 0.6,
    "triangle": lambda x, y: (y < 0.6) & (abs(x) < (y + 0.8) / 2),
    "upright": lambda x, y: np.sin(10 * x) > 0,
}


def paint(shape, rng):
    """A picture (height, width, 3) with numbers from 0 to 1; one unit of x and y is half of the shorter side."""
    height, width = rng.integers(40, 65, 2)
    y, x = np.mgrid[:height, :width]
    unit = min(height, width) / 2 / rng.uniform(0.9, 1.2)
    y = (y - height / 2) / unit + rng.uniform(-0.15, 0.15)
    x = (x - width / 2) / unit + rng.uniform(-0.15, 0.15)
    ink, paper = rng.uniform(0.55, 1.0, 3), rng.uniform(0.0, 0.45, 3)
    picture = np.where(shapes[shape](x, y)[..., None], ink, paper)
    return np.clip(picture + rng.normal(0, 0.04, picture.shape), 0, 1)


folder = tempfile.TemporaryDirectory()
rng = np.random.default_rng(0)
for part, pictures_a_class in [("train", 40), ("val", 15)]:
    for shape in shapes:
        place = Path(folder.name, part, shape)
        place.mkdir(parents=True)
        for number in range(pictures_a_class):
            plt.imsave(place / f"{number:02d}.png", paint(shape, rng))

# %%
# Preparing an image
# ------------------
#
# A batch is one array, so all images must have the same size. The document does four things: ``Resize(256)``,
# ``CenterCrop(224)``, ``ToTensor`` (pixels from 0 to 1, channels first), and ``Normalize``. We write them by hand.
#
# **Resize** makes the *shorter* side as long as asked, and the other one in proportion, so that nothing is stretched.
# A new pixel is a weighted mean of the old pixels near its place. Weights fall off in a straight line, to zero at the
# distance of one pixel, counted in whichever pixels are larger, the old or the new. Rows and columns can be treated one
# after the other, and a weighted mean of rows is a matrix product. So all of it is two matrices, one from the left and
# one from the right.


def resize_matrix(n, m):
    """(m, n): m new pixels as weighted means of n old ones."""
    step = n / m
    centres = (np.arange(m) + 0.5) * step - 0.5  # where the new pixels lie among the old
    weights = np.maximum(0, 1 - abs(np.arange(n) - centres[:, None]) / max(step, 1))
    return weights / weights.sum(axis=1, keepdims=True)


def resize(image, size):
    """(H, W, 3) -> (H', W', 3), where the smaller of H' and W' is ``size``."""
    height, width, _ = image.shape
    shorter = min(height, width)
    rows = resize_matrix(height, size * height // shorter)
    columns = resize_matrix(width, size * width // shorter)
    return np.einsum("ph, hwc, qw -> pqc", rows, image, columns, optimize=True)


# %%
# **CenterCrop** cuts a square out of the middle.


def center_crop(image, size):
    top, left = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
    return image[top : top + size, left : left + size]


# %%
# **Normalize** standardises each channel c, red, green and blue:
#
# .. math:: x'_c = \frac{x_c - \mu_c}{s_c}
#
# with the mean :math:`\mu` = (0.485, 0.456, 0.406) and the spread s = (0.229, 0.224, 0.225). Lesson 12 took these
# numbers from its own training data. Here they come from the photographs of ImageNet, a very large collection, and one
# meets them everywhere. What counts is that inputs are around 0 with a spread of about 1, and that training and
# validation use the *same* numbers. The document does both right.

mean = np.array([0.485, 0.456, 0.406])
spread = np.array([0.229, 0.224, 0.225])


def normalize(image):
    return (image - mean) / spread


wide = resize(rng.uniform(size=(300, 400, 3)), 256)
reproduce(
    "D4-5.2-a",
    resized=wide.shape[:2],
    cropped=center_crop(wide, 224).shape[:2],
    standardised=normalize(np.full((1, 1, 3), 0.5))[0, 0],
)

# %%
# Must it be 224? The second convolution of the network goes from 64 to 128 channels with 3 x 3 kernels and keeps the
# size. For one image of 224 x 224 this alone is


def second_convolution(side):
    return 64 * 128 * 3 * 3 * side * side  # multiply-adds (lesson 23)


print(f"{second_convolution(224):.2e} multiply-adds at 224 x 224, {second_convolution(21):.2e} at 21 x 21")
assert 3.69e9 < second_convolution(224) < 3.70e9

# %%
# and a training step needs about three times that, for each of 32 images. Our pictures show simple things, so we make
# them small, in the document's proportion: 256 to 224 is 8 to 7, and so is 24 to 21.


def prepare(image):
    """(H, W, 3) -> (3, 21, 21)"""
    image = normalize(center_crop(resize(image, 24), 21))
    return np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32)


# %%
# Reading the folder
# ------------------
#
# A data set is anything that knows how many samples it has and can give sample number i. The names of the classes are
# the names of the folders, numbered in the order of the alphabet. An image is only opened when it is asked for: a
# folder may hold more than fits into memory. (PNG files may have a fourth channel, transparency. We leave it out.)


class ImageFolder(Dataset):
    def __init__(self, root, transform):
        self.classes = sorted(place.name for place in Path(root).iterdir() if place.is_dir())
        self.samples = [
            (path, label) for label, name in enumerate(self.classes) for path in sorted(Path(root, name).glob("*.png"))
        ]
        self.transform = transform

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        path, label = self.samples[index]
        return minidl.tensor(self.transform(plt.imread(path)[..., :3])), label


train_set = ImageFolder(Path(folder.name, "train"), prepare)
val_set = ImageFolder(Path(folder.name, "val"), prepare)
train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
val_loader = DataLoader(val_set, batch_size=32, shuffle=False)
assert train_set.classes == val_set.classes == list(shapes)
print(f"{len(train_set)} images to learn from, {len(val_set)} to validate, {len(train_set.classes)} classes")

fig, axes = plt.subplots(2, 10, figsize=(11, 2.9), layout="constrained")
for label, (above, below) in enumerate(axes.T):
    at = 15 * label
    above.imshow(plt.imread(val_set.samples[at][0]))
    below.imshow(val_set[at][0].numpy().transpose(1, 2, 0) * spread + mean)
    above.set_title(val_set.classes[label], fontsize=10)
    for ax in (above, below):
        ax.set(xticks=[], yticks=[])
axes[0, 0].set_ylabel("file")
axes[1, 0].set_ylabel("21 x 21")
save_figure(fig, "prepared")

# %%
# A name that nobody imported
# ---------------------------
#
# Now the model. The document's class calls ``F.relu`` and ``F.adaptive_avg_pool2d``, but the program imports only
# ``torch``, ``torchvision``, ``transforms``, ``nn`` and ``optim``. Python looks a name up when it gets there. So the
# class is defined without complaint, a model is made without complaint, and the first forward pass stops. We keep the
# class as a text and run it twice, without the missing line and with it. (``fc1`` is repaired already; it comes next.)

source = """
class CNNModel(nn.Module):
    def __init__(self):
        super(CNNModel, self).__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1)
        self.conv2 = nn.Conv2d(64, 128, 3, padding=1)
        self.fc1 = nn.Linear(128, 1024)
        self.fc2 = nn.Linear(1024, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.adaptive_avg_pool2d(x, 1)
        x = x.view(x.size(0), -1)
        x = F.relu(self.fc1(x))
        x = self.fc2(x)
        return x
"""


def first_forward_pass(imports):
    """The name of the exception, or "none", and the class."""
    names = {}
    exec(imports + source, names)
    try:
        names["CNNModel"]()(minidl.zeros(2, 3, 21, 21))
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
        return type(error).__name__, names["CNNModel"]
    return "none", names["CNNModel"]


printed_error, _ = first_forward_pass("import minidl.nn as nn\n")
right_error, CNNModel = first_forward_pass("import minidl.nn as nn\nimport minidl.nn.functional as F\n")
reproduce("D4-5.2-c", printed_error=printed_error, right_error=right_error)

# %%
# A layer that does not fit
# -------------------------
#
# The second repair. After the two convolutions there are 128 maps. ``adaptive_avg_pool2d(x, 1)`` takes the mean of each
# whole map, so 128 numbers are left, whatever the size of the image. But the document prints
#
#     ``self.fc1 = nn.Linear(128 * 56 * 56, 1024)``
#
# which expects 401,408. Where does the 56 come from? It is 224 / 4: the maps would be 56 x 56 after two poolings of
# 2 x 2, and flattened without a mean. The program has neither. Two designs have been mixed.
#
# The layer would fill 1.6 gigabytes, so we do not make it. To see what happens it is enough to have a weight of that
# *shape*: ``expand`` shows a single number as often as one likes, without copying it.

minidl.manual_seed(0)
model = CNNModel()
images, labels = next(iter(val_loader))
with minidl.no_grad():
    maps = F.relu(model.conv2(F.relu(model.conv1(images))))  # (32, 128, 21, 21)
    pooled = F.adaptive_avg_pool2d(maps, 1).flatten(1)  # (32, 128)
    try:
        F.linear(pooled, minidl.zeros(1).expand(1024, 128 * 56 * 56))
    except ValueError as error:
        print(error)


def parameters_with(features):
    """The document's network, counted by the rules of lesson 23, with so many features into fc1."""
    convolutions = (64 * 3 * 9 + 64) + (128 * 64 * 9 + 128)
    return convolutions + (1024 * features + 1024) + (10 * 1024 + 10)


right_parameters = sum(p.numel() for p in model.parameters())
assert right_parameters == parameters_with(128)
print(f"parameters: {parameters_with(128 * 56 * 56):,} as printed, {right_parameters:,} as meant")
reproduce(
    "D4-5.2-b",
    pooled=pooled.shape[1],
    right_features=model.fc1.in_features,
    printed_features=128 * 56 * 56,
    right_parameters=right_parameters,
    printed_parameters=parameters_with(128 * 56 * 56),
)

# %%
# Training
# --------
#
# The loop is the one of lesson 12: Adam with a learning rate of 0.001, ten epochs. The loss is ``CrossEntropyLoss``. It
# takes the scores as they are, and integer labels; the model rightly has no softmax at its end. (The explanation in
# section 5.3 says that the loss receives predicted probabilities. It does not: it makes them.)

with minidl.no_grad():
    scores = model(images)
e = np.exp(scores.numpy().astype(float))  # (32, 10)
softmax = e / e.sum(axis=1, keepdims=True)
by_hand = -np.log(softmax[np.arange(len(labels)), labels.numpy()]).mean()
score_error = abs(nn.CrossEntropyLoss()(scores, labels).item() - by_hand)

# %%
# After each epoch the program prints ``running_loss / len(trainloader)``: the mean of the means of the batches. If the
# last batch is smaller, its images count more than the others. With the numbers 0 to 9 in batches of 4, 4 and 2 one
# sees it. For watching a training that is good enough; for a result one would add up and divide once, as in lesson 22.

batches = list(DataLoader(np.arange(10.0), batch_size=4))
mean_of_means = np.mean([batch.mean().item() for batch in batches])
print(f"batches of {[len(batch) for batch in batches]}: mean of means {mean_of_means:.2f}, mean {np.mean(range(10))}")

criterion = nn.CrossEntropyLoss()
optimizer = minidl.optim.Adam(model.parameters(), lr=0.001)


def validate():
    """The share of right answers, as in the document: counted over the batches, divided once."""
    correct = total = 0
    with minidl.no_grad():
        for inputs, labels in val_loader:
            predicted = model(inputs).argmax(1)
            total += labels.size(0)
            correct += (predicted == labels).sum().item()
    return correct / total


losses, accuracies = [], []
for _ in progress(range(10), "training"):
    running_loss = 0.0
    for inputs, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(inputs), labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    losses.append(running_loss / len(train_loader))
    accuracies.append(validate())
reproduce(
    "D4-5.2-d",
    loss_start=losses[0],
    loss_end=losses[-1],
    score_error=score_error,
    mean_of_means=mean_of_means,
    mean=np.mean(range(10)),
)

# %%
# Validation
# ----------
#
# The accuracy, with :math:`o_{ik}` for the score of image i and class k, and :math:`y_i` for the true class, is
#
# .. math:: \frac{1}{N} \sum_i \mathbf 1[\arg\max_k o_{ik} = y_i]
#
# where the bold 1 counts 1 if the bracket is true and else 0. The document adds up over the batches and divides once,
# which is exact although the last batch is smaller. It forgets to switch the model to evaluation, ``model.eval()``;
# here nothing depends on it, as there is no dropout and no batch normalisation (lesson 24). We also count one by one.

truth = np.array([label for _, label in val_set])
with minidl.no_grad():
    guessed = np.array([model(image.unsqueeze(0)).argmax(1).item() for image, _ in val_set])
print(f"Accuracy of the network on the validation images: {100 * accuracies[-1]:.1f}% (guessing: 10%)")
reproduce("D4-5.2-e", counted=np.mean(guessed == truth), accuracy=accuracies[-1])
assert accuracies[-1] > 0.75

table = np.zeros((10, 10), dtype=int)
np.add.at(table, (truth, guessed), 1)
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
epochs = np.arange(1, 11)
left.plot(epochs, losses, "o-", color="tab:blue")
left.set_xlabel("epoch")
left.set_ylabel("mean training loss", color="tab:blue")
other = left.twinx()
other.plot(epochs, 100 * np.array(accuracies), "s-", color="tab:orange")
other.set_ylabel("validation images recognised, %", color="tab:orange")
other.set_ylim(0, 100)
right.imshow(table, cmap="Blues")
for (row, column), count in np.ndenumerate(table):
    if count:
        right.text(column, row, count, ha="center", va="center", color="white" if count > 8 else "black", fontsize=9)
right.set(xticks=range(10), yticks=range(10), xlabel="taken for", ylabel="true class")
right.set_xticklabels(val_set.classes, rotation=60)
right.set_yticklabels(val_set.classes)
save_figure(fig, "result")

# %%
# The table is worth a look. Patterns are found without error, outlined shapes are harder, and the square is hardest:
# most squares are taken for something else. The network is made so that this is no surprise. After two convolutions a
# number has seen 5 x 5 pixels, and the mean over the whole map forgets *where*. What arrives at the dense layers is
# which kinds of little patches there are, and how many. A pattern is a great many patches of one kind. A square is a
# few edges and four corners, and edges are found on other shapes as well.

outlined = [val_set.classes.index(name) for name in ("disc", "ring", "square", "triangle", "cross")]
patterned = [label for label in range(10) if label not in outlined]
found = table.diagonal() / table.sum(axis=1)
print(f"patterns found {found[patterned].mean():.0%}, outlined shapes {found[outlined].mean():.0%}")
assert found[patterned].mean() > found[outlined].mean()

folder.cleanup()

# %%
# Summary
# -------
#
# * Images of all sizes become one array: resize the shorter side, cut the middle out, standardise the channels.
# * A folder for each class is a data set; reading it takes a dozen lines.
# * The document's model needs two repairs: ``import torch.nn.functional as F``, and ``fc1 = Linear(128, 1024)``. As
#   printed it would have 411 million parameters and still not run; as meant it has 218 thousand, and it learns.
# * Its loop and its evaluation are right. What it prints as the loss is a mean of means.
# * A mean over the whole map makes a network small and independent of the size of the image, and it forgets places.
#
# Next: forty labelled images of a class are not many. Lesson 27 brings along what was learned from others.
#
# Exercises
# ---------
#
# 1. (checked) Which mean and spread does *your* folder have? Write ``mean_and_spread(images)`` for a list of images
#    (H, W, 3) of *different* sizes: two arrays (3,), over all pixels of all images. Check it with
#    ``python -m lessons check 26 my_solution.py``.
# 2. (checked) A mirrored photograph is still a photograph. Write ``mirror(images, chosen)`` for images (N, C, H, W) and
#    N truth values: the chosen ones come back with left and right exchanged, the others as they were. Which two classes
#    of this lesson would change places after a quarter turn?
# 3. Train with the numbers of exercise 1 instead of ImageNet's. Does it matter? And with no standardisation at all?
# 4. Repair the model in the other way: two poolings of 2 x 2 instead of the mean, then ``flatten``. How many features
#    go into ``fc1`` for 21 x 21 pixels? Are squares and discs told apart now?
# 5. Make a folder of your own: photographs of two things, thirty of each, saved as PNG. Keep ten of each for ``val``.
