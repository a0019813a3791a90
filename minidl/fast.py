"""The fast array functions that the engine borrows from the package ``kernels``: the one place where the two meet.

Each of them returns False, or None in the place of a result, where it cannot run; the caller then computes the same
with the arrays' own library.
"""

from functools import cache
from typing import Any

import kernels

from .backend import backend_of, float32
from .backends import cuda

if getattr(kernels, "OWNER", None) != "minidl":
    _where = kernels.__file__ or next(iter(kernels.__path__))
    raise ImportError(
        f"minidl: needs its own package 'kernels', but found another one of that name ({_where}): "
        "uninstall it, or put minidl's folder in front of it on sys.path"
    )

from kernels.cpu import convolution, depthwise, normalization, pooling, row_normalization
from kernels.cpu.activation import gated
from kernels.cpu.matmul import linear
from kernels.cpu.memory import keep_freed_memory
from kernels.cpu.optimizer import adagrad, adam, momentum, rmsprop, sgd
from kernels.cpu.threads import get_threads, set_threads

__all__ = [
    "adagrad",
    "adam",
    "attends",
    "attention",
    "attention_backward",
    "convolution",
    "depthwise",
    "gated",
    "get_threads",
    "linear",
    "momentum",
    "normalization",
    "pooling",
    "product",
    "rmsprop",
    "row_normalization",
    "set_threads",
    "sgd",
]

keep_freed_memory()


# --- the kernels for GPUs, which are loaded when an array of a GPU asks for them -----------------------------------


def product(x: Any, y: Any) -> Any:
    """x @ y, for matrices or stacks of them on a GPU, where this project's kernels are preferred to cuBLAS."""
    if cuda.preferred_blas_library() != "kernels" or not can_lend(x, y):
        return None
    from kernels.cuda.matmul import matmul

    library = backend_of(x)
    return library.take_back(matmul(library.lend(x), library.lend(y)))


def attends(q: Any, k: Any, v: Any) -> bool:
    """Whether ``attention`` can run on these arrays."""
    return cuda.flash_sdp_enabled() and max(q.shape[-1], v.shape[-1]) <= 128 and can_lend(q, k, v)


def attention(q: Any, k: Any, v: Any, mask: Any, causal: bool, scale: float) -> tuple[Any, Any]:
    """softmax(scale q k^T + mask) v and the logarithms of the softmax's sums, for (batch, heads, length, width)."""
    from kernels.cuda.attention import attention as fused

    library = backend_of(q)
    out, sums = fused(*map(library.lend, (q, k, v)), mask=lent(mask), causal=causal, scale=scale)
    return library.take_back(out), library.take_back(sums)


def attention_backward(g: Any, saved: tuple, mask: Any, causal: bool, scale: float) -> Any:
    """The gradients with respect to q, k and v; ``saved`` holds q, k, v and the two results of ``attention``."""
    from kernels.cuda.attention import attention_backward as fused

    library = backend_of(g)
    found = fused(*map(library.lend, (g, *saved)), mask=lent(mask), causal=causal, scale=scale)
    return tuple(map(library.take_back, found))


def lent(mask: Any) -> Any:
    return None if mask is None else backend_of(mask).lend(mask)


def can_lend(*arrays: Any) -> bool:
    """Whether the kernels for GPUs can work on these arrays."""
    if backend_of(arrays[0]).lend is None or any(array.dtype != float32 for array in arrays):
        return False
    from kernels.cuda.kernel import on_gpu

    return not on_gpu() or not why_no_kernels()


@cache  # the answer does not change while a program runs
def why_no_kernels() -> str:
    from kernels.cuda.compiler import why_no_gpu

    return why_no_gpu()
