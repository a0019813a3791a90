"""Resampling: results whose elements are elements of the input, or mixtures of two neighbours. ``interpolate``.

Such a map works along one dimension at a time: y[j] = sum over t of v_t[j] x[p_t[j]], with few terms t. As a matrix A
it is sparse, and the gradient goes back through its transpose, which adds v_t[j] g[j] to the places p_t[j].
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..autograd import Function, Tensor
from ..backend import namespace
from . import check
from .vocabulary import m

__all__ = ["interpolate"]


# --- along one dimension -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Taps:
    """y[j] = sum over t of weights[t][j] x[places[t][j]] along dimension ``axis``, where x is ``length`` long."""

    axis: int
    length: int
    places: tuple[tuple[int, ...], ...]
    weights: tuple[tuple[float, ...] | None, ...] = (None,)  # None: all of them are 1


def sampled(x: Any, taps: Taps) -> Any:
    """y = A x along one dimension."""
    indices = namespace(x).asarray
    parts = [x.take(indices(places), axis=taps.axis) for places in taps.places]
    weighted = [y if v is None else y * along(v, y, taps.axis) for y, v in zip(parts, taps.weights)]
    return sum(weighted[1:], weighted[0])


def spread(g: Any, taps: Taps) -> Any:
    """x = A^T g along one dimension: every g[j] goes to the places that y[j] was taken from.

    Places that follow one another, as they do inside of a padded image, are served by one addition. Where each element
    was taken r times in a row, places r apart follow one another.
    """
    shape = (*g.shape[: taps.axis], taps.length, *g.shape[taps.axis + 1 :])
    x, before = namespace(g).zeros(shape, g.dtype), (slice(None),) * taps.axis
    for places, weights in zip(taps.places, taps.weights):
        part = g if weights is None else g * along(weights, g, taps.axis)
        for j, p in runs(places, max(round(len(places) / taps.length), 1)):
            x[(*before, p)] += part[(*before, j)]
    return x


def along(weights: Sequence[float], x: Any, axis: int) -> Any:
    """The weights in the dtype of x, standing along dimension ``axis``."""
    return namespace(x).asarray(weights, x.dtype).reshape(-1, *[1] * (x.ndim - axis - 1))


def runs(places: Sequence[int], step: int) -> Iterator[tuple[slice, slice]]:
    """Slices (of j, of p) that cover every pair (j, places[j]) once, where j goes in steps of ``step``, p in ones."""
    for first in range(step):
        some = places[first::step]
        start = 0
        for end in range(1, len(some) + 1):
            if end == len(some) or some[end] != some[end - 1] + 1:
                yield (
                    slice(first + start * step, first + (end - 1) * step + 1, step),
                    slice(some[start], some[end - 1] + 1),
                )
                start = end


class Resample(Function):
    """y = A x, along one dimension after the other; dL/dx = A^T g: ``Spread``."""

    def __init__(self, dimensions: Sequence[Taps]) -> None:
        self.dimensions = dimensions

    def forward(self, x: Any) -> Any:
        for taps in self.dimensions:
            x = sampled(x, taps)
        return x

    def backward(self, g: Any) -> Any:
        return m.apply(Spread(self.dimensions), g)


class Spread(Function):
    """y = A^T x, along one dimension after the other; dL/dx = A g: ``Resample``."""

    def __init__(self, dimensions: Sequence[Taps]) -> None:
        self.dimensions = dimensions

    def forward(self, x: Any) -> Any:
        for taps in self.dimensions:
            x = spread(x, taps)
        return x

    def backward(self, g: Any) -> Any:
        return m.apply(Resample(self.dimensions), g)


# --- interpolation -----------------------------------------------------------------------------------------------

LINEAR = {3: "linear", 4: "bilinear", 5: "trilinear"}  # by the number of dimensions of the input


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
) -> Tensor:
    """A signal, image or volume in another size: (N, C, L), (N, C, H, W) or (N, C, D, H, W).

    Element j of the result stands at place p in the input, s = scale input places from one to the next:

    * "nearest": the element at floor(j s).
    * "linear", "bilinear", "trilinear" (for 3, 4, 5 dimensions): along each dimension (1 - f) x[i] + f x[i + 1], where
      i and f are the whole and the fractional part of p = (j + 1/2) s - 1/2 (elements are little areas, and input and
      result have the same edges), or, if ``align_corners``, of p = j s (elements are points, and the first and the
      last one of input and result agree). Beyond the edges, the first and the last element go on.

    s is 1 / scale_factor where that is given, otherwise length / size; (length - 1) / (size - 1) for ``align_corners``.

    Args:
        size: of the result, a number or one for each dimension.
        scale_factor: the size in units of that of the input, rounded down; a number or one for each dimension.
        recompute_scale_factor: let s be length / size where ``scale_factor`` is given too.

    Raises:
        TypeError: if the input is not floating point, or size or scale_factor are not numbers.
        ValueError: if the mode does not fit the shape, not exactly one of size and scale_factor is given, or a size is
            not positive.
    """
    x = check.floating("interpolate", input)
    if mode not in ("nearest", *LINEAR.values()):
        raise ValueError(f"interpolate: mode must be 'nearest', 'linear', 'bilinear' or 'trilinear', not {mode!r}")
    if x.ndim not in LINEAR or mode not in ("nearest", LINEAR[x.ndim]):
        dims = "3 to 5" if mode == "nearest" else next(n for n, name in LINEAR.items() if name == mode)
        raise ValueError(f"interpolate: mode {mode!r} is for inputs of {dims} dimensions, not of shape {x.shape}")
    if mode == "nearest" and align_corners is not None:
        raise ValueError("interpolate: align_corners has no meaning for mode 'nearest'")
    lengths, scales = new_lengths(x.shape, size, scale_factor)
    if recompute_scale_factor:
        if size is not None:
            raise ValueError("interpolate: recompute_scale_factor has no meaning where size is given")
        scales = None
    dimensions = []
    for axis, (old, new) in enumerate(zip(x.shape[2:], lengths)):
        step = 1 / scales[axis] if scales else old / new
        if mode == "nearest":
            dimensions.append(Taps(axis + 2, old, (nearest(old, new, step),)))
        else:
            places = linear_places(old, new, step, bool(align_corners))
            low = tuple(min(int(p), old - 1) for p in places)
            share = tuple(min(p - i, 1.0) for p, i in zip(places, low))
            high = tuple(min(i + 1, old - 1) for i in low)
            dimensions.append(Taps(axis + 2, old, (low, high), (tuple(1.0 - f for f in share), share)))
    return Resample(dimensions).apply(x)


def new_lengths(shape: tuple[int, ...], size: Any, scale_factor: Any) -> tuple[list[int], list[float] | None]:
    """The lengths of the result, and the scale factors if these were given."""
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate: exactly one of size and scale_factor is needed")
    name, given = ("size", size) if scale_factor is None else ("scale_factor", scale_factor)
    values = list(given) if isinstance(given, (tuple, list)) else [given] * (len(shape) - 2)
    if len(values) != len(shape) - 2:
        raise ValueError(f"interpolate: {name} must be one number or {len(shape) - 2}, not {given} (input {shape})")
    if scale_factor is None:
        lengths, scales = [check.integer("interpolate", value, "size") for value in values], None
    else:
        scales = [factor(value) for value in values]
        lengths = [math.floor(old * scale) for old, scale in zip(shape[2:], scales)]
    if min(lengths) < 1 or min(shape[2:]) < 1:
        raise ValueError(f"interpolate: sizes must be positive, but {shape[2:]} would become {tuple(lengths)}")
    return lengths, scales


def factor(value: Any) -> float:
    """A scale factor as a number."""
    if not isinstance(value, (int, float)):
        raise TypeError(f"interpolate: scale_factor must be a number, not {type(value).__name__}")
    if not 0 < value < math.inf:
        raise ValueError(f"interpolate: scale_factor must be positive and finite, not {value}")
    return float(value)


def nearest(old: int, new: int, step: float) -> tuple[int, ...]:
    """floor(j step) for each j; where j step is nearly whole, PyTorch's single precision decides on its side."""
    places = np.floor(np.arange(new, dtype=np.float32) * np.float32(step))
    return tuple(min(int(p), old - 1) for p in places)


def linear_places(old: int, new: int, step: float, align_corners: bool) -> list[float]:
    """Where the elements of the result stand in the input, not below 0."""
    if align_corners:
        return [j * ((old - 1) / (new - 1)) if new > 1 else 0.0 for j in range(new)]
    if new == old:
        step = 1.0  # whatever the scale factor, as in PyTorch
    return [max((j + 0.5) * step - 0.5, 0.0) for j in range(new)]
