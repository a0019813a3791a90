"""`python -m lessons`, on small made-up lessons."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from lessons import runner, store
from lessons.__main__ import main
from lessons.catalogue import find_lessons, read_lesson
from lessons.register import load

ROOT = Path(__file__).resolve().parents[2]

GOOD = '''
"""
Activations
===========

What do they do?

:formulas: D3-4-b,
    D3-4-j
:time: 3 min
"""

import math

from lessons import reproduce

print("some output")
reproduce("D3-4-b", relu=[max(0, -2), max(0, 3)])
reproduce("D3-4-j", loss=-math.log(0.9))
'''


def lesson(body="", formulas="", time="2 s", title="A lesson"):
    field = f":formulas: {formulas}\n" if formulas else ""
    return f'"""\n{title}\n{"=" * len(title)}\n\nWhy?\n\n{field}:time: {time}\n"""\n' + textwrap.dedent(body)


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A folder for lessons, and a function that writes one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))

    class Course:
        folder = tmp_path / "course"

        def write(self, name, text):
            path = self.folder / name
            path.write_text(text.lstrip("\n"), encoding="utf-8")
            return path

        def main(self, *arguments):
            return main(arguments, self.folder)

    Course.folder.mkdir()
    return Course()


# ------------------------------------------------------------------------------------------------------- catalogue


def test_a_header_is_read_without_running_the_lesson(course):
    course.write("03_activations.py", GOOD + "raise SystemExit(3)\n")
    (found,) = find_lessons(course.folder)
    assert (found.number, found.title, found.seconds) == (3, "Activations", 180)
    assert found.formulas == ("D3-4-b", "D3-4-j")


NO_TITLE = "X.py: its docstring must begin with the title and a line of = below it"
NO_TIME = 'X.py: its docstring needs a line like ":time: 5 s" or ":time: 3 min"'


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("03_x.py", "", NO_TITLE),
        ("03_x.py", '"""Title"""', NO_TITLE),
        ("03_x.py", '"""Title\n-----\n"""', NO_TITLE),
        ("03_x.py", '"""Title\n=====\n"""', NO_TIME),
        ("03_x.py", lesson(time="soon"), NO_TIME),
        ("03_x.py", lesson(formulas="D3-4-b, D9-1-a"), "X.py: the register has no entry D9-1-a"),
        ("03_x.py", lesson(formulas="D3-4-b, D3-4-b"), "X.py: an id stands twice in :formulas:"),
        ("03_x.py", "def f(:\n", "X.py: line 1: invalid syntax"),
        ("03_X-y.py", lesson(), "X.py: a lesson's file is called NN_words_in_lower_case.py"),
    ],
)
def test_what_is_wrong_with_a_header(course, name, text, message):
    with pytest.raises(ValueError) as error:
        read_lesson(course.write(name, text))
    assert str(error.value) == message.replace("X.py", name)


def test_two_lessons_may_not_share_a_number_or_a_formula(course, capsys):
    course.write("03_a.py", lesson(formulas="D3-4-b"))
    course.write("04_b.py", lesson(formulas="D3-4-b"))
    assert course.main() == 1
    assert capsys.readouterr().err == "lessons: D3-4-b belongs to both 03_a.py and 04_b.py\n"
    course.write("03_c.py", lesson())
    assert course.main() == 1
    assert capsys.readouterr().err == "lessons: 3 belongs to both 03_a.py and 03_c.py\n"


def test_the_list(course, capsys):
    course.write("03_activations.py", GOOD)
    course.write("04_units.py", lesson(formulas="D3-4-c, D3-4-d D3-4-e, D1-2.1.2-a", title="Units"))
    assert course.main() == 0
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        f"03  {'Activations':<60}   3 min",
        "      D3-4-b, D3-4-j",
        f"04  {'Units':<60}     2 s",
        "      D1-2.1.2-a, D3-4-c..e",
        "2 lessons; below each, the formulas that it reproduces (python -m lessons formulas).",
        "Run one: python -m lessons run 3     Its exercises: python -m lessons check 3",
    ]


# ------------------------------------------------------------------------------------------------------------- run


@pytest.fixture
def three(course):
    """Lessons 3 (good), 5 (wrong figure) and 6 (crashes)."""
    course.write("03_activations.py", GOOD)
    wrong = 'from lessons import reproduce\nprint("before")\nreproduce("D3-4-l", loss=0.04, usual=0.04)\n'
    course.write("05_wrong.py", lesson(wrong, "D3-4-l, D3-4-k"))
    course.write("06_crash.py", lesson("1 / 0\n"))
    return course


def test_run_selects(three, capsys):
    for words, numbers in ((["3"], ["03"]), (["5-6", "3"], ["03", "05", "06"]), (["all"], ["03", "05", "06"])):
        three.main("run", *words)
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[1] for line in lines if line.startswith("[")] == numbers


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("4", "run: there is no lesson 4"),
        ("7-9", "run: there is no lesson 7-9"),
        ("six", "run: 'six' is neither a number, a range such as 5-7, nor all"),
    ],
)
def test_run_what_is_not_there(three, capsys, word, message):
    assert three.main("run", word) == 1
    assert capsys.readouterr().err == f"lessons: {message}\n"


def seconds_out(text):
    return re.sub(r"\d+\.\d s\b", "T s", text)


def test_run_one_shows_its_output(three, capfd):
    assert three.main("run", "3") == 0
    lines = seconds_out(capfd.readouterr().out).splitlines()
    assert lines[0] == "[1/1] 03 Activations (about 3 min) "
    assert "some output" in lines
    assert lines[-2:] == ["ok, T s, 2 of 2 formulas", "1 of 1 lessons passed, 2 of 2 formulas reproduced, T s"]


def test_run_several_reports_each_and_fails(three, capfd):
    assert three.main("run", "all") == 1
    text = seconds_out(capfd.readouterr().out)
    assert "[1/3] 03 Activations (about 3 min) ok, T s, 2 of 2 formulas\n" in text
    assert "[2/3] 05 A lesson (about 2 s) FAILED, T s, 0 of 2 formulas\n    | before\n" in text
    assert "    | lessons.ledger.NotReproduced: D3-4-l (MSE for y = 5, a = 4.8): loss is 0.04, expected 0.02" in text
    assert "    ended with exit status 1\n    D3-4-k: lesson 05 did not report it\n    D3-4-l: loss is 0.04, " in text
    assert "[3/3] 06 A lesson (about 2 s) FAILED, T s\n" in text
    assert "    | ZeroDivisionError: division by zero\n    ended with exit status 1\n" in text
    assert text.endswith("1 of 3 lessons passed, 2 of 4 formulas reproduced, T s\nfailed: 05, 06\n")


def test_run_verbose_shows_all_output(three, capfd):
    three.main("run", "all", "-v")
    output = capfd.readouterr()
    assert "some output" in output.out
    assert "ZeroDivisionError" in output.err


def test_a_lesson_that_reports_what_it_does_not_declare_fails(course, capfd):
    course.write("03_activations.py", GOOD.replace("D3-4-b,\n    ", ""))
    assert course.main("run", "3") == 1
    assert "    D3-4-b: reported, but not declared in the header\n" in capfd.readouterr().out


def test_a_lesson_may_print_any_letters(course, capfd):
    course.write("03_a.py", lesson('print("\\u5927\\u6a21\\u578b \\u03b1")\n1 / 0\n'))
    course.write("04_a.py", lesson())
    assert course.main("run", "all") == 1
    assert "    | \u5927\u6a21\u578b \u03b1\n" in capfd.readouterr().out


SLEEP = """
    import time
    from pathlib import Path
    Path("started").touch()
    time.sleep(60)
    Path("finished").touch()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot send Ctrl-C to one process")
@pytest.mark.parametrize("command", [["run", "all"], ["run", "4"], ["formulas"]])
def test_ctrl_c_ends_the_lesson_too(course, tmp_path, command):
    course.write("03_activations.py", GOOD)
    course.write("04_sleep.py", lesson("from lessons import reproduce\n" + textwrap.dedent(SLEEP), "D3-4-a"))
    program = "import sys; from pathlib import Path; from lessons.__main__ import main\n"
    program += "sys.exit(main(sys.argv[2:], Path(sys.argv[1])))"
    start = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(course.folder), *command],
        cwd=tmp_path,
        env=runner.child_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while not (tmp_path / "started").exists():
        assert time.monotonic() - start < 30
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)  # to the runner alone
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "\ninterrupted\n" in output
    assert not (tmp_path / "finished").exists()
    if command == ["run", "all"]:
        assert "1 of 2 lessons passed, 2 of 2 formulas reproduced" in output


# -------------------------------------------------------------------------------------------------------- formulas


def test_the_ledger(three, capsys):
    assert three.main("formulas") == 1
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert "D3-4-b       correct     03  pass     relu [0, 3]" in lines
    assert "D3-4-k       convention  05  fail     lesson 05 did not report it" in lines
    assert "D3-4-c       correct     --  missing" in lines
    assert lines[0] == "formula      verdict     in  state    what lesson 'in' computed"
    assert len(lines) == 120
    assert lines[-1] == (
        "118 formulas: 2 reproduced (0 of 42 errata shown to be wrong), 2 failed, 114 without a lesson"
    )
    assert "lesson 05: D3-4-k: lesson 05 did not report it\n" in output.err


def test_the_ledger_for_programs(three, capsys):
    assert three.main("formulas", "--json") == 1
    entries = {entry["id"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert list(entries) == list(load())
    assert (entries["D3-4-b"]["lesson"], entries["D3-4-b"]["state"]) == (3, "pass")
    assert entries["D3-4-b"]["figures"] == {"relu": [0, 3]}
    assert (entries["D3-4-l"]["lesson"], entries["D3-4-l"]["state"]) == (5, "fail")
    assert entries["D3-4-l"]["faults"][0] == "loss is 0.04, expected 0.02 within 1e-12"
    assert (entries["D3-4-c"]["lesson"], entries["D3-4-c"]["state"]) == (None, "missing")


def test_complete_fails_where_a_formula_has_no_lesson(course, capsys):
    course.write("03_activations.py", GOOD)
    assert course.main("formulas") == 0
    assert course.main("formulas", "--complete") == 1


def test_a_lesson_is_run_again_only_when_something_changed(course, tmp_path, monkeypatch, capsys):
    count = tmp_path / "count"
    body = f"\nwith open({str(count)!r}, 'a') as file:\n    file.write('x')\n"
    path = course.write("03_activations.py", GOOD + body)

    def runs(*arguments):
        assert course.main("formulas", *arguments) == 0
        assert "D3-4-b       correct     03  pass     relu [0, 3]\n" in capsys.readouterr().out
        return len(count.read_text(encoding="utf-8"))

    assert runs() == 1
    assert runs() == 1
    assert runs("--fresh") == 2
    path.write_text(path.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert runs() == 3
    monkeypatch.setattr(store, "_sources", lambda: iter([count]))  # another source beneath the lesson
    assert runs() == 4
    for kept in (tmp_path / "cache").rglob("*.json"):
        kept.write_text("{", encoding="utf-8")
    assert runs() == 5
    monkeypatch.setenv("XDG_CACHE_HOME", str(count))  # a file: nothing can be written there
    monkeypatch.setenv("LOCALAPPDATA", str(count))
    assert runs() == 6
    assert runs() == 7


def test_a_stored_run_is_judged_anew(course, tmp_path, capsys):
    course.write("03_activations.py", GOOD)
    assert course.main("formulas") == 0
    (kept,) = (tmp_path / "cache").rglob("*.json")
    kept.write_text(kept.read_text(encoding="utf-8").replace("[0, 3]", "[0, 4]"), encoding="utf-8")
    assert course.main("formulas") == 1
    assert "D3-4-b       correct     03  fail     relu is [0, 4], expected [0, 3]; " in capsys.readouterr().out


@pytest.mark.parametrize("command", [["formulas"], ["run", "all"]])
def test_a_good_run_is_stored_and_a_failed_one_is_not(three, tmp_path, command):
    three.main(*command)
    assert [path.name[:3] for path in (tmp_path / "cache").rglob("*.json")] == ["03-"]


def test_an_entry_explained(capsys):
    assert main(["formulas", "D3-4-d", "D4-4.1.1-a"]) == 0
    text = capsys.readouterr().out
    assert text.startswith('D3-4-d  Sigmoid(-3) (example, erratum)\n  D3, section 4 "')
    assert "    sigmoid [0.04742587 within 1e-10; not the printed 0.0478]: Sigmoid(-3)\n" in text
    assert "\n  printed: MSE = \\frac{1}{n} \\sum_{i=1}^{n} (y_i - \\hat{y}_i)^2\n" in text
    assert main(["formulas", "D3-4-dd"]) == 1
    assert "near it: D3-4-d" in capsys.readouterr().err


def test_the_module_is_a_program():
    run = subprocess.run(
        [sys.executable, "-m", "lessons", "formulas", "D3-4-d"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0
    assert run.stdout.startswith("D3-4-d")


@pytest.fixture
def closed_pipe():
    """The end of a pipe that is written to; nobody reads the other one."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


def run_into(pipe, *command, stderr=subprocess.PIPE, **environment):
    """`python -m lessons` with the pipe as its output."""
    return subprocess.run(
        [sys.executable, "-m", "lessons", *command],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=pipe,
        stderr=stderr,
        text=True,
        timeout=60,
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows reports a closed pipe as another error")
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["written at the end", "written at once"])
@pytest.mark.parametrize("command", [[], ["formulas", "D3-4-d"], ["check", "1"]], ids=["list", "formulas", "check"])
def test_a_closed_pipe_ends_a_command_without_a_word(command, unbuffered, closed_pipe):
    run = run_into(closed_pipe, *command, PYTHONUNBUFFERED=unbuffered)
    assert (run.returncode, run.stderr) == (141, "")


@pytest.mark.skipif(os.name == "nt", reason="Windows reports a closed pipe as another error")
def test_a_closed_pipe_ends_the_check_of_a_solution_without_a_word(closed_pipe, tmp_path):
    solution = tmp_path / "solution.py"
    solution.write_text("")
    run = run_into(closed_pipe, "check", "1", str(solution))
    assert (run.returncode, run.stderr) == (141, "")


@pytest.mark.skipif(os.name == "nt", reason="Windows reports a closed pipe as another error")
def test_an_error_message_into_a_closed_pipe(closed_pipe):
    assert run_into(closed_pipe, "formulas", "D9", stderr=closed_pipe).returncode == 141


def test_unknown_command_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as end:
        main(["dance"])
    assert end.value.code == 2
    assert "invalid choice: 'dance'" in capsys.readouterr().err
