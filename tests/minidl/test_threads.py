"""The number of threads."""

import pytest

import minidl
from kernels.cpu import threads


def test_set_and_get():
    before = minidl.get_num_threads()
    try:
        minidl.set_num_threads(1)
        assert minidl.get_num_threads() == threads.get_threads() == 1
        minidl.set_num_threads(2)
        assert minidl.get_num_threads() == threads.get_threads() == 2
    finally:
        minidl.set_num_threads(before)


def test_bad_numbers():
    with pytest.raises(ValueError, match=r"^set_num_threads: n must be at least 1, not 0$"):
        minidl.set_num_threads(0)
    with pytest.raises(TypeError, match=r"^set_num_threads: n must be an integer, not float$"):
        minidl.set_num_threads(1.5)
