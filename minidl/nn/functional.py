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
    one_hot,
    pad,
    # losses
    cross_entropy,
    huber_loss,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)

__all__ = [
    "cosine_similarity",
    "cross_entropy",
    "huber_loss",
    "l1_loss",
    "linear",
    "log_softmax",
    "mse_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "relu",
    "smooth_l1_loss",
    "softmax",
]
