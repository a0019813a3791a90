"""The fast array functions that the engine borrows from the package ``kernels``: the one place where the two meet.

Each of them returns False, or None in the place of a result, where it cannot run; the caller then computes the same
with the arrays' own library.
"""

import kernels

if getattr(kernels, "OWNER", None) != "minidl":
    _where = kernels.__file__ or next(iter(kernels.__path__))
    raise ImportError(
        f"minidl: needs its own package 'kernels', but found another one of that name ({_where}): "
        "uninstall it, or put minidl's folder in front of it on sys.path"
    )

from kernels.cpu import convolution, normalization, pooling
from kernels.cpu.activation import gated
from kernels.cpu.matmul import linear
from kernels.cpu.memory import keep_freed_memory
from kernels.cpu.optimizer import adagrad, adam, momentum, rmsprop, sgd

__all__ = [
    "adagrad",
    "adam",
    "convolution",
    "gated",
    "linear",
    "momentum",
    "normalization",
    "pooling",
    "rmsprop",
    "sgd",
]

keep_freed_memory()
