"""Products of vectors and matrices: matmul in all of its shapes, its special cases, and the affine map of a layer.

All of them refuse to mix dtypes, as in PyTorch: a silent cast of a matrix would hide a mistake and cost a copy.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import fast
from ..autograd import Function, Tensor
from . import check
from .arithmetic import Number, add, mul
from .vocabulary import m

__all__ = ["addmm", "bmm", "dot", "linear", "matmul", "mm", "mv", "outer"]


# --- on arrays ---------------------------------------------------------------------------------------------------


def product(x: Any, y: Any) -> Any:
    """x @ y for arrays; a column times a row goes through ``dot``.

    For that one shape NumPy's @ does not call BLAS and takes five times as long as ``dot``. It is the gradient of a
    weight matrix when one sample is trained at a time. Arrays of a GPU may go to this project's kernels.
    """
    if type(x) is not np.ndarray:
        z = fast.product(x, y)
        return x @ y if z is None else z
    if x.ndim == y.ndim == 2 and x.shape[1] == 1:
        return x.dot(y)
    return x @ y


class Matmul(Function):
    """Z = X Y for matrices, or stacks of them that broadcast; dL/dX = g Y^T, dL/dY = X^T g.

    z_ij = sum_k x_ik y_kj, so dL/dx_ik = sum_j g_ij y_kj and dL/dy_kj = sum_i x_ik g_ij.
    """

    def forward(self, x: Any, y: Any) -> Any:
        self.saved = (x if self.needs_grad(1) else None), (y if self.needs_grad(0) else None)
        return product(x, y)

    def backward(self, g: Any) -> Any:
        x, y = self.saved
        return (
            m.apply(Matmul(), g, y.mT) if self.needs_grad(0) else None,
            m.apply(Matmul(), x.mT, g) if self.needs_grad(1) else None,
        )


class Dot(Function):
    """z = sum_k x_k y_k for two vectors; dL/dx_k = g y_k, dL/dy_k = g x_k."""

    def forward(self, x: Any, y: Any) -> Any:
        self.saved = (x if self.needs_grad(1) else None), (y if self.needs_grad(0) else None)
        return x.dot(y)

    def backward(self, g: Any) -> Any:
        x, y = self.saved
        return (
            g * y if self.needs_grad(0) else None,
            g * x if self.needs_grad(1) else None,
        )


class Linear(Function):
    """Y = X W^T + b for X (n, in), W (out, in), b (out); dL/dX = g W, dL/dW = g^T X, dL/db = sum of the rows of g.

    y_ij = sum_k x_ik w_jk + b_j, so dL/dx_ik = sum_j g_ij w_jk, dL/dw_jk = sum_i g_ij x_ik and dL/db_j = sum_i g_ij.
    """

    def forward(self, x: Any, weight: Any, bias: Any) -> Any:
        self.saved = (x if self.needs_grad(1) else None), (weight if self.needs_grad(0) else None)
        y = fast.linear(x, weight)
        if y is None:
            y = product(x, weight.T)
        if bias is not None:
            y += bias
        return y

    def backward(self, g: Any) -> Any:
        x, weight = self.saved
        return (
            m.apply(Matmul(), g, weight) if self.needs_grad(0) else None,
            m.apply(Matmul(), g.mT, x) if self.needs_grad(1) else None,
            g.sum(0) if self.needs_grad(2) else None,
        )


# --- checks ------------------------------------------------------------------------------------------------------


def one_dtype(operation: str, **operands: Any) -> None:
    """All operands are Tensors of one dtype, which is not bool."""
    (first, x), *others = operands.items()
    dtype = check.tensor(operation, x, first).array.dtype
    if dtype.kind == "b":
        raise TypeError(f"{operation}: {first} is bool, for which no product of sums is defined; cast it first")
    for name, y in others:
        if check.tensor(operation, y, name).array.dtype != dtype:
            raise TypeError(f"{operation}: {first} is {dtype} but {name} is {y.dtype}; both must have one dtype")


def ranks(operation: str, **operands: tuple[Tensor, int]) -> None:
    """Each operand has the number of dimensions that is asked for."""
    kinds = {1: "a vector (1 dimension)", 2: "a matrix (2 dimensions)", 3: "a stack of matrices (3 dimensions)"}
    for name, (x, ndim) in operands.items():
        if x.ndim != ndim:
            raise ValueError(f"{operation}: {name} must be {kinds[ndim]}, not of shape {x.shape}")


def inner_lengths(operation: str, x: Tensor, y: Tensor, names: tuple[str, str] = ("input", "other")) -> None:
    """The last dimension of x is as long as the dimension of y that it is summed against."""
    rows = y.shape[-2 if y.ndim > 1 else 0]
    if x.shape[-1] != rows:
        raise ValueError(
            f"{operation}: the inner lengths {x.shape[-1]} and {rows} differ "
            f"({names[0]} {x.shape}, {names[1]} {y.shape})"
        )


# --- products ----------------------------------------------------------------------------------------------------


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The matrix product; also written ``input @ other``.

    Shapes: matrices (n, k) @ (k, p) give (n, p). A vector (k,) is a row on the left and a column on the right, and
    that dimension is missing from the result; two vectors give a number. Dimensions before the last two are stacks of
    matrices and broadcast.

    Raises:
        TypeError: if the dtypes differ, or are bool.
        ValueError: if the inner lengths differ or the stacks do not broadcast.
    """
    one_dtype("matmul", input=input, other=other)
    x, y = input, other
    if not x.ndim or not y.ndim:
        raise ValueError(f"matmul: both tensors need at least one dimension (input {x.shape}, other {y.shape})")
    inner_lengths("matmul", x, y)
    if x.ndim == y.ndim == 1:
        return Dot().apply(x, y)
    if x.ndim == y.ndim == 2:
        return Matmul().apply(x, y)
    if y.ndim <= 2:  # one matrix for all rows: a single product, however many dimensions x has
        rows = x.shape[:-1]
        matrix = y if y.ndim == 2 else y.reshape(*y.shape, 1)
        z = Matmul().apply(x.reshape(math.prod(rows), x.shape[-1]), matrix)
        return z.reshape(rows + y.shape[1:])
    try:
        np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    except ValueError:
        raise ValueError(
            f"matmul: the dimensions before the last two do not broadcast (input {x.shape}, other {y.shape})"
        ) from None
    if x.ndim == 1:
        z = Matmul().apply(x.reshape(1, *x.shape), y)
        return z.reshape(y.shape[:-2] + y.shape[-1:])
    return Matmul().apply(x, y)


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices: (n, k) and (k, p) give (n, p)."""
    one_dtype("mm", input=input, mat2=mat2)
    ranks("mm", input=(input, 2), mat2=(mat2, 2))
    inner_lengths("mm", input, mat2, ("input", "mat2"))
    return Matmul().apply(input, mat2)


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two stacks of matrices, one by one: (b, n, k) and (b, k, p) give (b, n, p)."""
    one_dtype("bmm", input=input, mat2=mat2)
    ranks("bmm", input=(input, 3), mat2=(mat2, 3))
    if input.shape[0] != mat2.shape[0]:
        raise ValueError(
            f"bmm: input holds {input.shape[0]} matrices but mat2 holds {mat2.shape[0]} "
            f"(input {input.shape}, mat2 {mat2.shape})"
        )
    inner_lengths("bmm", input, mat2, ("input", "mat2"))
    return Matmul().apply(input, mat2)


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix and a vector: (n, k) and (k,) give (n,)."""
    one_dtype("mv", input=input, vec=vec)
    ranks("mv", input=(input, 2), vec=(vec, 1))
    inner_lengths("mv", input, vec, ("input", "vec"))
    return matmul(input, vec)


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The inner product of two vectors of one length: sum_k input_k tensor_k."""
    one_dtype("dot", input=input, tensor=tensor)
    ranks("dot", input=(input, 1), tensor=(tensor, 1))
    inner_lengths("dot", input, tensor, ("input", "tensor"))
    return Dot().apply(input, tensor)


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """The outer product of two vectors: z_ij = input_i vec2_j; the dtypes are promoted as in a product of numbers."""
    check.tensor("outer", input)
    check.tensor("outer", vec2, "vec2")
    ranks("outer", input=(input, 1), vec2=(vec2, 1))
    return mul(input.reshape(*input.shape, 1), vec2)


def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """beta * input + alpha * (mat1 @ mat2), where input broadcasts to the shape of the product.

    With beta = 0 the input is not looked at: NaN in it does not reach the result, and it gets no gradient.
    """
    one_dtype("addmm", input=input, mat1=mat1, mat2=mat2)
    ranks("addmm", mat1=(mat1, 2), mat2=(mat2, 2))
    inner_lengths("addmm", mat1, mat2, ("mat1", "mat2"))
    if input.dtype.kind != "f" and (isinstance(beta, float) or isinstance(alpha, float)):
        raise TypeError(f"addmm: beta and alpha must be integers for {input.dtype}, not {beta} and {alpha}")
    shape = (mat1.shape[0], mat2.shape[1])
    if input.ndim > 2 or any(length not in (1, size) for length, size in zip(input.shape[::-1], shape[::-1])):
        raise ValueError(f"addmm: input of shape {input.shape} does not broadcast to the product's shape {shape}")
    z = Matmul().apply(mat1, mat2)
    if alpha != 1:
        z = mul(z, alpha)
    if beta == 0:
        return z
    return add(input if beta == 1 else mul(input, beta), z)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input W^T + b: the affine map of a layer (D1-2.1.2-a).

    Shapes: input (..., in_features), weight (out_features, in_features), bias (out_features,) or one number for all
    features, result (..., out_features).

    Raises:
        TypeError: if the dtypes differ.
        ValueError: if the shapes do not fit.
    """
    x, w = input, weight
    if bias is None:
        one_dtype("linear", input=x, weight=w)
    else:
        one_dtype("linear", input=x, weight=w, bias=bias)
    if w.ndim != 2:
        raise ValueError(f"linear: weight must have 2 dimensions (out_features, in_features), not shape {w.shape}")
    if not x.ndim or x.shape[-1] != w.shape[1]:
        features = x.shape[-1] if x.ndim else 0
        raise ValueError(
            f"linear: input has {features} features but weight expects {w.shape[1]} (input {x.shape}, weight {w.shape})"
        )
    if bias is not None and bias.shape not in (w.shape[:1], (1,), ()):
        raise ValueError(f"linear: bias has shape {bias.shape} but weight has {w.shape[0]} rows (weight {w.shape})")
    if x.ndim == 2:
        return Linear().apply(x, w, bias)
    rows = x.shape[:-1]
    return Linear().apply(x.reshape(math.prod(rows), x.shape[-1]), w, bias).reshape(rows + w.shape[:1])
