"""Third rung, forward: the running softmax on tiles, with the sums in registers.

Written out in ``forward_kernel``.
"""

from __future__ import annotations

import math

from ..compiler import cuda, float32, int32
from ..kernel import Kernel
from .shades import adder, shader
from .tiles import Sizes, loader, product, row_reductions, row_writer, shared_head, storer, transposed_product

__all__ = ["FORWARD", "KERNELS", "TILES"]


def forward_kernel(width: int, rows: int, columns: int, across: int, blocks_per_sm: int) -> Kernel:
    """O = softmax(scale Q K^T + B) V and L = log sum exp of the scores' rows; a block does ``rows`` queries of a head.

    What it changes. The second rung gave a thread a whole query, and each number that it read from shared memory was
    used once. Here ``across`` threads share four queries: a thread has 4 x (columns / across) scores and
    4 x (width / across) results in registers, reads 16 bytes at a time and uses each number four times or more. Row
    maxima and sums go through shuffles.

    The running softmax. With s_j the scores of one query, after some tiles of keys the thread holds

        m = max_j s_j,   l = sum_j exp(s_j - m),   A = sum_j exp(s_j - m) v_j   (sums over the keys so far).

    A new tile with maximum m' of its own gives M = max(m, m'). As exp(s_j - M) = exp(s_j - m) exp(m - M), exactly,

        l_new = exp(m - M) l + sum_new exp(s_j - M),   A_new = exp(m - M) A + sum_new exp(s_j - M) v_j

    are again these sums, over the old keys and the new, relative to M. At the end A / l = sum_j exp(s_j - m) v_j /
    sum_j exp(s_j - m): the factor exp(-m) cancels, and A / l is the softmax's result for any m. No approximation is
    made, and since s_j <= m nothing overflows. L = m + log l. A query that may see no key at all has m = -inf and
    l = 0; its result is 0, as in minidl and PyTorch.

    Bytes from and to memory: Q and O once, K and V once for each block of queries (from the cache, mostly):
    4 d (2 n + 2 n_k n / rows) for n queries and n_k keys of width d. Operations: 4 n n_k d. Intensity for long
    sequences, even with no help from the cache: rows / 2 operations a byte, 32 for 64 rows; the scores, n n_k numbers,
    never leave the registers and the shared memory.

    Grid: (tiles of queries, heads, batch); 1 / ``share`` heads share one of keys.
    Source: Milakov and Gimelshein 2018 for the running sum, Dao et al. 2022 for its use here.
    """
    chunk, chunks, pieces, owned_scores, owned, owned_results, threads = Sizes.of(width, rows, columns, across)
    queries_size, operand_size, weights_size = rows * width, columns * chunk, rows * columns
    load_queries = loader(rows, width, width, threads)
    load = loader(columns, chunk, width, threads)
    compare = transposed_product(width, chunk, columns, across)
    combine = product(columns, chunk, across)
    store = storer(columns, across)
    write_row = row_writer(width, chunk, across)
    shade = shader(rows, columns, threads, False)
    add = adder(columns, across)
    row_max, row_sum = row_reductions(across)

    def forward(q, k, v, mask, out, lse, scale, share, masked, step_batch, step_head, step_query, step_key, causal):
        tile_q = cuda.shared.array(queries_size, float32, 16)
        tile_x = cuda.shared.array(operand_size, float32, 16)  # of the keys, then of the values
        tile_p = cuda.shared.array(weights_size, float32, 16)  # of B, then of the weights
        s = cuda.local.array((4, owned_scores), float32)
        a = cuda.local.array((4, owned_results), float32)
        m = cuda.local.array(4, float32)
        l = cuda.local.array(4, float32)
        base = cuda.local.array(4, float32)
        thread = int32(cuda.threadIdx.x)
        tx = thread % across
        ty = thread // across
        head = int32(cuda.blockIdx.y)
        batch = int32(cuda.blockIdx.z)
        queries = int32(q.shape[2])
        keys = int32(k.shape[2])
        row = int32(cuda.blockIdx.x) * rows
        first_query = (batch * q.shape[1] + head) * q.shape[2] + row
        at_q = first_query * width
        at_k = (batch * k.shape[1] + shared_head(head, share)) * k.shape[2] * width
        at_mask = batch * step_batch + head * step_head
        load_queries(tile_q, q, at_q, queries - row)
        for i in range(4):
            m[i] = float32(-math.inf)
            l[i] = float32(0.0)
            for j in range(owned_results):
                a[i, j] = float32(0.0)
        end = keys
        if causal:
            end = min(keys, row + rows)
        for column in range(0, end, columns):
            shaded = masked or column + columns > keys or (causal and column + columns > row)
            for i in range(4):
                for j in range(owned_scores):
                    s[i, j] = float32(0.0)
            for c in range(chunks):
                cuda.syncthreads()
                if c == 0 and shaded:
                    shade(tile_p, row, column, queries, keys, mask, at_mask, step_query, step_key, masked, causal)
                load(tile_x, k, at_k + column * width + c * chunk, keys - column)
                cuda.syncthreads()
                compare(s, tile_q, c * pieces, tile_x, ty, tx)
            for i in range(4):
                for j in range(owned_scores):
                    s[i, j] *= scale
            if shaded:
                add(s, tile_p, ty, tx)
            for i in range(4):
                top = m[i]
                for j in range(owned_scores):
                    top = max(top, s[i, j])
                top = row_max(top)
                base[i] = top
                if top == float32(-math.inf):
                    base[i] = float32(0.0)  # exp(-inf - 0) = 0, while exp(-inf - -inf) is NaN
                shrink = math.exp(m[i] - base[i])
                m[i] = top
                l[i] *= shrink
                for j in range(owned_results):
                    a[i, j] *= shrink
            for i in range(4):
                for j in range(owned_scores):
                    s[i, j] = math.exp(s[i, j] - base[i])
            for i in range(4):
                for j in range(owned_scores):
                    l[i] += s[i, j]
            for c in range(chunks):
                cuda.syncthreads()
                if c == 0:
                    store(tile_p, s, ty, tx)
                load(tile_x, v, at_k + column * width + c * chunk, keys - column)
                cuda.syncthreads()
                combine(a, c * owned, tile_p, tile_x, ty, tx)

        for i in range(4):
            total = row_sum(l[i])
            inverse = float32(0.0)
            if total != float32(0.0):
                inverse = float32(1.0) / total
            if row + 4 * ty + i < queries:
                write_row(out, at_q + (4 * ty + i) * width, a, i, inverse, tx)
                if tx == 0:
                    lse[first_query + 4 * ty + i] = m[i] + math.log(total)

    forward.__name__ = f"attention_forward_{width}"
    matrix = "float32[:, :, :, ::1]"
    types = f"{matrix}, {matrix}, {matrix}, float32[::1], {matrix}, float32[::1], float32, float32{', int32' * 6}"
    forward.__doc__ = forward_kernel.__doc__
    return Kernel(forward, threads=threads, types=types, blocks_per_sm=blocks_per_sm)


TILES = {  # by width; 168 registers a thread leave room for 3 blocks of 128 threads, 128 for 4
    16: {"rows": 128, "columns": 32, "across": 4, "blocks_per_sm": 3},
    32: {"rows": 64, "columns": 32, "across": 8, "blocks_per_sm": 4},
    64: {"rows": 64, "columns": 32, "across": 8, "blocks_per_sm": 3},
    128: {"rows": 64, "columns": 32, "across": 8, "blocks_per_sm": 2},
}
FORWARD = {width: forward_kernel(width, **sizes) for width, sizes in TILES.items()}
KERNELS = list(FORWARD.values())
