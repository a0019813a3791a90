"""Softmax attention as a ladder of three rungs, with one result.

======================  ========================================================================================
``three_kernels``       scores, softmax and weighted sums, each by a kernel of its own; all scores go to memory
``fused``               one kernel: a thread a query, a running softmax; no score ever goes to memory
``forward``,            tiles in shared memory, sums in registers, 16 bytes at a time; with the way back
``backward``
======================  ========================================================================================

``attention`` and ``attention_backward`` are the last rung. Everywhere, arrays are (batch, heads, length, width) as in
PyTorch's scaled_dot_product_attention, and a query that may see no key has the result 0.
"""

from __future__ import annotations

from ..kernel import Kernel
from . import backward, forward, fused, operands, three_kernels
from .fast import attention, attention_backward
from .fused import fused_attention
from .three_kernels import three_kernel_attention

__all__ = ["KERNELS", "attention", "attention_backward", "fused_attention", "three_kernel_attention"]

KERNELS: list[Kernel] = [
    kernel for rung in (operands, three_kernels, fused, forward, backward) for kernel in rung.KERNELS
]
