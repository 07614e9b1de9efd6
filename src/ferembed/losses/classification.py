"""Losses of the network's own heads: softmax, soft labels, one-against-rest hinge."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .base import Loss, mean_of
from .outputs import Outputs


class Softmax(Loss):
    """Cross-entropy with smoothed targets, class weights and offsets added to the logits."""

    needs = ("logits",)
    class_weights: Tensor
    offsets: Tensor

    def __init__(
        self,
        num_classes: int,
        *,
        label_smoothing: float,
        class_weights: Sequence[float] | None = None,
        offsets: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        # Both follow from the recipe and the training labels, so they are no part of the saved state.
        self.register_buffer("class_weights", torch.tensor(class_weights or [1.0] * num_classes), persistent=False)
        self.register_buffer("offsets", torch.tensor(offsets or [0.0] * num_classes), persistent=False)

    def value(self, outputs: Outputs) -> Tensor:
        assert outputs.logits is not None
        targets = class_targets(outputs)
        smoothed = targets * (1 - self.label_smoothing) + self.label_smoothing / targets.shape[1]
        log_probability = (outputs.logits + self.offsets).log_softmax(dim=1)
        return -(smoothed * self.class_weights * log_probability).sum(dim=1).mean()


class SoftCrossEntropy(Loss):
    """Cross-entropy of the vote head against the annotators' distributions."""

    needs = ("votes", "vote_logits")

    def value(self, outputs: Outputs) -> Tensor:
        assert outputs.votes is not None
        assert outputs.vote_logits is not None
        losses = -(outputs.votes * outputs.vote_logits.log_softmax(dim=1)).sum(dim=1)
        return mean_of(losses, outputs.votes.sum(dim=1) > 0)


class Distillation(Loss):
    """Cross-entropy between the teachers' and the softmax head's probabilities, both at one temperature."""

    needs = ("logits", "teacher_logits")

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def value(self, outputs: Outputs) -> Tensor:
        assert outputs.logits is not None
        assert outputs.teacher_logits is not None
        targets = (outputs.teacher_logits / self.temperature).softmax(dim=1)
        scores = (outputs.logits / self.temperature).log_softmax(dim=1)
        return -(targets * scores).sum(dim=1).mean() * self.temperature**2


class SquaredHinge(Loss):
    """Sum over the classes of the squared hinge of one class against the rest."""

    needs = ("logits",)

    def value(self, outputs: Outputs) -> Tensor:
        assert outputs.logits is not None
        targets = class_targets(outputs)
        inside = (1 - outputs.logits).clamp(min=0).square()
        outside = (1 + outputs.logits).clamp(min=0).square()
        return (targets * inside + (1 - targets) * outside).sum(dim=1).mean()


def class_targets(outputs: Outputs) -> Tensor:
    """Target distribution of each image, (n, c): the mixed ones after mixup, else one-hot labels."""
    assert outputs.logits is not None
    if outputs.targets is not None:
        return outputs.targets
    return F.one_hot(outputs.labels, outputs.logits.shape[1]).to(outputs.logits.dtype)
