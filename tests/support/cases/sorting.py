"""Rows for sort, argsort and topk."""

import numpy as np
from opcases import Case, booleans, distinct, integers

REPEATED = np.array([[1.0, 3.0, -2.0, 3.0], [2.0, np.nan, -np.inf, np.nan], [0.0, -0.0, np.inf, 0.0]])
TIES = "a tie is a kink, and NaN has no difference quotient"

CASES = [
    Case("sort", lambda lib, x: lib.sort(x), distinct(3, 4)),
    Case("sort.dim", lambda lib, x: x.sort(0), distinct(3, 4)),
    Case("sort.descending", lambda lib, x: lib.sort(x, dim=-2, descending=True), distinct(2, 3, 4)),
    Case("sort.fields", lambda lib, x: (x.sort().indices, x.sort(0, True).values), distinct(3, 4)),
    Case("sort.squared", lambda lib, x: x.sort(1).values * x, distinct(3, 4)),
    Case("sort.stable", lambda lib, x: lib.sort(x, stable=True), REPEATED, smooth=False, reason=TIES),
    Case(
        "sort.stable_down",
        lambda lib, x: lib.sort(x, descending=True, stable=True),
        REPEATED,
        smooth=False,
        reason=TIES,
    ),
    Case("sort.integers", lambda lib, x: lib.sort(x, dim=0, stable=True), integers(-5, 5, 3, 4), grad=False),
    Case("sort.booleans", lambda lib, x: lib.sort(x, dim=1, stable=True), booleans(3, 4), grad=False),
    Case("sort.empty", lambda lib, x: lib.sort(x, 0), np.zeros((0, 3))),
    Case("argsort", lambda lib, x: lib.argsort(x), distinct(3, 4), grad=False),
    Case("argsort.dim", lambda lib, x: x.argsort(0, True), distinct(3, 4), grad=False),
    Case("argsort.stable", lambda lib, x: lib.argsort(x, dim=-1, stable=True), REPEATED, grad=False),
    Case("topk", lambda lib, x: lib.topk(x, 2), distinct(3, 5)),
    Case("topk.dim", lambda lib, x: x.topk(2, 0), distinct(4, 3)),
    Case("topk.smallest", lambda lib, x: lib.topk(x, 3, dim=1, largest=False), distinct(2, 5, 3)),
    Case("topk.all", lambda lib, x: x.topk(4), distinct(3, 4)),
    # which of two equal elements is taken is PyTorch's secret, so the values alone are compared
    Case(
        "topk.nan", lambda lib, x: (x.detach().topk(2)[0], x.detach().topk(2, largest=False)[0]), REPEATED, grad=False
    ),
    Case("topk.integers", lambda lib, x: lib.topk(x, 2, 0).values, integers(-5, 5, 4, 3), grad=False),
]
