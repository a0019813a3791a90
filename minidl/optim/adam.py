"""Adam and AdamW: steps of about the same length for every weight, whatever the size of its gradients."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import fast
from ..backend import namespace
from .optimizer import Optimizer, check_not_negative, memory
from .sgd import descent

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    r"""Adam (D0-1.3.1-c; Kingma and Ba 2015): moving averages of the gradient and of its square.

    With alpha = lr, lambda = weight_decay, w the parameter and d = g + lambda w its gradient at step t = 1, 2, ...::

        m_t = beta1 m_(t-1) + (1 - beta1) d                          m_0 = 0
        v_t = beta2 v_(t-1) + (1 - beta2) d^2                        v_0 = 0
        w_t = w_(t-1) - alpha (m_t / c1) / (sqrt(v_t / c2) + eps)    c1 = 1 - beta1^t, c2 = 1 - beta2^t

    Why c1 and c2: an average that starts at 0 is too small at first. With a constant d, m_t = (1 - beta1^t) d, so
    m_t / c1 = d and v_t / c2 = d^2 exactly: the first step is alpha in size whatever the gradient is.

    The code multiplies numerator and denominator by sqrt(c2), so that per element one division is left::

        w_t = w_(t-1) - a_t m_t / (sqrt(v_t) + eps sqrt(c2))         a_t = alpha sqrt(c2) / c1

    With ``amsgrad`` the largest v_t so far takes the place of v_t (Reddi et al. 2018).

    Args:
        params: as in ``Optimizer``.
        betas: beta1 and beta2.
        decoupled_weight_decay: True makes it AdamW.
        maximize: climb instead of descend (g changes its sign).

    Raises:
        ValueError: for negative lr, eps or weight_decay, or a beta outside [0, 1).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:
        defaults = dict(
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            amsgrad=amsgrad,
            maximize=maximize,
            decoupled_weight_decay=decoupled_weight_decay,
        )
        super().__init__(params, defaults)

    def check(self, group: dict[str, Any]) -> None:
        check_not_negative(self._name, group, "lr", "eps", "weight_decay")
        betas = group["betas"]
        pair = isinstance(betas, (tuple, list)) and len(betas) == 2
        if not pair or not all(isinstance(beta, (int, float, np.number)) and 0 <= beta < 1 for beta in betas):
            raise ValueError(f"{self._name}: betas must be two numbers in [0, 1), not {betas}")

    def update(self, w: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        t = state["step"] = state.get("step", 0) + 1
        beta1, beta2 = group["betas"]
        lr, decay, decoupled = group["lr"], group["weight_decay"], group["decoupled_weight_decay"]
        m, v = memory(state, "exp_avg", w), memory(state, "exp_avg_sq", w)
        root = math.sqrt(1 - beta2**t)
        numbers = (
            -1 if group["maximize"] else 1,
            0 if decoupled else decay,
            1 - lr * decay if decoupled else 1,
            beta1,
            beta2,
            lr * root / (1 - beta1**t),
            group["eps"] * root,
        )
        largest = memory(state, "max_exp_avg_sq", w) if group["amsgrad"] else None
        if largest is not None or not fast.adam((w, g, m, v), numbers):
            plain_adam(w, g, m, v, largest, *map(float, numbers))


class AdamW(Adam):
    r"""Adam with decoupled weight decay (Loshchilov and Hutter 2019).

    The decay is taken from the weight itself, not added to the gradient: w <- (1 - alpha lambda) w before Adam's step
    with d = g. In Adam, a decay inside d is divided by sqrt(v_t) like the rest, so that weights with large gradients
    decay least; here all decay alike.

    Args and errors: as in ``Adam``.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True)


def plain_adam(
    w: Any,
    g: Any,
    m: Any,
    v: Any,
    largest: Any,
    sign: float,
    decay: float,
    shrink: float,
    beta1: float,
    beta2: float,
    rate: float,
    eps: float,
) -> None:
    """The step in array operations: ``rate`` is a_t, ``eps`` eps sqrt(c2), ``largest`` the array of amsgrad or None."""
    xp = namespace(w)
    d = descent(w, g, sign, decay)
    m *= beta1
    m += (1 - beta1) * d
    v *= beta2
    v += (1 - beta2) * d * d
    if largest is not None:
        xp.maximum(largest, v, out=largest)
        v = largest
    w *= shrink
    w -= rate * m / (xp.sqrt(v) + eps)
