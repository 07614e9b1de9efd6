"""The moving average of the weights, which is validated and kept in place of the weights themselves."""

from __future__ import annotations

from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


class MovingAverage(WeightAveraging):
    """Exponential moving average whose decay grows to its full value, so that short runs forget where they began.

    After ``t`` updates the decay is ``min(decay, (1 + t) / (10 + t))``.
    """

    def __init__(self, decay: float) -> None:
        def average(averaged: list[Tensor], current: list[Tensor], updates: Tensor | int) -> None:
            t = float(updates)
            lerp = get_ema_multi_avg_fn(min(decay, (1 + t) / (10 + t)))  # type: ignore[no-untyped-call]
            lerp(averaged, current, updates)

        super().__init__(multi_avg_fn=average)
