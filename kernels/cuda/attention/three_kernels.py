"""First rung: attention as it is written down, a kernel for each of its three steps.

The scores S (n, n_k) go to memory and come back. For n = n_k = 4096 they are 64 MiB a head, while Q, K, V and O of
width 64 are 4 MiB together: memory is what this rung waits for, and what it runs out of.
"""

from __future__ import annotations

import math
from typing import Any

from .. import arrays
from ..compiler import cuda, float32, int32
from ..kernel import Kernel
from .operands import finished, flat, operands

__all__ = ["KERNELS", "three_kernel_attention"]

MATRIX = "float32[:, :, :, ::1]"


def scores_kernel() -> Kernel:
    """S = scale Q K^T + B: a thread a score, in blocks of 16 x 16.

    Bytes: each thread reads a row of Q and a row of K, 8 d, for 2 d operations: intensity 1/4, where the cache does not
    help; 4 n n_k are written. Grid: (tiles of keys, tiles of queries, batch * heads).
    """

    def attention_scores(q, k, mask, s, scale, group, masked, step_batch, step_head, step_query, step_key, causal):
        key = int32(cuda.blockIdx.x) * 16 + int32(cuda.threadIdx.x)
        query = int32(cuda.blockIdx.y) * 16 + int32(cuda.threadIdx.y)
        batch = int32(cuda.blockIdx.z) // q.shape[1]
        head = int32(cuda.blockIdx.z) % q.shape[1]
        if query < q.shape[2] and key < k.shape[2]:
            score = float32(0.0)
            for d in range(q.shape[3]):
                score += q[batch, head, query, d] * k[batch, head // group, key, d]
            score *= scale
            if masked:
                score += mask[batch * step_batch + head * step_head + query * step_query + key * step_key]
            if causal and key > query:
                score = float32(-math.inf)
            s[batch, head, query, key] = score

    attention_scores.__doc__ = scores_kernel.__doc__
    types = f"{MATRIX}, {MATRIX}, float32[::1], {MATRIX}, float32{', int32' * 7}"
    return Kernel(attention_scores, threads=(16, 16), types=types)


def weights_kernel() -> Kernel:
    """P = softmax(S), in place, and L = log sum exp of each row: a warp a row, of any length.

    Lane i takes the columns i, i + 32, ...; maxima and sums go through shuffles. Bytes: 4 n n_k read three times
    and written once, from the cache where a row fits there; about 4 operations an element: intensity 1/4.
    A row of -inf throughout gets weights of 0.
    """

    def attention_weights(s, lse):
        row = int32(cuda.blockIdx.x) * 4 + int32(cuda.threadIdx.x) // 32
        lane = int32(cuda.threadIdx.x) % 32
        length = 0
        if row < s.shape[0]:
            length = s.shape[1]
        top = float32(-math.inf)
        for column in range(lane, length, 32):
            top = max(top, s[row, column])
        for n in range(5):
            top = max(top, cuda.shfl_xor_sync(0xFFFFFFFF, top, 1 << n))
        base = top
        if top == float32(-math.inf):
            base = float32(0.0)
        total = float32(0.0)
        for column in range(lane, length, 32):
            total += math.exp(s[row, column] - base)
        for n in range(5):
            total += cuda.shfl_xor_sync(0xFFFFFFFF, total, 1 << n)
        inverse = float32(0.0)
        if total != float32(0.0):
            inverse = float32(1.0) / total
        for column in range(lane, length, 32):
            s[row, column] = math.exp(s[row, column] - base) * inverse
        if row < s.shape[0] and lane == 0:
            lse[row] = top + math.log(total)

    attention_weights.__doc__ = weights_kernel.__doc__
    return Kernel(attention_weights, threads=128, types="float32[:, ::1], float32[::1]")


def values_kernel() -> Kernel:
    """O = P V: a thread an element, in blocks of 16 x 16.

    Bytes: each thread reads a row of P and a column of V, 8 n_k, for 2 n_k operations: intensity 1/4, where the cache
    does not help. Grid: (tiles of columns, tiles of queries, batch * heads).
    """

    def attention_values(p, v, out, group):
        column = int32(cuda.blockIdx.x) * 16 + int32(cuda.threadIdx.x)
        query = int32(cuda.blockIdx.y) * 16 + int32(cuda.threadIdx.y)
        batch = int32(cuda.blockIdx.z) // p.shape[1]
        head = int32(cuda.blockIdx.z) % p.shape[1]
        if query < out.shape[2] and column < out.shape[3]:
            total = float32(0.0)
            for key in range(p.shape[3]):
                total += p[batch, head, query, key] * v[batch, head // group, key, column]
            out[batch, head, query, column] = total

    attention_values.__doc__ = values_kernel.__doc__
    return Kernel(attention_values, threads=(16, 16), types=f"{', '.join([MATRIX] * 3)}, int32")


SCORES, WEIGHTS, VALUES = scores_kernel(), weights_kernel(), values_kernel()
KERNELS = [SCORES, WEIGHTS, VALUES]


def three_kernel_attention(
    q: Any,
    k: Any,
    v: Any,
    *,
    mask: Any = None,
    causal: bool = False,
    scale: float | None = None,
    stream: Any = None,
) -> tuple[Any, Any]:
    """The same as ``attention``, by three kernels."""
    given = operands("three_kernel_attention", q, k, v, mask, causal, scale, stream)
    batch, heads, length, width = given.q.shape
    keys = k.shape[2]
    s = arrays.view(arrays.empty((batch, heads, length, keys), q))
    out, lse = arrays.empty(given.q.shape, q), arrays.empty((batch, heads, length), q)
    rows, tiles = batch * heads * length, -(-length // 16)
    SCORES.launch(
        (-(-keys // 16), tiles, batch * heads),
        given.q, given.k, given.mask, s, given.scale, given.group, *given.steps, given.causal, stream=given.stream,
    )  # fmt: skip
    WEIGHTS.launch(-(-rows // 4), s.reshape(rows, keys), flat(lse), stream=given.stream)
    VALUES.launch((width // 16, tiles, batch * heads), s, given.v, arrays.view(out), given.group, stream=given.stream)
    return finished(out, v.shape[3], q, given.stream), arrays.deliver(lse, q)
