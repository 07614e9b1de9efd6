"""Losses of the network's heads, by name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from ferembed.losses.base import LossSpec, Sizes
from ferembed.losses.outputs import Outputs, weighted_mean

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["BalancedSoftmax", "CrossEntropy", "Distillation", "LogitAdjustment", "SoftCrossEntropy", "SquaredHinge"]


class HeadSpec(LossSpec):
    """A loss of the network's softmax head."""

    needs: ClassVar[frozenset[str]] = frozenset({"logits"})


class CrossEntropy(HeadSpec):
    """Cross-entropy of the softmax head.

    Notes
    -----
    - Batch: any. After mixup the mixed targets are learned.
    - Sampler: natural; balance by the sampler or by ``class_weights``, not by both.
    - Related: ``logit_adjustment`` and ``balanced_softmax`` correct imbalance in the logits instead of by weights. Its
      weights average 1 over the training images, so they do not change the scale of the loss.

    Examples
    --------
    >>> loss = CrossEntropy(class_weights="balanced").build(num_classes=2, embedding_dim=8, class_counts=[10, 30])
    >>> [round(w, 3) for w in loss.class_weights.tolist()]
    [2.0, 0.667]

    References
    ----------
    Szegedy et al. (2016), Rethinking the Inception Architecture for Computer Vision (label smoothing).
    Cui, Jia, Lin, Song and Belongie (2019), Class-Balanced Loss Based on Effective Number of Samples.
    """

    name: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target that is spread evenly over all classes."""
    class_weights: Literal["none", "balanced", "effective_number"] = "none"
    """Weights in inverse proportion to the class frequency, or to its effective number of samples."""
    beta: float = Field(default=0.999, ge=0, lt=1)
    """For the effective number ``(1 - beta**n) / (1 - beta)``: 0 gives no weighting, towards 1 balanced."""

    def parts(self, sizes: Sizes) -> dict[str, Any]:
        if self.class_weights == "none":
            return {}
        counts = positive_counts(f"class_weights={self.class_weights!r}", sizes)
        beta = self.beta if self.class_weights == "effective_number" else None
        return {"class_weights": derived(class_weights(counts, beta))}

    def value(self, outputs: Outputs, class_weights: Tensor | float = 1.0) -> Tensor:
        return softmax_loss(outputs, self.label_smoothing, class_weights=class_weights)


class LogitAdjustment(HeadSpec):
    """Cross-entropy of logits to which ``tau`` times the log frequency of each class is added while training.

    Notes
    -----
    - Batch: any.
    - Sampler: natural, since the frequencies are those of the training images.
    - Related: ``balanced_softmax`` is the case ``tau=1``. The head's plain logits are then those of balanced classes.

    Examples
    --------
    >>> loss = LogitAdjustment(tau=2).build(num_classes=2, embedding_dim=8, class_counts=[50, 50])
    >>> [round(o, 3) for o in loss.offsets.tolist()]
    [-1.386, -1.386]

    References
    ----------
    Menon et al. (2021), Long-tail learning via logit adjustment.
    """

    name: Literal["logit_adjustment"] = "logit_adjustment"
    tau: float = Field(default=1.0, ge=0)
    """How much of the log frequency is added; 0 is plain cross-entropy."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target that is spread evenly over all classes."""

    def parts(self, sizes: Sizes) -> dict[str, Any]:
        return {"offsets": derived(self.tau * f for f in log_frequencies(self.name, sizes))}

    def value(self, outputs: Outputs, offsets: Tensor) -> Tensor:
        return softmax_loss(outputs, self.label_smoothing, offsets=offsets)


class BalancedSoftmax(HeadSpec):
    """Cross-entropy of a softmax whose terms are multiplied by the class counts while training.

    Notes
    -----
    - Batch: any.
    - Sampler: natural, since the counts are those of the training images.
    - Related: ``logit_adjustment`` tempers the same correction by ``tau``.

    Examples
    --------
    >>> loss = BalancedSoftmax().build(num_classes=2, embedding_dim=8, class_counts=[25, 75])
    >>> [round(o, 3) for o in loss.offsets.tolist()]
    [-1.386, -0.288]

    References
    ----------
    Ren et al. (2020), Balanced Meta-Softmax for Long-Tailed Visual Recognition.
    """

    name: Literal["balanced_softmax"] = "balanced_softmax"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target that is spread evenly over all classes."""

    def parts(self, sizes: Sizes) -> dict[str, Any]:
        return {"offsets": derived(log_frequencies(self.name, sizes))}

    def value(self, outputs: Outputs, offsets: Tensor) -> Tensor:
        return softmax_loss(outputs, self.label_smoothing, offsets=offsets)


class SoftCrossEntropy(LossSpec):
    """Cross-entropy of an auxiliary head against the annotators' distributions.

    Images without usable votes are left out.

    Notes
    -----
    - Batch: annotators' votes for some of its images.
    - Sampler: natural.
    - Related: ``cross_entropy`` learns one label an image; ``soft_contrastive`` brings the same votes to the embedding.

    Examples
    --------
    >>> sorted(SoftCrossEntropy(weight=0.5).needs)
    ['vote_logits', 'votes']

    References
    ----------
    Barsoum, Zhang, Canton Ferrer and Zhang (2016), Training Deep Networks for Facial Expression Recognition with
    Crowd-Sourced Label Distribution.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"votes", "vote_logits"})

    name: Literal["soft_cross_entropy"] = "soft_cross_entropy"

    def value(self, outputs: Outputs) -> Tensor:
        assert outputs.votes is not None
        assert outputs.vote_logits is not None
        losses = -(outputs.votes * outputs.vote_logits.log_softmax(dim=1)).sum(dim=1)
        return weighted_mean(losses, outputs.votes.sum(dim=1) > 0)


class Distillation(HeadSpec):
    """Cross-entropy of the softmax head against the mean answer of the recipe's ``teachers``.

    Both answers are softened by the temperature, and the loss is multiplied by its square, so that the gradient keeps
    its size.

    Notes
    -----
    - Batch: any, in a recipe with ``teachers``.
    - Sampler: natural.
    - Related: ``soft_cross_entropy`` learns the annotators' distributions instead of a network's.

    Examples
    --------
    >>> sorted(Distillation(temperature=2.0).needs)
    ['logits', 'teacher_logits']

    References
    ----------
    Hinton, Vinyals and Dean (2015), Distilling the Knowledge in a Neural Network; Beyer et al. (2022), Knowledge
    Distillation: A Good Teacher is Patient and Consistent.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"logits", "teacher_logits"})

    name: Literal["distillation"] = "distillation"
    temperature: float = Field(default=2.0, gt=0)
    """Both sides' logits are divided by it."""
    teachers_see: Literal["batch", "faces"] = "batch"
    """The images of each batch as the network sees them, augmented and mixed; or each training face as it is and
    mirrored, once before training, which spares a forward pass of every teacher in every step."""

    def value(self, outputs: Outputs) -> Tensor:
        assert outputs.logits is not None
        assert outputs.teacher_logits is not None
        targets = (outputs.teacher_logits / self.temperature).softmax(dim=1)
        scores = (outputs.logits / self.temperature).log_softmax(dim=1)
        return -(targets * scores).sum(dim=1).mean() * self.temperature**2


class SquaredHinge(HeadSpec):
    """A linear SVM in place of the softmax: one class against the rest, squared hinge, summed over the classes.

    Notes
    -----
    - Batch: any. After mixup the two hinges of a class are weighted by its mixed target.
    - Sampler: natural.
    - Related: the head of the winner of the FER2013 challenge; its logits are margins, not log probabilities.

    Examples
    --------
    >>> sorted(SquaredHinge.needs)
    ['logits']

    References
    ----------
    Tang (2013), Deep Learning using Linear Support Vector Machines.
    """

    name: Literal["squared_hinge"] = "squared_hinge"

    def value(self, outputs: Outputs) -> Tensor:
        targets, logits = targets_and_logits(outputs)
        inside = (1 - logits).clamp(min=0).square()
        outside = (1 + logits).clamp(min=0).square()
        return (targets * inside + (1 - targets) * outside).sum(dim=1).mean()


def softmax_loss(
    outputs: Outputs, label_smoothing: float, class_weights: Tensor | float = 1.0, offsets: Tensor | float = 0.0
) -> Tensor:
    """Cross-entropy with smoothed targets, class weights and offsets added to the logits."""
    targets, logits = targets_and_logits(outputs)
    smoothed = targets * (1 - label_smoothing) + label_smoothing / targets.shape[1]
    return -(smoothed * class_weights * (logits + offsets).log_softmax(dim=1)).sum(dim=1).mean()


def targets_and_logits(outputs: Outputs) -> tuple[Tensor, Tensor]:
    """Target distribution of each image, the mixed one after mixup, else one-hot, and its scores: (n, c) each."""
    from torch.nn.functional import one_hot

    assert outputs.logits is not None
    if outputs.targets is not None:
        return outputs.targets, outputs.logits
    return one_hot(outputs.labels, outputs.logits.shape[1]).to(outputs.logits.dtype), outputs.logits


def derived(values: Iterable[float]) -> Tensor:
    """One number a class that follows from the recipe and the training labels, so is no part of the saved state."""
    import torch

    return torch.nn.Buffer(torch.tensor(list(values)), persistent=False)


def class_weights(counts: Sequence[int], beta: float | None) -> list[float]:
    """Inverse class frequencies, or inverse effective numbers where ``beta`` is given, averaging 1 over the images."""
    effective = [float(n) if beta is None else (1 - beta**n) / (1 - beta) for n in counts]
    mean = sum(n / e for n, e in zip(counts, effective, strict=True)) / sum(counts)
    return [1 / (e * mean) for e in effective]


def log_frequencies(user: str, sizes: Sizes) -> list[float]:
    """The logarithm of each class's share of the training images."""
    counts = positive_counts(user, sizes)
    return [math.log(n / sum(counts)) for n in counts]


def positive_counts(user: str, sizes: Sizes) -> list[int]:
    """The class counts, if there is one above zero for each class."""
    counts = sizes.class_counts
    if counts is None:
        raise ValueError(f"{user} needs class_counts, the number of training images of each class.")
    if len(counts) != sizes.num_classes or min(counts) < 1:
        raise ValueError(
            f"{user} needs at least one training image of each of the {sizes.num_classes} classes; "
            f"class_counts is {list(counts)}."
        )
    return [int(n) for n in counts]
