"""What it costs to reach an accuracy."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from benchmarks.suite.bench import Bench, Training, accuracy_curve
from benchmarks.suite.pictures import Lines, panels
from benchmarks.suite.records import Result, Row
from benchmarks.suite.systems import OBJECTIVES, SYSTEMS
from benchmarks.suite.tables.common import LEARNT, Results, cells, header, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Cost of an accuracy"
TARGETS = (0.3, 0.4, 0.5, 0.55, 0.6, 0.65)


def rows(bench: Bench) -> list[Row]:
    found = []
    for system in SYSTEMS:
        for objective in _objectives():
            training = bench.training(system, objective)
            found.append(
                Row("cost", f"{system}.{objective}", {"training": training.config}, partial(_curve, bench, training))
            )
    return found


def _objectives() -> list[str]:
    return [name for name, learnt in OBJECTIVES.items() if learnt.heads]


def _curve(bench: Bench, training: Training) -> Result:
    bench.recognizer(training)
    epochs, accuracy = accuracy_curve(bench.runs / training.folder)
    return {"epochs": epochs.tolist(), "accuracy": accuracy.tolist(), "an_epoch": bench.cost(training)}


def lines(bench: Bench, rows: list[Row], results: Results) -> list[str]:
    said = [
        "Epochs until the accuracy on the selection split (the better of the network's head and the k-NN over 4,096 "
        "gallery images) first reaches a target, and processor minutes, validation included. Processor minutes are "
        "summed over the cores and, unlike minutes, bear a machine that others use. A dash: not within the epochs run.",
        "",
        *header(
            ("system", "learns by", "epochs", "best", "minutes an epoch", *(percent(t) for t in TARGETS)),
            3 + len(TARGETS),
        ),
    ]
    for row in rows:
        system, objective = row.name.split(".")
        said.append(cells([system, LEARNT[objective], *_figures(results.get(row.path))]))
    return said


def _figures(result: Result | None) -> list[str]:
    if result is None:
        return [""] * (3 + len(TARGETS))
    minutes = None if result["an_epoch"] is None else result["an_epoch"]["cpu_seconds"] / 60
    best = percent(max(result["accuracy"]))
    said = [str(len(result["epochs"])), best, "" if minutes is None else f"{minutes:.1f}"]
    for target in TARGETS:
        reached = np.flatnonzero(np.array(result["accuracy"]) >= target)
        if not reached.size:
            said.append("-")
        else:
            epochs = int(result["epochs"][reached[0]])
            said.append(str(epochs) if minutes is None else f"{epochs} ({epochs * minutes:.0f} min)")
    return said


def picture(bench: Bench, rows: list[Row], results: Results) -> Figure:
    drawn: dict[str, Lines] = {}
    for row in rows:
        system, objective = row.name.split(".")
        result = results.get(row.path)
        if result and result["an_epoch"]:
            minutes = [epoch * result["an_epoch"]["cpu_seconds"] / 60 for epoch in result["epochs"]]
            title = f"{system}: accuracy on the selection split"
            drawn.setdefault(title, {})[LEARNT[objective]] = (minutes, result["accuracy"])
    return panels(drawn, "processor minutes")
