"""The IDX reader: every element type, plain and compressed, and files that lie."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from minidl.data import read_idx, write_idx

DTYPES = ["uint8", "int8", "int16", "int32", "float32", "float64"]


def header(code, *shape):
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape)


def saved(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["file", "file.gz"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_written_is_read_again(tmp_path, dtype, name):
    for shape in [(7,), (2, 3), (2, 3, 4), (0, 5), ()]:
        array = (np.arange(np.prod(shape, dtype=int)) * 1.5 - 3).reshape(shape).astype(dtype)
        write_idx(tmp_path / name, array)
        again = read_idx(tmp_path / name)
        np.testing.assert_array_equal(again, array, strict=True)
        assert again.dtype.isnative
        assert again.flags.writeable


def test_bytes_on_disk_are_big_endian_behind_a_magic_number(tmp_path):
    write_idx(tmp_path / "file", np.array([[1, 2, 258]], dtype=np.int16))
    assert (tmp_path / "file").read_bytes() == bytes.fromhex("00000b02 00000001 00000003 0001 0002 0102")
    write_idx(tmp_path / "swapped", np.array([[1, 2, 258]], dtype=">i2"))
    assert (tmp_path / "swapped").read_bytes() == (tmp_path / "file").read_bytes()


def test_equal_arrays_give_equal_compressed_bytes(tmp_path):
    for name in ("a.gz", "b.gz"):
        write_idx(tmp_path / name, np.arange(100, dtype=np.uint8))
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_compression_is_told_by_the_content_not_by_the_name(tmp_path):
    path = saved(tmp_path, gzip.compress(header(0x08, 2) + b"\x05\x06"))
    assert read_idx(path).tolist() == [5, 6]


def test_types_without_a_code_are_refused(tmp_path):
    with pytest.raises(TypeError) as caught:
        write_idx(tmp_path / "file", np.arange(3))
    assert str(caught.value) == (
        "write_idx: the IDX format has no int64; it has uint8, int8, int16, int32, float32, float64"
    )


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        read_idx(tmp_path / "none")
    assert str(caught.value) == f"read_idx: {tmp_path / 'none'} is not a file"


BAD_FILES = {
    "empty": (b"", "is not an IDX file (it starts with nothing)"),
    "foreign": (b"\x89PNG\r\n", "is not an IDX file (it starts with 89 50 4e 47)"),
    "unknown type": (header(0x0A, 2) + b"ab", "is not an IDX file (it starts with 00 00 0a 01)"),
    "cut off in the header": (header(0x08, 2, 3)[:9], "is cut off inside its header (2 dimensions)"),
    "cut off in the elements": (
        header(0x08, 2, 3) + bytes(5),
        "claims shape (2, 3), 6 bytes, more than the file can hold",
    ),
    "goes on": (header(0x0B, 2) + bytes(5), "goes on after the 4 bytes that shape (2,) needs"),
    "too many dimensions": (header(0x08, *[1] * 65) + b"a", "claims 65 dimensions; an array has at most 64"),
    "2^60 elements": (
        header(0x08, 2**30, 2**30),
        "claims shape (1073741824, 1073741824) of uint8, over max_bytes = 2147483648",
    ),
    "no elements, huge lengths": (
        header(0x0E, 0, 2**31, 2**31),
        "claims shape (0, 2147483648, 2147483648) of float64, over max_bytes = 2147483648",
    ),
    "compressed, foreign": (gzip.compress(b"hello"), "is not an IDX file (it starts with 68 65 6c 6c)"),
    "compressed, claims what it cannot hold": (
        gzip.compress(header(0x08, 2**30)),
        "claims shape (1073741824,), 1073741824 bytes, more than the file can hold",
    ),
    "compressed, too short": (
        gzip.compress(header(0x08, 9) + bytes(5)),
        "is cut off: 5 of the 9 bytes that shape (9,) needs",
    ),
    "compressed, goes on": (
        gzip.compress(header(0x08, 9) + bytes(10)),
        "goes on after the 9 bytes that shape (9,) needs",
    ),
    "compressed, stream cut off": (
        gzip.compress(header(0x08, 100) + bytes(range(100)))[:-20],
        "is damaged: its gzip stream is cut off or altered",
    ),
    "compressed, checksum altered": (
        gzip.compress(header(0x08, 9) + bytes(9))[:-8] + bytes(8),
        "is damaged: its gzip stream is cut off or altered",
    ),
    "compressed, stream altered": (
        gzip.compress(b"")[:10] + b"\xff" * 30,
        "is damaged: its gzip stream is cut off or altered",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files_are_refused_without_much_memory(tmp_path, case):
    content, text = BAD_FILES[case]
    path = saved(tmp_path, content)
    tracemalloc.start()
    with pytest.raises(ValueError) as caught:
        read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(caught.value) == f"read_idx: {path} {text}"
    assert peak < 1e6


def test_a_compression_bomb_is_not_unpacked(tmp_path):
    path = saved(tmp_path, gzip.compress(header(0x08, 10) + bytes(30_000_000)))
    tracemalloc.start()
    with pytest.raises(ValueError) as caught:
        read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(caught.value) == f"read_idx: {path} goes on after the 10 bytes that shape (10,) needs"
    assert peak < 1e6


def test_max_bytes_is_the_callers_to_choose(tmp_path):
    path = saved(tmp_path, header(0x08, 1000) + bytes(1000))
    assert read_idx(path, max_bytes=1000).shape == (1000,)
    with pytest.raises(ValueError) as caught:
        read_idx(path, max_bytes=999)
    assert str(caught.value) == f"read_idx: {path} claims shape (1000,) of uint8, over max_bytes = 999"
