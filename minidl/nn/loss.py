"""Losses as modules. The formulas and their gradients stand with the operations that are called here.

Every module takes ``reduction``: "mean" (the default), "sum", or "none" for one loss an element. Weights are buffers:
they move with the module and are part of its state, but are not trained.
"""

from __future__ import annotations

from ..autograd import Tensor
from ..ops.loss import check_reduction
from . import functional as F
from .module import Module

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "NLLLoss",
    "SmoothL1Loss",
]


class Loss(Module):
    """What all losses share: the name of the reduction, checked when the module is made."""

    reductions: tuple[str, ...] = ()  # beside "none", "mean" and "sum"

    def __init__(self, reduction: str) -> None:
        super().__init__()
        check_reduction(type(self).__name__, reduction, self.reductions)
        self.reduction = reduction


# --- a choice among classes --------------------------------------------------------------------------------------


class CrossEntropyLoss(Loss):
    """-log softmax(input) at the target class, or against target probabilities; see ``F.cross_entropy``.

    Args:
        weight: one weight a class, (C,).
        ignore_index: targets with this class index count for nothing.
        label_smoothing: the share of the target that is spread evenly over all classes.
    """

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(Loss):
    """-input at the target class, for log-probabilities; see ``F.nll_loss``. Arguments as in ``CrossEntropyLoss``."""

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


# --- yes or no, and distributions --------------------------------------------------------------------------------


class BCELoss(Loss):
    """-(t log p + (1 - t) log(1 - p)) for probabilities p; see ``F.binary_cross_entropy``.

    Args:
        weight: a factor that broadcasts to the losses.
    """

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(Loss):
    """``BCELoss`` of sigmoid(input), without overflow; see ``F.binary_cross_entropy_with_logits``.

    Args:
        weight: a factor that broadcasts to the losses.
        pos_weight: the weight of the positive class.
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self, weight: Tensor | None = None, *, reduction: str = "mean", pos_weight: Tensor | None = None
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class KLDivLoss(Loss):
    """t (log t - input) for log-probabilities; see ``F.kl_div``. "batchmean" is the mean over distributions.

    Args:
        log_target: whether targets are given as log t.
    """

    reductions = ("batchmean",)

    def __init__(self, *, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


# --- differences -------------------------------------------------------------------------------------------------


class MSELoss(Loss):
    """(x - t)^2; see ``F.mse_loss``."""

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction)


class L1Loss(Loss):
    """|x - t|; see ``F.l1_loss``."""

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(input, target, reduction=self.reduction)


class HuberLoss(Loss):
    """(x - t)^2 / 2 up to ``delta``, straight beyond; see ``F.huber_loss``."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(input, target, self.reduction, self.delta)


class SmoothL1Loss(Loss):
    """``HuberLoss`` with delta = ``beta``, divided by beta; see ``F.smooth_l1_loss``."""

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)
