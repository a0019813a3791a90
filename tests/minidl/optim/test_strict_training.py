"""Modules, optimisers, clipping and checkpoints on arrays as strict as CuPy's: the same numbers as on the CPU."""

import numpy as np
import pytest
from strict_array import Library

import minidl
import minidl.nn as nn
import minidl.nn.functional as F
from minidl import backend, optim
from minidl.nn.utils import clip_grad_norm_, clip_grad_value_

OPTIONS = [
    ("SGD", {}),
    ("SGD", dict(momentum=0.9, dampening=0.1, weight_decay=0.1)),
    ("SGD", dict(momentum=0.9, nesterov=True, maximize=True)),
    ("Adam", {}),
    ("Adam", dict(amsgrad=True, weight_decay=0.1)),
    ("AdamW", dict(maximize=True)),
    ("Adagrad", dict(lr_decay=0.1, initial_accumulator_value=0.1)),
    ("RMSprop", {}),
    ("RMSprop", dict(centered=True, momentum=0.5)),
]


@pytest.fixture(autouse=True)
def strict(monkeypatch):
    monkeypatch.setattr(backend, "_by_type", dict(backend._by_type))
    monkeypatch.setattr(backend, "_by_device", dict(backend._by_device))
    monkeypatch.setattr(backend, "several", False)
    backend.register(Library("strict").backend())


def values(tensor):
    return backend.to_device(tensor.array, backend.CPU)


def train(device, optimizer, options, steps=4):
    """A few steps with clipping; returns the model and the optimiser."""
    minidl.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).to(device)
    learner = getattr(optim, optimizer)(model.parameters(), lr=0.05, **options)
    x = minidl.randn(6, 5).to(device)
    y = minidl.randint(0, 3, (6,)).to(device)
    for _ in range(steps):
        learner.zero_grad()
        F.cross_entropy(model(x), y).backward()
        clip_grad_norm_(model.parameters(), 0.5)
        clip_grad_norm_(model.parameters(), 0.4, norm_type=float("inf"))
        clip_grad_value_(model.parameters(), 0.05)
        learner.step()
    model.zero_grad(set_to_none=False)
    learner.zero_grad(set_to_none=False)
    return model, learner


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=[f"{name}-{','.join(o)}" for name, o in OPTIONS])
def test_same_path_as_on_the_cpu(name, options):
    here, there = train("cpu", name, options)[0], train("strict", name, options)[0]
    for p, q in zip(here.parameters(), there.parameters(), strict=True):
        assert q.device == minidl.device("strict")
        assert q.dtype == minidl.float32
        np.testing.assert_allclose(values(q), p.array, rtol=1e-5, atol=1e-6)


def test_states_go_from_one_device_to_the_other(tmp_path):
    model, learner = train("strict", "Adam", {})
    path = tmp_path / "state"
    minidl.save({"model": model.state_dict(), "optimizer": learner.state_dict(), "tied": [model[0].weight] * 2}, path)
    state = minidl.load(path)
    assert state["tied"][0] is state["tied"][1]
    assert {t.device for t in state["model"].values()} == {minidl.device("cpu")}
    there = minidl.load(path, map_location="strict")["model"]["0.weight"]
    assert there.device == minidl.device("strict")
    for device in ("cpu", "strict"):
        other, its = train(device, "Adam", {}, steps=1)
        other.load_state_dict(state["model"])
        its.load_state_dict(state["optimizer"])
        for p, q in zip(model.parameters(), other.parameters(), strict=True):
            assert q.device == minidl.device(device)
            assert np.array_equal(values(p), values(q))
            for name in ("exp_avg", "exp_avg_sq"):
                assert its.state[q][name].device == minidl.device(device)
                assert np.array_equal(values(learner.state[p][name]), values(its.state[q][name]))


def test_moving_and_casting():
    net = nn.Sequential(nn.Linear(2, 2))
    net.register_buffer("mean", minidl.zeros(2))
    net(minidl.ones(1, 2)).sum().backward()
    weight = net[0].weight
    net.to("strict", minidl.float64)
    assert net[0].weight is weight
    for tensor in (weight, weight.grad, net.mean):
        assert (tensor.device, tensor.dtype) == (minidl.device("strict"), minidl.float64)
    assert net.cpu().mean.device == minidl.device("cpu")


@pytest.mark.parametrize("name", [name for name in nn.init.__all__ if name.endswith("_")])
def test_initial_values(name):
    results = []
    for device in ("cpu", "strict"):
        minidl.manual_seed(0)
        x = minidl.zeros(4, 3).to(device)
        getattr(nn.init, name)(x, *([2.5] if name == "constant_" else []))
        assert x.device == minidl.device(device)
        results.append(values(x))
    assert np.array_equal(*results)


def test_layers_on_a_device():
    layer = nn.Linear(3, 2, device="strict")
    assert layer.weight.device == layer.bias.device == minidl.device("strict")


def test_metrics_take_tensors_from_a_device():
    scores = minidl.tensor([[0.2, 0.8], [0.9, 0.1]]).to("strict")
    assert minidl.metrics.accuracy(scores, minidl.tensor([1, 1]).to("strict")) == 0.5
