"""Everything that the engine asks of arrays exists in CuPy: found in the text, without running it."""

from pathlib import Path

import pytest
from array_calls import misuses, uses
from cupy_record import read_record, record

import minidl

PACKAGE = Path(minidl.__file__).parent
API = read_record()


def installed():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed", exc_type=ImportError)
    if cupy.__version__ != API["version"]:
        pytest.skip(f"CuPy {cupy.__version__} is installed; the record is of {API['version']}")
    return record()


def test_the_engine_asks_for_nothing_that_cupy_lacks():
    assert misuses(API, PACKAGE) == []


def test_nothing_that_the_installed_cupy_lacks():
    assert misuses(installed(), PACKAGE) == []


def test_the_record_is_that_of_the_installed_cupy():
    found = installed()
    for part in API:
        assert API[part] == found[part], part


def test_the_check_reads_the_whole_engine():
    found = [
        use for path in PACKAGE.rglob("*.py") for use in uses(path.relative_to(PACKAGE).as_posix(), path.read_text())
    ]
    functions = {use.name for use in found if use.kind == "function"}
    assert {"exp", "maximum", "add.at", "lib.stride_tricks.sliding_window_view", "argmax", "cumsum"} <= functions
    assert len(functions) >= 70
    assert len([use for use in found if use.kind == "member"]) > 1000


PLANTED = {
    "a missing function": ("namespace(x).unstack(x)", "CuPy has no unstack"),
    "a missing function of xp": ("xp.i1(x)", "CuPy has no i1"),
    "a missing submodule": ("xp.ma.array(x)", "CuPy has no ma.array"),
    "under another name": ("library = namespace(x); library.nope(x)", "CuPy has no nope"),
    "one of several names": ("lib, y = namespace(x), 1; lib.nope(x)", "CuPy has no nope"),
    "a function under a name": ("spread = namespace(x).nope; spread(x)", "CuPy has no nope"),
    "a keyword through a name": ("top = xp.max; top(x, initial=0)", "CuPy's max has no initial"),
    "handed on": ("scan(xp.nope, x)", "CuPy has no nope"),
    "in a table": ("{'max': xp.nope}['max'](x)", "CuPy has no nope"),
    "a missing keyword": ("xp.sum(x, where=mask)", "CuPy's sum has no where"),
    "a missing keyword of a ufunc": ("xp.exp(x, where=mask)", "CuPy's exp has no where"),
    "a ufunc without at": ("xp.multiply.at(x, i, 2)", "CuPy has no multiply.at"),
    "a ufunc without reduce": ("xp.maximum.reduce(x)", "CuPy has no maximum.reduce"),
    "looked up": ("getattr(namespace(x), 'nope')(x)", "CuPy has no nope"),
    "looked up by a computed name": ("getattr(xp, 'arc' + name)(x)", "CuPy has no (a name that is put together)"),
    "a missing method": ("x.setflags(write=False)", "CuPy's arrays have no setflags"),
    "a missing method of a result": ("(x + 1).T.getfield(y)", "CuPy's arrays have no getfield"),
    "a missing attribute": ("x.ctypes.data", "CuPy's arrays have no ctypes"),
    "a missing keyword of a method": ("x.searchsorted(v, sorter=None, out=None)", "CuPy's searchsorted has no out"),
    "linalg": ("xp.linalg.multi_dot(x)", "CuPy has no linalg.multi_dot"),
    "NumPy itself": ("np.exp(x)", "NumPy's functions take no arrays of CuPy"),
    "NumPy handed on": ("apply(np.maximum, x)", "NumPy's functions take no arrays of CuPy"),
}


@pytest.mark.parametrize("case", PLANTED)
@pytest.mark.parametrize(
    "where", ["def forward(self, x):\n    {}\n", "class F:\n    def forward(self, x):\n        {}\n"]
)
def test_planted_misuse_is_found(case, where, tmp_path):
    line, problem = PLANTED[case]
    (tmp_path / "planted.py").write_text(where.format(line))
    found = misuses(API, tmp_path)
    assert found
    assert all(text.startswith("planted.py:") and text.endswith(f": {problem}") for text in found)


@pytest.mark.parametrize(
    "line",
    [
        "xp.exp(x, out=x)",
        "xp.sum(x, axis=0, keepdims=True)",
        "xp.add.at(x, i, 1.0)",
        "x.sum(axis=0, dtype=xp.float64)",
        "x.sum(dim=0, keepdim=True)",
        "np.finfo(x.dtype).eps",
        "np.dtype('float32')",
        "math.sqrt(xp.pi)",
        "self.saved = x.reshape(-1, order='C').copy()",
    ],
)
def test_what_cupy_has_is_let_through(line, tmp_path):
    (tmp_path / "planted.py").write_text(f"def forward(self, x):\n    {line}\n")
    assert misuses(API, tmp_path) == []
