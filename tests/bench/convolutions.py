"""Single convolutions, forward and backward, against PyTorch eager: the same arrays, one process, in turn.

python tests/bench/convolutions.py                  # the verdict: one thread
python tests/bench/convolutions.py --threads 2      # reported beside it
python tests/bench/convolutions.py 32x32            # only rows whose name contains one of these words

``arrays`` are the three compiled functions alone on arrays whose channels lie last in memory, as they do inside of a
network; ``minidl`` is F.conv2d and its backward pass on tensors, with the layout that PyTorch's tensors have.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import harness

options = harness.arguments(__doc__.splitlines()[0])

import numpy as np
import torch

import minidl
from kernels.cpu import convolution, sums
from kernels.cpu.convolution import Windows

# images, channels, size of the image, outputs, kernel, stride, padding
SHAPES = [
    (64, 1, 28, 32, 3, 1, 0),
    (64, 32, 13, 64, 3, 1, 0),
    (64, 64, 5, 64, 3, 1, 0),
    (32, 64, 32, 64, 3, 1, 0),
    (16, 128, 28, 128, 3, 1, 0),
    (32, 64, 8, 64, 3, 1, 1),
    (32, 64, 8, 128, 3, 2, 1),
    (32, 64, 8, 128, 1, 2, 0),
    (32, 128, 4, 128, 3, 1, 1),
    (32, 256, 2, 256, 3, 1, 1),
    (32, 512, 1, 512, 3, 1, 1),
]


def numbers(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def layer(lib, images, channels, size, outputs, kernel, stride, padding):
    """conv2d with bias, and its whole backward pass, written once for both libraries."""
    x = lib.from_numpy(numbers(0, images, channels, size, size)).requires_grad_()
    w = lib.from_numpy(numbers(1, outputs, channels, kernel, kernel)).requires_grad_()
    b = lib.from_numpy(numbers(2, outputs)).requires_grad_()
    settings = dict(stride=stride, padding=padding)
    y = lib.nn.functional.conv2d(x, w, b, **settings)
    g = lib.from_numpy(numbers(3, *y.shape))

    def step():
        x.grad = w.grad = b.grad = None
        lib.nn.functional.conv2d(x, w, b, **settings).backward(g)
        return x.grad, w.grad, b.grad

    return step


def arrays(images, channels, size, outputs, kernel, stride, padding):
    """The same on arrays, by the kernels alone."""
    count = (size + 2 * padding - kernel) // stride + 1
    pairs = ((n, n) for n in (size, kernel, stride, padding, 1, count))
    at = Windows(*pairs)
    x, g = (
        np.ascontiguousarray(numbers(seed, images, c, n, n).transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        for seed, c, n in ((0, channels, size), (3, outputs, count))
    )
    w, b = numbers(1, outputs, channels, kernel, kernel), numbers(2, outputs)

    def step():
        convolution.forward(x, w, b, at)
        return convolution.input_gradient(g, w, None, at), convolution.weight_gradient(x, g, at), g.sum((0, 2, 3))

    return step


def check(theirs, *ours) -> None:
    """All must have computed the same thing before their times are compared."""
    wanted = [gradient.numpy() for gradient in theirs()]
    for step in ours:
        for want, got in zip(wanted, step(), strict=True):
            got = got if isinstance(got, np.ndarray) else got.numpy()
            error = np.abs(want - got).max() / np.abs(want).max()
            if error > 1e-4:
                raise SystemExit(f"the gradients differ by {error:.0e}")


harness.report_libraries(options.threads)
if not sums.ready():
    raise SystemExit("the compiled kernels do not work here")
for shape in SHAPES:
    images, channels, size, outputs, kernel, stride, padding = shape
    name = f"{images}x{channels}x{size}x{size} -> {outputs}, {kernel}x{kernel}/{stride} pad {padding}"
    if options.rows and not any(word in name for word in options.rows):
        continue
    steps = {"torch": layer(torch, *shape), "arrays": arrays(*shape), "minidl": layer(minidl, *shape)}
    check(*steps.values())
    harness.alternate(name, steps, options.seconds, 1.0)
