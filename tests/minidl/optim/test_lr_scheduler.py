"""Schedules: closed forms, going on from a state, errors."""

import json
import math
import re

import pytest

import minidl
from minidl.nn import Parameter
from minidl.optim import SGD
from minidl.optim.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    ReduceLROnPlateau,
    StepLR,
)


def optimizer(lr=0.5, groups=1):
    return SGD([{"params": [Parameter(minidl.ones(1))]} for _ in range(groups)], lr=lr)


CLOSED = [
    (lambda o: StepLR(o, 3, 0.5), lambda t: 0.5 * 0.5 ** (t // 3)),
    (lambda o: MultiStepLR(o, [2, 6], 0.1), lambda t: 0.5 * 0.1 ** ((t >= 2) + (t >= 6))),
    (lambda o: ExponentialLR(o, 0.9), lambda t: 0.5 * 0.9**t),
    (lambda o: LinearLR(o, 0.2, 0.8, 4), lambda t: 0.5 * (0.2 + 0.6 * min(t, 4) / 4)),
    (lambda o: CosineAnnealingLR(o, 5, 0.1), lambda t: 0.1 + 0.4 * (1 + math.cos(math.pi * t / 5)) / 2),
    (lambda o: LambdaLR(o, lambda t: 1 / (1 + t)), lambda t: 0.5 / (1 + t)),
]
IDS = ["Step", "MultiStep", "Exponential", "Linear", "Cosine", "Lambda"]


@pytest.mark.parametrize(("make", "closed"), CLOSED, ids=IDS)
def test_closed_form(make, closed):
    owner = optimizer()
    scheduler = make(owner)
    for t in range(25):
        assert owner.param_groups[0]["lr"] == pytest.approx(closed(t), rel=1e-10, abs=1e-12)
        assert scheduler.get_last_lr() == [owner.param_groups[0]["lr"]]
        scheduler.step()


@pytest.mark.parametrize(("make", "closed"), CLOSED, ids=IDS)
def test_going_on_from_a_state(make, closed):
    through = optimizer()
    scheduler = make(through)
    for _ in range(5):
        scheduler.step()
    state, groups = json.loads(json.dumps(scheduler.state_dict())), through.state_dict()
    later = optimizer(lr=77.0)
    resumed = make(later)
    later.load_state_dict(groups)
    resumed.load_state_dict(state)
    for _ in range(10):
        assert later.param_groups[0]["lr"] == through.param_groups[0]["lr"]
        assert resumed.last_epoch == scheduler.last_epoch
        scheduler.step(), resumed.step()


def test_going_on_by_the_last_epoch():
    owner = optimizer()
    scheduler = ExponentialLR(owner, 0.5)
    scheduler.step()
    assert ExponentialLR(owner, 0.5, last_epoch=1).get_last_lr() == [0.125]


def test_plateau_goes_on_from_a_state():
    first = optimizer()
    scheduler = ReduceLROnPlateau(first, patience=3)
    for _ in range(3):
        scheduler.step(1.0)
    second = optimizer()
    resumed = ReduceLROnPlateau(second)
    resumed.load_state_dict(scheduler.state_dict())
    for _ in range(2):
        scheduler.step(1.0), resumed.step(1.0)
    assert first.param_groups[0]["lr"] == second.param_groups[0]["lr"] == 0.05


def test_errors():
    def error(kind, text):
        return pytest.raises(kind, match=f"^{re.escape(text)}$")

    with error(TypeError, "StepLR: an Optimizer is needed, not int"):
        StepLR(3, 1)
    with error(TypeError, "ReduceLROnPlateau: an Optimizer is needed, not int"):
        ReduceLROnPlateau(3)
    with error(ValueError, "StepLR: step_size must be at least 1, but is 0"):
        StepLR(optimizer(), 0)
    with error(ValueError, "CosineAnnealingLR: T_max must be at least 1, but is 0"):
        CosineAnnealingLR(optimizer(), 0)
    with error(ValueError, "LinearLR: start_factor must be above 0 and at most 1, but is 0"):
        LinearLR(optimizer(), 0)
    with error(ValueError, "LinearLR: end_factor must be between 0 and 1, but is 1.5"):
        LinearLR(optimizer(), 0.5, 1.5)
    with error(ValueError, "LambdaLR: 1 functions for 2 groups"):
        LambdaLR(optimizer(groups=2), [abs])
    with error(ValueError, "ReduceLROnPlateau: factor must be below 1, but is 1"):
        ReduceLROnPlateau(optimizer(), factor=1)
    with error(ValueError, "ReduceLROnPlateau: mode must be 'min' or 'max', not 'low'"):
        ReduceLROnPlateau(optimizer(), "low")
    with error(ValueError, "ReduceLROnPlateau: threshold_mode must be 'rel' or 'abs', not 'x'"):
        ReduceLROnPlateau(optimizer(), threshold_mode="x")
    with error(ValueError, "ReduceLROnPlateau: 1 values of min_lr for 2 groups"):
        ReduceLROnPlateau(optimizer(groups=2), min_lr=[0.1])
    with pytest.raises(KeyError) as caught:
        StepLR(optimizer(), 1, last_epoch=3)
    assert caught.value.args == ("StepLR: group 0 has no 'initial_lr' to go on from",)
    with error(ValueError, "StepLR.load_state_dict: the state is of another kind (gamma, milestones, step_size)"):
        state = MultiStepLR(optimizer(), [1]).state_dict()
        state.pop("gamma")
        StepLR(optimizer(), 1).load_state_dict(state)
    with error(NotImplementedError, "LRScheduler: a scheduler defines get_lr()"):
        LRScheduler(optimizer())
