"""Attention and its gradients by the fastest kernels: arrays in, arrays out."""

from __future__ import annotations

from typing import Any

from .. import arrays
from . import backward, forward
from .backward import DELTA, KEYS, QUERIES
from .forward import FORWARD
from .operands import finished, flat, operands, padded

__all__ = ["attention", "attention_backward"]


def attention(
    q: Any,
    k: Any,
    v: Any,
    *,
    mask: Any = None,
    causal: bool = False,
    scale: float | None = None,
    stream: Any = None,
) -> tuple[Any, Any]:
    """softmax(scale Q K^T + B) V and, for the way back, L = log sum exp of the rows of the scores.

    Args:
        q: queries (batch, heads, n, d), float32, d up to 128.
        k: keys (batch, key heads, n_k, d); the number of heads of q is a multiple of theirs, and consecutive heads of
            q share one.
        v: values (batch, key heads, n_k, d_v).
        mask: broadcasts to (batch, heads, n, n_k). Booleans: True where a query may see a key. float32: B itself.
        causal: query i sees the keys up to i alone, as well as what the mask allows.
        scale: 1 / sqrt(d) unless given.
        stream: Numba's stream to work in; CuPy's current one for CuPy's arrays, else the default one.

    Returns:
        The result (batch, heads, n, d_v), and L (batch, heads, n). For a query that may see no key they are 0 and -inf.

    Raises:
        TypeError: if an operand is no float32 array.
        ValueError: if shapes do not fit.
        RuntimeError: where there is no GPU.
    """
    given = operands("attention", q, k, v, mask, causal, scale, stream)
    batch, heads, length, width = given.q.shape
    out, lse = arrays.empty(given.q.shape, q), arrays.empty((batch, heads, length), q)
    FORWARD[width].launch(
        (-(-length // forward.TILES[width]["rows"]), heads, batch),
        given.q, given.k, given.v, given.mask, arrays.view(out), flat(lse), given.scale, given.share, *given.steps,
        given.causal, stream=given.stream,
    )  # fmt: skip
    return finished(out, v.shape[3], q, given.stream), arrays.deliver(lse, q)


def attention_backward(
    grad: Any,
    q: Any,
    k: Any,
    v: Any,
    out: Any,
    lse: Any,
    *,
    mask: Any = None,
    causal: bool = False,
    scale: float | None = None,
    stream: Any = None,
) -> tuple[Any, Any, Any]:
    """The gradients of q, k and v, from ``grad``, that of the result; derived in ``backward``.

    ``out`` and ``lse`` are what ``attention`` returned, the other arguments what it was given.

    Raises:
        TypeError: if an operand is no float32 array.
        ValueError: if shapes do not fit.
        RuntimeError: where there is no GPU.
    """
    arrays.check_float32("attention_backward", grad=grad, q=q, k=k, v=v, out=out, lse=lse)
    given = operands("attention_backward", q, k, v, mask, causal, scale, stream)
    for name, x in (("grad", grad), ("out", out)):
        check_shape(name, x, (*q.shape[:3], v.shape[3]))
    check_shape("lse", lse, q.shape[:3])
    batch, heads, length, width = given.q.shape
    key_heads, keys = k.shape[1:3]
    stream = given.stream
    grad, out = padded(grad, width, stream), padded(out, width, stream)
    count = batch * heads * length
    delta, shift = (arrays.view(arrays.empty((count,), q)) for _ in range(2))
    DELTA.launch(
        -(-count // 4), grad.reshape(count, width), out.reshape(count, width), flat(lse), delta, shift, stream=stream
    )
    dq, dk, dv = (arrays.empty(x.shape, q) for x in (given.q, given.k, given.v))
    shared = (given.q, given.k, given.v, grad, given.mask, shift, delta)
    KEYS[width].launch(
        (-(-keys // backward.KEY_TILES[width]["rows"]), key_heads, batch),
        *shared, arrays.view(dk), arrays.view(dv), given.scale, given.group, *given.steps, given.causal, stream=stream,
    )  # fmt: skip
    QUERIES[width].launch(
        (-(-length // backward.QUERY_TILES[width]["rows"]), heads, batch),
        *shared, arrays.view(dq), given.scale, given.share, *given.steps, given.causal, stream=stream,
    )  # fmt: skip
    return tuple(finished(d, x.shape[3], q, stream) for d, x in ((dq, q), (dk, k), (dv, v)))


def check_shape(name: str, array: Any, shape: tuple[int, ...]) -> None:
    if tuple(array.shape) != tuple(shape):
        raise ValueError(f"attention_backward: {name} must have the shape {tuple(shape)}, not {tuple(array.shape)}")
