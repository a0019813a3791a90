"""RMSprop: Adagrad with a moving average in place of the sum, so that old gradients are forgotten."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import fast
from ..backend import namespace
from .optimizer import Optimizer, check_not_negative, memory
from .sgd import descent

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    r"""RMSprop (Hinton 2012, lecture 6): the gradient divided by the root of its recent mean square.

    With d = g + lambda w (lambda = weight_decay), eta, mu = lr, momentum::

        v_t = alpha v_(t-1) + (1 - alpha) d^2                  v_0 = 0
        w_t = w_(t-1) - eta d / (sqrt(v_t) + eps)

    With ``centered`` the mean is taken off, which leaves the variance (Graves 2013)::

        a_t = alpha a_(t-1) + (1 - alpha) d                    and  v_t - a_t^2  in place of  v_t  under the root

    With momentum, b_t = mu b_(t-1) + d / (sqrt(v_t) + eps) and w_t = w_(t-1) - eta b_t.

    Args:
        params: as in ``Optimizer``.
        alpha: the share of the old average that is kept.
        maximize: climb instead of descend (g changes its sign).

    Raises:
        ValueError: for a negative option.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = dict(
            lr=lr,
            alpha=alpha,
            eps=eps,
            weight_decay=weight_decay,
            momentum=momentum,
            centered=centered,
            maximize=maximize,
        )
        super().__init__(params, defaults)

    def check(self, group: dict[str, Any]) -> None:
        check_not_negative("RMSprop", group, "lr", "alpha", "eps", "weight_decay", "momentum")

    def update(self, w: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        state["step"] = state.get("step", 0) + 1
        numbers = (
            -1 if group["maximize"] else 1,
            group["weight_decay"],
            group["lr"],
            group["alpha"],
            group["eps"],
        )
        v = memory(state, "square_avg", w)
        a = memory(state, "grad_avg", w) if group["centered"] else None
        b = memory(state, "momentum_buffer", w) if group["momentum"] else None
        if a is not None or b is not None or not fast.rmsprop((w, g, v), numbers):
            plain_rmsprop(w, g, v, a, b, float(group["momentum"]), *map(float, numbers))


def plain_rmsprop(
    w: Any, g: Any, v: Any, a: Any, b: Any, mu: float, sign: float, decay: float, lr: float, alpha: float, eps: float
) -> None:
    """The step in array operations; a is None unless centered, b without momentum."""
    d = descent(w, g, sign, decay)
    v *= alpha
    v += (1 - alpha) * d * d
    if a is not None:
        a *= alpha
        a += (1 - alpha) * d
        v = v - a * a
    d = d / (namespace(w).sqrt(v) + eps)
    if b is not None:
        b *= mu
        b += d
        d = b
    w -= lr * d
