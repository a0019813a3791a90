"""Rows for sums, means, variances and truth over dimensions."""

import numpy as np
from opcases import Case, booleans, integers, normal

UINT8 = np.array([[0, 1, 200], [3, 250, 255]], np.uint8)
SPARSE = np.array([[0.0, 1.5, -2.0], [0.0, 0.0, 3.0], [0.0, 4.0, np.nan]])
NAN = "a mean of nothing is NaN, which has no difference quotient"

CASES = [
    Case("sum", lambda lib, x: lib.sum(x), normal(3, 4)),
    Case("sum.dim", lambda lib, x: lib.sum(x, 1), normal(3, 4)),
    Case("sum.method", lambda lib, x: x.sum(-2), normal(3, 4)),
    Case("sum.dims", lambda lib, x: x.sum((0, -1)), normal(2, 3, 4)),
    Case("sum.no_dims", lambda lib, x: x.sum(()), normal(2, 3)),
    Case("sum.keepdim", lambda lib, x: x.sum(1, keepdim=True), normal(3, 4)),
    Case("sum.keepdim_all", lambda lib, x: x.sum(None, True), normal(3, 4)),
    Case("sum.dtype", lambda lib, x: x.sum(0, dtype=lib.float64), normal(3, 4)),
    Case("sum.to_integer", lambda lib, x: x.sum(0, dtype=lib.int64), normal(3, 4), grad=False),
    Case("sum.integers", lambda lib, x: lib.sum(x, 0), integers(-5, 5, 3, 4), grad=False),
    Case("sum.integers_as_float", lambda lib, x: lib.sum(x, 0, dtype=lib.float32), integers(-5, 5, 3, 4), grad=False),
    Case("sum.uint8", lambda lib, x: lib.sum(x), UINT8, grad=False),
    Case("sum.int32", lambda lib, x: lib.sum(x, 1), UINT8.astype(np.int32), grad=False),
    Case("sum.booleans", lambda lib, x: x.sum(), booleans(3, 4), grad=False),
    Case("sum.empty", lambda lib, x: x.sum(0), normal(0, 3)),
    Case("mean", lambda lib, x: lib.mean(x), normal(3, 4)),
    Case("mean.dim", lambda lib, x: x.mean(0), normal(3, 4)),
    Case("mean.dims", lambda lib, x: x.mean((0, 2), keepdim=True), normal(2, 3, 4)),
    Case("mean.dtype", lambda lib, x: x.mean(1, dtype=lib.float64), normal(3, 4)),
    Case("mean.integers", lambda lib, x: lib.mean(x, 0, dtype=lib.float32), integers(-5, 5, 3, 4), grad=False),
    Case("mean.empty", lambda lib, x: x.mean(0), np.zeros((0, 3)), smooth=False, reason=NAN),
    Case("var", lambda lib, x: lib.var(x), normal(3, 4)),
    Case("var.dim", lambda lib, x: x.var(1), normal(3, 4)),
    Case("var.dims", lambda lib, x: x.var((0, 2), keepdim=True), normal(2, 3, 4)),
    Case("var.correction", lambda lib, x: lib.var(x, 1, correction=0), normal(3, 4)),
    Case("var.correction_fraction", lambda lib, x: lib.var(x, 0, correction=1.5), normal(4, 3)),
    Case("var.biased", lambda lib, x: x.var(False), normal(3, 4)),
    Case("var.unbiased", lambda lib, x: lib.var(x, 0, unbiased=False, keepdim=True), normal(3, 4)),
    Case("var.positions", lambda lib, x: lib.var(x, 0, True, True), normal(3, 4)),
    Case("std", lambda lib, x: lib.std(x), normal(3, 4)),
    Case("std.dim", lambda lib, x: x.std(0, keepdim=True), normal(3, 4)),
    Case("std.dims", lambda lib, x: x.std((0, 2), correction=0), normal(2, 3, 4)),
    Case("std.biased", lambda lib, x: x.std(unbiased=False), normal(3, 4)),
    Case("any", lambda lib, x: lib.any(x), booleans(3, 4), grad=False),
    Case("any.dim", lambda lib, x: x.any(1), SPARSE, grad=False),
    Case("any.dims", lambda lib, x: lib.any(x, (0, 1), keepdim=True), booleans(2, 3, 4), grad=False),
    Case("any.uint8", lambda lib, x: lib.any(x, 0), UINT8, grad=False),
    Case("any.empty", lambda lib, x: x.any(), np.zeros((0, 3)), grad=False),
    Case("all", lambda lib, x: lib.all(x), booleans(3, 4), grad=False),
    Case("all.dim", lambda lib, x: x.all(0, keepdim=True), SPARSE, grad=False),
    Case("all.dims", lambda lib, x: lib.all(x, (0, 2)), booleans(2, 3, 4), grad=False),
    Case("all.uint8", lambda lib, x: x.all(), UINT8, grad=False),
    Case("all.empty", lambda lib, x: x.all(0), np.zeros((0, 3)), grad=False),
    Case("count_nonzero", lambda lib, x: lib.count_nonzero(x), SPARSE, grad=False),
    Case("count_nonzero.dim", lambda lib, x: x.count_nonzero(1), SPARSE, grad=False),
    Case("count_nonzero.dims", lambda lib, x: lib.count_nonzero(x, (0, 2)), booleans(2, 3, 4), grad=False),
]
