"""Kernels for GPUs, written in Python and compiled by Numba-CUDA: matrix products and softmax attention.

Arrays go in and come out; see ``arrays``. Nothing here has run on a GPU yet: the kernels run in ``kernels.simulator``,
which looks for races and other faults, and ``gate`` compiles them to machine code and inspects that.
"""
