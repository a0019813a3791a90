"""The operations that PyTorch shows as ``torch.nn.functional``."""

from ..ops import (
    # activations
    log_softmax,
    relu,
    softmax,
    # linear maps
    linear,
    # losses
    cross_entropy,
)

__all__ = ["cross_entropy", "linear", "log_softmax", "relu", "softmax"]
