"""Every system with every head, and the floor: accuracy, balance and calibration, with and without copies."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from benchmarks.suite.bench import Bench
from benchmarks.suite.floors import Gradients, majority
from benchmarks.suite.heads import Gallery, neighbours
from benchmarks.suite.pictures import dots
from benchmarks.suite.records import Result, Row
from benchmarks.suite.splits import selecting_faces, training_faces
from benchmarks.suite.systems import OBJECTIVES, SYSTEMS
from benchmarks.suite.tables.common import HEADS, LEARNT, Results, cells, head_row, header, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Systems and heads"
FLOORS = {"majority": "most frequent class", "hog-knn": "HOG + PCA + k-NN"}
FIGURES = ("accuracy", "balanced_accuracy", "macro_f1", "nll", "ece")


def rows(bench: Bench) -> list[Row]:
    """The floors, then the systems from the cheapest to the dearest."""
    floor = {"data": bench.data, "floor": 1}
    found = [
        Row("systems", "majority", floor, partial(_majority, bench)),
        Row("systems", "hog-knn", floor, partial(_gradients, bench)),
    ]
    for system in SYSTEMS:
        for objective, learnt in OBJECTIVES.items():
            if learnt.heads:
                training = bench.training(system, objective)
            for head in learnt.heads:
                found.append(head_row("systems", f"{system}.{objective}.{head}", bench, training, head))
    return found


def _majority(bench: Bench) -> Result:
    train, test = training_faces(bench.parts.train), bench.parts.test
    return test.judge(majority(train.labels, len(train.classes), len(test)), train.classes)


def _gradients(bench: Bench) -> Result:
    parts = bench.parts
    train = training_faces(parts.train)
    look = Gradients(np.asarray(train.images))
    knn = neighbours(
        Gallery(look.fitted, train.labels), look(np.asarray(selecting_faces(parts.selection).images)), parts.selection
    )
    return parts.test.judge(knn.predict_proba(look(parts.test.images)), train.classes)


def named(name: str) -> tuple[str, str, str]:
    """System, what it learns and head of a row, in words."""
    if name in FLOORS:
        return FLOORS[name], "", ""
    system, objective, head = name.split(".")
    return system, LEARNT[objective], HEADS[head]


def figure_cells(result: Result | None) -> list[str]:
    """The figures over all images, then those without copies."""
    if result is None:
        return [""] * (2 * len(FIGURES))
    written = []
    for where in ("all_images", "without_copies"):
        figures = result[where]
        low, high = figures["accuracy_interval"]
        written += [f"{percent(figures['accuracy'])} ± {percent((high - low) / 2)}"]
        written += [percent(figures[name]) for name in FIGURES[1:3]]
        written += [f"{figures['nll']:.3f}", f"{figures['ece']:.3f}"]
    return written


COLUMNS = ("accuracy", "balanced", "macro F1", "NLL", "ECE", "accuracy*", "balanced*", "macro F1*", "NLL*", "ECE*")
STARRED = (
    "Columns with a star are over the test images without a copy among those that train or select. "
    "Accuracies in percent, with half the width of their 95% interval."
)


def lines(bench: Bench, rows: list[Row], results: Results) -> list[str]:
    epochs = ", ".join(f"{system} {count}" for system, count in bench.budget.epochs.items())
    said = [
        f"Epochs: {epochs}. One seed, one look at each image. The selection split chooses the epoch (by k-NN "
        "accuracy), k, temperature, calibration and the weights of the vote. " + STARRED,
        "",
        *header(("system", "learns by", "head", *COLUMNS), len(COLUMNS)),
    ]
    for row in rows:
        said.append(cells([*named(row.name), *figure_cells(results.get(row.path))]))
    return said


def picture(bench: Bench, rows: list[Row], results: Results) -> Figure:
    shown = [row for row in rows if row.path in results]
    labels = [", ".join(filter(None, named(row.name))) for row in shown]
    accuracy = {
        title: [results[row.path][where]["accuracy"] for row in shown]
        for where, title in (("all_images", "all images"), ("without_copies", "without copies"))
    }
    return dots(labels, accuracy, "accuracy on the test split")
