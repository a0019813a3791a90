"""Making tensors at random: uniform, normal, integers, permutations, and draws with given probabilities.

All numbers are drawn on the CPU, from a ``Generator`` (the default one unless given), and then moved: a seed gives the
same numbers on every device. Each call here is one draw of the generator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import backend
from .autograd import Tensor
from .backend import as_dtype
from .creation import allocate, lengths, like, make, scalar
from .ops import check
from .ops.access import host
from .random import Generator, default_generator

__all__ = ["bernoulli", "multinomial", "normal", "rand", "rand_like", "randint", "randn", "randn_like", "randperm"]


def source(operation: str, generator: Generator | None) -> Generator:
    """The generator given, or the default one."""
    if generator is not None and not isinstance(generator, Generator):
        raise TypeError(f"{operation}: generator must be a Generator, not {type(generator).__name__}")
    return default_generator if generator is None else generator


def floating(operation: str, dtype: Any) -> np.dtype:
    wanted = backend.get_default_dtype() if dtype is None else as_dtype(operation, dtype)
    if wanted.kind != "f":
        raise TypeError(f"{operation}: dtype must be a floating-point dtype, not {wanted}")
    return wanted


Draw = Callable[[np.random.Generator, tuple[int, ...], np.dtype], Any]


def drawn(operation: str, draw: Draw, shape: Any, dtype: np.dtype, generator: Generator | None) -> np.ndarray:
    """What ``draw`` makes of the generator's next state; all that can be wrong is found out before it is used up."""
    chosen = source(operation, generator)
    allocate(operation, shape, dtype, lambda: np.empty(shape, dtype))
    return np.asarray(draw(chosen.next(), shape, dtype))


# --- continuous --------------------------------------------------------------------------------------------------


def uniform(numbers: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """Numbers of [0, 1): k / 2^p with p the bits of the dtype's significand, so that none is rounded up to 1."""
    if dtype == backend.float16:
        return numbers.integers(0, 2**11, shape).astype(dtype) / 2**11
    return numbers.random(shape, dtype)


def standard_normal(numbers: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    if dtype == backend.float16:
        return np.asarray(numbers.standard_normal(shape, np.float32)).astype(dtype)
    return numbers.standard_normal(shape, dtype)


def exponential(numbers: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    return numbers.standard_exponential(shape, dtype)


def rand(
    *size: Any,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers from the uniform distribution on [0, 1): 0 may come up, 1 never does."""
    array = drawn("rand", uniform, lengths("rand", size), floating("rand", dtype), generator)
    return make(array, device, requires_grad)


def randn(
    *size: Any,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers from the normal distribution with mean 0 and variance 1."""
    array = drawn("randn", standard_normal, lengths("randn", size), floating("randn", dtype), generator)
    return make(array, device, requires_grad)


def rand_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """``rand`` in the shape of ``input``, with its dtype and on its device unless others are given."""
    dtype, device = like("rand_like", input, dtype, device)
    return make(drawn("rand_like", uniform, input.shape, floating("rand_like", dtype), None), device, requires_grad)


def randn_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """``randn`` in the shape of ``input``, with its dtype and on its device unless others are given."""
    dtype, device = like("randn_like", input, dtype, device)
    array = drawn("randn_like", standard_normal, input.shape, floating("randn_like", dtype), None)
    return make(array, device, requires_grad)


def normal(
    mean: Any,
    std: Any,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """mean + std * noise, with noise from the standard normal distribution.

    ``mean`` and ``std`` are two numbers and ``size`` the shape, or at least one is a Tensor: then they broadcast, and
    each element has its own mean and standard deviation. No gradient flows back to them.

    Raises:
        ValueError: if a standard deviation is negative, or if the shapes do not broadcast.
        TypeError: if two numbers come without a size, or a Tensor with one.
    """
    tensors = [check.floating("normal", x, name) for x, name in ((mean, "mean"), (std, "std")) if isinstance(x, Tensor)]
    if bool(tensors) == (size is not None):
        raise TypeError("normal: size belongs to a mean and a std that are numbers; with a Tensor, leave it out")
    if tensors:
        shape = check.broadcast_shape("normal", *(x.shape for x in tensors))
        wanted, device = tensors[0].dtype, device or tensors[0].device
    else:
        shape, wanted = lengths("normal", (size,)), floating("normal", dtype)
    centre, spread = (
        host(x.array) if isinstance(x, Tensor) else scalar("normal", x, name)
        for x, name in ((mean, "mean"), (std, "std"))
    )
    if np.any(np.asarray(spread) < 0):
        raise ValueError(f"normal: std must not be negative, not {np.min(spread)}")
    noise = drawn("normal", standard_normal, shape, wanted, generator)
    return make((centre + spread * noise).astype(wanted), device, requires_grad)


# --- discrete ----------------------------------------------------------------------------------------------------


def randint(
    low: Any = 0,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = backend.int64,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Integers from low (0 unless given) up to high - 1, all equally likely: ``randint(10, (2, 3))``.

    Raises:
        ValueError: if there is no integer between the bounds, or one that the dtype cannot hold.
    """
    if isinstance(high, (tuple, list)):
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"randint: size must be a tuple or list of integers, not {type(size).__name__}")
    first, end = check.integer("randint", low, "low"), check.integer("randint", high, "high")
    shape, wanted = lengths("randint", (size,)), as_dtype("randint", dtype)
    if first >= end:
        raise ValueError(f"randint: low must be below high, but low is {first} and high {end}")
    limits = np.iinfo(wanted if wanted.kind in "iu" else np.int64)
    if first < limits.min or end - 1 > limits.max:
        raise ValueError(f"randint: {first} to {end - 1} do not fit into {wanted}")
    array = drawn("randint", lambda numbers, shape, _: numbers.integers(first, end, shape), shape, wanted, generator)
    return make(array.astype(wanted), device, requires_grad)


def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    dtype: Any = backend.int64,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The integers 0 ... n - 1 in random order, every order equally likely."""
    shape, wanted = lengths("randperm", (check.integer("randperm", n, "n"),)), as_dtype("randperm", dtype)
    array = drawn("randperm", lambda numbers, shape, _: numbers.permutation(shape[0]), shape, wanted, generator)
    return make(array.astype(wanted), device, requires_grad)


def bernoulli(input: Tensor, *, generator: Generator | None = None) -> Tensor:
    """1 with probability p and 0 otherwise, for each element p of ``input``; the result has its dtype."""
    x = check.floating("bernoulli", input)
    p = host(x.array)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("bernoulli: every element must be a probability, from 0 to 1")
    chance = drawn("bernoulli", uniform, x.shape, backend.float64, generator)
    return make((chance < p).astype(x.dtype), x.device, False)


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Draw ``num_samples`` indices; index i comes up with a probability proportional to the weight ``input[i]``.

    With replacement, a uniform number u picks the first i with w_0 + ... + w_i > u sum(w). Without, the race of
    exponentials: each i gets e_i / w_i with e_i from the exponential distribution, and the smallest come first, which
    is the same as drawing one after the other and leaving out what was drawn.

    Args:
        input: weights, (n,) or one row a distribution (rows, n); they need not sum to 1.

    Returns:
        int64 indices, (num_samples,) or (rows, num_samples).

    Raises:
        ValueError: for weights that are negative, not finite or all zero, or more draws without replacement than
            positive weights.
    """
    x = check.floating("multinomial", input)
    if x.ndim not in (1, 2):
        raise ValueError(f"multinomial: input must have 1 or 2 dimensions, not shape {x.shape}")
    count = check.positive("multinomial", num_samples, "num_samples")
    weights = host(x.array).astype(np.float64).reshape(-1, x.shape[-1])
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("multinomial: weights must be finite and not negative")
    for row, positive in enumerate((weights > 0).sum(1)):
        if positive < (1 if replacement else count):
            raise ValueError(
                f"multinomial: row {row} has {positive} positive weights, too few for {count} draws "
                f"{'with' if replacement else 'without'} replacement"
            )
    if replacement:
        u = drawn("multinomial", uniform, (len(weights), count), backend.float64, generator)
        chosen = np.array([at_shares(row, places) for row, places in zip(weights, u, strict=True)])
    else:
        e = drawn("multinomial", exponential, weights.shape, backend.float64, generator)
        with np.errstate(divide="ignore", invalid="ignore"):  # a weight of 0 comes in last, after infinite time
            chosen = np.argsort(np.where(weights > 0, e / weights, np.inf), axis=1, kind="stable")[:, :count]
    return make(chosen.astype(np.int64).reshape(*x.shape[:-1], count), x.device, False)


def at_shares(weights: np.ndarray, u: np.ndarray) -> np.ndarray:
    """For every u in [0, 1) the index in whose share of the sum of the weights it falls."""
    upto = np.cumsum(weights)
    last = np.flatnonzero(weights)[-1]  # rounding may carry u * sum up to the sum itself
    return np.minimum(np.searchsorted(upto, u * upto[-1], side="right"), last)
