"""Rows for softmax, log_softmax and logsumexp."""

import numpy as np
from opcases import Case, integers, normal

EXTREME = np.array([[1e4, -1e4, 0.0], [-np.inf, 1.0, 2.0], [-np.inf, -np.inf, -np.inf], [np.inf, 1.0, 0.0]])
INFINITE = "infinity and NaN have no difference quotient"

CASES = [
    Case("softmax", lambda lib, x: lib.softmax(x, 1), normal(3, 4)),
    Case("softmax.functional", lambda lib, x: lib.nn.functional.softmax(x, dim=0), normal(3, 4)),
    Case("softmax.method", lambda lib, x: x.softmax(-2), normal(2, 3, 4)),
    Case("softmax.dtype", lambda lib, x: lib.softmax(x, -1, dtype=lib.float64), normal(3, 4)),
    Case("softmax.integers", lambda lib, x: lib.softmax(x, 0, dtype=lib.float64), integers(-3, 3, 3, 4), grad=False),
    Case("softmax.extreme", lambda lib, x: lib.softmax(x, 1), EXTREME, smooth=False, reason=INFINITE),
    Case("softmax.empty", lambda lib, x: lib.softmax(x, 0), normal(0, 3)),
    Case("log_softmax", lambda lib, x: lib.log_softmax(x, 1), normal(3, 4)),
    Case("log_softmax.functional", lambda lib, x: lib.nn.functional.log_softmax(x, dim=0), normal(3, 4)),
    Case("log_softmax.method", lambda lib, x: x.log_softmax(-2), normal(2, 3, 4)),
    Case("log_softmax.dtype", lambda lib, x: x.log_softmax(-1, dtype=lib.float64), normal(3, 4)),
    Case("log_softmax.extreme", lambda lib, x: lib.log_softmax(x, 1), EXTREME, smooth=False, reason=INFINITE),
    Case("log_softmax.empty", lambda lib, x: lib.log_softmax(x, 0), normal(0, 3)),
    Case("logsumexp", lambda lib, x: lib.logsumexp(x, 1), normal(3, 4)),
    Case("logsumexp.keepdim", lambda lib, x: x.logsumexp(0, keepdim=True), normal(3, 4)),
    Case("logsumexp.dims", lambda lib, x: lib.logsumexp(x, (0, -1)), normal(2, 3, 4)),
    Case("logsumexp.extreme", lambda lib, x: lib.logsumexp(x, 1), EXTREME, smooth=False, reason=INFINITE),
    Case("logsumexp.empty", lambda lib, x: lib.logsumexp(x, 0), np.zeros((0, 3)), smooth=False, reason=INFINITE),
]
