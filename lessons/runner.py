"""Runs lessons, each in a process of its own, and collects what they report."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from lessons.catalogue import Lesson
from lessons.ledger import RESULTS, Results, ledger, read_results

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 5.0  # seconds for an interrupted lesson to end by itself


@dataclass(frozen=True)
class Run:
    """What came of one lesson. `faults` is empty where it ended well and reproduced all its formulas."""

    lesson: Lesson
    seconds: float
    results: Results
    faults: list[str]
    output: str = ""

    @property
    def passed(self) -> int:
        """How many of its formulas it reproduced."""
        owners = dict.fromkeys(self.lesson.formulas, self.lesson.number)
        return sum(entry.state == "pass" for entry in ledger(owners, self.results))


def run_lesson(lesson: Lesson, show_output: bool = False) -> Run:
    """Runs a lesson, its output on the screen or kept in the result."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        records, printed = Path(folder, "results.jsonl"), Path(folder, "output.txt")
        with open(printed, "wb") as file:
            process = subprocess.Popen(
                [sys.executable, str(lesson.path)],
                env={**child_environment(), RESULTS: str(records)},
                stdin=subprocess.DEVNULL,
                stdout=None if show_output else file,
                stderr=None if show_output else subprocess.STDOUT,
            )
            status = _wait(process)
        output = printed.read_text(encoding="utf-8", errors="replace")
        results = read_results(records)
    return Run(lesson, time.monotonic() - start, results, _faults(lesson, status, results), output)


def run_or_recall(lesson: Lesson) -> Run:
    """The last good run of the lesson, if nothing that it could depend on has changed since; else a new one."""
    store = _store_folder() / f"{lesson.number:02d}-{_fingerprint(lesson)}.json"
    try:
        record = json.loads(store.read_text(encoding="utf-8"))
        return Run(lesson, record["seconds"], record["results"], _faults(lesson, 0, record["results"]))
    except (OSError, ValueError, KeyError):
        pass
    run = run_lesson(lesson)
    if not run.faults:
        _remember(store, {"seconds": run.seconds, "results": run.results})
    return run


def child_environment() -> dict[str, str]:
    """The environment of a process in which `import lessons` finds this course, and text is UTF-8."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"}


def _wait(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait()
    except BaseException:  # Ctrl-C above all: leave no lesson running behind
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise


def _faults(lesson: Lesson, status: int, results: Results) -> list[str]:
    owners = dict.fromkeys(lesson.formulas, lesson.number)
    faults = [f"{entry.formula.id}: {'; '.join(entry.faults)}" for entry in ledger(owners, results) if entry.faults]
    faults += [f"{id}: reported, but not declared in the header" for id in results if id not in owners]
    return [f"ended with exit status {status}", *faults] if status else faults


def _fingerprint(lesson: Lesson) -> str:
    """A hash of the lesson, the project's sources and the versions beneath them."""
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


def _store_folder() -> Path:
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "minidl" / "lessons"


def _remember(store: Path, record: dict[str, object]) -> None:
    """Keeps a run for the next ledger; where nothing can be written, the next ledger runs the lesson again."""
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        for old in store.parent.glob(f"{store.name[:2]}-*.json"):
            old.unlink()
        store.write_text(json.dumps(record), encoding="utf-8")
    except OSError:
        pass
