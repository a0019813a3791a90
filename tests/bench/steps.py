"""Training steps against PyTorch eager: the same weights and data, one process, in turn.

python tests/bench/steps.py                  # the verdict: one thread
python tests/bench/steps.py --threads 2      # reported beside it
python tests/bench/steps.py --others mlp     # JAX, autograd, MyGrad and tinygrad beside, where they install
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import harness

options = harness.arguments(__doc__.splitlines()[0])

import numpy as np
import torch
from others import OTHERS

import minidl

SMALL, LARGE = (784, 256, 128, 10), (784, 1024, 1024, 10)


def weights(sizes: tuple[int, ...]) -> list[np.ndarray]:
    """PyTorch's default initialisation, as arrays: weight, bias, weight, bias, ..."""
    rng = np.random.default_rng(0)
    arrays = []
    for n_in, n_out in pairwise(sizes):
        bound = n_in**-0.5
        arrays.append(rng.uniform(-bound, bound, (n_out, n_in)).astype(np.float32))
        arrays.append(rng.uniform(-bound, bound, n_out).astype(np.float32))
    return arrays


def mlp(lib, sizes: tuple[int, ...], batch: int):
    """One step of Adam on a multilayer perceptron, written once for both libraries."""
    nn, rng = lib.nn, np.random.default_rng(1)
    layers = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    with lib.no_grad():
        for parameter, array in zip(model.parameters(), weights(sizes), strict=True):
            parameter.copy_(lib.from_numpy(array))
    optimizer = lib.optim.Adam(model.parameters())
    x = lib.from_numpy(rng.standard_normal((batch, sizes[0])).astype(np.float32))
    y = lib.from_numpy(rng.integers(0, sizes[-1], batch))

    def step():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def chain(lib, length: int = 1000):
    """A sum of one number with itself, over and over: the price of a node."""
    x = lib.ones(1, requires_grad=True)

    def step():
        x.grad = None
        y = x
        for _ in range(length):
            y = y + x
        y.sum().backward()

    return step


def check(sizes: tuple[int, ...], batch: int) -> None:
    """Both libraries must have computed the same thing before their times are compared."""
    ours, theirs = mlp(minidl, sizes, batch), mlp(torch, sizes, batch)
    for _ in range(3):
        a, b = ours().item(), theirs().item()
        if abs(a - b) > 1e-4 * abs(b):
            raise SystemExit(f"the losses differ: minidl {a}, torch {b}")


harness.report_libraries(options.threads)
rows = [("chain of 1,000 additions", chain, (), 1.5)]
rows += [
    (f"mlp 784-256-128-10, batch {batch}", mlp, (SMALL, batch), goal)
    for batch, goal in [(1, 0.7), (64, 0.7), (512, 0.9)]
]
rows += [("mlp 784-1024-1024-10, batch 256", mlp, (LARGE, 256), 1.0)]
for name, make, given, goal in rows:
    if options.rows and not any(word in name for word in options.rows):
        continue
    if make is mlp:
        check(*given)
    contestants = {"torch": make(torch, *given), "minidl": make(minidl, *given)}
    if options.others and make is mlp:
        contestants |= {
            who: step for who, other in OTHERS.items() if (step := other(weights(given[0]), given[1])) is not None
        }
    harness.alternate(name, contestants, options.seconds, goal)
