"""Fetch a file once, check it, keep it.

A file counts as present only under its final name, and it gets that name, by one atomic rename, after every byte has
arrived and its SHA-256 is right. So an interrupted download leaves nothing behind, and processes that fetch the same
file at the same time cannot disturb each other.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import secrets
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ["cache_folder", "fetch"]

_CHUNK = 1 << 16


def cache_folder() -> Path:
    """Return the folder where downloads are kept (it need not exist yet).

    It is the environment variable MINIDL_CACHE where that is set, else ``minidl`` in the place that the platform sets
    aside for such files: ``%LOCALAPPDATA%``, ``~/Library/Caches``, or ``$XDG_CACHE_HOME`` (``~/.cache``).
    """
    if chosen := os.environ.get("MINIDL_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "minidl"


def fetch(urls: Sequence[str], path: str | os.PathLike[str], sha256: str, size: int, timeout: float = 30.0) -> Path:
    """Make sure that ``path`` holds the file of ``size`` bytes whose SHA-256 is ``sha256``, and return it.

    Nothing is fetched when it does already. Otherwise the addresses are tried in order until one delivers the right
    bytes; ``timeout`` is the number of seconds a server may stay silent. Progress is shown on a terminal. After an
    error, and after Ctrl-C, no incomplete file remains.

    Raises:
        RuntimeError: when no address delivers (the message says of each why not), or the folder cannot be written to.
    """
    path = Path(path)
    if _is_intact(path, sha256):
        return path
    # Processes that fetch the same file at the same time each write a temporary file of their own.
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
    failures = []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for url in urls:
            try:
                _save(_checked(_read(url, size, timeout), sha256), temporary)
            except _DeliveryError as error:
                failures.append(f"{url}: {error}")
                continue
            if not _is_intact(path, sha256):  # another process may have been faster, and be reading its file by now
                os.replace(temporary, path)
            return path
    except OSError as error:
        raise RuntimeError(
            f"download: cannot write {path} ({error.strerror or error}); set MINIDL_CACHE to another folder"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    raise RuntimeError(f"download: could not get {path.name}\n  " + "\n  ".join(failures))


class _DeliveryError(Exception):
    """One address did not deliver; the next one may."""


def _is_intact(path: Path, sha256: str) -> bool:
    """Whether ``path`` is a file with that checksum."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _read(url: str, size: int, timeout: float) -> Iterator[bytes]:
    """Yield the ``size`` bytes behind ``url``; never more, whatever the server sends."""
    name, received = url.rpartition("/")[2], 0
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            announced = response.headers.get("Content-Length")
            if announced is not None and announced != str(size):
                raise _DeliveryError(f"the server announced {announced} bytes, expected {size}")
            while chunk := response.read1(_CHUNK):
                received += len(chunk)
                if received > size:
                    raise _DeliveryError(f"the server sent more than the expected {size} bytes")
                _show(name, received, size)
                yield chunk
    except urllib.error.HTTPError as error:
        raise _DeliveryError(f"the server answered {error.code} {error.reason}") from error
    except http.client.IncompleteRead as error:  # how some versions of Python report an early end
        received += len(error.partial)
    except (OSError, http.client.HTTPException) as error:
        # urllib wraps what went wrong before the answer began in an URLError, and nothing after that.
        reason = str(getattr(error, "reason", error)).strip()
        raise _DeliveryError(f"no answer or a broken one after {received} of {size} bytes ({reason})") from error
    if received < size:
        raise _DeliveryError(f"the connection ended after {received} of {size} bytes")


def _checked(chunks: Iterable[bytes], sha256: str) -> Iterator[bytes]:
    """Pass ``chunks`` through; raise at their end if their SHA-256 is not the expected one."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != sha256:
        raise _DeliveryError(f"wrong checksum: SHA-256 is {digest.hexdigest()}, expected {sha256}")


def _save(chunks: Iterable[bytes], path: Path) -> None:
    with open(path, "wb") as file:
        for chunk in chunks:
            file.write(chunk)


def _show(name: str, received: int, size: int) -> None:
    """Rewrite one line of progress, on a terminal only."""
    if sys.stderr.isatty():
        end = "\n" if received == size else ""
        print(f"\r{name}: {received / 1e6:.1f} of {size / 1e6:.1f} MB", end=end, file=sys.stderr, flush=True)
