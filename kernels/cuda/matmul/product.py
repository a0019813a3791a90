"""The product of matrices as a function of arrays: checks, shapes, and the launch of the right kernel."""

from __future__ import annotations

from math import ceil, inf
from typing import Any

import numpy as np

from .. import arrays
from ..kernel import on_gpu
from . import general
from .activations import ACTIVATIONS
from .layout import FLOAT, Matrices, flat, fold, interface, launches, matrices, overlap

__all__ = ["matmul"]

LARGEST = float(np.finfo(np.float32).max)


def matmul(
    a: Any,
    b: Any,
    out: Any = None,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    alpha: float = 1.0,
    beta: float = 0.0,
    bias: Any = None,
    activation: str | None = None,
    stream: Any = None,
) -> Any:
    """C = f(alpha op(A) op(B) + beta C + bias), for one pair of matrices or a batch of pairs.

    op(X) is X, or its transpose where ``transpose_a`` or ``transpose_b`` asks for it; either is read where it lies.

    Args:
        a: float32 (..., M, K), or (..., K, M) to be transposed. The axes before are the batch, and are broadcast.
        b: float32 (..., K, N), or (..., N, K) to be transposed.
        out: C (..., M, N), float32, whose rows lie together in memory; a new array if None.
        beta: where it is 0, what ``out`` holds is not read, be it NaN.
        bias: (N,), added to each row.
        activation: f: None, "relu", "gelu", "gelu_tanh", "sigmoid", "silu" or "tanh".
        stream: Numba's stream to work in; by default CuPy's current one for CuPy's arrays.

    Returns:
        ``out``, or an array of the library of ``a``.

    Raises:
        TypeError: for anything but float32 arrays, and factors that are no numbers.
        ValueError: for shapes that do not fit, arrays of both the processor's and the GPU's memory, an ``out`` that is
            read-only or shares memory with another argument, and arrays that would have to be copied and cannot be.
        RuntimeError: where there is no GPU and no simulator was chosen.
    """
    inputs = {"a": a, "b": b} if bias is None else {"a": a, "b": b, "bias": bias}
    arrays.check_float32("matmul", **inputs, **({} if out is None else {"out": out}))
    shape, K = shape_of(a, b, transpose_a, transpose_b)
    alpha, beta = factor("alpha", alpha), factor("beta", beta)
    check_out(out, shape, beta, inputs)
    if bias is not None and tuple(bias.shape) != shape[-1:]:
        raise ValueError(
            f"matmul: bias must have shape {shape[-1:]}, a number for each column, not {tuple(bias.shape)}"
        )
    if not isinstance(activation, str | None) or activation not in ACTIVATIONS:
        known = ", ".join(map(repr, ACTIVATIONS))
        raise ValueError(f"matmul: activation must be one of {known}, not {activation!r}")

    stream = stream or arrays.stream_of(a, b)
    result = arrays.empty(shape, like=a) if out is None else on_this_side(out)
    if 0 not in shape:
        first = located("a", a, shape[:-2], transpose_a)
        second = located("b", b, shape[:-2], transpose_b)
        added = flat(result)[:0] if bias is None else row("bias", bias)
        multiply(first, second, result, K, added, (alpha, beta), activation, stream)
    if out is None:
        return arrays.deliver(result, like=a)
    if result is not out:
        out[...] = arrays.deliver(result, like=out)
    return out


def multiply(
    a: Matrices,
    b: Matrices,
    out: Any,
    K: int,
    bias: Any,
    factors: tuple[float, float],
    activation: str | None,
    stream: Any,
) -> None:
    """Launch the kernel for each piece of the batch that one grid can cover."""
    *batch, M, N = out.shape
    c = matrices(out, tuple(batch), by_rows=True)
    assert c is not None, "check_out has seen to that"
    wide = a.wide(M if a.transposed else K) and b.wide(K if b.transposed else N) and c.wide(N)
    kernel = general.kernel(wide, activation)
    axes, M = fold(tuple(batch), M, a, b, c)
    tiles = ceil(M / general.TILE) * ceil(N / general.TILE)
    for (outer, inner), walks in launches(axes, a, b, c):
        memories = [operand.memory[start:] for operand, (start, _, _) in zip((a, b, c), walks)]
        kernel.launch(
            (tiles, inner, outer),
            *memories, bias, M, N, K, a.lead, b.lead, c.lead, not a.transposed, b.transposed,
            *[stride for _, *strides in walks for stride in strides], *factors,
            stream=stream,
        )  # fmt: skip


def located(name: str, array: Any, batch: tuple[int, ...], transpose: bool) -> Matrices:
    """The matrices of an array where they lie; of a copy, if they can only be reached so.

    Raises:
        ValueError: where a copy is needed and the array's library makes none.
    """
    array = on_this_side(array)
    found = matrices(array, batch, transpose=transpose)
    if found is None:
        found = matrices(copy(name, array), batch, transpose=transpose)
    return found


def row(name: str, array: Any) -> Any:
    """The numbers of an array of one axis, side by side: a copy where they are not."""
    array = on_this_side(array)
    if array.shape[0] > 1 and array.strides[0] != FLOAT:
        array = copy(name, array)
    return flat(array)


def copy(name: str, array: Any) -> Any:
    """A C-contiguous copy."""
    if not hasattr(array, "copy"):
        raise ValueError(
            f"matmul: the numbers of {name} do not lie together in memory, in rows or in columns (shape "
            f"{tuple(array.shape)}, strides {tuple(array.strides)} bytes), and {type(array).__name__} has no copy()"
        )
    return array.copy()


def on_this_side(array: Any) -> Any:
    """The array in the memory that kernels use: a copy on the GPU for NumPy's arrays, unless the simulator runs."""
    return arrays.view(np.ascontiguousarray(array)) if on_gpu() and isinstance(array, np.ndarray) else array


def shape_of(a: Any, b: Any, transpose_a: bool, transpose_b: bool) -> tuple[tuple[int, ...], int]:
    """The shape of the product, and K."""
    words = [" transposed" if transpose else "" for transpose in (transpose_a, transpose_b)]
    shapes = f"(a {tuple(a.shape)}{words[0]}, b {tuple(b.shape)}{words[1]})"
    if len(a.shape) < 2 or len(b.shape) < 2:
        raise ValueError(f"matmul: a and b must have at least 2 axes {shapes}")
    M, K = a.shape[-2:][::-1] if transpose_a else a.shape[-2:]
    rows_b, N = b.shape[-2:][::-1] if transpose_b else b.shape[-2:]
    if rows_b != K:
        raise ValueError(f"matmul: op(a) has {K} columns but op(b) has {rows_b} rows {shapes}")
    try:
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ValueError(f"matmul: the axes before the last two of a and b do not broadcast {shapes}") from None
    return (*batch, M, N), K


def factor(name: str, value: Any) -> int | float:
    """The factor as a number of Python, which float32 can hold."""
    if not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"matmul: {name} must be a number, not {type(value).__name__}")
    number = value if isinstance(value, int) else float(value)
    if LARGEST < abs(number) < inf:
        raise ValueError(f"matmul: {name} is beyond the largest float32, {LARGEST:.8g}")
    return number


def check_out(out: Any, shape: tuple[int, ...], beta: float, inputs: dict[str, Any]) -> None:
    """``out`` can take the result: its shape, rows that lie together, memory to write that is not that of an input."""
    if out is None:
        if beta != 0:
            raise ValueError(f"matmul: beta is {beta}, but there is no out to multiply by it")
        return
    if tuple(out.shape) != shape:
        raise ValueError(f"matmul: out has shape {tuple(out.shape)}, but the product has shape {shape}")
    if interface(out)["data"][1]:
        raise ValueError("matmul: out is read-only")
    if 0 in shape:
        return
    c = matrices(out, shape[:-2], by_rows=True)
    repeated = c is not None and any(size > 1 and step == 0 for size, step in zip(shape, (*c.strides, c.lead)))
    if c is None or repeated:
        raise ValueError(
            f"matmul: the numbers of out's rows must be neighbours in memory, and each number must have a place of its "
            f"own (shape {shape}, strides {tuple(out.strides)} bytes)"
        )
    for name, array in inputs.items():
        if overlap(out, array):
            raise ValueError(f"matmul: out shares memory with {name}")
