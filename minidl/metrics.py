"""Figures that say how good a classifier is.

All are computed from counts. In a problem of two classes, with 1 the positive one, every sample is one of::

                      predicted 1            predicted 0
    truly 1           TP  true positive      FN  false negative
    truly 0           FP  false positive     TN  true negative

Arguments may be Tensors, NumPy arrays or lists. Predictions come first and the truth second, as in the loss functions.
A quotient 0 / 0 (the precision of a class that was never predicted, the recall of one that never occurs) counts as 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .autograd import Tensor
from .backend import backend_of

__all__ = ["accuracy", "auc", "confusion_matrix", "f1", "precision", "recall", "roc_auc", "roc_curve"]


# --- from predicted classes --------------------------------------------------------------------------------------


def accuracy(input: Any, target: Any) -> float:
    """The share of samples whose class is right: (TP + TN) / N for two classes (D3-8-a).

    Args:
        input: predicted classes (N,), or scores (N, C), of which the largest counts.
        target: true classes (N,).

    Raises:
        TypeError: for classes that are not integers.
        ValueError: for shapes that do not fit, or no samples.
    """
    predicted, true = classes("accuracy", input, target)
    return float((predicted == true).mean())


def confusion_matrix(input: Any, target: Any, num_classes: int | None = None) -> Tensor:
    """M with M_ij = the number of samples of class i that were taken for class j; for two classes [[TN, FP], [FN, TP]].

    Args:
        input, target: as in ``accuracy``.
        num_classes: C; unless given, the number of columns of scores, or one more than the largest class that occurs.

    Returns:
        An int64 tensor of shape (C, C).

    Raises:
        As ``accuracy``, and ValueError for a class outside 0 ... C - 1.
    """
    return Tensor(counts("confusion_matrix", input, target, num_classes))


def precision(input: Any, target: Any, average: str | None = "binary", num_classes: int | None = None) -> Any:
    """Of what was taken for a class, the share that belongs to it: TP / (TP + FP) (D3-8-a).

    Args:
        input, target, num_classes: as in ``confusion_matrix``.
        average: "binary" gives the figure of class 1 (of two); None one figure for each class, taken as the positive
            one, as a float64 tensor (C,); "macro" the mean of these.

    Raises:
        As ``confusion_matrix``, and ValueError for another ``average``, or "binary" with more than two classes.
    """
    matrix = counts("precision", input, target, num_classes)
    return averaged("precision", shares(matrix.diagonal(), matrix.sum(0)), average)


def recall(input: Any, target: Any, average: str | None = "binary", num_classes: int | None = None) -> Any:
    """Of what belongs to a class, the share that was found: TP / (TP + FN) (D3-8-a).

    Args and errors: as in ``precision``.
    """
    matrix = counts("recall", input, target, num_classes)
    return averaged("recall", shares(matrix.diagonal(), matrix.sum(1)), average)


def f1(input: Any, target: Any, average: str | None = "binary", num_classes: int | None = None) -> Any:
    """The harmonic mean of precision P and recall R: F1 = 2 P R / (P + R) = 2 TP / (2 TP + FP + FN) (D3-8-b).

    It is high only if both are. The second form follows with P = TP / (TP + FP) and R = TP / (TP + FN), and is the one
    computed: it is defined wherever the class occurs or is predicted.

    Args and errors: as in ``precision``.
    """
    matrix = counts("f1", input, target, num_classes)
    return averaged("f1", shares(2 * matrix.diagonal(), matrix.sum(0) + matrix.sum(1)), average)


# --- from scores -------------------------------------------------------------------------------------------------


def roc_curve(input: Any, target: Any) -> tuple[Tensor, Tensor, Tensor]:
    """The receiver operating characteristic: what a classifier finds, and at which price, at every threshold.

    At threshold s, all samples with a score of at least s are called positive. Then the true positive rate is
    TPR = TP / (TP + FN) (the recall), the false positive rate FPR = FP / (FP + TN).

    Args:
        input: scores (N,), higher for the positive class.
        target: 0 or 1 (N,).

    Returns:
        FPR, TPR and thresholds, float64 tensors with one entry for each different score and one in front: the
        threshold infinity, at which nothing is positive. The rates rise from 0 to 1. Equal scores make one point.

    Raises:
        TypeError: for a target that is neither integers nor truth values.
        ValueError: for shapes that do not fit, NaN among the scores, or unless both classes occur.
    """
    scores, positive = scored("roc_curve", input, target)
    order = np.argsort(-scores, kind="stable")
    scores, positive = scores[order], positive[order]
    last = np.append(scores[1:] != scores[:-1], True)  # the last sample of each score: there the threshold can lie
    found = np.cumsum(positive)[last]
    called = np.flatnonzero(last) + 1
    tpr = found / found[-1]
    fpr = (called - found) / (called - found)[-1]
    start = np.zeros(1)
    return (
        Tensor(np.concatenate([start, fpr])),
        Tensor(np.concatenate([start, tpr])),
        Tensor(np.concatenate([start + np.inf, scores[last]])),
    )


def auc(x: Any, y: Any) -> float:
    """The area under the line through the points (x_i, y_i): sum (x_(i+1) - x_i) (y_i + y_(i+1)) / 2, the trapezoids.

    Raises:
        ValueError: if there are fewer than two points, or x neither rises nor falls throughout.
    """
    a, b = numbers("auc", "x", x).astype(np.float64), numbers("auc", "y", y).astype(np.float64)
    if a.ndim != 1 or a.shape != b.shape or a.size < 2:
        raise ValueError(f"auc: x and y must be two lists of at least 2 numbers, not of shapes {a.shape} and {b.shape}")
    steps = np.diff(a)
    if not ((steps >= 0).all() or (steps <= 0).all()):
        raise ValueError("auc: x must rise or fall throughout")
    return float(abs((steps * (b[1:] + b[:-1])).sum() / 2))


def roc_auc(input: Any, target: Any) -> float:
    """The area under the ROC curve: the probability that a positive sample has a higher score than a negative one.

    Equal scores count one half. 0.5 is chance, 1 a perfect order.

    Args and errors: as in ``roc_curve``.
    """
    fpr, tpr, _ = roc_curve(*scored("roc_auc", input, target))
    return auc(fpr, tpr)


# --- arguments ---------------------------------------------------------------------------------------------------


def numbers(operation: str, name: str, value: Any) -> np.ndarray:
    """A Tensor, array or list as a NumPy array."""
    if isinstance(value, Tensor):
        return backend_of(value.array).to_numpy(value.array)
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{operation}: {name} is a nested list of different lengths") from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{operation}: {name} must hold numbers, not {array.dtype}")
    return array


def classes(operation: str, input: Any, target: Any) -> tuple[np.ndarray, np.ndarray]:
    """Predicted and true classes, as integers (N,)."""
    given, true = numbers(operation, "input", input), numbers(operation, "target", target)
    predicted = given
    if predicted.ndim == 2 and predicted.shape[1]:
        predicted = predicted.argmax(1)
    if predicted.ndim != 1 or predicted.shape != true.shape or not true.size:
        raise ValueError(
            f"{operation}: needs input (N,) or (N, C) and target (N,) with N > 0, not {given.shape} and {true.shape}"
        )
    for name, array in (("input", predicted), ("target", true)):
        if array.dtype.kind not in "biu":
            raise TypeError(f"{operation}: {name} must hold classes (integers), not {array.dtype}")
    return predicted.astype(np.int64), true.astype(np.int64)


def counts(operation: str, input: Any, target: Any, num_classes: int | None) -> np.ndarray:
    """The confusion matrix: row the true class, column the predicted one."""
    predicted, true = classes(operation, input, target)
    scores = numbers(operation, "input", input)
    highest = int(max(predicted.max(), true.max()))
    if num_classes is None:
        num_classes = max(highest + 1, scores.shape[1] if scores.ndim == 2 else 2)
    lowest = int(min(predicted.min(), true.min()))
    if lowest < 0 or highest >= num_classes:
        wrong = lowest if lowest < 0 else highest
        raise ValueError(f"{operation}: class {wrong} is outside of 0 ... {num_classes - 1}")
    return np.bincount(true * num_classes + predicted, minlength=num_classes**2).reshape(num_classes, num_classes)


def shares(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, and 0 for 0 / 0."""
    return part / np.maximum(whole, 1)


def averaged(operation: str, figures: np.ndarray, average: str | None) -> Any:
    """The figures of all classes as ``average`` wants them."""
    if average is None:
        return Tensor(figures)
    if average == "macro":
        return float(figures.mean())
    if average != "binary":
        raise ValueError(f"{operation}: average must be 'binary', 'macro' or None, not {average!r}")
    if len(figures) != 2:
        raise ValueError(f"{operation}: average='binary' needs two classes, not {len(figures)} ('macro' or None)")
    return float(figures[1])


def scored(operation: str, input: Any, target: Any) -> tuple[np.ndarray, np.ndarray]:
    """Scores as float64 and whether each sample is positive."""
    scores, true = numbers(operation, "input", input), numbers(operation, "target", target)
    if scores.ndim != 1 or scores.shape != true.shape:
        raise ValueError(f"{operation}: needs input (N,) and target (N,), not {scores.shape} and {true.shape}")
    if true.dtype.kind not in "biu":
        raise TypeError(f"{operation}: target must hold classes (integers), not {true.dtype}")
    if np.isnan(scores).any():
        raise ValueError(f"{operation}: there is NaN among the scores")
    if set(true.tolist()) != {0, 1}:
        raise ValueError(f"{operation}: target must hold both 0 and 1, and nothing else")
    return scores.astype(np.float64), true == 1
