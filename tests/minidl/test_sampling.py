"""Random tensors: what is drawn has the right distribution, follows from the seed, and every error text.

The bounds of the statistical tests are five standard deviations, and the seeds are fixed.
"""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidl


@pytest.fixture(autouse=True)
def seed():
    minidl.manual_seed(1)


def refuses(error_type, text, call):
    with pytest.raises(error_type) as error:
        call()
    assert str(error.value) == text


DRAWS = {
    "rand": lambda **options: minidl.rand(2, 3, **options),
    "randn": lambda **options: minidl.randn(2, 3, **options),
    "randint": lambda **options: minidl.randint(100, (2, 3), **options),
    "randperm": lambda **options: minidl.randperm(10, **options),
    "normal": lambda **options: minidl.normal(0.0, 1.0, (2, 3), **options),
    "bernoulli": lambda **options: minidl.bernoulli(minidl.full((20,), 0.5), **options),
    "multinomial": lambda **options: minidl.multinomial(minidl.ones(20), 5, **options),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())
def test_a_draw_follows_from_the_seed(draw):
    minidl.manual_seed(5)
    first, second = draw().tolist(), draw().tolist()
    assert first != second
    minidl.manual_seed(5)
    assert draw().tolist() == first
    state = minidl.get_rng_state()
    assert state.tolist() == [5, 1]  # one call is one draw
    assert draw().tolist() == second
    own = minidl.Generator().manual_seed(5)
    assert draw(generator=own).tolist() == first
    assert minidl.get_rng_state().tolist() == [5, 2]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_of_a_generator_goes_on_from_its_state(copied):
    first = minidl.Generator().manual_seed(5)
    minidl.rand(2, generator=first)
    second = copied(first)
    assert second is not first
    assert minidl.rand(3, generator=second).equal(minidl.rand(3, generator=first))


def test_a_draw_that_fails_uses_nothing_up():
    for call in (
        lambda: minidl.rand(-1),
        lambda: minidl.randn(2, dtype=minidl.int64),
        lambda: minidl.randint(0, (2,)),
        lambda: minidl.multinomial(minidl.zeros(3), 1),
        lambda: minidl.randn(2**50),
    ):
        with pytest.raises((ValueError, TypeError, MemoryError)):
            call()
    assert minidl.get_rng_state().tolist() == [1, 0]


@pytest.mark.parametrize("dtype", [minidl.float16, minidl.float32, minidl.float64], ids=str)
def test_uniform_numbers(dtype):
    x = minidl.rand(100_000, dtype=dtype).array
    assert x.dtype == dtype
    assert x.min() >= 0
    assert x.max() < 1
    x = x.astype(np.float64)
    assert abs(x.mean() - 0.5) < 5 / math.sqrt(12 * x.size) + 2**-12
    counts = np.histogram(x, 10, (0, 1))[0]
    assert abs(counts - x.size / 10).max() < 5 * math.sqrt(0.09 * x.size)


def test_float16_is_never_rounded_up_to_one():
    x = minidl.rand(1_000_000, dtype=minidl.float16).array
    assert x.max() == np.float16(1) - np.float16(2**-11)


@pytest.mark.parametrize("dtype", [minidl.float16, minidl.float32, minidl.float64], ids=str)
def test_normal_numbers(dtype):
    x = minidl.randn(100_000, dtype=dtype).array
    assert x.dtype == dtype
    x = x.astype(np.float64)
    assert abs(x.mean()) < 5 / math.sqrt(x.size)
    assert abs(x.var() - 1) < 5 * math.sqrt(2 / x.size)
    assert abs((abs(x) < 1).mean() - 0.6827) < 5 * math.sqrt(0.6827 * 0.3173 / x.size)


def test_normal_with_a_mean_and_a_standard_deviation_for_each_element():
    mean, std = minidl.tensor([0.0, 100.0]), minidl.tensor([[0.0], [1.0]])
    x = minidl.normal(mean, std)
    assert x[0].tolist() == [0.0, 100.0]
    assert x.shape == (2, 2)
    assert 90 < x[1, 1].item() < 110
    assert minidl.normal(mean, 2.0).shape == minidl.normal(1.0, mean).shape == (2,)
    assert minidl.normal(mean.detach().requires_grad_(), 1.0).is_leaf
    y = minidl.normal(3.0, 0.5, (100_000,)).array.astype(np.float64)
    assert abs(y.mean() - 3) < 5 * 0.5 / math.sqrt(y.size)
    assert abs(y.std() - 0.5) < 5 * 0.5 / math.sqrt(2 * y.size)


def test_integers():
    x = minidl.randint(-2, 3, (50_000,)).array
    assert x.dtype == np.int64
    numbers, counts = np.unique(x, return_counts=True)
    assert numbers.tolist() == [-2, -1, 0, 1, 2]
    assert abs(counts - 10_000).max() < 5 * math.sqrt(50_000 * 0.16)
    assert minidl.randint(1, (3,)).tolist() == [0, 0, 0]
    assert minidl.randint(5, size=(2,)).shape == minidl.randint(high=5, size=(2,)).shape == (2,)
    assert minidl.randint(0, 2, [4], dtype=minidl.float32).dtype == minidl.float32
    assert minidl.randint(-(2**63), 2**63 - 1, ()).shape == ()


@given(st.integers(0, 30))
def test_permutations(n):
    assert sorted(minidl.randperm(n).tolist()) == list(range(n))


def test_all_orders_are_equally_likely():
    counts = {}
    for _ in range(3000):
        order = tuple(minidl.randperm(3).tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    assert max(abs(count - 500) for count in counts.values()) < 5 * math.sqrt(3000 * 5 / 36)


def test_bernoulli():
    p = minidl.tensor([0.0, 0.25, 1.0])
    x = minidl.bernoulli(p.expand(40_000, 3)).array
    assert x.dtype == np.float32
    assert set(np.unique(x)) == {0, 1}
    share = x.mean(0, dtype=np.float64)
    assert share[0] == 0
    assert share[2] == 1
    assert abs(share[1] - 0.25) < 5 * math.sqrt(0.1875 / 40_000)


def test_multinomial_with_replacement():
    weights = minidl.tensor([[1.0, 0.0, 3.0, 0.0], [0.0, 5.0, 0.0, 0.0]])
    x = minidl.multinomial(weights, 20_000, replacement=True).array
    assert x.shape == (2, 20_000)
    assert set(np.unique(x[0])) == {0, 2}
    assert abs((x[0] == 2).mean() - 0.75) < 5 * math.sqrt(0.1875 / 20_000)
    assert (x[1] == 1).all()


def test_multinomial_without_replacement():
    """The chance to draw i first and then j is p_i p_j / (1 - p_i)."""
    p = np.array([0.5, 0.3, 0.2])
    weights = minidl.tensor(np.append(10 * p, 0.0)).expand(30_000, 4)
    x = minidl.multinomial(weights, 2).array
    assert (x[:, 0] != x[:, 1]).all()
    for i in range(3):
        for j in range(3):
            if i != j:
                chance = p[i] * p[j] / (1 - p[i])
                share = ((x[:, 0] == i) & (x[:, 1] == j)).mean()
                assert abs(share - chance) < 5 * math.sqrt(chance * (1 - chance) / 30_000)
    assert sorted(minidl.multinomial(minidl.ones(5), 5).tolist()) == [0, 1, 2, 3, 4]


def test_multinomial_never_draws_a_weight_of_zero():
    """Not even where the uniform number is the largest below 1 and the sum of the weights is rounded."""
    from minidl.sampling import at_shares

    weights = np.array([0.1] * 10 + [0.0])
    assert at_shares(weights, np.array([0.0, 1 - 2**-53])).tolist() == [0, 9]
    assert at_shares(np.array([0.0, 1.0]), np.array([0.0])).tolist() == [1]


def test_shapes_of_multinomial():
    assert minidl.multinomial(minidl.ones(4), 2).shape == (2,)
    assert minidl.multinomial(minidl.ones(3, 4), 2).shape == (3, 2)
    assert minidl.multinomial(minidl.ones(0, 4), 2).shape == (0, 2)
    assert minidl.multinomial(minidl.ones(0, 4), 2, replacement=True).shape == (0, 2)


ONES = minidl.ones(3)


@pytest.mark.parametrize(
    ("kind", "call", "text"),
    [
        (ValueError, lambda: minidl.rand(2, -1), "rand: a length is negative in shape (2, -1)"),
        (TypeError, lambda: minidl.rand(2.5), "rand: a shape is made of integers, not (2.5,)"),
        (
            TypeError,
            lambda: minidl.randn(2, dtype=minidl.int64),
            "randn: dtype must be a floating-point dtype, not int64",
        ),
        (
            TypeError,
            lambda: minidl.rand_like(minidl.arange(2)),
            "rand_like: dtype must be a floating-point dtype, not int64",
        ),
        (TypeError, lambda: minidl.rand(2, generator=7), "rand: generator must be a Generator, not int"),
        (ValueError, lambda: minidl.randint(0, (2,)), "randint: low must be below high, but low is 0 and high 0"),
        (ValueError, lambda: minidl.randint(5, 3, (2,)), "randint: low must be below high, but low is 5 and high 3"),
        (TypeError, lambda: minidl.randint(5), "randint: size must be a tuple or list of integers, not NoneType"),
        (TypeError, lambda: minidl.randint(0, 5, 3), "randint: size must be a tuple or list of integers, not int"),
        (TypeError, lambda: minidl.randint(0.0, 5, (3,)), "randint: low must be an integer, not float"),
        (
            ValueError,
            lambda: minidl.randint(0, 257, (3,), dtype=minidl.uint8),
            "randint: 0 to 256 do not fit into uint8",
        ),
        (ValueError, lambda: minidl.randperm(-1), "randperm: a length is negative in shape (-1,)"),
        (TypeError, lambda: minidl.randperm(3.0), "randperm: n must be an integer, not float"),
        (ValueError, lambda: minidl.normal(0.0, -1.0, (2,)), "normal: std must not be negative, not -1.0"),
        (ValueError, lambda: minidl.normal(0.0, -ONES), "normal: std must not be negative, not -1.0"),
        (
            TypeError,
            lambda: minidl.normal(0.0, 1.0),
            "normal: size belongs to a mean and a std that are numbers; with a Tensor, leave it out",
        ),
        (
            TypeError,
            lambda: minidl.normal(ONES, 1.0, (3,)),
            "normal: size belongs to a mean and a std that are numbers; with a Tensor, leave it out",
        ),
        (
            ValueError,
            lambda: minidl.normal(ONES, minidl.ones(2)),
            "normal: shapes (3,) and (2,) do not broadcast (aligned at the end, lengths must be equal or 1)",
        ),
        (
            TypeError,
            lambda: minidl.normal(minidl.arange(3), 1.0),
            "normal: mean must be a floating-point tensor, not int64",
        ),
        (ValueError, lambda: minidl.bernoulli(2 * ONES), "bernoulli: every element must be a probability, from 0 to 1"),
        (
            ValueError,
            lambda: minidl.bernoulli(minidl.tensor([math.nan])),
            "bernoulli: every element must be a probability, from 0 to 1",
        ),
        (
            TypeError,
            lambda: minidl.bernoulli(minidl.arange(2)),
            "bernoulli: input must be a floating-point tensor, not int64",
        ),
        (
            ValueError,
            lambda: minidl.multinomial(minidl.ones(1, 2, 3), 1),
            "multinomial: input must have 1 or 2 dimensions, not shape (1, 2, 3)",
        ),
        (ValueError, lambda: minidl.multinomial(ONES, 0), "multinomial: num_samples must be positive, not 0"),
        (ValueError, lambda: minidl.multinomial(-ONES, 1), "multinomial: weights must be finite and not negative"),
        (
            ValueError,
            lambda: minidl.multinomial(minidl.tensor([math.inf, 1.0]), 1),
            "multinomial: weights must be finite and not negative",
        ),
        (
            ValueError,
            lambda: minidl.multinomial(minidl.tensor([[1.0, 1.0], [1.0, 0.0]]), 2),
            "multinomial: row 1 has 1 positive weights, too few for 2 draws without replacement",
        ),
        (
            ValueError,
            lambda: minidl.multinomial(0 * ONES, 2, replacement=True),
            "multinomial: row 0 has 0 positive weights, too few for 2 draws with replacement",
        ),
    ],
)
def test_errors(kind, call, text):
    refuses(kind, text, call)
