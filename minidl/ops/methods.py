"""The operations that are methods of Tensor as well: the one list of them.

``Tensor`` inherits from this class as far as editors and type checkers can see. At run time ``minidl.ops`` copies the
entries onto Tensor, because operations are made of Functions and Tensors and so cannot come first.
"""

from __future__ import annotations

from typing import Any

from ..autograd import Tensor
from . import activation, arithmetic, extrema, indexing, linalg, reduction, shape, softmaxes, sorting

__all__ = ["Methods", "attach"]


class Methods:
    """What every Tensor can do; ``self`` is the operation's first argument."""

    __slots__ = ()

    # arithmetic
    add = __add__ = arithmetic.add
    sub = __sub__ = arithmetic.sub
    mul = __mul__ = __rmul__ = arithmetic.mul
    div = __truediv__ = arithmetic.div
    neg = __neg__ = arithmetic.neg

    def __radd__(self, other: Any) -> Tensor:
        return arithmetic.add(other, self)

    def __rsub__(self, other: Any) -> Tensor:
        return arithmetic.sub(other, self)

    def __rtruediv__(self, other: Any) -> Tensor:
        return arithmetic.div(other, self)

    # reductions
    sum = reduction.sum
    mean = reduction.mean
    max = extrema.max
    min = extrema.min
    amax = extrema.amax
    amin = extrema.amin
    argmax = extrema.argmax
    argmin = extrema.argmin
    logsumexp = softmaxes.logsumexp
    softmax = softmaxes.softmax
    log_softmax = softmaxes.log_softmax
    sort = sorting.sort
    argsort = sorting.argsort
    topk = sorting.topk

    # shape
    reshape = shape.reshape
    permute = shape.permute
    transpose = shape.transpose
    swapaxes = shape.swapaxes
    t = shape.t
    broadcast_to = shape.broadcast_to

    @property
    def T(self) -> Tensor:
        """The transpose of a matrix."""
        return shape.t(self)

    @property
    def mT(self) -> Tensor:
        """The last two dimensions exchanged."""
        return shape.transpose(self, -2, -1)

    # indexing
    __getitem__ = indexing.getitem
    index_select = indexing.index_select
    masked_select = indexing.masked_select
    narrow = indexing.narrow
    nonzero = indexing.nonzero
    select = indexing.select
    take = indexing.take

    # products
    matmul = __matmul__ = linalg.matmul

    # activations
    relu = activation.relu


def attach() -> None:
    """Put every entry of ``Methods`` on Tensor."""
    for name, method in vars(Methods).items():
        if name not in (
            "__module__",
            "__qualname__",
            "__doc__",
            "__slots__",
            "__annotations__",
            "__dict__",
            "__weakref__",
        ):
            setattr(Tensor, name, method)
