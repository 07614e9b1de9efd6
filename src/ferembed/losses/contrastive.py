"""Contrastive losses, by name: like pairs together, unlike pairs apart; a pair of mixed faces is partly both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ferembed.losses.base import AnyMiner, LossSpec, SamplerName, Sizes
from ferembed.losses.miners import Everything
from ferembed.losses.outputs import Outputs, weighted_mean

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Contrastive", "NTXent", "SoftContrastive", "SupCon"]


class Contrastive(LossSpec):
    """Like pairs together, unlike pairs at least a margin apart.

    A pair at distance ``D`` costs ``D**2 / 2`` if its labels agree and ``max(0, margin - D)**2 / 2`` if not.

    Notes
    -----
    - Batch: any, all of whose pairs count; positives and negatives, of which there are many more, weigh one half each.
      With ``pairs="twins"`` an even number of images that ``PairBatches`` drew: rows 0 and 1, 2 and 3, ... are the
      pairs, and the loss is the mean over them. In a recipe it is the batches that decide, unless ``pairs`` does. After
      mixup a pair is a positive by the mass that its two mixed targets share and a negative by the rest.
    - Sampler: ``PairBatches`` for twins, class-balanced otherwise.
    - Related: the oldest of the family; ``triplet`` compares distances instead of fixing them, ``supcon`` needs no
      margin and uses all pairs at once.

    Examples
    --------
    >>> [Contrastive().of_batches(kind).pairs for kind in ("pairs", "class_balanced")]
    ['twins', 'batch']

    References
    ----------
    Hadsell, Chopra and LeCun (2006), Dimensionality Reduction by Learning an Invariant Mapping.
    """

    name: Literal["contrastive"] = "contrastive"
    margin: float = Field(default=1.0, gt=0, le=2)
    """Distance from which an unlike pair costs nothing; points on the unit sphere are at most 2 apart."""
    pairs: Literal["twins", "batch"] | None = None
    """The pairs of a true Siamese batch, or all within any batch; none for twins where the recipe's batches are pairs
    and no miner picks others, and for all pairs elsewhere."""
    miner: AnyMiner = Everything()
    """Picks among the pairs of a batch."""

    @model_validator(mode="after")
    def _miner_has_a_choice(self) -> Self:
        if self.pairs == "twins" and self.miner.name != "all":
            raise ValueError(f"a miner ({self.miner.name}) picks among pairs='batch'; twins are picked by the sampler")
        return self

    def of_batches(self, sampler: SamplerName) -> Self:
        """The loss with the pairs that such batches are made of."""
        if self.pairs == "twins" and sampler != "pairs":
            raise ValueError(
                "the contrastive loss with pairs: twins compares rows that the sampler paired: set batches.kind to "
                f"pairs, not {sampler}, or leave pairs out"
            )
        twins = sampler == "pairs" and self.miner.name == "all"
        return self if self.pairs else self.model_copy(update={"pairs": "twins" if twins else "batch"})

    def parts(self, sizes: Sizes) -> dict[str, Any]:
        return {"miner": self.miner.build(self.margin)}

    def value(self, outputs: Outputs, miner: nn.Module) -> Tensor:
        if self.pairs == "twins":
            if len(outputs) % 2:
                raise ValueError(f"A batch of Siamese pairs has an even number of images, not {len(outputs)}.")
            pull, push = self._costs((outputs.embeddings[::2] - outputs.embeddings[1::2]).square().sum(dim=1))
            return push.lerp(pull, likeness(outputs).diagonal(1)[::2]).mean()
        # Squared distances of unit vectors.
        pull, push = self._costs((2 - 2 * outputs.embeddings @ outputs.embeddings.T).clamp(min=0))
        positive, negative = mined_pairs(likeness(outputs), miner(outputs.embeddings, outputs.labels))
        return (weighted_mean(pull, positive) + weighted_mean(push, negative)) / 2

    def _costs(self, squared: Tensor) -> tuple[Tensor, Tensor]:
        """What a pair costs if it is alike, half its squared distance; and if not, half its squared shortfall."""
        # The clamp keeps the root's gradient finite where two embeddings coincide.
        distance = squared.clamp(min=1e-12).sqrt()
        return squared / 2, (self.margin - distance).clamp(min=0).square() / 2


class SupCon(LossSpec):
    """Each anchor's positives against all others in the batch, by a softmax over similarities.

    For anchor ``i`` with positives ``P(i)`` the cost is the mean over ``p`` in ``P(i)`` of
    ``-log(exp(s_ip / t) / sum over j != i of exp(s_ij / t))``; anchors without a positive do not count.

    Notes
    -----
    - Batch: large, with several images of each class. After mixup each pair is a positive by the mass that its two
      mixed targets share, so that a mixed face is drawn to both of its classes.
    - Sampler: class-balanced; natural batches serve well from 128 images on.
    - Related: ``ntxent`` compares each positive with the negatives only; ``soft_contrastive`` takes annotators'
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

    def value(self, outputs: Outputs) -> Tensor:
        return weighted_supcon(outputs.embeddings, likeness(outputs), self.temperature)


class SoftContrastive(LossSpec):
    """SupCon for faces that annotators disagree about.

    Each pair is a positive by the agreement of its two vote distributions, the mass they share
    (``sum of min(p, q)``), raised to ``sharpness``. Images without usable votes are left out altogether.

    Notes
    -----
    - Batch: annotators' votes for most of its images; several images of each emotion.
    - Sampler: class-balanced or natural.
    - Related: equals ``supcon`` where the distributions are one-hot; ``soft_cross_entropy`` learns from the same votes
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

    def value(self, outputs: Outputs) -> Tensor:
        assert outputs.votes is not None
        usable = outputs.votes.sum(dim=1) > 0
        weights = overlap(outputs.votes[usable]).pow(self.sharpness)
        return weighted_supcon(outputs.embeddings[usable], weights, self.temperature)


class NTXent(LossSpec):
    """Each positive pair against the negatives of its anchor, by a softmax over similarities.

    A positive pair costs ``-log(exp(s_ap / t) / (exp(s_ap / t) + sum over negatives of exp(s_an / t)))``; the loss is
    the mean over the positive pairs.

    Notes
    -----
    - Batch: large, at least two classes, one of them with two images. After mixup a pair is a positive by the mass that
      its two mixed targets share and a negative by the rest.
    - Sampler: class-balanced.
    - Related: known from self-supervised learning, where a class is one image seen twice; ``supcon`` puts the other
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

    def value(self, outputs: Outputs) -> Tensor:
        from torch.nn.functional import softplus

        scores = outputs.embeddings @ outputs.embeddings.T / self.temperature
        alike = likeness(outputs)
        unlike = unlikeness(alike)
        # A finite stand-in for minus infinity: an anchor without negatives keeps finite gradients.
        against = (scores + unlike.log().clamp(min=-1e30)).logsumexp(dim=1, keepdim=True)
        usable = (unlike > 0).any(dim=1, keepdim=True)
        return weighted_mean(softplus(against - scores), alike.fill_diagonal_(0) * usable)


def overlap(distributions: Tensor) -> Tensor:
    """Mass that two distributions share: 1 where they are equal, 0 where they are disjoint. (n, c) to (n, n).

    >>> import torch
    >>> overlap(torch.tensor([[1.0, 0.0], [0.25, 0.75]]))
    tensor([[1.0000, 0.2500],
            [0.2500, 1.0000]])
    """
    return distributions[:, None].minimum(distributions).sum(dim=-1)


def likeness(outputs: Outputs) -> Tensor:
    """How far two images are of one class, (n, n): 1 or 0 by their labels, or the mass that their targets share."""
    if outputs.targets is None:
        return (outputs.labels[:, None] == outputs.labels).float()
    return overlap(outputs.targets)


def unlikeness(alike: Tensor) -> Tensor:
    """How far two images are of different classes, (n, n); an image is not unlike itself."""
    return (1 - alike).clamp(min=0).fill_diagonal_(0)


def mined_pairs(alike: Tensor, mined: tuple[Tensor, ...] | None) -> tuple[Tensor, Tensor]:
    """How far each pair counts as a positive and as a negative one: two (n, n) tensors, 0 for what was not mined."""
    unlike = unlikeness(alike)
    if mined is None:
        return alike.fill_diagonal_(0), unlike
    anchors, positives, others, negatives = mined if len(mined) == 4 else (*mined[:2], mined[0], mined[2])
    positive, negative = alike.new_zeros(alike.shape), alike.new_zeros(alike.shape)
    positive[anchors, positives] = alike[anchors, positives]
    negative[others, negatives] = unlike[others, negatives]
    return positive, negative


def weighted_supcon(embeddings: Tensor, weights: Tensor, temperature: float) -> Tensor:
    """SupCon with a weight for each pair; anchors without a weighted partner do not count.

    Parameters
    ----------
    embeddings : Tensor of float32, shape (n, d)
        Unit vectors.
    weights : Tensor of float32, shape (n, n)
        How far each pair is a positive one, 0 to 1; the diagonal is ignored, and set to 0.
    temperature : float
        Divides the cosine similarities.
    """
    # A finite stand-in for minus infinity: times a weight of 0 it is 0.
    scores = (embeddings @ embeddings.T / temperature).fill_diagonal_(-1e30)
    weights.fill_diagonal_(0)
    mass = weights.sum(dim=1)
    per_anchor = -(weights * scores.log_softmax(dim=1)).sum(dim=1) / mass.where(mass > 0, 1)
    return weighted_mean(per_anchor, mass > 0)
