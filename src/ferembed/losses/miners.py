"""Miners by name: which pairs and triplets of a batch a loss learns from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ferembed.losses.base import MinerSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Angular", "EasyPositive", "Everything", "Hard", "MultiSimilarityMiner", "SemiHard"]


class Everything(MinerSpec):
    """All pairs and triplets.

    Notes
    -----
    - Batch: at least two classes, one of them with two images.
    - Sampler: any; class-balanced batches hold the most positives.
    - Related: every other miner picks a part of these.

    Examples
    --------
    >>> Everything().name
    'all'

    References
    ----------
    Hermans, Beyer and Leibe (2017), In Defense of the Triplet Loss for Person Re-Identification ("batch all").
    """

    name: Literal["all"] = "all"

    def mine(self, embeddings: Tensor, labels: Tensor, margin: float) -> None:
        return None


class SemiHard(MinerSpec):
    """Triplets whose negative is farther than the positive, but within the margin of the loss.

    Notes
    -----
    - Batch: at least two classes, one of them with two images.
    - Sampler: class-balanced.
    - Related: ``hard`` learns faster late in training but may collapse when used from the start.

    Examples
    --------
    >>> import torch
    >>> points, labels = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]), torch.tensor([0, 0, 1])
    >>> [rows.tolist() for rows in SemiHard().build(margin=0.5)(points, labels)]
    [[1], [0], [2]]

    References
    ----------
    Schroff, Kalenichenko and Philbin (2015), FaceNet: A Unified Embedding for Face Recognition and Clustering.
    """

    name: Literal["semihard"] = "semihard"

    def mine(self, embeddings: Tensor, labels: Tensor, margin: float) -> tuple[Tensor, ...]:
        import torch

        anchors, positives, unlike = positive_pairs(labels)
        distances = torch.cdist(embeddings, embeddings)
        gap = distances[anchors] - distances[anchors, positives][:, None]
        pair, negatives = (unlike & (gap > 0) & (gap <= margin)).nonzero(as_tuple=True)
        return anchors[pair], positives[pair], negatives


class WarmedMinerSpec(MinerSpec):
    """A miner that may let semi-hard mining go first."""

    warm_up: int = Field(default=0, ge=0)
    """Number of training steps that mine semi-hard triplets before this miner takes over."""

    def build(self, margin: float = float("inf")) -> nn.Module:
        from ferembed.losses.modules import WarmUp

        miner = super().build(margin)
        return WarmUp(SemiHard().build(margin), miner, self.warm_up) if self.warm_up else miner


class Hard(WarmedMinerSpec):
    """The farthest positive and the nearest negative of each anchor.

    Notes
    -----
    - Batch: at least two classes, one of them with two images.
    - Sampler: class-balanced.
    - Related: from the first step on it can collapse all embeddings into one point, so semi-hard mining goes first
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

    def mine(self, embeddings: Tensor, labels: Tensor, margin: float) -> tuple[Tensor, ...]:
        from pytorch_metric_learning.miners import BatchHardMiner

        rows: tuple[Tensor, ...] = BatchHardMiner()(embeddings, labels)
        return rows


class EasyPositive(WarmedMinerSpec):
    """The nearest positive of each anchor, with one negative.

    Notes
    -----
    - Batch: at least two classes, one of them with two images.
    - Sampler: class-balanced.
    - Related: lets a class keep several clusters, where ``hard`` pulls all of a class into one.

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

    def mine(self, embeddings: Tensor, labels: Tensor, margin: float) -> tuple[Tensor, ...]:
        from pytorch_metric_learning.miners import BatchEasyHardMiner

        miner = BatchEasyHardMiner(pos_strategy="easy", neg_strategy=self.negatives)
        rows: tuple[Tensor, ...] = miner(embeddings, labels)
        return rows


class MultiSimilarityMiner(WarmedMinerSpec):
    """Negatives nearer than the farthest positive and positives farther than the nearest negative, by a slack.

    Notes
    -----
    - Batch: at least two classes, one of them with two images.
    - Sampler: class-balanced.
    - Related: made for the loss of the same name, and picks pairs rather than triplets.

    Examples
    --------
    >>> MultiSimilarityMiner().epsilon
    0.1

    References
    ----------
    Wang et al. (2019), Multi-Similarity Loss with General Pair Weighting for Deep Metric Learning, section 3.2.
    """

    name: Literal["multi_similarity"] = "multi_similarity"
    epsilon: float = Field(default=0.1, ge=0)
    """Slack in cosine similarity; more keeps more pairs."""

    def mine(self, embeddings: Tensor, labels: Tensor, margin: float) -> tuple[Tensor, ...]:
        from pytorch_metric_learning import miners

        rows: tuple[Tensor, ...] = miners.MultiSimilarityMiner(epsilon=self.epsilon)(embeddings, labels)
        return rows


class Angular(WarmedMinerSpec):
    """Triplets whose negative sees anchor and positive under a wide angle.

    The angle is ``atan(|a - p| / (2 |n - c|))`` with ``c`` the middle of anchor and positive: wide where the negative
    is near in proportion to the distance of the positive. Three orthogonal embeddings give 30 degrees.

    Notes
    -----
    - Batch: at least two classes, one of them with two images.
    - Sampler: class-balanced.
    - Related: unlike a margin the angle does not depend on the scale of the distances.

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

    def mine(self, embeddings: Tensor, labels: Tensor, margin: float) -> tuple[Tensor, ...]:
        anchors, positives, unlike = positive_pairs(labels)
        similarity = embeddings @ embeddings.T
        own = similarity[anchors, positives][:, None]
        # On the unit sphere |a - p|^2 = 2 - 2 s_ap, and |n - c|^2 = 1 + (1 + s_ap) / 2 - s_na - s_np.
        base = (2 - 2 * own).clamp(min=0)
        height = (1.5 + own / 2 - similarity[anchors] - similarity[positives]).clamp(min=0)
        widest = 4 * math.tan(math.radians(self.angle)) ** 2
        pair, negatives = (unlike & (base > widest * height)).nonzero(as_tuple=True)
        return anchors[pair], positives[pair], negatives


def positive_pairs(labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of all ordered positive pairs, two of shape (m,), and what is a negative of each, boolean (m, n).

    >>> import torch
    >>> positive_pairs(torch.tensor([0, 0, 1]))
    (tensor([0, 1]), tensor([1, 0]), tensor([[False, False,  True],
                                             [False, False,  True]]))
    """
    same = labels[:, None] == labels
    unlike = ~same
    anchors, positives = same.fill_diagonal_(False).nonzero(as_tuple=True)
    return anchors, positives, unlike[anchors]
