import numpy as np


def standardise(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)


def distances(X, Y):
    difference = X[:, None, :] - Y[None, :, :]  # (n, 1, d) - (1, m, d) -> (n, m, d)
    return np.sqrt((difference**2).sum(axis=2))
