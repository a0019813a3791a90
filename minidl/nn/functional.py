"""The operations that PyTorch shows as ``torch.nn.functional``."""

from ..ops import (
    # activations
    relu,
    # linear maps
    linear,
    # losses
    cross_entropy,
)

__all__ = ["cross_entropy", "linear", "relu"]
