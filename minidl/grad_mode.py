"""Whether operations are recorded: ``no_grad``, ``enable_grad``, ``set_grad_enabled``. Each thread has its own mode."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from inspect import isgeneratorfunction
from typing import Any

__all__ = ["enable_grad", "is_grad_enabled", "no_grad", "recording", "set_grad_enabled"]


class Recording(threading.local):
    on = True


recording = Recording()


def is_grad_enabled() -> bool:
    """True where operations are recorded (the default), False inside ``no_grad()``."""
    return recording.on


class Switch:
    """Sets the mode inside a ``with`` block or a decorated function and restores it behind."""

    mode: bool

    def __init__(self) -> None:
        self.previous: list[bool] = []

    def __enter__(self) -> None:
        self.previous.append(recording.on)
        recording.on = self.mode

    def __exit__(self, *_: object) -> None:
        recording.on = self.previous.pop()

    def __call__(self, function: Callable) -> Callable:
        if isgeneratorfunction(function):
            raise TypeError(f"{type(self).__name__}: cannot decorate a generator; use a with block inside it")
        mode = self.mode

        @wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            previous, recording.on = recording.on, mode
            try:
                return function(*args, **kwargs)
            finally:
                recording.on = previous

        return wrapped


class no_grad(Switch):
    """Operations inside are not recorded; their results require no gradient. A context manager or a decorator."""

    mode = False


class enable_grad(Switch):
    """Operations inside are recorded, also within ``no_grad()``. A context manager or a decorator."""

    mode = True


class set_grad_enabled(Switch):
    """Turn recording on or off from here on, or for a ``with`` block or a decorated function."""

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self.mode = bool(mode)
        self.before, recording.on = recording.on, self.mode

    def __enter__(self) -> None:
        self.previous.append(self.before)  # it is in force since it was made
        recording.on = self.mode

    def __call__(self, function: Callable) -> Callable:
        recording.on = self.before  # a decorator switches inside the function alone
        return super().__call__(function)
