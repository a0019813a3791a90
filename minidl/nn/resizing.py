"""Images in another size: padding and interpolation as layers."""

from __future__ import annotations

from typing import Any

from ..autograd import Tensor
from ..ops.windows import numbers
from . import functional as F
from .module import Module

__all__ = ["CircularPad2d", "ConstantPad2d", "ReflectionPad2d", "ReplicationPad2d", "Upsample", "ZeroPad2d"]


class Pad(Module):
    """What the padding layers share: the widths (left, right, top, bottom), or one number for all four."""

    mode: str

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = numbers(type(self).__name__, "padding", padding, 4, None)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad2d(Pad):
    """Zeros around images; ``padding`` is (left, right, top, bottom) or one number, negative ones cut off."""

    mode = "constant"


class ConstantPad2d(Pad):
    """A constant around images; ``padding`` as in ``ZeroPad2d``."""

    mode = "constant"

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ReflectionPad2d(Pad):
    """Images reflected at their edges: c b | a b c | b a; ``padding`` as in ``ZeroPad2d``."""

    mode = "reflect"


class ReplicationPad2d(Pad):
    """Images that go on with their outermost elements: a a | a b c | c c; ``padding`` as in ``ZeroPad2d``."""

    mode = "replicate"


class CircularPad2d(Pad):
    """Images that go on with their other end: b c | a b c | a b; ``padding`` as in ``ZeroPad2d``."""

    mode = "circular"


class Upsample(Module):
    """Signals, images or volumes in another size, usually a larger one; see ``F.interpolate``.

    Args:
        size: of the result, a number or one for each dimension; or
        scale_factor: the size in units of that of the input.
        mode: "nearest", "linear" (3 dimensions), "bilinear" (4) or "trilinear" (5).
        align_corners: whether the first and last elements of input and result agree.
        recompute_scale_factor: let the size, rounded down, decide about the scale.
    """

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.size = size
        if isinstance(scale_factor, (tuple, list)):
            scale_factor = tuple(map(float, scale_factor))
        self.scale_factor = float(scale_factor) if isinstance(scale_factor, int) else scale_factor
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        scaling = (self.size, self.scale_factor)
        return F.interpolate(input, *scaling, self.mode, self.align_corners, self.recompute_scale_factor)

    def extra_repr(self) -> str:
        size = f"scale_factor={self.scale_factor!r}" if self.scale_factor is not None else f"size={self.size!r}"
        return f"{size}, mode={self.mode!r}"
