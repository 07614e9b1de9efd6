"""Losses over the pairs and triplets of one batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from pytorch_metric_learning.losses import CircleLoss, MultiSimilarityLoss, TripletMarginLoss
from torch import Tensor, nn

from .base import Loss, mean_of, weighted_mean, zero_of
from .outputs import Outputs


class TwinContrastive(Loss):
    """Contrastive loss of the pairs that the batch was built of: rows 0 and 1, 2 and 3, ..."""

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def value(self, outputs: Outputs) -> Tensor:
        first, second, same = outputs.twins()
        alike = same.float() if outputs.targets is None else shared(outputs.targets[0::2], outputs.targets[1::2])
        pull, push = contrastive_terms((first - second).square().sum(dim=1), self.margin)
        return torch.lerp(push, pull, alike).mean()


class BatchContrastive(Loss):
    """Contrastive loss of all pairs within the batch, or of those that a miner picks."""

    def __init__(self, margin: float, miner: nn.Module) -> None:
        super().__init__()
        self.margin = margin
        self.miner = miner

    def value(self, outputs: Outputs) -> Tensor:
        positive, negative = self._weights(outputs)
        pull, push = contrastive_terms(squared_distances(outputs.embeddings), self.margin)
        return (weighted_mean(pull, positive) + weighted_mean(push, negative)) / 2

    def _weights(self, outputs: Outputs) -> tuple[Tensor, Tensor]:
        """How far each pair counts as a positive and as a negative one: two (n, n) tensors."""
        alike = likeness(outputs)
        mined = self.miner(outputs.embeddings, outputs.labels)
        if mined is None:
            return alike.fill_diagonal_(0), unlikeness(alike)
        anchors, positives, others, negatives = mined if len(mined) == 4 else (*mined[:2], mined[0], mined[2])
        positive, negative = torch.zeros_like(alike), torch.zeros_like(alike)
        positive[anchors, positives] = alike[anchors, positives]
        negative[others, negatives] = unlikeness(alike)[others, negatives]
        return positive, negative


def contrastive_terms(squared: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """What a pair costs if it is alike, half its squared distance; and if not, half its squared shortfall."""
    # The clamp keeps the root's gradient finite where two embeddings coincide.
    distance = squared.clamp(min=1e-12).sqrt()
    return squared / 2, (margin - distance).clamp(min=0).square() / 2


def squared_distances(embeddings: Tensor) -> Tensor:
    """Squared Euclidean distances between unit vectors: (n, d) to (n, n)."""
    return (2 - 2 * embeddings @ embeddings.T).clamp(min=0)


class Triplet(Loss):
    """Triplet loss on slices of the embedding, each with its own margin; one slice is the usual triplet loss."""

    def __init__(self, margins: Sequence[float | None], miners: Sequence[nn.Module]) -> None:
        super().__init__()
        self.losses = nn.ModuleList(
            TripletMarginLoss(margin=margin or 0.0, smooth_loss=margin is None) for margin in margins
        )
        self.miners = nn.ModuleList(miners)

    def value(self, outputs: Outputs) -> Tensor:
        slices = outputs.embeddings.chunk(len(self.losses), dim=1)
        total = zero_of(outputs.embeddings)
        for part, loss, miner in zip(slices, self.losses, self.miners, strict=True):
            points = F.normalize(part, dim=1)
            total = total + loss(points, outputs.labels, miner(points, outputs.labels))
        return total / len(self.losses)


class SupCon(Loss):
    """Supervised contrastive loss; after mixup the positives are weighted by the overlap of the mixed targets."""

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def value(self, outputs: Outputs) -> Tensor:
        return weighted_supcon(outputs.embeddings, likeness(outputs), self.temperature)


class SoftContrastive(Loss):
    """SupCon whose positives are weighted by the agreement of two vote distributions."""

    needs = ("votes",)

    def __init__(self, temperature: float, sharpness: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.sharpness = sharpness

    def value(self, outputs: Outputs) -> Tensor:
        assert outputs.votes is not None
        usable = outputs.votes.sum(dim=1) > 0
        weights = overlap(outputs.votes[usable]).pow(self.sharpness)
        return weighted_supcon(outputs.embeddings[usable], weights, self.temperature) + zero_of(outputs.embeddings)


def overlap(distributions: Tensor) -> Tensor:
    """Mass that two distributions share: 1 where they are equal, 0 where they are disjoint. (n, c) to (n, n).

    >>> overlap(torch.tensor([[1.0, 0.0], [0.25, 0.75]]))
    tensor([[1.0000, 0.2500],
            [0.2500, 1.0000]])
    """
    return shared(distributions[:, None, :], distributions[None, :, :])


def shared(one: Tensor, other: Tensor) -> Tensor:
    """Mass that the distributions along the last axis share."""
    return torch.minimum(one, other).sum(dim=-1)


def likeness(outputs: Outputs) -> Tensor:
    """How far two images are of one class, (n, n): 1 or 0 by their labels, or the mass that their targets share."""
    if outputs.targets is None:
        return (outputs.labels[:, None] == outputs.labels[None, :]).float()
    return overlap(outputs.targets)


def unlikeness(alike: Tensor) -> Tensor:
    """How far two images are of different classes, (n, n); an image is not unlike itself."""
    return (1 - alike).clamp(min=0).fill_diagonal_(0)


def weighted_supcon(embeddings: Tensor, weights: Tensor, temperature: float) -> Tensor:
    """SupCon with a weight for each pair; anchors without a weighted partner do not count.

    Parameters
    ----------
    embeddings : Tensor of float32, shape (n, d)
        Unit vectors.
    weights : Tensor of float32, shape (n, n)
        How far each pair is a positive one, 0 to 1; the diagonal is ignored.
    temperature : float
        Divides the cosine similarities.
    """
    if len(embeddings) < 2:
        return zero_of(embeddings)
    itself = torch.eye(len(embeddings), dtype=torch.bool, device=embeddings.device)
    scores = (embeddings @ embeddings.T / temperature).masked_fill(itself, -torch.inf)
    log_probability = scores.log_softmax(dim=1).masked_fill(itself, 0)
    weights = weights.masked_fill(itself, 0)
    mass = weights.sum(dim=1)
    per_anchor = -(weights * log_probability).sum(dim=1) / mass.clamp(min=torch.finfo(mass.dtype).tiny)
    return mean_of(per_anchor, mass > 0)


class NTXent(Loss):
    """Each positive pair against all negatives of its anchor; a pair of mixed images is partly both."""

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def value(self, outputs: Outputs) -> Tensor:
        scores = outputs.embeddings @ outputs.embeddings.T / self.temperature
        alike = likeness(outputs)
        unlike = unlikeness(alike)
        # A finite stand-in for minus infinity: an anchor without negatives keeps finite gradients.
        against = (scores + unlike.log().clamp(min=-1e30)).logsumexp(dim=1, keepdim=True)
        usable = (unlike > 0).any(dim=1, keepdim=True)
        return weighted_mean(F.softplus(against - scores), alike.fill_diagonal_(0) * usable)


class MultiSimilarity(Loss):
    """Multi-similarity loss of the mined pairs."""

    def __init__(self, alpha: float, beta: float, base: float, miner: nn.Module) -> None:
        super().__init__()
        self.loss = MultiSimilarityLoss(alpha=alpha, beta=beta, base=base)
        self.miner = miner

    def value(self, outputs: Outputs) -> Tensor:
        loss: Tensor = self.loss(outputs.embeddings, outputs.labels, self.miner(outputs.embeddings, outputs.labels))
        return loss


class Circle(Loss):
    """Circle loss of all pairs within the batch."""

    def __init__(self, margin: float, scale: float) -> None:
        super().__init__()
        self.loss = CircleLoss(m=margin, gamma=scale)

    def value(self, outputs: Outputs) -> Tensor:
        loss: Tensor = self.loss(outputs.embeddings, outputs.labels)
        return loss
