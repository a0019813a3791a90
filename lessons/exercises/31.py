"""Checks for lesson 31: a step of the LSTM, the way back through its cell, and the bias of the forget gate."""

import numpy as np

from lessons.exercise import close, expect, slopes


def check_lstm_step(solution):
    """Write `lstm_step(x, h, C, W, U, b)`: the next h and C; W, U, b have the rows of i, then f, g, o."""
    rng = np.random.default_rng(0)
    for D, H in [(1, 1), (3, 2), (2, 4)]:
        x, h, C = rng.normal(size=D), rng.normal(size=H), rng.normal(size=H)
        W, U, b = rng.normal(size=(4 * H, D)), rng.normal(size=(4 * H, H)), rng.normal(size=4 * H)
        got = solution.lstm_step(x, h, C, W, U, b)
        expect(len(got) == 2, "two states come out, h and C", got=got)
        given = dict(x=x, h=h, C=C, got_h=got[0], got_C=got[1])
        expect([np.shape(part) for part in got] == [(H,), (H,)], "both states have one entry for each unit", **given)
        keeps = b + np.repeat([-60.0, 60.0, 0.0, 0.0], H)
        kept = solution.lstm_step(x, h, C, W, U, keeps)[1]
        expect(close(kept, C), "with the input gate shut and the forget gate open, the cell stays", C=C, got_C=kept)
        shut = solution.lstm_step(x, h, C, W, U, b - np.repeat([0.0, 0.0, 0.0, 60.0], H))[0]
        expect(close(shut, np.zeros(H)), "with the output gate shut, h is zero", got_h=shut)
        right = lstm_step(x, h, C, W, U, b)
        expect(close(got[1], right[1]), "the new cell is f C + i g", **given)
        expect(close(got[0], right[0]), "h is what the output gate shows of the squashed new cell", **given)


def check_cell_backward(solution):
    """Write `cell_backward(d_h, d_C, C_old, i, f, o, g)`: the slopes by C_old, i, f, o, g; d_C is from step t + 1."""
    rng = np.random.default_rng(1)
    for H in (1, 3):
        d_h, d_C, C_old, g = rng.normal(size=(4, H))
        i, f, o = rng.uniform(0.1, 0.9, size=(3, H))
        got = solution.cell_backward(d_h, d_C, C_old, i, f, o, g)
        expect(len(got) == 5, "there are five slopes, by C_old, i, f, o, g", got=got)
        inputs = {"C_old": C_old, "i": i, "f": f, "o": o, "g": g}
        for name, ours in zip(inputs, got, strict=True):

            def loss(value, name=name, inputs=inputs, d_h=d_h, d_C=d_C):
                now = {**inputs, name: value}
                C = now["f"] * now["C_old"] + now["i"] * now["g"]
                return np.sum(d_h * now["o"] * np.tanh(C) + d_C * C)

            measured = slopes(loss, inputs[name])
            relation = f"the slope by {name} is that of d_h . h + d_C . C, since the new cell is used in two places"
            expect(close(ours, measured), relation, **inputs, d_h=d_h, d_C=d_C, got=ours, measured=measured)


def check_forget_bias(solution):
    """Write `forget_bias(steps)`: the bias with which, all weights being zero, half of the cell is left after steps."""
    for steps in (1, 10, 100, 1000):
        bias = solution.forget_bias(steps)
        left = (1 / (1 + np.exp(-bias))) ** steps
        expect(close(left, 0.5), "the forget gate, multiplied by itself once a step, is 1/2", steps=steps, got=bias)


def lstm_step(x, h, C, W, U, b):
    i, f, g, o = np.split(W @ x + U @ h + b, 4)
    i, f, o = (1 / (1 + np.exp(-z)) for z in (i, f, o))
    C = f * C + i * np.tanh(g)
    return o * np.tanh(C), C
