"""default_collate against PyTorch's, and what it refuses."""

from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import minidl
from minidl.data import default_collate, default_convert

Point = namedtuple("Point", "x y")


def array(*values, dtype=np.float32):
    return np.array(values, dtype=dtype)


BATCHES = {
    "int": [1, 2],
    "float": [1.0, 2.5],
    "bool": [True, False],
    "bool first": [True, 2],
    "int first": [1, 2.5],
    "float first": [1.5, 2],
    "strings": ["a", "bc"],
    "bytes": [b"a", b"bc"],
    "numpy numbers": [np.float32(1), np.float32(2)],
    "numpy truth values": [np.bool_(True), np.bool_(False)],
    "numpy float64": [np.float64(1), np.float64(2)],
    "arrays": [array(1, 2), array(3, 4)],
    "uint8 arrays": [array(1, 2, dtype=np.uint8), array(3, 4, dtype=np.uint8)],
    "arrays of no dimension": [np.array(1), np.array(2)],
    "arrays of two types": [array(1), array(2, dtype=np.float64)],
    "tuples": [(array(1, 2), 3), (array(4, 5), 6)],
    "tuples with text": [("a", 1), ("b", 2)],
    "lists": [[1, 2.0], [3, 4.0]],
    "named tuples": [Point(1, "a"), Point(2, "b")],
    "dicts": [{"x": array(1), "y": 2}, {"x": array(3), "y": 4}],
    "ordered dicts": [OrderedDict(b=1, a=2.0), OrderedDict(a=4.0, b=3)],
    "nested": [{"x": (1, [array(2)])}, {"x": (3, [array(4)])}],
    "one sample": [(1, array(2))],
    "empty structures": [({}, ()), ({}, ())],
}


def described(value):
    """The structure with the types and values of the leaves, for tensors of either library."""
    if hasattr(value, "numpy"):
        return value.numpy().dtype, value.tolist()
    if isinstance(value, dict):
        return "dict", [(key, described(each)) for key, each in value.items()]
    if isinstance(value, tuple | list):
        return type(value), [described(each) for each in value]
    return value


@pytest.mark.parametrize("case", BATCHES)
def test_batches_are_pytorchs(case):
    torch_data = pytest.importorskip("torch.utils.data", reason="compares with PyTorch")
    assert described(default_collate(BATCHES[case])) == described(torch_data.default_collate(BATCHES[case]))


def test_floats_become_float64_and_stay_exact():
    assert default_collate([0.1, 0.2]).dtype == np.float64
    assert default_collate([0.1, 0.2]).tolist() == [0.1, 0.2]


def test_tensors_are_stacked_with_their_graph():
    x = minidl.tensor([1.0, 2.0], requires_grad=True)
    batch = default_collate([x, x * 2])
    assert batch.tolist() == [[1, 2], [2, 4]]
    batch.sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_a_batch_shares_no_memory_with_its_samples():
    sample = array(1, 2)
    batch = default_collate([sample])
    sample[0] = 5
    assert batch.tolist() == [[1, 2]]


def test_default_convert_turns_arrays_into_tensors_only():
    sample = {"x": array(1), "y": [np.float64(2), 3, "text"], "z": Point(np.int64(4), None)}
    converted = default_convert(sample)
    assert described(converted) == (
        "dict",
        [
            ("x", (np.float32, [1])),
            ("y", (list, [(np.float64, 2), 3, "text"])),
            ("z", (Point, [(np.int64, 4), None])),
        ],
    )


REFUSED = {
    "empty": ([], ValueError, "default_collate: the batch is empty"),
    "foreign": (
        [None, None],
        TypeError,
        "default_collate: a sample is made of tensors, NumPy arrays, numbers, strings, mappings and sequences, "
        "not NoneType; pass a collate_fn that knows what to do with it",
    ),
    "shapes": (
        [array(1, 2), array(1, 2), array(1, 2, 3)],
        ValueError,
        "default_collate: sample 2 has shape (3,) but sample 0 has shape (2,); pass a collate_fn that pads them",
    ),
    "places": ([(1, 2), (3,)], ValueError, "default_collate: sample 0 has 2 places but sample 1 has not"),
    "no places": ([(1, 2), 3], ValueError, "default_collate: sample 0 has 2 places but sample 1 has not"),
    "keys": ([{"a": 1}, {"b": 1}], ValueError, "default_collate: sample 0 has the key 'a' but sample 1 has not"),
    "no keys": ([{"a": 1}, 3], ValueError, "default_collate: sample 0 has the key 'a' but sample 1 has not"),
    "number and text": (
        [1, "a"],
        TypeError,
        "default_collate: sample 0 is a number but sample 1 is of type str",
    ),
    "array and text": (
        [array(1), "a"],
        TypeError,
        "default_collate: a batch that begins with a tensor or an array also holds a str",
    ),
    "array of text": ([np.array(["a"])], TypeError, "default_collate: there are no tensors of <U1"),
    "array of objects": ([np.array([None])], TypeError, "default_collate: there are no tensors of object"),
    "complex": (
        [1j],
        TypeError,
        "default_collate: a sample is made of tensors, NumPy arrays, numbers, strings, mappings and sequences, "
        "not complex; pass a collate_fn that knows what to do with it",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case):
    batch, error, text = REFUSED[case]
    with pytest.raises(error) as caught:
        default_collate(batch)
    assert str(caught.value) == text
