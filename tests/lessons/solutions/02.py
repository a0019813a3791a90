import numpy as np


def layer(W, b, X):
    return X @ W.T + b


def majority():
    return np.array([10.0, 10.0, 10.0]), -15.0
