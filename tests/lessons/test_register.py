"""The register of formulas: complete, well formed, and such that no wrong figure passes."""

import dataclasses
import re
from collections import Counter

import pytest
from lesson_figures import ENTRIES, ERRATA, satisfying, wrong_figures, wrong_way_round

from lessons import register
from lessons.register import Formula, Quantity, distance, find, load, show

every_entry = pytest.mark.parametrize("formula", ENTRIES, ids=lambda formula: formula.id)
every_erratum = pytest.mark.parametrize("formula", ERRATA, ids=lambda formula: formula.id)


def test_totals():
    assert len(load()) == 118
    assert Counter(f.document for f in ENTRIES) == dict(D0=7, D1=47, D2=3, D3=37, D4=24)
    assert Counter(f.document for f in ERRATA) == dict(D1=15, D3=15, D4=12)
    assert Counter(f.verdict for f in ENTRIES) == dict(correct=61, convention=15, erratum=42)
    kinds = dict(code=18, example=9, formula=50, label=4, model=5, number=2, procedure=30)
    assert Counter(f.kind for f in ENTRIES) == kinds


def test_ids_are_unique_and_in_the_order_of_the_documents():
    text = register.REGISTER.read_text(encoding="utf-8")
    ids = re.findall(r'^id = "(.*)"$', text, re.MULTILINE)
    assert ids == list(load())
    assert ids == sorted(ids)


@every_entry
def test_an_entry_is_well_formed(formula):
    assert re.fullmatch(r"D[0-4]-[0-9B][0-9.]*-[a-z]", formula.id)
    assert formula.id.startswith(f"{formula.document}-{formula.section}-")
    assert formula.kind != "formula" or formula.printed
    assert formula.printed or formula.in_document
    assert bool(formula.right) == (formula.verdict == "erratum")
    assert formula.meaning
    assert formula.check
    assert formula.section_en
    assert formula.subject.isascii()
    assert re.search("[\u4e00-\u9fff]", formula.section_zh)
    assert formula.shows


@every_entry
def test_every_quantity_is_explained_and_must_be_something(formula):
    for quantity in formula.shows.values():
        demands = [quantity.value, quantity.printed, quantity.equals, quantity.differs, quantity.below, quantity.above]
        assert quantity.what
        assert any(demand is not None for demand in demands), quantity.name
        for other in (quantity.equals, quantity.differs, quantity.below, quantity.above):
            assert not isinstance(other, str) or other in formula.shows, (quantity.name, other)
        exact = not isinstance(quantity.value, float) or quantity.value == 0
        assert exact or 0 < quantity.tolerance <= 0.05 * max(abs(quantity.value), 1), quantity.name


@every_erratum
def test_an_erratum_holds_what_is_printed_against_what_is_right(formula):
    wrong = [q for q in formula.shows.values() if q.printed is not None or q.differs is not None]
    wrong += [q for q in formula.shows.values() if q.name.startswith("printed") and (q.below or q.above or q.equals)]
    assert wrong
    for quantity in wrong:
        if quantity.printed is not None:
            assert distance(quantity.value, quantity.printed) > quantity.rounding + quantity.tolerance


@every_entry
def test_figures_as_they_should_be_pass(formula):
    figures = satisfying(formula)
    assert formula.judge(formula.read(figures)) == []


@every_entry
def test_every_wrong_figure_is_found(formula):
    figures = satisfying(formula)
    tried = set()
    for what, wrong in wrong_figures(formula, figures):
        assert formula.judge(formula.read(wrong)), what
        tried.add(what.split()[0])
    assert tried == set(formula.shows)


@every_erratum
def test_printed_and_right_cannot_be_exchanged(formula):
    figures = satisfying(formula)
    exchanged = list(wrong_way_round(formula, figures))
    same_number = formula.id == "D3-4-m"  # both forms give 0, and are held against different slopes
    assert exchanged or same_number or any(q.printed is not None for q in formula.shows.values())
    for what, wrong in exchanged:
        assert formula.judge(formula.read(wrong)), what


@every_erratum
def test_a_register_with_printed_and_right_exchanged_rejects_what_is_right(formula):
    figures = satisfying(formula)
    for name, quantity in formula.shows.items():
        if quantity.printed is not None:
            exchanged = dataclasses.replace(quantity, value=quantity.printed, printed=quantity.value)
            assert dataclasses.replace(formula, shows={**formula.shows, name: exchanged}).judge(figures)


def one(verdict="erratum", **shows):
    """An entry with these quantities."""
    quantities = {name: Quantity(name=name, what="w", **demands) for name, demands in shows.items()}
    return Formula("X-1-a", "X", "1", "", "", "formula", verdict, "s", "m", "c", quantities)


@pytest.mark.parametrize(
    ("formula", "figures", "fault"),
    [
        (one(a=dict(value=1.0, tolerance=0.1)), dict(a=1.2), "a is 1.2, expected 1 within 0.1"),
        (one(a=dict(value=3)), dict(a=4), "a is 4, expected 3"),
        (one(a=dict(value=True)), dict(a=False), "a is no, expected yes"),
        (one(a=dict(value="none")), dict(a="KeyError"), "a is 'KeyError', expected 'none'"),
        (one(a=dict(value=[1, 2])), dict(a=[1, 2, 3]), "a is [1, 2, 3], expected [1, 2]"),
        (
            one(a=dict(printed=0.5, rounding=0.05)),
            dict(a=0.52),
            "a is 0.52, which agrees with the printed 0.5: that is the wrong one",
        ),
        (
            one("correct", a=dict(printed=0.5, rounding=0.05)),
            dict(a=0.6),
            "a is 0.6, which disagrees with the printed 0.5",
        ),
        (
            one(a=dict(above=0.0), b=dict(equals="a", within=0.1)),
            dict(a=1.0, b=1.2),
            "b is 1.2, but must equal a (1) within 0.1",
        ),
        (
            one(a=dict(above=0.0), b=dict(differs="a", within=0.1)),
            dict(a=1.0, b=1.05),
            "b is 1.05, but must differ from a (1) by more than 0.1",
        ),
        (one(a=dict(below=1e-12)), dict(a=0.1), "a is 0.1, but must be below 1e-12"),
        (one(a=dict(above=2.0), b=dict(below="a")), dict(a=3.0, b=3.0), "b is 3, but must be below a (3)"),
        (one(a=dict(above=0.0)), dict(a=[0.1, 0.0]), "a is [0.1, 0], but must be above 0"),
    ],
)
def test_what_the_judge_says(formula, figures, fault):
    assert formula.judge(formula.read(figures)) == [fault]


def test_large_counts_are_compared_exactly():
    formula = one(a=dict(value=2**60))
    assert formula.judge({"a": 2**60}) == []
    assert formula.judge({"a": 2**60 + 1}) != []


def test_unknown_id():
    with pytest.raises(ValueError) as error:
        find("D3-4-dd")
    assert str(error.value) == "the register of formulas has no entry 'D3-4-dd'; near it: D3-4-d, D3-4-x, D3-4-w"
    with pytest.raises(ValueError) as error:
        find("nothing")
    assert str(error.value) == "the register of formulas has no entry 'nothing'"


BROKEN = """
[[formula]]
id = "D1-1-a"
{}
[formula.shows]
a = {{ what = "w", {} = 1 }}
"""


@pytest.mark.parametrize(
    ("field", "demand", "message"),
    [
        ("colour = 1", "value", "formulas.toml: D1-1-a has the unknown fields colour"),
        ("", "less", "formulas.toml: D1-1-a: a has the unknown fields less"),
    ],
)
def test_unknown_fields_of_the_file(tmp_path, field, demand, message):
    path = tmp_path / "formulas.toml"
    path.write_text(BROKEN.format(field, demand), encoding="utf-8")
    with pytest.raises(ValueError) as error:
        load(path)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (True, "yes"),
        (7, "7"),
        ("none", "'none'"),
        (0.1234567891, "0.1234568"),
        (-0.0, "0"),
        ([1, 2.5], "[1, 2.5]"),
        ([[1, 2], [3, 4]], "[[1, 2], [3, 4]]"),
        (list(range(7)), "7 numbers from 0 to 6"),
    ],
)
def test_how_figures_are_shown(figure, text):
    assert show(figure) == text
