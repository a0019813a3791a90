"""Checks for lesson 00: computing with whole arrays."""

import numpy as np

from lessons.exercise import close, expect


def check_standardise(solution):
    """Write `standardise(X)`: each column of X minus its mean, divided by its standard deviation."""
    rng = np.random.default_rng(0)
    for examples, features in [(4, 4), (5, 3)]:
        X = rng.normal(size=(examples, features)) * rng.uniform(1, 9, features) + rng.uniform(-5, 5, features)
        got = solution.standardise(X)
        expect(np.shape(got) == X.shape, f"the result has the shape of X, {X.shape}", X=X, got=got)
        means, stds = np.mean(got, axis=0), np.std(got, axis=0)
        expect(close(means, np.zeros(features)), "each column of the result has the mean 0", X=X, got=got, means=means)
        expect(
            close(stds, np.ones(features)),
            "each column of the result has the deviation 1",
            X=X,
            got=got,
            stds=stds,
        )
        for column in range(features):
            order = np.argsort(X[:, column])
            expect(np.diff(np.asarray(got)[order, column]) > 0, "larger entries of a column stay larger", X=X, got=got)


def check_distances(solution):
    """Write `distances(X, Y)`: the distances between every row of X (n, d) and every row of Y (m, d), as (n, m)."""
    rng = np.random.default_rng(0)
    for n, m, d in [(1, 1, 2), (3, 3, 3), (4, 2, 3)]:
        X, Y = rng.normal(size=(n, d)), rng.normal(size=(m, d))
        got = solution.distances(X, Y)
        expect(np.shape(got) == (n, m), f"the result has the shape ({n}, {m})", X=X, Y=Y, got=got)
        for i in range(n):
            for j in range(m):
                expect(
                    close(got[i][j], np.linalg.norm(X[i] - Y[j])),
                    f"entry ({i}, {j}) is the distance of point {i} of X from point {j} of Y",
                    X=X,
                    Y=Y,
                    got=got,
                )
