"""Losses and miners by name: typed, documented parts of a recipe that need no torch until they are built."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field

from .base import LossSpec, MinerSpec, SamplerName, by_name, check_name
from .classification import BalancedSoftmax, CrossEntropy, Distillation, LogitAdjustment, SoftCrossEntropy, SquaredHinge
from .contrastive import NTXent, SoftContrastive, SupCon
from .miners import MINERS, Angular, AnyMiner, EasyPositive, Everything, Hard, MultiSimilarityMiner, SemiHard
from .pairwise import Circle, Contrastive, MultiSimilarity, Triplet
from .proxies import ArcFace, Center, CosFace, ProxyAnchor, ProxyNCA, SubCenterArcFace

LOSSES: dict[str, type[LossSpec]] = {
    spec.model_fields["name"].default: spec
    for spec in (
        Contrastive,
        Triplet,
        SupCon,
        SoftContrastive,
        NTXent,
        MultiSimilarity,
        Circle,
        ProxyAnchor,
        ProxyNCA,
        ArcFace,
        CosFace,
        SubCenterArcFace,
        Center,
        CrossEntropy,
        LogitAdjustment,
        BalancedSoftmax,
        SoftCrossEntropy,
        Distillation,
        SquaredHinge,
    )
}

AnyLoss: TypeAlias = Annotated[
    Contrastive
    | Triplet
    | SupCon
    | SoftContrastive
    | NTXent
    | MultiSimilarity
    | Circle
    | ProxyAnchor
    | ProxyNCA
    | ArcFace
    | CosFace
    | SubCenterArcFace
    | Center
    | CrossEntropy
    | LogitAdjustment
    | BalancedSoftmax
    | SoftCrossEntropy
    | Distillation
    | SquaredHinge,
    Field(discriminator="name"),
    BeforeValidator(by_name("loss", tuple(LOSSES))),
]
"""A recipe's loss: a name, or a mapping with the name, the weight and the parameters."""


def loss_names() -> tuple[str, ...]:
    """Names of all losses.

    >>> loss_names()[:3]
    ('contrastive', 'triplet', 'supcon')
    """
    return tuple(LOSSES)


def miner_names() -> tuple[str, ...]:
    """Names of all miners.

    >>> miner_names()
    ('all', 'semihard', 'hard', 'easy_positive', 'multi_similarity', 'angular')
    """
    return tuple(MINERS)


def make_loss(name: str, **parameters: Any) -> LossSpec:
    """The specification of a loss, by its name.

    Parameters
    ----------
    name : str
        One of ``loss_names()``.
    **parameters
        Fields of that loss, such as ``weight`` or ``temperature``.

    Raises
    ------
    ValueError
        If there is no such loss (the sentence lists those there are), or a parameter is unknown or out of range.

    Examples
    --------
    >>> make_loss("triplet", margin="soft", miner="hard").weight
    1.0
    """
    check_name("loss", name, tuple(LOSSES))
    return LOSSES[name](**parameters)


def make_miner(name: str, **parameters: Any) -> MinerSpec:
    """The specification of a miner, by its name.

    Raises
    ------
    ValueError
        If there is no such miner (the sentence lists those there are), or a parameter is unknown or out of range.

    Examples
    --------
    >>> make_miner("hard", warm_up=0).warm_up
    0
    """
    check_name("miner", name, tuple(MINERS))
    return MINERS[name](**parameters)


__all__ = [
    "Angular",
    "AnyLoss",
    "AnyMiner",
    "ArcFace",
    "BalancedSoftmax",
    "Center",
    "Circle",
    "Contrastive",
    "CosFace",
    "CrossEntropy",
    "Distillation",
    "EasyPositive",
    "Everything",
    "Hard",
    "LogitAdjustment",
    "LossSpec",
    "MinerSpec",
    "MultiSimilarity",
    "MultiSimilarityMiner",
    "NTXent",
    "ProxyAnchor",
    "ProxyNCA",
    "SamplerName",
    "SemiHard",
    "SoftContrastive",
    "SoftCrossEntropy",
    "SquaredHinge",
    "SubCenterArcFace",
    "SupCon",
    "Triplet",
    "loss_names",
    "make_loss",
    "make_miner",
    "miner_names",
]
