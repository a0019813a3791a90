"""Third rung, backward: the weights are computed again, tile by tile, and every sum has one owner.

With S = scale Q K^T + B, P = softmax(S) = exp(S - L) for the L that the forward pass kept, O = P V and G = dLoss/dO:

    dV = P^T G                      for o_i = sum_j p_ij v_j, so dLoss/dv_j = sum_i p_ij g_i
    dP = G V^T                      for the same reason dLoss/dp_ij = g_i . v_j
    dS = P * (dP - delta)           for dp_ij/ds_ik = p_ij ([j = k] - p_ik), so ds_ik = p_ik (dp_ik - delta_i)
    delta_i = sum_j p_ij dp_ij      = g_i . sum_j p_ij v_j = g_i . o_i: a sum over the width, known beforehand
    dQ = scale dS K,  dK = scale dS^T Q

dQ sums over keys, dK and dV over queries. One kernel owns tiles of queries and walks over the keys, the other owns
tiles of keys and walks over the queries: both compute P and dP again, and in return no two threads add to the same
number, so there are no atomics and the result is the same, bit by bit, each time.
"""

from __future__ import annotations

import math

from ..compiler import cuda, float32, int32
from ..kernel import Kernel
from .shades import adder, shader
from .tiles import Sizes, loader, product, row_writer, shared_head, storer, transposed_product

__all__ = ["DELTA", "KERNELS", "KEYS", "KEY_TILES", "QUERIES", "QUERY_TILES"]

MATRIX = "float32[:, :, :, ::1]"
ROW = "float32[::1]"


def delta_kernel() -> Kernel:
    """delta_i = g_i . o_i for each row i of G and O, (n, d), and shift_i = L_i: a warp a row.

    Where L_i = -inf, for a query that sees no key, shift_i = inf, so that exp(s - shift_i) = 0 in the kernels to come.

    Bytes: 4 (2 n d + 3 n); operations: 2 n d; intensity 1/4: memory is all that counts. Neighbouring lanes read
    neighbouring numbers.
    """

    def attention_delta(grad, out, lse, delta, shift):
        row = int32(cuda.blockIdx.x) * 4 + int32(cuda.threadIdx.x) // 32
        lane = int32(cuda.threadIdx.x) % 32
        total = float32(0.0)
        if row < grad.shape[0]:
            for column in range(lane, grad.shape[1], 32):
                total += grad[row, column] * out[row, column]
        for n in range(5):
            total += cuda.shfl_xor_sync(0xFFFFFFFF, total, 1 << n)
        if row < grad.shape[0] and lane == 0:
            delta[row] = total
            shift[row] = lse[row]
            if lse[row] == float32(-math.inf):
                shift[row] = float32(math.inf)

    attention_delta.__doc__ = delta_kernel.__doc__
    types = "float32[:, ::1], float32[:, ::1], float32[::1], float32[::1], float32[::1]"
    return Kernel(attention_delta, threads=128, types=types)


def keys_kernel(width: int, rows: int, columns: int, across: int, blocks_per_sm: int) -> Kernel:
    """dV = P^T G and dK = scale dS^T Q: a block owns ``rows`` keys of a head, for all the query heads that share it.

    The tiles of K and V stay in shared memory while tiles of ``columns`` queries pass by. The thread computes its 4
    rows of S^T = K Q^T and so of P^T, which goes to shared memory as an operand of dV += P^T G; then dP^T = V G^T and
    dS^T = P^T * (dP^T - delta), which takes its place as an operand of dK += dS^T Q. Q, G and Q again pass through one
    tile, as K, V and that of the weights leave no room for more in 48 KiB; the second reading is served by the cache.

    Bytes: K, V, dK, dV once, Q twice and G once for each tile of keys: 4 d (4 n_k + 3 n n_k / rows). Operations: four
    products, 8 n n_k d. Intensity: 2 rows / 3 operations a byte, 43 for 64 rows, with no help from the cache.

    Grid: (tiles of keys, heads of the keys, batch).
    """
    chunk, chunks, pieces, owned_scores, owned, owned_results, threads = Sizes.of(width, rows, columns, across)
    score_groups = owned_scores // 4
    keys_size, operand_size, weights_size = rows * width, columns * chunk, rows * columns
    load_keys = loader(rows, width, width, threads)
    load = loader(columns, chunk, width, threads)
    compare = transposed_product(width, chunk, columns, across)
    combine = product(columns, chunk, across)
    store = storer(columns, across)
    write_row = row_writer(width, chunk, across)
    shade = shader(rows, columns, threads, True)
    add = adder(columns, across)

    def backward_keys(
        q, k, v, grad, mask, shift, delta, dk, dv,
        scale, group, masked, step_batch, step_head, step_query, step_key, causal,
    ):  # fmt: skip
        tile_k = cuda.shared.array(keys_size, float32, 16)
        tile_v = cuda.shared.array(keys_size, float32, 16)
        tile_x = cuda.shared.array(operand_size, float32, 16)  # of the queries, the gradient, the queries again
        tile_p = cuda.shared.array(weights_size, float32, 16)  # of B^T, then of P^T, then of dS^T
        s = cuda.local.array((4, owned_scores), float32)
        t = cuda.local.array((4, owned_scores), float32)
        ak = cuda.local.array((4, owned_results), float32)
        av = cuda.local.array((4, owned_results), float32)
        thread = int32(cuda.threadIdx.x)
        tx = thread % across
        ty = thread // across
        key_head = int32(cuda.blockIdx.y)
        batch = int32(cuda.blockIdx.z)
        queries = int32(q.shape[2])
        keys = int32(k.shape[2])
        row = int32(cuda.blockIdx.x) * rows
        at_k = ((batch * k.shape[1] + key_head) * k.shape[2] + row) * width

        load_keys(tile_k, k, at_k, keys - row)
        load_keys(tile_v, v, at_k, keys - row)
        for i in range(4):
            for j in range(owned_results):
                ak[i, j] = float32(0.0)
                av[i, j] = float32(0.0)
        start = int32(0)
        if causal:
            start = row // columns * columns
        for head in range(key_head * group, (key_head + 1) * group):
            first_query = (batch * q.shape[1] + head) * q.shape[2]
            at_mask = batch * step_batch + head * step_head
            for column in range(start, queries, columns):
                at_q = (first_query + column) * width
                shaded = masked or column + columns > queries or row + rows > keys or (causal and column < row + rows)
                for i in range(4):
                    for j in range(owned_scores):
                        s[i, j] = float32(0.0)
                for c in range(chunks):
                    cuda.syncthreads()
                    if c == 0 and shaded:
                        shade(tile_p, row, column, queries, keys, mask, at_mask, step_query, step_key, masked, causal)
                    load(tile_x, q, at_q + c * chunk, queries - column)
                    cuda.syncthreads()
                    compare(s, tile_k, c * pieces, tile_x, ty, tx)
                for i in range(4):
                    for j in range(owned_scores):
                        s[i, j] *= scale
                if shaded:
                    add(s, tile_p, ty, tx)
                for g in range(score_groups):
                    for e in range(4):
                        query = min(column + 4 * (tx + g * across) + e, queries - 1)
                        held = shift[first_query + query]
                        for i in range(4):
                            s[i, 4 * g + e] = math.exp(s[i, 4 * g + e] - held)
                for i in range(4):
                    for j in range(owned_scores):
                        t[i, j] = float32(0.0)
                for c in range(chunks):
                    cuda.syncthreads()
                    if c == 0:
                        store(tile_p, s, ty, tx)
                    load(tile_x, grad, at_q + c * chunk, queries - column)
                    cuda.syncthreads()
                    compare(t, tile_v, c * pieces, tile_x, ty, tx)
                    combine(av, c * owned, tile_p, tile_x, ty, tx)
                for g in range(score_groups):
                    for e in range(4):
                        query = min(column + 4 * (tx + g * across) + e, queries - 1)
                        held = delta[first_query + query]
                        for i in range(4):
                            t[i, 4 * g + e] = s[i, 4 * g + e] * (t[i, 4 * g + e] - held)
                for c in range(chunks):
                    cuda.syncthreads()
                    if c == 0:
                        store(tile_p, t, ty, tx)
                    load(tile_x, q, at_q + c * chunk, queries - column)
                    cuda.syncthreads()
                    combine(ak, c * owned, tile_p, tile_x, ty, tx)

        for i in range(4):
            if row + 4 * ty + i < keys:
                write_row(dk, at_k + (4 * ty + i) * width, ak, i, scale, tx)
                write_row(dv, at_k + (4 * ty + i) * width, av, i, float32(1.0), tx)

    backward_keys.__name__ = f"attention_backward_keys_{width}"
    backward_keys.__doc__ = keys_kernel.__doc__
    types = f"{', '.join([MATRIX] * 4)}, {', '.join([ROW] * 3)}, {MATRIX}, {MATRIX}, float32{', int32' * 7}"
    return Kernel(backward_keys, threads=threads, types=types, blocks_per_sm=blocks_per_sm)


def queries_kernel(width: int, rows: int, columns: int, across: int, blocks_per_sm: int) -> Kernel:
    """dQ = scale dS K: a block owns ``rows`` queries of a head.

    The tiles of Q and G stay in shared memory while tiles of ``columns`` keys pass by: first of V, for dP = G V^T, then
    of K, for S = Q K^T, so that K is still there for dQ += dS K.

    Bytes: Q, G, dQ once, K and V once for each tile of queries: 4 d (3 n + 2 n n_k / rows), with K twice where the
    width of 128 makes it pass in two chunks. Operations: three products, 6 n n_k d. Intensity: 3 rows / 4 operations a
    byte, 48 for 64 rows, with no help from the cache.

    Grid: (tiles of queries, heads, batch); 1 / ``share`` heads share one of keys.
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

    def backward_queries(
        q, k, v, grad, mask, shift, delta, dq, scale, share, masked, step_batch, step_head, step_query, step_key, causal
    ):
        tile_q = cuda.shared.array(queries_size, float32, 16)
        tile_g = cuda.shared.array(queries_size, float32, 16)
        tile_x = cuda.shared.array(operand_size, float32, 16)  # of the values, then of the keys
        tile_p = cuda.shared.array(weights_size, float32, 16)  # of B, then of dS
        s = cuda.local.array((4, owned_scores), float32)
        t = cuda.local.array((4, owned_scores), float32)
        aq = cuda.local.array((4, owned_results), float32)
        held_shift = cuda.local.array(4, float32)
        held_delta = cuda.local.array(4, float32)
        thread = int32(cuda.threadIdx.x)
        tx = thread % across
        ty = thread // across
        head = int32(cuda.blockIdx.y)
        batch = int32(cuda.blockIdx.z)
        queries = int32(q.shape[2])
        keys = int32(k.shape[2])
        row = int32(cuda.blockIdx.x) * rows
        first_query = (batch * q.shape[1] + head) * q.shape[2]
        at_q = (first_query + row) * width
        at_k = (batch * k.shape[1] + shared_head(head, share)) * k.shape[2] * width
        at_mask = batch * step_batch + head * step_head
        load_queries(tile_q, q, at_q, queries - row)
        load_queries(tile_g, grad, at_q, queries - row)
        for i in range(4):
            query = min(row + 4 * ty + i, queries - 1)
            held_shift[i] = shift[first_query + query]
            held_delta[i] = delta[first_query + query]
            for j in range(owned_results):
                aq[i, j] = float32(0.0)
        end = keys
        if causal:
            end = min(keys, row + rows)
        for column in range(0, end, columns):
            shaded = masked or column + columns > keys or (causal and column + columns > row)
            for i in range(4):
                for j in range(owned_scores):
                    t[i, j] = float32(0.0)
            for c in range(chunks):
                cuda.syncthreads()
                if c == 0 and shaded:
                    shade(tile_p, row, column, queries, keys, mask, at_mask, step_query, step_key, masked, causal)
                load(tile_x, v, at_k + column * width + c * chunk, keys - column)
                cuda.syncthreads()
                compare(t, tile_g, c * pieces, tile_x, ty, tx)
            for i in range(4):
                for j in range(owned_scores):
                    s[i, j] = float32(0.0)
            for c in range(chunks):
                cuda.syncthreads()
                load(tile_x, k, at_k + column * width + c * chunk, keys - column)
                cuda.syncthreads()
                compare(s, tile_q, c * pieces, tile_x, ty, tx)
            for i in range(4):
                for j in range(owned_scores):
                    s[i, j] *= scale
            if shaded:
                add(s, tile_p, ty, tx)
            for i in range(4):
                for j in range(owned_scores):
                    s[i, j] = math.exp(s[i, j] - held_shift[i]) * (t[i, j] - held_delta[i])
            for c in range(chunks):
                if c == 0:
                    store(tile_p, s, ty, tx)
                if chunks > 1:
                    cuda.syncthreads()
                    load(tile_x, k, at_k + column * width + c * chunk, keys - column)
                cuda.syncthreads()
                combine(aq, c * owned, tile_p, tile_x, ty, tx)

        for i in range(4):
            if row + 4 * ty + i < queries:
                write_row(dq, at_q + (4 * ty + i) * width, aq, i, scale, tx)

    backward_queries.__name__ = f"attention_backward_queries_{width}"
    backward_queries.__doc__ = queries_kernel.__doc__
    types = f"{', '.join([MATRIX] * 4)}, {', '.join([ROW] * 3)}, {MATRIX}, float32, float32{', int32' * 6}"
    return Kernel(backward_queries, threads=threads, types=types, blocks_per_sm=blocks_per_sm)


# By width. Two tiles of all the columns leave less room than the forward pass has, and two results fewer registers.
KEY_TILES = {
    16: {"rows": 128, "columns": 32, "across": 4, "blocks_per_sm": 2},
    32: {"rows": 64, "columns": 32, "across": 8, "blocks_per_sm": 3},
    64: {"rows": 64, "columns": 32, "across": 8, "blocks_per_sm": 2},
    128: {"rows": 16, "columns": 64, "across": 16, "blocks_per_sm": 4},
}
QUERY_TILES = {
    16: {"rows": 128, "columns": 32, "across": 4, "blocks_per_sm": 2},
    32: {"rows": 64, "columns": 32, "across": 8, "blocks_per_sm": 3},
    64: {"rows": 64, "columns": 32, "across": 8, "blocks_per_sm": 3},
    128: {"rows": 32, "columns": 32, "across": 8, "blocks_per_sm": 3},
}
DELTA = delta_kernel()
KEYS = {width: keys_kernel(width, **sizes) for width, sizes in KEY_TILES.items()}
QUERIES = {width: queries_kernel(width, **sizes) for width, sizes in QUERY_TILES.items()}
KERNELS = [DELTA, *KEYS.values(), *QUERIES.values()]
