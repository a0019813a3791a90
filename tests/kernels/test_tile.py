"""The register tile: the compiled sums of products against einsum in float64, its edges, and other processors."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import run

from kernels.cpu import set_compiled, sums
from kernels.cpu.sums import ADD_BIAS, ADD_TO_C, Axis

ERROR = 1e-5  # relative to the sum of the absolute values of all terms

pytestmark = pytest.mark.skipif(not sums.ready(), reason="Numba does not work here")


def laid_out(draw, lengths, last=()):
    """Strides of a contiguous array with these axes in any order, ``last`` innermost; how long it is."""
    order = [*draw(st.permutations([name for name in lengths if name not in last])), *last]
    strides, size = {}, 1
    for name in reversed(order):
        strides[name] = size
        size *= lengths[name]
    return strides, size


@st.composite
def products(draw):
    """A plan with random lengths and layouts, and the sizes of its arrays."""
    length = {name: draw(st.integers(1, 3)) for name in ("i", "j", "outer", "middle")}
    length |= {
        "rows": draw(st.integers(0, 25)),
        "inner": draw(st.integers(0, 9)),
        "columns": draw(st.integers(0, 150)),
    }
    sum_axes = ("outer", "middle", "inner")
    a, a_size = laid_out(draw, {n: length[n] for n in ("i", "j", "rows", *sum_axes)})
    b, b_size = laid_out(draw, {n: length[n] for n in ("i", "j", *sum_axes, "columns")}, ["columns"])
    c, c_size = laid_out(draw, {n: length[n] for n in ("i", "j", "rows", "columns")}, ["columns"])
    axes = {
        name: Axis(length[name], a.get(name, 0), b.get(name, 0), c.get(name, 0))
        for name in ("i", "j", "rows", *sum_axes)
    }
    start = draw(st.sampled_from([0, ADD_BIAS, ADD_TO_C]))
    offsets = tuple(draw(st.tuples(*[st.integers(0, 5)] * 3)))
    plan = sums.plan(columns=length["columns"], start=start, relu=draw(st.booleans()), offsets=offsets, **axes)
    return plan, [size + offset for size, offset in zip((a_size, b_size, c_size), offsets, strict=True)]


def numbers(size, seed):
    return np.random.default_rng(seed).standard_normal(size).astype(np.float32)


def compare(plan, a, b, c, bias):
    """Run both forms on copies of C; the compiled one must be within rounding of the one in float64."""
    ours, exact, scale = c.copy(), c.astype(np.float64), np.abs(c).astype(np.float64)
    sums.run(plan, a, b, ours, bias)
    sums.plain(plan, a.astype(np.float64), b.astype(np.float64), exact, bias.astype(np.float64))
    sums.plain(plan, *(np.abs(x).astype(np.float64) for x in (a, b)), scale, np.abs(bias).astype(np.float64))
    assert np.all(np.abs(ours - exact) <= ERROR * scale)


@given(products(), st.integers(0, 2**32))
@settings(max_examples=300)
def test_like_einsum(product, seed):
    plan, sizes = product
    a, b, c = (numbers(size, seed + n) for n, size in enumerate(sizes))
    compare(plan, a, b, c, numbers(150, seed + 3))


@pytest.mark.parametrize("columns", [1, 5, 8, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 100, 128, 129])
@pytest.mark.parametrize("rows", range(1, 14))
def test_every_tile(rows, columns):
    a, b, c = numbers((rows, 20), 0), numbers((20, columns), 1), numbers((rows, columns), 2)
    for start in (0, ADD_BIAS, ADD_TO_C):
        inner = Axis(20, a=1, b=columns)
        plan = sums.plan(rows=Axis(rows, a=20, c=columns), columns=columns, inner=inner, start=start)
        compare(plan, a, b, c.ravel(), numbers(columns, 3))


def test_b_in_panels():
    width = sums.columns_of_a_panel()
    rows, columns, k = 7, 2 * width + 3, 11
    a, b = numbers((rows, k), 0), numbers((k, columns), 1)
    panels = np.zeros((3, k, width), np.float32)
    for p in range(3):
        some = b[:, p * width : (p + 1) * width]
        panels[p, :, : some.shape[1]] = some
    c = np.empty((rows, columns), np.float32)
    plan = sums.plan(rows=Axis(rows, k, 0, columns), columns=columns, inner=Axis(k, 1, width), panel=k * width)
    sums.run(plan, a, panels, c)
    assert np.abs(c - a.astype(np.float64) @ b).max() < 1e-5


def test_several_plans_run_in_turn():
    a, b, c = numbers((4, 3), 0), numbers((3, 5), 1), np.zeros((4, 5), np.float32)
    first = dict(rows=Axis(4, 3, 0, 5), columns=5, inner=Axis(3, 1, 5))
    sums.run(np.concatenate([sums.plan(**first), sums.plan(**first, start=ADD_TO_C)]), a, b, c)
    assert np.allclose(c, 2 * a @ b, atol=1e-5)


@pytest.mark.parametrize("relu", [False, True])
def test_nan_and_infinity(relu):
    """What is not a number stays so through the sum and through max(y, 0), in its own row and column and only there."""
    a, b = numbers((8, 6), 0), numbers((6, 70), 1)
    a[1, 2], a[3, 0], b[4, 65] = np.nan, np.inf, np.nan
    c, exact = np.empty((8, 70), np.float32), np.empty((8, 70))
    plan = sums.plan(rows=Axis(8, 6, 0, 70), columns=70, inner=Axis(6, 1, 70), relu=relu)
    sums.run(plan, a, b, c)
    with np.errstate(invalid="ignore"):
        sums.plain(plan, a.astype(np.float64), b.astype(np.float64), exact)
    assert np.isnan(c[1]).all()
    assert np.isnan(c[:, 65]).all()
    assert np.array_equal(np.isnan(c), np.isnan(exact))
    assert np.array_equal(np.isposinf(c), np.isposinf(exact))
    assert np.array_equal(np.isneginf(c), np.isneginf(exact))


def test_only_c_is_written():
    """Between the rows of C there are gaps; every width of tile must leave them as they were."""
    for columns in range(1, 131):
        gap = 20
        c = np.full((9, columns + gap), 7, np.float32)
        a, b = np.ones((9, 2), np.float32), np.ones((2, columns), np.float32)
        plan = sums.plan(rows=Axis(9, 2, 0, columns + gap), columns=columns, inner=Axis(2, 1, columns))
        sums.run(plan, a, b, c)
        assert (c[:, :columns] == 2).all()
        assert (c[:, columns:] == 7).all()


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 40), (40, 1), (16, 16), (17, 33), (3, 50, 9), (2, 3, 16, 15), (0, 4), (4, 0)]
)
def test_transposed(shape):
    x = numbers(shape, 0)
    y = sums.transposed(x)
    assert y.flags.c_contiguous
    assert np.array_equal(y, x.swapaxes(-1, -2))


@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (2, 16, 7)])
def test_scratch_begins_with_a_line_of_the_cache(shape):
    arrays = [sums.scratch(shape) for _ in range(9)]
    for n, x in enumerate(arrays):
        assert (x.shape, x.dtype, x.ctypes.data % 64) == (shape, np.float32, 0)
        assert x.flags.c_contiguous
        x[...] = n
    assert all((x == n).all() for n, x in enumerate(arrays))


def test_the_switch():
    previous = set_compiled(False)
    try:
        assert not sums.ready()
        set_compiled(True)
        assert sums.ready()
    finally:
        set_compiled(previous)


# --- other processes ---------------------------------------------------------------------------------------------


GUARDED = """
import ctypes, mmap
import numpy as np
from kernels.cpu import sums
from kernels.cpu.sums import Axis

def at_the_end_of_memory(shape):
    \"\"\"An array after whose last element comes a page that may be neither read nor written.\"\"\"
    size = 4 * int(np.prod(shape))
    pages = -(-size // mmap.PAGESIZE)
    memory = mmap.mmap(-1, (pages + 1) * mmap.PAGESIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    end = ctypes.c_void_p(start + pages * mmap.PAGESIZE)
    assert ctypes.CDLL(None, use_errno=True).mprotect(end, mmap.PAGESIZE, 0) == 0
    array = np.frombuffer(memory, np.float32, size // 4, pages * mmap.PAGESIZE - size).reshape(shape)
    array[...] = 1
    return array

assert sums.ready()
for rows in (1, 6, 8, 12):
    for columns in range(1, 140):
        a, b, c, bias = map(at_the_end_of_memory, ((rows, 3), (3, columns), (rows, columns), (columns,)))
        inner = Axis(3, 1, columns)
        plan = dict(rows=Axis(rows, 3, 0, columns), columns=columns, inner=inner)
        sums.run(sums.plan(**plan, start=sums.ADD_BIAS), a, b, c, bias)
        assert (c == 4).all()
        sums.run(sums.plan(**plan, start=sums.ADD_TO_C), a, b, c)
        assert (c == 7).all()
for shape in ((1, 1), (3, 17), (16, 16), (33, 5)):
    assert (sums.transposed(at_the_end_of_memory(shape)) == 1).all()
print("nothing beyond the end was touched")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="protects pages of memory with Linux's mprotect")
def test_nothing_is_read_or_written_beyond_the_end():
    assert run(GUARDED) == "nothing beyond the end was touched"


OTHER_PROCESSOR = """
import numpy as np
from kernels.cpu import sums
from kernels.cpu.sums import Axis
assert sums.ready()
from kernels.cpu import tile
worst = 0
for rows, columns, k in [(1, 1, 1), (6, 64, 40), (7, 13, 5), (12, 16, 9), (13, 100, 30), (4, 8, 0), (5, 47, 9)]:
    rng = np.random.default_rng(0)
    a, b, bias = (rng.standard_normal(s).astype("f") for s in ((rows, k), (k, columns), columns))
    c = np.empty((rows, columns), "f")
    inner = Axis(k, 1, columns)
    sums.run(sums.plan(rows=Axis(rows, k, 0, columns), columns=columns, inner=inner, start=1), a, b, c, bias)
    worst = max(worst, np.abs(c - (a.astype("d") @ b + bias)).max())
    assert np.array_equal(sums.transposed(b), b.T)
print(tile.LANES, worst < 1e-5)
"""


def processors():
    """How Numba is told to compile, and how long vectors then are."""
    from kernels.cpu import tile

    yield {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}, 4
    if tile.LANES >= 8:
        yield {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma"}, 8
        yield {"NUMBA_CPU_NAME": "haswell"}, tile.LANES  # the features are still those of this machine


@pytest.mark.parametrize(("environment", "lanes"), list(processors()) if sums.ready() else [])
def test_other_processors(environment, lanes):
    assert run(OTHER_PROCESSOR, **environment) == f"{lanes} True"


ASK = "from kernels.cpu import sums; print(sums.ready())"


@pytest.mark.parametrize(
    ("program", "environment"),
    [
        (ASK, {"KERNELS_COMPILED": "0"}),
        (ASK, {"NUMBA_DISABLE_JIT": "1"}),
        ("import sys; sys.modules['numba'] = None; " + ASK, {}),
        ("import sys; sys.modules['llvmlite'] = None; " + ASK, {}),
    ],
    ids=["switched off", "Numba switched off", "no Numba", "no llvmlite"],
)
def test_without_numba_the_answer_is_no(program, environment):
    assert run(program, **environment) == "False"


def test_numba_is_not_imported_before_it_is_needed():
    program = "import sys, kernels.cpu.convolution, kernels.cpu.matmul; print('numba' in sys.modules)"
    assert run(program) == "False"


def test_a_cache_that_cannot_be_used_costs_only_the_cache(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    assert run(ASK, NUMBA_CACHE_DIR=str(blocked)) == "True"


def test_compiling_is_announced(tmp_path):
    program = f"import sys; sys.stderr = sys.stdout; {ASK}"
    message = "kernels: compiling products and convolutions for this machine, once"
    assert run(program, NUMBA_CACHE_DIR=str(tmp_path)).splitlines() == [message, "True"]
    assert run(program, NUMBA_CACHE_DIR=str(tmp_path)) == "True"
