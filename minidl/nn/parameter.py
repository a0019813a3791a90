"""Parameter: a tensor that a module learns."""

from __future__ import annotations

from collections.abc import Iterable

from ..autograd import Tensor
from ..backend import namespace

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A leaf tensor that requires a gradient and that a Module counts among its parameters when it is assigned to it.

    Shares the memory of ``data``.

    Args:
        data: the initial values; any Tensor (its graph is left behind).
        requires_grad: False for one that is not to be trained.

    Raises:
        TypeError: if ``data`` is not a Tensor.
        RuntimeError: if it requires a gradient and is not floating point.
    """

    __slots__ = ()

    def __init__(self, data: Tensor, requires_grad: bool = True) -> None:
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter: data must be a Tensor, not {type(data).__name__}")
        super().__init__(data.array.view(), requires_grad, version=data.version)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


def clear_gradients(parameters: Iterable[Tensor], set_to_none: bool) -> None:
    """Set every ``grad`` to None, or to new zeros: the old array may still be needed by a graph of gradients."""
    for parameter in parameters:
        if set_to_none:
            parameter.grad = None
        elif parameter.grad is not None:
            parameter.grad = Tensor(namespace(parameter.array).zeros_like(parameter.array))
