import numpy as np


def saliency(x, W_1, b_1, W_2, b_2, k):
    return W_1.T @ (W_2[k] * (W_1 @ x + b_1 > 0))


def occlusion_map(score, image, size, fill):
    height, width = image.shape
    lost = np.empty((height - size + 1, width - size + 1))
    for row, column in np.ndindex(lost.shape):
        covered = image.copy()
        covered[row : row + size, column : column + size] = fill
        lost[row, column] = score(image) - score(covered)
    return lost


def sharpest_change(W, b, x, j, k):
    towards = W[k] - W[j]
    behind = (W[j] - W[k]) @ x + b[j] - b[k]
    return behind * towards / np.sum(towards**2)
