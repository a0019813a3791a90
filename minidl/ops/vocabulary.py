"""The words that a hand-written backward may use on arrays and on Tensors alike.

``m.exp(x)`` is NumPy's or CuPy's ``exp`` where x is an array, and the engine's own operation where x is a Tensor.
``m.apply(Function(...), x)`` runs a Function the same way: on arrays it only computes, on Tensors it joins the graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd import Function, Tensor
from ..backend import as_array, namespace

__all__ = ["m"]


class Vocabulary:
    """Looks a name up in the array's library or among the operations, by the type of the first argument."""

    def __getattr__(self, name: str) -> Callable:
        from .. import ops  # the operations import this module, so they are looked up when they are first called

        operation = getattr(ops, name)

        def word(x: Any, *args: Any) -> Any:
            if isinstance(x, Tensor):
                return operation(x, *args)
            return getattr(namespace(x), name)(x, *args)

        setattr(self, name, word)
        return word

    @staticmethod
    def apply(function: Function, *inputs: Any) -> Any:
        if any(isinstance(x, Tensor) for x in inputs):
            return function.apply(*inputs)
        result = function.forward(*inputs)
        function.saved = ()
        return result if type(result) is tuple else as_array(result)


m = Vocabulary()
