"""Loads and stores, as the rewritten kernel makes them: each subscript of its source became ``load`` or ``store``.

What such a call does follows from the type of the array (see ``arrays``). For an array that threads share, ``access``
checks what is done to it. An array of one thread has its bounds checked, and that a number was written before it is
read. Tuples are left alone.

All of them are intrinsics: functions that write LLVM's code for the place where they stand, so that none has to be
compiled for each combination of types.
"""

from __future__ import annotations

import operator
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import int64, types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic, overload
from numba.np.numpy_support import from_dtype

from .access import OUT_OF_BOUNDS, access, access4, blame
from .arrays import Array, Local, Memory
from .shadow import ATOMIC, READ, UNINITIALISED, WRITE
from .state import INNER, OPERANDS, Stop, load_field

__all__ = [
    *("atomic_place", "is_poison", "length", "load", "load4", "local_array", "operand", "poison", "store", "store4"),
]

POISON = 0x7FDEAD01  # what fills memory that nobody has written: as float32 it is a NaN that no arithmetic yields
INTEGER = ir.IntType(64)


def poison(shape: Any, dtype: np.dtype) -> np.ndarray:
    """An array of numbers that nobody has written."""
    array = np.empty(shape, dtype)
    if dtype.itemsize % 4 == 0:
        array.reshape(-1).view(np.uint32)[...] = POISON
    else:
        array.reshape(-1).view(np.uint8)[...] = POISON >> 24
    return array


def is_poison(array: np.ndarray) -> np.ndarray:
    """Where an array holds what ``poison`` put there."""
    if array.itemsize not in (4, 8):  # 0x7F in a single byte may well be meant
        return np.zeros(array.shape, bool)
    pattern = poison(1, array.dtype).view(f"u{array.itemsize}")[0]
    return array.view(f"u{array.itemsize}") == pattern


def length(array: Any) -> int:
    """``len(array)`` in a kernel."""


@overload(length, jit_options=INNER)
def length_by_type(array):
    if isinstance(array, Array):
        return lambda array: array.shape[0]
    return lambda array: len(array)


# --- operands ------------------------------------------------------------------------------------------------------


@cache
def operand(number: int, kind: types.Type) -> Any:
    """The function that gives a thread one of the launch's operands: its arguments, then its shared arrays."""

    @intrinsic
    def operand(typingctx, state):
        def build(context, builder, signature, arguments):
            cell = builder.add(load_field(builder, arguments[0], OPERANDS), integer(8 * number))
            if not isinstance(kind, Memory):
                return context.unpack_value(builder, kind, pointer_to(context, builder, kind, cell))
            nothing = cgutils.pack_array(builder, [], INTEGER)
            return cgutils.pack_struct(builder, [load_field(builder, cell, 0), nothing])

        return kind(int64), build

    return operand


@cache
def local_array(shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """The function that makes such an array for a thread: on its stack, full of poison."""
    array = Local(from_dtype(dtype), len(shape))
    pattern = int(poison(1, dtype).view(f"u{dtype.itemsize}")[0])

    @intrinsic
    def local_array(typingctx):
        def build(context, builder, signature, arguments):
            cell = ir.IntType(8 * dtype.itemsize)
            size = integer(int(np.prod(shape)))
            numbers = cgutils.alloca_once(builder, cell, size)
            with cgutils.for_range(builder, size) as loop:
                builder.store(cell(pattern), builder.gep(numbers, [loop.index]))
            numbers = builder.bitcast(numbers, context.get_data_type(array.dtype).as_pointer())
            return cgutils.pack_struct(builder, [numbers, cgutils.pack_array(builder, [*map(integer, shape)])])

        return array(), build

    return local_array


# --- pieces of code ------------------------------------------------------------------------------------------------


def integer(value: int) -> ir.Constant:
    return ir.Constant(INTEGER, value)


def pointer_to(context, builder, kind, address):
    """The address of a number of this type as a pointer."""
    return builder.inttoptr(address, context.get_data_type(kind).as_pointer())


def call(builder, function, *arguments):
    """Call one of the functions of ``access``."""
    kind = ir.FunctionType(INTEGER, [INTEGER] * len(arguments)).as_pointer()
    return builder.call(builder.inttoptr(integer(function.address), kind), arguments)


def stop(context, builder):
    context.call_conv.return_user_exc(builder, Stop, ())


def parts(index):
    """The types of an index's numbers; raises numba's TypingError, with words of ours, for what is no index."""
    if len(index) == 1 and isinstance(index[0], types.BaseTuple):  # a tuple in a variable
        index = index[0]
    for number in index:
        if not isinstance(number, types.Integer):
            raise TypingError(f"an index must be an integer, not {number}")
    return tuple(index)


def numbers_of(context, builder, index, value):
    """The index's numbers as int64."""
    if isinstance(index[0], types.BaseTuple):
        index, value = index[0], builder.extract_value(value, 0)
    given = cgutils.unpack_tuple(builder, value, len(index))
    return [context.cast(builder, number, kind, int64) for number, kind in zip(given, index)]


def four(index):
    """The index with zeros for axes that are not there."""
    return [*index, *[integer(0)] * (4 - len(index))]


def check_axes(array, index, part=False):
    """Raises numba's TypingError for more indices than axes, and for fewer unless a part is wanted."""
    if len(index) > array.ndim:
        raise TypingError(f"{len(index)} indices for an array with {array.ndim} axes")
    if len(index) < array.ndim and not part:
        raise TypingError(f"one number is set at a time: {array.ndim} indices are needed, not {len(index)}")


def shared_place(context, builder, state, site, array, value, index, kind):
    """The address of a number that threads share, where the access is in order."""
    first = cgutils.unpack_tuple(builder, builder.extract_value(value, 1), array.given)
    row = builder.extract_value(value, 0)
    address = call(builder, access, state, site, row, integer(kind), *four([*first, *index]))
    with builder.if_then(builder.icmp_signed("==", address, integer(0)), likely=False):
        stop(context, builder)
    return address


def blame_if(context, builder, fails, state, site, fault, index):
    """A fault in a local array."""
    with builder.if_then(fails, likely=False):
        call(builder, blame, state, site, integer(fault), integer(len(index)), *four(index))
        stop(context, builder)


def local_place(context, builder, state, site, value, index):
    """Where a number of a local array is, or where a part of it begins, if the index is within bounds."""
    numbers, shape = builder.extract_value(value, 0), builder.extract_value(value, 1)
    sizes = cgutils.unpack_tuple(builder, shape)
    outside, offset = cgutils.false_bit, integer(0)
    for number, size in zip(index, sizes):
        outside = builder.or_(outside, builder.icmp_unsigned(">=", number, size))  # a negative number is a huge one
        offset = builder.add(builder.mul(offset, size), number)
    blame_if(context, builder, outside, state, site, OUT_OF_BOUNDS, index)
    for size in sizes[len(index) :]:
        offset = builder.mul(offset, size)
    return builder.gep(numbers, [offset])


# --- single numbers ------------------------------------------------------------------------------------------------


@intrinsic
def load(typingctx, state, site, array, index):
    """``array[index]`` in a kernel."""
    if isinstance(array, Memory):
        result, build = load_shared(array, parts(index))
    elif isinstance(array, Local):
        result, build = load_local(array, parts(index))
    elif isinstance(array, types.BaseTuple):
        result, build = load_from_tuple(typingctx, array, index)
    else:
        raise TypingError(f"{array} takes no index here")
    return result(int64, int64, array, index), build


def load_shared(array, kinds):
    check_axes(array, kinds, part=True)
    if len(kinds) < array.ndim:
        return part_of_shared(array, kinds)

    def build(context, builder, signature, arguments):
        state, site, value, given = arguments
        index = numbers_of(context, builder, signature.args[3], given)
        address = shared_place(context, builder, state, site, array, value, index, READ)
        return context.unpack_value(builder, array.dtype, pointer_to(context, builder, array.dtype, address))

    return array.dtype, build


def part_of_shared(array, kinds):
    """Part of an array, by its first axes."""

    def build(context, builder, signature, arguments):
        row, first = cgutils.unpack_tuple(builder, arguments[2])
        first = cgutils.unpack_tuple(builder, first, array.given)
        first += numbers_of(context, builder, signature.args[3], arguments[3])
        return cgutils.pack_struct(builder, [row, cgutils.pack_array(builder, first)])

    return Memory(array.dtype, array.ndim - len(kinds), array.given + len(kinds)), build


def load_local(array, kinds):
    check_axes(array, kinds, part=True)
    axes = array.ndim - len(kinds)

    def build(context, builder, signature, arguments):
        state, site, value, given = arguments
        index = numbers_of(context, builder, signature.args[3], given)
        place = local_place(context, builder, state, site, value, index)
        if axes:
            shape = cgutils.unpack_tuple(builder, builder.extract_value(value, 1))
            return cgutils.pack_struct(builder, [place, cgutils.pack_array(builder, shape[-axes:])])
        if getattr(array.dtype, "bitwidth", 0) == 32:
            bits = builder.load(builder.bitcast(place, ir.IntType(32).as_pointer()))
            unwritten = builder.icmp_unsigned("==", bits, ir.Constant(ir.IntType(32), POISON))
            blame_if(context, builder, unwritten, state, site, UNINITIALISED, index)
        return context.unpack_value(builder, array.dtype, place)

    return Local(array.dtype, axes) if axes else array.dtype, build


def load_from_tuple(typingctx, array, index):
    getitem = typingctx.resolve_value_type(operator.getitem)
    signature = getitem.get_call_type(typingctx, (array, index[0]), {})

    def build(context, builder, _, arguments):
        number = builder.extract_value(arguments[3], 0)
        return context.get_function(getitem, signature)(builder, (arguments[2], number))

    return signature.return_type, build


@intrinsic
def store(typingctx, state, site, array, index, value):
    """``array[index] = value`` in a kernel."""
    if not isinstance(array, Array):
        raise TypingError(f"{array} takes no index here")
    check_axes(array, parts(index))

    def build(context, builder, signature, arguments):
        state, site, place, given, number = arguments
        index = numbers_of(context, builder, signature.args[3], given)
        if isinstance(array, Memory):
            address = shared_place(context, builder, state, site, array, place, index, WRITE)
            place = pointer_to(context, builder, array.dtype, address)
        else:
            place = local_place(context, builder, state, site, place, index)
        context.pack_value(builder, array.dtype, number, place)
        return context.get_dummy_value()

    return types.void(int64, int64, array, index, array.dtype), build


@intrinsic
def atomic_place(typingctx, state, site, array, index):
    """The address of ``array[index]`` for an atomic operation."""
    check_axes(array, parts(index))

    def build(context, builder, signature, arguments):
        state, site, value, given = arguments
        index = numbers_of(context, builder, signature.args[3], given)
        return shared_place(context, builder, state, site, array, value, index, ATOMIC)

    return int64(int64, int64, array, index), build


# --- accesses of 16 bytes ------------------------------------------------------------------------------------------


def four_places(context, builder, state, site, value, index, kind):
    """Pointers to four neighbouring float32, where the access is in order."""
    address = call(builder, access4, state, site, builder.extract_value(value, 0), integer(kind), index)
    with builder.if_then(builder.icmp_signed("==", address, integer(0)), likely=False):
        stop(context, builder)
    return [pointer_to(context, builder, types.float32, builder.add(address, integer(4 * i))) for i in range(4)]


def check_four(array, index):
    if not isinstance(array, Memory) or array.dtype != types.float32 or array.given:
        raise TypingError(f"16 bytes at once are for whole arrays of float32 that threads share, not for {array}")
    if not isinstance(index, types.Integer):
        raise TypingError(f"an index must be an integer, not {index}")


@intrinsic
def load4(typingctx, state, site, array, index):
    """``kernels.cuda.vector.load4`` in the simulator."""
    check_four(array, index)

    def build(context, builder, signature, arguments):
        places = four_places(context, builder, *arguments, READ)
        return cgutils.pack_array(builder, [builder.load(place) for place in places])

    return types.UniTuple(types.float32, 4)(int64, int64, array, int64), build


@intrinsic
def store4(typingctx, state, site, array, index, x, y, z, w):
    """``kernels.cuda.vector.store4`` in the simulator."""
    check_four(array, index)

    def build(context, builder, signature, arguments):
        for place, number in zip(four_places(context, builder, *arguments[:4], WRITE), arguments[4:]):
            builder.store(number, place)
        return context.get_dummy_value()

    return types.void(int64, int64, array, int64, *[types.float32] * 4), build
