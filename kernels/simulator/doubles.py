"""Finds arithmetic that a kernel does in double precision without having asked for it."""

from __future__ import annotations

from numba import types
from numba.core import ir

from .faults import DoublePrecision
from .rewriter import ThreadCode
from .source import line_of

__all__ = ["check_precision"]


def check_precision(kernel: str, code: ThreadCode) -> None:
    """No operation may turn float32 or integers into float64.

    ``x * 0.5`` with a float32 x is such an operation: a GPU computes it in double precision, which most have hardly any
    units for. ``x * float32(0.5)`` is what was meant. Kernels with float64 arguments may do as they like.

    Raises:
        DoublePrecision: for the first such operation.
    """
    wanted = "float64" in str(code.arguments)
    functions = list(code.devices.values()) if wanted else [code.thread, *code.devices.values()]
    for each in [overload for function in functions for overload in function.overloads.values()]:
        if wanted and "float64" in str(each.signature.args):
            continue
        annotation = each.type_annotation
        for expression, signature in annotation.calltypes.items():
            if isinstance(expression, ir.Expr) and expression.op in ("binop", "inplace_binop"):
                operands = [annotation.typemap[expression.lhs.name], annotation.typemap[expression.rhs.name]]
                given = [types.unliteral(operand) for operand in operands]
                if signature.return_type == types.float64 and set(given) != {types.float64}:
                    line = expression.loc.line
                    text = f"line {line}: {line_of(annotation.func_id.filename, line)}"
                    raise DoublePrecision(f"{kernel}, {text}: arithmetic of {given[0]} and {given[1]} gives float64")
