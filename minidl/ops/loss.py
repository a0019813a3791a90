"""Loss functions: how far predictions are from targets, as one number."""

from __future__ import annotations

from typing import Any

from ..autograd import Function, Tensor
from ..backend import namespace
from . import check

__all__ = ["cross_entropy"]


class CrossEntropy(Function):
    """L = mean_i(log sum_k exp z_ik - z_i,t_i); dL/dz_ik = (p_ik - [k = t_i]) / n with p = softmax(z)."""

    def forward(self, z: Any, target: Any) -> Any:
        xp = namespace(z)
        rows = xp.arange(len(z))
        p = z - z.max(1, keepdims=True)
        picked = p[rows, target]
        xp.exp(p, out=p)
        total = p.sum(1, keepdims=True)
        p /= total
        self.saved = p, target
        return (xp.log(total[:, 0]) - picked).mean()

    def backward(self, g: Any) -> Any:
        p, target = self.saved
        d = p.copy()
        d[namespace(d).arange(len(d)), target] -= 1
        d *= g / len(d)
        return d, None


def cross_entropy(input: Tensor, target: Tensor) -> Tensor:
    """The mean negative log-likelihood of the target classes under softmax(input)."""
    return CrossEntropy().apply(check.floating("cross_entropy", input), target)
