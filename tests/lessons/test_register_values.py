"""The numbers of the register, computed once more with plain Python and NumPy, independently of the lessons.

A lesson computes the figures of an entry in its own way; here the expected values themselves are put to the test, so
that a slip in `formulas.toml` cannot hide behind a lesson that was fitted to it.
"""

import itertools
import math

import numpy as np
import pytest

from lessons.register import distance, load


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def slope(f, at, h=1e-6):
    return (f(at + h) - f(at - h)) / (2 * h)


def gpt(vocabulary, positions, layers, width):
    return vocabulary * width + positions * width + layers * (12 * width**2 + 13 * width) + 2 * width


def conv(size, inputs, outputs):
    return size * size * inputs * outputs + outputs


def dense(inputs, outputs):
    return inputs * outputs + outputs


def one_unit():
    """D1-2.1.3-b and what follows from it: sigmoid unit, squared error, then binary cross-entropy."""
    x, w, b, y = 1.5, 0.8, -0.2, 1.0
    a = sigmoid(w * x + b)

    def squared(w, b):
        return 0.5 * (y - sigmoid(w * x + b)) ** 2

    def entropy(w, b):
        return -math.log(sigmoid(w * x + b))

    d = a * (1 - a)
    g_w, g_b = (a - y) * d * x, (a - y) * d
    yield "D1-2.1.2-a", {"z": w * x + b}
    yield "D1-2.1.2-b", {"f": [sigmoid(0.0), sigmoid(1.0)]}
    yield "D1-3.1.2-b", {"z": w * x + b, "a": a}
    measured = slope(lambda v: squared(v, b), w)
    losses = {"loss": squared(w, b), "loss_right": squared(w - g_w, b - g_b), "loss_printed": squared(w + g_w, b + g_b)}
    yield "D1-2.1.3-b", {"measured": measured, "right": g_w, "printed": (y - a) * d * x, **losses}
    yield "D1-2.1.3-c", {"w_new": w - g_w}
    yield "D1-2.1.3-d", {"measured": slope(lambda v: squared(w, v), b), "gradient": g_b, "b_new": b - g_b}
    general = (a - y) / (a * (1 - a)) * d * x
    printed = (y - a) * d * x
    measured = slope(lambda v: entropy(v, b), w)
    forms = {"right": general, "printed": printed, "printed_mended": -printed, "factor": 1 / d}
    yield "D1-3.1.2-c", {"measured": measured, **forms}
    yield "D1-3.1.2-d", {"w_new": w - general, "loss": entropy(w, b)}


def sigmoid_output():
    """D3-3-c to D3-3-h: sigmoid unit and binary cross-entropy."""
    x, w, b, y = 1.5, 1.0, 0.5, 1.0
    z = w * x + b
    a = sigmoid(z)

    def loss(w, b):
        return -math.log(sigmoid(w * x + b))

    yield "D3-3-c", {"w_new": w - (a - y) * x, "loss": loss(w, b)}
    yield "D3-3-d", {"b_new": b - (a - y), "loss": loss(w, b)}
    yield "D3-3-f", {"loss": -math.log(0.9)}
    printed = a * (1 - a) * (z - y)
    yield "D3-3-g", {"measured": slope(lambda v: loss(v, b), w), "right": (a - y) * x, "printed": printed}
    yield "D3-3-h", {"measured": slope(lambda v: loss(w, v), b), "right": a - y, "printed": printed}


def worked_numbers():
    """The activations and losses that D3 and D4 evaluate by hand."""
    yield "D3-4-b", {"relu": [max(0, -2), max(0, 3)]}
    yield "D1-2.1.2-c", {"f": [max(0, -2), max(0, 3)]}
    yield "D3-4-d", {"sigmoid": sigmoid(-3.0), "z_of_printed": math.log(0.0478 / (1 - 0.0478))}
    yield "D3-4-e", {"sigmoid": sigmoid(2.0), "z_of_printed": math.log(0.8659 / (1 - 0.8659))}
    yield "D3-4-g", {"tanh": [math.tanh(-2), math.tanh(2)], "tanh_1": math.tanh(1)}
    scores = np.array([1.0, 2.0, -2.0])
    yield "D3-4-h", {"printed_sum": float(np.tanh(scores).sum()), "printed_min": math.tanh(-2)}
    yield "D3-4-j", {"loss": -math.log(0.9)}
    yield "D3-4-l", {"loss": 0.5 * (5 - 4.8) ** 2, "usual": (5 - 4.8) ** 2}
    yield "D3-4-w", {"right_losses": [-math.log(0.9), -math.log(0.1)]}
    yield "D4-4.1.1-a", {"mse": (5 - 4.8) ** 2, "ratios": [(1 / 4) / (1 / 2), 1 / (1 / 2)]}
    yield "D1-2.1.3-a", {"ratio": (1 / 2) / (1 / 4)}
    yield "D3-4-k", {"ratio": (1 / 2) / 1}
    yield "D1-2.2.2-f", {"printed_empty": sigmoid(0.0), "right_empty": math.tanh(0.0)}
    yield "D4-4.1.2-a", {"loss": -math.log(0.7)}
    total = -(math.log(0.8) + math.log(0.9))
    yield "D4-4.1.3-a", {"right": 2 * total, "mean": total / 2, "printed": total}
    yield "D4-4.1.3-b", {"sum": total, "base_2": total / math.log(2), "base_10": total / math.log(10)}
    yield "D1-3.2.2-c", {"accept": [1.0, 1.0, math.exp(-1)]}
    tables = [(10, 0, 10, 80), (50, 0, 10, 40)]
    accuracy = [(tp + tn) / (tp + fn + fp + tn) for tp, fn, fp, tn in tables]
    recall = [tp / (tp + fn) for tp, fn, fp, tn in tables]
    precision = [tp / (tp + fp) for tp, fn, fp, tn in tables]
    yield "D3-8-a", {"accuracy": accuracy, "recall": recall, "precision": precision}
    f1 = [2 * tp / (2 * tp + fp + fn) for tp, fn, fp, tn in tables]
    means = [2 * a * r / (a + r) for a, r in zip(accuracy, recall, strict=True)]
    yield "D3-8-b", {"accuracy": accuracy, "recall": recall, "f1": f1, "right": f1, "printed": means}
    pixel = [(0.5 - m) / s for m, s in zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)]
    yield "D4-5.2-a", {"resized": [256, int(256 * 400 / 300)], "cropped": [224, 224], "standardised": pixel}
    means = [np.mean(range(4)), np.mean(range(4, 8)), np.mean(range(8, 10))]
    yield "D4-5.2-d", {"mean_of_means": float(np.mean(means)), "mean": float(np.mean(range(10)))}
    yield "D1-B.1.2-a", {"right": [255 - 103.939, 255 - 116.779, 255 - 123.68]}
    yield "D1-3.1.1-a", {"unit_range": [0, 3 / 9, 1], "symmetric_range": [-1, 2 * 3 / 9 - 1, 1]}


def chain():
    """D3-4-n: a tanh chain, the gradient by layer 2 alone and by the printed sum over all later layers."""
    w2, w3, w4 = 0.7, -1.3, 0.9

    def forward(a1):
        a2 = math.tanh(w2 * a1)
        a3 = math.tanh(w3 * a2)
        return a2, a3, w4 * a3

    a2, a3, z4 = forward(0.4)
    d4 = z4 - 1
    d3 = d4 * w4 * (1 - a3**2)
    d2 = d3 * w3 * (1 - a2**2)
    to_z2 = w2
    to_z3 = w3 * (1 - a2**2) * to_z2
    to_z4 = w4 * (1 - a3**2) * to_z3
    measured = slope(lambda v: 0.5 * (forward(v)[2] - 1) ** 2, 0.4)
    yield "D3-4-n", {"measured": measured, "right": d2 * w2, "printed": d2 * to_z2 + d3 * to_z3 + d4 * to_z4}


def layer():
    """D3-4-o to D3-4-t: one weight and one bias in a layer."""
    x, w, b, y = 0.6, 1.1, -0.3, 0.0
    a = sigmoid(w * x + b)
    d = (a - y) * a * (1 - a)

    def loss(w, b):
        return 0.5 * (sigmoid(w * x + b) - y) ** 2

    previous, this = x * (1 - x) * d, a * (1 - a) * d
    both = {"printed_previous": previous, "printed_this": this}
    yield "D3-4-o", {"measured": slope(lambda v: loss(v, b), w), "right": d * x, **both}
    yield "D3-4-p", {"measured": slope(lambda v: loss(w, v), b), "right": d, **both}
    yield "D3-4-r", {"w_new": w - d * x, "loss": loss(w, b)}
    yield "D3-4-s", {"b_new": b - d, "loss": loss(w, b)}
    yield "D3-4-t", {"loss": loss(w, b)}


def regression():
    """D4-4.2.1-a and D4-4.2.2-a: mean squared error of a line."""
    x = np.array([0.0, 1, 2, 3])
    y = 2 * x + 1

    def loss(w, b):
        return float(np.mean((y - w * x - b) ** 2))

    def bracket(w, b):
        return np.array([np.mean((y - w * x - b) * x), np.mean(y - w * x - b)])

    measured = [slope(lambda v: loss(v, 0.0), 0.0), slope(lambda v: loss(0.0, v), 0.0)]
    theta, losses = np.zeros(2), [loss(0, 0)]
    for _ in range(5):
        theta = theta - 0.1 * bracket(*theta)
        losses.append(loss(*theta))
    mended = np.zeros(2)
    for _ in range(200):
        mended = mended + 0.1 * bracket(*mended)
    right = -2 * bracket(0, 0)
    forms = {"right": right.tolist(), "printed": bracket(0, 0).tolist()}
    yield "D4-4.2.2-a", {"measured": measured, **forms, "printed_losses": losses, "right_end": mended.tolist()}
    yield "D4-4.2.1-a", {"theta_1": (-0.1 * right).tolist(), "loss": loss(0, 0)}


def two_layers():
    """D4-4.3.1: one input, one hidden unit, one output, binary cross-entropy."""
    x, w1, b1, w2, b2, y = 1.5, 0.8, -0.2, -1.2, 0.3, 1.0
    h = sigmoid(w1 * x + b1)
    z2 = w2 * h + b2
    o = sigmoid(z2)

    def loss(w1, b1, w2, b2):
        return -math.log(sigmoid(w2 * sigmoid(w1 * x + b1) + b2))

    start = [w1, b1, w2, b2]
    g = [w2 * (o - y) * h * (1 - h) * x, w2 * (o - y) * h * (1 - h), (o - y) * h, o - y]
    measured = [slope(lambda v, i=i: loss(*start[:i], v, *start[i + 1 :]), start[i]) for i in range(4)]
    flat = sigmoid(h) * (1 - sigmoid(h))
    yield "D4-4.3.1-b", {"h_1": h, "output": o}
    from_output = slope(lambda z: -sigmoid(z) * math.log(sigmoid(z)), z2)
    right = slope(lambda z: -math.log(sigmoid(z)), z2)
    zero = slope(lambda z: -math.log(1 - sigmoid(z)), z2)
    yield "D4-4.3.1-c", {"claimed": o - y, "right": right, "printed_output": from_output, "right_zero": zero}
    yield "D4-4.3.1-d", {"measured": measured[2], "right": g[2], "printed": (y - o) * h}
    yield "D4-4.3.1-e", {"measured": measured[3], "right": g[3], "printed": y - o}
    readings = {"printed_label": flat * (y - o) * x, "printed_output": flat * (o - y) * x}
    yield "D4-4.3.1-f", {"measured": measured[0], "right": g[0], **readings}
    readings = {"printed_label": flat * (y - o), "printed_output": flat * (o - y)}
    yield "D4-4.3.1-g", {"measured": measured[1], "right": g[1], **readings}
    w1_new, b1_new, w2_new, b2_new = (p - d for p, d in zip(start, g, strict=True))
    yield "D4-4.3.1-h", {"updated": [w2_new, b2_new, w1_new, b1_new], "loss": loss(*start)}


def optimisers():
    """D0-1.3.1-c: Adam and momentum under a constant gradient."""
    paths = {}
    for g in (1.0, 10.0):
        w = v = m = s = 0.0
        paths[f"adam_{g:g}"], paths[f"momentum_{g:g}"] = [], []
        for t in range(1, 4):
            m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g * g
            w -= 0.1 * (m / (1 - 0.9**t)) / (math.sqrt(s / (1 - 0.999**t)) + 1e-8)
            paths[f"adam_{g:g}"].append(w)
        w = 0.0
        for _ in range(3):
            v = 0.9 * v + g
            w -= 0.1 * v
            paths[f"momentum_{g:g}"].append(w)
    yield "D0-1.3.1-c", paths


def counts():
    """Parameters, sizes and shapes."""
    models = {"gpt3": gpt(50257, 2048, 96, 12288), "gpt2_small": gpt(50257, 1024, 12, 768)}
    yield "D1-1.2.1-a", {**models, "gpt2_medium": gpt(50257, 1024, 24, 1024)}
    widths = {"printed_parameters": gpt(50257, 1024, 12, 768), "right_parameters": gpt(50257, 1024, 12, 1024)}
    yield "D1-B.1.1-b", widths
    # LeNet-5: its third layer connects each map to some of the six below only, and pooling has two numbers a map.
    lenet = (conv(5, 1, 6), 2 * 6, 60 * 25 + 16, 2 * 16, dense(16 * 25, 120), dense(120, 84))
    alexnet = [conv(11, 3, 64), conv(5, 64, 192), conv(3, 192, 384), conv(3, 384, 256), conv(3, 256, 256)]
    alexnet += [dense(9216, 4096), dense(4096, 4096), dense(4096, 1000)]
    yield "D3-1-a", {"lenet": sum(lenet), "alexnet": sum(alexnet)}
    layers = [conv(3, 1, 32), conv(3, 32, 64), conv(3, 64, 64), dense(576, 64), dense(64, 10)]
    widths = [28]
    for halves in (False, True, False, True, False):
        widths.append(widths[-1] // 2 if halves else widths[-1] - 2)
    yield "D3-4-v", {"sizes": widths, "features": widths[-1] ** 2 * 64, "parameters": layers, "total": sum(layers)}
    body = conv(3, 3, 64) + conv(3, 64, 128) + dense(1024, 10)
    printed = {"printed_parameters": body + dense(128 * 56 * 56, 1024), "printed_features": 128 * 56 * 56}
    pooled = 128  # the channels that the second convolution makes
    right = {"right_parameters": body + dense(pooled, 1024), "right_features": pooled}
    yield "D4-5.2-b", {"pooled": pooled, **right, **printed}
    # ResNet-50: a stem, then bottleneck blocks 1x1, 3x3, 1x1 in four groups; the first of each group has a projection.
    total, channels = conv(7, 3, 64) + 4 * 64, 64
    for blocks, width in ((3, 64), (4, 128), (6, 256), (3, 512)):
        for block in range(blocks):
            sizes = [(1, channels, width), (3, width, width), (1, width, 4 * width)]
            sizes += [(1, channels, 4 * width)] if block == 0 else []
            total += sum(conv(*size) + 4 * size[2] for size in sizes)
            channels = 4 * width
    yield "D1-B.1.2-b", {"backbone": total, "head": dense(2048, 10), "grid": 224 // 2**5}
    unit = 4 * 3 + 4 * 4 + 4
    yield "D1-2.2.2-a", {"parameters": unit}
    yield "D4-3.2-a", {"parameters": [unit, 4 * unit]}
    yield "D4-3.1-a", {"sizes": [8 * 26 * 26, 8 * 26 * 26, 8 * 13 * 13, 10]}
    square = np.arange(16).reshape(2, 2, 2, 2).swapaxes(1, 2)
    yield "D1-2.2.1-b", {"max_pool": square.max((2, 3)).tolist(), "average_pool": square.mean((2, 3)).tolist()}


def schedules():
    """D0-1.2.2-c: a pipeline, tick by tick; D1-B.1.3-c: answer spans; D1-3.1.1-a: cleaning."""
    stages, batches = 4, 8
    busy = {(stage, stage + batch) for stage, batch in itertools.product(range(stages), range(batches))}
    ticks = 1 + max(tick for _, tick in busy)
    yield "D0-1.2.2-c", {"ticks": ticks, "bubble": 1 - len(busy) / (stages * ticks)}
    start, end = (0, 1, 5, 0, 4.5), (0, 6, 0, 0, 3)
    spans = [(s, e) for s in range(5) for e in range(s, 5)]
    best = max(spans, key=lambda span: start[span[0]] + end[span[1]])
    context = "the book was written by ann lee in may"
    tokens = ["[CLS]", "who", "wrote", "it", "?", "[SEP]", *context.split(), "[SEP]"]
    texts = {"right_text": " ".join(tokens[11:13]), "printed_text": context[11:13]}
    printed = [start.index(max(start)), end.index(max(end))]
    yield "D1-B.1.3-c", {"right_span": list(best), "printed_span": printed, **texts}
    rows = [(1, 2), (3, None), (1, 2), (5, 6)]
    yield "D1-3.1.1-a", {"cleaned": len({row for row in rows if None not in row})}


GROUPS = (one_unit, sigmoid_output, worked_numbers, chain, layer, regression, two_layers, optimisers, counts, schedules)
COMPUTED = [(id, figures) for group in GROUPS for id, figures in group()]


@pytest.mark.parametrize(("id", "figures"), COMPUTED, ids=[id for id, _ in COMPUTED])
def test_the_value_in_the_register_is_what_a_calculation_gives(id, figures):
    for name, figure in figures.items():
        quantity = load()[id].shows[name]
        plain = figure.item() if isinstance(figure, np.generic) else figure
        assert distance(plain, quantity.value) <= quantity.tolerance, (name, plain, quantity.value)


def test_every_value_that_is_not_plain_from_its_description_is_computed_here():
    """A value with a fraction, or above 100, is no obvious count: it must be among those computed above."""
    computed = {(id, name) for id, figures in COMPUTED for name in figures}
    doubtful = set()
    for id, formula in load().items():
        for name, quantity in formula.shows.items():
            if isinstance(quantity.value, (int, float, list)) and not isinstance(quantity.value, bool):
                numbers = np.asarray(quantity.value, float)
                if np.any(numbers != np.round(numbers)) or np.any(np.abs(numbers) > 100):
                    doubtful.add((id, name))
    assert doubtful - computed == set()
