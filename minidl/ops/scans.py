"""Running sums and products, and the product itself.

The derivative of a product by one factor is the product of the others. It is computed as such, never as the whole
divided by the factor, so zeros among the factors do no harm, in gradients of any order.
"""

from __future__ import annotations

from typing import Any

from .. import backend
from ..autograd import Function, Tensor
from ..backend import namespace
from .arithmetic import in_single, to_dtype
from .reduction import converted, quiet
from .sorting import with_axis
from .vocabulary import m

__all__ = ["cumprod", "cumsum", "prod"]


class Scan(Function):
    """What runs along one axis, from its beginning or, with ``reverse``, from its end."""

    def __init__(self, axis: int, reverse: bool = False) -> None:
        self.axis, self.reverse = axis, reverse

    @quiet
    def accumulate(self, running: Any, x: Any) -> Any:
        """``running`` (xp.cumsum or xp.cumprod) in the direction of the scan."""
        if not self.reverse:
            return running(x, axis=self.axis)
        xp = namespace(x)
        return xp.flip(running(xp.flip(x, self.axis), axis=self.axis), self.axis)

    def before(self, x: Any, fill: int) -> Any:
        """x_(t-1) in the place of x_t, and ``fill`` in the first place, as the scan runs."""
        return m.apply(Shift(self.axis, self.reverse, fill), x)

    def after(self, x: Any, fill: int) -> Any:
        """x_(t+1) in the place of x_t, and ``fill`` in the last place, as the scan runs."""
        return m.apply(Shift(self.axis, not self.reverse, fill), x)


class Shift(Scan):
    """y_t = x_(t-1), y_0 = a constant; dL/dx_t = g_(t+1), and 0 for the last."""

    def __init__(self, axis: int, reverse: bool, fill: int) -> None:
        super().__init__(axis, reverse)
        self.fill = fill

    def forward(self, x: Any) -> Any:
        y = namespace(x).full_like(x, self.fill)
        front, back = ((slice(None),) * self.axis + (part,) for part in (slice(None, -1), slice(1, None)))
        if self.reverse:
            y[front] = x[back]
        else:
            y[back] = x[front]
        return y

    def backward(self, g: Any) -> Any:
        return self.after(g, 0)


class Cumsum(Scan):
    """y_t = x_0 + ... + x_t; dL/dx_t = g_t + g_(t+1) + ..., the running sum of g from the end."""

    def forward(self, x: Any) -> Any:
        return self.accumulate(namespace(x).cumsum, x)

    def backward(self, g: Any) -> Any:
        return m.apply(Cumsum(self.axis, not self.reverse), g)


class Recurrence(Scan):
    """h_t = b_t + a_t h_(t-1) with h before the first being 0; dL/db_t = d_t, dL/da_t = d_t h_(t-1).

    h_t acts on L directly (g_t) and through h_(t+1), whose derivative by h_t is a_(t+1). So d_t = dL/dh_t obeys
    d_t = g_t + a_(t+1) d_(t+1): a recurrence of the same kind that runs the other way.
    """

    saves_output = True

    def forward(self, a: Any, b: Any) -> Any:
        xp = namespace(a)
        factors, terms = xp.moveaxis(a, self.axis, 0), xp.moveaxis(b, self.axis, 0)
        h = xp.empty_like(terms)
        previous = 0
        for t in range(len(h))[:: -1 if self.reverse else 1]:
            previous = h[t] = terms[t] + factors[t] * previous
        y = xp.moveaxis(h, 0, self.axis)
        self.saved = a, y
        return y

    def backward(self, g: Any) -> Any:
        a, h = self.saved
        d = m.apply(Recurrence(self.axis, not self.reverse), self.after(a, 0), g)
        return d * self.before(h, 0), d


class Cumprod(Scan):
    """y_t = x_0 x_1 ... x_t, that is y_t = x_t y_(t-1); dL/dx_t = y_(t-1) d_t with d_t = g_t + x_(t+1) d_(t+1).

    d_t = dL/dy_t counts what y_t does to L directly and through y_(t+1) = x_(t+1) y_t.
    """

    saves_output = True

    def forward(self, x: Any) -> Any:
        y = self.accumulate(namespace(x).cumprod, x)
        self.saved = x, y
        return y

    def backward(self, g: Any) -> Any:
        x, y = self.saved
        return self.before(y, 1) * m.apply(Recurrence(self.axis, not self.reverse), self.after(x, 0), g)


class Prod(Scan):
    """y = x_0 x_1 ... x_n; dL/dx_t = g (x_0 ... x_(t-1)) (x_(t+1) ... x_n), two running products."""

    def __init__(self, axis: int, keepdim: bool) -> None:
        super().__init__(axis)
        self.keepdim = keepdim

    @quiet
    def forward(self, x: Any) -> Any:
        self.saved = (x,)
        return x.prod(axis=self.axis, keepdims=self.keepdim)

    def backward(self, g: Any) -> Any:
        (x,) = self.saved
        left = m.apply(Cumprod(self.axis), self.before(x, 1))
        right = m.apply(Cumprod(self.axis, reverse=True), self.after(x, 1))
        g = g.reshape((*x.shape[: self.axis], 1, *x.shape[self.axis + 1 :]))
        return g * left * right


def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The running sum x_0 + ... + x_t along ``dim``; integers and booleans are summed as int64."""
    x, axis = with_axis("cumsum", accumulator("cumsum", input, dtype), dim)
    y = in_single(Cumsum(axis), x)
    return y if input.ndim else y.reshape(())


def cumprod(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The running product x_0 x_1 ... x_t along ``dim``; integers and booleans are multiplied as int64."""
    x, axis = with_axis("cumprod", accumulator("cumprod", input, dtype), dim)
    y = Cumprod(axis).apply(x)
    return y if input.ndim else y.reshape(())


def prod(input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The product over one dimension, or of all elements; 1 for none. Integers are multiplied as int64."""
    x = accumulator("prod", input, dtype)
    if dim is None:
        y = Prod(0, False).apply(x.reshape(-1))
        return y.reshape((1,) * x.ndim) if keepdim else y
    x, axis = with_axis("prod", x, dim)
    return Prod(axis, keepdim and input.ndim > 0).apply(x)


def accumulator(operation: str, input: Any, dtype: Any) -> Tensor:
    """The input in the dtype of the result: the one asked for, else int64 for integers and booleans."""
    x = converted(operation, input, dtype)
    return x if dtype is not None or x.dtype.kind == "f" else to_dtype(x, backend.int64)
