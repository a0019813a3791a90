"""
Judging a classifier
====================

A network is right about 95 images in a hundred. Is it any good? And when two networks differ, which numbers say how?

:formulas: D3-8-a, D3-8-b
:time: 10 s
"""

# %%
# A detector
# ----------
#
# Ten digits are ten questions at once. Here is a single one: is this a five, yes or no? A network with one output
# answers it. It gives a number z, the sigmoid makes of it a probability :math:`p = \sigma(z)`, and the loss is the
# binary cross-entropy of lesson 04. From here on a five is a **positive**, everything else a **negative**.
#
# The network learns from only 500 of the digits of lesson 15, so that there is something to judge. Another 2,000 are
# kept for decisions (validation), and 1,000 for the judgement at the end (test). Only one image in ten is a five. Many
# detectors live in such a world, or in a worse one: most parts that leave a factory are sound, most people in a
# screening are healthy, most letters are honest.

import matplotlib.pyplot as plt
import numpy as np

import minidl
import minidl.metrics as metrics
import minidl.nn as nn
import minidl.nn.functional as F
from lessons import progress, reproduce, save_figure
from minidl.data import MNIST5K

minidl.set_num_threads(1)  # the matrices are small: a second thread would only wait

digits, test_digits = MNIST5K(train=True), MNIST5K(train=False)
pixels, test_pixels = digits.data.reshape(-1, 784) / 255, test_digits.data.reshape(-1, 784) / 255
is_five = digits.targets.numpy() == 5  # (4000,)
truth = test_digits.targets.numpy() == 5  # (1000,)
order = np.random.default_rng(0).permutation(4000)
train_at, valid_at = order[:500], order[500:2500]


def train(epochs=20):
    minidl.manual_seed(0)
    model = nn.Sequential(nn.Linear(784, 32), nn.Tanh(), nn.Linear(32, 1))
    optimiser, rng = minidl.optim.Adam(model.parameters(), lr=0.001), np.random.default_rng(1)
    for _ in progress(range(epochs), "training"):
        for batch in rng.permutation(train_at).reshape(-1, 50):
            answers = minidl.tensor(is_five[batch].astype("float32"))  # (50,)
            optimiser.zero_grad()
            loss = F.binary_cross_entropy_with_logits(model(pixels[minidl.tensor(batch)])[:, 0], answers)
            loss.backward()
            optimiser.step()
    return model


def probabilities(model, images):
    with minidl.no_grad():
        return minidl.sigmoid(model(images)[:, 0].double()).numpy()


model = train()
p = probabilities(model, test_pixels)  # (1000,)
called = p >= 0.5  # (1000,) what the detector calls a five
print(f"the detector is right about {np.mean(called == truth):.1%} of the test digits")

# %%
# That sounds good. Now look at a detector that needs no training, and no camera: it always says "no".

print(f"'never a five' is right about {np.mean(~truth):.1%}")
assert np.mean(~truth) == 0.9
assert np.mean(called == truth) > 0.92

# %%
# Four counts
# -----------
#
# One number hides too much. There are two kinds of right answers and two kinds of wrong ones, so let us count four:
#
# * TP, **true positives**: fives that were called fives;
# * FN, **false negatives**: fives that were missed;
# * FP, **false positives**: others that were called fives, false alarms;
# * TN, **true negatives**: others that were left alone.


def four_counts(called, truth):
    TP = FN = FP = TN = 0
    for says_yes, is_yes in zip(called, truth, strict=True):
        if is_yes and says_yes:
            TP += 1
        elif is_yes:
            FN += 1
        elif says_yes:
            FP += 1
        else:
            TN += 1
    return TP, FN, FP, TN


TP, FN, FP, TN = four_counts(called, truth)
print("                called a five     called no five")
print(f"a five          {TP:15}   {FN:15}")
print(f"no five         {FP:15}   {TN:15}")
assert truth.sum() == TP + FN
assert TP + FN + FP + TN == 1000

# %%
# So that is where the 95 in a hundred come from: nearly all of them are true negatives, and about every other five is
# missed. "Never" has a table as well, with no true positive at all.
#
# Three shares
# ------------
#
# Document D3, section 8 "附录：常见问题与解答" (Appendix: questions and answers), question 5, names the usual figures,
# one sentence each. Three of them are shares of the four counts. The document gives no formulas, so here they are:
#
# .. math::
#    \text{accuracy} = \frac{TP + TN}{N}, \qquad
#    \text{recall} = \frac{TP}{TP + FN}, \qquad
#    \text{precision} = \frac{TP}{TP + FP}
#
# * **Accuracy** (准确率) asks all N images: how many answers are right?
# * **Recall** (召回率) asks the fives: how many of us were found?
# * **Precision** (精确率) asks those that were *called* fives: how many of us are fives?
#
# The document says of recall that it measures "the ability to correctly recognise positive samples", and of precision
# "the share of correctly recognised positive samples". Both sentences fit both figures. What keeps them apart is the
# denominator: *who is asked*. In a program, it is what stands in the brackets.


def accuracy(TP, FN, FP, TN):
    return (TP + TN) / (TP + FN + FP + TN)


def recall(TP, FN, FP, TN):
    return TP / (TP + FN)


def precision(TP, FN, FP, TN):
    return TP / (TP + FP)


ours = four_counts(called, truth)
print(f"accuracy {accuracy(*ours):.3f}, recall {recall(*ours):.3f}, precision {precision(*ours):.3f}")
assert accuracy(*ours) == np.mean(called == truth)
assert recall(*ours) == np.mean(called[truth])  # of the fives, those called
assert precision(*ours) == np.mean(truth[called])  # of the called, the fives
assert recall(*ours) < 0.7 < 0.85 < precision(*ours)

# %%
# A cautious detector: when it says "five" it can be trusted, but it says so too seldom. ("Never" has recall 0. Its
# precision is 0 / 0: nobody is there to be asked. ``minidl`` counts that as 0.)
#
# What F1 combines
# ----------------
#
# Recall alone is easy to please: call everything a five, and it is 1. Precision alone, too: call only the one image
# that you are surest of. A good detector has both. **F1** is one number that is high only if both are, their harmonic
# mean:
#
# .. math::
#    F_1 = \frac{2\,\text{precision}\cdot\text{recall}}{\text{precision}+\text{recall}}
#
# "Harmonic" means that the inverses are averaged. That makes it easy to write with the counts:
#
# .. math::
#    \frac{1}{F_1} = \frac{1}{2} \left(\frac{1}{\text{precision}} + \frac{1}{\text{recall}}\right)
#    = \frac{1}{2} \left(\frac{TP + FP}{TP} + \frac{TP + FN}{TP}\right)
#    = \frac{2\,TP + FP + FN}{2\,TP}
#
# Why not the ordinary mean? "Always a five" has recall 1 and precision 0.1, and the ordinary mean would give it 0.55.


def harmonic(a, b):
    return 2 * a * b / (a + b)


def f1(TP, FN, FP, TN):
    return 2 * TP / (2 * TP + FP + FN)


always = four_counts(np.ones(1000, bool), truth)
print(f"'always a five': ordinary mean {(precision(*always) + recall(*always)) / 2:.3f}, F1 {f1(*always):.3f}")
print(f"our detector:      ordinary mean {(precision(*ours) + recall(*ours)) / 2:.3f}, F1 {f1(*ours):.3f}")
for table in (always, ours):
    smaller = min(precision(*table), recall(*table))
    assert abs(f1(*table) - harmonic(precision(*table), recall(*table))) < 1e-12
    assert smaller <= f1(*table) <= 2 * smaller  # the smaller one decides

# %%
# The document says that F1 combines accuracy (准确率) and recall. Only the first character is different in precision
# (精确率), so this is an easy slip; but a formula made from it is wrong. To prove it we need no more than two tables of
# a hundred images each, (TP, FN, FP, TN):
#
# * (10, 0, 10, 80): ten positives, all found, and ten false alarms;
# * (50, 0, 10, 40): fifty positives, all found, and ten false alarms.
#
# Both have ten errors, so the same accuracy. Both found everything, so the same recall. If F1 were *any* function of
# those two, it would have to be the same for both.

tables = [(10, 0, 10, 80), (50, 0, 10, 40)]
for table in tables:
    figures = accuracy(*table), recall(*table), precision(*table), f1(*table)
    print(table, "accuracy {:.3f}, recall {:.3f}, precision {:.3f}, F1 {:.3f}".format(*figures))

reproduce(
    "D3-8-b",
    accuracy=[accuracy(*table) for table in tables],
    recall=[recall(*table) for table in tables],
    f1=[f1(*table) for table in tables],
    right=[harmonic(precision(*table), recall(*table)) for table in tables],
    printed=[harmonic(accuracy(*table), recall(*table)) for table in tables],
)

# %%
# Ten false alarms beside ten finds are a different thing from ten beside fifty. Precision sees it and F1 with it.
# In fact TN does not occur in F1 at all, while accuracy counts every true negative.
#
# The threshold
# -------------
#
# We called an image a five if :math:`p \ge 0.5`. Nothing forces us to. With a lower threshold more images are called:
# more fives are found, and more false alarms are raised. Recall can only rise, and precision usually falls. The
# network is the same; only what we make of its answer is different.
#
# Which threshold is best? Tried out on the test digits the answer would be too good to be true, as it would fit just
# these thousand. Decisions belong to the validation digits.

valid_p, valid_truth = probabilities(model, pixels[minidl.tensor(valid_at)]), is_five[valid_at]
thresholds = np.linspace(0.005, valid_p[valid_truth].max(), 190)  # above that nothing is found
curves = {
    figure.__name__: [figure(*four_counts(valid_p >= t, valid_truth)) for t in thresholds]
    for figure in (precision, recall, f1)
}
best = thresholds[np.argmax(curves["f1"])]
moved = four_counts(p >= best, truth)
print(f"the best threshold for F1 on the validation digits: {best:.2f}")
for name, table in [("0.50", ours), (f"{best:.2f}", moved)]:
    figures = accuracy(*table), recall(*table), precision(*table), f1(*table)
    print(f"test, threshold {name}:", "accuracy {:.3f}, recall {:.3f}, precision {:.3f}, F1 {:.3f}".format(*figures))
assert best < 0.5
assert recall(*moved) > recall(*ours) + 0.1
assert f1(*moved) > f1(*ours) + 0.03
assert abs(accuracy(*moved) - accuracy(*ours)) < 0.02
assert all(a >= b for a, b in zip(curves["recall"], curves["recall"][1:], strict=False))

fig, ax = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
for (name, curve), colour in zip(curves.items(), ["tab:blue", "tab:orange", "tab:green"], strict=True):
    ax.plot(thresholds, curve, color=colour, label=name if name != "f1" else "F1")
ax.axvline(best, color="gray", linestyle=":", label=f"highest F1, at {best:.2f}")
ax.set(xlabel="threshold for p", ylabel="share", ylim=(0, 1.03), title="Fives among 2,000 validation digits")
ax.legend()
save_figure(fig, "threshold")

# %%
# Moving the threshold costs nothing, and here it finds many more fives. Accuracy hardly notices. F1 is not the last
# word, either: it takes a miss to be as bad as a false alarm. Whoever screens for a disease will go further down; a
# filter that deletes letters should go up. Exercise 3 puts prices on the two.
#
# All thresholds at once
# ----------------------
#
# Can a detector be judged before anybody has chosen a threshold? The fifth item of the document is the **ROC curve**
# (receiver operating characteristic; the name comes from radar), "the performance at different thresholds". Each
# threshold gives one point. Upwards goes the share of the positives that are called, which is the recall; to the right
# goes the share of the *negatives* that are called:
#
# .. math:: \text{TPR} = \frac{TP}{TP + FN}, \qquad \text{FPR} = \frac{FP}{FP + TN}
#
# Begin with a threshold above all scores: nothing is called, and we are at (0, 0). Now let it sink. Whenever it passes
# a positive the curve makes a step up, of :math:`1 / n_+` if there are :math:`n_+` positives. Whenever it passes one of
# the :math:`n_-` negatives it makes a step :math:`1 / n_-` to the right. In the end all are called: (1, 1).


def roc(scores, truth):
    """The points of the curve, (thresholds + 1, 2), from (0, 0) to (1, 1)."""
    points = [(0.0, 0.0)]
    for threshold in np.unique(scores)[::-1]:
        called = scores >= threshold
        points.append((np.mean(called[~truth]), np.mean(called[truth])))
    return np.array(points)


def area_under(points):
    """The area, as a sum of trapezoids: width times mean height."""
    (x, y) = points.T
    return np.sum((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2)


few_scores, few_truth = np.array([0.9, 0.8, 0.7, 0.4, 0.3]), np.array([True, False, True, True, False])
print(roc(few_scores, few_truth).T.round(2))
print("area under this curve:", round(area_under(roc(few_scores, few_truth)), 4))

# %%
# Five images, three of them positive: up, right, up, up, right. Every step to the right has below it a strip of the
# area. Its width is :math:`1 / n_-`. Its height is the number of positives that have been passed before, divided by
# :math:`n_+`: those with a **higher score than this negative**. Add up all strips:
#
# .. math::
#    \text{area} = \sum_{\text{negatives } j} \frac{1}{n_-} \cdot \frac{\#\{\text{positives } i:\; s_i > s_j\}}{n_+}
#    = \frac{\#\{\text{pairs } (i, j):\; s_i > s_j\}}{n_+\, n_-}
#
# So **the area is the probability that a positive, picked at random, has a higher score than a negative**, picked at
# random. Here it is 4 of 6 pairs. It is 1 if all positives come before all negatives, and 1/2 if the scores know
# nothing.
#
# And equal scores? The threshold passes them all at once, so the curve goes up and right in one slanting step. With a
# positives and b negatives in this step, the piece is a triangle of the area :math:`\frac{1}{2} \cdot \frac{a}{n_+}
# \cdot \frac{b}{n_-}`: each of the a times b pairs that are tied counts one half. That is fair, since a coin would have
# to decide.


def ranked(scores, truth):
    """Share of the pairs (positive, negative) with the positive in front, ties counted half."""
    above = scores[truth][:, None] - scores[~truth]  # (positives, negatives)
    return np.mean((above > 0) + 0.5 * (above == 0))


coarse = p.round(1)  # eleven different scores at most: many ties
for name, scores in [("probabilities", p), ("rounded to one digit", coarse)]:
    by_area, by_pairs = area_under(roc(scores, truth)), ranked(scores, truth)
    print(f"{name:21} {len(roc(scores, truth)) - 1:4} steps: area {by_area:.6f}, pairs {by_pairs:.6f}")
    assert abs(by_area - by_pairs) < 1e-12

reproduce(
    "D3-8-a",
    accuracy=[accuracy(*table) for table in tables],
    recall=[recall(*table) for table in tables],
    precision=[precision(*table) for table in tables],
    ranked=ranked(p, truth),
    auc=area_under(roc(p, truth)),
)

# %%
# A program that forgets the ties and passes the images one by one gets a result that depends on the order in which
# equal ones happen to lie in the file. Between luck and bad luck there is a wide gap:


def one_by_one(scores, truth, positives_first):
    order = np.lexsort((~truth if positives_first else truth, -scores))
    ups = truth[order]
    points = np.stack([np.cumsum(~ups) / np.sum(~ups), np.cumsum(ups) / np.sum(ups)], axis=1)
    return area_under(np.vstack([[0, 0], points]))


lucky, unlucky = one_by_one(coarse, truth, True), one_by_one(coarse, truth, False)
print(f"ties one by one: {unlucky:.3f} to {lucky:.3f}; half a point each: {ranked(coarse, truth):.3f}")
assert unlucky + 0.05 < lucky
assert abs((lucky + unlucky) / 2 - ranked(coarse, truth)) < 1e-12

# %%
# What the curve does not see
# ---------------------------
#
# An area above 0.9 is a fine figure, though at 0.5 every other five was missed. There is no contradiction: the *order*
# of the scores was good, the threshold was not. The area judges the order alone.
#
# There is a second thing that it does not see. TPR asks positives only, and FPR negatives only, so it does not matter
# how many there are of each. Copy every negative ten times: now one image in 91 is a five. The curve stays where it
# is. But every false alarm comes ten times, and the precision collapses. Where positives are rare, look at precision
# and recall as well.

rare_p, rare_truth = np.append(p, np.repeat(p[~truth], 9)), np.append(truth, np.zeros(9 * 900, bool))
assert np.array_equal(roc(rare_p, rare_truth), roc(p, truth))
rare = four_counts(rare_p >= best, rare_truth)
for name, table in [("one in 10", moved), ("one in 91", rare)]:
    print(f"{name} a five, threshold {best:.2f}: recall {recall(*table):.3f}, precision {precision(*table):.3f}")
assert recall(*rare) == recall(*moved)
assert precision(*rare) < 0.5 < precision(*moved)

fig, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.6), layout="constrained")
left.plot(*roc(p, truth).T, color="tab:blue", linewidth=3, label=f"our detector: area {ranked(p, truth):.3f}")
left.plot(*roc(rare_p, rare_truth).T, color="black", linestyle="--", label="the negatives ten times")
left.plot(*roc(coarse, truth).T, color="tab:orange", linewidth=1, label="rounded to one digit")
left.plot([0, 1], [0, 1], ":", color="gray", label="scores that know nothing: 0.5")
for threshold, marker in [(0.5, "o"), (best, "s")]:
    at = np.mean(p[~truth] >= threshold), np.mean(p[truth] >= threshold)
    left.plot(*at, marker, color="tab:red", label=f"threshold {threshold:.2f}", zorder=3)
left.set(xlabel="share of the negatives called (FPR)", ylabel="share of the positives called (TPR)", title="ROC curve")
left.legend(loc="lower right")
for scores, actual, name in [(p, truth, "one in 10 a five"), (rare_p, rare_truth, "one in 91 a five")]:
    every = [four_counts(scores >= t, actual) for t in np.unique(p[truth])]
    right.plot([recall(*t) for t in every], [precision(*t) for t in every], label=name)
right.set(xlabel="recall", ylabel="precision", ylim=(0, 1.03), title="The same scores, precision against recall")
right.legend()
save_figure(fig, "roc")

# %%
# The engine does the same
# ------------------------
#
# ``minidl.metrics`` has these figures. Predictions come first and the truth second. Its table has the class 0 first,
# so that for two classes it reads [[TN, FP], [FN, TP]]; with more classes it is the table of lesson 15.

guesses, labels = called.astype(int), truth.astype(int)
print(metrics.confusion_matrix(guesses, labels))
fpr, tpr, _ = metrics.roc_curve(p, labels)
for theirs, by_hand in [
    (metrics.confusion_matrix(guesses, labels).numpy(), [[TN, FP], [FN, TP]]),
    (metrics.accuracy(guesses, labels), accuracy(*ours)),
    (metrics.recall(guesses, labels), recall(*ours)),
    (metrics.precision(guesses, labels), precision(*ours)),
    (metrics.f1(guesses, labels), f1(*ours)),
    (np.stack([fpr.numpy(), tpr.numpy()], axis=1), roc(p, truth)),
    (metrics.roc_auc(p, labels), ranked(p, truth)),
    (metrics.roc_auc(coarse, labels), ranked(coarse, truth)),
]:
    assert np.allclose(theirs, by_hand, rtol=0, atol=1e-12)
print("counts, shares, curve and area: minidl.metrics agrees")

# %%
# Summary
# -------
#
# * Accuracy alone flatters where one class is rare. Compare it with "never", and look at the four counts.
# * Recall asks the positives, precision asks those that were called. F1 is the harmonic mean of these two, not of
#   accuracy and recall: two tables with the same accuracy and recall have different F1.
# * The threshold is a decision of ours. Choose it on validation data, and by what each kind of error costs.
# * The ROC curve shows all thresholds. Its area is the probability that a random positive scores above a random
#   negative, with ties counted half. It judges the order only, and it does not notice how rare the positives are.
#
# Next: the network of lesson 15 sees 784 separate numbers, not an image. Lesson 20 begins to change that.
#
# Exercises
# ---------
#
# ``python -m lessons check 16 my_solution.py`` checks the first three.
#
# 1. (checked) Write ``figures(table, k)``: for a table as in lesson 15 (row: the truth; column: the answer), with as
#    many classes as you like, the triple (precision, recall, F1) of class k, all other classes taken together as "not
#    k".
# 2. (checked) Write ``area(scores, truth)``, the area under the ROC curve, so that it also manages 200,000 scores. They
#    have ten billion pairs, too many to look at each. There will be ties.
# 3. (checked) A missed five costs ``miss``, a false alarm ``alarm``. Write ``threshold(scores, truth, miss, alarm)``:
#    a threshold (called if score >= threshold) with which the total cost is as low as it can be.
# 4. Somebody's detector has an area of 0.2. How do you turn it into one with 0.8, without any training?
# 5. Train a detector for each of the ten digits. Which digit is the hardest by accuracy, by F1 at 0.5, and by the area?
#    Why do the three not agree?
