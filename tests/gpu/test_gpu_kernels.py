"""The kernels on the hardware that they are for, against float64: products, attention and its gradients."""

import numpy as np
import pytest
from hardware import need_kernels

need_kernels()

import cupy  # noqa: E402

from kernels.cuda.attention import attention, attention_backward  # noqa: E402
from kernels.cuda.matmul import matmul  # noqa: E402

LENGTHS = [1, 17, 64, 65, 128, 200, 257]


def drawn(seed, *shapes):
    """Arrays on the GPU, and the same in float64 on the CPU."""
    rng = np.random.default_rng(seed)
    here = [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]
    return [cupy.asarray(x) for x in here], [x.astype(np.float64) for x in here]


def error(found, expected):
    """The largest difference, relative to the largest element."""
    return float(np.abs(cupy.asnumpy(found).astype(np.float64) - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("m", LENGTHS)
@pytest.mark.parametrize("k", [1, 65, 257])
def test_matmul(m, n, k):
    (a, b), (x, y) = drawn(0, (m, k), (k, n))
    assert error(matmul(a, b), x @ y) < 1e-5


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize("activation", [None, "relu", "tanh"])
def test_matmul_with_all_of_its_settings(transpose_a, transpose_b, activation):
    (a, b, bias, c), (x, y, u, z) = drawn(1, (3, 200, 129), (3, 129, 65), (65,), (3, 200, 65))
    f = {None: lambda v: v, "relu": lambda v: np.maximum(v, 0), "tanh": np.tanh}[activation]
    expected = f(0.5 * (x @ y) - 2.0 * z + u)
    a, b = (cupy.ascontiguousarray(v.swapaxes(1, 2)) if t else v for v, t in ((a, transpose_a), (b, transpose_b)))
    settings = dict(transpose_a=transpose_a, transpose_b=transpose_b, bias=bias, activation=activation)
    assert error(matmul(a, b, c, alpha=0.5, beta=-2.0, **settings), expected) < 1e-5


def reference(q, k, v, mask, causal, scale, g):
    """Attention and its gradients in float64, in small operations."""
    group = q.shape[1] // k.shape[1]
    k, v = (np.repeat(x, group, axis=1) for x in (k, v))
    s = scale * (q @ k.swapaxes(2, 3)) + (0 if mask is None else mask)
    if causal:
        s = np.where(np.tri(*s.shape[2:], dtype=bool), s, -np.inf)
    p = np.exp(s - s.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    dp = g @ v.swapaxes(2, 3)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True))

    def shared(x):
        return x.reshape(x.shape[0], -1, group, *x.shape[2:]).sum(2)

    dv, dk = (shared(left.swapaxes(2, 3) @ right) for left, right in ((p, g), (ds, q)))
    return p @ v, scale * (ds @ k), scale * dk, dv


@pytest.mark.parametrize("width", [16, 40, 64, 128])
@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (17, 64), (65, 128), (200, 257), (257, 65)])
@pytest.mark.parametrize("kind", ["plain", "causal", "masked", "grouped"])
def test_attention_and_its_gradients(width, queries, keys, kind):
    heads = 2 if kind == "grouped" else 4
    shapes = (2, 4, queries, width), (2, heads, keys, width), (2, heads, keys, width), (2, 4, queries, width)
    (q, k, v, g), (x, y, z, h) = drawn(2, *shapes)
    (mask,), (numbers,) = drawn(3, (1, 1, queries, keys)) if kind == "masked" else ([None], [None])
    settings = dict(mask=mask, causal=kind == "causal", scale=width**-0.5)
    out, sums = attention(q, k, v, **settings)
    gradients = attention_backward(g, q, k, v, out, sums, **settings)
    expected = reference(x, y, z, numbers, kind == "causal", width**-0.5, h)
    assert error(out, expected[0]) < 1e-5
    for name, found, wanted in zip("qkv", gradients, expected[1:], strict=True):
        assert error(found, wanted) < 1e-4, f"gradient of {name}"


def test_the_callers_stream_is_used():
    (a, b), (x, y) = drawn(4, (512, 512), (512, 512))
    with cupy.cuda.Stream(non_blocking=True) as stream:
        c = matmul(a * 1.0, b)
        stream.synchronize()
    assert error(c, x @ y) < 1e-5
