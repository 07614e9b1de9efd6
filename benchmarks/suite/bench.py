"""What all rows share: the divided faces, the trainings, and what each head answered."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

import benchmarks.suite.backbones  # noqa: F401  makes them known to timm
import numpy as np
from benchmarks.suite.budgets import Budget
from benchmarks.suite.records import NotYet
from benchmarks.suite.splits import Parts, SelectionSplit, TrainSplit, divide, selecting_faces, training_faces
from benchmarks.suite.systems import recipe_for
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

import ferembed as fe
from ferembed.evaluation.plots.training import Curve, read_curves
from ferembed.storage import atomic_path, write_json

COST = "cost.json"

Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Training:
    """One network to train."""

    name: str
    recipe: fe.Recipe
    train: TrainSplit
    selection: SelectionSplit

    @cached_property
    def config(self) -> dict[str, Any]:
        """What decides the trained network. Fields of the recipe at their defaults are left out, as new ones come."""
        return {
            "recipe": self.recipe.model_dump(mode="json", exclude_defaults=True),
            "train": training_faces(self.train).fingerprint,
            "selection": selecting_faces(self.selection).fingerprint,
        }

    @property
    def folder(self) -> str:
        """A name that no other configuration has."""
        return f"{self.name}-{digest(self.config)}"


@dataclass(frozen=True, eq=False)
class Bench:
    """The faces, and the folder where trainings and answers are kept."""

    budget: Budget
    faces: fe.FaceDataset
    runs: Path

    @cached_property
    def parts(self) -> Parts:
        """The faces, divided."""
        return divide(self.faces)

    @cached_property
    def data(self) -> str:
        """A checksum of all faces."""
        return self.faces.fingerprint

    @cache  # noqa: B019  one bench lives as long as the suite
    def training(self, system: str, objective: str) -> Training:
        """A system's training on the whole training split."""
        return self.training_on(system, objective, self.parts.train, self.parts.selection, "")

    def training_on(
        self, system: str, objective: str, train: TrainSplit, selection: SelectionSplit, variant: str
    ) -> Training:
        """A system's training on a variant of the splits."""
        recipe = recipe_for(
            self.budget.recipe,
            system,
            objective,
            epochs=self.budget.epochs[system],
            classes=len(training_faces(train).classes),
        )
        return Training("-".join(filter(None, (system, objective, variant))), recipe, train, selection)

    def recognizer(self, training: Training) -> fe.Recognizer:
        """The recogniser of a training: read back, or trained; a training that was cut off goes on."""
        folder = self.runs / training.folder
        done = len(accuracy_curve(folder)[0])
        started = time.monotonic(), time.process_time()
        recognizer = fe.train(
            training.recipe, training_faces(training.train), selecting_faces(training.selection), folder
        )
        epochs = len(accuracy_curve(folder)[0]) - done
        if epochs:
            seconds, cpu_seconds = time.monotonic() - started[0], time.process_time() - started[1]
            write_json(folder / COST, {"seconds": seconds / epochs, "cpu_seconds": cpu_seconds / epochs})
        return recognizer

    def cost(self, training: Training) -> dict[str, float] | None:
        """Seconds and processor seconds an epoch of a finished training; None where they were not taken."""
        file = self.runs / training.folder / COST
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None

    @lru_cache(maxsize=1)  # noqa: B019  as above
    def vectors(self, training: Training) -> tuple[fe.Recognizer, Vectors, Vectors]:
        """The recogniser of a training, with its embeddings of the selection and the test images."""
        recognizer = self.recognizer(training)
        selection = recognizer.encode(selecting_faces(training.selection).images)
        return recognizer, selection, recognizer.encode(self.parts.test.images)

    def keep_answers(self, name: str, config: Mapping[str, Any], answers: Mapping[str, NDArray[Any]]) -> None:
        """Keep what a head said of the selection and the test images, for ensembles."""
        with atomic_path(self._answers(name, config)) as draft:
            save_file({key: np.ascontiguousarray(value) for key, value in answers.items()}, draft)

    def answers(self, name: str, config: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        """What :meth:`keep_answers` kept.

        Raises
        ------
        NotYet
            If it has not.
        """
        file = self._answers(name, config)
        if not file.is_file():
            raise NotYet(f"{name} has not been run")
        return load_file(file)

    def _answers(self, name: str, config: Mapping[str, Any]) -> Path:
        return self.runs / "answers" / f"{name}-{digest(config)}.safetensors"


def accuracy_curve(folder: Path) -> Curve:
    """Accuracy on the selection split after each epoch of a run: the better of its head's and its neighbours' vote."""
    try:
        curves = read_curves(folder)
    except FileNotFoundError:
        return np.zeros(0), np.zeros(0)
    epochs, accuracy = curves["validation/knn_accuracy"]
    return epochs, np.maximum(accuracy, curves.get("validation/softmax_accuracy", (epochs, accuracy))[1])


def digest(config: Mapping[str, Any]) -> str:
    """Eight digits that stand for a configuration."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:8]
