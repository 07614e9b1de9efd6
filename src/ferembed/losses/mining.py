"""Which pairs or triplets of a batch a loss shall see."""

from __future__ import annotations

import math
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


class SemiHard(nn.Module):
    """Triplets whose negative is farther than the positive by at most the margin.

    Works on one row for each positive pair rather than on all n^3 triplets.
    """

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin

    @torch.no_grad()
    def forward(self, embeddings: Tensor, labels: Tensor) -> Mined:
        """Row numbers of anchors, positives and negatives."""
        anchors, positives, unlike = positive_pairs(labels)
        distances = torch.cdist(embeddings, embeddings)
        gap = distances[anchors] - distances[anchors, positives][:, None]
        pair, negatives = (unlike & (gap > 0) & (gap <= self.margin)).nonzero(as_tuple=True)
        return anchors[pair], positives[pair], negatives


class Angular(nn.Module):
    """Triplets whose angle at the negative, ``atan(|a - p| / (2 |n - c|))``, exceeds a number of degrees."""

    def __init__(self, angle: float) -> None:
        super().__init__()
        self.tangent = math.tan(math.radians(angle))

    @torch.no_grad()
    def forward(self, embeddings: Tensor, labels: Tensor) -> Mined:
        """Row numbers of anchors, positives and negatives."""
        anchors, positives, unlike = positive_pairs(labels)
        similarity = embeddings @ embeddings.T
        own = similarity[anchors, positives][:, None]
        # On the unit sphere |a - p|^2 = 2 - 2 s_ap, and |n - c|^2 = 1 + (1 + s_ap) / 2 - s_na - s_np.
        base = (2 - 2 * own).clamp(min=0)
        height = (1.5 + own / 2 - similarity[anchors] - similarity[positives]).clamp(min=0)
        pair, negatives = (unlike & (base > 4 * self.tangent**2 * height)).nonzero(as_tuple=True)
        return anchors[pair], positives[pair], negatives


def positive_pairs(labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of all ordered positive pairs, two of shape (m,), and what is a negative of each, boolean (m, n).

    >>> positive_pairs(torch.tensor([0, 0, 1]))
    (tensor([0, 1]), tensor([1, 0]), tensor([[False, False,  True],
                                             [False, False,  True]]))
    """
    same = labels[:, None] == labels[None, :]
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    anchors, positives = (same & ~itself).nonzero(as_tuple=True)
    return anchors, positives, ~same[anchors]


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
