"""Optimisers and schedules against PyTorch: the same path over many steps, for every option."""

import inspect

import numpy as np
import pytest

import minidl

torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
pytestmark = pytest.mark.parity

SHAPES = [(3, 4), (4,), ()]
OPTIONS = [
    ("SGD", {}),
    ("SGD", dict(lr=0.1, weight_decay=0.05)),
    ("SGD", dict(lr=0.1, momentum=0.9)),
    ("SGD", dict(lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.05)),
    ("SGD", dict(lr=0.1, momentum=0.9, dampening=1.0)),
    ("SGD", dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.05)),
    ("SGD", dict(lr=0.1, momentum=0.5, maximize=True)),
    ("Adam", {}),
    ("Adam", dict(lr=0.1, betas=(0.5, 0.8), eps=1e-3)),
    ("Adam", dict(lr=0.1, betas=(0.0, 0.0))),
    ("Adam", dict(lr=0.1, weight_decay=0.2)),
    ("Adam", dict(lr=0.1, weight_decay=0.2, decoupled_weight_decay=True)),
    ("Adam", dict(lr=0.1, amsgrad=True, weight_decay=0.1)),
    ("Adam", dict(lr=0.1, maximize=True)),
    ("AdamW", {}),
    ("AdamW", dict(lr=0.1, weight_decay=0.3, amsgrad=True)),
    ("AdamW", dict(lr=0.1, maximize=True)),
    ("Adagrad", {}),
    ("Adagrad", dict(lr=0.1, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.5, eps=1e-3)),
    ("Adagrad", dict(lr=0.1, maximize=True)),
    ("RMSprop", {}),
    ("RMSprop", dict(lr=0.1, alpha=0.5, eps=1e-3, weight_decay=0.1)),
    ("RMSprop", dict(lr=0.1, momentum=0.9)),
    ("RMSprop", dict(lr=0.1, centered=True)),
    ("RMSprop", dict(lr=0.1, centered=True, momentum=0.5, maximize=True)),
]


def path(library, name, options, dtype, steps):
    """The parameters after each step, and the optimiser."""
    rng = np.random.default_rng(0)
    params = [library.nn.Parameter(library.tensor(np.array(rng.normal(size=shape), dtype))) for shape in SHAPES]
    optimizer = getattr(library.optim, name)(params, **options)
    points = []
    for _ in range(steps):
        for p in params:
            p.grad = library.tensor(np.array(rng.normal(size=tuple(p.shape)), dtype))
        optimizer.step()
        points.append([np.array(p.detach().numpy()) for p in params])
    return points, optimizer


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=[f"{name}-{','.join(options)}" for name, options in OPTIONS])
def test_same_path(name, options, dtype):
    (ours, optimizer), (theirs, other) = (path(library, name, options, dtype, 12) for library in (minidl, torch))
    tolerance = dict(rtol=1e-12, atol=1e-13) if dtype == "float64" else dict(rtol=2e-5, atol=2e-6)
    for mine, reference in zip(ours, theirs, strict=True):
        for x, y in zip(mine, reference, strict=True):
            assert x.dtype == np.dtype(dtype)
            np.testing.assert_allclose(x, y, **tolerance)
    state, expected = optimizer.state_dict(), other.state_dict()
    assert set(state) == set(expected)
    for i, entries in state["state"].items():
        assert set(entries) == {k for k, v in expected["state"][i].items() if v is not None}
        for key, value in entries.items():
            np.testing.assert_allclose(
                np.array(float(value) if key == "step" else value.numpy()),
                expected["state"][i][key].numpy(),
                **tolerance,
            )
    for group, reference in zip(state["param_groups"], expected["param_groups"], strict=True):
        assert group == {key: reference[key] for key in group}


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Adagrad", "RMSprop"])
def test_arguments_and_defaults(name):
    ours, theirs = (inspect.signature(getattr(library.optim, name)).parameters for library in (minidl, torch))
    assert {key: p.default for key, p in ours.items()} == {key: theirs[key].default for key in ours}
    # what is missing says how PyTorch runs, not what it computes
    assert set(theirs) - set(ours) <= {"foreach", "fused", "capturable", "differentiable"}
    positional = [[key for key, p in side.items() if p.kind is p.POSITIONAL_OR_KEYWORD] for side in (ours, theirs)]
    assert positional[0] == positional[1][: len(positional[0])]


# --- schedules ---------------------------------------------------------------------------------------------------

SCHEDULES = [
    ("StepLR", dict(step_size=4)),
    ("StepLR", dict(step_size=1, gamma=0.9)),
    ("MultiStepLR", dict(milestones=[3, 3, 10, 20], gamma=0.5)),
    ("MultiStepLR", dict(milestones=[20, 5])),
    ("ExponentialLR", dict(gamma=0.8)),
    ("LinearLR", {}),
    ("LinearLR", dict(start_factor=1.0, end_factor=0.0, total_iters=12)),
    ("LinearLR", dict(start_factor=0.25, end_factor=0.75, total_iters=9)),
    ("CosineAnnealingLR", dict(T_max=30)),
    ("CosineAnnealingLR", dict(T_max=7, eta_min=0.01)),
    ("CosineAnnealingLR", dict(T_max=1)),
    ("LambdaLR", dict(lr_lambda=lambda t: 1 / (1 + t))),
    ("LambdaLR", dict(lr_lambda=[lambda t: 0.5**t, lambda t: 1 + t % 3])),
]


def optimizer_of(library):
    first, second = (library.nn.Parameter(library.ones(1)) for _ in range(2))
    return library.optim.SGD([{"params": [first], "lr": 0.7}, {"params": [second]}], lr=0.2)


def rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def epochs(library, schedulers, optimizer, count):
    found = [rates(optimizer)]
    for _ in range(count):
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
        found.append(rates(optimizer))
        assert schedulers[-1].get_last_lr() == rates(optimizer)
    return found


def ids(table):
    return [f"{name}-{','.join(options)}" for name, options in table]


@pytest.mark.parametrize(("name", "options"), SCHEDULES, ids=ids(SCHEDULES))
def test_same_rates(name, options):
    found = []
    for library in (minidl, torch):
        optimizer = optimizer_of(library)
        scheduler = getattr(library.optim.lr_scheduler, name)(optimizer, **options)
        found.append(epochs(library, [scheduler], optimizer, 30))
        assert scheduler.last_epoch == 30
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12, atol=1e-17)


def test_schedules_multiply():
    found = []
    for library in (minidl, torch):
        optimizer, kinds = optimizer_of(library), library.optim.lr_scheduler
        schedulers = [
            kinds.LinearLR(optimizer, total_iters=6),
            kinds.ExponentialLR(optimizer, 0.9),
            kinds.StepLR(optimizer, 5),
        ]
        found.append(epochs(library, schedulers, optimizer, 30))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)


LOSSES = [1.0, 0.9, 0.95, 0.9, 0.91, 0.9, 0.9, 0.5, 0.49995, 0.6, 0.7, 0.4, float("nan"), *[0.5] * 17]
PLATEAUS = [
    {},
    dict(patience=2),
    dict(patience=0, factor=0.5, cooldown=2),
    dict(mode="max", patience=1),
    dict(patience=1, threshold=0.2, threshold_mode="abs"),
    dict(mode="max", patience=1, threshold=0.01, threshold_mode="abs"),
    dict(patience=1, min_lr=[0.1, 0.001]),
    dict(patience=0, eps=0.01),
]


@pytest.mark.parametrize("options", PLATEAUS, ids=str)
def test_same_rates_on_a_plateau(options):
    found = []
    for library in (minidl, torch):
        optimizer = optimizer_of(library)
        scheduler = library.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
        points = []
        for loss in LOSSES:
            scheduler.step(library.tensor(loss))
            points.append([*rates(optimizer), scheduler.num_bad_epochs, scheduler.last_epoch])
            assert scheduler.get_last_lr() == rates(optimizer)
        found.append(points)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)


def test_schedule_arguments_and_defaults():
    for name in minidl.optim.lr_scheduler.__all__:
        kinds = [getattr(library.optim.lr_scheduler, name) for library in (minidl, torch)]
        ours, theirs = ({key: p.default for key, p in inspect.signature(kind).parameters.items()} for kind in kinds)
        assert list(ours.items()) == list(theirs.items()), name
