"""
Arrays
======

A picture, a sentence, the weights of a network: to a computer they are all tables of numbers. How does one compute with
a whole table at once?

:time: 5 s
"""

# %%
# Welcome
# -------
#
# In this course you build deep learning yourself, from a single unit to language models, and you check every step. A
# lesson is an ordinary Python file. Run it with ``python lessons/00_arrays.py``, or open it in an editor that knows
# the ``# %%`` marks and run it cell by cell. Change the numbers; nothing can break.
#
# Two habits run through all lessons. After a claim there is often a line with ``assert``: it says "this is true", and
# the lesson would stop if it were not. And figures are saved as files; the path is printed.
#
# From lesson 02 on, many formulas come from five Chinese documents on large models. We call them D0 to D4:
#
# * D0 "大模型的技术优化与市场需求" (Technical optimisation of large models and market demand),
# * D1 "大模型的技术演进与市场前景" (Technical evolution of large models and market prospects),
# * D2 "大模型：引领科技革命的核心力量" (Large models: the core force leading the technological revolution),
# * D3 "大模型：从理论到实践的商业应用" (Large models: from theory to practice in business),
# * D4 "大模型基础：理论与技术的演进" (Foundations of large models: evolution of theory and technology).
#
# Of their 118 formulas, worked numbers, procedures and programs, 42 are wrong in print, often by a sign or a letter.
# That makes them good company: we take nothing on trust, and find out by calculation.
#
# This lesson needs nothing but Python. If you have used NumPy for years, go on to lesson 01, or straight to the
# exercises.

import time

import matplotlib.pyplot as plt
import numpy as np

import minidl
from lessons import save_figure

# %%
# One number, a row, a table
# --------------------------
#
# A fruit stall keeps a record. Each row is a day, each column a kind of fruit, each number how many were sold.

fruits = ["apples", "pears", "plums", "figs"]
sales = np.array([[5, 0, 12, 3], [8, 2, 9, 1], [6, 4, 20, 0]])
price = np.array([0.5, 0.4, 0.2, 1.0])  # of one piece, in the order of the fruits

print(sales)
print(f"sales has shape {sales.shape}, {sales.ndim} axes, {sales.size} numbers of type {sales.dtype}")
print(f"price has shape {price.shape}, {price.ndim} axis,  {price.size} numbers of type {price.dtype}")

# %%
# This is an **array**: numbers of one type in a regular grid. Its **shape** tells how long it is in each direction, and
# each direction is an **axis**. ``sales`` has shape (3, 4): axis 0 are the 3 days, axis 1 the 4 fruits. ``price`` has
# one axis of length 4; its shape is written (4,). A single number has no axis at all, and the shape ().
#
# Square brackets take things out, one position for each axis, counted from 0. A colon means "all of them".

assert sales[1, 2] == 9  # second day, third fruit
assert sales[1].tolist() == [8, 2, 9, 1]  # the whole second day
assert sales[:, 2].tolist() == [12, 9, 20]  # the plums of all days
assert sales[-1, 1:3].tolist() == [4, 20]  # last day; fruits 1 and 2, as the end is not included

# Shapes are the first thing to look at when something goes wrong. Say them aloud: "three days by four fruits".
assert sales[1].shape == (4,)  # one position was fixed, so one axis is gone
assert sales[1:2].shape == (1, 4)  # a range keeps its axis, even with a single day in it

# %%
# Sums along an axis
# ------------------
#
# How many fruits were sold each day, and how many of each kind over all days? Both are sums, along different axes.
# There is an easy way to remember which is which: **the axis you name is the one that disappears.**

assert sales.sum() == 70
assert sales.sum(axis=1).tolist() == [20, 20, 30]  # the fruits disappear: one number a day
assert sales.sum(axis=0).tolist() == [19, 6, 41, 4]  # the days disappear: one number a fruit

# With ``keepdims`` the axis stays, with length 1. We shall need that in a moment.
assert sales.sum(axis=1, keepdims=True).shape == (3, 1)

# %%
# Broadcasting
# ------------
#
# What did the stall earn with each fruit on each day? Operations such as ``+`` and ``*`` work entry by entry, so two
# arrays of the same shape fit. But ``sales`` is (3, 4) and ``price`` is (4,). We want the same prices on every day, and
# NumPy guesses that:

earned = sales * price
print(earned)
assert earned.shape == (3, 4)
assert earned[1, 0] == 8 * 0.5

# %%
# The guess follows a rule, called **broadcasting**. Write the two shapes one above the other, aligned at the *right*::
#
#     sales   3  4
#     price      4
#
# In each column the lengths must be equal, or one of them must be 1 or missing. Where it is 1 or missing, the array is
# used again and again along that axis. Nothing is really copied. As a small program:


def broadcast_shape(first, second):
    """The shape of ``first + second`` for arrays of these two shapes."""
    axes = max(len(first), len(second))
    padded = [(1,) * (axes - len(shape)) + shape for shape in (first, second)]  # a missing length counts as 1
    for a, b in zip(*padded, strict=True):
        if a != b and 1 not in (a, b):
            raise ValueError(f"{first} and {second} do not fit: {a} meets {b}")
    return tuple(b if a == 1 else a for a, b in zip(*padded, strict=True))


for shapes in [((3, 4), (4,)), ((3, 1), (4,)), ((3, 4), ()), ((2, 1, 5), (3, 1))]:
    assert broadcast_shape(*shapes) == np.broadcast_shapes(*shapes)
    print(f"{shapes[0]} and {shapes[1]} give {broadcast_shape(*shapes)}")

# %%
# Now a discount for each *day*, (3,). Aligned at the right, 3 meets 4, and that is an error. The days are axis 0, so
# the discounts must stand in a column, (3, 1). Indexing with ``None`` puts an axis of length 1 where it stands.

discount = np.array([1.0, 0.9, 0.5])
try:
    earned * discount
except ValueError as error:
    print("earned * discount:", error)

reduced = earned * discount[:, None]  # (3, 4) * (3, 1)
assert reduced[2].tolist() == (earned[2] * 0.5).tolist()

share = sales / sales.sum(axis=1, keepdims=True)  # each day's sales as parts of one: (3, 4) / (3, 1)
assert np.allclose(share.sum(axis=1), 1)

# %%
# A picture of ``sales * price``: the pale rows do not exist, they are the same four prices, read again.


def draw(ax, table, title, colours, pale_rows=()):
    """A table with its numbers, coloured by ``colours`` (same shape, from 0 to 1)."""
    alpha = np.ones(table.shape)
    alpha[list(pale_rows)] = 0.3
    ax.imshow(colours, cmap="YlGn", vmin=0, vmax=1.6, alpha=alpha)
    for (i, j), value in np.ndenumerate(table):
        ax.text(j, i, f"{value:g}", ha="center", va="center", color="grey" if i in pale_rows else "black")
    ax.set(title=title, xticks=[], yticks=[])


fig, (left, middle, right) = plt.subplots(1, 3, figsize=(9, 2.6), layout="constrained")
draw(left, sales, "sales (3, 4)", sales / 20)
draw(middle, np.tile(price, (3, 1)), "times price (4,)", np.tile(price, (3, 1)), pale_rows=(1, 2))
draw(right, earned, "earned (3, 4)", earned / 4)
left.set(xticks=range(4), yticks=range(3), xticklabels=fruits, yticklabels=["day 0", "day 1", "day 2"])
save_figure(fig, "broadcasting")

# %%
# A trap
# ------
#
# Broadcasting can also fit what should not fit, without a word. Suppose a network predicts one number for each of four
# examples, as a column (4, 1), and the right answers are a row (4,). All predictions are perfect. And yet:

answers = np.array([1.0, 2.0, 3.0, 4.0])  # (4,)
predictions = answers[:, None]  # (4, 1), the same four numbers
difference = predictions - answers
print(f"perfect predictions: differences of shape {difference.shape}, mean square {(difference**2).mean()}")

assert difference.shape == (4, 4)  # every prediction minus every answer
assert ((predictions[:, 0] - answers) ** 2).mean() == 0  # what was meant

# %%
# No error, only a wrong number. This is one of the most common mistakes in deep learning. The cure is a habit: write
# the shape behind a line, as the comments here do, and check it.
#
# Views and copies
# ----------------
#
# In memory, an array is one long row of numbers. Its shape is only a way of reading that row. For (3, 4): to get from
# one fruit to the next, go 1 number further; to get to the next day, go 4 further. These two step lengths are called
# **strides** (NumPy counts them in bytes, and one of our numbers has 8).

memory = sales.ravel()  # the row of 12 numbers
day_step, fruit_step = (stride // sales.itemsize for stride in sales.strides)
print(f"steps in memory: {day_step} to the next day, {fruit_step} to the next fruit")
assert all(sales[i, j] == memory[i * day_step + j * fruit_step] for i in range(3) for j in range(4))

# %%
# So another shape, a part, or the table with its axes exchanged (its **transpose**, ``.T``) need no new memory: they
# read the same row with other steps. Such an array is a **view**.

columns_first = sales.T  # (4, 3): entry (j, i) is entry (i, j) of sales
assert columns_first.strides == sales.strides[::-1]
assert np.shares_memory(columns_first, sales)
assert np.shares_memory(sales.reshape(2, 6), sales)
assert np.shares_memory(sales[:, 2], sales)

# %%
# This is fast, and it has a consequence: who writes into a view writes into the original.

record = sales.copy()  # a copy has its own memory, so that sales stays as it is
plums = record[:, 2]  # a view
plums[0] = 99
assert record[0, 2] == 99
assert sales[0, 2] == 12

plums = plums * 2  # this makes a new array and gives it the old name: record does not change
assert record[0, 2] == 99

# Picking with a list, or with a condition, always copies, since the result has no regular steps.
assert not np.shares_memory(sales[[0, 2]], sales)
assert sales[sales > 8].tolist() == [12, 9, 20]

fig, (top, left, right) = plt.subplots(3, 1, figsize=(6, 6), height_ratios=[1, 3, 4], layout="constrained")
position = np.arange(12).reshape(3, 4) / 11
draw(top, memory[None], "in memory: one row (colour: position)", position.reshape(1, 12))
draw(left, sales, "sales (3, 4): steps 4 and 1", position)
draw(right, sales.T, "sales.T (4, 3): steps 1 and 4", position.T)
save_figure(fig, "one_memory")

# %%
# The matrix product
# ------------------
#
# What did the stall earn on each day? Multiply each number by its price and add: a *sum of products*. With two price
# lists, one for regular customers, there are two such sums a day, and the result is a table: days by lists.

prices = np.array([[0.5, 0.45], [0.4, 0.35], [0.2, 0.2], [1.0, 0.8]])  # (4 fruits, 2 lists)


def product(A, B):
    """The matrix product of two tables, by loops: entry (i, k) is the sum over j of A[i, j] B[j, k]."""
    rows, inner, columns = len(A), len(B), len(B[0])
    C = [[0.0] * columns for _ in range(rows)]
    for i in range(rows):
        for k in range(columns):
            for j in range(inner):
                C[i][k] += A[i][j] * B[j][k]
    return C


takings = sales @ prices  # (3, 4) @ (4, 2) -> (3, 2)
print(takings)
assert takings.shape == (3, 2)
assert np.allclose(takings, product(sales, prices))

# %%
# In the language of mathematics, this is the **matrix product**, in Python ``@``:
#
# .. math:: C = A B, \qquad c_{ik} = \sum_j a_{ij}\, b_{jk}
#
# The letter j appears twice, is summed over, and disappears: the 4 fruits are gone. So the inner lengths must be equal,
# (n, **m**) @ (**m**, k), and the outer ones remain, (n, k). Reading a formula by its letters in this way is worth
# practising; almost everything that a network does is a matrix product.
#
# Three products look alike and must not be confused:

u, v = np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 30.0])
assert (u * v).tolist() == [10.0, 40.0, 90.0]  # entry by entry: the letters stay, u_i v_i
assert u @ v == 140.0  # the inner product: one number, the sum of u_i v_i
assert np.outer(u, v).shape == (3, 3)  # the outer product: a table with all products u_i v_j
assert np.array_equal(np.outer(u, v), u[:, None] * v)  # which is broadcasting again

# Order matters, and a transposed product is the product of the transposes in reversed order: (A B)^T = B^T A^T.
assert np.allclose((sales @ prices).T, prices.T @ sales.T)

# %%
# Why not stay with loops? They say clearly what happens, and we shall use them to explain. But Python handles one
# number at a time. NumPy hands the whole table to a compiled program. We measure, with tables of 150 by 150:

rng = np.random.default_rng(0)  # random numbers, but the same ones in every run, as the seed 0 is fixed
A, B = rng.normal(size=(150, 150)), rng.normal(size=(150, 150))
A_list, B_list = A.tolist(), B.tolist()

start = time.perf_counter()
by_loops = product(A_list, B_list)
loops_took = time.perf_counter() - start

matmul_took = []
for _ in range(10):
    start = time.perf_counter()
    by_matmul = A @ B
    matmul_took.append(time.perf_counter() - start)

assert np.allclose(by_loops, by_matmul)
times_as_fast = loops_took / min(matmul_took)
print(f"loops: {loops_took * 1e3:.0f} ms; @: {min(matmul_took) * 1e3:.2f} ms, {times_as_fast:.0f} times as fast")

# %%
# How exact is a number?
# ----------------------
#
# A number such as 0.1 has no end in binary digits, so it is rounded. ``float64`` keeps about 16 decimal digits,
# ``float32`` about 7, in half the memory. Deep learning mostly uses ``float32``: its models do not need more digits.
# When we *check* something, we use ``float64``.

assert 0.1 + 0.2 != 0.3  # all three are rounded
assert abs(0.1 + 0.2 - 0.3) < 1e-16  # but by very little; so compare with a tolerance

for dtype in (np.float32, np.float64):
    print(f"{dtype.__name__}: the first number after 1 is 1 + {np.finfo(dtype).eps:.1e}")
assert np.float32(1) + np.float32(1e-8) == np.float32(1)  # too little to be noticed

# %%
# The engine does the same
# ------------------------
#
# ``minidl`` is the library that belongs to this course; you will understand all of it. Its arrays are called
# **tensors**. They behave as NumPy's do, and will also work out slopes for us, beginning with lesson 01. The names are
# those of PyTorch, the library that most people use: ``dim`` for ``axis``, ``keepdim`` for ``keepdims``.

sales_t, prices_t = minidl.tensor(sales, dtype=minidl.float64), minidl.tensor(prices)
print(sales_t @ prices_t)

assert sales_t.shape == (3, 4)
assert np.array_equal(sales_t[:, 2].numpy(), sales[:, 2])
assert np.array_equal(sales_t.sum(dim=1, keepdim=True).numpy(), sales.sum(axis=1, keepdims=True))
assert np.array_equal((sales_t * minidl.tensor(price)).numpy(), earned)
assert np.array_equal((sales_t @ prices_t).numpy(), takings)
assert np.array_equal(sales_t.T.numpy(), sales.T)

# %%
# Three things to know. Python's decimal numbers become ``float32``; arrays keep their type. ``minidl.tensor`` copies,
# and ``minidl.from_numpy`` makes a view of the array. And when shapes do not fit, the message says how.

assert minidl.tensor([0.5, 1.5]).dtype == minidl.float32
assert minidl.tensor(price).dtype == minidl.float64

shared, copied = minidl.from_numpy(record), minidl.tensor(record)
record[0, 0] = 77
assert shared[0, 0].item() == 77  # item() turns a tensor with one entry into a Python number
assert copied[0, 0].item() == 5

try:
    sales_t @ sales_t
except ValueError as error:
    print(error)

# %%
# Summary
# -------
#
# * An array is a grid of numbers of one type. Its shape is the first thing to know about it.
# * In ``sum(axis=...)``, the axis you name disappears.
# * Broadcasting aligns shapes at the right; each pair of lengths is equal, or one is 1 or missing. It can also hide a
#   mistake.
# * Slices, reshapes and transposes are views of the same memory. Writing into a view changes the original.
# * ``A @ B`` sums over the inner axis: (n, m) @ (m, k) gives (n, k). ``*`` works entry by entry.
# * Tensors of ``minidl`` follow the same rules.
#
# Next: a network has many numbers that can be changed. Which way should one change them? Lesson 01 is about slopes.
#
# Exercises
# ---------
#
# No loops in the first two: let the arrays do the work. ``python -m lessons check 0 my_solution.py`` checks them.
#
# 1. (checked) Write ``standardise(X)`` for a table X in which each row is an example and each column a feature: each
#    column minus its mean, divided by its standard deviation (``std``). Networks like to be fed such columns.
# 2. (checked) Write ``distances(X, Y)`` for n points X (n, d) and m points Y (m, d): the table (n, m) of the distances
#    between every point of X and every point of Y. Which two shapes must meet?
# 3. Without running it: what is the shape of ``np.ones((5, 1, 3)) + np.ones((4, 1))``? And of
#    ``np.ones((2, 3)) + np.ones(2)``? Then ask ``broadcast_shape``.
# 4. What are the strides of ``sales[::-1]``, the days in reversed order? Guess, look, and explain the sign. Is it a
#    view?
