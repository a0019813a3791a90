"""Which lessons there are, read from their headers without running them."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from lessons.register import load

LESSONS = Path(__file__).parent
FILE_NAME = re.compile(r"(\d\d)_[a-z0-9_]+\.py")
TIME = re.compile(r"(\d+) (s|min)")


@dataclass(frozen=True)
class Lesson:
    """A lesson file and what its docstring says of it."""

    number: int
    path: Path
    title: str
    formulas: tuple[str, ...]
    seconds: int


def find_lessons(folder: Path = LESSONS) -> list[Lesson]:
    """All lessons in the folder, by number; ValueError where a header is wrong or a number or formula taken twice."""
    lessons = [read_lesson(path) for path in sorted(folder.glob("[0-9][0-9]_*.py"))]
    owners: dict[int | str, str] = {}
    for lesson in lessons:
        keys: list[int | str] = [lesson.number, *lesson.formulas]
        for key in keys:
            if key in owners:
                raise ValueError(f"{key} belongs to both {owners[key]} and {lesson.path.name}")
            owners[key] = lesson.path.name
    return lessons


def read_lesson(path: Path) -> Lesson:
    """The header of one lesson: ValueError, with the file's name, where something is wrong with it."""
    if not (name := FILE_NAME.fullmatch(path.name)):
        raise ValueError(f"{path.name}: a lesson's file is called NN_words_in_lower_case.py")
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise ValueError(f"{path.name}: line {error.lineno}: {error.msg}") from None
    lines = (ast.get_docstring(tree) or "").splitlines()
    if len(lines) < 2 or not lines[0] or set(lines[1]) != {"="}:
        raise ValueError(f"{path.name}: its docstring must begin with the title and a line of = below it")
    ids = tuple(_field(lines, "formulas").replace(",", " ").split())
    if unknown := [id for id in ids if id not in load()]:
        raise ValueError(f"{path.name}: the register has no entry {', '.join(unknown)}")
    if len(set(ids)) < len(ids):
        raise ValueError(f"{path.name}: an id stands twice in :formulas:")
    if not (time := TIME.fullmatch(_field(lines, "time"))):
        raise ValueError(f'{path.name}: its docstring needs a line like ":time: 5 s" or ":time: 3 min"')
    seconds = int(time[1]) * (60 if time[2] == "min" else 1)
    return Lesson(int(name[1]), path.resolve(), lines[0], ids, seconds)


def _field(lines: list[str], name: str) -> str:
    """The text of the docstring's `:name:` field, joined with its indented continuation lines; "" if absent."""
    for number, line in enumerate(lines):
        if line.startswith(f":{name}:"):
            words = [line.removeprefix(f":{name}:").strip()]
            for continued in lines[number + 1 :]:
                if not continued.startswith(" "):
                    break
                words.append(continued.strip())
            return " ".join(words)
    return ""
