"""Networks of the literature: published parameter counts, and the same source run on PyTorch's layers."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import minidl
from minidl import models

COUNTS = {"resnet18": 11_689_512, "resnet34": 21_797_672, "resnet50": 25_557_032}


def made_of_torch(torch):
    """The functions of the same source file, with PyTorch's layers in place of ours."""
    source = Path(models.resnet.__file__).read_text(encoding="utf-8")
    ours = "from .. import nn\nfrom ..autograd import Tensor\n"
    assert ours in source
    names = {}
    exec(source.replace(ours, "from torch import Tensor, nn\n"), names)
    return SimpleNamespace(**names)


@pytest.mark.parametrize("name", COUNTS)
def test_number_of_parameters(name):
    model = getattr(models, name)()
    assert sum(parameter.numel() for parameter in model.parameters()) == COUNTS[name]


def test_keys_are_those_of_published_weights():
    keys = list(models.resnet50().state_dict())
    assert keys[:6] == [
        "conv1.weight",
        "bn1.weight",
        "bn1.bias",
        "bn1.running_mean",
        "bn1.running_var",
        "bn1.num_batches_tracked",
    ]
    assert "layer1.0.downsample.0.weight" in keys
    assert "layer4.2.bn3.running_var" in keys
    assert keys[-2:] == ["fc.weight", "fc.bias"]
    assert len(keys) == 320


@pytest.mark.parity
@pytest.mark.parametrize("name", COUNTS)
def test_same_outputs_and_gradients_as_with_torch_layers(name):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    minidl.manual_seed(0)
    ours = getattr(models, name)(num_classes=5).double()
    theirs = getattr(made_of_torch(torch), name)(num_classes=5).double()
    theirs.load_state_dict({key: torch.from_numpy(value.numpy().copy()) for key, value in ours.state_dict().items()})
    image = np.random.default_rng(0).standard_normal((2, 3, 40, 32))
    x = minidl.tensor(image, requires_grad=True)
    u = torch.tensor(image, requires_grad=True)
    y, v = ours(x), theirs(u)
    np.testing.assert_allclose(y.detach().numpy(), v.detach().numpy(), rtol=1e-8, atol=1e-8)
    (y * y).sum().backward()
    (v * v).sum().backward()
    scale = float(u.grad.abs().max())
    np.testing.assert_allclose(x.grad.numpy(), u.grad.numpy(), rtol=0, atol=1e-8 * scale)
    for (key, mine), (other, yours) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert key == other
        scale = float(yours.grad.abs().max())
        np.testing.assert_allclose(mine.grad.numpy(), yours.grad.numpy(), rtol=0, atol=1e-8 * scale, err_msg=key)
    ours.eval()
    theirs.eval()
    with minidl.no_grad(), torch.no_grad():
        np.testing.assert_allclose(ours(x).numpy(), theirs(u).numpy(), rtol=1e-8, atol=1e-8)
