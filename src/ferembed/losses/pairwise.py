"""Losses that compare distances or similarities of pairs with each other, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PositiveFloat, ValidationError, ValidatorFunctionWrapHandler, field_validator

from ferembed.losses.base import AnyMiner, LossSpec, Sizes
from ferembed.losses.miners import MultiSimilarityMiner, SemiHard

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ferembed.losses.outputs import Outputs

__all__ = ["Circle", "MultiSimilarity", "Triplet"]


class Triplet(LossSpec):
    """The positive nearer to its anchor than the negative, by a margin.

    A triplet costs ``max(0, d(a, p) - d(a, n) + margin)``, or ``log(1 + exp(d(a, p) - d(a, n)))`` with a soft margin;
    the loss is the mean over the triplets that cost anything. Several margins split the embedding into as many equal
    slices, each set to unit length and trained with its own margin.

    Notes
    -----
    - Batch: at least two classes, one of them with two images.
    - Sampler: class-balanced.
    - Related: ``contrastive`` fixes distances instead of comparing them; ``circle`` and ``multi_similarity`` weigh
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

    def parts(self, sizes: Sizes) -> dict[str, Any]:
        from torch.nn import ModuleList

        count = len(self.margins)
        if sizes.embedding_dim % count:
            raise ValueError(
                f"An embedding of {sizes.embedding_dim} does not split into {count} equal slices, one a margin."
            )
        return {"miners": ModuleList(self.miner.build(margin or float("inf")) for margin in self.margins)}

    def value(self, outputs: Outputs, miners: nn.ModuleList) -> Tensor:
        from pytorch_metric_learning.losses import TripletMarginLoss
        from torch.nn.functional import normalize

        total = outputs.embeddings.new_zeros(())
        slices = outputs.embeddings.chunk(len(self.margins), dim=1)
        for part, margin, miner in zip(slices, self.margins, miners, strict=True):
            loss = TripletMarginLoss(margin=margin or 0.0, smooth_loss=margin is None)
            points = normalize(part, dim=1)
            total = total + loss(points, outputs.labels, miner(points, outputs.labels))
        return total / len(self.margins)


class MultiSimilarity(LossSpec):
    """Pairs weighted by their own similarity and by that of the other pairs of the same anchor.

    An anchor costs ``log(1 + sum over positives of exp(-alpha (s - base))) / alpha`` plus
    ``log(1 + sum over negatives of exp(beta (s - base))) / beta``; the loss is the mean over the batch.

    Notes
    -----
    - Batch: at least two classes, one of them with two images.
    - Sampler: class-balanced.
    - Related: ``circle`` also weighs pairs, each by its distance from its own optimum.

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

    def parts(self, sizes: Sizes) -> dict[str, Any]:
        return {"miner": self.miner.build()}

    def value(self, outputs: Outputs, miner: nn.Module) -> Tensor:
        from pytorch_metric_learning.losses import MultiSimilarityLoss

        loss = MultiSimilarityLoss(alpha=self.alpha, beta=self.beta, base=self.base)
        mined = miner(outputs.embeddings, outputs.labels)
        value: Tensor = loss(outputs.embeddings, outputs.labels, mined)
        return value


class Circle(LossSpec):
    """Each pair pushed the harder the farther it is from its optimum.

    With ``a_p = max(0, 1 + m - s_p)`` and ``a_n = max(0, s_n + m)``, held constant, an anchor costs
    ``log(1 + sum exp(scale a_n (s_n - m)) * sum exp(-scale a_p (s_p - 1 + m)))``; the loss is the mean over the anchors
    that cost anything.

    Notes
    -----
    - Batch: at least two classes, one of them with two images.
    - Sampler: class-balanced.
    - Related: a smooth kin of ``triplet`` that needs no miner; ``multi_similarity`` treats positives and negatives
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

    def value(self, outputs: Outputs) -> Tensor:
        from pytorch_metric_learning.losses import CircleLoss

        value: Tensor = CircleLoss(m=self.margin, gamma=self.scale)(outputs.embeddings, outputs.labels)
        return value
