r"""
Losses: how wrong is an answer?
===============================

A network answers, and we know what it should have said. How do we turn the distance between the two into one number?

:formulas: D1-2.1.3-a, D3-3-f, D3-4-i, D3-4-j, D3-4-k, D3-4-l,
    D4-4.1.1-a, D4-4.1.2-a, D4-4.1.3-a, D4-4.1.3-b
:time: 5 s
"""

# %%
# One number to judge them all
# ----------------------------
#
# Lessons 02 and 03 built units that answer. Before they can learn, somebody must tell them how good an answer is, and
# in a way that can be improved by small steps. So we want a single number, the **loss**: the smaller the better, and
# with a slope (lesson 01) that says which way is better.
#
# There are two families, for two kinds of questions. "How much?" asks for a number, and the loss measures how far off
# it is. "Which one?" asks for a choice, and the loss measures how little we believed in the right one.
#
# How far off: the squared error
# ------------------------------
#
# Let :math:`y` be the right number, the **label**, and :math:`\hat y` the answer (say "y hat": the hat marks what was
# estimated). Their difference :math:`y - \hat y` may be positive or negative, and neither is better. The square
# removes the sign, is smooth at zero, and makes one large error count for more than several small ones.
#
# So far everybody agrees. What is done with the squares of several answers is a matter of taste, and our documents have
# three tastes. D4, section 4.1.1 "均方误差（MSE）" (Mean squared error), takes their mean:
#
# .. math:: MSE = \frac{1}{n} \sum_{i=1}^{n} (y_i - \hat{y}_i)^2
#
# D1, section 2.1.3 "反向传播算法" (The backpropagation algorithm), takes half their sum, and calls that the mean
# squared error too, although nothing is averaged:
#
# .. math:: E = \frac{1}{2}\sum_{i} (y_i - \hat{y}_i)^2
#
# D3, section 4 "数学模型和公式 & 详细讲解 & 举例说明" (Mathematical models, explanation, examples), takes half their
# mean. It writes :math:`a_i` for the answer and :math:`m` for how many there are:
#
# .. math:: L(\theta) = \frac{1}{2m} \sum_{i=1}^{m} \left( y_{i} - a_{i} \right)^{2}

import matplotlib.pyplot as plt
import numpy as np

import minidl
from lessons import reproduce, save_figure


def mean_squared_error(y, y_hat):  # D4
    return np.mean((y - y_hat) ** 2)


def half_sum(y, y_hat):  # D1
    return np.sum((y - y_hat) ** 2) / 2


def half_mean(y, y_hat):  # D3
    return np.sum((y - y_hat) ** 2) / (2 * len(y))


y = np.array([5.0, 3.0, -1.0, 2.0])
y_hat = np.array([4.8, 3.5, -1.0, 1.0])
mse, E, L = mean_squared_error(y, y_hat), half_sum(y, y_hat), half_mean(y, y_hat)
print(f"four answers: D4 says {mse:.4f}, D1 says {E:.4f}, D3 says {L:.4f}")

# %%
# Three numbers for the same four answers. Yet they differ only by a factor that does not depend on the answers, and so
# they are smallest at the same place. What the factor changes is the slope, and with it the length of the steps that
# we shall take in lesson 05. Why would anybody want a one half? Because the derivative of a square brings a 2 with it,
# and the two cancel:
#
# .. math::
#    \frac{\partial E}{\partial \hat y_i} = \hat y_i - y_i, \qquad
#    \frac{\partial L}{\partial a_i} = \frac{a_i - y_i}{m}, \qquad
#    \frac{\partial MSE}{\partial \hat y_i} = \frac{2 (\hat y_i - y_i)}{n} .
#
# (The minus sign comes from the inside: :math:`\hat y` stands in the square as :math:`-\hat y`.) We let the judge of
# lesson 01 confirm them.


def slopes(f, at, epsilon=1e-5):
    """The slope of f in each entry of an array, from one step up and one step down (lesson 01)."""
    found = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        step = np.zeros_like(at)
        step[index] = epsilon
        found[index] = (f(at + step) - f(at - step)) / (2 * epsilon)
    return found


E_error = np.abs((y_hat - y) - slopes(lambda v: half_sum(y, v), y_hat)).max()
L_error = np.abs((y_hat - y) / len(y) - slopes(lambda v: half_mean(y, v), y_hat)).max()
reproduce("D1-2.1.3-a", ratio=E / mse, derivative_error=E_error)
reproduce("D3-4-k", ratio=L / mse, derivative_error=L_error)

# %%
# D3 adds a worked example: the label is 5 and the model says 4.8. Its 0.02 is right, with its own convention; with
# that of D4 the same answer costs 0.04. A loss is only comparable with a loss of the same kind, so whoever reports one
# should say which. In this course "mean squared error" is that of D4.

label, answer = np.array([5.0]), np.array([4.8])
one_mse, one_half = mean_squared_error(label, answer), half_mean(label, answer)
print(f"5 against 4.8: half the mean {one_half:.2f}, the mean {one_mse:.2f}")
reproduce("D3-4-l", loss=one_half, usual=one_mse)
reproduce("D4-4.1.1-a", mse=one_mse, ratios=[mse / E, mse / L])

# %%
# How little we believed: yes or no
# ---------------------------------
#
# Now a question with two possible answers: is there a cat in the picture? The label y is 1 for yes and 0 for no. The
# model does not answer yes or no. It answers with a probability :math:`a`, how strongly it believes in "yes", and for
# that the sigmoid of lesson 03 was made.
#
# How good was that? Ask what probability the model gave to **what was really the case**. That is a if the label is 1,
# and 1 - a if it is 0. For several examples, seen one after the other, these probabilities multiply. A model that
# makes the truth probable is a good model; this is the principle of maximum likelihood.

y = np.array([1.0, 0.0, 1.0])
a = np.array([0.9, 0.2, 0.6])
of_the_truth = np.where(y == 1, a, 1 - a)
print("probability given to the truth:", of_the_truth, "and their product:", f"{np.prod(of_the_truth):.4f}")

# %%
# The product has two flaws. It is a nuisance to differentiate, and it vanishes: a thousand and a hundred fair guesses
# have the probability :math:`0.5^{1100}`, and no float is as small as that. The logarithm cures both. It turns the
# product into a sum, and since it always grows, it does not change which model is best. A minus sign makes it a loss,
# and dividing by m makes it a mean. This is the **cross-entropy** for two classes, as D3 has it twice, in section 3
# "核心算法原理 & 具体操作步骤" (Core algorithm and steps) and again in section 4:
#
# .. math::
#    L(\theta) = -\frac{1}{m} \sum_{i=1}^{m}
#    \left[ y_{i} \cdot \log(a_{i}) + (1 - y_{i}) \cdot \log(1 - a_{i}) \right]
#
# The labels :math:`y_i` and :math:`1 - y_i` work as switches here: one of them is 1 and the other 0, so of the two
# terms just one remains. The logarithm is the natural one, ``np.log``.

assert 0.5**1100 == 0.0
print(f"1100 fair guesses: product {0.5**1100}, sum of -log {1100 * -np.log(0.5):.1f}")


def binary_cross_entropy(y, a):
    return -np.mean(y * np.log(a) + (1 - y) * np.log(1 - a))


assert np.isclose(binary_cross_entropy(y, a), -np.log(np.prod(of_the_truth)) / 3, rtol=0, atol=1e-15)

single = [binary_cross_entropy(y[i : i + 1], a[i : i + 1]) for i in range(3)]
confident = binary_cross_entropy(np.array([1.0]), np.array([0.9]))
print(f"the truth was yes, and the model said 0.9: loss {confident:.4f}")
reproduce("D3-3-f", loss=confident, mean_error=abs(binary_cross_entropy(y, a) - np.mean(single)))
reproduce("D3-4-j", loss=confident)

# %%
# The number :math:`-\log a` has a good name: **surprise**. What we were sure of does not surprise us,
# :math:`-\log 1 = 0`. What we held for impossible surprises us without bound. The loss is the mean surprise at the
# truth.
#
# Could we not use the squared error for probabilities as well? We could, but look at the picture. On the left, the
# squared error is never more than 1, however sure the model was of something wrong. On the right, both are drawn
# against z, the number that goes into the sigmoid. There the squared error is flat where the answer is worst: no slope,
# no learning. The cross-entropy is like a straight line there, with slope -1. Lesson 07 will find out why.

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
belief = np.linspace(0.005, 1, 400)
left.plot(belief, -np.log(belief), label=r"surprise  $-\log\,a$")
left.plot(belief, (1 - belief) ** 2, label="squared error  $(1 - a)^2$")
left.set(xlabel="a, the probability given to the truth", ylabel="loss", title="Against the probability")
z = np.linspace(-8, 8, 400)
a_of_z = 1 / (1 + np.exp(-z))
right.plot(z, -np.log(a_of_z), label="cross-entropy")
right.plot(z, (1 - a_of_z) ** 2, label="squared error")
right.set(xlabel="z, with a = sigmoid(z) and the label 1", ylabel="loss", title="Against the number before the sigmoid")
left.legend()
right.legend()
save_figure(fig, "surprise")

# %%
# Which one of many
# -----------------
#
# A digit can be one of ten. The model now gives a probability to each class, ten numbers that add up to 1, as the
# softmax of lesson 03 makes them. The label becomes a row of ten as well, a 1 for the true class and 0 for all others;
# this is called **one-hot**. D4, section 4.1.2 "交叉熵损失（Cross-Entropy Loss）" (Cross-entropy loss), has the loss of
# one example,
#
# .. math:: \text{Cross-Entropy Loss} = - \sum_{i=1}^{n} y_i \log(\hat{y}_i)
#
# if we let :math:`i` run over the **classes**. (The document does not say over what; soon this will matter.) The zeros
# switch all terms off but one: what remains is the surprise at the true class. For several examples one takes the
# mean.

one_hot = np.array([0.0, 1.0, 0.0])
belief = np.array([0.2, 0.7, 0.1])


def cross_entropy(y, y_hat):
    """y and y_hat have the classes along the last axis."""
    return -np.sum(y * np.log(y_hat), axis=-1)


loss = cross_entropy(one_hot, belief)
assert abs(loss + np.log(0.7)) < 1e-15
print(f"three classes, 0.7 for the true one: loss {loss:.4f}")

# %%
# D3 remarks that its formula, the one with :math:`y` and :math:`1 - y`, serves for two classes and for many. For two
# it is the same thing as the sum over classes: write the probabilities as the pair :math:`(a, 1 - a)` and the label as
# :math:`(y, 1 - y)`. For three it is not. Applied to every class and summed, it treats them as three separate
# questions, each with a yes or a no. That is the right loss if a picture may show a cat *and* a dog, and the wrong one
# if the classes exclude each other.

pairs_y, pairs_a = np.stack([y, 1 - y], axis=1), np.stack([a, 1 - a], axis=1)  # (3, 2): examples, classes
two_classes = binary_cross_entropy(y, a)
reproduce("D3-4-i", difference=abs(two_classes - np.mean(cross_entropy(pairs_y, pairs_a))))

three_questions = 3 * binary_cross_entropy(one_hot, belief)
print(f"one question with three answers: {loss:.4f}; three questions with two: {three_questions:.4f}")
assert three_questions > loss + 0.1

# %%
# A worked example to be careful with
# -----------------------------------
#
# Section 4.1.3 "损失函数举例" (Loss example) of D4 scores four yes-or-no answers: :math:`y = [1, 0, 1, 0]` and
# :math:`\hat y = [0.8, 0.2, 0.9, 0.1]`. It uses the formula of the section before:
#
# .. math::
#    \text{Cross-Entropy Loss} = - (1 \cdot \log(0.8) + 0 \cdot \log(0.2) + 1 \cdot \log(0.9) + 0 \cdot \log(0.1))
#    \approx 0.3065 \qquad\text{(as printed)}
#
# But here :math:`i` runs over **examples**, not over classes. The second and the fourth example have the label 0, so
# their terms are switched off, and nothing is switched on in their place. Whatever the model says about them is free
# of charge. The term with :math:`1 - y` must stand there:
#
# .. math:: L = -\sum_{i}\left[y_i\log\hat y_i + (1-y_i)\log(1-\hat y_i)\right]
#
# How bad can that get? Take a model that says "yes, surely" to everything. It is wrong on two of four.

y = np.array([1.0, 0.0, 1.0, 0.0])
y_hat = np.array([0.8, 0.2, 0.9, 0.1])
always_yes = np.full(4, 0.999999)


def printed_terms(y, y_hat):
    return -y * np.log(y_hat)


def right_terms(y, y_hat):
    return -(y * np.log(y_hat) + (1 - y) * np.log(1 - y_hat))


for name, answers in [("the document's answers", y_hat), ("always yes", always_yes)]:
    print(f"{name}: printed {printed_terms(y, answers).sum():.6f}, right {right_terms(y, answers).sum():.6f}")

reproduce(
    "D4-4.1.3-a",
    right=right_terms(y, y_hat).sum(),
    mean=right_terms(y, y_hat).mean(),
    printed=printed_terms(y, y_hat).sum(),
    right_ones=right_terms(y, always_yes).sum(),
    printed_ones=printed_terms(y, always_yes).sum(),
)

# %%
# By the printed form, the model that says yes to everything is nearly perfect. A network that is trained with it will
# find that out. The picture shows what each of the four examples contributes.

fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
place = np.arange(4)
for ax, answers, name in zip(axes, [y_hat, always_yes], ["the document's answers", "always yes"], strict=True):
    ax.bar(place - 0.2, printed_terms(y, answers), 0.4, color="tab:red", label="as printed")
    ax.bar(place + 0.2, right_terms(y, answers), 0.4, color="tab:green", label=r"with the $1 - y$ terms")
    ax.set_xticks(place, [f"label {l:.0f}\nsays\n{p:g}" for l, p in zip(y, answers, strict=True)])
    ax.set(ylabel="contribution to the loss", title=name)
axes[0].legend()
save_figure(fig, "free_of_charge")

# %%
# The number does not follow from the printed sum either. Since :math:`\log 0.8 + \log 0.9 = \log 0.72`, the sum is
# :math:`-\log 0.72`. Might 0.3065 be meant with another base? We try the usual three.

total = -(np.log(0.8) + np.log(0.9))
base_2 = -(np.log2(0.8) + np.log2(0.9))
base_10 = -(np.log10(0.8) + np.log10(0.9))
print(f"-log 0.72 is {total:.4f} (natural), {base_2:.4f} (base 2), {base_10:.4f} (base 10); printed: 0.3065")
reproduce("D4-4.1.3-b", sum=total, base_2=base_2, base_10=base_10)

# %%
# Softmax and cross-entropy belong together
# -----------------------------------------
#
# The probabilities come out of a softmax, and the softmax is fed with scores :math:`z_i`, any real numbers, one for
# each class. Let us put the two formulas together. The logarithm of a softmax is a difference:
#
# .. math::
#    \hat y_i = \frac{e^{z_i}}{\sum_k e^{z_k}} \qquad\Longrightarrow\qquad
#    \log \hat y_i = z_i - \log \sum_k e^{z_k}
#
# Put it into the loss, and use that the one-hot labels add up to 1:
#
# .. math:: L = -\sum_i y_i \log \hat y_i = \log \sum_k e^{z_k} - \sum_i y_i z_i
#
# The way to the slope is now short. The derivative of :math:`\log \sum_k e^{z_k}` by :math:`z_i` is, by the chain rule,
# one over the sum times :math:`e^{z_i}`. But that is the softmax again! And the second term contributes
# :math:`-y_i`. So
#
# .. math:: \frac{\partial L}{\partial z_i} = \hat y_i - y_i .
#
# What was believed minus what was true, for each class: hardly any formula in this course is used more often.


def softmax(z):
    e = np.exp(z - np.max(z))  # as in lesson 03: only differences matter, and nothing can overflow
    return e / np.sum(e)


z = np.array([1.0, 2.0, -2.0])
by_hand = softmax(z) - one_hot
measured = slopes(lambda z: cross_entropy(one_hot, softmax(z)), z)
print("belief - truth:", np.round(by_hand, 6), " measured:", np.round(measured, 6))
reproduce("D4-4.1.2-a", loss=loss, gradient_error=np.abs(by_hand - measured).max())

# %%
# Numbers that are too small
# --------------------------
#
# On paper we are done. A computer has one more objection. The softmax of lesson 03 cannot overflow, but where one score
# is far below another, it rounds to 0; and :math:`-\log 0` is infinite. Scores that far apart are not rare in a network
# that trains badly, and it is just then that we need a useful loss. The cure is to apply the formula above directly,
# :math:`L = \log \sum_k e^{z_k} - \sum_i y_i z_i`, with a little algebra for its first term. For any number s,
#
# .. math::
#    \log \sum_k e^{z_k} = \log \left( e^{s} \sum_k e^{z_k - s} \right) = s + \log \sum_k e^{z_k - s} .
#
# Take the largest score for s. Then the largest exponent is 0, and the sum lies between 1 and the number of classes:
# its logarithm is harmless. This is the **log-sum-exp** trick.


def log_sum_exp(z):
    s = np.max(z)
    return s + np.log(np.sum(np.exp(z - s)))


def loss_of_scores(y, z):
    return log_sum_exp(z) - y @ z


far_apart = np.array([1000.0, 0.0, -1000.0])  # and the second class is the true one
with np.errstate(divide="ignore"):  # we want to see it fail, without the warning
    from_probability = -np.log(softmax(far_apart)[1])
from_scores = loss_of_scores(one_hot, far_apart)
print(f"scores {far_apart}: the loss is {from_probability} by way of the probability, {from_scores} from the scores")
assert np.isinf(from_probability)
assert np.isclose(loss_of_scores(one_hot, z), cross_entropy(one_hot, softmax(z)), rtol=0, atol=1e-15)

# %%
# The lesson behind the trick: **compute the loss from the scores, not from the probabilities.** A probability that was
# rounded to 0 has forgotten how wrong it was; the score still knows. The same holds for the sigmoid. At z = -800 it
# rounds to 0, and :math:`-\log 0` is infinite, while the true loss is 800 (exercise 3).
#
# The engine does the same
# ------------------------
#
# ``mse_loss`` is the mean squared error of D4. ``cross_entropy`` takes **scores**, with the softmax inside it, and the
# numbers of the true classes in place of the one-hot rows; it returns the mean over the examples.

F = minidl.nn.functional
assert abs(F.mse_loss(minidl.tensor(answer), minidl.tensor(label)).item() - one_mse) < 1e-15

scores = minidl.tensor(np.stack([z, far_apart]), requires_grad=True)  # (2, 3): examples, classes
loss = F.cross_entropy(scores, minidl.tensor([1, 1]))
loss.backward()
mean_by_hand = (loss_of_scores(one_hot, z) + loss_of_scores(one_hot, far_apart)) / 2
print(f"engine: mean loss {loss.item():.6f}, gradient of the first example", np.round(scores.grad.numpy()[0], 6))
assert abs(loss.item() - mean_by_hand) < 1e-12
assert np.allclose(scores.grad.numpy()[0], by_hand / 2, rtol=0, atol=1e-15)  # the 2 is the number of examples

# For yes or no, the same from the z of the sigmoid, even at z = -800 with the label 1:
yes = F.binary_cross_entropy_with_logits(minidl.tensor([-800.0]), minidl.tensor([1.0]))
assert yes.item() == 800

# %%
# Summary
# -------
#
# * For "how much", the squared error. Mean, half sum and half mean differ by a factor: pick one and say so.
# * For "which one", the cross-entropy: the mean surprise :math:`-\log` of the probability given to the truth.
# * Know what the index runs over. Over the classes of one example, :math:`-\sum y_i \log \hat y_i` is complete; over
#   yes-or-no examples, it needs :math:`(1 - y_i) \log (1 - \hat y_i)`, or half of them are free of charge.
# * Softmax with cross-entropy has the slope :math:`\hat y - y` in each score.
# * Compute it from the scores with log-sum-exp, never through rounded probabilities.
#
# Next: we can say how wrong an answer is. Lesson 05 makes it less wrong, step by step.
#
# Exercises
# ---------
#
# 1. (checked) Write ``cross_entropy(z, c)``: the mean loss of m examples, with scores z of shape (m, K) and the numbers
#    c of the true classes, shape (m,). It must survive scores of ten thousand. Check it with
#    ``python -m lessons check 4 my_solution.py``.
# 2. (checked) Write ``gradient(z, c)``: the slope of that mean in every score, shape (m, K).
# 3. (checked) Write ``binary_loss(z, y)``: the cross-entropy of a sigmoid unit from its z, entry by entry, for z of any
#    size. (Lesson 03 showed that a sigmoid is the softmax of two scores. What are they, if the second one is 0?)
# 4. You must give the same answer to ten questions whose labels are known to you. Which constant makes the squared
#    error smallest, which the absolute error :math:`|y - \hat y|`? And if the labels are 0 and 1 and the answer is a
#    probability, which makes the cross-entropy smallest? Try first, then prove it by setting the slope to zero.
# 5. A common mistake is to give ``cross_entropy`` probabilities in place of scores. What is the smallest loss that can
#    then be reached with three classes?
