"""The register tile: one small piece of machine code behind every matrix product and convolution on the CPU.

A tile of C is a few rows and columns of a matrix that stay in the processor's registers while a long sum runs::

    C[m, n] = S[m, n] + sum_k A[m, k] B[k, n]            m < 6 rows, n < 64 columns (AVX-512)

**Register blocking.** One step of k takes 6 numbers of A and 64 of B and does 6 * 64 multiply-adds with them: 768
floating-point operations for 4 * (6 + 64) = 280 bytes. Computed one element at a time, the same work would load 8
bytes for every 2 operations, 3,072 bytes in all: eleven times as much, and no cache delivers that. The 6 x 64 sums are
24 vectors of 16 floats; with 4 vectors for B and one for a number of A, 29 of the 32 registers are in use. C itself is
read and written once a tile, not once a step. Narrower tiles have up to 12 rows: what is loaded of B then serves
as many sums, and while one sum is being added to, there are others to go on with.

**Why columns lie in vectors and k runs innermost.** A vector holds 16 neighbours of a row of B and of C, so both must
be contiguous along n. A's numbers are loaded one by one and copied to all lanes, so A may have any strides; it is
kindest to the cache when k runs through contiguous memory: then 16 steps of k use up one line of 64 bytes.

**Sums over three indices.** The sum over k is written as three loops (outer, middle, inner), each with its own strides
in A and B. That is all a convolution needs: its window is no row of any matrix in memory, but it is a loop over kernel
rows, a loop over kernel columns and a loop over channels. So no patches have to be copied out first.

**Ragged edges.** There are tiles of fewer rows too, down to one. The last vector of columns is masked: lanes beyond the
edge are neither read nor written. With AVX-512 that costs nothing; elsewhere only the tile of one vector is masked, and
it comes last.

The code is written with llvmlite inside a Numba ``@intrinsic``, because plain loops leave the choice of registers to
the compiler's heuristics. Each sum is a variable of the function (``alloca``) that LLVM turns into a register.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.extending import intrinsic
from numba.core.registry import cpu_target

from .sums import (
    ADD_BIAS,
    ADD_TO_C,
    COLUMN,
    INNER,
    LENGTH,
    MIDDLE,
    OFFSET,
    OPTION,
    OUTER,
    PANEL,
    RELU,
    ROW,
    START,
    A,
    B,
    C,
    I,
    J,
)

__all__ = ["COLUMNS", "LANES", "compile_walk"]

FEATURES = set(cpu_target.target_context.codegen().magic_tuple()[2].split(","))  # of the machine, or as Numba is told
FREE_MASKS = "+avx512f" in FEATURES
LANES = 16 if FREE_MASKS else 8 if "+avx2" in FEATURES else 4  # floats in a vector
VECTORS = (4, 2, 1) if FREE_MASKS or "+neon" in FEATURES else (2, 1)  # widths of tiles; 32 registers, or 16
WIDE_ROWS, NARROW_ROWS = 6, 12  # of a tile of VECTORS[0], and of fewer
COLUMNS = LANES * VECTORS[0]
SLACK = LANES - 1 if FREE_MASKS else 0  # how many columns a tile may be wider than what is left

INT, FLOAT = ir.IntType(64), ir.FloatType()
ALIGNMENT = ir.Constant(ir.IntType(32), 4)  # bytes: a vector may begin at any float
VECTOR, MASK = ir.VectorType(FLOAT, LANES), ir.VectorType(ir.IntType(1), LANES)
ARGUMENTS = (
    *("a", "a_row", "a_outer", "a_middle", "a_inner"),
    *("b", "b_outer", "b_middle", "b_inner"),
    *("c", "c_row", "start", "start_row", "outer", "middle", "inner", "columns", "relu"),
)


# --- one tile, written as LLVM instructions ----------------------------------------------------------------------


class Writer:
    """Writes the function of one tile of ``rows`` x ``vectors`` into a module.

    Addresses arrive as integers, strides count floats. ``start`` is the address of S, whose rows are ``start_row``
    apart (0: one row for all, a bias), or 0 for sums that start at zero.
    """

    def __init__(self, module: ir.Module, rows: int, vectors: int) -> None:
        kind = ir.FunctionType(ir.VoidType(), [INT] * len(ARGUMENTS))
        self.function = ir.Function(module, kind, f"tile_{rows}x{vectors}")
        self.function.linkage = "internal"
        self.function.attributes.add("noinline")  # compiled once, however many places call it
        self.module, self.rows, self.vectors = module, rows, vectors
        self.code = ir.IRBuilder(self.function.append_basic_block())
        self.given = dict(zip(ARGUMENTS, self.function.args))
        self.masked = FREE_MASKS or vectors == 1
        self.places = [(m, v) for m in range(rows) for v in range(vectors)]

    def write(self) -> ir.Function:
        """All of it: start the sums, add up, store."""
        code, given = self.code, self.given
        self.mask = self.lanes_in_use()
        self.sums = {place: code.alloca(VECTOR) for place in self.places}
        self.start_sums()
        a, b = self.pointer("a"), self.pointer("b")
        with cgutils.for_range(code, given["outer"]) as outer:
            a_outer, b_outer = self.step(a, outer, "a_outer"), self.step(b, outer, "b_outer")
            with cgutils.for_range(code, given["middle"]) as middle:
                a_middle, b_middle = self.step(a_outer, middle, "a_middle"), self.step(b_outer, middle, "b_middle")
                a_bases = [self.unrelated(self.row(a_middle, "a_row", m)) for m in range(0, self.rows, 3)]
                with cgutils.for_range(code, given["inner"]) as inner:
                    a_steps = [self.step(base, inner, "a_inner") for base in a_bases]
                    self.multiply_add(a_steps, self.step(b_middle, inner, "b_inner"))
        self.store_sums()
        code.ret_void()
        return self.function

    # The stages

    def lanes_in_use(self) -> ir.Value:
        """Of the last vector: lane i is in use where i < columns - LANES (vectors - 1)."""
        left = self.code.sub(self.given["columns"], number(LANES * (self.vectors - 1)))
        lanes = ir.Constant(ir.VectorType(INT, LANES), list(range(LANES)))
        return self.code.icmp_signed("<", lanes, spread(self.code, left))

    def start_sums(self) -> None:
        """Each sum starts at S[m, n], or at zero where there is no S."""
        code = self.code
        with code.if_else(code.icmp_unsigned("==", self.given["start"], number(0))) as (nothing, something):
            with nothing:
                for place in self.places:
                    code.store(zeros(), self.sums[place])
            with something:
                start = self.pointer("start")
                for m, v in self.places:
                    code.store(self.load(self.row(start, "start_row", m), v), self.sums[m, v])

    def multiply_add(self, a_steps: list[ir.Value], b: ir.Value) -> None:
        """One step of k: sums[m, n] += A[m, k] B[k, n]."""
        code = self.code
        multiply_add = intrinsic_function(code, f"fmuladd.v{LANES}f32", VECTOR, [VECTOR] * 3)
        b_vectors = [self.load(b, v) for v in range(self.vectors)]
        for m in range(self.rows):
            a_everywhere = spread(code, code.load(self.row(a_steps[m // 3], "a_row", m % 3)))
            for v in range(self.vectors):
                new = code.call(multiply_add, [a_everywhere, b_vectors[v], code.load(self.sums[m, v])])
                code.store(new, self.sums[m, v])

    def store_sums(self) -> None:
        """C[m, n] = the sum, or max(sum, 0) with relu. A NaN stays a NaN: no comparison with it is true."""
        code = self.code
        zero, least = ir.Constant(FLOAT, 0.0), ir.Constant(FLOAT, float("-inf"))
        floor = spread(code, code.select(code.icmp_signed("!=", self.given["relu"], number(0)), zero, least))
        c = self.pointer("c")
        for m, v in self.places:
            value = code.load(self.sums[m, v])
            value = code.select(code.fcmp_ordered("<", value, floor), floor, value)
            self.store(value, self.row(c, "c_row", m), v)

    # Their words

    def pointer(self, name: str) -> ir.Value:
        return self.code.inttoptr(self.given[name], FLOAT.as_pointer())

    def step(self, pointer: ir.Value, loop: Any, stride: str) -> ir.Value:
        return self.code.gep(pointer, [self.code.mul(loop.index, self.given[stride])])

    def row(self, pointer: ir.Value, stride: str, m: int) -> ir.Value:
        return self.code.gep(pointer, [self.code.mul(self.given[stride], number(m))])

    def unrelated(self, pointer: ir.Value) -> ir.Value:
        """The same address, of which LLVM does not know where it came from.

        It would compute each row's address from that of the row before, six additions that wait for each other in every
        step: as long as the multiply-adds of a narrow tile.
        """
        identity = ir.InlineAsm(ir.FunctionType(pointer.type, [pointer.type]), "", "=r,0", side_effect=False)
        return self.code.call(identity, [pointer])

    def vector(self, pointer: ir.Value, v: int) -> ir.Value:
        return as_vector(self.code, self.code.gep(pointer, [number(LANES * v)]))

    def is_masked(self, v: int) -> bool:
        return self.masked and v == self.vectors - 1

    def load(self, pointer: ir.Value, v: int) -> ir.Value:
        if self.is_masked(v):
            return masked_load(self.code, self.vector(pointer, v), self.mask)
        return self.code.load(self.vector(pointer, v), align=4)

    def store(self, value: ir.Value, pointer: ir.Value, v: int) -> None:
        if self.is_masked(v):
            masked_store(self.code, value, self.vector(pointer, v), self.mask)
        else:
            self.code.store(value, self.vector(pointer, v), align=4)


def number(value: int) -> ir.Constant:
    return ir.Constant(INT, value)


def zeros() -> ir.Constant:
    return ir.Constant(VECTOR, [0.0] * LANES)


def spread(code: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """A vector with the value in every lane."""
    nothing = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
    first = code.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
    return code.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def as_vector(code: ir.IRBuilder, pointer: ir.Value) -> ir.Value:
    return code.bitcast(pointer, VECTOR.as_pointer())


def masked_load(code: ir.IRBuilder, pointer: ir.Value, mask: ir.Value) -> ir.Value:
    """The vector at the pointer, with zeros in the lanes that the mask leaves out; those are not read."""
    kinds = [VECTOR.as_pointer(), ir.IntType(32), MASK, VECTOR]
    load = intrinsic_function(code, f"masked.load.v{LANES}f32.p0", VECTOR, kinds)
    return code.call(load, [as_vector(code, pointer), ALIGNMENT, mask, zeros()])


def masked_store(code: ir.IRBuilder, value: ir.Value, pointer: ir.Value, mask: ir.Value) -> None:
    """Store the lanes in the mask; the memory of the others is not touched."""
    kinds = [VECTOR, VECTOR.as_pointer(), ir.IntType(32), MASK]
    store = intrinsic_function(code, f"masked.store.v{LANES}f32.p0", ir.VoidType(), kinds)
    code.call(store, [value, as_vector(code, pointer), ALIGNMENT, mask])


def intrinsic_function(code: ir.IRBuilder, name: str, result: ir.Type, arguments: list[ir.Type]) -> ir.Function:
    return cgutils.get_or_insert_function(code.module, ir.FunctionType(result, arguments), f"llvm.{name}")


@njit(inline="always")
def highest(width):
    """How many rows a tile of so many vectors has at most."""
    return WIDE_ROWS if width == VECTORS[0] else NARROW_ROWS


@intrinsic
def tile(
    typing_context, rows, vectors, a, a_row, a_outer, a_middle, a_inner, b, b_outer, b_middle, b_inner,
    c, c_row, start, start_row, outer, middle, inner, columns, relu,
):  # fmt: skip
    """Call the tile of so many rows and vectors with the other arguments: all tiles, and a jump to the right one."""

    def generate(context, code, signature, values):
        rows, vectors, *arguments = values
        done = code.append_basic_block("done")
        jump = code.switch(code.add(code.mul(rows, number(8)), vectors), done)
        for width in VECTORS:
            for m in range(1, highest.py_func(width) + 1):
                case = code.append_basic_block(f"tile_{m}x{width}")
                jump.add_case(number(8 * m + width), case)
                with code.goto_block(case):
                    code.call(Writer(code.module, m, width).write(), arguments)
                    code.branch(done)
        code.position_at_end(done)
        return context.get_dummy_value()

    return types.void(*[types.intp] * (2 + len(ARGUMENTS))), generate


# --- all tiles of a product --------------------------------------------------------------------------------------


@njit(inline="always")
def widest(left):
    """The widest tile, in vectors, that is not too wide for the columns left; the narrowest one always will do."""
    for width in VECTORS:
        if width * LANES <= left + SLACK:
            return width
    return 1


def walk(a, b, c, bias, plans):
    """Cover C with tiles, as each plan (see ``sums.plan``) says: for each i, j, panel of columns and chunk of rows.

    Rows are dealt out evenly, 13 as 4 + 4 + 5 rather than 6 + 6 + 1: a tile of one row loads as much of B as one of 6.
    """
    for plan in plans:
        n_rows, n_columns = plan[ROW, LENGTH], plan[COLUMN, LENGTH]
        for i in range(plan[I, LENGTH]):
            for j in range(plan[J, LENGTH]):
                a_ij = a.ctypes.data + 4 * (plan[OFFSET, A] + i * plan[I, A] + j * plan[J, A])
                b_ij = b.ctypes.data + 4 * (plan[OFFSET, B] + i * plan[I, B] + j * plan[J, B])
                c_ij = c.ctypes.data + 4 * (plan[OFFSET, C] + i * plan[I, C] + j * plan[J, C])
                n = 0
                while n < n_columns:
                    panel, column = n // COLUMNS, n % COLUMNS
                    width = widest(min(n_columns - n, COLUMNS - column))
                    columns = min(n_columns - n, width * LANES)
                    b_n = b_ij + 4 * (panel * plan[OPTION, PANEL] + column)
                    most = highest(width)
                    chunks = (n_rows + most - 1) // most
                    m = 0
                    for chunk in range(chunks):
                        rows = (n_rows - m) // (chunks - chunk)
                        a_m, c_mn = a_ij + 4 * m * plan[ROW, A], c_ij + 4 * (m * plan[ROW, C] + n)
                        start, start_row = 0, 0
                        if plan[OPTION, START] == ADD_TO_C:
                            start, start_row = c_mn, plan[ROW, C]
                        elif plan[OPTION, START] == ADD_BIAS:
                            start = bias.ctypes.data + 4 * (plan[OFFSET, LENGTH] + n)
                        tile(
                            rows, width,
                            a_m, plan[ROW, A], plan[OUTER, A], plan[MIDDLE, A], plan[INNER, A],
                            b_n, plan[OUTER, B], plan[MIDDLE, B], plan[INNER, B],
                            c_mn, plan[ROW, C], start, start_row,
                            plan[OUTER, LENGTH], plan[MIDDLE, LENGTH], plan[INNER, LENGTH],
                            columns, plan[OPTION, RELU],
                        )  # fmt: skip
                        m += rows
                    n += columns


def compile_walk(cache: bool) -> Callable[..., None]:
    """Compile ``walk`` for arrays of float32; with ``cache``, or take it from the disk."""
    given = types.Array(types.float32, 1, "C", readonly=True)
    result = types.Array(types.float32, 1, "C")
    signature = types.void(given, given, result, given, types.Array(types.int64, 3, "C", readonly=True))
    return njit(signature, cache=cache, error_model="numpy", nogil=True)(walk)
