"""Attention: the formula by loops, masks that hide exactly, rows that see nothing, order, sharing, every error text."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidl
import minidl.nn.functional as F
from minidl.testing import gradcheck, gradgradcheck

attention = F.scaled_dot_product_attention


def drawn(*shapes, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [minidl.tensor(rng.standard_normal(shape).astype(dtype), requires_grad=True) for shape in shapes]


def by_loops(q, k, v, visible):
    """One sequence, one pair of query and key at a time."""
    result = np.zeros((len(q), v.shape[1]))
    for i in range(len(q)):
        e = [math.exp(sum(q[i] * k[j]) / math.sqrt(q.shape[1])) if visible[i, j] else 0.0 for j in range(len(k))]
        for j in range(len(k)):
            result[i] += e[j] / sum(e) * v[j] if sum(e) else 0.0
    return result


sizes = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))


@given(sizes, st.sampled_from(["none", "causal", "boolean"]), st.integers(0, 1000))
def test_is_the_formula(size, kind, seed):
    length, keys, width, depth = size
    q, k, v = drawn((length, width), (keys, width), (keys, depth), seed=seed)
    visible, mask = np.ones((length, keys), bool), None
    if kind == "causal":
        visible = np.tril(visible)
    if kind == "boolean":
        visible = np.random.default_rng(seed).random((length, keys)) < 0.6
        mask = minidl.tensor(visible)
    result = attention(q, k, v, mask, is_causal=kind == "causal")
    np.testing.assert_allclose(result.array, by_loops(q.array, k.array, v.array, visible), rtol=1e-12, atol=1e-14)


@given(sizes, st.integers(0, 1000))
def test_gradients(size, seed):
    length, keys, width, depth = size
    leaves = drawn((2, length, width), (1, keys, width), (keys, depth), (length, keys), seed=seed)
    assert gradcheck(attention, leaves)
    assert gradgradcheck(attention, leaves)


def test_scores_of_independent_numbers_keep_their_variance():
    q, k = drawn((400, 64), (400, 64))
    products = (q @ k.mT).detach()
    assert products.var().item() == pytest.approx(64, rel=0.05)
    assert (products / 8).var().item() == pytest.approx(1, rel=0.05)


def test_float32_comes_near_float64():
    leaves = drawn((2, 8, 64, 16), (2, 8, 64, 16), (2, 8, 64, 16))
    exact = attention(*leaves, is_causal=True)
    single = attention(*(x.detach().float() for x in leaves), is_causal=True)
    assert single.dtype == minidl.float32
    np.testing.assert_allclose(single.array, exact.array, rtol=0, atol=2e-6)


# --- masks -------------------------------------------------------------------------------------------------------


def test_causal_is_the_explicit_mask():
    leaves = drawn((2, 3, 5, 4), (2, 3, 5, 4), (2, 3, 5, 4))
    past = minidl.ones(5, 5, dtype=minidl.float64).tril()
    results = [
        attention(*leaves, is_causal=True),
        attention(*leaves, past.to(minidl.bool)),
        attention(*leaves, minidl.full((5, 5), -math.inf).triu(1)),
    ]
    gradients = [minidl.grad((y * y).sum(), leaves) for y in results]
    for y, found in zip(results[1:], gradients[1:], strict=True):
        np.testing.assert_array_equal(y.array, results[0].array)
        for g, other in zip(found, gradients[0], strict=True):
            np.testing.assert_array_equal(g.array, other.array)


def test_the_future_does_not_matter():
    q, k, v = drawn((6, 4), (6, 4), (6, 4))
    k2, v2 = (minidl.cat([x[:4], x[4:] * 100 + 7]) for x in (k, v))
    early, late = attention(q, k, v, is_causal=True), attention(q, k2, v2, is_causal=True)
    np.testing.assert_array_equal(early[:4].array, late[:4].array)
    assert abs(early[4:].array - late[4:].array).min() > 1


@pytest.mark.parametrize("additive", [False, True])
def test_hidden_keys_get_exactly_zero_gradient(additive):
    q, k, v = drawn((2, 3, 4), (2, 5, 4), (2, 5, 4))
    visible = np.array([True, False, True, True, False])
    mask = minidl.tensor(np.where(visible, 0, -math.inf) if additive else visible)
    for g in minidl.grad((attention(q, k, v, mask) ** 2).sum(), [k, v]):
        assert (g.array[:, ~visible] == 0).all()
        assert (g.array[:, visible] != 0).all()


@pytest.mark.parametrize("additive", [False, True])
def test_a_query_that_sees_nothing_gets_zeros_and_leaves_no_trace(additive):
    q, k, v = drawn((2, 3, 4), (2, 5, 4), (2, 5, 4))
    visible = np.ones((3, 5), bool)
    visible[1] = False
    mask = minidl.tensor(np.where(visible, 0, -math.inf) if additive else visible)
    result = attention(q, k, v, mask)
    assert (result.array[:, 1] == 0).all()
    found = minidl.grad((result * 3 + result**2).sum(), [q, k, v])
    assert (found[0].array[:, 1] == 0).all()
    without = attention(q[:, [0, 2]], k, v)
    np.testing.assert_allclose(result.array[:, [0, 2]], without.array, rtol=1e-14)
    for g, other in zip(found, minidl.grad((without * 3 + without**2).sum(), [q, k, v]), strict=True):
        np.testing.assert_allclose(g.array, other.array, rtol=1e-12, atol=1e-15)


def test_how_large_a_hidden_key_is_does_not_matter():
    q, k, v = drawn((2, 3), (3, 3), (3, 3))
    huge = minidl.cat([k[:2], k[2:] * 1e300])
    mask = minidl.tensor([True, True, False])
    np.testing.assert_array_equal(attention(q, huge, v, mask).array, attention(q, k, v, mask).array)


def test_huge_scores_neither_overflow_nor_vanish():
    q, k, v = drawn((3, 4), (5, 4), (5, 4), dtype=np.float32)
    result = attention(q * 1e18, k * 1e18, v)
    best = (q @ k.mT).array.argmax(1)
    np.testing.assert_array_equal(result.array, v.array[best])


# --- symmetries --------------------------------------------------------------------------------------------------


@given(st.permutations(range(6)), st.integers(0, 100))
def test_queries_in_another_order_give_results_in_that_order(order, seed):
    """Attention has no sense of place: that is why a Transformer needs positions (D4-3.3-a)."""
    (x,) = drawn((6, 4), seed=seed)
    moved = attention(x[order], x[order], x[order])
    np.testing.assert_allclose(moved.array, attention(x, x, x).array[order], rtol=0, atol=4e-15)


def test_equal_scores_give_the_mean():
    q, k, v = drawn((2, 3), (4, 3), (4, 5))
    expected = np.broadcast_to(v.array.mean(0), (2, 5))
    np.testing.assert_allclose(attention(q * 0, k, v).array, expected, rtol=1e-14)
    np.testing.assert_allclose(attention(q, k, v, scale=0.0).array, expected, rtol=1e-14)


def test_shared_heads_are_repeated_ones():
    q, k, v = drawn((2, 6, 3, 4), (2, 2, 5, 4), (2, 3, 5, 4))
    repeated = [minidl.stack([x] * n, 2).flatten(1, 2) for x, n in ((k, 3), (v, 2))]
    expected, found = attention(q, *repeated), attention(q, k, v, enable_gqa=True)
    np.testing.assert_array_equal(found.array, expected.array)
    for g, other in zip(*(minidl.grad((y * y).sum(), [q, k, v]) for y in (found, expected)), strict=True):
        np.testing.assert_allclose(g.array, other.array, rtol=1e-13)


# --- dropout -----------------------------------------------------------------------------------------------------


def test_dropout_drops_weights():
    q, k, v = drawn((2, 3, 4), (2, 5, 4), (2, 5, 4))
    minidl.manual_seed(1)
    found = attention(q, k, v, dropout_p=0.4)
    minidl.manual_seed(1)
    weights = F.dropout(F.softmax(q @ k.mT / 2, -1), 0.4)
    assert (weights.array == 0).any()
    np.testing.assert_allclose(found.array, (weights @ v).array, rtol=1e-12)
    assert (attention(q, k, v, dropout_p=1.0).array == 0).all()


# --- errors ------------------------------------------------------------------------------------------------------

Q, K, V = minidl.zeros(2, 3, 4), minidl.zeros(2, 5, 4), minidl.zeros(2, 5, 6)
Q4, K4 = minidl.zeros(2, 4, 3, 8), minidl.zeros(2, 2, 5, 8)

ERRORS = {
    "no tensor": (lambda: attention(Q.array, K, V), TypeError, "query must be a Tensor, not ndarray"),
    "no tensor as value": (lambda: attention(Q, K, [1.0]), TypeError, "value must be a Tensor, not list"),
    "integers": (
        lambda: attention(Q.long(), K.long(), V.long()),
        TypeError,
        "query must be a floating-point tensor, not int64",
    ),
    "dtypes": (
        lambda: attention(Q, K.double(), V),
        TypeError,
        "query is float32 but key is float64; both must have one dtype",
    ),
    "one dimension": (
        lambda: attention(Q, K[0, 0], V),
        ValueError,
        "key must have 2 dimensions (length, features) or more, not shape (4,)",
    ),
    "features": (
        lambda: attention(Q[..., :3], K, V),
        ValueError,
        "query has 3 features but key has 4 (query (2, 3, 3), key (2, 5, 4))",
    ),
    "no features": (
        lambda: attention(Q[..., :0], K[..., :0], V),
        ValueError,
        "query and key must have at least one feature (query (2, 3, 0), key (2, 5, 0))",
    ),
    "lengths": (
        lambda: attention(Q, K, V[:, :4]),
        ValueError,
        "key has length 5 but value has 4 (key (2, 5, 4), value (2, 4, 6))",
    ),
    "no keys": (
        lambda: attention(Q, K[:, :0], V[:, :0]),
        ValueError,
        "the sequence of keys is empty, so there is nothing to attend to (key (2, 0, 4))",
    ),
    "batch": (
        lambda: attention(minidl.zeros(3, 3, 4), K, V),
        ValueError,
        "the dimensions before the last two do not broadcast (query (3, 3, 4), key (2, 5, 4), value (2, 5, 6))",
    ),
    "heads": (
        lambda: attention(Q4, K4, K4),
        ValueError,
        "query has 4 heads but key has 2 (query (2, 4, 3, 8), key (2, 2, 5, 8)); enable_gqa=True lets query heads "
        "share them",
    ),
    "heads that do not divide": (
        lambda: attention(Q4[:, :3], K4, K4, enable_gqa=True),
        ValueError,
        "key has 2 heads, which do not divide the 3 of query (query (2, 3, 3, 8), key (2, 2, 5, 8))",
    ),
    "no heads to share": (
        lambda: attention(Q[0], K[0], V[0], enable_gqa=True),
        ValueError,
        "enable_gqa needs heads, so 3 dimensions or more (query (3, 4), key (5, 4))",
    ),
    "mask shape": (
        lambda: attention(Q, K, V, minidl.zeros(5, 3)),
        ValueError,
        "attn_mask of shape (5, 3) does not broadcast to the scores (2, 3, 5), one for each query and key "
        "(query (2, 3, 4), key (2, 5, 4))",
    ),
    "mask with more dimensions": (
        lambda: attention(Q, K, V, minidl.zeros(2, 1, 3, 5)),
        ValueError,
        "attn_mask of shape (2, 1, 3, 5) does not broadcast to the scores (2, 3, 5), one for each query and key "
        "(query (2, 3, 4), key (2, 5, 4))",
    ),
    "mask dtype": (
        lambda: attention(Q, K, V, minidl.zeros(3, 5, dtype=minidl.int64)),
        TypeError,
        "attn_mask must be bool, float32 or the dtype of query (float32), not int64",
    ),
    "mask too precise": (
        lambda: attention(Q, K, V, minidl.zeros(3, 5, dtype=minidl.float64)),
        TypeError,
        "attn_mask must be bool, float32 or the dtype of query (float32), not float64",
    ),
    "mask is no tensor": (
        lambda: attention(Q, K, V, [[True]]),
        TypeError,
        "attn_mask must be a Tensor, not list",
    ),
    "two masks": (
        lambda: attention(Q, K, V, minidl.zeros(3, 5), is_causal=True),
        ValueError,
        "attn_mask must be left out where is_causal=True, which is a mask itself",
    ),
    "probability": (
        lambda: attention(Q, K, V, dropout_p=1.5),
        ValueError,
        "dropout_p is a probability and must lie between 0 and 1, not 1.5",
    ),
}


@pytest.mark.parametrize(("call", "error", "text"), ERRORS.values(), ids=ERRORS)
def test_errors(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == f"scaled_dot_product_attention: {text}"
