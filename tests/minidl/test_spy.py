"""The watcher of Functions, and the table that it watches: planted breaches must be found."""

import numpy as np
import pytest
from opcases import Case, away_from, booleans, distinct, load, normal, positive
from spy import watch

from minidl import Function, Tensor, grad


class Good(Function):
    """z = x y."""

    def forward(self, x, y):
        self.saved = x, y
        return x * y

    def backward(self, g):
        x, y = self.saved
        return g * y, g * x


class ChangesUpstream(Good):
    def backward(self, g):
        x, y = self.saved
        g *= 2
        return g * y, g * x


class ReturnsSaved(Good):
    def backward(self, g):
        x, y = self.saved
        return y, g * x


class SharesBuffer(Good):
    def backward(self, g):
        d = g * self.saved[0]
        return d, d[...]


class Widens(Good):
    def backward(self, g):
        x, y = self.saved
        return (g * y).astype(np.float64), g * x


class ReturnsArrays(Good):
    def backward(self, g):
        return np.ones(g.shape), np.ones(g.shape)


class HiddenView(Good):
    def forward(self, x, y):
        self.saved = x, y
        return x[...]


class SavesView(Good):
    def forward(self, x, y):
        self.saved = x[...], y
        return x * y


class SavesOutput(Good):
    def forward(self, x, y):
        z = x * y
        self.saved = x, z
        return z


class IntegerOutput(Good):
    def forward(self, x, y):
        return (x > y).astype(np.int64)


class TwoOutputs(Good):
    saves_output = True

    def forward(self, x, y):
        return x * y, x + y

    def backward(self, g):
        return g[0] + g[1], g[0] + g[1]


FORWARD = {
    HiddenView: "HiddenView: output 0 lies in the memory of input 0, but is_view is not set",
    SavesView: "SavesView.forward saves a view of input 0, which is not guarded",
    SavesOutput: "SavesOutput.forward saves output 0 without saves_output, so it is not guarded",
    IntegerOutput: "IntegerOutput: output 0 is int64 and requires a gradient",
    TwoOutputs: "TwoOutputs: saves_output is for Functions with one output",
}
BACKWARD = {
    ChangesUpstream: "ChangesUpstream.backward changes the gradient that it is given",
    ReturnsSaved: "ReturnsSaved.backward: gradient 0 shares memory with a saved array",
    SharesBuffer: "SharesBuffer.backward: gradients 0 and 1 share memory",
    Widens: "Widens.backward: gradient 0 is float64, the input float32",
}


def inputs():
    return Tensor(np.float32([1, 2]), True), Tensor(np.float32([3, 5]), True)


@pytest.mark.parametrize(("function", "breach"), FORWARD.items())
def test_breaches_of_forward_are_found(function, breach):
    with watch() as spy:
        function().apply(*inputs())
    assert spy.breaches == [breach]


@pytest.mark.parametrize(("function", "breach"), BACKWARD.items())
def test_breaches_of_backward_are_found(function, breach):
    x, y = inputs()
    with watch() as spy:
        z = function().apply(x, y)
        try:
            grad(z, [x, y], Tensor(np.float32([1, 1])))
        except RuntimeError as error:
            assert "float64" in str(error)  # noqa: PT017 - the engine finds the wrong dtype by itself
    assert spy.breaches == [breach]


def test_arrays_among_recorded_gradients_are_found():
    x, y = inputs()
    text = r"^ReturnsArrays\.backward: only Tensors can be differentiated again, not arrays$"
    with watch() as spy, pytest.raises(RuntimeError, match=text):
        grad(ReturnsArrays().apply(x, y), [x, y], Tensor(np.float32([1, 1])), create_graph=True)
    assert "ReturnsArrays.backward: gradient 0 is no Tensor with create_graph" in spy.breaches


def test_a_good_function_has_no_breaches_and_is_seen():
    x, y = inputs()
    with watch() as spy:
        grad(Good().apply(x, y), [x, y], Tensor(np.float32([1, 1])))
    assert spy.breaches == []
    assert spy.types == {Good}
    before = len(spy.applied)
    Good().apply(x, y)
    assert len(spy.applied) == before, "watching goes on after the block"


# --- the table ---------------------------------------------------------------------------------------------------


def test_inputs_are_drawn_as_promised():
    rng = np.random.default_rng(0)
    assert positive(50).draw(rng).min() >= 0.3
    x = np.sort(distinct(5, 6).draw(rng), axis=None)
    assert np.diff(x).min() >= 0.0999
    assert x[0] < 0 < x[-1]
    x = away_from([0.0, 1.0], 500).draw(rng)
    assert min(abs(x).min(), abs(x - 1).min()) >= 0.05
    assert set(booleans(2).draw(rng).tolist()) == {False, True}


def test_rows_draw_the_same_numbers_every_time_and_each_its_own():
    row, other = (Case(name, lambda lib, x, y: x, normal(3), normal(3)) for name in ("a", "b"))
    for x, y in zip(row.arrays(), row.arrays(), strict=True):
        np.testing.assert_array_equal(x, y)
    assert not np.array_equal(row.arrays()[0], row.arrays()[1])
    assert not np.array_equal(row.arrays()[0], other.arrays()[0])
    assert row.arrays(np.float32)[0].dtype == np.float32


def test_rows_are_checked():
    with pytest.raises(TypeError, match=r"^a: input 0 is list, neither an Input nor an array$"):
        Case("a", lambda lib, x: x, [1.0])
    with pytest.raises(ValueError, match=r"^a: second=False and smooth=False need a reason$"):
        Case("a", lambda lib, x: x, normal(3), second=False)


def test_files_that_do_not_load_and_names_used_twice_are_reported(tmp_path):
    head = "from opcases import Case, normal\n"
    (tmp_path / "one.py").write_text(head + "CASES = [Case('a', lambda lib, x: x, normal(3))]\n")
    (tmp_path / "three.py").write_text("raise KeyError('planted')\n")
    (tmp_path / "two.py").write_text(head + "CASES = [Case('a', lambda lib, x: x, normal(3))]\n")
    rows, broken = load(tmp_path)
    assert [str(row) for row in rows] == ["one:a"]
    assert sorted(broken) == ["three.py", "two.py"]
    assert "planted" in broken["three.py"]
    assert "the name 'a' is used twice" in broken["two.py"]
