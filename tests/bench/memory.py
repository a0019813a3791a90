"""Growth of memory over training steps, against PyTorch: each library in a process of its own.

    python tests/bench/memory.py            # a perceptron at batch 8,192; the convolutional networks
    python tests/bench/memory.py resnet18   # only one row

The growth is ru_maxrss after ten steps less ru_maxrss after the imports and a step of two small networks, before
model and data exist.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

RUNS = 3
ROWS = [("mlp", 8192, 1.0), ("digits", 64, 1.2), ("resnet18", 32, 1.2)]  # network, batch, goal


def measure(library: str, network: str, batch: int) -> None:
    """Runs in the fresh process: prints the growth in MiB."""
    import importlib
    import resource

    from networks import NETWORKS

    lib = importlib.import_module(library)
    make = {"mlp": perceptron, **NETWORKS}[network]
    for small in (perceptron, NETWORKS["digits"]):
        small(lib, 2)()  # whatever is imported or compiled late comes now
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step = make(lib, batch)
    for _ in range(10):
        step()
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def perceptron(lib, batch: int):
    """One step of Adam on a multilayer perceptron."""
    from networks import training

    nn = lib.nn
    model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
    return training(lib, model, lib.optim.Adam(model.parameters()), (batch, 784))


def growth(library: str, network: str, batch: int) -> float:
    environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    command = [sys.executable, str(Path(__file__)), library, network, str(batch)]
    return float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        measure(sys.argv[1], sys.argv[2], int(sys.argv[3]))
        sys.exit()
    for network, batch, goal in ROWS:
        if sys.argv[1:] and network not in sys.argv[1:]:
            continue
        torch, minidl = (
            statistics.median(growth(library, network, batch) for _ in range(RUNS)) for library in ("torch", "minidl")
        )
        print(
            f"{network}, batch {batch}: growth, median of {RUNS}: torch {torch:.0f} MiB, minidl {minidl:.0f} MiB   "
            f"ratio {minidl / torch:.2f}  goal {goal}"
        )
