"""The systems: a backbone with a stem for 48 pixels, and what it learns from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ferembed import Recipe


@dataclass(frozen=True)
class System:
    """A network."""

    encoder: Mapping[str, Any]
    """Changes to the recipe's encoder."""
    pace: float = 1.0
    """Factor of the recipe's learning rate."""
    args: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of the backbone."""


SYSTEMS: dict[str, System] = {
    "baseline": System({"backbone": "khanzada_cnn", "stem": "standard"}),
    "small": System({"backbone": "resnet18", "stem": "small-pool"}, args={"channels": [32, 64, 128, 256]}),
    "resnet18": System({"backbone": "resnet18", "stem": "small-pool"}, 0.5),
    "vgg16": System({"backbone": "vgg16_48", "stem": "standard"}, 0.25),
    "resnet50": System({"backbone": "resnet50", "stem": "small-pool"}, 0.25),
    "seresnet50": System({"backbone": "seresnet50", "stem": "small-pool"}, 0.25),
}
"""From the cheapest to the dearest."""

SMOOTHED = {"name": "cross_entropy", "label_smoothing": 0.1}


def _natural(size: int, classes: int) -> dict[str, Any]:
    return {"kind": "natural", "size": size}


def _pairs(size: int, classes: int) -> dict[str, Any]:
    return {"kind": "pairs", "size": size}


def _balanced(size: int, classes: int) -> dict[str, Any]:
    return {"kind": "class_balanced", "classes_per_batch": classes, "images_per_class": size // classes}


@dataclass(frozen=True)
class Objective:
    """What a network learns, and the rows of table (a) that are read off it."""

    losses: tuple[Any, ...]
    batches: Callable[[int, int], dict[str, Any]]
    heads: tuple[str, ...]


OBJECTIVES: dict[str, Objective] = {
    "softmax": Objective((SMOOTHED,), _natural, ("softmax", "linear-svc")),
    # Not smoothed: weights would multiply what smoothing gives the rare classes, too, until nothing else is learnt.
    "weighted": Objective(({"name": "cross_entropy", "class_weights": "balanced"},), _natural, ()),
    "hinge": Objective(("squared_hinge",), _natural, ("svm",)),
    "siamese": Objective(("contrastive",), _pairs, ("knn",)),
    "contrastive": Objective(({"name": "contrastive", "pairs": "batch"},), _balanced, ("knn",)),
    "triplet": Objective(("triplet",), _balanced, ("knn",)),
    "supcon": Objective(("supcon",), _balanced, ("knn",)),
    "joint": Objective((SMOOTHED, {"name": "supcon", "weight": 0.5}), _natural, ("softmax", "knn", "vote")),
}


def recipe_for(base: str, system: str, objective: str, *, epochs: int, classes: int) -> Recipe:
    """The recipe of a system's training: the base recipe's optimiser and augmentation, and nothing else of it."""
    recipe, network, learnt = Recipe.named(base), SYSTEMS[system], OBJECTIVES[objective]
    return recipe.override(
        {
            "description": f"{system}, {objective}",
            "epochs": epochs,
            "encoder": {**network.encoder, "backbone_args": dict(network.args)},
            "losses": list(learnt.losses),
            "batches": learnt.batches(recipe.batches.size, classes),
            "optimizer.lr": recipe.optimizer.lr * network.pace,
            "validate_every": 1,
        }
    )
