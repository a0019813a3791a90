"""What Numba-CUDA has no words for: accesses of 16 bytes at once, and the tensor cores.

A GPU moves memory by instructions. One that asks for four neighbouring float32 costs as many slots as one that asks for
a single number, so a kernel whose inner loop reads four at a time has more slots left for arithmetic.

The functions stand in the source of kernels. On a GPU, each becomes one instruction; the simulator has its own form of
each, which checks what the hardware demands.
"""

from __future__ import annotations

from typing import Any

from .compiler import intrinsic

__all__ = ["load4", "mma_tf32", "store4"]


def load4(array: Any, index: Any) -> Any:
    """Four neighbouring float32: ``x, y, z, w = load4(array, index)``.

    ``index`` counts elements of the C-contiguous array from its start, whatever its shape, and must be a multiple of 4,
    for the hardware reads 16 bytes at addresses that are multiples of 16 only.
    """
    raise NotImplementedError("load4 stands in kernels; it runs on a GPU or in the simulator")


def store4(array: Any, index: Any, x: Any, y: Any, z: Any, w: Any) -> None:
    """Write four neighbouring float32; ``index`` as in ``load4``."""
    raise NotImplementedError("store4 stands in kernels; it runs on a GPU or in the simulator")


def mma_tf32(a0: Any, a1: Any, a2: Any, a3: Any, b0: Any, b1: Any, c0: Any, c1: Any, c2: Any, c3: Any) -> Any:
    """D = A B + C by the tensor cores, for A (16, 8), B (8, 8), C and D (16, 8), spread over the 32 lanes of a warp.

    Lane l, with g = l // 4 and t = l % 4, holds

    * of A: ``a0`` = A[g, t], ``a1`` = A[g + 8, t], ``a2`` = A[g, t + 4], ``a3`` = A[g + 8, t + 4];
    * of B: ``b0`` = B[t, g], ``b1`` = B[t + 4, g];
    * of C and of the result: C[g, 2t], C[g, 2t + 1], C[g + 8, 2t], C[g + 8, 2t + 1].

    A and B are used as tf32, which keeps 10 of a float32's 23 fraction bits (the rest is ignored: round before, or
    accept numbers that are cut off); products are summed in float32. All 32 lanes must call it together.
    Source: NVIDIA, PTX ISA, mma.sync.aligned.m16n8k8 for tf32.
    """
    raise NotImplementedError("mma_tf32 stands in kernels; it runs on a GPU or in the simulator")


if intrinsic is not None:
    from llvmlite import ir

    try:
        from numba.cuda.types import UniTuple, float32, intp, void  # numba-cuda's own
    except ImportError:
        from numba.core.types import UniTuple, float32, intp, void

    FLOAT, INT = ir.FloatType(), ir.IntType(32)

    def address(context, builder, array_type, array, index, index_type):
        """Where element ``index`` of an array begins, as a pointer to four numbers."""
        data = context.make_array(array_type)(context, builder, value=array).data
        offset = context.cast(builder, index, index_type, intp)
        return builder.bitcast(builder.gep(data, [offset]), ir.VectorType(FLOAT, 4).as_pointer(data.type.addrspace))

    def load4_on_gpu(typingctx, array, index):
        def build(context, builder, signature, values):
            four = builder.load(address(context, builder, array, values[0], values[1], index))
            four.align = 16
            numbers = [builder.extract_element(four, INT(lane)) for lane in range(4)]
            return context.make_tuple(builder, signature.return_type, numbers)

        return UniTuple(float32, 4)(array, index), build

    def store4_on_gpu(typingctx, array, index, x, y, z, w):
        def build(context, builder, signature, values):
            four = ir.Constant(ir.VectorType(FLOAT, 4), ir.Undefined)
            for lane in range(4):
                four = builder.insert_element(four, values[2 + lane], INT(lane))
            builder.store(four, address(context, builder, array, values[0], values[1], index)).align = 16
            return context.get_dummy_value()

        return void(array, index, float32, float32, float32, float32), build

    def mma_tf32_on_gpu(typingctx, a0, a1, a2, a3, b0, b1, c0, c1, c2, c3):
        def build(context, builder, signature, values):
            operands = [builder.bitcast(value, INT) for value in values[:6]] + list(values[6:])
            four = ir.LiteralStructType([FLOAT] * 4)
            instruction = ir.InlineAsm(
                ir.FunctionType(four, [INT] * 6 + [FLOAT] * 4),
                "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
                "{$0,$1,$2,$3}, {$4,$5,$6,$7}, {$8,$9}, {$10,$11,$12,$13};",
                "=f,=f,=f,=f,r,r,r,r,r,r,f,f,f,f",
                side_effect=True,
            )
            result = builder.call(instruction, operands)
            numbers = [builder.extract_value(result, lane) for lane in range(4)]
            return context.make_tuple(builder, signature.return_type, numbers)

        return UniTuple(float32, 4)(*[float32] * 10), build

    def instruction(described, on_gpu):
        """The intrinsic, under the name and with the docstring of the function that describes it."""
        on_gpu.__name__, on_gpu.__doc__ = described.__name__, described.__doc__
        return intrinsic(on_gpu)

    load4 = instruction(load4, load4_on_gpu)
    store4 = instruction(store4, store4_on_gpu)
    mma_tf32 = instruction(mma_tf32, mma_tf32_on_gpu)
