import numpy as np


def recall(table):
    return np.diag(table) / table.sum(axis=1)
