"""How the benchmarks measure: alternating runs of several contestants in one process, ratios of medians to PyTorch.

Times on a shared machine mean nothing by themselves, ratios taken in turn do. The verdict is read on ONE thread; with
more, the spin barriers of thread pools make a few per cent of somebody else's load look like a factor. A row is void
where the median of the reference is more than 1.5 times its minimum.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def arguments(description: str) -> argparse.Namespace:
    """Parse the options and fix the number of threads; call it before numpy or torch is imported."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--threads", type=int, default=1, help="threads of every library (the verdict is read on 1)")
    parser.add_argument("--seconds", type=float, default=6.0, help="time for each row")
    parser.add_argument("--others", action="store_true", help="JAX, autograd, MyGrad and tinygrad too, if installed")
    parser.add_argument("rows", nargs="*", help="only rows whose name contains one of these words")
    options = parser.parse_args()
    for variable in THREADS:
        os.environ[variable] = str(options.threads)
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    return options


def steal() -> float:
    """Seconds that the machine's host has taken away from us so far (Linux; 0 elsewhere)."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            return int(file.readline().split()[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return 0.0


def report_libraries(threads: int) -> None:
    """Print the versions and the kernel that each BLAS chose."""
    import numpy as np
    import torch

    torch.set_num_threads(threads)
    try:
        from threadpoolctl import threadpool_info

        pools = ", ".join(
            f"{pool['internal_api']} {pool.get('architecture', '')}".strip() for pool in threadpool_info()
        )
    except ImportError:
        pools = "install threadpoolctl to see the BLAS kernels"
    print(f"numpy {np.__version__}, torch {torch.__version__}, {threads} thread(s); {pools}")


def alternate(
    name: str,
    contestants: dict[str, Callable[[], object]],
    seconds: float,
    goal: float | None = None,
) -> dict[str, float]:
    """Run the contestants in turn for a while; print and return each one's ratio of medians to the first."""
    for run in contestants.values():
        for _ in range(5):
            run()
    times: dict[str, list[float]] = {who: [] for who in contestants}
    stolen, end = steal(), time.perf_counter() + seconds
    while time.perf_counter() < end:
        for who, run in contestants.items():
            start = time.perf_counter()
            run()
            times[who].append(time.perf_counter() - start)
    stolen = steal() - stolen
    middle = {who: sorted(found)[len(found) // 2] for who, found in times.items()}
    reference = next(iter(contestants))
    unsteady = middle[reference] > 1.5 * min(times[reference])
    ratios = {who: middle[who] / middle[reference] for who in contestants if who != reference}
    row = "  ".join(f"{who} {ratio:5.2f}" for who, ratio in ratios.items())
    target = "" if goal is None else f"  goal {goal}"
    remark = "  VOID: unsteady" if unsteady else ""
    print(
        f"{name:<34} {reference} {middle[reference] * 1e3:8.3f} ms   {row}{target}   "
        f"({len(times[reference])} rounds, {stolen:.1f} s stolen){remark}",
        flush=True,
    )
    return ratios
