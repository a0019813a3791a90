"""The graph and the walk back through it: modes, leaves, backward, grad, hooks, several outputs, depth and memory."""

import contextlib
import copy
import gc
import re
import threading
import weakref

import numpy as np
import pytest

import minidl
from minidl import Function, Tensor, enable_grad, grad, is_grad_enabled, no_grad, set_grad_enabled, walk


def leaf(*values, dtype=np.float64):
    return Tensor(np.array(values, dtype), True)


def number(value):
    """A leaf of shape ()."""
    return Tensor(np.array(float(value)), True)


def constant(*values):
    return Tensor(np.array(values, np.float64))


def raises(error, text):
    return pytest.raises(error, match="^" + re.escape(text) + "$")


class Cube(Function):
    """y = x^3."""

    def forward(self, x):
        self.saved = (x,)
        return x * x * x

    def backward(self, g):
        (x,) = self.saved
        return 3 * g * x * x


class Both(Function):
    """y = 2 x and z = 3 x: a Function with two outputs, the second of which may go unused."""

    def forward(self, x):
        return 2 * x, 3 * x

    def backward(self, g):
        return (2 * g[0] + 3 * g[1],)


class Twice(Function):
    """y = x and z = x in memory of their own; dL/dx takes its first part straight from the list that it gets."""

    def forward(self, x):
        return x.copy(), x.copy()

    def backward(self, g):
        return (g[0],)


class Exp(Function):
    """y = exp x, differentiated through its own output."""

    saves_output = True

    def forward(self, x):
        y = np.exp(x)
        self.saved = (y,)
        return y

    def backward(self, g):
        (y,) = self.saved
        return g * y


class Fused(Function):
    """y = x^2 z; saves x^2, which is neither input nor output, and so has a composed twin."""

    def forward(self, x, z):
        square = x * x
        self.saved = x, z, square
        return square * z

    def backward(self, g):
        x, z, square = self.saved
        return 2 * g * x * z, g * square

    def composed(self, x, z):
        return x * x * z


class Fails(Function):
    """y = x; backward raises what it was given."""

    def __init__(self, error):
        self.error = error

    def forward(self, x):
        return x.copy()

    def backward(self, g):
        raise self.error


# --- whether the graph is recorded -------------------------------------------------------------------------------


def test_modes_nest_and_are_restored():
    assert is_grad_enabled()
    with no_grad():
        assert not is_grad_enabled()
        with enable_grad():
            assert is_grad_enabled()
            with no_grad():
                assert not is_grad_enabled()
            assert is_grad_enabled()
        assert not is_grad_enabled()
    assert is_grad_enabled()


def test_modes_are_restored_after_an_exception():
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    assert is_grad_enabled()


def test_one_switch_may_be_entered_again_within_itself():
    switch = no_grad()
    with switch, enable_grad(), switch:
        assert not is_grad_enabled()
    assert is_grad_enabled()


def test_no_grad_records_nothing():
    x = leaf(1, 2)
    with no_grad():
        y = x * x
    assert not y.requires_grad
    assert y.grad_fn is None
    assert y.is_leaf


def test_enable_grad_records_within_no_grad():
    x = leaf(1, 2)
    with no_grad(), enable_grad():
        y = x * x
    assert y.requires_grad


def test_switches_decorate_functions():
    @no_grad()
    def inside():
        """Its words."""
        return is_grad_enabled()

    assert inside() is False
    assert inside.__doc__ == "Its words."
    assert is_grad_enabled()
    assert no_grad()(enable_grad()(is_grad_enabled))() is True


def test_a_decorated_function_may_call_itself():
    @no_grad()
    def depth(n):
        assert not is_grad_enabled()
        return n if n == 0 else depth(n - 1)

    depth(5)
    assert is_grad_enabled()


def test_a_decorated_function_restores_the_mode_after_an_exception():
    @no_grad()
    def fails():
        raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert is_grad_enabled()


def test_generators_are_not_decorated():
    """The block would be over before the first line of the generator runs."""

    def generator():
        yield 1

    with raises(TypeError, "no_grad: cannot decorate a generator; use a with block inside it"):
        no_grad()(generator)


def test_set_grad_enabled_switches_at_once():
    set_grad_enabled(False)
    try:
        assert not is_grad_enabled()
    finally:
        set_grad_enabled(True)
    assert is_grad_enabled()


def test_set_grad_enabled_as_block_and_as_decorator():
    with set_grad_enabled(False):
        assert not is_grad_enabled()
        with set_grad_enabled(True):
            assert is_grad_enabled()
        assert not is_grad_enabled()
    assert is_grad_enabled()
    decorated = set_grad_enabled(False)(is_grad_enabled)
    assert is_grad_enabled()
    assert decorated() is False
    assert is_grad_enabled()


def test_each_thread_has_its_own_mode():
    seen = []
    with no_grad():
        thread = threading.Thread(target=lambda: seen.append(is_grad_enabled()))
        thread.start()
        thread.join()
        assert not is_grad_enabled()
    assert seen == [True]


# --- tensors and leaves ------------------------------------------------------------------------------------------


def test_a_tensor_wraps_arrays_alone():
    text = "Tensor: wraps an array, not list (minidl.tensor(data) makes a tensor)"
    with raises(TypeError, text):
        Tensor([1.0])
    with raises(TypeError, text.replace("list", "float64")):
        Tensor(np.float64(1))


def test_leaves_and_results():
    x, c = leaf(1, 2), constant(1, 2)
    y = x * c
    assert x.is_leaf
    assert c.is_leaf
    assert not y.is_leaf
    assert y.requires_grad
    assert type(y.grad_fn).__name__ == "Mul"
    assert (c * c).is_leaf


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool"])
def test_only_floating_point_tensors_can_require_a_gradient(dtype):
    array = np.ones(2, dtype)
    text = f"requires_grad: only floating-point tensors can require a gradient, not {dtype}"
    with raises(RuntimeError, text):
        Tensor(array, True)
    x = Tensor(array)
    with raises(RuntimeError, text):
        x.requires_grad_()
    with raises(RuntimeError, text):
        x.requires_grad = True
    assert x.requires_grad is False
    assert x.requires_grad_(False) is x


def test_requires_grad_of_a_leaf_can_be_set():
    x = constant(1, 2)
    assert x.requires_grad_() is x
    assert (x * x).requires_grad
    x.requires_grad = False
    assert not (x * x).requires_grad


def test_requires_grad_of_a_result_can_only_be_on():
    y = leaf(1) * 2.0
    y.requires_grad_()
    with raises(RuntimeError, "requires_grad: only a leaf can be told to need no gradient; detach() gives one"):
        y.requires_grad = False


def test_detach_shares_memory_and_leaves_the_graph():
    x = leaf(1, 2)
    y = x * 3.0
    z = y.detach()
    assert np.shares_memory(z.array, y.array)
    assert not z.requires_grad
    assert z.is_leaf
    (y * z).sum().backward()
    assert x.grad.array.tolist() == [9.0, 18.0]  # z counts as a constant


def test_data_reads_and_replaces_the_values():
    x = leaf(1, 2)
    assert np.shares_memory(x.data.array, x.array)
    assert not x.data.requires_grad
    x.data = constant(5, 6)
    assert x.array.tolist() == [5.0, 6.0]
    assert x.requires_grad
    with raises(TypeError, "data: a Tensor is needed, not list"):
        x.data = [1.0]


def test_deepcopy_of_a_leaf_copies_values_and_gradient():
    x = leaf(1, 2)
    (x * x).sum().backward()
    y = copy.deepcopy(x)
    assert y.requires_grad
    assert y.is_leaf
    assert not np.shares_memory(y.array, x.array)
    assert not np.shares_memory(y.grad.array, x.grad.array)
    assert y.grad.array.tolist() == [2.0, 4.0]
    pair = copy.deepcopy([x, x])
    assert pair[0] is pair[1]
    with raises(RuntimeError, "deepcopy: only leaves can be copied with their graph; use clone() or detach()"):
        copy.deepcopy(x * x)


# --- backward ----------------------------------------------------------------------------------------------------


def test_product_rule():
    x, y = leaf(1, 2), leaf(3, 5)
    (x * y).sum().backward()
    assert x.grad.array.tolist() == [3.0, 5.0]
    assert y.grad.array.tolist() == [1.0, 2.0]


def test_gradients_add_up_over_backward_passes():
    x = leaf(1, 2)
    for passes in range(1, 4):
        (x * x).sum().backward()
        assert x.grad.array.tolist() == [2.0 * passes, 4.0 * passes]


def test_the_same_tensor_many_times():
    x = leaf(1, 2)
    y = x
    for _ in range(9):
        y = y + x
    (y * x * x).sum().backward()  # 10 x^3
    assert x.grad.array.tolist() == [30.0, 120.0]


def test_diamonds():
    """Every layer uses the one before twice: 2^20 paths, one visit a node."""
    x = number(1)
    y = x
    for _ in range(20):
        y = y + y
    y.backward()
    assert x.grad.array == 2.0**20


def test_a_leaf_may_start_the_walk():
    x = leaf(1, 2)
    g = constant(3, 4)
    x.backward(g)
    assert x.grad.array.tolist() == [3.0, 4.0]
    assert not np.shares_memory(x.grad.array, g.array)


def test_sums_of_gradients_without_dimensions():
    """NumPy returns a scalar for a sum of arrays of shape (): in place, nothing may be lost."""
    x = number(2)
    (x * 3.0 + x * 5.0 + x * 7.0 + x * 11.0).backward()
    assert x.grad.array == 26.0
    (x * 1.0 + x * 1.0).backward()
    assert x.grad.array == 28.0
    assert isinstance(x.grad.array, np.ndarray)
    (g,) = grad(x * x * x, x, create_graph=True)
    (h,) = grad(g, x)
    assert h.array == 12.0


def test_gradients_keep_their_buffers_apart():
    x, y = leaf(1, 2), leaf(3, 4)
    g = constant(1, 1)
    z = x + y
    z.backward(g)
    assert not np.shares_memory(x.grad.array, y.grad.array)
    assert not np.shares_memory(x.grad.array, g.array)
    (x + y).backward(g)
    assert x.grad.array.tolist() == [2.0, 2.0]
    assert y.grad.array.tolist() == [2.0, 2.0]
    assert g.array.tolist() == [1.0, 1.0]


class Reshaped(Function):
    """y = 2 x; its gradient is a view of an array made for it: all of that, or a part."""

    def __init__(self, part):
        self.part = part

    def forward(self, x):
        return 2 * x

    def backward(self, g):
        self.made = np.zeros((3, 2 + self.part), g.dtype)
        self.made[:, :2] = 2 * g.T
        return self.made[:, :2].T


@pytest.mark.parametrize("part", [0, 1])
def test_a_whole_new_array_in_another_form_becomes_the_gradient_itself(part):
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    function = Reshaped(part)
    function.apply(x).backward(Tensor(np.ones((2, 3))))
    assert x.grad.tolist() == [[2.0] * 3] * 2
    assert np.shares_memory(x.grad.array, function.made) is (part == 0)  # a part would keep the rest in memory


def test_gradients_recorded_in_the_graph_are_apart_too():
    x, y, g = leaf(1, 2), leaf(3, 4), constant(1, 1)
    (x + y).backward(g, create_graph=True)
    assert len({id(t.grad) for t in (x, y)} | {id(g)}) == 3
    assert not np.shares_memory(x.grad.array, y.grad.array)
    assert not np.shares_memory(x.grad.array, g.array)


def test_a_gradient_of_float32_stays_float32():
    x = leaf(1, 2, dtype=np.float32)
    (x * 2.0 + x / 3.0).sum().backward()
    assert x.grad.dtype == np.float32


def test_backward_needs_something_that_requires_a_gradient():
    text = "backward: the tensor does not require a gradient, and nothing that it was made of does"
    with raises(RuntimeError, text):
        constant(1).backward()


def test_backward_of_several_elements_needs_a_gradient():
    x = leaf(1, 2)
    with raises(RuntimeError, "backward: a gradient must be given for a tensor of shape (2,) (not a scalar)"):
        (x * x).backward()
    x.sum().reshape(1, 1).backward()  # one element is enough, whatever the shape
    assert x.grad.array.tolist() == [1.0, 1.0]


def test_backward_checks_the_gradient_that_it_is_given():
    y = leaf(1, 2) * 2.0
    with raises(TypeError, "backward: gradient must be a Tensor, not ndarray"):
        y.backward(np.ones(2))
    with raises(RuntimeError, "backward: gradient has shape (3,), but the tensor has shape (2,)"):
        y.backward(constant(1, 1, 1))
    with raises(RuntimeError, "backward: gradient is float32, but the tensor is float64"):
        y.backward(Tensor(np.ones(2, np.float32)))


FREED = "backward: the graph was used before and freed (retain_graph=True in the first pass keeps it)"


def test_backward_twice_needs_retain_graph():
    x = leaf(1, 2)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.array.tolist() == [4.0, 8.0]
    with raises(RuntimeError, FREED):
        y.backward()
    assert x.grad.array.tolist() == [4.0, 8.0]


def test_a_freed_part_of_a_graph_is_noticed():
    x = leaf(1, 2)
    y = x * x
    y.sum().backward()
    with raises(RuntimeError, FREED):
        (y * 2.0).sum().backward()
    with raises(RuntimeError, FREED):
        grad((y * 2.0).sum(), x)


def test_backward_runs_within_no_grad():
    x = leaf(1, 2)
    y = (x * x).sum()
    with no_grad():
        y.backward()
        assert not is_grad_enabled()
    assert x.grad.array.tolist() == [2.0, 4.0]
    assert not x.grad.requires_grad


def test_create_graph_records_within_no_grad():
    x = leaf(1, 2)
    y = (x * x * x).sum()
    with no_grad():
        y.backward(create_graph=True)
        assert not is_grad_enabled()
    (g,) = grad(x.grad.sum(), x)
    assert g.array.tolist() == [6.0, 12.0]


def test_threads_walk_their_own_graphs_at_the_same_time():
    results = {}

    def work(k):
        x = leaf(k, k + 1)
        for _ in range(50):
            x.grad = None
            y = x
            for _ in range(20):
                y = y * 1.0 + x
            (y * y).sum().backward()
        results[k] = x.grad.array.tolist()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {k: [2 * 21**2 * k, 2 * 21**2 * (k + 1)] for k in range(4)}


# --- higher orders -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("x0", [0.0, 0.7, -1.3])
def test_every_order_of_a_power(x0):
    """d^k/dx^k x^6 = 6! / (6 - k)! x^(6 - k), up to the order at which nothing is left."""
    x = number(x0)
    y = x * x * x * x * x * x
    expected = 1.0
    for k in range(6):
        expected *= 6 - k
        (y,) = grad(y, x, create_graph=True)
        np.testing.assert_allclose(y.array, expected * x0 ** (5 - k), rtol=1e-12)


def test_every_order_of_the_exponential():
    """Exp saves its output, which stands in the graph as itself: every derivative is exp again."""
    x = number(0.3)
    y = Exp().apply(x)
    for _ in range(5):
        (y,) = grad(y, x, create_graph=True)
        np.testing.assert_allclose(y.array, np.exp(0.3), rtol=1e-14)


def test_third_order_through_a_composed_twin():
    """y = x^2 z^2 by a fused node: dy/dx = 2 x z^2, d2y/dx2 = 2 z^2, d3y/dx2dz = 4 z."""
    x, z = number(3), number(5)
    y = Fused().apply(x, z * z)
    (first,) = grad(y, x, create_graph=True)
    (second,) = grad(first, x, create_graph=True)
    (third,) = grad(second, z)
    assert (first.array, second.array, third.array) == (150.0, 50.0, 20.0)


def test_a_twin_keeps_the_gradients_of_one_tensor_as_two_inputs_apart():
    x = number(3)
    y = Fused().apply(x, x)  # x^3
    (first,) = grad(y, x, create_graph=True)
    (second,) = grad(first, x)
    assert (first.array, second.array) == (27.0, 18.0)


def test_a_twin_does_not_walk_beyond_its_own_inputs(monkeypatch):
    """Otherwise n fused nodes in a row would cost n^2."""
    visited = []
    reachable = walk.reachable

    def counted(*args):
        nodes = reachable(*args)
        visited.append(len(nodes))
        return nodes

    monkeypatch.setattr(walk, "reachable", counted)
    x = y = leaf(1, 1)
    for _ in range(50):
        y = Fused().apply(y, x)
    grad(y.sum(), x, create_graph=True)
    assert len(visited) == 51
    assert sum(visited) < 50 * 10


def test_a_twin_leaves_constants_alone():
    x, z = constant(3), leaf(5)
    (g,) = grad(Fused().apply(x, z), z, constant(1), create_graph=True)
    assert g.array.tolist() == [9.0]


def test_a_saved_array_without_a_twin_is_refused_with_create_graph():
    class Untold(Function):
        def forward(self, x):
            square = x * x
            self.saved = (x, square)
            return square * x

        def backward(self, g):
            return 3 * g * self.saved[1]

    x = number(2)
    (g,) = grad(Untold().apply(x), x)
    assert g.array == 12.0
    with raises(RuntimeError, "Untold saves an array that is neither input nor output: it needs a twin"):
        grad(Untold().apply(x), x, create_graph=True)


def test_a_gradient_of_a_gradient_penalty():
    """L = |dy/dx|^2 with y = x^3: L = 9 x^4, dL/dx = 36 x^3."""
    x = leaf(1, 2)
    (g,) = grad((x * x * x).sum(), x, create_graph=True)
    (g * g).sum().backward()
    assert x.grad.array.tolist() == [36.0, 288.0]


def test_backward_with_create_graph_adds_to_grad():
    x = leaf(1, 2)
    (x * x * x).sum().backward(create_graph=True)
    (x * x).sum().backward(create_graph=True)
    assert x.grad.array.tolist() == [5.0, 16.0]
    (g,) = grad(x.grad.sum(), x)
    assert g.array.tolist() == [8.0, 14.0]


def test_a_plain_pass_after_a_recorded_one_does_not_change_what_was_recorded():
    x = leaf(1, 2)
    (x * x * x).sum().backward(create_graph=True)
    first = x.grad
    (x * x).sum().backward()
    assert first.array.tolist() == [3.0, 12.0]
    assert x.grad.array.tolist() == [5.0, 16.0]


def test_masks_and_outputs_without_dimensions_are_recorded():
    """Where x has no dimensions, NumPy makes scalars of what forward saves."""
    x = number(2)
    (g,) = grad(minidl.relu(x) * x, x, create_graph=True)
    assert g.array == 4.0
    (h,) = grad(g, x)
    assert h.array == 2.0


# --- grad --------------------------------------------------------------------------------------------------------


def test_grad_returns_gradients_and_leaves_grad_alone():
    x, y = leaf(1, 2), leaf(3, 4)
    found = grad((x * y).sum(), [x, y])
    assert [g.array.tolist() for g in found] == [[3.0, 4.0], [1.0, 2.0]]
    assert x.grad is None
    assert y.grad is None


def test_grad_of_several_outputs_is_their_weighted_sum():
    x = leaf(1, 2)
    (g,) = grad([x * x, x.sum()], x, [constant(1, 10), None])
    assert g.array.tolist() == [3.0, 41.0]


def test_grad_with_the_same_output_twice():
    x = number(3)
    y = x * x
    assert grad([y, y], x)[0].array == 12.0
    assert grad([x, x], x)[0].array == 2.0


def test_grad_with_the_same_input_twice():
    x = leaf(1, 2)
    first, second = grad((x * x).sum(), [x, x])
    assert first.array.tolist() == second.array.tolist() == [2.0, 4.0]
    assert not np.shares_memory(first.array, second.array)


def test_grad_with_respect_to_interior_tensors():
    x = leaf(1, 2)
    y = x * x
    z = (y * y).sum()
    gy, gx = grad(z, [y, x])
    assert gy.array.tolist() == [2.0, 8.0]
    assert gx.array.tolist() == [4.0, 32.0]


def test_grad_with_respect_to_the_output_itself():
    x = leaf(1, 2)
    y = x * x
    g = constant(5, 6)
    (found,) = grad(y, y, g)
    assert found.array.tolist() == [5.0, 6.0]
    assert not np.shares_memory(found.array, g.array)


def test_grad_visits_only_what_leads_to_the_inputs():
    x, z = leaf(1, 2), leaf(3, 4)
    aside = Fails(KeyError("visited")).apply(z)
    (g,) = grad((x * x + aside).sum(), x)
    assert g.array.tolist() == [2.0, 4.0]


def test_grad_stops_before_what_lies_behind_the_inputs():
    x = leaf(1, 2)
    y = Fails(KeyError("visited")).apply(x)
    (g,) = grad((y * y).sum(), y)
    assert g.array.tolist() == [2.0, 4.0]


def test_grad_of_an_unused_input():
    x, y = leaf(1, 2), leaf(3, 4)
    text = "grad: the outputs do not depend on input 1 (allow_unused=True gives None for it)"
    z = (x * x).sum()
    with raises(RuntimeError, text):
        grad(z, [x, y], retain_graph=True)
    found = grad(z, [x, y], allow_unused=True)
    assert found[0].array.tolist() == [2.0, 4.0]
    assert found[1] is None


def test_grad_checks_its_arguments():
    x = leaf(1, 2)
    with raises(TypeError, "grad: input 1 is ndarray, not a Tensor"):
        grad(x.sum(), [x, np.ones(2)])
    with raises(RuntimeError, "grad: input 0 does not require a gradient"):
        grad(x.sum(), constant(1))
    with raises(ValueError, "grad: 2 outputs, but 1 grad_outputs"):
        grad([x.sum(), x.sum()], x, [None])
    with raises(TypeError, "grad: a Tensor is needed, not float"):
        grad([1.0], x)
    with raises(RuntimeError, "grad: a gradient must be given for a tensor of shape (2,) (not a scalar)"):
        grad(x * x, x)


def test_grad_frees_the_graph_unless_told_otherwise():
    x = leaf(1, 2)
    y = (x * x).sum()
    grad(y, x, retain_graph=True)
    grad(y, x, create_graph=True)
    grad(y, x)
    with raises(RuntimeError, FREED):
        grad(y, x)


# --- several outputs ---------------------------------------------------------------------------------------------


def test_both_outputs_one_output_and_the_other():
    for use, expected in [
        (lambda y, z: y * 1.0 + z * 10.0, 32.0),
        (lambda y, z: y * 1.0, 2.0),
        (lambda y, z: z * 10.0, 30.0),
        (lambda y, z: y + y + z, 7.0),
    ]:
        x = leaf(1, 2)
        use(*Both().apply(x)).sum().backward()
        assert x.grad.array.tolist() == [expected, expected]
        (g,) = grad(use(*Both().apply(x)).sum(), x, create_graph=True)
        assert g.array.tolist() == [expected, expected]


def test_outputs_with_different_dtypes():
    class Sorted(Function):
        def forward(self, x):
            order = np.argsort(x)
            self.saved = (order,)
            return x[order], order

        def backward(self, g):
            back = np.empty_like(g[0])
            back[self.saved[0]] = g[0]
            return (back,)

    x = leaf(3, 1, 2)
    values, order = Sorted().apply(x)
    assert values.requires_grad
    assert not order.requires_grad
    assert order.is_leaf
    (values * constant(1, 10, 100)).sum().backward()
    assert x.grad.array.tolist() == [100.0, 1.0, 10.0]


def test_a_part_of_the_list_of_gradients_may_be_returned_as_it_is():
    """The part may be someone else's array: a later sum must not be written into it."""
    w, x = leaf(1, 2), leaf(5, 5)
    y, _ = Twice().apply(x)
    other, _ = Twice().apply(x)
    g = constant(1, 1)
    (y + w * 1.0 + other).backward(g)
    assert w.grad.array.tolist() == [1.0, 1.0]
    assert x.grad.array.tolist() == [2.0, 2.0]
    assert g.array.tolist() == [1.0, 1.0]


def test_grad_with_respect_to_one_of_several_outputs():
    x = leaf(1, 2)
    y, z = Both().apply(x)
    gy, gz = grad((y * z).sum(), [y, z])
    assert gy.array.tolist() == [3.0, 6.0]
    assert gz.array.tolist() == [2.0, 4.0]


def test_a_freed_function_with_several_outputs_is_noticed():
    x = leaf(1, 2)
    y, z = Both().apply(x)
    y.sum().backward()
    with raises(RuntimeError, FREED):
        z.sum().backward()


# --- hooks and retain_grad ---------------------------------------------------------------------------------------


def test_a_hook_sees_the_sum_of_the_gradients():
    x = leaf(1, 2)
    y = x * 2.0
    seen = []
    y.register_hook(lambda g: seen.append(g.array.tolist()))
    x.register_hook(lambda g: seen.append(g.array.tolist()))
    (y * 3.0 + y * 4.0).sum().backward()
    assert seen == [[7.0, 7.0], [14.0, 14.0]]


def test_what_a_hook_returns_replaces_the_gradient():
    x = leaf(1, 2)
    y = x * 2.0
    y.register_hook(lambda g: g * 10.0)
    x.register_hook(lambda g: g + 1.0)
    x.register_hook(lambda g: g * 2.0)
    y.sum().backward()
    assert x.grad.array.tolist() == [42.0, 42.0]


def test_hooks_take_part_in_higher_orders():
    x = number(3)
    y = x * x
    y.register_hook(lambda g: g * x * x)
    (g,) = grad(y * 1.0, x, create_graph=True)  # x^2 times 2 x
    (h,) = grad(g, x)
    assert (g.array, h.array) == (54.0, 54.0)


def test_hooks_run_with_grad_as_well():
    x = leaf(1, 2)
    x.register_hook(lambda g: g * 10.0)
    (g,) = grad((x * x).sum(), x)
    assert g.array.tolist() == [20.0, 40.0]


def test_hooks_are_removed():
    x = leaf(1, 2)
    handle = x.register_hook(lambda g: g * 10.0)
    handle.remove()
    handle.remove()
    x.sum().backward()
    assert x.grad.array.tolist() == [1.0, 1.0]


def test_a_gradient_that_a_hook_keeps_does_not_change_later():
    x = leaf(1, 2)
    kept = []
    x.register_hook(kept.append)
    (x * x).sum().backward()
    (x * x).sum().backward()
    assert [g.array.tolist() for g in kept] == [[2.0, 4.0], [2.0, 4.0]]
    assert x.grad.array.tolist() == [4.0, 8.0]


def test_hooks_must_return_a_gradient_that_fits():
    x = leaf(1, 2)
    x.register_hook(lambda g: g.array)
    with raises(RuntimeError, "register_hook: a hook must return None or a Tensor of shape (2,)"):
        x.sum().backward()
    y = leaf(1, 2)
    y.register_hook(lambda g: Tensor(np.ones(2, np.float32)))
    with raises(RuntimeError, "backward: a gradient of float32 arrived at a leaf of float64"):
        y.sum().backward()
    assert y.grad is None


def test_hooks_need_a_tensor_that_requires_a_gradient():
    with raises(RuntimeError, "register_hook: the tensor does not require a gradient"):
        constant(1).register_hook(print)
    with raises(RuntimeError, "retain_grad: the tensor does not require a gradient"):
        constant(1).retain_grad()


def test_retain_grad_keeps_the_gradient_of_an_interior_tensor():
    x = leaf(1, 2)
    y = x * 2.0
    y.retain_grad()
    x.retain_grad()
    z = (y * y).sum()
    z.backward(retain_graph=True)
    assert y.grad.array.tolist() == [4.0, 8.0]
    z.backward()
    assert y.grad.array.tolist() == [8.0, 16.0]
    assert x.grad.array.tolist() == [16.0, 32.0]
    assert (x * 2.0).grad is None


def test_a_retained_gradient_has_memory_of_its_own():
    x, g = leaf(1, 2), constant(1, 1)
    y = x * 2.0
    y.retain_grad()
    y.backward(g, retain_graph=True)
    y.backward(g)
    assert y.grad.array.tolist() == [2.0, 2.0]
    assert g.array.tolist() == [1.0, 1.0]


def test_hooks_of_leaves_that_nobody_asked_for_do_not_run():
    x, y = leaf(1, 2), leaf(3, 4)
    seen = []
    y.register_hook(seen.append)
    grad((x * y).sum(), x)
    assert seen == []


# --- errors on the way -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError("planted"), KeyboardInterrupt(), MemoryError()])
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_pass_that_fails_leaves_every_grad_as_it_was(error, create_graph):
    x, y = leaf(1, 2), leaf(3, 4)
    (x * y).sum().backward()
    before = x.grad.array.copy(), y.grad.array.copy()
    z = (Fails(error).apply(x) * y).sum() + (x * y).sum()
    with pytest.raises(type(error)):
        z.backward(create_graph=create_graph)
    np.testing.assert_array_equal(x.grad.array, before[0])
    np.testing.assert_array_equal(y.grad.array, before[1])
    assert is_grad_enabled()
    z = Fails(error).apply(x).sum()
    with no_grad():
        with pytest.raises(type(error)):
            z.backward(create_graph=create_graph)
        assert not is_grad_enabled()


def test_a_hook_that_fails_leaves_every_grad_as_it_was():
    x, y = leaf(1, 2), leaf(3, 4)

    def fails(g):
        raise KeyError("planted")

    y.register_hook(fails)
    with pytest.raises(KeyError):
        (x * y).sum().backward()
    assert x.grad is None
    assert y.grad is None


def test_a_grad_of_another_shape_is_refused_before_any_other_changes():
    for turn in (0, 1):
        x, y = leaf(1), leaf(3)
        wrong, other = (x, y) if turn else (y, x)
        wrong.grad, other.grad = constant(1), constant(5)
        wrong.data = constant(1, 2)
        with raises(RuntimeError, "backward: grad has shape (1,), but the tensor has shape (2,)"):
            (x * y).sum().backward()
        assert other.grad.array.tolist() == [5.0]


def test_only_what_fits_can_be_put_into_grad():
    x = leaf(1, 2)
    with raises(TypeError, "grad: a Tensor or None is needed, not ndarray"):
        x.grad = np.ones(2)
    with raises(RuntimeError, "grad: a tensor cannot be its own gradient"):
        x.grad = x
    with raises(RuntimeError, "grad: the gradient has shape (1,), but the tensor has shape (2,)"):
        x.grad = constant(1)
    with raises(RuntimeError, "grad: the gradient has dtype float32, but the tensor has dtype float64"):
        x.grad = Tensor(np.ones(2, np.float32))
    with raises(RuntimeError, "grad: the memory of the gradient cannot be written to; clone() it first"):
        x.grad = constant(1).expand(2)
    assert x.grad is None
    x.grad = constant(5, 6)
    (x * x).sum().backward()
    assert x.grad.array.tolist() == [7.0, 10.0]


def test_new_data_between_forward_and_backward():
    x = leaf(1, 2)
    y = (x * x).sum()
    x.data = constant(7, 7)
    y.backward()
    assert x.grad.array.tolist() == [2.0, 4.0]  # the gradient where y was computed
    x = leaf(1, 2)
    y = (x * x).sum()
    x.data = constant(1, 2, 3)
    with raises(RuntimeError, "backward: a gradient of shape (2,) arrived at a leaf of shape (3,)"):
        y.backward()
    assert x.grad is None


def test_data_of_a_leaf_that_requires_a_gradient_is_floating_point():
    x = leaf(1, 2)
    with raises(RuntimeError, "data: the tensor requires a gradient, which one of int64 cannot"):
        x.data = Tensor(np.array([1, 2]))
    assert x.array.tolist() == [1.0, 2.0]


def test_a_hook_is_a_function():
    with raises(TypeError, "register_hook: the hook must be a function, not int"):
        leaf(1).register_hook(5)


def test_grad_of_no_tensors():
    x = leaf(1, 2)
    with raises(TypeError, "grad: outputs must be a Tensor or several, not float"):
        grad(1.0, x)
    with raises(TypeError, "grad: inputs must be a Tensor or several, not NoneType"):
        grad(x.sum(), None)
    with raises(ValueError, "grad: inputs must name at least one Tensor"):
        grad(x.sum(), [])


def test_a_result_that_memory_cannot_hold():
    column, row = Tensor(np.zeros((1, 1))).expand(2**28, 1), Tensor(np.zeros(1)).expand(2**28)
    with raises(MemoryError, "Mul: not enough memory (inputs of shapes (268435456, 1), (268435456,))"):
        column * row


def test_a_leaf_that_no_longer_requires_a_gradient_gets_none():
    x, y = leaf(1, 2), leaf(3, 4)
    z = (x * y).sum()
    x.requires_grad_(False)
    z.backward()
    assert x.grad is None
    assert y.grad.array.tolist() == [1.0, 2.0]


def test_a_twin_that_fails_restores_the_mode_and_the_node():
    class Broken(Fused):
        def composed(self, x, z):
            raise KeyError("planted")

    x = number(2)
    y = Broken().apply(x, x)
    with no_grad():
        with pytest.raises(KeyError):
            grad(y, x, create_graph=True)
        assert not is_grad_enabled()
    assert grad(y, x)[0].array == 12.0


def test_functions_that_break_their_contract_are_named():
    class Short(Function):
        def forward(self, x, y):
            return x * y

        def backward(self, g):
            return g

    class Turned(Function):
        def forward(self, x):
            return x.copy()

        def backward(self, g):
            return g.mT

    class Widened(Function):
        def forward(self, x):
            return x.copy()

        def backward(self, g):
            return g.astype(np.float64)

    class Empty(Function):
        pass

    x = Tensor(np.ones((2, 3)), True)
    with raises(RuntimeError, "Short.backward: 1 gradients were returned for 2 inputs"):
        Short().apply(x, x).sum().backward()
    text = "Turned.backward: a gradient of shape (3, 2) was returned for an input of shape (2, 3)"
    with raises(RuntimeError, text):
        Turned().apply(x).sum().backward()
    narrow = leaf(1, 2, dtype=np.float32)
    with raises(RuntimeError, "backward: a gradient of float64 arrived at a leaf of float32"):
        Widened().apply(narrow).sum().backward()
    with raises(RuntimeError, "Mul: the gradient is float64, the output float32"):
        Widened().apply(narrow * 2.0).sum().backward()
    with raises(NotImplementedError, "Empty has no forward"):
        Empty().apply(x)


def test_a_function_is_one_node():
    function = Cube()
    x = leaf(1, 2)
    function.apply(x)
    text = "Cube: a Function is one node of the graph; make a new one to apply it again"
    with raises(RuntimeError, text):
        function.apply(x)


# --- depth and memory --------------------------------------------------------------------------------------------


def chain(x, length=100_000):
    y = x
    for _ in range(length):
        y = y + 1.0
    return y


def test_a_graph_of_100_000_nodes():
    """No recursion anywhere: forward, backward, with create_graph, and when the graph is let go of."""
    x = number(1)
    y = chain(x)
    y.backward(retain_graph=True)
    assert x.grad.array == 1.0
    (g,) = grad(y, x, create_graph=True)
    assert g.array == 1.0
    del y, g
    y = chain(x)
    del y


def test_a_recorded_gradient_of_100_000_nodes():
    x = number(1)
    y = x
    for _ in range(100_000):
        y = y * 1.0
    (g,) = grad(y * x, x, create_graph=True)
    (h,) = grad(g, x)
    assert (g.array, h.array) == (2.0, 2.0)


@pytest.fixture
def no_collector():
    """Whatever vanishes within the test does so by counting references: nothing goes in a circle."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_backward_frees_what_was_saved(no_collector):
    x = leaf(1, 2)
    y = x * 2.0
    saved = weakref.ref(y.array)
    z = (y * y).sum()
    del y
    assert saved() is not None
    z.backward()
    assert saved() is None


def test_retain_graph_keeps_what_was_saved(no_collector):
    x = leaf(1, 2)
    y = x * 2.0
    saved = weakref.ref(y.array)
    z = (y * y).sum()
    del y
    z.backward(retain_graph=True)
    assert saved() is not None
    del z
    assert saved() is None


def test_what_no_backward_needs_is_not_kept(no_collector):
    """The graph links nodes, not tensors: sums save nothing, so the array between them goes at once."""
    x = leaf(1, 2)
    y = x + 1.0
    between = weakref.ref(y.array)
    z = (y + 1.0).sum()
    del y
    assert between() is None
    z.backward()
    assert x.grad.array.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "build",
    [
        lambda x: (x * x).sum(),
        lambda x: Exp().apply(x).sum(),
        lambda x: Fused().apply(x, x).sum(),
        lambda x: Both().apply(x)[0].sum(),
        lambda x: grad((x * x * x).sum(), x, create_graph=True)[0].sum(),
        lambda x: grad(Fused().apply(x, x).sum(), x, create_graph=True)[0].sum(),
    ],
    ids=["product", "saved_output", "twin", "several_outputs", "recorded_gradient", "recorded_twin"],
)
def test_a_graph_is_let_go_of_without_the_collector(no_collector, build):
    x = leaf(1, 2)
    y = build(x)
    node = weakref.ref(y.grad_fn)
    array = weakref.ref(y.array)
    del y
    assert node() is None
    assert array() is None


def test_hooks_and_retain_grad_close_no_circle(no_collector):
    x = leaf(1, 2)
    y = x * 2.0
    seen = []
    handle = y.register_hook(seen.append)
    y.retain_grad()
    node, hooks = weakref.ref(y.grad_fn), weakref.ref(handle)
    y.sum().backward()
    del y, handle
    assert node() is None
    assert hooks() is None


def test_a_failed_pass_keeps_nothing(no_collector):
    x = leaf(1, 2)
    y = x * 2.0
    array = weakref.ref(y.array)
    z = (Fails(KeyError("planted")).apply(y) * y).sum()
    with contextlib.suppress(KeyError):
        z.backward()
    del y, z
    assert array() is None


def test_a_factor_over_the_same_memory_is_a_constant_in_gradients_of_gradients():
    """Several tensors may share their memory, but only the one that was asked for is differentiated."""
    memory = np.array([3.0], np.float32)
    x = minidl.from_numpy(memory).requires_grad_()
    replaced = minidl.tensor([7.0])
    replaced.data = x
    for constant in (x.detach(), x.data, replaced, minidl.from_numpy(memory)):
        (g,) = minidl.grad((x * constant * x).sum(), x, create_graph=True)
        (second,) = minidl.grad(g.sum(), x)
        assert g.tolist() == [18.0]
        assert second.tolist() == [6.0]
