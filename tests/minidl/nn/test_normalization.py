"""Normalisation layers: modes, running statistics over several batches, states, PyTorch's results, every error text."""

import inspect
import re

import numpy as np
import pytest

import minidl
import minidl.nn as nn

LAYERS = [
    (lambda nn: nn.BatchNorm1d(3), (5, 3)),
    (lambda nn: nn.BatchNorm1d(3, 1e-3, 0.3), (5, 3, 4)),
    (lambda nn: nn.BatchNorm1d(3, momentum=None), (5, 3)),
    (lambda nn: nn.BatchNorm1d(3, affine=False), (5, 3)),
    (lambda nn: nn.BatchNorm1d(3, track_running_stats=False), (5, 3)),
    (lambda nn: nn.BatchNorm1d(3, bias=False), (5, 3)),
    (lambda nn: nn.BatchNorm2d(3), (2, 3, 4, 5)),
    (lambda nn: nn.BatchNorm2d(3, 0.1, None, False, True), (2, 3, 4, 5)),
    (lambda nn: nn.BatchNorm2d(3, affine=False, track_running_stats=False), (2, 3, 4, 5)),
    (lambda nn: nn.LayerNorm(4), (2, 3, 4)),
    (lambda nn: nn.LayerNorm((3, 4), 0.1), (2, 3, 4)),
    (lambda nn: nn.LayerNorm([4], bias=False), (2, 3, 4)),
    (lambda nn: nn.LayerNorm(4, elementwise_affine=False), (2, 3, 4)),
    (lambda nn: nn.RMSNorm(4), (2, 3, 4)),
    (lambda nn: nn.RMSNorm((3, 4), 0.1, False), (2, 3, 4)),
    (lambda nn: nn.GroupNorm(2, 4), (3, 4, 5)),
    (lambda nn: nn.GroupNorm(4, 4, 0.1), (3, 4, 2, 2)),
    (lambda nn: nn.GroupNorm(1, 4, affine=False), (3, 4)),
    (lambda nn: nn.GroupNorm(2, 4, bias=False), (3, 4, 5)),
]
NAMES = sorted({type(make(nn)).__name__ for make, _ in LAYERS})


def error(kind, text):
    return pytest.raises(kind, match=f"^{re.escape(text)}$")


# --- against PyTorch ---------------------------------------------------------------------------------------------


def in_both(torch, make, dtype):
    """The same layer twice, with parameters and statistics that are not the initial ones."""
    ours, theirs = make(nn).to(getattr(minidl, dtype)), make(torch.nn).to(getattr(torch, dtype))
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for key, value in theirs.state_dict().items():
            if "num" not in key:
                value.copy_(torch.tensor(rng.uniform(0.5, 1.5, value.shape)))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({key: value.numpy().copy() for key, value in theirs.state_dict().items()})
    return ours, theirs


def close(found, expected, dtype):
    tolerance = {"rtol": 1e-11, "atol": 1e-11} if dtype == "float64" else {"rtol": 2e-5, "atol": 2e-5}
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, **tolerance)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("make", "shape"), LAYERS, ids=[repr(make(nn)) for make, _ in LAYERS])
def test_same_as_pytorch_over_several_batches(make, shape, dtype):
    """Values, gradients and the whole state, in training, then in evaluation, then in training again."""
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    ours, theirs = in_both(torch, make, dtype)
    assert repr(ours) == repr(theirs)
    rng = np.random.default_rng(1)
    for training in (True, True, True, False, False, True):
        ours.train(training)
        theirs.train(training)
        x, g = ((rng.normal(size=shape) * 2 + 1).astype(dtype) for _ in range(2))
        mine, other = minidl.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        y, expected = ours(mine), theirs(other)
        close(y.array, expected.detach().numpy(), dtype)
        ours.zero_grad()
        theirs.zero_grad()
        y.backward(minidl.tensor(g))
        expected.backward(torch.tensor(g))
        close(mine.grad.array, other.grad.numpy(), dtype)
        for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            close(p.grad.array, q.grad.numpy(), dtype)
            assert name in ("weight", "bias")
        for key, value in theirs.state_dict().items():
            close(ours.state_dict()[key].array, value.numpy(), dtype)


@pytest.mark.parametrize("name", NAMES)
def test_arguments_and_defaults(name):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    ours, theirs = (inspect.signature(getattr(library, name)).parameters for library in (nn, torch.nn))
    assert list(ours) == list(theirs)
    assert [(p.default, p.kind) for p in ours.values()] == [(p.default, p.kind) for p in theirs.values()]


# --- states ------------------------------------------------------------------------------------------------------


def test_what_batch_norm_keeps():
    layer = nn.BatchNorm2d(4)
    keys = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert list(layer.state_dict()) == keys
    assert [p.tolist() for p in layer.state_dict().values()] == [[1] * 4, [0] * 4, [0] * 4, [1] * 4, 0]
    assert layer.num_batches_tracked.dtype == minidl.int64
    assert [name for name, _ in layer.named_parameters()] == keys[:2]
    plain = nn.BatchNorm1d(4, affine=False, track_running_stats=False)
    assert (list(plain.state_dict()), plain.weight, plain.running_var) == ([], None, None)


def test_casts_leave_the_count_alone():
    layer = nn.BatchNorm1d(2).double()
    x = minidl.tensor(np.random.default_rng(0).normal(size=(4, 2)))
    assert layer(x).dtype == minidl.float64
    assert [b.dtype.name for b in layer.buffers()] == ["float64", "float64", "int64"]
    assert nn.BatchNorm1d(2, dtype=minidl.float64).running_mean.dtype == minidl.float64
    assert nn.LayerNorm(2, dtype=minidl.float64).weight.dtype == minidl.float64


def test_evaluation_uses_what_training_found():
    layer = nn.BatchNorm1d(2, momentum=None, affine=False)
    batches = np.random.default_rng(0).normal(3, 2, size=(5, 50, 2)).astype(np.float32)
    for batch in batches:
        layer(minidl.tensor(batch))
    assert layer.num_batches_tracked.item() == 5
    np.testing.assert_allclose(layer.running_mean.array, batches.mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(layer.running_var.array, batches.var(1, ddof=1).mean(0), rtol=1e-5)
    layer.eval()
    one = layer(minidl.tensor(batches[0, :1]))
    expected = (batches[0, :1] - layer.running_mean.array) / np.sqrt(layer.running_var.array + 1e-5)
    np.testing.assert_allclose(one.array, expected, rtol=1e-5, atol=1e-6)
    assert layer.num_batches_tracked.item() == 5


def test_without_statistics_evaluation_uses_the_batch():
    layer = nn.BatchNorm1d(2, track_running_stats=False)
    x = minidl.tensor(np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32))
    assert np.array_equal(layer(x).array, layer.eval()(x).array)


def test_statistics_can_be_frozen_in_training():
    layer = nn.BatchNorm1d(2)
    layer.track_running_stats = False
    layer(minidl.tensor([[1.0, 2.0], [3.0, 5.0]]))
    assert [b.tolist() for b in layer.buffers()] == [[0, 0], [1, 1], 0]


def test_a_batch_that_is_refused_does_not_count():
    layer = nn.BatchNorm1d(3)
    text = "batch_norm: training needs more than one value a channel, but input (1, 3) has one"
    with error(ValueError, text):
        layer(minidl.zeros(1, 3))
    assert [b.tolist() for b in layer.buffers()] == [[0] * 3, [1] * 3, 0]
    assert layer.eval()(minidl.zeros(1, 3)).tolist() == [[0, 0, 0]]


def test_reset():
    for layer in (nn.BatchNorm1d(2), nn.LayerNorm(2), nn.GroupNorm(1, 2), nn.RMSNorm(2)):
        initial = {key: value.array.copy() for key, value in layer.state_dict().items()}
        layer(minidl.tensor([[1.0, 2.0], [3.0, 5.0]]))
        with minidl.no_grad():
            for p in layer.parameters():
                p.add_(1)
        layer.reset_parameters()
        for key, value in layer.state_dict().items():
            assert np.array_equal(value.array, initial[key]), key


def test_nothing_is_recorded_by_the_statistics():
    layer = nn.BatchNorm1d(2)
    for _ in range(3):
        layer(minidl.tensor([[1.0, 2.0], [3.0, 5.0]], requires_grad=True))
    assert all(b.grad_fn is None and not b.requires_grad for b in layer.buffers())


# --- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: nn.BatchNorm2d(3)(minidl.zeros(3, 4, 4)),
            "BatchNorm2d: input must have 4 dimensions, not shape (3, 4, 4)",
        ),
        (
            lambda: nn.BatchNorm1d(3)(minidl.zeros(2, 3, 4, 4)),
            "BatchNorm1d: input must have 2 or 3 dimensions, not shape (2, 3, 4, 4)",
        ),
        (
            lambda: nn.BatchNorm1d(3)(minidl.zeros(2, 4)),
            "batch_norm: running_mean has shape (3,) but input (2, 4) expects (4,)",
        ),
        (
            lambda: nn.LayerNorm((3, 4))(minidl.zeros(4, 3)),
            "layer_norm: normalized_shape (3, 4) is not how the shape of input (4, 3) ends",
        ),
        (
            lambda: nn.GroupNorm(2, 4)(minidl.zeros(1, 6)),
            "group_norm: weight has shape (4,) but input (1, 6) expects (6,)",
        ),
        (lambda: nn.GroupNorm(2, 3), "GroupNorm: num_groups 2 does not divide num_channels 3"),
        (lambda: nn.GroupNorm(0, 3), "GroupNorm: num_groups 0 does not divide num_channels 3"),
        (lambda: nn.BatchNorm1d(-1), "BatchNorm1d: sizes must not be negative: (-1,)"),
        (lambda: nn.LayerNorm((2, -1)), "LayerNorm: sizes must not be negative: (2, -1)"),
    ],
)
def test_errors(call, text):
    with error(ValueError, text):
        call()


def test_what_is_no_tensor_is_refused():
    with error(TypeError, "batch_norm: input must be a Tensor, not list"):
        nn.BatchNorm1d(3)([[1.0]])
    with error(TypeError, "LayerNorm: sizes must be integers, not (1.5,)"):
        nn.LayerNorm((1.5,))
