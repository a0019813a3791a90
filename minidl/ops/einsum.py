"""Sums of products written with indices: ``einsum("ij,jk->ik", x, y)`` is the matrix product.

The equation is reduced, operand by operand, to products of two tensors in which every index stands in at least two of
the three places: left factor, right factor, result. Such a product is a product of matrices, and so are its gradients.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..autograd import Function, Tensor
from . import check
from .diagonals import diagonal
from .linalg import one_dtype, product
from .vocabulary import m

__all__ = ["einsum"]

Label = str | int  # a letter, or for a dimension under the ellipsis its number from the end: -1, -2, ...
Labels = tuple[Label, ...]


class Contract(Function):
    """z = sum of x y over the indices that z does not have; x, y and z each have a tuple of indices.

    An index of x stands in y or in z as well, and so on around. Then the gradient is the same operation with the
    places exchanged: z_c = sum x_a y_b gives dL/dx_a = sum g_c y_b over the indices that x does not have.
    """

    def __init__(self, left: Labels, right: Labels, result: Labels) -> None:
        self.left, self.right, self.result = left, right, result

    def forward(self, x: Any, y: Any) -> Any:
        self.saved = x, y
        left, right, result = self.left, self.right, self.result
        stacked = [i for i in left if i in right and i in result]
        summed = [i for i in left if i in right and i not in result]
        rows = [i for i in left if i not in right]
        columns = [i for i in right if i not in left]
        length = dict(zip(left, x.shape)) | dict(zip(right, y.shape))
        x = arranged(x, left, stacked, rows, summed)
        y = arranged(y, right, stacked, summed, columns)
        z = product(x, y) if summed else x * y  # without a sum y is (..., 1, columns), and x a column
        order = stacked + rows + columns
        z = z.reshape([length[i] for i in order])
        return z.transpose([order.index(i) for i in result])

    def backward(self, g: Any) -> Any:
        x, y = self.saved
        left, right, result = self.left, self.right, self.result
        return (
            m.apply(Contract(result, right, left), g, y) if self.needs_grad(0) else None,
            m.apply(Contract(result, left, right), g, x) if self.needs_grad(1) else None,
        )


def arranged(x: Any, labels: Labels, stacked: list[Label], rows: list[Label], columns: list[Label]) -> Any:
    """The array as a stack of matrices: each of the three groups of indices becomes one dimension."""
    order = [labels.index(i) for i in (*stacked, *rows, *columns)]
    x = x.transpose(order)
    cuts = (len(stacked), len(stacked) + len(rows))
    groups = (x.shape[: cuts[0]], x.shape[cuts[0] : cuts[1]], x.shape[cuts[1] :])
    x = x.reshape([math.prod(group) for group in groups])
    return x if stacked else x[0]


# --- the equation ------------------------------------------------------------------------------------------------


def parse(equation: str, shapes: Sequence[tuple[int, ...]]) -> tuple[list[Labels], Labels]:
    """The labels of each operand's dimensions, and those of the result."""
    if not isinstance(equation, str):
        raise TypeError(f"einsum: equation must be a string, not {type(equation).__name__}")
    text = equation.replace(" ", "")
    inputs, arrow, output = text.partition("->")
    terms = inputs.split(",")
    for term in (*terms, output):
        letters = term.replace("...", "", 1)
        if not (letters.isascii() and letters.isalpha()) and letters:
            raise ValueError(f"einsum: {term!r} in {equation!r} holds more than letters and one ellipsis")
    if len(terms) != len(shapes):
        raise ValueError(f"einsum: {equation!r} has {len(terms)} operands, but {len(shapes)} were given")
    operands = [operand_labels(equation, term, shape, i) for i, (term, shape) in enumerate(zip(terms, shapes))]
    covered = sorted({i for labels in operands for i in labels if isinstance(i, int)})
    if not arrow:
        letters = inputs.replace(",", "").replace(".", "")
        return operands, (*covered, *sorted(i for i in set(letters) if letters.count(i) == 1))
    before, ellipsis, after = output.partition("...")
    result = (*before, *(covered if ellipsis else ()), *after)
    for i in before + after:
        if result.count(i) > 1:
            raise ValueError(f"einsum: {i!r} stands twice in the result of {equation!r}")
        if not any(i in labels for labels in operands):
            raise ValueError(f"einsum: {i!r} in the result of {equation!r} is in no operand")
    return operands, result


def operand_labels(equation: str, term: str, shape: tuple[int, ...], number: int) -> Labels:
    before, ellipsis, after = term.partition("...")
    extra = len(shape) - len(before) - len(after)
    if extra < 0 or (extra and not ellipsis):
        raise ValueError(
            f"einsum: operand {number} has shape {shape}, but {term!r} in {equation!r} stands for "
            f"{'at least ' if ellipsis else ''}{len(before) + len(after)} dimensions"
        )
    return (*before, *range(-extra, 0), *after)


def common_lengths(equation: str, operands: list[Labels], shapes: Sequence[tuple[int, ...]]) -> dict[Label, int]:
    """The length of each index: the same wherever it stands, except that a 1 broadcasts."""
    length: dict[Label, int] = {}
    for number, (labels, shape) in enumerate(zip(operands, shapes)):
        for i, n in zip(labels, shape):
            if labels.count(i) > 1 and any(n != other for j, other in zip(labels, shape) if j == i):
                raise ValueError(f"einsum: {i!r} repeats in operand {number} of {equation!r} with different lengths")
            known = length.setdefault(i, n)
            if known == 1:
                length[i] = n
            elif n not in (1, known):
                name = repr(i) if isinstance(i, str) else "the ellipsis"
                raise ValueError(
                    f"einsum: {name} in {equation!r} has length {known} before, but {n} in operand {number} "
                    f"(shape {shape})"
                )
    return length


# --- the reduction -----------------------------------------------------------------------------------------------


def without_repeats(x: Tensor, labels: Labels) -> tuple[Tensor, Labels]:
    """x_ii.. becomes its diagonal x_i.., for every index that repeats."""
    for i in labels:
        while labels.count(i) > 1:
            first = labels.index(i)
            second = labels.index(i, first + 1)
            x = diagonal(x, 0, first, second)
            labels = (*(j for k, j in enumerate(labels) if k not in (first, second)), i)
    return x, labels


def without_ones(x: Tensor, labels: Labels, length: dict[Label, int]) -> tuple[Tensor, Labels]:
    """Drops the dimensions of length 1 whose index is longer elsewhere: there they would only be repeated."""
    kept = [k for k, i in enumerate(labels) if x.shape[k] == length[i]]
    if len(kept) == len(labels):
        return x, labels
    return x.reshape([x.shape[k] for k in kept]), tuple(labels[k] for k in kept)


def summed_up(x: Tensor, labels: Labels, needed: set[Label]) -> tuple[Tensor, Labels]:
    """Sums over the indices that nobody else needs."""
    alone = [k for k, i in enumerate(labels) if i not in needed]
    if not alone:
        return x, labels
    return x.sum(alone), tuple(i for i in labels if i in needed)


def einsum(equation: str, *operands: Tensor) -> Tensor:
    """The sum of products that the equation names by indices, one letter a dimension.

    Indices that are missing from the result are summed over, those that repeat within an operand take its diagonal,
    and ``...`` stands for any further dimensions, which broadcast. Without ``->`` the result has the ellipsis and then,
    in alphabetical order, the letters that stand once. Products are taken from left to right. Examples::

        einsum("ij,jk->ik", x, y)    matrix product        einsum("ii", x)      trace
        einsum("i,j->ij", x, y)      outer product         einsum("ij->ji", x)  transpose
        einsum("...ij,...jk", x, y)  stacks of products    einsum("bi,ij,bj->b", x, a, y)  bilinear form

    Raises:
        TypeError: if the operands differ in dtype, or the equation is no string.
        ValueError: if the equation is malformed or does not fit the shapes.
    """
    if not operands:
        raise ValueError("einsum: at least one operand is needed")
    for number, x in enumerate(operands):
        check.tensor("einsum", x, f"operand {number}")
    if len(operands) > 1:
        one_dtype("einsum", **{f"operand {number}": x for number, x in enumerate(operands)})
    shapes = [x.shape for x in operands]
    terms, result = parse(equation, shapes)
    length = common_lengths(equation, terms, shapes)
    factors = []
    for x, labels in zip(operands, terms):
        x, labels = without_repeats(x, labels)
        factors.append(without_ones(x, labels, length))
    z, have = factors.pop(0)
    while factors:
        y, labels = factors.pop(0)
        later = set(result).union(*(other for _, other in factors))
        z, have = summed_up(z, have, later | set(labels))
        y, labels = summed_up(y, labels, later | set(have))
        union = (*have, *(i for i in labels if i not in have))
        to = result if not factors else tuple(i for i in union if i in later)
        z, have = Contract(have, labels, to).apply(z, y), to
    z, have = summed_up(z, have, set(result))
    return z if have == result else z.permute([have.index(i) for i in result])
