"""Rows for scaled dot-product attention."""

import math

import numpy as np
from opcases import Case, booleans, normal

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


CASES = [
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
