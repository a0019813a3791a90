"""Data sets and their splits."""

import numpy as np
import pytest

import minidl
from minidl.data import ConcatDataset, Dataset, Subset, TensorDataset, random_split


def numbers(*shape):
    return minidl.from_numpy(np.arange(np.prod(shape), dtype=np.float32).reshape(shape))


class Squares(Dataset):
    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        return index * index


def text_of(error, function):
    with pytest.raises(error) as caught:
        function()
    return str(caught.value)


def test_tensor_dataset_gives_rows():
    x, y = numbers(5, 2), numbers(5)
    dataset = TensorDataset(x, y)
    assert len(dataset) == 5
    assert [part.tolist() for part in dataset[3]] == [[6.0, 7.0], 3.0]
    assert [part.tolist() for part in dataset[-1]] == [[8.0, 9.0], 4.0]
    assert [part.shape for part in dataset[1:3]] == [(2, 2), (2,)]
    assert [row.tolist() for _, row in dataset] == [0, 1, 2, 3, 4]


def test_tensor_dataset_keeps_the_graph():
    x = numbers(3).requires_grad_()
    (row,) = TensorDataset(x)[1]
    (row * 2).backward()
    assert x.grad.tolist() == [0, 2, 0]


@pytest.mark.parametrize("index", [5, -6])
def test_an_index_out_of_range(index):
    expected = f"index {index} is out of range for 5 samples"
    dataset = TensorDataset(numbers(5))
    assert text_of(IndexError, lambda: dataset[index]) == f"TensorDataset: {expected}"
    assert text_of(IndexError, lambda: Subset(Squares(9), range(5))[index]) == f"Subset: {expected}"
    assert text_of(IndexError, lambda: (Squares(2) + Squares(3))[index]) == f"ConcatDataset: {expected}"


def test_an_index_that_is_no_int():
    assert text_of(TypeError, lambda: Subset(Squares(9), range(5))[1.0]) == (
        "Subset: the index of a sample is an int, not float"
    )


def test_what_tensor_dataset_refuses():
    assert text_of(ValueError, TensorDataset) == "TensorDataset: expected at least one tensor"
    assert text_of(TypeError, lambda: TensorDataset(numbers(2), np.zeros(2))) == (
        "TensorDataset: argument 1 is of type ndarray, not a Tensor"
    )
    assert text_of(ValueError, lambda: TensorDataset(minidl.tensor(1.0))) == (
        "TensorDataset: tensor 0 has shape (), so there is no dimension to count samples"
    )
    assert text_of(ValueError, lambda: TensorDataset(numbers(3, 2), numbers(4))) == (
        "TensorDataset: tensor 1 has 4 samples but tensor 0 has 3 (shapes (4,) and (3, 2))"
    )


def test_dataset_asks_for_what_is_missing():
    assert text_of(NotImplementedError, lambda: Dataset()[0]) == "Dataset: a Dataset defines __getitem__(index)"


def test_subset_and_concatenation():
    assert list(Subset(Squares(9), [8, 1, 1])) == [64, 1, 1]
    joined = Squares(2) + Squares(0) + Squares(3)
    assert len(joined) == 5
    assert list(joined) == [0, 1, 0, 1, 4]
    assert (joined[-1], joined[-5]) == (4, 0)
    assert text_of(ValueError, lambda: ConcatDataset([])) == "ConcatDataset: expected at least one data set"


SPLITS = [
    (10, [3, 7]),
    (10, [0, 10]),
    (10, [0.3, 0.3, 0.4]),
    (11, [0.5, 0.5]),
    (30, [0.9, 0.1]),
    (7, [1 / 3] * 3),
    (11, [0.25] * 4),
    (1, [1]),
    (10, [0.1] * 10),
]


@pytest.mark.parametrize(("size", "lengths"), SPLITS)
def test_random_split_cuts_everything_into_parts_of_pytorchs_lengths(size, lengths):
    torch_data = pytest.importorskip("torch.utils.data", reason="compares with PyTorch")
    parts = random_split(Squares(size), lengths)
    assert [len(part) for part in parts] == [len(part) for part in torch_data.random_split(range(size), lengths)]
    assert sorted(index for part in parts for index in part.indices) == list(range(size))


def test_random_split_follows_the_generator():
    def split(seed):
        return [part.indices for part in random_split(Squares(50), [20, 30], minidl.Generator().manual_seed(seed))]

    assert split(1) == split(1)
    assert split(1) != split(2)
    minidl.manual_seed(1)
    assert [part.indices for part in random_split(Squares(50), [20, 30])] == split(1)


def test_what_random_split_refuses():
    for lengths in ([3, 4], [0.5, 0.4], [2.5, 7.5]):
        assert text_of(ValueError, lambda lengths=lengths: random_split(Squares(10), lengths)) == (
            f"random_split: lengths {lengths} must sum to the 10 samples there are, or to 1 as fractions"
        )
    assert text_of(ValueError, lambda: random_split(Squares(10), [-1, 11])) == (
        "random_split: lengths must not be negative, got [-1, 11]"
    )
