"""Adagrad: the more a weight has been moved by its gradients, the smaller its steps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import fast
from ..backend import namespace
from .optimizer import Optimizer, check_not_negative, memory
from .sgd import descent

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    r"""Adagrad (Duchi, Hazan and Singer 2011): each step is divided by the root of the sum of all squared gradients.

    With d = g + lambda w (lambda = weight_decay) at step t = 1, 2, ...::

        s_t = s_(t-1) + d^2                                    s_0 = initial_accumulator_value
        w_t = w_(t-1) - eta_t d / (sqrt(s_t) + eps)            eta_t = lr / (1 + (t - 1) lr_decay)

    Weights whose gradient is rarely different from zero keep long steps. The sum never shrinks, so all steps do.

    Args:
        params: as in ``Optimizer``.
        maximize: climb instead of descend (g changes its sign).

    Raises:
        ValueError: for a negative option.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = dict(
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
            maximize=maximize,
        )
        super().__init__(params, defaults)

    def check(self, group: dict[str, Any]) -> None:
        check_not_negative("Adagrad", group, "lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")

    def update(self, w: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        t = state["step"] = state.get("step", 0) + 1
        s = memory(state, "sum", w, group["initial_accumulator_value"])
        rate = group["lr"] / (1 + (t - 1) * group["lr_decay"])
        numbers = (-1 if group["maximize"] else 1, group["weight_decay"], rate, group["eps"])
        if not fast.adagrad((w, g, s), numbers):
            plain_adagrad(w, g, s, *map(float, numbers))


def plain_adagrad(w: Any, g: Any, s: Any, sign: float, decay: float, rate: float, eps: float) -> None:
    """The step in array operations."""
    d = descent(w, g, sign, decay)
    s += d * d
    w -= rate * d / (namespace(w).sqrt(s) + eps)
