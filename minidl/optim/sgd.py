"""Gradient descent, with momentum if wanted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import fast
from .optimizer import Optimizer, check_not_negative, memory

__all__ = ["SGD"]


class SGD(Optimizer):
    r"""Stochastic gradient descent (D4-4.2.1-a), with momentum (Polyak 1964) and Nesterov's form of it (1983).

    With g the gradient, w the parameter, and eta, mu, tau, lambda = lr, momentum, dampening, weight_decay::

        d   = g + lambda w                       the gradient of  L + lambda/2 |w|^2
        b_t = mu b_(t-1) + (1 - tau) d           b_1 = d
        w_t = w_(t-1) - eta b_t                  or, with nesterov:  w_(t-1) - eta (d + mu b_t)

    Without momentum b_t = d, and that is plain gradient descent. With a constant d (and tau = 0) the velocity b_t tends
    to d / (1 - mu): steps in a lasting direction grow ten times longer at mu = 0.9, while steps that change their sign
    cancel. Nesterov takes the gradient where the momentum will carry the weights. The w kept here is that place, and in
    terms of it the step is d + mu b_t, exactly (Sutskever et al. 2013; lesson 13 derives it).

    Args:
        params: as in ``Optimizer``.
        maximize: climb instead of descend (g changes its sign).

    Raises:
        ValueError: for negative lr, momentum or weight_decay; for nesterov without momentum or with dampening.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = dict(
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
            maximize=maximize,
        )
        super().__init__(params, defaults)

    def check(self, group: dict[str, Any]) -> None:
        check_not_negative("SGD", group, "lr", "momentum", "weight_decay")
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("SGD: nesterov needs momentum above 0 and no dampening")

    def update(self, w: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        sign = -1 if group["maximize"] else 1
        lr, mu, decay = group["lr"], group["momentum"], group["weight_decay"]
        if not mu:
            if not fast.sgd((w, g), (sign, decay, lr)):
                plain_sgd(w, g, sign, float(decay), float(lr))
            return
        keep = 1 - group["dampening"] if "momentum_buffer" in state else 1
        b = memory(state, "momentum_buffer", w)
        numbers = (sign, decay, lr, mu, keep, group["nesterov"])
        if not fast.momentum((w, g, b), numbers):
            plain_momentum(w, g, b, *map(float, numbers))


def plain_sgd(w: Any, g: Any, sign: float, decay: float, lr: float) -> None:
    """The step without momentum, in array operations."""
    d = descent(w, g, sign, decay)
    w -= lr * d


def plain_momentum(
    w: Any, g: Any, b: Any, sign: float, decay: float, lr: float, mu: float, keep: float, nesterov: float
) -> None:
    """The step with momentum, in array operations."""
    d = descent(w, g, sign, decay)
    b *= mu
    b += keep * d
    w -= lr * (d + mu * b if nesterov else b)


def descent(w: Any, g: Any, sign: float, decay: float) -> Any:
    """The gradient with its sign and the weight decay; a new array unless it is g itself."""
    d = -g if sign < 0 else g
    return d + decay * w if decay else d
