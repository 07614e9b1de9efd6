"""What it costs to reach an accuracy."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from benchmarks.suite import trainings
from benchmarks.suite.bench import Bench, Training
from benchmarks.suite.pictures import Lines, panels
from benchmarks.suite.records import Result, Row
from benchmarks.suite.splits import training_faces
from benchmarks.suite.systems import OBJECTIVES
from benchmarks.suite.tables.common import Results, cells, claim, counted, header, percent
from benchmarks.suite.tables.systems import split_name
from benchmarks.timing import pairwise, timer

import ferembed as fe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Cost of an accuracy"
TARGETS = (0.6, 0.65)
FACES = 2000


def rows(bench: Bench) -> list[Row]:
    found = []
    for training in trainings.trainings(bench):
        # A step takes as long in a run of few epochs as of many.
        recipe = {field: value for field, value in training.config["recipe"].items() if field != "epochs"}
        config = {"recipe": recipe, "timed": bench.budget.timed}
        found.append(Row("cost", training.name, config, partial(_seconds, bench, training)))
    return found


def _seconds(bench: Bench, training: Training) -> Result:
    """Seconds an epoch, in turn with those of the same network by cross-entropy alone."""
    network, _ = split_name(training.name)
    train = training_faces(bench.train).without_blank()
    few = train.subset(np.arange(len(train))[:: math.ceil(len(train) / FACES)])
    alone = bench.training(network, "ce", ()).recipe
    timed = bench.budget.timed
    times = pairwise(timer(training.recipe, few, timed), timer(alone, few, timed), timed)
    steps = math.ceil(len(train) / training.recipe.batches.size)
    return times | {"steps": steps, "an_epoch": steps * times["milliseconds"] / 1000}


def lines(bench: Bench, rows: list[Row], results: Results) -> list[str]:
    recipe = fe.Recipe.named(bench.budget.recipe)
    said = [
        "Epochs until the accuracy on the validation split (the better of the network's head and the k-NN over "
        f"{recipe.validation_gallery:,} gallery images, looked at every {counted(recipe.validate_every, 'epoch')}) "
        "first reaches a target, and the seconds which the processor works for them on one thread. A step was timed in "
        "turn with one of the same network by cross-entropy alone, in one process: the ratio is the median of such "
        "pairs. A dash: not within the epochs run.",
        "",
        *header(
            ("network", "learnt", "epochs", "best", "seconds an epoch", "ratio", *(percent(t) for t in TARGETS)),
            4 + len(TARGETS),
        ),
    ]
    for row in rows:
        network, objective = split_name(row.name)
        said.append(cells([network, OBJECTIVES[objective].said, *_figures(row.name, results)]))
    return [*said, "", _claim(bench, results)]


def _figures(name: str, results: Results) -> list[str]:
    trained, timed = results.get(f"{trainings.TABLE}/{name}"), results.get(f"cost/{name}")
    said = [str(trained["epochs"]), percent(max(trained["curve"]["accuracy"]))] if trained else ["", ""]
    said += [f"{timed['an_epoch']:.0f}", f"{timed['ratio']:.2f}"] if timed else ["", ""]
    for target in TARGETS:
        epochs = _epochs_to(trained, target)
        if trained is None or epochs is None:
            said.append("-" if trained else "")
        else:
            said.append(f"{epochs} ({epochs * timed['an_epoch']:,.0f} s)" if timed else str(epochs))
    return said


def _epochs_to(trained: Result | None, target: float) -> int | None:
    if trained is None:
        return None
    reached = np.flatnonzero(np.array(trained["curve"]["accuracy"]) >= target)
    return int(trained["curve"]["epochs"][reached[0]]) if reached.size else None


def _times(network: str, target: float, results: Results) -> float | None:
    """Seconds to a target after joint training, for each of cross-entropy alone: steps are paired, epochs counted."""
    alone, joint = (
        _epochs_to(results.get(f"{trainings.TABLE}/{network}-{each}"), target) for each in ("ce", "ce-supcon")
    )
    timed = results.get(f"cost/{network}-ce-supcon")
    return timed["ratio"] * joint / alone if timed and alone and joint else None


def _claim(bench: Bench, results: Results) -> str:
    found = {
        (network, target): times
        for network in bench.budget.networks
        for target in TARGETS
        if (times := _times(network, target, results)) is not None
    }
    longer = [times > 1 for times in found.values()]
    evidence = "; ".join(f"{network} to {percent(target)}: {times:.2f}" for (network, target), times in found.items())
    true = True if longer and all(longer) else False if longer and not any(longer) else None
    return claim(
        "metric learning costs more training time",
        true,
        evidence and f"seconds of cross-entropy + SupCon for one of cross-entropy alone, {evidence}",
    )


def picture(bench: Bench, rows: list[Row], results: Results) -> Figure:
    drawn: dict[str, Lines] = {}
    for row in rows:
        network, objective = split_name(row.name)
        trained, timed = results.get(f"{trainings.TABLE}/{row.name}"), results.get(row.path)
        if trained and timed:
            minutes = [epoch * timed["an_epoch"] / 60 for epoch in trained["curve"]["epochs"]]
            title = f"{network}: accuracy on the validation split"
            drawn.setdefault(title, {})[OBJECTIVES[objective].said] = (minutes, trained["curve"]["accuracy"])
    return panels(drawn, "minutes of one thread")
