"""The register of formulas: what the documents print, what is right, and what a lesson must show for it.

`formulas.toml` holds all entries. Each names the quantities that a lesson has to compute, and everything
that must be true of them: expected values, bounds, tolerances. A lesson therefore passes an id and figures, never
an expectation. The fields of one quantity, all optional except `what`:

- `what`: what the lesson computes, with the inputs of the example.
- `value`, `tolerance`: the figure is this number (or list of numbers), within the tolerance; a truth value, a text or
  an integer without a tolerance must be exact.
- `printed`, `rounding`: the number that the document prints, and half a unit of its last digit. The figure must agree
  with it where the verdict is correct or convention, and disagree where it is erratum.
- `equals` or `differs`, `within`: the name of another quantity that this one must (must not) equal within `within`.
  So the gradient by the right form equals the measured one, and the gradient by the printed form does not.
- `below`, `above`: a number or the name of another quantity; strict, and for every element of a list.
"""

from __future__ import annotations

import difflib
import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

REGISTER = Path(__file__).with_name("formulas.toml")
VERDICTS = ("correct", "convention", "erratum")

Figure = Any  # a number, a truth value, a text, or a (nested) list of numbers: what JSON can hold


@dataclass(frozen=True)
class Quantity:
    """One thing that a lesson computes for a formula, and what must be true of it."""

    name: str
    what: str
    value: Figure = None
    tolerance: float = 0.0
    printed: Figure = None
    rounding: float = 0.0
    equals: str | None = None
    differs: str | None = None
    within: float = 0.0
    below: float | str | None = None
    above: float | str | None = None


@dataclass(frozen=True)
class Formula:
    """One entry of the register; `printed`, `right` and `supplied` are lines of LaTeX."""

    id: str
    document: str
    section: str
    section_zh: str
    section_en: str
    kind: str
    verdict: str
    subject: str
    meaning: str
    check: str
    shows: Mapping[str, Quantity]
    place: str = ""
    in_document: str = ""
    printed: tuple[str, ...] = ()
    right: tuple[str, ...] = ()
    supplied: tuple[str, ...] = ()
    note: str = ""
    quoted: str = ""

    def read(self, given: Mapping[str, Any]) -> dict[str, Figure]:
        """The figures as plain numbers and lists; raises where they are not what this entry asks for."""
        missing = [name for name in self.shows if name not in given]
        unknown = [name for name in given if name not in self.shows]
        if missing or unknown:
            faults = [f"missing {', '.join(missing)}"] if missing else []
            faults += [f"unknown {', '.join(unknown)}"] if unknown else []
            raise ValueError(f"reproduce {self.id}: {'; '.join(faults)} (it takes {', '.join(self.shows)})")
        return {name: _plain(self.id, self.shows[name], given[name]) for name in self.shows}

    def judge(self, figures: Mapping[str, Figure]) -> list[str]:
        """One sentence for everything that is wrong with the figures (as `read` returns them); none: reproduced."""
        return [fault for quantity in self.shows.values() for fault in self._faults(quantity, figures)]

    def _faults(self, quantity: Quantity, figures: Mapping[str, Figure]) -> list[str]:
        name, figure = quantity.name, figures[quantity.name]
        shown, faults = f"{name} is {show(figure)}", []
        if quantity.value is not None and distance(figure, quantity.value) > quantity.tolerance:
            within = f" within {quantity.tolerance:g}" if quantity.tolerance else ""
            faults.append(f"{shown}, expected {show(quantity.value)}{within}")
        if quantity.printed is not None:
            agrees = distance(figure, quantity.printed) <= quantity.rounding
            if agrees and self.verdict == "erratum":
                faults.append(f"{shown}, which agrees with the printed {show(quantity.printed)}: that is the wrong one")
            if not agrees and self.verdict != "erratum":
                faults.append(f"{shown}, which disagrees with the printed {show(quantity.printed)}")
        if quantity.equals is not None and distance(figure, figures[quantity.equals]) > quantity.within:
            other = f"{quantity.equals} ({show(figures[quantity.equals])})"
            faults.append(f"{shown}, but must equal {other} within {quantity.within:g}")
        if quantity.differs is not None and distance(figure, figures[quantity.differs]) <= quantity.within:
            other = f"{quantity.differs} ({show(figures[quantity.differs])})"
            faults.append(f"{shown}, but must differ from {other} by more than {quantity.within:g}")
        if quantity.below is not None:
            bound = figures[quantity.below] if isinstance(quantity.below, str) else quantity.below
            if not np.max(figure) < np.min(bound):
                faults.append(f"{shown}, but must be below {_bound(quantity.below, bound)}")
        if quantity.above is not None:
            bound = figures[quantity.above] if isinstance(quantity.above, str) else quantity.above
            if not np.min(figure) > np.max(bound):
                faults.append(f"{shown}, but must be above {_bound(quantity.above, bound)}")
        return faults

    def summary(self, figures: Mapping[str, Figure]) -> str:
        """The figures on one line; what an erratum's printed form gives is marked "(wrong)"."""
        words = []
        for quantity in self.shows.values():
            text = f"{quantity.name} {show(figures[quantity.name])}"
            if self.verdict == "erratum" and quantity.printed is not None:
                text += f" (printed {show(quantity.printed)}: wrong)"
            if self.verdict == "erratum" and quantity.name.startswith("printed"):
                text += " (wrong)"
            words.append(text)
        return ", ".join(words)


@functools.cache
def load(path: Path = REGISTER) -> dict[str, Formula]:
    """All entries by id, in the order of the documents."""
    with open(path, "rb") as file:
        entries = tomllib.load(file)["formula"]
    return {entry["id"]: _formula(entry) for entry in entries}


def find(id: str) -> Formula:
    """The entry with this id; ValueError, with the nearest ids, where there is none."""
    register = load()
    if id not in register:
        near = difflib.get_close_matches(str(id), register, n=3)
        hint = f"; near it: {', '.join(near)}" if near else ""
        raise ValueError(f"the register of formulas has no entry {id!r}{hint}")
    return register[id]


def distance(a: Figure, b: Figure) -> float:
    """The largest difference between two figures; infinite where kind or shape differ."""
    if isinstance(a, (str, bool)) or isinstance(b, (str, bool)):
        return 0.0 if type(a) is type(b) and a == b else float("inf")
    if isinstance(a, int) and isinstance(b, int):
        return abs(a - b)  # exact, also where a float could no longer tell them apart
    a, b = np.asarray(a, float), np.asarray(b, float)
    return float(np.max(np.abs(a - b))) if a.shape == b.shape else float("inf")


def show(figure: Figure) -> str:
    """A figure in a few characters."""
    if isinstance(figure, bool):
        return "yes" if figure else "no"
    if isinstance(figure, (int, str)):
        return repr(figure)
    if isinstance(figure, float):
        return f"{figure + 0.0:.7g}"  # + 0.0 takes the sign off a zero
    if np.size(figure) > 6:
        return f"{np.size(figure)} numbers from {np.min(figure):.4g} to {np.max(figure):.4g}"
    return f"[{', '.join(show(part) for part in figure)}]"


def _formula(entry: dict[str, Any]) -> Formula:
    known = {field.name for field in fields(Formula)}
    if strange := set(entry) - known:
        raise ValueError(f"formulas.toml: {entry['id']} has the unknown fields {', '.join(sorted(strange))}")
    shows = {name: _quantity(entry["id"], name, table) for name, table in entry["shows"].items()}
    latex = {key: tuple(entry.get(key, ())) for key in ("printed", "right", "supplied")}
    return Formula(**{**entry, **latex, "shows": shows})


def _quantity(id: str, name: str, table: dict[str, Any]) -> Quantity:
    known = {field.name for field in fields(Quantity)} - {"name"}
    if strange := set(table) - known:
        raise ValueError(f"formulas.toml: {id}: {name} has the unknown fields {', '.join(sorted(strange))}")
    return Quantity(name=name, **table)


def _plain(id: str, quantity: Quantity, given: Any) -> Figure:
    """NumPy scalars, arrays, tensors and tuples become Python numbers and lists; anything not finite is refused."""
    figure = given.tolist() if hasattr(given, "tolist") else given
    if isinstance(figure, tuple):
        figure = list(figure)
    what = f"reproduce {id}: {quantity.name}"
    if isinstance(figure, (str, bool)):
        expected = type(quantity.value)
        if expected is not type(figure):
            raise TypeError(
                f"{what} must be {'a number' if expected not in (str, bool) else expected.__name__}, got {figure!r}"
            )
        return figure
    if isinstance(quantity.value, (str, bool)):
        raise TypeError(f"{what} must be {type(quantity.value).__name__}, got {figure!r}")
    try:
        array = np.asarray(figure)
    except ValueError:  # lists of unequal length
        array = np.asarray(None)
    if array.size == 0:
        raise ValueError(f"{what} is empty")
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{what} must be a number or a list of numbers, got {type(given).__name__}")
    if not np.isfinite(array).all():
        raise ValueError(f"{what} is not finite: {show(figure)}")
    return figure


def _bound(bound: float | str, value: Figure) -> str:
    return f"{bound} ({show(value)})" if isinstance(bound, str) else f"{bound:g}"
