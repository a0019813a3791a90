"""The operations that PyTorch shows as ``torch.nn.functional``."""

from ..ops import (
    # activations
    log_softmax,
    relu,
    softmax,
    # directions
    cosine_similarity,
    normalize,
    # linear maps
    linear,
    # shapes
    pad,
    # losses
    cross_entropy,
)

__all__ = ["cosine_similarity", "cross_entropy", "linear", "log_softmax", "normalize", "pad", "relu", "softmax"]
