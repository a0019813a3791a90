"""A small GPT's training step against PyTorch eager: the same weights and data, one process, in turn.

python tests/bench/transformer.py                # the verdict: one thread
python tests/bench/transformer.py attention      # one row alone
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

LAYERS, WIDTH, HEADS, LENGTH, BATCH, LETTERS = 4, 128, 4, 128, 16, 96


def gpt(lib):
    """One step of Adam on a GPT of characters, written once for both libraries."""
    nn, rng = lib.nn, np.random.default_rng(0)
    layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, 0.0, "gelu", batch_first=True, norm_first=True)
    model = nn.ModuleDict(
        {
            "letters": nn.Embedding(LETTERS, WIDTH),
            "places": nn.Embedding(LENGTH, WIDTH),
            "layers": nn.TransformerEncoder(layer, LAYERS, nn.LayerNorm(WIDTH), enable_nested_tensor=False),
            "head": nn.Linear(WIDTH, LETTERS),
        }
    )
    with lib.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
            elif len(parameter.shape) > 1:  # the weights of norms stay at 1
                parameter.copy_(lib.from_numpy(rng.normal(0, 0.05, tuple(parameter.shape)).astype(np.float32)))
    optimizer = lib.optim.Adam(model.parameters())
    text = lib.from_numpy(rng.integers(0, LETTERS, (BATCH, LENGTH + 1)))
    places, future = lib.arange(LENGTH), nn.Transformer.generate_square_subsequent_mask(LENGTH)

    def step():
        optimizer.zero_grad()
        x = model["letters"](text[:, :-1]) + model["places"](places)
        scores = model["head"](model["layers"](x, future, is_causal=True))
        loss = nn.functional.cross_entropy(scores.reshape(-1, LETTERS), text[:, 1:].reshape(-1))
        loss.backward()
        optimizer.step()
        return loss

    return step


def attention(lib):
    """Causal attention of one layer alone, forward and backward."""
    rng = np.random.default_rng(0)
    shape = (BATCH, HEADS, LENGTH, WIDTH // HEADS)
    q, k, v, g = (lib.from_numpy(rng.standard_normal(shape).astype(np.float32)) for _ in range(4))
    leaves = [x.requires_grad_() for x in (q, k, v)]

    def step():
        for x in leaves:
            x.grad = None
        y = lib.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        y.backward(g)
        return (y * g).sum()

    return step


def check(name: str, make) -> None:
    """Both libraries must have computed the same thing before their times are compared."""
    ours, theirs = make(minidl), make(torch)
    for _ in range(3):
        a, b = ours().item(), theirs().item()
        if abs(a - b) > 1e-4 * abs(b):
            raise SystemExit(f"{name}: minidl {a}, torch {b}")


harness.report_libraries(options.threads)
size = f"{HEADS} heads, length {LENGTH}, batch {BATCH}"
for name, make in ((f"GPT, {LAYERS} layers, width {WIDTH}, {size}", gpt), (f"causal attention, {size}", attention)):
    if options.rows and not any(word in name for word in options.rows):
        continue
    check(name, make)
    harness.alternate(name, {"torch": make(torch), "minidl": make(minidl)}, options.seconds)
