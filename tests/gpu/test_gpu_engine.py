"""The engine on a GPU: the whole table of cases against the CPU, gradients, training, checkpoints, random numbers."""

import numpy as np
import pytest
from elsewhere import Elsewhere, check_row, send
from families import FAMILIES, OPTIMIZERS, train
from hardware import need_cupy
from opcases import load

import minidl
import minidl.nn.functional as F
from minidl.testing import gradcheck

need_cupy()

ROWS, _ = load()
SMOOTH = [row for row in ROWS if row.grad and row.smooth]


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_row_is_that_of_the_cpu(row, dtype):
    """Values and gradients, the latter also as operations that could be differentiated again."""
    check_row(row, dtype, "cuda", 1e-10 if dtype is np.float64 else 1e-4)


@pytest.mark.parametrize("row", SMOOTH, ids=str)
def test_gradients_against_finite_differences(row):
    inputs = [send(x, "cuda", x.dtype.kind == "f") for x in row.arrays()]
    assert gradcheck(lambda *xs: row.results(Elsewhere("cuda"), xs), inputs, eps=1e-5, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("family", FAMILIES)
def test_training_is_that_of_the_cpu(family, optimizer):
    ours, theirs = (train(family, device, optimizer) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(theirs.losses, ours.losses, rtol=5e-3)


@pytest.mark.parametrize(("first", "second"), [("cpu", "cuda"), ("cuda", "cpu"), ("cuda", "cuda")])
def test_going_on_from_a_checkpoint_on_another_device(first, second, tmp_path):
    whole, broken = train("CNN", "cpu", epochs=2), train("CNN", first)
    minidl.save(broken.state(), tmp_path / "state")
    other = train("CNN", second)
    other.load(minidl.load(tmp_path / "state", map_location=second))
    other.losses = list(broken.losses)
    other.epoch(second)
    np.testing.assert_allclose(other.losses, whole.losses, rtol=5e-3)


def test_random_numbers_are_those_of_the_cpu():
    drawn = []
    for device in ("cpu", "cuda"):
        minidl.manual_seed(7)
        x = minidl.ones(50, 4, device=device)
        numbers = [minidl.rand(3, device=device), minidl.randn(2, 2, device=device), F.dropout(x, 0.3)]
        drawn.append([tensor.tolist() for tensor in [*numbers, minidl.randperm(6, device=device)]])
    assert drawn[0] == drawn[1]


def test_what_minidl_cuda_says():
    assert minidl.cuda.is_available()
    assert minidl.cuda.device_count() >= 1
    minidl.cuda.synchronize()
    with pytest.raises(RuntimeError, match=r"^cuda: there is no device cuda:99; the last one is cuda:"):
        minidl.ones(1).to("cuda:99")
