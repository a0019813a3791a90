"""Pooling layers: what they compute, how they print, PyTorch's arguments and results."""

import inspect

import numpy as np
import pytest

import minidl
import minidl.nn as nn
import minidl.nn.functional as F

X1 = np.random.default_rng(0).normal(size=(2, 3, 11)).astype(np.float32)
X2 = np.random.default_rng(0).normal(size=(2, 3, 9, 7)).astype(np.float32)

LAYERS = [
    (lambda nn: nn.MaxPool1d(2), X1),
    (lambda nn: nn.MaxPool1d(3, 2, 1, 2, True, True), X1),
    (lambda nn: nn.MaxPool2d(2), X2),
    (lambda nn: nn.MaxPool2d((2, 3), (1, 2), (1, 0), (1, 2), ceil_mode=True), X2),
    (lambda nn: nn.MaxPool2d(3, stride=2, padding=1, return_indices=True), X2),
    (lambda nn: nn.AvgPool1d(2), X1),
    (lambda nn: nn.AvgPool1d((3,), 2, (1,), True, False), X1),
    (lambda nn: nn.AvgPool2d(2), X2),
    (lambda nn: nn.AvgPool2d((3, 2), 1, 1, True, False), X2),
    (lambda nn: nn.AvgPool2d(2, divisor_override=3), X2),
    (lambda nn: nn.AdaptiveAvgPool1d(4), X1),
    (lambda nn: nn.AdaptiveAvgPool2d(1), X2),
    (lambda nn: nn.AdaptiveAvgPool2d((None, 3)), X2),
    (lambda nn: nn.AdaptiveMaxPool1d(4), X1),
    (lambda nn: nn.AdaptiveMaxPool2d((4, None)), X2),
    (lambda nn: nn.AdaptiveMaxPool2d(2, return_indices=True), X2),
]
NAMES = sorted({type(make(nn)).__name__ for make, _ in LAYERS})


def as_tuple(result):
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize(("make", "x"), LAYERS, ids=[repr(make(nn)) for make, _ in LAYERS])
def test_same_as_pytorch(make, x):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    ours, theirs = make(nn), make(torch.nn)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict()) == []
    for part in (x, x[0]):
        found, expected = as_tuple(ours(minidl.tensor(part))), as_tuple(theirs(torch.tensor(part)))
        assert len(found) == len(expected)
        for y, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(y.array, other.numpy(), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_arguments_and_defaults(name):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    ours, theirs = (inspect.signature(getattr(library, name)).parameters for library in (nn, torch.nn))
    assert list(ours) == list(theirs)
    assert [p.default for p in ours.values()] == [p.default for p in theirs.values()]


def test_a_layer_is_its_operation():
    x = minidl.tensor(X2)
    assert np.array_equal(nn.MaxPool2d(3, 2, 1)(x).array, F.max_pool2d(x, 3, 2, 1).array)
    assert np.array_equal(nn.AvgPool2d(3, 2, 1)(x).array, F.avg_pool2d(x, 3, 2, 1).array)
    assert np.array_equal(nn.AdaptiveAvgPool2d(2)(x).array, F.adaptive_avg_pool2d(x, 2).array)


def test_pooling_halves_the_image_of_a_network():
    network = nn.Sequential(nn.MaxPool2d(2), nn.AvgPool2d(2), nn.Flatten())
    assert network(minidl.zeros(5, 4, 13, 13)).shape == (5, 4 * 3 * 3)
