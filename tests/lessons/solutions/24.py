import numpy as np


def fold(W, b, gamma, beta, mean, var, eps):
    scale = gamma / np.sqrt(var + eps)
    return scale[:, None] * W, scale * (b - mean) + beta


def layer_norm_backward(x, gamma, g, eps):
    c = x - x.mean(axis=1, keepdims=True)
    s = np.sqrt((c * c).mean(axis=1, keepdims=True) + eps)
    x_hat, h = c / s, gamma * g
    d_x = (h - h.mean(axis=1, keepdims=True) - x_hat * (h * x_hat).mean(axis=1, keepdims=True)) / s
    return d_x, (g * x_hat).sum(axis=0), g.sum(axis=0)


def running(batches, momentum):
    mean, var = 0.0, 1.0
    for t, batch in enumerate(batches, 1):
        m = 1 / t if momentum is None else momentum
        mean = (1 - m) * mean + m * batch.mean()
        var = (1 - m) * var + m * batch.var(ddof=1)
    return mean, var
