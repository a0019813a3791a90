import numpy as np


def sparse_cross_entropy(p, labels):
    labels = labels.reshape(-1)
    return -np.log(p[np.arange(len(p)), labels]).mean()


def move(images, down, right):
    _, height, width = images.shape
    by = max(abs(down), abs(right))
    padded = np.pad(images, ((0, 0), (by, by), (by, by)))
    return padded[:, by - down : by - down + height, by - right : by - right + width]
