"""Layer, group and root-mean-square normalisation: each row is read into the cache once, and all is done there.

x is (N, G, D): N samples of G rows, whose D places have gamma and beta of their own, (G, D). A sum along a row fills
vectors only if it may be taken in another order than from left to right.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .compiler import kernel

__all__ = ["backward", "forward"]

WORTH = 10**4  # elements: with fewer nobody should wait for a compiler


def forward(x: Any, gamma: Any, beta: Any, centred: bool, eps: float) -> tuple[np.ndarray, ...] | None:
    """y = gamma (x - mean) inverse + beta, with mean and inverse = 1 / sigma of each row, (N, G, 1).

    None where it cannot run. gamma and beta may be None.
    """
    if not fits(x):
        return None
    y, mean, inverse = np.empty(x.shape, np.float32), *(np.empty(x.shape[:2], np.float32) for _ in range(2))
    gamma = np.ones(x.shape[1:], np.float32) if gamma is None else in_order(gamma)
    beta = np.zeros(x.shape[1:], np.float32) if beta is None else in_order(beta)
    if not normalise_rows(in_order(x), gamma, beta, centred, eps, y, mean, inverse):
        return None
    return y, mean[..., None], inverse[..., None]


def backward(dy: Any, x: Any, gamma: Any, centred: bool, mean: Any, inverse: Any) -> tuple[np.ndarray, ...] | None:
    """dL/dx, dL/dgamma and dL/dbeta, given what ``forward`` returned; None where it cannot run."""
    if not fits(x):
        return None
    dx = np.empty(x.shape, np.float32)
    dgamma, dbeta = (np.zeros(x.shape[1:]) for _ in range(2))
    gamma = np.ones(x.shape[1:], np.float32) if gamma is None else in_order(gamma)
    of_rows = mean[..., 0], inverse[..., 0]
    if not differentiate_rows(in_order(dy), in_order(x), gamma, centred, *of_rows, dx, dgamma, dbeta):
        return None
    return dx, dgamma.astype(np.float32), dbeta.astype(np.float32)


def fits(x: Any) -> bool:
    return type(x) is np.ndarray and x.dtype.char == "f" and x.size >= max(WORTH, 1)


def in_order(x: np.ndarray) -> np.ndarray:
    return np.require(x, requirements="CAW")


@kernel(
    "void(f4[:, :, ::1], f4[:, ::1], f4[:, ::1], b1, f8, f4[:, :, ::1], f4[:, ::1], f4[:, ::1])",
    any_order=True,
    dealt="x y mean inverse",
)
def normalise_rows(x, gamma, beta, centred, eps, y, mean, inverse):
    """y = gamma (x - mean) inverse + beta, inverse = 1 / sqrt(mean((x - mean)^2) + eps); mean is 0 unless centred."""
    size = x.shape[2]
    for n in range(x.shape[0]):
        for g in range(x.shape[1]):
            row, total, squares = x[n, g], 0.0, 0.0
            if centred:
                for i in range(size):
                    total += row[i]
            middle = np.float32(total / size)
            for i in range(size):
                squares += (row[i] - middle) * (row[i] - middle)
            factor = np.float32(1 / np.sqrt(squares / size + eps))
            mean[n, g], inverse[n, g] = middle, factor
            for i in range(size):
                y[n, g, i] = (row[i] - middle) * factor * gamma[g, i] + beta[g, i]


@kernel(
    "void(f4[:, :, ::1], f4[:, :, ::1], f4[:, ::1], b1, f4[:, ::1], f4[:, ::1], f4[:, :, ::1], f8[:, ::1], f8[:, ::1])",
    any_order=True,
    dealt="dy x mean inverse dx",
    added="dgamma dbeta",
)
def differentiate_rows(dy, x, gamma, centred, mean, inverse, dx, dgamma, dbeta):
    """dx = (h - mean(h) - xhat mean(h xhat)) inverse with h = gamma dy; dgamma += dy xhat, dbeta += dy."""
    size = x.shape[2]
    for n in range(x.shape[0]):
        for g in range(x.shape[1]):
            row, above, middle, factor = x[n, g], dy[n, g], mean[n, g], inverse[n, g]
            along_h, along_x = 0.0, 0.0
            for i in range(size):
                xhat = (row[i] - middle) * factor
                along_h += above[i] * gamma[g, i]
                along_x += above[i] * gamma[g, i] * xhat
            for i in range(size):
                xhat = (row[i] - middle) * factor
                dgamma[g, i] += above[i] * xhat
                dbeta[g, i] += above[i]
            level, slope = np.float32(along_h / size if centred else 0), np.float32(along_x / size)
            for i in range(size):
                xhat = (row[i] - middle) * factor
                dx[n, g, i] = (above[i] * gamma[g, i] - level - xhat * slope) * factor
