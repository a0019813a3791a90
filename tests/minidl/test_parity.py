"""Every row of the table of cases against PyTorch: value, every gradient, dtype, and what requires a gradient."""

import numpy as np
import pytest
from opcases import load
from rows import assert_close, run, run_torch

torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
pytestmark = pytest.mark.parity

ROWS, _ = load()  # test_cases.py reports files that do not load

# PyTorch sums and multiplies in another order, so float32 results differ by some units in the last place for each of
# the up to about 100 terms of a sum in this table: 200 eps = 2.4e-5. In float64 the same bound would be 4.4e-14;
# 1e-10 leaves room for functions whose approximations differ, and still shows any step that was taken in float32.
TOLERANCE = {np.float32: 200 * float(np.finfo(np.float32).eps), np.float64: 1e-10}


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_same_as_pytorch(row, dtype):
    expected = run_torch(torch, row, row.arrays(dtype))
    found = run(row, row.arrays(dtype))
    compare(str(row), found, expected, TOLERANCE[dtype])
    assert any(expected.recorded) or not row.grad, f"{row}: needs no gradient in PyTorch; the row must say grad=False"


def compare(row, found, expected, tolerance):
    assert len(found.values) == len(expected.values), f"{row}: {len(found.values)} results"
    assert found.dtypes == expected.dtypes, f"{row}: dtypes {found.dtypes}, in PyTorch {expected.dtypes}"
    assert found.recorded == expected.recorded, f"{row}: requires_grad {found.recorded}, {expected.recorded} in PyTorch"
    for i, (y, other) in enumerate(zip(found.values, expected.values, strict=True)):
        precision = TOLERANCE.get(other.dtype.type, 0)  # results of integers are float32 in every run
        assert_close(f"{row}: result {i}", y, other, max(tolerance, precision))
    for i, (g, other, x) in enumerate(zip(found.gradients, expected.gradients, floats(found.inputs), strict=True)):
        # PyTorch and the engine may differ in whether an input without influence has no gradient or one of zeros.
        zeros = np.zeros_like(x.array)
        assert_close(
            f"{row}: gradient of floating-point input {i}",
            zeros if g is None else g,
            zeros if other is None else other,
            tolerance,
        )


def floats(inputs):
    return [x for x in inputs if x.requires_grad]


@pytest.mark.filterwarnings("ignore:.*degrees of freedom is <= 0:UserWarning")
@pytest.mark.filterwarnings(r"ignore:Tensor\.m?T is deprecated on 0-D tensors:UserWarning")
@pytest.mark.filterwarnings("ignore:.*broadcast:UserWarning")  # losses warn of shapes that differ, in both libraries
@pytest.mark.parametrize("row", [row for row in ROWS if row.grad], ids=str)
def test_an_input_without_dimensions(row):
    """Wherever PyTorch takes a tensor of shape () in place of an input, so does the engine, with its gradient."""
    for i, x in enumerate(row.arrays()):
        if x.dtype.kind != "f" or not x.ndim or not x.size:
            continue
        arrays = row.arrays()
        arrays[i] = np.asarray(x.reshape(-1)[0])
        try:
            expected = run_torch(torch, row, arrays)
        except (RuntimeError, IndexError, ValueError, TypeError):
            continue
        compare(f"{row} with input {i} of shape ()", run(row, arrays), expected, 1e-10)
        if row.second:
            recorded = run(row, arrays, create_graph=True)
            compare(f"{row} with input {i} of shape (), recorded", recorded, expected, 1e-10)
