"""Losses of probabilities against probabilities: binary cross-entropy and the Kullback-Leibler divergence."""

from __future__ import annotations

from typing import Any

from ..autograd import Function, Tensor
from ..backend import namespace
from . import check
from .activation import logsigmoid
from .elementwise import exp, log
from .loss import check_reduction, reduced
from .piecewise import Clamp, where
from .vocabulary import m

__all__ = ["binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div"]


class BinaryCrossEntropy(Function):
    """l = -t log p - (1 - t) log(1 - p), with no logarithm below -100 (D3-3-f).

    dL/dp = g (p - t) / (p (1 - p)), the denominator at least 1e-12, and dL/dt = g (log(1 - p) - log p). The bounds are
    PyTorch's: they keep the loss finite where a probability is 0 or 1.
    """

    def forward(self, p: Any, t: Any) -> Any:
        self.saved = p, t
        xp = namespace(p)
        return -(t * xp.maximum(xp.log(p), -100)) - (1 - t) * xp.maximum(xp.log1p(-p), -100)

    def backward(self, g: Any) -> Any:
        p, t = self.saved
        return (
            g * (p - t) / m.apply(Clamp(), p * (1 - p), 1e-12, None) if self.needs_grad(0) else None,
            g * (bounded_log(1 - p) - bounded_log(p)) if self.needs_grad(1) else None,
        )


def bounded_log(p: Any) -> Any:
    return m.apply(Clamp(), m.log(p), -100, None)


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean"
) -> Tensor:
    """-w (t log p + (1 - t) log(1 - p)) for probabilities p (D3-3-f).

    Where p comes from a sigmoid, ``binary_cross_entropy_with_logits`` is exact and this is not.

    Args:
        input: probabilities p, any shape.
        target: t between 0 and 1, of the same shape and dtype.
        weight: w, which broadcasts to that shape; 1 unless given.
        reduction: "mean", "sum", or "none".

    Raises:
        TypeError: if the dtypes differ or are not floating point.
        ValueError: if the shapes differ, a value is outside 0 to 1, or for an unknown reduction.
    """
    check_reduction("binary_cross_entropy", reduction)
    same_shape_and_dtype("binary_cross_entropy", input, target)
    check_probabilities("binary_cross_entropy", input, "input")
    check_probabilities("binary_cross_entropy", target, "target")
    return reduced(weighted("binary_cross_entropy", BinaryCrossEntropy().apply(input, target), weight), reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """-w (v t log p + (1 - t) log(1 - p)) with p = sigmoid(x), from the logits x without computing p.

    Since log(1 - p) = log p - x, this is w ((1 - t) x - (1 + (v - 1) t) log p), where log p = log sigmoid(x) neither
    overflows nor loses digits.

    Args:
        input: logits x, any shape.
        target: t between 0 and 1, floating point and of the same shape.
        weight: w, which broadcasts to that shape; 1 unless given.
        reduction: "mean", "sum", or "none".
        pos_weight: v, the weight of the positive class, which broadcasts to that shape; 1 unless given.

    Raises:
        TypeError: if an argument is not a floating-point tensor.
        ValueError: if the shapes do not fit, or for an unknown reduction.
    """
    operation = "binary_cross_entropy_with_logits"
    check_reduction(operation, reduction)
    same_shape_and_dtype(operation, input, target)
    log_p = logsigmoid(input)
    if pos_weight is not None:
        fits(operation, pos_weight, input.shape, "pos_weight")
        log_p = (1 + (pos_weight - 1) * target) * log_p
    return reduced(weighted(operation, (1 - target) * input - log_p, weight), reduction)


def kl_div(input: Tensor, target: Tensor, *, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """The Kullback-Leibler divergence t (log t - x), element by element, for log-probabilities x; 0 where t = 0.

    KL(t || p) = sum_k t_k (log t_k - log p_k) is the sum over one distribution; "batchmean" divides the sum of all by
    the number of distributions, the length of dimension 0. ("mean" divides by the number of elements.)

    Args:
        input: log-probabilities x = log p.
        target: probabilities t, or their logarithms with ``log_target``; shapes broadcast.
        reduction: "batchmean", "mean", "sum", or "none".
        log_target: whether the target holds log t.

    Raises:
        TypeError: if an argument is not a floating-point tensor.
        ValueError: if the shapes do not broadcast, or for an unknown reduction.
    """
    check_reduction("kl_div", reduction, ("batchmean",))
    check.floating("kl_div", input)
    check.floating("kl_div", target, "target")
    check.broadcast_shape("kl_div", input.shape, target.shape)
    if log_target:
        losses = exp(target) * (target - input)
    else:
        losses = target * (log(where(target == 0, 1.0, target)) - input)
    if reduction == "batchmean":
        return losses.sum() / input.shape[0] if input.ndim else losses.sum()
    return reduced(losses, reduction)


# --- checks of probabilities -------------------------------------------------------------------------------------


def same_shape_and_dtype(operation: str, input: Tensor, target: Tensor) -> None:
    check.floating(operation, input)
    check.floating(operation, target, "target")
    if input.shape != target.shape:
        raise ValueError(f"{operation}: target has shape {target.shape} but input has {input.shape}")
    if input.dtype != target.dtype:
        raise TypeError(f"{operation}: target is {target.dtype} but input is {input.dtype}")


def check_probabilities(operation: str, x: Tensor, name: str) -> None:
    wrong = ~((x.array >= 0) & (x.array <= 1))
    if wrong.any():
        position = tuple(int(i) for i in namespace(wrong).argwhere(wrong)[0])
        hint = " (sigmoid gives such values)" if name == "input" else ""
        raise ValueError(f"{operation}: {name} must lie between 0 and 1{hint}, not {x.array[position]} at {position}")


def fits(operation: str, weight: Tensor, shape: tuple[int, ...], name: str) -> None:
    check.floating(operation, weight, name)
    if check.broadcast_shape(operation, weight.shape, shape) != shape:
        raise ValueError(f"{operation}: {name} of shape {weight.shape} does not broadcast to the losses' shape {shape}")


def weighted(operation: str, losses: Tensor, weight: Tensor | None) -> Tensor:
    if weight is None:
        return losses
    fits(operation, weight, losses.shape, "weight")
    return losses * weight
