import numpy as np


def delta(W, delta_next, z):
    return (W.T @ delta_next) * (1 - np.tanh(z) ** 2)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def backward(W_1, b_1, W_2, b_2, W_3, b_3, X, Y):
    h_1 = sigmoid(W_1 @ X + b_1)
    h_2 = sigmoid(W_2 @ h_1 + b_2)
    d_3 = sigmoid(W_3 @ h_2 + b_3) - Y
    d_2 = (W_3.T @ d_3) * h_2 * (1 - h_2)
    d_1 = (W_2.T @ d_2) * h_1 * (1 - h_1)
    return np.outer(d_1, X), d_1, np.outer(d_2, h_1), d_2, np.outer(d_3, h_2), d_3
