"""Initial values of parameters. Each function fills a tensor in place, outside of any graph, and returns it.

Why the spread matters: if y = W x with independent entries of mean 0, then Var(y_i) = fan_in Var(W) Var(x). With
Var(W) = 1 / fan_in the signal neither dies out nor explodes from layer to layer; a ReLU, which drops half of it, needs
2 / fan_in (He et al. 2015); the mean of fan_in and fan_out serves the forward and the backward direction at once
(Glorot and Bengio 2010).
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from .. import backend
from ..autograd import Tensor
from ..backend import as_dtype, to_device
from ..creation import allocate
from ..ops import check
from ..ops.arithmetic import as_operand
from ..ops.inplace import check_memory, overwrite
from ..random import Generator, default_generator

__all__ = [
    "calculate_gain",
    "constant_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]


def empty(operation: str, shape: tuple[int, ...], where: Any, dtype: Any) -> Tensor:
    """A tensor for a new parameter, to be filled: zeros of the default dtype and device unless told otherwise.

    Raises:
        TypeError: if a length is not an integer.
        ValueError: if a length is negative.
    """
    try:
        lengths = tuple(operator.index(length) for length in shape)
    except TypeError:
        raise TypeError(f"{operation}: sizes must be integers, not {shape}") from None
    if min(lengths, default=0) < 0:
        raise ValueError(f"{operation}: sizes must not be negative: {lengths}")
    wanted = backend.get_default_dtype() if dtype is None else as_dtype(operation, dtype)
    array = allocate(operation, lengths, wanted, lambda: np.zeros(lengths, wanted))
    return Tensor(backend.placed(array, where))


def check_tensor(operation: str, tensor: Any) -> Tensor:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{operation}: tensor must be a Tensor, not {type(tensor).__name__}")
    return tensor


def fill(operation: str, tensor: Tensor, values: Any) -> Tensor:
    """Overwrite a tensor with a number or a NumPy array and count the change."""
    check_tensor(operation, tensor)
    check_memory(operation, tensor.array)
    if isinstance(values, np.ndarray):
        return overwrite(tensor, to_device(values.astype(tensor.dtype), tensor.device))
    value = check.number(operation, values, "val")
    return overwrite(tensor, as_operand(operation, value, tensor.dtype, tensor.array).array)


def draw(operation: str, tensor: Tensor, generator: Generator | None) -> np.random.Generator:
    """The next draw, for a floating-point tensor."""
    check_tensor(operation, tensor)
    if tensor.dtype.kind != "f":
        raise TypeError(f"{operation}: tensor must be floating point, not {tensor.dtype}")
    return (default_generator if generator is None else generator).next()


# --- fixed values and plain distributions ------------------------------------------------------------------------


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Every element becomes ``val``."""
    return fill("constant_", tensor, val)


def zeros_(tensor: Tensor) -> Tensor:
    """Every element becomes 0."""
    return fill("zeros_", tensor, 0)


def ones_(tensor: Tensor) -> Tensor:
    """Every element becomes 1."""
    return fill("ones_", tensor, 1)


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix, or as much of it as a rectangular matrix holds.

    Raises:
        ValueError: if the tensor is not a matrix.
    """
    rows_and_columns = check_tensor("eye_", tensor).shape
    if len(rows_and_columns) != 2:
        raise ValueError(f"eye_: tensor must have 2 dimensions, not shape {rows_and_columns}")
    return fill("eye_", tensor, np.eye(rows_and_columns[0], rows_and_columns[1]))


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform in [a, b)."""
    random = draw("uniform_", tensor, generator)
    if not check.number("uniform_", a, "a") <= check.number("uniform_", b, "b"):
        raise ValueError(f"uniform_: a must not be above b, but a={a}, b={b}")
    return fill("uniform_", tensor, random.uniform(a, b, tensor.shape))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with the given mean and standard deviation."""
    random = draw("normal_", tensor, generator)
    mean, std = check.number("normal_", mean, "mean"), check.not_negative("normal_", std, "std")
    return fill("normal_", tensor, random.normal(mean, std, tensor.shape))


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Normal, with every value outside [a, b] drawn again.

    Raises:
        ValueError: if [a, b] is more than 4 standard deviations away from the mean: drawing again would not end.
    """
    random = draw("trunc_normal_", tensor, generator)
    for name, value in (("mean", mean), ("std", std), ("a", a), ("b", b)):
        check.number("trunc_normal_", value, name)
    if not (std > 0 and a < b and a - 4 * std <= mean <= b + 4 * std):
        raise ValueError(
            f"trunc_normal_: needs std > 0, a < b, and [a, b] within 4 std of the mean, but mean={mean}, std={std}, "
            f"a={a}, b={b}"
        )
    values = random.normal(mean, std, tensor.shape)
    outside = (values < a) | (values > b)
    while outside.any():
        values[outside] = random.normal(mean, std, int(outside.sum()))
        outside = (values < a) | (values > b)
    return fill("trunc_normal_", tensor, values)


# --- spreads that keep the signal alive --------------------------------------------------------------------------


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much the standard deviation is to be raised to make up for a non-linearity.

    1 for linear maps, convolutions and sigmoid, 5/3 for tanh, sqrt(2) for relu, sqrt(2 / (1 + s^2)) for leaky_relu with
    slope s = ``param`` (0.01 unless given), 3/4 for selu.

    Raises:
        ValueError: for another name, or a slope that is not a number.
    """
    kernels = [f"conv{transpose}{n}d" for transpose in ("", "_transpose") for n in (1, 2, 3)]
    if nonlinearity in ("linear", "sigmoid", *kernels):
        return 1
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"calculate_gain: the slope of leaky_relu must be a number, not {param!r}")
        return math.sqrt(2 / (1 + slope**2))
    gains = {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}
    if nonlinearity not in gains:
        raise ValueError(f"calculate_gain: no gain is known for {nonlinearity!r}")
    return gains[nonlinearity]


def fans(operation: str, tensor: Tensor) -> tuple[int, int]:
    """How many inputs one output sums up, and how many outputs one input reaches.

    A weight has shape (out, in, *kernel): fan_in = in * prod(kernel), fan_out = out * prod(kernel).
    """
    check_tensor(operation, tensor)
    if tensor.ndim < 2:
        raise ValueError(f"{operation}: tensor needs at least 2 dimensions (out, in, ...), not shape {tensor.shape}")
    kernel = math.prod(tensor.shape[2:])
    return tensor.shape[1] * kernel, tensor.shape[0] * kernel


def xavier_std(operation: str, tensor: Tensor, gain: float) -> float:
    fan_in, fan_out = fans(operation, tensor)
    return gain * math.sqrt(2 / (fan_in + fan_out)) if fan_in + fan_out else 0.0


def kaiming_std(operation: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"{operation}: mode must be 'fan_in' or 'fan_out', not {mode!r}")
    fan = fans(operation, tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan) if fan else 0.0


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform in (-c, c), c = gain sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010).

    A uniform distribution on (-c, c) has variance c^2 / 3, which here is gain^2 2 / (fan_in + fan_out).
    """
    c = math.sqrt(3) * xavier_std("xavier_uniform_", tensor, check.number("xavier_uniform_", gain, "gain"))
    return uniform_(tensor, -c, c, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with std = gain sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""
    std = xavier_std("xavier_normal_", tensor, check.number("xavier_normal_", gain, "gain"))
    return normal_(tensor, 0, std, generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Uniform in (-c, c), c = gain sqrt(3 / fan), fan chosen by ``mode`` (He et al. 2015).

    Args:
        a: the slope of leaky_relu below 0; 0 is relu.
    """
    c = math.sqrt(3) * kaiming_std("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -c, c, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal with std = gain / sqrt(fan), fan chosen by ``mode`` (He et al. 2015)."""
    return normal_(tensor, 0, kaiming_std("kaiming_normal_", tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """A random matrix with orthonormal rows or columns, times ``gain`` (Saxe et al. 2014).

    A tensor of more than two dimensions counts as a matrix of shape (first length, rest). Q from the QR decomposition
    of a normal matrix, with the signs of the diagonal of R, is uniform among the orthogonal matrices.
    """
    random = draw("orthogonal_", tensor, generator)
    fans("orthogonal_", tensor)
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    if not rows * columns:
        return tensor
    q, r = np.linalg.qr(random.normal(size=(max(rows, columns), min(rows, columns))))
    q *= np.sign(np.diagonal(r))
    return fill("orthogonal_", tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))
