"""Keeps the last good run of every lesson, so that the ledger need not run what has not changed."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from lessons.catalogue import Lesson
from lessons.runner import ROOT, Run, finished


def recall(lesson: Lesson) -> Run | None:
    """The last good run, if nothing that it could depend on has changed since. Its figures are judged anew."""
    try:
        record = json.loads(_place(lesson).read_text(encoding="utf-8"))
        return finished(lesson, record["seconds"], record["results"])
    except (OSError, ValueError, KeyError, TypeError):  # not there, or not whole
        return None


def remember(run: Run) -> None:
    """Keeps a good run. Where nothing can be written, the next ledger runs the lesson again."""
    if run.faults:
        return
    place = _place(run.lesson)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        for old in place.parent.glob(f"{place.name[:2]}-*.json"):
            old.unlink()
        place.write_text(json.dumps({"seconds": run.seconds, "results": run.results}), encoding="utf-8")
    except OSError:
        pass


def _place(lesson: Lesson) -> Path:
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA") or os.path.expanduser(r"~\AppData\Local")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base, "minidl", "lessons", f"{lesson.number:02d}-{_fingerprint(lesson)}.json")


def _fingerprint(lesson: Lesson) -> str:
    """A hash of the lesson, of the project's files and of the versions beneath them."""
    digest = hashlib.sha256(f"{sys.version} {platform.platform()}".encode())
    for package in ("numpy", "numba", "scipy", "matplotlib"):
        try:
            digest.update(f"{package} {metadata.version(package)}".encode())
        except metadata.PackageNotFoundError:
            digest.update(f"no {package}".encode())
    for path in (lesson.path, *_sources()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:32]


def _sources() -> Iterator[Path]:
    yield from sorted((ROOT / "lessons").glob("[!0-9]*.py"))
    for package in ("minidl", "kernels"):
        for path in sorted((ROOT / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path
