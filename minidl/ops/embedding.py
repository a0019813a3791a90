"""Embedding: rows of a table, looked up by number."""

from __future__ import annotations

from typing import Any

from ..autograd import Function, Tensor
from ..backend import namespace
from . import check
from .indexing import AddAt, integers
from .piecewise import gate
from .vocabulary import m

__all__ = ["embedding"]


class Embedding(Function):
    """y_j = W_{i_j}; dL/dW_k = sum of the g_j with i_j = k, without those where k is the padding index.

    It is the product of one-hot rows with W without the zeros. The gradient adds rows of g up in a table of zeros; a
    row that was looked up twice gets both.
    """

    def __init__(self, padding: int | None) -> None:
        self.padding = padding

    def forward(self, weight: Any, index: Any) -> Any:
        self.shape, self.index = weight.shape, index
        self.saved = (index,) if self.padding is None else (index, (index != self.padding)[..., None])
        return namespace(weight).take(weight, index, axis=0)

    def backward(self, g: Any) -> Any:
        index, *counts = self.saved
        if counts:
            g = gate(g, counts[0])
        return m.apply(AddAt((self.index,), self.shape), g, index), None


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """The rows of ``weight`` that ``input`` names.

    Shapes: input (...), weight (num_embeddings, embedding_dim), result (..., embedding_dim).

    Args:
        input: row numbers, signed integers from 0 on.
        weight: the table.
        padding_idx: a row that gets no gradient; negative numbers count from the end.

    Raises:
        IndexError: if a number is out of range.
        TypeError: if the input does not hold signed integers.
        ValueError: if weight is not a matrix or padding_idx is out of range.
    """
    integers("embedding", input, "input")
    if check.tensor("embedding", weight, "weight").ndim != 2:
        raise ValueError(
            f"embedding: weight must have 2 dimensions (num_embeddings, embedding_dim), not shape {weight.shape}"
        )
    rows = weight.shape[0]
    if padding_idx is not None:
        if not -rows <= padding_idx < rows:
            raise ValueError(f"embedding: padding_idx is {padding_idx}, but weight has {rows} rows")
        padding_idx %= rows
    index = input.array
    if index.size and index.view(f"u{index.itemsize}").max() >= rows:  # without a sign, negative numbers are too large
        position = tuple(int(i) for i in namespace(index).argwhere((index < 0) | (index >= rows))[0])
        place = f"[{', '.join(map(str, position))}]" if position else ""
        raise IndexError(f"embedding: input{place} is {int(index[position])}, but weight has {rows} rows")
    return Embedding(padding_idx).apply(weight, input)
