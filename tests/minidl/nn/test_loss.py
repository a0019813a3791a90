"""Losses as modules: each hands all of its options to its operation, and keeps its weights as part of its state."""

import numpy as np
import pytest

import minidl
import minidl.nn.functional as F
from minidl import nn

RNG = np.random.default_rng(0)
X, T = minidl.tensor(RNG.uniform(0.1, 0.9, (5, 3))), minidl.tensor(RNG.uniform(0.1, 0.9, (5, 3)))
CLASSES = minidl.tensor([0, 2, 1, 1, 0])
WEIGHT, OTHER = (
    minidl.tensor([0.5, 2.0, 1.0], dtype=minidl.float64),
    minidl.tensor([3.0, 0.2, 1.5], dtype=minidl.float64),
)

# the module, its operation, the target, and options that all differ from the defaults
MODULES = [
    (nn.CrossEntropyLoss, F.cross_entropy, CLASSES, {"weight": WEIGHT, "ignore_index": 1, "label_smoothing": 0.2}),
    (nn.NLLLoss, F.nll_loss, CLASSES, {"weight": WEIGHT, "ignore_index": 1}),
    (nn.BCELoss, F.binary_cross_entropy, T, {"weight": WEIGHT}),
    (nn.BCEWithLogitsLoss, F.binary_cross_entropy_with_logits, T, {"weight": WEIGHT, "pos_weight": OTHER}),
    (nn.KLDivLoss, F.kl_div, T, {"log_target": True}),
    (nn.MSELoss, F.mse_loss, T, {}),
    (nn.L1Loss, F.l1_loss, T, {}),
    (nn.HuberLoss, F.huber_loss, T, {"delta": 0.1}),
    (nn.SmoothL1Loss, F.smooth_l1_loss, T, {"beta": 0.1}),
]
every_module = pytest.mark.parametrize(("module", "operation", "target", "options"), MODULES)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@every_module
def test_is_its_operation_with_all_options(module, operation, target, options, reduction):
    loss = module(**options, reduction=reduction)(X, target)
    np.testing.assert_array_equal(loss.array, operation(X, target, **options, reduction=reduction).array)


@every_module
def test_every_option_matters(module, operation, target, options):
    loss = module(**options)(X, target).item()
    for name in options:
        others = {key: value for key, value in options.items() if key != name}
        assert module(**others)(X, target).item() != loss, name


@every_module
def test_defaults_are_those_of_the_operation(module, operation, target, options):
    assert module()(X, target).item() == operation(X, target).item()


@every_module
def test_weights_are_state_but_not_trained(module, operation, target, options):
    loss = module(**options)
    weights = {name: value for name, value in options.items() if isinstance(value, minidl.Tensor)}
    assert list(loss.state_dict()) == list(weights)
    assert list(loss.parameters()) == []
    assert list(module().state_dict()) == []


def test_batchmean():
    loss = nn.KLDivLoss(reduction="batchmean")(X, T)
    assert loss.item() == F.kl_div(X, T, reduction="batchmean").item()


@every_module
def test_an_unknown_reduction_is_refused_at_once(module, operation, target, options):
    with pytest.raises(ValueError) as caught:
        module(reduction="average")
    more = ", 'batchmean'" if module is nn.KLDivLoss else ""
    assert str(caught.value) == (
        f"{module.__name__}: reduction must be one of 'none', 'mean', 'sum'{more}, not 'average'"
    )


@pytest.mark.parity
@every_module
def test_same_as_pytorch(module, operation, target, options):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    theirs = {
        key: torch.from_numpy(value.array) if isinstance(value, minidl.Tensor) else value
        for key, value in options.items()
    }
    twin = getattr(torch.nn, module.__name__)(**theirs, reduction="sum")
    ours = module(**options, reduction="sum")
    expected = twin(torch.from_numpy(X.array), torch.from_numpy(target.array))
    np.testing.assert_allclose(ours(X, target).item(), expected.item(), rtol=1e-12)
    assert list(ours.state_dict()) == list(twin.state_dict())
    assert repr(ours) == repr(twin)
