"""
Slopes
======

You turn a knob a little. How far does the needle move? And with a thousand knobs, which way should you turn them all?

:time: 5 s
"""

# %%
# The slope of a curve
# --------------------
#
# All learning in this course answers that question. The knobs are the weights of a network, the needle shows how badly
# it does, and we want the needle to go down.
#
# Let x be the knob and f(x) the needle. We turn the knob from x to :math:`x + \varepsilon`; the letter epsilon stands
# for something small. The needle moves by :math:`f(x + \varepsilon) - f(x)`. How far *for each unit that we turned* is
#
# .. math:: \frac{f(x + \varepsilon) - f(x)}{\varepsilon} \qquad\text{(forward difference)}
#
# and the number to which this tends when :math:`\varepsilon` gets smaller and smaller is the **slope** or
# **derivative** of f at x, written :math:`f'(x)` or :math:`\frac{df}{dx}`. A slope of 3 says: the needle moves three
# times as far as the knob. A slope of -3: three times as far, the other way.
#
# From school, :math:`f(x) = x^3` has :math:`f'(x) = 3 x^2`, so the slope at 1 should be 3.

import matplotlib.pyplot as plt
import numpy as np

import minidl
from lessons import save_figure


def forward(f, value, epsilon):
    """The slope of f at a number, from one step up."""
    return (f(value + epsilon) - f(value)) / epsilon


def cube(x):
    return x**3


for epsilon in [0.1, 0.01, 0.001]:
    print(f"epsilon = {epsilon}: forward difference {forward(cube, 1.0, epsilon):.6f}, the slope is 3")

# %%
# Better: a step up and a step down
# ---------------------------------
#
# The forward difference is a little too large, and algebra tells by how much. Since
# :math:`(1 + \varepsilon)^3 = 1 + 3\varepsilon + 3\varepsilon^2 + \varepsilon^3`,
#
# .. math:: \frac{(1 + \varepsilon)^3 - 1}{\varepsilon} = 3 + 3\varepsilon + \varepsilon^2 .
#
# The error is about :math:`3\varepsilon`: ten times smaller steps, ten times smaller error. Now take one step up and
# one step down, and divide by the distance between the two:
#
# .. math::
#    f'(x) \approx \frac{f(x + \varepsilon) - f(x - \varepsilon)}{2\varepsilon} \qquad\text{(central difference)}
#
# With :math:`(1 - \varepsilon)^3 = 1 - 3\varepsilon + 3\varepsilon^2 - \varepsilon^3`, the terms with
# :math:`3\varepsilon^2` are equal and cancel, and what remains is
#
# .. math:: \frac{(1 + \varepsilon)^3 - (1 - \varepsilon)^3}{2\varepsilon} = 3 + \varepsilon^2 .
#
# Ten times smaller steps now make the error a hundred times smaller. That is a lot to gain for one minus sign.


def central(f, value, epsilon=1e-5):
    """The slope of f at a number, from one step up and one step down."""
    return (f(value + epsilon) - f(value - epsilon)) / (2 * epsilon)


for epsilon in [0.1, 0.01, 0.001]:
    print(f"epsilon = {epsilon}: central difference {central(cube, 1.0, epsilon):.6f}")
    assert abs(forward(cube, 1.0, epsilon) - (3 + 3 * epsilon + epsilon**2)) < 1e-9
    assert abs(central(cube, 1.0, epsilon) - (3 + epsilon**2)) < 1e-9

x = np.linspace(0.2, 1.8, 100)
fig, ax = plt.subplots(layout="constrained")
ax.plot(x, cube(x), "k", label="f(x) = x^3")
for start, end, colour, name in [(1.0, 1.5, "tab:red", "forward"), (0.5, 1.5, "tab:green", "central")]:
    slope = (cube(end) - cube(start)) / (end - start)
    ax.plot(x, cube(start) + slope * (x - start), color=colour, label=f"{name} difference: slope {slope:.2f}")
    ax.plot([start, end], [cube(start), cube(end)], "o", color=colour)
ax.plot(x, 1 + 3 * (x - 1), "k:", label="tangent at 1: slope 3.00")
ax.set(xlabel="x", ylabel="f", ylim=(-1, 6), title="A step of 0.5, up only, and up and down")
ax.legend()
save_figure(fig, "two_differences")

# %%
# The green line is not the tangent, but nearly parallel to it, and being parallel is all that a slope asks for.
#
# It is no accident of the cube. Seen closely, every smooth curve is a line plus a bit of a square plus a bit of a cube
# (Taylor's formula, where :math:`f''` is the slope of the slope, and so on):
#
# .. math::
#    f(x \pm \varepsilon) = f(x) \pm \varepsilon f'(x) + \frac{\varepsilon^2}{2} f''(x)
#    \pm \frac{\varepsilon^3}{6} f'''(x) + \dots
#
# The forward difference suffers from the square, with an error of about :math:`\frac{\varepsilon}{2} f''`. In the
# central difference the squares cancel, and the error is about :math:`\frac{\varepsilon^2}{6} f'''`.
#
# Why not smaller still?
# ----------------------
#
# Because a computer rounds. In ``float64`` (lesson 00), f is known to a relative precision of about
# :math:`u = 10^{-16}`, so :math:`f(x + \varepsilon)` and :math:`f(x - \varepsilon)` are each wrong by about
# :math:`u |f|`. Their difference is tiny, but those errors are as large as before; and then we divide them by
# :math:`2\varepsilon`. In all,
#
# .. math:: \text{error} \approx \frac{\varepsilon^2}{6} |f'''| + \frac{u\, |f|}{\varepsilon} .
#
# The first part wants a small :math:`\varepsilon`, the second a large one. The best choice is where the sum has slope
# zero, :math:`\frac{\varepsilon}{3} |f'''| = \frac{u |f|}{\varepsilon^2}`. If f and :math:`f'''` are of similar size,
# this gives :math:`\varepsilon = \sqrt[3]{3u} \approx 7 \cdot 10^{-6}`. So we take :math:`10^{-5}`.
#
# Let us see whether that is true. We measure the slope of the sine, which is the cosine, at two hundred places, with
# steps from 1 down to a millionth of a millionth.

places = np.linspace(0.5, 2.5, 200)
steps = np.logspace(0, -12, 49)


def mean_error(difference, dtype):
    """How far a difference is from the true slope of the sine, for every step."""
    x = places.astype(dtype)
    return np.array([np.abs(difference(np.sin, x, dtype(step)) - np.cos(places)).mean() for step in steps])


fig, ax = plt.subplots(layout="constrained")
for difference, dtype, style in [(forward, np.float64, "--"), (central, np.float64, "-"), (central, np.float32, ":")]:
    visible = steps > np.finfo(dtype).eps * 4  # smaller steps would not change x at all
    error = mean_error(difference, dtype)[visible]
    best = steps[visible][error.argmin()]
    print(f"{difference.__name__:7} in {dtype.__name__}: best step {best:.0e}, error {error.min():.0e}")
    ax.loglog(steps[visible], error, style, label=f"{difference.__name__}, {dtype.__name__}")
ax.axvline(1e-5, color="grey", linewidth=0.8, label="epsilon = 1e-5")
ax.set(xlabel="step epsilon", ylabel="error of the slope", title="The slope of the sine, measured")
ax.legend()
save_figure(fig, "best_step")

error = mean_error(central, np.float64)
assert 1e-6 < steps[error.argmin()] < 1e-4
assert error.min() < 1e-10
assert mean_error(forward, np.float64).min() > 50 * error.min()

# %%
# Read the picture from right to left. First the errors fall, with :math:`\varepsilon` for the forward difference and
# with :math:`\varepsilon^2`, twice as steeply, for the central one. Then rounding takes over and they rise again.
# ``float32`` gives five digits at best, and only with a step a thousand times larger. Therefore, in this course:
#
# **The judge is** ``central`` **with a step of 1e-5, in float64.** It gives about ten digits and needs to know nothing
# about f. Whatever we derive by hand in later lessons, it will have to pass the judge.
#
# The rules from school pass at once:

rules = [
    ("constant", lambda x: 4.0 + 0 * x, lambda x: 0.0),
    ("power", lambda x: x**5, lambda x: 5 * x**4),
    ("one over", lambda x: 1 / x, lambda x: -1 / x**2),
    ("exponential", np.exp, np.exp),
    ("logarithm", np.log, lambda x: 1 / x),
    ("sum", lambda x: x**2 + np.exp(x), lambda x: 2 * x + np.exp(x)),
]
for name, f, derivative in rules:
    for x in [0.5, 1.0, 1.7]:
        assert abs(central(f, x) - derivative(x)) < 1e-8, name

# %%
# The chain rule
# --------------
#
# Now the most important idea of the whole course. Three gear wheels: when the first turns once, the second turns three
# times; when the second turns once, the third turns twice. How often does the third turn for each turn of the first?
# Six times. **Rates along a chain multiply.**
#
# A long formula is such a chain. Take :math:`y = e^{-(3x - 1)^2}` and give each intermediate value a name, one small
# operation a line. Next to each stands how fast it moves when the one before moves.

x = 0.7
a = 3 * x  # da/dx = 3
b = a - 1  # db/da = 1
c = b**2  # dc/db = 2 b
y = np.exp(-c)  # dy/dc = -exp(-c)

dy_dc = -np.exp(-c)
dy_db = dy_dc * 2 * b
dy_da = dy_db * 1
dy_dx = dy_da * 3
print(f"by the chain rule: dy/dx = {dy_dx:.8f}")
print(f"by the judge:      dy/dx = {central(lambda x: np.exp(-((3 * x - 1) ** 2)), x):.8f}")
assert abs(dy_dx - central(lambda x: np.exp(-((3 * x - 1) ** 2)), x)) < 1e-9

# %%
# Written as a formula, with the curved letters that say "among other things that could move":
#
# .. math::
#    \frac{\partial y}{\partial x} = \frac{\partial y}{\partial c} \cdot \frac{\partial c}{\partial b} \cdot
#    \frac{\partial b}{\partial a} \cdot \frac{\partial a}{\partial x}
#
# We began at the end, with y, and walked back to x. Each line used the result of the line before. Remember this walk;
# it will be called backpropagation.
#
# Two paths add up
# ----------------
#
# What if x is used twice? In :math:`y = x^2 \sin x` it moves y through :math:`u = x^2`, and also through
# :math:`v = \sin x`. If you pour water into a bath from two taps, the level rises by what both bring. **Along a path,
# rates multiply; over several paths, they add:**
#
# .. math::
#    \frac{dy}{dx} = \frac{\partial y}{\partial u} \frac{du}{dx} + \frac{\partial y}{\partial v} \frac{dv}{dx}

x = 0.7
u, v = x**2, np.sin(x)
y = u * v
through_u = v * 2 * x  # dy/du = v: with v held fixed, u v moves v times as far as u
through_v = u * np.cos(x)  # dy/dv = u
print(f"through u {through_u:.6f}, through v {through_v:.6f}, together {through_u + through_v:.6f}")
assert abs(through_u + through_v - central(lambda x: x**2 * np.sin(x), x)) < 1e-9

# %%
# You may know this as the product rule, :math:`(u v)' = u' v + u v'`. There is no need to learn it separately: it is
# the chain rule with two paths. To forget a path is the most common mistake in a derivation by hand.
#
# Many knobs: the gradient
# ------------------------
#
# Now f depends on several numbers. Turn one knob and leave the others alone: that slope is called a **partial
# derivative**. All of them together form the **gradient**, written :math:`\nabla f`. It has the same shape as the
# knobs: one slope for each.
#
# As an example, the height of a landscape over a map with two coordinates p = (p_0, p_1):
#
# .. math::
#    f(p) = \tfrac12 p_0^2 + p_1^2 + \tfrac12 p_0 p_1, \qquad
#    \nabla f = \left( p_0 + \tfrac12 p_1,\; 2 p_1 + \tfrac12 p_0 \right)


def height(p):
    return p[0] ** 2 / 2 + p[1] ** 2 + p[0] * p[1] / 2


def gradient_of_height(p):
    return np.array([p[0] + p[1] / 2, 2 * p[1] + p[0] / 2])


def slopes(f, at, epsilon=1e-5):
    """The judge for many knobs: the slope of f by every entry of an array, moved alone."""
    found = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        step = np.zeros_like(at)
        step[index] = epsilon
        found[index] = (f(at + step) - f(at - step)) / (2 * epsilon)
    return found


p = np.array([1.5, 1.0])
print(f"height {height(p)}, gradient by hand {gradient_of_height(p)}, by the judge {slopes(height, p).round(8)}")
assert np.allclose(slopes(height, p), gradient_of_height(p), rtol=0, atol=1e-9)

# %%
# Which way is up?
# ----------------
#
# Stand at p and walk in a direction d, an arrow of length 1. After a distance t you are at p + t d. How steep is your
# path? Your walk moves both coordinates, p_0 at the rate d_0 and p_1 at the rate d_1: two paths, so they add up.
#
# .. math::
#    \frac{d}{dt} f(p + t d) = \frac{\partial f}{\partial p_0} d_0 + \frac{\partial f}{\partial p_1} d_1
#    = \nabla f \cdot d
#
# This is the **directional derivative**. The inner product of two arrows is the product of their lengths times the
# cosine of the angle between them. So your path is steepest when the angle is zero, that is, when you walk *along the
# gradient*. Straight against it, you go down fastest. At a right angle you stay at the same height.

angles = np.radians(np.arange(0, 361))
directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)  # (361, 2)
measured = np.array([central(lambda t, d=d: height(p + t * d), 0.0) for d in directions])
gradient = gradient_of_height(p)
steepest = directions[measured.argmax()]

assert np.allclose(measured, directions @ gradient, rtol=0, atol=1e-9)
assert np.allclose(steepest, gradient / np.linalg.norm(gradient), atol=0.01)  # the angles are whole degrees
assert abs(measured.max() - np.linalg.norm(gradient)) < 0.001  # the steepest slope is the gradient's length

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained")
grid_0, grid_1 = np.meshgrid(np.linspace(-3, 3, 100), np.linspace(-2.2, 2.6, 100))
left.contour(grid_0, grid_1, height([grid_0, grid_1]), levels=[0.25, 0.75, 1.5, height(p), 4.5, 7, 10])
for sign, colour, name in [(0.4, "tab:red", "up"), (-0.4, "tab:green", "down")]:
    left.annotate("", p + sign * gradient, p, arrowprops=dict(arrowstyle="-|>", color=colour, linewidth=2))
    left.plot([], [], color=colour, label=name)
left.plot(*p, "ko")
left.set(xlabel="p_0", ylabel="p_1", aspect="equal", title="Lines of equal height, and the gradient")
left.legend(loc="lower right")
right.plot(np.degrees(angles), measured)
right.axvline(np.degrees(np.arctan2(gradient[1], gradient[0])), color="tab:red", label="along the gradient")
right.axvline(np.degrees(np.arctan2(gradient[1], gradient[0])) + 180, color="tab:green", label="against it")
right.axhline(0, color="grey", linewidth=0.5)
right.set(xlabel="direction in degrees", ylabel="slope of the path", xticks=range(0, 361, 45), title="A cosine")
right.legend(loc="lower left")
save_figure(fig, "gradient")

# %%
# That answers the question at the top: to bring the needle down, turn every knob against its own partial derivative,
# in proportion. Lesson 05 does nothing else, many times.
#
# There is a bonus. To test the gradient of a function of a thousand numbers, ``slopes`` needs two thousand evaluations.
# A single random direction needs two, and a mistake anywhere will almost surely show.

rng = np.random.default_rng(0)
w, factors, direction = rng.normal(size=1000), rng.normal(size=1000), rng.normal(size=1000)
by_hand = factors * np.cos(w)  # the gradient of the sum of factors * sin(w)
wrong = by_hand.copy()
wrong[321] *= -1

along = central(lambda t: np.sum(factors * np.sin(w + t * direction)), 0.0)
print(f"along a random direction: measured {along:.6f}, by hand {by_hand @ direction:.6f}")
print(f"with one wrong sign among a thousand: {wrong @ direction:.6f}")
assert abs(along - by_hand @ direction) < 1e-6 < abs(along - wrong @ direction)

# %%
# Where the judge errs
# --------------------
#
# No judge is right about everything. Two cases to know:
#
# * **A kink.** The function :math:`|x|` has slope -1 left of zero and 1 right of it. At zero there is no slope, but the
#   central difference sees both sides and answers 0. Within :math:`\varepsilon` of the kink it mixes the two.
# * **A small slope on a large number.** If f is 100 million, rounding alone is about :math:`10^{-8}`; divided by
#   :math:`10^{-5}`, that can become an error of a thousandth.

print(f"|x|: at 0 {central(abs, 0.0):.3f}, at 4e-6 {central(abs, 4e-6):.3f}, at 1 {central(abs, 1.0):.3f}")
print(f"1e8 + x has slope 1, measured {central(lambda x: 1e8 + x, 0.5):.6f}")
assert central(abs, 0.0) == 0
assert abs(central(abs, 4e-6) - 0.4) < 1e-9

# %%
# So compare at places without kinks, and with numbers of ordinary size. Lesson 11 comes back to this.
#
# The engine does the same
# ------------------------
#
# ``minidl`` knows the slope of each small operation, remembers which were used, and makes the walk back when we call
# ``backward()``. It does not measure: it multiplies and adds exact rates, as we did above. ``requires_grad`` says
# which numbers are the knobs; their slopes arrive in ``grad``.

x_t = minidl.tensor(0.7, dtype=minidl.float64, requires_grad=True)
y_t = (-((3 * x_t - 1) ** 2)).exp()
y_t.backward()
print(f"engine: dy/dx = {x_t.grad.item():.8f}")
assert abs(x_t.grad.item() - dy_dx) < 1e-15

p_t = minidl.tensor(p, requires_grad=True)
height(p_t).backward()
assert np.allclose(p_t.grad.numpy(), gradient, rtol=0, atol=1e-15)

# %%
# Summary
# -------
#
# * The slope tells how far f moves for each unit that x moves.
# * The central difference has an error that falls with :math:`\varepsilon^2`, until rounding takes over. A step of
#   1e-5 in ``float64`` gives about ten digits. This is our judge.
# * Chain rule: along a path, rates multiply; over several paths, they add.
# * The gradient collects one slope for each knob and has their shape. It points where f rises fastest.
# * In a direction d, f changes at the rate :math:`\nabla f \cdot d`.
#
# Next: knobs and a needle are there, but no machine between them yet. Lesson 02 builds it.
#
# Exercises
# ---------
#
# ``python -m lessons check 1 my_solution.py`` checks the first two.
#
# 1. (checked) Write ``slope(x)``, the derivative of :math:`f(x) = x\, e^{-x^2}`, derived by hand. How many paths lead
#    from x to f? Ask the judge before you ask the check.
# 2. (checked) Write ``jacobian(f, at)`` for a function from n numbers to m numbers: the table (m, n) whose entry (i, j)
#    is the slope of the i-th result by the j-th number, by central differences.
# 3. The *second* derivative is about :math:`(f(x + \varepsilon) - 2 f(x) + f(x - \varepsilon)) / \varepsilon^2`. Try
#    it on the sine. Which step is best now, and why is 1e-5 a bad choice?
# 4. A curiosity: evaluate ``np.imag(np.exp(0.7 + 1e-200j)) / 1e-200`` and compare it with ``np.exp(0.7)``. A step of
#    1e-200, and every digit is right! Put :math:`i\varepsilon` for :math:`\varepsilon` into Taylor's formula to see why
#    nothing cancels here.
