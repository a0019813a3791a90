"""Checks for lesson 16: shares of a table, the area under a ROC curve, the threshold that costs least."""

import time

import numpy as np

from lessons.exercise import close, expect


def check_figures(solution):
    """Write `figures(table, k)`: precision, recall and F1 of class k (row: the truth; column: the answer)."""
    rng = np.random.default_rng(0)
    for classes in (2, 3, 10):
        table = rng.integers(0, 9, (classes, classes)) + 20 * np.eye(classes, dtype=int)
        for k in (0, classes - 1):
            got = solution.figures(table, k)
            expect(np.shape(got) == (3,), "there are three figures: precision, recall, F1", table=table, k=k, got=got)
            pairs = [(i, j) for (i, j), count in np.ndenumerate(table) for _ in range(count)]  # one an image
            asked = [i == k for i, j in pairs if j == k]
            what = "precision is the share of class k among all images whose answer was k"
            expect(close(got[0], np.mean(asked)), what, table=table, k=k, got=got)
            asked = [j == k for i, j in pairs if i == k]
            what = "recall is the share of the answer k among all images of class k"
            expect(close(got[1], np.mean(asked)), what, table=table, k=k, got=got)
            expect(
                close(1 / got[2], (1 / got[0] + 1 / got[1]) / 2),
                "the inverse of F1 is the mean of the inverses of precision and recall",
                table=table,
                k=k,
                got=got,
            )


def check_area(solution):
    """Write `area(scores, truth)`: the area under the ROC curve, ties counted half, for up to 200,000 scores."""
    rng = np.random.default_rng(1)
    small = [
        (np.array([0.9, 0.1]), np.array([True, False])),
        (np.array([0.1, 0.9]), np.array([True, False])),
        (np.full(5, 0.3), np.array([True, True, False, False, False])),
        (rng.normal(size=30), rng.random(30) < 0.4),
        (rng.integers(0, 4, 40).astype(float), rng.random(40) < 0.3),
        (-rng.integers(0, 4, 40).astype(float), rng.random(40) < 0.3),
    ]
    for scores, truth in small:
        pairs = [(a > b) + (a == b) / 2 for a in scores[truth] for b in scores[~truth]]
        what = "the area is the share of pairs (positive, negative) with the positive in front, ties counted half"
        got = solution.area(scores, truth)
        expect(close(got, np.mean(pairs)), what, scores=scores, truth=truth, got=got, pairs=float(np.mean(pairs)))
    scores, truth = rng.normal(size=200_000), rng.random(200_000) < 0.5
    begin = time.monotonic()
    area, turned = solution.area(scores, truth), solution.area(-scores, truth)
    seconds = time.monotonic() - begin
    expect(close(area + turned, 1.0), "with all scores turned round, the area a becomes 1 - a", a=area, turned=turned)
    expect(close(solution.area(np.exp(scores), truth), area), "only the order of the scores matters")
    expect(seconds < 20, "200,000 scores take a few seconds at most", seconds=seconds)


def check_threshold(solution):
    """Write `threshold(scores, truth, miss, alarm)`: the threshold (called if score >= it) with the lowest cost."""
    rng = np.random.default_rng(2)
    for _ in range(3):
        truth = rng.random(60) < 0.3
        scores = np.round(rng.normal(size=60) + 1.2 * truth, 1)
        for miss, alarm in [(1.0, 1.0), (10.0, 1.0), (1.0, 10.0), (1000.0, 1.0), (1.0, 1000.0)]:
            got = solution.threshold(scores, truth, miss, alarm)
            expect(np.shape(got) == (), "a threshold is one number", got=got)
            cost = costs(scores, truth, miss, alarm, got)
            lowest = min(costs(scores, truth, miss, alarm, t) for t in [*scores, np.inf])
            given = dict(miss=miss, alarm=alarm, threshold=got, cost=cost)
            expect(close(cost, lowest), "no other threshold costs less (nor does calling nothing)", **given)


def costs(scores, truth, miss, alarm, threshold):
    called = scores >= threshold
    return miss * np.sum(truth & ~called) + alarm * np.sum(~truth & called)
