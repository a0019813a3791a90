"""Module: what is registered, walked, moved, saved, loaded and printed."""

import copy
import re

import numpy as np
import pytest

import minidl
import minidl.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(minidl.ones(2))
        self.register_buffer("mean", minidl.zeros(2))
        self.register_buffer("scratch", minidl.zeros(3), persistent=False)
        self.register_parameter("bias", None)
        self.inner = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1, bias=False))
        self.steps = 0

    def forward(self, x):
        return self.inner(x * self.scale - self.mean)


def error(kind, text):
    return pytest.raises(kind, match=f"^{re.escape(text)}$")


# --- registration ------------------------------------------------------------------------------------------------


def test_parts_are_found_by_kind():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == ["scale", "inner.0.weight", "inner.0.bias", "inner.2.weight"]
    assert [name for name, _ in net.named_buffers()] == ["mean", "scratch"]
    assert [name for name, _ in net.named_children()] == ["inner"]
    assert [name for name, _ in net.named_modules()] == ["", "inner", "inner.0", "inner.1", "inner.2"]
    assert list(net.parameters(recurse=False)) == [net.scale]
    assert [name for name, _ in net.named_parameters(prefix="net", recurse=False)] == ["net.scale"]
    assert next(net.modules()) is net
    assert list(net.children()) == [net.inner]
    assert len(list(net.buffers())) == 2


def test_what_is_used_twice_comes_once_unless_asked_for():
    layer = nn.Linear(2, 2)
    net = nn.Sequential(layer, layer)
    assert len(list(net.parameters())) == 2
    assert len(list(net.modules())) == 2
    assert len(list(net.children())) == 1
    names = [name for name, _ in net.named_parameters(remove_duplicate=False)]
    assert names == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert list(net.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_an_assignment_moves_a_name_from_one_kind_to_another():
    net = Net()
    net.mean = nn.Parameter(minidl.ones(2))
    assert "mean" in dict(net.named_parameters())
    assert "mean" not in dict(net.named_buffers())
    net.steps = nn.Linear(1, 1)
    assert "steps" in dict(net.named_children())
    net.register_buffer("steps", minidl.zeros(1))
    assert "steps" not in dict(net.named_children())
    assert "steps" in net.state_dict()


def test_none_and_deletion():
    net = Net()
    net.scale = None
    net.mean = None
    net.inner = None
    assert net.scale is net.mean is net.inner is net.bias is None
    assert list(net.parameters()) == []
    assert list(net.state_dict()) == []
    net.bias = nn.Parameter(minidl.zeros(1))
    assert list(net.parameters()) == [net.bias]
    del net.bias, net.scratch
    assert not hasattr(net, "bias")
    assert list(net.parameters()) == list(net.buffers()) == []


def test_a_buffer_can_be_replaced_by_assignment():
    net = Net()
    net.mean = minidl.ones(2)
    assert net.state_dict()["mean"].tolist() == [1, 1]
    assert "mean" in dict(net.named_buffers())


def test_registration_errors():
    class Early(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    with error(AttributeError, "Early: call super().__init__() before assigning 'layer'"):
        Early()
    net = Net()
    with error(TypeError, "Net: 'scale' is a parameter: a Parameter or None is needed, not Tensor"):
        net.scale = minidl.ones(2)
    with error(TypeError, "Net: 'inner' is a module: a Module or None is needed, not int"):
        net.inner = 3
    with error(TypeError, "Net: 'mean' is a buffer: a Tensor or None is needed, not float"):
        net.mean = 1.5
    with error(TypeError, "register_parameter: 'x' must be a Parameter or None, not Tensor"):
        net.register_parameter("x", minidl.ones(1))
    with error(TypeError, "register_buffer: 'x' must be a Tensor or None, not ndarray"):
        net.register_buffer("x", np.ones(1))
    with error(TypeError, "add_module: 'x' must be a Module or None, not function"):
        net.add_module("x", lambda x: x)
    for name in ("", "a.b", 3):
        text = f"Net: a name must be a string without dots, and not empty, not {name!r}"
        with pytest.raises(KeyError) as caught:
            net.add_module(name, nn.ReLU())
        assert caught.value.args == (text,)
    with pytest.raises(KeyError) as caught:
        net.register_buffer("forward", minidl.zeros(1))
    assert caught.value.args == ("Net: the name 'forward' is taken by an attribute of the class",)
    with error(NotImplementedError, "Module: a Module defines forward()"):
        nn.Module()(1)


def test_a_missing_attribute_is_an_ordinary_attribute_error():
    with pytest.raises(AttributeError):
        _ = Net().nothing


# --- Parameter ---------------------------------------------------------------------------------------------------


def test_parameter_is_a_tensor_that_shares_memory():
    data = minidl.zeros(2)
    parameter = nn.Parameter(data)
    assert isinstance(parameter, minidl.Tensor)
    assert parameter.requires_grad
    assert parameter.is_leaf
    assert np.shares_memory(parameter.array, data.array)
    assert parameter.array is not data.array  # backward knows arrays by identity
    assert parameter.version is data.version
    assert not nn.Parameter(data, requires_grad=False).requires_grad
    assert repr(parameter) == "Parameter containing:\ntensor([0., 0.], requires_grad=True)"
    assert type(parameter.detach()) is minidl.Tensor
    assert type(parameter * 1) is minidl.Tensor


def test_parameter_errors():
    with error(TypeError, "Parameter: data must be a Tensor, not list"):
        nn.Parameter([1.0])
    with error(RuntimeError, "requires_grad: only floating-point tensors can require a gradient, not int64"):
        nn.Parameter(minidl.tensor([1]))


def test_deepcopy_keeps_ties_and_parts_together():
    net = Net()
    net.tied = net.scale
    twin = copy.deepcopy(net)
    assert type(twin.scale) is nn.Parameter
    assert twin.scale is twin.tied
    assert twin.scale is dict(twin.named_parameters())["scale"]
    assert twin.scale is not net.scale
    twin.scale.array[:] = 7
    assert net.scale.tolist() == [1, 1]


# --- calling -----------------------------------------------------------------------------------------------------


def test_hooks_see_and_change_what_goes_in_and_out():
    layer = nn.Identity()
    seen = []
    before = layer.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    single = layer.register_forward_pre_hook(lambda module, args: args[0] * 2)
    look = layer.register_forward_hook(lambda module, args, output: seen.append((module, args, output)))
    after = layer.register_forward_hook(lambda module, args, output: output * 10)
    assert layer(1) == 40
    assert seen == [(layer, (4,), 4)]
    before.remove(), single.remove(), after.remove()
    assert layer(1) == 1
    look.remove()
    assert layer(5) == 5
    assert len(seen) == 2


def test_apply_goes_from_the_inside_out():
    order = []
    net = nn.Sequential(nn.ReLU(), nn.Sequential(nn.Identity()))
    assert net.apply(lambda module: order.append(type(module).__name__)) is net
    assert order == ["ReLU", "Identity", "Sequential", "Sequential"]


# --- switches ----------------------------------------------------------------------------------------------------


def test_train_and_eval_reach_every_module():
    net = Net()
    assert all(module.training for module in net.modules())
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    net.train()
    assert all(module.training for module in net.modules())
    with error(ValueError, "train: mode must be True or False, not 1"):
        net.train(1)


def test_freezing_and_forgetting_gradients():
    net = Net()
    assert net.requires_grad_(False) is net
    assert not any(parameter.requires_grad for parameter in net.parameters())
    net.requires_grad_()
    net(minidl.ones(4, 2)).sum().backward()
    kept = net.scale.grad
    assert kept is not None
    net.zero_grad(set_to_none=False)
    assert net.scale.grad.tolist() == [0, 0]
    net.zero_grad()
    assert all(parameter.grad is None for parameter in net.parameters())


def test_zeros_in_place_of_gradients_leave_no_graph_and_no_stale_backward():
    net = nn.Linear(1, 1)
    (g,) = minidl.grad((net.weight * net.weight).sum(), [net.weight], create_graph=True)
    net.weight.grad = g
    before = g.item()
    net.zero_grad(set_to_none=False)
    assert not net.weight.grad.requires_grad
    assert g.item() == before != 0


def test_casts_keep_the_parameters_and_leave_integers_alone():
    net = Net()
    net.register_buffer("count", minidl.tensor(3))
    scale = net.scale
    net(minidl.ones(4, 2)).sum().backward()
    assert net.double() is net
    assert net.scale is scale
    assert {t.dtype for t in net.parameters()} == {minidl.float64}
    assert net.scale.grad.dtype == minidl.float64
    assert net.mean.dtype == minidl.float64
    assert net.state_dict()["mean"].dtype == minidl.float64
    assert net.count.dtype == minidl.int64
    assert net.half().scale.dtype == minidl.float16
    assert net.float().scale.dtype == minidl.float32
    assert net.to(minidl.float64).scale.dtype == minidl.float64
    assert net.to(minidl.zeros(1)).scale.dtype == minidl.float32
    assert net.to("cpu", minidl.float64).scale.dtype == minidl.float64
    assert net.cpu().scale.device == minidl.device("cpu")
    with error(TypeError, "to: a module is cast to a floating-point dtype, not to int64"):
        net.to(minidl.int64)


def test_cuda_without_a_gpu_says_so():
    if minidl.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(RuntimeError, match=r"^cuda: no usable GPU \(.+\)$"):
        Net().cuda()
    with pytest.raises(RuntimeError, match=r"^cuda: no usable GPU \(.+\)$"):
        Net().cuda(0)


# --- the state ---------------------------------------------------------------------------------------------------


def test_state_dict_shares_memory_and_leaves_transient_buffers_out():
    net = Net()
    state = net.state_dict()
    assert list(state) == ["scale", "mean", "inner.0.weight", "inner.0.bias", "inner.2.weight"]
    assert np.shares_memory(state["scale"].array, net.scale.array)
    assert not state["scale"].requires_grad
    assert net.state_dict(keep_vars=True)["scale"] is net.scale
    assert next(iter(net.inner.state_dict(prefix="x."))) == "x.0.weight"
    both = net.inner.state_dict(destination={"other": minidl.zeros(1)})
    assert list(both)[:2] == ["other", "0.weight"]


def test_state_goes_from_one_module_to_another():
    first, second = Net(), Net()
    result = second.load_state_dict(first.state_dict())
    assert result == ([], [])
    for name, tensor in second.state_dict().items():
        assert np.array_equal(tensor.array, first.state_dict()[name].array)
        assert not np.shares_memory(tensor.array, first.state_dict()[name].array)


def test_loading_casts_and_counts_as_a_change_in_place():
    layer = nn.Linear(2, 1)
    y = layer(minidl.ones(3, 2, requires_grad=True)).sum()
    weight, array = layer.weight, layer.weight.array
    layer.load_state_dict({"weight": np.array([[1.5, 2.5]]), "bias": minidl.tensor([1])})
    assert layer.weight is weight
    assert layer.weight.array is array
    assert layer.weight.dtype == minidl.float32
    assert layer.weight.tolist() == [[1.5, 2.5]]
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()


def test_loading_into_a_module_without_dimensions():
    net = nn.Module()
    net.x = nn.Parameter(minidl.tensor(1.0))
    net.load_state_dict({"x": minidl.tensor(2.0)})
    assert net.x.item() == 2


def test_a_state_that_does_not_fit_changes_nothing():
    net = Net()
    before = copy.deepcopy(net.state_dict())
    state = {"scale": minidl.ones(3), "mean": minidl.ones(2), "inner.0.bias": minidl.ones(3), "extra": minidl.ones(1)}
    text = """load_state_dict: the state does not fit Net
  missing: inner.0.weight, inner.2.weight
  unexpected: extra
  shape: scale is (3,) in the state, (2,) in the module"""
    with error(RuntimeError, text):
        net.load_state_dict(state)
    text = "load_state_dict: the state does not fit Net\n  shape: scale is (3,) in the state, (2,) in the module"
    with error(RuntimeError, text):
        net.load_state_dict(state, strict=False)
    with error(TypeError, "load_state_dict: mean must be a Tensor or a NumPy array, not list"):
        net.load_state_dict({**before, "mean": [1, 2]})
    with error(TypeError, "load_state_dict: a dictionary is needed, not list"):
        net.load_state_dict([])
    for name, tensor in net.state_dict().items():
        assert np.array_equal(tensor.array, before[name].array)


def test_not_strict_returns_what_differs():
    net = Net()
    result = net.load_state_dict({"mean": minidl.ones(2), "extra": minidl.ones(1)}, strict=False)
    assert result.missing_keys == ["scale", "inner.0.weight", "inner.0.bias", "inner.2.weight"]
    assert result.unexpected_keys == ["extra"]
    assert net.mean.tolist() == [1, 1]


# --- the printed form --------------------------------------------------------------------------------------------


def test_printed_form():
    assert repr(nn.Identity()) == "Identity()"
    assert repr(nn.Sequential(nn.Linear(784, 10, bias=False), nn.Sequential(nn.ReLU()))) == (
        "Sequential(\n"
        "  (0): Linear(in_features=784, out_features=10, bias=False)\n"
        "  (1): Sequential(\n"
        "    (0): ReLU()\n"
        "  )\n"
        ")"
    )


def test_printed_form_with_extra_lines():
    class Extra(nn.Module):
        def __init__(self, *parts):
            super().__init__()
            for i, part in enumerate(parts):
                self.add_module(f"part{i}", part)

        def extra_repr(self):
            return "first\nsecond"

    assert repr(Extra()) == "Extra(\n  first\n  second\n)"
    assert repr(Extra(nn.ReLU())) == "Extra(\n  first\n  second\n  (part0): ReLU()\n)"


@pytest.mark.parametrize("dtype", ["complex64", "<U1", "datetime64[s]"])
def test_only_arrays_of_numbers_are_loaded(dtype):
    net = Net()
    state = {**net.state_dict(), "scale": np.ones(2).astype(dtype)}
    with error(TypeError, f"load_state_dict: scale is an array of {np.dtype(dtype)}, which are no numbers of a Tensor"):
        net.load_state_dict(state)


def test_a_state_is_not_loaded_into_read_only_memory():
    fixed = np.ones(2, np.float32)
    fixed.flags.writeable = False
    net = nn.ParameterList([minidl.zeros(2), minidl.from_numpy(fixed)])
    with error(
        RuntimeError,
        "load_state_dict: 1: the memory of the tensor cannot be written to (expand and broadcast_to show one element "
        "in several places, and NumPy arrays may be read-only); clone() it first",
    ):
        net.load_state_dict({"0": minidl.ones(2), "1": minidl.zeros(2)})
    assert net[0].tolist() == [0, 0]
