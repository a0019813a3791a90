"""Checks for lesson 09: backpropagation through any number of layers."""

from itertools import pairwise

import numpy as np

from lessons.exercise import close, expect, slopes


def check_backward(solution):
    """Write `backward(W, b, x, label)`: the gradients of a ReLU network of any depth, as two lists."""
    rng = np.random.default_rng(0)
    for widths in ([2, 1], [3, 4, 2], [2, 5, 4, 3, 2]):
        W = [rng.normal(size=(n_out, n_in)) for n_in, n_out in pairwise(widths)]
        b = [rng.normal(size=n_out) for n_out in widths[1:]]
        x, label = rng.normal(size=widths[0]), rng.normal(size=widths[-1])
        got = solution.backward(W, b, x, label)
        expect(len(got) == 2, "the result is a pair of lists: the gradients of W and those of b", got=got)
        for name, gradients, parameters in [("W", got[0], W), ("b", got[1], b)]:
            expect(len(gradients) == len(parameters), f"there is one gradient for each {name}, {len(parameters)} here")
            for layer in reversed(range(len(parameters))):
                where = f"{name} of layer {layer + 1} of {len(W)} (widths {widths})"
                shape = parameters[layer].shape
                expect(
                    np.shape(gradients[layer]) == shape,
                    f"the gradient of {where} has shape {shape}",
                    got=gradients[layer],
                )

                def loss_with(value, parameters=parameters, layer=layer):
                    moved = [*parameters[:layer], value, *parameters[layer + 1 :]]
                    return loss(moved, b, x, label) if parameters is W else loss(W, moved, x, label)

                measured = slopes(loss_with, parameters[layer])
                expect(
                    close(gradients[layer], measured),
                    f"the gradient of {where} is the slope of the loss",
                    got=gradients[layer],
                    measured=measured,
                )


def loss(W, b, x, label):
    a = x
    for layer, (W_l, b_l) in enumerate(zip(W, b, strict=True)):
        a = W_l @ a + b_l
        if layer < len(W) - 1:
            a = np.maximum(a, 0)
    return np.sum((a - label) ** 2) / 2
