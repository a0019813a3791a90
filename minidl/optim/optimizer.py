"""What all optimisers share: groups of parameters, each with its options, and what is remembered of each parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..backend import can_be_written, namespace, to_device
from ..grad_mode import enable_grad
from ..nn.parameter import clear_gradients

__all__ = ["Optimizer"]


class Optimizer:
    """Base class: a subclass checks its options in ``check`` and changes one parameter in ``update``.

    Args:
        params: Tensors, or dictionaries ``{"params": Tensors, option: value, ...}``, one a group. Options that a group
            does not name have the values given to the optimiser.
        defaults: the options by name.

    Attributes:
        param_groups: a list of dictionaries: the list ``params`` and the options, which may be changed at any time.
        state: for each parameter that was updated, what is remembered of it.

    Raises:
        TypeError: if ``params`` is a single Tensor, or holds anything but Tensors; or if an option is no number.
        ValueError: if there are no parameters, one comes twice, is no leaf or read-only, or an option is out of range.
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        if isinstance(params, Tensor):
            raise TypeError(f"{self._name}: params must be a list of Tensors, not a single one")
        groups = in_order(self._name, params)
        if not groups:
            raise ValueError(f"{self._name}: there are no parameters to optimise")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    @property
    def _name(self) -> str:
        return type(self).__name__

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a dictionary ``{"params": Tensors, option: value, ...}``, for example when layers are unfrozen.

        Raises:
            As the optimiser itself.
        """
        if not isinstance(param_group, dict) or "params" not in param_group:
            raise TypeError(f"{self._name}: a group must be a dictionary with the key 'params'")
        given = param_group["params"]
        params = [given] if isinstance(given, Tensor) else in_order(self._name, given)
        known = {parameter for group in self.param_groups for parameter in group["params"]}
        for i, parameter in enumerate(params):
            if not isinstance(parameter, Tensor):
                raise TypeError(f"{self._name}: params[{i}] must be a Tensor, not {type(parameter).__name__}")
            if not parameter.is_leaf:
                raise ValueError(
                    f"{self._name}: params[{i}] is the result of an operation; only leaves can be optimised"
                )
            if not can_be_written(parameter.array):
                raise ValueError(f"{self._name}: params[{i}] lies in memory that is read-only")
            if parameter in known:
                raise ValueError(f"{self._name}: params[{i}] is among the parameters twice")
            known.add(parameter)
        group = {"params": params, **self.defaults, **{k: v for k, v in param_group.items() if k != "params"}}
        self.check(group)
        self.param_groups.append(group)

    def check(self, group: dict[str, Any]) -> None:
        """Raise a ValueError for options out of range."""

    def update(self, w: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Change the array w of one parameter in place, given the array g of its gradient."""
        raise NotImplementedError(f"{self._name}: an Optimizer defines update(w, g, state, group)")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Args:
            closure: computes the loss anew and its gradients; called first.

        Returns:
            What the closure returned, or None.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                grad = parameter.grad
                if grad is None:
                    continue
                state = self.state.get(parameter)
                if state is None:
                    state = self.state[parameter] = {}
                self.update(parameter.array, grad.array, state, group)
                parameter.version[0] += 1  # a graph that still needs the old values will notice
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or fill them with zeros if ``set_to_none`` is False."""
        for group in self.param_groups:
            clear_gradients(group["params"], set_to_none)

    # --- the state -----------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The groups and the state, with parameters replaced by their numbers, as in PyTorch."""
        number = {parameter: i for i, parameter in enumerate(self._parameters())}
        groups = [{**group, "params": [number[p] for p in group["params"]]} for group in self.param_groups]
        state = {number[parameter]: dict(entries) for parameter, entries in self.state.items() if entries}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a state of ``state_dict``; tensors are copied, to the dtype and device of their parameter.

        Where an error is raised, nothing was changed.

        Raises:
            ValueError: if the state has other groups, groups of other sizes, or entries of another shape.
        """
        if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
            raise ValueError("load_state_dict: the state of an optimiser has the keys 'state' and 'param_groups'")
        groups = state_dict["param_groups"]
        theirs, ours = ([len(group["params"]) for group in listed] for listed in (groups, self.param_groups))
        if theirs != ours:
            raise ValueError(
                f"load_state_dict: the state has groups of {theirs} parameters, the optimiser has groups of {ours}"
            )
        numbers = [number for group in groups for number in group["params"]]
        state = {
            parameter: {name: fitting(name, i, value, parameter) for name, value in state_dict["state"][number].items()}
            for i, (number, parameter) in enumerate(zip(numbers, self._parameters(), strict=True))
            if number in state_dict["state"]
        }
        self.param_groups = [
            {**own, **given, "params": own["params"]} for own, given in zip(self.param_groups, groups, strict=True)
        ]
        self.state = state

    def _parameters(self) -> list[Tensor]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            options = [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
            lines += [f"Parameter Group {i}", *options]
        return "\n".join([f"{self._name} (", *lines, ")"])


def fitting(name: str, i: int, value: Any, parameter: Tensor) -> Any:
    """One entry of a loaded state: a copy for this parameter, or a plain number."""
    array = value.array if isinstance(value, Tensor) else value
    if not isinstance(array, np.ndarray) and not isinstance(value, Tensor):
        return value
    if name == "step":  # PyTorch keeps this count in a tensor
        return int(array)
    if array.shape != parameter.shape:
        raise ValueError(f"load_state_dict: {name} of parameter {i} is {array.shape}, the parameter {parameter.shape}")
    return Tensor(to_device(array.astype(parameter.dtype), parameter.device))


def in_order(optimizer: str, params: Any) -> list[Any]:
    """The parameters as a list; not those of a set, whose order, and with it the numbers of the state, changes."""
    if isinstance(params, (set, frozenset)) or not isinstance(params, Iterable):
        raise TypeError(f"{optimizer}: params must be a list of Tensors, not {type(params).__name__}")
    return list(params)


def memory(state: dict[str, Any], name: str, w: Any, value: float = 0) -> Any:
    """The array remembered under ``name``; filled with ``value`` at first."""
    tensor = state.get(name)
    if tensor is None:
        tensor = state[name] = Tensor(namespace(w).full_like(w, value))
    if tensor.array.shape != w.shape:  # the parameter was given other data
        raise RuntimeError(f"step: {name} has shape {tensor.shape}, but its parameter has shape {w.shape}")
    return tensor.array


def check_not_negative(optimizer: str, group: dict[str, Any], *names: str) -> None:
    """An error unless these options are numbers that are not negative."""
    for name in names:
        if not isinstance(group[name], Real):
            raise TypeError(f"{optimizer}: {name} must be a number, not {type(group[name]).__name__}")
        if not group[name] >= 0:
            raise ValueError(f"{optimizer}: {name} must not be negative, but is {group[name]}")
