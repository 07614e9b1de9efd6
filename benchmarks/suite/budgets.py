"""How much a run of the suite may cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.suite.systems import SYSTEMS


@dataclass(frozen=True)
class Budget:
    """Sizes of everything that takes time."""

    name: str
    data: str
    """Path for :func:`ferembed.load_dataset`, or drawn."""
    recipe: str
    """The recipe whose optimiser and augmentation all trainings share."""
    epochs: Mapping[str, int]
    """Of each system."""
    probe: str
    """The system of the tables on imbalance, enrolment, label noise and k."""
    ratios: tuple[int, ...]
    """Imbalance: faces of the largest class for each of the smallest."""
    noise: tuple[int, ...]
    """Percentages of wrong training labels."""
    strangers: tuple[str, ...]
    """Expressions that are held out, each in turn, and enrolled."""
    draws: int
    """Random choices of the faces to enrol."""
    drawn: int = 0
    """Faces to draw."""
    finished: tuple[str, ...] = ()
    """Folders of runs that were trained in full, by other means than the suite's."""


SHOTS = (1, 5, 10, 50)
EVERY = ("disgust", "surprise", "fear", "happy", "sad", "angry", "neutral")

BUDGETS: dict[str, Budget] = {
    budget.name: budget
    for budget in (
        Budget("smoke", "drawn", "drawn", dict.fromkeys(SYSTEMS, 1), "baseline", (16,), (0, 40), EVERY[:1], 1, 700),
        Budget(
            "cpu",
            "data/fer2013.csv",
            "quick",
            {"baseline": 4, "small": 4, "resnet18": 3, "vgg16": 3, "resnet50": 3, "seresnet50": 3},
            "baseline",
            (16, 50, 100),
            (0, 10, 20, 40),
            EVERY[:2],
            3,
            finished=("runs/small", "runs/small-mixup"),
        ),
        Budget(
            "full",
            "data/fer2013.csv",
            "small",
            dict.fromkeys(SYSTEMS, 80),
            "small",
            (16, 50, 100),
            (0, 10, 20, 40),
            EVERY,
            5,
        ),
    )
}
