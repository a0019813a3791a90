"""Checks for lesson 23: counting parameters and work, and how far a number sees."""

import numpy as np

from lessons.exercise import expect


def check_count(solution):
    """Write `count(layers, shape)`: parameters and multiply-adds of a network of "conv", "pool" and "dense" layers."""
    for layers, shape in [
        ([("dense", 3)], (5, 1, 1)),
        ([("dense", 4)], (2, 3, 3)),
        ([("dense", 7), ("dense", 2)], (1, 2, 2)),
        ([("conv", 1, 3, 1, 0)], (1, 3, 3)),
        ([("conv", 4, 3, 1, 1)], (2, 6, 5)),
        ([("conv", 3, 5, 2, 2)], (3, 8, 9)),
        ([("pool", 2, 2)], (3, 8, 8)),
        ([("conv", 2, 2, 1, 0), ("pool", 3, 2), ("dense", 5)], (1, 9, 8)),
        ([("conv", 8, 5, 2, 1), ("conv", 4, 3, 1, 1), ("pool", 2, 2), ("dense", 6), ("dense", 2)], (3, 20, 17)),
    ]:
        got = solution.count(layers, shape)
        given = dict(layers=layers, shape=shape, got=got)
        expect(np.shape(got) == (2,), "the result is two numbers, parameters and multiply-adds", **given)
        parameters, work = one_by_one(layers, shape)
        expect(got[0] == parameters, "the first number is that of all weights and biases", **given)
        expect(got[1] == work, "the second number says how often a weight is multiplied, for one image", **given)


def check_receptive_field(solution):
    """Write `receptive_field(layers)`: how many pixels in a row one number after the last of the layers depends on."""
    for layers in [
        [(3, 1)],
        [(2, 2)],
        [(3, 1), (3, 1)],
        [(5, 1), (2, 2)],
        [(2, 2), (5, 1)],
        [(3, 2), (3, 2), (3, 2)],
        [(1, 1), (2, 2), (2, 1)],
        [(5, 1), (2, 2), (5, 1), (2, 2), (5, 1)],
        [(11, 4), (3, 2), (5, 1), (3, 2), (3, 1)],
    ]:
        got = solution.receptive_field(layers)
        relation = "it is the number of pixels in a row that can change the first number of the last map"
        expect(got == marked(layers), relation, layers=layers, got=got)


def one_by_one(layers, shape):
    """Counts by making every array and walking through every place."""
    parameters = work = 0
    maps = np.zeros(shape)
    for kind, *settings in layers:
        if kind == "dense":
            (outputs,) = settings
            weights = np.zeros((outputs, maps.size))
            parameters += weights.size + outputs
            work += weights.size
            maps = np.zeros(outputs)
            continue
        if kind == "conv":
            kernels, kernel, stride, padding = settings
            maps = np.pad(maps, ((0, 0), (padding, padding), (padding, padding)))
        else:
            kernel, stride = settings
        places = [range(0, side - kernel + 1, stride) for side in maps.shape[1:]]
        channels = len(maps)
        if kind == "conv":
            weights = np.zeros((kernels, channels, kernel, kernel))
            parameters += weights.size + kernels
            work += sum(weights.size for _ in places[0] for _ in places[1])
            channels = kernels
        maps = np.zeros((channels, len(places[0]), len(places[1])))
    return parameters, work


def marked(layers):
    """Marks what the first number of the last map looks at, layer by layer back to the pixels."""
    seen = {0}
    for kernel, stride in reversed(layers):
        seen = {stride * place + i for place in seen for i in range(kernel)}
    return len(seen)
