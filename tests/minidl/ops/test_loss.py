"""Losses: their formulas over all shapes and options, the edges of the number range, and every error text."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import minidl
import minidl.nn.functional as F
from minidl.testing import gradcheck, gradgradcheck

seeds = st.integers(0, 2**32 - 1)
reductions = st.sampled_from(["mean", "sum", "none"])


def log_softmax(z):
    z = z - z.max(1, keepdims=True)
    return z - np.log(np.exp(z).sum(1, keepdims=True))


# --- a choice among classes --------------------------------------------------------------------------------------


@st.composite
def choices(draw, many=True):
    """Scores of any number of dimensions, class indices, and options."""
    classes = draw(st.sampled_from([1, 2, 5, 40] if many else [1, 2, 5]))
    places = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    rng = np.random.default_rng(draw(seeds))
    scores = 3 * rng.standard_normal([places[0], classes, *places[1:]])
    target = rng.integers(0, classes, places)
    options = {"reduction": draw(reductions), "label_smoothing": draw(st.sampled_from([0.0, 0.3, 1.0]))}
    if draw(st.booleans()):
        options["weight"] = minidl.tensor(rng.uniform(0.1, 2.0, classes))
    if draw(st.booleans()):
        options["ignore_index"] = draw(st.sampled_from([-1, 0]))
        target[rng.random(target.shape) < 0.3] = options["ignore_index"]
        target[(0,) * target.ndim] = classes - 1  # at least one that counts, except where class 0 is the only one
    return scores, target, options


def by_definition(scores, target, reduction, label_smoothing=0.0, weight=None, ignore_index=-100):
    classes = scores.shape[1]
    w = np.ones(classes) if weight is None else weight.array
    counts = target != ignore_index
    t = np.where(counts, target, 0)
    q = (1 - label_smoothing) * np.moveaxis(np.eye(classes)[t], -1, 1) + label_smoothing / classes
    shape = [classes] + [1] * (scores.ndim - 2)
    losses = -(q * w.reshape(shape) * log_softmax(scores)).sum(1) * counts
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else losses.sum() / (w[t] * counts).sum()


@given(choices())
def test_cross_entropy_by_definition(drawn):
    scores, target, options = drawn
    assume((target != options.get("ignore_index", -100)).any())
    loss = F.cross_entropy(minidl.tensor(scores), minidl.tensor(target), **options)
    np.testing.assert_allclose(loss.array, by_definition(scores, target, **options), rtol=1e-12, atol=1e-13)
    if not options["label_smoothing"]:
        del options["label_smoothing"]
        log_p = minidl.tensor(log_softmax(scores))
        same = F.nll_loss(log_p, minidl.tensor(target), **options)
        np.testing.assert_allclose(same.array, loss.array, rtol=1e-12, atol=1e-13)


@given(choices(many=False))
def test_gradients_of_cross_entropy(drawn):
    scores, target, options = drawn
    assume((target != options.get("ignore_index", -100)).any())
    x = minidl.tensor(scores, requires_grad=True)
    assert gradcheck(lambda x: F.cross_entropy(x, minidl.tensor(target), **options), x)
    assert gradgradcheck(lambda x: F.cross_entropy(x, minidl.tensor(target), **options), x)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), reductions, seeds)
def test_probabilities_that_are_one_hot_are_classes(places, reduction, seed):
    rng = np.random.default_rng(seed)
    scores, target = rng.standard_normal([places[0], 4, *places[1:]]), rng.integers(0, 4, places)
    one_hot = np.moveaxis(np.eye(4)[target], -1, 1)
    expected = F.cross_entropy(minidl.tensor(scores), minidl.tensor(target), reduction=reduction)
    found = F.cross_entropy(minidl.tensor(scores), minidl.tensor(one_hot), reduction=reduction)
    np.testing.assert_allclose(found.array, expected.array, rtol=1e-12)


@pytest.mark.parametrize("classes", [3, 50])
def test_scores_far_apart_neither_overflow_nor_vanish(classes):
    scores = np.zeros((2, classes), np.float32)
    scores[0, 0], scores[1, 1] = 1e4, -1e4
    x = minidl.tensor(scores, requires_grad=True)
    loss = F.cross_entropy(x, minidl.tensor([1, 1]), reduction="sum")
    np.testing.assert_allclose(loss.item(), 1e4 + 1e4 + math.log(classes - 1), rtol=1e-6)
    loss.backward()
    np.testing.assert_allclose(x.grad.array[0, :2], [1, -1])
    np.testing.assert_allclose(x.grad.array[1, :2], [1 / (classes - 1), -1], rtol=1e-6)


def test_a_class_that_is_masked_out_has_no_gradient():
    x = minidl.tensor([[0.0, -math.inf, 1.0], [2.0, -math.inf, 1.0]], requires_grad=True)
    loss = F.cross_entropy(x, minidl.tensor([0, 2]))
    loss.backward()
    assert math.isfinite(loss.item())
    np.testing.assert_array_equal(x.grad.array[:, 1], [0, 0])


def test_an_ignored_row_counts_for_nothing_whatever_its_scores():
    x = minidl.tensor([[-math.inf, 0.0, 1.0], [0.0, 1.0, 2.0]], requires_grad=True)
    loss = F.cross_entropy(x, minidl.tensor([-100, 2]))
    np.testing.assert_allclose(loss.item(), F.cross_entropy(x[1:], minidl.tensor([2])).item(), rtol=1e-6)
    loss.backward()
    np.testing.assert_array_equal(x.grad.array[0], [0, 0, 0])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_mean_of_nothing_is_nan_and_the_sum_is_zero():
    x, ignored = minidl.ones(2, 3), minidl.tensor([-100, -100])
    empty, no_target = minidl.ones(0, 3), minidl.zeros(0, dtype=minidl.int64)
    for loss in (F.cross_entropy, F.nll_loss):
        assert math.isnan(loss(x, ignored).item())
        assert loss(x, ignored, reduction="sum").item() == 0
        assert math.isnan(loss(empty, no_target).item())
        assert loss(empty, no_target, reduction="sum").item() == 0
        assert loss(empty, no_target, reduction="none").shape == (0,)
    assert math.isnan(F.mse_loss(minidl.ones(0), minidl.ones(0)).item())


def test_the_mean_of_squares_of_float16_is_computed_in_float32():
    x = minidl.full((4, 100), 200.0, dtype=minidl.float16, requires_grad=True)  # squares of 40,000, their sum 1.6e7
    loss = F.mse_loss(x, x.detach() * 0)
    loss.backward()
    assert loss.dtype == x.grad.dtype == minidl.float16
    assert loss.item() == 40000
    np.testing.assert_array_equal(x.grad.array, np.float16(1.0))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_float32_stays_float32(reduction):
    x = minidl.randn(4, 3, requires_grad=True)
    weight = minidl.tensor([1.0, 2.0, 3.0])
    for smoothing in (0.0, 0.1):
        loss = F.cross_entropy(
            x, minidl.tensor([0, 1, -100, 2]), weight, reduction=reduction, label_smoothing=smoothing
        )
        (g,) = minidl.grad(loss.sum(), x)
        assert loss.dtype == g.dtype == minidl.float32


def test_a_class_index_changed_between_forward_and_backward_is_found():
    x, target = minidl.ones(2, 3, requires_grad=True), minidl.tensor([0, 1])
    loss = F.cross_entropy(x, target)
    target.zero_()
    with pytest.raises(RuntimeError) as caught:
        loss.backward()
    assert str(caught.value) == (
        "backward: CrossEntropy needs its input 1 as it was in the forward pass, but it was changed in place since then"
    )


# --- differences and probabilities -------------------------------------------------------------------------------

FORMULAS = {
    "mse_loss": ({}, lambda x, t: (x - t) ** 2),
    "l1_loss": ({}, lambda x, t: np.abs(x - t)),
    "huber_loss": (
        {"delta": 0.6},
        lambda x, t: np.where(np.abs(x - t) <= 0.6, (x - t) ** 2 / 2, 0.6 * (np.abs(x - t) - 0.3)),
    ),
    "smooth_l1_loss": (
        {"beta": 0.6},
        lambda x, t: np.where(np.abs(x - t) < 0.6, (x - t) ** 2 / 1.2, np.abs(x - t) - 0.3),
    ),
    "binary_cross_entropy": ({}, lambda x, t: -t * np.log(x) - (1 - t) * np.log(1 - x)),
    "binary_cross_entropy_with_logits": ({}, lambda x, t: np.log(1 + np.exp(x)) - t * x),
    "kl_div": ({}, lambda x, t: t * np.log(t) - t * x),
}


@pytest.mark.parametrize("name", FORMULAS)
@given(shape=st.lists(st.integers(1, 3), max_size=3), reduction=reductions, seed=seeds)
def test_by_formula(name, shape, reduction, seed):
    options, formula = FORMULAS[name]
    rng = np.random.default_rng(seed)
    x, t = rng.uniform(0.05, 0.95, shape), rng.uniform(0.05, 0.95, shape)
    expected = formula(x, t)
    expected = expected if reduction == "none" else getattr(expected, reduction)()
    inputs = [minidl.tensor(x, requires_grad=True), minidl.tensor(t, requires_grad=True)]
    loss = getattr(F, name)(*inputs, reduction=reduction, **options)
    np.testing.assert_allclose(loss.array, expected, rtol=1e-12, atol=1e-14)
    if np.abs(np.abs(x - t)[..., None] - [0.0, 0.6]).min() > 1e-3:  # away from the kinks
        assert gradcheck(lambda x, t: getattr(F, name)(x, t, reduction=reduction, **options), inputs)
        assert gradgradcheck(lambda x, t: getattr(F, name)(x, t, reduction=reduction, **options), inputs)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_binary_cross_entropy_is_bounded_as_in_pytorch():
    p = minidl.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    loss = F.binary_cross_entropy(p, minidl.tensor([1.0, 0.0, 0.0, 1.0]), reduction="none")
    np.testing.assert_array_equal(loss.array, [100, 100, 0, 0])
    loss.sum().backward()
    np.testing.assert_allclose(p.grad.array, [-1e12, 1e12, 0, 0], rtol=1e-6)


def test_binary_cross_entropy_with_logits_does_not_overflow():
    x = minidl.tensor([-1000.0, 1000.0, -1000.0, 1000.0], requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(x, minidl.tensor([1.0, 0.0, 0.0, 1.0]), reduction="none")
    np.testing.assert_array_equal(loss.array, [1000, 1000, 0, 0])
    loss.sum().backward()
    np.testing.assert_array_equal(x.grad.array, [-1, 1, 0, 0])


def test_kl_div_of_a_distribution_with_itself_is_zero():
    t = minidl.tensor([[0.0, 0.25, 0.75], [1.0, 0.0, 0.0]])
    log_p = minidl.tensor([[-5.0, math.log(0.25), math.log(0.75)], [0.0, -5.0, -5.0]])
    np.testing.assert_allclose(F.kl_div(log_p, t, reduction="batchmean").item(), 0, atol=1e-7)


def test_shapes_that_only_broadcast_give_a_warning():
    with pytest.warns(UserWarning, match="^mse_loss") as caught:
        loss = F.mse_loss(minidl.ones(3, 1), minidl.zeros(3), reduction="none")
    assert loss.shape == (3, 3)
    assert [str(w.message) for w in caught] == [
        "mse_loss: input has shape (3, 1) but target (3,); they are broadcast to (3, 3), which a loss seldom means"
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        F.mse_loss(minidl.ones(3), minidl.zeros(3))


# --- errors ------------------------------------------------------------------------------------------------------


def ones(*shape, dtype=np.float32):
    return minidl.tensor(np.ones(shape, dtype))


def classes(*numbers):
    return minidl.tensor(np.array(numbers, np.int64))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: F.cross_entropy(ones(3, 5), classes(0, 5, 1)),
            IndexError,
            "cross_entropy: target[1] is 5, but the classes are 0 to 4 (ignore_index is -100)",
        ),
        (
            lambda: F.cross_entropy(ones(1, 5, 3), minidl.tensor([[0, 1, -3]]), ignore_index=-1),
            IndexError,
            "cross_entropy: target[0, 2] is -3, but the classes are 0 to 4 (ignore_index is -1)",
        ),
        (
            lambda: F.nll_loss(ones(5), minidl.tensor(7)),
            IndexError,
            "nll_loss: target is 7, but the classes are 0 to 4 (ignore_index is -100)",
        ),
        (
            lambda: F.cross_entropy(ones(2, 5), classes(0, 1, 2)),
            ValueError,
            "cross_entropy: target has shape (3,) but input (2, 5) asks for class indices of shape (2,)",
        ),
        (
            lambda: F.cross_entropy(ones(2, 5), minidl.tensor([[0], [1]])),
            ValueError,
            "cross_entropy: target has shape (2, 1) but input (2, 5) asks for class indices of shape (2,)",
        ),
        (
            lambda: F.cross_entropy(ones(2, 5), ones(2)),
            ValueError,
            "cross_entropy: target has floating-point numbers, so it must hold a probability for each score, but its "
            "shape is (2,) (input (2, 5))",
        ),
        (
            lambda: F.cross_entropy(ones(2, 5), ones(2, 5), ignore_index=0),
            ValueError,
            "cross_entropy: ignore_index=0 has no meaning for targets that are probabilities",
        ),
        (
            lambda: F.cross_entropy(ones(2, 5), ones(2, dtype=bool)),
            TypeError,
            "cross_entropy: target must hold class indices (integers) or probabilities (floating point), not bool",
        ),
        (
            lambda: F.cross_entropy(ones(2, 5, dtype=int), classes(0, 1)),
            TypeError,
            "cross_entropy: input must be a floating-point tensor, not int64",
        ),
        (
            lambda: F.cross_entropy(ones(2, 5), [0, 1]),
            TypeError,
            "cross_entropy: target must be a Tensor, not list",
        ),
        (
            lambda: F.cross_entropy(ones(2, 0), classes(0, 1)),
            ValueError,
            "cross_entropy: input (2, 0) has no classes",
        ),
        (
            lambda: F.cross_entropy(ones(), minidl.tensor(0)),
            ValueError,
            "cross_entropy: input must have a dimension of classes, (C,) or (N, C, ...), not shape ()",
        ),
        (
            lambda: F.cross_entropy(ones(2, 5), classes(0, 1), ones(4)),
            ValueError,
            "cross_entropy: weight has shape (4,) but there are 5 classes (input (2, 5))",
        ),
        (
            lambda: F.cross_entropy(ones(2, 5), classes(0, 1), ones(5, dtype=np.float64)),
            TypeError,
            "cross_entropy: weight is float64 but input is float32",
        ),
        (
            lambda: F.cross_entropy(ones(2, 5), classes(0, 1), ones(5).requires_grad_()),
            ValueError,
            "cross_entropy: weight is a constant of the loss and cannot require a gradient",
        ),
        (
            lambda: F.cross_entropy(ones(2, 5), classes(0, 1), reduction="average"),
            ValueError,
            "cross_entropy: reduction must be one of 'none', 'mean', 'sum', not 'average'",
        ),
        (
            lambda: F.cross_entropy(ones(2, 5), classes(0, 1), label_smoothing="0"),
            TypeError,
            "cross_entropy: label_smoothing must be a number, not str",
        ),
        (
            lambda: F.cross_entropy(ones(2, 5), classes(0, 1), ignore_index=1.5),
            TypeError,
            "cross_entropy: ignore_index must be an integer, not float",
        ),
        (
            lambda: F.huber_loss(ones(2), ones(2), delta=None),
            TypeError,
            "huber_loss: delta must be a number, not NoneType",
        ),
        (
            lambda: F.smooth_l1_loss(ones(2), ones(2), beta="1"),
            TypeError,
            "smooth_l1_loss: beta must be a number, not str",
        ),
        (
            lambda: F.cross_entropy(ones(2, 5), classes(0, 1), label_smoothing=1.5),
            ValueError,
            "cross_entropy: label_smoothing must lie between 0 and 1, not 1.5",
        ),
        (
            lambda: F.nll_loss(ones(2, 5), ones(2)),
            TypeError,
            "nll_loss: target must hold class indices (integers), not float32",
        ),
        (
            lambda: F.mse_loss(ones(2, dtype=int), ones(2, dtype=int)),
            TypeError,
            "mse_loss: input and target must be floating-point tensors, not int64",
        ),
        (
            lambda: F.mse_loss(ones(2), 1.0),
            TypeError,
            "mse_loss: target must be a Tensor, not float",
        ),
        (
            lambda: F.l1_loss(ones(2), ones(3)),
            ValueError,
            "l1_loss: shapes (2,) and (3,) do not broadcast (aligned at the end, lengths must be equal or 1)",
        ),
        (
            lambda: F.huber_loss(ones(2), ones(2), delta=0),
            ValueError,
            "huber_loss: delta must be positive, not 0",
        ),
        (
            lambda: F.smooth_l1_loss(ones(2), ones(2), beta=-1.0),
            ValueError,
            "smooth_l1_loss: beta must not be negative, but is -1.0",
        ),
        (
            lambda: F.binary_cross_entropy(ones(2, 2) * 2, ones(2, 2)),
            ValueError,
            "binary_cross_entropy: input must lie between 0 and 1 (sigmoid gives such values), not 2.0 at (0, 0)",
        ),
        (
            lambda: F.binary_cross_entropy(minidl.tensor([0.5, math.nan]), ones(2)),
            ValueError,
            "binary_cross_entropy: input must lie between 0 and 1 (sigmoid gives such values), not nan at (1,)",
        ),
        (
            lambda: F.binary_cross_entropy(ones(2), -ones(2)),
            ValueError,
            "binary_cross_entropy: target must lie between 0 and 1, not -1.0 at (0,)",
        ),
        (
            lambda: F.binary_cross_entropy(ones(2), ones(1)),
            ValueError,
            "binary_cross_entropy: target has shape (1,) but input has (2,)",
        ),
        (
            lambda: F.binary_cross_entropy_with_logits(ones(2), ones(2, dtype=np.float64)),
            TypeError,
            "binary_cross_entropy_with_logits: target is float64 but input is float32",
        ),
        (
            lambda: F.binary_cross_entropy_with_logits(ones(2), ones(2, dtype=int)),
            TypeError,
            "binary_cross_entropy_with_logits: target must be a floating-point tensor, not int64",
        ),
        (
            lambda: F.binary_cross_entropy_with_logits(ones(2), ones(2), pos_weight=ones(3, 2)),
            ValueError,
            "binary_cross_entropy_with_logits: pos_weight of shape (3, 2) does not broadcast to the losses' shape (2,)",
        ),
        (
            lambda: F.kl_div(ones(2), ones(2), reduction="average"),
            ValueError,
            "kl_div: reduction must be one of 'none', 'mean', 'sum', 'batchmean', not 'average'",
        ),
        (
            lambda: F.kl_div(ones(2), ones(2, dtype=int)),
            TypeError,
            "kl_div: target must be a floating-point tensor, not int64",
        ),
    ],
)
def test_error_texts(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == text
