"""Atomic operations and fused multiply-add, as the rewritten kernel calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from .arrays import Memory
from .memory import atomic_place
from .state import FUSED, INNER, LOG, get, get_at, inner, put, put_at

__all__ = ["ATOMICS", "compare_and_swap", "counted", "fma"]


def atomic(combine: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """``cuda.atomic.NAME(array, index, value)``: array[index] = combine(array[index], value); gives the old number."""
    combine = inner(combine)

    def operation(state, site, array, index, value):
        raise NotImplementedError

    @overload(operation, jit_options=INNER)
    def operation_by_type(state, site, array, index, value):
        if not isinstance(array, Memory):
            return None
        if isinstance(index, types.Integer):
            return lambda state, site, array, index, value: operation(state, site, array, (index,), value)

        def apply(state, site, array, index, value):
            address = atomic_place(state, site, array, index)
            old = get_at(address, array)
            put_at(address, array, combine(old, value))
            return old

        return apply

    return operation


ATOMICS = {
    "add": atomic(lambda old, value: old + value),
    "sub": atomic(lambda old, value: old - value),
    "max": atomic(lambda old, value: max(old, value)),
    "min": atomic(lambda old, value: min(old, value)),
    "exch": atomic(lambda old, value: value),
    "and_": atomic(lambda old, value: old & value),
    "or_": atomic(lambda old, value: old | value),
    "xor": atomic(lambda old, value: old ^ value),
    "cas": atomic(lambda old, pair: pair[1] if old == pair[0] else old),
}


@inner
def compare_and_swap(state, site, array, index, expected, value):
    return ATOMIC_CAS(state, site, array, index, (expected, value))


ATOMIC_CAS = ATOMICS.pop("cas")


@inner
def fma(state, site, a, b, c):
    """``cuda.fma``: a * b + c, rounded once."""
    return fused(a, b, c)


@intrinsic
def fused(typingctx, a, b, c):
    def build(context, builder, signature, arguments):
        number = context.get_value_type(signature.return_type)
        function = builder.module.declare_intrinsic("llvm.fma", [number], ir.FunctionType(number, [number] * 3))
        return builder.call(
            function, [context.cast(builder, v, t, signature.return_type) for v, t in zip(arguments, signature.args)]
        )

    return a(a, b, c), build


def counted(state: Any, site: Any, value: Any) -> Any:
    """A sum with a product in it: counted if it is one of floats."""


@overload(counted, jit_options=INNER)
def counted_by_type(state, site, value):
    if not isinstance(value, types.Float):
        return lambda state, site, value: value

    def count(state, site, value):
        if get(state, LOG) != 0:
            put(get(state, FUSED), site, get(get(state, FUSED), site) + 1)
        return value

    return count
