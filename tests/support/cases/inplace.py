"""Rows for changes in place. Each row changes a copy, since the inputs must stay as they are."""

import numpy as np
from opcases import Case, booleans, integers, normal


def changed(name, call, *inputs):
    """What ``call`` made of a copy of the first input, and what it returned: the same."""

    def run(lib, x, *others):
        copy = x.detach() + 0 if x.dtype != lib.bool else ~~x
        returned = call(copy, *(y.detach() for y in others))
        return copy, copy if returned is None else returned

    return Case(name, run, *inputs, grad=False)


def assign(index):
    """x[index] = v, for an index that the inputs may be part of."""

    def run(x, v, *parts):
        x[index(*parts)] = v

    return run


CASES = [
    changed("add_", lambda x, y: x.add_(y), normal(3, 4), normal(4)),
    changed("add_.alpha", lambda x, y: x.add_(y, alpha=-0.5).add_(1.5), normal(3, 4), normal(3, 4)),
    changed("add_.integers", lambda x, y: x.add_(y).add_(2), integers(-9, 9, 3, 4), integers(-9, 9, 3, 1)),
    changed("sub_", lambda x, y: x.sub_(y).sub_(1, alpha=3), normal(3, 4), normal(4)),
    changed("mul_", lambda x, y: x.mul_(y).mul_(0.5), normal(3, 4), normal(4)),
    changed("div_", lambda x: x.div_(4), normal(3, 4)),
    changed("div_.rounded", lambda x: x.div_(4, rounding_mode="floor"), integers(-9, 9, 12)),
    changed("clamp_", lambda x: x.clamp_(-0.5, 0.5), normal(3, 4)),
    changed("copy_", lambda x, y: x.copy_(y), normal(3, 4), integers(-9, 9, 4)),
    changed("copy_.truncates", lambda x, y: x.copy_(5 * y), integers(-9, 9, 3, 4), normal(4)),
    changed("fill_", lambda x, y: x.fill_(2.5).add_(0).fill_(y), normal(3, 4), normal()),
    changed("fill_.integers", lambda x: x.fill_(2.5), integers(-9, 9, 3, 4)),
    changed("masked_fill_", lambda x, c: x.masked_fill_(c, -1.0), normal(3, 4), booleans(4)),
    changed("zero_", lambda x: x.zero_(), normal(3, 4)),
    changed("add_.without_dimensions", lambda x: x.add_(1), normal()),
    changed("zero_.empty", lambda x: x.zero_(), np.zeros((0, 3))),
    changed("setitem.integer", assign(lambda: 1), normal(3, 4), normal(4)),
    changed("setitem.number", lambda x: x.__setitem__((0, -1), 5), normal(3, 4)),
    changed("setitem.slice", assign(lambda: (slice(None), slice(1, 3))), normal(3, 4), normal(3, 1)),
    changed("setitem.ellipsis", assign(lambda: (..., None, 0)), normal(2, 3, 4), normal(1, 3, 1)),
    changed("setitem.index_array", assign(lambda i: i), normal(5, 4), normal(3, 4), np.array([4, -5, 2])),
    changed("setitem.two_arrays", assign(lambda i: (i, i % 4)), normal(5, 4), normal(3), np.array([4, 0, 2])),
    changed("setitem.mask", assign(lambda c: c), normal(4, 4), normal(), booleans(4, 4)),
    changed("setitem.mask_of_rows", assign(lambda c: c), normal(4, 3), normal(2, 3), booleans(4)),
    changed("setitem.cast", assign(lambda: slice(1, None)), integers(-9, 9, 5), normal(4)),
    changed("setitem.without_dimensions", assign(lambda: ...), normal(), normal()),
]
