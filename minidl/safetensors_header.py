"""The header of a safetensors file, checked before anything else of the file is believed.

A file is: 8 bytes with the length N of the header (little-endian), N bytes of JSON, and the data. The JSON maps each
name to its dtype, its shape, and where its bytes begin and end in the data: ``{"w": {"dtype": "F32", "shape": [2, 3],
"data_offsets": [0, 24]}}``; the entry ``__metadata__`` maps strings to strings.

The library that reads the tensors makes most of these checks too. They are made here so that each has one clear
sentence, and so that nothing that a damaged or malicious file claims (a length, a shape) is used before it has been
compared with the size of the file.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

__all__ = ["read_header"]

BYTES = {  # an element of each dtype
    **{"BOOL": 1, "U8": 1, "I8": 1, "U16": 2, "I16": 2, "F16": 2},
    **{"U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8},
}
LONGEST = 100_000_000  # the format's own limit on the header
OTHER_FORMATS = {
    b"PK\x03\x04": "a zip archive, PyTorch's own format, which holds a pickle; a pickle may run any code",
    b"\x80": "a pickle, and a pickle may run any code",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy file (numpy.load reads it)",
    b"\x1f\x8b": "a gzip archive",
}


def read_header(path: Path) -> dict[str, Any]:
    """The header of the file: the entry of every tensor by name, and ``__metadata__`` if there is one.

    Raises:
        FileNotFoundError, IsADirectoryError: if there is no such file.
        ValueError: with what is wrong.
    """
    if path.is_dir():
        raise IsADirectoryError(f"load: {path} is a folder")
    if not path.exists():
        raise FileNotFoundError(f"load: there is no file {path}")
    size = path.stat().st_size
    with open(path, "rb") as file:
        start = file.read(8)
        for magic, description in OTHER_FORMATS.items():
            if start.startswith(magic) and not plausible(start, size):
                raise ValueError(f"load: {path} is {description}; only safetensors files are read")
        if len(start) < 8:
            raise ValueError(f"load: {path} has {size} bytes, too few for a safetensors file")
        length = int.from_bytes(start, "little")
        if not plausible(start, size):
            raise ValueError(
                f"load: {path} claims a header of {length} bytes, but {size - 8} follow: it is truncated, "
                "or no safetensors file"
            )
        text = file.read(length)
    header = parse(path, text)
    check_layout(path, {name: entry for name, entry in header.items() if name != "__metadata__"}, size - 8 - length)
    return header


def plausible(start: bytes, size: int) -> bool:
    """Whether the file can begin with such a length."""
    return len(start) == 8 and int.from_bytes(start, "little") <= min(size - 8, LONGEST)


def parse(path: Path, text: bytes) -> dict[str, Any]:
    """The JSON, with every entry of the right form."""
    try:
        header = json.loads(text.decode(), object_pairs_hook=without_duplicates)
    except (ValueError, RecursionError):
        raise ValueError(f"load: {path} has a header that is not JSON: it is damaged, or no safetensors file") from None
    if not isinstance(header, dict):
        raise ValueError(f"load: {path} has a header that is no JSON object")
    for name, entry in header.items():
        if name == "__metadata__":
            if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
                raise ValueError(f"load: {path} has metadata other than strings")
        elif not well_formed(entry):
            raise ValueError(
                f"load: {path}, tensor {name!r}: needs dtype, shape and data_offsets, but has {entry!r:.200}"
            )
        elif entry["dtype"] not in BYTES:
            raise ValueError(f"load: {path}, tensor {name!r}: the dtype {entry['dtype']!r:.50} is not supported")
    return header


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name appears twice")
    return found


def well_formed(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and set(entry) == {"dtype", "shape", "data_offsets"}
        and isinstance(entry["dtype"], str)
        and counts(entry["shape"])
        and counts(entry["data_offsets"])
        and len(entry["data_offsets"]) == 2
    )


def counts(value: Any) -> bool:
    """A list of integers that are not negative."""
    return isinstance(value, list) and all(type(number) is int and number >= 0 for number in value)


def check_layout(path: Path, entries: dict[str, Any], available: int) -> None:
    """The tensors fill the data one after the other, without gaps or overlaps, each with the bytes of its shape."""
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1]["data_offsets"]):
        begins, ends = entry["data_offsets"]
        shape = tuple(entry["shape"])
        needed = BYTES[entry["dtype"]] * math.prod(shape)
        if len(shape) > 32 or BYTES[entry["dtype"]] * math.prod(length for length in shape if length) >= 2**63:
            raise ValueError(f"load: {path}, tensor {name!r}: no array can have the shape {shape!r:.200}")
        if ends - begins != needed:
            raise ValueError(
                f"load: {path}, tensor {name!r}: {entry['dtype']} of shape {shape!r:.200} needs {needed} bytes, "
                f"but bytes {begins} to {ends} are given"
            )
        if begins != end:
            raise ValueError(
                f"load: {path}, tensor {name!r}: begins at byte {begins}, but the one before ends at {end}"
            )
        end = ends
    if end != available:
        raise ValueError(
            f"load: {path} should hold {end} bytes of data, but holds {available}: it is truncated or damaged"
        )
