"""Modules against PyTorch: the printed form, names of parameters, defaults, values, gradients, initial bounds."""

import inspect

import numpy as np
import pytest

import minidl

torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
pytestmark = pytest.mark.parity

MODULES = {
    "mlp": lambda nn: nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 3, bias=False)),
    "nested": lambda nn: nn.Sequential(nn.Sequential(nn.Linear(3, 3), nn.Tanh()), nn.Identity(), nn.Sequential()),
    "lists": lambda nn: nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3), nn.Sequential(nn.Sigmoid()), nn.Dropout(0.1)]),
    "dict": lambda nn: nn.ModuleDict({"a": nn.Linear(3, 3), "b": nn.ModuleList([nn.ReLU(), nn.ReLU()])}),
    "activations": lambda nn: nn.Sequential(
        nn.ReLU(inplace=True),
        nn.LeakyReLU(),
        nn.LeakyReLU(0.2, inplace=True),
        nn.ELU(),
        nn.ELU(0.5, True),
        nn.GELU(),
        nn.GELU(approximate="tanh"),
        nn.SiLU(),
        nn.SiLU(inplace=True),
        nn.Softplus(),
        nn.Softplus(beta=2.0, threshold=1.0),
        nn.Softmax(dim=-1),
        nn.LogSoftmax(1),
        nn.Unflatten(1, (3, 1)),
        nn.Flatten(1, 2),
    ),
}


@pytest.mark.parametrize("make", MODULES.values(), ids=MODULES)
def test_printed_form_and_names(make):
    ours, theirs = make(minidl.nn), make(torch.nn)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [name for name, _ in ours.named_modules()] == [name for name, _ in theirs.named_modules()]
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]


@pytest.mark.parametrize("name", ["mlp", "activations"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_values_and_gradients(name, dtype):
    ours, theirs = (MODULES[name](library.nn).to(getattr(library, dtype)) for library in (minidl, torch))
    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    x = np.random.default_rng(0).normal(size=(4, 3, 4) if name == "mlp" else (4, 3)).astype(dtype)
    y, expected = ours(minidl.tensor(x)), theirs(torch.tensor(x))
    tolerance = dict(rtol=1e-12, atol=1e-13) if dtype == "float64" else dict(rtol=2e-5, atol=2e-6)
    assert y.dtype == np.dtype(dtype)
    np.testing.assert_allclose(y.numpy(force=True), expected.detach().numpy(), **tolerance)
    if name == "mlp":
        (y * y).sum().backward()
        (expected * expected).sum().backward()
        for (key, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            assert p.grad.dtype == np.dtype(dtype)
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), **tolerance, err_msg=key)


LAYERS = [
    *["Linear", "Identity", "ReLU", "LeakyReLU", "ELU", "GELU", "SiLU", "Softplus", "Sigmoid", "Tanh", "Softmax"],
    *["LogSoftmax", "Dropout", "Flatten", "Unflatten", "Sequential", "ModuleList", "ModuleDict"],
]


def defaults(function):
    return [(name, p.default) for name, p in inspect.signature(function).parameters.items() if p.default is not p.empty]


@pytest.mark.parametrize("name", LAYERS)
def test_arguments_and_defaults(name):
    ours, theirs = (getattr(library.nn, name).__init__ for library in (minidl, torch))
    assert defaults(ours) == defaults(theirs)


@pytest.mark.parametrize("name", minidl.nn.init.__all__)
def test_init_arguments_and_defaults(name):
    ours, theirs = (getattr(library.nn.init, name) for library in (minidl, torch))
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)
    assert defaults(ours) == defaults(theirs)


def test_initial_bounds_of_linear():
    for size in (7, 100, 784):
        bounds = []
        for library in (minidl, torch):
            library.manual_seed(0)
            layer = library.nn.Linear(size, 20_000 // size)
            bounds.append([float(abs(p.detach()).max()) for p in (layer.weight, layer.bias)])
        assert bounds[0] == pytest.approx(bounds[1], rel=0.15)
        assert max(bounds[0]) <= size**-0.5


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, float("inf")])
def test_clip_grad_norm(norm_type):
    gradients = [np.random.default_rng(0).normal(size=shape) for shape in ((3, 4), (5,), ())]
    results = []
    for library in (minidl, torch):
        parameters = [library.nn.Parameter(library.tensor(np.zeros_like(g))) for g in gradients]
        for p, g in zip(parameters, gradients, strict=True):
            p.grad = library.tensor(g)
        total = library.nn.utils.clip_grad_norm_(parameters, 0.7, norm_type)
        results.append([float(total), *[np.array(p.grad.tolist()) for p in parameters]])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_clip_grad_value():
    results = []
    for library in (minidl, torch):
        parameter = library.nn.Parameter(library.zeros(4))
        parameter.grad = library.tensor([-3.0, 0.25, float("inf"), float("nan")])
        library.nn.utils.clip_grad_value_([parameter], 0.5)
        results.append(np.array(parameter.grad.tolist()))
    np.testing.assert_array_equal(*results)


def test_parameter_list():
    lists = []
    for library in (minidl, torch):
        parameters = library.nn.ParameterList([library.zeros(2, 3), library.nn.Parameter(library.zeros(4))])
        parameters.append(library.zeros(1)).extend([library.nn.Parameter(library.zeros(()))])
        lists.append(parameters)
    assert [name for name, _ in lists[0].named_parameters()] == [name for name, _ in lists[1].named_parameters()]
    assert repr(lists[0]) == repr(lists[1]).replace("torch.", "")


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2)])
def test_fixed_initial_values(shape):
    for name, arguments in (("constant_", (1.5,)), ("zeros_", ()), ("ones_", ()), ("eye_", ())):
        ours, theirs = (
            getattr(library.nn.init, name)(library.full(shape, 7.0), *arguments) for library in (minidl, torch)
        )
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy(), err_msg=name)


def test_calculate_gain():
    for name in ("linear", "conv1d", "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        assert minidl.nn.init.calculate_gain(name) == torch.nn.init.calculate_gain(name), name
    assert minidl.nn.init.calculate_gain("leaky_relu", 0.3) == torch.nn.init.calculate_gain("leaky_relu", 0.3)
