"""The compile gate finds what it is there to find: spills, double precision, slow loops, blocks that do not fit."""

import functools
import re
from pathlib import Path

import pytest

from kernels.cuda import all_kernels
from kernels.cuda.compiler import cuda, float32, int32
from kernels.cuda.gate import FLOORS, MARK, main, shortfalls, table, write
from kernels.cuda.kernel import Kernel
from kernels.cuda.machine_code import Loop, compile_kernel, innermost_loops, why_no_gate
from kernels.cuda.roofline import A100, H100

ROOT = Path(__file__).parents[2]
needs_compiler = pytest.mark.skipif(bool(why_no_gate()), reason=f"no machine code can be made here: {why_no_gate()}")

LISTING = """
        /*0000*/                   IMAD.MOV.U32 R1, RZ, RZ, c[0x0][0x28] ;
.L_x_1:
        /*0010*/                   FADD R0, R0, R1 ;
.L_x_2:
        /*0020*/                   LDS.128 R4, [R2] ;
        /*0030*/                   FFMA R8, R4, R5, R8 ;
        /*0040*/                   FFMA.FTZ R9, R6, R7, R9 ;
        /*0050*/              @!P0 BRA `(.L_x_2) ;
        /*0060*/               @P1 BRA `(.L_x_1) ;
        /*0070*/                   EXIT ;
.L_x_3:
        /*0080*/                   BRA `(.L_x_3);
"""


def test_innermost_loops_of_a_listing():
    loops = innermost_loops(LISTING)
    assert [loop.instructions for loop in loops] == [("LDS.128", "FFMA", "FFMA.FTZ", "BRA")]
    assert loops[0].count("FFMA") == 2
    assert loops[0].count("LDS") == loops[0].count("LDS.128") == 1
    assert loops[0].share("FFMA") == 0.5
    assert str(loops[0]) == "2 FFMA of 4, 1 LDS.128"
    assert str(Loop(("HMMA.1688.F32.TF32", "FFMA"))) == "1 HMMA of 2, 0 LDS.128"


def found(thread, gpu=A100, types="float32[::1]", **options):
    return list(
        shortfalls(compile_kernel(Kernel(thread, types=types, **{"threads": 128, **options}), gpu.architecture), gpu)
    )


@needs_compiler
@pytest.mark.parametrize("gpu", [A100, H100], ids=["A100", "H100"])
def test_a_plain_kernel_passes(gpu):
    def double(a):
        a[cuda.grid(1)] *= float32(2.0)

    assert found(double, gpu) == []


@needs_compiler
def test_double_precision_is_found():
    def tenth(a):
        a[cuda.grid(1)] = a[cuda.grid(1)] * 0.1

    (fault,) = found(tenth)
    assert fault.startswith("double precision: ")


@needs_compiler
def test_spills_are_found():
    def many(a):
        kept = cuda.local.array(300, float32)
        for i in range(300):
            kept[i] = a[cuda.grid(1) + i]
        for i in range(300):
            a[cuda.grid(1) + i] = kept[(i * 7 + int32(a[0])) % 300]

    assert any("of stack" in fault for fault in found(many))


@needs_compiler
def test_a_promise_of_room_that_is_not_kept_is_found():
    def roomy(a):
        tile = cuda.shared.array(12000, float32)
        tile[cuda.threadIdx.x] = a[cuda.grid(1)]
        cuda.syncthreads()
        a[cuda.grid(1)] = tile[127 - cuda.threadIdx.x]

    assert found(roomy, blocks_per_sm=3) == []
    assert found(roomy, blocks_per_sm=4) == ["room for 3 blocks on a multiprocessor, of 4 promised"]


@needs_compiler
def test_a_loop_with_few_multiply_adds_is_found(monkeypatch):
    def product(a):
        tile = cuda.shared.array(128, float32)
        tile[cuda.threadIdx.x] = a[cuda.threadIdx.x]
        cuda.syncthreads()
        total = float32(0.0)
        for i in range(int32(a.size)):
            for j in range(16):
                total += tile[i + j] * tile[j]
        a[0] = total

    monkeypatch.setitem(FLOORS, "product", 0.99)
    (fault,) = found(product)
    assert re.fullmatch(r"a loop of \d+ FFMA of \d+, \d+ LDS\.128: less than 99% FFMA", fault)


@needs_compiler
def test_a_floor_without_a_loop_is_found(monkeypatch):
    def nothing(a):
        a[0] = float32(0.0)

    monkeypatch.setitem(FLOORS, "nothing", 0.5)
    assert found(nothing) == ["no loop with multiply-adds was found"]


@needs_compiler
def test_the_table_has_a_line_for_each_architecture():
    def double(a):
        a[cuda.grid(1)] *= float32(2.0)

    lines, wrong = table([Kernel(double, threads=128, types="float32[::1]", name="twice")])
    assert [line.split("|")[1:3] for line in lines[2:]] == [[" `twice` ", " sm_80 "], [" `twice` ", " sm_90 "]]
    assert wrong == []


@pytest.mark.skipif(not why_no_gate(), reason="all that is needed is here")
def test_what_is_missing_is_said(capsys):
    with pytest.raises(RuntimeError, match=r"compile_kernel: .* is missing: pip install 'minidl\[gate\]'"):
        compile_kernel(Kernel(test_what_is_missing_is_said, threads=1, types=""), (8, 0))
    assert main([]) == 2
    assert "the gate cannot run: " in capsys.readouterr().err


def test_the_table_goes_between_the_marks(tmp_path):
    path = tmp_path / "file.md"
    path.write_text(f"before\n{MARK}\nold\n{MARK}\nafter\n")
    write(path, ["new", "lines"])
    assert path.read_text() == f"before\n{MARK}\nnew\nlines\n{MARK}\nafter\n"
    path.write_text(f"{MARK}\n")
    with pytest.raises(ValueError, match="needs the line <!-- gate --> twice, and has it 1 times"):
        write(path, [])


def test_kernels_have_names_of_their_own():
    names = [kernel.name for kernel in all_kernels()]
    assert len(names) == len(set(names))


def test_every_floor_belongs_to_a_kernel():
    names = [kernel.name for kernel in all_kernels()]
    assert all(any(name.startswith(start) for name in names) for start in FLOORS)


@functools.cache
def readme():
    return (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_lists_every_kernel():
    assert readme().count(MARK) == 2
    listed = {line.split("`")[1] for line in readme().split(MARK)[1].splitlines() if line.startswith("| `")}
    assert listed == {kernel.name for kernel in all_kernels()}
