"""Rows for dropout.

PyTorch draws other random numbers, so it gets the factors, 0 and 1 / (1 - p), that were drawn here.
"""

from opcases import Case, normal

import minidl


def seeded(p):
    def call(lib, x):
        minidl.manual_seed(5)
        if lib is minidl:
            return lib.nn.functional.dropout(x, p)
        factors = minidl.nn.functional.dropout(minidl.ones(tuple(x.shape), dtype=minidl.float64), p)
        return x * lib.tensor(factors.array, dtype=x.dtype)

    return call


CASES = [
    Case("dropout", seeded(0.5), normal(6, 5)),
    Case("dropout.seldom", seeded(0.1), normal(6, 5)),
    Case("dropout.one_number", seeded(0.5), normal()),
    Case("dropout.empty", seeded(0.5), normal(0, 3)),
    Case("dropout.everything", lambda lib, x: lib.nn.functional.dropout(x, 1.0), normal(3, 4)),
    Case("dropout.nothing", lambda lib, x: lib.nn.functional.dropout(x, 0.0), normal(3, 4)),
    Case("dropout.evaluation", lambda lib, x: lib.nn.functional.dropout(x, 0.5, False), normal(3, 4)),
]
