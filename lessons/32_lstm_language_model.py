"""
A language model of letters
===========================

Cover the end of a line and guess the next letter. How well can a network do that, how does one measure it, and is it
better than somebody who merely counts what usually comes next?

:time: 5 min
"""

# %%
# The text
# --------
#
# Python carries its own manual with it: ``help("if")`` prints a chapter of it. Taken together these chapters are a
# real text of nearly half a million letters, with English sentences, programs, tables and grammar rules. That is
# little for a language model, but a model that fits into four minutes cannot read much more.
#
# Three decisions about the text, all made in ``lessons/text.py``:
#
# * **Letters.** Ours are the 95 printable characters of ASCII and the end of a line, 96 in all, whatever else a future
#   manual may contain. Typographic quotes become plain ones, anything else a question mark. (We say *letter* for all of
#   them, also for a space.)
# * **Repetitions.** Some chapters contain others. A paragraph that has come before is left out, or else we would test
#   on sentences that were learnt by heart.
# * **The split** is by whole topics: about 85 % to train on, 5 % for validation, 10 % held out for the test. If we cut
#   out pieces here and there, the test would speak about the same things and names as its neighbours in the training
#   text. A new topic is what a reader would bring.

import argparse
import math

import matplotlib.pyplot as plt
import numpy as np

import minidl
import minidl.nn as nn
import minidl.nn.functional as F
from lessons import progress, save_figure
from lessons.text import LETTERS, Endings, KneserNey, WittenBell, manual, numbers, strings

options = argparse.ArgumentParser(description="Trains an LSTM on the letters of Python's manual.")
options.add_argument("--epochs", type=int, default=12)
options.add_argument("--last", type=int, default=6, help="how many of the last letters the LSTM reads in each step")
options = options.parse_args()

minidl.set_num_threads(1)  # the order of the sums, and so the last digits, do not depend on the machine's cores
minidl.manual_seed(0)

train, valid, test = manual()
print(f"{len(train):,} letters to train on, {len(valid):,} for validation, {len(test):,} for the test")

# %%
# Bits per letter
# ---------------
#
# A language model gives each letter c a probability :math:`p(c \mid x)` to be the next one after the letters x. Then
# the true letter comes. How do we rate the guess?
#
# With the loss of lesson 04: :math:`-\log p` of what really came. Here one takes the logarithm to base 2, and calls the
# unit a **bit**. Who gave the letter 1/2 pays 1 bit, 1/4 costs 2 bits, certainty costs nothing. The bits have a
# meaning outside of learning: a program that compresses files and uses these guesses needs just so many zeros and
# ones. The mean over a text :math:`c_1 \dots c_n` is the cross-entropy **per letter**:
#
# .. math:: L = -\frac{1}{n} \sum_{i=1}^{n} \log_2 p(c_i \mid c_1 \dots c_{i-1}),
#    \qquad \log_2 p = \frac{\ln p}{\ln 2}
#
# Two values to start from. Who knows nothing gives all 96 letters the same probability and pays
# :math:`\log_2 96 = 6.58` bits. Who knows how often each letter occurs, a share :math:`q_c`, pays the **entropy**,
# :math:`-\sum_c q_c \log_2 q_c`. It is the least that a guess without context can cost: any other probabilities p cost
# more (the difference, :math:`\sum_c q_c \log_2 (q_c / p_c)`, is never negative).
#
# :math:`2^L` is the **perplexity**: so many letters, all equally probable, would be as hard to guess.

uniform = math.log2(len(LETTERS))
share = np.bincount(numbers(train), minlength=len(LETTERS)) / len(train)
entropy = -sum(q * math.log2(q) for q in share if q > 0)
other = 0.5 * share + 0.5 / len(LETTERS)
cost_of_other = -sum(q * math.log2(p) for q, p in zip(share, other, strict=True) if q > 0)
print(f"knowing nothing {uniform:.2f} bits a letter, knowing how often each letter occurs {entropy:.2f}")
assert entropy < cost_of_other < uniform

# %%
# Counting
# --------
#
# Now with context. After ``retur`` nobody doubts what comes. The simplest model counts: how often did c follow the k
# letters x, among all letters that followed x in the training text? This is an **n-gram** model; an n-gram is a
# string of n letters.
#
# .. math:: p(c \mid x) = \frac{N(xc)}{N(x)}
#
# It has a fault that makes it useless. A string that was never counted gets probability 0, and if it comes all the
# same, that costs :math:`-\log_2 0 = \infty`. And there are always new strings:

for length in (2, 4, 6, 8):
    known = strings(train, length)
    new = np.mean([test[i : i + length] not in known for i in range(len(test) - length)])
    print(f"{new:6.1%} of the strings of {length} letters in the test text are new")

# %%
# So a little must be taken from what was counted and given to what was not. This is called **smoothing**. Witten and
# Bell (1991) reason so: after the context x, N(x) letters were counted, V(x) different ones. So V(x) times something
# new came. Take "something new" as one more thing that was counted V(x) times; and when it comes, ask the model whose
# context x' is one letter shorter:
#
# .. math:: p(c \mid x) = \frac{N(xc) + V(x)\, p(c \mid x')}{N(x) + V(x)}
#
# That one does the same with a shorter context still, until at the end all letters are equally probable. In the text
# abracadabra, b came twice after a, c and d once each, so N = 4 and V = 3. And of the 11 letters 5 are different.

toy = WittenBell("abracadabra", order=1)
for letter, after_a, alone in [("a", 0, 5), ("b", 2, 2), ("c", 1, 1), ("r", 0, 2), ("z", 0, 0)]:
    shorter = (alone + 5 / 96) / (11 + 5)
    assert math.isclose(toy.probability("a", letter), (after_a + 3 * shorter) / (4 + 3))
assert math.isclose(sum(toy.probability("a", letter) for letter in LETTERS), 1)
print("after a:", ", ".join(f"{letter} {toy.probability('a', letter):.3f}" for letter in "brz"))

# %%
# The best known smoothing for n-grams is that of Kneser and Ney (1995), with what Chen and Goodman (1999) added. It has
# two ideas more.
#
# *Take a bit off each count.* Not the contexts pay, but each count pays a discount D, one for a count of 1, one for 2,
# one for 3 and more; they are computed from how many strings were counted once, twice, three and four times. What has
# been taken off after x, together B(x), goes to the shorter model:
#
# .. math:: p_k(c \mid x) = \frac{N(xc) - D + B(x)\, p_{k-1}(c \mid x')}{N(x)}
#
# *Count differently below.* The shorter model is asked when the longer one does not know. So it should not say how
# often c followed x', but after **how many different letters** the string x'c came. Think of ``u`` after ``q``: u is
# frequent, but if nearly all of them follow a q, it is a poor guess anywhere else.
#
# For abracadabra: the text is too small to compute discounts, and the code takes half of each count off, so B(a) = 2.
# Below, b, c, d and r came after one letter each, and a after three (r, c, d). That is 7; half of it goes to all alike.

toy = KneserNey("abracadabra", order=1)
for letter, after_a, befores in [("a", 0, 3), ("b", 2, 1), ("c", 1, 1), ("r", 0, 1), ("z", 0, 0)]:
    shorter = (befores / 2 + 3.5 / 96) / 7
    assert math.isclose(toy.probability("a", letter), (after_a / 2 + 2 * shorter) / 4)

# %%
# How long should the context be? This is what the validation text is for; the test text must not decide anything.

orders = (2, 3, 4, 5, 6, 8)
best, by_order = {}, {WittenBell: [], KneserNey: []}
for kind, order in progress([(kind, order) for kind in by_order for order in orders], "counting"):
    counting = kind(train, order)
    by_order[kind].append(counting.costs(valid).mean())
    if by_order[kind][-1] == min(by_order[kind]):
        best[kind] = counting
for kind, bits in by_order.items():
    print(
        f"{kind.__name__}, validation:", ", ".join(f"{order}: {b:.2f}" for order, b in zip(orders, bits, strict=True))
    )
ngram_costs = {kind: counting.costs(test) for kind, counting in best.items()}
for kind, found in ngram_costs.items():
    print(f"{kind.__name__} with contexts of {best[kind].order} letters, test: {found.mean():.3f} bits a letter")
assert ngram_costs[KneserNey].mean() < ngram_costs[WittenBell].mean() < entropy / 2

print("\nThe counting model writes:\n")
print(best[KneserNey].write("The ", 400))

# %%
# These are the opponents. Witten-Bell is a solid classic; with contexts longer than four letters it gets worse, since
# it trusts strings that it has seen once. Kneser-Ney has learnt the whole training text by heart, in strings of up to
# nine letters, and still gains from it. It is about the best that counting can do. (And it sounds like it.)
#
# The network
# -----------
#
# An LSTM (lesson 31) reads letter by letter and carries its state along. Its h, through a linear layer, gives 96
# scores, and their softmax the probabilities of the next letter. There is no limit to how far back the state may
# remember.
#
# What should it read? The obvious way is an embedding: a table with one row of numbers for each letter, learnt like
# any weight. It works, but in a few minutes it only came to about 2.0 bits when we tried (``--last 1`` does it): the
# LSTM must find out by small steps what the n-gram model reads off directly, that ``retu`` goes on with ``r``.
#
# So we tell it more than the last letter. In each step it reads the **endings** of what has come so far: the last
# letter, the last two, and so on up to six. Every ending that occurs at least three times in the training text has a
# row of its own, and the six rows are added up. (Large models have used such tables, too: Pagnoni and others 2024, for
# bytes.) This costs little time, since with these rows nothing is done but looking up and adding.
#
# .. math:: v_i = \sum_{n=1}^{6} E[\,c_{i-n+1} \dots c_i\,], \qquad (h_i, C_i) = \text{LSTM}(v_i, h_{i-1}, C_{i-1}),
#    \qquad p = \text{softmax}(W h_i + b)
#
# So many rows can learn the training text by heart. Two measures against it: while training, each of the longer endings
# is hidden with probability 0.3, as if it were new (row 0, which stays zero), so that the network must also do
# without; and there is dropout (lesson 14) before and behind the LSTM.

STRIPS, STEPS = 64, 64
WIDTH, HIDDEN = 64, 256


class LanguageModel(nn.Module):
    def __init__(self, rows):
        super().__init__()
        self.table = nn.Embedding(rows, WIDTH, padding_idx=0)
        self.before, self.behind = nn.Dropout(0.1), nn.Dropout(0.3)
        self.lstm = nn.LSTM(WIDTH, HIDDEN)
        self.scores = nn.Linear(HIDDEN, len(LETTERS))
        with minidl.no_grad():
            self.table.weight.mul_(0.5)  # up to six rows are added up
            self.lstm.bias_ih_l0[HIDDEN : 2 * HIDDEN].fill_(1.0)  # the forget gate starts open
            self.scores.bias.copy_(minidl.tensor(np.log(share + 1e-4).astype(np.float32)))  # frequent letters first

    def forward(self, endings, state=None):
        """Endings (T, B, 6) to scores (T, B, 96) and the state after them."""
        v = self.before(self.table(endings).sum(-2))  # (T, B, WIDTH)
        h, state = self.lstm(v, state)  # (T, B, HIDDEN)
        return self.scores(self.behind(h)), state


# %%
# Truncated backpropagation through time
# --------------------------------------
#
# To go back through 317,000 steps, one would have to keep them all. Instead the text is cut into 64 strips of equal
# length, which are read side by side. From each strip we take the next 64 letters, go forward, go back through these 64
# steps, and change the weights. The state at the end is **carried** to the next piece, but ``detach`` cuts the graph:
# forward the memory goes on, backward it ends. This is called *truncated* backpropagation through time. Things that
# lie more than 64 letters apart can still be used, if what it takes to remember them is learnt from nearer ones.
#
# The strips begin at another place of the text in each epoch, so that the cuts change.

endings = Endings(train, options.last, at_least=3)
model = LanguageModel(len(endings))
in_lstm = sum(p.numel() for p in model.lstm.parameters())
in_all = sum(p.numel() for p in model.parameters())
print(f"{len(endings):,} endings; {in_all:,} parameters, {in_lstm:,} of them in the LSTM")
rng = np.random.default_rng(0)


def strips(text_endings, letters, how_many):
    """Read side by side: endings (length, how_many, 6) and the letters (length, how_many) that come next."""
    length = (len(letters) - 1) // how_many
    n = length * how_many
    x = text_endings[:n].reshape(how_many, length, -1).swapaxes(0, 1)
    y = letters[1 : n + 1].reshape(how_many, length).T
    return x, y


def hide(x, probability=0.3):
    """Each ending of two and more letters becomes unknown with this probability."""
    hidden = rng.random(x.shape) < probability
    hidden[..., 0] = False
    return np.where(hidden, 0, x)


def costs(text, temperature=1.0, carried=True, how_many=16, steps=64):
    """-log2 p of the letters of a text, from the second on, as the counting model has them."""
    x, y = strips(endings(text), numbers(text), how_many)
    model.eval()
    state, found = None, []
    with minidl.no_grad():
        for start in range(0, len(x), steps):
            now = y[start : start + steps]
            scores, state = model(minidl.tensor(x[start : start + steps]), state if carried else None)
            logs = F.log_softmax(scores / temperature, -1).numpy()
            found.append(-np.take_along_axis(logs, now[..., None], -1)[..., 0] / math.log(2))
    model.train()
    return np.concatenate(found).T.reshape(-1)


# %%
# Training is Adam (lesson 13). The learning rate rises over the first steps, then falls along half a cosine wave to
# nearly nothing: large steps to get somewhere, small ones to settle. The gradient is clipped to a length of 1
# (lesson 30).

x_all, y_all = endings(train), numbers(train)
rounds = len(train) // (STRIPS * STEPS)
total = rounds * options.epochs
warm = max(1, total // 20)
optimiser = minidl.optim.Adam(model.parameters(), lr=4e-3, betas=(0.9, 0.99))
schedule = minidl.optim.lr_scheduler.LambdaLR(
    optimiser, lambda step: min((step + 1) / warm, 0.02 + 0.49 * (1 + math.cos(math.pi * step / total)))
)

trained, validated, recent = [], [], []
for step in progress(range(total), "training"):
    here = step % rounds
    if here == 0:  # a new epoch: other strips, and nothing remembered
        turn = rng.integers(len(train))
        x_strips, y_strips = strips(np.roll(x_all, -turn, axis=0), np.roll(y_all, -turn), STRIPS)
        state = None
    piece = slice(here * STEPS, (here + 1) * STEPS)
    x, y = minidl.tensor(hide(x_strips[piece])), minidl.tensor(y_strips[piece].reshape(-1))
    optimiser.zero_grad()
    scores, state = model(x, state)
    loss = F.cross_entropy(scores.reshape(-1, len(LETTERS)), y)
    loss.backward()
    state = tuple(part.detach() for part in state)
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    schedule.step()
    recent.append(loss.item() / math.log(2))
    if len(recent) == rounds:
        trained.append(np.mean(recent))
        validated.append(costs(valid).mean())
        recent = []

# %%
# How sure may it be?
# -------------------
#
# A network that has read its training text twelve times is often too sure of itself on another: of what it calls 90 %
# certain, fewer than 90 % come true. There is a simple remedy (Guo and others 2017). All scores are divided by one
# number, the **temperature** :math:`\tau`, before the softmax:
#
# .. math:: p = \text{softmax}\Big(\frac{W h + b}{\tau}\Big)
#
# :math:`\tau > 1` makes the probabilities more alike, :math:`\tau < 1` makes the probable more probable. The order of
# the letters stays. One number can hardly over-fit, so the validation text chooses it, just as it chose the contexts of
# the counting models. (Is it fair that they have none? We tried: for Kneser and Ney's model 1 is the best. Taking
# something off each count has already done what the temperature does here.)

temperatures = (0.9, 1.0, 1.1, 1.2, 1.3)
tempered = [costs(valid, tau).mean() for tau in temperatures]
print("validation:", ", ".join(f"{b:.3f} at {tau}" for tau, b in zip(temperatures, tempered, strict=True)))
calm = temperatures[int(np.argmin(tempered))]
assert min(tempered) <= validated[-1]

lstm_costs = costs(test, calm)
print(f"test: {lstm_costs.mean():.3f} bits a letter by the LSTM, perplexity {2 ** lstm_costs.mean():.2f}")

# %%
# Is it better?
# -------------
#
# Both have read the same training text, both had the validation text to choose with, and both are asked for the same
# letters of the test text. How sure is the difference? Neighbouring letters are not independent: who does not know a
# name pays for it five times. So we cut the test into 40 stretches, take the mean difference of each, and ask how much
# these 40 scatter: the **standard error** of their mean is their standard deviation divided by the root of 40.


def difference(ours, theirs, stretches=40):
    """Mean of ours - theirs, and its standard error."""
    means = [part.mean() for part in np.array_split(ours - theirs[: len(ours)], stretches)]
    return np.mean(means), np.std(means, ddof=1) / math.sqrt(stretches)


for kind, found in ngram_costs.items():
    gain, error = difference(lstm_costs, found)
    print(f"LSTM minus {kind.__name__}: {gain:+.3f} bits a letter, standard error {error:.3f}")
assert lstm_costs.mean() < ngram_costs[WittenBell].mean()

epochs = np.arange(1, len(trained) + 1)
fig, ax = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
ax.plot(epochs, trained, "o:", color="tab:gray", label="LSTM, training text (with dropout)")
ax.plot(epochs, validated, "o-", color="tab:blue", label="LSTM, validation text")
for kind, colour in [(WittenBell, "tab:olive"), (KneserNey, "tab:orange")]:
    ax.axhline(min(by_order[kind]), color=colour, label=f"{kind.__name__}, validation text")
ax.set(xlabel="epoch", ylabel="bits per letter", ylim=(1.4, 2.6))
ax.legend()
save_figure(fig, "learning")

# %%
# The LSTM leaves the classic far behind. And Kneser and Ney's model? When we ran this, the LSTM was 0.04 bits better on
# the validation text and 0.01 better on the test. But 0.01 is less than one standard error: on another test text it
# might be the other way round. Most of the lead comes from the temperature, worth 0.03 bits on the validation text;
# without it the two would be nearly equal. So the network is at least no worse than the best that counting can do, and
# to say more, one would need a longer test.
#
# The gray curve shows each epoch as it went, with hidden endings and dropout, and still it falls far below the blue
# one: the network over-fits, and it must, with several parameters for each letter of the text. That is why it is too
# sure of itself. But the blue curve, which is drawn with temperature 1, does not rise again.
#
# Who wins where? We sort the letters of the test by the place in which they stand.

kinds = {
    "first letter of a word": [],
    "second": [],
    "third to fifth": [],
    "later in a word": [],
    "space": [],
    "end of a line": [],
    "other signs": [],
}
inside = 0
for i, letter in enumerate(test):
    inside = inside + 1 if letter.isalpha() else 0
    if letter == "\n":
        kind = "end of a line"
    elif letter == " ":
        kind = "space"
    elif not inside:
        kind = "other signs"
    else:
        names = ["first letter of a word", "second"] + 3 * ["third to fifth"] + ["later in a word"]
        kind = names[min(inside, 6) - 1]
    if 0 < i <= len(lstm_costs):
        kinds[kind].append(i - 1)

fig, ax = plt.subplots(figsize=(7.5, 4), layout="constrained")
place = np.arange(len(kinds))
for move, found, name, colour in [
    (-0.2, ngram_costs[KneserNey], "Kneser-Ney", "tab:orange"),
    (0.2, lstm_costs, "LSTM", "tab:blue"),
]:
    ax.barh(place + move, [found[which].mean() for which in kinds.values()], 0.4, label=name, color=colour)
ax.set_yticks(place, [f"{kind} ({len(which) / len(lstm_costs):.0%})" for kind, which in kinds.items()])
ax.invert_yaxis()
ax.set_xlabel("bits per letter, test text")
ax.legend()
save_figure(fig, "kinds")

# %%
# Inside of words counting is better: it has every string of the training text, and the LSTM only an impression of it.
# Where a word ends, a line or a table goes on, the LSTM is: there one must know more than eight letters.
#
# Does it remember?
# -----------------
#
# We take the memory away: the state is set back to zero every 64 letters, or every 16. What it costs then is what the
# carried state was worth.

for steps in (64, 16):
    forgetful = costs(test, calm, carried=False, steps=steps).mean()
    print(f"state set back every {steps} letters: {forgetful:.3f} bits a letter")
    assert forgetful > lstm_costs.mean()

# %%
# Both together
# -------------
#
# Two models that err in different places can help each other. The mean of their probabilities is a model again, and it
# is better than either. What the LSTM knows is not simply what the counts know.

counted = ngram_costs[KneserNey][: len(lstm_costs)]
both = -np.log2(0.5 * 2**-lstm_costs + 0.5 * 2**-counted)
print(f"the mean of LSTM and Kneser-Ney: {both.mean():.3f} bits a letter")
assert both.mean() < min(lstm_costs.mean(), counted.mean())

# %%
# It writes
# ---------
#
# Now let it write: draw a letter from p, feed it in, and so on. Here, too, a temperature helps: towards 0 only the most
# probable letter is left, while above 1 anything may come.


def write(start, length, temperature):
    text, state = start, None
    x = endings(start)[:, None]
    model.eval()
    with minidl.no_grad():
        for _ in range(length):
            scores, state = model(minidl.tensor(x), state)
            p = F.softmax(scores[-1, 0] / temperature, -1)
            text += LETTERS[minidl.multinomial(p, 1).item()]
            x = endings(text[-options.last :])[-1:, None]
    return text


def invented(text):
    """The share of words of four and more letters that do not occur in the training text."""
    words = [word for word in "".join(c if c.isalpha() else " " for c in text).split() if len(word) > 3]
    return np.mean([word not in train for word in words])


for temperature in (0.3, 0.7, 1.0):
    written = write("The ", 500, temperature)
    print(f"\ntemperature {temperature}, {invented(written):.0%} of its words are invented:\n\n{written}")

# %%
# The words are English or Python, quotes are mostly closed, and lines are indented like lines of the manual. But ask
# what a sentence says: nothing. A network that guesses the next letter has learnt how the manual *sounds*. At low
# temperature it says the same again and again, since what has come makes itself more probable.
#
# Summary
# -------
#
# * A language model is rated by the bits that each letter of a held-out text costs, :math:`-\log_2 p` on average. No
#   knowledge costs :math:`\log_2 96` bits, the shares of the letters their entropy.
# * Counting needs smoothing. Which context is best is decided on a validation text.
# * Long texts are read in pieces: the state is carried on, the gradient is not.
# * A network is often too sure of itself. One number, the temperature, chosen on the validation text, repairs that.
# * In four minutes the LSTM, given the endings that a counter looks up, is far better than a classic n-gram model, and
#   a little better than the best one, by less than the test can prove. The mean of both is clearly better than either:
#   they know different things.
# * With so little text a strong counter is hard to beat. A weak opponent proves nothing, nor does a difference below
#   its standard error.
#
# Exercises
# ---------
#
# 1. (checked) Write ``bits(p)``: bits per letter, from the probabilities that a model gave to the letters that came.
#    Check it with ``python -m lessons check 32 my_solution.py``.
# 2. (checked) Write ``witten_bell(counts, below)``: the probabilities of all letters after one context, from their
#    counts there and from the probabilities of the shorter model. Multiply V(x) by a number m: which one is best on the
#    validation text, and how long may the contexts be then?
# 3. (checked) Write ``with_temperature(p, t)`` for probabilities instead of scores.
# 4. Hide nothing (``probability=0``), or leave the dropout out. What do the two curves of the first figure do?
# 5. Train both models with a quarter of the training text. Who loses more? Which of them would you trust with a
#    hundred times as much?
