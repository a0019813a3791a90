"""Random programs of 5 to 30 operations: the same in PyTorch, and right by finite differences.

Rows of the table test operations alone. Programs test them together: results used again and again, views of views,
broadcasting at every step, reductions in the middle, dtypes mixed, some results never used.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rows import assert_close

import minidl
from minidl import gradcheck, gradgradcheck

LARGEST = 60  # elements of one tensor


def broadcast(x, y):
    """y where it broadcasts with x to something small, else x itself."""
    try:
        shape = np.broadcast_shapes(tuple(x.shape), tuple(y.shape))
    except ValueError:
        return x
    return y if np.prod(shape) <= LARGEST else x


def columns(x, y):
    """A matrix that x can be multiplied with: y where it fits, else x turned around."""
    fits = len(y.shape) == 2 and y.shape[0] == x.shape[-1]
    return y if fits else x.reshape(-1, x.shape[-1]).swapaxes(0, 1)


# Each takes the library, two tensors and a number to choose a dimension with; all keep the numbers moderate.
SMOOTH = {
    "add": lambda lib, x, y, k: x + broadcast(x, y),
    "sub": lambda lib, x, y, k: broadcast(x, y) - x,
    "mul": lambda lib, x, y, k: lib.tanh(x * broadcast(x, y)),
    "div": lambda lib, x, y, k: x / (broadcast(x, y) ** 2 + 1.5),
    "neg": lambda lib, x, y, k: -x,
    "number": lambda lib, x, y, k: 0.5 * x - k,
    "itself": lambda lib, x, y, k: lib.sin(x * x),
    "exp": lambda lib, x, y, k: lib.exp(-x * x),
    "log": lambda lib, x, y, k: lib.log(x * x + 1),
    "sqrt": lambda lib, x, y, k: lib.sqrt(x * x + 0.5),
    "sigmoid": lambda lib, x, y, k: lib.sigmoid(x),
    "sum": lambda lib, x, y, k: lib.tanh(x.sum(k % len(x.shape))) if x.shape else x.sum(),
    "mean": lambda lib, x, y, k: x.mean(),
    "keepdim": lambda lib, x, y, k: x.mean(k % len(x.shape), keepdim=True) if x.shape else x.mean(),
    "softmax": lambda lib, x, y, k: lib.softmax(x, k % len(x.shape)) if x.shape else x,
    "cumsum": lambda lib, x, y, k: lib.tanh(lib.cumsum(x, k % len(x.shape))) if x.shape else x,
    "reshape": lambda lib, x, y, k: x.reshape(-1),
    "transpose": lambda lib, x, y, k: x.transpose(0, -1) if x.shape else x,
    "unsqueeze": lambda lib, x, y, k: x.unsqueeze(k % (len(x.shape) + 1)) if len(x.shape) < 4 else x,
    "first": lambda lib, x, y, k: x[0] if x.shape else x,
    "slice": lambda lib, x, y, k: x[..., k % x.shape[-1] :] if x.shape else x,
    "reverse": lambda lib, x, y, k: lib.flip(x, (0,)) if x.shape else x,
    "cat": lambda lib, x, y, k: lib.cat([x.reshape(-1), y.reshape(-1), x.reshape(-1)])[:LARGEST],
    "stack": lambda lib, x, y, k: lib.stack([x, x * 2.0])[0],
    "matmul": lambda lib, x, y, k: lib.tanh(x @ columns(x, y)) if x.shape else x,
    "where": lambda lib, x, y, k: lib.where(broadcast(x, y).detach() > 0, x, broadcast(x, y)),
    "clone": lambda lib, x, y, k: x.clone(),
    "detach": lambda lib, x, y, k: x * x.detach(),
}
OTHERS = {
    "relu": lambda lib, x, y, k: lib.relu(x),
    "abs": lambda lib, x, y, k: lib.abs(x),
    "clamp": lambda lib, x, y, k: lib.clamp(x, -0.7, 0.9),
    "maximum": lambda lib, x, y, k: lib.maximum(x, broadcast(x, y)),
    "max": lambda lib, x, y, k: x.max(k % len(x.shape))[0] if x.shape else x,
    "sort": lambda lib, x, y, k: lib.sort(x, k % len(x.shape))[0] if x.shape else x,
    "single": lambda lib, x, y, k: x.to(lib.float32),
    "double": lambda lib, x, y, k: x.to(lib.float64),
    "integers": lambda lib, x, y, k: x * (x.detach() > 0).to(lib.int64),
}


def steps(operations):
    step = st.tuples(st.sampled_from(sorted(operations)), *[st.integers(0, 50)] * 3)
    return st.lists(step, min_size=5, max_size=30)


def run(lib, program, leaves):
    """All tensors that the program makes, from the leaves on."""
    tensors = list(leaves)
    for name, i, j, k in program:
        x, y = tensors[i % len(tensors)], tensors[j % len(tensors)]
        tensors.append({**SMOOTH, **OTHERS}[name](lib, x, y, k))
    return tensors


def loss_of(tensors):
    """Every result counts, each with a weight of its own."""
    total = 0.0
    for n, x in enumerate(tensors):
        total = total + x.sum() * (0.3 + 0.1 * (n % 7))
    return total


def arrays(dtypes):
    rng = np.random.default_rng(0)
    shapes = [(2, 3), (3,), (), (3, 2)]
    return [np.asarray(rng.standard_normal(shape)).astype(t) for shape, t in zip(shapes, dtypes, strict=True)]


@pytest.mark.parity
@settings(max_examples=250, deadline=None, derandomize=True)
@given(program=steps({**SMOOTH, **OTHERS}), dtypes=st.lists(st.sampled_from(["f8", "f4"]), min_size=4, max_size=4))
def test_programs_equal_pytorch(program, dtypes):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    ours = [minidl.Tensor(x, True) for x in arrays(dtypes)]
    theirs = [torch.from_numpy(x).requires_grad_() for x in arrays(dtypes)]
    results, expected = run(minidl, program, ours), run(torch, program, theirs)
    single = "f4" in dtypes or any(name == "single" for name, *_ in program)
    tolerance = 2e-4 if single else 1e-9  # the rounding of up to 30 steps in a row adds up
    names = ["leaf"] * 4 + [name for name, *_ in program]
    for n, (x, y) in enumerate(zip(results, expected, strict=True)):
        assert x.requires_grad == y.requires_grad, f"step {n - 4}, {names[n]}"
        assert_close(f"step {n - 4}, {names[n]}", x.array, y.detach().numpy(), tolerance)
    loss_of(results).backward()
    loss_of(expected).backward()
    for n, (x, y) in enumerate(zip(ours, theirs, strict=True)):
        assert_close(f"gradient of leaf {n}", x.grad.array, y.grad.numpy(), tolerance)


@pytest.mark.gradcheck
@settings(max_examples=40, deadline=None, derandomize=True)
@given(program=steps(set(SMOOTH) - {"detach", "where"}))
def test_programs_pass_the_gradient_check(program):
    def function(*leaves):
        return loss_of(run(minidl, program, leaves))

    leaves = [minidl.Tensor(x, True) for x in arrays(["f8"] * 4)]
    assert gradcheck(function, leaves, eps=1e-5, atol=1e-6, rtol=1e-6)


@pytest.mark.gradcheck
@settings(max_examples=15, deadline=None, derandomize=True)
@given(program=steps(set(SMOOTH) - {"detach", "where"}))
def test_programs_pass_the_gradient_check_of_second_order(program):
    def function(*leaves):
        return loss_of(run(minidl, program, leaves))

    leaves = [minidl.Tensor(x, True) for x in arrays(["f8"] * 4)]
    assert gradgradcheck(function, leaves, eps=1e-5, atol=1e-5, rtol=1e-5)


@pytest.mark.parity
@settings(max_examples=60, deadline=None, derandomize=True)
@given(program=steps(SMOOTH))
def test_second_derivatives_of_programs_equal_pytorch(program):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    found = []
    for lib, leaves in (
        (minidl, [minidl.Tensor(x, True) for x in arrays(["f8"] * 4)]),
        (torch, [torch.from_numpy(x).requires_grad_() for x in arrays(["f8"] * 4)]),
    ):
        gradient = minidl.grad if lib is minidl else torch.autograd.grad
        first = gradient(loss_of(run(lib, program, leaves)), leaves, create_graph=True)
        penalty = loss_of([g * g for g in first])
        second = gradient(penalty, leaves, allow_unused=True) if penalty.requires_grad else [None] * 4
        found.append([np.zeros(x.shape) if g is None else g.detach() for g, x in zip(second, leaves, strict=True)])
    for n, (g, other) in enumerate(zip(*found, strict=True)):
        values = g.array if isinstance(g, minidl.Tensor) else g
        assert_close(f"leaf {n}", values, np.asarray(other), 1e-8)
