"""Losses that compare a pair with all other pairs of its anchor by a softmax, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from .base import LossSpec

if TYPE_CHECKING:
    from torch import nn


class SupCon(LossSpec):
    """Each anchor's positives against all others in the batch, by a softmax over similarities.

    For anchor ``i`` with positives ``P(i)`` the cost is the mean over ``p`` in ``P(i)`` of
    ``-log(exp(s_ip / t) / sum over j != i of exp(s_ij / t))``; anchors without a positive do not count.

    Notes
    -----
    Batch: large, with several images of each class. After mixup each pair is a positive by the mass that its two
    mixed targets share, so that a mixed face is drawn to both of its classes.

    Sampler: class-balanced; natural batches serve well from 128 images on.

    Related: ``ntxent`` compares each positive with the negatives only; ``soft_contrastive`` takes annotators'
    distributions in place of labels. Summed with ``cross_entropy`` it is the joint training of many recipes.

    Examples
    --------
    >>> SupCon(weight=0.5).temperature
    0.1

    References
    ----------
    Khosla et al. (2020), Supervised Contrastive Learning (the form with the mean outside the logarithm).
    """

    name: Literal["supcon"] = "supcon"

    temperature: float = Field(default=0.1, gt=0)
    """Divides the cosine similarities; smaller looks at harder pairs."""

    def build(self, *, num_classes: int, embedding_dim: int, class_counts: Sequence[int] | None = None) -> nn.Module:
        from ferembed.losses import pairwise

        return pairwise.SupCon(self.temperature)


class SoftContrastive(LossSpec):
    """SupCon for faces that annotators disagree about.

    Each pair is a positive by the agreement of its two vote distributions, the mass they share
    (``sum of min(p, q)``), raised to ``sharpness``. Images without usable votes are left out altogether.

    Notes
    -----
    Batch: annotators' votes for most of its images; several images of each emotion.

    Sampler: class-balanced or natural.

    Related: equals ``supcon`` where the distributions are one-hot; ``soft_cross_entropy`` learns from the same votes
    through a softmax head.

    Examples
    --------
    >>> sorted(SoftContrastive.needs)
    ['votes']

    References
    ----------
    Khosla et al. (2020), Supervised Contrastive Learning. Barsoum et al. (2016), Training Deep Networks for Facial
    Expression Recognition with Crowd-Sourced Label Distribution. The weighting by agreement is this library's own.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"votes"})

    name: Literal["soft_contrastive"] = "soft_contrastive"

    temperature: float = Field(default=0.1, gt=0)
    """Divides the cosine similarities; smaller looks at harder pairs."""

    sharpness: float = Field(default=2.0, gt=0)
    """Power of the agreement; more leaves less weight to the many pairs that agree a little."""

    def build(self, *, num_classes: int, embedding_dim: int, class_counts: Sequence[int] | None = None) -> nn.Module:
        from ferembed.losses import pairwise

        return pairwise.SoftContrastive(self.temperature, self.sharpness)


class NTXent(LossSpec):
    """Each positive pair against the negatives of its anchor, by a softmax over similarities.

    A positive pair costs ``-log(exp(s_ap / t) / (exp(s_ap / t) + sum over negatives of exp(s_an / t)))``; the loss is
    the mean over the positive pairs.

    Notes
    -----
    Batch: large, at least two classes, one of them with two images. After mixup a pair is a positive by the mass that
    its two mixed targets share and a negative by the rest.

    Sampler: class-balanced.

    Related: known from self-supervised learning, where a class is one image seen twice; ``supcon`` puts the other
    positives into the denominator too.

    Examples
    --------
    >>> NTXent().temperature
    0.1

    References
    ----------
    Sohn (2016), Improved Deep Metric Learning with Multi-class N-pair Loss Objective.
    Chen, Kornblith, Norouzi and Hinton (2020), A Simple Framework for Contrastive Learning of Visual Representations.
    """

    name: Literal["ntxent"] = "ntxent"

    temperature: float = Field(default=0.1, gt=0)
    """Divides the cosine similarities; smaller looks at harder pairs."""

    def build(self, *, num_classes: int, embedding_dim: int, class_counts: Sequence[int] | None = None) -> nn.Module:
        from ferembed.losses import pairwise

        return pairwise.NTXent(self.temperature)
