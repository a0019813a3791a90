"""Rows for casts and moves between devices. Those that leave the dtype of the test cannot be checked by differences."""

from opcases import Case, integers, normal

CASES = [
    Case("to", lambda lib, x, y: x.to(y) * x.to(x.dtype) + x.to(x.device), normal(3, 4), normal(2)),
    Case("to.keywords", lambda lib, x: x.to(dtype=x.dtype, device=x.device, non_blocking=True) * 2, normal(3, 4)),
    Case("to.float32", lambda lib, x: (x.detach().to(lib.float32), x.detach().float()), normal(3, 4), grad=False),
    Case("to.float64", lambda lib, x: (x.to(x.device, lib.float64), x.double()), integers(-3, 3, 5), grad=False),
    Case("to.integers", lambda lib, x: ((9 * x.detach()).long(), (9 * x.detach()).int()), normal(3, 4), grad=False),
    Case("to.booleans", lambda lib, x: (x.bool(), x.detach().half() > 0), integers(-1, 2, 12), grad=False),
    Case("type_as", lambda lib, x, y: x.type_as(y) * y, integers(-3, 3, 4), normal(3, 4)),
]
