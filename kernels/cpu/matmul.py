"""x W^T on the register tile, where that is quicker than a BLAS library: with some dozens of samples.

A linear layer with n samples x (n, in), W (out, in) and the gradient g (n, out) of its result has three products::

    y = x W^T        dx = g W        dW = g^T x

A BLAS library is hard to beat at large products: it cuts them into blocks for every cache, and copies each block into
the order in which it will be read. With few samples, copying W takes about as long as multiplying with it. The tile
reads W where it lies, once: it computes y^T = W x^T, for which it needs a copy of x^T and has to turn the result, both
small beside W.

dx and dW would need no copy at all, and by themselves the tile computes them in 0.5 to 0.9 of the time that NumPy takes
with OpenBLAS for up to 32 samples. But whole training steps got slower by it (dW: 1.05 to 1.15; it is written to memory
that is in no cache, and the tile walks down its rows) or stayed as they were (dx), so they are left to BLAS.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from . import sums
from .sums import Axis, Plan

__all__ = ["linear", "plain_linear"]

# Measured on one thread (AVX-512) against NumPy with OpenBLAS, for layers of 256 x 128 to 1024 x 1024: 0.5 to 0.9 of
# its time with 8 to 128 samples, whole training steps 0.90 to 0.95. At 4 or at 192 samples NumPy is as fast; with fewer
# than a million multiplications the calls take the gain; with fewer outputs the copy of x^T does.
SAMPLES = range(8, 129)
OUTPUTS = 64
WORTH = 10**6


def linear(x: Any, w: Any) -> np.ndarray | None:
    """x W^T for contiguous float32 matrices; None where it cannot run, or would gain less than a tenth."""
    samples, inner = x.shape
    outputs = w.shape[0]
    if samples not in SAMPLES or outputs < OUTPUTS or samples * inner * outputs < WORTH:
        return None
    if not (fits(x) and fits(w) and sums.ready()):
        return None
    y = np.empty((outputs, samples), np.float32)
    sums.run(plan(samples, inner, outputs), w, sums.transposed(x), y)
    return sums.transposed(y)


def plain_linear(x: Any, w: Any) -> Any:
    """The same in plain NumPy, one k of sum_k x_ik w_jk after the other, as in the tile."""
    y = np.zeros((w.shape[0], x.shape[0]), x.dtype)
    for k in range(x.shape[1]):
        y += w[:, k : k + 1] * x[:, k]
    return y.T


def fits(x: Any) -> bool:
    return type(x) is np.ndarray and x.dtype.char == "f" and x.flags.c_contiguous and x.flags.aligned


@functools.lru_cache(256)
def plan(samples: int, inner: int, outputs: int) -> Plan:
    """y^T (outputs, samples) = W x^T: a row of W is ``inner`` floats, a row of x^T and of y^T ``samples``."""
    rows = Axis(outputs, inner, 0, samples)
    return sums.plan(rows=rows, columns=samples, inner=Axis(inner, 1, samples))
