"""Rows for pooling. Where the largest element counts they are distinct, for ties are kinks, which have a row apart."""

import numpy as np
from opcases import Case, distinct, integers, normal

TIES = np.array([[[1.0, 3.0, 3.0, 0.0, 3.0, 3.0], [3.0, 1.0, 1.0, 0.0, 2.0, 3.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]])
STRANGE = np.array([[[1.0, np.nan, 3.0, np.nan], [-np.inf, -np.inf, -np.inf, 2.0], [-np.inf, -np.inf, np.inf, np.nan]]])
KINK = "which of equal elements is the largest changes with any of them"


def row(name, *settings, inputs=distinct, shape=(2, 2, 6, 7), **keywords):
    """A row of F.OPERATION(x, ...), named OPERATION.variant."""
    operation = name.partition(".")[0]

    def call(lib, x):
        return getattr(lib.nn.functional, operation)(x, *settings, **keywords)

    return Case(name, call, inputs(*shape))


def slope(lib, x):
    """The gradient of a pooled cube, so that differentiating the row goes through the gradient of a gradient."""
    y = lib.nn.functional.max_pool2d(x, 3, 1, 1) ** 3
    return lib.autograd.grad(y.sum(), x, create_graph=True)[0]


CASES = [
    row("max_pool1d", 2, shape=(2, 3, 6)),
    row("max_pool1d.unbatched", 3, shape=(3, 7)),
    row("max_pool1d.options", 3, 2, 1, 2, ceil_mode=True, return_indices=True, shape=(2, 2, 9)),
    row("max_pool1d.tuples", (3,), (1,), (1,), (1,), shape=(1, 2, 6)),
    row("max_pool1d.beyond", 4, 2, ceil_mode=True, shape=(1, 2, 3)),
    row("max_pool2d", 2),
    row("max_pool2d.uneven", 2, shape=(1, 2, 5, 3)),
    row("max_pool2d.indices", 2, return_indices=True),
    row("max_pool2d.unbatched", 2, shape=(2, 4, 5)),
    row("max_pool2d.overlapping", 3, 1),
    row("max_pool2d.apart", (1, 2), (2, 3)),
    row("max_pool2d.padding", 3, 2, padding=1, return_indices=True),
    row("max_pool2d.paddings", (2, 5), (2, 1), (1, 2)),
    row("max_pool2d.dilation", (2, 3), 1, dilation=(3, 2), return_indices=True),
    row("max_pool2d.dilated_padding", 3, 2, 1, 2, return_indices=True),
    row("max_pool2d.ceil", 2, ceil_mode=True, shape=(1, 2, 5, 3)),
    row("max_pool2d.ceil_padding", 3, 2, 1, ceil_mode=True, return_indices=True, shape=(1, 2, 6, 4)),
    row("max_pool2d.ceil_dropped", 2, 3, 1, ceil_mode=True, shape=(1, 2, 5, 6)),
    row("max_pool2d.all", 5, shape=(2, 1, 5, 5)),
    row("max_pool2d.no_samples", 2, return_indices=True, inputs=normal, shape=(0, 2, 4, 4)),
    Case(
        "max_pool2d.ties",
        lambda lib, x: lib.nn.functional.max_pool2d(x, 2, 1, 1, return_indices=True),
        TIES,
        smooth=False,
        reason=KINK,
    ),
    Case(
        "max_pool2d.strange",
        lambda lib, x: lib.nn.functional.max_pool2d(x, 2, 1, 1, return_indices=True),
        STRANGE,
        smooth=False,
        reason="NaN and infinity",
    ),
    Case("max_pool2d.values", lambda lib, x: lib.nn.functional.max_pool2d(x.detach(), 2), STRANGE, grad=False),
    Case(
        "max_pool2d.integers",
        lambda lib, x: lib.nn.functional.max_pool2d(x, 3, 2, 1, return_indices=True),
        integers(-9, 9, 2, 5, 6),
        grad=False,
    ),
    Case(
        "max_pool2d.twice",
        lambda lib, x: lib.nn.functional.max_pool2d(lib.nn.functional.max_pool2d(x * x * x, 2), 2, 1),
        distinct(1, 2, 6, 6),
    ),
    Case("max_pool2d.slope", slope, distinct(1, 2, 4, 5)),
    row("avg_pool1d", 2, shape=(2, 3, 6)),
    row("avg_pool1d.unbatched", 3, 2, shape=(3, 7)),
    row("avg_pool1d.options", 3, 2, 1, ceil_mode=True, count_include_pad=False, shape=(2, 2, 8)),
    row("avg_pool1d.tuples", (3,), (1,), (1,), True, inputs=normal, shape=(2, 2, 8)),
    row("avg_pool2d", 2, inputs=normal),
    row("avg_pool2d.unbatched", 2, inputs=normal, shape=(2, 4, 5)),
    row("avg_pool2d.overlapping", 3, 1, inputs=normal),
    row("avg_pool2d.apart", (1, 2), (2, 3), inputs=normal),
    row("avg_pool2d.padding", 3, 2, 1, inputs=normal),
    row("avg_pool2d.exclude", (2, 5), (2, 1), (1, 2), count_include_pad=False, inputs=normal),
    row("avg_pool2d.ceil", 3, 2, 1, True, inputs=normal, shape=(1, 2, 6, 4)),
    row("avg_pool2d.ceil_exclude", 3, 2, 1, True, False, inputs=normal, shape=(1, 2, 6, 4)),
    row("avg_pool2d.ceil_beyond", 4, 3, ceil_mode=True, inputs=normal, shape=(1, 2, 5, 6)),
    row("avg_pool2d.divisor", 3, 2, 1, divisor_override=-2, inputs=normal),
    row("avg_pool2d.no_samples", 2, inputs=normal, shape=(0, 2, 4, 4)),
    Case(
        "avg_pool2d.square",
        lambda lib, x: lib.nn.functional.avg_pool2d(x * x, 3, 2, 1, count_include_pad=False),
        normal(1, 2, 5, 4),
    ),
    row("adaptive_avg_pool1d", 3, inputs=normal, shape=(2, 3, 6)),
    row("adaptive_avg_pool1d.uneven", 4, inputs=normal, shape=(2, 7)),
    row("adaptive_avg_pool1d.more", (5,), inputs=normal, shape=(2, 2, 3)),
    row("adaptive_avg_pool2d", 1, inputs=normal),
    row("adaptive_avg_pool2d.uneven", (4, 3), inputs=normal),
    row("adaptive_avg_pool2d.more", (8, 2), inputs=normal, shape=(2, 3, 5)),
    row("adaptive_avg_pool2d.none", (None, 2), inputs=normal),
    Case(  # detached, since PyTorch's backward refuses an empty gradient
        "adaptive_avg_pool2d.nothing",
        lambda lib, x: lib.nn.functional.adaptive_avg_pool2d(x.detach(), 0),
        STRANGE,
        grad=False,
    ),
    row("adaptive_avg_pool2d.no_samples", (2, 3), inputs=normal, shape=(0, 2, 4, 4)),
    Case(
        "adaptive_avg_pool2d.strange",
        lambda lib, x: lib.nn.functional.adaptive_avg_pool2d(x, 2),
        STRANGE,
        smooth=False,
        reason="the input holds NaN and infinity",
    ),
    row("adaptive_max_pool1d", 3, shape=(2, 3, 6)),
    row("adaptive_max_pool1d.indices", 4, return_indices=True, shape=(2, 7)),
    row("adaptive_max_pool1d.more", (5,), return_indices=True, shape=(2, 2, 3)),
    row("adaptive_max_pool2d", 1),
    row("adaptive_max_pool2d.uneven", (4, 3), return_indices=True),
    row("adaptive_max_pool2d.more", (8, 2), return_indices=True, shape=(2, 3, 5)),
    row("adaptive_max_pool2d.none", (None, 2)),
    row("adaptive_max_pool2d.no_samples", (2, 3), inputs=normal, shape=(0, 2, 4, 4)),
    Case(
        "adaptive_max_pool2d.strange",
        lambda lib, x: lib.nn.functional.adaptive_max_pool2d(x, (2, 3), True),
        STRANGE,
        smooth=False,
        reason="NaN and infinity",
    ),
]
