"""Products of matrices on a GPU against CuPy's (cuBLAS in float32, with tf32 switched off): times, and the roof.

python tests/bench/cuda_matmul.py                   # all rungs; needs a GPU, CuPy and numba-cuda
python tests/bench/cuda_matmul.py 4096              # only sizes whose name contains one of these words

Times are read from events on the GPU, in turn for all contestants, and the median counts. ``of the roof`` is the share
of what the roofline model allows this rung on this GPU, printed where its data sheet is known.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
os.environ["NVIDIA_TF32_OVERRIDE"] = "0"  # cuBLAS would use the tensor cores with fewer digits

from kernels.cuda.compiler import why_no_gpu
from kernels.cuda.matmul import LADDER, matmul, work
from kernels.cuda.roofline import A100, H100, Gpu

SIZES = {
    "1024 x 1024 x 1024": (1024, 1024, 1024),
    "4096 x 4096 x 4096": (4096, 4096, 4096),
    "8192 x 768 x 3072": (8192, 768, 3072),
    "4095 x 4095 x 4095": (4095, 4095, 4095),  # no row begins at a multiple of 16 bytes
}
ROUNDS = 20


def why_not() -> str:
    """Why nothing can be measured here, in one sentence; empty where it can."""
    reason = why_no_gpu()
    if reason:
        return f"nothing to measure: {reason}"
    try:
        import cupy

        cupy.zeros(1)
    except Exception as error:
        return f"nothing to measure against: CuPy does not work here ({error})"
    return ""


def this_gpu() -> Gpu | None:
    """The data sheet of the GPU in use, if it is one that we have."""
    import cupy

    name = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode()
    return next((gpu for gpu in (A100, H100) if gpu.name in name), None)


def milliseconds(functions: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The median time of each function on the GPU, all called in turn."""
    import cupy

    times: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        function()  # compiles
    for _ in range(ROUNDS):
        for name, function in functions.items():
            start, end = cupy.cuda.Event(), cupy.cuda.Event()
            start.record()
            function()
            end.record()
            end.synchronize()
            times[name].append(cupy.cuda.get_elapsed_time(start, end))
    return {name: statistics.median(values) for name, values in times.items()}


def compare(name: str, M: int, N: int, K: int) -> None:
    """Print a line for each contestant at one size."""
    import cupy

    a, b = cupy.random.standard_normal((M, K), "float32"), cupy.random.standard_normal((K, N), "float32")
    out = cupy.empty((M, N), "float32")
    rungs = {rung.name: rung for rung in LADDER.values() if N % rung.multiple == K % rung.multiple == 0}
    functions: dict[str, Callable[[], object]] = {
        "CuPy": lambda: cupy.matmul(a, b, out=out),
        "matmul": lambda: matmul(a, b, out),
        **{each: lambda rung=rung: rung(a, b) for each, rung in rungs.items()},
    }
    gpu, times = this_gpu(), milliseconds(functions)
    print(f"\n{name}")
    for each, time in times.items():
        rate = 2.0 * M * N * K / time * 1e3
        roof = work(each, M, N, K).attainable(gpu, cached=True) if gpu and each in rungs else 0.0
        share = f"{rate / roof:7.0%} of the roof" if roof else ""
        print(
            f"{each:>12} {time:9.3f} ms {rate / 1e12:7.2f} TFLOP/s {times['CuPy'] / time:7.2f} of CuPy's speed {share}"
        )


def main(words: list[str]) -> int:
    reason = why_not()
    if reason:
        print(reason)
        return 0
    for name, size in SIZES.items():
        if not words or any(word in name for word in words):
            compare(name, *size)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
