import numpy as np


def batches(n, m, rng):
    order = rng.permutation(n)
    return [order[start : start + m] for start in range(0, n, m)]


def epoch_mean(means, sizes):
    return np.dot(means, sizes) / np.sum(sizes)
