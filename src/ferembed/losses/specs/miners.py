"""Miners by name: which pairs and triplets of a batch a loss learns from."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from .base import MinerSpec, by_name

if TYPE_CHECKING:
    from torch import nn


class Everything(MinerSpec):
    """All pairs and triplets.

    Notes
    -----
    Batch: at least two classes, one of them with two images.

    Sampler: any; class-balanced batches hold the most positives.

    Related: every other miner picks a part of these.

    Examples
    --------
    >>> Everything().build()
    Everything()

    References
    ----------
    Hermans, Beyer and Leibe (2017), In Defense of the Triplet Loss for Person Re-Identification ("batch all").
    """

    name: Literal["all"] = "all"

    def build(self, margin: float = float("inf")) -> nn.Module:
        from ferembed.losses.mining import Everything as Module

        return Module()


class SemiHard(MinerSpec):
    """Triplets whose negative is farther than the positive, but within the margin of the loss.

    Notes
    -----
    Batch: at least two classes, one of them with two images.

    Sampler: class-balanced.

    Related: ``hard`` learns faster late in training but may collapse when used from the start.

    Examples
    --------
    >>> SemiHard().build(margin=0.2).margin
    0.2

    References
    ----------
    Schroff, Kalenichenko and Philbin (2015), FaceNet: A Unified Embedding for Face Recognition and Clustering.
    """

    name: Literal["semihard"] = "semihard"

    def build(self, margin: float = float("inf")) -> nn.Module:
        from ferembed.losses import mining

        return mining.SemiHard(margin)


class WarmedMinerSpec(MinerSpec):
    """A miner that may let semi-hard mining go first."""

    warm_up: int = Field(default=0, ge=0)
    """Number of training steps that mine semi-hard triplets before this miner takes over."""

    def build(self, margin: float = float("inf")) -> nn.Module:
        from ferembed.losses.mining import WarmUp

        miner = self.build_miner()
        return WarmUp(SemiHard().build(margin), miner, self.warm_up) if self.warm_up else miner

    @abstractmethod
    def build_miner(self) -> nn.Module:
        """The miner without its warm-up."""


class Hard(WarmedMinerSpec):
    """The farthest positive and the nearest negative of each anchor.

    Notes
    -----
    Batch: at least two classes, one of them with two images.

    Sampler: class-balanced.

    Related: from the first step on it can collapse all embeddings into one point, so semi-hard mining goes first
    (``warm_up``). Wrong labels look hard: ``easy_positive`` is the milder choice where labels are noisy.

    Examples
    --------
    >>> Hard().warm_up
    500

    References
    ----------
    Hermans, Beyer and Leibe (2017), In Defense of the Triplet Loss for Person Re-Identification ("batch hard").
    """

    name: Literal["hard"] = "hard"

    warm_up: int = Field(default=500, ge=0)
    """Number of training steps that mine semi-hard triplets before this miner takes over."""

    def build_miner(self) -> nn.Module:
        from pytorch_metric_learning.miners import BatchHardMiner

        miner: nn.Module = BatchHardMiner()
        return miner


class EasyPositive(WarmedMinerSpec):
    """The nearest positive of each anchor, with one negative.

    Notes
    -----
    Batch: at least two classes, one of them with two images.

    Sampler: class-balanced.

    Related: lets a class keep several clusters, where ``hard`` pulls all of a class into one.

    Examples
    --------
    >>> EasyPositive(negatives="hard").negatives
    'hard'

    References
    ----------
    Xuan, Stylianou and Pless (2020), Improved Embeddings with Easy Positive Triplet Mining.
    """

    name: Literal["easy_positive"] = "easy_positive"

    negatives: Literal["semihard", "hard"] = "semihard"
    """The nearest negative of all ("hard"), or the nearest of those farther than the positive ("semihard")."""

    def build_miner(self) -> nn.Module:
        from pytorch_metric_learning.miners import BatchEasyHardMiner

        miner: nn.Module = BatchEasyHardMiner(pos_strategy="easy", neg_strategy=self.negatives)
        return miner


class MultiSimilarityMiner(WarmedMinerSpec):
    """Negatives nearer than the farthest positive and positives farther than the nearest negative, by a slack.

    Notes
    -----
    Batch: at least two classes, one of them with two images.

    Sampler: class-balanced.

    Related: made for the loss of the same name, and picks pairs rather than triplets.

    Examples
    --------
    >>> MultiSimilarityMiner().build().epsilon
    0.1

    References
    ----------
    Wang et al. (2019), Multi-Similarity Loss with General Pair Weighting for Deep Metric Learning, section 3.2.
    """

    name: Literal["multi_similarity"] = "multi_similarity"

    epsilon: float = Field(default=0.1, ge=0)
    """Slack in cosine similarity; more keeps more pairs."""

    def build_miner(self) -> nn.Module:
        from pytorch_metric_learning.miners import MultiSimilarityMiner as Miner

        miner: nn.Module = Miner(epsilon=self.epsilon)
        return miner


class Angular(WarmedMinerSpec):
    """Triplets whose negative sees anchor and positive under a wide angle.

    The angle is ``atan(|a - p| / (2 |n - c|))`` with ``c`` the middle of anchor and positive: wide where the negative
    is near in proportion to the distance of the positive. Three orthogonal embeddings give 30 degrees.

    Notes
    -----
    Batch: at least two classes, one of them with two images.

    Sampler: class-balanced.

    Related: unlike a margin the angle does not depend on the scale of the distances.

    Examples
    --------
    >>> Angular(angle=35).angle
    35.0

    References
    ----------
    Wang, Zhou, Wen, Liu and Lin (2017), Deep Metric Learning with Angular Loss.
    """

    name: Literal["angular"] = "angular"

    angle: float = Field(default=20.0, gt=0, lt=90)
    """Smallest angle kept, in degrees."""

    def build_miner(self) -> nn.Module:
        from ferembed.losses import mining

        return mining.Angular(self.angle)


MINERS: dict[str, type[MinerSpec]] = {
    spec.model_fields["name"].default: spec
    for spec in (Everything, SemiHard, Hard, EasyPositive, MultiSimilarityMiner, Angular)
}

AnyMiner: TypeAlias = Annotated[
    Everything | SemiHard | Hard | EasyPositive | MultiSimilarityMiner | Angular,
    Field(discriminator="name"),
    BeforeValidator(by_name("miner", tuple(MINERS))),
]
"""A recipe's miner: a name, or a mapping with the name and its parameters."""
