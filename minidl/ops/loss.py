"""Losses of numbers against numbers: squared and absolute differences.

Each first computes one loss an element and then reduces them: "mean", "sum", or "none". In the formulas x is the
input and t the target. Losses of probabilities stand in ``divergence.py``, of a choice among classes in
``cross_entropy.py``.
"""

from __future__ import annotations

import warnings
from typing import Any

from ..autograd import Function, Tensor
from ..backend import namespace
from . import check
from .arithmetic import in_single, same_dtype
from .piecewise import abs, clamp

__all__ = ["huber_loss", "l1_loss", "mse_loss", "smooth_l1_loss"]


# --- what they share ---------------------------------------------------------------------------------------------


def check_reduction(operation: str, reduction: str, more: tuple[str, ...] = ()) -> None:
    """The name of a reduction is one of those that exist."""
    if reduction not in ("none", "mean", "sum", *more):
        names = ", ".join(map(repr, ("none", "mean", "sum", *more)))
        raise ValueError(f"{operation}: reduction must be one of {names}, not {reduction!r}")


def reduced(losses: Tensor, reduction: str) -> Tensor:
    """The losses themselves, their mean, or their sum."""
    return losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()


def pair(operation: str, input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Input and target in one floating-point dtype; PyTorch's warning where their shapes differ but broadcast."""
    check.tensor(operation, input)
    check.tensor(operation, target, "target")
    x, t = same_dtype(operation, input, target)
    if x.array.dtype.kind != "f":
        raise TypeError(f"{operation}: input and target must be floating-point tensors, not {x.dtype}")
    if x.array.shape != t.array.shape:
        shape = check.broadcast_shape(operation, x.shape, t.shape)
        warnings.warn(
            f"{operation}: input has shape {x.shape} but target {t.shape}; they are broadcast to {shape}, which a loss "
            f"seldom means",
            stacklevel=3,
        )
    return x, t


# --- differences -------------------------------------------------------------------------------------------------


class MeanSquaredError(Function):
    """L = (1/n) sum_i (x_i - t_i)^2; dL/dx_i = (2 g / n) (x_i - t_i), dL/dt_i = -dL/dx_i (D4-4.1.1-a).

    For the sum 1/n is left out; with reduction "none" the squares stay apart and g has an element for each. Forward
    keeps the differences, so that backward reads one array instead of two.
    """

    def __init__(self, reduction: str) -> None:
        self.reduction = reduction

    def forward(self, x: Any, t: Any) -> Any:
        d = x - t
        self.saved = (d,)
        self.n = d.size if self.reduction == "mean" else 1
        return d * d if self.reduction == "none" else namespace(d).vdot(d, d) / self.n

    def backward(self, g: Any) -> Any:
        (d,) = self.saved
        slope = d * (g * (2 / max(self.n, 1)))
        return slope, -slope if self.needs_grad(1) else None

    def composed(self, x: Tensor, t: Tensor) -> Tensor:
        return reduced((x - t) * (x - t), self.reduction)


def mse_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The squared differences (x - t)^2 (D4-4.1.1-a).

    Args:
        input: predictions x, any shape.
        target: what they should be, of the same shape (shapes that merely broadcast give a warning).
        reduction: "mean", "sum", or "none".

    Raises:
        TypeError: unless both are floating point after promotion.
        ValueError: if the shapes do not broadcast, or for an unknown reduction.
    """
    check_reduction("mse_loss", reduction)
    return in_single(MeanSquaredError(reduction), *pair("mse_loss", input, target))


def l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The absolute differences |x - t|; arguments and errors as for ``mse_loss``."""
    check_reduction("l1_loss", reduction)
    x, t = pair("l1_loss", input, target)
    return reduced(abs(x - t), reduction)


def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """d^2 / 2 where |d| <= delta, and delta (|d| - delta / 2) beyond, with d = x - t (Huber, 1964).

    A parabola near zero with straight arms, so that outliers do not rule the fit. Both branches are c (d - c / 2)
    with c = d clamped to [-delta, delta]. Arguments and errors as for ``mse_loss``; delta must be positive.
    """
    check_reduction("huber_loss", reduction)
    if not check.number("huber_loss", delta, "delta") > 0:
        raise ValueError(f"huber_loss: delta must be positive, not {delta}")
    x, t = pair("huber_loss", input, target)
    return reduced(huber(x - t, delta), reduction)


def huber(d: Tensor, delta: float) -> Tensor:
    c = clamp(d, -delta, delta)
    return c * (d - c * 0.5)


def smooth_l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """d^2 / (2 beta) where |d| < beta, and |d| - beta / 2 beyond, with d = x - t: Huber's loss divided by beta.

    With beta = 0 it is ``l1_loss``. Arguments and errors as for ``mse_loss``; beta must not be negative.
    """
    check_reduction("smooth_l1_loss", reduction)
    beta = check.not_negative("smooth_l1_loss", beta, "beta")
    x, t = pair("smooth_l1_loss", input, target)
    return reduced(huber(x - t, beta) / beta if beta else abs(x - t), reduction)
