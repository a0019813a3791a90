import numpy as np


def bits(p):
    return -np.log2(p).mean()


def witten_bell(counts, below):
    N, different = counts.sum(), np.count_nonzero(counts)
    return (counts + different * below) / (N + different) if N else below


def with_temperature(p, t):
    scores = np.log(p) / t
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()
