import math

import numpy as np


def multi_head(X, W_Q, W_K, W_V, W_O, h):
    n, d = X.shape
    Q, K, V = ((X @ W).reshape(n, h, d // h).swapaxes(0, 1) for W in (W_Q, W_K, W_V))
    S = np.where(np.tri(n, dtype=bool), Q @ K.swapaxes(1, 2) / math.sqrt(d // h), -math.inf)
    powers = np.exp(S - S.max(axis=-1, keepdims=True))
    P = powers / powers.sum(axis=-1, keepdims=True)
    return (P @ V).swapaxes(0, 1).reshape(n, d) @ W_O


def one_pass(q, pairs):
    largest, total, mixed = -math.inf, 0.0, 0.0
    for key, value in pairs:
        score = q @ key / math.sqrt(len(q))
        new = max(largest, score)
        correction, power = math.exp(largest - new), math.exp(score - new)
        total = total * correction + power
        mixed = mixed * correction + power * value
        largest = new
    return mixed / total


def shift(d, k):
    R = np.zeros((d, d))
    for i in range(0, d, 2):
        angle = k * 10000.0 ** (-i / d)
        sine, cosine = math.sin(angle), math.cos(angle)
        R[i : i + 2, i : i + 2] = [[cosine, -sine], [sine, cosine]]
    return R
