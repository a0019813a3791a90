r"""Gradients against finite differences: ``gradcheck`` for first derivatives, ``gradgradcheck`` for second ones.

For y = f(x) the derivative is a limit, and a small step comes near it. The central difference

    dy_k/dx_j ~ (f_k(x + eps e_j) - f_k(x - eps e_j)) / (2 eps)

is wrong by eps^2 f'''/6 (what the step leaves out) and by about 1e-16 |f| / eps (what rounding adds): some 1e-10 at
eps = 1e-6, in float64. In float32 the second error would be 0.1, so float64 is demanded.

What backward computes is J^T g, with J_kj = dy_k/dx_j. With a one at place k of g it returns row k of J. Where J is too
large to be written out, both sides are asked for one number instead: v^T J u for random u and v, which is
(J^T v)^T u by backward and (v^T f(x + eps u) - v^T f(x - eps u)) / (2 eps) by differences.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .autograd import Tensor, grad
from .backend import CPU, float64, namespace, to_device
from .grad_mode import enable_grad

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]

FULL = 1000  # J is written out up to this many elements of all inputs and outputs together


class GradcheckError(RuntimeError):
    """A gradient differs from the finite difference, or cannot be compared with one."""


def gradcheck(
    func: Callable[..., Tensor | Sequence[Tensor]],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    fast_mode: bool = False,
) -> bool:
    """Compare the gradients of ``func`` with central differences; as ``torch.autograd.gradcheck``.

    |analytic - numeric| <= atol + rtol |numeric| must hold for every dy_k/dx_j, for every floating-point output y and
    every input x that requires a gradient. If all inputs and outputs together have more than 1,000 elements, or with
    ``fast_mode``, one random direction of each input and output is compared; a difference is then traced to the element
    of the input that causes it.

    Args:
        func: takes the inputs, returns a tensor or several; always the same ones for the same inputs.
        inputs: what ``func`` takes. Tensors that require a gradient are checked and must be float64; everything else
            (integers, constants, numbers) is passed on as it is.
        eps: the step.
        atol, rtol: how much the two may differ.
        raise_exception: raise an error with the place and both values; otherwise return False.
        nondet_tol: how much two calls with the same inputs may differ.
        fast_mode: compare along random directions, whatever the size.

    Returns:
        True if all gradients agree.

    Raises:
        GradcheckError: if a gradient is wrong; if it cannot be judged, because an input lies at a kink or a jump of
            ``func``, or because a value is not finite; if ``func`` is not deterministic or changes its inputs.
        ValueError: if no input requires a gradient, if one that does is not float64, or if inputs overlap in memory.
        TypeError: if ``func`` returns anything but tensors.
    """
    probe = Probe("gradcheck", func, inputs, eps, atol, rtol)
    try:
        with enable_grad():
            probe.compare(nondet_tol, fast_mode)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Tensor | Sequence[Tensor]],
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensor | Sequence[Tensor] | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    fast_mode: bool = False,
) -> bool:
    """Compare the gradients of the gradients of ``func`` with central differences of its gradients.

    The function that is checked is (x, g) -> J(x)^T g: the backward pass itself, recorded with ``create_graph=True``,
    with respect to the inputs x and to the gradients g that it starts from. It takes J^T g as it is: check the
    gradients with ``gradcheck`` first.

    Args:
        grad_outputs: g for each floating-point output that requires a gradient; random unless given.

    All else, and what is returned and raised, is as in ``gradcheck``.
    """
    inputs = as_tuple(inputs)
    checked = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    if grad_outputs is None:
        rng = np.random.default_rng(0)
        with enable_grad():
            outputs = differentiable(as_outputs("gradgradcheck", func(*inputs)))
        grad_outputs = [Tensor(to_device(signs(rng, y.shape), y.device), requires_grad=True) for y in outputs]
    grad_outputs = as_tuple(grad_outputs)

    def gradient(*arguments: Any) -> tuple[Tensor, ...]:
        x, g = arguments[: len(inputs)], arguments[len(inputs) :]
        outputs = differentiable(as_outputs("gradgradcheck", func(*x)))
        wanted = [x[i] for i in checked]
        if not outputs:
            return ()
        found = grad(outputs, wanted, g, create_graph=True, allow_unused=True)
        return tuple(y for y in found if y is not None)

    probe = Probe("gradgradcheck", gradient, (*inputs, *grad_outputs), eps, atol, rtol)
    probe.name = f"the gradient of {name_of(func)}"
    try:
        with enable_grad():
            probe.compare(nondet_tol, fast_mode)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


class Probe:
    """A function at its inputs: evaluated, differentiated, moved by a small step, and compared."""

    def __init__(self, caller: str, func: Callable, inputs: Any, eps: float, atol: float, rtol: float) -> None:
        self.caller, self.func, self.inputs = caller, func, as_tuple(inputs)
        self.eps, self.atol, self.rtol = eps, atol, rtol
        self.name = name_of(func)
        self.checked = [i for i, x in enumerate(self.inputs) if isinstance(x, Tensor) and x.requires_grad]
        self._check_inputs()

    def _check_inputs(self) -> None:
        if not self.checked:
            raise ValueError(f"{self.caller}: no input requires a gradient")
        for i in self.checked:
            x = self.inputs[i]
            if x.dtype != float64:
                raise ValueError(f"{self.caller}: input {i} is {x.dtype}, but finite differences need float64")
            if overlaps_itself(x.array):
                raise ValueError(
                    f"{self.caller}: elements of input {i} share memory (strides {x.array.strides}), so they cannot be "
                    f"moved one by one; clone() separates them"
                )
            for j, other in enumerate(self.inputs):
                if i != j and isinstance(other, Tensor) and share_memory(x.array, other.array):
                    raise ValueError(
                        f"{self.caller}: inputs {min(i, j)} and {max(i, j)} share memory; clone() separates them"
                    )

    # The two sides of the comparison

    def outputs(self) -> list[Tensor]:
        """The floating-point outputs."""
        found = [y for y in as_outputs(self.caller, self.func(*self.inputs)) if y.dtype.kind == "f"]
        for k, y in enumerate(found):
            if y.dtype != float64:
                raise ValueError(f"{self.caller}: output {k} is {y.dtype}, but finite differences need float64")
        return found

    def values(self) -> list[np.ndarray]:
        """The floating-point outputs as arrays of their own."""
        return [to_device(y.array, CPU).copy() for y in self.outputs()]

    def values_at(self, i: int, where: Any, step: Any) -> list[np.ndarray]:
        """The outputs with x_i[where] moved by ``step``."""
        array = self.inputs[i].array
        old = array[where].copy()
        try:
            array[where] = old + step
            return self.values()
        finally:
            array[where] = old

    def analytic(self, y: Tensor, v: np.ndarray) -> list[np.ndarray]:
        """J^T v for every checked input, by backward."""
        inputs = [self.inputs[i] for i in self.checked]
        if not y.requires_grad:
            return [np.zeros(x.shape) for x in inputs]
        found = grad(y, inputs, Tensor(to_device(v, y.device)), retain_graph=True, allow_unused=True)
        return [np.zeros(x.shape) if g is None else to_device(g.array, CPU) for x, g in zip(inputs, found, strict=True)]

    def numeric(self, i: int, where: Any, direction: Any) -> list[np.ndarray]:
        """J times the direction for every output, by central differences."""
        step = self.eps * direction
        ahead, behind = self.values_at(i, where, step), self.values_at(i, where, -step)
        return [(a - b) / (2 * self.eps) for a, b in zip(ahead, behind, strict=True)]

    # The comparison

    def compare(self, nondet_tol: float, fast_mode: bool) -> None:
        before = [x.array.copy() if isinstance(x, Tensor) else None for x in self.inputs]
        outputs = self.outputs()
        here = [to_device(y.array, CPU).copy() for y in outputs]
        self._check_values(before, here, nondet_tol)
        size = sum(self.inputs[i].array.size for i in self.checked) + sum(y.size for y in here)
        last = next((y.grad_fn for y in outputs if y.grad_fn is not None), None)
        self.name += f" (last operation {type(getattr(last, 'function', last)).__name__})" if last is not None else ""
        self._check_backward(outputs, nondet_tol)
        if fast_mode or size > FULL:
            self._compare_directions(outputs)
        else:
            self._compare_jacobians(outputs)

    def _check_values(self, before: list, here: list[np.ndarray], nondet_tol: float) -> None:
        again = self.values()
        for i, (x, old) in enumerate(zip(self.inputs, before, strict=True)):
            if isinstance(x, Tensor) and not bool((x.array == old).all()) and not bool((old != old).any()):
                raise GradcheckError(f"{self.caller}: {self.name} changes its input {i} in place")
        for k, (y, same) in enumerate(zip(here, again, strict=True)):
            if not np.isfinite(y).all():
                place = index_text(np.argwhere(~np.isfinite(y))[0])
                raise GradcheckError(f"{self.caller}: {self.name}: output {k}{place} is not finite")
            self._check_same(f"output {k}", y, same, nondet_tol)

    def _check_backward(self, outputs: list[Tensor], nondet_tol: float) -> None:
        rng = np.random.default_rng(0)
        for y in outputs:
            v = signs(rng, y.shape)
            first, second = self.analytic(y, v), self.analytic(y, v)
            for i, a, b in zip(self.checked, first, second, strict=True):
                if not np.isfinite(a).all():
                    place = index_text(np.argwhere(~np.isfinite(a))[0])
                    raise GradcheckError(f"{self.caller}: {self.name}: the gradient of input {i}{place} is not finite")
                self._check_same(f"the gradient of input {i}", a, b, nondet_tol)

    def _check_same(self, what: str, first: np.ndarray, second: np.ndarray, nondet_tol: float) -> None:
        if first.shape != second.shape or (abs(first - second) > nondet_tol).any():
            raise GradcheckError(
                f"{self.caller}: {self.name} is not deterministic: {what} differs between two equal calls"
            )

    def _compare_jacobians(self, outputs: list[Tensor]) -> None:
        analytic = [self._jacobian(y) for y in outputs]
        for p, i in enumerate(self.checked):
            shape = self.inputs[i].shape
            columns = [self.numeric(i, j, 1.0) for j in np.ndindex(shape)]  # [j][k]: dy_k/dx_j
            for k, y in enumerate(outputs):
                if not columns or not y.array.size:
                    continue
                exact = analytic[k][p]
                numeric = np.stack([column[k].reshape(-1) for column in columns], axis=1)
                excess = abs(exact - numeric) - (self.atol + self.rtol * abs(numeric))
                if (excess <= 0).all():
                    continue
                row, column = np.unravel_index(np.argmax(np.nan_to_num(excess, nan=np.inf)), excess.shape)
                of, at = (tuple(map(int, np.unravel_index(*where))) for where in ((row, y.shape), (column, shape)))
                what = f"output {k}{index_text(of)}"
                self._fail(what, k, one_at(of, y.shape), i, at, exact[row, column], numeric[row, column])

    def _jacobian(self, y: Tensor) -> list[np.ndarray]:
        """J for every checked input, row by row."""
        rows = [self.analytic(y, one_at(place, y.shape)) for place in np.ndindex(y.shape)]
        return [np.array([row[p].reshape(-1) for row in rows]) for p in range(len(self.checked))]

    def _compare_directions(self, outputs: list[Tensor]) -> None:
        rng = np.random.default_rng(1)
        for k, y in enumerate(outputs):
            v = signs(rng, y.shape)
            for i, gradient in zip(self.checked, self.analytic(y, v), strict=True):
                u = signs(rng, self.inputs[i].shape)
                if not u.size:
                    continue
                parts = gradient * u
                numeric = float(np.vdot(v, self.numeric(i, ..., self._there(i, u))[k]))
                # Parts of both signs may nearly cancel, so the largest of them says what rtol is relative to.
                if abs(parts.sum() - numeric) <= self.atol + self.rtol * abs(parts).max():
                    continue
                at = self._blame(k, v, i, u, parts)
                slope = float(np.vdot(v, self.numeric(i, at, 1.0)[k]))
                self._fail(f"v . output {k} for a random v", k, v, i, at, float(gradient[at]), slope)

    def _blame(self, k: int, v: np.ndarray, i: int, u: np.ndarray, parts: np.ndarray) -> tuple:
        """The element of input i with which the two sides disagree, found by halving the direction again and again."""

        def difference(places: np.ndarray) -> float:
            half = np.zeros(u.size)
            half[places] = u.reshape(-1)[places]
            numeric = np.vdot(v, self.numeric(i, ..., self._there(i, half.reshape(u.shape)))[k])
            return abs(parts.reshape(-1)[places].sum() - float(numeric))

        places = np.arange(u.size)
        while len(places) > 1:
            places = max(np.array_split(places, 2), key=difference)
        return tuple(int(n) for n in np.unravel_index(places[0], u.shape))

    def _there(self, i: int, array: np.ndarray) -> Any:
        return to_device(array, self.inputs[i].device)

    def _fail(self, what: str, k: int, v: np.ndarray, i: int, at: tuple, analytic: float, numeric: float) -> None:
        """Say which derivative is wrong, or that there is none because x lies at a kink or a jump.

        With D(h) the difference of the slopes to the right and to the left, each over a step h: D(2h) / D(h) is about 2
        where f is smooth (D is about h f''), 1 at a kink and 1/2 at a jump.
        """
        place = f"d {what} / d input {i}{index_text(at)}"
        slopes = {}
        for h in (4 * self.eps, 8 * self.eps):
            left, here, right = (float(np.vdot(v, self.values_at(i, at, s)[k])) for s in (-h, 0.0, h))
            slopes[h] = ((here - left) / h, (right - here) / h)
        (left, right), (far_left, far_right) = slopes.values()
        near, far = abs(right - left), abs(far_right - far_left)
        edge = "kink" if 0.75 * far < near < 1.5 * far else "jump" if near >= 1.5 * far else ""
        allowed = self.atol + self.rtol * abs(numeric)
        between = min(left, right) - allowed <= analytic <= max(left, right) + allowed
        if near > allowed and (edge == "jump" or (edge == "kink" and between)):
            raise GradcheckError(
                f"{self.caller}: {self.name}: {place} cannot be judged: input {i}{index_text(at)} lies within "
                f"{4 * self.eps:g} of a {edge} of the function (slope {left:g} on its left, {right:g} on its right; "
                f"analytic {analytic:g})"
            )
        raise GradcheckError(
            f"{self.caller}: {self.name}: {place}: analytic {analytic:.10g}, numeric {numeric:.10g}, "
            f"difference {abs(analytic - numeric):.3g} (allowed {allowed:.3g})"
        )


# --- small helpers -----------------------------------------------------------------------------------------------


def as_tuple(inputs: Any) -> tuple:
    return (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)


def as_outputs(caller: str, result: Any) -> tuple[Tensor, ...]:
    outputs = tuple(result) if isinstance(result, (tuple, list)) else (result,)
    for y in outputs:
        if not isinstance(y, Tensor):
            raise TypeError(f"{caller}: the function must return Tensors, not {type(y).__name__}")
    return outputs


def differentiable(outputs: Sequence[Tensor]) -> list[Tensor]:
    return [y for y in outputs if y.dtype.kind == "f" and y.requires_grad]


def name_of(func: Callable) -> str:
    return getattr(func, "__name__", None) or type(func).__name__


def index_text(index: Sequence[int]) -> str:
    """``[2, 3]`` for an element, nothing for the only element of a tensor without dimensions."""
    return f"[{', '.join(str(int(n)) for n in index)}]" if len(index) else ""


def one_at(place: tuple, shape: tuple[int, ...]) -> np.ndarray:
    array = np.zeros(shape)
    array[place] = 1
    return array


def signs(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of both signs between 0.5 and 1.5: no element of a direction may be near 0, or it would not be tested."""
    return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape))


def overlaps_itself(array: Any) -> bool:
    """Whether two elements may lie at the same place, as after ``expand``: a dimension steps over too little."""
    extent = array.itemsize
    for stride, length in sorted((abs(s), n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1):
        if stride < extent:
            return bool(array.size)
        extent += stride * (length - 1)
    return False


def share_memory(first: Any, second: Any) -> bool:
    return type(first) is type(second) and bool(namespace(first).shares_memory(first, second))
