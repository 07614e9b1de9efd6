"""Which pairs or triplets of a batch a loss shall see."""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor, nn

Mined: TypeAlias = tuple[Tensor, ...] | None
"""Row numbers: (anchor, positive, negative), or (anchor, positive, anchor, negative), or None for all."""


class Everything(nn.Module):
    """Leaves all pairs and triplets in."""

    def forward(self, embeddings: Tensor, labels: Tensor) -> Mined:
        """None, which stands for everything."""
        return None


class WarmUp(nn.Module):
    """Mines by ``first`` for a number of training steps, and by ``then`` afterwards.

    The count is part of the state, so that a resumed run goes on where it stood; it grows in training mode only.
    """

    steps_done: Tensor

    def __init__(self, first: nn.Module, then: nn.Module, steps: int) -> None:
        super().__init__()
        self.first = first
        self.then = then
        self.steps = steps
        self.register_buffer("steps_done", torch.zeros((), dtype=torch.int64))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Mined:
        """Row numbers mined by whichever miner's turn it is."""
        warming = bool(self.steps_done < self.steps)
        if self.training:
            self.steps_done += 1
        mined: Mined = (self.first if warming else self.then)(embeddings, labels)
        return mined
