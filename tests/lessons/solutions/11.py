import numpy as np


def agrees(f, gradient, at, seed):
    rng = np.random.default_rng(seed)
    u = rng.uniform(0.5, 1.5, at.shape) * rng.choice([-1.0, 1.0], at.shape)
    parts = gradient(at) * u
    measured = (f(at + 1e-5 * u) - f(at - 1e-5 * u)) / 2e-5
    return abs(parts.sum() - measured) <= 1e-4 * np.abs(parts).max()


def softmax_backward(p, g):
    return p * (g - p @ g)
