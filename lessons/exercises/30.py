"""Checks for lesson 30: backpropagation through time, clipping the norm, and a recurrent network that counts."""

import itertools

import numpy as np

from lessons.exercise import close, expect, slopes


def check_backward(solution):
    """Write `backward(u, x, h, d_last)`: dL/dw, dL/du, dL/db of one tanh unit; x_1..x_T, h_0..h_T, d_last = dL/dh_T."""
    rng = np.random.default_rng(0)
    for T in (1, 2, 6):
        x, (w, u, b, h_0, d_last) = rng.normal(size=T), rng.normal(size=5)
        h = states(w, u, b, x, h_0)
        got = solution.backward(u, x, h, d_last)
        expect(len(got) == 3, "there are three gradients, of w, u and b", got=got)
        given = dict(T=T, u=u, x=x, h=h, d_last=d_last)
        measured = {
            "b": (got[2], slopes(lambda b, w=w, u=u, x=x, h_0=h_0: states(w, u, b, x, h_0)[-1], b)),
            "w": (got[0], slopes(lambda w, u=u, b=b, x=x, h_0=h_0: states(w, u, b, x, h_0)[-1], w)),
            "u": (got[1], slopes(lambda u, w=w, b=b, x=x, h_0=h_0: states(w, u, b, x, h_0)[-1], u)),
        }
        for name, (ours, slope) in measured.items():
            relation = f"the gradient of {name} is d_last times the slope of h_T, all steps taken together"
            expect(close(ours, d_last * slope), relation, **given, got=ours, measured=d_last * slope)


def check_clip_norm(solution):
    """Write `clip_norm(gradients, longest)`: a list of arrays, together at most `longest` long, same direction."""
    rng = np.random.default_rng(1)
    gradients = [rng.normal(size=(3, 2)), rng.normal(size=4), rng.normal(size=())]
    norm = length(gradients)
    for longest in (0.5 * norm, 0.01, 1.5 * norm):
        got = solution.clip_norm(gradients, longest)
        expect(len(got) == len(gradients), "as many arrays come out as go in", got=got)
        for g, new in zip(gradients, got, strict=True):
            expect(np.shape(new) == g.shape, "each array keeps its shape", before=g, after=new)
        given = dict(longest=longest, length_before=norm, length_after=length(got))
        expect(close(length(got), min(norm, longest)), "the length is at most `longest`, and unchanged below", **given)
        factors = np.concatenate([np.ravel(new / g) for g, new in zip(gradients, got, strict=True)])
        expect(close(factors, np.full(factors.size, factors[0])), "all entries get the same factor", factors=factors)
    zeros = solution.clip_norm([np.zeros(3)], 1.0)[0]
    expect(close(zeros, np.zeros(3)), "a gradient of zero stays zero", got=zeros)


def check_parity_weights(solution):
    """Write `parity_weights()`: W (2,), U (2, 2), b (2,), v (2,), c so that step(v . h_T + c) is 1 for odd numbers."""
    parts = solution.parity_weights()
    expect(len(parts) == 5, "there are five parts: W, U, b, v, c", got=parts)
    W, U, b, v, c = parts
    shapes = [np.shape(part) for part in parts]
    expect(shapes == [(2,), (2, 2), (2,), (2,), ()], "the shapes are (2,), (2, 2), (2,), (2,), ()", shapes=shapes)
    for T in range(1, 7):
        for bits in itertools.product((0, 1), repeat=T):
            h = np.zeros(2)
            for bit in bits:
                h = (np.asarray(W) * bit + np.asarray(U) @ h + np.asarray(b) > 0).astype(float)
            odd = float(np.dot(v, h) + c > 0)
            expect(odd == sum(bits) % 2, "the answer is 1 if the number of ones is odd", bits=bits, h_T=h, got=odd)


def states(w, u, b, x, h_0):
    h = [h_0]
    for x_t in x:
        h.append(np.tanh(w * x_t + u * h[-1] + b))
    return np.array(h)


def length(arrays):
    return np.sqrt(sum(np.sum(np.square(array)) for array in arrays))
