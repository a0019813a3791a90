"""What is done to the gradients of all parameters together, between backward and the optimiser's step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..backend import namespace
from ..ops import check

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Shorten the gradient of all parameters, seen as one long vector g, to a length of at most ``max_norm``.

    g <- g min(1, max_norm / (|g| + 1e-6)) with the p-norm |g| = (sum |g_i|^p)^(1/p), p = ``norm_type`` (infinity: the
    largest |g_i|). The direction stays; one exploding gradient no longer throws all weights away (Pascanu et al. 2013).

    Returns:
        |g| as it was before; 0 if no parameter has a gradient.

    Raises:
        ValueError: if ``max_norm`` is negative or ``norm_type`` not positive.
        RuntimeError: if ``error_if_nonfinite`` and |g| is NaN or infinite; the gradients are then unchanged.
    """
    max_norm = check.not_negative("clip_grad_norm_", max_norm, "max_norm")
    if not check.number("clip_grad_norm_", norm_type, "norm_type") > 0:
        raise ValueError(f"clip_grad_norm_: norm_type must be positive, but is {norm_type}")
    gradients = gradients_of("clip_grad_norm_", parameters)
    if not gradients:
        return Tensor(np.zeros((), np.float32))
    xp = namespace(gradients[0].array)
    lengths = xp.stack([p_norm(gradient.array.reshape(-1), norm_type) for gradient in gradients])
    total = p_norm(lengths, norm_type)
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(f"clip_grad_norm_: the norm of the gradients is {float(total)}")
    factor = xp.minimum(max_norm / (total + 1e-6), 1)
    for gradient in gradients:
        gradient.array *= factor.astype(gradient.dtype)
        gradient.version[0] += 1
    return Tensor(xp.asarray(total))


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Cut every element of every gradient to [-clip_value, clip_value].

    Raises:
        ValueError: if ``clip_value`` is negative.
    """
    clip_value = check.not_negative("clip_grad_value_", clip_value, "clip_value")
    for gradient in gradients_of("clip_grad_value_", parameters):
        namespace(gradient.array).clip(gradient.array, -clip_value, clip_value, out=gradient.array)
        gradient.version[0] += 1


def p_norm(x: Any, p: float) -> Any:
    """(sum |x_i|^p)^(1/p) of a vector; 0 for none."""
    if not x.size:
        return x.sum()
    if math.isinf(p):
        return abs(x).max()
    return (x * x).sum() ** 0.5 if p == 2 else (abs(x) ** p).sum() ** (1 / p)


def gradients_of(operation: str, parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    """The gradients that there are."""
    found = []
    for i, parameter in enumerate([parameters] if isinstance(parameters, Tensor) else parameters):
        if not isinstance(parameter, Tensor):
            raise TypeError(f"{operation}: parameters[{i}] must be a Tensor, not {type(parameter).__name__}")
        if parameter.grad is not None:
            found.append(parameter.grad)
    return found
