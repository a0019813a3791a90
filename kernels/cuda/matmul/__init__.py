"""The product of matrices as a ladder: each rung changes one thing, and says what that does to bytes and operations.

1. ``naive``: one thread an element.
2. ``tiled``: tiles in shared memory.
3. ``blocked``: 8 x 8 elements a thread, in registers.
4. ``vectorized``: 16 bytes at a time, and two buffers.
5. ``general``: any product: batches, transposes, edges, bias and activation; this is what ``matmul`` runs.
6. ``tensor_core``: the tensor cores, for three digits.

``LADDER`` has the rungs for two contiguous matrices by name; ``work(name, M, N, K)`` is what a rung asks of a GPU.
"""

from __future__ import annotations

from .. import roofline
from ..kernel import Kernel
from . import general
from .activations import ACTIVATIONS
from .blocked import BLOCKED
from .naive import NAIVE
from .product import matmul
from .rung import Rung
from .tensor_core import TENSOR_CORE
from .tiled import TILED
from .vectorized import VECTORIZED

__all__ = ["ACTIVATIONS", "KERNELS", "LADDER", "Rung", "matmul", "work"]

LADDER: dict[str, Rung] = {rung.name: rung for rung in (NAIVE, TILED, BLOCKED, VECTORIZED, TENSOR_CORE)}

KERNELS: list[Kernel] = [rung.kernel for rung in LADDER.values()]
KERNELS += [general.kernel(wide, activation) for wide in (True, False) for activation in (None, "relu", "gelu")]


def work(name: str, M: int, N: int, K: int) -> roofline.Work:
    """What a rung asks of a GPU for the product of an (M, K) and a (K, N) matrix.

    Raises:
        ValueError: where no rung has that name.
    """
    rung = LADDER.get(name)
    if rung is None:
        raise ValueError(f"work: the rungs are {', '.join(LADDER)}; there is no {name!r}")
    return roofline.matmul(M, N, K, tile=rung.reuse, shared=rung.shared, tensor=rung is TENSOR_CORE)
