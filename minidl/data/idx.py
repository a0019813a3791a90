"""The IDX format: how MNIST and its relatives store arrays.

A file is a header and the elements behind it, row-major, everything big-endian:

    byte 0, 1   zero
    byte 2      type code: 08 uint8, 09 int8, 0B int16, 0C int32, 0D float32, 0E float64
    byte 3      number of dimensions d
    4 d bytes   the length of each dimension, uint32
    the rest    prod(lengths) elements

The whole file may be compressed with gzip; the first two bytes tell (1F 8B), whatever the file is called.

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "File formats".
"""

from __future__ import annotations

import gzip
import io
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np

__all__ = ["read_idx", "write_idx"]

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CODES = {np.dtype(name).newbyteorder("="): code for code, name in _DTYPES.items()}
_MAX_DIMENSIONS = 64  # NumPy's own limit
_MAX_INFLATION = 1032  # deflate spends at least 2 bits on 258 bytes: no stream grows by more


def read_idx(path: str | os.PathLike[str], max_bytes: int = 2**31) -> np.ndarray:
    """Return the array stored in the IDX file ``path``, in native byte order.

    ``path`` is plain or gzip-compressed. A file is not trusted: the size that its header claims is compared with
    the size that it has, or that its compressed bytes can possibly unpack to, before memory is asked for, and a
    compressed stream is unpacked no further than one small buffer behind the claimed size.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: for a file that is not IDX, is damaged, is shorter or longer than its header claims, or claims
            more than ``max_bytes``.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"read_idx: {path} is not a file")
    size = path.stat().st_size
    with open(path, "rb") as raw:
        compressed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if not compressed:
            return _read(raw, path, size, max_bytes)
        try:
            with gzip.GzipFile(fileobj=raw) as stream:
                return _read(stream, path, size * _MAX_INFLATION, max_bytes)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"read_idx: {path} is damaged: its gzip stream is cut off or altered") from error


def _read(stream: io.BufferedIOBase, path: Path, available: int, max_bytes: int) -> np.ndarray:
    """Read header and elements from ``stream``, which holds at most ``available`` bytes."""
    dtype, shape, header_bytes = _read_header(stream, path)
    claimed = math.prod(shape) * dtype.itemsize
    if math.prod(max(length, 1) for length in shape) * dtype.itemsize > max_bytes:  # a 0 must not hide a huge length
        raise ValueError(f"read_idx: {path} claims shape {shape} of {dtype.name}, over max_bytes = {max_bytes}")
    if header_bytes + claimed > available:
        raise ValueError(f"read_idx: {path} claims shape {shape}, {claimed} bytes, more than the file can hold")
    content = bytearray(claimed)
    filled = stream.readinto(content)
    if filled < claimed:
        raise ValueError(f"read_idx: {path} is cut off: {filled} of the {claimed} bytes that shape {shape} needs")
    if stream.read(1):
        raise ValueError(f"read_idx: {path} goes on after the {claimed} bytes that shape {shape} needs")
    # Only the native types are handed out: a big-endian array would be slow in every later step.
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _read_header(stream: io.BufferedIOBase, path: Path) -> tuple[np.dtype, tuple[int, ...], int]:
    """Return the element type, the shape, and the number of header bytes."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES:
        raise ValueError(f"read_idx: {path} is not an IDX file (it starts with {magic.hex(' ') or 'nothing'})")
    dimensions = magic[3]
    if dimensions > _MAX_DIMENSIONS:
        raise ValueError(f"read_idx: {path} claims {dimensions} dimensions; an array has at most {_MAX_DIMENSIONS}")
    lengths = stream.read(4 * dimensions)
    if len(lengths) < 4 * dimensions:
        raise ValueError(f"read_idx: {path} is cut off inside its header ({dimensions} dimensions)")
    shape = struct.unpack(f">{dimensions}I", lengths)
    return np.dtype(_DTYPES[magic[2]]), shape, 4 + len(lengths)


def write_idx(path: str | os.PathLike[str], array: np.ndarray) -> None:
    """Store ``array`` as the IDX file ``path``, compressed when the name ends in ``.gz``.

    Equal arrays give equal bytes: the gzip header bears no time and no name.

    Raises:
        TypeError: for an element type that the format has not.
    """
    array = np.asarray(array)
    if array.dtype.newbyteorder("=") not in _CODES:
        known = ", ".join(str(dtype) for dtype in _CODES)
        raise TypeError(f"write_idx: the IDX format has no {array.dtype}; it has {known}")
    code = _CODES[array.dtype.newbyteorder("=")]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    content = header + array.astype(_DTYPES[code], copy=False).tobytes()
    Path(path).write_bytes(gzip.compress(content, mtime=0) if str(path).endswith(".gz") else content)
