"""Clipping gradients."""

import math
import re

import numpy as np
import pytest

import minidl
from minidl.nn import Parameter
from minidl.nn.utils import clip_grad_norm_, clip_grad_value_


def error(kind, text):
    return pytest.raises(kind, match=f"^{re.escape(text)}$")


def parameters(*gradients):
    found = []
    for gradient in gradients:
        parameter = Parameter(minidl.zeros(np.shape(gradient)))
        parameter.grad = minidl.tensor(gradient, dtype=minidl.float32)
        found.append(parameter)
    return found


def test_a_long_gradient_is_shortened_and_keeps_its_direction():
    first, second = parameters([3.0, 0.0], 4.0)
    unused = Parameter(minidl.zeros(5))
    before = first.grad.version[0]
    total = clip_grad_norm_(iter([first, unused, second]), 1.0)
    assert total.item() == 5
    assert total.dtype == minidl.float32
    assert first.grad.tolist() == pytest.approx([0.6, 0], rel=1e-6)
    assert second.grad.item() == pytest.approx(0.8, rel=1e-6)
    assert first.grad.dtype == minidl.float32
    assert first.grad.version[0] == before + 1
    assert unused.grad is None


def test_a_short_gradient_stays():
    (x,) = parameters([0.3, 0.4])
    clip_grad_norm_(x, 1.0)
    assert x.grad.tolist() == minidl.tensor([0.3, 0.4]).tolist()


def test_other_norms():
    assert clip_grad_norm_(parameters([1.0, -2.0], [3.0]), 100, norm_type=1).item() == 6
    assert clip_grad_norm_(parameters([1.0, -5.0], [3.0]), 100, norm_type=math.inf).item() == 5
    total = clip_grad_norm_(parameters([1.0, -2.0], [2.0]), 100, norm_type=3).item()
    assert total == pytest.approx(17 ** (1 / 3), rel=1e-6)


def test_no_gradients_and_empty_ones():
    assert clip_grad_norm_([Parameter(minidl.zeros(2))], 1.0).item() == 0
    assert clip_grad_norm_(parameters(np.zeros((0, 3))), 1.0).item() == 0


def test_not_finite():
    (x,) = parameters([math.inf, 1.0])
    with error(RuntimeError, "clip_grad_norm_: the norm of the gradients is inf"):
        clip_grad_norm_(x, 1.0, error_if_nonfinite=True)
    assert x.grad.tolist() == [math.inf, 1.0]
    assert clip_grad_norm_(x, 1.0).item() == math.inf


def test_values_are_cut():
    (x,) = parameters([-3.0, 0.5, 3.0])
    before = x.grad.version[0]
    clip_grad_value_([x], 1)
    assert x.grad.tolist() == [-1, 0.5, 1]
    assert x.grad.version[0] == before + 1


def test_errors():
    (x,) = parameters([1.0])
    with error(ValueError, "clip_grad_norm_: max_norm must not be negative, but is -1"):
        clip_grad_norm_(x, -1)
    with error(ValueError, "clip_grad_norm_: norm_type must be positive, but is 0"):
        clip_grad_norm_(x, 1, 0)
    with error(ValueError, "clip_grad_value_: clip_value must not be negative, but is -1"):
        clip_grad_value_(x, -1)
    with error(TypeError, "clip_grad_norm_: max_norm must be a number, not str"):
        clip_grad_norm_(x, "1")
    with error(TypeError, "clip_grad_norm_: parameters[1] must be a Tensor, not ndarray"):
        clip_grad_norm_([x, np.ones(1)], 1)
