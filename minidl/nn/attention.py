"""Multi-head attention as a layer: several attentions side by side, each on projections of its own."""

from __future__ import annotations

import math
from typing import Any

from ..autograd import Tensor
from ..ops import check
from ..ops.attention import attention_weights, bias_from, mask_dtype
from . import functional as F
from . import init
from .init import empty
from .linear import Linear
from .module import Module
from .parameter import Parameter

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """MultiHead(Q, K, V) = [head_1; ...; head_h] W^O, head_i = Attention(Q W_i^Q, K W_i^K, V W_i^V) (D1-2.2.3-b).

    Attention itself is ``F.scaled_dot_product_attention`` (D1-2.2.3-a). One softmax mixes the values in one way; h
    heads of width d = embed_dim / h mix them in h ways with the same number of multiplications (Vaswani et al. 2017).
    All projections add a bias where ``bias`` is True.

    Shapes, with a batch of B sequences, L queries and S keys:

    * query (L, B, embed_dim), key (S, B, kdim), value (S, B, vdim), or B first if batch_first; or all without B
    * output as query; attention weights (B, L, S), or (B, h, L, S) if they are not averaged; (L, S) or (h, L, S)
      without B
    * in_proj_weight (3 embed_dim, embed_dim) holds W^Q, W^K, W^V one below the other, each the transpose of the
      formula's, with d rows a head; if kdim or vdim differ from embed_dim they are apart, q_proj_weight (embed_dim,
      embed_dim), k_proj_weight (embed_dim, kdim), v_proj_weight (embed_dim, vdim); in_proj_bias (3 embed_dim,)
    * out_proj.weight (embed_dim, embed_dim) is the transpose of W^O

    The weights of the first projections start uniform with Xavier's bound, all biases at 0.

    Args:
        embed_dim: the width of queries and output, divisible by num_heads.
        dropout: with which probability, in training, each attention weight is dropped.
        add_bias_kv, add_zero_attn: in their place for PyTorch's sake; only False is possible.
        kdim, vdim: the width of keys and values; embed_dim unless given.
        batch_first: whether the batch is the first dimension of query, key, value and output.

    Raises:
        TypeError: if a size is no integer; from forward, if a tensor is not floating point or of another dtype than the
            weights, or a mask neither boolean nor such a number.
        ValueError: if sizes are not positive or the heads do not divide the width; from forward, if shapes do not fit
            each other or there are no keys.
    """

    in_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.head_dim = head_width("MultiheadAttention", embed_dim=embed_dim, num_heads=num_heads)
        if add_bias_kv or add_zero_attn:
            raise ValueError("MultiheadAttention: add_bias_kv and add_zero_attn do not exist here and must be False")
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else check.positive("MultiheadAttention", kdim, "kdim")
        self.vdim = embed_dim if vdim is None else check.positive("MultiheadAttention", vdim, "vdim")
        self.num_heads = num_heads
        self.dropout = probability("MultiheadAttention", dropout)
        self.batch_first = batch_first
        together = self.kdim == self.vdim == embed_dim
        shapes = {
            "q_proj_weight": None if together else (embed_dim, embed_dim),
            "k_proj_weight": None if together else (embed_dim, self.kdim),
            "v_proj_weight": None if together else (embed_dim, self.vdim),
            "in_proj_weight": (3 * embed_dim, embed_dim) if together else None,
            "in_proj_bias": (3 * embed_dim,) if bias else None,
        }
        for name, shape in shapes.items():
            weight = None if shape is None else Parameter(empty("MultiheadAttention", shape, device, dtype))
            self.register_parameter(name, weight)
        self.out_proj = Linear(embed_dim, embed_dim, bias, device, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        self.out_proj.reset_parameters()
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None and self.out_proj.bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """The output, and the attention weights if they are wanted (otherwise None).

        Boolean masks are True where something is HIDDEN, the other way round than in the operation; masks of numbers
        are added to the scores. A query that may see no key at all gets weights and an output of NaN if the weights are
        wanted, as in PyTorch, and attends to zeros otherwise.

        Args:
            key_padding_mask: hides keys of single sequences, (B, S), or (S,) without B.
            need_weights: whether to return the attention weights, after dropout.
            attn_mask: hides keys from single queries, (L, S) for all heads, or (B h, L, S) for each by itself.
            average_attn_weights: whether to return the mean of the weights of all heads.
            is_causal: a hint that attn_mask hides the future; what is hidden is up to attn_mask alone.
        """
        places = self.check_operands(query, key, value)
        q, k, v = (self.split_heads(x, places) for x in self.project(query, key, value))  # (B, h, n, d)
        bias = self.merge_masks(q, k, key_padding_mask, attn_mask, is_causal)
        p = self.dropout if self.training else 0.0
        if not need_weights:
            return self.join_heads(F.scaled_dot_product_attention(q, k, v, bias, p), places), None
        weights = F.dropout(attention_weights(q, k, bias, 1 / math.sqrt(self.head_dim)), p)  # (B, h, L, S)
        output = self.join_heads(weights @ v, places)
        return output, weights.mean(-3) if average_attn_weights else weights

    # Projections and heads

    def project(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        """Queries, keys and values of all heads side by side; self-attention takes one product for the three."""
        if self.in_proj_weight is not None and query is key is value:
            return F.linear(query, self.in_proj_weight, self.in_proj_bias).chunk(3, -1)
        if self.in_proj_weight is not None:
            weights: tuple[Any, ...] = self.in_proj_weight.chunk(3)
        else:
            weights = self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
        biases = (None,) * 3 if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        return tuple(map(F.linear, (query, key, value), weights, biases))

    def split_heads(self, x: Tensor, places: int) -> Tensor:
        """(..., n, ..., embed_dim), with n places in dimension ``places``, to (..., h, n, d)."""
        return x.unflatten(-1, (self.num_heads, self.head_dim)).movedim(places, -2)

    def join_heads(self, x: Tensor, places: int) -> Tensor:
        """The heads side by side again, and mixed by W^O."""
        return self.out_proj(x.movedim(-2, places).flatten(-2))

    # Masks

    def merge_masks(
        self, q: Tensor, k: Tensor, key_padding_mask: Tensor | None, attn_mask: Tensor | None, is_causal: bool
    ) -> Tensor | None:
        """Both masks as numbers to be added to the scores (..., h, L, S); None if nothing is hidden."""
        batch, length, keys = q.shape[:-3], q.shape[-2], k.shape[-2]
        if is_causal and attn_mask is None:
            raise ValueError(
                "MultiheadAttention: is_causal is a hint about attn_mask, which is missing "
                "(Transformer.generate_square_subsequent_mask makes one)"
            )
        if attn_mask is not None:
            each = (math.prod(batch) * self.num_heads, length, keys)
            check_mask("attn_mask", attn_mask, q, (length, keys), each)
            attn_mask = bias_from(attn_mask, q.dtype)
            if attn_mask.ndim == 3:
                attn_mask = attn_mask.reshape(*batch, self.num_heads, length, keys)
        if key_padding_mask is None:
            return attn_mask
        check_mask("key_padding_mask", key_padding_mask, q, (*batch, keys))
        padding = bias_from(key_padding_mask, q.dtype).reshape(*batch, 1, 1, keys)
        return padding if attn_mask is None else attn_mask + padding

    # Checks

    def check_operands(self, query: Any, key: Any, value: Any) -> int:
        """The dimension of the places in a sequence, if shapes and dtypes fit the weights and each other."""
        for name, x, width in (("query", query, "embed_dim"), ("key", key, "kdim"), ("value", value, "vdim")):
            check.floating("MultiheadAttention", x, name)
            if x.dtype != self.out_proj.weight.dtype:
                raise TypeError(
                    f"MultiheadAttention: {name} is {x.dtype} but the weights are {self.out_proj.weight.dtype}; both "
                    f"must have one dtype"
                )
            if x.ndim not in (2, 3) or x.ndim != query.ndim:
                axes = "batch, length" if self.batch_first else "length, batch"
                raise ValueError(
                    f"MultiheadAttention: query, key and value must all have 3 dimensions ({axes}, features), or all 2 "
                    f"without the batch, but {name} has shape {x.shape}"
                )
            if x.shape[-1] != getattr(self, width):
                raise ValueError(
                    f"MultiheadAttention: {name} has {x.shape[-1]} features but {width} is {getattr(self, width)} "
                    f"({name} {x.shape})"
                )
        places = 1 if self.batch_first and query.ndim == 3 else 0
        if query.ndim == 3:
            for name, x in (("key", key), ("value", value)):
                if x.shape[1 - places] != query.shape[1 - places]:
                    raise ValueError(
                        f"MultiheadAttention: query has a batch of {query.shape[1 - places]} but {name} of "
                        f"{x.shape[1 - places]} (query {query.shape}, {name} {x.shape})"
                    )
        if key.shape[places] != value.shape[places]:
            raise ValueError(
                f"MultiheadAttention: key has length {key.shape[places]} but value has {value.shape[places]} "
                f"(key {key.shape}, value {value.shape})"
            )
        if not key.shape[places]:
            raise ValueError(
                f"MultiheadAttention: the sequence of keys is empty, so there is nothing to attend to (key {key.shape})"
            )
        return places


def check_mask(name: str, mask: Any, query: Tensor, *shapes: tuple[int, ...]) -> None:
    """The mask has a fitting dtype and one of the shapes."""
    dtype = check.tensor("MultiheadAttention", mask, name).dtype
    mask_dtype("MultiheadAttention", name, dtype, query.dtype)
    if mask.shape not in shapes:
        wanted = " or ".join(map(str, shapes))
        raise ValueError(f"MultiheadAttention: {name} has shape {mask.shape} but must have {wanted}")


def head_width(layer: str, **sizes: int) -> int:
    """The width of a head: the first size divided by the second."""
    (width_name, width), (heads_name, heads) = sizes.items()
    for name, size in sizes.items():
        check.positive(layer, size, name)
    if width % heads:
        raise ValueError(f"{layer}: {width_name} {width} is not divisible by {heads_name} {heads}")
    return width // heads


def probability(layer: str, dropout: Any) -> float:
    if not isinstance(dropout, (int, float)) or not 0 <= dropout <= 1:
        raise ValueError(f"{layer}: dropout must be between 0 and 1, but is {dropout!r}")
    return dropout
