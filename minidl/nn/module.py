"""Module: a function with parameters, buffers and modules inside it.

A Module is an ordinary object whose ``__setattr__`` takes note of three kinds of attributes: Parameters (they are
trained), buffers (tensors that belong to the state but are not trained, such as running means), and Modules. From
these notes follow all the rest: ``parameters()`` for the optimiser, ``state_dict()`` for the checkpoint, ``to()``,
``train()`` and the printed form. The values themselves stay ordinary attributes, so reading ``self.weight`` costs
nothing extra.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple, TypeVar

import numpy as np

from .. import backend
from ..autograd import Removable, Tensor
from ..ops.inplace import check_memory, overwrite
from .parameter import Parameter, clear_gradients

__all__ = ["Module"]

Self = TypeVar("Self", bound="Module")


class IncompatibleKeys(NamedTuple):
    """What ``load_state_dict`` found different between the state and the module."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """The base of all layers and models. A subclass makes its parts in ``__init__`` and uses them in ``forward``::

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.hidden = nn.Linear(784, 128)
                self.output = nn.Linear(128, 10)

            def forward(self, x):
                return self.output(F.relu(self.hidden(x)))

    Attributes:
        training: True in training (the default), False after ``eval()``; Dropout and the like behave differently.
    """

    training: bool = True
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _transient: set[str]  # the names of buffers that do not belong to the state_dict
    _forward_hooks: dict | None = None  # None until the first one is registered: a call has only this to look at
    _forward_pre_hooks: dict | None = None

    def __init__(self) -> None:
        put = self.__dict__.update
        put(training=True, _parameters={}, _buffers={}, _modules={}, _transient=set())

    # --- calling -------------------------------------------------------------------------------------------------

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; a subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__}: a Module defines forward()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._forward_hooks or self._forward_pre_hooks:
            return self._call_with_hooks(args, kwargs)
        return self.forward(*args, **kwargs)

    def _call_with_hooks(self, args: tuple, kwargs: dict) -> Any:
        for hook in list((self._forward_pre_hooks or {}).values()):
            changed = hook(self, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        output = self.forward(*args, **kwargs)
        for hook in list((self._forward_hooks or {}).values()):
            changed = hook(self, args, output)
            if changed is not None:
                output = changed
        return output

    def register_forward_pre_hook(self, hook: Callable[[Module, tuple], Any]) -> Removable:
        """Call ``hook(module, args)`` before each forward; what it returns, unless None, takes the place of args.

        Returns:
            A handle; ``handle.remove()`` takes the hook away again.
        """
        if self._forward_pre_hooks is None:
            self._forward_pre_hooks = {}
        return registered(self._forward_pre_hooks, hook)

    def register_forward_hook(self, hook: Callable[[Module, tuple, Any], Any]) -> Removable:
        """Call ``hook(module, args, output)`` after each forward; what it returns, unless None, replaces the output.

        Returns:
            A handle; ``handle.remove()`` takes the hook away again.
        """
        if self._forward_hooks is None:
            self._forward_hooks = {}
        return registered(self._forward_hooks, hook)

    # --- parts ---------------------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if isinstance(value, Parameter):
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self.add_module(name, value)
        elif any(name in own.get(parts, ()) for parts in ("_parameters", "_buffers", "_modules")):
            self._replace(name, value)
        else:
            object.__setattr__(self, name, value)

    def _replace(self, name: str, value: Any) -> None:
        """Give a new value, no Parameter and no Module, to a name that stands for a part."""
        for kind, parts in (("parameter", self._parameters), ("module", self._modules)):
            if name in parts:
                if value is not None:
                    needed = f"a {kind.capitalize()} or None is needed, not {type(value).__name__}"
                    raise TypeError(f"{type(self).__name__}: {name!r} is a {kind}: {needed}")
                parts[name] = None
        if name in self._buffers:
            if value is not None and not isinstance(value, Tensor):
                needed = f"a Tensor or None is needed, not {type(value).__name__}"
                raise TypeError(f"{type(self).__name__}: {name!r} is a buffer: {needed}")
            self._buffers[name] = value
        self.__dict__[name] = value

    def __delattr__(self, name: str) -> None:
        for parts in (self._parameters, self._buffers, self._modules):
            parts.pop(name, None)
        self._transient.discard(name)
        object.__delattr__(self, name)

    def _register(self, kind: str, name: str, value: Any) -> None:
        """Note ``name`` as a part of one kind and of no other."""
        own = self.__dict__
        if "_parameters" not in own:
            raise AttributeError(f"{type(self).__name__}: call super().__init__() before assigning {name!r}")
        if not isinstance(name, str) or not name or "." in name:
            raise KeyError(f"{type(self).__name__}: a name must be a string without dots, and not empty, not {name!r}")
        if name not in own and hasattr(type(self), name):
            raise KeyError(f"{type(self).__name__}: the name {name!r} is taken by an attribute of the class")
        for parts in ("_parameters", "_buffers", "_modules"):
            if parts != kind:
                own[parts].pop(name, None)
        own["_transient"].discard(name)
        own[kind][name] = value
        own[name] = value

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter; the same as assigning it, but None is possible too (a bias that is switched off).

        Raises:
            AttributeError: if ``super().__init__()`` was not called yet.
            KeyError: if the name is empty, has a dot, or is taken by a method or the like.
            TypeError: if ``param`` is neither a Parameter nor None.
        """
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(f"register_parameter: {name!r} must be a Parameter or None, not {type(param).__name__}")
        self._register("_parameters", name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is no parameter but moves with the module and, if ``persistent``, is in the state_dict.

        Raises:
            As ``register_parameter``.
        """
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"register_buffer: {name!r} must be a Tensor or None, not {type(tensor).__name__}")
        self._register("_buffers", name, tensor)
        if not persistent:
            self._transient.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a module; the same as assigning it, for names that are computed.

        Raises:
            As ``register_parameter``.
        """
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"add_module: {name!r} must be a Module or None, not {type(module).__name__}")
        self._register("_modules", name, module)

    # --- walking over the parts ----------------------------------------------------------------------------------

    def named_modules(
        self, memo: set | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all modules inside it, each with its path; one that is used twice comes once."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, join(prefix, name), remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all modules inside it."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly inside this one, each with its name."""
        seen: set[Module] = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """The modules directly inside this one."""
        return (module for _, module in self.named_children())

    def _named(self, kind: str, prefix: str, recurse: bool, remove_duplicate: bool) -> Iterator[tuple[str, Any]]:
        modules = self.named_modules(None, prefix, remove_duplicate) if recurse else [(prefix, self)]
        seen: set[Tensor] = set()
        for path, module in modules:
            for name, tensor in getattr(module, kind).items():
                if tensor is None or tensor in seen:
                    continue
                if remove_duplicate:
                    seen.add(tensor)
                yield join(path, name), tensor

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """All parameters, each with its path such as ``0.weight``; one that is used twice comes once."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters, for the optimiser."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """All buffers, each with its path."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def apply(self: Self, fn: Callable[[Module], Any]) -> Self:
        """Call ``fn`` on every module inside and on this one last, to initialise weights for example."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    # --- switches ------------------------------------------------------------------------------------------------

    def train(self: Self, mode: bool = True) -> Self:
        """Set ``training`` here and in all modules inside."""
        if not isinstance(mode, bool):
            raise ValueError(f"train: mode must be True or False, not {mode!r}")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: Self) -> Self:
        """The same as ``train(False)``."""
        return self.train(False)

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Set ``requires_grad`` of every parameter; False freezes the module."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or fill them with zeros if ``set_to_none`` is False."""
        clear_gradients(self.parameters(), set_to_none)

    # --- device and dtype ----------------------------------------------------------------------------------------

    def _convert(self: Self, convert: Callable[[Any], Any]) -> Self:
        """Replace every array by ``convert(array)``. Parameters stay the same objects: the optimiser knows them."""
        for parameter in self.parameters():
            parameter.array = convert(parameter.array)
            if parameter.grad is not None:
                parameter.grad = Tensor(convert(parameter.grad.array), parameter.grad.requires_grad)
        for module in self.modules():
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    setattr(module, name, Tensor(convert(buffer.array)))
        return self

    def to(self: Self, *args: Any, device: Any = None, dtype: Any = None) -> Self:
        """Move to a device, or cast the floating-point parameters and buffers to a dtype, or both; in place.

        Called as ``to(device)``, ``to(dtype)``, ``to(device, dtype)`` or ``to(tensor)`` (the device and dtype of it).

        Raises:
            TypeError: if the dtype is not floating point.
            ValueError: for a device that does not exist.
            RuntimeError: if the device cannot be used.
        """
        for argument in args:
            if isinstance(argument, Tensor):
                device, dtype = argument.device, argument.dtype
            elif isinstance(argument, (str, backend.device)):
                device = argument
            elif argument is not None:
                dtype = argument
        target = None if device is None else backend.device(device)
        wanted = None if dtype is None else backend.as_dtype("to", dtype)
        if wanted is not None and wanted.kind != "f":
            raise TypeError(f"to: a module is cast to a floating-point dtype, not to {wanted}")

        def convert(array: Any) -> Any:
            if wanted is not None and array.dtype.kind == "f":
                array = array.astype(wanted, copy=False)
            return array if target is None else backend.to_device(array, target)

        return self._convert(convert)

    def cpu(self: Self) -> Self:
        """Move to the CPU."""
        return self.to("cpu")

    def cuda(self: Self, device: Any = "cuda") -> Self:
        """Move to a GPU."""
        return self.to(f"cuda:{device}" if isinstance(device, int) else device)

    def float(self: Self) -> Self:
        """Cast the floating-point parameters and buffers to float32."""
        return self.to(backend.float32)

    def double(self: Self) -> Self:
        """Cast the floating-point parameters and buffers to float64."""
        return self.to(backend.float64)

    def half(self: Self) -> Self:
        """Cast the floating-point parameters and buffers to float16."""
        return self.to(backend.float16)

    # --- the state -----------------------------------------------------------------------------------------------

    def state_dict(
        self, *, destination: dict[str, Tensor] | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Tensor]:
        """All parameters and persistent buffers by path. They share memory with the module; ``keep_vars`` gives the
        very tensors, otherwise they come detached.
        """
        state: dict[str, Tensor] = OrderedDict() if destination is None else destination
        for name, tensor in self._state(prefix):
            state[name] = tensor if keep_vars else tensor.detach()
        return state

    def _state(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """Every tensor of the state under each of its names, in the order of PyTorch."""
        for path, module in self.named_modules(remove_duplicate=False):
            lasting = ((name, b) for name, b in module._buffers.items() if name not in module._transient)
            for name, tensor in chain(module._parameters.items(), lasting):
                if tensor is not None:
                    yield prefix + join(path, name), tensor

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copy the values of ``state_dict`` into parameters and buffers, cast to their dtype and device.

        Everything is checked first: where an error is raised, nothing was changed.

        Args:
            state_dict: Tensors or NumPy arrays by path.
            strict: missing or unexpected names are errors; otherwise they are returned and left alone.

        Returns:
            ``missing_keys`` and ``unexpected_keys``.

        Raises:
            TypeError: if ``state_dict`` is not a dictionary, or an entry neither Tensor nor array.
            RuntimeError: with a list of all names that are missing (if ``strict``), unexpected (if ``strict``), or of
                another shape.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict: a dictionary is needed, not {type(state_dict).__name__}")
        own = dict(self._state())
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        arrays = {name: array_of(name, state_dict[name]) for name in own if name in state_dict}
        problems = []
        if strict and missing:
            problems.append(f"missing: {', '.join(missing)}")
        if strict and unexpected:
            problems.append(f"unexpected: {', '.join(map(str, unexpected))}")
        for name, array in arrays.items():
            if array.shape != own[name].shape:
                problems.append(f"shape: {name} is {array.shape} in the state, {own[name].shape} in the module")
        if problems:
            title = f"load_state_dict: the state does not fit {type(self).__name__}"
            raise RuntimeError("\n  ".join([title, *problems]))
        for name in arrays:
            check_memory(f"load_state_dict: {name}", own[name].array)
        for name, array in arrays.items():
            overwrite(own[name], backend.to_device(array, own[name].device))
        return IncompatibleKeys(missing, unexpected)

    # --- the printed form ----------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """What stands in the parentheses of the printed form; a subclass may define it."""
        return ""

    def __repr__(self) -> str:
        lines = [f"({name}): {indented(repr(module))}" for name, module in self._modules.items()]
        return written_as(type(self).__name__, self.extra_repr(), lines)


def registered(hooks: dict, hook: Callable) -> Removable:
    """Add a hook to a dictionary of hooks, and return the handle that takes it away."""
    key = object()
    hooks[key] = hook
    return Removable(hooks, key)


def join(prefix: str, name: str) -> str:
    """The path of a part."""
    return f"{prefix}.{name}" if prefix and name else prefix or name


def array_of(name: str, value: Any) -> Any:
    """The array of an entry of a state."""
    if isinstance(value, Tensor):
        return value.array
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return value
    if isinstance(value, np.ndarray):
        raise TypeError(f"load_state_dict: {name} is an array of {value.dtype}, which are no numbers of a Tensor")
    raise TypeError(f"load_state_dict: {name} must be a Tensor or a NumPy array, not {type(value).__name__}")


def indented(text: str) -> str:
    """All lines but the first moved two to the right."""
    return text.replace("\n", "\n  ")


def written_as(name: str, extra: str, lines: list[str]) -> str:
    """``Name(extra)`` for a module without parts, otherwise one line a part."""
    if not lines:
        return f"{name}({indented(extra)})" if "\n" not in extra else f"{name}(\n  {indented(extra)}\n)"
    parts = [*extra.split("\n"), *lines] if extra else lines
    return "\n  ".join([f"{name}(", *parts]) + "\n)"
