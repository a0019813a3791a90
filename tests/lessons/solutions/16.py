import numpy as np


def figures(table, k):
    hits = table[k, k]
    called, present = table[:, k].sum(), table[k].sum()
    return hits / called, hits / present, 2 * hits / (called + present)


def area(scores, truth):
    """For each positive, how many negatives lie below it, and how many at most at its height."""
    negatives = np.sort(scores[~truth])
    below = np.searchsorted(negatives, scores[truth], side="left")
    not_above = np.searchsorted(negatives, scores[truth], side="right")
    return np.mean(below + not_above) / 2 / len(negatives)


def threshold(scores, truth, miss, alarm):
    candidates = np.append(np.unique(scores), np.inf)
    cost = [miss * np.sum(truth & (scores < t)) + alarm * np.sum(~truth & (scores >= t)) for t in candidates]
    return candidates[np.argmin(cost)]
