"""Attention: every query compares itself with all keys, and averages their values by how well they match.

It is made of small operations, so that its gradients of every order come from theirs. On a GPU two kernels take their
place, which never hold the scores of all pairs at once; they have the small operations as their twin.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import fast
from ..autograd import Function, Tensor
from ..backend import Array, check_one_device, float32, namespace
from . import check
from .arithmetic import to_dtype
from .dropout import dropout
from .linalg import one_dtype
from .piecewise import masked_fill
from .shape import broadcast_to
from .softmaxes import softmax

__all__ = ["scaled_dot_product_attention"]


def attention_weights(query: Tensor, key: Tensor, bias: Tensor | None, scale: float) -> Tensor:
    """P = softmax(scale Q K^T + B), each row a distribution over the keys; NaN in a row where B is -inf throughout."""
    scores = (query * scale) @ key.mT
    return softmax(scores if bias is None else scores + bias, -1)


class FusedAttention(Function):
    """Y = softmax(scale Q K^T + B) V in one kernel, and dL/dQ, dL/dK, dL/dV in others (Dao et al. 2022).

    Kept for the way back are Y and L_i = log sum_j exp s_ij alone. From them p_ij = exp(s_ij - L_i) is computed anew
    tile by tile, and rowsum(P * dL/dP)_i = sum_j p_ij g_i v_j = g_i y_i. The rest is ``scaled_dot_product_attention``.

    Shapes: as there, with the dimensions before the last two alike; only heads of K and V may be fewer.
    """

    saves_output = True

    def __init__(self, mask: Array | None, causal: bool, scale: float) -> None:
        self.mask, self.causal, self.scale = mask, causal, scale

    def forward(self, q: Array, k: Array, v: Array) -> Array:
        y, sums = fast.attention(four(q), four(k), four(v), self.mask, self.causal, self.scale)
        y = y.reshape((*q.shape[:-1], v.shape[-1]))
        self.saved = q, k, v, y, sums
        return y

    def backward(self, g: Array) -> tuple:
        *inputs, y, sums = self.saved
        saved = (*map(four, inputs), four(y), sums)
        found = fast.attention_backward(four(g), saved, self.mask, self.causal, self.scale)
        return tuple(gradient.reshape(x.shape) for gradient, x in zip(found, inputs, strict=True))

    def composed(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if k.shape[:-2] != q.shape[:-2]:
            k, v = shared_heads(k, q), shared_heads(v, q)
        return unfused(q, k, v, None if self.mask is None else Tensor(self.mask), 0.0, self.causal, self.scale)


def four(x: Array) -> Array:
    """(..., length, width) as (batch, heads, length, width)."""
    batch = x.shape[:-3]
    return x.reshape((math.prod(batch), *((1,) * (3 - x.ndim)), *x.shape[len(batch) :]))


def can_fuse(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> bool:
    """Whether the kernels for GPUs take these tensors: one batch for all of them, and a mask without gradient."""
    if type(query.array) is np.ndarray or not fast.attends(query.array, key.array, value.array):
        return False
    if key.shape[:-2] != value.shape[:-2] or query.ndim != key.ndim or query.shape[:-3] != key.shape[:-3]:
        return False
    if query.ndim > 2 and (not key.shape[-3] or query.shape[-3] % key.shape[-3]):
        return False
    return not isinstance(mask, Tensor) or (query.ndim <= 4 and not mask.requires_grad and mask.dtype.kind in "bf")


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Attention(Q, K, V) = softmax(Q K^T / sqrt(d_k) + B) V (D1-2.2.3-a; Vaswani et al. 2017, for B = 0).

    Row i of the softmax P says how much of each value v_j goes into the result for query q_i. A sum of d_k products of
    independent numbers of variance 1 has variance d_k; divided by sqrt(d_k) it has variance 1 again, and the softmax
    does not saturate. B is -inf where query i must not see key j, and 0 elsewhere: then p_ij = 0 exactly.

    With S the scores in the softmax and G = dL/dresult, the small operations give together::

        dL/dV = P^T G,  dL/dP = G V^T,  dL/dS = P * (dL/dP - rowsum(P * dL/dP)),
        dL/dQ = dL/dS K / sqrt(d_k),  dL/dK = (dL/dS)^T Q / sqrt(d_k),  dL/dB = dL/dS

    so that a hidden key, with p_ij = 0, gets a gradient of exactly 0 from query i, and so does its value.

    Shapes: query (..., L, d_k), key (..., S, d_k), value (..., S, d_v), result (..., L, d_v). The dimensions before
    the last two, such as batch and heads, broadcast.

    Args:
        attn_mask: broadcasts to (..., L, S). Boolean: True where query i may see key j. Floating point: B itself. The
            result of a query that may see no key at all is zeros.
        dropout_p: with which probability each p_ij is dropped; always applied, so pass 0 outside training.
        is_causal: query i sees the keys up to i alone; attn_mask must then be left out.
        scale: instead of 1 / sqrt(d_k).
        enable_gqa: consecutive query heads share a head of key and value (grouped queries; Ainslie et al. 2023); heads
            are dimension -3.

    Raises:
        TypeError: if a tensor is not floating point, the dtypes differ, or the mask has another dtype than bool,
            float32 or that of the query.
        ValueError: if shapes do not fit, there are no keys, dropout_p is no probability, or a mask is given twice.
    """
    check_operands(query, key, value)
    if not 0 <= dropout_p <= 1:
        raise error(f"dropout_p is a probability and must lie between 0 and 1, not {dropout_p}")
    if enable_gqa:
        check_groups("key", key, query)
        check_groups("value", value, query)
    else:
        check_stacks(query, key, value)
    if is_causal and attn_mask is not None:
        raise error("attn_mask must be left out where is_causal=True, which is a mask itself")
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    if not dropout_p and can_fuse(query, key, value, attn_mask):
        if attn_mask is not None:
            check_mask(attn_mask, query, key, query.shape[:-2])
            check_one_device("scaled_dot_product_attention", [query.array, attn_mask.array])
        mask = None if attn_mask is None else attn_mask.array
        return FusedAttention(mask, is_causal, scale).apply(query, key, value)
    if enable_gqa:
        key, value = shared_heads(key, query), shared_heads(value, query)
        check_stacks(query, key, value)
    return unfused(query, key, value, attn_mask, dropout_p, is_causal, scale)


def unfused(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout_p: float, is_causal: bool, scale: float
) -> Tensor:
    """Attention in small operations."""
    bias = blind = None
    if is_causal:
        bias = causal_bias(query, key)
    elif mask is not None:
        check_mask(mask, query, key, np.broadcast_shapes(query.shape[:-2], key.shape[:-2]))
        bias = bias_from(~mask if mask.dtype.kind == "b" else mask, query.dtype)
        blind = blind_rows(bias)
        if blind is not None:  # such rows have no softmax: they are computed as if nothing were hidden, then emptied
            bias = masked_fill(bias, blind, 0.0)
    result = dropout(attention_weights(query, key, bias, scale), dropout_p) @ value
    return result if blind is None else masked_fill(result, blind, 0.0)


# --- masks as numbers --------------------------------------------------------------------------------------------


def bias_from(mask: Tensor, dtype: np.dtype) -> Tensor:
    """B from a mask: one of numbers is B itself, a boolean one is True where B becomes -inf."""
    if mask.dtype.kind == "f":
        return to_dtype(mask, dtype)
    hidden = mask.array
    return Tensor(namespace(hidden).where(hidden, -math.inf, 0.0).astype(dtype))


def causal_bias(query: Tensor, key: Tensor) -> Tensor:
    """B (L, S) that hides the future: 0 where j <= i, -inf beyond."""
    past = namespace(query.array).tri(query.shape[-2], key.shape[-2], dtype=bool)
    return bias_from(Tensor(~past), query.dtype)


def blind_rows(bias: Tensor) -> Tensor | None:
    """True for each row of B that is -inf throughout, (..., 1); None if it is known that there is no such row.

    To know it on a GPU, the host would have to wait for the GPU's answer, which costs more than two masks that fill
    nothing.
    """
    blind = (bias.array == -math.inf).all(axis=-1, keepdims=True)
    return None if type(blind) is np.ndarray and not blind.any() else Tensor(blind)


# --- heads -------------------------------------------------------------------------------------------------------


def shared_heads(x: Tensor, query: Tensor) -> Tensor:
    """Each head of x repeated for all the query heads that share it: (..., H, n, d) to (..., H_query, n, d)."""
    *batch, heads, length, width = x.shape
    group = query.shape[-3] // heads
    repeated = broadcast_to(x.unsqueeze(-3), (*batch, heads, group, length, width))
    return repeated.reshape(*batch, heads * group, length, width)


# --- checks ------------------------------------------------------------------------------------------------------


def error(problem: str) -> ValueError:
    return ValueError(f"scaled_dot_product_attention: {problem}")


def check_operands(query: Any, key: Any, value: Any) -> None:
    """Three floating-point tensors of one dtype with matching rows and columns, and at least one key."""
    check.floating("scaled_dot_product_attention", query, "query")
    one_dtype("scaled_dot_product_attention", query=query, key=key, value=value)
    for name, x in (("query", query), ("key", key), ("value", value)):
        if x.ndim < 2:
            raise error(f"{name} must have 2 dimensions (length, features) or more, not shape {x.shape}")
    if query.shape[-1] != key.shape[-1]:
        raise error(
            f"query has {query.shape[-1]} features but key has {key.shape[-1]} (query {query.shape}, key {key.shape})"
        )
    if not query.shape[-1]:
        raise error(f"query and key must have at least one feature (query {query.shape}, key {key.shape})")
    if key.shape[-2] != value.shape[-2]:
        raise error(
            f"key has length {key.shape[-2]} but value has {value.shape[-2]} (key {key.shape}, value {value.shape})"
        )
    if not key.shape[-2]:
        raise error(f"the sequence of keys is empty, so there is nothing to attend to (key {key.shape})")


def check_groups(name: str, x: Tensor, query: Tensor) -> None:
    """The heads of the query can be shared out among those of x."""
    if query.ndim < 3 or x.ndim < 3:
        raise error(f"enable_gqa needs heads, so 3 dimensions or more (query {query.shape}, {name} {x.shape})")
    heads = x.shape[-3]
    if not heads or query.shape[-3] % heads:
        raise error(
            f"{name} has {heads} heads, which do not divide the {query.shape[-3]} of query (query {query.shape}, "
            f"{name} {x.shape})"
        )


def check_stacks(query: Tensor, key: Tensor, value: Tensor) -> None:
    """The dimensions before the last two broadcast."""
    for name, x in (("key", key), ("value", value)):
        heads = [y.shape[-3] for y in (query, x) if y.ndim > 3]
        if len(heads) == 2 and heads[0] != heads[1] and 1 not in heads:
            raise error(
                f"query has {heads[0]} heads but {name} has {heads[1]} (query {query.shape}, {name} {x.shape}); "
                f"enable_gqa=True lets query heads share them"
            )
    try:
        np.broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])
    except ValueError:
        raise error(
            f"the dimensions before the last two do not broadcast (query {query.shape}, key {key.shape}, value "
            f"{value.shape})"
        ) from None


def check_mask(mask: Any, query: Tensor, key: Tensor, batch: tuple[int, ...]) -> None:
    """The mask has a fitting dtype and broadcasts to the scores, of which there is a matrix for each of the batch."""
    dtype = check.tensor("scaled_dot_product_attention", mask, "attn_mask").dtype
    mask_dtype("scaled_dot_product_attention", "attn_mask", dtype, query.dtype)
    scores = (*batch, query.shape[-2], key.shape[-2])
    padded = (1,) * (len(scores) - mask.ndim) + mask.shape
    if len(padded) > len(scores) or any(m not in (1, n) for m, n in zip(padded, scores, strict=True)):
        raise error(
            f"attn_mask of shape {mask.shape} does not broadcast to the scores {scores}, one for each query and key "
            f"(query {query.shape}, key {key.shape})"
        )


def mask_dtype(operation: str, name: str, dtype: np.dtype, wanted: np.dtype) -> None:
    """A mask is boolean, or it is added to the scores: float32 as masks mostly are, or the dtype of the query."""
    if dtype.kind != "b" and dtype not in (float32, wanted):
        raise TypeError(f"{operation}: {name} must be bool, float32 or the dtype of query ({wanted}), not {dtype}")
