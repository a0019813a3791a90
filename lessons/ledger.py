"""The ledger: what a lesson reports of a formula, and whether that is what the register asks for."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lessons.register import Figure, Formula, find, load

RESULTS = "MINIDL_LESSON_RESULTS"  # names the file to which a lesson appends its results, one JSON object a line

Results = dict[str, dict[str, Figure]]  # id: the figures reported for it


class NotReproduced(AssertionError):
    """The figures that a lesson computed are not what the register says of the formula."""


def reproduce(id: str, /, **figures: Any) -> None:
    """Holds what a lesson computed against the register's entry `id`.

    Prints one line with the verdict and, where a runner asks for it, writes the figures down for the ledger.

        reproduce("D3-4-d", sigmoid=sigmoid(-3.0), z_of_printed=logit(0.0478))

    Raises ValueError for an unknown id, a missing or unknown quantity, or a figure that is not finite; TypeError for
    one of the wrong kind; NotReproduced (an AssertionError) where the figures do not show what they must.
    """
    formula = find(id)
    plain = formula.read(figures)
    if path := os.environ.get(RESULTS):
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"id": id, "figures": plain}) + "\n")
    if faults := formula.judge(plain):
        raise NotReproduced(f"{id} ({formula.subject}): {'; '.join(faults)}")
    print(f"{id:<12} {formula.verdict}, reproduced: {formula.summary(plain)}")


def read_results(path: Path) -> Results:
    """What a lesson wrote down."""
    if not path.exists():
        return {}
    records = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {record["id"]: record["figures"] for record in records}


@dataclass(frozen=True)
class Entry:
    """One line of the ledger. `lesson` is None and `state` is "missing" where no lesson has taken the formula on."""

    formula: Formula
    lesson: int | None
    state: str  # pass, fail or missing
    figures: dict[str, Figure] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def ledger(owners: Mapping[str, int], results: Results) -> list[Entry]:
    """A line for every formula of the register.

    `owners` gives the number of the lesson that has taken a formula on; what the lessons reported is judged anew.
    """
    return [_entry(formula, owners.get(id), results.get(id)) for id, formula in load().items()]


def _entry(formula: Formula, lesson: int | None, figures: dict[str, Figure] | None) -> Entry:
    if lesson is None:
        return Entry(formula, None, "missing")
    if figures is None:
        return Entry(formula, lesson, "fail", faults=[f"lesson {lesson:02d} did not report it"])
    try:
        faults = formula.judge(formula.read(figures))
    except (TypeError, ValueError) as error:
        faults = [str(error)]
    return Entry(formula, lesson, "fail" if faults else "pass", figures, faults)
