"""What is added to the scores of a tile: the mask, and -inf where a query must not see a key.

exp(-inf) = 0, so a score of -inf takes no part. The mask is a flat array of numbers; from one query to the next its
index grows by ``step_query``, from one key to the next by ``step_key``, 0 where one number stands for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..compiler import cuda, device, float32, int32
from ..vector import load4
from .tiles import swizzle

__all__ = ["adder", "shader"]


def shader(rows: int, columns: int, threads: int, keys_first: bool) -> Callable[..., Any]:
    """``shade(tile, row, column, queries, keys, mask, at, step_query, step_key, masked, causal)``: write a tile of B.

    B is the mask where ``masked``; -inf beyond the ``queries`` and ``keys`` that there are and, where ``causal``, for a
    key behind the query; else 0. The tile begins at ``row`` and ``column`` of B or, with ``keys_first``, of B^T.
    """
    together = threads // columns
    turn = swizzle(columns)

    @device
    def shade(tile, row, column, queries, keys, mask, at, step_query, step_key, masked, causal):
        thread = int32(cuda.threadIdx.x)
        c = thread % columns
        for r in range(thread // columns, rows, together):
            query = row + r
            key = column + c
            if keys_first:
                query = column + c
                key = row + r
            value = float32(0.0)
            if query >= queries or key >= keys or (causal and key > query):
                value = float32(-math.inf)
            elif masked:
                value = mask[at + query * step_query + key * step_key]
            tile[r * columns + (((c >> 2) ^ ((r >> 2) & turn)) << 2) + (c & 3)] = value

    return shade


def adder(columns: int, across: int) -> Callable[..., Any]:
    """``add(scores, tile, ty, tx)``: each thread adds a tile to the scores that it owns."""
    groups = columns // (4 * across)
    turn = swizzle(columns)

    @device
    def add(scores, tile, ty, tx):
        for i in range(4):
            for g in range(groups):
                x, y, z, w = load4(tile, (4 * ty + i) * columns + (((tx + g * across) ^ (ty & turn)) << 2))
                scores[i, 4 * g] += x
                scores[i, 4 * g + 1] += y
                scores[i, 4 * g + 2] += z
                scores[i, 4 * g + 3] += w

    return add
