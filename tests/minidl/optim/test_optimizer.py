"""Optimisers: groups, state, errors, and the compiled step against the plain one."""

import copy
import re
import subprocess
import sys

import numpy as np
import pytest

import minidl
from kernels.cpu import set_compiled
from minidl.nn import Parameter
from minidl.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop

OPTIONS = [
    (SGD, {}),
    (SGD, dict(momentum=0.9, dampening=0.2, weight_decay=0.01)),
    (SGD, dict(lr=0.1, momentum=0.8, nesterov=True, maximize=True)),
    (Adam, {}),
    (Adam, dict(lr=0.01, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1, maximize=True)),
    (Adam, dict(amsgrad=True)),
    (AdamW, dict(lr=0.01)),
    (Adagrad, dict(lr_decay=0.1, weight_decay=0.01)),
    (RMSprop, {}),
    (RMSprop, dict(centered=True, momentum=0.5)),
]
IDS = [f"{kind.__name__}-{','.join(options)}" for kind, options in OPTIONS]


def error(kind, text):
    return pytest.raises(kind, match=f"^{re.escape(text)}$")


def parameters(dtype="float32", seed=0):
    rng = np.random.default_rng(seed)
    return [Parameter(minidl.tensor(np.array(rng.normal(size=shape), dtype))) for shape in ((3, 4), (4,), ())]


def give_gradients(params, seed):
    rng = np.random.default_rng(seed)
    for p in params:
        p.grad = minidl.tensor(np.array(rng.normal(size=p.shape), p.dtype))


def run(optimizer, params, steps):
    for step in steps:
        give_gradients(params, step)
        optimizer.step()


# --- by hand -----------------------------------------------------------------------------------------------------


def one_weight(kind, gradient, steps, **options):
    """The path of a single weight from 0 under a constant gradient."""
    w = Parameter(minidl.zeros(1, dtype=minidl.float64))
    optimizer = kind([w], **options)
    path = []
    for _ in range(steps):
        w.grad = minidl.tensor([gradient], dtype=minidl.float64)
        optimizer.step()
        path.append(w.item())
    return path


def test_adam_steps_are_of_one_length_whatever_the_gradient():
    for gradient in (1.0, 10.0):
        assert one_weight(Adam, gradient, 3, lr=0.1) == pytest.approx([-0.1, -0.2, -0.3], rel=1e-7)


def test_momentum_gathers_speed():
    assert one_weight(SGD, 1.0, 3, lr=0.1, momentum=0.9) == pytest.approx([-0.1, -0.29, -0.561], rel=1e-12)
    assert one_weight(SGD, 10.0, 3, lr=0.1, momentum=0.9) == pytest.approx([-1, -2.9, -5.61], rel=1e-12)


def test_adamw_decays_the_weight_itself():
    w = Parameter(minidl.tensor([2.0], dtype=minidl.float64))
    w.grad = minidl.zeros(1, dtype=minidl.float64)
    AdamW([w], lr=0.1, weight_decay=0.5).step()
    assert w.item() == pytest.approx(2 * (1 - 0.1 * 0.5), rel=1e-15)


def test_adagrad_divides_by_the_root_of_the_sum():
    path = one_weight(Adagrad, 2.0, 3, lr=0.1)
    steps = [0.1, 0.1 / 2**0.5, 0.1 / 3**0.5]
    assert path == pytest.approx([-sum(steps[: i + 1]) for i in range(3)], rel=1e-9)


def test_rmsprop_first_step():
    assert one_weight(RMSprop, 3.0, 1, lr=0.1, alpha=0.75) == pytest.approx([-0.1 / 0.25**0.5], rel=1e-7)


# --- the step ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [float, np.float64])  # NumPy's numbers would widen float32
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("kind", "options"), OPTIONS, ids=IDS)
def test_compiled_and_plain_steps_give_the_same_bits(kind, options, dtype, number):
    options = {key: number(value) if type(value) is float else value for key, value in options.items()}
    options.setdefault("lr", number(0.01))
    results = []
    for compiled in (True, False):
        previous = set_compiled(compiled)
        try:
            params = parameters(dtype)
            run(kind(params, **options), params, range(5))
        finally:
            set_compiled(previous)
        results.append([p.array for p in params])
    for fast, plain in zip(*results, strict=True):
        assert fast.dtype == np.dtype(dtype)
        assert np.array_equal(fast, plain)


@pytest.mark.parametrize(("kind", "options"), OPTIONS, ids=IDS)
def test_dtype_and_memory_stay(kind, options):
    for dtype in ("float16", "float32", "float64"):
        params = parameters(dtype)
        arrays = [p.array for p in params]
        optimizer = kind(params, **options)
        run(optimizer, params, range(2))
        assert all(p.array is array and p.dtype == np.dtype(dtype) for p, array in zip(params, arrays, strict=True))
        tensors = [value for p in params for value in optimizer.state[p].values() if isinstance(value, minidl.Tensor)]
        assert {t.dtype for t in tensors} <= {np.dtype(dtype)}


@pytest.mark.parametrize(("kind", "options"), OPTIONS, ids=IDS)
def test_gradients_are_only_read(kind, options):
    for compiled in (True, False):
        previous = set_compiled(compiled)
        try:
            params = parameters()
            optimizer = kind(params, **options)
            for step in range(2):
                give_gradients(params, step)
                before = [p.grad.array.copy() for p in params]
                optimizer.step()
                assert all(np.array_equal(p.grad.array, g) for p, g in zip(params, before, strict=True))
        finally:
            set_compiled(previous)


@pytest.mark.parametrize(("kind", "options"), OPTIONS, ids=IDS)
def test_arrays_that_are_not_contiguous(kind, options):
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(4, 6))
    straight, crooked = Parameter(minidl.tensor(wide[:, ::2])), Parameter(minidl.from_numpy(wide[:, ::2]))
    assert not crooked.array.flags.c_contiguous
    for p in (straight, crooked):
        optimizer = kind([p], **options)
        for step in range(3):
            give_gradients([p], step)
            optimizer.step()
    assert np.array_equal(straight.array, crooked.array)


def test_parameters_without_a_gradient_are_left_alone():
    used, unused = parameters()[:2]
    before = unused.array.copy()
    optimizer = Adam([used, unused], weight_decay=1.0)
    give_gradients([used], 0)
    optimizer.step()
    assert np.array_equal(unused.array, before)
    assert list(optimizer.state) == [used]


def test_a_step_counts_as_a_change_in_place():
    w = Parameter(minidl.ones(2))
    loss = (w * w).sum()
    w.grad = minidl.ones(2)
    SGD([w]).step()
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


def test_closure():
    w = Parameter(minidl.tensor([3.0]))
    optimizer = SGD([w], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with minidl.no_grad():
        assert optimizer.step(closure).item() == 9
    assert w.item() == 0
    assert optimizer.step() is None


def test_zero_grad():
    params = parameters()
    optimizer = SGD(params)
    give_gradients(params[:2], 0)
    optimizer.zero_grad(set_to_none=False)
    assert not params[0].grad.array.any()
    assert params[2].grad is None
    optimizer.zero_grad()
    assert all(p.grad is None for p in params)


# --- groups ------------------------------------------------------------------------------------------------------


def test_groups_have_their_own_options():
    first, second, third = parameters()
    optimizer = SGD([{"params": [first], "lr": 1.0}, {"params": second}], lr=0.1, momentum=0.5)
    optimizer.add_param_group({"params": [third], "momentum": 0})
    assert [(group["lr"], group["momentum"]) for group in optimizer.param_groups] == [(1.0, 0.5), (0.1, 0.5), (0.1, 0)]
    assert optimizer.param_groups[1]["params"] == [second]
    optimizer.param_groups[1]["lr"] = 0.0
    give_gradients([first, second, third], 0)
    before = [p.array.copy() for p in (first, second, third)]
    optimizer.step()
    assert np.array_equal(second.array, before[1])
    np.testing.assert_allclose(before[0] - first.array, first.grad.array, rtol=1e-5)
    np.testing.assert_allclose(before[2] - third.array, 0.1 * third.grad.array, rtol=1e-5)


def test_group_errors():
    first, second = parameters()[:2]
    with error(TypeError, "SGD: params must be a list of Tensors, not a single one"):
        SGD(first)
    with error(ValueError, "SGD: there are no parameters to optimise"):
        SGD([])
    with error(ValueError, "Adam: there are no parameters to optimise"):
        Adam(iter(()))
    with error(TypeError, "SGD: params[1] must be a Tensor, not ndarray"):
        SGD([first, np.ones(2)])
    with error(ValueError, "SGD: params[1] is the result of an operation; only leaves can be optimised"):
        SGD([first, second * 2])
    with error(ValueError, "SGD: params[2] is among the parameters twice"):
        SGD([first, second, first])
    with error(ValueError, "SGD: params[0] is among the parameters twice"):
        SGD([{"params": [first]}, {"params": [first]}])
    fixed = np.ones(2)
    fixed.flags.writeable = False
    with error(ValueError, "SGD: params[0] lies in memory that is read-only"):
        SGD([Parameter(minidl.Tensor(fixed))])
    with error(TypeError, "SGD: params must be a list of Tensors, not set"):
        SGD({first, second})
    with error(TypeError, "SGD: params must be a list of Tensors, not set"):
        SGD([{"params": {first, second}}])
    with error(TypeError, "SGD: params must be a list of Tensors, not NoneType"):
        SGD(None)
    with error(TypeError, "SGD: a group must be a dictionary with the key 'params'"):
        SGD([{"lr": 1}])
    with error(NotImplementedError, "Optimizer: an Optimizer defines update(w, g, state, group)"):
        give_gradients([first], 0)
        Optimizer([first], {}).step()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda p: SGD(p, lr=-1), "SGD: lr must not be negative, but is -1"),
        (lambda p: SGD(p, lr=float("nan")), "SGD: lr must not be negative, but is nan"),
        (lambda p: SGD(p, momentum=-0.5), "SGD: momentum must not be negative, but is -0.5"),
        (lambda p: SGD(p, weight_decay=-1), "SGD: weight_decay must not be negative, but is -1"),
        (lambda p: SGD(p, nesterov=True), "SGD: nesterov needs momentum above 0 and no dampening"),
        (
            lambda p: SGD(p, momentum=0.9, dampening=0.1, nesterov=True),
            "SGD: nesterov needs momentum above 0 and no dampening",
        ),
        (lambda p: Adam(p, betas=(1.0, 0.9)), "Adam: betas must be two numbers in [0, 1), not (1.0, 0.9)"),
        (lambda p: Adam(p, betas=(0.9,)), "Adam: betas must be two numbers in [0, 1), not (0.9,)"),
        (lambda p: Adam(p, betas=0.9), "Adam: betas must be two numbers in [0, 1), not 0.9"),
        (lambda p: Adam(p, betas=("0", 0.9)), "Adam: betas must be two numbers in [0, 1), not ('0', 0.9)"),
        (lambda p: Adam(p, eps=-1), "Adam: eps must not be negative, but is -1"),
        (lambda p: AdamW(p, weight_decay=-1), "AdamW: weight_decay must not be negative, but is -1"),
        (lambda p: Adagrad(p, lr_decay=-1), "Adagrad: lr_decay must not be negative, but is -1"),
        (lambda p: RMSprop(p, alpha=-1), "RMSprop: alpha must not be negative, but is -1"),
        (lambda p: SGD([{"params": p, "lr": -2}], lr=1), "SGD: lr must not be negative, but is -2"),
    ],
)
def test_option_errors(make, text):
    with error(ValueError, text):
        make(parameters())


@pytest.mark.parametrize(
    ("kind", "options", "name"),
    [
        (SGD, {"momentum": 0.9}, "momentum_buffer"),
        (Adam, {}, "exp_avg"),
        (RMSprop, {}, "square_avg"),
        (Adagrad, {}, "sum"),
    ],
)
def test_what_is_remembered_does_not_fit_new_data(kind, options, name):
    parameter = Parameter(minidl.ones(2))
    optimizer = kind([parameter], **options)
    give_gradients([parameter], 0)
    optimizer.step()
    parameter.grad, parameter.data = None, minidl.ones(3)
    give_gradients([parameter], 0)
    with error(RuntimeError, f"step: {name} has shape (2,), but its parameter has shape (3,)"):
        optimizer.step()
    assert parameter.tolist() == [1, 1, 1]


def test_options_are_numbers():
    with error(TypeError, "SGD: lr must be a number, not str"):
        SGD(parameters(), lr="0.1")
    with error(TypeError, "Adam: eps must be a number, not NoneType"):
        Adam(parameters(), eps=None)
    assert Adam(parameters(), lr=np.float32(0.5)).param_groups[0]["lr"] == 0.5


def test_printed_form():
    assert repr(SGD(parameters(), lr=0.1)) == (
        "SGD (\nParameter Group 0\n    dampening: 0\n    lr: 0.1\n    maximize: False\n    momentum: 0\n"
        "    nesterov: False\n    weight_decay: 0\n)"
    )


# --- the state ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "options"), OPTIONS, ids=IDS)
def test_going_on_from_a_state_gives_the_same_bits(kind, options):
    through = parameters()
    run(kind(through, **options), through, range(6))
    first = parameters()
    optimizer = kind(first, **options)
    run(optimizer, first, range(3))
    state = copy.deepcopy(optimizer.state_dict())
    second = [Parameter(p.detach().clone()) for p in first]
    resumed = kind(second, lr=0.5)
    resumed.load_state_dict(state)
    run(optimizer, first, range(3, 6))  # must not touch what the other loaded
    run(resumed, second, range(3, 6))
    for a, b, c in zip(through, first, second, strict=True):
        assert np.array_equal(a.array, b.array)
        assert np.array_equal(a.array, c.array)


def test_state_dict_numbers_the_parameters():
    first, second, third = parameters()
    optimizer = Adam([{"params": [first]}, {"params": [second, third], "lr": 0.5}])
    give_gradients([second], 0)
    optimizer.step()
    state = optimizer.state_dict()
    assert [group["params"] for group in state["param_groups"]] == [[0], [1, 2]]
    assert list(state["state"]) == [1]
    assert sorted(state["state"][1]) == ["exp_avg", "exp_avg_sq", "step"]
    assert state["state"][1]["step"] == 1


def test_a_state_is_cast_to_the_parameters_and_copied():
    source = parameters("float64")
    optimizer = Adam(source)
    run(optimizer, source, range(2))
    target = parameters("float32")
    loaded = Adam(target)
    state = optimizer.state_dict()
    state["state"][0]["step"] = minidl.tensor(2.0)  # as PyTorch keeps it
    loaded.load_state_dict(state)
    assert loaded.state[target[0]]["exp_avg"].dtype == minidl.float32
    assert loaded.state[target[0]]["step"] == 2
    before = optimizer.state[source[0]]["exp_avg"].array.copy()
    run(loaded, target, range(2))
    assert np.array_equal(optimizer.state[source[0]]["exp_avg"].array, before)


def test_a_state_that_does_not_fit_changes_nothing():
    params = parameters()
    optimizer = Adam(params)
    run(optimizer, params, range(2))
    before = optimizer.state_dict()
    with error(ValueError, "load_state_dict: the state of an optimiser has the keys 'state' and 'param_groups'"):
        optimizer.load_state_dict({"state": {}})
    text = "load_state_dict: the state has groups of [2] parameters, the optimiser has groups of [3]"
    with error(ValueError, text):
        optimizer.load_state_dict(Adam(params[:2]).state_dict())
    other = copy.deepcopy(before)
    other["state"][1]["exp_avg"] = minidl.zeros(5)
    other["param_groups"][0]["lr"] = 9
    with error(ValueError, "load_state_dict: exp_avg of parameter 1 is (5,), the parameter (4,)"):
        optimizer.load_state_dict(other)
    assert optimizer.param_groups[0]["lr"] == 1e-3
    assert optimizer.state[params[1]]["exp_avg"] is before["state"][1]["exp_avg"]


# --- the package of kernels --------------------------------------------------------------------------------------


def test_a_foreign_package_named_kernels_is_refused(tmp_path):
    (tmp_path / "kernels").mkdir()
    init = tmp_path / "kernels" / "__init__.py"
    init.write_text("")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import minidl"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root(), timeout=60)
    expected = (
        f"ImportError: minidl: needs its own package 'kernels', but found another one of that name ({init}): "
        "uninstall it, or put minidl's folder in front of it on sys.path"
    )
    assert result.stderr.strip().splitlines()[-1] == expected


def root():
    return minidl.__path__[0] + "/.."
