"""Transformers: layers of attention and feed-forward nets, and stacks of such layers.

Every part of a layer adds to what comes in (a residual connection) and is normalised; ``residual`` is all there is to
say about that. An encoder layer has one attention, of the sequence to itself; a decoder layer has a second one, to
what the encoder made of another sequence.

Nothing here knows the order of a sequence: positions are added to the input (``SinusoidalPositions``).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

from ..autograd import Tensor
from ..creation import full
from ..ops import check
from . import functional as F
from . import init
from .attention import MultiheadAttention, head_width, probability
from .container import ModuleList
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .normalization import LayerNorm

__all__ = [
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
]

Activation = Callable[[Tensor], Tensor]
ACTIVATIONS: dict[str, Activation] = {"relu": F.relu, "gelu": F.gelu}


# --- layers ------------------------------------------------------------------------------------------------------


class TransformerLayer(Module):
    """What layers of encoder and decoder share: how they are put together, and the feed-forward net."""

    attentions: tuple[str, ...]  # the names of the attentions; each of them and the feed-forward net has a norm

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        layer = type(self).__name__
        head_width(layer, d_model=d_model, nhead=nhead)
        check.positive(layer, dim_feedforward, "dim_feedforward")
        probability(layer, dropout)
        if not callable(activation) and activation not in tuple(ACTIVATIONS):
            raise ValueError(f"{layer}: activation must be 'relu', 'gelu' or a function, not {activation!r}")
        there: dict[str, Any] = dict(device=device, dtype=dtype)
        for name in self.attentions:
            attention = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, **there)
            self.add_module(name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias, **there)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, **there)
        self.norm_first = norm_first
        parts = range(1, len(self.attentions) + 2)
        for i in parts:
            self.add_module(f"norm{i}", LayerNorm(d_model, layer_norm_eps, bias=bias, **there))
        for i in parts:
            self.add_module(f"dropout{i}", Dropout(dropout))
        self.activation = activation if callable(activation) else ACTIVATIONS[activation]

    def residual(self, x: Tensor, part: Callable[[Tensor], Tensor], i: int) -> Tensor:
        """norm_i(x + part(x)), or x + part(norm_i(x)) if norm_first; part i is followed by its dropout."""
        norm, dropout = getattr(self, f"norm{i}"), getattr(self, f"dropout{i}")
        if self.norm_first:
            return x + dropout(part(norm(x)))
        return norm(x + dropout(part(x)))

    def feed_forward(self, x: Tensor) -> Tensor:
        """W_2 act(W_1 x + b_1) + b_2 for each position by itself."""
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(TransformerLayer):
    """Self-attention, then a feed-forward net: u = x + MultiHead(x, x, x), v = u + FFN(u), with norms (D4-3.3-a).

    As in the paper the norms come last, u = norm1(x + ...) and v = norm2(u + ...) (Vaswani et al. 2017); with
    ``norm_first`` they stand before each part, and the residual path from input to output is left free, which makes
    deep stacks easier to train (Xiong et al. 2020). In training, dropout acts on the attention weights, after the
    activation, and on each part's output.

    Shapes: src and output (S, B, d_model), or (B, S, d_model) if batch_first, or (S, d_model); src_mask and
    src_key_padding_mask as attn_mask and key_padding_mask of ``MultiheadAttention``.

    Args:
        d_model: the width of every position.
        nhead: the number of heads.
        dim_feedforward: the width inside the feed-forward net.
        dropout: the probability of every dropout.
        activation: "relu", "gelu", or a function of tensors.
        layer_norm_eps: eps of the norms.
        batch_first: whether the batch is the first dimension.
        norm_first: where the norms stand.
        bias: False leaves out all biases, those of the norms too.

    Raises:
        ValueError: if the sizes are not positive, the heads do not divide the width, or the activation is unknown; from
            forward, as ``MultiheadAttention``.
    """

    attentions = ("self_attn",)
    self_attn: MultiheadAttention

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        def attend(x: Tensor) -> Tensor:
            return self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)[0]

        u = self.residual(src, attend, 1)
        return self.residual(u, self.feed_forward, 2)


class TransformerDecoderLayer(TransformerLayer):
    """Self-attention, attention to the encoder's output ("memory"), then a feed-forward net, each with a norm.

    Queries of the second attention come from the sequence x, keys and values from the memory m:
    u = x + MultiHead(x, x, x), w = u + MultiHead(u, m, m), v = w + FFN(w). Norms, dropout, arguments and errors are
    those of ``TransformerEncoderLayer``.

    Shapes: tgt and output (L, B, d_model), memory (S, B, d_model), or B first if batch_first, or all without B;
    tgt_mask (L, L), memory_mask (L, S), tgt_key_padding_mask (B, L), memory_key_padding_mask (B, S).
    """

    attentions = ("self_attn", "multihead_attn")
    self_attn: MultiheadAttention
    multihead_attn: MultiheadAttention

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        def attend(x: Tensor) -> Tensor:
            return self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal)[0]

        def look_up(x: Tensor) -> Tensor:
            masks = memory_key_padding_mask, False, memory_mask
            return self.multihead_attn(x, memory, memory, *masks, is_causal=memory_is_causal)[0]

        u = self.residual(tgt, attend, 1)
        w = self.residual(u, look_up, 2)
        return self.residual(w, self.feed_forward, 3)


# --- stacks ------------------------------------------------------------------------------------------------------


class Stack(Module):
    """What ``TransformerEncoder`` and ``TransformerDecoder`` share: copies of a layer, and the norm at the end."""

    def __init__(self, layer: Module, num_layers: int, norm: Module | None) -> None:
        super().__init__()
        number = check.positive(type(self).__name__, num_layers, "num_layers")
        self.layers = ModuleList([copy.deepcopy(layer) for _ in range(number)])
        self.num_layers = num_layers
        self.norm = norm

    def through_all(self, x: Tensor, *memory: Tensor, **masks: Any) -> Tensor:
        """x after all layers and the norm; each layer gets the rest of the arguments too."""
        for layer in self.layers:
            x = layer(x, *memory, **masks)
        return x if self.norm is None else self.norm(x)


class TransformerEncoder(Stack):
    """``num_layers`` copies of a layer, one after the other, and a norm at the end if there is one.

    The copies start with the SAME weights, as in PyTorch; ``Transformer`` draws new ones for all of them.

    The output has the shape of the input: n vectors for n tokens, each with the others in view (D1-2.2.3-c).

    Args:
        encoder_layer: the layer to be copied.
        norm: what follows the last layer.
        enable_nested_tensor, mask_check: in their place for PyTorch's sake; they change nothing.

    Raises:
        TypeError: if num_layers is no integer.
        ValueError: if it is not positive.
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__(encoder_layer, num_layers, norm)

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        return self.through_all(
            src, src_mask=mask, src_key_padding_mask=src_key_padding_mask, is_causal=bool(is_causal)
        )


class TransformerDecoder(Stack):
    """``num_layers`` copies of a decoder layer, each looking at the same memory; see ``TransformerEncoder``."""

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(decoder_layer, num_layers, norm)

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        return self.through_all(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=bool(tgt_is_causal),
            memory_is_causal=memory_is_causal,
        )


class Transformer(Module):
    """An encoder reads the source, a decoder writes the target with the encoder's output in view (Vaswani et al. 2017).

    src (S, B, d_model) and tgt (L, B, d_model), or B first if batch_first, or both without B, give an output like tgt.
    Embeddings and positions before it, and the linear map and softmax behind it, are not part of it (D4-3.3-a).

    Both stacks end with a norm. All matrices start uniform with Xavier's bound, each layer with numbers of its own.

    Args:
        num_encoder_layers, num_decoder_layers: how many layers the stacks have.
        custom_encoder, custom_decoder: modules to take the place of a stack.
        d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias: as in
            ``TransformerEncoderLayer``.

    Raises:
        TypeError, ValueError: as the layers; from forward, if src and tgt do not fit each other or d_model.
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Activation = F.relu,
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        head_width("Transformer", d_model=d_model, nhead=nhead)
        there: dict[str, Any] = dict(device=device, dtype=dtype)
        settings = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)

        def stack(kind: Any, layer: Any, number: int) -> Module:
            return kind(layer(*settings, **there), number, LayerNorm(d_model, layer_norm_eps, bias=bias, **there))

        if custom_encoder is None:
            custom_encoder = stack(TransformerEncoder, TransformerEncoderLayer, num_encoder_layers)
        if custom_decoder is None:
            custom_decoder = stack(TransformerDecoder, TransformerDecoderLayer, num_decoder_layers)
        self.encoder, self.decoder = custom_encoder, custom_decoder
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values for all matrices; vectors (biases and norms) stay as they are."""
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        self.check_sequences(src, tgt)
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        return self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )

    def check_sequences(self, src: Any, tgt: Any) -> None:
        for name, x in (("src", src), ("tgt", tgt)):
            check.floating("Transformer", x, name)
            if x.ndim not in (2, 3) or x.shape[-1] != self.d_model:
                raise ValueError(
                    f"Transformer: {name} must have 2 or 3 dimensions, the last of length d_model {self.d_model}, not "
                    f"shape {x.shape}"
                )
        batch = 0 if self.batch_first else 1
        if src.ndim != tgt.ndim or (src.ndim == 3 and src.shape[batch] != tgt.shape[batch]):
            raise ValueError(f"Transformer: src {src.shape} and tgt {tgt.shape} must have the same batch")

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """The mask (sz, sz) that hides the future: -inf above the diagonal, 0 elsewhere."""
        if check.integer("generate_square_subsequent_mask", sz, "sz") < 0:
            raise ValueError(f"generate_square_subsequent_mask: sz must not be negative, but is {sz}")
        return full((sz, sz), -math.inf, device=device, dtype=dtype).triu(1)
