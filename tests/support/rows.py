"""Running a row of the table of cases: with the engine and with PyTorch, forward and backward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from opcases import Case

import minidl

__all__ = ["Outcome", "assert_close", "run", "run_torch", "same"]


@dataclass
class Outcome:
    """What a row gave: values and gradients as arrays (None: no gradient), and the tensors that they come from."""

    values: list[np.ndarray]
    gradients: list[np.ndarray | None]
    dtypes: list[str]  # of the values
    recorded: list[bool]  # whether each value requires a gradient
    inputs: list[Any]
    upstream: list[Any]
    results: tuple


def run(
    row: Case,
    arrays: Sequence[np.ndarray],
    upstream: Sequence[np.ndarray] | None = None,
    create_graph: bool = False,
) -> Outcome:
    """The row on the engine, with gradients of all floating-point inputs if the row has gradients.

    The arrays are wrapped as they are, whatever their layout, so that changes in place would show on them.
    """
    inputs = [minidl.Tensor(x, row.grad and x.dtype.kind == "f") for x in arrays]
    results = row.results(minidl, inputs)
    roots = [y for y in results if y.requires_grad]
    wanted = [x for x in inputs if x.requires_grad]
    if upstream is None:
        upstream = of_dtype(row.upstream([y.shape for y in roots]), [y.dtype for y in roots])
    upstream = [minidl.Tensor(g) for g in upstream]
    found: Any = [None] * len(wanted)
    if roots:
        found = minidl.grad(roots, wanted, upstream, create_graph=create_graph, allow_unused=True)
    return Outcome(
        [y.array for y in results],
        [None if g is None else g.array for g in found],
        [y.dtype.name for y in results],
        [y.requires_grad for y in results],
        inputs,
        upstream,
        results,
    )


def run_torch(torch: Any, row: Case, arrays: Sequence[np.ndarray]) -> Outcome:
    """The same row on PyTorch, with the same upstream gradients."""
    inputs = [torch.from_numpy(x.copy()) for x in arrays]
    for x in inputs:
        x.requires_grad_(row.grad and x.is_floating_point())
    results = row.results(torch, inputs)
    roots = [y for y in results if y.requires_grad]
    wanted = [x for x in inputs if x.requires_grad]
    upstream = of_dtype(row.upstream([tuple(y.shape) for y in roots]), [name_of(y.dtype) for y in roots])
    upstream = [torch.from_numpy(g) for g in upstream]
    found: Any = [None] * len(wanted)
    if roots:
        found = torch.autograd.grad(roots, wanted, upstream, allow_unused=True)
    return Outcome(
        [y.detach().numpy() for y in results],
        [None if g is None else g.detach().numpy() for g in found],
        [name_of(y.dtype) for y in results],
        [y.requires_grad for y in results],
        inputs,
        upstream,
        results,
    )


def name_of(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def of_dtype(arrays: Sequence[np.ndarray], dtypes: Sequence[Any]) -> list[np.ndarray]:
    return [x.astype(dtype) for x, dtype in zip(arrays, dtypes, strict=True)]


def same(x: np.ndarray, y: np.ndarray) -> bool:
    """Equal bit for bit, NaN included."""
    return x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()


def assert_close(what: str, found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Shapes and dtypes equal, and |found - expected| <= tolerance (|expected| + the largest |expected|).

    The second part is there because a sum of terms of both signs may be far smaller than the terms, and the rounding
    of the terms does not shrink with it.
    """
    assert found.shape == expected.shape, f"{what}: shape {found.shape}, expected {expected.shape}"
    assert found.dtype == expected.dtype, f"{what}: dtype {found.dtype}, expected {expected.dtype}"
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(found, expected, err_msg=what)
        return
    finite = abs(expected[np.isfinite(expected)])
    np.testing.assert_allclose(
        found, expected, rtol=tolerance, atol=tolerance * finite.max(initial=0.0), err_msg=what, equal_nan=True
    )
