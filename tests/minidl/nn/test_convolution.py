"""Layers of convolution, windows, padding and resizing against PyTorch's, and what they refuse."""

import inspect
import re

import numpy as np
import pytest

import minidl
import minidl.nn as nn

SHAPE = (2, 4, 6, 5)
LAYERS = {
    "Conv2d": lambda nn: nn.Conv2d(4, 6, 3),
    "Conv2d.settings": lambda nn: nn.Conv2d(
        4, 6, (3, 2), stride=2, padding=(2, 1), dilation=(1, 2), groups=2, bias=False
    ),
    "Conv2d.same": lambda nn: nn.Conv2d(4, 6, (3, 5), padding="same"),
    "Conv2d.valid": lambda nn: nn.Conv2d(4, 6, 2, padding="valid"),
    "Conv2d.reflect": lambda nn: nn.Conv2d(4, 6, 3, padding=(1, 2), padding_mode="reflect"),
    "Conv2d.replicate": lambda nn: nn.Conv2d(4, 6, 3, padding=3, stride=2, padding_mode="replicate"),
    "Conv2d.circular": lambda nn: nn.Conv2d(4, 6, (2, 4), padding="same", dilation=2, padding_mode="circular"),
    "Conv2d.circular_valid": lambda nn: nn.Conv2d(4, 6, 2, padding="valid", padding_mode="circular"),
    "Conv1d": lambda nn: nn.Conv1d(4, 6, 3),
    "Conv1d.settings": lambda nn: nn.Conv1d(4, 6, (3,), 2, 1, 2, 2, False, "reflect"),
    "ConvTranspose2d": lambda nn: nn.ConvTranspose2d(4, 6, 3),
    "ConvTranspose2d.settings": lambda nn: nn.ConvTranspose2d(4, 6, (3, 2), 2, 1, (0, 1), 2, False, (1, 2)),
    "ConvTranspose1d": lambda nn: nn.ConvTranspose1d(4, 6, 3, stride=3, padding=1, output_padding=2),
    "Unfold": lambda nn: nn.Unfold(2),
    "Unfold.settings": lambda nn: nn.Unfold((2, 3), dilation=2, padding=(1, 2), stride=2),
    "Fold": lambda nn: nn.Fold((2, 6), (2, 2), stride=(1, 1)),
    "Upsample": lambda nn: nn.Upsample(scale_factor=2),
    "Upsample.size": lambda nn: nn.Upsample((3, 9), mode="bilinear"),
    "Upsample.aligned": lambda nn: nn.Upsample(scale_factor=(2, 1.5), mode="bilinear", align_corners=True),
    "Upsample.recomputed": lambda nn: nn.Upsample(None, 1.7, "bilinear", None, True),
    "ZeroPad2d": lambda nn: nn.ZeroPad2d(2),
    "ZeroPad2d.sides": lambda nn: nn.ZeroPad2d((1, -2, 3, 0)),
    "ConstantPad2d": lambda nn: nn.ConstantPad2d((1, 2, 0, 1), 2.5),
    "ReflectionPad2d": lambda nn: nn.ReflectionPad2d((1, 2, 3, 4)),
    "ReplicationPad2d": lambda nn: nn.ReplicationPad2d((7, 0, 1, 2)),
    "CircularPad2d": lambda nn: nn.CircularPad2d(3),
}


def shape_for(name):
    if "1d" in name:
        return SHAPE[:3]
    return (2, 12, 5) if name == "Fold" else SHAPE


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_pytorchs(name):
    """The printed form, the state, the value and all gradients."""
    torch = pytest.importorskip("torch", reason="layers are compared with PyTorch's")
    ours, theirs = (LAYERS[name](lib.nn).to(lib.float64) for lib in (minidl, torch))
    assert repr(ours) == repr(theirs)
    state = {key: value.numpy() for key, value in theirs.state_dict().items()}
    assert [(key, value.shape) for key, value in ours.state_dict().items()] == [(k, v.shape) for k, v in state.items()]
    ours.load_state_dict(state)
    x = np.random.default_rng(0).standard_normal(shape_for(name))
    inputs = minidl.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, expected = ours(inputs[0]), theirs(inputs[1])
    (y * y).sum().backward()
    (expected * expected).sum().backward()
    pairs = [(y.detach(), expected.detach()), (inputs[0].grad, inputs[1].grad)]
    pairs += [(p.grad, q.grad) for p, q in zip(ours.parameters(), theirs.parameters(), strict=True)]
    for found, wanted in pairs:
        np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=1e-11, atol=1e-11, strict=True)


@pytest.mark.parity
@pytest.mark.parametrize("name", sorted({name.partition(".")[0] for name in LAYERS}))
def test_arguments_and_defaults(name):
    torch = pytest.importorskip("torch", reason="arguments are compared with PyTorch's")
    ours, theirs = (inspect.signature(getattr(lib.nn, name)).parameters for lib in (minidl, torch))
    assert [(p.name, p.default) for p in ours.values()] == [(p.name, p.default) for p in theirs.values()]


@pytest.mark.parity
@pytest.mark.parametrize("size", [(9, 8), (10, 9), (2, 6, 9, 9)])
def test_the_size_of_a_transposed_convolution_can_be_asked_for(size):
    torch = pytest.importorskip("torch", reason="sizes are compared with PyTorch's")
    ours, theirs = (lib.nn.ConvTranspose2d(4, 6, (3, 2), stride=(2, 2), padding=(2, 1)) for lib in (minidl, torch))
    expected = theirs(torch.zeros(2, 4, 6, 5), output_size=size)
    assert ours(minidl.zeros(2, 4, 6, 5), output_size=size).shape == tuple(expected.shape)


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [
        (nn.Conv2d(6, 300, (2, 4), groups=3), 2 * 2 * 4),
        (nn.Conv1d(5, 500, 3), 5 * 3),
        (nn.ConvTranspose2d(300, 6, 2, groups=2), 3 * 2 * 2),
    ],
    ids=repr,
)
def test_parameters_start_inside_their_bounds(layer, fan_in):
    k = fan_in**-0.5
    for parameter in layer.parameters():
        assert parameter.dtype == minidl.float32
        assert abs(parameter.array).max() <= k
    assert abs(layer.weight.array).max() > 0.98 * k
    before = layer.weight.array.copy()
    layer.reset_parameters()
    assert not np.array_equal(layer.weight.array, before)


def test_a_layer_in_another_dtype_and_without_a_bias():
    layer = nn.Conv2d(1, 2, 3, bias=False, dtype=minidl.float64)
    assert layer.bias is None
    assert list(layer.state_dict()) == ["weight"]
    assert layer(minidl.zeros(1, 1, 3, 3, dtype=minidl.float64)).dtype == minidl.float64


def test_edges_are_found():
    """A kernel of differences answers where the image changes, and nowhere else."""
    layer = nn.Conv2d(1, 1, (1, 2), bias=False)
    layer.load_state_dict({"weight": np.array([[[[-1, 1]]]], np.float32)})
    image = minidl.tensor([[[[0.0, 0, 1, 1, 0]]]])
    assert layer(image).tolist() == [[[[0, 1, 0, -1]]]]


@pytest.mark.parametrize(
    ("kind", "call", "text"),
    [
        (ValueError, lambda: nn.Conv2d(3, 4, 3, groups=2), "Conv2d: in_channels is 3, which 2 groups do not divide"),
        (ValueError, lambda: nn.Conv2d(4, 3, 3, groups=2), "Conv2d: out_channels is 3, which 2 groups do not divide"),
        (ValueError, lambda: nn.Conv2d(3, 4, 3, groups=0), "Conv2d: groups must be at least 1, not 0"),
        (ValueError, lambda: nn.Conv2d(0, 4, 3), "Conv2d: in_channels must be at least 1, not 0"),
        (TypeError, lambda: nn.Conv2d(3, 4.0, 3), "Conv2d: out_channels must be an integer, not float"),
        (ValueError, lambda: nn.Conv1d(3, 4, 0), "Conv1d: kernel_size must be at least 1, not 0"),
        (ValueError, lambda: nn.Conv2d(3, 4, (1, 2, 3)), "Conv2d: kernel_size must be one number or 2, not (1, 2, 3)"),
        (ValueError, lambda: nn.Conv2d(3, 4, 3, stride=0), "Conv2d: stride must be at least 1, not 0"),
        (ValueError, lambda: nn.Conv2d(3, 4, 3, padding=-1), "Conv2d: padding must be at least 0, not -1"),
        (
            ValueError,
            lambda: nn.Conv2d(3, 4, 3, padding="full"),
            "Conv2d: padding must be numbers, 'same' or 'valid', not 'full'",
        ),
        (
            ValueError,
            lambda: nn.Conv2d(3, 4, 3, 2, "same"),
            "Conv2d: padding='same' needs a stride of 1, not (2, 2)",
        ),
        (
            ValueError,
            lambda: nn.Conv2d(3, 4, 3, padding_mode="mirror"),
            "Conv2d: padding_mode must be 'zeros' or 'reflect' or 'replicate' or 'circular', not 'mirror'",
        ),
        (
            ValueError,
            lambda: nn.ConvTranspose2d(3, 4, 3, padding_mode="reflect"),
            "ConvTranspose2d: padding_mode must be 'zeros', not 'reflect'",
        ),
        (
            TypeError,
            lambda: nn.ConvTranspose2d(3, 4, 3, padding="same"),
            "ConvTranspose2d: padding must be numbers, not 'same'",
        ),
        (
            ValueError,
            lambda: nn.ConvTranspose2d(3, 4, 3, 2)(minidl.zeros(1, 3, 2, 2), (4, 5)),
            "ConvTranspose2d: output_size (4, 5) does not lie between (5, 5) and (6, 6) (input (1, 3, 2, 2))",
        ),
        (
            ValueError,
            lambda: nn.Conv2d(3, 4, 3)(minidl.zeros(2, 1, 5, 5)),
            "conv2d: input has 1 channels but weight expects 3 = 3 for each of 1 groups (input (2, 1, 5, 5), weight "
            "(4, 3, 3, 3))",
        ),
        (TypeError, lambda: nn.ZeroPad2d(1.5), "ZeroPad2d: padding must be an integer, not float"),
        (
            ValueError,
            lambda: nn.ReflectionPad2d((1, 2)),
            "ReflectionPad2d: padding must be one number or 4, not (1, 2)",
        ),
    ],
)
def test_errors(kind, call, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        call()
