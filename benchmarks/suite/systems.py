"""What is trained: a network with a stem for 48 pixels, and what it learns from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from ferembed import Recipe


@dataclass(frozen=True)
class Network:
    """A backbone."""

    backbone: str
    args: Mapping[str, Any]
    """Further arguments of the backbone."""
    stem: Literal["standard", "small-pool"] = "small-pool"
    pace: float = 1.0
    """Factor of the recipe's learning rate."""


HALF = {"channels": [32, 64, 128, 256]}

NETWORKS: dict[str, Network] = {
    "baseline": Network("khanzada_cnn", {}, "standard"),
    "small": Network("resnet18", HALF),
    "resnet18": Network("resnet18", {}, pace=0.5),
    "vgg16-half": Network("vgg16_48", {"width": 0.5}, "standard", 0.25),
    "vgg16": Network("vgg16_48", {}, "standard", 0.25),
    "resnet50-half": Network("resnet50", HALF, pace=0.5),
    "resnet50": Network("resnet50", {}, pace=0.5),
    "seresnet50-half": Network("seresnet50", HALF, pace=0.5),
    "seresnet50": Network("seresnet50", {}, pace=0.5),
}
"""From the cheapest to the dearest, the narrow ones before the whole."""


@dataclass(frozen=True)
class Objective:
    """What a network learns."""

    said: str
    losses: tuple[Any, ...]
    batches: Literal["natural", "class_balanced"] = "natural"


SMOOTHED = {"name": "cross_entropy", "label_smoothing": 0.1}
HARD = {"name": "triplet", "weight": 0.5, "margin": 0.2, "miner": {"name": "hard", "warm_up": 500}}
# With no other loss beside them hard triplets draw all faces to one point: they come late.
LATER_HARD = HARD | {"miner": {"name": "hard", "warm_up": 6800}}
PAIRS = {"name": "contrastive", "pairs": "batch"}

OBJECTIVES: dict[str, Objective] = {
    "ce": Objective("cross-entropy", (SMOOTHED,)),
    "ce-supcon": Objective("cross-entropy + SupCon", (SMOOTHED, {"name": "supcon", "weight": 0.5, "temperature": 0.1})),
    "ce-contrastive": Objective("cross-entropy + Siamese pairs", (SMOOTHED, PAIRS)),
    "contrastive": Objective("Siamese pairs", (PAIRS,), "class_balanced"),
    "ce-triplet": Objective("cross-entropy + triplets", (SMOOTHED, HARD)),
    "triplet": Objective("triplets", (LATER_HARD,), "class_balanced"),
    "ce-hinge": Objective("cross-entropy + squared hinge", (SMOOTHED, {"name": "squared_hinge", "weight": 0.25})),
    "hinge": Objective("squared hinge", ("squared_hinge",)),
    # Not smoothed: weights would multiply what smoothing gives the rare classes, too, until nothing else is learnt.
    "weighted-ce": Objective("class-weighted cross-entropy", ({"name": "cross_entropy", "class_weights": "balanced"},)),
    "balanced-ce": Objective("balanced softmax", ("balanced_softmax",)),
}


@cache
def recipe_for(base: str, network: str, objective: str, epochs: int, batch: int | None = None) -> Recipe:
    """The recipe of a training: the base recipe's optimiser, augmentation and, where none is given, size of a batch."""
    recipe, built, learnt = Recipe.named(base), NETWORKS[network], OBJECTIVES[objective]
    return recipe.override(
        {
            "description": f"{network}, {learnt.said}",
            "epochs": epochs,
            "encoder": {"backbone": built.backbone, "stem": built.stem, "backbone_args": dict(built.args)},
            "losses": list(learnt.losses),
            "batches.kind": learnt.batches,
            "batches.size": batch or recipe.batches.size,
            "optimizer.lr": recipe.optimizer.lr * built.pace,
        }
    )
