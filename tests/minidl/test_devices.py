"""Devices: the whole table of cases on strict arrays, devices kept apart, and clear words where there is no GPU."""

import re
import sys
import types

import numpy as np
import pytest
from elsewhere import check_row, send, values
from opcases import load
from strict_array import Library

import minidl
from minidl import Tensor, backend

ROWS, _ = load()


@pytest.fixture
def libraries(monkeypatch):
    """Two further array libraries, "strict" and "fake", for the length of a test."""
    monkeypatch.setattr(backend, "_by_type", dict(backend._by_type))
    monkeypatch.setattr(backend, "_by_device", dict(backend._by_device))
    monkeypatch.setattr(backend, "several", False)
    for name in ("strict", "fake"):
        backend.register(Library(name).backend())


def on_strict(array, requires_grad=False):
    return send(array, "strict", requires_grad)


# --- the table on strict arrays ----------------------------------------------------------------------------------


@pytest.mark.parametrize("row", ROWS, ids=str)
@np.errstate(all="ignore")  # a GPU does not warn
def test_row_on_strict_arrays(row, libraries):
    """In float32, the dtype of training; ``pytest --device strict`` runs all tests of the table."""
    check_row(row, np.float32, "strict", rounding(np.float32))


def rounding(dtype):
    """The same NumPy computes both, but it may be called for parts in another order."""
    return 100 * float(np.finfo(dtype).eps)


def test_a_stray_numpy_call_would_be_found(libraries):
    """The planted fault for the test above: one np. where namespace(x). belongs."""

    class Stray(minidl.Function):
        def forward(self, x):
            return np.exp(x)

        def backward(self, g):
            return g

    with pytest.raises(TypeError, match="does not support ufuncs"):
        Stray().apply(on_strict(np.ones(3)))


# --- devices kept apart ------------------------------------------------------------------------------------------


def test_tensors_move_between_devices_and_back(libraries):
    x = minidl.tensor([1.0, 2.0])
    y = x.to("strict")
    assert y.device == minidl.device("strict")
    assert y.to("strict") is y
    assert y.to("fake").device == minidl.device("fake")
    assert y.to("fake").cpu().array.tolist() == [1.0, 2.0]
    assert x.cpu() is x


def test_gradients_come_back_to_the_device_of_the_leaf(libraries):
    x = minidl.tensor([1.0, 2.0], requires_grad=True)
    y = x.to("strict")
    assert not y.is_leaf
    (y * y).sum().backward()
    assert x.grad.device == minidl.device("cpu")
    assert x.grad.array.tolist() == [2.0, 4.0]


def test_second_order_through_a_move(libraries):
    x = minidl.tensor([1.0, 2.0], requires_grad=True)
    y = x.to("strict")
    (g,) = minidl.grad((y * y * y).sum(), x, create_graph=True)
    (h,) = minidl.grad(g.sum(), x)
    assert h.device == minidl.device("cpu")
    assert h.array.tolist() == [6.0, 12.0]


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        (lambda x, y: x + y, "Add"),
        (lambda x, y: x @ y, "Matmul"),
        (lambda x, y: minidl.nn.functional.linear(x, y), "Linear"),
    ],
)
def test_mixed_devices_raise_one_error(libraries, operation, name):
    x, y = minidl.ones(2, 2), minidl.ones(2, 2)
    pairs = [("cpu", "strict"), ("strict", "cpu"), ("strict", "fake")]
    for first, second in pairs:
        names = " and ".join(sorted(str(minidl.device(d)) for d in (first, second)))
        text = f"{name}: tensors on different devices ({names}); move them with to(device)"
        with pytest.raises(RuntimeError, match="^" + re.escape(text) + "$"):
            operation(x.to(first), y.to(second))


def test_an_upstream_gradient_on_another_device(libraries):
    x = Tensor(np.ones(2), True)
    text = "backward: tensors on different devices (cpu and strict:0); move them with to(device)"
    with pytest.raises(RuntimeError, match="^" + re.escape(text) + "$"):
        (x * 2.0).backward(on_strict(np.ones(2)))


@pytest.fixture
def default_strict(libraries, monkeypatch):
    monkeypatch.setattr(backend, "_default_device", backend.CPU)
    minidl.set_default_device("strict")


def test_new_tensors_are_made_on_the_default_device(default_strict):
    assert minidl.get_default_device() == minidl.device("strict")
    layer = minidl.nn.BatchNorm1d(2)
    made = [
        minidl.zeros(2), minidl.ones(2), minidl.empty(2), minidl.full((2,), 3.0), minidl.arange(3), minidl.eye(2),
        minidl.linspace(0, 1, 3), minidl.tensor([1.0, 2.0]), minidl.tensor(np.ones(2)), minidl.as_tensor(np.ones(2)),
        minidl.rand(2), minidl.randn(2), minidl.randint(0, 3, (2,)), minidl.randperm(3), minidl.nn.Linear(2, 2).weight,
        layer.weight, layer.running_mean, layer.num_batches_tracked,
    ]  # fmt: skip
    assert {tensor.device for tensor in made} == {minidl.device("strict")}
    assert minidl.zeros(2, device="cpu").device == minidl.device("cpu")
    minidl.set_default_device("cpu")
    assert minidl.zeros(2).device == minidl.device("cpu")


def test_what_has_a_device_keeps_it(default_strict):
    here = minidl.zeros(2, device="cpu")
    for tensor in (
        minidl.from_numpy(np.ones(2)), minidl.zeros_like(here), minidl.rand_like(here), minidl.tensor(here), here + 1
    ):  # fmt: skip
        assert tensor.device == minidl.device("cpu")
    minidl.set_default_device("cpu")
    there = on_strict(np.ones(2))
    for tensor in (minidl.zeros_like(there), minidl.tensor(there), minidl.tensor(there.array)):
        assert tensor.device == minidl.device("strict")


def test_a_default_device_that_is_not_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(RuntimeError, match=r"^cuda: no usable GPU"):
        minidl.set_default_device("cuda")
    with pytest.raises(ValueError, match=r"^device: 'tpu' is not a device"):
        minidl.set_default_device("tpu")
    assert minidl.get_default_device() == minidl.device("cpu")


def test_a_gpu_beyond_the_last(monkeypatch):
    planted_cupy(monkeypatch, lambda: 1)
    sys.modules["cupy"].asnumpy = None
    monkeypatch.setattr(backend, "_by_type", dict(backend._by_type))
    monkeypatch.setattr(backend, "_by_device", {**backend._by_device, "cuda": None})
    monkeypatch.setattr(backend, "several", False)
    with pytest.raises(RuntimeError, match=r"^cuda: there is no device cuda:1; the last one is cuda:0$"):
        minidl.ones(1).to("cuda:1")


def test_unknown_devices(monkeypatch):
    for name in ("tpu", "cuda:x", "cuda:-1", ""):
        text = f"device: {name!r} is not a device (known types: cpu, cuda; an index follows a colon)"
        with pytest.raises(ValueError, match="^" + re.escape(text) + "$"):
            minidl.device(name)


def test_devices_compare_by_type_and_index():
    assert minidl.device("cuda") == minidl.device("cuda:0")
    assert minidl.device("cuda:1") != minidl.device("cuda:0")
    assert minidl.device("cpu") != "cpu"
    assert len({minidl.device("cuda"), minidl.device("cuda:0"), minidl.device("cpu")}) == 2
    assert minidl.device(minidl.device("cuda:1")) == minidl.device("cuda:1")
    assert repr(minidl.device("cuda:1")) == "device('cuda:1')"


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64"])
def test_integers_are_added_at_places(libraries, dtype):
    """CUDA has no atomic addition for most integers."""
    x, source = np.array([100, -7, 0], "int64").astype(dtype), np.array([100, 1, 3, 120], "int64").astype(dtype)
    places = np.array([0, 1, 1, 0])
    here = minidl.tensor(x).index_add(0, minidl.tensor(places), minidl.tensor(source))
    there = on_strict(x).index_add(0, on_strict(places), on_strict(source))
    assert there.dtype == dtype
    assert values(there).tolist() == here.tolist() == np.array([320, -3, 0]).astype(dtype).tolist()


def test_a_broadcast_gradient_is_refused_where_nothing_is_read_only(libraries):
    x = on_strict(np.ones(2), True)
    with pytest.raises(
        RuntimeError, match=r"^grad: the memory of the gradient cannot be written to; clone\(\) it first$"
    ):
        x.grad = on_strict(np.ones(1)).expand(2)
    parameter = on_strict(np.ones(1)).expand(2).detach().requires_grad_()
    with pytest.raises(ValueError, match=r"^SGD: params\[0\] lies in memory that is read-only$"):
        minidl.optim.SGD([parameter], 0.1)


def test_the_indices_of_a_subset_may_lie_on_a_device(libraries):
    data = minidl.data.TensorDataset(minidl.arange(5) ** 2)
    subset = minidl.data.Subset(data, on_strict(np.array([4, 1, -2])))
    assert [y.tolist() for (y,) in minidl.data.DataLoader(subset, 2)] == [[16, 1], [9]]
    with pytest.raises(IndexError, match=r"^TensorDataset: index 9 is out of range for 5 samples$"):
        next(iter(minidl.data.DataLoader(minidl.data.Subset(data, on_strict(np.array([9]))), 1)))


# --- no usable GPU -----------------------------------------------------------------------------------------------


def planted_cupy(monkeypatch, count):
    """A module named cupy that imports and then behaves as CuPy does without a driver, or without a device."""
    runtime = types.SimpleNamespace(getDeviceCount=count)
    module = types.ModuleType("cupy")
    module.cuda = types.SimpleNamespace(runtime=runtime)
    module.ndarray = type("ndarray", (), {})
    monkeypatch.setitem(sys.modules, "cupy", module)


def no_driver():
    raise OSError("cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version")


def refuses_cuda(reason):
    x = minidl.ones(2)
    with pytest.raises(RuntimeError, match="^" + re.escape(f"cuda: no usable GPU ({reason})") + "$"):
        x.to("cuda")
    assert minidl.cuda.is_available() is False
    assert x.cpu() is x


def test_cupy_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # import cupy raises ImportError
    refuses_cuda("CuPy is not installed: pip install 'minidl[cuda]'")


def test_cupy_without_a_driver(monkeypatch):
    planted_cupy(monkeypatch, no_driver)
    refuses_cuda(
        "CuPy is installed, but the CUDA driver does not answer: cudaErrorInsufficientDriver: CUDA driver version is "
        "insufficient for CUDA runtime version"
    )


def test_cupy_without_a_device(monkeypatch):
    planted_cupy(monkeypatch, lambda: 0)
    refuses_cuda("CuPy is installed, but no CUDA device was found")


def test_cupy_that_cannot_be_imported(monkeypatch, tmp_path):
    (tmp_path / "cupy.py").write_text("raise OSError('libcudart.so is broken')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    refuses_cuda("CuPy cannot be imported: libcudart.so is broken")


def test_importing_the_engine_does_not_import_cupy():
    """It takes seconds, and a broken CuPy must not break the CPU."""
    import subprocess

    code = "import sys, minidl; assert 'cupy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
