"""Rows for comparisons, tests for NaN and infinity, and logic; no gradient passes any of them."""

import operator

import numpy as np
from opcases import Case, booleans, integers, normal

SPECIAL = np.array([0.0, -1.5, np.nan, np.inf, -np.inf])
NEAR = SPECIAL + np.array([1e-9, 1e-6, 0, 0, 0])


def comparison(name):
    """As a function of tensors that broadcast, and as an operator with integers, mixed dtypes and numbers."""
    symbol = getattr(operator, name)
    return [
        Case(name, lambda lib, x, y: getattr(lib, name)(x, y), integers(0, 3, 3, 4), integers(0, 3, 4), grad=False),
        Case(f"{name}.method", lambda lib, x, y: getattr(x, name)(y), normal(3, 4), normal(3, 4), grad=False),
        Case(f"{name}.special", lambda lib, x: symbol(x, x), SPECIAL, grad=False),
        Case(
            f"{name}.numbers",
            lambda lib, x: (symbol(x, 2), symbol(x, 1.5), symbol(1, x)),
            integers(0, 4, 9),
            grad=False,
        ),
        Case(f"{name}.mixed", lambda lib, x, y: symbol(x, y), normal(3, 4), integers(-1, 2, 4), grad=False),
    ]


def logic(name, symbol):
    """Of floating-point numbers as truth values, and of the bits of integers and truth values."""
    return [
        Case(
            f"logical_{name}",
            lambda lib, x, y: getattr(lib, f"logical_{name}")(x, y),
            SPECIAL,
            integers(0, 2, 3, 5),
            grad=False,
        ),
        Case(
            f"bitwise_{name}",
            lambda lib, x, y: getattr(lib, f"bitwise_{name}")(x, y),
            integers(-9, 9, 3, 4),
            integers(0, 9, 4),
            grad=False,
        ),
        Case(f"bitwise_{name}.booleans", lambda lib, x, y: symbol(x, y), booleans(2, 1), booleans(2), grad=False),
        Case(f"bitwise_{name}.mixed", lambda lib, x, y: symbol(x, y), booleans(4), integers(0, 9, 4), grad=False),
        Case(
            f"bitwise_{name}.numbers",
            lambda lib, x, y: (symbol(x, 5), symbol(6, x), symbol(y, True), symbol(y, 2)),
            integers(-9, 9, 12),
            booleans(4),
            grad=False,
        ),
    ]


CASES = [
    *(row for name in ("eq", "ne", "lt", "le", "gt", "ge") for row in comparison(name)),
    *logic("and", operator.and_),
    *logic("or", operator.or_),
    *logic("xor", operator.xor),
    Case("logical_not", lambda lib, x: lib.logical_not(x), SPECIAL, grad=False),
    Case("bitwise_not", lambda lib, x, y: (lib.bitwise_not(x), ~y), integers(-9, 9, 12), booleans(4), grad=False),
    Case("isnan", lambda lib, x: lib.isnan(x), SPECIAL, grad=False),
    Case("isinf", lambda lib, x: lib.isinf(x), SPECIAL, grad=False),
    Case("isfinite", lambda lib, x: lib.isfinite(x), SPECIAL, grad=False),
    Case(
        "isfinite.integers",
        lambda lib, x: (lib.isfinite(x), lib.isnan(x), lib.isinf(x)),
        integers(-9, 9, 12),
        grad=False,
    ),
    Case("isclose", lambda lib, x, y: lib.isclose(x, y), SPECIAL, NEAR, grad=False),
    Case("isclose.equal_nan", lambda lib, x, y: lib.isclose(x, y, 0, 0, equal_nan=True), SPECIAL, NEAR, grad=False),
    Case("isclose.infinity", lambda lib, x: lib.isclose(x, x.flip(0)), np.array([1.0, np.inf]), grad=False),
    Case("isclose.integers", lambda lib, x, y: lib.isclose(x, y), integers(0, 3, 12), integers(0, 3, 12), grad=False),
    Case(
        "allclose",
        lambda lib, x, y: lib.tensor(lib.allclose(x, y, atol=1e-3, equal_nan=True)),
        SPECIAL,
        NEAR,
        grad=False,
    ),
    Case(
        "equal",
        lambda lib, x, y: lib.tensor([lib.equal(x, x + 0), lib.equal(x, y)]),
        normal(3),
        normal(3, 1),
        grad=False,
    ),
]
