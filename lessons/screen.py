"""What a lesson shows besides text: a progress bar and figures."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

T = TypeVar("T")
WIDTH = 30


def progress(items: Iterable[T], label: str) -> Iterator[T]:
    """Passes the items on and shows how far the work has come.

    In a terminal this is a bar that is drawn again in place; in a file or a pipe it is one line every ten seconds and
    one at the end. Works without a known length too.
    """
    total = len(items) if isinstance(items, Sized) else None
    terminal = sys.stdout.isatty()
    start = drawn = time.monotonic()
    done, shown = 0, -1
    try:
        for item in items:
            yield item
            done += 1
            now = time.monotonic()
            if now - drawn >= (0.1 if terminal else 10.0):
                drawn, shown = now, done
                line = _line(label, done, total, now - start)
                print(f"\r{line}" if terminal else line, end="" if terminal else "\n", flush=True)
    finally:  # also when the loop is left early
        line = _line(label, done, total, time.monotonic() - start)
        if terminal:
            print(f"\r{line}", flush=True)
        elif shown != done:
            print(line, flush=True)


def save_figure(figure: Figure, name: str) -> Path:
    """Saves a matplotlib figure as `lessons/output/NN/name.png`, prints the path and returns it.

    NN is the number of the lesson that runs. Where that folder cannot be written, or no lesson file runs (a notebook
    cell, say), the figure goes to the current folder.
    """
    if Path(name).name != name or not name:
        raise ValueError(f"save_figure: name must be a plain file name, got {name!r}")
    file_name = name if Path(name).suffix in (".png", ".svg", ".pdf") else f"{name}.png"
    path = _figure_folder() / file_name
    try:
        figure.savefig(path, dpi=120)
    except OSError:
        path = Path.cwd() / file_name
        figure.savefig(path, dpi=120)
    print(f"figure: {path}")
    return path


def draw_without_windows() -> None:
    """Chooses matplotlib's Agg backend, unless the reader (or a notebook) has chosen one."""
    if "MPLBACKEND" in os.environ:
        return
    os.environ["MPLBACKEND"] = "Agg"
    if matplotlib := sys.modules.get("matplotlib"):  # imported before the variable was set
        matplotlib.use("Agg")


def _line(label: str, done: int, total: int | None, seconds: float) -> str:
    if not total:
        return f"{label}: {done}, {seconds:.1f} s"
    filled = WIDTH * done // total
    return f"{label} [{'#' * filled}{'.' * (WIDTH - filled)}] {done}/{total}, {seconds:.1f} s"


def _figure_folder() -> Path:
    script = getattr(sys.modules["__main__"], "__file__", None)
    if script is None or not re.fullmatch(r"\d\d_\w+\.py", Path(script).name):
        return Path.cwd()
    folder = Path(script).resolve().parent / "output" / Path(script).name[:2]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path.cwd()
    return folder
