"""Sinusoidal positions: the formula, what makes it useful, and every error text."""

import math

import numpy as np
import pytest

import minidl
from minidl import nn


@pytest.mark.parametrize("width", [1, 2, 5, 8])
def test_is_the_formula(width):
    table = nn.SinusoidalPositions(width, 30, dtype=minidl.float64).table
    for pos in range(30):
        for feature in range(width):
            angle = pos / 10000 ** (2 * (feature // 2) / width)
            expected = math.cos(angle) if feature % 2 else math.sin(angle)
            assert table[pos, feature].item() == pytest.approx(expected, abs=1e-14)


def test_a_step_is_the_same_turn_everywhere():
    p = nn.SinusoidalPositions(8, 50, dtype=minidl.float64).table.array
    turned = np.empty_like(p[:-3])
    for i in range(4):
        a = 3 / 10000 ** (2 * i / 8)
        turn = np.array([[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]])
        turned[:, 2 * i : 2 * i + 2] = p[:-3, 2 * i : 2 * i + 2] @ turn.T
    np.testing.assert_allclose(turned, p[3:], rtol=0, atol=1e-14)


def test_no_two_positions_are_alike():
    p = nn.SinusoidalPositions(16, 2000, dtype=minidl.float64).table.array
    distances = ((p[:, None, :4] - p[None, :, :4]) ** 2).sum(-1) + 1e3 * np.eye(2000)
    assert distances.min() > 1e-6


@pytest.mark.parametrize(
    ("shape", "batch_first"), [((5, 8), False), ((5, 8), True), ((5, 2, 8), False), ((2, 5, 8), True)]
)
def test_it_is_added_along_the_sequence(shape, batch_first):
    layer = nn.SinusoidalPositions(8, 9, batch_first)
    x = minidl.zeros(*shape, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    places = shape.index(5)
    for i in range(shape[1 - places] if len(shape) == 3 else 1):
        sequence = y.array if len(shape) == 2 else y.array.swapaxes(0, places)[:, i]
        np.testing.assert_array_equal(sequence, layer.table.array[:5])
    assert y.dtype == minidl.float32
    assert (x.grad.array == 1).all()


def test_attention_tells_places_apart_once_positions_are_added():
    minidl.manual_seed(0)
    attention, positions = nn.MultiheadAttention(8, 2), nn.SinusoidalPositions(8)
    x = minidl.randn(5, 8)
    backwards = list(range(4, -1, -1))

    def reversal_error(sequence, moved):
        y, z = attention(sequence, sequence, sequence)[0], attention(moved, moved, moved)[0]
        return abs(z.array - y.array[backwards]).max()

    assert reversal_error(x, x[backwards]) < 1e-6
    assert reversal_error(positions(x), positions(x[backwards])) > 0.01


def test_the_table_moves_with_the_module_and_is_not_saved():
    layer = nn.SinusoidalPositions(4, 3).double()
    assert layer.table.dtype == minidl.float64
    assert not layer.state_dict()
    assert not list(layer.parameters())
    assert repr(layer) == "SinusoidalPositions(4, max_len=3, batch_first=False)"


LAYER = nn.SinusoidalPositions(4, 3)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: nn.SinusoidalPositions(0), ValueError, "d_model must be positive, not 0"),
        (lambda: nn.SinusoidalPositions(4, 2.5), TypeError, "max_len must be an integer, not float"),
        (lambda: LAYER([0.0]), TypeError, "x must be a Tensor, not list"),
        (lambda: LAYER(minidl.zeros(2, 4).long()), TypeError, "x must be a floating-point tensor, not int64"),
        (lambda: LAYER(minidl.zeros(2, 4).double()), TypeError, "x is float64 but the table is float32"),
        (
            lambda: LAYER(minidl.zeros(2, 5)),
            ValueError,
            "x must have 2 or 3 dimensions, the last of length d_model 4, not shape (2, 5)",
        ),
        (
            lambda: LAYER(minidl.zeros(4)),
            ValueError,
            "x must have 2 or 3 dimensions, the last of length d_model 4, not shape (4,)",
        ),
        (lambda: LAYER(minidl.zeros(7, 2, 4)), ValueError, "x has length 7 but max_len is 3 (x (7, 2, 4))"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == f"SinusoidalPositions: {text}"
