"""Checks for lesson 24: folding batch normalisation away, layer normalisation backward, running averages."""

import numpy as np

from lessons.exercise import close, expect, slopes


def check_fold(solution):
    """Write `fold(W, b, gamma, beta, mean, var, eps)`: W and b of a linear layer with normalisation in use built in."""
    rng = np.random.default_rng(0)
    for units, inputs in [(1, 1), (3, 5), (4, 2)]:
        W, b, gamma, beta, mean = (rng.normal(size=s) for s in [(units, inputs), units, units, units, units])
        var, eps = rng.uniform(0.1, 4.0, units), 0.01
        got = solution.fold(W, b, gamma, beta, mean, var, eps)
        expect(len(got) == 2, "there are two results, W and b", got=got)
        new_W, new_b = got
        shapes = np.shape(new_W), np.shape(new_b)
        expect(shapes == ((units, inputs), (units,)), "the new W and b have the shapes of the old ones", shapes=shapes)
        for _ in range(4):
            x = rng.normal(size=inputs)
            wanted = gamma * (W @ x + b - mean) / np.sqrt(var + eps) + beta
            folded = np.asarray(new_W) @ x + new_b
            what = "the new layer gives for x what the old one with batch normalisation in use gives"
            expect(close(folded, wanted), what, x=x, folded=folded, wanted=wanted)


def check_layer_norm_backward(solution):
    """Write `layer_norm_backward(x, gamma, g, eps)`: dL/dx, dL/dgamma and dL/dbeta, mean and spread over each row."""
    rng = np.random.default_rng(1)
    for N, C in [(1, 3), (4, 5), (6, 2)]:
        x, gamma, g, eps = rng.normal(2.0, 3.0, (N, C)), rng.normal(size=C), rng.normal(size=(N, C)), 0.1
        got = solution.layer_norm_backward(x, gamma, g, eps)
        shapes = tuple(map(np.shape, got))
        expect(shapes == ((N, C), (C,), (C,)), "the results have the shapes of x, gamma and beta", shapes=shapes)
        beta = np.zeros(C)
        measured = (
            slopes(lambda v, gamma=gamma, g=g: np.sum(g * layer_norm(v, gamma, beta, eps)), x),
            slopes(lambda v, x=x, g=g: np.sum(g * layer_norm(x, v, beta, eps)), gamma),
            slopes(lambda v, x=x, gamma=gamma, g=g: np.sum(g * layer_norm(x, gamma, v, eps)), beta),
        )
        for name, ours, theirs in reversed(list(zip(["x", "gamma", "beta"], got, measured, strict=True))):
            what = f"the gradient of {name} is the slope of L = sum of g times the normalised rows"
            expect(close(ours, theirs, 1e-6), what, N=N, C=C, got=ours, measured=theirs)


def layer_norm(x, gamma, beta, eps):
    mean, var = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    return gamma * (x - mean) / np.sqrt(var + eps) + beta


def check_running(solution):
    """Write `running(batches, momentum)`: running mean and variance after T batches of N numbers, (T, N)."""
    rng = np.random.default_rng(2)
    batches = rng.normal(3.0, 2.0, (5, 4))
    cases = [(1, 1.0), (1, 0.1), (2, 0.5), (5, 0.1), (5, 0.0), (1, None), (5, None)]
    for T, momentum in cases:
        got = solution.running(batches[:T], momentum)
        expect(np.shape(got) == (2,), "there are two numbers, a mean and a variance", got=got)
        variances = np.sum((batches[:T] - batches[:T].mean(1, keepdims=True)) ** 2, axis=1) / 3  # N - 1
        share = 0.0 if momentum is None else (1 - momentum) ** T
        weights = [1 / T if momentum is None else momentum * (1 - momentum) ** (T - 1 - t) for t in range(T)]
        both = [("mean", 0, batches[:T].mean(1), got[0]), ("variance", 1, variances, got[1])]
        for name, start, values, found in both:
            what = f"the start ({start}) and the {name}s of the batches have the shares below in the running {name}"
            wanted = share * start + np.dot(weights, values)
            given = dict(momentum=momentum, start=share, batches=weights, values=values, got=found)
            expect(close(found, wanted), what, **given)
