"""Samplers: in which order the samples of a data set come, and how they are cut into batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from itertools import islice
from typing import Any, Generic, TypeVar

import numpy as np

from ..autograd import Tensor
from ..random import Generator, default_generator

__all__ = ["BatchSampler", "RandomSampler", "Sampler", "SequentialSampler"]

Index = TypeVar("Index", covariant=True)


class Sampler(Generic[Index]):
    """An order of indices. Subclasses define ``__iter__``, and ``__len__`` where the number is known.

    A sampler that draws at random also defines ``state_dict()`` and ``load_state_dict(state)``, such that the first
    pass after loading gives the indices of the pass in which the state was taken. One without them is expected to give
    the same indices in every pass.
    """

    def __iter__(self) -> Iterator[Index]:
        raise NotImplementedError(f"{type(self).__name__}: a Sampler defines __iter__()")


class SequentialSampler(Sampler[int]):
    """0, 1, ..., N - 1, where N is the length of ``data_source``."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """``num_samples`` indices at random (default: N, the length of ``data_source``).

    Without ``replacement`` each pass is a random order of 0 ... N - 1 (one order after the other, the last one cut,
    when ``num_samples`` differs from N); with it every index is drawn anew.

    A pass takes exactly one draw from ``generator`` (by default the global one), when it begins. So the state of the
    generator before that draw is all there is to remember of a pass, and how far the pass has come changes nothing.

    Raises:
        ValueError: when ``num_samples`` is not a positive int, or asked of an empty data source.
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        if num_samples is not None and (not isinstance(num_samples, int) or num_samples <= 0):
            raise ValueError(f"RandomSampler: num_samples must be a positive int, got {num_samples!r}")
        self.data_source = data_source
        self.replacement = replacement
        self.generator = generator
        self._num_samples = num_samples
        self._before: Tensor | None = None  # the state of the generator before the pass begun last
        self._resumed = False  # the next pass starts from that state again

    @property
    def num_samples(self) -> int:
        """How many indices a pass gives."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        if self.num_samples > 0 and not len(self.data_source):
            raise ValueError(f"RandomSampler: num_samples={self.num_samples}, but the data source is empty")
        if self._resumed and self._before is not None:
            self._resumed = False
            return self._draw(Generator().set_state(self._before).next())
        generator = default_generator if self.generator is None else self.generator
        self._before = generator.get_state()
        return self._draw(generator.next())

    def _draw(self, random: np.random.Generator) -> Iterator[int]:
        size, left = len(self.data_source), self.num_samples
        if self.replacement:
            yield from random.integers(size, size=left).tolist()
            return
        while left > 0:
            yield from random.permutation(size)[:left].tolist()
            left -= size

    def __len__(self) -> int:
        return self.num_samples

    def state_dict(self) -> dict[str, Any]:
        """What the pass begun last started from; empty before the first."""
        return {} if self._before is None else {"generator": self._before}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let the next pass give the indices of the pass in which ``state`` was taken."""
        self._before = state.get("generator")
        self._resumed = self._before is not None


class BatchSampler(Sampler[list[int]]):
    """Lists of ``batch_size`` indices each, as they come from ``sampler``.

    The last list is shorter when they do not divide evenly, or left out with ``drop_last``.

    Raises:
        ValueError: when ``batch_size`` is not a positive int.
    """

    def __init__(self, sampler: Sampler[int] | Iterable[int], batch_size: int, drop_last: bool) -> None:
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ValueError(f"BatchSampler: batch_size must be a positive int, got {batch_size!r}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        return self._cut(iter(self.sampler))  # the sampler begins its pass now, not when the first batch is asked for

    def _cut(self, indices: Iterator[int]) -> Iterator[list[int]]:
        while batch := list(islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]  # TypeError where the sampler does not know
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def state_dict(self) -> dict[str, Any]:
        """The state of the sampler inside, if it has one."""
        return sampler_state(self.sampler)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Hand ``state`` to the sampler inside."""
        load_sampler_state(self.sampler, state)


def sampler_state(sampler: Any) -> dict[str, Any]:
    """What ``sampler`` wants to have remembered: nothing, unless it has a ``state_dict``."""
    return sampler.state_dict() if hasattr(sampler, "state_dict") else {}


def load_sampler_state(sampler: Any, state: dict[str, Any]) -> None:
    """Give back to ``sampler`` what ``sampler_state`` got from it."""
    if hasattr(sampler, "load_state_dict"):
        sampler.load_state_dict(state)
