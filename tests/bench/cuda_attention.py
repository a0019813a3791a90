"""Attention on a GPU against PyTorch's scaled_dot_product_attention in float32, forward and backward: times.

python tests/bench/cuda_attention.py                # all cases; needs a GPU, PyTorch for CUDA and numba-cuda
python tests/bench/cuda_attention.py causal         # only cases whose name contains one of these words

Times are read from events on the GPU, in turn for all contestants, and the median counts. tf32 is switched off.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from kernels.cuda.attention import attention, attention_backward, fused_attention, three_kernel_attention
from kernels.cuda.compiler import cuda, why_no_gpu

# (batch, heads, key heads, queries, keys, width, causal)
CASES = {
    "width 64": (4, 12, 12, 1024, 1024, 64, False),
    "width 64, causal": (4, 12, 12, 1024, 1024, 64, True),
    "width 64, causal, long": (1, 12, 12, 4096, 4096, 64, True),
    "width 128, causal, grouped": (2, 16, 4, 2048, 2048, 128, True),
    "width 32, ragged": (4, 8, 8, 1000, 777, 32, False),
}
ROUNDS = 20


def why_not() -> str:
    """Why nothing can be measured here, in one sentence; empty where it can."""
    reason = why_no_gpu()
    if reason:
        return f"nothing to measure: {reason}"
    try:
        import torch
    except ImportError:
        return "nothing to measure against: PyTorch is not installed"
    return "" if torch.cuda.is_available() else "nothing to measure against: this PyTorch finds no GPU"


def milliseconds(functions: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The median time of each function on the GPU, all called in turn."""
    import torch

    times: dict[str, list[float]] = {name: [] for name in functions}
    for round_ in range(ROUNDS + 1):
        for name, function in functions.items():
            start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            function()
            stop.record()
            stop.synchronize()
            if round_:  # the first round compiles and warms up
                times[name].append(start.elapsed_time(stop))
    return {name: statistics.median(values) for name, values in times.items()}


def contestants(
    batch: int, heads: int, key_heads: int, n: int, keys: int, width: int, causal: bool
) -> dict[str, Callable[[], object]]:
    """The functions to time, on the same memory: PyTorch's current stream is the one that Numba works in."""
    import torch

    torch.manual_seed(0)
    sizes = (heads, n), (key_heads, keys), (key_heads, keys)
    tensors = [torch.randn(batch, h, length, width, device="cuda", requires_grad=True) for h, length in sizes]
    q, k, v = (cuda.as_cuda_array(x.detach()) for x in tensors)
    grad = torch.randn(batch, heads, n, width, device="cuda")
    g = cuda.as_cuda_array(grad)
    stream = cuda.external_stream(torch.cuda.current_stream().cuda_stream)
    options = {"causal": causal, "stream": stream}
    out, lse = attention(q, k, v, **options)

    def theirs() -> torch.Tensor:
        product = torch.nn.functional.scaled_dot_product_attention
        return product(*tensors, is_causal=causal, enable_gqa=heads != key_heads)

    result = theirs()
    worst = (torch.as_tensor(out, device="cuda") - result.detach()).abs().max().item()
    assert worst < 1e-4, f"the results differ by {worst}"
    return {
        "PyTorch, forward": lambda: theirs().detach(),
        "three kernels": lambda: three_kernel_attention(q, k, v, **options),
        "fused": lambda: fused_attention(q, k, v, **options),
        "fast": lambda: attention(q, k, v, **options),
        "PyTorch, backward": lambda: torch.autograd.grad(result, tensors, grad, retain_graph=True),
        "fast, backward": lambda: attention_backward(g, q, k, v, out, lse, **options),
    }


def operations(batch: int, heads: int, key_heads: int, n: int, keys: int, width: int, causal: bool) -> float:
    """Additions and multiplications of the forward pass; about half of the scores count where it is causal."""
    return 4 * batch * heads * n * keys * width * (0.5 if causal else 1)


def main(words: list[str]) -> None:
    reason = why_not()
    if reason:
        print(reason)
        return
    for name, case in CASES.items():
        if words and not any(word in name for word in words):
            continue
        print(name)
        for contestant, time in milliseconds(contestants(*case)).items():
            work = operations(*case) * (2.5 if "backward" in contestant else 1)  # five products instead of two
            print(f"    {contestant:20} {time:8.3f} ms  {work / time / 1e9:6.1f} TF")


if __name__ == "__main__":
    main(sys.argv[1:])
