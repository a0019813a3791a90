"""Every family of models is trained on arrays as strict as CuPy's: the numbers of the CPU, from the same seed."""

import numpy as np
import pytest
from families import FAMILIES, OPTIMIZERS, SCHEDULERS, train
from strict_array import Library

import minidl
import minidl.nn.functional as F
from minidl import backend


@pytest.fixture(autouse=True)
def library(monkeypatch):
    monkeypatch.setattr(backend, "_by_type", dict(backend._by_type))
    monkeypatch.setattr(backend, "_by_device", dict(backend._by_device))
    monkeypatch.setattr(backend, "several", False)
    strict = Library("strict")
    backend.register(strict.backend())
    return strict


def assert_same(here, there):
    """Two trainings came to the same place, the second one on strict arrays."""
    np.testing.assert_allclose(there.losses, here.losses, rtol=1e-4)
    ours, theirs = here.model.state_dict(), there.model.state_dict()
    assert list(ours) == list(theirs)
    for name, tensor in theirs.items():
        assert tensor.device == minidl.device("strict"), name
        assert tensor.dtype == ours[name].dtype, name
        np.testing.assert_allclose(tensor.cpu().array, ours[name].array, rtol=2e-3, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("family", FAMILIES)
def test_training_a_family(family):
    assert_same(train(family, "cpu"), train(family, "strict"))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_with_an_optimizer(optimizer):
    assert_same(train("MLP", "cpu", optimizer), train("MLP", "strict", optimizer))


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_training_with_a_scheduler(scheduler):
    here, there = (train("MLP", device, "SGD", scheduler, epochs=3) for device in ("cpu", "strict"))
    assert_same(here, there)
    rates = [group["lr"] for run in (here, there) for group in run.optimizer.param_groups]
    assert rates[0] == pytest.approx(rates[1], rel=1e-12)
    assert here.scheduler.state_dict().keys() == there.scheduler.state_dict().keys()


@pytest.mark.parametrize("family", ["CNN", "LSTM", "Transformer encoder"])
@pytest.mark.parametrize(("first", "second"), [("cpu", "strict"), ("strict", "cpu"), ("strict", "strict")])
def test_going_on_from_a_checkpoint_on_another_device(family, first, second, tmp_path):
    """Saved on one device after an epoch, loaded on the other: the second epoch is that of a run without a break."""
    whole = train(family, "cpu", epochs=2)
    broken = train(family, first)
    minidl.save(broken.state(), tmp_path / "state")
    other = train(family, second)  # other numbers, all replaced by those of the file
    other.load(minidl.load(tmp_path / "state", map_location=second))
    other.losses = list(broken.losses)
    other.epoch(second)
    np.testing.assert_allclose(other.losses, whole.losses, rtol=1e-4)


def test_random_numbers_and_dropout_are_the_same_on_both_devices():
    drawn = []
    for device in ("cpu", "strict"):
        minidl.manual_seed(7)
        x = minidl.ones(50, 4, device=device)
        numbers = [minidl.rand(3, device=device), minidl.randn(2, 2, device=device), minidl.rand_like(x)]
        numbers += [F.dropout(x, 0.3), minidl.bernoulli(x * 0.5), minidl.multinomial(x, 2)]
        numbers += [minidl.randint(0, 9, (5,), device=device), minidl.randperm(6, device=device)]
        assert {tensor.device for tensor in numbers} == {minidl.device(device)}
        drawn.append([tensor.tolist() for tensor in numbers])
    assert drawn[0] == drawn[1]


# What a step of training waits for the GPU for: whether a class, and whether a word, is out of range. CuPy would take
# another one in silence, so the host must look; each look is one number.
LOOKS = dict.fromkeys(FAMILIES, 1) | {"Transformer encoder": 2, "Transformer": 2}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_step_waits_for_the_gpu_only_where_it_must(family, library):
    run = train(family, "strict")
    x, target = (tensor.to("strict") for tensor in next(iter(run.loader)))
    library.waits.clear()
    loss = run.step(x, target)
    assert library.waits == {"bool": LOOKS[family]}
    assert loss.item() > 0
    assert library.waits.total() > 0
