"""Rows for casts and moves between devices. Those that round (smooth=False) cannot be checked by differences."""

from opcases import Case, integers, normal


def rounded(name, call):
    return Case(name, call, normal(3, 4), smooth=False, reason="float32 and float16 round")


CASES = [
    Case("to", lambda lib, x, y: x.to(y) * x.to(x.dtype) + x.to(x.device), normal(3, 4), normal(2)),
    Case("to.keywords", lambda lib, x: x.to(dtype=x.dtype, device=x.device, non_blocking=True) * 2, normal(3, 4)),
    Case("to.device_and_dtype", lambda lib, x: x.to(x.device, lib.float64), integers(-3, 3, 5), grad=False),
    Case("double", lambda lib, x: x.double() * 3, normal(3, 4)),
    Case("double.integers", lambda lib, x: x.double(), integers(-3, 3, 5), grad=False),
    rounded("float", lambda lib, x: x.float() * 3),
    rounded("half", lambda lib, x: x.half() * 1),
    Case("long", lambda lib, x: (9 * x.detach()).long(), normal(3, 4), grad=False),
    Case("int", lambda lib, x: (9 * x.detach()).int(), normal(3, 4), grad=False),
    Case("bool", lambda lib, x: x.bool(), integers(-1, 2, 12), grad=False),
    Case("type_as", lambda lib, x, y: x.type_as(y) * y, integers(-3, 3, 4), normal(3, 4)),
]
