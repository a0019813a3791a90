import math

import numpy as np


def parameters(V, T, C, L):
    block = 12 * C * C + 13 * C
    return V * C + T * C + L * block + 2 * C + V * C + V


def top_k(p, k):
    kept = np.zeros_like(p)
    best = np.argsort(-p)[:k]
    kept[best] = p[best] / p[best].sum()
    return kept


def learning_rate(step, warm, total, top):
    if step < warm:
        return top * step / warm
    return top * 0.5 * (1 + math.cos(math.pi * (step - warm) / (total - warm)))
