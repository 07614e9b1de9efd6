"""Long-tailed training: what becomes of the rare classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from benchmarks.suite.bench import Bench
from benchmarks.suite.pictures import Lines, panels
from benchmarks.suite.records import Result, Row
from benchmarks.suite.splits import training_faces
from benchmarks.suite.tables.common import HEADS, LEARNT, Results, cells, head_row, header, percent, probed
from benchmarks.suite.variants import long_tailed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Imbalance"
RARE = 3
ARMS = (
    ("softmax", "softmax"),
    ("weighted", "softmax"),
    ("supcon", "knn"),
    ("supcon", "balanced-knn"),
    ("joint", "vote"),
)


def rows(bench: Bench) -> list[Row]:
    found = []
    for ratio in bench.budget.ratios:
        train, selection = long_tailed(bench.parts.train, ratio), long_tailed(bench.parts.selection, ratio)
        trainings = {
            objective: bench.training_on(bench.budget.probe, objective, train, selection, f"tail{ratio}")
            for objective in dict.fromkeys(objective for objective, _ in ARMS)
        }
        found += [
            head_row("imbalance", _name(objective, head, ratio), bench, trainings[objective], head)
            for objective, head in ARMS
        ]
    return found


def lines(bench: Bench, rows: list[Row], results: Results) -> list[str]:
    ratios = bench.budget.ratios
    sizes = ", ".join(
        f"{len(training_faces(long_tailed(bench.parts.train, ratio))):,} faces at 1:{ratio}" for ratio in ratios
    )
    columns = [f"{figure} 1:{ratio}" for figure in ("rare recall", "balanced", "accuracy") for ratio in ratios]
    said = [
        f"{probed(bench)}, on seeded subsets whose "
        f"class counts fall geometrically ({sizes}); the selection split falls alike, the test split stays as it is. "
        f"Rare recall is the mean recall of the {RARE} rarest classes ({', '.join(_rarest(bench))}). All in percent, "
        "over all test images.",
        "",
        *header(("learns by", "head", *columns), len(columns)),
    ]
    for objective, head in ARMS:
        found = [results.get(f"imbalance/{_name(objective, head, ratio)}") for ratio in ratios]
        figures = [percent(figure(bench, result)) for figure in (_rare, _balanced, _accuracy) for result in found]
        said.append(cells([LEARNT[objective], HEADS[head], *figures]))
    return said


def picture(bench: Bench, rows: list[Row], results: Results) -> Figure:
    drawn: dict[str, Lines] = {}
    for title, figure in (("recall of the rarest three", _rare), ("balanced accuracy", _balanced)):
        drawn[title] = {}
        for objective, head in ARMS:
            ratios = [each for each in bench.budget.ratios if f"imbalance/{_name(objective, head, each)}" in results]
            if ratios:
                values = [figure(bench, results[f"imbalance/{_name(objective, head, each)}"]) or 0.0 for each in ratios]
                drawn[title][f"{LEARNT[objective]}, {HEADS[head]}"] = (ratios, values)
    return panels(drawn, "imbalance, 1 to", log=True)


def _name(objective: str, head: str, ratio: int) -> str:
    return f"{objective}.{head}.1-{ratio}"


def _rarest(bench: Bench) -> list[str]:
    counts = training_faces(bench.parts.train).class_counts()
    return sorted(counts, key=lambda name: counts[name])[:RARE]


def _rare(bench: Bench, result: Result | None) -> float | None:
    if result is None:
        return None
    return float(np.mean([result["all_images"]["recall"][name] for name in _rarest(bench)]))


def _balanced(bench: Bench, result: Result | None) -> float | None:
    return None if result is None else result["all_images"]["balanced_accuracy"]


def _accuracy(bench: Bench, result: Result | None) -> float | None:
    return None if result is None else result["all_images"]["accuracy"]
