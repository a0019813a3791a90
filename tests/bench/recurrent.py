"""Recurrent layers against PyTorch eager, forward and backward: the same weights and data, one process, in turn.

python tests/bench/recurrent.py              # the verdict: one thread
python tests/bench/recurrent.py LSTM         # one of them
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

BATCH, LENGTH, INPUT, HIDDEN = 32, 64, 128, 128


def layer(lib, name: str):
    """One pass through a layer and back, written once for both libraries; returns the gradients."""
    rng = np.random.default_rng(0)
    module = getattr(lib.nn, name)(INPUT, HIDDEN)
    with lib.no_grad():
        for parameter in module.parameters():
            values = rng.uniform(-1, 1, tuple(parameter.shape)) / HIDDEN**0.5
            parameter.copy_(lib.from_numpy(values.astype(np.float32)))
    x = lib.from_numpy(rng.standard_normal((LENGTH, BATCH, INPUT)).astype(np.float32)).requires_grad_()
    g = lib.from_numpy(rng.standard_normal((LENGTH, BATCH, HIDDEN)).astype(np.float32))
    leaves = [x, *module.parameters()]

    def step():
        for leaf in leaves:
            leaf.grad = None
        output, _ = module(x)
        output.backward(g)
        return [leaf.grad for leaf in leaves]

    return step


def check(name: str) -> None:
    """Both libraries must have computed the same gradients before their times are compared."""
    for i, (ours, theirs) in enumerate(zip(layer(minidl, name)(), layer(torch, name)(), strict=True)):
        difference, size = abs(ours.numpy() - theirs.numpy()).max(), abs(theirs.numpy()).max()
        if difference > 1e-5 * size:
            raise SystemExit(f"{name}: gradient {i} differs by {difference} (largest value {size})")


harness.report_libraries(options.threads)
for name in ("LSTM", "GRU", "RNN"):
    if options.rows and not any(word in name for word in options.rows):
        continue
    check(name)
    contestants = {"torch": layer(torch, name), "minidl": layer(minidl, name)}
    harness.alternate(f"{name}, batch {BATCH}, length {LENGTH}, width {HIDDEN}", contestants, options.seconds)
