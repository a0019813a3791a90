"""Data sets: what has a length and gives a sample for an index."""

from __future__ import annotations

import contextlib
import math
import operator
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from numbers import Integral
from typing import Any, Generic, TypeVar

import numpy as np

from ..autograd import Tensor
from ..random import Generator, default_generator

__all__ = ["ConcatDataset", "Dataset", "Subset", "TensorDataset", "random_split"]

Sample = TypeVar("Sample", covariant=True)


class Dataset(Generic[Sample]):
    """A collection of samples. Subclasses define ``__getitem__(index)`` and ``__len__()``.

    A subclass that can give a whole batch faster than sample by sample may also define ``collated(indices)``: it
    returns what ``default_collate`` would make of the samples at ``indices`` (a 1-d int64 array), or None where it
    cannot. DataLoader then calls it in place of ``__getitem__``.
    """

    def __getitem__(self, index: int) -> Sample:
        raise NotImplementedError(f"{type(self).__name__}: a Dataset defines __getitem__(index)")

    def __add__(self, other: Dataset[Any]) -> ConcatDataset:
        return ConcatDataset([self, other])


def check_index(dataset: Any, index: Any) -> int:
    """Return ``index`` counted from the front; raise IndexError when there is no such sample."""
    try:
        position = operator.index(index)
    except TypeError:
        raise TypeError(f"{_kind(dataset)}: the index of a sample is an int, not {_kind(index)}") from None
    length = len(dataset)
    if not -length <= position < length:
        raise IndexError(f"{_kind(dataset)}: index {position} is out of range for {length} samples")
    return position % length


def collated(dataset: Any, indices: Sequence[int]) -> Any:
    """Ask ``dataset`` for a whole batch at once; None where only sample by sample is right.

    The class that has the last word on ``__getitem__`` must also be the one that says what ``collated`` does: a
    subclass that changes the samples alone must not get the batches of its parent.
    """
    author = next((base for base in type(dataset).__mro__ if "__getitem__" in vars(base)), None)
    if author is None or "collated" not in vars(author) or not len(indices):
        return None
    return dataset.collated(_check_indices(dataset, indices))


def _check_indices(dataset: Any, indices: Sequence[int]) -> np.ndarray:
    """``check_index`` for a batch, in one step when all is well."""
    length = len(dataset)
    with contextlib.suppress(TypeError):  # NumPy refuses tensors on a GPU, each of which can be an index by itself
        positions = np.array(indices)
        if positions.dtype.kind == "i" and positions.min() >= -length and positions.max() < length:
            return positions
    return np.array([check_index(dataset, index) for index in indices], dtype=np.int64)


def _kind(value: Any) -> str:
    return type(value).__name__


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Sample i is ``(tensors[0][i], tensors[1][i], ...)``: the tensors side by side, cut along dimension 0.

    Raises:
        TypeError: when an argument is not a tensor.
        ValueError: when there is none, one has no dimensions, or their lengths differ.
    """

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors:
            raise ValueError("TensorDataset: expected at least one tensor")
        for i, tensor in enumerate(tensors):
            if not isinstance(tensor, Tensor):
                raise TypeError(f"TensorDataset: argument {i} is of type {_kind(tensor)}, not a Tensor")
            if tensor.ndim == 0:
                raise ValueError(f"TensorDataset: tensor {i} has shape (), so there is no dimension to count samples")
            if tensor.shape[0] != tensors[0].shape[0]:
                raise ValueError(
                    f"TensorDataset: tensor {i} has {tensor.shape[0]} samples but tensor 0 has {tensors[0].shape[0]} "
                    f"(shapes {tensor.shape} and {tensors[0].shape})"
                )
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        if isinstance(index, Integral):  # PyTorch also takes whatever else a tensor takes: dataset[:10]
            index = check_index(self, index)
        return tuple(tensor[index] for tensor in self.tensors)

    def collated(self, indices: np.ndarray) -> list[Tensor]:
        """The batch of these samples: one fancy indexing for each tensor."""
        return [tensor[indices] for tensor in self.tensors]

    def __len__(self) -> int:
        return self.tensors[0].shape[0]


class Subset(Dataset[Sample]):
    """Sample i is ``dataset[indices[i]]``."""

    def __init__(self, dataset: Dataset[Sample], indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: int) -> Sample:
        return self.dataset[self.indices[check_index(self, index)]]

    def collated(self, indices: np.ndarray) -> Any:
        """The batch as the whole data set makes it."""
        return collated(self.dataset, [self.indices[index] for index in indices])

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset[Sample]):
    """The samples of several data sets, one after the other; ``first + second`` makes one too."""

    def __init__(self, datasets: Iterable[Dataset[Sample]]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset: expected at least one data set")
        self.cumulative_sizes = list(accumulate(map(len, self.datasets)))  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> Sample:
        index = check_index(self, index)
        which = bisect_right(self.cumulative_sizes, index)
        before = self.cumulative_sizes[which - 1] if which else 0
        return self.datasets[which][index - before]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


def random_split(
    dataset: Dataset[Sample], lengths: Sequence[int | float], generator: Generator | None = None
) -> list[Subset[Sample]]:
    """Split ``dataset`` at random into parts of the given lengths; no sample is in two of them.

    Lengths that sum to 1 are fractions: part k gets floor(fraction_k * N) samples, and those left over go one each to
    the parts in turn, from the first. The order is drawn from ``generator``, by default the global one.

    Raises:
        ValueError: for a negative length, or when the lengths sum neither to N nor, as fractions, to 1.
    """
    size = len(dataset)  # type: ignore[arg-type]
    if any(length < 0 for length in lengths):
        raise ValueError(f"random_split: lengths must not be negative, got {list(lengths)}")
    if math.isclose(sum(lengths), 1):
        counts = [math.floor(size * fraction) for fraction in lengths]
        for i in range(size - sum(counts)):
            counts[i % len(counts)] += 1
    else:
        counts = list(lengths)  # type: ignore[arg-type]  # that they are integers is checked next
    if sum(counts) != size or not all(isinstance(count, Integral) for count in counts):
        raise ValueError(
            f"random_split: lengths {list(lengths)} must sum to the {size} samples there are, or to 1 as fractions"
        )
    order = (default_generator if generator is None else generator).next().permutation(size).tolist()
    return [Subset(dataset, order[end - count : end]) for end, count in zip(accumulate(counts), counts, strict=True)]
