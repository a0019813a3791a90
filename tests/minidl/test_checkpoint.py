"""Checkpoints: what comes back, what other readers see, what is refused, and what a failure leaves behind."""

import contextlib
import errno
import json
import math
import os
import pickle
import re
import stat
import struct
import sys
import tracemalloc
import zipfile
from collections import Counter, OrderedDict, namedtuple
from collections.abc import Mapping

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minidl
import minidl.nn as nn
from minidl import checkpoint


def error(kind, text):
    return pytest.raises(kind, match=f"^{re.escape(text)}$")


def same(a, b):
    """Equal in value, type, dtype, shape and bits; dictionaries also in order."""
    if isinstance(a, minidl.Tensor):
        return isinstance(b, minidl.Tensor) and same(a.array, b.array)
    if isinstance(a, np.ndarray):
        return type(b) is np.ndarray and (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        pairs = zip(a.items(), b.items(), strict=True)
        return len(a) == len(b) and all(same(k, m) and same(v, w) for (k, v), (m, w) in pairs)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b or (a != a and b != b)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.safetensors"


def back(state, path):
    minidl.save(state, path)
    return minidl.load(path)


# --- what comes back ---------------------------------------------------------------------------------------------


def test_every_kind_of_value(path):
    state = {
        "none": None,
        "truth": [True, False],
        "numbers": (0, -1, 2**70, 0.1, -0.0, 1e-320, 1e308, math.inf, -math.inf, math.nan),
        "text": ["", "\n\0ü数\ud83d", "a.b"],  # the last sign of the second is half a character
        "empty": [{}, [], ()],
        1: "one",
        2.5: "two and a half",
        None: "none",
        "nested": {"a": [{"b": ({"c": 1},)}]},
    }
    assert same(back(state, path), state)


def test_signs_and_types_of_numbers(path):
    found = back([-0.0, 1.0, 1, True], path)
    assert [type(x) for x in found] == [float, float, int, bool]
    assert math.copysign(1, found[0]) == -1


arrays = st.sampled_from(["float16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64", "bool"]).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
)
keys = st.text(max_size=6) | st.integers() | st.just("__metadata__") | st.sampled_from(["a", "b", "a.b", "a#2"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | arrays | arrays.map(minidl.Tensor),
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=8,
)


@given(values)
def test_anything_comes_back(tmp_path_factory, state):
    path = tmp_path_factory.mktemp("state") / "x"
    assert same(back(state, path), state)


def test_layouts(path):
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    state = {
        "transposed": minidl.Tensor(base.T),
        "step": minidl.Tensor(base[::2, ::-1]),
        "repeated": minidl.Tensor(np.broadcast_to(base[:1], (3, 6))),
        "big endian": base.astype(">f4"),
        "part": minidl.Tensor(base[1]),
        "whole": minidl.Tensor(base),
    }
    found = back(state, path)
    for name, value in state.items():
        array = getattr(value, "array", value)
        other = getattr(found[name], "array", found[name])
        assert np.array_equal(array, other)
        assert other.flags.writeable


def test_what_changes_its_type(path):
    Pair = namedtuple("Pair", "x y")
    state = [OrderedDict(a=1), Counter("aab"), Pair(1, 2), np.float64(1.5), np.int32(7), np.bool_(True)]
    assert same(back(state, path), [{"a": 1}, {"a": 2, "b": 1}, (1, 2), 1.5, 7, True])


def test_a_parameter_comes_back_as_a_plain_leaf(path):
    x = nn.Parameter(minidl.ones(2))
    for state in (x, x * 2):
        found = back(state, path)
        assert type(found) is minidl.Tensor
        assert not found.requires_grad
        assert found.is_leaf
        assert np.array_equal(found.array, state.array)


def test_tied_weights_are_stored_once_and_come_back_tied(path):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(300, 300, bias=False)
            self.second = nn.Linear(300, 300, bias=False)
            self.second.weight = self.first.weight

    net = Tied()
    found = back({"model": net.state_dict(), "again": [net.first.weight]}, path)
    assert path.stat().st_size < 1.5 * net.first.weight.array.nbytes
    assert found["model"]["first.weight"] is found["model"]["second.weight"] is found["again"][0]
    other = Tied()
    other.load_state_dict(found["model"])
    assert np.array_equal(other.second.weight.array, net.first.weight.array)
    assert other.first.weight is other.second.weight


def test_equal_or_overlapping_memory_is_not_tied(path):
    x = np.ones((2, 3), np.float32)
    found = back([minidl.Tensor(x), minidl.Tensor(x.copy()), minidl.Tensor(x.T), minidl.Tensor(x[0])], path)
    found[0].array[:] = 5
    assert [t.shape for t in found] == [(2, 3), (2, 3), (3, 2), (3,)]
    assert all((t.array == 1).all() for t in found[1:])


class MadeOnDemand(Mapping):
    """A mapping whose values exist only while somebody looks at them, so that their memory is used again at once."""

    def __init__(self, *values):
        self.values = values

    def __getitem__(self, i):
        return minidl.Tensor(self.values[i].copy())

    def __iter__(self):
        return iter(range(len(self.values)))

    def __len__(self):
        return len(self.values)


def test_values_that_are_made_on_demand_are_not_tied(path):
    columns = [np.full((2, 3), float(i)).T for i in range(5)]  # not contiguous, so that a copy is what is written
    empty = [np.zeros((0, i)) for i in range(5)]
    for arrays in (columns, empty):
        assert same(back(MadeOnDemand(*arrays), path), {i: minidl.Tensor(array) for i, array in enumerate(arrays)})


def test_subclasses_of_arrays_come_back_as_plain_ones(path, tmp_path):
    mapped = np.memmap(tmp_path / "mapped", dtype=np.float32, mode="w+", shape=(3,))
    mapped[:] = 1, 2, 3
    assert same(back(mapped, path), np.array([1, 2, 3], np.float32))
    with error(TypeError, "save: obj is of type MaskedArray, which cannot be saved"):
        minidl.save(np.ma.array([1.0, 2.0], mask=[True, False]), path)


def test_names_that_would_collide(path):
    state = {
        "a": {"b": minidl.tensor(1), "b#2": minidl.tensor(2)},
        "a.b": minidl.tensor(3),
        "__metadata__": minidl.tensor(4),
        1: minidl.tensor(5),
        "half a character: \ud83d": minidl.tensor(7),
        "1": minidl.tensor(6),
    }
    assert same(back(state, path), state)


def test_a_whole_training_state(path):
    minidl.manual_seed(7)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = minidl.optim.AdamW(net.parameters())
    schedule = minidl.optim.lr_scheduler.MultiStepLR(optimizer, [2])
    net(minidl.ones(2, 3)).sum().backward()
    optimizer.step()
    state = {
        "model": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "random": minidl.get_rng_state(),
        "epoch": 3,
    }
    found = back(state, path)
    assert same(found, {**state, "model": dict(state["model"])})
    optimizer.load_state_dict(found["optimizer"])
    schedule.load_state_dict(found["schedule"])
    minidl.set_rng_state(found["random"])


def test_map_location_and_kinds_of_path(path):
    minidl.save([minidl.ones(2)], str(path))
    assert minidl.load(str(path), "cpu")[0].device == minidl.device("cpu")
    assert minidl.load(path, map_location=minidl.device("cpu"), weights_only=True)[0].tolist() == [1, 1]
    if not minidl.cuda.is_available():
        with pytest.raises(RuntimeError, match=r"^cuda: no usable GPU"):
            minidl.load(path, "cuda")
    with error(ValueError, "device: 'tpu' is not a device (known types: cpu, cuda; an index follows a colon)"):
        minidl.load(path, "tpu")


# --- other readers and writers -----------------------------------------------------------------------------------


def test_a_state_dict_is_an_ordinary_safetensors_file(path):
    net = nn.Linear(3, 2)
    minidl.save(net.state_dict(), path)
    found = safetensors.numpy.load_file(path)
    assert set(found) == {"weight", "bias"}
    assert np.array_equal(found["weight"], net.weight.array)


def test_a_foreign_file_is_a_dictionary_of_tensors(path):
    content = {"a.weight": np.ones((2, 3), np.float16), "scalar": np.array(3), "none": np.zeros((0, 4), bool)}
    for metadata in (None, {"format": "pt"}):
        safetensors.numpy.save_file(content, path, metadata)
        found = minidl.load(path)
        assert set(found) == set(content)
        assert all(same(found[name].array, array) for name, array in content.items())


def test_a_file_of_pytorch(path):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    from safetensors.torch import load_file, save_file

    layer = torch.nn.Linear(3, 2)
    save_file(layer.state_dict(), path)
    ours = nn.Linear(3, 2)
    ours.load_state_dict(minidl.load(path))
    assert np.array_equal(ours.weight.array, layer.weight.detach().numpy())
    minidl.save(ours.state_dict(), path)
    assert torch.equal(load_file(path)["weight"], layer.weight)


# --- what cannot be saved ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "kind", "text"),
    [
        ({"a": [1, {2}]}, TypeError, "save: obj['a'][1] is of type set, which cannot be saved"),
        (object, TypeError, "save: obj is of type type, which cannot be saved"),
        (
            {"model": nn.ReLU()},
            TypeError,
            "save: obj['model'] is of type ReLU, which cannot be saved; save its state_dict()",
        ),
        ({"a": {(1, 2): 3}}, TypeError, "save: obj['a'] has a key of type tuple; keys are numbers or strings"),
        ({b"a": 3}, TypeError, "save: obj has a key of type bytes; keys are numbers or strings"),
        ([np.array(["a"])], TypeError, "save: obj[0] is an array of <U1, which cannot be saved"),
        ([np.zeros(1, complex)], TypeError, "save: obj[0] is an array of complex128, which cannot be saved"),
        ([np.array([None])], TypeError, "save: obj[0] is an array of object, which cannot be saved"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused(path, state, kind, text):
    with error(kind, text):
        minidl.save(state, path)
    assert not path.exists()


def test_a_state_that_contains_itself(path):
    state = []
    state.append(state)
    with error(ValueError, "save: the state contains itself, or is nested too deeply"):
        minidl.save(state, path)


def test_bad_paths(tmp_path):
    with error(TypeError, "save: f must be a path (str or os.PathLike), not TextIOWrapper"):
        minidl.save([], sys.__stdout__)
    with error(TypeError, "load: f must be a path (str or os.PathLike), not int"):
        minidl.load(3)
    with error(IsADirectoryError, f"save: {tmp_path} is a folder"):
        minidl.save([], tmp_path)
    with error(FileNotFoundError, f"save: the folder {tmp_path / 'no'} does not exist"):
        minidl.save([], tmp_path / "no" / "x")
    with error(IsADirectoryError, f"load: {tmp_path} is a folder"):
        minidl.load(tmp_path)
    with error(FileNotFoundError, f"load: there is no file {tmp_path / 'no'}"):
        minidl.load(tmp_path / "no")


# --- failures while saving ---------------------------------------------------------------------------------------


def fail(message):
    def failing(*arguments, **options):
        raise OSError(errno.ENOSPC, message)

    return failing


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this operating system has no named pipes")
def test_a_device_or_a_pipe_is_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with error(OSError, f"save: {pipe} is a device or a pipe, which a file would replace"):
        minidl.save(1, pipe)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_null_character_is_in_no_path():
    with error(ValueError, r"save: a path cannot hold a null character: 'a\x00b'"):
        minidl.save(1, "a\0b")
    with error(ValueError, r"load: a path cannot hold a null character: 'a\x00b'"):
        minidl.load("a\0b")


@pytest.mark.parametrize("place", ["save_file", "os.fsync", "os.replace"])
def test_a_failure_keeps_the_old_file_and_leaves_nothing_else(path, monkeypatch, place):
    minidl.save({"old": minidl.ones(3)}, path)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        target = os if place.startswith("os.") else checkpoint
        patch.setattr(target, place.removeprefix("os."), fail("disk full"))
        text = (
            f"save: {path} could not be written, and what was there before is unchanged "
            f"([Errno {errno.ENOSPC}] disk full)"
        )
        with error(OSError, text):
            minidl.save({"new": minidl.ones(4)}, path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_an_interrupted_write_keeps_the_old_file(path, monkeypatch):
    minidl.save([1], path)

    def interrupt(arrays, beside, metadata):
        beside.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_file", interrupt)
        with pytest.raises(KeyboardInterrupt):
            minidl.save([2], path)
    assert minidl.load(path) == [1]
    assert os.listdir(path.parent) == [path.name]


def test_a_link_stays_a_link(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"")
    try:
        link.symlink_to(target)
    except OSError:
        pytest.skip("no symbolic links here")
    minidl.save([1], link)
    assert link.is_symlink()
    assert minidl.load(target) == [1]


# --- bad files ---------------------------------------------------------------------------------------------------


def file_of(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype="F32", shape=(1,), offsets=(0, 4), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


def described(state):
    return {"__metadata__": {"minidl": json.dumps(state)}}


def zip_file():
    import io

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("data.pkl", b"\x80")
    return buffer.getvalue()


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


CODE = "a pickle may run any code; only safetensors files are read"
NEEDS = "needs dtype, shape and data_offsets, but has"
DAMAGED = "holds tensors, but the description of the state is damaged"
BAD_FILES = {
    "empty": (b"", "has 0 bytes, too few for a safetensors file"),
    "short": (b"1234567", "has 7 bytes, too few for a safetensors file"),
    "pickle": (pickle.dumps(Bomb()), "is a pickle, and " + CODE),
    "short pickle": (b"\x80\x04N.", "is a pickle, and " + CODE),
    "zip": (zip_file(), "is a zip archive, PyTorch's own format, which holds a pickle; " + CODE),
    "npy": (b"\x93NUMPY\x01\0" + bytes(100), "is a NumPy file (numpy.load reads it); only safetensors files are read"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "is an HDF5 file; only safetensors files are read"),
    "gzip": (b"\x1f\x8b\x08" + b"\xff" * 30, "is a gzip archive; only safetensors files are read"),
    "text": (
        b"hello, world",
        f"claims a header of {int.from_bytes(b'hello, w', 'little')} bytes, but 4 follow: it is truncated, "
        "or no safetensors file",
    ),
    "huge header": (
        file_of({}, length=2**63),
        f"claims a header of {2**63} bytes, but 2 follow: it is truncated, or no safetensors file",
    ),
    "truncated header": (
        file_of({"x": entry()}, length=999),
        "claims a header of 999 bytes, but 61 follow: it is truncated, or no safetensors file",
    ),
    "zeros": (bytes(64), "has a header that is not JSON: it is damaged, or no safetensors file"),
    "not JSON": (file_of(b"{x}"), "has a header that is not JSON: it is damaged, or no safetensors file"),
    "not UTF-8": (file_of(b'{"\xff":1}'), "has a header that is not JSON: it is damaged, or no safetensors file"),
    "deep JSON": (file_of(b"[" * 100_000), "has a header that is not JSON: it is damaged, or no safetensors file"),
    "twice": (
        file_of(b'{"x":1,"x":2}'),
        "has a header that is not JSON: it is damaged, or no safetensors file",
    ),
    "no object": (file_of([1]), "has a header that is no JSON object"),
    "metadata": (file_of({"__metadata__": {"a": 1}}), "has metadata other than strings"),
    "no entry": (file_of({"x": 3}), f", tensor 'x': {NEEDS} 3"),
    "no shape": (file_of({"x": {"dtype": "F32"}}), f", tensor 'x': {NEEDS} {{'dtype': 'F32'}}"),
    "odd shape": (file_of({"x": entry(shape="ab")}, bytes(4)), f", tensor 'x': {NEEDS} {entry(shape='ab')}"),
    "real shape": (file_of({"x": entry(shape=[1.0])}, bytes(4)), f", tensor 'x': {NEEDS} {entry(shape=[1.0])}"),
    "negative shape": (file_of({"x": entry(shape=[-1])}, bytes(4)), f", tensor 'x': {NEEDS} {entry(shape=[-1])}"),
    "three offsets": (
        file_of({"x": entry(offsets=[0, 4, 4])}, bytes(4)),
        f", tensor 'x': {NEEDS} {entry(offsets=[0, 4, 4])}",
    ),
    "dtype": (file_of({"x": entry("F4")}, bytes(4)), ", tensor 'x': the dtype 'F4' is not supported"),
    "bfloat16": (file_of({"x": entry("BF16", (2,))}, bytes(4)), ", tensor 'x': the dtype 'BF16' is not supported"),
    "uint64": (
        file_of({"x": entry("U64", (1,), (0, 8))}, bytes(8)),
        ", tensor 'x': no Tensor can have the dtype uint64",
    ),
    "truncated data": (
        file_of({"x": entry(shape=(3,), offsets=(0, 12))}, bytes(11)),
        "should hold 12 bytes of data, but holds 11: it is truncated or damaged",
    ),
    "trailing data": (
        file_of({"x": entry()}, bytes(5)),
        "should hold 4 bytes of data, but holds 5: it is truncated or damaged",
    ),
    "wrong size": (
        file_of({"x": entry(shape=(2,))}, bytes(4)),
        ", tensor 'x': F32 of shape (2,) needs 8 bytes, but bytes 0 to 4 are given",
    ),
    "backwards": (
        file_of({"x": entry(offsets=(4, 0))}, bytes(4)),
        ", tensor 'x': F32 of shape (1,) needs 4 bytes, but bytes 4 to 0 are given",
    ),
    "overlap": (
        file_of({"x": entry(shape=(2,), offsets=(0, 8)), "y": entry(offsets=(4, 8))}, bytes(8)),
        ", tensor 'y': begins at byte 4, but the one before ends at 8",
    ),
    "gap": (
        file_of({"x": entry(), "y": entry(offsets=(8, 12))}, bytes(12)),
        ", tensor 'y': begins at byte 8, but the one before ends at 4",
    ),
    "absurd shape": (
        file_of({"x": entry(shape=(2**40, 2**40), offsets=(0, 4))}, bytes(4)),
        f", tensor 'x': no array can have the shape {(2**40, 2**40)}",
    ),
    "absurd empty shape": (
        file_of({"x": entry(shape=(2**62, 2**62, 0), offsets=(0, 0))}),
        f", tensor 'x': no array can have the shape {(2**62, 2**62, 0)}",
    ),
    "too many dimensions": (
        file_of({"x": entry(shape=[1] * 40)}, bytes(4)),
        f", tensor 'x': no array can have the shape {str((1,) * 40)[:200]}",
    ),
    "huge allocation": (
        file_of({"x": entry(shape=(2**40,), offsets=(0, 2**42))}, bytes(4)),
        f"should hold {2**42} bytes of data, but holds 4: it is truncated or damaged",
    ),
    "no state": (file_of(described(None)), DAMAGED),
    "state is not JSON": (file_of({"__metadata__": {"minidl": "{"}}), DAMAGED),
    "missing tensor": (file_of(described({"version": 1, "state": {"tensor": "x"}})), DAMAGED),
    "unknown kind": (file_of(described({"version": 1, "state": {"code": "x"}})), DAMAGED),
    "two kinds": (file_of(described({"version": 1, "state": {"tensor": "x", "array": "y"}})), DAMAGED),
    "unhashable key": (file_of(described({"version": 1, "state": {"dict": [[[1], 2]]}})), DAMAGED),
    "deep state": (
        file_of({"__metadata__": {"minidl": '{"version":1,"state":' + "[" * 10_000 + "]" * 10_000 + "}"}}),
        DAMAGED,
    ),
    "later form": (
        file_of(described({"version": 2, "state": 1})),
        "was saved in form 2; this version reads form 1",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file(path, monkeypatch, name):
    content, text = BAD_FILES[name]
    monkeypatch.chdir(path.parent)  # where the bomb would leave its mark
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError) as caught:
            minidl.load(path)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()
    assert str(caught.value) == f"load: {path}" + (text if text.startswith(",") else f" {text}")
    assert os.listdir(path.parent) == [path.name]


@given(data=st.data())
def test_a_damaged_file_is_an_error_or_still_a_state(tmp_path_factory, data):
    """Whatever is cut off or overwritten, there is no other outcome than a ValueError or a state."""
    path = tmp_path_factory.mktemp("damaged") / "x"
    minidl.save({"w": minidl.ones(2, 3), "n": [1, (2.5, "x")]}, path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(ValueError):
        minidl.load(path)


def test_weights_only(path):
    minidl.save([1], path)
    text = "load: weights_only=False asks for a pickle, and a pickle may run any code; it is never read"
    with error(ValueError, text):
        minidl.load(path, weights_only=False)
