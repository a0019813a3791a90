"""Checks for lesson 01: slopes by hand and by central differences."""

import numpy as np

from lessons.exercise import close, expect


def check_slope(solution):
    """Write `slope(x)`: the derivative of f(x) = x exp(-x^2), derived by hand."""
    for x in (0.0, 0.5, -1.2, 2.0):
        got = solution.slope(x)
        measured = (bell(x + 1e-5) - bell(x - 1e-5)) / 2e-5
        expect(np.shape(got) == (), "the slope at a number is a number", x=x, got=got)
        expect(close(got, measured), "slope(x) is what central differences of f give", x=x, got=got, measured=measured)
        exact = np.imag(bell(x + 1e-200j)) / 1e-200  # exercise 4
        expect(close(got, exact, 1e-13), "slope(x) has all digits right, so it is derived, not measured", x=x, got=got)


def check_jacobian(solution):
    """Write `jacobian(f, at)`: all slopes of f, from n numbers to m, as a table (m, n), by central differences."""
    rng = np.random.default_rng(0)
    for m, n in [(1, 1), (3, 3), (2, 4)]:
        A, at = rng.normal(size=(m, n)), rng.normal(size=n)
        got = solution.jacobian(lambda x, A=A: A @ x, at)
        shown = dict(A=A, at=at, got=got)
        expect(np.shape(got) == (m, n), f"with {n} numbers in and {m} out, the table is ({m}, {n})", **shown)
        expect(close(got, A, 1e-5), "for f(x) = A x, the table of slopes is A", **shown)
        got = solution.jacobian(lambda x, A=A: np.sin(A @ x), at)
        by_rule = np.cos(A @ at)[:, None] * A
        expect(close(got, by_rule, 1e-5), "for f(x) = sin(A x), row i is cos((A x)_i) times row i of A", **shown)
        expect(
            close(got, by_rule, 2e-9),  # no step makes forward differences as good
            "the error is about 1e-10, as that of central differences with a step of 1e-5",
            **shown,
        )


def bell(x):
    return x * np.exp(-(x**2))
