"""The convolutional networks of the benchmarks, each written once for both libraries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np


def digits(lib, batch: int = 64) -> Callable[[], object]:
    """One step of Adam on the network of document D3, 93,322 parameters, on images of 1 x 28 x 28."""
    nn = lib.nn
    model = nn.Sequential(
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
    return training(lib, model, lib.optim.Adam(model.parameters()), (batch, 1, 28, 28))


def resnet18(lib, batch: int = 32) -> Callable[[], object]:
    """One step of gradient descent with momentum on ResNet-18 with 10 classes, on images of 3 x 32 x 32."""
    model = models_of(lib)["resnet18"](num_classes=10)
    optimizer = lib.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    return training(lib, model, optimizer, (batch, 3, 32, 32))


NETWORKS = {"digits": digits, "resnet18": resnet18}


def models_of(lib) -> dict:
    """The functions of ``minidl/models/resnet.py``, made of the layers of the library."""
    source = (Path(__file__).parents[2] / "minidl" / "models" / "resnet.py").read_text(encoding="utf-8")
    source = source.replace(
        "from .. import nn\nfrom ..autograd import Tensor\n", f"from {lib.__name__} import Tensor, nn\n"
    )
    names: dict = {}
    exec(source, names)
    return names


def training(lib, model, optimizer, shape: tuple[int, ...]) -> Callable[[], object]:
    """A whole training step, on the same images and from the same weights in both libraries."""
    rng = np.random.default_rng(0)
    with lib.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
            elif len(parameter.shape) > 1:  # the weights of norms stay at 1
                spread = float(np.prod(parameter.shape[1:])) ** -0.5
                parameter.copy_(lib.from_numpy(rng.normal(0, spread, tuple(parameter.shape)).astype(np.float32)))
    x = lib.from_numpy(rng.standard_normal(shape).astype(np.float32))
    y = lib.from_numpy(rng.integers(0, 10, shape[0]))

    def step():
        optimizer.zero_grad()
        loss = lib.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step
