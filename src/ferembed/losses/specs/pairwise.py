"""Losses of pairs and triplets, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveFloat, model_validator
from typing_extensions import Self

from .base import LossSpec, SamplerName
from .miners import AnyMiner, Everything, MultiSimilarityMiner, SemiHard

if TYPE_CHECKING:
    from torch import nn


class Contrastive(LossSpec):
    """Like pairs together, unlike pairs at least a margin apart.

    A pair at distance ``D`` costs ``D**2 / 2`` if its labels agree and ``max(0, margin - D)**2 / 2`` if not.

    Notes
    -----
    Batch: with ``pairs="twins"`` an even number of images, rows 0 and 1, 2 and 3, ... being the pairs, and the loss
    is the mean over them; with ``pairs="batch"`` any batch: all its pairs count, and positives and negatives, of
    which there are many more, weigh one half each.

    Sampler: ``PairBatches`` for twins, class-balanced otherwise.

    Related: the oldest of the family; ``triplet`` compares distances instead of fixing them, ``supcon`` needs no
    margin and uses all pairs at once.

    Examples
    --------
    >>> Contrastive().sampler, Contrastive(pairs="batch", miner="hard").sampler
    ('pairs', 'class_balanced')

    References
    ----------
    Hadsell, Chopra and LeCun (2006), Dimensionality Reduction by Learning an Invariant Mapping.
    """

    name: Literal["contrastive"] = "contrastive"

    margin: float = Field(default=1.0, gt=0, le=2)
    """Distance from which an unlike pair costs nothing; points on the unit sphere are at most 2 apart."""

    pairs: Literal["twins", "batch"] = "twins"
    """The pairs of a true Siamese batch, or all within any batch."""

    miner: AnyMiner = Everything()
    """Picks among the pairs of a batch."""

    @property
    def sampler(self) -> SamplerName:
        """The batches that suit the loss best."""
        return "pairs" if self.pairs == "twins" else "class_balanced"

    @model_validator(mode="after")
    def _miner_has_a_choice(self) -> Self:
        if self.pairs == "twins" and self.miner.name != "all":
            raise ValueError(f"a miner ({self.miner.name}) picks among pairs='batch'; twins are picked by the sampler")
        return self

    def build(self, *, num_classes: int, embedding_dim: int, class_counts: Sequence[int] | None = None) -> nn.Module:
        from ferembed.losses import pairwise

        if self.pairs == "twins":
            return pairwise.TwinContrastive(self.margin)
        return pairwise.BatchContrastive(self.margin, self.miner.build(self.margin))


class Triplet(LossSpec):
    """The positive nearer to its anchor than the negative, by a margin.

    A triplet costs ``max(0, d(a, p) - d(a, n) + margin)``, or ``log(1 + exp(d(a, p) - d(a, n)))`` with a soft margin;
    the loss is the mean over the triplets that cost anything. Several margins split the embedding into as many equal
    slices, each set to unit length and trained with its own margin.

    Notes
    -----
    Batch: at least two classes, one of them with two images.

    Sampler: class-balanced.

    Related: ``contrastive`` fixes distances instead of comparing them; ``circle`` and ``multi_similarity`` weigh
    pairs smoothly where this one cuts at the margin.

    Examples
    --------
    >>> Triplet(margin="soft", miner="hard").miner.warm_up
    500
    >>> Triplet(margin=(0.1, 0.2, 0.4, 0.8)).margin
    (0.1, 0.2, 0.4, 0.8)

    References
    ----------
    Schroff, Kalenichenko and Philbin (2015), FaceNet: A Unified Embedding for Face Recognition and Clustering.
    Hermans, Beyer and Leibe (2017), In Defense of the Triplet Loss for Person Re-Identification (soft margin).
    Yang et al. (2024), Multi-threshold Deep Metric Learning for Facial Expression Recognition (several margins).
    """

    name: Literal["triplet"] = "triplet"

    margin: PositiveFloat | Literal["soft"] | tuple[PositiveFloat, ...] = 0.2
    """Distance to be kept, the word "soft", or one distance for each slice of the embedding."""

    miner: AnyMiner = SemiHard()
    """Picks among the triplets of a batch."""

    @property
    def margins(self) -> tuple[float | None, ...]:
        """The margin of each slice; None for a soft one."""
        if isinstance(self.margin, tuple):
            return self.margin
        return (None,) if self.margin == "soft" else (self.margin,)

    @model_validator(mode="after")
    def _some_margin(self) -> Self:
        if not self.margins:
            raise ValueError("margin is an empty list; give at least one distance")
        return self

    def build(self, *, num_classes: int, embedding_dim: int, class_counts: Sequence[int] | None = None) -> nn.Module:
        from ferembed.losses import pairwise

        count = len(self.margins)
        if embedding_dim % count:
            raise ValueError(f"An embedding of {embedding_dim} does not split into {count} equal slices, one a margin.")
        miners = [self.miner.build(float("inf") if margin is None else margin) for margin in self.margins]
        return pairwise.Triplet(self.margins, miners)


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
    Batch: large, at least two classes, one of them with two images.

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


class MultiSimilarity(LossSpec):
    """Pairs weighted by their own similarity and by that of the other pairs of the same anchor.

    An anchor costs ``log(1 + sum over positives of exp(-alpha (s - base))) / alpha`` plus
    ``log(1 + sum over negatives of exp(beta (s - base))) / beta``; the loss is the mean over the batch.

    Notes
    -----
    Batch: at least two classes, one of them with two images.

    Sampler: class-balanced.

    Related: ``circle`` also weighs pairs, each by its distance from its own optimum.

    Examples
    --------
    >>> MultiSimilarity().miner.epsilon
    0.1

    References
    ----------
    Wang et al. (2019), Multi-Similarity Loss with General Pair Weighting for Deep Metric Learning.
    """

    name: Literal["multi_similarity"] = "multi_similarity"

    alpha: float = Field(default=2.0, gt=0)
    """Steepness for positive pairs."""

    beta: float = Field(default=50.0, gt=0)
    """Steepness for negative pairs."""

    base: float = Field(default=0.5, ge=-1, le=1)
    """Cosine similarity about which pairs are judged."""

    miner: AnyMiner = MultiSimilarityMiner()
    """Picks among the pairs of a batch."""

    def build(self, *, num_classes: int, embedding_dim: int, class_counts: Sequence[int] | None = None) -> nn.Module:
        from ferembed.losses import pairwise

        return pairwise.MultiSimilarity(self.alpha, self.beta, self.base, self.miner.build())


class Circle(LossSpec):
    """Each pair pushed the harder the farther it is from its optimum.

    With ``a_p = max(0, 1 + m - s_p)`` and ``a_n = max(0, s_n + m)``, held constant, an anchor costs
    ``log(1 + sum exp(scale a_n (s_n - m)) * sum exp(-scale a_p (s_p - 1 + m)))``; the loss is the mean over the anchors
    that cost anything.

    Notes
    -----
    Batch: at least two classes, one of them with two images.

    Sampler: class-balanced.

    Related: a smooth kin of ``triplet`` that needs no miner; ``multi_similarity`` treats positives and negatives
    apart.

    Examples
    --------
    >>> Circle(scale=64).margin
    0.4

    References
    ----------
    Sun et al. (2020), Circle Loss: A Unified Perspective of Pair Similarity Optimization.
    """

    name: Literal["circle"] = "circle"

    margin: float = Field(default=0.4, gt=0, lt=1)
    """Relaxation ``m``: positives are wanted above ``1 - m``, negatives below ``m``."""

    scale: float = Field(default=80.0, gt=0)
    """Factor of the weighted similarities."""

    def build(self, *, num_classes: int, embedding_dim: int, class_counts: Sequence[int] | None = None) -> nn.Module:
        from ferembed.losses import pairwise

        return pairwise.Circle(self.margin, self.scale)
