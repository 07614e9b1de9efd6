"""Long-tailed training: what becomes of the rare classes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from benchmarks.suite.answers import Halves, head_answers
from benchmarks.suite.bench import Bench, Training
from benchmarks.suite.budgets import PROBE
from benchmarks.suite.pictures import Lines, panels
from benchmarks.suite.records import Result, Row
from benchmarks.suite.splits import JudgedSplit, training_faces
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
from benchmarks.suite.variants import long_tailed, long_tailed_half

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Imbalance"
RARE = 3
HEADS_OF: dict[str, tuple[str, ...]] = {
    "ce": ("softmax",),
    "weighted-ce": ("softmax",),
    "balanced-ce": ("softmax",),
    "ce-supcon": ("softmax", "knn", "balanced-knn"),
}
ARMS = tuple((objective, head) for objective, heads in HEADS_OF.items() for head in heads)
METRIC = ("ce-supcon", "balanced-knn")
SUPERVISED = ("balanced-ce", "softmax")


def rows(bench: Bench) -> list[Row]:
    found = []
    for ratio in bench.budget.ratios:
        train, validation = long_tailed(bench.train, ratio), long_tailed(bench.validation, ratio)
        for objective, heads in HEADS_OF.items():
            training = bench.training_on(objective, train, validation, f"tail{ratio}", PROBE, heads)
            measure = partial(_measure, bench, training, ratio)
            found.append(Row("imbalance", training.name, training.config | {"ratio": ratio}, measure))
    return found


def _halves(bench: Bench, ratio: int) -> Halves:
    first, second = bench.halves
    return long_tailed_half(first, ratio), long_tailed_half(second, ratio)


def _measure(bench: Bench, training: Training, ratio: int) -> Result:
    return judged_heads(bench, training, _halves(bench, ratio)) | {"faces": len(training_faces(training.train))}


def lines(bench: Bench, rows: list[Row], results: Results) -> list[str]:
    ratios = bench.budget.ratios
    columns = [f"{figure} 1:{ratio}" for figure in ("rare recall", "balanced", "accuracy") for ratio in ratios]
    measured = {row.config["ratio"]: results[row.path]["faces"] for row in rows if row.path in results}
    faces = [f"{count:,} at 1:{ratio}" for ratio, count in measured.items()]
    said = [
        f"`{PROBE}`, {counted(bench.budget.fewer_epochs, 'epoch')}, on seeded subsets whose class counts fall "
        f"geometrically (faces: {', '.join(faces) or 'not measured yet'}); what selects falls alike, what is judged "
        f"stays as it is. Rare recall is the mean recall of the {RARE} rarest classes "
        f"({', '.join(_rarest(bench))}). In percent, over all images.",
        "",
        *header(("learnt", "head", *columns), len(columns)),
    ]
    for objective, head in ARMS:
        found = [_result(results, objective, head, ratio) for ratio in ratios]
        rare = [percent(_rare(bench, each)) for each in found]
        others = [percent(each[name] if each else None) for name in ("balanced_accuracy", "accuracy") for each in found]
        said.append(cells([OBJECTIVES[objective].said, HEADS[head], *rare, *others]))
    return [*said, "", _claim(bench, results)]


def _name(objective: str, ratio: int) -> str:
    return f"{PROBE}-{objective}-tail{ratio}"


def _result(results: Results, objective: str, head: str, ratio: int) -> Result | None:
    measured = results.get(f"imbalance/{_name(objective, ratio)}")
    return measured and measured["heads"][head]["all_images"]


def _rarest(bench: Bench) -> list[str]:
    counts = training_faces(bench.train).class_counts()
    return sorted(counts, key=lambda name: counts[name])[:RARE]


def _rare(bench: Bench, figures: Result | None) -> float | None:
    return None if figures is None else float(np.mean([figures["recall"][name] for name in _rarest(bench)]))


def _claim(bench: Bench, results: Results) -> str:
    found = {}
    for ratio in bench.budget.ratios:
        if all(_result(results, *arm, ratio) for arm in (METRIC, SUPERVISED)):
            halves = _halves(bench, ratio)
            supervised, metric = (
                head_answers(bench.kept_of(_name(objective, ratio)), head, halves)
                for objective, head in (SUPERVISED, METRIC)
            )
            found[ratio] = JudgedSplit.compare(supervised, metric, bench.classes)["all_images"]
    evidence = "; ".join(
        f"1:{ratio} {points(each['balanced_difference'], each['balanced_interval'])}" for ratio, each in found.items()
    )
    return claim(
        "metric learning is more robust to class imbalance than what supervised learning does about it",
        decided([each["balanced_interval"] for each in found.values()]),
        evidence
        and f"balanced accuracy of k-NN with class shares divided out, less that of balanced softmax: {evidence}",
    )


def picture(bench: Bench, rows: list[Row], results: Results) -> Figure:
    drawn: dict[str, Lines] = {"recall of the rarest three": {}, "balanced accuracy": {}}
    for objective, head in ARMS:
        figures = {ratio: _result(results, objective, head, ratio) for ratio in bench.budget.ratios}
        measured = {ratio: each for ratio, each in figures.items() if each}
        if measured:
            name = f"{OBJECTIVES[objective].said}, {HEADS[head]}"
            rare = [_rare(bench, each) or 0.0 for each in measured.values()]
            drawn["recall of the rarest three"][name] = ([*measured], rare)
            drawn["balanced accuracy"][name] = ([*measured], [each["balanced_accuracy"] for each in measured.values()])
    return panels(drawn, "imbalance, 1 to", log=True)
