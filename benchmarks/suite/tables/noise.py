"""Wrong labels in training: who learns them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.suite.bench import Bench, Training
from benchmarks.suite.pictures import Lines, panels
from benchmarks.suite.records import Row
from benchmarks.suite.tables.common import HEADS, LEARNT, Results, cells, head_row, header, percent, probed
from benchmarks.suite.variants import mislabelled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Label noise"
ARMS = (("softmax", "softmax"), ("supcon", "knn"), ("joint", "softmax"), ("joint", "knn"), ("joint", "vote"))


def rows(bench: Bench) -> list[Row]:
    found = []
    for wrong in bench.budget.noise:
        trainings = {objective: _training(bench, objective, wrong) for objective in ("softmax", "supcon", "joint")}
        found += [
            head_row("noise", _name(objective, head, wrong), bench, trainings[objective], head)
            for objective, head in ARMS
        ]
    return found


def lines(bench: Bench, rows: list[Row], results: Results) -> list[str]:
    columns = [f"{figure} {wrong}%" for figure in ("accuracy", "NLL") for wrong in bench.budget.noise]
    said = [
        f"{probed(bench)}; so many percent of the "
        "training labels are replaced by another class, each as likely. The selection and the test labels stay. "
        "Over all test images.",
        "",
        *header(("learns by", "head", *columns), len(columns)),
    ]
    for objective, head in ARMS:
        found = [results.get(f"noise/{_name(objective, head, wrong)}") for wrong in bench.budget.noise]
        accuracy = [percent(each["all_images"]["accuracy"]) if each else "" for each in found]
        nll = [f"{each['all_images']['nll']:.3f}" if each else "" for each in found]
        said.append(cells([LEARNT[objective], HEADS[head], *accuracy, *nll]))
    return said


def picture(bench: Bench, rows: list[Row], results: Results) -> Figure:
    drawn: dict[str, Lines] = {}
    for title, figure in (("accuracy", "accuracy"), ("negative log-likelihood", "nll")):
        drawn[title] = {}
        for objective, head in ARMS:
            levels = [each for each in bench.budget.noise if f"noise/{_name(objective, head, each)}" in results]
            if levels:
                values = [results[f"noise/{_name(objective, head, each)}"]["all_images"][figure] for each in levels]
                drawn[title][f"{LEARNT[objective]}, {HEADS[head]}"] = (levels, values)
    return panels(drawn, "wrong training labels, %")


def _training(bench: Bench, objective: str, wrong: int) -> Training:
    if not wrong:
        return bench.training(bench.budget.probe, objective)
    train = mislabelled(bench.parts.train, wrong)
    return bench.training_on(bench.budget.probe, objective, train, bench.parts.selection, f"noise{wrong}")


def _name(objective: str, head: str, wrong: int) -> str:
    return f"{objective}.{head}.{wrong}"
