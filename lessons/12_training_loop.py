"""
The training loop in eight steps
================================

We can compute a gradient. What else does it take to train a network, and how do we know when to stop?

:formulas: D1-3.1.2-a, D3-3-a, D3-3-b
:time: 20 s
"""

# %%
# Three parts, eight steps
# ------------------------
#
# Document D3, section 3 "核心算法原理 & 具体操作步骤" (Core algorithm and steps), says first what the principle
# is: a forward pass, a backward pass, and an optimiser that changes the weights. Then it lists eight steps:
#
# 1. prepare the data,
# 2. build the network: its layers, activations and loss,
# 3. initialise the parameters at random,
# 4. forward pass,
# 5. compute the loss,
# 6. backward pass,
# 7. update the parameters,
# 8. repeat 4 to 7 until a limit is reached, a number of rounds or a value of the loss.
#
# The order is right, and nothing is missing that one cannot add later. We go through the list twice: first everything
# by hand in NumPy, then with ``minidl``. Both must come out with the same numbers.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import minidl
import minidl.nn as nn
import minidl.nn.functional as F
from lessons import progress, reproduce, save_figure

steps_run = []


def step(number, what):
    if number not in steps_run:
        steps_run.append(number)
        print(f"step {number}: {what}")


# %%
# Steps 1 to 3
# ------------
#
# The data are three arms of a spiral, 120 points each, with some noise; the label is the arm. We deal them out in three
# piles right away: most for **training**, some for **validation** (to make decisions, such as when to stop), the rest
# for the final **test**. Points are put on a scale around zero with a spread of one, using the mean and spread of the
# training points only: whatever we learn about the data, we learn from that pile.


def spiral(points_an_arm, seed):
    rng = np.random.default_rng(seed)
    radius = np.tile(np.linspace(0.1, 1.0, points_an_arm), 3)
    arm = np.repeat(np.arange(3), points_an_arm)
    angle = 2 * np.pi * arm / 3 + 4.5 * radius + rng.normal(0, 0.18, radius.size)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), arm  # (n, 2), (n,)


step(1, "prepare the data")
points, arms = spiral(120, seed=0)
order = np.random.default_rng(1).permutation(len(points))
train_at, valid_at, test_at = order[:210], order[210:270], order[270:]
mean, spread = points[train_at].mean(axis=0), points[train_at].std(axis=0)
points = (points - mean) / spread
X, Y = points[train_at], arms[train_at]  # (210, 2), (210,)

step(2, "build the network: 2 inputs, 32 ReLU units, 3 scores; cross-entropy")
step(3, "initialise the parameters at random")


def initialise(seed, hidden=32):
    rng = np.random.default_rng(seed)
    W_1 = rng.normal(0, np.sqrt(2 / 2), (hidden, 2))  # the spread is explained in lesson 14
    W_2 = rng.normal(0, np.sqrt(1 / hidden), (3, hidden))
    return [W_1, np.zeros(hidden), W_2, np.zeros(3)]


# %%
# Steps 4 to 7
# ------------
#
# The forward pass ends in three scores a point; the cross-entropy turns them into probabilities p and takes
# :math:`-\log p` of the true class. Its gradient with respect to the scores is :math:`p - y`, divided by the number of
# points for the mean (lesson 04), with y as one-hot rows. From there, the rules of lesson 09 lead back.


def forward(parameters, X):
    W_1, b_1, W_2, b_2 = parameters
    h = np.maximum(X @ W_1.T + b_1, 0)  # (n, 32)
    return h, h @ W_2.T + b_2  # (n, 3)


def cross_entropy(scores, Y):
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(Y)), Y].mean(), np.exp(log_p)


def backward(parameters, X, Y, h, p):
    W_2 = parameters[2]
    delta_2 = (p - np.eye(3)[Y]) / len(Y)  # (n, 3)
    delta_1 = (delta_2 @ W_2) * (h > 0)  # (n, 32)
    return [delta_1.T @ X, delta_1.sum(axis=0), delta_2.T @ h, delta_2.sum(axis=0)]


def train_by_hand(parameters, rounds, alpha=0.5):
    losses = []
    for _ in range(rounds):
        step(4, "forward pass")
        h, scores = forward(parameters, X)
        step(5, "compute the loss")
        loss, p = cross_entropy(scores, Y)
        losses.append(loss)
        step(6, "backward pass")
        gradients = backward(parameters, X, Y, h, p)
        step(7, "update the parameters")
        parameters = [w - alpha * g for w, g in zip(parameters, gradients, strict=True)]
        step(8, "repeat until a limit is reached")
    return parameters, losses


start = initialise(seed=2)

# %%
# Before we let it run, the judge: is the backward pass right? One step is also enough to see the three parts of the
# principle at work.

h, scores = forward(start, X)
loss, p = cross_entropy(scores, Y)
gradients = backward(start, X, Y, h, p)


def measured_slope(which, index, epsilon=1e-5):
    sides = []
    for sign in (+1, -1):
        moved = [w.copy() for w in start]
        moved[which][index] += sign * epsilon
        sides.append(cross_entropy(forward(moved, X)[1], Y)[0])
    return (sides[0] - sides[1]) / (2 * epsilon)


gradient_error = max(
    abs(gradients[which][index] - measured_slope(which, index))
    for which in range(4)
    for index in np.ndindex(start[which].shape)
)
after_one_step = [w - 0.5 * g for w, g in zip(start, gradients, strict=True)]
loss_new = cross_entropy(forward(after_one_step, X)[1], Y)[0]
reproduce("D3-3-a", gradient_error=gradient_error, loss=loss, loss_new=loss_new)

# %%
# Now all eight.

learned, losses = train_by_hand(start, rounds=1500)
reproduce("D3-3-b", steps=len(steps_run), loss_start=losses[0], loss_end=losses[-1])

# %%
# The same with minidl
# --------------------
#
# Steps 2 and 3 become a model, step 6 one call, step 7 an optimiser. What remains is the loop itself, five lines that
# look the same in every program of this kind, whether the network has two layers or two hundred. Mind the first of
# them: ``backward`` *adds* to the gradients that are there, so they have to be cleared.


def make_model(parameters):
    model = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 3)).double()  # parameters in float64
    with minidl.no_grad():
        for parameter, array in zip(model.parameters(), parameters, strict=True):
            parameter.copy_(minidl.tensor(array))
    return model


model = make_model(start)
optimiser = minidl.optim.SGD(model.parameters(), lr=0.5)
inputs, labels = minidl.tensor(X), minidl.tensor(Y)
engine_losses = []
for _ in progress(range(1500), "training"):
    optimiser.zero_grad()
    loss = F.cross_entropy(model(inputs), labels)
    loss.backward()
    optimiser.step()
    engine_losses.append(loss.item())

apart = max(np.abs(w.detach().numpy() - v).max() for w, v in zip(model.parameters(), learned, strict=True))
print(f"loss after 1,500 rounds: {losses[-1]:.6f} by hand, {engine_losses[-1]:.6f} with minidl")
print(f"largest difference of a weight: {apart:.0e}")
assert np.allclose(losses, engine_losses, rtol=1e-9, atol=0)
assert apart < 1e-9

# %%
# Step 5 of another list
# ----------------------
#
# Document D1, section 3.1.2 "模型训练流程" (Training procedure), has five steps: initialise, forward, loss, backward
# with update, and **evaluate**, on validation points, regularly during the training. The last one is missing in the
# list of D3, and it is the one that keeps us honest. Let us first look at the end result: we count how many of the test
# points the model gets right, the **accuracy**. Always naming the most frequent arm is what it has to beat. (The
# formula inside D1's fourth step has the wrong sign; see lesson 07.)


def accuracy(model, at):
    with minidl.no_grad():
        guessed = model(minidl.tensor(points[at])).argmax(1).numpy()
    return np.mean(guessed == arms[at])


baseline = np.mean(arms[test_at] == np.bincount(arms[train_at]).argmax())
print(f"test points: always the same arm {baseline:.1%}, the network {accuracy(model, test_at):.1%}")
reproduce(
    "D1-3.1.2-a",
    loss_start=engine_losses[0],
    loss_end=engine_losses[-1],
    baseline=baseline,
    accuracy=accuracy(model, test_at),
)

# %%
# When to stop
# ------------
#
# "Until a limit is reached": which? The loss on the training points can only tell how well these are known. Give the
# network few points and many weights, and it will learn them by heart. This is called **over-fitting**. The validation
# points, which it never trains on, show the moment when learning turns into memorising. We take 24 training points, 200
# hidden units, and the optimiser Adam, which gets there in fewer rounds (lesson 13 says how).

few = train_at[:24]
memoriser = nn.Sequential(nn.Linear(2, 200), nn.ReLU(), nn.Linear(200, 3)).double()
with minidl.no_grad():
    for parameter, array in zip(memoriser.parameters(), initialise(seed=3, hidden=200), strict=True):
        parameter.copy_(minidl.tensor(array))
optimiser = minidl.optim.Adam(memoriser.parameters(), lr=0.01)
known, unseen = [], []
for _ in progress(range(600), "memorising"):
    optimiser.zero_grad()
    loss = F.cross_entropy(memoriser(minidl.tensor(points[few])), minidl.tensor(arms[few]))
    loss.backward()
    optimiser.step()
    with minidl.no_grad():
        validation = F.cross_entropy(memoriser(minidl.tensor(points[valid_at])), minidl.tensor(arms[valid_at]))
    known.append(loss.item())
    unseen.append(validation.item())
best = int(np.argmin(unseen))
print(f"lowest validation loss {unseen[best]:.3f} in round {best}; in the last round {unseen[-1]:.3f}")
assert known[-1] < 0.05 < unseen[best] < unseen[-1]

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
grid = np.linspace(-2.6, 2.6, 200)
plane = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
with minidl.no_grad():
    regions = model(minidl.tensor(plane)).argmax(1).numpy().reshape(200, 200)
left.contourf(grid, grid, regions, levels=[-0.5, 0.5, 1.5, 2.5], colors=["#cfe2f3", "#fde2c8", "#d9ead3"])
left.scatter(*points[test_at].T, c=np.array(["tab:blue", "tab:orange", "tab:green"])[arms[test_at]], s=14)
left.set(title="What the network has learned; the test points", xlabel="$x_1$", ylabel="$x_2$")
right.plot(known, label="24 training points")
right.plot(unseen, label="60 validation points")
right.axvline(best, color="gray", linestyle=":", label="stop here")
right.set(xlabel="round", ylabel="loss", title="Learning turns into memorising")
right.legend()
save_figure(fig, "spiral")

# %%
# Stopping, and going on
# ----------------------
#
# A training run may take days, and machines are switched off. So one saves, now and then, everything that the next
# step depends on: the parameters and the state of the optimiser. A run that is stopped and resumed must arrive at the
# same numbers as one that was never stopped, to the last bit.


def train(model, optimiser, rounds):
    for _ in range(rounds):
        optimiser.zero_grad()
        F.cross_entropy(model(inputs), labels).backward()
        optimiser.step()


without_a_stop = make_model(start)
train(without_a_stop, minidl.optim.Adam(without_a_stop.parameters()), 40)

first_part = make_model(start)
optimiser = minidl.optim.Adam(first_part.parameters())
train(first_part, optimiser, 25)
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "checkpoint.safetensors"
    minidl.save({"model": first_part.state_dict(), "optimizer": optimiser.state_dict()}, path)
    checkpoint = minidl.load(path)

second_part = make_model(initialise(seed=99))  # other weights: all of them come from the file
optimiser = minidl.optim.Adam(second_part.parameters())
second_part.load_state_dict(checkpoint["model"])
optimiser.load_state_dict(checkpoint["optimizer"])
train(second_part, optimiser, 15)

pairs = zip(without_a_stop.parameters(), second_part.parameters(), strict=True)
same = all(np.array_equal(a.detach().numpy(), b.detach().numpy()) for a, b in pairs)
print("40 rounds at once, and 25 + 15 with a stop between: the same bits:", same)
assert same

# %%
# Summary
# -------
#
# * Data, network, random start; then forward, loss, backward, update, again and again. Every training program is this.
# * Training points teach, validation points decide, test points judge, once, at the end.
# * A falling training loss is no proof of learning. Stop where the validation loss is lowest.
# * A checkpoint holds whatever the next step depends on, not only the weights.
#
# Next: step 7 was a single line so far. Lesson 13 looks for better ones.
#
# Exercises
# ---------
#
# 1. (checked) Write ``split(n, shares, seed)``: the numbers 0 to n - 1 in random order, dealt out in as many arrays as
#    there are shares (shares sum to 1; sizes are rounded, nothing is lost, nothing twice, the same for the same seed).
#    Check it with ``python -m lessons check 12 my_solution.py``.
# 2. Forget ``optimiser.zero_grad()``. What does the loss do, and why does it still fall at first?
# 3. Resume from a checkpoint without the state of the optimiser. How far are the weights apart after 15 rounds with
#    Adam, and with plain SGD?
# 4. Standardise the points with the mean and spread of *all* points, test points included. Does the result change? Why
#    is it still a mistake?
