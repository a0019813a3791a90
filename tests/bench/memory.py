"""Growth of memory over training steps at batch 8,192, against PyTorch: each library in a process of its own.

    python tests/bench/memory.py

The growth is ru_maxrss after ten steps less ru_maxrss after the imports and one tiny step, before model and data
exist.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

BATCH, RUNS = 8192, 3


def measure(library: str) -> None:
    """Runs in the fresh process: prints the growth in MiB."""
    import importlib
    import resource

    import numpy as np

    lib = importlib.import_module(library)
    rng = np.random.default_rng(0)
    train(lib, rng, batch=2, steps=1)  # whatever is imported or compiled late comes now
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    train(lib, rng, BATCH, steps=10)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def train(lib, rng, batch: int, steps: int) -> None:
    nn = lib.nn
    model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = lib.optim.Adam(model.parameters())
    x = lib.from_numpy(rng.standard_normal((batch, 784), dtype="float32"))
    y = lib.from_numpy(rng.integers(0, 10, batch))
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()


def growth(library: str) -> float:
    environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    command = [sys.executable, str(Path(__file__)), library]
    return float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1])
    else:
        found = {library: [growth(library) for _ in range(RUNS)] for library in ("torch", "minidl")}
        torch, minidl = (statistics.median(found[library]) for library in ("torch", "minidl"))
        print(f"growth at batch {BATCH}, median of {RUNS}: torch {torch:.0f} MiB, minidl {minidl:.0f} MiB")
        print(f"ratio {minidl / torch:.2f}  goal 1.0")
