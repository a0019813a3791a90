"""Diagonals and triangles of matrices: diagonal, diag, trace, tril, triu."""

from __future__ import annotations

from typing import Any

from ..autograd import Function, Tensor
from ..backend import namespace
from . import check
from .reduction import sum as sum_of
from .vocabulary import m

__all__ = ["diag", "diagonal", "trace", "tril", "triu"]


class Tril(Function):
    """y_ij = x_ij where j - i <= k, else 0; dL/dx_ij = g_ij where j - i <= k, else 0."""

    def __init__(self, k: int) -> None:
        self.k = k

    def forward(self, x: Any) -> Any:
        return namespace(x).tril(x, self.k)

    def backward(self, g: Any) -> Any:
        return m.tril(g, self.k)


class Triu(Function):
    """y_ij = x_ij where j - i >= k, else 0; dL/dx_ij = g_ij where j - i >= k, else 0."""

    def __init__(self, k: int) -> None:
        self.k = k

    def forward(self, x: Any) -> Any:
        return namespace(x).triu(x, self.k)

    def backward(self, g: Any) -> Any:
        return m.triu(g, self.k)


class Diagonal(Function):
    """y[.., i] = x[.., i, .., i + k, ..] for the two dimensions, a view; dL/dx = g on that diagonal, else 0."""

    is_view = True

    def __init__(self, k: int, dim1: int, dim2: int) -> None:
        self.k, self.dim1, self.dim2 = k, dim1, dim2

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        y = x.diagonal(self.k, self.dim1, self.dim2)
        if hasattr(y, "setflags"):  # NumPy hands a diagonal out read-only; x.diagonal().fill_(1) is to work
            y.setflags(write=x.flags.writeable)
        return y

    def backward(self, g: Any) -> Any:
        return m.apply(OnDiagonal(self.k, self.dim1, self.dim2, self.shape), g)


class OnDiagonal(Function):
    """y[.., i, .., i + k, ..] = x[.., i], and 0 off that diagonal; dL/dx = the diagonal of g."""

    def __init__(self, k: int, dim1: int, dim2: int, shape: tuple[int, ...]) -> None:
        self.k, self.dim1, self.dim2, self.shape = k, dim1, dim2, shape

    def forward(self, x: Any) -> Any:
        xp = namespace(x)
        y = xp.zeros(self.shape, x.dtype)
        i = xp.arange(x.shape[-1])
        matrices = xp.moveaxis(y, (self.dim1, self.dim2), (-2, -1))  # a view: what is set in it is set in y
        matrices[..., i + max(-self.k, 0), i + max(self.k, 0)] = x
        return y

    def backward(self, g: Any) -> Any:
        return m.apply(Diagonal(self.k, self.dim1, self.dim2), g)


def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangle of each matrix: zeros above ``diagonal`` (0 is the main one, 1 the one above it)."""
    return Tril(check.integer("tril", diagonal, "diagonal")).apply(matrices("tril", input))


def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle of each matrix: zeros below ``diagonal`` (0 is the main one, 1 the one above it)."""
    return Triu(check.integer("triu", diagonal, "diagonal")).apply(matrices("triu", input))


def matrices(operation: str, input: Tensor) -> Tensor:
    if check.tensor(operation, input).ndim < 2:
        raise ValueError(f"{operation}: a matrix or a stack of them is needed, not shape {input.shape}")
    return input


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The elements at (i, i + offset) of dimensions dim1 and dim2, which become one, the last; a view."""
    x = check.tensor("diagonal", input)
    k = check.integer("diagonal", offset, "offset")
    first = check.dimension("diagonal", dim1, x.ndim, "dim1")
    second = check.dimension("diagonal", dim2, x.ndim, "dim2")
    if first == second:
        raise ValueError(f"diagonal: dim1 and dim2 are both dimension {first} of shape {x.shape}")
    return Diagonal(on_matrix(k, x.shape[first], x.shape[second]), first, second).apply(x)


def on_matrix(k: int, rows: int, columns: int) -> int:
    """The number of a diagonal; of those outside of the matrix, which are all empty, the nearest."""
    return max(-rows, min(k, columns))


def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """The diagonal of a matrix; of a vector, the matrix that has it as its diagonal and zeros elsewhere."""
    x = check.tensor("diag", input)
    k = check.integer("diag", diagonal, "diagonal")
    if x.ndim == 2:
        return Diagonal(on_matrix(k, *x.shape), 0, 1).apply(x)
    if x.ndim != 1:
        raise ValueError(f"diag: a vector or a matrix is needed, not shape {x.shape}")
    n = x.shape[0] + abs(k)
    return OnDiagonal(k, 0, 1, check.countable("diag", (n, n))).apply(x)


def trace(input: Tensor) -> Tensor:
    """The sum of the elements on the main diagonal of a matrix."""
    x = check.tensor("trace", input)
    if x.ndim != 2:
        raise ValueError(f"trace: a matrix is needed, not shape {x.shape}")
    return sum_of(Diagonal(0, 0, 1).apply(x))
