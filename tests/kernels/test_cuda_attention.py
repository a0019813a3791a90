"""Attention of kernels.cuda, run in the simulator in three thread orders, against float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.cuda import attention as family
from kernels.cuda.attention import (
    attention,
    attention_backward,
    backward,
    forward,
    fused,
    fused_attention,
    three_kernel_attention,
)
from kernels.cuda.kernel import running_on
from kernels.simulator import OutputsDiffer, Race, Simulator, Uninitialised, barriers

# The first is what Hypothesis takes for the simplest and tries first: a length with several ragged tiles.
LENGTHS = st.sampled_from([65, 1, 17, 64, 128, 200, 257])


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def operands(n, keys, width, batch=1, heads=1, key_heads=1, seed=0):
    """q, k, v and the gradient of the result."""
    shapes = (heads, n, width), (key_heads, keys, width), (key_heads, keys, width), (heads, n, width)
    return [numbers(batch, *shape, seed=seed + i) for i, shape in enumerate(shapes)]


def run(function, *arrays, **options):
    """Call it with kernels in the simulator."""
    with running_on(Simulator()):
        return function(*arrays, **options)


def reference(q, k, v, grad, mask=None, causal=False, scale=None):
    """The result, L, and the gradients of q, k and v, in float64."""
    q, k, v, grad = (x.astype(np.float64) for x in (q, k, v, grad))
    group = q.shape[1] // k.shape[1]
    keys, values = np.repeat(k, group, 1), np.repeat(v, group, 1)
    scale = q.shape[3] ** -0.5 if scale is None else scale
    s = scale * q @ keys.swapaxes(2, 3)
    if mask is not None:
        s = s + (np.where(mask, 0, -np.inf) if mask.dtype == bool else mask)
    if causal:
        s = np.where(np.tri(*s.shape[2:], dtype=bool), s, -np.inf)
    top = s.max(-1, keepdims=True)
    p = np.exp(s - np.where(top == -np.inf, 0, top))
    total = p.sum(-1, keepdims=True)
    p = np.divide(p, total, out=np.zeros_like(p), where=total > 0)
    with np.errstate(divide="ignore"):
        lse = (top + np.log(total))[..., 0]
    dp = grad @ values.swapaxes(2, 3)
    ds = scale * p * (dp - (p * dp).sum(-1, keepdims=True))

    def per_key_head(x):
        return x.reshape(x.shape[0], -1, group, *x.shape[2:]).sum(2)

    dk, dv = per_key_head(ds.swapaxes(2, 3) @ q), per_key_head(p.swapaxes(2, 3) @ grad)
    return p @ values, lse, ds @ keys, dk, dv


def close(actual, expected, bound):
    """No error is above the bound."""
    assert actual.dtype == np.float32
    assert actual.shape == expected.shape
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite])
    assert np.abs(actual[finite] - expected[finite]).max(initial=0) <= bound


def largest(*arrays):
    return max(np.abs(x[np.isfinite(x)]).max(initial=0) for x in arrays)


def check_forward(function, q, k, v, **options):
    out, lse, *_ = reference(q, k, v, np.zeros((*q.shape[:3], v.shape[3])), **options)
    actual = run(function, q, k, v, **options)
    close(actual[0], out, 1e-5 * largest(out))
    close(actual[1], lse, 1e-5 * max(1, largest(lse)))
    return actual


def check(q, k, v, grad, **options):
    """Forward and backward."""
    out, lse = check_forward(attention, q, k, v, **options)
    gradients = run(attention_backward, grad, q, k, v, out, lse, **options)
    wanted = reference(q, k, v, grad, **options)[2:]
    for actual, expected in zip(gradients, wanted, strict=True):
        close(actual, expected, 1e-4 * largest(*wanted))  # with a single key, those of q and k are 0 but for rounding


# --- the fast kernels --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [16, 32, 64, 128])
@settings(max_examples=3, derandomize=True)
@given(n=LENGTHS, keys=LENGTHS, causal=st.booleans())
def test_any_length(width, n, keys, causal):
    check(*operands(n, keys, width), causal=causal)


def test_grouped_heads():
    check(*operands(17, 65, 64, batch=2, heads=6, key_heads=2), causal=True)


def test_other_widths_are_filled_up():
    q, k, _, _ = operands(17, 33, 40)
    check(q, k, numbers(1, 1, 33, 50), numbers(1, 1, 17, 50), scale=0.3)


@pytest.mark.parametrize(
    ("kind", "shape"), [("bool", (2, 1, 1, 40)), ("bool", (2, 65, 1)), ("float", (2, 2, 65, 40)), ("float", (65, 40))]
)
def test_masks(kind, shape):
    mask = np.random.default_rng(3).random(shape) < 0.7
    mask[..., :1, :] = mask[..., :1, :].any()
    if kind == "float":
        mask = np.where(mask, numbers(*shape, seed=4), np.float32(-np.inf)).astype(np.float32)
    check(*operands(65, 40, 64, batch=2, heads=2), mask=mask)


def test_a_query_that_sees_nothing():
    mask = np.ones((65, 40), bool)
    mask[3] = mask[64] = False
    q, k, v, grad = operands(65, 40, 64)
    check(q, k, v, grad, mask=mask)
    out, lse = run(attention, q, k, v, mask=mask)
    assert (out[0, 0, [3, 64]] == 0).all()
    assert (lse[0, 0, [3, 64]] == -np.inf).all()
    assert (run(attention_backward, grad, q, k, v, out, lse, mask=mask)[0][0, 0, [3, 64]] == 0).all()


def test_mask_and_causal_together():
    check(*operands(65, 65, 64), mask=np.random.default_rng(3).random((65, 65)) < 0.5, causal=True)


def test_huge_scores():
    q, k, v, grad = operands(65, 70, 64)
    check(np.rint(100 * q), np.rint(100 * k), v, grad)  # sums of integers, which float32 holds exactly


def test_views_with_gaps():
    q, k, v, _ = (x.swapaxes(1, 2).copy().swapaxes(1, 2) for x in operands(17, 20, 64, heads=2, key_heads=2))
    check_forward(attention, q, k, v)


# --- the rungs before --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [three_kernel_attention, fused_attention])
@settings(max_examples=2, derandomize=True)
@given(n=LENGTHS, keys=LENGTHS, width=st.sampled_from([16, 64]), causal=st.booleans())
def test_rungs_at_any_length(function, n, keys, width, causal):
    q, k, v, _ = operands(n, keys, width)
    check_forward(function, q, k, v, causal=causal)


@pytest.mark.parametrize("function", [three_kernel_attention, fused_attention])
def test_rungs(function):
    q, k, v, _ = operands(33, 40, 16, batch=2, heads=2)
    check_forward(function, q, k, v, causal=True)
    mask = np.random.default_rng(3).random((33, 40)) < 0.5
    mask[2] = False
    check_forward(function, q, k, v, mask=mask)


def test_nothing_to_do():
    q, k, v, _ = operands(0, 3, 64)
    out, lse = run(attention, q, k, v)
    assert (out.shape, lse.shape) == ((1, 1, 0, 64), (1, 1, 0))


# --- barriers ----------------------------------------------------------------------------------------------------


def without_a_barrier(table, width, monkeypatch):
    """Run forward and backward with each barrier of the table's kernel left out in turn; yields where nothing broke."""
    q, k, v, grad = operands(65, 70, width)
    function = fused_attention if table is fused.FUSED else attention
    out, lse = run(function, q, k, v)
    for place, (_, broken) in enumerate(barriers(table[width])):
        monkeypatch.setitem(table, width, broken)
        try:
            run(function, q, k, v)
            run(attention_backward, grad, q, k, v, out, lse)
        except (Race, Uninitialised, OutputsDiffer):
            continue
        yield place


def test_no_barrier_of_the_fused_kernel_can_be_left_out(monkeypatch):
    assert list(without_a_barrier(fused.FUSED, 16, monkeypatch)) == []


@pytest.mark.parametrize("width", [64, *(pytest.param(width, marks=pytest.mark.exhaustive) for width in (16, 32, 128))])
@pytest.mark.parametrize(
    "table", [forward.FORWARD, backward.KEYS, backward.QUERIES], ids=["forward", "keys", "queries"]
)
def test_no_barrier_can_be_left_out(table, width, monkeypatch):
    # The last barrier of the queries' kernel stands in a branch for widths that come in chunks.
    harmless = [5] if table is backward.QUERIES and width <= 64 else []
    assert list(without_a_barrier(table, width, monkeypatch)) == harmless


# --- errors ------------------------------------------------------------------------------------------------------


def shapes(*given):
    return [np.zeros(shape, np.float32) for shape in given]


@pytest.mark.parametrize(
    ("q", "k", "v", "text"),
    [
        ((1, 3, 4), (1, 2, 3, 4), (1, 2, 3, 4), "q must have the shape (batch, heads, length, width), not (1, 3, 4)"),
        ((2, 2, 3, 4), (1, 2, 3, 4), (1, 2, 3, 4), "q, k and v must have the same batch"),
        ((1, 2, 3, 4), (1, 2, 3, 4), (1, 1, 3, 4), "k has 2 heads but v has 1"),
        ((1, 3, 3, 4), (1, 2, 3, 4), (1, 2, 3, 4), "k has 2 heads, which do not divide the 3 of q"),
        ((1, 2, 3, 4), (1, 2, 3, 4), (1, 2, 5, 4), "k has length 3 but v has 5"),
        ((1, 2, 3, 4), (1, 2, 0, 4), (1, 2, 0, 4), "the sequence of keys is empty, so there is nothing to attend to"),
        ((1, 2, 3, 4), (1, 2, 3, 5), (1, 2, 3, 4), "q has width 4 but k has 5"),
        ((1, 2, 3, 4), (1, 2, 3, 4), (1, 2, 3, 129), "v has width 129; the kernels know 1 to 128"),
    ],
)
def test_shapes_that_do_not_fit(q, k, v, text):
    with pytest.raises(ValueError) as error:
        run(attention, *(np.zeros(shape, np.float32) for shape in (q, k, v)))
    shapes = f" (q {q}, k {k}, v {v})" if len(q) == 4 else ""
    assert str(error.value) == f"attention: {text}{shapes}"


def test_masks_that_do_not_fit():
    q, k, v, grad = operands(3, 4, 16)
    with pytest.raises(TypeError) as error:
        run(attention, q, k, v, mask=[True])
    assert str(error.value) == "attention: mask must be an array of NumPy or on the GPU, not list"
    with pytest.raises(TypeError) as error:
        run(attention, q, k, v, mask=np.ones((3, 4)))
    assert str(error.value) == "attention: mask must be bool or float32, not float64"
    with pytest.raises(ValueError) as error:
        run(attention, q, k, v, mask=np.ones((3, 5), bool))
    assert str(error.value) == "attention: mask of shape (3, 5) does not broadcast to the scores (1, 1, 3, 4)"
    with pytest.raises(ValueError) as error:
        run(attention_backward, grad[:, :, :2], q, k, v, q, q[..., 0])
    assert str(error.value) == "attention_backward: grad must have the shape (1, 1, 3, 16), not (1, 1, 2, 16)"


def test_kernels_are_listed_once():
    assert len({kernel.name for kernel in family.KERNELS}) == len(family.KERNELS) == 22
