"""Data sets, and the loader that turns them into batches. Also reachable as ``minidl.utils.data``, as in PyTorch."""

from .collate import default_collate, default_convert
from .dataset import ConcatDataset, Dataset, Subset, TensorDataset, random_split
from .idx import read_idx, write_idx
from .loader import DataLoader
from .mnist import MNIST, MNIST5K, FashionMNIST, IDXFolder
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler

__all__ = [
    "MNIST",
    "MNIST5K",
    "BatchSampler",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "FashionMNIST",
    "IDXFolder",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "TensorDataset",
    "default_collate",
    "default_convert",
    "random_split",
    "read_idx",
    "write_idx",
]
