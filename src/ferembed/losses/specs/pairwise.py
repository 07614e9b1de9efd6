"""Losses of pairs and triplets, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    Field,
    PositiveFloat,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
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
    Batch: any, all of whose pairs count; positives and negatives, of which there are many more, weigh one half each.
    With ``pairs="twins"`` an even number of images that ``PairBatches`` drew: rows 0 and 1, 2 and 3, ... are the pairs,
    and the loss is the mean over them. In a recipe it is the batches that decide, unless ``pairs`` does. After mixup a
    pair is a positive by the mass that its two mixed targets share and a negative by the rest.

    Sampler: ``PairBatches`` for twins, class-balanced otherwise.

    Related: the oldest of the family; ``triplet`` compares distances instead of fixing them, ``supcon`` needs no
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

    @property
    def sampler(self) -> SamplerName:
        """The batches that suit the loss best."""
        return "pairs" if self.pairs == "twins" else "class_balanced"

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

    margin: PositiveFloat | Literal["soft"] | Annotated[tuple[PositiveFloat, ...], Field(strict=False)] = 0.2
    """Distance to be kept, the word "soft", or one distance for each slice of the embedding."""

    miner: AnyMiner = SemiHard()
    """Picks among the triplets of a batch."""

    @property
    def margins(self) -> tuple[float | None, ...]:
        """The margin of each slice; None for a soft one."""
        if isinstance(self.margin, tuple):
            return self.margin
        return (None,) if self.margin == "soft" else (self.margin,)

    @field_validator("margin", mode="wrap")
    @classmethod
    def _one_sentence(cls, value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        try:
            margin = validate(value)
        except ValidationError:
            margin = ()
        if margin == ():
            raise ValueError('give a finite distance above 0, the word "soft", or a list of such distances')
        return margin

    def build(self, *, num_classes: int, embedding_dim: int, class_counts: Sequence[int] | None = None) -> nn.Module:
        from ferembed.losses import pairwise

        count = len(self.margins)
        if embedding_dim % count:
            raise ValueError(f"An embedding of {embedding_dim} does not split into {count} equal slices, one a margin.")
        miners = [self.miner.build(float("inf") if margin is None else margin) for margin in self.margins]
        return pairwise.Triplet(self.margins, miners)


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
