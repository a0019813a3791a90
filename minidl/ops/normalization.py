"""Normalisation: values brought to mean 0 and variance 1 over a batch, a sample or a part of it, then scaled anew.

All of them compute y = gamma xhat + beta with xhat = (x - mu) / sigma and sigma = sqrt(var + eps). They differ in the
sets of m values that mu and var are taken over, and in which places share a gamma and a beta. The gradient is the same
for all. Write h = dL/dxhat = gamma g, and let i and j run over one set. From

    dmu/dx_j = 1/m,    dvar/dx_j = (2/m) (x_j - mu),    dsigma/dx_j = dvar/dx_j / (2 sigma) = xhat_j / m

follows dxhat_i/dx_j = ([i = j] - 1/m - xhat_i xhat_j / m) / sigma, and summed against h_i

    dL/dx_j = (h_j - mean(h) - xhat_j mean(h xhat)) / sigma,

with both means over the set of j. So the gradient has mean 0 and no component along xhat: to shift or to stretch the
set does not change y. Finally dL/dgamma = sum g xhat and dL/dbeta = sum g over all places that share them.

Every pass goes piece by piece, so that what one step has written is still in the cache when the next one reads it.
Where ``kernels`` has a compiled form of a pass it takes its place; over the batch, channels then lie last in memory.
Forward keeps nothing of the size of x; backward computes xhat again, which costs less than to fetch it from memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .. import fast
from ..autograd import Function, Tensor
from ..backend import float64, namespace
from . import check
from .inplace import overwrite, writable
from .softmaxes import dot

__all__ = ["batch_norm", "group_norm", "layer_norm", "rms_norm"]

BLOCK = 1 << 16  # elements: a few arrays of this length fit into a core's cache
LONG = 1024  # from here on NumPy takes one number for a whole row as fast as a row of them
SHORT = 32  # below this a call to BLAS for each row costs more than it saves


def pieces(first: int, second: int, inner: int) -> Iterator[tuple[slice, slice]]:
    """Pieces of about ``BLOCK`` elements of an array (first, second, inner), cut along its first two dimensions."""
    width = max(1, min(second, BLOCK // max(1, inner)))
    height = max(1, BLOCK // max(1, inner * width)) if width >= second else 1
    for top in range(0, first, height):
        for left in range(0, second, width):
            yield slice(top, top + height), slice(left, left + width)


# --- over the batch ----------------------------------------------------------------------------------------------


class BatchNorm(Function):
    """y = gamma_c (x - mu_c) / sigma_c + beta_c for every channel c of x (N, C, ...) (Ioffe, Szegedy 2015).

    In training mu and var are those of the m values of the channel, L in each of N samples. They share one gamma, so

        dL/dx = (gamma / sigma) (g - sum(g) / m - (x - mu) sum(g (x - mu)) / (m sigma^2)),
        dL/dgamma = sum(g (x - mu)) / sigma,    dL/dbeta = sum(g).

    In evaluation mu and var are given constants, and dL/dx = (gamma / sigma) g.

    The statistics take two passes. The first finds k, the mean up to rounding; the second sums e = x - k and e^2. Then
    mean(x) = k + mean(e) and var(x) = mean(e^2) - mean(e)^2 are precise also where the mean is large.

    Attributes:
        mean, var: after a forward pass in training, those of the batch, in float64.
    """

    mean: Any
    var: Any

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def forward(self, x: Any, weight: Any, bias: Any, mean: Any, var: Any) -> Any:
        self.training = mean is None
        xp, z = namespace(x), by_channel(x)
        if self.training:
            centre, offset = self.measure(z)
            var = self.var
        else:
            centre, offset = mean.copy(), 0.0
        inverse = (1 / xp.sqrt(var + self.eps)).astype(x.dtype)
        scale = inverse if weight is None else weight * inverse
        shift = -offset * scale if bias is None else bias - offset * scale
        self.saved = x, centre + offset, inverse, scale
        return as_images(affine(z, centre, scale, shift), x.shape)

    def measure(self, z: Any) -> tuple[Any, Any]:
        """Finds ``mean`` and ``var``; returns k and the mean of e for each channel."""
        channels = z.shape[1]
        count = max(1, z.size // max(1, channels))
        k = (moments(z, namespace(z).zeros(channels, z.dtype))[0] / count).astype(z.dtype)
        offset, squares = (total / count for total in moments(z, k))
        self.mean, self.var = k + offset, squares - offset * offset
        return k, offset.astype(z.dtype)

    def backward(self, g: Any) -> Any:
        x, mean, inverse, scale = self.saved
        z, h = by_channel(x), by_channel(g, like=x)
        along_g = along_x = namespace(x).zeros(z.shape[1], x.dtype)  # sum(g), sum(g (x - mu)) / sigma
        if self.training or self.needs_grad(1) or self.needs_grad(2):
            along_g, along_x = (total.astype(x.dtype) for total in products(h, z, mean))
            along_x = along_x * inverse
        dx = None
        if self.needs_grad(0) and self.training:
            count = max(1, z.size // max(1, z.shape[1]))
            dx = without_mean_and_slope(h, z, mean, along_g / count, along_x * inverse / count, scale)
        elif self.needs_grad(0):
            nothing = namespace(x).zeros(z.shape[1], x.dtype)
            dx = affine(h, nothing, scale, nothing)
        dx = None if dx is None else as_images(dx, x.shape)
        return dx, along_x if self.needs_grad(1) else None, along_g if self.needs_grad(2) else None, None, None

    def composed(
        self, x: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor | None, var: Tensor | None
    ) -> Tensor:
        axes, shape = (0, *range(2, x.ndim)), (-1, *[1] * (x.ndim - 2))
        d = x - (x.mean(axes, True) if mean is None else mean.detach().reshape(shape))
        y = d / ((d * d).mean(axes, True) + self.eps if var is None else var.detach().reshape(shape) + self.eps).sqrt()
        y = y if weight is None else y * weight.reshape(shape)
        return y if bias is None else y + bias.reshape(shape)


def by_channel(x: Any, like: Any = None) -> Any:
    """(N, C, d1, ...) as (N, C, L); or as rows (N L, C) if the compiled passes take it, or take what it is like."""
    if fast.normalization.takes(x if like is None else like):
        return fast.normalization.as_rows(x)
    return x.reshape(*x.shape[:2], math.prod(x.shape[2:]))


def as_images(y: Any, shape: tuple[int, ...]) -> Any:
    """The same back again."""
    return fast.normalization.with_channels(y, shape) if y.ndim == 2 else y.reshape(shape)


def moments(z: Any, k: Any) -> tuple[Any, Any]:
    """The sums of z - k and of (z - k)^2 for each channel, in float64."""
    xp = namespace(z)
    total, squares = (xp.zeros(z.shape[1], float64) for _ in range(2))
    if z.ndim == 2:
        fast.normalization.moments(z, k, total, squares)
        return total, squares
    middles = spread(k, z.shape[2])
    for n, c in pieces(*z.shape):
        part = z[n, c] - middles[c]
        total[c] += sums(part)
        squares[c] += products_of(part, part)
    return total, squares


def affine(z: Any, k: Any, scale: Any, shift: Any) -> Any:
    """(z - k) scale + shift for each channel."""
    y = namespace(z).empty(z.shape, z.dtype)
    if z.ndim == 2:
        fast.normalization.affine(z, k, scale, shift, y)
        return y
    middles, scales, shifts = (spread(v, z.shape[2]) for v in (k, scale, shift))
    for n, c in pieces(*z.shape):
        part = y[n, c]
        namespace(z).subtract(z[n, c], middles[c], out=part)
        part *= scales[c]
        part += shifts[c]
    return y


def products(h: Any, z: Any, mean: Any) -> tuple[Any, Any]:
    """The sums of h and of h (z - mean) for each channel, in float64."""
    xp = namespace(z)
    along_h, along_z = (xp.zeros(z.shape[1], float64) for _ in range(2))
    if z.ndim == 2:
        fast.normalization.products(h, z, mean, along_h, along_z)
        return along_h, along_z
    middles = spread(mean, z.shape[2])
    for n, c in pieces(*z.shape):
        along_h[c] += sums(h[n, c])
        along_z[c] += products_of(z[n, c] - middles[c], h[n, c])
    return along_h, along_z


def without_mean_and_slope(h: Any, z: Any, mean: Any, level: Any, slope: Any, scale: Any) -> Any:
    """(h - level - (z - mean) slope) scale for each channel."""
    xp = namespace(z)
    y = xp.empty(z.shape, z.dtype)
    if z.ndim == 2:
        fast.normalization.without_mean_and_slope(h, z, mean, level, slope, scale, y)
        return y
    middles, levels, slopes, scales = (spread(v, z.shape[2]) for v in (mean, level, slope, scale))
    for n, c in pieces(*z.shape):
        part = y[n, c]
        xp.subtract(z[n, c], middles[c], out=part)
        part *= slopes[c]
        xp.subtract(h[n, c], part, out=part)
        part -= levels[c]
        part *= scales[c]
    return y


def spread(v: Any, length: int) -> Any:
    """One number a channel, as an array (C, 1) or, where that is quicker to add, (C, L)."""
    column = v[:, None]
    return column if length >= LONG else namespace(v).broadcast_to(column, (len(v), length)).copy()


def sums(x: Any) -> Any:
    """The sum of x over each channel of (n, c, L), in float64 as soon as only few numbers are left."""
    if x.shape[2] < SHORT:
        return x.sum(0).sum(1, dtype=float64)
    return (x @ namespace(x).ones(x.shape[2], x.dtype)).sum(0, dtype=float64)


def products_of(x: Any, y: Any) -> Any:
    """The sum of x y over each channel of (n, c, L)."""
    if x.shape[2] < SHORT:
        return namespace(x).einsum("ncl,ncl->c", x, y)
    return dot(x, y, -1)[..., 0].sum(0, dtype=float64)


# --- over a sample or a part of it -------------------------------------------------------------------------------


class RowNorm(Function):
    """y = gamma (x - mu) / sigma + beta, with mu and sigma of each row of D values, ``groups`` rows a sample.

    With h = gamma g: dL/dx = (h - mean(h) - xhat mean(h xhat)) / sigma, the means over the row; dL/dgamma and dL/dbeta
    sum g xhat and g over all samples and over the ``length`` consecutive places of a sample that share a gamma. Layer
    normalisation has one group and a gamma for each place (Ba, Kiros, Hinton 2016), group normalisation one for each
    channel (Wu, He 2018).

    Without ``centred`` mu is 0 throughout: then mean(h) is not subtracted either (Zhang, Sennrich 2019).
    """

    def __init__(self, groups: int, size: int, length: int, eps: float, centred: bool = True) -> None:
        self.sample = (groups, size)  # G, D
        self.length, self.eps, self.centred = length, eps, centred

    def forward(self, x: Any, weight: Any, bias: Any) -> Any:
        xp, z = namespace(x), self.rows(x)
        gamma, beta = self.wide(weight), self.wide(bias)
        self.shapes = [None if v is None else v.shape for v in (weight, bias)]
        if (found := fast.row_normalization.forward(z, gamma, beta, self.centred, self.eps)) is not None:
            y, mean, inverse = found
            self.saved = x, weight, mean, inverse
            return y.reshape(x.shape)
        result = xp.empty(x.shape, x.dtype)
        y, size = self.rows(result), z.shape[2]
        mean, inverse = (xp.zeros((*z.shape[:2], 1), x.dtype) for _ in range(2))
        for n, c in pieces(*z.shape):
            part = y[n, c]
            if self.centred:
                mean[n, c] = row_sums(z[n, c]) / size
            xp.subtract(z[n, c], mean[n, c], out=part)
            inverse[n, c] = 1 / xp.sqrt(dot(part, part, 2) / size + self.eps)
            part *= inverse[n, c]
            if gamma is not None:
                part *= gamma[c]
            if beta is not None:
                part += beta[c]
        self.saved = x, weight, mean, inverse
        return result

    def backward(self, g: Any) -> Any:
        x, weight, mean, inverse = self.saved
        xp, gamma = namespace(x), self.wide(weight)
        found = fast.row_normalization.backward(self.rows(g), self.rows(x), gamma, self.centred, mean, inverse)
        if found is not None:
            of_x, *others = found
            dgamma, dbeta = (self.narrow(v, shape) for v, shape in zip(others, self.shapes, strict=True))
            return of_x.reshape(x.shape), dgamma, dbeta
        result = xp.empty(x.shape, x.dtype) if self.needs_grad(0) else None
        dgamma, dbeta = (xp.zeros(self.sample, x.dtype) if self.needs_grad(i) else None for i in (1, 2))
        gamma = xp.ones(self.sample, x.dtype) if gamma is None else gamma
        # Matrices (N, D), one a group: the sums over rows and over columns are then products of matrix and vector.
        z, h, mean, inverse = (v.swapaxes(0, 1) for v in (self.rows(x), self.rows(g), mean, inverse))
        dx = None if result is None else self.rows(result).swapaxes(0, 1)
        for n, c in pieces(z.shape[1], z.shape[0], z.shape[2]):
            part, r, column = h[c, n], inverse[c, n], gamma[c][..., None]
            d = z[c, n] - mean[c, n]
            p = part * d
            if dgamma is not None:
                dgamma[c] += (r.swapaxes(1, 2) @ p)[:, 0]
            if dbeta is not None:
                dbeta[c] += part.sum(1)
            if dx is None:
                continue
            out = dx[c, n]
            xp.multiply(part, column.swapaxes(1, 2), out=out)  # h = gamma g
            d *= (p @ column) * (r * r / self.sample[1])  # xhat mean(h xhat)
            if self.centred:
                d += (part @ column) / self.sample[1]  # mean(h)
            out -= d
            out *= r
        return result, self.narrow(dgamma, self.shapes[0]), self.narrow(dbeta, self.shapes[1])

    def composed(self, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        z = self.rows(x)
        d = z - z.mean(2, True) if self.centred else z
        y = (d / ((d * d).mean(2, True) + self.eps).sqrt()).reshape(z.shape[0], *self.shared())
        y = y if weight is None else y * weight.reshape(-1, 1)
        return (y if bias is None else y + bias.reshape(-1, 1)).reshape(x.shape)

    # Shapes

    def rows(self, x: Any) -> Any:
        """x as (N, G, D)."""
        return x.reshape(math.prod(x.shape) // max(1, math.prod(self.sample)), *self.sample)

    def shared(self) -> tuple[int, int]:
        """The places of a sample as (those with a gamma of their own, those that share it)."""
        return math.prod(self.sample) // max(1, self.length), self.length

    def wide(self, v: Any) -> Any:
        """gamma or beta for each place of a sample, (G, D)."""
        if v is None:
            return None
        v = v.reshape(self.shared()[0], 1)
        return (v if self.length == 1 else namespace(v).broadcast_to(v, self.shared())).reshape(self.sample)

    def narrow(self, v: Any, shape: Any) -> Any:
        """The sum over the places that share a gamma."""
        return None if v is None or shape is None else v.reshape(self.shared()).sum(1).reshape(shape)


def row_sums(x: Any) -> Any:
    """The sum of each row, (n, c, 1): by BLAS, or in pairs where a row is so long that its order matters."""
    if x.shape[2] > 4096:
        return x.sum(2, keepdims=True)
    return (x @ namespace(x).ones(x.shape[2], x.dtype))[..., None]


# --- operations --------------------------------------------------------------------------------------------------


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-05,
) -> Tensor:
    """weight (x - mean) / sqrt(var + eps) + bias for each channel, the dimension 1 of (N, C, ...).

    In training mean and var are those of the batch, and the running ones move towards them, in place::

        running = (1 - momentum) running + momentum batch

    where the batch's variance is divided by m - 1 instead of m, as an estimate for samples not yet seen. Outside
    training mean and var are the running ones. A batch without values leaves them as they are.

    Args:
        running_mean, running_var: (C,); or None, in training alone.
        weight, bias: gamma and beta, (C,).

    Raises:
        TypeError: unless input is floating point and all others have its dtype.
        ValueError: if a shape does not fit, if statistics are missing or require a gradient, or if a channel has a
            single value in training (which would become 0, whatever it is).
        RuntimeError: if the running statistics cannot be written to.
    """
    x = check.floating("batch_norm", input)
    if x.ndim < 2:
        raise ValueError(f"batch_norm: input must have 2 dimensions (N, C) or more, not shape {x.shape}")
    channels, count = x.shape[1], math.prod(x.shape) // max(1, x.shape[1])
    for name, v in (("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias)):
        fits("batch_norm", name, v, (channels,), x)
    statistics = check_statistics(running_mean, running_var, training)
    function = BatchNorm(eps)
    if not training:
        return function.apply(x, weight, bias, *statistics)
    if count == 1:
        raise ValueError(f"batch_norm: training needs more than one value a channel, but input {x.shape} has one")
    for running in statistics:
        writable("batch_norm", running)
    y = function.apply(x, weight, bias, None, None)
    if statistics and count:
        for running, batch in zip(statistics, (function.mean, function.var * (count / (count - 1))), strict=True):
            overwrite(running, running.array * (1 - momentum) + (batch * momentum).astype(running.dtype))
    return y


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-05,
) -> Tensor:
    """weight (x - mean) / sqrt(var + eps) + bias, with mean and var over the last dimensions of each sample.

    Args:
        normalized_shape: the lengths of these last dimensions.
        weight, bias: gamma and beta, one for each place: of shape ``normalized_shape``.

    Raises:
        TypeError: unless input is floating point and weight and bias have its dtype.
        ValueError: if a shape does not fit.
    """
    x, shape = with_ending("layer_norm", input, normalized_shape)
    for name, v in (("weight", weight), ("bias", bias)):
        fits("layer_norm", name, v, shape, x)
    return RowNorm(1, math.prod(shape), 1, eps).apply(x, weight, bias)


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """weight x / sqrt(mean(x^2) + eps), with the mean over the last dimensions of each sample.

    Layer normalisation without mean and bias. ``eps`` is the distance from 1 to the next number of the dtype unless
    given; all else is as in ``layer_norm``.
    """
    x, shape = with_ending("rms_norm", input, normalized_shape)
    fits("rms_norm", "weight", weight, shape, x)
    eps = float(np.finfo(x.dtype).eps) if eps is None else eps
    return RowNorm(1, math.prod(shape), 1, eps, centred=False).apply(x, weight, None)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-05
) -> Tensor:
    """weight (x - mean) / sqrt(var + eps) + bias, with mean and var over groups of channels of each sample.

    Args:
        input: (N, C, ...).
        num_groups: into how many groups of C / num_groups neighbouring channels each sample is cut.
        weight, bias: gamma and beta, (C,).

    Raises:
        TypeError: unless input is floating point and weight and bias have its dtype.
        ValueError: if a shape does not fit, or if the groups do not divide the channels.
    """
    x = check.floating("group_norm", input)
    if x.ndim < 2:
        raise ValueError(f"group_norm: input must have 2 dimensions (N, C) or more, not shape {x.shape}")
    groups, channels = check.positive("group_norm", num_groups, "num_groups"), x.shape[1]
    if channels % groups:
        raise ValueError(f"group_norm: num_groups {groups} does not divide the {channels} channels (input {x.shape})")
    for name, v in (("weight", weight), ("bias", bias)):
        fits("group_norm", name, v, (channels,), x)
    if math.prod(x.shape) == groups:
        raise ValueError(f"group_norm: more than one value a group is needed, but input {x.shape} has one")
    length = math.prod(x.shape[2:])
    return RowNorm(groups, channels // groups * length, length, eps).apply(x, weight, bias)


# --- checks ------------------------------------------------------------------------------------------------------


def fits(operation: str, name: str, v: Tensor | None, shape: tuple[int, ...], x: Tensor) -> None:
    """v is left out, or has the shape that is expected and the dtype of the input."""
    if v is None:
        return
    if check.tensor(operation, v, name).shape != shape:
        raise ValueError(f"{operation}: {name} has shape {v.shape} but input {x.shape} expects {shape}")
    if v.dtype != x.dtype:
        raise TypeError(f"{operation}: {name} is {v.dtype} but input is {x.dtype}")


def check_statistics(mean: Tensor | None, var: Tensor | None, training: bool) -> list[Tensor]:
    """The running statistics that there are, two or none, and constants."""
    found = [v for v in (mean, var) if v is not None]
    if not training and len(found) < 2:
        raise ValueError("batch_norm: running_mean and running_var are needed outside training")
    if len(found) == 1:
        raise ValueError("batch_norm: running_mean and running_var are given together or not at all")
    if any(v.requires_grad for v in found):
        raise ValueError("batch_norm: running_mean and running_var are constants and cannot require a gradient")
    return found


def with_ending(operation: str, input: Any, normalized_shape: Sequence[int]) -> tuple[Tensor, tuple[int, ...]]:
    """The input and the shape, checked to be that of its last dimensions."""
    x = check.floating(operation, input)
    shape = check.shape_from(operation, (normalized_shape,))
    if not shape:
        raise ValueError(f"{operation}: normalized_shape must have at least one length")
    if x.shape[-len(shape) :] != shape:
        raise ValueError(f"{operation}: normalized_shape {shape} is not how the shape of input {x.shape} ends")
    return x, shape
