import numpy as np


def backward(u, x, h, d_last):
    d_w = d_u = d_b = 0.0
    d_h = d_last
    for t in reversed(range(len(x))):
        delta = d_h * (1 - h[t + 1] ** 2)
        d_w, d_u, d_b = d_w + delta * x[t], d_u + delta * h[t], d_b + delta
        d_h = u * delta
    return d_w, d_u, d_b


def clip_norm(gradients, longest):
    norm = np.sqrt(sum(np.sum(g**2) for g in gradients))
    factor = longest / norm if norm > longest else 1.0
    return [g * factor for g in gradients]


def parity_weights():
    # h[0]: the bit or the parity (at least one of them); h[1]: both. The parity is h[0] - h[1].
    W = np.array([1.0, 1.0])
    U = np.array([[1.0, -1.0], [1.0, -1.0]])
    return W, U, np.array([-0.5, -1.5]), np.array([1.0, -1.0]), -0.5
