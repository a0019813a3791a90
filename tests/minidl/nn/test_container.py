"""Sequential, ModuleList, ModuleDict and ParameterList: order, names, indices."""

import re
from collections import OrderedDict

import pytest

import minidl
import minidl.nn as nn


def error(kind, text):
    return pytest.raises(kind, match=f"^{re.escape(text)}$")


class Add(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.n = n

    def forward(self, x):
        return 10 * x + self.n


def digits(container):
    return [module.n for module in container]


def names(container):
    return [name for name, _ in container.named_children()]


def test_sequential_runs_in_order():
    assert nn.Sequential(Add(1), Add(2), Add(3))(0) == 123
    assert nn.Sequential()(5) == 5


def test_sequential_with_names():
    net = nn.Sequential(OrderedDict(first=Add(1), second=Add(2)))
    assert names(net) == ["first", "second"]
    assert net.second is net[1] is net[-1]
    assert names(net[1:]) == ["second"]


@pytest.mark.parametrize(
    "make", [lambda *m: nn.Sequential(*m), lambda *m: nn.ModuleList(m)], ids=["Sequential", "List"]
)
def test_list_methods(make):
    net = make(Add(1), Add(2), Add(3))
    assert (len(net), digits(net), names(net)) == (3, [1, 2, 3], ["0", "1", "2"])
    assert digits(net[:2]) == [1, 2]
    assert type(net[:2]) is type(net)
    assert net[0] in net
    assert net.append(Add(4)) is net
    assert net.extend([Add(5)]) is net
    assert net.insert(0, Add(0)) is net
    assert (digits(net), names(net)) == ([0, 1, 2, 3, 4, 5], ["0", "1", "2", "3", "4", "5"])
    assert net.pop().n == 5
    assert net.pop(0).n == 0
    del net[1]
    assert (digits(net), names(net)) == ([1, 3, 4], ["0", "1", "2"])
    net[-1] = Add(9)
    assert digits(net) == [1, 3, 9]
    del net[::2]
    assert (digits(net), names(net)) == ([3], ["0"])
    assert not hasattr(net, "1")


def test_a_list_can_be_extended_by_itself():
    net = nn.ModuleList([Add(1)])
    net.extend(net)
    assert digits(net) == [1, 1]


def test_the_list_counts_as_part_of_its_holder():
    class Holder(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(2, 2, bias=False) for _ in range(2)])
            self.by_name = nn.ModuleDict({"out": nn.Linear(2, 1, bias=False)})
            self.weights = nn.ParameterList([minidl.ones(1), nn.Parameter(minidl.ones(2))])

    names = ["layers.0.weight", "layers.1.weight", "by_name.out.weight", "weights.0", "weights.1"]
    assert [name for name, _ in Holder().named_parameters()] == names


def test_dict():
    net = nn.ModuleDict({"a": Add(1)})
    net["b"] = Add(2)
    net.update([("c", Add(3))])
    assert list(net) == list(net.keys()) == ["a", "b", "c"]
    assert [module.n for module in net.values()] == [1, 2, 3]
    assert [(key, module.n) for key, module in net.items()] == [("a", 1), ("b", 2), ("c", 3)]
    assert "b" in net
    assert net.pop("b").n == 2
    del net["a"]
    assert len(net) == 1
    assert list(net) == ["c"]


def test_parameter_list():
    weights = nn.ParameterList()
    assert weights.append(minidl.ones(1)) is weights
    assert isinstance(weights[0], nn.Parameter)
    assert len(weights) == 1
    assert [w.tolist() for w in weights] == [[1.0]]


def test_equal_modules_are_printed_once():
    net = nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Tanh(), nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU())])
    assert repr(net) == (
        "ModuleList(\n  (0-1): 2 x ReLU()\n  (2): Tanh()\n  (3-4): 2 x Sequential(\n    (0): ReLU()\n  )\n)"
    )


def test_errors():
    net = nn.Sequential(nn.ReLU())
    with error(IndexError, "Sequential: index 1 is out of range for 1 modules"):
        net[1]
    with error(IndexError, "Sequential: index -2 is out of range for 1 modules"):
        net[-2] = nn.ReLU()
    with error(TypeError, "Sequential: an index is an integer, not str"):
        net["0"]
    with error(TypeError, "add_module: '0' must be a Module or None, not function"):
        nn.Sequential(lambda x: x)
    with error(TypeError, "Parameter: data must be a Tensor, not int"):
        nn.ParameterList([1])
    with error(IndexError, "ParameterList: index 0 is out of range for 0 parameters"):
        nn.ParameterList()[0]
    with pytest.raises(KeyError) as caught:
        nn.ModuleDict()["a"]
    assert caught.value.args == ("ModuleDict: there is no module 'a' (there are: none)",)
    with error(NotImplementedError, "ModuleList: a Module defines forward()"):
        nn.ModuleList([])(1)
