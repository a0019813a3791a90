import numpy as np


def conv1d(f, g, b, stride, padding):
    f = np.pad(f, ((0, 0), (padding, padding)))
    K = g.shape[2]
    starts = range(0, f.shape[1] - K + 1, stride)
    return np.stack([np.tensordot(g, f[:, p : p + K], axes=2) + b for p in starts], axis=1)


def conv1d_gradients(f, g, delta):
    C, T = f.shape
    J, _, K = g.shape
    d_f, d_g = np.zeros_like(f), np.zeros_like(g)
    for j in range(J):
        for k in range(C):
            for p in range(T - K + 1):
                d_f[k, p : p + K] += delta[j, p] * g[j, k]
                d_g[j, k] += delta[j, p] * f[k, p : p + K]
    return d_f, d_g, delta.sum(axis=1)


def move_right():
    return np.array([[0, 0, 0], [1, 0, 0], [0, 0, 0]])
