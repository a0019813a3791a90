"""The text of the language models: Python's own manual, as letters; and two models that count, to compare with.

Python ships with the chapters of its reference manual that `help("if")` and the like show, in `pydoc_data.topics`.
`manual()` gives them as three texts to train on, to choose with and to test on. `WittenBell` and `KneserNey` count;
lesson 32 tells how they work.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from pydoc_data.topics import topics
from typing import NamedTuple

import numpy as np

LETTERS = "\n" + "".join(map(chr, range(32, 127)))  # what a text is made of, whatever the manual brings
PLAIN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "\t": "    "})


class Parts(NamedTuple):
    """Three texts that share no topic and no paragraph."""

    train: str
    valid: str
    test: str


def manual(seed: int = 0) -> Parts:
    """About 85 % of the manual's text to train on, 5 % to choose with, 10 % to test on, divided by whole topics.

    A random order of the topics decides; one that does not fit any more into a small part goes to the large one.
    """
    texts = without_repetitions({name: plain(text) for name, text in topics.items()})
    total = sum(map(len, texts.values()))
    room = {"test": 0.10 * total, "valid": 0.05 * total, "train": total}
    chosen: dict[str, list[str]] = {part: [] for part in room}
    names = sorted(texts)
    random.Random(seed).shuffle(names)
    for name in names:
        part = next(part for part in room if len(texts[name]) <= room[part])
        room[part] -= len(texts[name])
        chosen[part].append(name)
    return Parts(*("".join(texts[name] for name in sorted(chosen[part])) for part in Parts._fields))


def plain(text: str) -> str:
    """The text in LETTERS alone: typographic signs become plain ones, and what is then left over a question mark."""
    return re.sub(r"[^\n -~]", "?", text.translate(PLAIN))


def without_repetitions(texts: dict[str, str]) -> dict[str, str]:
    """The texts without the paragraphs that have come before: some topics are chapters of which others are sections.

    The short texts keep what they share with long ones.
    """
    seen: set[str] = set()
    kept = {}
    for name in sorted(texts, key=lambda name: (len(texts[name]), name)):
        fresh = []
        for paragraph in re.split(r"\n{2,}", texts[name].strip("\n")):
            words = " ".join(paragraph.split())
            if words not in seen:
                seen.add(words)
                fresh.append(paragraph)
        if fresh:
            kept[name] = "\n\n".join(fresh) + "\n\n\n"
    return kept


def numbers(text: str) -> np.ndarray:
    """The place of each letter in LETTERS."""
    return np.maximum(np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - 31, 0)


class Endings:
    """Gives the endings of a text, of 1, 2, ... `longest` letters, numbers of their own: 1 and up, and 0 if unknown.

    Known are those that occur at least `at_least` times in the text that it is made with.
    """

    def __init__(self, text: str, longest: int, at_least: int) -> None:
        self.longest = longest
        self.rows: dict[str, int] = {}
        for length in range(1, longest + 1):
            for ending, count in strings(text, length).items():
                if count >= at_least:
                    self.rows[ending] = len(self.rows) + 1

    def __len__(self) -> int:
        """How many numbers there are, with the 0."""
        return len(self.rows) + 1

    def __call__(self, text: str) -> np.ndarray:
        """(letters of the text, longest): entry (i, n - 1) is the number of the n letters up to and with letter i."""
        ends, lengths = range(1, len(text) + 1), range(1, self.longest + 1)
        return np.array([[self.rows.get(text[end - n : end], 0) if end >= n else 0 for n in lengths] for end in ends])


def strings(text: str, length: int) -> Counter[str]:
    """How often each string of that length occurs."""
    return Counter(text[start : start + length] for start in range(len(text) - length + 1))


class Counting:
    """A model that has counted the strings of a text, for contexts of up to `order` letters."""

    order: int

    def probability(self, context: str, letter: str) -> float:
        """p(letter | context); of the context no more than the last `order` letters count."""
        raise NotImplementedError

    def costs(self, text: str) -> np.ndarray:
        """-log2 p of every letter but the first, each after the letters before it."""
        order = self.order
        return np.array(
            [-math.log2(self.probability(text[max(0, i - order) : i], text[i])) for i in range(1, len(text))]
        )

    def write(self, start: str, length: int, seed: int = 0) -> str:
        """Continues the text by letters drawn from the model."""
        draw, text = random.Random(seed), start
        for _ in range(length):
            context = text[max(0, len(text) - self.order) :]
            text += draw.choices(LETTERS, [self.probability(context, letter) for letter in LETTERS])[0]
        return text


class WittenBell(Counting):
    """p(c | x) of the next letter c after the context x (Witten and Bell 1991)::

        p(c | x) = (N(xc) + V(x) p(c | x')) / (N(x) + V(x)),   N(x) = sum_c N(xc),   V(x): how many different c

    x' is x without its first letter; before the empty context stands 1 / 96.
    """

    def __init__(self, text: str, order: int) -> None:
        self.order = order
        self.counts: Counter[str] = Counter()
        self.totals: Counter[str] = Counter()
        self.different: Counter[str] = Counter()
        for length in range(1, order + 2):
            for string, count in strings(text, length).items():
                self.counts[string] = count
                self.totals[string[:-1]] += count
                self.different[string[:-1]] += 1

    def probability(self, context: str, letter: str) -> float:
        p = 1 / len(LETTERS)
        for k in range(min(self.order, len(context)) + 1):
            x = context[len(context) - k :]
            if not (total := self.totals[x]):
                break  # never seen: nor are the longer ones
            p = (self.counts[x + letter] + self.different[x] * p) / (total + self.different[x])
        return p


class KneserNey(Counting):
    """p(c | x) of the next letter c after the context x of k letters (Kneser and Ney 1995; Chen and Goodman 1999)::

        p_k(c | x) = (N(xc) - D(N(xc)) + B(x) p_(k-1)(c | x')) / N(x),   N(x) = sum_c N(xc),   B(x) = sum_c D(N(xc))

    x' is x without its first letter, p_(-1) is 1 / 96. For the longest contexts N(xc) counts how often xc occurs; for
    the others, after how many different letters it does. D takes something off each count, one number for a count of
    1, one for 2, one for 3 and more (D(0) = 0); they follow from how many strings have a count of 1, 2, 3 and 4.
    """

    def __init__(self, text: str, order: int) -> None:
        self.order = order
        occurrences = [strings(text, length) for length in range(1, order + 2)]
        self.counts = [Counter(longer[1:] for longer in table) for table in occurrences[1:]] + [occurrences[-1]]
        self.discounts = [discounts(Counter(table.values())) for table in self.counts]
        self.totals: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()  # B in the formula
        for table, off in zip(self.counts, self.discounts, strict=True):
            for string, count in table.items():
                self.totals[string[:-1]] += count
                self.taken[string[:-1]] += off[min(count, 3)]

    def probability(self, context: str, letter: str) -> float:
        p = 1 / len(LETTERS)
        for k in range(min(self.order, len(context)) + 1):
            x = context[len(context) - k :]
            if not (total := self.totals[x]):
                break  # never seen: nor are the longer ones
            count = self.counts[k][x + letter]
            p = (count - self.discounts[k][min(count, 3)] + self.taken[x] * p) / total
        return p


def discounts(strings_with: Counter[int]) -> tuple[float, ...]:
    """What to take off a count of 0, 1, 2, and 3 or more, from how many strings have each count.

    D_j = j - (j + 1) Y n_(j+1) / n_j with Y = n_1 / (n_1 + 2 n_2), within 0.1 ... j; half of the count where too few
    strings are there to tell.
    """
    n = [strings_with[count] for count in range(5)]
    if not all(n[1:]):
        return 0.0, 0.5, 1.0, 1.5
    Y = n[1] / (n[1] + 2 * n[2])
    return 0.0, *(min(max(j - (j + 1) * Y * n[j + 1] / n[j], 0.1), float(j)) for j in (1, 2, 3))
