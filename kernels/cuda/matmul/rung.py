"""A rung of the ladder as a function of two matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .. import arrays
from ..arrays import is_on_gpu
from ..kernel import Kernel, on_gpu
from .layout import FLOAT, address, interface

__all__ = ["Rung"]


@dataclass(frozen=True)
class Rung:
    """One way to compute C = A B for contiguous float32 matrices A (M, K) and B (K, N).

    Attributes:
        tile: rows and columns of C that one block of threads computes.
        reuse: how many rows of C a number of B serves that a block fetches, and how many columns a number of A.
        shared: cycles that reading shared memory takes a warp for 32 multiplications, one a thread.
        multiple: K and N must be multiples of it; so many numbers are fetched at a time.
    """

    name: str
    kernel: Kernel
    tile: tuple[int, int]
    reuse: tuple[int, int]
    shared: float = 0.0
    multiple: int = 1

    def __call__(self, a: Any, b: Any, *, stream: Any = None) -> Any:
        """C (M, N), an array on the side and of the library of ``a``.

        Raises:
            TypeError, ValueError: for arrays that are not two contiguous float32 matrices whose shapes fit.
        """
        self.check(a, b)
        out = arrays.empty((a.shape[0], b.shape[1]), like=a)
        self.launch(arrays.view(a), arrays.view(b), arrays.view(out), stream or arrays.stream_of(a, b))
        return arrays.deliver(out, like=a)

    def launch(self, a: Any, b: Any, out: Any, stream: Any = None) -> None:
        """Launch a block of threads for each tile of ``out``."""
        (M, N), (rows, columns) = out.shape, self.tile
        self.kernel.launch((-(-N // columns), -(-M // rows)), a, b, out, stream=stream)

    def check(self, a: Any, b: Any) -> None:
        arrays.check_float32(self.name, a=a, b=b)
        shapes = f"(a {tuple(a.shape)}, b {tuple(b.shape)})"
        if len(a.shape) != 2 or len(b.shape) != 2:
            raise ValueError(f"{self.name}: a and b must be matrices {shapes}")
        if a.shape[1] != b.shape[0]:
            raise ValueError(f"{self.name}: a has {a.shape[1]} columns but b has {b.shape[0]} rows {shapes}")
        if interface(a)["strides"] is not None or interface(b)["strides"] is not None:
            raise ValueError(f"{self.name}: a and b must be C-contiguous {shapes}")
        if a.shape[1] % self.multiple or b.shape[1] % self.multiple:
            raise ValueError(f"{self.name}: the columns of a and of b must be multiples of {self.multiple} {shapes}")
        if any((is_on_gpu(x) or not on_gpu()) and address(x) % (FLOAT * self.multiple) for x in (a, b)):
            raise ValueError(f"{self.name}: a and b must begin at multiples of {FLOAT * self.multiple} bytes {shapes}")
