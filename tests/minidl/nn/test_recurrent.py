"""Recurrent layers and cells: against their formulas, against each other, against PyTorch, and every error text."""

import numpy as np
import pytest
from rows import assert_close

import minidl
import minidl.nn as nn
import minidl.nn.functional as F

LAYERS = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
CELLS = {"RNN": nn.RNNCell, "LSTM": nn.LSTMCell, "GRU": nn.GRUCell}
every_kind = pytest.mark.parametrize("kind", LAYERS)


def numbers(*shape, seed=0):
    return minidl.tensor(np.random.default_rng(seed).standard_normal(shape))


def flat(results):
    """Tensors in nested tuples as one list."""
    return [y for part in results for y in flat(part)] if isinstance(results, tuple) else [results]


def state_of(kind, *shape, seed=1):
    """An initial state as the layer takes it."""
    h = numbers(*shape, seed=seed)
    return (h, numbers(*shape, seed=seed + 1)) if kind == "LSTM" else h


def assert_same(found, expected, tolerance=1e-13):
    found, expected = flat(found), flat(expected)
    assert len(found) == len(expected)
    for i, (y, other) in enumerate(zip(found, expected, strict=True)):
        assert_close(f"result {i}", y.array, other.array, tolerance)


# --- against the formulas ----------------------------------------------------------------------------------------


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def rnn(x, h, c, W, U, b, d):
    return np.tanh(W[0] @ x + b[0] + U[0] @ h + d[0]), None


def lstm(x, h, c, W, U, b, d):
    i, f, g, o = (W[k] @ x + b[k] + U[k] @ h + d[k] for k in range(4))
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru(x, h, c, W, U, b, d):
    r, z = (sigmoid(W[k] @ x + b[k] + U[k] @ h + d[k]) for k in range(2))
    n = np.tanh(W[2] @ x + b[2] + r * (U[2] @ h + d[2]))
    return (1 - z) * n + z * h, None


@pytest.mark.parametrize(("kind", "formula", "gates"), [("RNN", rnn, 1), ("LSTM", lstm, 4), ("GRU", gru, 3)])
def test_is_its_formula_step_by_step(kind, formula, gates):
    layer = LAYERS[kind](3, 5, dtype=minidl.float64)
    x, hx = numbers(7, 3), state_of(kind, 1, 5)
    h, c = (part.array[0] for part in (hx if kind == "LSTM" else (hx, hx)))
    blocks = [p.array.reshape(gates, 5, *p.shape[1:]) for p in layer.parameters()]
    expected = []
    for t in range(7):
        h, c = formula(x.array[t], h, c, *blocks)
        expected.append(h)
    output, final = layer(x, hx)
    np.testing.assert_allclose(output.array, np.array(expected), rtol=1e-13, atol=1e-15)
    last = [h] if c is None else [h, c]
    for part, other in zip(flat(final), last, strict=True):
        np.testing.assert_allclose(part.array[0], other, rtol=1e-13, atol=1e-15)


# --- against each other ------------------------------------------------------------------------------------------


@every_kind
def test_a_layer_is_its_cell_at_every_step(kind):
    layer = LAYERS[kind](3, 5, dtype=minidl.float64)
    cell = CELLS[kind](3, 5, dtype=minidl.float64)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    x, outputs, state = numbers(6, 2, 3), [], None
    for x_t in x:
        state = cell(x_t, state)
        outputs.append(state[0] if kind == "LSTM" else state)
    output, final = layer(x)
    assert_same(output, minidl.stack(outputs))
    assert_same(final, tuple(part.unsqueeze(0) for part in flat(state)) if kind == "LSTM" else state.unsqueeze(0))


@every_kind
def test_the_state_carries_a_sequence_on(kind):
    layer = LAYERS[kind](3, 4, num_layers=2, dtype=minidl.float64)
    x = numbers(7, 2, 3)
    output, final = layer(x)
    first, between = layer(x[:3])
    second, end = layer(x[3:], between)
    assert_same((minidl.cat([first, second]), end), (output, final))


@every_kind
def test_the_reverse_direction_is_a_layer_that_reads_backwards(kind):
    both = LAYERS[kind](3, 4, bidirectional=True, dtype=minidl.float64)
    x, hx = numbers(6, 2, 3), state_of(kind, 2, 2, 4)
    output, final = both(x, hx)
    for direction, suffix in enumerate(["", "_reverse"]):
        one = LAYERS[kind](3, 4, dtype=minidl.float64)
        one.load_state_dict({name: both.state_dict()[name + suffix] for name in one.state_dict()})
        part = [s[direction : direction + 1] for s in flat(hx)]
        y, end = one(x.flip(0) if suffix else x, tuple(part) if kind == "LSTM" else part[0])
        half = output[..., 4 * direction : 4 * (direction + 1)]
        assert_same(half, y.flip(0) if suffix else y)
        for s, other in zip(flat(final), flat(end), strict=True):
            assert_same(s[direction : direction + 1], other)


SHAPE = dict(num_layers=2, bidirectional=True, dtype=minidl.float64)


@every_kind
def test_batch_first_is_the_other_order_transposed(kind):
    layer, other = LAYERS[kind](3, 4, batch_first=True, **SHAPE), LAYERS[kind](3, 4, **SHAPE)
    other.load_state_dict(layer.state_dict())
    x, hx = numbers(2, 6, 3), state_of(kind, 4, 2, 4)
    output, final = layer(x, hx)
    expected, end = other(x.swapaxes(0, 1), hx)
    assert output.shape == (2, 6, 8)
    assert_same((output, final), (expected.swapaxes(0, 1), end), 0)


@every_kind
@pytest.mark.parametrize("batch_first", [False, True])
def test_without_a_batch_it_is_a_batch_of_one(kind, batch_first):
    layer = LAYERS[kind](3, 4, batch_first=batch_first, **SHAPE)
    x, hx = numbers(6, 3), state_of(kind, 4, 4)
    output, final = layer(x, hx)
    one = 0 if batch_first else 1
    more = tuple(s.unsqueeze(1) for s in hx) if kind == "LSTM" else hx.unsqueeze(1)
    expected, end = layer(x.unsqueeze(one), more)
    assert output.shape == (6, 8)
    assert_same((output, *flat(final)), (expected.squeeze(one), *(s.squeeze(1) for s in flat(end))))


@every_kind
def test_without_a_state_it_starts_from_zeros(kind):
    layer, cell = LAYERS[kind](3, 4, **SHAPE), CELLS[kind](3, 4, dtype=minidl.float64)
    zeros = minidl.zeros(4, 2, 4, dtype=minidl.float64)
    assert_same(layer(numbers(5, 2, 3)), layer(numbers(5, 2, 3), (zeros, zeros) if kind == "LSTM" else zeros), 0)
    assert_same(cell(numbers(2, 3)), cell(numbers(2, 3), (zeros[0], zeros[0]) if kind == "LSTM" else zeros[0]), 0)


@every_kind
def test_a_parameter_that_is_replaced_is_used(kind):
    layer = LAYERS[kind](3, 4)
    for name, parameter in list(layer.named_parameters()):
        setattr(layer, name, nn.Parameter(minidl.zeros_like(parameter)))
    output, _ = layer(minidl.ones(5, 2, 3))
    assert not output.array.any()
    assert all(p is q for p, q in zip(layer.all_weights[0], layer.parameters(), strict=True))


# --- dropout between layers --------------------------------------------------------------------------------------


def two_layers(kind, **options):
    """A network of two layers, and its layers as networks of their own."""
    both = LAYERS[kind](3, 4, num_layers=2, **options)
    parts = LAYERS[kind](3, 4), LAYERS[kind](4, 4)
    for number, part in enumerate(parts):
        names = [name.replace("_l0", "") for name in part.state_dict()]
        part.load_state_dict({f"{name}_l0": both.state_dict()[f"{name}_l{number}"] for name in names})
    return both, *parts


@every_kind
def test_dropout_acts_between_the_layers_and_nowhere_else(kind):
    both, first, second = two_layers(kind, dropout=0.4)
    x = minidl.randn(6, 2, 3)
    minidl.manual_seed(3)
    output, final = both(x)
    minidl.manual_seed(3)
    between, end_of_first = first(x)
    expected, end_of_second = second(F.dropout(between, 0.4))
    assert np.array_equal(output.array, expected.array)
    for s, a, b in zip(flat(final), flat(end_of_first), flat(end_of_second), strict=True):
        assert np.array_equal(s.array, np.concatenate([a.array, b.array]))
    again, _ = both(x)
    assert not np.array_equal(again.array, expected.array)  # every pass drops others
    both.eval()
    kept, _ = both(x)
    assert np.array_equal(kept.array, second(between)[0].array)


@every_kind
def test_with_everything_dropped_the_second_layer_sees_nothing(kind):
    both, _, second = two_layers(kind, dropout=1)
    x = minidl.randn(6, 2, 3, requires_grad=True)
    output, _ = both(x)
    assert np.array_equal(output.array, second(minidl.zeros(6, 2, 4))[0].array)
    output.sum().backward()
    assert not x.grad.array.any()


def test_dropout_without_a_second_layer_warns():
    text = "^GRU: dropout acts between layers, and there is only one; dropout=0.5 changes nothing$"
    with pytest.warns(UserWarning, match=text) as caught:
        layer = nn.GRU(3, 4, dropout=0.5)
    assert caught[0].filename == __file__
    x = minidl.randn(5, 2, 3)
    assert np.array_equal(layer(x)[0].array, layer(x)[0].array)


# --- how they start ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [*LAYERS.values(), *CELLS.values()])
def test_all_weights_start_inside_their_bounds(make):
    minidl.manual_seed(0)
    module = make(30, 100)
    for name, p in module.named_parameters():
        assert p.dtype == np.float32
        assert abs(p.array).max() <= 0.1, name
        assert abs(p.array).max() > 0.09, name
        assert abs(p.array.var() - 0.1**2 / 3) < 0.25 * 0.1**2 / 3, name
    minidl.manual_seed(0)
    again = make(30, 100)
    assert all(np.array_equal(p.array, q.array) for p, q in zip(module.parameters(), again.parameters(), strict=True))
    again.reset_parameters()
    assert not any(
        np.array_equal(p.array, q.array) for p, q in zip(module.parameters(), again.parameters(), strict=True)
    )


@every_kind
def test_flatten_parameters_changes_nothing(kind):
    layer = LAYERS[kind](3, 4)
    before = [p.array.copy() for p in layer.parameters()]
    assert layer.flatten_parameters() is None
    assert all(np.array_equal(p.array, old) for p, old in zip(layer.parameters(), before, strict=True))


def test_an_lstm_learns_to_remember():
    """The first input decides the target, seven steps later; the mean guess has an error of 1."""
    minidl.manual_seed(0)
    rng = np.random.default_rng(0)
    layer, readout = nn.LSTM(1, 8), nn.Linear(8, 1)
    optimizer = minidl.optim.Adam([*layer.parameters(), *readout.parameters()], lr=0.02)
    for _ in range(150):
        x = rng.standard_normal((8, 32, 1)).astype(np.float32)
        x[0] = np.sign(x[0])
        _, (h, _) = layer(minidl.tensor(x))
        loss = F.mse_loss(readout(h[0]), minidl.tensor(x[0]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05


# --- against PyTorch ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="parity with PyTorch needs torch")


OPTIONS = {
    "plain": {},
    "no_bias": dict(bias=False),
    "three_layers": dict(num_layers=3),
    "both_directions": dict(bidirectional=True),
    "batch_first": dict(batch_first=True),
    "all_dropped": dict(num_layers=2, dropout=1.0),
    "everything": dict(num_layers=3, bidirectional=True, batch_first=True, bias=False),
    "with_biases": dict(num_layers=2, bidirectional=True, batch_first=True),
}
KINDS = {
    "RNN": ("RNN", {}),
    "RNN.relu": ("RNN", {"nonlinearity": "relu"}),
    "LSTM": ("LSTM", {}),
    "GRU": ("GRU", {}),
}
# In units of the largest value: the two sum in another order, so they differ by some units in the last place.
TOLERANCE = {name: 32 * float(np.finfo(name).eps) for name in ("float64", "float32")}


@pytest.mark.parity
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("given", ["state", "no_state"])
@pytest.mark.parametrize("unbatched", [False, True], ids=["batched", "unbatched"])
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_all_gradients_are_pytorchs(torch, kind, options, unbatched, given, dtype):
    (name, more), options = KINDS[kind], OPTIONS[options]
    theirs = getattr(torch.nn, name)(5, 16, **more, **options).to(getattr(torch, dtype))
    ours = getattr(nn, name)(5, 16, **more, **options).to(getattr(minidl, dtype))
    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    rng = np.random.default_rng(0)
    states = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    lengths = (12,) if unbatched else (3, 12) if options.get("batch_first") else (12, 3)
    arrays = [rng.standard_normal((*lengths, 5)).astype(dtype)]
    if given == "state":
        shape = (states, 16) if unbatched else (states, 3, 16)
        arrays += [rng.standard_normal(shape).astype(dtype) for _ in range(2 if name == "LSTM" else 1)]
    compare(torch, ours, theirs, arrays, TOLERANCE[dtype])


@pytest.mark.parity
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("lengths", [(), (3,)], ids=["unbatched", "batched"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_cells_are_pytorchs(torch, kind, bias, lengths, dtype):
    name, more = KINDS[kind]
    theirs = getattr(torch.nn, f"{name}Cell")(5, 16, bias=bias, **more).to(getattr(torch, dtype))
    ours = getattr(nn, f"{name}Cell")(5, 16, bias=bias, **more).to(getattr(minidl, dtype))
    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((*lengths, n)).astype(dtype) for n in ((5, 16, 16) if name == "LSTM" else (5, 16))]
    compare(torch, ours, theirs, arrays, TOLERANCE[dtype])


def compare(torch, ours, theirs, arrays, tolerance):
    """Every result, and every gradient of a sum that weighs all results differently."""
    results, gradients = [], []
    for lib, module in ((minidl, ours), (torch, theirs)):
        inputs = [lib.tensor(x, requires_grad=True) for x in arrays]
        states = inputs[1:]
        outputs = flat(module(inputs[0], tuple(states) if len(states) == 2 else states[0] if states else None))
        rng = np.random.default_rng(1)
        weights = [lib.tensor(rng.standard_normal(tuple(y.shape)).astype(arrays[0].dtype)) for y in outputs]
        sum((y * w).sum() for y, w in zip(outputs, weights, strict=True)).backward()
        results.append([y.detach().numpy() for y in outputs])
        tensors = {f"input {i}": x for i, x in enumerate(inputs)} | dict(module.named_parameters())
        gradients.append({name: x.grad.numpy() for name, x in tensors.items()})
    for i, (y, expected) in enumerate(zip(*results, strict=True)):
        assert_close(f"result {i}", y, expected, tolerance)
    assert gradients[0].keys() == gradients[1].keys()
    for name, expected in gradients[1].items():
        assert_close(f"gradient of {name}", gradients[0][name], expected, tolerance)


MODULES = [
    lambda nn: nn.RNN(3, 4, 2, "relu", bidirectional=True),
    lambda nn: nn.RNN(3, 4, batch_first=True, bias=False),
    lambda nn: nn.LSTM(3, 4),
    lambda nn: nn.LSTM(3, 4, 3, False, True, 0.25, True),
    lambda nn: nn.LSTM(3, 4, 2, dropout=1),
    lambda nn: nn.GRU(input_size=3, hidden_size=4, num_layers=2, bidirectional=True),
    lambda nn: nn.RNNCell(3, 4),
    lambda nn: nn.RNNCell(3, 4, False, "relu"),
    lambda nn: nn.LSTMCell(3, 4, bias=False),
    lambda nn: nn.GRUCell(3, 4),
]


@pytest.mark.parity
@pytest.mark.parametrize("make", MODULES)
def test_printed_form_names_and_shapes_are_pytorchs(torch, make):
    ours, theirs = make(nn), make(torch.nn)
    assert repr(ours) == repr(theirs)
    shapes = [(name, tuple(value.shape)) for name, value in theirs.state_dict().items()]
    assert [(name, value.shape) for name, value in ours.state_dict().items()] == shapes
    if hasattr(theirs, "all_weights"):
        assert [[p.shape for p in layer] for layer in ours.all_weights] == [
            [tuple(p.shape) for p in layer] for layer in theirs.all_weights
        ]


# --- errors ------------------------------------------------------------------------------------------------------

LSTM, GRU, RNN = nn.LSTM(3, 4), nn.GRU(3, 4, batch_first=True), nn.RNN(3, 4, num_layers=2, bidirectional=True)
LSTM_CELL, GRU_CELL, RNN_CELL = nn.LSTMCell(3, 4), nn.GRUCell(3, 4), nn.RNNCell(3, 4)
ones, zeros = minidl.ones, minidl.zeros

ERRORS = {
    # the input
    "no tensor": (lambda: LSTM([1.0]), TypeError, "LSTM: input must be a Tensor, not list"),
    "integers": (
        lambda: LSTM(ones(5, 2, 3, dtype=minidl.int64)),
        TypeError,
        "LSTM: input must be a floating-point tensor, not int64",
    ),
    "another dtype": (
        lambda: LSTM(ones(5, 2, 3, dtype=minidl.float64)),
        TypeError,
        "LSTM: input is float64 but the weights are float32; both must have one dtype",
    ),
    "one dimension": (
        lambda: LSTM(ones(3)),
        ValueError,
        "LSTM: input must have 3 dimensions (length, batch, features), or 2 without the batch, not shape (3,)",
    ),
    "four dimensions": (
        lambda: GRU(ones(5, 2, 1, 3)),
        ValueError,
        "GRU: input must have 3 dimensions (batch, length, features), or 2 without the batch, not shape (5, 2, 1, 3)",
    ),
    "width": (
        lambda: LSTM(ones(5, 2, 7)),
        ValueError,
        "LSTM: input has 7 features but input_size is 3 (input (5, 2, 7), weight_ih (16, 3))",
    ),
    "empty": (
        lambda: LSTM(ones(0, 2, 3)),
        ValueError,
        "LSTM: input must have at least one time step (input (0, 2, 3))",
    ),
    "empty, batch first": (
        lambda: GRU(ones(2, 0, 3)),
        ValueError,
        "GRU: input must have at least one time step (input (2, 0, 3))",
    ),
    "empty, no batch": (
        lambda: GRU(ones(0, 3)),
        ValueError,
        "GRU: input must have at least one time step (input (0, 3))",
    ),
    "cell, no tensor": (lambda: GRU_CELL(1.0), TypeError, "GRUCell: input must be a Tensor, not float"),
    "cell, dimensions": (
        lambda: RNN_CELL(ones(5, 2, 3)),
        ValueError,
        "RNNCell: input must have 2 dimensions (batch, features), or 1 without the batch, not shape (5, 2, 3)",
    ),
    "cell, no dimensions": (
        lambda: LSTM_CELL(ones(())),
        ValueError,
        "LSTMCell: input must have 2 dimensions (batch, features), or 1 without the batch, not shape ()",
    ),
    "cell, width": (
        lambda: GRU_CELL(ones(2, 4)),
        ValueError,
        "GRUCell: input has 4 features but input_size is 3 (input (2, 4), weight_ih (12, 3))",
    ),
    # the state
    "one tensor for two": (
        lambda: LSTM(ones(5, 2, 3), zeros(1, 2, 4)),
        TypeError,
        "LSTM: hx must be a pair (h, c), not Tensor",
    ),
    "one of two": (
        lambda: LSTM(ones(5, 2, 3), (zeros(1, 2, 4),)),
        ValueError,
        "LSTM: hx must be a pair (h, c), but has length 1",
    ),
    "a pair for one": (
        lambda: GRU(ones(5, 2, 3), (zeros(1, 5, 4), zeros(1, 5, 4))),
        TypeError,
        "GRU: hx must be a Tensor, not tuple",
    ),
    "state, no tensor": (
        lambda: LSTM(ones(5, 2, 3), (zeros(1, 2, 4), None)),
        TypeError,
        "LSTM: hx[1] must be a Tensor, not NoneType",
    ),
    "state, dtype": (
        lambda: LSTM(ones(5, 2, 3), (zeros(1, 2, 4), zeros(1, 2, 4, dtype=minidl.float64))),
        TypeError,
        "LSTM: hx[1] is float64 but input is float32; both must have one dtype",
    ),
    "state, batch": (
        lambda: LSTM(ones(5, 2, 3), (zeros(1, 3, 4), zeros(1, 2, 4))),
        ValueError,
        "LSTM: hx[0] has shape (1, 3, 4) but must have (layers * directions, batch, hidden_size) = (1, 2, 4) "
        "(input (5, 2, 3))",
    ),
    "state, batch of one": (
        lambda: GRU(ones(5, 2, 3), zeros(1, 1, 4)),
        ValueError,
        "GRU: hx has shape (1, 1, 4) but must have (layers * directions, batch, hidden_size) = (1, 5, 4) "
        "(input (5, 2, 3))",
    ),
    "state, layers": (
        lambda: RNN(ones(5, 2, 3), zeros(2, 2, 4)),
        ValueError,
        "RNN: hx has shape (2, 2, 4) but must have (layers * directions, batch, hidden_size) = (4, 2, 4) "
        "(input (5, 2, 3))",
    ),
    "state, width": (
        lambda: LSTM(ones(5, 2, 3), (zeros(1, 2, 4), zeros(1, 2, 3))),
        ValueError,
        "LSTM: hx[1] has shape (1, 2, 3) but must have (layers * directions, batch, hidden_size) = (1, 2, 4) "
        "(input (5, 2, 3))",
    ),
    "state with a batch, input without": (
        lambda: RNN(ones(5, 3), zeros(4, 1, 4)),
        ValueError,
        "RNN: hx has shape (4, 1, 4) but must have (layers * directions, hidden_size) = (4, 4) (input (5, 3))",
    ),
    "cell, batch": (
        lambda: RNN_CELL(ones(2, 3), zeros(1, 4)),
        ValueError,
        "RNNCell: hx has shape (1, 4) but must have (batch, hidden_size) = (2, 4) (input (2, 3))",
    ),
    "cell, state with a batch": (
        lambda: LSTM_CELL(ones(3), (zeros(4), zeros(1, 4))),
        ValueError,
        "LSTMCell: hx[1] has shape (1, 4) but must have (hidden_size,) = (4,) (input (3,))",
    ),
    "cell, one tensor for two": (
        lambda: LSTM_CELL(ones(2, 3), zeros(2, 4)),
        TypeError,
        "LSTMCell: hx must be a pair (h, c), not Tensor",
    ),
    # settings
    "nonlinearity": (
        lambda: nn.RNN(3, 4, nonlinearity="gelu"),
        ValueError,
        "RNN: nonlinearity must be 'tanh' or 'relu', not 'gelu'",
    ),
    "nonlinearity in the place of num_layers' neighbour": (
        lambda: nn.RNN(3, 4, 1, False),
        ValueError,
        "RNN: nonlinearity must be 'tanh' or 'relu', not False",
    ),
    "cell, nonlinearity": (
        lambda: nn.RNNCell(3, 4, nonlinearity=[]),
        ValueError,
        "RNNCell: nonlinearity must be 'tanh' or 'relu', not []",
    ),
    "projection": (
        lambda: nn.LSTM(3, 4, proj_size=2),
        ValueError,
        "LSTM: proj_size must be 0, not 2: a projection of h is not available",
    ),
    "no inputs": (lambda: nn.GRU(0, 4), ValueError, "GRU: input_size must be positive, not 0"),
    "no units": (lambda: nn.GRU(3, -4), ValueError, "GRU: hidden_size must be positive, not -4"),
    "no layers": (lambda: nn.GRU(3, 4, 0), ValueError, "GRU: num_layers must be positive, not 0"),
    "half a unit": (lambda: nn.LSTM(3, 4.5), TypeError, "LSTM: hidden_size must be an integer, not float"),
    "bias": (lambda: nn.LSTM(3, 4, 1, "relu"), TypeError, "LSTM: bias must be True or False, not 'relu'"),
    "batch_first": (lambda: nn.GRU(3, 4, 1, True, 0.5), TypeError, "GRU: batch_first must be True or False, not 0.5"),
    "bidirectional": (
        lambda: nn.GRU(3, 4, bidirectional=2),
        TypeError,
        "GRU: bidirectional must be True or False, not 2",
    ),
    "dropout": (
        lambda: nn.LSTM(3, 4, 2, dropout=1.5),
        ValueError,
        "LSTM: dropout is a probability and must lie between 0 and 1, not 1.5",
    ),
    "dropout as a switch": (
        lambda: nn.LSTM(3, 4, 2, dropout=True),
        ValueError,
        "LSTM: dropout is a probability and must lie between 0 and 1, not True",
    ),
    "cell, sizes": (lambda: nn.LSTMCell(3, -1), ValueError, "LSTMCell: sizes must not be negative: (-4, 3)"),
}


@pytest.mark.parametrize(("call", "error", "text"), ERRORS.values(), ids=ERRORS)
def test_error_texts(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == text
