"""Modules that hold other modules or parameters by number or by name."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..autograd import Tensor
from .module import Module, indented, written_as
from .parameter import Parameter

__all__ = ["ModuleDict", "ModuleList", "ParameterList", "Sequential"]


def position(container: str, index: Any, length: int, parts: str) -> int:
    """An index counted from the front."""
    try:
        number = operator.index(index)
    except TypeError:
        raise TypeError(f"{container}: an index is an integer, not {type(index).__name__}") from None
    if not -length <= number < length:
        raise IndexError(f"{container}: index {number} is out of range for {length} {parts}")
    return number % length


class ListOfModules(Module):
    """What Sequential and ModuleList share: modules in an order, with the methods of a list."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())  # type: ignore[arg-type]  # none of them is None here

    def __contains__(self, module: object) -> bool:
        return any(own is module for own in self)

    def _position(self, index: Any) -> int:
        return position(type(self).__name__, index, len(self), "modules")

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(dict(list(self._modules.items())[index]))  # type: ignore[call-arg]
        return list(self)[self._position(index)]

    def __setitem__(self, index: int, module: Module) -> None:
        self.add_module(list(self._modules)[self._position(index)], module)

    def __delitem__(self, index: Any) -> None:
        modules = list(self)
        del modules[index if isinstance(index, slice) else self._position(index)]
        self._renumber(modules)

    def _renumber(self, modules: list[Module]) -> None:
        for name in list(self._modules):
            delattr(self, name)
        for i, module in enumerate(modules):
            self.add_module(str(i), module)

    def append(self, module: Module) -> Any:
        """Add a module at the end; returns the container."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Any:
        """Add several modules at the end; returns the container."""
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Any:
        """Put a module in front of the one at ``index``; returns the container."""
        modules = list(self)
        modules.insert(index, module)
        self._renumber(modules)
        return self

    def pop(self, index: int = -1) -> Module:
        """Take the module at ``index`` out and return it."""
        module = self[index]
        del self[index]
        return module


class Sequential(ListOfModules):
    """Modules in a row: the output of each is the input of the next.

    ``Sequential(first, second)`` names them "0" and "1"; ``Sequential(OrderedDict(hidden=first, output=second))`` gives
    names. An index gives a module, a slice gives a Sequential of the same modules.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        by_name = len(args) == 1 and isinstance(args[0], Mapping)
        named = args[0] if by_name else {str(i): module for i, module in enumerate(args)}
        for name, module in named.items():
            self.add_module(name, module)

    def forward(self, input: Any) -> Any:
        for module in self._modules.values():
            input = module(input)  # type: ignore[misc]
        return input


class ModuleList(ListOfModules):
    """A list whose modules count as parts of the module that holds it. It has no forward: the holder loops over it."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(modules.values() if isinstance(modules, Mapping) else modules or ())

    def __repr__(self) -> str:
        """Runs of equal modules are written once: ``(0-2): 3 x Linear(...)``."""
        runs: list[tuple[str, int, int]] = []
        for i, text in enumerate(map(repr, self)):
            if runs and runs[-1][0] == text:
                runs[-1] = (text, runs[-1][1], i)
            else:
                runs.append((text, i, i))
        lines = [
            f"({i}): {indented(text)}" if i == j else f"({i}-{j}): {j - i + 1} x {indented(text)}"
            for text, i, j in runs
        ]
        return written_as(type(self).__name__, self.extra_repr(), lines)


class ModuleDict(Module):
    """A dictionary whose modules count as parts of the module that holds it."""

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        self.update(modules or {})

    def __getitem__(self, key: str) -> Any:
        if key not in self._modules:
            names = ", ".join(self._modules) or "none"
            raise KeyError(f"ModuleDict: there is no module {key!r} (there are: {names})")
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        self.pop(key)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add modules by name, or replace them."""
        for key, module in dict(modules).items():
            self[key] = module

    def pop(self, key: str) -> Module:
        """Take a module out and return it."""
        module = self[key]
        delattr(self, key)
        return module

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> Iterable[Any]:
        """The modules."""
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Pairs of name and module."""
        return self._modules.items()


class ParameterList(Module):
    """A list whose parameters count as parts of the module that holds it; Tensors in it become Parameters."""

    def __init__(self, values: Iterable[Tensor] | None = None) -> None:
        super().__init__()
        self.extend(values or ())

    def __getitem__(self, index: int) -> Parameter:
        return list(self)[position("ParameterList", index, len(self), "parameters")]

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._parameters.values())  # type: ignore[arg-type]

    def extra_repr(self) -> str:
        lines = []
        for i, parameter in enumerate(self):
            size = "x".join(map(str, parameter.shape))
            lines.append(f"  ({i}): Parameter containing: [{parameter.dtype} of size {size}]")
        return "\n".join(lines)

    def append(self, value: Tensor) -> ParameterList:
        """Add a parameter at the end; returns the list."""
        self.register_parameter(str(len(self)), value if isinstance(value, Parameter) else Parameter(value))
        return self

    def extend(self, values: Iterable[Tensor]) -> ParameterList:
        """Add several parameters at the end; returns the list."""
        for value in list(values):
            self.append(value)
        return self
