"""Attention and Transformer layers against PyTorch: printed form, names, initial bounds, values, every gradient."""

import math

import numpy as np
import pytest
from rows import assert_close

import minidl

torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
pytestmark = [
    pytest.mark.parity,
    *map(
        pytest.mark.filterwarnings, ("ignore:enable_nested_tensor is True", "ignore:The PyTorch API of nested tensors")
    ),
]

INF = math.inf
# Relative to the largest element: some rounding errors of each dtype, which depend on the order of the sums.
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
every_dtype = pytest.mark.parametrize("dtype", TOLERANCE)


def both(make, dtype="float64"):
    """The same module in both libraries, with the same weights: normal ones, so that biases and norms count too."""
    ours, theirs = (make(library.nn).to(getattr(library, dtype)) for library in (minidl, torch))
    rng = np.random.default_rng(1)
    state = {key: 0.5 * rng.standard_normal(p.shape).astype(dtype) for key, p in theirs.state_dict().items()}
    ours.load_state_dict(state)
    theirs.load_state_dict({key: torch.tensor(array) for key, array in state.items()})
    return ours, theirs


def run(library, module, arrays, masks, call):
    """Results, and gradients of the inputs, the masks of numbers and all parameters."""
    tensors = [library.tensor(x) for x in arrays]
    masks = {name: library.tensor(mask) for name, mask in masks.items()}
    for x in (*tensors, *masks.values()):
        x.requires_grad_(x.dtype in (library.float32, library.float64))
    results = call(module, tensors, masks)
    results = [y for y in (results if isinstance(results, tuple) else (results,)) if y is not None]
    rng = np.random.default_rng(2)
    for y in results:
        g = rng.standard_normal(tuple(y.shape)).astype(arrays[0].dtype)
        y.backward(library.tensor(g), retain_graph=True)
    found = {f"result {i}": y.detach().numpy() for i, y in enumerate(results)}
    found |= {f"gradient of input {i}": x.grad.numpy() for i, x in enumerate(tensors)}
    found |= {f"gradient of {name}": x.grad.numpy() for name, x in masks.items() if x.requires_grad}
    return found | {f"gradient of {name}": p.grad.numpy() for name, p in module.named_parameters()}


def compare(make, shapes, masks, call, dtype, train=True):
    """The module in both libraries: values and gradients, dtypes included."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    masks = {name: mask if mask.dtype == bool else mask.astype(dtype) for name, mask in masks.items()}
    found, expected = (
        run(library, module.train(train), arrays, masks, call)
        for library, module in zip((minidl, torch), both(make, dtype), strict=True)
    )
    assert list(found) == list(expected)
    for name, array in found.items():
        assert_close(name, array, expected[name], TOLERANCE[dtype])


# --- names, printed form, initial values -------------------------------------------------------------------------

MODULES = {
    "attention": lambda nn: nn.MultiheadAttention(8, 2),
    "attention without bias": lambda nn: nn.MultiheadAttention(8, 2, bias=False),
    "attention with other widths": lambda nn: nn.MultiheadAttention(8, 2, 0.1, kdim=3, vdim=5),
    "encoder layer": lambda nn: nn.TransformerEncoderLayer(8, 2, 16),
    "encoder layer without bias": lambda nn: nn.TransformerEncoderLayer(8, 2, bias=False, activation=nn.GELU("tanh")),
    "decoder layer": lambda nn: nn.TransformerDecoderLayer(8, 4, 12, 0.3, nn.ReLU(), 1e-3),
    "encoder": lambda nn: nn.TransformerEncoder(
        nn.TransformerEncoderLayer(8, 2, 16), 3, nn.LayerNorm(8), enable_nested_tensor=False
    ),
    "decoder": lambda nn: nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16), 2),
    "transformer": lambda nn: nn.Transformer(8, 2, 2, 3, 16, batch_first=True),
    "custom encoder": lambda nn: nn.Transformer(8, 2, 2, 1, 16, custom_encoder=nn.Linear(8, 8)),
}


@pytest.mark.parametrize("make", MODULES.values(), ids=MODULES)
def test_printed_form_and_names(make):
    ours, theirs = make(minidl.nn), make(torch.nn)
    # out_proj is a plain Linear in both; PyTorch gives it a name of its own for the sake of quantisation.
    assert repr(ours) == repr(theirs).replace("NonDynamicallyQuantizableLinear", "Linear")
    assert {key: p.shape for key, p in ours.state_dict().items()} == {
        key: tuple(p.shape) for key, p in theirs.state_dict().items()
    }
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]


@pytest.mark.parametrize(
    "make",
    [
        lambda nn: nn.MultiheadAttention(96, 4),
        lambda nn: nn.MultiheadAttention(96, 4, kdim=40, vdim=200),
        lambda nn: nn.TransformerEncoderLayer(96, 4, 200),
        lambda nn: nn.Transformer(64, 4, 1, 1, 200),
    ],
)
def test_initial_values(make):
    """The same bounds, and the same constants where PyTorch has constants."""
    minidl.manual_seed(0)
    torch.manual_seed(0)
    for (name, p), (_, q) in zip(make(minidl.nn).named_parameters(), make(torch.nn).named_parameters(), strict=True):
        ours, theirs = p.detach().numpy(), q.detach().numpy()
        if theirs.std() == 0:
            np.testing.assert_array_equal(ours, theirs, err_msg=name)
        else:
            assert abs(ours).max() == pytest.approx(abs(theirs).max(), rel=0.1 if p.ndim == 1 else 0.01), name


# --- multi-head attention ----------------------------------------------------------------------------------------

B, L, S, E, H = 2, 5, 7, 8, 4
RANDOM = np.random.default_rng(7)
FUTURE = np.triu(np.ones((L, L), bool), 1)
PADDING = np.arange(L) >= np.array([[L - 2], [L]])
HIDDEN = RANDOM.random((L, S)) < 0.4
HIDDEN[:, 2] = False
BLIND = np.where(np.arange(L)[:, None] == 1, True, HIDDEN)


def additive(hidden):
    return np.where(hidden, -INF, RANDOM.standard_normal(hidden.shape))


def self_attention(**options):
    return lambda module, x, masks: module(x[0], x[0], x[0], **masks, **options)


def cross_attention(**options):
    return lambda module, x, masks: module(*x, **masks, **options)


def one_memory(**options):
    return lambda module, x, masks: module(x[0], x[1], x[1], **masks, **options)


ONE, THREE = [(L, B, E)], [(L, B, E), (S, B, E), (S, B, E)]
EACH = np.stack([np.roll(HIDDEN, i, 0) for i in range(B * H)])
KEYS = np.arange(S) >= np.array([[S - 3], [S]])

ATTENTIONS = {
    "self": ({}, ONE, {}, self_attention()),
    "self without bias": (dict(bias=False), ONE, {}, self_attention()),
    "self, batch first": (dict(batch_first=True), [(B, L, E)], {}, self_attention()),
    "self, no batch": ({}, [(L, E)], {}, self_attention()),
    "self, no batch, batch first": (dict(batch_first=True), [(L, E)], {}, self_attention(average_attn_weights=False)),
    "self, no weights": ({}, ONE, {}, self_attention(need_weights=False)),
    "self, weights of each head": ({}, ONE, {}, self_attention(average_attn_weights=False)),
    "causal": ({}, ONE, dict(attn_mask=FUTURE), self_attention(is_causal=True)),
    "causal, no weights": ({}, ONE, dict(attn_mask=FUTURE), self_attention(need_weights=False, is_causal=True)),
    "causal and padded": (
        {},
        ONE,
        dict(attn_mask=FUTURE, key_padding_mask=PADDING),
        self_attention(need_weights=False, is_causal=True),
    ),
    "padded": ({}, ONE, dict(key_padding_mask=PADDING), self_attention()),
    "padded, no weights": ({}, ONE, dict(key_padding_mask=PADDING), self_attention(need_weights=False)),
    "padded, no batch": ({}, [(L, E)], dict(key_padding_mask=PADDING[0]), self_attention()),
    "padded by numbers": ({}, ONE, dict(key_padding_mask=additive(PADDING)), self_attention()),
    "cross": ({}, THREE, {}, cross_attention()),
    "cross, one memory": ({}, THREE[:2], {}, one_memory()),
    "cross, batch first": (dict(batch_first=True), [(B, L, E), (B, S, E), (B, S, E)], {}, cross_attention()),
    "cross, other widths": (dict(kdim=3, vdim=6), [(L, B, E), (S, B, 3), (S, B, 6)], {}, cross_attention()),
    "cross, other widths, no bias": (
        dict(kdim=3, bias=False, batch_first=True),
        [(B, L, E), (B, S, 3), (B, S, E)],
        {},
        cross_attention(need_weights=False),
    ),
    "mask": ({}, THREE, dict(attn_mask=HIDDEN), cross_attention(average_attn_weights=False)),
    "mask, no weights": ({}, THREE, dict(attn_mask=HIDDEN), cross_attention(need_weights=False)),
    "mask of numbers": ({}, THREE, dict(attn_mask=additive(HIDDEN)), cross_attention()),
    "mask of numbers, no weights": ({}, THREE, dict(attn_mask=additive(HIDDEN)), cross_attention(need_weights=False)),
    "mask for each head": ({}, THREE, dict(attn_mask=EACH), cross_attention()),
    "mask for each head, no batch": (
        {},
        [(L, E), (S, E), (S, E)],
        dict(attn_mask=EACH[:H]),
        cross_attention(need_weights=False),
    ),
    "both masks": (
        {},
        THREE,
        dict(attn_mask=additive(EACH), key_padding_mask=additive(KEYS & (np.arange(S) != 2))),
        cross_attention(need_weights=False),
    ),
    "a blind query, no weights": ({}, THREE, dict(attn_mask=BLIND), cross_attention(need_weights=False)),
    "blind by numbers, no weights": ({}, THREE, dict(attn_mask=additive(BLIND)), cross_attention(need_weights=False)),
    "a blind query": ({}, THREE, dict(attn_mask=BLIND), cross_attention()),
}


@every_dtype
@pytest.mark.parametrize(("options", "shapes", "masks", "call"), ATTENTIONS.values(), ids=ATTENTIONS)
def test_attention(options, shapes, masks, call, dtype):
    compare(lambda nn: nn.MultiheadAttention(E, H, **options), shapes, masks, call, dtype)


@every_dtype
@pytest.mark.parametrize("need_weights", [False, True])
def test_attention_after_eval(need_weights, dtype):
    """Without gradients PyTorch takes another way through it, the "fast path"."""
    x = RANDOM.standard_normal((B, L, E)).astype(dtype)
    results = []
    for library, module in zip((minidl, torch), both(fast, dtype), strict=True):
        with library.no_grad():
            y = library.tensor(x)
            found = module.eval()(y, y, y, key_padding_mask=library.tensor(PADDING), need_weights=need_weights)
        results.append([part.numpy() for part in found if part is not None])
    for ours, theirs in zip(*results, strict=True):
        assert_close("fast path", ours, theirs, TOLERANCE[dtype])


def fast(nn):
    return nn.MultiheadAttention(E, H, 0.5, batch_first=True)


# --- layers and stacks -------------------------------------------------------------------------------------------

F = 12  # inside the feed-forward nets
TARGET, MEMORY = (L, B, E), (S, B, E)


def encoder_layer(nn, **options):
    return nn.TransformerEncoderLayer(E, H, F, 0.0, **options)


def decoder_layer(nn, **options):
    return nn.TransformerDecoderLayer(E, H, F, 0.0, **options)


def encoder(nn, norm=False, **options):
    last = nn.LayerNorm(E) if norm else None
    return nn.TransformerEncoder(encoder_layer(nn, **options), 2, last, enable_nested_tensor=False)


def decoder(nn, norm=False, **options):
    return nn.TransformerDecoder(decoder_layer(nn, **options), 2, nn.LayerNorm(E) if norm else None)


def transformer(nn, **options):
    return nn.Transformer(E, H, 2, 1, F, 0.0, **options)


def call(**options):
    return lambda module, x, masks: module(*x, **masks, **options)


PADDED_MEMORY = np.arange(S) >= np.array([[S - 3], [S]])
DECODER_MASKS = dict(
    tgt_mask=FUTURE,
    memory_mask=HIDDEN,
    tgt_key_padding_mask=PADDING,
    memory_key_padding_mask=KEYS & (np.arange(S) != 2),
)
TRANSFORMER_MASKS = dict(
    src_mask=np.triu(np.ones((S, S), bool), 1), src_key_padding_mask=PADDED_MEMORY, **DECODER_MASKS
)

LAYERS = {
    "encoder layer": (encoder_layer, {}, [TARGET], {}, call()),
    "encoder layer, norm first": (encoder_layer, dict(norm_first=True), [TARGET], {}, call()),
    "encoder layer, gelu": (encoder_layer, dict(activation="gelu"), [TARGET], {}, call()),
    "encoder layer, no bias": (encoder_layer, dict(bias=False), [TARGET], {}, call()),
    "encoder layer, eps": (encoder_layer, dict(layer_norm_eps=0.3), [TARGET], {}, call()),
    "encoder layer, batch first": (encoder_layer, dict(batch_first=True), [(B, L, E)], {}, call()),
    "encoder layer, no batch": (encoder_layer, {}, [(L, E)], {}, call()),
    "encoder layer, causal": (encoder_layer, {}, [TARGET], dict(src_mask=FUTURE), call(is_causal=True)),
    "encoder layer, masks": (
        encoder_layer,
        dict(norm_first=True),
        [TARGET],
        dict(src_mask=additive(FUTURE), src_key_padding_mask=additive(PADDING)),
        call(),
    ),
    "decoder layer": (decoder_layer, {}, [TARGET, MEMORY], {}, call()),
    "decoder layer, norm first": (
        decoder_layer,
        dict(norm_first=True, activation="gelu"),
        [TARGET, MEMORY],
        {},
        call(),
    ),
    "decoder layer, no bias": (decoder_layer, dict(bias=False), [TARGET, MEMORY], {}, call()),
    "decoder layer, batch first": (decoder_layer, dict(batch_first=True), [(B, L, E), (B, S, E)], {}, call()),
    "decoder layer, no batch": (decoder_layer, {}, [(L, E), (S, E)], {}, call()),
    "decoder layer, masks": (decoder_layer, {}, [TARGET, MEMORY], DECODER_MASKS, call()),
    "decoder layer, causal": (
        decoder_layer,
        {},
        [TARGET, TARGET],
        dict(tgt_mask=FUTURE, memory_mask=FUTURE),
        call(tgt_is_causal=True, memory_is_causal=True),
    ),
    "encoder": (encoder, {}, [TARGET], {}, call()),
    "encoder, norm": (encoder, dict(norm=True, norm_first=True), [TARGET], {}, call()),
    "encoder, masks": (encoder, {}, [TARGET], dict(mask=FUTURE, src_key_padding_mask=PADDING), call()),
    "encoder, causal": (encoder, dict(batch_first=True), [(B, L, E)], dict(mask=FUTURE), call(is_causal=True)),
    "decoder": (decoder, {}, [TARGET, MEMORY], {}, call()),
    "decoder, norm": (decoder, dict(norm=True, norm_first=True), [TARGET, MEMORY], {}, call()),
    "decoder, masks": (decoder, {}, [TARGET, MEMORY], DECODER_MASKS, call()),
    "decoder, causal": (decoder, {}, [TARGET, MEMORY], dict(tgt_mask=FUTURE), call(tgt_is_causal=True)),
    "transformer": (transformer, {}, [MEMORY, TARGET], {}, call()),
    "transformer, norm first": (transformer, dict(norm_first=True, activation="gelu"), [MEMORY, TARGET], {}, call()),
    "transformer, no bias": (transformer, dict(bias=False), [MEMORY, TARGET], {}, call()),
    "transformer, batch first": (transformer, dict(batch_first=True), [(B, S, E), (B, L, E)], {}, call()),
    "transformer, no batch": (transformer, dict(batch_first=True), [(S, E), (L, E)], {}, call()),
    "transformer, masks": (transformer, {}, [MEMORY, TARGET], TRANSFORMER_MASKS, call()),
    "transformer, causal": (
        transformer,
        {},
        [TARGET, TARGET],
        dict(src_mask=FUTURE, tgt_mask=FUTURE, memory_mask=FUTURE),
        call(src_is_causal=True, tgt_is_causal=True, memory_is_causal=True),
    ),
}


@every_dtype
@pytest.mark.parametrize(("make", "options", "shapes", "masks", "call"), LAYERS.values(), ids=LAYERS)
def test_layers(make, options, shapes, masks, call, dtype):
    compare(lambda nn: make(nn, **options), shapes, masks, call, dtype)
    compare(lambda nn: make(nn, **options), shapes, masks, call, dtype, train=False)


@every_dtype
@pytest.mark.parametrize("activation", ["silu", "tanh"])
def test_other_activations(activation, dtype):
    def make(nn):
        library = minidl if nn is minidl.nn else torch
        return encoder_layer(nn, activation=getattr(library.nn.functional, activation))

    compare(make, [TARGET], {}, call(), dtype)
    compare(lambda nn: decoder_layer(nn, activation=nn.SiLU()), [TARGET, MEMORY], {}, call(), dtype)


@every_dtype
@pytest.mark.parametrize("norm_first", [False, True])
def test_encoder_after_eval(norm_first, dtype):
    """PyTorch's fast path again; for the padding at the end of a sequence it may give zeros."""
    x = RANDOM.standard_normal((B, L, E)).astype(dtype)
    results = []
    for library, module in zip((minidl, torch), both(padded_encoder(norm_first), dtype), strict=True):
        with library.no_grad():
            y = module.eval()(library.tensor(x), src_key_padding_mask=library.tensor(PADDING))
        results.append(y.numpy()[~PADDING])
    assert_close("fast path", *results, TOLERANCE[dtype])


def padded_encoder(norm_first):
    return lambda nn: nn.TransformerEncoder(
        nn.TransformerEncoderLayer(E, H, F, 0.5, batch_first=True, norm_first=norm_first),
        2,
        enable_nested_tensor=not norm_first,
    )


@pytest.mark.parametrize("dtype", [None, "float64"])
def test_the_mask_of_the_future(dtype):
    ours, theirs = (
        library.nn.Transformer.generate_square_subsequent_mask(4, dtype=dtype and getattr(library, dtype))
        for library in (minidl, torch)
    )
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy(), strict=True)
