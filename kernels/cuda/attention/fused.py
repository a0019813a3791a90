"""Second rung: one kernel, and no score ever goes to memory.

Written out in ``fused_kernel``.
"""

from __future__ import annotations

import math
from typing import Any

from .. import arrays
from ..compiler import cuda, float32, int32
from ..kernel import Kernel
from .operands import finished, flat, operands

__all__ = ["FUSED", "KERNELS", "fused_attention"]

THREADS = 64


def fused_kernel(width: int) -> Kernel:
    """O = softmax(scale Q K^T + B) V and L = log sum exp of the scores' rows: a thread a query.

    What it changes. The threads of a block bring 16 keys and their values to shared memory together, and each thread
    takes them one by one. With the running softmax (derived in ``forward_kernel``) a key can be forgotten once it has
    been used: the thread keeps the maximum m of its scores so far, the sum l of exp(s - m) and the sums a of
    exp(s - m) v, and multiplies l and a by exp(m_old - m_new), which is 1 unless the key raises the maximum.

    Bytes from and to memory: Q and O once, K and V once for each 64 queries, 4 d (2 n + n n_k / 32); operations
    5 n n_k d, for a is multiplied at every key: 40 operations a byte for long sequences, where the first rung had 1/4.
    What it waits for now is shared memory: each number that is read serves a single multiply-add, though all threads of
    a warp want the same one and get it at once. The query lies in shared memory too, for its ``width`` numbers and
    those of a would not both fit into the registers.

    Grid: (tiles of queries, heads, batch).
    """
    keys = 16
    queries_size, keys_size = (width, THREADS), (keys, width)

    def fused(q, k, v, mask, out, lse, scale, group, masked, step_batch, step_head, step_query, step_key, causal):
        tile_q = cuda.shared.array(queries_size, float32)
        tile_k = cuda.shared.array(keys_size, float32)
        tile_v = cuda.shared.array(keys_size, float32)
        a = cuda.local.array(width, float32)
        thread = int32(cuda.threadIdx.x)
        head = int32(cuda.blockIdx.y)
        batch = int32(cuda.blockIdx.z)
        key_head = head // group
        first = int32(cuda.blockIdx.x) * THREADS
        query = first + thread
        for e in range(thread, THREADS * width, THREADS):
            number = float32(0.0)
            if first + e // width < q.shape[2]:
                number = q[batch, head, first + e // width, e % width]
            tile_q[e % width, e // width] = number
        for d in range(width):
            a[d] = float32(0.0)
        at_mask = batch * step_batch + head * step_head
        m = float32(-math.inf)
        l = float32(0.0)
        end = k.shape[2]
        if causal:
            end = min(end, first + THREADS)
        for start in range(0, end, keys):
            cuda.syncthreads()
            for e in range(thread, keys * width, THREADS):
                row = start + e // width
                key_number = float32(0.0)
                value_number = float32(0.0)
                if row < k.shape[2]:
                    key_number = k[batch, key_head, row, e % width]
                    value_number = v[batch, key_head, row, e % width]
                tile_k[e // width, e % width] = key_number
                tile_v[e // width, e % width] = value_number
            cuda.syncthreads()
            for j in range(min(keys, end - start)):
                key = start + j
                score = float32(0.0)
                for d in range(width):
                    score += tile_q[d, thread] * tile_k[j, d]
                score *= scale
                if masked and query < q.shape[2]:
                    score += mask[at_mask + query * step_query + key * step_key]
                if causal and key > query:
                    score = float32(-math.inf)
                top = max(m, score)
                base = top
                if top == float32(-math.inf):
                    base = float32(0.0)  # exp(-inf - 0) = 0, while exp(-inf - -inf) is NaN
                shrink = math.exp(m - base)
                weight = math.exp(score - base)
                m = top
                l = shrink * l + weight
                for d in range(width):
                    a[d] = shrink * a[d] + weight * tile_v[j, d]
        if query < q.shape[2]:
            inverse = float32(0.0)
            if l != float32(0.0):
                inverse = float32(1.0) / l
            for d in range(width):
                out[batch, head, query, d] = a[d] * inverse
            lse[(batch * q.shape[1] + head) * q.shape[2] + query] = m + math.log(l)

    fused.__name__ = f"attention_fused_{width}"
    fused.__doc__ = fused_kernel.__doc__
    matrix = "float32[:, :, :, ::1]"
    types = f"{', '.join([matrix] * 3)}, float32[::1], {matrix}, float32[::1], float32{', int32' * 7}"
    return Kernel(fused, threads=THREADS, types=types)


FUSED = {width: fused_kernel(width) for width in (16, 32, 64, 128)}
KERNELS = list(FUSED.values())


def fused_attention(
    q: Any,
    k: Any,
    v: Any,
    *,
    mask: Any = None,
    causal: bool = False,
    scale: float | None = None,
    stream: Any = None,
) -> tuple[Any, Any]:
    """The same as ``attention``, by one simple kernel."""
    given = operands("fused_attention", q, k, v, mask, causal, scale, stream)
    batch, heads, length, width = given.q.shape
    out, lse = arrays.empty(given.q.shape, q), arrays.empty((batch, heads, length), q)
    FUSED[width].launch(
        (-(-length // THREADS), heads, batch),
        given.q, given.k, given.v, given.mask, arrays.view(out), flat(lse), given.scale, given.group, *given.steps,
        given.causal, stream=given.stream,
    )  # fmt: skip
    return finished(out, v.shape[3], q, given.stream), arrays.deliver(lse, q)
