"""The place where PyTorch keeps ``utils.data``."""

from . import data

__all__ = ["data"]
