"""Runs lessons, each in a process of its own, and collects what they report."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
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
    return finished(lesson, time.monotonic() - start, results, status, output)


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


def finished(lesson: Lesson, seconds: float, results: Results, status: int = 0, output: str = "") -> Run:
    """What came of a lesson that ended with this exit status and reported these results."""
    owners = dict.fromkeys(lesson.formulas, lesson.number)
    faults = [f"ended with exit status {status}"] if status else []
    faults += [f"{entry.formula.id}: {'; '.join(entry.faults)}" for entry in ledger(owners, results) if entry.faults]
    faults += [f"{id}: reported, but not declared in the header" for id in results if id not in owners]
    return Run(lesson, seconds, results, faults, output)
