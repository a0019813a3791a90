"""The gradient check itself: right gradients pass, planted wrong ones fail, and whatever cannot be judged is named."""

import re

import numpy as np
import pytest

import minidl
from minidl import Function, Tensor, gradcheck, gradgradcheck
from minidl.ops.vocabulary import m
from minidl.testing import FULL, GradcheckError

pytestmark = pytest.mark.gradcheck


def leaf(*shape, seed=0, dtype=np.float64):
    return Tensor(np.asarray(np.random.default_rng(seed).standard_normal(shape)).astype(dtype), True)


def fails(text, func, inputs, check=gradcheck, **options):
    """The check raises with exactly this text at the start, and returns False where it may not raise."""
    with pytest.raises(GradcheckError, match="^" + re.escape(text)) as caught:
        check(func, inputs, **options)
    assert check(func, inputs, raise_exception=False, **options) is False
    return str(caught.value)


# --- right gradients ---------------------------------------------------------------------------------------------


def test_right_gradients_pass():
    assert gradcheck(minidl.mul, (leaf(3, 4), leaf(4, seed=1))) is True
    assert gradgradcheck(minidl.mul, (leaf(3, 4), leaf(4, seed=1))) is True


def test_one_tensor_may_stand_without_a_tuple():
    assert gradcheck(lambda x: x * x, leaf(3))
    assert gradgradcheck(lambda x: x * x, leaf(3))


def test_shape_without_dimensions_and_empty_inputs():
    assert gradcheck(lambda x: x * x, leaf())
    assert gradcheck(lambda x: x * x, leaf(0, 3))
    assert gradgradcheck(lambda x: x * x * x, leaf())


def test_several_outputs_and_outputs_that_are_not_differentiable():
    def several(x):
        return x * x, minidl.Tensor((x.array > 0).astype(np.int64)), x.sum()

    assert gradcheck(several, leaf(3))
    assert gradgradcheck(several, leaf(3))


def test_integers_constants_and_numbers_are_passed_on():
    indices = Tensor(np.array([2, 0, 1]))
    constant = Tensor(np.array([1.0, 2.0, 3.0]))

    def picked(x, i, c, n):
        assert i is indices
        assert c is constant
        assert n == 2.5
        return x * c * n

    assert gradcheck(picked, (leaf(3), indices, constant, 2.5))
    assert gradgradcheck(picked, (leaf(3), indices, constant, 2.5))


def test_a_float32_constant_does_not_matter_if_the_output_is_float64():
    half = Tensor(np.float32([0.5, 1.5, 2.5]))
    assert gradcheck(lambda x, c: x * c, (leaf(3), half))


def test_an_output_that_depends_on_nothing_passes():
    assert gradcheck(lambda x: (x * 2.0, Tensor(np.ones(2))), leaf(3))
    assert gradcheck(lambda x, y: x * 2.0, (leaf(3), leaf(2)))


def test_layouts_are_kept():
    """The inputs are moved where they lie: a copy would lose the layout that is to be checked."""
    x = Tensor(np.random.default_rng(0).standard_normal((4, 6))[::-1, ::2].T, True)
    strides = []

    def record(x):
        strides.append(x.array.strides)
        return x * x

    before = x.array.copy()
    assert gradcheck(record, x)
    assert set(strides) == {x.array.strides}
    np.testing.assert_array_equal(x.array, before)


def test_interior_tensors_may_be_inputs():
    assert gradcheck(lambda x: x * x, leaf(3) * 2.0)


def test_nothing_is_left_in_grad():
    x = leaf(3)
    gradcheck(lambda x: x * x, x)
    gradgradcheck(lambda x: x * x, x)
    assert x.grad is None


def test_works_within_no_grad():
    x = leaf(3)
    with minidl.no_grad():
        assert gradcheck(lambda x: x * x, x)
        assert gradgradcheck(lambda x: x * x, x)
        assert not minidl.is_grad_enabled()


@pytest.mark.parametrize(("size", "fast_mode"), [(18, True), (19, False)])
def test_large_inputs_are_checked_along_directions(size, fast_mode):
    calls = []

    def counted(x, y):
        calls.append(1)
        return x @ y

    elements = 3 * size * size  # of two inputs and the output
    assert (elements > FULL) != fast_mode
    assert gradcheck(counted, (leaf(size, size), leaf(size, size, seed=1)), fast_mode=fast_mode)
    assert len(calls) < 10


def test_fast_mode_is_for_gradgradcheck_too():
    assert gradgradcheck(minidl.mul, (leaf(30, 30), leaf(30, 30, seed=1)))
    assert gradgradcheck(minidl.mul, (leaf(3, 3), leaf(3, 3, seed=1)), fast_mode=True)


def test_given_grad_outputs_are_used():
    g = leaf(3, seed=7)
    seen = []

    class Watched(Function):
        def forward(self, x):
            self.saved = (x,)
            return x * x

        def backward(self, g):
            seen.append(g)
            (x,) = self.saved
            return 2 * g * x

    assert gradgradcheck(lambda x: Watched().apply(x), leaf(3), g)
    assert any(y is g for y in seen)


# --- planted wrong gradients -------------------------------------------------------------------------------------


class Product(Function):
    """z = x y, with a place to go wrong in."""

    def forward(self, x, y):
        self.saved = x, y
        return x * y

    def backward(self, g):
        x, y = self.saved
        return g * y, g * x


class WrongSign(Product):
    def backward(self, g):
        x, y = self.saved
        return g * y, -(g * x)


class WrongFactor(Product):
    def backward(self, g):
        x, y = self.saved
        return g * y, 1.01 * g * x


class WrongByLittle(Product):
    def backward(self, g):
        x, y = self.saved
        return g * y, 1.0001 * g * x


class MissingTerm(Product):
    def backward(self, g):
        return g * self.saved[1], None


class WrongOperand(Product):
    def backward(self, g):
        x, y = self.saved
        return g * x, g * y


class WrongPlace(Product):
    """Right but for a single element."""

    def backward(self, g):
        x, y = self.saved
        wrong = np.ones(x.shape)
        wrong[1, 2] = 0.9
        return g * y * wrong, g * x


class IgnoresUpstream(Product):
    def backward(self, g):
        x, y = self.saved
        return y + 0.0 * g, x + 0.0 * g


class Transposed(Product):
    def backward(self, g):
        x, y = self.saved
        return (g * y).mT, g * x


class SharedBuffer(Product):
    """Both gradients in one buffer: the second one overwrites the first."""

    def backward(self, g):
        x, y = self.saved
        buffer = g * y
        first = buffer[...]
        buffer[...] = g * x
        return first, buffer


WRONG = [WrongSign, WrongFactor, MissingTerm, WrongOperand, WrongPlace, IgnoresUpstream, Transposed, SharedBuffer]


@pytest.mark.parametrize("fast_mode", [False, True])
@pytest.mark.parametrize("function", WRONG)
def test_planted_wrong_gradients_fail(function, fast_mode):
    inputs = leaf(4, 4), leaf(4, 4, seed=1)
    name = function.__name__
    message = fails("gradcheck: ", lambda x, y: function().apply(x, y), inputs, fast_mode=fast_mode)
    assert f"<lambda> (last operation {name}): d " in message
    assert gradcheck(lambda x, y: Product().apply(x, y), inputs, fast_mode=fast_mode)


@pytest.mark.parametrize("fast_mode", [False, True])
def test_a_small_error_fails_with_small_tolerances(fast_mode):
    inputs = leaf(4, 4), leaf(4, 4, seed=1)
    fails("gradcheck: ", lambda x, y: WrongByLittle().apply(x, y), inputs, rtol=1e-6, atol=1e-7, fast_mode=fast_mode)
    assert gradcheck(lambda x, y: Product().apply(x, y), inputs, rtol=1e-6, atol=1e-7, fast_mode=fast_mode)


def test_the_message_shows_operation_place_and_both_values():
    x, y = Tensor(np.array([[1.0, 2.0]]), True), Tensor(np.array([[3.0, 5.0]]), True)

    def product(x, y):
        return WrongSign().apply(x, y)

    message = fails("gradcheck: product (last operation WrongSign): ", product, (x, y))
    assert message == (
        "gradcheck: product (last operation WrongSign): d output 0[0, 1] / d input 1[0, 1]: analytic -2, numeric 2, "
        "difference 4 (allowed 0.00201)"
    )


def test_the_message_of_a_direction_names_the_element():
    def product(x, y):
        return WrongPlace().apply(x, y)

    message = fails("gradcheck: ", product, (leaf(30, 30), leaf(30, 30, seed=1)))
    assert "d v . output 0 for a random v / d input 0[1, 2]: analytic" in message


class WrongAxis(Function):
    """y_j = sum over i of x_ij; the gradient is copied along the wrong axis (a square input hides it from shapes)."""

    def forward(self, x):
        self.saved = (x,)
        return x.sum(0)

    def backward(self, g):
        (x,) = self.saved
        return m.broadcast_to(g.reshape(-1, 1), x.shape)


@pytest.mark.parametrize("fast_mode", [False, True])
def test_a_wrong_axis_fails(fast_mode):
    fails("gradcheck: ", lambda x: WrongAxis().apply(x), leaf(4, 4), fast_mode=fast_mode)


class WrongSecondOrder(Function):
    """y = x^3. The first order is right; on Tensors, where gradients are recorded, x counts as a constant."""

    def forward(self, x):
        self.saved = (x,)
        return x * x * x

    def backward(self, g):
        (x,) = self.saved
        x = x.detach() if isinstance(x, Tensor) else x
        return 3 * g * x * x


@pytest.mark.parametrize("fast_mode", [False, True])
def test_a_wrong_second_order_fails_in_gradgradcheck_alone(fast_mode):
    x = leaf(2, 3)

    def cube(x):
        return WrongSecondOrder().apply(x)

    assert gradcheck(cube, x, fast_mode=fast_mode)
    message = fails("gradgradcheck: the gradient of cube (last operation ", cube, x, gradgradcheck, fast_mode=fast_mode)
    assert "/ d input 0[" in message


class WrongGradOfUpstream(Function):
    """y = 2 x. The gradient does not follow g when it is recorded."""

    def forward(self, x):
        return 2 * x

    def backward(self, g):
        return 2 * (g.detach() if isinstance(g, Tensor) else g)


def test_a_gradient_cut_off_from_its_upstream_fails():
    def double(x):
        return WrongGradOfUpstream().apply(x)

    assert gradcheck(double, leaf(3))
    message = fails("gradgradcheck: ", double, leaf(3), gradgradcheck)
    assert "/ d input 1[" in message  # input 0 is x, input 1 the upstream gradient


# --- kinks and jumps ---------------------------------------------------------------------------------------------


def test_a_kink_is_told_from_an_error():
    x = Tensor(np.array([1.0, 0.0, -1.0]), True)
    message = fails("gradcheck: relu (last operation Relu): ", minidl.relu, x)
    assert message == (
        "gradcheck: relu (last operation Relu): d output 0[1] / d input 0[1] cannot be judged: input 0[1] lies within "
        "4e-06 of a kink of the function (slope 0 on its left, 1 on its right; analytic 0)"
    )


@pytest.mark.parametrize("distance", [-9e-7, -4e-7, 1e-7, 3.3e-7, 5e-7, 9e-7])
def test_a_kink_nearby_is_found(distance):
    message = fails("gradcheck: relu ", minidl.relu, Tensor(np.array([distance]), True))
    assert "of a kink of the function" in message
    assert gradcheck(minidl.relu, Tensor(np.array([20 * distance]), True))


@pytest.mark.parametrize("fast_mode", [False, True])
def test_a_kink_among_many_elements_is_found(fast_mode):
    x = leaf(6, 7)
    x.array[3, 4] = 0
    assert "input 0[3, 4] lies within 4e-06 of a kink" in fails("gradcheck: ", minidl.relu, x, fast_mode=fast_mode)


class Step(Function):
    """y = 1 where x > 0, else 0; dL/dx = 0."""

    def forward(self, x):
        return (x > 0).astype(x.dtype)

    def backward(self, g):
        return 0 * g


def test_a_jump_is_told_from_an_error():
    message = fails("gradcheck: ", lambda x: Step().apply(x), Tensor(np.array([1.0, 0.0]), True))
    assert "input 0[1] lies within 4e-06 of a jump of the function" in message
    assert gradcheck(lambda x: Step().apply(x), Tensor(np.array([1.0, 0.1]), True))


class WrongRelu(Function):
    def forward(self, x):
        return np.maximum(x, 0)

    def backward(self, g):
        return 3 * g


def test_a_wrong_gradient_at_a_kink_is_called_wrong():
    """At the kink any slope between 0 and 1 would do; 3 is wrong there too."""
    message = fails("gradcheck: ", lambda x: WrongRelu().apply(x), Tensor(np.array([0.0]), True))
    assert "analytic 3, numeric 0.5" in message


def test_strong_curvature_is_no_kink():
    """y = 1e4 x^2 bends so much that the slopes to the left and to the right differ, as they do at a kink."""

    class Bend(Function):
        def forward(self, x):
            self.saved = (x,)
            return 1e4 * x * x

        def backward(self, g):
            return 0.0 * g + 0.03  # lies between the slopes to the left and to the right of x = 0

    message = fails("gradcheck: ", lambda x: Bend().apply(x), Tensor(np.array([0.0]), True))
    assert "analytic 0.03, numeric 0" in message


# --- what cannot be checked --------------------------------------------------------------------------------------


def test_a_function_that_is_not_deterministic():
    rng = np.random.default_rng(0)

    def noisy(x):
        return x * float(rng.standard_normal())

    fails("gradcheck: noisy is not deterministic: output 0 differs between two equal calls", noisy, leaf(3))


def test_a_backward_that_is_not_deterministic():
    class Noisy(Product):
        calls = 0

        def backward(self, g):
            Noisy.calls += 1
            x, y = self.saved
            return g * y, g * x * (1 + 1e-3 * Noisy.calls)

    def noisy(x, y):
        return Noisy().apply(x, y)

    text = "gradcheck: noisy (last operation Noisy) is not deterministic: the gradient of input 1 differs between two"
    fails(text, noisy, (leaf(3), leaf(3, seed=1)))


def test_nondet_tol_allows_small_differences():
    calls = []

    def noisy(x):
        calls.append(1)
        return x * (1 + 1e-13 * len(calls))

    assert gradcheck(noisy, leaf(3), nondet_tol=1e-9)
    fails("gradcheck: noisy is not deterministic", noisy, leaf(3))


def test_values_that_are_not_finite():
    def nan(x):
        return x * Tensor(np.array([1.0, np.nan]))

    fails("gradcheck: nan: output 0[1] is not finite", nan, leaf(2))
    with np.errstate(all="ignore"):
        infinite = Tensor(np.array([[1.0, 0.0]]), True)
        fails("gradcheck: <lambda>: output 0[0, 1] is not finite", lambda x: 1.0 / x, infinite)


def test_a_gradient_that_is_not_finite():
    class Root(Function):
        def forward(self, x):
            return np.sqrt(x)

        def backward(self, g):
            return g * np.array([1.0, np.inf])

    def root(x):
        return Root().apply(x)

    text = "gradcheck: root (last operation Root): the gradient of input 0[1] is not finite"
    fails(text, root, Tensor(np.array([1.0, 0.0]), True))


def test_a_function_that_changes_its_input():
    def spoil(x):
        y = x * 2.0
        x.array[0] += 1
        return y

    fails("gradcheck: spoil changes its input 0 in place", spoil, leaf(3))


def invalid(error, text, func, inputs, check=gradcheck):
    """Misuse raises whatever raise_exception says: it is no verdict on the gradient."""
    for raise_exception in (True, False):
        with pytest.raises(error, match="^" + re.escape(text) + "$"):
            check(func, inputs, raise_exception=raise_exception)


def test_float32_is_refused():
    text = "gradcheck: input 1 is float32, but finite differences need float64"
    invalid(ValueError, text, minidl.mul, (leaf(2), leaf(2, dtype=np.float32)))


def test_float32_outputs_are_refused():
    text = "gradcheck: output 0 is float32, but finite differences need float64"
    invalid(ValueError, text, lambda x: minidl.ops.to_dtype(x, np.float32), leaf(2))


def test_inputs_without_gradients_are_refused():
    invalid(ValueError, "gradcheck: no input requires a gradient", minidl.relu, Tensor(np.ones(2)))
    invalid(ValueError, "gradgradcheck: no input requires a gradient", minidl.relu, Tensor(np.ones(2)), gradgradcheck)


def test_inputs_that_overlap_in_memory_are_refused():
    wide = Tensor(np.broadcast_to(np.ones(3), (2, 3)), True)
    text = (
        "gradcheck: elements of input 0 share memory (strides (0, 8)), so they cannot be moved one by one; "
        "clone() separates them"
    )
    invalid(ValueError, text, minidl.relu, wide)
    windows = Tensor(np.lib.stride_tricks.sliding_window_view(np.arange(5.0), 2), True)
    invalid(ValueError, text.replace("(0, 8)", "(8, 8)"), minidl.relu, windows)


def test_inputs_that_share_memory_with_each_other_are_refused():
    x = leaf(3)
    text = "gradcheck: inputs 0 and 1 share memory; clone() separates them"
    invalid(ValueError, text, minidl.mul, (x, x))
    invalid(ValueError, text, minidl.mul, (Tensor(x.array[:2]), Tensor(x.array[1:], True)))
    assert gradcheck(lambda x, y: x * y, (Tensor(x.array[::2], True), Tensor(x.array[1::2], True)))


def test_results_that_are_no_tensors_are_refused():
    invalid(TypeError, "gradcheck: the function must return Tensors, not ndarray", lambda x: x.array, leaf(3))
    text = "gradgradcheck: the function must return Tensors, not NoneType"
    invalid(TypeError, text, lambda x: None, leaf(3), gradgradcheck)


def test_an_error_in_the_function_leaves_the_inputs_as_they_were():
    x = leaf(3)
    before = x.array.copy()
    calls = []

    def breaks(x):
        calls.append(1)
        if len(calls) == 5:
            raise KeyError("on the way")
        return x * x

    with pytest.raises(KeyError):
        gradcheck(breaks, x)
    np.testing.assert_array_equal(x.array, before)
