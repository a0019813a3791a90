"""Rows for the largest and the smallest elements; those with ties stand in test_extrema.py, for ties are kinks."""

import numpy as np
from opcases import Case, booleans, distinct, integers

TIES = "a tie is a kink, and NaN has no difference quotient"
REPEATED = np.array([[1.0, 3.0, 3.0], [2.0, np.nan, np.nan], [-np.inf, -np.inf, -np.inf]])

CASES = [
    Case("max", lambda lib, x: lib.max(x), distinct(3, 4)),
    Case("max.dim", lambda lib, x: lib.max(x, 1), distinct(3, 4)),
    Case("max.keepdim", lambda lib, x: x.max(0, keepdim=True), distinct(2, 3, 4)),
    Case("max.fields", lambda lib, x: (x.max(-2).indices, x.max(dim=-2).values), distinct(2, 3, 4)),
    Case("max.twice", lambda lib, x: x.max(0).values.max(), distinct(3, 4)),
    Case("max.other", lambda lib, x, y: lib.max(x, y), np.arange(12.0).reshape(3, 4), np.arange(4) + 3.5),
    Case("max.integers", lambda lib, x: lib.max(x, 0), integers(-5, 5, 3, 4), grad=False),
    Case("max.booleans", lambda lib, x: (lib.max(x), *lib.max(x, 0)), booleans(3, 4), grad=False),
    Case("max.repeated", lambda lib, x: (lib.max(x), *lib.max(x, 1)), REPEATED, smooth=False, reason=TIES),
    Case("max.empty", lambda lib, x: lib.max(x, 1), np.zeros((0, 3))),
    Case("min", lambda lib, x: x.min(), distinct(3, 4)),
    Case("min.dim", lambda lib, x: lib.min(x, 0), distinct(3, 4)),
    Case("min.keepdim", lambda lib, x: x.min(-1, True), distinct(2, 3, 4)),
    Case("min.other", lambda lib, x, y: x.min(y), np.arange(12.0).reshape(3, 4), np.arange(4) + 3.5),
    Case("min.repeated", lambda lib, x: (lib.min(x), *lib.min(x, 1)), REPEATED, smooth=False, reason=TIES),
    Case("amax", lambda lib, x: lib.amax(x), distinct(3, 4)),
    Case("amax.dim", lambda lib, x: x.amax(1), distinct(3, 4)),
    Case("amax.dims", lambda lib, x: lib.amax(x, (0, 2), keepdim=True), distinct(2, 3, 4)),
    Case("amax.integers", lambda lib, x: x.amax(0), integers(-5, 5, 3, 4), grad=False),
    Case("amin", lambda lib, x: lib.amin(x), distinct(3, 4)),
    Case("amin.dim", lambda lib, x: x.amin(-2, True), distinct(3, 4)),
    Case("amin.dims", lambda lib, x: lib.amin(x, (0, 2)), distinct(2, 3, 4)),
    Case("argmax", lambda lib, x: lib.argmax(x), distinct(3, 4), grad=False),
    Case("argmax.dim", lambda lib, x: x.argmax(1), REPEATED, grad=False),
    Case("argmax.keepdim", lambda lib, x: (x.argmax(-2, keepdim=True), x.argmax(keepdim=True)), REPEATED, grad=False),
    Case("argmax.integers", lambda lib, x: lib.argmax(x, dim=0), integers(-5, 5, 3, 4), grad=False),
    Case("argmin", lambda lib, x: x.argmin(), distinct(3, 4), grad=False),
    Case("argmin.dim", lambda lib, x: lib.argmin(x, 1), REPEATED, grad=False),
    Case("argmin.keepdim", lambda lib, x: x.argmin(0, True), distinct(2, 3, 4), grad=False),
]
