"""The graph and the walk through it."""

import numpy as np

import minidl


def test_product_rule():
    x = minidl.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    np.testing.assert_array_equal(x.grad.array, [2.0, 4.0])


def test_a_detached_factor_is_a_constant_in_gradients_of_gradients():
    """x and x.detach() share their memory, but only one of them may be differentiated."""
    replaced = minidl.tensor([7.0])
    x = minidl.tensor([3.0], requires_grad=True)
    replaced.data = x
    for constant in (x.detach(), x.data, replaced):
        (g,) = minidl.grad((x * constant * x).sum(), x, create_graph=True)
        (second,) = minidl.grad(g.sum(), x)
        np.testing.assert_array_equal(g.array, [18.0])
        np.testing.assert_array_equal(second.array, [6.0])
