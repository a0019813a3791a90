"""`reproduce` and the ledger."""

import json
from collections import Counter

import numpy as np
import pytest
from lesson_figures import ENTRIES, satisfying

from lessons import NotReproduced, reproduce
from lessons.ledger import RESULTS, ledger, read_results
from lessons.register import load

SIGMOID = dict(sigmoid=1 / (1 + np.exp(3.0)), z_of_printed=np.log(0.0478 / (1 - 0.0478)))
UNIT = satisfying(load()["D1-2.1.3-b"])


def test_one_line_for_a_formula_that_is_reproduced(capsys):
    reproduce("D3-4-d", **SIGMOID)
    reproduce("D1-2.1.3-b", **{**UNIT, "loss": 0.0361647})
    assert capsys.readouterr().out.splitlines() == [
        "D3-4-d       erratum, reproduced: sigmoid 0.04742587 (printed 0.0478: wrong), z_of_printed -2.991749",
        "D1-2.1.3-b   erratum, reproduced: measured -0.07931564, right -0.07931564, printed 0.07931564 (wrong), "
        "loss 0.0361647, loss_right 0.02797101, loss_printed 0.0462191",
    ]


def test_all_kinds_of_numbers_are_taken(capsys):
    class Tensor:
        def tolist(self):
            return [0, 3]

    for relu in ([0, 3], (0, 3), np.array([0, 3]), np.array([0.0, 3.0], np.float32), Tensor()):
        reproduce("D3-4-b", relu=relu)
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_a_wrong_figure_stops_the_lesson():
    with pytest.raises(NotReproduced) as error:
        reproduce("D3-4-d", **{**SIGMOID, "sigmoid": 0.0478})
    assert isinstance(error.value, AssertionError)
    assert str(error.value) == (
        "D3-4-d (Sigmoid(-3)): sigmoid is 0.0478, expected 0.04742587 within 1e-10; "
        "sigmoid is 0.0478, which agrees with the printed 0.0478: that is the wrong one"
    )


TAKES = "(it takes sigmoid, z_of_printed)"


@pytest.mark.parametrize(
    ("id", "figures", "kind", "message"),
    [
        ("D3-4-z", {}, ValueError, "the register of formulas has no entry 'D3-4-z'; near it: D3-4-x, D3-4-w, D3-4-v"),
        ("D3-4-d", {}, ValueError, f"reproduce D3-4-d: missing sigmoid, z_of_printed {TAKES}"),
        ("D3-4-d", dict(sigmoid=1), ValueError, f"reproduce D3-4-d: missing z_of_printed {TAKES}"),
        ("D3-4-d", {**SIGMOID, "b": 1, "c": 2}, ValueError, f"reproduce D3-4-d: unknown b, c {TAKES}"),
        ("D3-4-b", dict(sigmoid=1), ValueError, "reproduce D3-4-b: missing relu; unknown sigmoid (it takes relu)"),
        ("D3-4-b", dict(relu=[0, np.nan]), ValueError, "reproduce D3-4-b: relu is not finite: [0, nan]"),
        ("D3-4-b", dict(relu=np.inf), ValueError, "reproduce D3-4-b: relu is not finite: inf"),
        ("D3-4-b", dict(relu=[]), ValueError, "reproduce D3-4-b: relu is empty"),
        ("D3-4-b", dict(relu="0"), TypeError, "reproduce D3-4-b: relu must be a number, got '0'"),
        ("D3-4-b", dict(relu=True), TypeError, "reproduce D3-4-b: relu must be a number, got True"),
        (
            "D3-4-b",
            dict(relu=None),
            TypeError,
            "reproduce D3-4-b: relu must be a number or a list of numbers, got NoneType",
        ),
        (
            "D3-4-b",
            dict(relu=[[1], [1, 2]]),
            TypeError,
            "reproduce D3-4-b: relu must be a number or a list of numbers, got list",
        ),
        (
            "D4-5.2-c",
            dict(printed_error=1, right_error="none"),
            TypeError,
            "reproduce D4-5.2-c: printed_error must be str, got 1",
        ),
    ],
)
def test_what_is_no_figure_is_refused(id, figures, kind, message):
    with pytest.raises(kind) as error:
        reproduce(id, **figures)
    assert str(error.value) == message


def test_results_are_written_where_a_runner_asks(tmp_path, monkeypatch):
    path = tmp_path / "results.jsonl"
    monkeypatch.setenv(RESULTS, str(path))
    assert read_results(path) == {}
    reproduce("D3-4-d", **SIGMOID)
    with pytest.raises(NotReproduced):
        reproduce("D3-4-b", relu=np.array([0, 4]))
    assert read_results(path) == {"D3-4-d": SIGMOID, "D3-4-b": {"relu": [0, 4]}}


def test_the_ledger_has_a_line_for_every_formula_and_judges_by_itself():
    results = {formula.id: satisfying(formula) for formula in ENTRIES}
    results = json.loads(json.dumps(results))
    entries = ledger(dict.fromkeys(results, 7), results)
    assert [entry.formula.id for entry in entries] == list(load())
    assert all(entry.state == "pass" and not entry.faults for entry in entries)


def test_the_ledger_tells_pass_fail_and_missing():
    owners = {"D3-4-b": 3, "D3-4-c": 3, "D3-4-j": 4, "D3-4-d": 3}
    results = {"D3-4-b": {"relu": [0, 3]}, "D3-4-j": {"loss": 0.2}, "D3-4-d": {"old_name": 1.0}}
    entries = {entry.formula.id: entry for entry in ledger(owners, results)}
    assert Counter(entry.state for entry in entries.values()) == {"pass": 1, "fail": 3, "missing": 114}
    assert entries["D3-4-b"].state == "pass"
    assert entries["D3-4-c"].faults == ["lesson 03 did not report it"]
    assert entries["D3-4-j"].faults[0] == "loss is 0.2, expected 0.1053605 within 5e-08"
    assert entries["D3-4-d"].faults == [f"reproduce D3-4-d: missing sigmoid, z_of_printed; unknown old_name {TAKES}"]
    assert entries["D1-2.1.3-b"].lesson is None
