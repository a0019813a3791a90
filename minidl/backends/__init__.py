"""Settings of what computes, by the kind of device."""

from . import cuda

__all__ = ["cuda"]
