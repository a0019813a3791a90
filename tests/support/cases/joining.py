"""Rows for joining tensors and cutting them apart."""

from opcases import Case, booleans, integers, normal

CASES = [
    Case("cat", lambda lib, x, y: lib.cat([x, y]), normal(2, 3), normal(4, 3)),
    Case("cat.dim", lambda lib, x, y, z: lib.cat((x, y, z), dim=-1), normal(2, 3), normal(2, 1), normal(2, 2)),
    Case("cat.one", lambda lib, x: lib.cat([x]), normal(2, 3)),
    Case("cat.itself", lambda lib, x: lib.cat([x, x, x * x], 1), normal(2, 3)),
    Case("cat.empty", lambda lib, x, y: lib.cat([x, y]), normal(0, 3), normal(2, 3)),
    Case("cat.of_shape_zero", lambda lib, x, y: lib.cat([x, y], 1), normal(0), normal(2, 3)),
    Case("cat.promotes", lambda lib, x, n: lib.cat([n, x]), normal(2), integers(0, 9, 3)),
    Case("cat.booleans", lambda lib, b, n: lib.cat([b, n]), booleans(2), integers(0, 9, 3), grad=False),
    Case("stack", lambda lib, x, y: lib.stack([x, y]), normal(2, 3), normal(2, 3)),
    Case("stack.dim", lambda lib, x, y, z: lib.stack((x, y, z), 1), normal(2, 3), normal(2, 3), normal(2, 3)),
    Case("stack.last", lambda lib, x, y: lib.stack([x, y], dim=-1), normal(2, 3), normal(2, 3)),
    Case("stack.without_dimensions", lambda lib, x, y: lib.stack([x, y, x * y]), normal(), normal()),
    Case("stack.promotes", lambda lib, x, n: lib.stack([n, x]), normal(3), integers(0, 9, 3)),
    Case("split", lambda lib, x: lib.split(x, 2), normal(5, 2)),
    Case("split.sections", lambda lib, x: x.split([1, 0, 3], dim=1), normal(2, 4)),
    Case("split.one_piece_used", lambda lib, x: x.split(2)[1] * 3, normal(5, 2)),
    Case("split.unequal_use", lambda lib, x: (lambda a, b: a[0] * b[0] + b[1])(*x.split(2, 1)), normal(2, 4)),
    Case("split.larger", lambda lib, x: x.split(9), normal(2, 3)),
    Case("split.empty", lambda lib, x: x.split(3), normal(0, 2)),
    Case("chunk", lambda lib, x: lib.chunk(x, 3), normal(7, 2)),
    Case("chunk.fewer", lambda lib, x: x.chunk(4, dim=1), normal(2, 5)),
    Case("chunk.more_than_elements", lambda lib, x: x.chunk(5), normal(2)),
    Case("chunk.empty", lambda lib, x: x.chunk(3), normal(0, 2)),
    Case("unbind", lambda lib, x: lib.unbind(x), normal(3, 2)),
    Case("unbind.dim", lambda lib, x: x.unbind(-1), normal(2, 2, 3)),
    Case("unbind.iterate", lambda lib, x: [a * (k + 1) for k, a in enumerate(x)], normal(3, 2)),
    Case("unbind.some_unused", lambda lib, x: x.unbind(0)[2] * 3, normal(4, 2)),
]
