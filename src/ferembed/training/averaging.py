"""The moving average of the weights, which is validated and kept in place of the weights themselves."""

from __future__ import annotations

from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor


class MovingAverage(WeightAveraging):
    """Exponential moving average whose decay grows to its full value, so that short runs forget where they began.

    After ``t`` updates the decay is ``min(decay, (1 + t) / (10 + t))``.
    """

    def __init__(self, decay: float) -> None:
        def average(averaged: Tensor, current: Tensor, updates: Tensor | int) -> Tensor:
            t = float(updates)
            return averaged + (current - averaged) * (1 - min(decay, (1 + t) / (10 + t)))

        super().__init__(avg_fn=average)
