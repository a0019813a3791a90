"""Arrays whose shapes broadcast against each other, drawn by Hypothesis: no dimensions and empty ones included."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

__all__ = ["DTYPES", "arrays_of", "broadcasting"]

DTYPES = ["float16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64", "bool"]


@st.composite
def broadcasting(draw, count=2):
    """``count`` arrays of standard normal numbers whose shapes broadcast."""
    shapes = draw(mutually_broadcastable_shapes(num_shapes=count, min_side=0, max_side=3, max_dims=3)).input_shapes
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return [np.asarray(rng.standard_normal(shape)) for shape in shapes]


@st.composite
def arrays_of(draw, dtypes=DTYPES, count=2, low=0, high=5):
    """``count`` arrays of small whole numbers, each of one of the dtypes, whose shapes broadcast."""
    return [
        np.asarray(np.floor(np.abs(x) * 3) % (high - low) + low, draw(st.sampled_from(dtypes)))
        for x in draw(broadcasting(count))
    ]
