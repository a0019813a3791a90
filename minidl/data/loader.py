"""DataLoader: the samples of a data set in batches, shuffled, prefetched, and resumable in the middle of an epoch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ..grad_mode import is_grad_enabled, set_grad_enabled
from ..random import Generator
from .collate import default_collate, default_convert
from .dataset import collated
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, load_sampler_state, sampler_state

__all__ = ["DataLoader"]


@dataclass
class _Pass:
    """How far the loader has come: ``batch`` batches of pass number ``epoch`` were handed out."""

    epoch: int
    batch: int = 0
    begun: bool = False  # and not yet at its end
    resumed: bool = False  # loaded from a state: the next iterator goes on from here


class DataLoader:
    """Iterate over ``dataset`` in batches.

    Each ``for batch in loader`` is one pass: ``sampler`` (or ``shuffle``) gives the order of the indices,
    ``batch_sampler`` (or ``batch_size`` and ``drop_last``) cuts them into batches, and ``collate_fn`` makes one batch
    of a list of samples. Passes may overlap: every iterator has an order of its own.

    Args:
        dataset: what has ``__getitem__`` and ``__len__``. Where it can give whole batches at once (``TensorDataset``,
            ``MNIST`` and its relatives without transforms, any ``Subset`` of them, whatever defines
            ``Dataset.collated``) and no ``collate_fn`` is given, it is asked for these: same result, less time.
        batch_size: samples in a batch. With None the samples come one by one, without a batch dimension.
        shuffle: a new random order in each pass.
        sampler: an iterable of indices, in place of ``shuffle``.
        batch_sampler: an iterable of lists of indices, in place of all of the above and of ``drop_last``.
        num_workers: threads that fetch ahead. 0 fetches in the thread of the caller, when a batch is asked for. The
            batches are the same, in the same order. Threads help where fetching waits or computes outside of Python's
            lock (files, NumPy); transforms that share a random generator take turns in no fixed order there.
        collate_fn: from a list of samples to a batch; by default ``default_collate``, or ``default_convert`` for
            ``batch_size=None``.
        pin_memory: accepted for PyTorch's sake; there is no pinned memory here.
        drop_last: leave out the last batch when it is smaller.
        generator: where ``shuffle`` draws from; by default the global generator.
        prefetch_factor: batches that each thread is ahead; by default 2.
        persistent_workers: accepted for PyTorch's sake; threads start in no time, so each pass starts its own.

    Raises:
        TypeError: when ``dataset`` is no data set.
        ValueError: when arguments contradict each other.
        Whatever ``dataset[i]`` raises, with a note that tells i, wherever it was raised.

    **Resuming.** ``state_dict()`` holds all that is needed to go on later, in another process:

    - ``epoch``: the number of passes that came before the present one;
    - ``batch``: the batches of this pass that were handed out, the one in the caller's hands included. So take the
      state after the training step on that batch, whatever was prefetched;
    - ``begun``: whether a pass is under way; ``sampler``: what its order follows from;
    - ``generator``: the state of ``generator``, if one was given (the global one is not the loader's to save);
    - ``samples``, ``batch_size``: to refuse a state that belongs to something else.

    After ``load_state_dict(state)`` the next iterator gives exactly the batches that were still to come in that pass,
    none if it had given its last, and the passes after it are those that would have followed. It draws nothing again
    and fetches nothing that was seen. With overlapping passes, the state is that of the one begun last. A pass left
    early is over: the next iterator begins the next pass. ``loader.epoch`` serves as the counter of the outer loop::

        for epoch in range(loader.epoch, epochs):
            for x, y in loader: ...
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler[int] | Iterable[int] | None = None,
        batch_sampler: Sampler[list[int]] | Iterable[list[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        *,
        generator: Generator | None = None,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
    ) -> None:
        if not (hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")):
            raise TypeError(f"DataLoader: a data set needs __getitem__ and __len__, not so {type(dataset).__name__}")
        if sampler is not None and shuffle:
            raise ValueError("DataLoader: give either sampler or shuffle, not both")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ValueError("DataLoader: give either batch_sampler or batch_size, shuffle, sampler and drop_last")
        if batch_size is None and drop_last:
            raise ValueError("DataLoader: drop_last needs a batch_size")
        if num_workers < 0:
            raise ValueError(f"DataLoader: num_workers must not be negative, got {num_workers}")
        if prefetch_factor is not None and (num_workers == 0 or prefetch_factor < 1):
            raise ValueError(
                "DataLoader: prefetch_factor must be positive and needs num_workers > 0, "
                f"got prefetch_factor={prefetch_factor}, num_workers={num_workers}"
            )
        if sampler is None:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_sampler is not None:
            batch_size = None
        elif batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.dataset = dataset
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.num_workers = num_workers
        self.prefetch_factor = 2 if prefetch_factor is None else prefetch_factor
        self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)
        self.generator = generator
        self._pass = _Pass(epoch=0)

    @property
    def _source(self) -> Any:
        """What is iterated to know what to fetch: lists of indices, or single ones where there are no batches."""
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def __len__(self) -> int:
        return len(self._source)

    # --- one pass ------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Any]:
        last = self._pass
        if last.resumed:
            here = _Pass(last.epoch, last.batch, begun=True)
        else:
            here = _Pass(last.epoch + last.begun, begun=True)
        self._pass = here
        still_to_come = islice(iter(self._source), here.batch, None)
        return self._deliver(still_to_come, here)

    def _deliver(self, source: Iterator[Any], here: _Pass) -> Iterator[Any]:
        """Hand out what ``source`` names, and keep count."""
        for batch in self._prefetched(source) if self.num_workers else map(self._fetch, source):
            here.batch += 1
            yield batch
        here.epoch, here.batch, here.begun = here.epoch + 1, 0, False

    def _prefetched(self, source: Iterator[Any]) -> Iterator[Any]:
        """As ``map(self._fetch, source)``, by threads that are a bounded number of batches ahead."""
        ahead: deque[Future[Any]] = deque()
        # no_grad() holds for one thread, so the threads are told what holds for the caller.
        pool = ThreadPoolExecutor(self.num_workers, "DataLoader", set_grad_enabled, (is_grad_enabled(),))
        try:
            for indices in islice(source, self.num_workers * self.prefetch_factor):
                ahead.append(pool.submit(self._fetch, indices))
            while ahead:
                batch = ahead.popleft().result()
                ahead.extend(pool.submit(self._fetch, indices) for indices in islice(source, 1))
                yield batch
        finally:  # at the end, after an error, and when the caller leaves the loop early
            pool.shutdown(cancel_futures=True)

    def _fetch(self, indices: Any) -> Any:
        """Get the samples, in the caller's thread or in another, and make a batch of them."""
        if self.batch_sampler is None:
            return self.collate_fn(self._sample(indices))
        batch = collated(self.dataset, indices) if self.collate_fn is default_collate else None
        if batch is not None:
            return batch
        return self.collate_fn([self._sample(index) for index in indices])

    def _sample(self, index: int) -> Any:
        try:
            return self.dataset[index]
        except Exception as error:
            error.add_note(f"DataLoader: raised by dataset[{index}]")
            raise

    # --- to go on later ------------------------------------------------------------------------------------------

    @property
    def epoch(self) -> int:
        """The number of passes before the present one, or before the next when none is under way."""
        return self._pass.epoch

    def state_dict(self) -> dict[str, Any]:
        """How far the loader has come; see "Resuming" above."""
        state: dict[str, Any] = {
            "epoch": self._pass.epoch,
            "batch": self._pass.batch,
            "begun": self._pass.begun,
            "samples": len(self.dataset),
            "batch_size": self.batch_size,
        }
        if self._pass.begun:
            state["sampler"] = sampler_state(self._source)
        if self.generator is not None:
            state["generator"] = self.generator.get_state()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``; see "Resuming" above.

        Raises:
            ValueError: when ``state`` is not the state of a loader, or belongs to other data or batches.
        """
        expected = {"epoch", "batch", "begun", "samples", "batch_size"}
        if self.generator is not None:
            expected.add("generator")
        missing = sorted(expected - set(state))
        if missing:
            raise ValueError(f"DataLoader.load_state_dict: the state lacks {', '.join(missing)}")
        theirs, ours = (state["samples"], state["batch_size"]), (len(self.dataset), self.batch_size)
        if theirs != ours:
            raise ValueError(
                f"DataLoader.load_state_dict: the state is that of {theirs[0]} samples with batch_size {theirs[1]}, "
                f"this loader has {ours[0]} with batch_size {ours[1]}"
            )
        self._pass = _Pass(state["epoch"], state["batch"], state["begun"], resumed=True)
        if self.generator is not None:
            self.generator.set_state(state["generator"])
        load_sampler_state(self._source, state.get("sampler", {}))
