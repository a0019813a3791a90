"""Checks for lesson 02: a layer, and a unit with weights chosen by hand."""

from itertools import product

import numpy as np

from lessons.exercise import close, expect


def check_layer(solution):
    """Write `layer(W, b, X)`: the sums of a layer, W (n_out, n_in), b (n_out,), for the examples in the rows of X."""
    rng = np.random.default_rng(0)
    for examples, n_in, n_out in [(1, 1, 1), (3, 3, 3), (5, 2, 4)]:
        W, b, X = rng.normal(size=(n_out, n_in)), rng.normal(size=n_out), rng.normal(size=(examples, n_in))
        got = solution.layer(W, b, X)
        given = dict(W=W, b=b, X=X, got=got)
        expect(np.shape(got) == (examples, n_out), f"the result has the shape ({examples}, {n_out})", **given)
        for e in range(examples):
            for i in range(n_out):
                z = sum(W[i, j] * X[e, j] for j in range(n_in)) + b[i]
                expect(close(got[e][i], z), f"row {e}, column {i} is the sum of unit {i} for example {e}", z=z, **given)


def check_majority(solution):
    """Write `majority()`: weights and bias of a unit that says yes if at least two of three inputs are 1."""
    got = solution.majority()
    expect(len(got) == 2, "the result is a pair: the weights and the bias", got=got)
    w, b = np.asarray(got[0], float), float(got[1])
    expect(w.shape == (3,), "there are three weights", got=got)
    for inputs in product([0.0, 1.0], repeat=3):
        z = np.dot(w, inputs) + b
        answer = (1 + np.tanh(z / 2)) / 2  # the sigmoid, without overflow
        if sum(inputs) >= 2:
            expect(answer > 0.9, "at least two inputs are 1: the unit says more than 0.9", inputs=inputs, answer=answer)
        else:
            expect(
                answer < 0.1, "fewer than two inputs are 1: the unit says less than 0.1", inputs=inputs, answer=answer
            )
