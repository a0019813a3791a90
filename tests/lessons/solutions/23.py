from math import prod


def count(layers, shape):
    parameters = work = 0
    for kind, *settings in layers:
        if kind == "conv":
            maps, kernel, stride, padding = settings
            places = [(side + 2 * padding - kernel) // stride + 1 for side in shape[1:]]
            weights = maps * shape[0] * kernel**2
            parameters += weights + maps
            work += weights * prod(places)
            shape = (maps, *places)
        elif kind == "pool":
            window, stride = settings
            shape = (shape[0], *((side - window) // stride + 1 for side in shape[1:]))
        else:
            weights = prod(shape) * settings[0]
            parameters += weights + settings[0]
            work += weights
            shape = (settings[0],)
    return parameters, work


def receptive_field(layers):
    size = 1
    for kernel, stride in reversed(layers):
        size = (size - 1) * stride + kernel
    return size
