"""Rows for what the engine itself adds to operations: broadcasting undone, one tensor as several inputs, casts."""

from opcases import Case, away_from, normal

CASES = [
    Case("mul.itself", lambda lib, x: x * x, normal(3, 4)),
    Case("mul.broadcast_both", lambda lib, x, y: x * y, normal(3, 1), normal(1, 4)),
    Case("mul.without_dimensions", lambda lib, x, y: x * y, normal(), normal(2, 3)),
    Case(
        "to.float32",
        lambda lib, x: (x.to(lib.float32) * 2.0).to(lib.float64),
        normal(3, 4),
        smooth=False,
        reason="rounding to float32 is a staircase to finite differences",
    ),
    Case("div.diamond", lambda lib, x, y: (x / y) * (x - y) + x, normal(2, 3), away_from([0.0], 3)),
]
