"""Products of matrices and vectors: every shape against NumPy and the gradient check, and every error text."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidl
import minidl.nn.functional as F
from minidl.testing import gradcheck, gradgradcheck

lengths = st.integers(0, 3)


@st.composite
def stacks(draw):
    """Two shapes that broadcast, as dimensions before the last two."""
    shape = draw(st.lists(lengths, max_size=2))
    halves = []
    for _ in range(2):
        kept = [length if draw(st.booleans()) else 1 for length in shape]
        halves.append(kept[draw(st.integers(0, len(kept))) :])
    return halves


@st.composite
def factors(draw):
    """Two arrays that can be multiplied, of any number of dimensions from 1 to 4."""
    first, second = draw(stacks())
    n, k, p = draw(lengths), draw(lengths), draw(lengths)
    left = [k] if draw(st.booleans()) else [*first, n, k]
    right = [k] if draw(st.booleans()) else [*second, k, p]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.standard_normal(left), rng.standard_normal(right)


@given(factors())
def test_matmul_is_numpys(arrays):
    x, y = arrays
    z = minidl.tensor(x) @ minidl.tensor(y)
    np.testing.assert_allclose(z.array, x @ y, rtol=1e-13, atol=1e-13)


@given(factors())
def test_gradients_of_matmul(arrays):
    inputs = [minidl.tensor(x, requires_grad=True) for x in arrays]
    assert gradcheck(minidl.matmul, inputs)
    assert gradgradcheck(minidl.matmul, inputs)


@given(st.lists(lengths, max_size=3), lengths, lengths, st.booleans(), st.integers(0, 2**32 - 1))
def test_linear_is_the_affine_map(rows, features, out, biased, seed):
    rng = np.random.default_rng(seed)
    x, w, b = (rng.standard_normal(shape) for shape in ([*rows, features], [out, features], [out]))
    inputs = [minidl.tensor(z, requires_grad=True) for z in ([x, w, b] if biased else [x, w])]
    np.testing.assert_allclose(F.linear(*inputs).array, x @ w.T + (b if biased else 0), rtol=1e-13, atol=1e-13)
    assert gradcheck(F.linear, inputs)
    assert gradgradcheck(F.linear, inputs)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_gradients_of_linear_are_fresh_contiguous_arrays(rows):
    x, w, b = (minidl.tensor(np.ones(shape), requires_grad=True) for shape in [(rows, 4), (3, 4), (3,)])
    F.linear(x, w, b).sum().backward()
    for tensor in (x, w, b):
        assert tensor.grad.array.flags.c_contiguous
        assert tensor.grad.array.flags.owndata
        assert not any(np.shares_memory(tensor.grad.array, other.array) for other in (x, w, b))


@pytest.mark.parametrize("rows", [1, 3])
def test_float32_stays_float32(rows):
    x, w, b = (minidl.ones(*shape, requires_grad=True) for shape in [(rows, 4), (3, 4), (3,)])
    y = F.linear(x, w, b)
    y.sum().backward()
    assert [z.dtype for z in (y, x.grad, w.grad, b.grad)] == [minidl.float32] * 4


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # BLAS may raise flags in lanes that it throws away
def test_a_matmul_of_infinities_is_nan_only_where_it_must_be():
    x = minidl.tensor([[math.inf], [1.0]])
    np.testing.assert_array_equal((x @ minidl.tensor([[1.0, -2.0]])).array, [[math.inf, -math.inf], [1.0, -2.0]])


def test_integers_wrap_around_as_in_pytorch():
    x = minidl.tensor([[200]], dtype=minidl.uint8)
    assert (x @ x).array.tolist() == [[200 * 200 % 256]]
    assert (x @ x).dtype == minidl.uint8


def test_addmm_with_beta_zero_does_not_look_at_the_input():
    z = minidl.addmm(minidl.tensor([math.nan]), minidl.ones(2, 3), minidl.ones(3, 2), beta=0)
    np.testing.assert_array_equal(z.array, np.full((2, 2), 3.0))


def ones(*shape, dtype=np.float32):
    return minidl.tensor(np.ones(shape, dtype))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: minidl.matmul(ones(2, 3), [1.0]),
            TypeError,
            "matmul: other must be a Tensor, not list",
        ),
        (
            lambda: ones(2, 3) @ ones(3, 2, dtype=np.float64),
            TypeError,
            "matmul: input is float32 but other is float64; both must have one dtype",
        ),
        (
            lambda: ones(2, 2, dtype=bool) @ ones(2, 2, dtype=bool),
            TypeError,
            "matmul: input is bool, for which no product of sums is defined; cast it first",
        ),
        (
            lambda: ones() @ ones(2),
            ValueError,
            "matmul: both tensors need at least one dimension (input (), other (2,))",
        ),
        (
            lambda: ones(2, 3) @ ones(2, 3),
            ValueError,
            "matmul: the inner lengths 3 and 2 differ (input (2, 3), other (2, 3))",
        ),
        (
            lambda: ones(3) @ ones(2),
            ValueError,
            "matmul: the inner lengths 3 and 2 differ (input (3,), other (2,))",
        ),
        (
            lambda: ones(2, 3, 4) @ ones(3, 4, 5),
            ValueError,
            "matmul: the dimensions before the last two do not broadcast (input (2, 3, 4), other (3, 4, 5))",
        ),
        (
            lambda: minidl.mm(ones(2, 3), ones(3)),
            ValueError,
            "mm: mat2 must be a matrix (2 dimensions), not of shape (3,)",
        ),
        (
            lambda: minidl.mm(ones(2, 3), ones(2, 3)),
            ValueError,
            "mm: the inner lengths 3 and 2 differ (input (2, 3), mat2 (2, 3))",
        ),
        (
            lambda: minidl.bmm(ones(2, 3), ones(2, 3, 4)),
            ValueError,
            "bmm: input must be a stack of matrices (3 dimensions), not of shape (2, 3)",
        ),
        (
            lambda: minidl.bmm(ones(1, 2, 3), ones(2, 3, 4)),
            ValueError,
            "bmm: input holds 1 matrices but mat2 holds 2 (input (1, 2, 3), mat2 (2, 3, 4))",
        ),
        (
            lambda: minidl.mv(ones(2, 3), ones(2)),
            ValueError,
            "mv: the inner lengths 3 and 2 differ (input (2, 3), vec (2,))",
        ),
        (
            lambda: minidl.dot(ones(2, 3), ones(3)),
            ValueError,
            "dot: input must be a vector (1 dimension), not of shape (2, 3)",
        ),
        (
            lambda: minidl.dot(ones(2), ones(3)),
            ValueError,
            "dot: the inner lengths 2 and 3 differ (input (2,), tensor (3,))",
        ),
        (
            lambda: minidl.outer(ones(2), ones(3, 1)),
            ValueError,
            "outer: vec2 must be a vector (1 dimension), not of shape (3, 1)",
        ),
        (
            lambda: minidl.outer(ones(2), 3.0),
            TypeError,
            "outer: vec2 must be a Tensor, not float",
        ),
        (
            lambda: minidl.addmm(ones(3), ones(2, 3), ones(3, 2)),
            ValueError,
            "addmm: input of shape (3,) does not broadcast to the product's shape (2, 2)",
        ),
        (
            lambda: minidl.addmm(ones(1, 2, 2), ones(2, 3), ones(3, 2)),
            ValueError,
            "addmm: input of shape (1, 2, 2) does not broadcast to the product's shape (2, 2)",
        ),
        (
            lambda: minidl.addmm(ones(2, 2, dtype=int), ones(2, 2, dtype=int), ones(2, 2, dtype=int), beta=0.5),
            TypeError,
            "addmm: beta and alpha must be integers for int64, not 0.5 and 1",
        ),
        (
            lambda: F.linear(ones(64, 784), ones(10, 128)),
            ValueError,
            "linear: input has 784 features but weight expects 128 (input (64, 784), weight (10, 128))",
        ),
        (
            lambda: F.linear(ones(), ones(10, 128)),
            ValueError,
            "linear: input has 0 features but weight expects 128 (input (), weight (10, 128))",
        ),
        (
            lambda: F.linear(ones(2, 3), ones(3)),
            ValueError,
            "linear: weight must have 2 dimensions (out_features, in_features), not shape (3,)",
        ),
        (
            lambda: F.linear(ones(2, 3), ones(4, 3), ones(3)),
            ValueError,
            "linear: bias has shape (3,) but weight has 4 rows (weight (4, 3))",
        ),
        (
            lambda: F.linear(ones(2, 3), ones(4, 3), ones(4, dtype=np.float64)),
            TypeError,
            "linear: input is float32 but bias is float64; both must have one dtype",
        ),
        (
            lambda: F.linear(np.ones((2, 3)), ones(4, 3)),
            TypeError,
            "linear: input must be a Tensor, not ndarray",
        ),
    ],
)
def test_error_texts(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == text
