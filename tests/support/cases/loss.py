"""Rows for losses."""

import warnings

import numpy as np
from opcases import Case, away_from, integers, normal, uniform


def loss(name, weight=None, pos_weight=None, **options):
    """The loss as a call for both libraries. Weights are constants, so they are no inputs of the row."""
    weights = {"weight": weight, "pos_weight": pos_weight}

    def call(lib, input, target):
        constants = {key: lib.tensor(w, dtype=input.dtype) for key, w in weights.items() if w is not None}
        return getattr(lib.nn.functional, name)(input, target, **constants, **options)

    return call


def divergence(**options):
    """``kl_div``; PyTorch warns that "mean" is not the mathematical mean."""

    def call(lib, input, target):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "reduction: 'mean' divides", UserWarning)
            return lib.nn.functional.kl_div(input, target, **options)

    return call


def truths(lib, x):
    """Six targets at the bounds, where finite differences would step outside."""
    return lib.tensor([0.0, 1.0, 1.0, 0.0, 1.0, 0.0], dtype=x.dtype)


WEIGHT = [0.5, 1.0, 2.0, 0.25]
IGNORED = np.array([1, -100, 0, 3, -100])
DIFFERENT, ZEROS = away_from([0.0, 0.7, -0.7, 1.0, -1.0], 3, 4), np.zeros((3, 4))
PADDED = np.array([[0, 2, 1], [3, 0, 0]])

CASES = [
    # one class a row
    Case("cross_entropy", loss("cross_entropy"), normal(5, 4), integers(0, 4, 5), twin=True),
    Case("cross_entropy.one_row", loss("cross_entropy"), normal(1, 4), integers(0, 4, 1)),
    Case("cross_entropy.one_class", loss("cross_entropy"), normal(3, 1), integers(0, 1, 3)),
    Case("cross_entropy.one_choice", loss("cross_entropy"), normal(4), integers(0, 4)),
    Case("cross_entropy.one_choice.none", loss("cross_entropy", reduction="none"), normal(4), integers(0, 4)),
    Case("cross_entropy.sum", loss("cross_entropy", reduction="sum"), normal(5, 4), integers(0, 4, 5)),
    Case("cross_entropy.none", loss("cross_entropy", reduction="none"), normal(5, 4), integers(0, 4, 5)),
    Case("cross_entropy.many_classes", loss("cross_entropy"), normal(3, 40), integers(0, 40, 3), twin=True),
    Case("cross_entropy.bytes", loss("cross_entropy"), normal(3, 4), np.array([0, 3, 1], np.uint8)),
    Case("cross_entropy.places", loss("cross_entropy"), normal(2, 4, 3), integers(0, 4, 2, 3)),
    Case(
        "cross_entropy.places.none",
        loss("cross_entropy", reduction="none"),
        normal(2, 4, 3, 2),
        integers(0, 4, 2, 3, 2),
    ),
    Case("cross_entropy.weight", loss("cross_entropy", WEIGHT), normal(5, 4), integers(0, 4, 5)),
    Case("cross_entropy.ignored", loss("cross_entropy"), normal(5, 4), IGNORED, twin=True),
    Case("cross_entropy.ignored.none", loss("cross_entropy", reduction="none"), normal(5, 4), IGNORED),
    Case("cross_entropy.padding", loss("cross_entropy", ignore_index=0), normal(2, 4, 3), PADDED),
    Case(
        "cross_entropy.smooth", loss("cross_entropy", label_smoothing=0.1), normal(5, 4), integers(0, 4, 5), twin=True
    ),
    Case(
        "cross_entropy.smooth.sum",
        loss("cross_entropy", label_smoothing=1.0, reduction="sum"),
        normal(5, 4),
        integers(0, 4, 5),
    ),
    Case("cross_entropy.probability_of_one_choice", loss("cross_entropy"), normal(4), uniform(0, 1, 4)),
    Case("nll_loss", loss("nll_loss"), normal(5, 4), integers(0, 4, 5)),
    Case("nll_loss.one_choice", loss("nll_loss"), normal(4), integers(0, 4)),
    # differences
    Case("mse_loss", loss("mse_loss"), normal(3, 4), normal(3, 4), twin=True),
    Case("mse_loss.one_number", loss("mse_loss"), normal(), normal()),
    Case("mse_loss.itself", lambda lib, x: lib.nn.functional.mse_loss(x, 2 * x), normal(3)),
    Case("mse_loss.integer_target", loss("mse_loss"), normal(3, 4), integers(-3, 3, 3, 4)),
    Case("l1_loss", loss("l1_loss"), DIFFERENT, ZEROS),
    Case("huber_loss", loss("huber_loss"), DIFFERENT, ZEROS),
    Case("smooth_l1_loss", loss("smooth_l1_loss"), DIFFERENT, ZEROS),
    Case("smooth_l1_loss.no_parabola", loss("smooth_l1_loss", beta=0.0), DIFFERENT, ZEROS),
    # probabilities
    Case("binary_cross_entropy", loss("binary_cross_entropy"), uniform(0.1, 0.9, 3, 4), uniform(0.1, 0.9, 3, 4)),
    Case(
        "binary_cross_entropy.truths",
        lambda lib, p: loss("binary_cross_entropy")(lib, p, truths(lib, p)),
        uniform(0.1, 0.9, 6),
    ),
    Case(
        "binary_cross_entropy.weight",
        loss("binary_cross_entropy", WEIGHT, reduction="sum"),
        uniform(0.1, 0.9, 3, 4),
        uniform(0.1, 0.9, 3, 4),
    ),
    Case(
        "binary_cross_entropy_with_logits", loss("binary_cross_entropy_with_logits"), normal(3, 4), uniform(0, 1, 3, 4)
    ),
    Case(
        "binary_cross_entropy_with_logits.far_out",
        lambda lib, x: loss("binary_cross_entropy_with_logits", reduction="none")(lib, x, truths(lib, x)),
        np.array([-800.0, -30.0, -1.0, 0.5, 30.0, 800.0]),
    ),
    Case(
        "binary_cross_entropy_with_logits.weights",
        loss("binary_cross_entropy_with_logits", WEIGHT, pos_weight=[3.0, 0.5, 1.0, 2.0]),
        normal(3, 4),
        uniform(0, 1, 3, 4),
    ),
    Case("kl_div", divergence(reduction="batchmean"), normal(3, 4), uniform(0.1, 0.9, 3, 4)),
    Case("kl_div.log_target", divergence(log_target=True, reduction="batchmean"), normal(3, 4), normal(3, 4)),
    Case("kl_div.broadcast", divergence(reduction="sum"), normal(3, 4), uniform(0.1, 0.9, 4)),
    Case("kl_div.one_number", divergence(reduction="batchmean"), normal(), uniform(0.1, 0.9)),
    Case("kl_div.impossible", lambda lib, x: divergence(reduction="sum")(lib, x, lib.zeros_like(x)), normal(3, 4)),
]
for reduction in ("mean", "sum", "none"):
    CASES += [
        Case(
            f"cross_entropy.all_options.{reduction}",
            loss("cross_entropy", WEIGHT, reduction=reduction, label_smoothing=0.2),
            normal(5, 4),
            IGNORED,
            twin=True,
        ),
        Case(
            f"cross_entropy.probabilities.{reduction}",
            loss("cross_entropy", reduction=reduction),
            normal(5, 4),
            uniform(0, 1, 5, 4),
        ),
        Case(
            f"cross_entropy.probabilities.all_options.{reduction}",
            loss("cross_entropy", WEIGHT, reduction=reduction, label_smoothing=0.2),
            normal(2, 4, 3),
            uniform(0, 1, 2, 4, 3),
        ),
        Case(f"nll_loss.{reduction}", loss("nll_loss", reduction=reduction), normal(5, 4), integers(0, 4, 5)),
        Case(f"nll_loss.ignored.{reduction}", loss("nll_loss", reduction=reduction), normal(5, 4), IGNORED),
        Case(
            f"nll_loss.all_options.{reduction}",
            loss("nll_loss", WEIGHT, reduction=reduction, ignore_index=0),
            normal(2, 4, 3),
            PADDED,
        ),
        Case(f"mse_loss.{reduction}", loss("mse_loss", reduction=reduction), normal(3, 4), normal(3, 4)),
        Case(f"l1_loss.{reduction}", loss("l1_loss", reduction=reduction), DIFFERENT, ZEROS),
        Case(f"huber_loss.{reduction}", loss("huber_loss", reduction=reduction, delta=0.7), DIFFERENT, ZEROS),
        Case(f"smooth_l1_loss.{reduction}", loss("smooth_l1_loss", reduction=reduction, beta=0.7), DIFFERENT, ZEROS),
        Case(
            f"binary_cross_entropy.{reduction}",
            loss("binary_cross_entropy", reduction=reduction),
            uniform(0.1, 0.9, 3, 4),
            uniform(0.1, 0.9, 3, 4),
        ),
        Case(
            f"binary_cross_entropy_with_logits.{reduction}",
            loss("binary_cross_entropy_with_logits", reduction=reduction),
            normal(3, 4),
            uniform(0, 1, 3, 4),
        ),
        Case(f"kl_div.{reduction}", divergence(reduction=reduction), normal(3, 4), uniform(0.1, 0.9, 3, 4)),
    ]
