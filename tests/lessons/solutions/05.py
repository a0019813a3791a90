import numpy as np


def gradient(w, b, X, y):
    error = X @ w + b - y
    return 2 * X.T @ error / len(y), 2 * np.mean(error)


def descend(gradient, start, alpha, steps):
    path = [np.array(start, dtype=float)]
    for _ in range(steps):
        path.append(path[-1] - alpha * gradient(path[-1]))
    return np.array(path)


def largest_alpha(x):
    H = 2 * np.array([[np.mean(x**2), np.mean(x)], [np.mean(x), 1.0]])
    return 2 / np.linalg.eigvalsh(H)[-1]
