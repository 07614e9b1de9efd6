"""How much a run of the suite may cost."""

from __future__ import annotations

from dataclasses import dataclass

PROBE = "small"
"""The network that is trained with every objective, and on variants of the training split."""


@dataclass(frozen=True)
class Budget:
    """Sizes of everything that takes time."""

    name: str
    data: str
    """Path for :func:`ferembed.load_dataset`, or drawn."""
    recipe: str
    """The recipe whose optimiser and augmentation all trainings share."""
    networks: tuple[str, ...]
    epochs: int
    """Of every network and objective, but the dearest."""
    fewer_epochs: int
    """Of the trainings on variants of the training split, and of the dearest networks: a third."""
    ratios: tuple[int, ...] = (16, 100)
    """Imbalance: faces of the largest class for each of the smallest."""
    noise: tuple[int, ...] = (0, 20, 40)
    """Percentages of wrong training labels."""
    strangers: tuple[str, ...] = ("disgust", "fear", "surprise")
    """Expressions that are held out, each in turn, and enrolled."""
    draws: int = 5
    """Random choices of the faces to enrol."""
    timed: int = 5
    """Of so many pairs of times a cost is the median, each of so many steps."""
    drawn: int = 0
    """Faces to draw."""
    dearest: tuple[str, ...] = ()
    """Networks whose every epoch takes the budget's machine so long that they are trained for fewer."""
    shots: tuple[int, ...] = (1, 5, 10, 50)
    """So many faces of a held-out expression are enrolled; ten is one, and the training split has the largest."""
    batch: int | None = None
    """Faces a step, where not as many as the recipe says."""


NARROW = ("baseline", "small", "resnet18", "vgg16-half", "resnet50-half", "seresnet50-half")
WHOLE = ("baseline", "small", "resnet18", "vgg16", "resnet50", "seresnet50")

BUDGETS: dict[str, Budget] = {
    budget.name: budget
    for budget in (
        Budget(
            "smoke",
            "drawn",
            "drawn",
            NARROW,
            epochs=1,
            fewer_epochs=1,
            ratios=(16,),
            noise=(0, 40),
            strangers=("disgust",),
            draws=1,
            timed=1,
            drawn=210,
            shots=(1, 5, 10),
            batch=32,
        ),
        Budget("cpu", "data/fer2013.csv", "small", NARROW, 40, 13, draws=3, dearest=NARROW[-2:]),
        Budget("full", "data/fer2013.csv", "small", WHOLE, 80, 27),
    )
}
