"""Every Function has a row that checks its gradient, and every backward keeps to the words of arrays and Tensors."""

import ast
import gc
import textwrap
from pathlib import Path

import pytest
from backward_words import breaches, breaches_in
from opcases import load
from spy import watch

import minidl
from minidl import Function, Tensor

ROWS, _ = load()
CHECKED = [row for row in ROWS if row.grad and row.smooth]  # those that meet finite differences
PARITY_ALONE = [row for row in ROWS if row.grad and not row.smooth]

NEVER_IN_A_ROW = {
    "Copy": "gives each leaf a gradient of its own after backward(create_graph=True), see test_autograd.py",
    "ToDevice": "needs a second device, see test_devices.py",
    "Cast": "rounds, so finite differences see steps; the rows of PARITY_ALONE compare it with PyTorch",
    "FusedAttention": "runs on GPUs alone, see test_cuda_attention.py",
    "Output": "stands for one output of several; it has neither forward nor backward",
}


def functions():
    """All Functions of the package, found by walking the subclasses."""
    found, waiting = set(), [Function]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            if kind not in found:
                found.add(kind)
                waiting.append(kind)
    return {kind for kind in found if kind.__module__.startswith("minidl.")}


def in_rows(rows):
    """The Functions through which the rows differentiate, in the first or in higher orders."""
    with watch() as spy:
        for row in rows:
            inputs = [Tensor(x, x.dtype.kind == "f") for x in row.arrays()]
            roots = [y for y in row.results(minidl, inputs) if y.requires_grad]
            wanted = [x for x in inputs if x.requires_grad]
            shapes, dtypes = [y.shape for y in roots], [y.dtype for y in roots]
            upstream = [Tensor(g.astype(t), row.second) for g, t in zip(row.upstream(shapes), dtypes, strict=True)]
            minidl.grad(roots, wanted, upstream, create_graph=row.second, allow_unused=True)
    return {
        type(function)
        for function, inputs in spy.applied
        if any(isinstance(x, Tensor) and x.requires_grad for x in inputs)
    }


def missing(rows):
    return sorted(
        f"{kind.__module__}.{kind.__name__}"
        for kind in functions() - in_rows(rows)
        if kind.__name__ not in NEVER_IN_A_ROW and "forward" in dir(kind) and kind.forward is not Function.forward
    )


def test_every_function_has_a_row_that_checks_its_gradient():
    assert not missing(CHECKED), "no row of the table of cases differentiates through these"


def test_a_function_without_a_row_is_found():
    planted = type("Planted", (Function,), {"__module__": "minidl.ops.planted", "forward": lambda self, x: x})
    try:
        assert "minidl.ops.planted.Planted" in missing(CHECKED[:1])
    finally:
        del planted
        gc.collect()


def test_a_function_whose_rows_are_gone_is_found():
    without = [row for row in CHECKED if row.operation not in ("mul", "div", "linear")][:3]
    assert {"minidl.ops.linalg.Linear", "minidl.ops.arithmetic.Div"} <= set(missing(without))


def test_casts_are_compared_with_pytorch():
    assert "Cast" in {kind.__name__ for kind in in_rows(PARITY_ALONE)}


def test_exceptions_are_still_needed():
    assert set(NEVER_IN_A_ROW) <= {kind.__name__ for kind in functions()}


def test_every_function_has_its_formula_in_the_docstring():
    without = [kind.__name__ for kind in functions() if kind.__doc__ is None or len(kind.__doc__) < 10]
    assert not without


# --- the words of backward ---------------------------------------------------------------------------------------


ALLOWED = {
    "Pow.backward: a branch on the values of an array": "the exponent is a Python number there",
    "Embedding.backward: a branch on the values of an array": "asks how many arrays were saved",
}


def test_backward_keeps_to_its_words():
    found = breaches(Path(minidl.__file__).parent)
    others = [text for text in found if text.partition(" ")[2] not in ALLOWED]
    assert not others, "\n" + "\n".join(others)
    assert set(ALLOWED) <= {text.partition(" ")[2] for text in found}, "an exception that is no longer needed"


def read(body, extra=""):
    source = "class F(Function):\n    def forward(self, x):\n        return x\n\n    def backward(self, g):\n"
    module = ast.parse(source + textwrap.indent(body, " " * 8) + extra)
    helpers = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
    classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    return [text.removeprefix("F.backward: ") for _, text in breaches_in(module, helpers, classes)]


@pytest.mark.parametrize(
    ("body", "breach"),
    [
        ("return np.exp(g)", "np.exp()"),
        ("return namespace(g).exp(g)", "namespace()"),
        ("return g.copy()", ".copy"),
        ("return g.T", ".T"),
        ("return g.astype(self.dtype)", ".astype"),
        ("g *= 2\nreturn g", "a change in place"),
        ("g[0] = 1\nreturn g", "a change in place"),
        ("x, y = self.saved\ny += x\nreturn g * y", "a change in place"),
        ("(x,) = self.saved\nd = x * 2\nreturn np.sqrt(d)", "np.sqrt()"),
        ("if g.sum() > 0:\n    return g\nreturn -g", "a branch on the values of an array"),
        ("return g if self.saved[0] else -g", "a branch on the values of an array"),
        ("return float(g)", "float()"),
        ("return abs(g)", "abs()"),
        ("return math.exp(g)", "math.exp()"),
        ("return [np.exp(x) for x in self.saved]", "np.exp()"),
        ("return helper(g)", "np.exp()"),
        ("return self.part(g)", ".ravel"),
    ],
)
def test_other_words_are_found(body, breach):
    extra = "\n    def part(self, g):\n        return g.ravel()\n\ndef helper(g):\n    return np.exp(g)\n"
    assert breach in read(body, extra)


@pytest.mark.parametrize(
    "body",
    [
        "return g",
        "x, y = self.saved\nreturn g * y if self.needs_grad(0) else None, (g @ x.mT).sum(0)",
        "n = math.sqrt(g.shape[0])\nreturn g / n",
        "order = np.argsort(self.dims)\nreturn m.apply(Permute(order), g)",
        "return m.exp(g) * (self.saved[0] > 0)",
        "size = int(np.prod(g.shape))\nreturn (g / size).reshape(self.shape)",
        "return g[:, : g.shape[1] // 2]",
        "return tuple(part if part is not None else 0 for part in g)",
        "if len(g.shape) > 1:\n    g = g.swapaxes(0, 1)\nreturn g",
    ],
)
def test_the_words_themselves_pass(body):
    assert read(body) == []


def test_functions_with_a_twin_may_use_any_words():
    """Their backward never runs on Tensors when it needs an array that is neither input nor output."""
    assert read("return np.exp(g)", "\n    def composed(self, x):\n        return x\n") == []
