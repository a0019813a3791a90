"""Arrays as compiled code sees them: types of Numba's that are made to be small.

An array that threads share is the address of its row of integers (see ``access``); an array of one thread is the
address of its numbers, and its shape. Numba's own arrays can do much more, and each use of one is many times as much
code to compile; a kernel has a hundred.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import int64, types
from numba.core import cgutils
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, lower_getattr, models, register_model

from .access import SHAPE
from .state import load_field

__all__ = ["Array", "Local", "Memory"]


class Array(types.Type):
    """Either kind."""

    def __init__(self, dtype: types.Type, ndim: int) -> None:
        self.dtype, self.ndim = dtype, ndim
        super().__init__(f"array({dtype}, {ndim}d)")


class Memory(Array):
    """An array that threads share, or part of one: where the first ``given`` indices are what they are."""

    def __init__(self, dtype: types.Type, ndim: int, given: int = 0) -> None:
        self.given = given
        super().__init__(dtype, ndim)

    @property
    def key(self) -> Any:
        return self.dtype, self.ndim, self.given


class Local(Array):
    """An array of one thread, or part of one."""


@register_model(Memory)
class MemoryModel(models.StructModel):
    def __init__(self, manager, array):
        super().__init__(manager, array, [("row", int64), ("first", types.UniTuple(int64, array.given))])


@register_model(Local)
class LocalModel(models.StructModel):
    def __init__(self, manager, array):
        numbers, shape = types.CPointer(array.dtype), types.UniTuple(int64, array.ndim)
        super().__init__(manager, array, [("numbers", numbers), ("shape", shape)])


@infer_getattr
class Attributes(AttributeTemplate):
    key = Array

    def resolve_shape(self, array):
        return types.UniTuple(int64, array.ndim)

    def resolve_size(self, array):
        return int64

    def resolve_ndim(self, array):
        return int64


@lower_getattr(Memory, "shape")
def shape_of_memory(context, builder, array, value):
    row = builder.extract_value(value, 0)
    return cgutils.pack_array(builder, [load_field(builder, row, SHAPE + array.given + i) for i in range(array.ndim)])


@lower_getattr(Local, "shape")
def shape_of_local(context, builder, array, value):
    return builder.extract_value(value, 1)


@lower_getattr(Array, "size")
def size(context, builder, array, value):
    shape = (shape_of_memory if isinstance(array, Memory) else shape_of_local)(context, builder, array, value)
    result = ir.Constant(ir.IntType(64), 1)
    for axis in range(array.ndim):
        result = builder.mul(result, builder.extract_value(shape, axis))
    return result


@lower_getattr(Array, "ndim")
def ndim(context, builder, array, value):
    return ir.Constant(ir.IntType(64), array.ndim)
