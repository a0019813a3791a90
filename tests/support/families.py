"""One small model of each family, and a few steps of training it, on whatever device: for comparisons of devices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import minidl
import minidl.nn as nn
import minidl.nn.functional as F
from minidl import Tensor, optim
from minidl.data import DataLoader, TensorDataset
from minidl.models.resnet import BasicBlock, Bottleneck
from minidl.nn.utils import clip_grad_norm_, clip_grad_value_

__all__ = ["FAMILIES", "OPTIMIZERS", "SCHEDULERS", "Run", "train"]

CLASSES = 4


class Sequence(nn.Module):
    """A recurrent network over a sequence, and a linear layer on its last output."""

    def __init__(self, recurrent: nn.Module, width: int) -> None:
        super().__init__()
        self.recurrent = recurrent
        self.head = nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.recurrent(x)[0][:, -1])


class Words(nn.Module):
    """A small Transformer encoder over words, with a causal mask and dropout, and a linear layer on their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 16)
        self.positions = nn.SinusoidalPositions(16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1], device=x.device)
        h = self.encoder(self.positions(self.embedding(x)), mask=mask, is_causal=True)
        return self.head(h.mean(1))


class Translation(nn.Module):
    """Encoder and decoder over the same words."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 16)
        self.transformer = nn.Transformer(16, 2, 1, 1, 24, dropout=0.0, batch_first=True)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        h = self.embedding(x)
        return self.head(self.transformer(h, h[:, ::2]).mean(1))


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(48, 16), nn.BatchNorm1d(16), nn.GELU(), nn.Dropout(0.2), nn.Linear(16, CLASSES)
    )


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1, groups=2), nn.GroupNorm(2, 8), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Dropout(0.1), nn.Linear(8, CLASSES),
    )  # fmt: skip


def resnet() -> nn.Module:
    """A basic block, and a bottleneck that changes width and resolution."""
    shortcut = nn.Sequential(nn.Conv2d(6, 16, 1, stride=2, bias=False), nn.BatchNorm2d(16))
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), BasicBlock(6, 6), Bottleneck(6, 4, 2, shortcut), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(16, CLASSES),
    )  # fmt: skip


def images(count: int) -> Tensor:
    return minidl.randn(count, 3, 4, 4)


def signals(count: int) -> Tensor:
    return minidl.randn(count, 6, 5)


def words(count: int) -> Tensor:
    return minidl.randint(0, 11, (count, 6))


FAMILIES: dict[str, tuple[Callable[[], nn.Module], Callable[[int], Tensor]]] = {
    "MLP": (mlp, images),
    "CNN": (cnn, images),
    "ResNet": (resnet, images),
    "RNN": (lambda: Sequence(nn.RNN(5, 8, batch_first=True), 8), signals),
    "LSTM": (lambda: Sequence(nn.LSTM(5, 8, 2, batch_first=True, dropout=0.1, bidirectional=True), 16), signals),
    "GRU": (lambda: Sequence(nn.GRU(5, 8, batch_first=True), 8), signals),
    "Transformer encoder": (Words, words),
    "Transformer": (Translation, words),
}

OPTIMIZERS: dict[str, Callable[[Any], optim.Optimizer]] = {
    "SGD": lambda p: optim.SGD(p, 0.1),
    "SGD with momentum": lambda p: optim.SGD(p, 0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda p: optim.Adam(p, 0.01, amsgrad=True),
    "AdamW": lambda p: optim.AdamW(p, 0.01, weight_decay=0.1),
    "Adagrad": lambda p: optim.Adagrad(p, 0.05, lr_decay=0.1),
    "RMSprop": lambda p: optim.RMSprop(p, 0.01, centered=True, momentum=0.5),
}

SCHEDULERS: dict[str, Callable[[optim.Optimizer], Any]] = {
    "StepLR": lambda o: optim.lr_scheduler.StepLR(o, 2),
    "MultiStepLR": lambda o: optim.lr_scheduler.MultiStepLR(o, [1, 3]),
    "ExponentialLR": lambda o: optim.lr_scheduler.ExponentialLR(o, 0.9),
    "LinearLR": lambda o: optim.lr_scheduler.LinearLR(o, total_iters=3),
    "CosineAnnealingLR": lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 4),
    "LambdaLR": lambda o: optim.lr_scheduler.LambdaLR(o, lambda step: 1 / (1 + step)),
    "ReduceLROnPlateau": lambda o: optim.lr_scheduler.ReduceLROnPlateau(o, patience=0),
}


@dataclass
class Run:
    """A training as it stands: the model, what trains it, and the losses so far."""

    model: nn.Module
    optimizer: optim.Optimizer
    scheduler: Any
    loader: DataLoader
    losses: list[float] = field(default_factory=list)

    def state(self) -> dict[str, Any]:
        """All that a checkpoint needs to go on."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "random": minidl.get_rng_state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        minidl.set_rng_state(state["random"])

    def epoch(self, device: str) -> None:
        for x, target in self.loader:
            self.losses.append(self.step(x.to(device), target.to(device)).item())
        mean = sum(self.losses) / len(self.losses)
        self.scheduler.step(*[mean] * isinstance(self.scheduler, optim.lr_scheduler.ReduceLROnPlateau))

    def step(self, x: Tensor, target: Tensor) -> Tensor:
        """One step of training, clipped in both ways; the loss is left on its device."""
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(x), target, label_smoothing=0.1)
        loss.backward()
        clip_grad_norm_(self.model.parameters(), 1.0)
        clip_grad_value_(self.model.parameters(), 0.1)
        self.optimizer.step()
        return loss


def train(family: str, device: str, optimizer: str = "AdamW", scheduler: str = "StepLR", epochs: int = 1) -> Run:
    """A model of the family, with the same numbers on every device, trained on 20 samples in shuffled batches of 6."""
    minidl.manual_seed(0)
    build, draw = FAMILIES[family]
    model = build()
    data = TensorDataset(draw(20), minidl.randint(0, CLASSES, (20,)))
    model.to(device)
    learner = OPTIMIZERS[optimizer](model.parameters())
    run = Run(model, learner, SCHEDULERS[scheduler](learner), DataLoader(data, batch_size=6, shuffle=True))
    for _ in range(epochs):
        run.epoch(device)
    return run
