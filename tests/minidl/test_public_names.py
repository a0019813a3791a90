"""Every public name is PyTorch's, under PyTorch's path, with PyTorch's parameters; has a docstring; and has a test.

Against bloat: whoever adds a name adds its row to the table of cases (or, for classes, its comparison with PyTorch), or
these tests fail.
"""

import ast
import inspect
import re
import types
import typing
from pathlib import Path

import numpy as np
import pytest
from opcases import load

import minidl

torch = pytest.importorskip("torch", reason="names are compared with PyTorch's")
pytestmark = pytest.mark.parity

ROWS, _ = load()
COVERED = {row.operation for row in ROWS}
PLACES = ["", "nn", "nn.functional", "nn.init", "nn.utils", "optim", "optim.lr_scheduler", "cuda", "backends.cuda"]
PLACES += ["utils.data"]
TESTS = Path(__file__).parent

NOT_IN_TORCH = {
    "Function": "torch.autograd.Function; shown at the top, since here all operations are made of them",
    "grad": "torch.autograd.grad",
    "gradcheck": "torch.autograd.gradcheck (minidl.autograd.gradcheck works too)",
    "gradgradcheck": "torch.autograd.gradgradcheck (minidl.autograd.gradgradcheck works too)",
    "nn.SinusoidalPositions": "PyTorch leaves positions to its users",
    "utils.data.MNIST": "torchvision.datasets.MNIST",
    "utils.data.FashionMNIST": "torchvision.datasets.FashionMNIST",
    "utils.data.MNIST5K": "the digits that come with the package",
    "utils.data.IDXFolder": "any files in MNIST's format",
    "utils.data.read_idx": "MNIST's format",
    "utils.data.write_idx": "MNIST's format",
    "Tensor.array": "the NumPy or CuPy array behind a tensor",
    "Tensor.version": "the count of changes in place; torch has _version",
    "Tensor.hooks": "what register_hook keeps",
}

NO_ROW = {
    "Function": "test_autograd.py",
    "Generator": "tests of random numbers",
    "Tensor": "everywhere",
    "device": "test_devices.py",
    "enable_grad": "test_autograd.py",
    "get_default_device": "returns a device",
    "get_default_dtype": "returns a dtype",
    "get_num_threads": "returns a number",
    "get_rng_state": "tests of random numbers",
    "grad": "every row is differentiated with it",
    "gradcheck": "test_testing.py",
    "gradgradcheck": "test_testing.py",
    "initial_seed": "tests of random numbers",
    "is_grad_enabled": "test_autograd.py",
    "is_tensor": "returns a truth value",
    "load": "tests of checkpoints",
    "manual_seed": "tests of random numbers",
    "no_grad": "test_autograd.py",
    "numel": "returns a number",
    "save": "tests of checkpoints",
    "seed": "tests of random numbers",
    "set_default_device": "changes a setting",
    "set_default_dtype": "changes a setting",
    "set_grad_enabled": "test_autograd.py",
    "set_num_threads": "changes a setting",
    "set_printoptions": "test_printing.py",
    "set_rng_state": "tests of random numbers",
    # other random numbers than PyTorch's come out: their distributions are tested
    **dict.fromkeys(
        ["bernoulli", "multinomial", "normal", "rand", "rand_like", "randint", "randn", "randn_like", "randperm"],
        "random: tests of random numbers",
    ),
    "empty_like": "its values are undefined",
}

NO_ROW_OF_TENSOR = {
    # what a tensor is, not what is computed with it: test_autograd.py, test_devices.py, test_printing.py
    *("array", "data", "device", "dtype", "grad", "grad_fn", "hooks", "is_leaf", "ndim", "requires_grad", "shape"),
    *("backward", "detach", "register_hook", "requires_grad_", "retain_grad", "version"),
    *("dim", "is_contiguous", "item", "numel", "numpy", "size", "stride", "tolist", "cpu", "cuda"),
    *("normal_", "uniform_"),  # random
}

NOT_COMPARED = {
    # other random numbers than PyTorch's: their distributions are tested
    *(f"nn.init.{name}_" for name in ("normal", "uniform", "trunc_normal", "orthogonal")),
    *(f"nn.init.{name}_{kind}_" for name in ("kaiming", "xavier") for kind in ("normal", "uniform")),
    # what the others are made of
    *("optim.Optimizer", "optim.lr_scheduler.LRScheduler"),
}


def resolve(root, path):
    for part in filter(None, path.split(".")):
        root = getattr(root, part)
    return root


def names_of(path):
    place = resolve(minidl, path)
    names = getattr(place, "__all__", None) or [name for name in vars(place) if not name.startswith("_")]
    return sorted(name for name in names if not isinstance(getattr(place, name), types.ModuleType))


def joined(path, name):
    return f"{path}.{name}" if path else name


NAMES = [(path, name) for path in PLACES for name in names_of(path)]
METHODS = [name for name in dir(minidl.Tensor) if not name.startswith("_")]
EVERY_NAME = [joined(path, name) for path, name in NAMES] + [f"Tensor.{name}" for name in METHODS]


def test_names_exist_in_pytorch_under_the_same_path():
    foreign = {name for name in EVERY_NAME if not reachable(torch, name)}
    assert foreign == {name for name in NOT_IN_TORCH if reachable(minidl, name)}


def reachable(root, path):
    try:
        resolve(root, path)
    except AttributeError:
        return False
    return True


def test_every_name_has_a_docstring():
    without = []
    for name in EVERY_NAME:
        value = inspect.getattr_static(minidl.Tensor, name[7:]) if name.startswith("Tensor.") else resolve(minidl, name)
        if isinstance(value, (np.dtype, int, float, types.MemberDescriptorType)) or name == "default_generator":
            continue
        own = value.__doc__ if not inspect.isclass(value) else vars(value).get("__doc__")
        if not own or len(own) < 8:
            without.append(name)
    assert not without


def test_every_operation_has_a_row():
    operations = {
        name for path, name in NAMES if path in ("", "nn.functional") and callable(getattr(resolve(minidl, path), name))
    }
    assert sorted(operations - COVERED - set(NO_ROW)) == []


def test_every_tensor_method_has_a_row():
    assert sorted(set(METHODS) - COVERED - set(NO_ROW) - NO_ROW_OF_TENSOR) == []


def test_exceptions_are_still_needed():
    assert sorted(set(NO_ROW) & COVERED) == []
    assert sorted(set(NO_ROW) - {name for _, name in NAMES}) == []
    assert sorted(NO_ROW_OF_TENSOR & COVERED) == []
    assert sorted(NO_ROW_OF_TENSOR - set(METHODS)) == []


def test_every_row_covers_a_public_name():
    known = {name for _, name in NAMES} | set(METHODS) | {"getitem", "setitem"}  # x[i] and x[i] = v
    unknown = {row.operation for row in ROWS} - known
    assert unknown == set()


def test_every_class_is_compared_with_pytorch():
    """Layers, optimisers and schedules have no rows: a test file that uses PyTorch must name each of them."""
    files = [path.read_text() for path in TESTS.rglob("test_*.py") if path != Path(__file__)]
    words = {word for text in files if 'importorskip("torch"' in text for word in re.findall(r"\w+", text)}
    places = ("nn", "nn.init", "nn.utils", "optim", "optim.lr_scheduler")
    uncompared = {joined(path, name) for path, name in NAMES if path in places and name not in words}
    assert sorted(uncompared - NOT_COMPARED - set(NOT_IN_TORCH)) == []


# --- parameters --------------------------------------------------------------------------------------------------

OTHER_PARAMETERS = {
    # one of several overloads, which PyTorch documents one by one
    "normal": [f"PyTorch has no {name}" for name in ("size", "dtype", "device", "requires_grad")],
    "scatter": ["PyTorch has no value"],
    "std": ["PyTorch has no unbiased", "correction=None, in PyTorch 1"],
    "var": ["PyTorch has no unbiased", "correction=None, in PyTorch 1"],
    # PyTorch's default means the same
    "load": ["weights_only=True, in PyTorch None"],
    "utils.data.random_split": [f"generator=None, in PyTorch {torch.default_generator!r}"],
    "meshgrid": ["indexing='ij', in PyTorch None"],
    "topk": ["dim=-1, in PyTorch None"],
    # the method has dtype where the function has out, which does not exist here
    "norm": ["dtype stands where PyTorch has out"],
    # takes *args in PyTorch, with these in front
    "einsum": ["PyTorch has no equation"],
    # cannot be given by name in PyTorch
    "from_numpy": ["array stands where PyTorch has ndarray", "PyTorch has no array"],
}


def torch_signatures(value, name):
    """What is known of the parameters of one of PyTorch's names: by inspection, or from the head of its docstring."""
    value = getattr(torch.nn.functional, f"{name}_with_indices", value)  # max_pool2d itself only passes *args on
    overloads = typing.get_overloads(value.__init__) if inspect.isfunction(getattr(value, "__init__", None)) else []
    try:
        return [*map(inspect.signature, overloads), inspect.signature(value)]
    except (TypeError, ValueError):
        pass
    found = []
    for head in re.findall(rf"^(?:\.\. function:: )?{name}\((.*?)\) -> ", value.__doc__ or "", re.MULTILINE):
        head = head.replace("\\*", "*").replace("...", "None")
        head = re.sub(r"(\w+)\s*:\s*[\w\[\], ]+?(?=[=,)]|$)", r"\1", head)
        try:
            node = ast.parse(f"def f({head}): pass").body[0]
        except SyntaxError:
            continue
        found.append(signature_of(node.args))
    return found


def signature_of(arguments):
    kinds = inspect.Parameter
    parameters, positional = [], arguments.posonlyargs + arguments.args
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    for argument, default in zip(positional, defaults, strict=True):
        parameters.append(kinds(argument.arg, kinds.POSITIONAL_OR_KEYWORD, default=value_of(default)))
    if arguments.vararg:
        parameters.append(kinds(arguments.vararg.arg, kinds.VAR_POSITIONAL))
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        parameters.append(kinds(argument.arg, kinds.KEYWORD_ONLY, default=value_of(default)))
    return types.SimpleNamespace(parameters={p.name: p for p in parameters})


def value_of(default):
    if default is None:
        return inspect.Parameter.empty
    try:
        return ast.literal_eval(default)
    except ValueError:
        return ...  # torch.strided and the like: whatever it is, it is not compared


def differences(ours, theirs):
    """Where a call that is right for PyTorch would mean something else here."""
    empty = inspect.Parameter.empty
    found = []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    mine = [p for p in ours.parameters.values() if p.kind in positional and p.name != "self"]
    other = [p for p in theirs.parameters.values() if p.kind in positional and p.name != "self"]
    for p, q in zip(mine, other):
        if p.name != q.name and q.kind is not inspect.Parameter.POSITIONAL_ONLY:
            found.append(f"{p.name} stands where PyTorch has {q.name}")
            break
    for p in ours.parameters.values():
        if p.name == "self" or p.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            continue
        q = theirs.parameters.get(p.name)
        if q is None and p in mine[: len(other)] and other[mine.index(p)].kind is inspect.Parameter.POSITIONAL_ONLY:
            continue
        if q is None:
            found.append(f"PyTorch has no {p.name}")
        elif p.default is not empty and q.default not in (empty, ...) and not same_default(p.default, q.default):
            found.append(f"{p.name}={p.default!r}, in PyTorch {q.default!r}")
    return found


def same_default(mine, theirs):
    if callable(mine) and callable(theirs):  # each library's own relu
        return mine.__name__ == theirs.__name__
    return mine == theirs or {repr(mine), repr(theirs)} <= {"None", "False", "()", "[]"}


CALLABLE = [joined(path, name) for path, name in NAMES if callable(getattr(resolve(minidl, path), name))]


@pytest.mark.parametrize("name", CALLABLE)
def test_parameters_are_pytorchs(name):
    if name in NOT_IN_TORCH:
        assert not reachable(torch, name)
        return
    ours = inspect.signature(resolve(minidl, name))
    known = torch_signatures(resolve(torch, name), name.rpartition(".")[2])
    found = min((differences(ours, theirs) for theirs in known), key=len, default=[])
    assert found == OTHER_PARAMETERS.get(name, [])
