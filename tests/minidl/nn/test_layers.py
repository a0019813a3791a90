"""Layers: what they compute, how they start, and what they refuse."""

import re

import numpy as np
import pytest

import minidl
import minidl.nn as nn
import minidl.nn.functional as F


def error(kind, text):
    return pytest.raises(kind, match=f"^{re.escape(text)}$")


# Every layer without parameters is one call.
CALLS = [
    (nn.Identity(1, any=2), lambda x: x),
    (nn.ReLU(), F.relu),
    (nn.LeakyReLU(0.2), lambda x: F.leaky_relu(x, 0.2)),
    (nn.ELU(0.5), lambda x: F.elu(x, 0.5)),
    (nn.GELU(), F.gelu),
    (nn.GELU("tanh"), lambda x: F.gelu(x, approximate="tanh")),
    (nn.SiLU(), F.silu),
    (nn.Softplus(2.0, 1.0), lambda x: F.softplus(x, 2.0, 1.0)),
    (nn.Sigmoid(), lambda x: x.sigmoid()),
    (nn.Tanh(), lambda x: x.tanh()),
    (nn.Softmax(1), lambda x: F.softmax(x, 1)),
    (nn.LogSoftmax(dim=0), lambda x: F.log_softmax(x, 0)),
    (nn.Flatten(), lambda x: x.reshape(4, 6)),
    (nn.Flatten(0, 1), lambda x: x.reshape(8, 3)),
    (nn.Unflatten(2, (3, 1)), lambda x: x.reshape(4, 2, 3, 1)),
]


@pytest.mark.parametrize(
    ("layer", "call"), CALLS, ids=lambda value: repr(value) if isinstance(value, nn.Module) else ""
)
def test_layer_is_its_operation(layer, call):
    x = minidl.tensor(np.random.default_rng(0).normal(size=(4, 2, 3)), dtype=minidl.float32)
    y = layer(x)
    assert np.array_equal(y.array, call(x).array)
    assert y.dtype == minidl.float32


def test_linear_is_the_affine_map():
    layer = nn.Linear(3, 2)
    x = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)
    expected = x @ layer.weight.numpy(force=True).T + layer.bias.numpy(force=True)
    assert np.allclose(layer(minidl.tensor(x)).numpy(force=True), expected, rtol=1e-6, atol=1e-6)


def test_linear_without_bias_and_in_another_dtype():
    layer = nn.Linear(3, 2, bias=False, dtype=minidl.float64)
    assert layer.bias is None
    assert list(layer.state_dict()) == ["weight"]
    assert layer(minidl.zeros(1, 3, dtype=minidl.float64)).dtype == minidl.float64


def test_linear_starts_inside_its_bounds():
    minidl.manual_seed(0)
    layer = nn.Linear(100, 400)
    for values in (layer.weight.array, layer.bias.array):
        assert values.dtype == np.float32
        assert abs(values).max() <= 0.1
        assert abs(values).max() > 0.099  # and fills them
        assert abs(values.var() - 0.1**2 / 3) < 0.05 * 0.1**2
    again = layer.weight.array.copy()
    layer.reset_parameters()
    assert not np.array_equal(layer.weight.array, again)
    minidl.manual_seed(0)
    assert np.array_equal(nn.Linear(100, 400).weight.array, again)


def test_linear_without_inputs_or_outputs():
    assert nn.Linear(0, 3)(minidl.zeros(2, 0)).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert nn.Linear(3, 0)(minidl.zeros(2, 3)).shape == (2, 0)


def test_linear_errors():
    with error(TypeError, "Linear: sizes must be integers, not (2, 1.5)"):
        nn.Linear(1.5, 2)
    with error(ValueError, "Linear: sizes must not be negative: (2, -1)"):
        nn.Linear(-1, 2)
    text = "linear: input has 4 features but weight expects 3 (input (2, 4), weight (2, 3))"
    with error(ValueError, text):
        nn.Linear(3, 2)(minidl.zeros(2, 4))


def test_dropout_follows_the_mode():
    layer = nn.Dropout(0.25)
    x = minidl.ones(1000, 10)
    minidl.manual_seed(1)
    y = layer(x).array
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((y == 0).mean() - 0.25) < 0.02
    minidl.manual_seed(1)
    assert np.array_equal(layer(x).array, y)
    assert not np.array_equal(layer(x).array, y)
    assert np.array_equal(layer.eval()(x).array, x.array)
    assert np.array_equal(nn.Dropout(0)(x).array, x.array)
    assert not nn.Dropout(1)(x).array.any()


def test_dropout_error():
    for p in (-0.1, 1.5, float("nan")):
        with error(ValueError, f"Dropout: p must be between 0 and 1, but is {p}"):
            nn.Dropout(p)
    with error(TypeError, "Dropout: p must be a number, not NoneType"):
        nn.Dropout(None)
