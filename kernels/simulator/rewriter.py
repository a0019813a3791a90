"""From the source of a kernel to the code of one thread, for the CPU.

What changes:

* ``cuda.threadIdx.x`` and its kin are read from the state, whose address is all that the code gets (``_state``);
* ``a[i]`` becomes ``load(state, site, a, (i,))``, and ``a[i] = x`` becomes ``store(state, site, a, (i,), x)``, so
  that each access can be checked (see ``memory``);
* ``cuda.syncthreads()``, shuffles, atomics and the like become calls of functions with the same two first arguments;
* arguments and shared arrays become operands, which the state knows too;
* device functions are rewritten as well, and get ``_state`` before their arguments.

A *site* is the number of a place in the source: with it, a fault finds its line, and accesses are counted by line.
"""

from __future__ import annotations

import ast
from dataclasses import InitVar, dataclass, field
from types import FunctionType
from typing import Any

import numpy as np
from numba import int64, njit, types
from numba.core.dispatcher import Dispatcher
from numba.np.numpy_support import as_dtype, from_dtype

from kernels.cuda import vector

from . import arithmetic, collectives, memory
from .arrays import Memory
from .shared import SharedArray
from .source import Site, Source, check_plain, dotted, plain_function
from .state import BLOCK, GRID, INNER, PLACE, THREADS, get, row_of, small_code

__all__ = ["ThreadCode"]

THREAD_INDEX = [f"_get(_row_of(_state), {PLACE + axis})" for axis in range(3)]
BLOCK_INDEX, BLOCK_SIZE, GRID_SIZE = (
    [f"_get(_state, {first + axis})" for axis in range(3)] for first in (BLOCK, THREADS, GRID)
)
PLACES = {"threadIdx": THREAD_INDEX, "blockIdx": BLOCK_INDEX, "blockDim": BLOCK_SIZE, "gridDim": GRID_SIZE}
VALUES = {f"cuda.{name}.{axis}": f"_int32({v})" for name, values in PLACES.items() for axis, v in zip("xyz", values)}
VALUES |= {"cuda.laneid": "_int32(_lane(_state))", "cuda.warpsize": "32"}

WHOLE_INDEX = [f"({block} * {size} + {thread})" for block, size, thread in zip(BLOCK_INDEX, BLOCK_SIZE, THREAD_INDEX)]
WHOLE_SIZE = [f"({blocks} * {size})" for blocks, size in zip(GRID_SIZE, BLOCK_SIZE)]

CALLS = {f"cuda.atomic.{name}": function for name, function in arithmetic.ATOMICS.items()}
CALLS |= {"cuda.fma": arithmetic.fma, "cuda.atomic.cas": arithmetic.compare_and_swap}
for name in ("syncthreads", "syncwarp", "shfl_sync", "shfl_xor_sync", "shfl_up_sync", "shfl_down_sync"):
    CALLS[f"cuda.{name}"] = getattr(collectives, name)
for name in ("ballot_sync", "any_sync", "all_sync"):
    CALLS[f"cuda.{name}"] = getattr(collectives, name)
OBJECTS = {
    id(vector.load4): memory.load4,
    id(vector.store4): memory.store4,
    id(vector.mma_tf32): collectives.mma_tf32,
}

STATE = ast.Name("_state", ast.Load())
OPTIONS = {"fastmath": {"contract"}, "error_model": "numpy"}  # as on the GPU: fused multiply-adds, 1 / 0 = inf
OPTIONS |= {"no_rewrites": True}  # which look for expressions of whole arrays, and find none


@dataclass
class ThreadCode:
    """The code of one thread and what was found on the way."""

    function: InitVar[FunctionType]
    arguments: tuple[types.Type, ...]
    counting: bool = False  # whether multiply-adds are to be counted
    sites: list[Site] = field(default_factory=lambda: [Site(0, "", "")])
    shared: list[SharedArray] = field(default_factory=list)
    devices: dict[FunctionType, Any] = field(default_factory=dict)
    barriers: list[int] = field(default_factory=list)  # their sites
    waits: bool = False  # whether threads ever wait for one another
    sound: bool = False  # whether it was compiled and found to be in order

    def __post_init__(self, function: FunctionType) -> None:
        self.thread = njit(no_cfunc_wrapper=True, **OPTIONS)(Rewriter(self, function).kernel())


class Rewriter(ast.NodeTransformer):
    """Rewrites one function: a kernel, or a device function that it calls."""

    def __init__(self, code: ThreadCode, function: FunctionType) -> None:
        check_plain(function)
        self.code = code
        self.source = Source(function)
        self.error = self.source.error
        self.helpers: dict[str, Any] = {"_int32": np.int32, "_lane": collectives.lane, "_get": get, "_row_of": row_of}
        self.site_of: dict[ast.AST, int] = {}
        self.new_names = 0
        self.assigning = ""  # the variable whose value is being rewritten

    def kernel(self) -> FunctionType:
        """The function as a kernel, which fetches its arguments itself."""
        tree = self.source.tree
        names = [argument.arg for argument in tree.args.args]
        operands = [self.operand(tree, number, kind) for number, kind in enumerate(self.code.arguments)]
        fetched = [self.statement(tree, name, operand) for name, operand in zip(names, operands)]
        calls = self.source.barriers()
        self.rewrite_body()
        self.code.barriers = [self.site_of[call] for call in calls]
        tree.body[:0], tree.args.args = fetched, [ast.arg("_state")]
        return self.function()

    def device_function(self) -> FunctionType:
        self.rewrite_body()
        self.source.tree.args.args.insert(0, ast.arg("_state"))
        return self.function()

    def rewrite_body(self) -> None:
        tree = self.source.tree
        tree.body = [statement for old in tree.body for statement in self.statements(old)]

    def function(self) -> FunctionType:
        tree = self.source.tree
        tree.body.insert(0, ast.copy_location(ast.Expr(ast.Call(self.name(small_code), [], [])), tree))
        self.source.values |= self.helpers
        return self.source.function()

    def statements(self, old: ast.stmt) -> list[ast.stmt]:
        new = self.visit(old)
        return new if isinstance(new, list) else [new]

    # --- helpers ---------------------------------------------------------------------------------------------------

    def site(self, node: ast.AST, action: str) -> ast.expr:
        """A new site, as a constant."""
        self.site_of[node] = len(self.code.sites)
        self.code.sites.append(Site(node.lineno, self.source.line(node.lineno), action))
        return ast.Constant(self.site_of[node])

    def name(self, helper: Any) -> ast.Name:
        """A name for a function that the source does not know."""
        name = f"_{getattr(helper, '__name__', 'helper')}_{id(helper)}"
        self.helpers[name] = helper
        return ast.Name(name, ast.Load())

    def call(self, node: ast.AST, helper: Any, action: str, *arguments: ast.expr) -> ast.Call:
        site = self.site(node, action)
        if isinstance(helper, Dispatcher):  # would be compiled for each constant anew
            site = ast.Call(self.name(int64), [site], [])
        return ast.copy_location(ast.Call(self.name(helper), [STATE, site, *arguments], []), node)

    def fresh(self) -> str:
        self.new_names += 1
        return f"_value{self.new_names}"

    def value(self, node: ast.expr) -> Any:
        """What an expression of constants (the size of a shared array) is worth."""
        try:
            return eval(compile(ast.fix_missing_locations(ast.Expression(node)), "<size>", "eval"), self.source.values)
        except Exception as error:
            raise self.error(node, f"{ast.unparse(node)} must be known before the kernel runs", TypeError) from error

    # --- names of cuda ---------------------------------------------------------------------------------------------

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        name = dotted(node)
        if name in VALUES:
            return ast.copy_location(ast.parse(VALUES[name], mode="eval").body, node)
        if name.startswith("cuda."):
            raise self.error(node, f"{name} is not simulated")
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        name = dotted(node.func)
        if name in ("cuda.grid", "cuda.gridsize"):
            parts = WHOLE_INDEX if name == "cuda.grid" else WHOLE_SIZE
            count = self.value(node.args[0]) if len(node.args) == 1 else None
            if count not in (1, 2, 3):
                raise self.error(node, f"{name} takes the number of axes: 1, 2 or 3", TypeError)
            text = parts[0] if count == 1 else f"({', '.join(parts[:count])})"
            return ast.copy_location(ast.parse(text, mode="eval").body, node)
        if name == "cuda.shared.array":
            return self.shared_array(node)
        if name == "cuda.local.array":
            shape, dtype, _ = self.array_arguments(node)
            return ast.copy_location(ast.Call(self.name(memory.local_array(shape, dtype)), [], []), node)
        if name in CALLS:
            return self.helper_call(node, CALLS[name], name.removeprefix("cuda."))
        if name.startswith("cuda."):
            raise self.error(node, f"{name} is not simulated")
        if name == "len":
            return ast.copy_location(ast.Call(self.name(memory.length), [self.visit(node.args[0])], []), node)
        if name and "." not in name and name in self.source.values:
            callee = self.source.values[name]
            if id(callee) in OBJECTS:
                helper = OBJECTS[id(callee)]
                return self.helper_call(node, helper, helper.__name__)
            function = plain_function(callee)
            if function is not None:
                return self.device_call(node, function)
        return self.generic_visit(node)

    def helper_call(self, node: ast.Call, helper: Any, action: str) -> ast.expr:
        if helper.__module__ == collectives.__name__:
            self.code.waits = True
        call = self.call(node, helper, action, *[self.visit(argument) for argument in node.args])
        call.keywords = [ast.keyword(word.arg, self.visit(word.value)) for word in node.keywords]
        if helper is arithmetic.fma and self.code.counting:
            return self.call(node, arithmetic.counted, "multiply-add", call)
        return call

    def device_call(self, node: ast.Call, function: FunctionType) -> ast.expr:
        if function not in self.code.devices:
            self.code.devices[function] = None  # until it is known
            self.code.devices[function] = njit(**INNER, **OPTIONS)(Rewriter(self.code, function).device_function())
        if self.code.devices[function] is None:
            raise self.error(node, f"{function.__name__} calls itself, which is not simulated")
        node = self.generic_visit(node)
        node.func = self.name(self.code.devices[function])
        node.args.insert(0, STATE)
        return node

    def array_arguments(self, node: ast.Call) -> tuple[tuple[int, ...], np.dtype, int]:
        given = dict(zip(("shape", "dtype", "alignment"), node.args))
        given |= {word.arg: word.value for word in node.keywords}
        if not {"shape", "dtype"} <= given.keys():
            raise self.error(node, f"{dotted(node.func)} takes a shape and a dtype", TypeError)
        shape, dtype = self.value(given["shape"]), self.value(given["dtype"])
        alignment = self.value(given["alignment"]) if "alignment" in given else None
        shape = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
        if not all(isinstance(size, int | np.integer) and size > 0 for size in shape):
            raise self.error(node, f"{shape} is no shape: sizes are whole numbers above 0", TypeError)
        try:
            dtype = as_dtype(dtype) if isinstance(dtype, types.Type) else np.dtype(dtype)
        except (TypeError, NotImplementedError):
            raise self.error(node, f"{ast.unparse(given['dtype'])} is no dtype", TypeError) from None
        return shape, dtype, alignment or dtype.itemsize

    def shared_array(self, node: ast.Call) -> ast.expr:
        shape, dtype, alignment = self.array_arguments(node)
        number = len(self.code.shared)
        self.code.shared.append(SharedArray(self.assigning or f"shared array {number}", shape, dtype, alignment))
        return self.operand(node, len(self.code.arguments) + number, Memory(from_dtype(dtype), len(shape)))

    def operand(self, node: ast.AST, number: int, kind: types.Type) -> ast.expr:
        return ast.copy_location(ast.Call(self.name(memory.operand(number, kind)), [STATE], []), node)

    # --- accesses --------------------------------------------------------------------------------------------------

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if not isinstance(node.ctx, ast.Load):
            raise self.error(node, "a number of an array is set by = only")
        if isinstance(node.value, ast.Attribute) and node.value.attr == "shape":
            return self.generic_visit(node)  # of a tuple
        return self.call(node, memory.load, "load", self.visit(node.value), self.index(node))

    def index(self, node: ast.Subscript) -> ast.expr:
        if any(isinstance(part, ast.Slice) for part in ast.walk(node.slice)):
            raise self.error(node, "slices are not simulated")
        index = self.visit(node.slice)
        return index if isinstance(index, ast.Tuple) else ast.Tuple([index], ast.Load())

    def visit_Assign(self, node: ast.Assign) -> list[ast.stmt]:
        result: list[ast.stmt] = []
        self.assigning = dotted(node.targets[0])
        value = self.visit(node.value)
        if len(node.targets) == 1:
            return self.assigned(node, node.targets[0], value)
        name = self.fresh()
        result.append(self.statement(node, name, value))
        for target in node.targets:
            result += self.assigned(node, target, ast.Name(name, ast.Load()))
        return result

    def visit_AnnAssign(self, node: ast.AnnAssign) -> list[ast.stmt]:
        if node.value is None:
            return []
        return self.visit_Assign(ast.copy_location(ast.Assign([node.target], node.value), node))

    def statement(self, node: ast.AST, name: str, value: ast.expr) -> ast.stmt:
        return ast.copy_location(ast.Assign([ast.Name(name, ast.Store())], value), node)

    def assigned(self, node: ast.AST, target: ast.expr, value: ast.expr) -> list[ast.stmt]:
        """The statements of ``target = value``, with the value rewritten already."""
        if isinstance(target, ast.Subscript):
            operands = self.visit(target.value), self.index(target), value
            return [ast.copy_location(ast.Expr(self.call(target, memory.store, "store", *operands)), node)]
        if isinstance(target, ast.Tuple | ast.List) and any(isinstance(e, ast.Subscript) for e in target.elts):
            names = [self.fresh() for _ in target.elts]
            unpacking = ast.Tuple([ast.Name(name, ast.Store()) for name in names], ast.Store())
            result: list[ast.stmt] = [ast.copy_location(ast.Assign([unpacking], value), node)]
            for element, name in zip(target.elts, names):
                result += self.assigned(node, element, ast.Name(name, ast.Load()))
            return result
        return [ast.copy_location(ast.Assign([target], value), node)]

    def visit_AugAssign(self, node: ast.AugAssign) -> list[ast.stmt] | ast.stmt:
        if not isinstance(node.target, ast.Subscript):
            if not self.is_fused(node):
                return self.generic_visit(node)
            old = ast.copy_location(ast.Name(node.target.id, ast.Load()), node)
            return self.statement(node, node.target.id, self.fused(node, old, node.op, self.visit(node.value)))
        target = node.target
        array, index = self.fresh(), self.fresh()
        result = [
            self.statement(node, array, self.visit(target.value)),
            self.statement(node, index, self.index(target)),
        ]
        names = [ast.Name(array, ast.Load()), ast.Name(index, ast.Load())]
        old = self.call(target, memory.load, "load", *names)
        is_fused, value = self.is_fused(node), self.visit(node.value)
        new = self.fused(node, old, node.op, value) if is_fused else ast.BinOp(old, node.op, value)
        new = ast.copy_location(new, node)
        return [*result, ast.copy_location(ast.Expr(self.call(target, memory.store, "store", *names, new)), node)]

    # --- multiply-adds ---------------------------------------------------------------------------------------------

    def is_fused(self, node: ast.AugAssign | ast.BinOp) -> bool:
        """Whether it is a sum with a product in it, in a kernel whose multiply-adds are counted."""
        terms = [node.value] if isinstance(node, ast.AugAssign) else [node.left, node.right]
        has_product = any(isinstance(term, ast.BinOp) and isinstance(term.op, ast.Mult) for term in terms)
        return self.code.counting and isinstance(node.op, ast.Add | ast.Sub) and has_product

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        if not self.is_fused(node):
            return self.generic_visit(node)
        return self.fused(node, self.visit(node.left), node.op, self.visit(node.right))

    def fused(self, node: ast.AST, left: ast.expr, operator: ast.operator, right: ast.expr) -> ast.expr:
        total = ast.copy_location(ast.BinOp(left, operator, right), node)
        return self.call(node, arithmetic.counted, "multiply-add", total)
