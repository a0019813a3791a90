"""Layers: modules that hold parameters and call operations."""

from . import functional
