"""Products of matrices and vectors: matmul in all of its shapes, and the affine map of a linear layer."""

from __future__ import annotations

from typing import Any

from ..autograd import Function, Tensor
from . import check
from .arithmetic import same_dtype

__all__ = ["linear", "matmul"]


class Matmul(Function):
    """Z = X Y for matrices, or stacks of them that broadcast; dL/dX = g Y^T, dL/dY = X^T g.

    z_ij = sum_k x_ik y_kj, so dL/dx_ik = sum_j g_ij y_kj and dL/dy_kj = sum_i x_ik g_ij.
    """

    def forward(self, x: Any, y: Any) -> Any:
        self.saved = x, y
        return x @ y

    def backward(self, g: Any) -> Any:
        x, y = self.saved
        return (
            g @ y.mT if self.needs_grad(0) else None,
            x.mT @ g if self.needs_grad(1) else None,
        )


class Linear(Function):
    """Y = X W^T + b for X (n, in), W (out, in), b (out); dL/dX = g W, dL/dW = g^T X, dL/db = sum of the rows of g."""

    def forward(self, x: Any, weight: Any, bias: Any) -> Any:
        self.saved = x, weight
        y = x @ weight.T
        if bias is not None:
            y += bias
        return y

    def backward(self, g: Any) -> Any:
        x, weight = self.saved
        return (
            g @ weight if self.needs_grad(0) else None,
            g.mT @ x if self.needs_grad(1) else None,
            g.sum(0) if self.needs_grad(2) else None,
        )


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The matrix product, as in PyTorch: (n,) is a row on the left and a column on the right, stacks broadcast."""
    x, y = same_dtype("matmul", check.tensor("matmul", input), check.tensor("matmul", other, "other"))
    if not x.ndim or not y.ndim:
        raise ValueError(f"matmul: both tensors need at least one dimension (input {x.shape}, other {y.shape})")
    rows, columns = x.shape[:-1], y.shape[-1:] if y.ndim > 1 else ()
    if x.shape[-1] != y.shape[-2 if y.ndim > 1 else 0]:
        raise ValueError(f"matmul: the inner lengths differ: input {x.shape}, other {y.shape}")
    if y.ndim <= 2:  # one matrix for all rows: a single product, however many dimensions x has
        matrix = y if y.ndim == 2 else y.reshape(-1, 1)
        return Matmul().apply(x.reshape(-1, x.shape[-1]), matrix).reshape(rows + columns)
    check.broadcast_shape("matmul", x.shape[:-2], y.shape[:-2])
    if x.ndim == 1:
        z = Matmul().apply(x.reshape(1, -1), y)
        return z.reshape(z.shape[:-2] + z.shape[-1:])
    return Matmul().apply(x, y)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input W^T + b: the affine map of a layer (D1-2.1.2-a).

    Shapes: input (..., in_features), weight (out_features, in_features), bias (out_features,),
    result (..., out_features).
    """
    x, w = same_dtype("linear", check.tensor("linear", input), check.tensor("linear", weight, "weight"))
    if w.ndim != 2:
        raise ValueError(f"linear: weight must have 2 dimensions (out_features, in_features), not shape {w.shape}")
    if not x.ndim or x.shape[-1] != w.shape[1]:
        features = x.shape[-1] if x.ndim else 0
        raise ValueError(
            f"linear: input has {features} features but weight expects {w.shape[1]} (input {x.shape}, weight {w.shape})"
        )
    if bias is not None and check.tensor("linear", bias, "bias").shape != w.shape[:1]:
        raise ValueError(f"linear: bias has shape {bias.shape} but weight has {w.shape[0]} rows (weight {w.shape})")
    if x.ndim == 2:
        return Linear().apply(x, w, bias)
    return Linear().apply(x.reshape(-1, x.shape[-1]), w, bias).reshape(x.shape[:-1] + w.shape[:1])
