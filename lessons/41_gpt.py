"""
A small GPT
===========

A GPT has no state that it carries along: it looks at everything it has read, all at once. How is it built, how is it
trained, and does a small one guess the next letter better than counting?

:time: 5 min
"""

# %%
# The task and the opponents
# --------------------------
#
# The text, the measure and the opponents are those of lesson 32: Python's manual in 96 letters, divided by topics into
# a training, a validation and a test text; the cross-entropy in **bits per letter**, :math:`-\log_2 p` of each letter
# that came, on average; and two models that count, that of Witten and Bell and that of Kneser and Ney. Again the
# validation text decides how long their contexts are.

import argparse
import math
import re

import matplotlib.pyplot as plt
import numpy as np

import minidl
import minidl.nn as nn
import minidl.nn.functional as F
from lessons import progress, save_figure
from lessons.text import LETTERS, Endings, KneserNey, WittenBell, manual, numbers

options = argparse.ArgumentParser(description="Trains a small GPT on the letters of Python's manual.")
options.add_argument("--epochs", type=int, default=12)
options.add_argument("--last", type=int, default=6, help="how many of the last letters the embedding knows")
options = options.parse_args()

minidl.set_num_threads(1)  # the order of the sums, and so the last digits, do not depend on the machine's cores
minidl.manual_seed(0)

train, valid, test = manual()
on_valid, on_test = {}, {}
for kind, orders in {WittenBell: (3, 4, 5), KneserNey: (4, 6, 8)}.items():
    counting = min((kind(train, order) for order in orders), key=lambda model: model.costs(valid).mean())
    on_valid[kind], on_test[kind] = counting.costs(valid).mean(), counting.costs(test)
    print(f"{kind.__name__} with contexts of {counting.order} letters, test: {on_test[kind].mean():.3f} bits a letter")

# %%
# The parts
# ---------
#
# The network sees a window of T = 128 letters, and B = 16 windows at a time. For each letter it makes a vector of
# C = 96 numbers, changes it step by step, and reads the scores of the next letter off it in the end. Every line below
# says what shape comes out.
#
# **Embedding.** As in lesson 32, a letter enters as the sum of the rows of its endings: the last letter, the last two,
# up to six. Each row has C numbers, and a matrix W behind the sum changes all rows together, the rare ones with the
# frequent ones: :math:`e_t = \sum_n E[c_{t-n+1} \dots c_t]` and :math:`v_t = W e_t`.
#
# **Causal self-attention** (lesson 40). Every letter asks with a query, q, all letters before it and itself. These have
# a key, k, and a value, v. Query times key tells how well they fit, the softmax makes weights of it, and what comes out
# is a mixture of the values. What stands after the letter is hidden, or else the answer could simply be copied. Three
# heads do this side by side, with 32 numbers each.
#
# **Distance.** Attention itself does not know in what order the letters stand, and treats all distances alike. GPT-2
# adds a row of numbers for each place in the window; what stands at distance 3, it must then learn 125 times. Press
# and others (2022) found something simpler: what is d letters away loses :math:`m\,d` of its score before the softmax.
# Each head has its own slope m, here 1/2, 1/8 and 1/32: one sees the last few letters, one half a line, one nearly
# all of the window. They call it ALiBi. Nothing is learnt, and near things come first by form.
#
# **Looking behind what fits.** What is worth finding in a text? A place where the same letters stood before. And what
# there? The letter that *followed*. So the key of a place is made of the vector one place **before** it, while its
# value is its own: a query that fits the key "... retu" gets the value "r" at once. (A usual GPT needs two blocks for
# this, and long training until they find each other; Olsson and others 2022, who call that an *induction head*, also
# describe keys with a part of the key before them.) We do so in the first block alone; in the others keys are made as
# usual.
#
# **MLP.** Attention only averages. In between, each letter thinks for itself: a layer of 4 C units with ReLU, and one
# back to C. (GPT-2 has GELU here, a ReLU with a rounded corner. It takes more time and does not matter for us.)
#
# **Block.** Both are *added* to what was there, :math:`v + f(\text{norm}(v))`, so that the gradient always has a free
# way back (lesson 25). The layer norm before each brings the C numbers of each letter to mean 0 and variance 1. In the
# first Transformer it stood behind the sum; before it ("pre-norm"), training needs less care.
#
# **Scores.** Two votes are added up: that of the blocks, and one straight from the endings, :math:`U e_t`. After
# ``retu`` there is nothing to think about; what is easy goes the short way, and the blocks are left with what is not.

T, B, C, HEADS, BLOCKS = 128, 16, 96, 3, 2

slopes = minidl.tensor([[[1 / 2]], [[1 / 8]], [[1 / 32]]])  # (H, 1, 1)
places = minidl.arange(T)
distance = places[:, None] - places  # (T, T)
mask = (-slopes * distance).masked_fill(distance < 0, -math.inf)  # (H, T, T): what is added to the scores


class Attention(nn.Module):
    def __init__(self, shifted):
        super().__init__()
        self.shifted = shifted  # whether to look behind what fits
        self.qkv = nn.Linear(C, 3 * C)
        self.out = nn.Linear(C, C)

    def heads(self, v):
        """Queries, keys and values of all heads."""
        B, T, C = v.shape
        q, k, v = self.qkv(v).reshape(B, T, 3, HEADS, C // HEADS).permute(2, 0, 3, 1, 4).unbind(0)  # each (B, H, T, D)
        return q, F.pad(k, (0, 0, 1, -1)) if self.shifted else k, v  # each key one place on: 0 first, the last one out

    def forward(self, v):
        T = v.shape[1]
        y = F.scaled_dot_product_attention(*self.heads(v), mask[:, :T, :T])  # (B, H, T, D)
        return self.out(y.transpose(1, 2).flatten(2))  # (B, T, C)

    def weights(self, v):
        """What `scaled_dot_product_attention` computes on the way: row t says where letter t looks."""
        q, k, _ = self.heads(v)
        T = v.shape[1]
        return F.softmax((q @ k.mT) / math.sqrt(q.shape[-1]) + mask[:, :T, :T], -1)  # (B, H, T, T)


class Block(nn.Module):
    def __init__(self, first):
        super().__init__()
        self.norm_1, self.attention = nn.LayerNorm(C), Attention(shifted=first)
        self.norm_2, self.mlp = nn.LayerNorm(C), nn.Sequential(nn.Linear(C, 4 * C), nn.ReLU(), nn.Linear(4 * C, C))
        self.dropout = nn.Dropout(0.1)

    def forward(self, v):
        v = v + self.dropout(self.attention(self.norm_1(v)))  # (B, T, C)
        return v + self.dropout(self.mlp(self.norm_2(v)))  # (B, T, C)


class GPT(nn.Module):
    def __init__(self, rows):
        super().__init__()
        self.endings = nn.Embedding(rows, C, padding_idx=0)
        self.together = nn.Linear(C, C)
        self.before, self.behind = nn.Dropout(0.1), nn.Dropout(0.2)
        self.blocks = nn.Sequential(*[Block(first=i == 0) for i in range(BLOCKS)])
        self.norm = nn.LayerNorm(C)
        self.scores = nn.Linear(C, len(LETTERS))
        self.direct = nn.Linear(C, len(LETTERS), bias=False)

    def embed(self, x):
        return self.before(self.endings(x).sum(-2))  # (B, T, 6) -> (B, T, 6, C) -> (B, T, C)

    def forward(self, x):
        e = self.embed(x)  # (B, T, C)
        v = self.blocks(self.together(e))  # (B, T, C)
        return self.scores(self.behind(self.norm(v))) + self.direct(e)  # (B, T, 96)


# %%
# How do weights start? As in lesson 14: the numbers that come out of a layer shall be about as large as those that go
# in, so the entries of a matrix get the standard deviation :math:`1/\sqrt{n}` for n inputs. The last matrix of each
# branch is made smaller, since 2 branches a block add up. The scores start near zero: at first all letters are equally
# probable, and the loss must be near :math:`\log_2 96`.
#
# The rows of the endings start small, too, and this matters more than anything else here. Most endings are rare: a row
# that is used three times in the whole text moves but a few small steps from where it started. If it started large, it
# would still be mostly chance in the end, and disturb the sum of the rows that have learnt something. When we let them
# start five times as large, it cost 0.1 bits a letter in a short run. What has not been learnt should be near zero.
#
# One more start is no chance. In the first block keys and queries begin with the **same** matrix. Then a query fits
# those keys best that are made of the same endings: it looks where the same letters stood before. Training may change
# that, but it need not discover it.


def start(model):
    for name, p in model.named_parameters():
        if name.endswith(("out.weight", "mlp.2.weight")):
            nn.init.normal_(p, 0, 1 / math.sqrt(p.shape[1] * 2 * BLOCKS))
        elif name in ("scores.weight", "direct.weight"):
            nn.init.normal_(p, 0, 0.1 / math.sqrt(C))
        elif name == "endings.weight":
            nn.init.normal_(p, 0, 0.1)
        elif p.ndim == 2:
            nn.init.normal_(p, 0, 1 / math.sqrt(p.shape[1]))
        elif name.endswith("bias"):
            nn.init.zeros_(p)
    with minidl.no_grad():
        model.endings.weight[0].zero_()  # an unknown ending adds nothing
        qkv = model.blocks[0].attention.qkv.weight  # (3 C, C)
        qkv[C : 2 * C].copy_(qkv[:C])


endings = Endings(train, options.last, at_least=3)
model = GPT(len(endings))
start(model)
inside = sum(p.numel() for p in model.blocks.parameters())
outside = sum(p.numel() for p in model.parameters()) - inside
print(f"{inside:,} parameters in the blocks, {outside:,} around them, for {len(endings):,} endings")

# %%
# Two checks before any training. The loss must be that of knowing nothing. And the network must not see the future: we
# change the last letter of a window, and all scores before it must stay exactly as they are.

model.eval()
x = minidl.tensor(endings(test[: T + 1])[None])  # (1, T + 1, 6)
with minidl.no_grad():
    scores = model(x[:, :T])  # (1, T, 96)
    first_loss = F.cross_entropy(scores[0], minidl.tensor(numbers(test[1 : T + 1]))).item() / math.log(2)
    other = minidl.tensor(endings(test[: T - 1] + "~")[None])
    apart = np.abs((model(other) - scores).numpy()).max(axis=(0, 2))  # (T,)
print(f"before training: {first_loss:.2f} bits a letter")
assert abs(first_loss - math.log2(len(LETTERS))) < 0.2
assert np.all(apart[:-1] == 0)
assert apart[-1] > 0

# %%
# Training
# --------
#
# A window gives T tasks at once: at each of its places the next letter is to be guessed, from the letters up to there.
# The windows begin anywhere in the text.
#
# The optimiser is **AdamW** (lesson 13), which lets the weights decay a little in each step. Only matrices decay;
# biases, norms and the rows of the table do not (most rows are rarely used, and would fade away in between). The
# learning rate rises in a straight line for the first 5 % of the steps, the **warm-up**, since Adam's averages know
# little at first and a Transformer takes large steps at the start badly. Then it falls along half a **cosine** wave.
#
# Endings are hidden while training, as in lesson 32, but a little closer to life: in a new text, where an ending is
# unknown, all longer ones are, too. So we hide them from a random length on.


def learning_rate(step, total, highest=4e-3, lowest=8e-5):
    warm = max(1, total // 20)
    if step < warm:
        return highest * (step + 1) / warm
    return lowest + (highest - lowest) * 0.5 * (1 + math.cos(math.pi * (step - warm) / (total - warm)))


def hide(x, probability=0.2):
    """From each length to the next, an ending becomes unknown with this probability, and all longer ones with it."""
    hidden = rng.random(x.shape) < probability
    hidden[..., 0] = False
    return np.where(np.logical_or.accumulate(hidden, axis=-1), 0, x)


def costs(text, temperature=1.0):
    """-log2 p of the letters, from the second on, each with at least T / 2 letters before it where there are any."""
    x, y = endings(text), numbers(text)
    last = len(text) - 1 - T
    starts = np.array([*range(0, last, T // 2), last])
    windows = starts[:, None] + np.arange(T)  # (windows, T)
    found = np.zeros(len(text) - 1)
    model.eval()
    with minidl.no_grad():
        for some in np.array_split(windows, math.ceil(len(windows) / 32)):
            logs = F.log_softmax(model(minidl.tensor(x[some])) / temperature, -1).numpy()  # (32, T, 96)
            bits = -np.take_along_axis(logs, y[some + 1][..., None], -1)[..., 0] / math.log(2)  # (32, T)
            for places, cost in zip(some, bits, strict=True):
                new = slice(0 if places[0] == 0 else T // 2, T)
                found[places[new]] = cost[new]
    model.train()
    return found


x_all, y_all = endings(train), numbers(train)
rng = np.random.default_rng(0)
rounds = len(train) // (B * T)
total = rounds * options.epochs
decaying = [p for p in model.parameters() if p.ndim == 2 and p is not model.endings.weight]
others = [p for p in model.parameters() if all(p is not q for q in decaying)]
groups = [{"params": decaying, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
optimiser = minidl.optim.AdamW(groups, betas=(0.9, 0.99))

trained, validated, recent = [], [], []
model.train()
for step in progress(range(total), "training"):
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(step, total)
    windows = rng.integers(len(train) - T, size=(B, 1)) + np.arange(T)  # (B, T)
    x, y = minidl.tensor(hide(x_all[windows])), minidl.tensor(y_all[windows + 1])  # (B, T, 6), (B, T)
    optimiser.zero_grad()
    loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    recent.append(loss.item() / math.log(2))
    if len(recent) == rounds:
        trained.append(np.mean(recent))
        validated.append(costs(valid).mean())
        recent = []

# %%
# How sure may it be?
# -------------------
#
# As in lesson 32, a network that has read its training text often is too sure of itself on another. So all scores are
# divided by one number before the softmax, the temperature :math:`\tau`, which the validation text chooses.


temperatures = (1.0, 1.1, 1.2, 1.3, 1.4, 1.5)
tempered = [costs(valid, tau).mean() for tau in temperatures]
print("validation:", ", ".join(f"{b:.3f} at {tau}" for tau, b in zip(temperatures, tempered, strict=True)))
calm = temperatures[int(np.argmin(tempered))]
assert min(tempered) <= validated[-1]

gpt_costs = costs(test, calm)
print(f"test: {gpt_costs.mean():.3f} bits a letter by the GPT, perplexity {2 ** gpt_costs.mean():.2f}")

# %%
# Is it better?
# -------------
#
# The same training text, the same letters of the test text. As in lesson 32 the test is cut into 40 stretches; their
# scatter tells how sure the difference is.

for kind, found in on_test.items():
    means = [part.mean() for part in np.array_split(gpt_costs - found, 40)]
    error = np.std(means, ddof=1) / math.sqrt(40)
    print(f"GPT minus {kind.__name__}: {np.mean(means):+.3f} bits a letter, standard error {error:.3f}")
assert gpt_costs.mean() < on_test[KneserNey].mean() < on_test[WittenBell].mean()

fig, ax = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
epochs = np.arange(1, len(trained) + 1)
ax.plot(epochs, trained, "o:", color="tab:gray", label="GPT, training text (with hidden endings and dropout)")
ax.plot(epochs, validated, "o-", color="tab:blue", label="GPT, validation text")
ax.plot(epochs[-1], min(tempered), "*", ms=14, color="tab:blue", label=f"GPT, validation text, temperature {calm}")
for kind, colour in [(WittenBell, "tab:olive"), (KneserNey, "tab:orange")]:
    ax.axhline(on_valid[kind], color=colour, label=f"{kind.__name__}, validation text")
ax.set(xlabel="epoch (as many letters as the training text has)", ylabel="bits per letter", ylim=(1.4, 2.8))
ax.legend()
save_figure(fig, "learning")

# %%
# Both together
# -------------
#
# Two models that err in different places: the mean of their probabilities is a model again.

both = -np.log2(0.5 * 2**-gpt_costs + 0.5 * 2 ** -on_test[KneserNey])
print(f"the mean of GPT and Kneser-Ney: {both.mean():.3f} bits a letter")
assert both.mean() < min(gpt_costs.mean(), on_test[KneserNey].mean())

# %%
# What is a long context worth?
# -----------------------------
#
# The letter at place t of a window is guessed from t + 1 letters. So one look at many windows tells what each number of
# letters is worth. The windows begin 16 letters apart; where the picture takes the mean over 16 places or more, it is
# over all letters of the test. Over fewer places it is over some of them, so small ripples mean nothing.

x, y = endings(test), numbers(test)
windows = np.arange(0, len(test) - T - 1, 16)[:, None] + np.arange(T)  # (windows, T)
by_place = np.zeros(T)
model.eval()
with minidl.no_grad():
    for some in np.array_split(windows, math.ceil(len(windows) / 32)):
        fresh = x[some]  # (32, T, 6)
        for n in range(2, options.last + 1):
            fresh[:, : n - 1, n - 1] = 0  # no ending may reach out of the window
        logs = F.log_softmax(model(minidl.tensor(fresh)) / calm, -1).numpy()  # (32, T, 96)
        by_place -= np.take_along_axis(logs, y[some + 1][..., None], -1)[..., 0].sum(axis=0) / math.log(2)
by_place /= len(windows)

reached = np.array([1, 2, 3, 4, 6, 8, 12, 16, 32, 48, 64, 96, 128])
between = [by_place[low:high].mean() for low, high in zip([0, *reached], reached, strict=False)]
fig, ax = plt.subplots(figsize=(7.5, 4), layout="constrained")
ax.plot(reached, between, "o-", label="GPT")
ax.axhline(on_test[KneserNey].mean(), color="tab:orange", label="KneserNey, with all that it has")
ax.set_xscale("log", base=2)
ax.set_xticks([1, 2, 4, 8, 16, 32, 64, 128], ["1", "2", "4", "8", "16", "32", "64", "128"])
ax.set(xlabel="letters that it sees", ylabel="bits per letter, test text")
ax.legend()
save_figure(fig, "context")
print(f"seeing 2 letters {between[1]:.2f} bits, 17 to 32 {between[8]:.3f}, 97 to 128 {between[-1]:.3f}")
assert between[0] > between[3] > between[8] > between[-1]

# %%
# Up to about eight letters everything helps a lot; this is where counting lives. What lies farther back helps little,
# but it does help: when we ran this, 17 to 32 letters made 1.82 bits, and 97 to 128 letters 1.78. These 0.04 bits are
# nearly all of the lead over Kneser and Ney's model, which with its eight letters cannot have them.

# %%
# Where it looks
# --------------
#
# The weights of attention can be looked at. We take a piece of the test text that ends in the first letters of a word
# that has just been there, and ask each head of each block where these four letters look.

twice = re.compile(r"\b([a-z]{8,})\b(?=.{20,50}\b\1\b)", re.DOTALL).search(test, T)  # a long word, and soon again
again = test.index(twice[1], twice.end())
piece = test[again - 76 : again + 4]
with minidl.no_grad():
    v = model.together(model.embed(minidl.tensor(endings(piece)[None])))  # (1, 80, C)
    looks = []
    for block in model.blocks:
        looks.append(block.attention.weights(block.norm_1(v)).numpy()[0])  # (H, 80, 80)
        v = block(v)
looks = np.concatenate(looks)  # (all heads, 80, 80)
assert np.allclose(looks.sum(-1), 1, atol=1e-5)
assert np.all(np.triu(looks, 1) == 0)

shown = [letter if letter != "\n" else "/" for letter in piece]
fig, axes = plt.subplots(len(looks), 1, figsize=(11, 1.15 * len(looks)), layout="constrained")
for which, (ax, look) in enumerate(zip(axes, looks, strict=True)):
    ax.imshow(look[-4:], cmap="Blues", aspect="auto", vmin=0, vmax=0.5)
    ax.set_xticks(range(len(shown)), shown, fontsize=8)
    ax.set_yticks(range(4), shown[-4:], fontsize=8)
    ax.tick_params(length=0)
    ax.set_title(f"block {which // HEADS + 1}, head {which % HEADS + 1}", fontsize=8, loc="left")
save_figure(fig, "attention")

first = 76 - (again - twice.start(1))  # where the word began the first time; now it begins at 76
copying = looks[:, [77, 78], [first + 2, first + 3]].mean(axis=1)  # after 2 and 3 of its letters, at what followed
head = int(copying.argmax())
print(f"block {head // HEADS + 1}, head {head % HEADS + 1} puts {copying[head]:.0%} of its weight on what followed")
assert copying[head] > 5 / len(piece)

# %%
# The slopes can be seen: the first head of each block looks at the last few letters, the third as far as it likes. And
# one head does what its keys were made for. After ``fu`` it looks at the ``n`` of the earlier "function", after ``fun``
# at the ``c``: it goes to where these letters stood before, and sees what followed. Nobody told it what a word is. This
# is the beginning of copying, and counting cannot do it.
#
# It writes
# ---------
#
# The temperature is that of lesson 32. **Top-k** is another way to keep the improbable out: only the k most probable
# letters may be drawn. The window slides along: what is longer ago than 128 letters is forgotten.


def write(beginning, length, temperature, k):
    text = beginning
    model.eval()
    with minidl.no_grad():
        for _ in range(length):
            x = endings(text[-T - options.last :])[-T:]  # (up to T, 6)
            scores = model(minidl.tensor(x[None]))[0, -1] / temperature  # (96,)
            best, places = scores.topk(k)  # (k,), (k,)
            text += LETTERS[places[minidl.multinomial(F.softmax(best, -1), 1).item()].item()]
    return text


for temperature, k in [(0.5, 96), (0.8, 10), (1.0, 96)]:
    print(f"\ntemperature {temperature}, the best {k} letters:\n\n{write('The ', 400, temperature, k)}")

# %%
# Spelling is learnt, and which words follow each other; quotes are mostly closed. But sentences do not mean anything,
# lines break where they should not, and words are invented.
#
# So is it better than counting? Than Witten and Bell's way by far, and than Kneser and Ney's, the best, too: when we
# ran this, by 0.05 bits, four standard errors. Two things should be said with it.
#
# *The temperature decides.* At temperature 1 the GPT loses, as the blue curve shows: it over-fits (the gray curve) and
# is far too sure of itself. One number from the validation text, worth 0.10 bits there, turns it round. Kneser and
# Ney's discounts do the same for the counts from the start.
#
# *A usual GPT loses.* With a row for each place, keys of their own places, no direct votes and rows that start large,
# this lesson came to 1.90 bits, 0.07 **behind** Kneser and Ney. Counting reads once and remembers everything; a network
# learns by many small steps. So we told it what it need not learn. In short runs, on the validation text, the rows that
# start small were worth 0.10 bits, the direct votes 0.05, the keys from one place before, with their start, 0.04, and
# the distances 0.02. Large models are told less, since they read more. And what ours knows is still something else than
# the counts, as the mean of both shows.
#
# Summary
# -------
#
# * A GPT is: embedding, blocks of causal attention and an MLP, each behind a norm and added to what was there, then
#   scores for the next letter. T letters give T tasks at once.
# * Attention needs to be told about order: here each head lets the fit fade with the distance, at a slope of its own.
# * Keys from one place before let a head look at what followed the same letters earlier: the beginning of copying.
# * No score may depend on a later letter. This can be tested exactly, and should be.
# * Weights start so that the loss is that of knowing nothing, and rarely used rows near zero. AdamW with warm-up and
#   cosine trains it; only matrices decay.
# * A network that has read a small text often is too sure of itself. One number, the temperature, repairs that, and the
#   validation text tells which.
# * Fair comparisons need a strong opponent, and a standard error. Ours beats it, and loses against both together.
# * Temperature and top-k decide how daring the sampled text is.
#
# Exercises
# ---------
#
# 1. (checked) Write ``parameters(V, T, C, L)``: how many a GPT has that embeds V letters by a plain table (V, C), has T
#    places (a row of C numbers for each, as in GPT-2, instead of our distances) and L blocks of width C as above (all
#    layers with biases, the MLP with 4 C units), and a last norm and scores. Try it with GPT-2's 50257, 1024, 768 and
#    12. (GPT-2 uses one table for embedding and scores and has no bias there: how many are left?) Check it with
#    ``python -m lessons check 41 my_solution.py``.
# 2. (checked) Write ``top_k(p, k)``: of the probabilities p the k largest, made to sum to 1.
# 3. (checked) Write ``learning_rate(step, warm, total, top)``: the warm-up from 0 and the cosine down to 0.
# 4. Take away what our GPT has beyond a usual one, each by itself: slopes of 0 instead of the distances,
#    ``shifted=False``, no ``direct``, rows that start at 0.5. What does each cost? (The endings still know the order of
#    the last six letters. Try it with ``--last 1``, too.) And what do rows that start at 0.1 do for lesson 32's LSTM?
# 5. Let it see the future while training: make the mask of ``-slopes * distance.abs()`` alone. How low does the loss
#    fall, and what does the network write?
