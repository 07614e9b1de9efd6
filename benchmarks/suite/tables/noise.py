"""Wrong labels in training: who learns them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks.suite.answers import head_answers
from benchmarks.suite.bench import Bench
from benchmarks.suite.budgets import PROBE
from benchmarks.suite.pictures import Lines, panels
from benchmarks.suite.records import Row
from benchmarks.suite.splits import JudgedSplit
from benchmarks.suite.systems import OBJECTIVES
from benchmarks.suite.tables.common import (
    HEADS,
    Results,
    cells,
    claim,
    counted,
    decided,
    header,
    judged_heads,
    percent,
    points,
)
from benchmarks.suite.variants import mislabelled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Label noise"
OBJECTIVE = "ce-supcon"
ASKED = ("softmax", "knn", "vote")


def rows(bench: Bench) -> list[Row]:
    found = []
    for wrong in bench.budget.noise:
        train = mislabelled(bench.train, wrong)
        training = bench.training_on(OBJECTIVE, train, bench.validation, f"noise{wrong}", PROBE, ASKED)
        measure = partial(judged_heads, bench, training, bench.halves)
        found.append(Row("noise", training.name, training.config | {"wrong": wrong}, measure))
    return found


def lines(bench: Bench, rows: list[Row], results: Results) -> list[str]:
    columns = [f"{figure} {wrong}%" for figure in ("accuracy", "NLL", "ECE") for wrong in bench.budget.noise]
    said = [
        f"`{PROBE}`, {counted(bench.budget.fewer_epochs, 'epoch')}, {OBJECTIVES[OBJECTIVE].said}; so many percent of "
        "the training labels are replaced by another class, each as likely, in the gallery, too. The labels that "
        "select and judge stay. All heads are of the same network. Over all images.",
        "",
        *header(("head", *columns), len(columns)),
    ]
    found = [results.get(row.path) for row in rows]
    for head in ASKED:
        figures = [each and each["heads"][head]["all_images"] for each in found]
        accuracy = [percent(each["accuracy"] if each else None) for each in figures]
        rest = [f"{each[name]:.3f}" if each else "" for name in ("nll", "ece") for each in figures]
        said.append(cells([HEADS[head], *accuracy, *rest]))
    return [*said, "", _claim(bench, rows, results)]


def _claim(bench: Bench, rows: list[Row], results: Results) -> str:
    found = {}
    for row in rows:
        if row.path in results and row.config["wrong"]:
            kept = bench.kept_of(row.name)
            softmax, neighbours = (head_answers(kept, head, bench.halves) for head in ("softmax", "knn"))
            found[row.config["wrong"]] = JudgedSplit.compare(softmax, neighbours, bench.classes)["all_images"]
    evidence = "; ".join(f"{wrong}% {points(each['difference'], each['interval'])}" for wrong, each in found.items())
    return claim(
        "metric learning is more robust, here to wrong labels",
        decided([each["interval"] for each in found.values()]),
        evidence and f"accuracy of the k-NN vote, less that of the softmax head of the same network: {evidence}",
    )


def picture(bench: Bench, rows: list[Row], results: Results) -> Figure:
    drawn: dict[str, Lines] = {"accuracy": {}, "negative log-likelihood": {}}
    measured = [row for row in rows if row.path in results]
    for title, name in (("accuracy", "accuracy"), ("negative log-likelihood", "nll")):
        for head in ASKED:
            values = [results[row.path]["heads"][head]["all_images"][name] for row in measured]
            drawn[title][HEADS[head]] = ([row.config["wrong"] for row in measured], values)
    return panels(drawn, "wrong training labels, %")
