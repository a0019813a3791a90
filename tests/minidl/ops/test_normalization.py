"""Normalisation: formulas, large means, running statistics, layouts and pieces, what stays unchanged, error texts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
import minidl.nn.functional as F
from minidl.ops import normalization
from minidl.testing import gradcheck, gradgradcheck

EPS = 1e-5


def numbers(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


# --- the formulas ------------------------------------------------------------------------------------------------


def by_formula(x, axes, weight, bias, centred=True, eps=EPS):
    d = x - x.mean(axes, keepdims=True) if centred else x
    return weight * d / np.sqrt((d * d).mean(axes, keepdims=True) + eps) + bias


@st.composite
def inputs(draw):
    """(N, C, ...) with at least two values a channel."""
    lengths = st.lists(st.integers(1, 4), max_size=3)
    shape = (draw(st.integers(2, 5)), draw(st.integers(1, 6)), *draw(lengths))
    return numbers(*shape, seed=draw(st.integers(0, 99))) * draw(st.sampled_from([0.1, 1.0, 30.0])) + draw(
        st.sampled_from([0.0, -2.0, 1000.0])
    )


@st.composite
def affine(draw, shape):
    """A weight and a bias, each of which may be missing, as arrays and as they go into the formula."""
    found = [numbers(*shape, seed=k) if draw(st.booleans()) else None for k in (1, 2)]
    return found, [neutral if v is None else v for v, neutral in zip(found, (1.0, 0.0), strict=True)]


def tensors(arrays):
    return [None if v is None else minidl.tensor(v, requires_grad=True) for v in arrays]


def by_channel(v, x):
    return v if np.ndim(v) == 0 else v.reshape(-1, *[1] * (x.ndim - 2))


def same(found, expected, x):
    np.testing.assert_allclose(found.array, expected, rtol=1e-9, atol=1e-9 * max(1.0, abs(x).max(initial=0)))


@given(inputs(), st.data())
def test_batch_norm_is_the_formula(x, data):
    given_, (w, b) = data.draw(affine(x.shape[1:2]))
    axes = (0, *range(2, x.ndim))
    y = F.batch_norm(minidl.tensor(x), None, None, *tensors(given_), training=True)
    same(y, by_formula(x, axes, by_channel(w, x), by_channel(b, x)), x)


@given(inputs(), st.data())
def test_evaluated_batch_norm_is_the_formula(x, data):
    given_, (w, b) = data.draw(affine(x.shape[1:2]))
    mean, var = numbers(x.shape[1], seed=5), abs(numbers(x.shape[1], seed=6)) + 0.1
    y = F.batch_norm(minidl.tensor(x), minidl.tensor(mean), minidl.tensor(var), *tensors(given_))
    standard = (x - by_channel(mean, x)) / np.sqrt(by_channel(var, x) + EPS)
    same(y, by_channel(w, x) * standard + by_channel(b, x), x)


@given(inputs(), st.data())
def test_layer_norm_and_rms_norm_are_the_formulas(x, data):
    start = data.draw(st.integers(0, x.ndim - 1))
    (weight, bias), (w, b) = data.draw(affine(x.shape[start:]))
    axes = tuple(range(start, x.ndim))
    weight, bias = tensors([weight, bias])
    same(F.layer_norm(minidl.tensor(x), x.shape[start:], weight, bias), by_formula(x, axes, w, b), x)
    same(F.rms_norm(minidl.tensor(x), x.shape[start:], weight, 0.1), by_formula(x, axes, w, 0, False, 0.1), x)


@given(inputs(), st.data())
def test_group_norm_is_the_formula(x, data):
    groups = data.draw(st.sampled_from([g for g in range(1, x.shape[1] + 1) if x.shape[1] % g == 0]))
    given_, (w, b) = data.draw(affine(x.shape[1:2]))
    grouped = x.reshape(x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])
    standard = by_formula(grouped, tuple(range(2, grouped.ndim)), 1.0, 0.0).reshape(x.shape)
    y = F.group_norm(minidl.tensor(x), groups, *tensors(given_))
    same(y, by_channel(w, x) * standard + by_channel(b, x), x)


def test_root_mean_square_without_eps_takes_that_of_the_dtype():
    for dtype in (np.float32, np.float64):
        x = np.full((1, 2), 1e-5, dtype)
        expected = x / np.sqrt(x * x + np.finfo(dtype).eps)
        np.testing.assert_allclose(F.rms_norm(minidl.tensor(x), (2,)).array, expected, rtol=1e-6)


# --- gradients ---------------------------------------------------------------------------------------------------

CALLS = {
    "batch_norm": lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
    "evaluated": lambda x, w, b: F.batch_norm(x, minidl.ones_like(w).detach(), (w * w).detach() + 1, w, b),
    "group_norm": lambda x, w, b: F.group_norm(x, 2, w, b),
    "layer_norm": lambda x, w, b: F.layer_norm(x, (3,), w[:3], b[:3]),
    "rms_norm": lambda x, w, b: F.rms_norm(x, (4, 3), (w.reshape(4, 1) + b[:3])),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("wanted", [(0,), (1,), (2,), (0, 2), (1, 2)])
def test_gradients_of_some_inputs_alone(name, wanted):
    arrays = [numbers(3, 4, 3), numbers(4, seed=1) + 2, numbers(4, seed=2)]
    leaves = [minidl.tensor(v, requires_grad=i in wanted) for i, v in enumerate(arrays)]
    CALLS[name](*leaves).pow(2).sum().backward()
    every = [minidl.tensor(v, requires_grad=True) for v in arrays]
    CALLS[name](*every).pow(2).sum().backward()
    for i, (leaf, other) in enumerate(zip(leaves, every, strict=True)):
        assert (leaf.grad is None) == (i not in wanted or other.grad is None)
        if leaf.grad is not None:
            np.testing.assert_allclose(leaf.grad.array, other.grad.array, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "shape", "axes"),
    [
        (lambda x: F.batch_norm(x, None, None, training=True, eps=0.0), (4, 4, 5), (0, 2)),
        (lambda x: F.group_norm(x, 2, eps=0.0), (4, 2, 10), 2),
        (lambda x: F.layer_norm(x, (4, 5), eps=0.0), (4, 20), 1),
    ],
)
def test_shifting_and_stretching_a_set_changes_nothing(call, shape, axes):
    """So the gradient has mean 0 and no part along y."""
    x = minidl.tensor(numbers(4, 4, 5), requires_grad=True)
    y = call(x)
    y.backward(minidl.tensor(numbers(4, 4, 5, seed=3)))
    dx, y = x.grad.array.reshape(shape), y.array.reshape(shape)
    assert abs(dx).max() > 0.1
    np.testing.assert_allclose(dx.sum(axes), 0, atol=1e-13)
    np.testing.assert_allclose((dx * y).sum(axes), 0, atol=1e-13)


def test_constant_statistics_leave_the_gradient_along():
    x, g = minidl.tensor(numbers(4, 3), requires_grad=True), numbers(4, 3, seed=1)
    mean, var = minidl.ones(3, dtype=minidl.float64), minidl.full((3,), 2.0, dtype=minidl.float64)
    F.batch_norm(x, mean, var).backward(minidl.tensor(g))
    np.testing.assert_allclose(x.grad.array, g / np.sqrt(2 + EPS), rtol=1e-12)


# --- pieces ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 9, 24, 50, 1 << 16])
@pytest.mark.parametrize(("long", "short"), [(1024, 32), (4, 32), (1024, 2), (4, 2)])
@pytest.mark.parametrize("shape", [(5, 6), (3, 4, 7), (2, 6, 2, 4), (1, 4, 9)])
def test_pieces_change_nothing(monkeypatch, block, long, short, shape):
    x, g = numbers(*shape) + 3, numbers(*shape, seed=1)
    w, b = numbers(shape[1], seed=2), numbers(shape[1], seed=3)
    mean, var = numbers(shape[1], seed=4), abs(numbers(shape[1], seed=5)) + 0.5

    def every():
        results = []
        for call in (
            lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
            lambda x, w, b: F.batch_norm(x, minidl.tensor(mean), minidl.tensor(var), w, b),
            lambda x, w, b: F.group_norm(x, 2, w, b),
            lambda x, w, b: F.layer_norm(x.swapaxes(1, -1), shape[1:2], w, b).swapaxes(1, -1),
            lambda x, w, b: F.rms_norm(x.swapaxes(1, -1), shape[1:2], w).swapaxes(1, -1),
        ):
            leaves = [minidl.tensor(v, requires_grad=True) for v in (x, w, b)]
            y = call(*leaves)
            y.backward(minidl.tensor(g))
            results += [y.array, *(leaf.grad.array for leaf in leaves if leaf.grad is not None)]
        return results

    expected = every()
    monkeypatch.setattr(normalization, "BLOCK", block)
    monkeypatch.setattr(normalization, "LONG", long)
    monkeypatch.setattr(normalization, "SHORT", short)
    for found, other in zip(every(), expected, strict=True):
        np.testing.assert_allclose(found, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("block", [1, 10, 100, 1000])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 7), (50, 2, 1), (2, 50, 30), (0, 3, 4), (3, 4, 0)])
def test_pieces_cover_everything_once(monkeypatch, block, shape):
    monkeypatch.setattr(normalization, "BLOCK", block)
    covered = np.zeros(shape)
    for n, c in normalization.pieces(*shape):
        covered[n, c] += 1
        assert covered[n, c].size <= max(block, shape[2])
    assert (covered == 1).all()


# --- precision ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mean", [0.0, 1e2, 1e4])
@pytest.mark.parametrize("name", ["batch_norm", "group_norm", "layer_norm"])
@pytest.mark.parametrize("shape", [(256, 4), (16, 4, 64), (4, 4, 32, 64)])
def test_a_large_mean_costs_no_digits(name, mean, shape):
    """float32 against the formula in float64 on the same numbers, where E[x^2] - E[x]^2 would have no digit left."""
    x = (numbers(*shape) + mean).astype(np.float32)
    wide = x.astype(np.float64)
    if name == "batch_norm":
        y, axes = F.batch_norm(minidl.tensor(x), None, None, training=True), (0, *range(2, x.ndim))
    elif name == "group_norm":
        if x.ndim == 2:
            return
        y, axes = F.group_norm(minidl.tensor(x), 4), tuple(range(2, x.ndim))
    else:
        y, axes = F.layer_norm(minidl.tensor(x), shape[1:]), tuple(range(1, x.ndim))
    assert y.dtype == minidl.float32
    sigma = wide.std(axes, keepdims=True)  # a mean can be as precise as float32 numbers of its size are
    np.testing.assert_allclose(y.array * sigma, by_formula(wide, axes, sigma, 0.0), rtol=1e-5, atol=2e-7 * mean + 2e-6)


def test_running_statistics_of_a_large_mean():
    x = (numbers(64, 2, 100) + 1e4).astype(np.float32)
    mean, var = minidl.zeros(2), minidl.zeros(2)
    F.batch_norm(minidl.tensor(x), mean, var, training=True, momentum=1.0)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(mean.array, wide.mean((0, 2)), rtol=1e-7)
    np.testing.assert_allclose(var.array, wide.var((0, 2), ddof=1), rtol=1e-5)


def test_a_constant_channel_becomes_zero():
    for value in (0.0, 0.1, -1e4):
        x = minidl.full((8, 2, 3), value, requires_grad=True)
        y = F.batch_norm(x, None, None, training=True)
        assert abs(y.array).max() < 1e-3
        y.sum().backward()
        assert np.isfinite(x.grad.array).all()


# --- running statistics ------------------------------------------------------------------------------------------


def test_running_statistics_follow_the_batch():
    x = numbers(4, 3, 5)
    mean, var = minidl.ones(3, dtype=minidl.float64), minidl.full((3,), 2.0, dtype=minidl.float64)
    versions = mean.version[0], var.version[0]
    F.batch_norm(minidl.tensor(x), mean, var, training=True, momentum=0.25)
    np.testing.assert_allclose(mean.array, 0.75 + 0.25 * x.mean((0, 2)), rtol=1e-12)
    np.testing.assert_allclose(var.array, 1.5 + 0.25 * x.var((0, 2), ddof=1), rtol=1e-12)
    assert (mean.version[0], var.version[0]) == (versions[0] + 1, versions[1] + 1)


def test_a_batch_without_values_leaves_them():
    mean, var = minidl.ones(3), minidl.full((3,), 2.0)
    for shape in ((0, 3), (0, 3, 4), (2, 3, 0)):
        assert F.batch_norm(minidl.zeros(shape), mean, var, training=True).shape == shape
    assert (mean.tolist(), var.tolist()) == ([1, 1, 1], [2, 2, 2])


def test_evaluation_leaves_them_and_remembers_them():
    mean, var = minidl.ones(3), minidl.full((3,), 2.0)
    x = minidl.tensor(numbers(4, 3, dtype=np.float32), requires_grad=True)
    y = F.batch_norm(x, mean, var)
    assert (mean.tolist(), var.tolist()) == ([1, 1, 1], [2, 2, 2])
    expected = minidl.grad(y.sum(), x, retain_graph=True)[0].array
    mean.add_(1)
    var.add_(1)
    np.testing.assert_array_equal(minidl.grad(y.sum(), x, retain_graph=True)[0].array, expected)
    with pytest.raises(RuntimeError, match="its input 3 as it was in the forward pass"):
        minidl.grad(y.sum(), x, create_graph=True)


def test_a_failed_call_leaves_them():
    mean, var = minidl.zeros(3), minidl.ones(3)
    locked = minidl.Tensor(np.zeros(3, np.float32))
    locked.array.flags.writeable = False
    for arguments in ((mean, var, minidl.ones(2)), (mean, locked, None)):
        with pytest.raises((ValueError, RuntimeError)):
            F.batch_norm(minidl.ones(2, 3), *arguments, training=True)
    assert (mean.tolist(), var.tolist()) == ([0, 0, 0], [1, 1, 1])


def test_gradients_of_gradients_leave_them():
    mean, var = (minidl.zeros(2, dtype=minidl.float64) for _ in range(2))
    x = minidl.tensor(numbers(3, 2), requires_grad=True)
    y = F.batch_norm(x, mean, var, training=True)
    before = mean.array.copy(), var.array.copy()
    minidl.grad((y * y * y).sum(), x, create_graph=True)[0].sum().backward()
    assert np.array_equal(before[0], mean.array)
    assert np.array_equal(before[1], var.array)


def test_a_change_in_place_of_the_input_is_found():
    x = minidl.tensor(numbers(3, 2), requires_grad=True)
    z = x * 1
    for call in (
        lambda: F.batch_norm(z, None, None, training=True),
        lambda: F.layer_norm(z, (2,)),
        lambda: F.group_norm(z, 1),
    ):
        y = call()
        with minidl.no_grad():
            z.add_(1)
        with pytest.raises(RuntimeError, match="input 0 as it was in the forward pass"):
            y.sum().backward()


@settings(max_examples=15)
@given(st.integers(0, 99))
def test_both_orders_through_two_layers(seed):
    x, w = numbers(3, 2, 2, seed=seed), numbers(2, seed=seed + 1)

    def network(x, w):
        return F.layer_norm(F.batch_norm(x, None, None, w, training=True, eps=0.1).pow(2), (2,), w, eps=0.1)

    leaves = [minidl.tensor(v, requires_grad=True) for v in (x, w)]
    assert gradcheck(network, leaves)
    assert gradgradcheck(lambda x, w: F.group_norm(x * x, 2, w, eps=0.1), leaves)


# --- errors ------------------------------------------------------------------------------------------------------

X = minidl.zeros(2, 3)
WIDE = minidl.zeros(3, dtype=minidl.float64)


def parameter(*shape):
    return minidl.zeros(*shape, requires_grad=True)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: F.batch_norm([1.0], None, None, training=True),
            TypeError,
            "batch_norm: input must be a Tensor, not list",
        ),
        (
            lambda: F.batch_norm(X.to(minidl.int64), None, None, training=True),
            TypeError,
            "batch_norm: input must be a floating-point tensor, not int64",
        ),
        (
            lambda: F.batch_norm(X[0], None, None, training=True),
            ValueError,
            "batch_norm: input must have 2 dimensions (N, C) or more, not shape (3,)",
        ),
        (
            lambda: F.batch_norm(X[:1], None, None, training=True),
            ValueError,
            "batch_norm: training needs more than one value a channel, but input (1, 3) has one",
        ),
        (
            lambda: F.batch_norm(minidl.zeros(1, 3, 1, 1), None, None, training=True),
            ValueError,
            "batch_norm: training needs more than one value a channel, but input (1, 3, 1, 1) has one",
        ),
        (
            lambda: F.batch_norm(X, minidl.zeros(2), minidl.ones(3)),
            ValueError,
            "batch_norm: running_mean has shape (2,) but input (2, 3) expects (3,)",
        ),
        (
            lambda: F.batch_norm(X, minidl.zeros(3), minidl.ones(3, 1)),
            ValueError,
            "batch_norm: running_var has shape (3, 1) but input (2, 3) expects (3,)",
        ),
        (
            lambda: F.batch_norm(X, None, None, minidl.ones(2), training=True),
            ValueError,
            "batch_norm: weight has shape (2,) but input (2, 3) expects (3,)",
        ),
        (
            lambda: F.batch_norm(X, None, None, None, minidl.ones(4), training=True),
            ValueError,
            "batch_norm: bias has shape (4,) but input (2, 3) expects (3,)",
        ),
        (
            lambda: F.batch_norm(X, None, None, WIDE, training=True),
            TypeError,
            "batch_norm: weight is float64 but input is float32",
        ),
        (lambda: F.batch_norm(X, WIDE, WIDE), TypeError, "batch_norm: running_mean is float64 but input is float32"),
        (
            lambda: F.batch_norm(X, None, None, 1.0, training=True),
            TypeError,
            "batch_norm: weight must be a Tensor, not float",
        ),
        (
            lambda: F.batch_norm(X, None, minidl.ones(3)),
            ValueError,
            "batch_norm: running_mean and running_var are needed outside training",
        ),
        (
            lambda: F.batch_norm(X, minidl.zeros(3), None, training=True),
            ValueError,
            "batch_norm: running_mean and running_var are given together or not at all",
        ),
        (
            lambda: F.batch_norm(X, parameter(3), minidl.ones(3), training=True),
            ValueError,
            "batch_norm: running_mean and running_var are constants and cannot require a gradient",
        ),
        (
            lambda: F.batch_norm(X, minidl.zeros(1).expand(3), minidl.ones(3), training=True),
            RuntimeError,
            "batch_norm: the memory of the tensor cannot be written to (expand and broadcast_to show one element in "
            "several places, and NumPy arrays may be read-only); clone() it first",
        ),
        (
            lambda: F.layer_norm(X.to(minidl.int64), (3,)),
            TypeError,
            "layer_norm: input must be a floating-point tensor, not int64",
        ),
        (
            lambda: F.layer_norm(X, (2,)),
            ValueError,
            "layer_norm: normalized_shape (2,) is not how the shape of input (2, 3) ends",
        ),
        (
            lambda: F.layer_norm(X, (1, 2, 3)),
            ValueError,
            "layer_norm: normalized_shape (1, 2, 3) is not how the shape of input (2, 3) ends",
        ),
        (lambda: F.layer_norm(X, ()), ValueError, "layer_norm: normalized_shape must have at least one length"),
        (lambda: F.layer_norm(X, (1.5,)), TypeError, "layer_norm: a shape is made of integers, not (1.5,)"),
        (
            lambda: F.layer_norm(X, (2, 3), minidl.ones(3)),
            ValueError,
            "layer_norm: weight has shape (3,) but input (2, 3) expects (2, 3)",
        ),
        (
            lambda: F.layer_norm(X, (3,), None, WIDE),
            TypeError,
            "layer_norm: bias is float64 but input is float32",
        ),
        (
            lambda: F.rms_norm(X.to(minidl.int32), (3,)),
            TypeError,
            "rms_norm: input must be a floating-point tensor, not int32",
        ),
        (
            lambda: F.rms_norm(X, (2,)),
            ValueError,
            "rms_norm: normalized_shape (2,) is not how the shape of input (2, 3) ends",
        ),
        (
            lambda: F.rms_norm(X, (3,), minidl.ones(2)),
            ValueError,
            "rms_norm: weight has shape (2,) but input (2, 3) expects (3,)",
        ),
        (
            lambda: F.group_norm(X > 0, 1),
            TypeError,
            "group_norm: input must be a floating-point tensor, not bool",
        ),
        (
            lambda: F.group_norm(X[0], 1),
            ValueError,
            "group_norm: input must have 2 dimensions (N, C) or more, not shape (3,)",
        ),
        (
            lambda: F.group_norm(X, 2),
            ValueError,
            "group_norm: num_groups 2 does not divide the 3 channels (input (2, 3))",
        ),
        (lambda: F.group_norm(X, 0), ValueError, "group_norm: num_groups must be positive, not 0"),
        (lambda: F.group_norm(X, 1.0), TypeError, "group_norm: num_groups must be an integer, not float"),
        (
            lambda: F.group_norm(X, 3, minidl.ones(2)),
            ValueError,
            "group_norm: weight has shape (2,) but input (2, 3) expects (3,)",
        ),
        (
            lambda: F.group_norm(X[:1], 3),
            ValueError,
            "group_norm: more than one value a group is needed, but input (1, 3) has one",
        ),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == text
