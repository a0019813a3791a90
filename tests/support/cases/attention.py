"""Rows for attention and for Transformer layers, each a function of its inputs and of all of its weights."""

import functools
import math

import numpy as np
from opcases import Case, booleans, normal

import minidl

LENGTH, KEYS, WIDTH = 3, 4, 2
Q, K, V = normal(2, LENGTH, WIDTH), normal(2, KEYS, WIDTH), normal(2, KEYS, 3)
HEADS = normal(2, 2, LENGTH, WIDTH), normal(2, 2, KEYS, WIDTH), normal(2, 2, KEYS, 3)
ONE_BLIND = np.array([[True, False, True, True], [False] * 4, [True, True, False, False]])


def attention(**options):
    def call(lib, query, key, value, attn_mask=None):
        return lib.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask, **options)

    return call


def biased(visible):
    """An additive mask that is learned where it is finite: a slope, so that no common shift hides its gradient."""

    def call(lib, query, key, value, bias):
        slope = bias * lib.arange(KEYS, dtype=bias.dtype)
        mask = slope + lib.tensor(np.where(visible, 0, -math.inf), dtype=bias.dtype)
        return lib.nn.functional.scaled_dot_product_attention(query, key, value, mask)

    return call


def row(variant, *inputs, **options):
    return Case(f"scaled_dot_product_attention{variant}", attention(**options), *inputs)


# --- layers ------------------------------------------------------------------------------------------------------

WIDE, HEADS_OF_TWO, INSIDE = 4, 2, 3  # d_model, nhead, dim_feedforward
FUTURE = np.array([[False, True], [False, False]])
PADDING = np.array([[False, True], [False, False]])


def layer(make, *shapes, masks=(), name, **options):
    """A row for a module: its parameters give way to inputs of the row."""

    def module_of(lib):
        return make(lib.nn, name.partition(".")[0])

    def call(lib, *tensors):
        if [tuple(x.shape) for x in tensors] != every_shape:
            raise ValueError("a layer is run with inputs and weights of its own shapes alone")
        module = module_of(lib)
        paths = [path for path, _ in module.named_parameters()]
        inputs, weights = tensors[: -len(paths)], tensors[-len(paths) :]
        for path, weight in zip(paths, weights, strict=True):
            *owners, last = path.split(".")
            owner = functools.reduce(getattr, owners, module)
            delattr(owner, last)
            setattr(owner, last, weight)
        results = module(*inputs, **{mask: lib.tensor(array) for mask, array in masks}, **options)
        return tuple(y for y in results if y is not None) if isinstance(results, tuple) else results

    every_shape = [*shapes, *(p.shape for p in module_of(minidl).parameters())]
    return Case(name, call, *(normal(*shape) for shape in every_shape))


def attending(**options):
    return lambda nn, name: nn.MultiheadAttention(WIDE, HEADS_OF_TWO, **options)


def smooth(**options):
    """A layer without the kink of relu."""
    return lambda nn, name: getattr(nn, name)(WIDE, HEADS_OF_TWO, INSIDE, 0.0, "gelu", **options)


X, MEMORY = (2, 2, WIDE), (3, 2, WIDE)

LAYERS = [
    layer(attending(), X, MEMORY, MEMORY, name="MultiheadAttention"),
    layer(
        attending(kdim=3, batch_first=True, bias=False),
        *(X, (2, 4, 3), (2, 4, WIDE)),
        average_attn_weights=False,
        name="MultiheadAttention.other_widths",
    ),
    layer(
        attending(),
        *(X, X, X),
        masks=[("attn_mask", FUTURE), ("key_padding_mask", PADDING)],
        need_weights=False,
        name="MultiheadAttention.masks",
    ),
    layer(smooth(), X, name="TransformerEncoderLayer"),
    layer(smooth(norm_first=True), X, masks=[("src_mask", FUTURE)], name="TransformerEncoderLayer.norm_first"),
    layer(smooth(), X, MEMORY, name="TransformerDecoderLayer"),
    layer(
        smooth(norm_first=True),
        *(X, MEMORY),
        masks=[("tgt_mask", FUTURE), ("tgt_key_padding_mask", PADDING)],
        name="TransformerDecoderLayer.norm_first",
    ),
]

CASES = [
    *LAYERS,
    row("", Q, K, V),
    row(".one_sequence", normal(LENGTH, WIDTH), normal(KEYS, WIDTH), normal(KEYS, 3)),
    row(".heads", *HEADS),
    row(".broadcast", normal(1, LENGTH, WIDTH), normal(2, 1, KEYS, WIDTH), normal(3, KEYS, 3)),
    row(".no_queries", normal(2, 0, WIDTH), K, V),
    row(".no_batch", normal(0, LENGTH, WIDTH), normal(0, KEYS, WIDTH), normal(0, KEYS, 3)),
    row(".scale", Q, K, V, scale=-1.5),
    row(".causal", Q, K, V, is_causal=True),
    row(".causal_few_keys", normal(2, 4, WIDTH), normal(2, 3, WIDTH), normal(2, 3, 3), is_causal=True),
    row(".boolean", Q, K, V, booleans(LENGTH, KEYS)),
    row(".boolean_for_each_head", *HEADS, booleans(2, 1, LENGTH, KEYS)),
    row(".boolean_for_keys", Q, K, V, booleans(KEYS)),
    row(".boolean_blind", *HEADS, ONE_BLIND),
    Case("scaled_dot_product_attention.additive", biased(True), Q, K, V, normal(LENGTH, KEYS)),
    Case("scaled_dot_product_attention.additive_for_each_head", biased(True), *HEADS, normal(2, 1, 1, KEYS)),
    Case("scaled_dot_product_attention.additive_blind", biased(ONE_BLIND), *HEADS, normal(LENGTH, KEYS)),
    row(
        ".shared_heads", normal(2, 4, LENGTH, WIDTH), normal(2, 2, KEYS, WIDTH), normal(2, 1, KEYS, 3), enable_gqa=True
    ),
    row(
        ".shared_heads_causal",
        *(normal(4, LENGTH, WIDTH), normal(2, KEYS, WIDTH), normal(2, KEYS, 3)),
        enable_gqa=True,
        is_causal=True,
    ),
]
