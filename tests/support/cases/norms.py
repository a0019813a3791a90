"""Rows for norms, unit vectors and cosines."""

import math

import numpy as np
from opcases import Case, away_from, distinct, normal

NONZERO = away_from([0.0], 3, 4)
MIXED = np.array([[0.0, 1.5, -2.0], [0.0, 0.0, 3.0]])

CASES = [
    Case("norm", lambda lib, x: lib.norm(x), normal(3, 4)),
    Case("norm.dim", lambda lib, x: x.norm(dim=1), normal(3, 4)),
    Case("norm.dims", lambda lib, x: x.norm("fro", (0, 2), keepdim=True), normal(2, 3, 4)),
    Case("norm.two", lambda lib, x: lib.norm(x, 2, 0), normal(3, 4)),
    Case("norm.dtype", lambda lib, x: lib.norm(x, dtype=lib.float64), normal(3, 4)),
    Case("norm.one", lambda lib, x: x.norm(1, 1), NONZERO),
    Case("norm.one_and_half", lambda lib, x: x.norm(1.5), NONZERO),
    Case("norm.three", lambda lib, x: x.norm(p=3, dim=0, keepdim=True), NONZERO),
    Case("norm.four", lambda lib, x: x.norm(4, dim=(0, 1)), NONZERO),
    Case("norm.half", lambda lib, x: lib.norm(x, 0.5, -1), NONZERO),
    Case("norm.minus_one", lambda lib, x: lib.norm(x, -1, 1), NONZERO),
    Case("norm.infinite", lambda lib, x: x.norm(math.inf, 1), distinct(3, 4)),
    Case("norm.infinite_all", lambda lib, x: x.norm(float("inf")), distinct(3, 4)),
    Case("norm.minus_infinite", lambda lib, x: x.norm(-math.inf, 0, keepdim=True), np.arange(12.0).reshape(3, 4) - 7.3),
    Case("norm.zero", lambda lib, x: x.norm(0, 1), MIXED, grad=False),
    Case("norm.empty", lambda lib, x: x.norm(2, 0), normal(0, 3)),
    Case("normalize", lambda lib, x: lib.nn.functional.normalize(x), normal(3, 4)),
    Case("normalize.dim", lambda lib, x: lib.nn.functional.normalize(x, dim=0), normal(3, 4)),
    Case("normalize.one", lambda lib, x: lib.nn.functional.normalize(x, 1.0, -1), NONZERO),
    Case("normalize.short", lambda lib, x: lib.nn.functional.normalize(x, eps=100.0), normal(3, 4)),
    # Times sums, since a cosine alone does not depend on a vector whose elements are all one number.
    Case(
        "cosine_similarity",
        lambda lib, x, y: lib.cosine_similarity(x, y) * x.sum() * y.sum(),
        normal(3, 4),
        normal(3, 4),
    ),
    Case(
        "cosine_similarity.functional",
        lambda lib, x, y: lib.nn.functional.cosine_similarity(x, y, dim=-1) * x.sum() * y.sum(),
        normal(2, 1, 4),
        normal(3, 4),
    ),
    Case(
        "cosine_similarity.vector",
        lambda lib, x, y: lib.cosine_similarity(x, y, 0) * x * y.sum(),
        normal(4),
        normal(3, 4),
    ),
]
