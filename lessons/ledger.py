"""`reproduce`: a lesson's way of saying "this formula, these figures"."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lessons.register import Figure, find

RESULTS = "MINIDL_LESSON_RESULTS"  # names the file to which a lesson appends its results, one JSON object a line


class NotReproduced(AssertionError):
    """The figures that a lesson computed are not what the register says of the formula."""


def reproduce(id: str, /, **figures: Any) -> None:
    """Holds what a lesson computed against the register entry `id`.

    Prints one line with the verdict and, where a runner asks for it, writes the figures down for the ledger.

        reproduce("D3-4-d", sigmoid=sigmoid(-3.0))

    Raises ValueError for an unknown id, a missing or unknown quantity, or a figure that is not finite; TypeError for
    one that is not a number; NotReproduced (an AssertionError) where the figures do not show what they must.
    """
    formula = find(id)
    plain = formula.read(figures)
    faults = formula.judge(plain)
    if path := os.environ.get(RESULTS):
        _write(Path(path), id, plain)
    if faults:
        raise NotReproduced(f"{id} ({formula.subject}): {'; '.join(faults)}")
    print(f"{id:<12} {formula.verdict}, reproduced: {formula.summary(plain)}")


def read_results(path: Path) -> dict[str, dict[str, Figure]]:
    """What a lesson wrote down: the figures of every id that it reported."""
    return {record["id"]: record["figures"] for record in _records(path)}


def _records(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


def _write(path: Path, id: str, figures: dict[str, Figure]) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps({"id": id, "figures": figures}) + "\n")
