import numpy as np


def split(n, shares, seed):
    order = np.random.default_rng(seed).permutation(n)
    ends = np.round(np.cumsum(shares) * n).astype(int)[:-1]
    return np.split(order, ends)
