import numpy as np


def backward(x, W_1, W_2, g):
    z = W_1 @ x
    d_z = (W_2.T @ g) * (z > 0)
    return g + W_1.T @ d_z, np.outer(d_z, x), np.outer(g, np.maximum(z, 0))


def by_length(slopes):
    """The product of all (1 + slope t), as a polynomial in t."""
    sums = np.ones(1)
    for slope in slopes:
        past, through = np.append(sums, 0.0), np.append(0.0, slope * sums)
        sums = past + through
    return sums
