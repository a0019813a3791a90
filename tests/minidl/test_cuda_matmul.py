"""Products of matrices go from the engine to the kernels for GPUs and back, where they are asked for."""

import re

import numpy as np
import pytest
from simulated import assert_same, pairs, simulated_gpu

import minidl
import minidl.nn.functional as F

SETTINGS = minidl.backends.cuda


@pytest.fixture(autouse=True)
def gpu(monkeypatch):
    with simulated_gpu(monkeypatch) as simulator:
        yield simulator


@pytest.mark.parametrize(
    ("x", "y"), [((5, 7), (7, 3)), ((2, 3, 4), (4, 5)), ((2, 1, 3, 4), (5, 4, 2)), ((4,), (2, 4, 3)), ((3, 1), (1, 4))]
)
def test_products_and_their_gradients_go_to_the_kernels(gpu, x, y):
    SETTINGS.preferred_blas_library("kernels")
    here, there = pairs(x, y)
    for product in (here[0] @ here[1], there[0] @ there[1]):
        (product * product).sum().backward()
    assert_same(there[0] @ there[1], here[0] @ here[1])
    for ours, theirs in zip(here, there, strict=True):
        assert_same(theirs.grad, ours.grad, 1e-4)
    assert len(gpu.reports) >= 4


def test_a_linear_layer_goes_to_the_kernels(gpu):
    SETTINGS.preferred_blas_library("kernels")
    here, there = pairs((4, 6), (3, 6), (3,))
    for x, weight, bias in (here, there):
        F.linear(x, weight, bias).sum().backward()
    for ours, theirs in zip(here, there, strict=True):
        assert_same(theirs.grad, ours.grad)
    assert len(gpu.reports) == 3


def test_products_stay_with_the_library_unless_asked_for(gpu):
    _, (x, y) = pairs((5, 7), (7, 3))
    assert x @ y is not None
    assert SETTINGS.preferred_blas_library() == "cublas"
    assert gpu.reports == []


def test_other_dtypes_stay_with_the_library(gpu):
    SETTINGS.preferred_blas_library("kernels")
    here, there = pairs((5, 7), (7, 3), dtype=np.float64)
    assert_same(there[0] @ there[1], here[0] @ here[1])
    assert gpu.reports == []


def test_the_cpu_never_asks(gpu):
    SETTINGS.preferred_blas_library("kernels")
    (x, y), _ = pairs((5, 7), (7, 3))
    assert (x @ y).device == minidl.device("cpu")
    assert gpu.reports == []


# --- settings ----------------------------------------------------------------------------------------------------


def test_an_unknown_library_is_refused():
    text = "preferred_blas_library: backend must be 'cublas' or 'kernels', not 'mkl'"
    with pytest.raises(ValueError, match="^" + re.escape(text) + "$"):
        SETTINGS.preferred_blas_library("mkl")
    assert SETTINGS.preferred_blas_library("kernels") == "kernels"
    assert SETTINGS.preferred_blas_library() == "kernels"


def test_without_a_gpu_for_numba_nothing_is_lent(monkeypatch):
    from kernels.cuda import compiler
    from minidl import fast

    monkeypatch.setattr(compiler, "why_no_gpu", lambda: "no driver")
    monkeypatch.setattr("kernels.cuda.kernel.on_gpu", lambda: True)
    fast.why_no_kernels.cache_clear()
    _, (x, y) = pairs((5, 7), (7, 3))
    SETTINGS.preferred_blas_library("kernels")
    assert (x @ y).shape == (5, 3)
    fast.why_no_kernels.cache_clear()
