"""How a Tensor looks when it is printed: as in PyTorch, with four digits and aligned columns.

All numbers of a tensor are written in one of three forms, chosen for the tensor as a whole: as whole numbers with a
point (``3.``) if all are whole, with four digits behind the point, or in scientific notation where four digits would
not show the small ones beside the large ones. A tensor of more than 1,000 elements shows the first and last three of
each dimension.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from . import backend

if TYPE_CHECKING:
    from .autograd import Tensor

__all__ = ["set_printoptions"]


@dataclass(frozen=True)
class Options:
    """What ``set_printoptions`` sets."""

    precision: int = 4
    threshold: int = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_options = Options()


def set_printoptions(
    precision: int | None = None,
    threshold: int | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Choose how tensors are printed; what is not given stays as it is, except ``sci_mode``, as in PyTorch.

    Args:
        precision: digits behind the point.
        threshold: the number of elements from which on only the edges are shown.
        edgeitems: how many elements an edge has.
        linewidth: the number of characters a line.
        profile: "default", "short" (two digits, small edges) or "full" (no summary): the values to start from.
        sci_mode: scientific notation always (True), never (False), or where it is needed (None).

    Raises:
        ValueError: for an unknown profile.
    """
    global _options
    profiles = {
        None: _options,
        "default": Options(),
        "short": Options(precision=2, edgeitems=2),
        "full": Options(threshold=2**63),
    }
    if profile not in profiles:
        raise ValueError(f"set_printoptions: profile must be 'default', 'short' or 'full', not {profile!r}")
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    chosen = {name: value for name, value in given.items() if value is not None}
    _options = replace(profiles[profile], **chosen, sci_mode=sci_mode)


def represent(tensor: Tensor) -> str:
    """``tensor([[1., 2.]], requires_grad=True)``: the values, then whatever is not the default."""
    array = backend.backend_of(tensor.array).to_numpy(tensor.array)
    prefix = "tensor("
    text = values(array, len(prefix)) if array.size else "[]"
    notes = []
    if tensor.device.type != "cpu":
        notes.append(f"device='{tensor.device}'")
    if not array.size and array.ndim != 1:
        notes.append(f"size={array.shape}")
    telling = (backend.int64, backend.bool_) if array.size else ()  # dtypes that the values themselves show
    if array.dtype not in (backend.get_default_dtype(), *telling):
        notes.append(f"dtype=minidl.{array.dtype}")
    if tensor.grad_fn is not None:
        notes.append(f"grad_fn=<{name_of(tensor.grad_fn)}>")
    elif tensor.requires_grad:
        notes.append("requires_grad=True")
    return with_notes(prefix + text, notes, len(prefix))


def name_of(node: Any) -> str:
    """The operation that made a tensor; one of several outputs is named after the operation that made them all."""
    node = getattr(node, "function", node)
    return type(node).__name__


def with_notes(text: str, notes: list[str], indent: int) -> str:
    """The notes behind the values, on a further line where the last one is full."""
    used = len(text) - text.rfind("\n") + 1  # with the comma and the parenthesis that will follow
    for note in notes:
        if used + len(note) + 2 > _options.linewidth:
            text += ",\n" + " " * indent + note
            used = indent + len(note)
        else:
            text += ", " + note
            used += len(note) + 2
    return text + ")"


# --- the values --------------------------------------------------------------------------------------------------


def values(array: np.ndarray, indent: int) -> str:
    """The values in brackets; ``indent`` characters stand before them on the first line."""
    summarised = array.size > _options.threshold
    shown = edges(array) if summarised else array
    write = float_writer(shown) if array.dtype.kind == "f" else str
    width = widest(shown, write)
    return brackets(array, indent, summarised, lambda value: write(value).rjust(width), width)


def edges(array: np.ndarray) -> np.ndarray:
    """Only those elements that a summary shows."""
    k = _options.edgeitems
    for axis, length in enumerate(array.shape):
        if length > 2 * k:
            array = np.take(array, [*range(k), *range(length - k, length)], axis)
    return array


def magnitudes(array: np.ndarray) -> np.ndarray:
    """The absolute values of all numbers that decide about the form: not zero, NaN or infinite."""
    wide = np.abs(array.astype(np.float64))
    return wide[np.isfinite(wide) & (wide != 0)]


def float_writer(array: np.ndarray) -> Callable[[float], str]:
    """How to write each number of an array of floating-point numbers."""
    found = magnitudes(array)
    if not found.size:
        return write_whole
    low, high = found.min(), found.max()
    whole = bool((found == np.floor(found)).all())
    scientific = _options.sci_mode
    if scientific is None:
        scientific = high / low > 1000 or high > 1e8 or low < 1e-4
    if scientific:
        return f"{{:.{_options.precision}e}}".format
    return write_whole if whole else f"{{:.{_options.precision}f}}".format


def write_whole(number: float) -> str:
    """A whole number with a point, which shows that it is no integer; NaN and infinity as they are."""
    return f"{number:.0f}." if math.isfinite(number) else str(number)


def widest(array: np.ndarray, write: Callable[[Any], str]) -> int:
    """The length of the longest number; zeros, NaN and infinity do not count among floating-point numbers."""
    if array.dtype.kind == "f":
        array = array[np.isfinite(array) & (array != 0)]
    return max((len(write(value)) for value in array.ravel().tolist()), default=1)


def brackets(array: np.ndarray, indent: int, summarised: bool, write: Callable[[Any], str], width: int) -> str:
    """Nested brackets: numbers side by side along the last dimension, everything else one below the other."""
    if not array.ndim:
        return write(array.item())
    k = _options.edgeitems
    folded = summarised and len(array) > 2 * k
    if array.ndim == 1:
        head, tail = (array[:k].tolist(), array[-k:].tolist()) if folded else (array.tolist(), [])
        cells = [*map(write, head), *([" ..."] if folded else []), *map(write, tail)]
        per_line = max(1, (_options.linewidth - indent) // (width + 2))
        lines = [", ".join(cells[start : start + per_line]) for start in range(0, len(cells), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    head, tail = (array[:k], array[-k:]) if folded else (array, array[:0])
    blocks = [brackets(row, indent + 1, summarised, write, width) for row in head]
    blocks += ["..."] if folded else []
    blocks += [brackets(row, indent + 1, summarised, write, width) for row in tail]
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(blocks) + "]"
