import numpy as np


def slope(x):
    return (1 - 2 * x**2) * np.exp(-(x**2))


def jacobian(f, at):
    epsilon = 1e-5
    columns = [(f(at + step) - f(at - step)) / (2 * epsilon) for step in epsilon * np.eye(len(at))]
    return np.stack(columns, axis=1)
