"""
A network that remembers
========================

Sentences, sounds and measurements come one piece after another, and they are not all of one length. How can a network
read such a thing, and how does it learn from what it read long ago?

:formulas: D1-2.2.2-a, D4-3.2-a
:time: 30 s
"""

# %%
# One unit, three steps
# ---------------------
#
# The networks up to here take all of their input at once. To read a sequence :math:`x_1, x_2, \dots, x_T` piece by
# piece, a network needs something that it carries along: a **state**, :math:`h_t`, what it knows after step t.
# Document D1, section 2.2.2 "循环神经网络" (Recurrent neural networks), prints how the next state is made:
#
# .. math:: h_t = \sigma(W x_t + U h_{t-1} + b)
#
# :math:`x_t` is what is read at step t, :math:`h_{t-1}` what was known before. W weighs the new, U weighs the old, b is
# the bias. The same W, U and b serve at **every** step: this is why the sequence may have any length. A network that
# is fed its own output is called **recurrent**, in short an RNN.
#
# With one unit, all letters are plain numbers. (The document says elsewhere that :math:`\sigma` may be any activation;
# today one takes tanh, and so do we. The start, :math:`h_0`, is zero unless somebody knows better.)

import matplotlib.pyplot as plt
import numpy as np

import minidl
import minidl.nn as nn
import minidl.nn.functional as F
from lessons import progress, reproduce, save_figure

minidl.set_num_threads(1)  # the steps are small: dividing them up would cost more than it saves

w, u, b = 1.0, 0.5, 0.0
h_0 = 0.0
h_1 = np.tanh(w * 1.0 + u * h_0 + b)  # x_1 = 1
h_2 = np.tanh(w * 0.0 + u * h_1 + b)  # x_2 = 0
h_3 = np.tanh(w * 0.0 + u * h_2 + b)  # x_3 = 0
print(f"after 1, 0, 0 the states are {h_1:.3f}, {h_2:.3f}, {h_3:.3f}")

# %%
# The unit read a 1 first and only zeros after it, and still, at step 3, its state is not zero. It remembers, if
# faintly. How long it does depends on u. We let the silence go on for 30 steps.

fig, ax = plt.subplots(figsize=(7.5, 4), layout="constrained")
last = {}
for old_weight in (0.5, 0.9, 1.0, 1.5):
    states = [np.tanh(w * 1.0)]
    for _ in range(30):
        states.append(np.tanh(old_weight * states[-1]))
    ax.plot(range(1, 32), states, marker=".", label=f"u = {old_weight}")
    last[old_weight] = states[-1]
ax.set(xlabel="step t", ylabel="state $h_t$", ylim=(0, 1), title="A single 1 was read at step 1, zeros ever since")
ax.legend()
save_figure(fig, "echo")
assert last[0.5] < 1e-8
assert last[0.9] < 0.05
assert abs(last[1.5] - np.tanh(1.5 * last[1.5])) < 1e-6  # it has come to rest, and not at zero

# %%
# With u below 1 the memory fades, faster or slower. With u = 1.5 the unit comes to rest at 0.86 and stays there: it has
# become a switch that was turned on. So a memory for ever is possible. Keep this switch in mind; we meet its dark side
# below.
#
# Many units
# ----------
#
# Let the input have D entries and the state H. Unit i has a weight for each input j and one for each unit k of the old
# state:
#
# .. math:: h_{t,i} = \sigma\Big( \sum_j W_{ij}\, x_{t,j} + \sum_k U_{ik}\, h_{t-1,k} + b_i \Big)
#
# So W is (H, D), U is (H, H), and b has H entries. Unit by unit and with matrices it is the same, whatever
# :math:`\sigma` is:


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def forward(W, U, b, X, h_0, activation=np.tanh):
    """(T, D) -> (T + 1, H): the start and the state after every step."""
    states = [h_0]
    for x in X:
        states.append(activation(W @ x + U @ states[-1] + b))
    return np.array(states)


def forward_by_units(W, U, b, X, h_0, activation=np.tanh):
    (H, D) = W.shape
    states = [list(h_0)]
    for x in X:
        old = states[-1]
        new = []
        for i in range(H):
            z = sum(W[i, j] * x[j] for j in range(D)) + sum(U[i, k] * old[k] for k in range(H)) + b[i]
            new.append(activation(z))
        states.append(new)
    return np.array(states)


rng = np.random.default_rng(0)
T, D, H = 7, 3, 4
W, U, b = rng.normal(size=(H, D)), rng.normal(size=(H, H)), rng.normal(size=H)
X, h_0 = rng.normal(size=(T, D)), np.zeros(H)

apart = [
    np.abs(forward(W, U, b, X, h_0, sigma) - forward_by_units(W, U, b, X, h_0, sigma)).max()
    for sigma in (np.tanh, sigmoid)
]
reproduce("D1-2.2.2-a", parameters=W.size + U.size + b.size, error=max(apart))

# %%
# Four steps, one of them too many
# --------------------------------
#
# Document D4, section 3.2 "循环神经网络（RNN）" (Recurrent neural networks), lists four steps of an RNN: the input
# layer (our :math:`W x_t + b`), the hidden layer (our :math:`U h_{t-1}`), then **gates** for input, forgetting and
# output, and last the output layer, which makes scores of the states.
#
# Steps one, two and four are right. But look at our formula: there is no gate in it. It has a single pair of weights,
# (W, U). Each gate is a small layer of its own, with a pair of its own, and acts on a second state, a *cell*, of which
# the section says nothing; so nobody could compute what it describes. Gates belong to the LSTM, a later network, which
# is the subject of lesson 31. It has four pairs: one for each of the three gates and one for what the gates let
# through. We count both, for 3 inputs and 4 units.

rnn = {"state": (W, U, b)}
lstm = {name: (np.zeros((H, D)), np.zeros((H, H)), np.zeros(H)) for name in ("input", "forget", "output", "candidate")}


def count(network):
    return sum(array.size for arrays in network.values() for array in arrays)


reproduce("D4-3.2-a", pairs=len(rnn), lstm_pairs=len(lstm), parameters=[count(rnn), count(lstm)])

# %%
# Backpropagation through time
# ----------------------------
#
# Now learning. Write the steps below one another, and the network turns into a deep one, with a layer for each step:
# :math:`h_0 \to h_1 \to \dots \to h_T`. Lesson 08 can go back through that. Only one thing is new: all layers have the
# *same* weights.
#
# Here is a trick. Pretend that each step t has a U of its own, :math:`U_t`. Its gradient follows the rule of lesson 08,
# error at the end times value at the start: :math:`\delta_t h_{t-1}^T`. In truth all :math:`U_t` are one U. If it
# moves, all of them move, and the effects on the loss add up. So the gradient of U is the **sum over the steps**, and
# so are those of W and b.
#
# Write :math:`z_t = W x_t + U h_{t-1} + b` for what goes into tanh, and :math:`\delta_t = \partial L/\partial z_t` for
# the error of step t. A state is used in two places: in the loss (if the loss looks at step t), and in the next step,
# through U. Both add up; then comes the slope of tanh, :math:`1 - h_t^2`:
#
# .. math::
#    \begin{aligned}
#    \delta_t &= \Big( \frac{\partial L_t}{\partial h_t} + U^T \delta_{t+1} \Big) \odot (1 - h_t^2),
#    \qquad \delta_{T+1} = 0 \\
#    \frac{\partial L}{\partial W} &= \sum_{t=1}^{T} \delta_t\, x_t^T, \qquad
#    \frac{\partial L}{\partial U} = \sum_{t=1}^{T} \delta_t\, h_{t-1}^T, \qquad
#    \frac{\partial L}{\partial b} = \sum_{t=1}^{T} \delta_t
#    \end{aligned}
#
# :math:`L = \sum_t L_t` is the loss of all steps, and :math:`\odot` multiplies element by element. The walk starts at
# the last step and goes backward in time, hence the name.


def backward(U, X, states, d_states):
    """The gradients of W, U and b; d_states (T, H) has dL_t/dh_t. Also the errors, (T, H)."""
    deltas = np.zeros_like(d_states)
    d_W, d_U, d_b = np.zeros((len(U), X.shape[1])), np.zeros_like(U), np.zeros(len(U))
    from_later = np.zeros(len(U))
    for t in reversed(range(len(X))):  # states[t + 1] is the state after reading X[t]
        deltas[t] = (d_states[t] + from_later) * (1 - states[t + 1] ** 2)
        d_W += np.outer(deltas[t], X[t])
        d_U += np.outer(deltas[t], states[t])
        d_b += deltas[t]
        from_later = U.T @ deltas[t]
    return d_W, d_U, d_b, deltas


# %%
# Is it right? The judge is, as always, central differences (lesson 01). Our loss wants every state to be near some
# target: :math:`L_t = \frac12 |h_t - y_t|^2`, whose slope is :math:`h_t - y_t`.

Y = rng.uniform(-1, 1, size=(T, H))


def loss(W, U, b):
    return 0.5 * np.sum((forward(W, U, b, X, h_0)[1:] - Y) ** 2)


def measure(f, at, epsilon=1e-5):
    """Central differences of f for every entry of an array."""
    slopes = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        step = np.zeros_like(at)
        step[index] = epsilon
        slopes[index] = (f(at + step) - f(at - step)) / (2 * epsilon)
    return slopes


states = forward(W, U, b, X, h_0)
d_W, d_U, d_b, deltas = backward(U, X, states, states[1:] - Y)
measured_U = measure(lambda moved: loss(W, moved, b), U)
apart = {
    "W": np.abs(d_W - measure(lambda moved: loss(moved, U, b), W)).max(),
    "U": np.abs(d_U - measured_U).max(),
    "b": np.abs(d_b - measure(lambda moved: loss(W, U, moved), b)).max(),
}
print("by hand and measured differ by", ", ".join(f"{name}: {error:.0e}" for name, error in apart.items()))
assert max(apart.values()) < 1e-8

# %%
# The trick was not only a trick. We can really give step 3 a U of its own, move that one alone, and measure the single
# term of the sum. And leaving out all terms but the last one is simply wrong.


def loss_with_own_U(U_3):
    states = [h_0]
    for t, x in enumerate(X, start=1):
        states.append(np.tanh(W @ x + (U_3 if t == 3 else U) @ states[-1] + b))
    return 0.5 * np.sum((np.array(states[1:]) - Y) ** 2)


term_3 = np.outer(deltas[2], states[2])
assert np.abs(term_3 - measure(loss_with_own_U, U)).max() < 1e-8
only_last = np.outer(deltas[-1], states[-2])
print(f"the last term alone is off by {np.abs(only_last - measured_U).max():.2f}")
assert np.abs(only_last - measured_U).max() > 0.1

# %%
# Vanishing and exploding
# -----------------------
#
# Suppose that only the last step matters to the loss. How much does a state k steps earlier still matter? Each step
# back multiplies by :math:`U^T` and by the slope of tanh. After k steps it is a product of k matrices, and products of
# many factors do what powers do: :math:`0.9^{60}` is 0.002, and :math:`1.1^{60}` is 304.
#
# To see it clearly we take a U that turns vectors and stretches all of them by the same factor s. (Every matrix
# :math:`s\,Q` does, where Q is orthogonal: :math:`Q^T Q` is the identity. We get a random Q from the QR decomposition.)
# 32 units read random inputs; we send an error of length 1 back from the last step and measure its length. Once without
# an activation, and once with tanh.


def lengths_back(s, with_tanh, T=60, H=32, seed=0):
    """The length of dL/dh, at the last step and 1, 2, ... T - 1 steps earlier."""
    rng = np.random.default_rng(seed)
    U = s * np.linalg.qr(rng.normal(size=(H, H)))[0]
    W, X = rng.normal(0, 0.3, size=(H, 4)), rng.normal(size=(T, 4))
    states = forward(W, U, np.zeros(H), X, np.zeros(H), np.tanh if with_tanh else lambda z: z)
    d_h = rng.normal(size=H)
    d_h /= np.linalg.norm(d_h)
    lengths = [1.0]
    for state in states[:1:-1]:  # from the last state back
        slope = 1 - state**2 if with_tanh else 1
        d_h = U.T @ (d_h * slope)
        lengths.append(np.linalg.norm(d_h))
    return np.array(lengths)


fig, axes = plt.subplots(1, 2, figsize=(10, 4.3), layout="constrained", sharey=True)
lengths = {}
for ax, with_tanh in zip(axes, [False, True], strict=True):
    for s in (0.5, 0.9, 1.0, 1.1, 1.5, 3.0):
        lengths[s, with_tanh] = lengths_back(s, with_tanh)
        ax.semilogy(lengths[s, with_tanh], label=f"s = {s}")
    ax.axhline(1, color="gray", linewidth=0.8)
    ax.set(xlabel="steps back in time", title="with tanh" if with_tanh else "without an activation", ylim=(1e-20, 1e20))
axes[0].set_ylabel(r"length of $\partial L/\partial h$")
axes[1].legend()
save_figure(fig, "vanishing")

for s in (0.9, 1.0, 1.1):
    assert np.allclose(lengths[s, False], s ** np.arange(60.0))
    print(f"s = {s}: 59 steps back {lengths[s, False][-1]:.1e} without, {lengths[s, True][-1]:.1e} with tanh")
assert lengths[1.1, True][-1] < 1e-3
assert lengths[1.5, True][-1] < 1 < 1e3 < lengths[3.0, True][-1]

# %%
# On the left there is nothing but :math:`s^k`: straight lines on this scale. On the right the slopes of tanh, which are
# at most 1, pull everything down. Three lessons:
#
# * With s below 1 the gradient **vanishes**, without exception: each factor is at most s. It is not zero, but it is
#   drowned by what the late steps have to say. The network still could *remember* what came early, but it hardly
#   *learns* to.
# * With s above 1 it **may explode**. It need not: with tanh, s = 1.5 still vanishes, while s = 3 explodes.
# * In between is a narrow ridge, and nothing keeps a network on it during training.
#
# In a network of 60 layers this could be cured by a good start (lesson 14), because each layer has weights of its own.
# Here the same U comes sixty times.
#
# The cliff
# ---------
#
# Back to the switch, the single unit with u above 1. It has two places to rest, on and off. Switch it on, let
# it run 50 steps with a constant bias b, and wish for :math:`h_{50} = 0.6`. A bias below zero pushes the upper resting
# place down; with a stronger push it moves a little more, and a little more, and then it is gone: the state falls all
# the way to the lower one. As a function of b, the loss has a cliff.

u_switch, wish, steps = np.array([[2.0]]), 0.6, 50
nothing = np.zeros((steps, 1))  # there is no input


def switch(b):
    """The loss at bias b, and its slope by backpropagation through time."""
    states = forward(np.zeros((1, 1)), u_switch, np.array([b]), nothing, np.array([0.9]))
    d_states = np.zeros((steps, 1))
    d_states[-1] = states[-1] - wish
    d_b = backward(u_switch, nothing, states, d_states)[2]
    return 0.5 * (states[-1, 0] - wish) ** 2, d_b[0]


def clipped(gradient, longest):
    """The same direction, but at most this long."""
    norm = np.linalg.norm(gradient)
    return gradient * (longest / norm) if norm > longest else gradient


def walk(b, longest, rounds=60, alpha=0.3):
    path = [b]
    for _ in range(rounds):
        path.append(path[-1] - alpha * clipped(np.array([switch(path[-1])[1]]), longest)[0])
    return np.array(path)


steepest = max(abs(switch(b)[1]) for b in np.linspace(-0.6, -0.5, 1001))
print(f"slope at b = 0: {switch(0.0)[1]:.3f}; steepest slope at the cliff: {steepest:.0f}")
assert steepest > 1000 > 0.1 > switch(0.0)[1] > 0

starts = np.linspace(-0.2, 0.2, 21)
free, held = (np.array([walk(b, longest) for b in starts]) for longest in (np.inf, 0.05))
for name, paths in [("free", free), ("clipped", held)]:
    thrown = (np.abs(paths).max(axis=1) > 2).sum()
    losses = [np.mean([switch(b)[0] for b in path[-10:]]) for path in paths]
    print(
        f"{name}: {thrown} of {len(starts)} walks thrown beyond 2, mean loss of the last rounds {np.mean(losses):.2f}"
    )
assert (np.abs(free).max(axis=1) > 2).sum() >= 3
assert np.abs(held).max() < 0.6

# %%
# The steps of gradient descent lead to the cliff, since the lowest place is at its edge. One step too far, and the
# slope may be thousands of times what it was: the next step throws b out of the picture, where nothing leads back, and
# what was learned is lost.
#
# The remedy is simple, and it is used in nearly all trainings of recurrent networks: **clip the norm**. Take the
# gradients of all weights together as one long vector g. If its length :math:`|g|` is above a limit c, shorten it:
#
# .. math:: g \leftarrow g \cdot \min\Big(1, \frac{c}{|g|}\Big)
#
# The direction stays; only its absurd length is taken from it. This does nothing against vanishing: a gradient that is
# too short is left as it is. Nor does it make the cliff go away: the clipped walks hop over the edge and back, now and
# then on the wrong side. But they stay near it, and nothing is lost.

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
biases = np.linspace(-0.8, 0.3, 800)
left.plot(biases, [switch(b)[0] for b in biases], color="black")
left.set(xlabel="b", ylabel="loss", title="The cliff")
lowest = biases[np.argmin([switch(b)[0] for b in biases])]
left.annotate("the lowest place", (lowest, 0.01), (-0.35, 0.3), arrowprops={"arrowstyle": "->"})
for name, paths, color in [("free", free, "tab:red"), ("clipped at 0.05", held, "tab:blue")]:
    right.plot(paths.T, color=color, linewidth=0.9, label=[name] + [None] * (len(paths) - 1))
right.set(xlabel="round", ylabel="b", title="Gradient descent from 21 starts", ylim=(-2, 2))
right.legend(loc="upper left")
save_figure(fig, "cliff")

# %%
# The engine does the same
# ------------------------
#
# ``nn.RNN`` has the layer. It calls W ``weight_ih_l0`` (input to hidden, layer 0), U ``weight_hh_l0`` (hidden to
# hidden), and it has two biases where one would do; we set the second to zero. ``backward()`` walks through time, and
# ``clip_grad_norm_`` clips the norm of all gradients together.

layer = nn.RNN(D, H, dtype=minidl.float64)
with minidl.no_grad():
    layer.weight_ih_l0.copy_(minidl.tensor(W))
    layer.weight_hh_l0.copy_(minidl.tensor(U))
    layer.bias_ih_l0.copy_(minidl.tensor(b))
    layer.bias_hh_l0.zero_()
outputs, last = layer(minidl.tensor(X))  # all states (T, H), and the last one (1, H)
assert np.abs(outputs.detach().numpy() - states[1:]).max() < 1e-14
assert np.array_equal(last.detach().numpy()[0], outputs.detach().numpy()[-1])

(0.5 * ((outputs - minidl.tensor(Y)) ** 2).sum()).backward()
pairs = [(layer.weight_ih_l0, d_W), (layer.weight_hh_l0, d_U), (layer.bias_ih_l0, d_b), (layer.bias_hh_l0, d_b)]
apart = max(np.abs(parameter.grad.numpy() - by_hand).max() for parameter, by_hand in pairs)
print(f"gradients of the engine and by hand differ by {apart:.0e}")
assert apart < 1e-12

together = np.concatenate([by_hand.ravel() for _, by_hand in pairs])
norm = nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
assert abs(norm.item() - np.linalg.norm(together)) < 1e-12
engine_clipped = np.concatenate([parameter.grad.numpy().ravel() for parameter, _ in pairs])
assert np.allclose(engine_clipped, clipped(together, 1.0), rtol=1e-6, atol=0)  # the engine adds 1e-6 to the length

# %%
# A task that needs memory
# ------------------------
#
# The network reads one of four letters, then silence (zeros) for some steps: the **gap**. Then it has to name the
# letter. There are only four sequences, and no noise. So we need no test points: the question is not whether it learns
# something general, but whether the gradient finds its way across the gap at all.
#
# The last state goes through an output layer to four scores (step four of D4's list). All 16 units start at random,
# Adam takes 200 steps, and the norm is clipped at 1. We try three seeds a gap.

letters = 4


def sequences(gap):
    X = np.zeros((1 + gap, letters, letters), np.float32)  # (steps, sequences, inputs)
    X[0] = np.eye(letters)
    return minidl.tensor(X), minidl.tensor(np.arange(letters))


class Rememberer(nn.Module):
    def __init__(self, units=16):
        super().__init__()
        self.rnn = nn.RNN(letters, units)
        self.scores = nn.Linear(units, letters)

    def forward(self, X):
        states, _ = self.rnn(X)
        return self.scores(states[-1])


def remember(gap, seed, rounds=200):
    """Train from a random start; the share of letters named right."""
    minidl.manual_seed(seed)
    model = Rememberer()
    optimiser = minidl.optim.Adam(model.parameters(), lr=0.01)
    X, names = sequences(gap)
    for _ in range(rounds):
        optimiser.zero_grad()
        F.cross_entropy(model(X), names).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    with minidl.no_grad():
        return (model(X).argmax(1) == names).numpy().mean()


gaps = (5, 10, 20, 40)
named = {gap: [] for gap in gaps}
for gap, seed in progress([(gap, seed) for gap in gaps for seed in range(3)], "training"):
    named[gap].append(remember(gap, seed))
for gap, shares in named.items():
    print(f"gap of {gap:2d} steps: named right", ", ".join(f"{share:.0%}" for share in shares))
assert min(named[5] + named[10]) == 1
assert max(named[40]) < 1

# %%
# Up to ten steps it always succeeds, at twenty it depends on luck, at forty it fails. (Who says the same letter each
# time is right in 25 % of the cases.) We can see why. In a fresh network, how strongly does the loss depend on the
# first input, compared with the last?

X, names = sequences(40)
X.requires_grad_()
minidl.manual_seed(0)
fresh = Rememberer()
F.cross_entropy(fresh(X), names).backward()
strength = np.linalg.norm(X.grad.numpy(), axis=(1, 2))
print(f"a gap of 40: length of dL/dx at the last step {strength[-1]:.1e}, at the first step {strength[0]:.1e}")
last_states = fresh.rnn(X)[0][-1].detach().numpy()  # (sequences, units)
print(f"the last states of the four sequences differ by at most {np.ptp(last_states, axis=0).max():.0e}")
assert strength[0] < 1e-6 * strength[-1]
assert np.ptp(last_states, axis=0).max() < 1e-6

# %%
# Numbers of 32 bits hold about seven digits. Of the letter there is nothing left in the last state but, at best, its
# last digit; and the gradient at the first step is lost beside that of the others.
#
# Summary
# -------
#
# * A recurrent network carries a state along and uses the same W, U and b at every step:
#   :math:`h_t = \sigma(W x_t + U h_{t-1} + b)`. It has one pair of weights and no gates; the document's D4 gives it
#   those of the LSTM.
# * Backpropagation through time is lesson 08 on the unfolded steps. As the weights are shared, their gradients are sums
#   over the steps.
# * Going back k steps multiplies k matrices: gradients vanish or explode.
# * Exploding: clip the norm. Vanishing: no such cure, and the network does not learn what is long ago.
#
# Next: lesson 31 builds a state through which gradients pass unharmed.
#
# Exercises
# ---------
#
# 1. (checked) Write ``backward(u, x, h, d_last)`` for a single tanh unit, :math:`h_t = \tanh(w x_t + u h_{t-1} + b)`,
#    where only the last state matters to the loss. Check it with ``python -m lessons check 30 my_solution.py``.
# 2. (checked) Write ``clip_norm(gradients, longest)`` for a list of arrays. They are one vector: shorten all of them
#    alike.
# 3. (checked) Write ``parity_weights()``: W, U, b of a state with two units, and v, c, so that
#    :math:`\text{step}(v \cdot h_T + c)` is 1 if the number of ones read is odd. The units are steps as well: 1 above
#    zero, 0 else. Hint: "exclusive or" of the old parity and the new bit; both units can tell the old parity to the
#    next step.
# 4. Start U as the identity instead of at random (``nn.init.eye_``). Which gaps are learned now, and why?
# 5. Let the gap be filled with random inputs in place of silence. What changes?
