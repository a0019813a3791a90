"""Rows for running sums and products, and the product; zeros among the factors are no kink."""

import numpy as np
from opcases import Case, booleans, integers, normal

ZEROS = np.array([[1.5, 0.0, -2.0, 0.7], [0.0, 1.1, 0.0, 3.0], [0.0, 0.0, 0.0, 0.0], [-0.8, 1.3, 2.1, 0.0]])

CASES = [
    Case("cumsum", lambda lib, x: lib.cumsum(x, 1), normal(3, 4)),
    Case("cumsum.first", lambda lib, x: x.cumsum(0), normal(3, 4, 2)),
    Case("cumsum.dtype", lambda lib, x: x.cumsum(dim=-2, dtype=lib.float64), normal(3, 4)),
    Case("cumsum.integers", lambda lib, x: x.cumsum(0), integers(-5, 5, 3, 4), grad=False),
    Case("cumsum.booleans", lambda lib, x: lib.cumsum(x, 0), booleans(3, 4), grad=False),
    Case("cumsum.empty", lambda lib, x: x.cumsum(0), normal(0, 3)),
    Case("cumprod", lambda lib, x: lib.cumprod(x, 1), normal(3, 4)),
    Case("cumprod.first", lambda lib, x: x.cumprod(0), normal(3, 4, 2)),
    Case("cumprod.zeros", lambda lib, x: x.cumprod(1), ZEROS),
    Case("cumprod.zeros_first", lambda lib, x: lib.cumprod(x, dim=0), ZEROS),
    Case("cumprod.dtype", lambda lib, x: x.cumprod(-1, dtype=lib.float64), normal(3, 4)),
    Case("cumprod.integers", lambda lib, x: x.cumprod(0), integers(-5, 5, 3, 4), grad=False),
    Case("cumprod.empty", lambda lib, x: x.cumprod(0), normal(0, 3)),
    Case("prod", lambda lib, x: lib.prod(x), normal(2, 3)),
    Case("prod.dim", lambda lib, x: x.prod(1), normal(3, 4)),
    Case("prod.keepdim", lambda lib, x: lib.prod(x, 0, keepdim=True), normal(3, 4, 2)),
    Case("prod.zeros", lambda lib, x: lib.prod(x, 1), ZEROS),
    Case("prod.zeros_all", lambda lib, x: lib.prod(x), np.array([[1.5, 0.0, -2.0], [0.7, 0.0, 1.1]])),
    Case("prod.one_zero", lambda lib, x: x.prod(), np.array([[1.5, -0.4, -2.0], [0.7, 0.0, 1.1]])),
    Case("prod.dtype", lambda lib, x: x.prod(0, dtype=lib.float64), normal(3, 4)),
    Case("prod.integers", lambda lib, x: x.prod(0), integers(-5, 5, 3, 4), grad=False),
    Case("prod.booleans", lambda lib, x: lib.prod(x), booleans(3, 4), grad=False),
    Case("prod.empty", lambda lib, x: x.prod(0), normal(0, 3)),
]
