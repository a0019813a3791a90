"""Embedding as a layer: a learned vector for every number."""

from __future__ import annotations

from typing import Any

from ..autograd import Tensor
from ..grad_mode import no_grad
from ..ops import check
from . import functional as F
from . import init
from .init import empty
from .module import Module
from .parameter import Parameter

__all__ = ["Embedding"]


class Embedding(Module):
    """y = the rows of W that the input names: one learned vector for every word, letter or other thing with a number.

    Shapes: input (...), signed integers from 0 to num_embeddings - 1; W (num_embeddings, embedding_dim); y (...,
    embedding_dim).

    W starts standard normal.

    Args:
        padding_idx: a row for places that hold nothing: it starts as zeros and gets no gradient. A negative number
            counts from the end.
        _weight: the table to start from, instead of a random one; its memory is shared.
        _freeze: whether the table stays as it is.

    Raises:
        IndexError: if the input names a row that does not exist.
        TypeError: if the input does not hold signed integers.
        ValueError: if padding_idx is out of range, or _weight has another shape.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = self.row(padding_idx)
        if _weight is None:
            table = empty("Embedding", (num_embeddings, embedding_dim), device, dtype)
            self.weight = Parameter(table, requires_grad=not _freeze)
            self.reset_parameters()
        else:
            shape = (num_embeddings, embedding_dim)
            if check.tensor("Embedding", _weight, "_weight").shape != shape:
                raise ValueError(
                    f"Embedding: _weight has shape {_weight.shape} but (num_embeddings, embedding_dim) is {shape}"
                )
            self.weight = Parameter(_weight, requires_grad=not _freeze)

    def row(self, padding_idx: int | None) -> int | None:
        """The padding row counted from the first."""
        if padding_idx is None:
            return None
        rows = self.num_embeddings
        if not -rows <= check.integer("Embedding", padding_idx, "padding_idx") < rows:
            raise ValueError(f"Embedding: padding_idx is {padding_idx}, but num_embeddings is {rows}")
        return padding_idx % rows

    def reset_parameters(self) -> None:
        """Draw new initial values; the padding row becomes zeros."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True, padding_idx: int | None = None) -> Embedding:
        """A layer over a table that exists, and whose memory it shares.

        Args:
            embeddings: the table, (num_embeddings, embedding_dim).
            freeze: whether the table stays as it is; False lets it learn on.
            padding_idx: as for the layer, but the row keeps its values.

        Raises:
            TypeError: if ``embeddings`` is not a Tensor.
            ValueError: if it does not have 2 dimensions, or padding_idx is out of range.
        """
        if check.tensor("Embedding.from_pretrained", embeddings, "embeddings").ndim != 2:
            raise ValueError(
                f"Embedding.from_pretrained: embeddings must have 2 dimensions (num_embeddings, embedding_dim), not "
                f"shape {embeddings.shape}"
            )
        rows, columns = embeddings.shape
        return cls(rows, columns, padding_idx, _weight=embeddings, _freeze=freeze)

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
