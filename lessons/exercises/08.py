"""Checks for lesson 08: the errors and gradients of hidden layers."""

import numpy as np

from lessons.exercise import close, expect, slopes


def check_delta(solution):
    """Write `delta(W, delta_next, z)`: the error of a hidden tanh layer, for W (K, H), delta_next (K,) and z (H,)."""
    rng = np.random.default_rng(0)
    for outputs, hidden in [(1, 1), (1, 3), (2, 4)]:
        W, delta_next, z = rng.normal(size=(outputs, hidden)), rng.normal(size=outputs), rng.normal(size=hidden)
        got = solution.delta(W, delta_next, z)
        given = dict(W=W, delta_next=delta_next, z=z, got=got)
        expect(np.shape(got) == (hidden,), "the error has one entry for each hidden unit", **given)
        measured = slopes(lambda z, W=W, d=delta_next: d @ (W @ np.tanh(z)), z)
        expect(close(got, measured), "delta is how delta_next . (W tanh(z)) changes with z", measured=measured, **given)


def check_backward(solution):
    """Write `backward(W_1, b_1, W_2, b_2, W_3, b_3, X, Y)`: the six gradients of a network with two hidden layers."""
    rng = np.random.default_rng(1)
    n, H, J, K = 3, 4, 2, 2
    parameters = [rng.normal(size=shape) for shape in [(H, n), (H,), (J, H), (J,), (K, J), (K,)]]
    X, Y = rng.normal(size=n), np.array([1.0, 0.0])
    got = solution.backward(*parameters, X, Y)
    expect(len(got) == 6, "there are six gradients, in the order of the arguments", got=got)
    names = ["W_1", "b_1", "W_2", "b_2", "W_3", "b_3"]
    for which, name in reversed(list(enumerate(names))):  # from the last layer back, as they are found
        expect(
            np.shape(got[which]) == parameters[which].shape,
            f"the gradient of {name} has the shape of {name}, {parameters[which].shape}",
            got=got[which],
        )

        def loss_with(value, which=which):
            return loss([*parameters[:which], value, *parameters[which + 1 :]], X, Y)

        measured = slopes(loss_with, parameters[which])
        expect(
            close(got[which], measured), f"the gradient of {name} is the slope of L", got=got[which], measured=measured
        )


def loss(parameters, X, Y):
    value = X
    for W, b in zip(parameters[::2], parameters[1::2], strict=True):
        value = 1 / (1 + np.exp(-(W @ value + b)))
    return -np.sum(Y * np.log(value) + (1 - Y) * np.log(1 - value))
