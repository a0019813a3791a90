"""The graph and the walk through it."""

import numpy as np

import minidl


def test_product_rule():
    x = minidl.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    np.testing.assert_array_equal(x.grad.array, [2.0, 4.0])
