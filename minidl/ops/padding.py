"""Padding: elements added around a tensor, constants or elements of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..autograd import Tensor
from . import check
from .indexing import Slice, Unslice
from .resampling import Resample, Taps
from .shape import clone

__all__ = ["pad"]

Pairs = list[tuple[int, int]]  # (before, after) for each dimension

CONTINUED = ("reflect", "replicate", "circular")


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """The tensor with elements added around it.

    ``pad`` counts from the last dimension: (before, after) of the last, then (before, after) of the one before it, and
    so on. Negative numbers cut elements off.

    Args:
        mode: what is added: "constant" (``value``), "reflect" (a b c | b a: as in a mirror on the last element),
            "replicate" (a b c | c c: the last element again) or "circular" (a b c | a b: the other end). The last three
            pad the last 1, 2 or 3 dimensions of a tensor that has one or two more.
        value: the constant, 0 unless given.

    Raises:
        TypeError: if the numbers are not integers, or value is not a number.
        ValueError: if the numbers do not come in pairs, are too many or too few for the mode, or cut off more than
            there is; if there is less to continue the tensor with than the mode needs.
    """
    x = check.tensor("pad", input)
    if mode != "constant" and mode not in CONTINUED:
        raise ValueError(f"pad: mode must be 'constant', 'reflect', 'replicate' or 'circular', not {mode!r}")
    widths = check.shape_from("pad", (pad,))
    if len(widths) % 2 or len(widths) > 2 * x.ndim:
        raise ValueError(
            f"pad: {len(widths)} numbers for a tensor of shape {x.shape}; they come in pairs, at most one a dimension"
        )
    if value is not None and not isinstance(value, (bool, int, float)):
        raise TypeError(f"pad: value must be a number, not {type(value).__name__}")
    pairs = list(zip(widths[-2::-2], widths[::-2], strict=True))
    pairs = [(0, 0)] * (x.ndim - len(pairs)) + pairs
    kept = [size + min(a, 0) + min(b, 0) for size, (a, b) in zip(x.shape, pairs, strict=True)]
    if min(kept, default=0) < 0:
        raise ValueError(f"pad: {widths} cuts more off than there is in shape {x.shape}")
    if mode == "constant":
        return surrounded(x, pairs, kept, value or 0)
    if len(widths) // 2 not in (x.ndim - 1, x.ndim - 2) or not 2 <= len(widths) <= 6:
        raise ValueError(
            f"pad: mode {mode!r} pads the last 1, 2 or 3 dimensions of a tensor that has one or two more, but there "
            f"are {len(widths)} numbers for shape {x.shape}"
        )
    if value:
        raise ValueError(f"pad: mode {mode!r} has no use for a value, but value={value}")
    return continued(x, pairs, kept, mode)


def surrounded(x: Tensor, pairs: Pairs, kept: list[int], value: float) -> Tensor:
    """Padding with a constant: what is kept of x, set into a tensor that holds the constant elsewhere."""
    if min(map(min, pairs), default=0) < 0:
        starts = [-min(before, 0) for before, _ in pairs]
        x = Slice((*map(slice, starts, [a + n for a, n in zip(starts, kept, strict=True)]), ...)).apply(x)
    starts = [max(before, 0) for before, _ in pairs]
    ends = [start + length for start, length in zip(starts, kept, strict=True)]
    shape = tuple(end + max(after, 0) for end, (_, after) in zip(ends, pairs, strict=True))
    return Unslice((*map(slice, starts, ends), ...), shape, value).apply(x)


def continued(x: Tensor, pairs: Pairs, kept: list[int], mode: str) -> Tensor:
    """Padding with elements of x: every element of the result is one of x."""
    dimensions = []
    for axis, (size, (before, after), rest) in enumerate(zip(x.shape, pairs, kept, strict=True)):
        if not before and not after:
            continue
        limit = {"reflect": size - 1, "replicate": math.inf, "circular": rest}[mode]
        if not rest or max(before, after) > limit:
            raise ValueError(
                f"pad: mode {mode!r} cannot continue dimension {axis} of shape {x.shape} by {before} in front and "
                f"{after} behind"
            )
        places = tuple(place(p, size, mode, max(-before, 0), rest) for p in range(-before, size + after))
        dimensions.append(Taps(axis, size, (places,)))
    return Resample(dimensions).apply(x) if dimensions else clone(x)


def place(p: int, size: int, mode: str, start: int, rest: int) -> int:
    """Which of the elements 0 to size - 1 stands at place p; from ``start`` on, ``rest`` of them are kept."""
    if mode == "reflect":
        return -p if p < 0 else 2 * (size - 1) - p if p >= size else p
    if mode == "replicate":
        return min(max(p, 0), size - 1)
    return start + (p - start) % rest
