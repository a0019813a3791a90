"""Times on a GPU: products against CuPy's (cuBLAS), attention against PyTorch's and against the composed form.

``python tests/gpu/benchmarks.py`` prints one row a case: milliseconds of ours and of the other, the ratio, and how many
floating-point operations a second ours does. Contestants take turns; each time is the median, taken by the GPU's clock.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

TURNS = 30
PRODUCTS = [(256, 256, 256), (1024, 1024, 1024), (2048, 2048, 2048), (4096, 4096, 4096), (8192, 1024, 4096)]
ATTENTIONS = [(4, 8, 512, 64), (2, 16, 2048, 64), (1, 8, 4096, 128)]


def milliseconds(contestants: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """The median time of each contestant; they run in turn, so that a change of clocks meets all of them."""
    import cupy

    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(TURNS + 3):
        for name, run in contestants.items():
            start, end = cupy.cuda.Event(), cupy.cuda.Event()
            cupy.cuda.runtime.deviceSynchronize()
            start.record()
            run()
            cupy.cuda.runtime.deviceSynchronize()
            end.record()
            end.synchronize()
            if turn >= 3:
                times[name].append(cupy.cuda.get_elapsed_time(start, end))
    return {name: median(found) for name, found in times.items()}


def row(name: str, times: dict[str, float], operations: float) -> str:
    (ours, *others) = times
    parts = [f"{name:<32}", f"{ours} {times[ours]:8.3f} ms, {operations / times[ours] / 1e9:6.2f} TFLOP/s"]
    parts += [f"{other} {times[other]:8.3f} ms (ratio {times[ours] / times[other]:.2f})" for other in others]
    return "; ".join(parts)


def products() -> None:
    import cupy

    from kernels.cuda.matmul import matmul

    for m, n, k in PRODUCTS:
        a, b = cupy.random.rand(m, k, dtype="float32"), cupy.random.rand(k, n, dtype="float32")
        times = milliseconds({"kernels": lambda a=a, b=b: matmul(a, b), "CuPy": lambda a=a, b=b: a @ b})
        print(row(f"matmul {m} x {k} x {n}", times, 2 * m * n * k))


def attentions() -> None:
    import minidl
    import minidl.nn.functional as F

    for batch, heads, length, width in ATTENTIONS:
        shape = (batch, heads, length, width)
        q, k, v = (minidl.randn(*shape, device="cuda", requires_grad=True) for _ in range(3))

        def ours(fused: bool, backward: bool, q: Any = q, k: Any = k, v: Any = v) -> Callable[[], None]:
            def run() -> None:
                minidl.backends.cuda.enable_flash_sdp(fused)
                y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
                if backward:
                    y.sum().backward()

            return run

        for backward, factor in ((False, 1), (True, 3.5)):
            contestants = {"kernels": ours(True, backward), "small operations": ours(False, backward)}
            theirs = torchs(shape, backward)
            if theirs is not None:
                contestants["PyTorch"] = theirs
            what = "attention, both ways" if backward else "attention"
            operations = factor * 4 * batch * heads * length * length * width / 2  # half of the pairs are hidden
            print(row(f"{what} {shape}", milliseconds(contestants), operations))


def torchs(shape: tuple[int, ...], backward: bool) -> Callable[[], None] | None:
    """The same by PyTorch in float32, without TF32; None where it is not installed or has no GPU."""
    try:
        import torch
    except ImportError:
        return None
    if not torch.cuda.is_available():
        return None
    torch.backends.cuda.matmul.allow_tf32 = False
    q, k, v = (torch.randn(*shape, device="cuda", requires_grad=True) for _ in range(3))

    def run() -> None:
        y = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        if backward:
            y.sum().backward()

    return run


if __name__ == "__main__":
    products()
    attentions()
