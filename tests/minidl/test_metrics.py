"""Metrics against tables made by hand, against counting one by one, and with bad input."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidl
from minidl import metrics

# Ten samples, counted by hand: TP = 3, FP = 2, FN = 1, TN = 4.
TRUE = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
PREDICTED = [1, 1, 1, 0, 1, 1, 0, 0, 0, 0]


def test_two_classes_by_hand():
    assert metrics.confusion_matrix(PREDICTED, TRUE).tolist() == [[4, 2], [1, 3]]
    assert metrics.accuracy(PREDICTED, TRUE) == 0.7
    assert metrics.precision(PREDICTED, TRUE) == 3 / 5
    assert metrics.recall(PREDICTED, TRUE) == 3 / 4
    assert metrics.f1(PREDICTED, TRUE) == pytest.approx(2 * (3 / 5) * (3 / 4) / (3 / 5 + 3 / 4), rel=1e-15)


def test_three_classes_by_hand():
    true = [0, 0, 1, 1, 1, 2]
    predicted = [0, 1, 1, 1, 2, 2]
    assert metrics.confusion_matrix(predicted, true).tolist() == [[1, 1, 0], [0, 2, 1], [0, 0, 1]]
    assert metrics.precision(predicted, true, average=None).tolist() == [1, 2 / 3, 1 / 2]
    assert metrics.recall(predicted, true, average=None).tolist() == [1 / 2, 2 / 3, 1]
    assert metrics.f1(predicted, true, average=None).tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3], rel=1e-15)
    assert metrics.precision(predicted, true, average="macro") == pytest.approx((1 + 2 / 3 + 1 / 2) / 3, rel=1e-15)


def test_f1_is_no_function_of_accuracy_and_recall():
    def table(tp, fn, fp, tn):
        true = [1] * (tp + fn) + [0] * (fp + tn)
        predicted = [1] * tp + [0] * fn + [1] * fp + [0] * tn
        return metrics.accuracy(predicted, true), metrics.recall(predicted, true), metrics.f1(predicted, true)

    first, second = table(10, 0, 10, 80), table(50, 0, 10, 40)
    assert first[:2] == second[:2] == (0.9, 1.0)
    assert (round(first[2], 3), round(second[2], 3)) == (0.667, 0.909)


def test_scores_arrays_and_tensors_are_accepted():
    scores = minidl.tensor([[0.1, 0.9, 0.0], [0.8, 0.1, 0.1]])
    assert metrics.accuracy(scores, minidl.tensor([1, 2])) == 0.5
    assert metrics.confusion_matrix(scores, np.array([1, 2])).shape == (3, 3)
    assert metrics.accuracy(np.array([True, False]), [True, True]) == 0.5


def test_nothing_predicted_or_nothing_true_counts_as_zero():
    assert metrics.precision([0, 0], [1, 1]) == 0.0
    assert metrics.recall([1, 1], [0, 0]) == 0.0
    assert metrics.f1([0, 0], [0, 0]) == 0.0


labels = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


@given(labels)
def test_every_class_counted_one_by_one(pairs):
    predicted, true = [p for p, _ in pairs], [t for _, t in pairs]
    matrix = metrics.confusion_matrix(predicted, true, num_classes=4)
    assert matrix.dtype == minidl.int64
    assert matrix.tolist() == [[pairs.count((j, i)) for j in range(4)] for i in range(4)]
    found = [getattr(metrics, name)(predicted, true, None, 4) for name in ("precision", "recall", "f1")]
    for k in range(4):
        tp = sum(p == t == k for p, t in pairs)
        fp = sum(p == k != t for p, t in pairs)
        fn = sum(t == k != p for p, t in pairs)
        by_hand = (tp / (tp + fp) if tp + fp else 0, tp / (tp + fn) if tp + fn else 0)
        by_hand += (2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 0,)
        assert tuple(figures.tolist()[k] for figures in found) == by_hand
    assert metrics.accuracy(predicted, true) == pytest.approx(sum(p == t for p, t in pairs) / len(pairs), rel=1e-15)


# --- from scores -------------------------------------------------------------------------------------------------


def test_roc_by_hand_with_a_tie():
    #          0.9 positive | 0.6 negative and positive together | 0.2 negative
    fpr, tpr, thresholds = metrics.roc_curve([0.6, 0.9, 0.2, 0.6], [0, 1, 0, 1])
    assert thresholds.tolist() == [np.inf, 0.9, 0.6, 0.2]
    assert fpr.tolist() == [0, 0, 0.5, 1]
    assert tpr.tolist() == [0, 0.5, 1, 1]
    assert metrics.roc_auc([0.6, 0.9, 0.2, 0.6], [0, 1, 0, 1]) == 0.875  # pairs in order: 1, 1, 1 and one half, of 4


def test_roc_auc_of_perfect_reversed_and_constant_scores():
    assert metrics.roc_auc([1, 2, 3, 4], [0, 0, 1, 1]) == 1
    assert metrics.roc_auc([4, 3, 2, 1], [0, 0, 1, 1]) == 0
    assert metrics.roc_auc([7, 7, 7, 7], [0, 0, 1, 1]) == 0.5


scored = st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=30).filter(
    lambda pairs: len({t for _, t in pairs}) == 2
)


@given(scored)
def test_roc_by_brute_force(pairs):
    scores, true = np.array([s for s, _ in pairs], dtype=np.float64), np.array([t for _, t in pairs])
    positive, negative = scores[true], scores[~true]
    won = (positive[:, None] > negative).sum() + 0.5 * (positive[:, None] == negative).sum()
    assert metrics.roc_auc(scores, true) == pytest.approx(won / (positive.size * negative.size), abs=1e-12)
    fpr, tpr, thresholds = (t.numpy() for t in metrics.roc_curve(minidl.tensor(scores), true.astype(int)))
    assert np.array_equal(thresholds[1:], np.unique(scores)[::-1])
    assert np.array_equal(tpr, [(positive >= s).mean() for s in thresholds])
    assert np.array_equal(fpr, [(negative >= s).mean() for s in thresholds])


def test_area_under_a_line():
    assert metrics.auc([0, 1, 3], [0, 2, 2]) == 5
    assert metrics.auc([3, 1, 0], [2, 2, 0]) == 5


# --- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: metrics.accuracy([0, 1], [0]),
            ValueError,
            "accuracy: needs input (N,) or (N, C) and target (N,) with N > 0, not (2,) and (1,)",
        ),
        (
            lambda: metrics.accuracy([], []),
            ValueError,
            "accuracy: needs input (N,) or (N, C) and target (N,) with N > 0, not (0,) and (0,)",
        ),
        (lambda: metrics.recall([0.5], [1]), TypeError, "recall: input must hold classes (integers), not float64"),
        (lambda: metrics.f1([1], [1.0]), TypeError, "f1: target must hold classes (integers), not float64"),
        (lambda: metrics.f1(["a"], [1]), TypeError, "f1: input must hold numbers, not <U1"),
        (
            lambda: metrics.f1([[1], [1, 2]], [1]),
            ValueError,
            "f1: input is a nested list of different lengths",
        ),
        (
            lambda: metrics.confusion_matrix([0, 3], [0, 1], 3),
            ValueError,
            "confusion_matrix: class 3 is outside of 0 ... 2",
        ),
        (
            lambda: metrics.confusion_matrix([0, 1], [0, -1]),
            ValueError,
            "confusion_matrix: class -1 is outside of 0 ... 1",
        ),
        (
            lambda: metrics.precision([0], [0], "micro"),
            ValueError,
            "precision: average must be 'binary', 'macro' or None, not 'micro'",
        ),
        (
            lambda: metrics.precision([0, 2], [0, 1]),
            ValueError,
            "precision: average='binary' needs two classes, not 3 ('macro' or None)",
        ),
        (
            lambda: metrics.roc_curve([0.1], [[1]]),
            ValueError,
            "roc_curve: needs input (N,) and target (N,), not (1,) and (1, 1)",
        ),
        (
            lambda: metrics.roc_auc([0.1, 0.2], [0.0, 1.0]),
            TypeError,
            "roc_auc: target must hold classes (integers), not float64",
        ),
        (lambda: metrics.roc_auc([0.1, np.nan], [0, 1]), ValueError, "roc_auc: there is NaN among the scores"),
        (
            lambda: metrics.roc_auc([0.1, 0.2], [1, 1]),
            ValueError,
            "roc_auc: target must hold both 0 and 1, and nothing else",
        ),
        (
            lambda: metrics.roc_auc([0.1, 0.2, 0.3], [0, 1, 2]),
            ValueError,
            "roc_auc: target must hold both 0 and 1, and nothing else",
        ),
        (lambda: metrics.auc([0, 1, 0.5], [1, 1, 1]), ValueError, "auc: x must rise or fall throughout"),
        (
            lambda: metrics.auc([0], [1]),
            ValueError,
            "auc: x and y must be two lists of at least 2 numbers, not of shapes (1,) and (1,)",
        ),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        call()
