"""Rows for arithmetic: the four operations, rounded quotients, remainders and powers."""

import numpy as np
from opcases import Case, away_from, integers, normal, positive, uniform

# Quotients of these stay away from whole numbers, where rounded ones jump.
DIVIDEND = np.array([7.3, -7.3, 2.6, -0.4, 5.5, -9.1])
DIVISOR = np.array([2.0, 2.0, -1.7, 1.0, -3.0, -2.0])

CASES = [
    Case("add", lambda lib, x, y: lib.add(x, y), normal(3, 4), normal(4)),
    Case("add.alpha", lambda lib, x, y: lib.add(x, y, alpha=0.5), normal(3, 4), normal(3, 1)),
    Case("add.number", lambda lib, x: 1.5 + x + 2, normal(3, 4)),
    Case("add.integers", lambda lib, x, y: x + y, integers(-5, 5, 3, 4), integers(-5, 5, 4), grad=False),
    Case("add.mixed", lambda lib, x, y: x + y, normal(3, 4), integers(-5, 5, 4)),
    Case("add.booleans", lambda lib, x, y: x + y, np.array([True, False]), np.array([True, True]), grad=False),
    Case("sub", lambda lib, x, y: lib.sub(x, y), normal(4), normal(3, 4)),
    Case("sub.alpha", lambda lib, x, y: lib.sub(x, y, alpha=2), normal(3, 4), normal(3, 1)),
    Case("sub.number", lambda lib, x: (1.5 - x) - 2, normal(3, 4)),
    Case("sub.integers", lambda lib, x: 3 - x, integers(-5, 5, 3, 4), grad=False),
    Case("mul", lambda lib, x, y: lib.mul(x, y), normal(3, 4), normal(2, 1, 4)),
    Case("mul.number", lambda lib, x: 2 * x * 0.5, normal(3, 4)),
    Case("mul.integer_by_float", lambda lib, x: x * 0.5, integers(-5, 5, 3, 4), grad=False),
    Case("div", lambda lib, x, y: lib.div(x, y), normal(3, 4), positive(4)),
    Case("div.number", lambda lib, x: x / 3, normal(3, 4)),
    Case("div.number_by_tensor", lambda lib, x: 3 / x, away_from([0.0], 3, 4)),
    Case("div.integers", lambda lib, x, y: x / y, integers(-9, 9, 3, 4), integers(1, 5, 4), grad=False),
    Case("div.floor", lambda lib, x, y: lib.div(x, y, rounding_mode="floor"), DIVIDEND, DIVISOR),
    Case("div.trunc", lambda lib, x, y: lib.div(x, y, rounding_mode="trunc"), DIVIDEND, DIVISOR),
    Case(
        "div.trunc_integers",
        lambda lib, x, y: lib.div(x, y, rounding_mode="trunc"),
        integers(-9, 9, 5, 4),
        np.array([2, -3, 4, -5]),
        grad=False,
    ),
    Case("div.trunc_by_number", lambda lib, x: lib.div(x, 2, rounding_mode="trunc"), integers(-9, 9, 12), grad=False),
    Case("floor_divide", lambda lib, x, y: lib.floor_divide(x.detach(), y.detach()), DIVIDEND, DIVISOR, grad=False),
    Case("floor_divide.operator", lambda lib, x: (x // 4, 40 // (x + 10)), integers(-9, 9, 12), grad=False),
    Case("remainder", lambda lib, x, y: lib.remainder(x, y), DIVIDEND, DIVISOR),
    Case("remainder.number", lambda lib, x: x % 2.0, DIVIDEND),
    Case("remainder.of_number", lambda lib, x: 7.7 % x.detach(), DIVISOR, grad=False),
    Case("remainder.integers", lambda lib, x: (x % 4, x % -4), integers(-9, 9, 12), grad=False),
    Case("neg", lambda lib, x: (lib.neg(x), -x), normal(3, 4)),
    Case("pow", lambda lib, x, y: lib.pow(x, y), positive(3, 4), normal(4)),
    Case("pow.square", lambda lib, x: x**2, normal(3, 4)),
    Case("pow.cube", lambda lib, x: x**3, normal(3, 4)),
    Case("pow.root", lambda lib, x: x**0.5, positive(3, 4)),
    Case("pow.inverse", lambda lib, x: x**-1, away_from([0.0], 3, 4)),
    Case("pow.one", lambda lib, x: x**1, normal(3, 4)),
    Case("pow.zero", lambda lib, x: x**0 * x, normal(3, 4)),
    Case("pow.of_number", lambda lib, y: 1.7**y, normal(3, 4)),
    Case("pow.integer_exponents", lambda lib, x, y: x**y, away_from([0.0], 3, 4), integers(-2, 4, 4)),
    Case("pow.integers", lambda lib, x, y: (x**y, x**3, 2**y), integers(-9, 9, 3, 4), integers(0, 9, 4), grad=False),
    Case("pow.integer_to_float", lambda lib, x: x**0.5, integers(0, 9, 3, 4), grad=False),
    Case("pow.without_dimensions", lambda lib, x, y: x**y, positive(), uniform(-2, 2, 3)),
]
