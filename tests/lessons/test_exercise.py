"""Checking a reader's solution."""

import subprocess
import sys

import numpy as np
import pytest

from lessons.__main__ import main
from lessons.exercise import Wrong, check, close, expect
from lessons.runner import child_environment

CHECKS = '''
import numpy as np
from lessons.exercise import close, expect

def check_sigmoid(solution):
    """Write `sigmoid(z)`: the logistic function."""
    for z in (-2.0, 0.0, 3.0):
        a = solution.sigmoid(z)
        expect(close(solution.sigmoid(-z), 1 - a), "sigmoid(-z) = 1 - sigmoid(z)", z=z, got=a)
        expect(0 < a < 1, "0 < sigmoid(z) < 1", z=z, got=a)

def check_halves(solution):
    """Write `halves(v)`: half of every entry of an array."""
    v = np.array([1.0, 2.0])
    got = solution.halves(v)
    expect(close(got + got, v), "halves(v) + halves(v) = v", v=v, got=got)
'''

RIGHT = """
import math
def sigmoid(z):
    return 1 / (1 + math.exp(-z))
def halves(v):
    v /= 2  # spoils its argument, which is a copy
    return v
"""


@pytest.fixture
def solve(tmp_path, capfd):
    """Writes a solution, checks it, and gives the exit status and what the reader sees."""
    folder = tmp_path / "exercises"
    folder.mkdir()
    (folder / "07.py").write_text(CHECKS, encoding="utf-8")

    def run(text, number=7, name="mine.py", time_limit=30.0):
        if isinstance(text, str):
            text = text.encode()
        if text is not None:
            (tmp_path / name).write_bytes(text)
        status = check(number, tmp_path / name, folder, time_limit)
        return status, capfd.readouterr().out

    return run


def test_a_right_solution(solve):
    assert solve(RIGHT) == (0, "sigmoid: right\nhalves: right\n")


def test_a_wrong_solution_sees_the_relation_and_not_the_answer(solve):
    wrong = RIGHT.replace("exp(-z)", "exp(z / 2)").replace("v /= 2", "v = v / 4")
    status, output = solve(wrong + "\nprint('hello from my file')\n")
    assert status == 1
    assert output == (
        "hello from my file\n"
        "sigmoid: right\n"
        'halves: not yet. "halves(v) + halves(v) = v" does not hold for\n'
        "    v = [1., 2.]\n"
        "    got = [0.25, 0.5 ]\n"
    )


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("def sigmoid(z:\n    pass\n", "mine.py is not valid Python: line 1: '(' was never closed\n"),
        (
            "import nothing_like_it\n",
            "mine.py cannot be loaded: ModuleNotFoundError: No module named 'nothing_like_it'",
        ),
        ("x = 1\n\nraise SystemExit(0)\n", "mine.py cannot be loaded: SystemExit: 0 (line 3 of mine.py)\n"),
        ("input()\n", "mine.py cannot be loaded: EOFError: EOF when reading a line (line 1 of mine.py)\n"),
        ("", "sigmoid: not yet. mine.py defines no function sigmoid\n"),
        ("sigmoid = 3\n", "sigmoid: not yet. sigmoid in mine.py is not a function but 3\n"),
        (
            "def sigmoid(z):\n    return 1 / 0\n",
            "sigmoid: not yet. sigmoid(-2) raised ZeroDivisionError: division by zero (line 2 of mine.py)\n",
        ),
        (
            "def sigmoid():\n    return 1\n",
            "sigmoid: not yet. sigmoid(-2) raised TypeError: sigmoid() takes 0 positional arguments but 1 was given\n",
        ),
        ("def sigmoid(z):\n    exit(0)\n", "sigmoid: not yet. sigmoid(-2) raised SystemExit: 0 (line 2 of mine.py)\n"),
        (
            "def sigmoid(z):\n    z + 1\n",
            "sigmoid: not yet. sigmoid(-2) returned nothing (is there a return statement?)\n",
        ),
        (
            "def sigmoid(z):\n    return 'one'\n",
            "sigmoid: not yet. The check can make nothing of the result: TypeError: unsupported operand type(s) for -",
        ),
        (
            "def sigmoid(z):\n    return float('nan')\n",
            'sigmoid: not yet. "sigmoid(-z) = 1 - sigmoid(z)" does not hold for\n    z = -2\n    got = nan\n',
        ),
    ],
)
def test_what_the_reader_is_told(solve, text, output):
    status, seen = solve(text)
    assert status == 1
    assert seen.startswith(output)


def test_a_file_in_another_encoding(solve):
    status, seen = solve("# coding\nx = '\xe9'\n".encode("latin-1"))
    assert status == 1
    assert seen.startswith("mine.py is not valid Python")


def test_a_loop_that_never_ends(solve):
    status, seen = solve("def sigmoid(z):\n    while True:\n        pass\n", time_limit=2.0)
    assert status == 1
    assert seen.endswith("sigmoid: still running after 2 s: is there a loop that never ends?\n")


def test_a_process_that_dies(solve):
    status, seen = solve("import os\ndef sigmoid(z):\n    os._exit(9)\n")
    assert (status, seen) == (1, "sigmoid: the process ended with exit status 9\n")


def test_a_wrong_file_name(solve, tmp_path):
    assert solve(None, name="mien.py") == (1, f"there is no file {tmp_path / 'mien.py'}\n")


def test_a_folder_is_no_solution(solve, tmp_path):
    (tmp_path / "folder").mkdir()
    assert solve(None, name="folder") == (1, f"there is no file {tmp_path / 'folder'}\n")


def test_a_file_of_any_name_is_read(solve):
    assert solve(RIGHT, name="my solution.txt")[0] == 0


def test_a_lesson_without_checks(solve):
    assert solve(RIGHT, number=8) == (1, "lesson 08 has no checked exercise\n")


def test_the_command(tmp_path, capfd):
    (tmp_path / "exercises").mkdir()
    (tmp_path / "exercises" / "07.py").write_text(CHECKS, encoding="utf-8")
    mine = tmp_path / "mine.py"
    mine.write_text(RIGHT, encoding="utf-8")
    assert main(["check", "7"], tmp_path) == 0
    assert capfd.readouterr().out == (
        "sigmoid: Write `sigmoid(z)`: the logistic function.\n"
        "halves: Write `halves(v)`: half of every entry of an array.\n"
        "Write them into a file of yours, then: python -m lessons check 7 my_solution.py\n"
    )
    assert main(["check", "7", str(mine)], tmp_path) == 0
    assert main(["check", "8"], tmp_path) == 1
    assert main(["check", "7", str(tmp_path / "other.py")], tmp_path) == 1


def test_it_works_from_another_folder(tmp_path):
    (tmp_path / "mine.py").write_text("", encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "lessons", "check", "0", "nowhere.py"],
        cwd=tmp_path,
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 1
    assert run.stderr == ""


def test_expect():
    expect(True, "always")
    expect(np.array([True, True]), "for all")
    with pytest.raises(Wrong) as error:
        expect(np.array([True, False]), "for all")
    assert str(error.value) == '"for all" does not hold'
    with pytest.raises(Wrong) as error:
        expect(False, "a = b", a=1 / 3, b=np.eye(2), c="text", pair=(np.float64(0.5), [np.zeros(1)]))
    assert str(error.value) == (
        '"a = b" does not hold for\n'
        "    a = 0.3333333333\n"
        "    b = [[1., 0.],\n"
        "         [0., 1.]]\n"
        "    c = 'text'\n"
        "    pair = (0.5, [[0.]])"
    )


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (1.0, 1.0 + 1e-9, True),
        (1.0, 1.0 + 1e-7, False),
        ([1, 2], np.array([1.0, 2.0]), True),
        ([1, 2], [[1, 2]], False),
        ("x", 1.0, False),
        (None, 1.0, False),
        (float("nan"), float("nan"), False),
        ([[1], [1, 2]], 1.0, False),
    ],
)
def test_close(a, b, same):
    assert close(a, b) is same


KERNEL_CHECK = '''
import numpy as np
from lessons.exercise import expect, simulated

def check_double(solution):
    """Write the kernel `double(x)`: twice every number of x, for any length; blocks of 32 threads."""
    x = np.arange(40, dtype=np.float32)
    report = simulated(solution.double, 2, 32, x)
    expect(np.array_equal(x, 2 * np.arange(40)), "every number is doubled", x=x)
    expect(report.counts.of("x", action="load").accesses == 40, "each number is read once")
'''


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ("if i < x.size: x[i] += x[i]", "is read once"),
        ("if i < x.size: x[i] *= float32(2.0)", "right"),
        ("x[i] *= float32(2.0)", "OutOfBounds: double, line 4:"),
        ("if i < x.size: x[i] = cuda.warp(2)", "NotImplementedError: simulator: double, line 4"),
    ],
)
def test_a_kernel_runs_in_the_simulator(solve, tmp_path, body, seen):
    (tmp_path / "exercises" / "60.py").write_text(KERNEL_CHECK, encoding="utf-8")
    kernel = f"from kernels.cuda.compiler import cuda, float32\ndef double(x):\n    i = cuda.grid(1)\n    {body}\n"
    status, output = solve(kernel, number=60)
    assert status == (seen != "right")
    assert seen in output
