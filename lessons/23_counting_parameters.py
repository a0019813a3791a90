"""
Counting parameters
===================

How large are the famous early networks LeNet and AlexNet? Where do their weights sit, and where is the work done?

:formulas: D3-1-a
:time: 15 s
"""

# %%
# A claim
# -------
#
# Document D3, section 1 "背景介绍" (Background), says that early models such as LeNet and AlexNet "只包含几千个参数",
# contain only a few thousand parameters. No formula goes with it, but we need none: the papers describe both networks
# layer by layer, and we know how to count (lessons 02, 20 and 21).
#
# The rules
# ---------
#
# * A dense layer from n to m numbers has a weight for each pair and a bias for each output: :math:`n m + m`. For one
#   example it multiplies and adds once for each weight: n m **multiply-adds**.
# * A convolution from C to J channels has J kernels of C x K x K weights, and J biases: :math:`J C K^2 + J`. The size
#   of the image does not enter. But each weight is used once at *every place* of the map: :math:`J C K^2` times the
#   number of places.
# * A place is where the window fits: :math:`\lfloor (H + 2P - K)/S \rfloor + 1` of them in each direction, with the
#   padding P and the stride S.
# * Pooling has no weights, and its work is so small that nobody counts it.
#
# A small class follows the shape (channels, height, width) from layer to layer and keeps the books.

from math import prod

import matplotlib.pyplot as plt
import numpy as np

import minidl
import minidl.nn as nn
from lessons import reproduce, save_figure
from minidl.data import MNIST5K


class Books:
    """For each layer of a network: its name, the shape it puts out, its parameters and its multiply-adds."""

    def __init__(self, *shape):
        self.shape = shape
        self.rows = []

    def enter(self, name, shape, parameters, work):
        self.shape = shape
        self.rows.append((name, shape, parameters, work))

    def convolution(self, name, maps, kernel, stride=1, padding=0):
        channels, *sides = self.shape
        places = [(side + 2 * padding - kernel) // stride + 1 for side in sides]
        weights = maps * channels * kernel**2
        self.enter(name, (maps, *places), weights + maps, weights * prod(places))

    def pooling(self, name, window, stride):
        channels, *sides = self.shape
        self.enter(name, (channels, *((side - window) // stride + 1 for side in sides)), 0, 0)

    def dense(self, name, outputs):
        weights = prod(self.shape) * outputs  # flattened first, where there are maps
        self.enter(name, (outputs,), weights + outputs, weights)

    def total(self, column, names=None):
        return sum(row[column] for row in self.rows if names is None or row[0] in names)

    def show(self):
        for name, shape, parameters, work in self.rows:
            print(f"{name:6}{' x '.join(map(str, shape)):>16}{parameters:14,}{work:16,}")
        print(f"{'total':22}{self.total(PARAMETERS):14,}{self.total(WORK):16,}")


PARAMETERS, WORK = 2, 3  # columns

# %%
# LeNet-5
# -------
#
# It was published in 1998 by LeCun, Bottou, Bengio and Haffner ("Gradient-based learning applied to document
# recognition") and read the digits on cheques. An image of 32 x 32 goes in. The letters of the layers stand for
# convolution, subsampling (pooling) and fully connected; the numbers just count on:
#
# ===== ============================================== =============
# layer what it does                                   puts out
# ===== ============================================== =============
# C1    6 kernels 5 x 5                                6 x 28 x 28
# S2    mean of 2 x 2, times a weight, plus a bias     6 x 14 x 14
# C3    16 maps, kernels 5 x 5, *not* all connections  16 x 10 x 10
# S4    as S2                                          16 x 5 x 5
# C5    120 maps, kernels 5 x 5                        120 x 1 x 1
# F6    84 units                                       84
# ===== ============================================== =============
#
# Some layers do not follow our rules. The pooling of that time had two numbers to learn for each map. And in C3 a map
# does not look at all six maps below it. A table in the paper says at which: six maps look at three neighbours each,
# six at four neighbours, three at two pairs with a gap between, and the last one at all. (Neighbours go round: after
# map 5 comes map 0.) So the maps of C3 are pushed to become different, and some weights are saved.

neighbours = [[(first + i) % 6 for i in range(3)] for first in range(6)]
neighbours += [[(first + i) % 6 for i in range(4)] for first in range(6)]
neighbours += [[(first + i) % 6 for i in (0, 1, 3, 4)] for first in range(3)]
neighbours += [list(range(6))]
connected = np.zeros((6, 16), dtype=bool)  # connected[k, j]: does map j of C3 look at map k of S2?
for j, maps_below in enumerate(neighbours):
    connected[maps_below, j] = True
for row in connected:
    print(" ".join("x" if yes else "." for yes in row))
assert connected.sum() == 60
assert connected.sum(axis=1).tolist() == [10] * 6  # every map below is used ten times

# %%
# Now the books. For C3 we count kernels, not pairs: 60 kernels of 25 weights, and 16 biases.

lenet = Books(1, 32, 32)
lenet.convolution("C1", 6, 5)
lenet.enter("S2", (6, 14, 14), 2 * 6, 6 * 14 * 14)
lenet.enter("C3", (16, 10, 10), int(connected.sum()) * 25 + 16, int(connected.sum()) * 25 * 10 * 10)
lenet.enter("S4", (16, 5, 5), 2 * 16, 16 * 5 * 5)
lenet.convolution("C5", 120, 5)
lenet.dense("F6", 84)
lenet.show()

# %%
# Behind F6 stand ten output units that compare its 84 numbers with ten little pictures of 7 x 12 pixels, one for each
# digit. These were drawn by hand and stayed fixed. So they are no parameters: 60,000 is the number that the paper gives
# as well.
#
# It gives a second number, 340,908 connections: every use of a weight or bias at every place, with the 84 x 10 of the
# output units. If our shapes were wrong somewhere, we would miss it.

connections = {
    "C1": 6 * (25 + 1) * 28 * 28,
    "S2": 6 * (4 + 1) * 14 * 14,  # four numbers and a bias
    "C3": (int(connected.sum()) * 25 + 16) * 10 * 10,
    "S4": 16 * (4 + 1) * 5 * 5,
    "C5": 120 * (16 * 25 + 1),
    "F6": 84 * (120 + 1),
    "output": 10 * 84,
}
print(f"connections: {sum(connections.values()):,}")
assert sum(connections.values()) == 340_908

# %%
# Counting on paper is one thing. Does such a network run, with these arrays and no others? We make the arrays, send a
# digit through, and add up how many numbers the arrays hold. (LeNet-5 squashes with a stretched tanh after every layer;
# we leave out the stretching.)

rng = np.random.default_rng(0)
C1, S2, S4 = rng.normal(size=(6, 5, 5)), rng.normal(size=6), rng.normal(size=16)
C3 = {(k, j): rng.normal(size=(5, 5)) for k, j in np.argwhere(connected).tolist()}  # a kernel for each connection
C5, F6 = rng.normal(size=(120, 16, 5, 5)), rng.normal(size=(84, 120))
bias = {name: rng.normal(size=size) for name, size in dict(C1=6, S2=6, C3=16, S4=16, C5=120, F6=84).items()}


def slide(f, g):
    """(H, W), (K, L) -> (H - K + 1, W - L + 1): the convolution of lesson 20, for a single map and kernel."""
    return np.einsum("pquv,uv->pq", np.lib.stride_tricks.sliding_window_view(f, g.shape), g)


def subsample(maps, weights, biases):
    """(J, H, W) -> (J, H / 2, W / 2): pooling as it was done then."""
    J, H, W = maps.shape
    means = maps.reshape(J, H // 2, 2, W // 2, 2).mean(axis=(2, 4))
    return np.tanh(weights[:, None, None] * means + biases[:, None, None])


digit = np.pad(MNIST5K(train=True).data[1606].numpy() / 255, 2)  # 28 x 28 with a margin: (32, 32)
c1 = np.tanh([slide(digit, g) + b for g, b in zip(C1, bias["C1"], strict=True)])
s2 = subsample(c1, S2, bias["S2"])
c3 = np.tanh([sum(slide(s2[k], C3[k, j]) for k in neighbours[j]) + bias["C3"][j] for j in range(16)])
s4 = subsample(c3, S4, bias["S4"])
c5 = np.tanh(np.einsum("jkuv,kuv->j", C5, s4) + bias["C5"])  # the window fits in one place only
f6 = np.tanh(F6 @ c5 + bias["F6"])

arrays = [C1, S2, *C3.values(), S4, C5, F6, *bias.values()]
print("shapes:", *(maps.shape for maps in (c1, s2, c3, s4, c5, f6)))
print(f"numbers in all arrays: {sum(array.size for array in arrays):,}")
assert sum(array.size for array in arrays) == lenet.total(PARAMETERS)
for maps, (name, shape, _, _) in zip([c1, s2, c3, s4, c5, f6], lenet.rows, strict=True):
    assert maps.size == prod(shape), name

# %%
# AlexNet
# -------
#
# Fourteen years later, AlexNet by Krizhevsky, Sutskever and Hinton won the ImageNet competition of 2012: photographs of
# 224 x 224 pixels in three colours, a thousand classes. It was spread over two graphics cards. The form that libraries
# offer today fits on one; Krizhevsky described it in 2014 ("One weird trick for parallelizing convolutional neural
# networks"). Its pooling windows overlap: 3 x 3 with a stride of 2.

alexnet = Books(3, 224, 224)
alexnet.convolution("conv1", 64, 11, stride=4, padding=2)
alexnet.pooling("pool1", 3, 2)
alexnet.convolution("conv2", 192, 5, padding=2)
alexnet.pooling("pool2", 3, 2)
alexnet.convolution("conv3", 384, 3, padding=1)
alexnet.convolution("conv4", 256, 3, padding=1)
alexnet.convolution("conv5", 256, 3, padding=1)
alexnet.pooling("pool5", 3, 2)
alexnet.dense("fc6", 4096)
alexnet.dense("fc7", 4096)
alexnet.dense("fc8", 1000)
alexnet.show()

reproduce("D3-1-a", lenet=lenet.total(PARAMETERS), alexnet=alexnet.total(PARAMETERS))

# %%
# Sixty thousand and sixty-one million: the claim is too small by a factor of ten and of ten thousand. What about the
# original of 2012? It had more maps, but in three layers the maps of one card did not see those of the other. So the
# kernels there have half as many channels. The paper says 60 million:

kernels_2012 = {
    "conv1": (96, 3 * 11**2),  # kernels, weights of each
    "conv2": (256, 96 // 2 * 5**2),
    "conv3": (384, 256 * 3**2),  # here both cards see everything
    "conv4": (384, 384 // 2 * 3**2),
    "conv5": (256, 384 // 2 * 3**2),
    "fc6": (4096, 256 * 6 * 6),
    "fc7": (4096, 4096),
    "fc8": (1000, 4096),
}
original = sum(kernels * (weights + 1) for kernels, weights in kernels_2012.values())
print(f"AlexNet on two cards: {original:,} parameters")
assert 60e6 < original < 61e6

# %%
# Where could "a few thousand" come from? The ancestor of LeNet-5 read postal codes in 1989. It had two layers of 12
# maps with 5 x 5 kernels and stride 2, where each unit had a bias of its own (64 units a map, then 16), and each map
# of the second layer looked at 8 of the first. Then came 30 units, and ten.

layer_1 = 12 * 25 + 12 * 64
layer_2 = 12 * (8 * 25) + 12 * 16
layer_3 = (12 * 16) * 30 + 30
layer_4 = 30 * 10 + 10
ancestor = layer_1 + layer_2 + layer_3 + layer_4
print(f"the network of 1989: {layer_1:,} + {layer_2:,} + {layer_3:,} + {layer_4:,} = {ancestor:,} parameters")
assert ancestor == 9760  # as its authors say

# %%
# Where the weights sit, and where the work is
# --------------------------------------------
#
# The totals hide the most interesting thing. Look at both columns of AlexNet again, first the convolutions, then the
# dense layers.

dense_layers, conv_layers = {"fc6", "fc7", "fc8"}, {"conv1", "conv2", "conv3", "conv4", "conv5"}
for kind, names in [("convolutions", conv_layers), ("dense layers", dense_layers)]:
    weights = alexnet.total(PARAMETERS, names) / alexnet.total(PARAMETERS)
    work = alexnet.total(WORK, names) / alexnet.total(WORK)
    print(f"AlexNet, {kind}: {weights:.0%} of the parameters, {work:.0%} of the multiply-adds")
assert alexnet.total(PARAMETERS, dense_layers) > 0.95 * alexnet.total(PARAMETERS)
assert alexnet.total(WORK, conv_layers) > 0.9 * alexnet.total(WORK)

fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained", width_ratios=[1, 1.3])
for ax, title, books in zip(axes, ["LeNet-5", "AlexNet"], [lenet, alexnet], strict=True):
    rows = [row for row in books.rows if row[WORK]]  # pooling without weights has nothing to show
    height = np.arange(len(rows))
    for column, name, colour, offset in [
        (PARAMETERS, "parameters", "tab:blue", -0.2),
        (WORK, "multiply-adds", "tab:orange", 0.2),
    ]:
        share = np.array([row[column] for row in rows]) / books.total(column) * 100
        total = books.total(column)
        label = f"{name}: {total:,}" if total < 1e6 else f"{name}: {total / 1e6:.1f} million"
        ax.barh(height + offset, share, 0.4, color=colour, label=label)
    ax.set(title=title, xlabel="share of the whole network, %", xlim=(0, 100))
    ax.set_yticks(height, [row[0] for row in rows])
    ax.invert_yaxis()
    ax.legend(loc="lower right" if title == "AlexNet" else "upper right")
save_figure(fig, "weights_and_work")

# %%
# Weights sit in the dense layers, work is done in the convolutions. The reason is in the rules: a convolution uses each
# weight at all its places, a dense layer uses it once. The first dense layer alone, from the 9,216 numbers of the last
# maps to 4,096 units, has more than half of all parameters. (C5 of LeNet-5 is called a convolution in the paper, but
# its window fits in one place only, and so it is a dense layer too.)
#
# This is why later networks do without large dense layers. Keep the mean of each of the 256 last maps (lesson 21), and
# go to the thousand classes from there:

slim = alexnet.total(PARAMETERS, conv_layers) + 256 * 1000 + 1000
print(f"AlexNet's convolutions with mean pooling behind them: {slim:,} parameters")
assert slim < alexnet.total(PARAMETERS) / 20

# %%
# What it takes to train
# ----------------------
#
# A number in single precision takes 4 bytes. While training, each parameter needs its gradient and, with Adam (lesson
# 13), two running means: four numbers. That much is needed once. And for *each image* of a batch, what every layer puts
# out must be kept until the way back has used it. (Libraries may keep a little more, or less where ReLU and pooling
# write over their input.)

MB = 1e6
batch_outweighs_parameters = {}
for name, books, image in [("LeNet-5", lenet, 32 * 32), ("AlexNet", alexnet, 3 * 224 * 224)]:
    weights = 4 * books.total(PARAMETERS)
    outputs = 4 * (image + sum(prod(row[1]) for row in books.rows))
    print(
        f"{name}: weights {weights / MB:.2f} MB, with gradients and Adam {4 * weights / MB:.2f} MB; "
        f"one image {outputs / MB:.3f} MB, 128 images {128 * outputs / MB:.1f} MB"
    )
    batch_outweighs_parameters[name] = 128 * outputs > 4 * weights
assert batch_outweighs_parameters == {"LeNet-5": True, "AlexNet": False}

# %%
# For the large network, the parameters take more room than a batch of images; for the small one it is the other way
# round, as for most networks that consist of convolutions only.
#
# The engine counts the same
# --------------------------
#
# To end with, the whole AlexNet as a model, with all its 244 megabytes. One image of noise goes through, and after each
# layer we note the shape.

model = nn.Sequential(
    nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, stride=2),
    nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, stride=2),
    nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
    nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
    nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, stride=2),
    nn.Flatten(),
    nn.Linear(9216, 4096), nn.ReLU(),
    nn.Linear(4096, 4096), nn.ReLU(),
    nn.Linear(4096, 1000),
)  # fmt: skip

x = minidl.randn(1, 3, 224, 224)
shapes = []
with minidl.no_grad():
    for layer in model:
        x = layer(x)
        if not isinstance(layer, (nn.ReLU, nn.Flatten)):
            shapes.append(tuple(x.shape[1:]))
parameters = sum(parameter.numel() for parameter in model.parameters())
print(f"{parameters:,} parameters;", " -> ".join("x".join(map(str, shape)) for shape in shapes))
assert parameters == alexnet.total(PARAMETERS)
assert shapes == [shape for _, shape, _, _ in alexnet.rows]

# %%
# Summary
# -------
#
# * Dense: :math:`n m + m` parameters. Convolution: :math:`J C K^2 + J`, whatever the size of the image.
# * A dense layer uses each weight once, a convolution once at every place.
# * LeNet-5 has 60,000 parameters, AlexNet about 61 million. "A few thousand" is right for the network of 1989 only.
# * In AlexNet 96 % of the weights sit in the three dense layers, and 92 % of the work is done in the five convolutions.
# * Training needs several numbers for each parameter, and everything that the layers put out, for each image.
#
# Next: with many layers it is hard to keep the signals at one size. Lesson 24 does so in every layer.
#
# Exercises
# ---------
#
# 1. (checked) Write ``count(layers, shape)`` for a list of layers such as ``("conv", maps, kernel, stride, padding)``,
#    ``("pool", window, stride)`` and ``("dense", outputs)`` and the shape (channels, height, width) of the input. It
#    returns two numbers: parameters and multiply-adds. Check it with ``python -m lessons check 23 my_solution.py``.
#    Then count VGG-16: 13 convolutions 3 x 3 with padding 1, of 64, 64, 128, 128, three times 256, and six times 512
#    maps, a 2 x 2 pooling with stride 2 after the 2nd, 4th, 7th, 10th and 13th, and at the end AlexNet's dense layers.
# 2. (checked) How many pixels in a row does one number of C5 depend on? Write ``receptive_field(layers)`` for a list of
#    pairs (kernel or window, stride), from the first layer to the last.
# 3. Most programs that are called LeNet-5 today have 61,706 parameters. They connect all maps in C3, have no weights in
#    their pooling, and learn the last layer. Count them.
# 4. Send photographs of 448 x 448 through AlexNet. Which of its numbers of parameters change, and which numbers of
#    multiply-adds?
