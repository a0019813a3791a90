"""Checks for lesson 20: convolution along one axis, its gradients, and a kernel that moves an image."""

import numpy as np

from lessons.exercise import close, expect, slopes


def check_conv1d(solution):
    """Write `conv1d(f, g, b, stride, padding)`: a layer for sound; f (C, T), g (J, C, K), b (J,) give (J, places)."""
    rng = np.random.default_rng(0)
    impulse = np.array([[0.0, 0.0, 1.0, 0.0, 0.0]])
    got = solution.conv1d(impulse, np.array([[[1.0, 2.0, 4.0]]]), np.zeros(1), 1, 0)
    expect(np.shape(got) == (1, 3), "a kernel of 3 has 3 places on 5 samples", got=got)
    relation = "place p sees the samples p, p + 1, p + 2, and the first weight of the kernel meets the first of them"
    expect(close(got, [[4.0, 2.0, 1.0]]), relation, f=impulse, g=[1, 2, 4], got=got)
    for C, J, T, K, stride, padding in [(1, 1, 6, 2, 1, 0), (3, 2, 7, 3, 1, 1), (2, 4, 9, 4, 3, 2), (2, 1, 5, 5, 1, 0)]:
        f, g, b = rng.normal(size=(C, T)), rng.normal(size=(J, C, K)), rng.normal(size=J)
        got = solution.conv1d(f, g, b, stride, padding)
        given = dict(stride=stride, padding=padding, got=got)
        places = (T + 2 * padding - K) // stride + 1
        expect(np.shape(got) == (J, places), f"f {f.shape} and g {g.shape} give a map {(J, places)}", **given)
        apart = got - solution.conv1d(f, g, 0 * b, stride, padding)
        expect(close(apart, np.tile(b[:, None], places)), "b_j is added at every place of map j", b=b, **given)
        expect(close(got, conv1d(f, g, b, stride, padding)), "each number is the sum over channels and window", **given)


def check_conv1d_gradients(solution):
    """Write `conv1d_gradients(f, g, delta)`: dL/df, dL/dg, dL/db without stride and padding; delta (J, places)."""
    rng = np.random.default_rng(1)
    for C, J, T, K in [(1, 1, 6, 3), (2, 1, 5, 2), (1, 3, 5, 2), (3, 2, 8, 4)]:
        f, g, b = rng.normal(size=(C, T)), rng.normal(size=(J, C, K)), rng.normal(size=J)
        delta = rng.normal(size=(J, T - K + 1))
        got = solution.conv1d_gradients(f, g, delta)
        expect(len(got) == 3, "there are three gradients, for f, g and b", got=got)

        def loss(f, g, b, delta=delta):
            return np.sum(delta * conv1d(f, g, b, 1, 0))

        measured = {
            "b": (got[2], slopes(lambda b, f=f, g=g: loss(f, g, b), b)),
            "g": (got[1], slopes(lambda g, f=f, b=b: loss(f, g, b), g)),
            "f": (got[0], slopes(lambda f, g=g, b=b: loss(f, g, b), f)),
        }
        for name, (ours, slope) in measured.items():
            shape = f"the gradient of {name} has the shape of {name}, {slope.shape}"
            expect(np.shape(ours) == slope.shape, shape, got=ours)
            relation = f"the gradient of {name} is the slope of sum(delta * map)"
            expect(close(ours, slope), relation, f=f, g=g, delta=delta, got=ours, measured=slope)


def check_move_right(solution):
    """Write `move_right()`: a 3 x 3 kernel that, slid with padding 1, moves an image one pixel to the right."""
    kernel = solution.move_right()
    expect(np.shape(kernel) == (3, 3), "the kernel has the shape (3, 3)", got=kernel)
    image = np.arange(1.0, 21.0).reshape(4, 5)
    wide = np.pad(image, 1)
    moved = sum(np.asarray(kernel)[u, v] * wide[u : u + 4, v : v + 5] for u in range(3) for v in range(3))
    expect(close(moved[:, 1:], image[:, :-1]), "what was at (p, q) is at (p, q + 1)", image=image, moved=moved)
    expect(close(moved[:, 0], np.zeros(4)), "from the left, zeros come in", image=image, moved=moved)


def conv1d(f, g, b, stride, padding):
    f = np.pad(f, ((0, 0), (padding, padding)))
    K = g.shape[2]
    starts = range(0, f.shape[1] - K + 1, stride)
    return np.array([[np.sum(f[:, p : p + K] * g[j]) + b[j] for p in starts] for j in range(len(g))])
