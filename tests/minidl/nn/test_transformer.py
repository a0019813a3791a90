"""Transformer layers and stacks: what may see what, how they start, dropout, learning, every error text."""

import math

import numpy as np
import pytest

import minidl
import minidl.nn.functional as F
from minidl import nn
from minidl.testing import gradcheck

L, B, E, H = 5, 2, 8, 2
FUTURE = nn.Transformer.generate_square_subsequent_mask(L)


def drawn(*shape, seed=0):
    return minidl.tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


def encoder(layers=2, **options):
    minidl.manual_seed(0)
    layer = nn.TransformerEncoderLayer(E, H, 12, 0.0, dtype=minidl.float64, **options)
    return nn.TransformerEncoder(layer, layers)


def transformer(**options):
    minidl.manual_seed(0)
    return nn.Transformer(E, H, 2, 2, 12, 0.0, dtype=minidl.float64, **options)


# --- what may see what -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_causal_stack_does_not_look_ahead(norm_first):
    """dy_i/dx_j = 0 exactly for j > i, and not for j <= i."""
    model, x = encoder(norm_first=norm_first), drawn(L, B, E)
    y = model(x, FUTURE, is_causal=True)
    for i in range(L):
        (g,) = minidl.grad(y[i, 0, 0], x, retain_graph=True)
        assert (g.array[i + 1 :] == 0).all()
        assert (g.array[: i + 1, 0] != 0).all()
        assert (g.array[:, 1] == 0).all()  # the other sequence


def test_a_longer_causal_input_keeps_the_beginning():
    model, x = encoder(), drawn(L, B, E)
    short = model(x[:3], nn.Transformer.generate_square_subsequent_mask(3))
    np.testing.assert_allclose(model(x, FUTURE)[:3].array, short.array, rtol=0, atol=1e-14)


def test_padding_changes_nothing():
    model, x = encoder(batch_first=True), drawn(B, L, E)
    hidden = np.arange(L) >= np.array([[3], [L]])
    y = model(x, src_key_padding_mask=minidl.tensor(hidden))
    np.testing.assert_allclose(y[0, :3].array, model(x[:1, :3])[0].array, rtol=0, atol=1e-14)
    (g,) = minidl.grad((y[~hidden] ** 2).sum(), x)
    assert (g.array[hidden] == 0).all()


@pytest.mark.parametrize("norm_first", [False, True])
def test_another_order_of_the_sequence_only_changes_the_order(norm_first):
    model, x = encoder(norm_first=norm_first), drawn(L, B, E)
    order = [3, 0, 4, 1, 2]
    np.testing.assert_allclose(model(x[order]).array, model(x).array[order], rtol=0, atol=1e-14)


def test_the_decoder_does_not_mind_the_order_of_the_memory():
    model, src, tgt = transformer(), drawn(7, B, E), drawn(L, B, E, seed=1)
    order = [6, 0, 5, 1, 4, 2, 3]
    found, expected = model(src[order], tgt, tgt_mask=FUTURE), model(src, tgt, tgt_mask=FUTURE)
    np.testing.assert_allclose(found.array, expected.array, rtol=0, atol=1e-14)


def test_the_encoder_gives_as_many_vectors_as_there_are_tokens():
    model = encoder()
    for length in (1, 3, 9):
        assert model(drawn(length, E)).shape == (length, E)


def test_norms_stand_where_they_are_said_to():
    layer, x = encoder(1).layers[0], drawn(L, E)

    def attend(z):
        return layer.self_attn(z, z, z)[0]

    def feed(z):
        return layer.linear2(layer.linear1(z).relu())

    u = layer.norm1(x + attend(x))
    np.testing.assert_allclose(layer(x).array, layer.norm2(u + feed(u)).array, rtol=1e-12, atol=1e-14)
    layer.norm_first = True
    u = x + attend(layer.norm1(x))
    np.testing.assert_allclose(layer(x).array, (u + feed(layer.norm2(u))).array, rtol=1e-12, atol=1e-14)


@pytest.mark.gradcheck
def test_gradients_of_a_whole_transformer():
    model = transformer(activation="gelu")
    assert gradcheck(lambda src, tgt: model(src, tgt, tgt_mask=FUTURE), [drawn(3, B, E), drawn(L, B, E)])


# --- how they start, and dropout ---------------------------------------------------------------------------------


def test_copies_start_alike_and_learn_apart():
    first, second = encoder(2).layers
    for p, q in zip(first.parameters(), second.parameters(), strict=True):
        np.testing.assert_array_equal(p.array, q.array)
        assert not np.shares_memory(p.array, q.array)


def test_a_transformer_draws_every_layer_anew():
    first, second = transformer().encoder.layers
    for (name, p), q in zip(first.named_parameters(), second.parameters(), strict=True):
        assert (p.array != q.array).all() == (p.ndim > 1), name
        if p.ndim > 1:
            bound = math.sqrt(6 / sum(p.shape))
            assert 0.8 * bound < abs(p.array).max() <= bound, name


def test_dropout_acts_in_training_alone():
    model, src, tgt = nn.Transformer(E, H, 1, 1, 12, 0.5), minidl.randn(L, B, E), minidl.randn(L, B, E)
    assert (model(src, tgt) != model(src, tgt)).any()
    model.eval()
    np.testing.assert_array_equal(model(src, tgt).array, model(src, tgt).array)
    assert sum(isinstance(module, nn.Dropout) and module.p == 0.5 for module in model.modules()) == 3 + 4
    assert sum(isinstance(module, nn.MultiheadAttention) and module.dropout == 0.5 for module in model.modules()) == 3


@pytest.mark.parametrize("name", ["TransformerEncoderLayer", "TransformerDecoderLayer"])
def test_every_dropout_has_its_place(name):
    """With one of them at probability 1 and the others at 0, exactly the part behind it falls away."""
    layer = getattr(nn, name)(E, H, 12, 0.0, norm_first=True)
    x, memory = minidl.randn(L, B, E), minidl.randn(7, B, E)
    inputs = [x] if "Encoder" in name else [x, memory]
    everything = [
        path for path, module in layer.named_modules() if isinstance(module, nn.Dropout) and path != "dropout"
    ]
    for path in everything:
        getattr(layer, path).p = 1.0
    np.testing.assert_array_equal(layer(*inputs).array, x.array)
    for path in everything:
        getattr(layer, path).p = 0.0
        assert (layer(*inputs).array != x.array).any(), path
        getattr(layer, path).p = 1.0
    getattr(layer, everything[-1]).p, layer.dropout.p = 0.0, 1.0  # nothing but the last bias is left
    expected = (x + layer.linear2.bias).array
    np.testing.assert_allclose(layer(*inputs).array, expected, rtol=1e-6)


def test_a_stack_may_be_replaced():
    model = nn.Transformer(E, H, custom_encoder=Ignoring(), custom_decoder=Ignoring())
    src, tgt = minidl.randn(L, B, E), minidl.randn(3, B, E)
    assert model(src, tgt) is tgt


class Ignoring(nn.Sequential):
    """Empty, and so false as a truth value."""

    def forward(self, *inputs, **masks):
        return inputs[0]


def test_it_learns_to_turn_a_sequence_round():
    """The first letter must come from the last place and so on: only attention and positions can bring it there."""
    minidl.manual_seed(0)
    letters, places = nn.Embedding(6, 16), nn.SinusoidalPositions(16, batch_first=True)
    stack = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=True), 2)
    model = nn.Sequential(letters, places, stack, nn.Linear(16, 6))
    optimizer = minidl.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(150):
        x = minidl.randint(0, 6, (32, 6))
        loss = F.cross_entropy(model(x).flatten(0, 1), x.flip(1).flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x = minidl.randint(0, 6, (100, 6))
    assert (model(x).argmax(-1) == x.flip(1)).float().mean().item() > 0.95


# --- errors ------------------------------------------------------------------------------------------------------

X = minidl.zeros(L, B, E)
LAYER, MODEL = nn.TransformerEncoderLayer(E, H, 12), nn.Transformer(E, H, 1, 1, 12)

ERRORS = {
    "heads": (
        lambda: nn.TransformerEncoderLayer(10, 4),
        ValueError,
        "TransformerEncoderLayer: d_model 10 is not divisible by nhead 4",
    ),
    "heads of all": (lambda: nn.Transformer(10, 4), ValueError, "Transformer: d_model 10 is not divisible by nhead 4"),
    "no heads": (
        lambda: nn.TransformerDecoderLayer(8, 0),
        ValueError,
        "TransformerDecoderLayer: nhead must be positive, not 0",
    ),
    "feed-forward": (
        lambda: nn.TransformerEncoderLayer(8, 2, -1),
        ValueError,
        "TransformerEncoderLayer: dim_feedforward must be positive, not -1",
    ),
    "activation": (
        lambda: nn.TransformerDecoderLayer(8, 2, activation="tanh"),
        ValueError,
        "TransformerDecoderLayer: activation must be 'relu', 'gelu' or a function, not 'tanh'",
    ),
    "no activation": (
        lambda: nn.TransformerDecoderLayer(8, 2, activation=[]),
        ValueError,
        "TransformerDecoderLayer: activation must be 'relu', 'gelu' or a function, not []",
    ),
    "dropout": (
        lambda: nn.TransformerEncoderLayer(8, 2, dropout=2.0),
        ValueError,
        "TransformerEncoderLayer: dropout must be between 0 and 1, but is 2.0",
    ),
    "no layers": (
        lambda: nn.TransformerEncoder(LAYER, 0),
        ValueError,
        "TransformerEncoder: num_layers must be positive, not 0",
    ),
    "layers": (
        lambda: nn.TransformerDecoder(LAYER, 1.5),
        TypeError,
        "TransformerDecoder: num_layers must be an integer, not float",
    ),
    "mask shape": (
        lambda: LAYER(X, minidl.zeros(4, 4)),
        ValueError,
        "MultiheadAttention: attn_mask has shape (4, 4) but must have (5, 5) or (4, 5, 5)",
    ),
    "empty": (
        lambda: LAYER(X[:0]),
        ValueError,
        "MultiheadAttention: the sequence of keys is empty, so there is nothing to attend to (key (0, 2, 8))",
    ),
    "batch": (
        lambda: MODEL(X, X[:, :1]),
        ValueError,
        "Transformer: src (5, 2, 8) and tgt (5, 1, 8) must have the same batch",
    ),
    "batch of one alone": (
        lambda: MODEL(X[:, 0], X),
        ValueError,
        "Transformer: src (5, 8) and tgt (5, 2, 8) must have the same batch",
    ),
    "width": (
        lambda: MODEL(X, X[..., :4]),
        ValueError,
        "Transformer: tgt must have 2 or 3 dimensions, the last of length d_model 8, not shape (5, 2, 4)",
    ),
    "no tensor": (lambda: MODEL([0.0], X), TypeError, "Transformer: src must be a Tensor, not list"),
    "size of the mask": (
        lambda: nn.Transformer.generate_square_subsequent_mask(2.0),
        TypeError,
        "generate_square_subsequent_mask: sz must be an integer, not float",
    ),
    "negative size": (
        lambda: nn.Transformer.generate_square_subsequent_mask(-1),
        ValueError,
        "generate_square_subsequent_mask: sz must not be negative, but is -1",
    ),
}


@pytest.mark.parametrize(("call", "error", "text"), ERRORS.values(), ids=ERRORS)
def test_errors(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == text
