"""Training steps of convolutional networks against PyTorch eager: the same weights and images, one process, in turn.

python tests/bench/images.py                  # the verdict: one thread
python tests/bench/images.py --threads 2      # reported beside it
python tests/bench/images.py digits           # only one row
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import harness

options = harness.arguments(__doc__.splitlines()[0])

import torch
from networks import NETWORKS

import minidl

ROWS = [("digits", 64), ("resnet18", 32)]


def check(name: str, batch: int) -> None:
    """Both libraries must have computed the same thing before their times are compared."""
    ours, theirs = NETWORKS[name](minidl, batch), NETWORKS[name](torch, batch)
    for _ in range(3):
        a, b = ours().item(), theirs().item()
        if abs(a - b) > 1e-3 * abs(b):
            raise SystemExit(f"{name}: the losses differ: minidl {a}, torch {b}")


harness.report_libraries(options.threads)
for name, batch in ROWS:
    if options.rows and not any(word in name for word in options.rows):
        continue
    check(name, batch)
    steps = {"torch": NETWORKS[name](torch, batch), "minidl": NETWORKS[name](minidl, batch)}
    harness.alternate(f"{name}, batch {batch}", steps, options.seconds, 1.0)
