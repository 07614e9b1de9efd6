"""What all rows share: the faces in their roles, the trainings, and what was kept of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

import benchmarks.suite.backbones  # noqa: F401  makes them known to timm
import numpy as np
from benchmarks.suite.answers import Halves
from benchmarks.suite.budgets import Budget
from benchmarks.suite.kept import Kept, ask
from benchmarks.suite.others import Function
from benchmarks.suite.records import NotYet, Records, Result, Row
from benchmarks.suite.splits import SelectionSplit, TrainSplit, halves, selecting_faces, training_faces
from benchmarks.suite.systems import recipe_for

import ferembed as fe
from ferembed.evaluation.plots.training import read_curves


@dataclass(frozen=True, eq=False)
class Training:
    """One network to train, and what is asked of it."""

    name: str
    recipe: fe.Recipe
    train: TrainSplit
    validation: SelectionSplit
    heads: tuple[str, ...]

    @cached_property
    def config(self) -> dict[str, Any]:
        """What decides the answers. Fields of the recipe at their defaults are left out, as new ones come."""
        return {
            "recipe": self.recipe.model_dump(mode="json", exclude_defaults=True, exclude={"description"}),
            "train": training_faces(self.train).fingerprint,
            "validation": selecting_faces(self.validation).fingerprint,
            "heads": list(self.heads),
        }


@dataclass(frozen=True, eq=False)
class Bench:
    """The faces, and where trainings and results lie."""

    budget: Budget
    faces: fe.FaceDataset
    runs: Path
    out: Path
    """Folder of the records and of what is kept."""
    functions: Mapping[str, Function] = field(default_factory=dict)
    """Classifiers from elsewhere by name."""

    @property
    def records(self) -> Records:
        """The records of the rows."""
        return Records(self.out / "rows")

    @cached_property
    def train(self) -> TrainSplit:
        """The faces that train."""
        return TrainSplit(self.faces.split("train"))

    @cached_property
    def validation(self) -> SelectionSplit:
        """The faces that select; of them, by halves, those that are judged."""
        return SelectionSplit(self.faces.split("validation"))

    @cached_property
    def halves(self) -> Halves:
        """Both ways round to halve the validation split."""
        return halves(self.train, self.validation)

    @cached_property
    def asked(self) -> fe.FaceDataset:
        """The validation images that are not blank: the rows of what is kept."""
        return selecting_faces(self.validation).without_blank()

    @property
    def classes(self) -> list[str]:
        """The columns of all answers."""
        return list(self.faces.classes)

    @cache  # noqa: B019  one bench lives as long as the suite
    def training(self, network: str, objective: str, heads: tuple[str, ...]) -> Training:
        """A network's training on the whole training split."""
        epochs = self.budget.fewer_epochs if network in self.budget.dearest else self.budget.epochs
        recipe = self._recipe(network, objective, epochs)
        return Training(f"{network}-{objective}", recipe, self.train, self.validation, heads)

    def training_on(
        self,
        objective: str,
        train: TrainSplit,
        validation: SelectionSplit,
        variant: str,
        network: str,
        heads: tuple[str, ...] = (),
    ) -> Training:
        """A training of fewer epochs on a variant of the splits."""
        recipe = self._recipe(network, objective, self.budget.fewer_epochs)
        return Training(f"{network}-{objective}-{variant}", recipe, train, validation, heads)

    def _recipe(self, network: str, objective: str, epochs: int) -> fe.Recipe:
        return recipe_for(self.budget.recipe, network, objective, epochs, self.budget.batch)

    @lru_cache(maxsize=1)  # noqa: B019  as above
    def recognizer(self, training: Training) -> fe.Recognizer:
        """The recogniser of a training: read back, or trained; a training that was cut off goes on."""
        train, validation = training_faces(training.train), selecting_faces(training.validation)
        return fe.train(training.recipe, train, validation, self.runs / training.name)

    def curve(self, training: Training) -> dict[str, list[float]]:
        """Validation accuracy after epochs of a run: the better of its head's and its neighbours'."""
        curves = read_curves(self.runs / training.name)
        epochs, accuracy = curves["validation/knn_accuracy"]
        better = np.maximum(accuracy, curves.get("validation/softmax_accuracy", (epochs, accuracy))[1])
        return {"epochs": epochs.tolist(), "accuracy": better.tolist()}

    def ask(self, training: Training, halves: Halves, *, embeddings: bool = False) -> Result:
        """Train, ask the heads about the validation images, and keep their answers."""
        recognizer = self.recognizer(training)
        kept = ask(recognizer, training.heads, halves, self.asked)
        self.keep(training.name, kept if embeddings else Kept(kept.scores))
        parameters = sum(each.numel() for each in recognizer.encoder.parameters())
        recipe = training.recipe
        return {
            "epochs": recipe.epochs,
            "seed": recipe.seed,
            "parameters": parameters,
            "curve": self.curve(training),
        }

    def keep(self, name: str, kept: Kept) -> None:
        """Keep answers."""
        kept.write(self._file(name), self.asked)

    def answers(self, row: Row) -> Kept:
        """What a row that asks a network kept.

        Raises
        ------
        NotYet
            If it has not been measured.
        """
        if self.records.read(row) is None:
            raise NotYet(f"{row.path} has not been run")
        return self.kept_of(row.name)

    def kept_of(self, name: str) -> Kept:
        """What was kept under a name."""
        return Kept.read(self._file(name), self.asked)

    def _file(self, name: str) -> Path:
        return self.out / "kept" / f"{name}.safetensors"


def digest(config: Mapping[str, Any]) -> str:
    """Sixteen digits that stand for a configuration."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16]
