"""Losses that keep a learned point, or several, for each class."""

from __future__ import annotations

import torch
from pytorch_metric_learning import losses as pml
from torch import Tensor, nn

from .base import Loss
from .outputs import Outputs


class ProxyLoss(Loss):
    """A loss of embeddings against class proxies, which are its parameters."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def value(self, outputs: Outputs) -> Tensor:
        loss: Tensor = self.loss(outputs.embeddings, outputs.labels)
        return loss


class _FiniteAngles:
    """Angles whose gradient stays finite where an embedding lies exactly on, or opposite, its class weight."""

    def get_angles(self, cosine: Tensor) -> Tensor:
        limit = 1 - 1e-6
        return cosine.clamp(-limit, limit).acos()


class FiniteArcFace(_FiniteAngles, pml.ArcFaceLoss):  # type: ignore[misc]
    """ArcFace with finite gradients everywhere."""


class FiniteSubCenterArcFace(_FiniteAngles, pml.SubCenterArcFaceLoss):  # type: ignore[misc]
    """Sub-centre ArcFace with finite gradients everywhere."""


class Center(Loss):
    """Half the squared distance of each embedding to the running centre of its class."""

    centers: Tensor

    def __init__(self, num_classes: int, embedding_dim: int, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.register_buffer("centers", torch.zeros(num_classes, embedding_dim))

    def value(self, outputs: Outputs) -> Tensor:
        offsets = outputs.embeddings - self.centers[outputs.labels]
        if self.training:
            self._move(offsets.detach(), outputs.labels)
        return offsets.square().sum(dim=1).mean() / 2

    def _move(self, offsets: Tensor, labels: Tensor) -> None:
        sums = torch.zeros_like(self.centers).index_add_(0, labels, offsets)
        counts = torch.bincount(labels, minlength=len(self.centers))
        self.centers += self.rate * sums / (1 + counts)[:, None]
