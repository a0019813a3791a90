"""The text of the language models, its endings, and the models that count."""

import math
import re

import numpy as np
import pytest

from lessons.text import (
    LETTERS,
    Endings,
    KneserNey,
    WittenBell,
    discounts,
    manual,
    numbers,
    plain,
    strings,
    without_repetitions,
)


def paragraphs(text):
    return {" ".join(paragraph.split()) for paragraph in re.split(r"\n{2,}", text.strip("\n"))}


def test_the_manual_is_large_and_its_parts_share_no_paragraph():
    parts = manual()
    sizes = [len(part) for part in parts]
    assert sum(sizes) > 200_000
    assert sizes[0] > 0.8 * sum(sizes)
    assert 0.02 * sum(sizes) < sizes[1] < sizes[2] <= 0.1 * sum(sizes) + 1000
    assert all(set(part) <= set(LETTERS) for part in parts)
    first, second, third = map(paragraphs, parts)
    assert not first & second | first & third | second & third
    assert parts == manual()


def test_plain_and_numbers():
    assert plain("\u2018a\u2019\u2026 \u00df\t\n") == "'a'... ?    \n"
    assert [LETTERS[i] for i in numbers(LETTERS)] == list(LETTERS)


def test_without_repetitions_the_short_text_keeps_what_it_shares():
    texts = {
        "book": "one\n\ntwo  words\n\nthree",
        "chapter": "two\nwords",
        "again": "three\n\none\n\ntwo words\n\nthree",
    }
    assert without_repetitions(texts) == {"chapter": "two\nwords\n\n\n", "book": "one\n\nthree\n\n\n"}


def test_endings():
    endings = Endings("abab", longest=2, at_least=2)
    assert len(endings) == 4
    a, b, ab = (endings.rows[known] for known in ("a", "b", "ab"))
    assert endings("abc").tolist() == [[a, 0], [b, ab], [0, 0]]


def test_strings():
    assert strings("abab", 2) == {"ab": 2, "ba": 1}
    assert not strings("a", 2)


@pytest.mark.parametrize("kind", [WittenBell, KneserNey])
@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize("context", ["", "r", "abra", "zzz", "abrz"])
def test_a_counting_model_is_a_distribution_without_zeros(kind, order, context):
    p = [kind("abracadabra", order).probability(context, letter) for letter in LETTERS]
    assert math.isclose(sum(p), 1)
    assert min(p) > 0


def test_kneser_ney_by_hand():
    """Contexts of one letter; half of each count is taken off. After b comes r, twice; r has come after b alone."""
    below = (0.5 + 3.5 / 96) / 7
    assert math.isclose(KneserNey("abracadabra", 1).probability("b", "r"), (2 - 1 + 1 * below) / 2)


def test_witten_bell_by_hand():
    """After b: r twice and nothing else. 11 letters in all, r twice among them, 5 different ones."""
    below = (2 + 5 / 96) / (11 + 5)
    assert math.isclose(WittenBell("abracadabra", 1).probability("b", "r"), (2 + 1 * below) / (2 + 1))


def test_kneser_ney_on_real_text_beats_knowing_the_letters_alone():
    text = manual().valid
    half = len(text) // 2
    costs = {order: KneserNey(text[:half], order).costs(text[half:]) for order in (0, 3)}
    assert len(costs[3]) == len(text) - half - 1
    assert costs[3].mean() < 0.8 * costs[0].mean() < 0.8 * math.log2(len(LETTERS))
    assert np.all(costs[3] > 0)


def test_discounts():
    assert discounts({1: 4, 2: 2, 3: 1, 4: 0} | {0: 0}) == (0.0, 0.5, 1.0, 1.5)
    n = dict(enumerate((0, 100, 40, 20, 10)))
    Y = 100 / 180
    assert discounts(n) == pytest.approx((0, 1 - 2 * Y * 40 / 100, 2 - 3 * Y * 20 / 40, 3 - 4 * Y * 10 / 20))


def test_the_counting_model_writes_the_same_again():
    model = KneserNey("abracadabra" * 5, 3)
    text = model.write("abra", 20)
    assert len(text) == 24
    assert text == model.write("abra", 20) != model.write("abra", 20, seed=1)
