import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def lstm_step(x, h, C, W, U, b):
    i, f, g, o = np.split(W @ x + U @ h + b, 4)
    C = sigmoid(f) * C + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(C), C


def cell_backward(d_h, d_C, C_old, i, f, o, g):
    shown = np.tanh(f * C_old + i * g)
    d_C = d_C + d_h * o * (1 - shown**2)
    return d_C * f, d_C * g, d_C * C_old, d_h * shown, d_C * i


def forget_bias(steps):
    gate = 0.5 ** (1 / steps)
    return np.log(gate / (1 - gate))
