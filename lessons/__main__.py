"""The command line of the course: `python -m lessons [run | formulas | check] ...`."""

from __future__ import annotations

import argparse
import inspect
import json
import re
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from lessons.catalogue import LESSONS, Lesson, find_lessons
from lessons.exercise import check, checks
from lessons.ledger import Entry, ledger
from lessons.pipe import while_read
from lessons.register import Formula, Quantity, find, show
from lessons.runner import Run, run_lesson
from lessons.store import recall, remember

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None, folder: Path = LESSONS) -> int:
    """Runs one command on the lessons in `folder` and returns the exit status."""
    for stream in (sys.stdout, sys.stderr):  # a lesson may print what this terminal cannot
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    return while_read(lambda: _command(arguments, folder))


def _command(arguments: Sequence[str] | None, folder: Path) -> int:
    options = _parser().parse_args(arguments)
    try:
        if options.command == "run":
            return _run(_select(options.lessons, find_lessons(folder)), options.verbose)
        if options.command == "formulas":
            return _describe(options.ids) if options.ids else _formulas(find_lessons(folder), options)
        if options.command == "check":
            return _check(options.lesson, options.solution, folder / "exercises")
        return _list(find_lessons(folder))
    except ValueError as error:
        print(f"lessons: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m lessons", description="The course; without a command, its lessons.")
    commands = parser.add_subparsers(dest="command")
    run = commands.add_parser("run", help="run lessons: run 7, run 1 5-7, run all")
    run.add_argument("lessons", nargs="+", metavar="N", help="a number, a range such as 5-7, or all")
    run.add_argument("-v", "--verbose", action="store_true", help="show what the lessons print (one alone always does)")
    formulas = commands.add_parser("formulas", help="the ledger: which formula is reproduced where")
    formulas.add_argument("ids", nargs="*", metavar="ID", help="explain these entries instead")
    formulas.add_argument("--json", action="store_true", help="for programs")
    formulas.add_argument("--complete", action="store_true", help="fail also where a formula has no lesson")
    formulas.add_argument("--fresh", action="store_true", help="run every lesson anew, whatever ran before")
    check = commands.add_parser("check", help="check your solution of a lesson's exercises")
    check.add_argument("lesson", type=int, metavar="N", help="the number of the lesson")
    check.add_argument("solution", type=Path, nargs="?", help="your Python file; without it: what the tasks are")
    return parser


# ---------------------------------------------------------------------------------------------------- list and run


def _list(lessons: list[Lesson]) -> int:
    for lesson in lessons:
        print(f"{lesson.number:02d}  {lesson.title:<60} {_duration(lesson.seconds):>7}")
        for line in textwrap.wrap(", ".join(_ranges(lesson.formulas)), 90):
            print(f"      {line}")
    first = lessons[0].number if lessons else "N"
    print(f"{len(lessons)} lessons; below each, the formulas that it reproduces (python -m lessons formulas).")
    print(f"Run one: python -m lessons run {first}     Its exercises: python -m lessons check {first}")
    return 0


def _run(lessons: list[Lesson], verbose: bool) -> int:
    verbose = verbose or len(lessons) == 1
    runs: list[Run] = []
    start = time.monotonic()
    status = 0
    try:
        for position, lesson in enumerate(lessons, 1):
            announcement = f"[{position}/{len(lessons)}] {_name(lesson)} (about {_duration(lesson.seconds)}) "
            print(announcement, end="\n" if verbose else "", flush=True)
            runs.append(run_lesson(lesson, show_output=verbose))
            _report(runs[-1])
            remember(runs[-1])
    except KeyboardInterrupt:
        print("\ninterrupted")
        status = INTERRUPTED
    _summary(runs, len(lessons), time.monotonic() - start)
    return status or int(any(run.faults for run in runs))


def _report(run: Run) -> None:
    formulas = f", {run.passed} of {len(run.lesson.formulas)} formulas" if run.lesson.formulas else ""
    print(f"{'FAILED' if run.faults else 'ok'}, {run.seconds:.1f} s{formulas}")
    if run.faults:
        for line in run.output.splitlines()[-20:]:
            print(f"    | {line}")
        for fault in run.faults:
            print(f"    {fault}")


def _summary(runs: list[Run], wanted: int, seconds: float) -> None:
    failed = [f"{run.lesson.number:02d}" for run in runs if run.faults]
    wanted_formulas = sum(len(run.lesson.formulas) for run in runs)
    formulas = f"{sum(run.passed for run in runs)} of {wanted_formulas} formulas reproduced"
    print(f"{len(runs) - len(failed)} of {wanted} lessons passed, {formulas}, {seconds:.1f} s")
    if failed:
        print(f"failed: {', '.join(failed)}")


def _select(words: list[str], lessons: list[Lesson]) -> list[Lesson]:
    """The lessons that "1 5-7" or "all" mean, in the order of their numbers."""
    numbers = {lesson.number for lesson in lessons}
    chosen: set[int] = set()
    for word in words:
        if word == "all":
            found = numbers
        elif match := re.fullmatch(r"(\d+)(?:-(\d+))?", word):
            found = numbers & set(range(int(match[1]), int(match[2] or match[1]) + 1))
        else:
            raise ValueError(f"run: {word!r} is neither a number, a range such as 5-7, nor all")
        if not found:
            raise ValueError(f"run: there is no lesson {word}")
        chosen |= found
    return [lesson for lesson in lessons if lesson.number in chosen]


# --------------------------------------------------------------------------------------------------------- formulas


def _formulas(lessons: list[Lesson], options: argparse.Namespace) -> int:
    lessons = [lesson for lesson in lessons if lesson.formulas]
    runs: list[Run] = []
    for lesson in lessons:
        run = None if options.fresh else recall(lesson)
        if run is None:
            print(f"running {_name(lesson)} (about {_duration(lesson.seconds)})", file=sys.stderr, flush=True)
            run = run_lesson(lesson)
            remember(run)
        runs.append(run)
    owners = {id: lesson.number for lesson in lessons for id in lesson.formulas}
    entries = ledger(owners, {id: figures for run in runs for id, figures in run.results.items()})
    if options.json:
        print(json.dumps([_as_json(entry) for entry in entries], indent=1))
    else:
        _print_ledger(entries)
    for run in runs:
        for fault in run.faults:
            print(f"lesson {run.lesson.number:02d}: {fault}", file=sys.stderr)
    incomplete = options.complete and any(entry.state == "missing" for entry in entries)
    return 1 if incomplete or any(run.faults for run in runs) else 0


def _print_ledger(entries: list[Entry]) -> None:
    print(f"{'formula':<12} {'verdict':<10}  in  {'state':<7}  what lesson 'in' computed")
    for entry in entries:
        lesson = "--" if entry.lesson is None else f"{entry.lesson:02d}"
        figures = entry.formula.summary(entry.figures) if entry.state == "pass" else "; ".join(entry.faults)
        print(f"{entry.formula.id:<12} {entry.formula.verdict:<10}  {lesson}  {entry.state:<7}  {figures}".rstrip())
    count = Counter(entry.state for entry in entries)
    errata = [entry for entry in entries if entry.formula.verdict == "erratum"]
    wrong = f"{sum(entry.state == 'pass' for entry in errata)} of {len(errata)} errata shown to be wrong"
    reproduced = f"{count['pass']} reproduced ({wrong})"
    print(f"{len(entries)} formulas: {reproduced}, {count['fail']} failed, {count['missing']} without a lesson")


def _as_json(entry: Entry) -> dict[str, object]:
    formula = entry.formula
    names = ("id", "document", "section", "kind", "verdict", "subject", "printed", "right", "supplied", "quoted")
    return {
        **{name: getattr(formula, name) for name in names},
        "lesson": entry.lesson,
        "state": entry.state,
        "figures": entry.figures,
        "faults": entry.faults,
    }


def _describe(ids: list[str]) -> int:
    for formula in map(find, ids):
        print(f"{formula.id}  {formula.subject} ({formula.kind}, {formula.verdict})")
        print(f'  {formula.document}, section {formula.section} "{formula.section_zh}" ({formula.section_en})')
        for name in ("meaning", "in_document", "check", "note", "quoted"):
            if text := getattr(formula, name):
                print(_wrap(f"{name.replace('_', ' ')}: {text}", "  "))
        for name in ("printed", "right", "supplied"):
            for line in getattr(formula, name):
                print(f"  {name}: {line}")
        print("  a lesson computes:")
        for quantity in formula.shows.values():
            print(_wrap(_ask(formula, quantity), "    "))
    return 0


def _wrap(text: str, indent: str) -> str:
    return textwrap.fill(text, 110, initial_indent=indent, subsequent_indent=indent + "  ")


def _ask(formula: Formula, quantity: Quantity) -> str:
    demands = []
    if quantity.value is not None:
        tolerance = f" within {quantity.tolerance:g}" if quantity.tolerance else ""
        demands.append(f"{show(quantity.value)}{tolerance}")
    if quantity.printed is not None:
        demands.append(f"{'not ' if formula.verdict == 'erratum' else ''}the printed {show(quantity.printed)}")
    if quantity.equals is not None:
        demands.append(f"equal to {quantity.equals}")
    if quantity.differs is not None:
        demands.append(f"different from {quantity.differs}")
    if quantity.below is not None:
        demands.append(f"below {quantity.below}")
    if quantity.above is not None:
        demands.append(f"above {quantity.above}")
    return f"{quantity.name} [{'; '.join(demands)}]: {quantity.what}"


# ------------------------------------------------------------------------------------------------------------ check


def _check(number: int, solution: Path | None, folder: Path) -> int:
    tasks = checks(number, folder)
    if solution is not None or not tasks:
        return check(number, solution or Path(), folder)
    for name, function in tasks.items():
        print(f"{name}: {inspect.getdoc(function)}")
    print(f"Write them into a file of yours, then: python -m lessons check {number} my_solution.py")
    return 0


def _name(lesson: Lesson) -> str:
    return f"{lesson.number:02d} {lesson.title}"


def _duration(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{round(seconds / 60)} min"


def _ranges(ids: Sequence[str]) -> list[str]:
    """D1-2.1.3-a, D1-2.1.3-b, D1-2.1.3-c as D1-2.1.3-a..c."""
    runs: list[list[str]] = []
    for id in sorted(ids):
        previous = runs[-1][-1] if runs else ""
        if previous[:-1] == id[:-1] and ord(previous[-1]) + 1 == ord(id[-1]):
            runs[-1].append(id)
        else:
            runs.append([id])
    return [run[0] if len(run) == 1 else f"{run[0]}..{run[-1][-1]}" for run in runs]


if __name__ == "__main__":
    sys.exit(main())
