"""Progress bars and figures."""

import io
import os
import subprocess
import sys

import pytest

from lessons import progress, save_figure, screen
from lessons.runner import child_environment


class Terminal(io.StringIO):
    def isatty(self):
        return True


def clock(monkeypatch, step):
    """A clock that moves on by `step` seconds each time it is read."""
    times = iter(range(10**6))
    monkeypatch.setattr(screen.time, "monotonic", lambda: step * next(times))


def test_progress_passes_everything_on_and_ends_with_a_line(capsys, monkeypatch):
    clock(monkeypatch, 0.01)
    assert list(progress("abc", "letters")) == ["a", "b", "c"]
    assert capsys.readouterr().out == "letters [##############################] 3/3, 0.0 s\n"


def test_progress_in_a_file_writes_a_line_every_ten_seconds(capsys, monkeypatch):
    clock(monkeypatch, 4.0)
    list(progress(range(6), "work"))
    assert capsys.readouterr().out.splitlines() == [
        "work [###############...............] 3/6, 12.0 s",
        "work [##############################] 6/6, 24.0 s",
    ]


def test_progress_in_a_terminal_is_drawn_in_place(monkeypatch):
    clock(monkeypatch, 0.06)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    list(progress(range(4), "work"))
    assert terminal.getvalue() == (
        "\rwork [###############...............] 2/4, 0.1 s"
        "\rwork [##############################] 4/4, 0.2 s"
        "\rwork [##############################] 4/4, 0.3 s\n"
    )


def test_progress_without_a_length_or_items(capsys, monkeypatch):
    clock(monkeypatch, 1.0)
    assert list(progress(iter("ab"), "letters")) == ["a", "b"]
    assert list(progress([], "nothing")) == []
    assert capsys.readouterr().out == "letters: 2, 3.0 s\nnothing: 0, 1.0 s\n"


def test_a_loop_that_is_left_early_ends_the_line(monkeypatch):
    clock(monkeypatch, 0.001)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    for item in (bar := progress(range(10), "work")):
        if item == 3:
            break
    bar.close()
    assert terminal.getvalue().endswith("] 3/10, 0.0 s\n")


LESSON = """
import matplotlib.pyplot as plt
from lessons import save_figure
fig, ax = plt.subplots()
ax.plot([1, 2])
print(save_figure(fig, "line"))
print(save_figure(fig, "line.svg"))
print(plt.get_backend().lower())
"""


def run_lesson(folder, cwd, **environment):
    path = folder / "07_drawing.py"
    path.write_text(LESSON, encoding="utf-8")
    base = {name: value for name, value in child_environment().items() if name != "MPLBACKEND"}
    run = subprocess.run(
        [sys.executable, str(path)], cwd=cwd, env={**base, **environment}, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def test_a_figure_goes_beside_the_lesson_and_no_window_opens(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    png, svg = (tmp_path.resolve() / "output" / "07" / name for name in ("line.png", "line.svg"))
    lines = run_lesson(tmp_path, tmp_path / "elsewhere")
    assert lines == [f"figure: {png}", f"{png}", f"figure: {svg}", f"{svg}", "agg"]
    assert png.read_bytes()[:4] == b"\x89PNG"
    assert "<svg" in svg.read_text(encoding="utf-8")


def test_a_figure_goes_to_the_current_folder_where_the_lessons_cannot_be_written(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "output").write_text("a file in the way", encoding="utf-8")
    png = tmp_path.resolve() / "elsewhere" / "line.png"
    assert f"figure: {png}" in run_lesson(tmp_path, tmp_path / "elsewhere")
    assert png.exists()


def test_a_chosen_backend_is_kept(tmp_path):
    assert run_lesson(tmp_path, tmp_path, MPLBACKEND="svg")[-1] == "svg"


@pytest.mark.parametrize("name", ["", "a/b", os.path.join("..", "a")])
def test_a_figure_has_a_plain_name(name):
    with pytest.raises(ValueError) as error:
        save_figure(None, name)
    assert str(error.value) == f"save_figure: name must be a plain file name, got {name!r}"
