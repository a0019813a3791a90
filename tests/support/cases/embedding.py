"""Rows for embedding."""

import numpy as np
from opcases import Case, integers, normal


def embedding(**options):
    return lambda lib, index, weight: lib.nn.functional.embedding(index, weight, **options)


PADDING = "the padding row is held fixed: its gradient is 0 although the result depends on it"
TWICE = np.array([[1, 0, 1], [3, 1, 0]])

CASES = [
    Case("embedding", embedding(), TWICE, normal(4, 3)),
    Case("embedding.one_number", embedding(), integers(0, 4), normal(4, 3)),
    Case("embedding.none", embedding(), integers(0, 4, 0), normal(4, 3)),
    Case("embedding.int32", embedding(), TWICE.astype(np.int32), normal(4, 3)),
    Case("embedding.padding", embedding(padding_idx=1), TWICE, normal(4, 3), smooth=False, reason=PADDING),
    Case(
        "embedding.padding_from_the_end", embedding(padding_idx=-3), TWICE, normal(4, 3), smooth=False, reason=PADDING
    ),
    Case("embedding.in_a_sum", lambda lib, i, w: lib.nn.functional.embedding(i, w * w).sum(1), TWICE, normal(4, 3)),
]
