"""Rows for x[...] in all of its forms, and for gathering and scattering by index tensors."""

import numpy as np
from opcases import Case, booleans, integers, normal

PERMUTED = np.array([[2, 0], [0, 3], [1, 2]])  # no number twice in a row
INDEX = np.array([2, 0, 2, -1])


def one_hot(lib, *arguments, **options):
    return lib.nn.functional.one_hot(*arguments, **options)


CASES = [
    # views
    Case("getitem.integer", lambda lib, x: x[1], normal(3, 4)),
    Case("getitem.integers", lambda lib, x: x[-1, 2], normal(3, 4)),
    Case("getitem.slice", lambda lib, x: x[1:3], normal(4, 2)),
    Case("getitem.step", lambda lib, x: x[::2, 1::3], normal(4, 5)),
    Case("getitem.empty_slice", lambda lib, x: x[3:1], normal(4, 5)),
    Case("getitem.none", lambda lib, x: x[None, :, None, 1], normal(3, 4)),
    Case("getitem.ellipsis", lambda lib, x: x[..., 0], normal(2, 3, 4)),
    Case("getitem.all", lambda lib, x: x[...], normal(2, 3)),
    Case("getitem.used_twice", lambda lib, x: x[:2] * x[1:] + x[0], normal(3, 4)),
    Case("getitem.tensor_number", lambda lib, x: x[lib.tensor(1), : lib.tensor(2)], normal(3, 4)),
    # copies
    Case("getitem.index", lambda lib, x, i: x[i], normal(3, 4), INDEX),
    Case("getitem.list", lambda lib, x: x[[0, 0, 2]], normal(3, 4)),
    Case("getitem.array", lambda lib, x: x[np.array([[0, 1], [1, 1]])], normal(3, 2)),
    Case("getitem.last_dimension", lambda lib, x, i: x[:, i], normal(2, 3), INDEX),
    Case("getitem.middle", lambda lib, x, i: x[:, i, 1:], normal(2, 3, 3), INDEX),
    Case("getitem.pairs", lambda lib, x, i, j: x[i, j], normal(3, 4), INDEX, np.array([3, 3, 3, 0])),
    Case("getitem.index_broadcast", lambda lib, x, i, j: x[i, j], normal(3, 4), np.array([[0], [2]]), INDEX),
    Case("getitem.apart", lambda lib, x, i: x[i, :, i], normal(3, 2, 3), INDEX),
    Case("getitem.integer_apart", lambda lib, x, i: x[0, :, i], normal(2, 2, 3), INDEX),
    Case("getitem.none_between", lambda lib, x, i: x[i, None, i], normal(3, 3), INDEX),
    Case("getitem.mask", lambda lib, x, b: x[b], normal(3, 4), booleans(3, 4)),
    Case("getitem.mask_of_rows", lambda lib, x, b: x[b], normal(3, 4), booleans(3)),
    Case("getitem.mask_of_columns", lambda lib, x, b: x[:, b], normal(3, 4), booleans(4)),
    Case("getitem.mask_and_integer", lambda lib, x, b: x[b, 1], normal(3, 4), booleans(3)),
    Case("getitem.mask_and_index", lambda lib, x, b: x[b, [1, 1, 0]], normal(5, 4), np.array([1, 0, 1, 1, 0], bool)),
    Case("getitem.mask_of_nothing", lambda lib, x, b: x[b], normal(3, 4), np.zeros(3, bool)),
    Case("getitem.true", lambda lib, x: x[True], normal(3)),
    Case("getitem.false", lambda lib, x: x[False], normal(3)),
    Case("getitem.empty_index", lambda lib, x, i: x[i], normal(3, 2), np.zeros(0, np.int64)),
    Case("getitem.of_integers", lambda lib, x, i: x[i], integers(0, 9, 3, 2), INDEX, grad=False),
    Case("getitem.int32", lambda lib, x, i: x[i], normal(3, 2), INDEX.astype(np.int32)),
    # selections
    Case("select", lambda lib, x: lib.select(x, 1, -1), normal(3, 4)),
    Case("select.method", lambda lib, x: x.select(0, 2), normal(3, 4)),
    Case("narrow", lambda lib, x: lib.narrow(x, 1, 1, 2), normal(3, 4)),
    Case("narrow.negative", lambda lib, x: x.narrow(-1, -3, 2), normal(3, 4)),
    Case("narrow.nothing", lambda lib, x: x.narrow(0, 3, 0), normal(3, 4)),
    Case("index_select", lambda lib, x, i: lib.index_select(x, 0, i), normal(3, 4), integers(0, 3, 5)),
    Case("index_select.method", lambda lib, x, i: x.index_select(-1, i), normal(2, 3), integers(0, 3, 5)),
    Case("take", lambda lib, x, i: lib.take(x, i), normal(3, 4), integers(-12, 12, 2, 3)),
    Case("take.method", lambda lib, x, i: x.take(i), normal(3, 4), np.array(5)),
    Case("masked_select", lambda lib, x, b: lib.masked_select(x, b), normal(3, 4), booleans(3, 4)),
    Case("masked_select.broadcast", lambda lib, x, b: x.masked_select(b), normal(3, 1), booleans(4)),
    Case("nonzero", lambda lib, x: lib.nonzero(x), integers(0, 2, 4, 5), grad=False),
    Case("nonzero.method", lambda lib, b: b.nonzero(), booleans(3), grad=False),
    Case("nonzero.as_tuple", lambda lib, x: lib.nonzero(x, as_tuple=True), integers(0, 2, 4, 5), grad=False),
    Case("nonzero.of_a_number", lambda lib, x: lib.nonzero(x), np.array(3), grad=False),
    Case("nonzero.of_zero", lambda lib, x: lib.nonzero(x, as_tuple=True), np.array(0), grad=False),
    # gathering and scattering
    Case("gather", lambda lib, x, i: lib.gather(x, 1, i), normal(3, 4), integers(0, 4, 3, 2)),
    Case("gather.smaller", lambda lib, x, i: x.gather(0, i), normal(3, 4), integers(0, 3, 5, 2)),
    Case("gather.three", lambda lib, x, i: x.gather(-2, i), normal(2, 3, 4), integers(0, 3, 2, 2, 3)),
    Case("gather.empty", lambda lib, x, i: x.gather(0, i), normal(3, 4), np.zeros((0, 4), np.int64)),
    Case("scatter", lambda lib, x, i, s: lib.scatter(x, 1, i, s), normal(3, 4), PERMUTED, normal(3, 2)),
    Case("scatter.number", lambda lib, x, i: x.scatter(1, i, 1.5), normal(3, 4), PERMUTED),
    Case("scatter.value", lambda lib, x, i: x.scatter(0, i, value=2), normal(4, 3), PERMUTED),
    Case(
        "scatter.one_hot",
        lambda lib, i: lib.zeros(3, 4).scatter(1, i, 1),
        np.array([[1], [0], [3]]),
        grad=False,
    ),
    Case(
        "scatter_add",
        lambda lib, x, i, s: lib.scatter_add(x, 0, i, s),
        normal(3, 4),
        integers(0, 3, 5, 4),
        normal(5, 4),
    ),
    Case("scatter_add.larger", lambda lib, x, i, s: x.scatter_add(1, i, s), normal(3, 4), PERMUTED, normal(3, 2)),
    Case(
        "scatter_add.integers",
        lambda lib, x, i, s: x.scatter_add(0, i, s),
        integers(0, 9, 3),
        integers(0, 3, 8),
        integers(0, 9, 8),
        grad=False,
    ),
    Case("index_add", lambda lib, x, i, s: lib.index_add(x, 0, i, s), normal(3, 2), integers(0, 3, 4), normal(4, 2)),
    Case(
        "index_add.alpha",
        lambda lib, x, i, s: x.index_add(1, i, s, alpha=-2),
        normal(2, 3),
        integers(0, 3, 4),
        normal(2, 4),
    ),
    Case("one_hot", lambda lib, i: one_hot(lib, i), integers(0, 4, 2, 3), grad=False),
    Case("one_hot.classes", lambda lib, i: one_hot(lib, i, 6), integers(0, 4, 5), grad=False),
    Case("one_hot.number", lambda lib, i: one_hot(lib, i, num_classes=3), np.array(1), grad=False),
]
