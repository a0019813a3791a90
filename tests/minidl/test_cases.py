"""What holds for every operation, run over every row of the table of cases."""

import numpy as np
import pytest
from opcases import load
from rows import assert_close, run, same
from spy import watch

import minidl
from minidl.testing import gradcheck, gradgradcheck

ROWS, BROKEN = load()
DIFFERENTIABLE = [row for row in ROWS if row.grad]

every_row = pytest.mark.parametrize("row", ROWS, ids=str)
every_differentiable_row = pytest.mark.parametrize("row", DIFFERENTIABLE, ids=str)


def test_every_file_of_cases_loads():
    assert not BROKEN, "\n".join(f"{name}:\n{error}" for name, error in BROKEN.items())


def test_rows_without_gradients_have_none():
    """grad=False is for results that no gradient can reach: whoever says it of anything else hides a gradient."""
    for row in ROWS:
        if not row.grad:
            inputs = [minidl.Tensor(x, x.dtype.kind == "f") for x in row.arrays()]
            reached = [y for y in row.results(minidl, inputs) if y.requires_grad]
            assert not reached, (
                f"{row}: the row says grad=False, but its result requires a gradient (smooth=False with a reason keeps "
                f"a row with ties, kinks, NaN or infinity out of the finite differences)"
            )


# --- gradients ---------------------------------------------------------------------------------------------------

# A step of 1e-5 leaves about 1e-11 |f'''| out and lets rounding add about 1e-11 |f|.
STEP = {"eps": 1e-5, "atol": 1e-7, "rtol": 1e-6}


def leaves(row):
    return [minidl.Tensor(x, x.dtype.kind == "f") for x in row.arrays()]


@pytest.mark.gradcheck
@pytest.mark.parametrize("row", [row for row in DIFFERENTIABLE if row.smooth], ids=str)
def test_first_order(row):
    assert gradcheck(lambda *inputs: row.results(minidl, inputs), leaves(row), **STEP)


@pytest.mark.gradcheck
@pytest.mark.parametrize("row", [row for row in DIFFERENTIABLE if row.smooth and row.second], ids=str)
def test_second_order(row):
    assert gradgradcheck(lambda *inputs: row.results(minidl, inputs), leaves(row), **STEP)


@pytest.mark.parametrize("row", [row for row in DIFFERENTIABLE if row.second], ids=str)
def test_gradients_recorded_in_the_graph_are_the_same(row):
    plain = run(row, row.arrays())
    with watch() as spy:
        recorded = run(row, row.arrays(), create_graph=True)
    for i, (g, expected) in enumerate(zip(recorded.gradients, plain.gradients, strict=True)):
        assert (g is None) == (expected is None), f"{row}: gradient {i}"
        if g is not None:
            assert_close(f"{row}: gradient {i}", g, expected, 1e-12)
    assert not spy.breaches, f"{row}: {'; '.join(spy.breaches)}"


# --- memory ------------------------------------------------------------------------------------------------------


@every_row
def test_inputs_and_upstream_gradients_stay_as_they_are(row):
    arrays = row.arrays()
    before = [x.copy() for x in arrays]
    with watch() as spy:
        outcome = run(row, arrays)
    expected = row.upstream([g.shape for g in outcome.upstream])
    for i, (x, old) in enumerate(zip(arrays, before, strict=True)):
        assert same(x, old), f"{row}: input {i} was changed"
    for i, (g, old) in enumerate(zip(outcome.upstream, expected, strict=True)):
        assert same(g.array, old.astype(g.dtype)), f"{row}: upstream gradient {i} was changed"
    assert not spy.breaches, f"{row}: {'; '.join(spy.breaches)}"


@every_differentiable_row
def test_no_two_gradients_share_memory(row):
    outcome = run(row, row.arrays())
    gradients = {f"gradient {i}": g for i, g in enumerate(outcome.gradients) if g is not None}
    others = {f"input {i}": x.array for i, x in enumerate(outcome.inputs)}
    others |= {f"upstream gradient {i}": g.array for i, g in enumerate(outcome.upstream)}
    others |= {f"result {i}": y for i, y in enumerate(outcome.values)}
    for name, g in gradients.items():
        for other, array in {**gradients, **others}.items():
            if name != other:
                assert not np.shares_memory(g, array), f"{row}: {name} shares memory with {other}"


# --- layout and dtype --------------------------------------------------------------------------------------------


def transposed(x):
    """The same numbers with the storage order of the dimensions reversed."""
    return x.T.copy().T


def reversed_storage(x):
    """The same numbers stored from back to front: negative strides."""
    if not x.ndim:
        return x
    everywhere = (slice(None, None, -1),) * x.ndim
    return x[everywhere].copy()[everywhere]


def every_second(x):
    """The same numbers with a gap after each."""
    if not x.ndim:
        return x
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    wide[..., ::2] = x
    return wide[..., ::2]


@pytest.mark.parametrize("layout", [transposed, reversed_storage, every_second])
@every_row
def test_layout_in_memory_does_not_matter(row, layout):
    expected = run(row, row.arrays())
    upstream = [layout(g.array.copy()) for g in expected.upstream]
    found = run(row, [layout(x) for x in row.arrays()], upstream)
    for i, (y, other) in enumerate(zip(found.values, expected.values, strict=True)):
        assert_close(f"{row}: result {i}", y, other, 1e-12)
    for i, (g, other) in enumerate(zip(found.gradients, expected.gradients, strict=True)):
        assert (g is None) == (other is None), f"{row}: gradient {i}"
        if g is not None:
            assert_close(f"{row}: gradient {i}", g, other, 1e-12)


@every_row
def test_float32_stays_float32(row):
    """Float64 must not appear anywhere on the way, first and second order, unless the row asks for it by name."""
    arrays = row.arrays(np.float32)
    exact = run(row, row.arrays())
    found = run(row, arrays)
    for i, (y, other) in enumerate(zip(found.dtypes, exact.dtypes, strict=True)):
        assert y == other or (y, other) == ("float32", "float64"), f"{row}: result {i} is {y}"
    for i, (g, x) in enumerate(zip(found.gradients, [x for x in found.inputs if x.requires_grad], strict=True)):
        assert g is None or g.dtype == x.dtype, f"{row}: gradient {i} is {g.dtype}"


# --- twins -------------------------------------------------------------------------------------------------------


@every_row
def test_composed_twin_equals_the_fused_operation(row):
    with watch() as spy:
        run(row, row.arrays())
    fused = [(function, inputs) for function, inputs in spy.applied if function.composed is not None]
    assert fused or not row.twin, f"{row}: the row says twin=True, but no Function with a composed twin ran"
    for function, inputs in fused:
        compare_with_twin(row, function, inputs)


def compare_with_twin(row, function, inputs):
    """The fused Function and its twin on the same inputs: values and gradients."""
    name = f"{row}: {type(function).__name__}"

    def differentiate(call):
        fresh = [minidl.Tensor(x.array, x.dtype.kind == "f") if isinstance(x, minidl.Tensor) else x for x in inputs]
        results = call(*fresh)
        results = results if isinstance(results, tuple) else (results,)
        roots = [y for y in results if y.requires_grad]
        wanted = [x for x in fresh if isinstance(x, minidl.Tensor) and x.requires_grad]
        upstream = [minidl.Tensor(g) for g in row.upstream([y.shape for y in roots])]
        found = minidl.grad(roots, wanted, upstream, allow_unused=True) if roots else ()
        return results, found

    values, gradients = differentiate(function.apply)
    twin_values, twin_gradients = differentiate(function.composed)
    assert len(values) == len(twin_values), f"{name}: {len(values)} results, its twin {len(twin_values)}"
    for i, (y, other) in enumerate(zip(values, twin_values, strict=True)):
        assert_close(f"{name}: result {i} of the twin", other.array, y.array, 1e-11)
    for i, (g, other) in enumerate(zip(gradients, twin_gradients, strict=True)):
        assert (g is None) == (other is None), f"{name}: gradient {i}"
        if g is not None:
            assert_close(f"{name}: gradient {i} of the twin", other.array, g.array, 1e-11)
