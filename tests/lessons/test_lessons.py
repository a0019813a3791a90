"""The lessons themselves: their form, that they run, and that the ledger would find every wrong figure in them."""

import ast
import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest
from lesson_figures import ERRATA, wrong_figures, wrong_way_round

from lessons.catalogue import LESSONS, find_lessons
from lessons.exercise import check, checks
from lessons.ledger import RESULTS, read_results
from lessons.register import load
from lessons.runner import child_environment

FOUND = find_lessons()
# What the first lesson that needs a compiled kernel says on a machine where nothing has been compiled yet.
ANNOUNCED = re.compile(r"kernels: compiling .+ for this machine, once")
SOLUTIONS = Path(__file__).with_name("solutions")
every_lesson = pytest.mark.parametrize("lesson", FOUND, ids=lambda lesson: lesson.path.stem)


def test_file_names_shadow_no_module():
    """A lesson that runs has its folder first on the path, so no file there may bear the name of a library."""
    names = {path.stem for path in LESSONS.glob("*.py")} | {path.name for path in LESSONS.iterdir() if path.is_dir()}
    assert not names & (sys.stdlib_module_names | {"numpy", "numba", "matplotlib", "safetensors", "minidl", "kernels"})


@every_lesson
def test_a_lesson_reports_exactly_what_it_declares(lesson):
    tree = ast.parse(lesson.path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _name(node.func) == "reproduce"]
    ids = [call.args[0].value for call in calls if call.args and isinstance(call.args[0], ast.Constant)]
    assert len(ids) == len(calls), "reproduce takes the id as a text in the call"
    assert sorted(ids) == sorted(lesson.formulas)


def _name(function):
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


@every_lesson
def test_a_lesson_types_no_expectation(lesson):
    """What `reproduce` is given is computed: no number of the register stands in the call."""
    tree = ast.parse(lesson.path.read_text(encoding="utf-8"))
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and _name(call.func) == "reproduce":
            for argument in call.keywords:
                assert argument.arg is not None, "reproduce takes its figures by name"
                assert not _is_typed(argument.value), (call.args[0].value, argument.arg)


def _is_typed(expression):
    try:
        ast.literal_eval(expression)
    except ValueError:
        return False
    return True


@every_lesson
def test_a_lesson_has_a_question_cells_a_summary_and_exercises(lesson):
    text = lesson.path.read_text(encoding="utf-8")
    assert "?" in ast.get_docstring(ast.parse(text)), "the header asks a question"
    assert len(re.findall(r"^# %%", text, re.MULTILINE)) >= 3
    headings = re.findall(r"^# (.+)\n# [-=]+$", text, re.MULTILINE)
    assert "Summary" in headings
    assert "Exercises" in headings
    assert headings.index("Summary") < headings.index("Exercises")
    assert f"python -m lessons check {lesson.number}" in text, "the reader is told how to check an exercise"


@every_lesson
def test_a_lesson_explains_itself(lesson, record_property):
    """25 to 35 % of its lines should be prose; far outside of that a reader drowns in one or the other."""
    prose, lines = prose_share(lesson.path.read_text(encoding="utf-8"))
    share = prose / lines
    record_property("prose", f"{share:.0%}")
    print(f"{lesson.path.name}: {share:.0%} of its lines are prose")
    assert 0.20 <= share <= 0.60


def prose_share(text):
    """How many of the lines with something in them are comments or docstrings, and how many there are.

    A line of a comment without letters (an empty one, a cell mark, an underline) counts as blank.
    """
    prose = set()
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    for before, token in zip([None, *tokens], tokens, strict=False):
        alone = token.line.strip().startswith("#")
        first = before is None or before.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.NL, tokenize.COMMENT)
        if (token.type == tokenize.COMMENT and alone) or (token.type == tokenize.STRING and first):
            prose.update(range(token.start[0], token.end[0] + 1))
    lines = enumerate(text.splitlines(), 1)
    filled = {n for n, line in lines if line.strip() and (n not in prose or any(map(str.isalpha, line)))}
    return len(prose & filled), len(filled)


def test_prose_share():
    text = (
        '"""a\n=\n\nb"""\n\n# %%\n# one\n# ---\n#\nx = """c\nd"""  # not alone\ndef f():\n    """e"""\n    return 1\n'
    )
    assert prose_share(text) == (4, 8)


@every_lesson
def test_the_exercises_of_a_lesson_have_a_solution_that_is_right(lesson, tmp_path, capfd):
    tasks = checks(lesson.number)
    assert tasks, "at least one exercise is checked"
    for name, function in tasks.items():
        assert function.__doc__, name
    assert check(lesson.number, SOLUTIONS / f"{lesson.number:02d}.py") == 0, capfd.readouterr().out
    empty = tmp_path / "empty.py"
    empty.write_text("", encoding="utf-8")
    assert check(lesson.number, empty) == 1
    assert capfd.readouterr().out.count("not yet. empty.py defines no") == len(tasks)


@pytest.fixture(scope="module", params=FOUND, ids=lambda lesson: lesson.path.stem)
def run(request, tmp_path_factory):
    """A lesson that has run as a reader runs it: from another folder, its output (plain ASCII) in a file."""
    lesson = request.param
    folder = tmp_path_factory.mktemp(lesson.path.stem)
    environment = {**child_environment(), "PYTHONIOENCODING": "ascii", RESULTS: str(folder / "results.jsonl")}
    process = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", str(lesson.path)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="ascii",
        timeout=300 + 5 * lesson.seconds,
    )
    return lesson, process, read_results(folder / "results.jsonl")


@pytest.mark.lessons
def test_a_lesson_runs_and_reproduces_its_formulas(run):
    lesson, process, results = run
    assert process.returncode == 0, process.stdout[-2000:] + process.stderr[-4000:]
    said = [line for line in process.stderr.splitlines() if not ANNOUNCED.fullmatch(line)]
    assert said == []
    assert sorted(results) == sorted(lesson.formulas)
    for id, figures in results.items():
        assert load()[id].judge(load()[id].read(figures)) == []


@pytest.mark.lessons
def test_the_ledger_finds_every_wrong_figure(run):
    _, _, results = run
    for id, figures in results.items():
        formula = load()[id]
        for what, wrong in wrong_figures(formula, figures):
            assert formula.judge(formula.read(wrong)), f"{id}: {what}"
        for what, wrong in wrong_way_round(formula, figures) if formula in ERRATA else ():
            assert formula.judge(formula.read(wrong)), f"{id}: {what} exchanged"
