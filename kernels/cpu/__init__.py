"""Loops for the CPU, compiled by Numba where NumPy alone would go over memory several times."""

from .compiler import set_compiled as set_compiled
