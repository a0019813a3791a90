"""
Automatic differentiation in a hundred lines
============================================

In lessons 07 to 09 we derived every gradient by hand. What did we do that a program could not do for us?

:time: 10 s
"""

# %%
# What our hands did
# ------------------
#
# Look back at the way through the hidden layer in lesson 08. There was one line for each operation of the forward pass,
# in the opposite order. Each line took the rate computed just before, ``d_next``, and multiplied it by the slope of
# one simple operation. Where a value had been used twice, the two rates were added. That was all, and none of it needed
# to know what network it was.
#
# So a program needs three things: a note of which operations were done on what (the **graph**), the slope of every
# single operation, and an order in which to walk back. We build it first for numbers.

import inspect

import numpy as np

import minidl
from lessons import save_figure
from minidl.drawing import draw_graph


class Number:
    """A number that remembers what it was made of: pairs of (number, slope with respect to it)."""

    def __init__(self, value, made_of=()):
        self.value = value
        self.made_of = made_of
        self.grad = 0.0

    def __add__(self, other):
        return Number(self.value + other.value, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        return Number(self.value * other.value, [(self, other.value), (other, self.value)])


def backward_by_paths(number, rate=1.0):
    """Hand the rate on to everything the number was made of, times the slope: the chain rule, path by path."""
    number.grad += rate
    for part, slope in number.made_of:
        backward_by_paths(part, rate * slope)


# %%
# ``Number`` overloads ``+`` and ``*``, so that ordinary Python builds the graph while it computes. For
# :math:`y = a b + a` the slope with respect to a is :math:`b + 1`; two paths lead from y to a, and ``+=`` adds them up.

a, b = Number(3.0), Number(4.0)
y = a * b + a
backward_by_paths(y)
print(f"y = {y.value}, dy/da = {a.grad}, dy/db = {b.grad}")
assert a.grad == 4.0 + 1.0
assert b.grad == 3.0

# %%
# Paths are many, numbers are few
# -------------------------------
#
# It works, and it is useless. If a number is used twice, and the result is used twice, and so on, the number of paths
# doubles each time. Ten doublings make a thousand paths, thirty a billion:

x = Number(1.0)
y = x
for _ in range(10):
    y = y + y


def count_paths(number):
    return 1 if not number.made_of else sum(count_paths(part) for part, _ in number.made_of)


print(f"11 numbers, {count_paths(y)} paths")
assert count_paths(y) == 2**10

# %%
# The way out: do not walk on from a number until **everything that used it** has reported. Then its rate is complete,
# and one walk onwards is enough. Each number is visited once, whatever the number of paths.
#
# An order in which everything comes after what it was made of is called a topological order. There is a very cheap
# one: the order in which the numbers were made. Nothing can be made of what does not exist yet. So we number all
# values as they are made, and walk from the highest number to the lowest. (``minidl`` does exactly that.)
#
# From numbers to arrays
# ----------------------
#
# With arrays, a slope is no longer a single number. But we never need the slope by itself: we only need to know how to
# turn the rate of the result, g, which has the shape of the result, into the rate of an input, which has the shape of
# that input. So instead of a slope we note a **rule**, a small function of g. Lesson 08 had the two interesting ones,
# for a matrix times a vector. They hold for two matrices as well:
#
# .. math:: Z = X Y: \quad \frac{\partial L}{\partial X} = g\, Y^T, \qquad \frac{\partial L}{\partial Y} = X^T g
#
# One thing is new. NumPy lets a bias of shape (3,) be added to a table of shape (5, 3); it uses the bias five times,
# once a row. Used five times means: five rates to be added. Whatever was **stretched** on the way forward is **summed**
# on the way back. The function ``fit`` below does that for every operation at once.
#
# Here is the whole engine.


class Variable:
    """An array that remembers what it was made of: pairs of (variable, rule from the result's rate to its rate)."""

    made_so_far = 0

    def __init__(self, data, made_of=()):
        self.data = np.asarray(data, dtype=np.float64)
        self.made_of = made_of
        self.grad = None
        self.number = Variable.made_so_far
        Variable.made_so_far += 1

    # Each operation: the result, and for each input the rule for the way back.

    def __add__(self, other):
        other = variable(other)
        return Variable(self.data + other.data, [(self, lambda g: g), (other, lambda g: g)])

    def __mul__(self, other):
        other = variable(other)
        return Variable(self.data * other.data, [(self, lambda g: g * other.data), (other, lambda g: g * self.data)])

    def __pow__(self, power):
        return Variable(self.data**power, [(self, lambda g: g * power * self.data ** (power - 1))])

    def __matmul__(self, other):
        rules = [(self, lambda g: g @ other.data.T), (other, lambda g: self.data.T @ g)]
        return Variable(self.data @ other.data, rules)

    def sum(self):
        return Variable(self.data.sum(), [(self, lambda g: g * np.ones_like(self.data))])

    def transpose(self):
        return Variable(self.data.T, [(self, lambda g: g.T)])

    def exp(self):
        result = np.exp(self.data)
        return Variable(result, [(self, lambda g: g * result)])

    def log(self):
        return Variable(np.log(self.data), [(self, lambda g: g / self.data)])

    def tanh(self):
        result = np.tanh(self.data)
        return Variable(result, [(self, lambda g: g * (1 - result**2))])

    # What can be said in terms of the others needs no rule of its own.

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + -variable(other)

    def __truediv__(self, other):
        return self * variable(other) ** -1

    def __radd__(self, other):
        return self + other

    def __rmul__(self, other):
        return self * other

    def __rsub__(self, other):
        return variable(other) - self

    def __rtruediv__(self, other):
        return variable(other) / self

    def sigmoid(self):
        return 1 / (1 + (-self).exp())

    def mean(self):
        return self.sum() / self.data.size

    def backward(self):
        """Set ``grad`` to the rate of change of this number for every variable it was made of."""
        self.grad = np.ones_like(self.data)
        for result in sorted(everything_behind(self), key=lambda v: v.number, reverse=True):
            for part, rule in result.made_of:
                rate = fit(rule(result.grad), part.data.shape)
                part.grad = rate if part.grad is None else part.grad + rate


def variable(value):
    return value if isinstance(value, Variable) else Variable(value)


def everything_behind(start):
    """All variables that a variable was made of, directly or not, and itself."""
    found, waiting = {start}, [start]
    while waiting:
        for part, _ in waiting.pop().made_of:
            if part not in found:
                found.add(part)
                waiting.append(part)
    return found


def fit(rate, shape):
    """Sum a rate over whatever broadcasting has stretched, so that it has the shape of its variable again."""
    while rate.ndim > len(shape):
        rate = rate.sum(axis=0)
    for axis, length in enumerate(shape):
        if length == 1:
            rate = rate.sum(axis=axis, keepdims=True)
    return rate


# %%
# How long is it? We let Python count, without blank lines.

source = "".join(inspect.getsource(part) for part in (Variable, variable, everything_behind, fit))
length = sum(1 for line in source.splitlines() if line.strip())
print(f"automatic differentiation in {length} lines")
assert length <= 100

# %%
# Does it agree with lesson 08?
# -----------------------------
#
# The network of lesson 08 with two inputs, three hidden and two output units, now for five examples at once: one
# example a row, so that the whole table of inputs X goes through a layer as :math:`X W^T + b`. By hand, from the rules
# that we derived there, with the rates of all examples in the rows of ``delta``:

rng = np.random.default_rng(4)
X = rng.normal(size=(5, 2))  # (5, 2)
Y = rng.integers(0, 2, size=(5, 2)).astype(float)  # (5, 2) labels
start = [rng.normal(size=(3, 2)), rng.normal(size=3), rng.normal(size=(2, 3)), rng.normal(size=2)]


def by_hand(W_1, b_1, W_2, b_2):
    h_1 = 1 / (1 + np.exp(-(X @ W_1.T + b_1)))  # (5, 3)
    y_hat = 1 / (1 + np.exp(-(h_1 @ W_2.T + b_2)))  # (5, 2)
    delta_2 = y_hat - Y  # (5, 2)
    delta_1 = (delta_2 @ W_2) * h_1 * (1 - h_1)  # (5, 3)
    return delta_1.T @ X, delta_1.sum(axis=0), delta_2.T @ h_1, delta_2.sum(axis=0)


def loss_of(W_1, b_1, W_2, b_2, x, y):
    """Written once: it runs on our variables and on minidl's tensors."""
    h_1 = (x @ W_1 + b_1).sigmoid()
    y_hat = (h_1 @ W_2 + b_2).sigmoid()
    return -(y * y_hat.log() + (1 - y) * (1 - y_hat).log()).sum()


ours = [Variable(p) for p in start]
W_1, b_1, W_2, b_2 = ours
loss = loss_of(W_1.transpose(), b_1, W_2.transpose(), b_2, Variable(X), Variable(Y))
loss.backward()

tensors = [minidl.tensor(p, requires_grad=True) for p in start]
T_1, c_1, T_2, c_2 = tensors
engine_loss = loss_of(T_1.T, c_1, T_2.T, c_2, minidl.tensor(X), minidl.tensor(Y))
engine_loss.backward()

for mine, tensor, hand in zip(ours, tensors, by_hand(*start), strict=True):
    from_hand = np.abs(mine.grad - hand).max()
    from_engine = np.abs(mine.grad - tensor.grad.numpy()).max()
    print(f"shape {mine.data.shape}: differs from hand by {from_hand:.0e}, from the engine by {from_engine:.0e}")
    assert max(from_hand, from_engine) < 1e-13

# %%
# Nobody has told ``Variable`` anything about layers, biases or the cross-entropy. It only knows how to add, multiply
# and take an exponential, and that is enough for every formula that is made of these.
#
# Two doubts
# ----------
#
# First, the paths: thirty doublings, a billion paths, and still thirty visits.

x = Variable(1.0)
y = x
for _ in range(30):
    y = y + y
y.backward()
print(f"{2**30:,} paths, {len(everything_behind(y))} variables, dy/dx = {x.grad:,.0f}")
assert x.grad == 2.0**30

# %%
# Second, formulas that we did not have in mind. We make up a few hundred at random from the operations above and hold
# each against central differences (lesson 01).


def random_formula(rng, x, y):
    values = [x, y]
    for _ in range(8):
        first, second = (values[i] for i in rng.integers(0, len(values), 2))
        kind = rng.integers(6)
        if kind == 0:
            values.append(first + second)
        elif kind == 1:
            values.append(first * second)
        elif kind == 2:
            values.append(first - second)
        elif kind == 3:
            values.append(first.tanh())
        elif kind == 4:
            values.append(first / (second * second + 1))
        else:
            values.append((first.tanh()).exp())
    return sum(value.tanh().sum() for value in values)


worst = 0.0
for seed in range(300):
    at = np.random.default_rng(seed).normal(size=(3, 4)), np.random.default_rng(seed + 1000).normal(size=4)

    def value_at(x_moved, at=at, seed=seed):
        return random_formula(np.random.default_rng(seed), Variable(x_moved), Variable(at[1])).data

    x, y = Variable(at[0]), Variable(at[1])  # (3, 4) and (4,): broadcasting is part of the test
    random_formula(np.random.default_rng(seed), x, y).backward()
    direction = np.random.default_rng(seed + 2000).normal(size=(3, 4))
    measured = (value_at(at[0] + 1e-6 * direction) - value_at(at[0] - 1e-6 * direction)) / 2e-6
    worst = max(worst, abs((x.grad * direction).sum() - measured) / (1 + abs(measured)))
print(f"300 random formulas: largest relative difference from the measured slope {worst:.0e}")
assert worst < 1e-6

# %%
# What is still missing
# ---------------------
#
# Between these hundred lines and ``minidl/autograd.py`` lie a few things that only matter once one relies on it. The
# most important is a trap. A rule looks at ``self.data`` when the walk back reaches it, and by then somebody may have
# changed it:

w = Variable([1.0, 2.0])
y = (w * w).sum()
w.data += 10  # an update that came too early
y.backward()
print("our gradient of w * w at (1, 2):", w.grad, "- wrong, and not a word about it")
assert not np.array_equal(w.grad, [2.0, 4.0])

w = minidl.tensor([1.0, 2.0], requires_grad=True)
y = (w * w).sum()
with minidl.no_grad():
    w.add_(10)
try:
    y.backward()
    message = "no error"
except RuntimeError as error:
    message = str(error)
print("minidl:", message)
assert "changed in place" in message

# %%
# ``minidl`` counts the changes of every array and compares. It also forgets the graph after the walk, so that memory
# does not fill up; it keeps single precision where you want it; it checks shapes; and it can differentiate its own walk
# back, which gives second derivatives. The slope of :math:`x^3` is :math:`3 x^2`, and the slope of that is :math:`6 x`:

x = minidl.tensor(2.0, requires_grad=True)
(slope,) = minidl.grad(x**3, x, create_graph=True)
(slope_of_slope,) = minidl.grad(slope, x)
print(f"x = 2: slope of x^3 = {slope.item()}, slope of the slope = {slope_of_slope.item()}")
assert (slope.item(), slope_of_slope.item()) == (12.0, 12.0)

# %%
# Finally a look at a graph. This is what stands behind the loss of a single unit, from the parameters (the **leaves**
# of the graph) at the left to the loss at the right. The walk back follows the arrows against their direction.

inputs, weight, bias = minidl.tensor(1.5), minidl.tensor(0.8), minidl.tensor(-0.2)
leaves = {"w": weight.requires_grad_(), "b": bias.requires_grad_()}
output = (weight * inputs + bias).sigmoid()
figure = draw_graph(-output.log(), leaves)
save_figure(figure, "graph")

# %%
# The input x is missing on purpose: it requires no gradient, so nothing has to be noted about it.
#
# Summary
# -------
#
# * Automatic differentiation is not finite differences, and not algebra with formulas: it runs the chain rule on
#   numbers, one operation at a time, exact up to rounding.
# * The forward pass notes for each result what it was made of, and how a rate at the result becomes a rate at an input.
# * The walk back takes the results from the newest to the oldest, so that every rate is complete before it is used.
#   Rates of the same variable are added.
# * What broadcasting stretches on the way forward is summed on the way back.
# * One walk back gives the derivatives for all inputs at once. That suits learning: millions of weights, one loss.
#
# Next: gradients now come from a program, or from a formula in a paper. How do we know that they are right? Lesson 11.
#
# Exercises
# ---------
#
# 1. (checked) Give ``Number`` from the beginning a division and ``sqrt``. Write a class ``Number`` with ``value``,
#    ``grad``, the operators ``+``, ``*`` and ``/``, a method ``sqrt()`` and a method ``backward()`` that visits every
#    number once. Check it with ``python -m lessons check 10 my_solution.py``.
# 2. Why may ``backward`` of ``Variable`` not be called twice on the same result? Try it, then mend it.
# 3. Add ``relu`` and ``max(axis)``. Where do several places share the maximum, and what should happen there?
# 4. The rules are closures that keep all arrays of the forward pass alive. Which arrays does no rule ever need?
