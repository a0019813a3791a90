"""Arrays and the dimensions to work over, drawn by Hypothesis: from no dimensions to four, empty ones included."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

__all__ = ["along", "numbers", "over"]


def numbers(draw, shape, distinct=False):
    """Standard normal numbers, or numbers that all differ by 0.1 or more."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if not distinct:
        return rng.standard_normal(shape)
    size = int(np.prod(shape))
    return 0.1 * (rng.permutation(size) - size // 2).reshape(shape) + 0.05


@st.composite
def over(draw, shortest=0, distinct=False):
    """An array, a value for ``dim`` (None, one or several, from either end), the same as NumPy's axis, ``keepdim``."""
    shape = draw(st.lists(st.integers(shortest, 3), max_size=4))
    x = numbers(draw, shape, distinct)
    dims = (
        draw(st.lists(st.integers(-x.ndim, x.ndim - 1), max_size=x.ndim, unique_by=lambda d: d % x.ndim))
        if shape
        else []
    )
    axes = tuple(d % x.ndim for d in dims) or tuple(range(x.ndim))
    dim = draw(st.sampled_from([tuple(dims), list(dims)]))
    if len(dims) == 1 and draw(st.booleans()):
        dim = dims[0]
    return x, (dim if dims else draw(st.sampled_from([None, ()]))), axes, draw(st.booleans())


@st.composite
def along(draw, shortest=0, distinct=False):
    """An array, one dimension of it counted from either end, the same counted from the front, ``keepdim``.

    An array without dimensions has dimension 0 (and -1) as well.
    """
    shape = draw(st.lists(st.integers(shortest, 4), max_size=3))
    x = numbers(draw, shape, distinct)
    span = max(x.ndim, 1)
    dim = draw(st.integers(-span, span - 1))
    return x, dim, dim % span, draw(st.booleans())
