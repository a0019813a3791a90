"""Cross-entropy and negative log-likelihood: the losses of a choice among classes.

The classes lie along dimension 1 of the scores, (N, C) or (N, C, d1, ...), or along the only one, (C,). Either loss is
computed on a matrix with one row a choice, (n, C); further dimensions are brought into that form first.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..autograd import Function, Tensor
from ..backend import as_array, int64, namespace
from . import check
from .arithmetic import to_dtype
from .loss import check_reduction, reduced
from .piecewise import where
from .softmaxes import log_softmax

__all__ = ["cross_entropy", "nll_loss"]

UNSIGNED = np.dtype("uint64")
FEW_CLASSES = 32  # up to here it pays to lay the scores out class by class: 8192 rows of 10 take 0.3 of the time


class CrossEntropy(Function):
    """L = (1/D) sum_i l_i for scores z (n, C) and one class t_i for each row (D3-4-i, D4-4.1.2-a).

    With log p_ik = z_ik - log sum_j exp z_ij, class weights w (1 unless given) and the label smoothing s::

        l_i = -a_i log p_{i,t_i} - b_i sum_k w_k log p_ik,    a_i = (1 - s) w_{t_i},  b_i = s / C

    Rows that are ignored have a_i = b_i = 0. D is the sum of w_{t_i} over the others for the mean, 1 for the sum; the
    reduction "none" returns the l_i.

    Since d log p_ik / dz_ij = [k = j] - p_ij, the gradient is

        dL/dz_ij = (g / D) ((a_i + b_i sum_k w_k) p_ij - a_i [j = t_i] - b_i w_j),

    in the ordinary case (g / n) (p_ij - [j = t_i]). Forward keeps one array of the size of z, exp(z - max z), and
    backward makes one more, the gradient.
    """

    def __init__(self, keep: Any, reduction: str, smoothing: float) -> None:
        self.keep, self.reduction, self.smoothing = keep, reduction, smoothing

    def forward(self, z: Any, target: Any, weight: Any) -> Any:
        xp = namespace(z)
        n, classes = z.shape
        rows = xp.arange(n)
        scores = z.T if classes > FEW_CLASSES else xp.ascontiguousarray(z.T)  # (C, n)
        e = scores - scores.max(0)
        own = e[target, rows]
        if self.smoothing:
            every = e.sum(0) if weight is None else weight @ e
        xp.exp(e, out=e)
        total = e.sum(0)
        log_total = xp.log(total)
        a, b, divisor = self.coefficients(target, weight, z)
        losses = (log_total - own) * a
        if self.smoothing:
            weights = classes if weight is None else weight.sum()
            losses += b * (weights * log_total - every)
            scale = (a + b * weights) / total
        else:
            scale = a / total
            e[target, rows] = xp.exp(own) - total  # times scale: a (p - 1)
        if self.keep is not None:  # an infinite score of an ignored row must not make 0 times infinity
            losses = xp.where(self.keep, losses, 0)
        self.saved = e, scale, a, b, divisor, target, rows, weight
        return losses if self.reduction == "none" else losses.sum() / divisor

    def backward(self, g: Any) -> Any:
        e, scale, a, b, divisor, target, rows, weight = self.saved
        g = g / divisor
        d = e * (g * scale)
        if self.smoothing:
            d[target, rows] -= g * a
            d -= g * b if weight is None else weight[:, None] * (g * b)
        return d.T, None, None

    def coefficients(self, target: Any, weight: Any, z: Any) -> tuple[Any, Any, Any]:
        """a, b and D; plain numbers where all rows count alike."""
        a, divisor = row_weights(target, weight, self.keep, z.dtype)
        b = self.smoothing / z.shape[1] * (1.0 if self.keep is None else self.keep.astype(z.dtype))
        return a * (1.0 - self.smoothing), b, divisor if self.reduction == "mean" else 1

    def composed(self, z: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        log_p = log_softmax(z, 1)
        rows = namespace(z.array).arange(len(z.array))
        w = None if weight is None else weight.array
        a, b, divisor = map(constant, self.coefficients(target.array, w, z.array))
        losses = -log_p[Tensor(rows), target] * a
        if self.smoothing:
            losses = losses - (log_p if weight is None else log_p * weight.detach()).sum(1) * b
        return losses if self.reduction == "none" else losses.sum() / divisor


def row_weights(target: Any, weight: Any, keep: Any, dtype: Any) -> tuple[Any, Any]:
    """The weight of each row, w_{t_i} or 0 where it is ignored, and their sum; 1.0 and n where all count alike."""
    if weight is not None:
        w = weight[target] if keep is None else weight[target] * keep
    elif keep is not None:
        w = keep.astype(dtype)
    else:
        return 1.0, len(target)
    return w, w.sum()


def constant(value: Any) -> Any:
    """A number as it is, anything else as a Tensor."""
    return value if isinstance(value, (int, float)) else Tensor(as_array(value))


# --- targets -----------------------------------------------------------------------------------------------------


def class_indices(operation: str, target: Tensor, classes: int, ignore_index: int) -> tuple[Tensor, Any]:
    """Targets that are all classes, and a mask of those that count (None: all of them do)."""
    t = target.array
    if t.dtype != int64:
        target = to_dtype(target, int64)
        t = target.array
    if not t.size or (not 0 <= ignore_index < classes and t.view(UNSIGNED).max() < classes):
        return target, None  # read without a sign, a negative number is beyond every class
    keep = t != ignore_index
    wrong = keep & ((t < 0) | (t >= classes))
    if wrong.any():
        position = tuple(int(i) for i in namespace(t).argwhere(wrong)[0])
        place = f"[{', '.join(map(str, position))}]" if position else ""
        raise IndexError(
            f"{operation}: target{place} is {int(t[position])}, but the classes are 0 to {classes - 1} "
            f"(ignore_index is {ignore_index})"
        )
    return Tensor(namespace(t).where(keep, t, 0)), keep


def check_weight(operation: str, weight: Tensor | None, scores: Tensor, classes: int) -> None:
    """The weights of the classes: one for each, of the dtype of the scores, and constants."""
    if weight is None:
        return
    if check.tensor(operation, weight, "weight").shape != (classes,):
        raise ValueError(
            f"{operation}: weight has shape {weight.shape} but there are {classes} classes (input {scores.shape})"
        )
    if weight.dtype != scores.dtype:
        raise TypeError(f"{operation}: weight is {weight.dtype} but input is {scores.dtype}")
    if weight.requires_grad:
        raise ValueError(f"{operation}: weight is a constant of the loss and cannot require a gradient")


def choices(
    operation: str, input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int
) -> tuple[Tensor, Tensor, Any]:
    """Checks everything, and returns scores (n, C), class indices (n,), and a mask of the rows that count (or None)."""
    if not input.ndim:
        raise ValueError(f"{operation}: input must have a dimension of classes, (C,) or (N, C, ...), not shape ()")
    shape = input.shape
    axis = 1 if len(shape) > 1 else 0
    classes = shape[axis]
    places = shape[:axis] + shape[axis + 1 :]
    if target.shape != places:
        raise ValueError(
            f"{operation}: target has shape {target.shape} but input {input.shape} asks for class indices of "
            f"shape {places}"
        )
    if not classes:
        raise ValueError(f"{operation}: input {input.shape} has no classes")
    check_weight(operation, weight, input, classes)
    target, keep = class_indices(operation, target, classes, ignore_index)
    if len(shape) == 2:
        return input, target, keep
    if len(shape) > 2:
        input = input.permute(0, *range(2, len(shape)), 1)
    return input.reshape(math.prod(places), classes), target.reshape(-1), keep if keep is None else keep.reshape(-1)


# --- losses ------------------------------------------------------------------------------------------------------


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The cross-entropy of softmax(input) against classes or against probabilities (D3-4-i, D4-4.1.2-a).

    l_i = -w_{t_i} log p_{i,t_i} for a class t_i, and l_i = -sum_k w_k q_ik log p_ik for probabilities q_i, where
    p_i = softmax(input_i). The mean divides by the sum of the w_{t_i}, and for probabilities by the number of l_i.

    Args:
        input: scores (logits), (N, C), (N, C, d1, ...) or (C,).
        target: class indices (N,), (N, d1, ...) or (); or probabilities, floating point and of the input's shape.
        weight: one weight a class, (C,).
        ignore_index: places with this class index count for nothing.
        reduction: "mean", "sum" or "none" (the l_i in the shape of the class indices).
        label_smoothing: s replaces the target distribution q by (1 - s) q + s / C.

    Raises:
        IndexError: if a class index is out of range.
        TypeError: if a dtype does not fit.
        ValueError: if a shape or an option does not fit.
    """
    check.floating("cross_entropy", input)
    check_reduction("cross_entropy", reduction)
    check.integer("cross_entropy", ignore_index, "ignore_index")
    if not 0.0 <= check.number("cross_entropy", label_smoothing, "label_smoothing") <= 1.0:
        raise ValueError(f"cross_entropy: label_smoothing must lie between 0 and 1, not {label_smoothing}")
    if check.tensor("cross_entropy", target, "target").dtype.kind not in "iu":
        return soft_cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing)
    scores, t, keep = choices("cross_entropy", input, target, weight, ignore_index)
    losses = CrossEntropy(keep, reduction, label_smoothing).apply(scores, t, weight)
    return losses.reshape(target.shape) if reduction == "none" and target.ndim != 1 else losses


def soft_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str, smoothing: float
) -> Tensor:
    """``cross_entropy`` against probabilities, in small operations; the target too gets a gradient."""
    if target.dtype.kind != "f":
        raise TypeError(
            f"cross_entropy: target must hold class indices (integers) or probabilities (floating point), "
            f"not {target.dtype}"
        )
    if not input.ndim or target.shape != input.shape:
        raise ValueError(
            f"cross_entropy: target has floating-point numbers, so it must hold a probability for each score, "
            f"but its shape is {target.shape} (input {input.shape})"
        )
    if ignore_index >= 0:
        raise ValueError(
            f"cross_entropy: ignore_index={ignore_index} has no meaning for targets that are probabilities"
        )
    axis = 1 if input.ndim > 1 else 0
    classes = input.shape[axis]
    check_weight("cross_entropy", weight, input, classes)
    q = target * (1.0 - smoothing) + smoothing / classes if smoothing else target
    if weight is not None:
        q = q * weight.reshape(classes, *[1] * (input.ndim - axis - 1))
    return reduced(-(log_softmax(input, axis) * q).sum(axis), reduction)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """The negative log-likelihood l_i = -w_{t_i} y_{i,t_i} of classes t under log-probabilities y.

    ``nll_loss(log_softmax(x, 1), t)`` is ``cross_entropy(x, t)``; shapes, options and errors are those of
    ``cross_entropy`` with class indices.
    """
    check.floating("nll_loss", input)
    check_reduction("nll_loss", reduction)
    if check.tensor("nll_loss", target, "target").dtype.kind not in "iu":
        raise TypeError(f"nll_loss: target must hold class indices (integers), not {target.dtype}")
    log_p, t, keep = choices("nll_loss", input, target, weight, ignore_index)
    w, divisor = row_weights(t.array, None if weight is None else weight.array, keep, input.dtype)
    losses = -log_p[Tensor(namespace(t.array).arange(len(t.array))), t] * constant(w)
    if keep is not None:
        losses = where(Tensor(keep), losses, 0.0)
    if reduction == "none":
        return losses.reshape(target.shape)
    return losses.sum() if reduction == "sum" else losses.sum() / constant(divisor)
