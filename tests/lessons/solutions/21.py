import numpy as np


def windows(f, size, stride):
    for p in range((f.shape[0] - size) // stride + 1):
        for q in range((f.shape[1] - size) // stride + 1):
            yield (p, q), (slice(stride * p, stride * p + size), slice(stride * q, stride * q + size))


def max_pool(f, size, stride):
    result = np.zeros([(n - size) // stride + 1 for n in f.shape])
    for place, window in windows(f, size, stride):
        result[place] = f[window].max()
    return result


def max_pool_gradient(f, size, stride, delta):
    d_f = np.zeros_like(f)
    for place, window in windows(f, size, stride):
        at = np.unravel_index(f[window].argmax(), (size, size))
        d_f[window][at] += delta[place]
    return d_f
