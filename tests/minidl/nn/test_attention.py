"""Multi-head attention: the formula head by head, masks, order, dropout, every error text."""

import math

import numpy as np
import pytest

import minidl
import minidl.nn.functional as F
from minidl import nn

L, B, E, H = 5, 2, 8, 2


def drawn(*shape, seed=0):
    return minidl.tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


def attention(heads=H, **options):
    minidl.manual_seed(0)
    return nn.MultiheadAttention(E, heads, dtype=minidl.float64, **options)


def test_heads_are_attentions_of_their_own():
    """[head_1; ...; head_h] W^O with head_i = Attention(Q W_i^Q, K W_i^K, V W_i^V) (D1-2.2.3-b)."""
    layer, q, k, v = attention(heads=4), drawn(L, E), drawn(7, E, seed=1), drawn(7, E, seed=2)
    w_q, w_k, w_v = (w.mT for w in layer.in_proj_weight.chunk(3))
    heads = []
    for i in range(4):
        d = slice(2 * i, 2 * i + 2)
        heads.append(F.scaled_dot_product_attention(q @ w_q[:, d], k @ w_k[:, d], v @ w_v[:, d]))
    expected = minidl.cat(heads, -1) @ layer.out_proj.weight.mT
    np.testing.assert_allclose(layer(q, k, v)[0].array, expected.array, rtol=1e-12, atol=1e-14)


def test_several_heads_are_not_one_wide_head():
    one, two, x = attention(heads=1), attention(heads=2), drawn(L, E)
    two.load_state_dict(one.state_dict())
    assert abs((one(x, x, x)[0] - two(x, x, x)[0]).array).max() > 0.01


def test_both_ways_give_the_same():
    """With the weights or without, and with all three projections at once or one by one."""
    layer, x = attention(), drawn(L, B, E)
    copies = [x.clone() for _ in range(3)]
    results = [layer(x, x, x)[0], layer(x, x, x, need_weights=False)[0], layer(*copies)[0]]
    gradients = [minidl.grad((y * y).sum(), [x, *layer.parameters()], retain_graph=True) for y in results]
    for y, found in zip(results[1:], gradients[1:], strict=True):
        np.testing.assert_allclose(y.array, results[0].array, rtol=1e-13, atol=1e-14)
        for g, other in zip(found, gradients[0], strict=True):
            np.testing.assert_allclose(g.array, other.array, rtol=1e-11, atol=1e-12)


def test_weights_are_distributions_over_the_visible_keys():
    layer, x = attention(), drawn(B, L, E)
    layer.batch_first = True
    hidden = minidl.tensor(np.arange(L) >= np.array([[L - 2], [L]]))
    _, weights = layer(x, x, x, key_padding_mask=hidden, average_attn_weights=False)
    assert weights.shape == (B, H, L, L)
    np.testing.assert_allclose(weights.sum(-1).array, 1, rtol=1e-14)
    assert (weights.array[0, :, :, -2:] == 0).all()
    assert (weights.array[1] > 0).all()
    averaged = layer(x, x, x, key_padding_mask=hidden)[1]
    np.testing.assert_allclose(averaged.array, weights.array.mean(1), rtol=1e-14)


@pytest.mark.parametrize("need_weights", [False, True])
def test_padding_gets_exactly_zero_gradient(need_weights):
    layer, q, k, v = attention(batch_first=True), drawn(B, L, E), drawn(B, 6, E, seed=1), drawn(B, 6, E, seed=2)
    hidden = np.arange(6) >= np.array([[4], [6]])
    y = layer(q, k, v, key_padding_mask=minidl.tensor(hidden), need_weights=need_weights)[0]
    for g in minidl.grad((y * y).sum(), [k, v]):
        assert (g.array[hidden] == 0).all()
        assert (g.array[~hidden] != 0).all()


def test_a_query_that_sees_nothing():
    """As in PyTorch: without the weights it attends to zeros; its weights do not exist."""
    layer, x = attention(), drawn(L, B, E)
    mask = np.zeros((L, L), bool)
    mask[1] = True
    with minidl.no_grad():
        layer.out_proj.bias.fill_(0.5)
    y, _ = layer(x, x, x, attn_mask=minidl.tensor(mask), need_weights=False)
    assert (y.array[1] == 0.5).all()
    y, weights = layer(x, x, x, attn_mask=minidl.tensor(mask))
    for result in (y.array, weights.array.swapaxes(0, 1)):
        assert np.isnan(result[1]).all()
        assert np.isfinite(np.delete(result, 1, 0)).all()


def test_the_hint_changes_nothing():
    layer, x = attention(), drawn(L, B, E)
    mask = nn.Transformer.generate_square_subsequent_mask(L)
    plain, hinted = (layer(x, x, x, attn_mask=mask, need_weights=False, is_causal=hint)[0] for hint in (False, True))
    np.testing.assert_array_equal(plain.array, hinted.array)


def test_another_order_of_the_sequence_only_changes_the_order():
    layer, x = attention(), drawn(L, B, E)
    order = [3, 0, 4, 1, 2]
    moved = layer(x[order], x[order], x[order])[0]
    np.testing.assert_allclose(moved.array, layer(x, x, x)[0].array[order], rtol=0, atol=2e-15)


def test_dropout_acts_on_the_weights_in_training():
    layer, x = attention(dropout=0.5), drawn(L, B, E)
    exact = layer.eval()(x, x, x, average_attn_weights=False)[1].array
    np.testing.assert_array_equal(layer(x, x, x, average_attn_weights=False)[1].array, exact)
    dropped = layer.train()(x, x, x, average_attn_weights=False)[1].array
    kept = dropped != 0
    assert 0 < kept.sum() < kept.size
    np.testing.assert_allclose(dropped[kept], 2 * exact[kept], rtol=1e-14)
    minidl.manual_seed(2)
    with_weights = layer(x, x, x)[0].array
    minidl.manual_seed(2)
    np.testing.assert_allclose(layer(x, x, x, need_weights=False)[0].array, with_weights, rtol=1e-12)


def test_an_empty_batch():
    layer = nn.MultiheadAttention(E, H)
    y, weights = layer(*[minidl.zeros(L, 0, E)] * 3, attn_mask=minidl.zeros(0, L, L))
    assert (y.shape, weights.shape) == ((L, 0, E), (0, L, L))


# --- errors ------------------------------------------------------------------------------------------------------

LAYER = nn.MultiheadAttention(E, H)
FIRST = nn.MultiheadAttention(E, H, kdim=3, vdim=4, batch_first=True)
X = minidl.zeros(L, B, E)
QUERY, KEY, VALUE = minidl.zeros(B, L, E), minidl.zeros(B, 6, 3), minidl.zeros(B, 6, 4)


def masked(**masks):
    return lambda: LAYER(X, X, X, **masks)


ERRORS = {
    "heads": (lambda: nn.MultiheadAttention(10, 4), ValueError, "embed_dim 10 is not divisible by num_heads 4"),
    "no heads": (lambda: nn.MultiheadAttention(8, 0), ValueError, "num_heads must be positive, not 0"),
    "no width": (lambda: nn.MultiheadAttention(-8, 2), ValueError, "embed_dim must be positive, not -8"),
    "half a head": (lambda: nn.MultiheadAttention(8, 0.5), TypeError, "num_heads must be an integer, not float"),
    "kdim": (lambda: nn.MultiheadAttention(8, 2, kdim=0), ValueError, "kdim must be positive, not 0"),
    "dropout": (lambda: nn.MultiheadAttention(8, 2, 1.5), ValueError, "dropout must be between 0 and 1, but is 1.5"),
    "dropout is no number": (
        lambda: nn.MultiheadAttention(8, 2, "no"),
        ValueError,
        "dropout must be between 0 and 1, but is 'no'",
    ),
    "bias_kv": (
        lambda: nn.MultiheadAttention(8, 2, add_bias_kv=True),
        ValueError,
        "add_bias_kv and add_zero_attn do not exist here and must be False",
    ),
    "zero_attn": (
        lambda: nn.MultiheadAttention(8, 2, add_zero_attn=True),
        ValueError,
        "add_bias_kv and add_zero_attn do not exist here and must be False",
    ),
    "no tensor": (lambda: LAYER(X, X, [0.0]), TypeError, "value must be a Tensor, not list"),
    "integers": (lambda: LAYER(X.long(), X, X), TypeError, "query must be a floating-point tensor, not int64"),
    "dtype": (
        lambda: LAYER(X, X.double(), X),
        TypeError,
        "key is float64 but the weights are float32; both must have one dtype",
    ),
    "dimensions": (
        lambda: LAYER(X[None], X, X),
        ValueError,
        "query, key and value must all have 3 dimensions (length, batch, features), or all 2 without the batch, but "
        "query has shape (1, 5, 2, 8)",
    ),
    "other dimensions": (
        lambda: FIRST(QUERY, KEY[0], VALUE),
        ValueError,
        "query, key and value must all have 3 dimensions (batch, length, features), or all 2 without the batch, but "
        "key has shape (6, 3)",
    ),
    "width": (
        lambda: FIRST(QUERY, VALUE, VALUE),
        ValueError,
        "key has 4 features but kdim is 3 (key (2, 6, 4))",
    ),
    "batch": (
        lambda: LAYER(X, X[:, :1], X),
        ValueError,
        "query has a batch of 2 but key of 1 (query (5, 2, 8), key (5, 1, 8))",
    ),
    "batch first": (
        lambda: FIRST(QUERY, KEY, VALUE[:1]),
        ValueError,
        "query has a batch of 2 but value of 1 (query (2, 5, 8), value (1, 6, 4))",
    ),
    "lengths": (
        lambda: FIRST(QUERY, KEY, VALUE[:, :5]),
        ValueError,
        "key has length 6 but value has 5 (key (2, 6, 3), value (2, 5, 4))",
    ),
    "empty": (
        lambda: LAYER(X, X[:0], X[:0]),
        ValueError,
        "the sequence of keys is empty, so there is nothing to attend to (key (0, 2, 8))",
    ),
    "hint": (
        masked(is_causal=True),
        ValueError,
        "is_causal is a hint about attn_mask, which is missing (Transformer.generate_square_subsequent_mask makes one)",
    ),
    "mask shape": (
        masked(attn_mask=minidl.zeros(5, 4)),
        ValueError,
        "attn_mask has shape (5, 4) but must have (5, 5) or (4, 5, 5)",
    ),
    "mask batch": (
        masked(attn_mask=minidl.zeros(2, 5, 5)),
        ValueError,
        "attn_mask has shape (2, 5, 5) but must have (5, 5) or (4, 5, 5)",
    ),
    "mask dtype": (
        masked(attn_mask=minidl.zeros(5, 5, dtype=minidl.int64)),
        TypeError,
        "attn_mask must be bool, float32 or the dtype of query (float32), not int64",
    ),
    "mask is no tensor": (masked(attn_mask=[[0.0]]), TypeError, "attn_mask must be a Tensor, not list"),
    "padding shape": (
        masked(key_padding_mask=minidl.zeros(5, 2)),
        ValueError,
        "key_padding_mask has shape (5, 2) but must have (2, 5)",
    ),
    "padding without batch": (
        lambda: LAYER(X[:, 0], X[:, 0], X[:, 0], key_padding_mask=minidl.zeros(1, 5)),
        ValueError,
        "key_padding_mask has shape (1, 5) but must have (5,)",
    ),
    "padding dtype": (
        masked(key_padding_mask=minidl.zeros(2, 5, dtype=minidl.uint8)),
        TypeError,
        "key_padding_mask must be bool, float32 or the dtype of query (float32), not uint8",
    ),
}


@pytest.mark.parametrize(("call", "error", "text"), ERRORS.values(), ids=ERRORS)
def test_errors(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == f"MultiheadAttention: {text}"


def test_initial_values():
    """Xavier's bound for the three projections taken together, as in PyTorch; no bias in the beginning."""
    layer = nn.MultiheadAttention(64, 4)
    assert abs(layer.in_proj_weight.array).max() == pytest.approx(math.sqrt(6 / (4 * 64)), rel=0.01)
    assert not layer.in_proj_bias.array.any()
    assert not layer.out_proj.bias.array.any()
