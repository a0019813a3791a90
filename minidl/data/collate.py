"""From a list of samples to one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import ops
from ..autograd import Tensor
from ..backend import DTYPES
from ..creation import tensor

__all__ = ["default_collate", "default_convert"]


def default_collate(batch: Sequence[Any]) -> Any:
    """Put samples together, structure by structure, with a new first dimension of length N = ``len(batch)``.

    - Tensors, NumPy arrays and NumPy numbers are stacked: N times shape S becomes (N, *S), dtypes stay.
    - Python's numbers become a tensor (N,): bool, int as int64, float as float64 (not float32, as in PyTorch).
    - Strings and bytes stay the sequence that they are.
    - Mappings are put together key by key, to a dict; tuples and lists place by place, to a list, and named tuples
      to a named tuple. What they hold is treated in the same way.

    Raises:
        TypeError: for anything else.
        ValueError: when shapes, lengths or keys differ within the batch, or the batch is empty.
    """
    if not len(batch):
        raise ValueError("default_collate: the batch is empty")
    first = batch[0]
    if isinstance(first, Tensor | np.ndarray | np.number | np.bool_):
        return _stack([_as_tensor("default_collate", sample) for sample in batch])
    if isinstance(first, int | float):
        return _numbers(batch)
    if isinstance(first, str | bytes):
        return batch
    if isinstance(first, Mapping):
        return {key: default_collate([_member(sample, key, i) for i, sample in enumerate(batch)]) for key in first}
    if isinstance(first, Sequence):
        parts = [default_collate(samples) for samples in _transposed(batch)]
        return type(first)(*parts) if hasattr(first, "_fields") else parts
    raise TypeError(
        "default_collate: a sample is made of tensors, NumPy arrays, numbers, strings, mappings and sequences, "
        f"not {type(first).__name__}; pass a collate_fn that knows what to do with it"
    )


def default_convert(data: Any) -> Any:
    """Turn the NumPy arrays in one sample into tensors and leave its structure and all else as it is."""
    if isinstance(data, np.ndarray | np.number | np.bool_):
        return _as_tensor("default_convert", data)
    if isinstance(data, Mapping):
        return {key: default_convert(value) for key, value in data.items()}
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*map(default_convert, data))
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return [default_convert(value) for value in data]
    return data


def _as_tensor(caller: str, value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if not isinstance(value, np.ndarray | np.number | np.bool_):
        raise TypeError(f"{caller}: a batch that begins with a tensor or an array also holds a {type(value).__name__}")
    if value.dtype not in DTYPES:
        raise TypeError(f"{caller}: there are no tensors of {value.dtype}")
    return Tensor(np.asarray(value))


def _stack(tensors: list[Tensor]) -> Tensor:
    shape = tensors[0].shape
    for i, each in enumerate(tensors):
        if each.shape != shape:
            raise ValueError(
                f"default_collate: sample {i} has shape {each.shape} but sample 0 has shape {shape}; "
                "pass a collate_fn that pads them"
            )
    return ops.stack(tensors)


def _numbers(batch: Sequence[Any]) -> Tensor:
    for i, number in enumerate(batch):
        if not isinstance(number, int | float):
            raise TypeError(f"default_collate: sample 0 is a number but sample {i} is of type {type(number).__name__}")
    return tensor(list(batch), dtype=np.float64 if isinstance(batch[0], float) else None)


def _member(sample: Any, key: Any, i: int) -> Any:
    if not isinstance(sample, Mapping) or key not in sample:
        raise ValueError(f"default_collate: sample 0 has the key {key!r} but sample {i} has not")
    return sample[key]


def _transposed(batch: Sequence[Any]) -> list[tuple[Any, ...]]:
    """From N samples of K places each to K places of N samples each."""
    for i, sample in enumerate(batch):
        if not isinstance(sample, Sequence) or len(sample) != len(batch[0]):
            raise ValueError(f"default_collate: sample 0 has {len(batch[0])} places but sample {i} has not")
    return list(zip(*batch, strict=True))
