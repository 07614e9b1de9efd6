"""Ensembles of the systems: four ways to make one answer of many, with neighbours among the members and without."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.suite import trainings
from benchmarks.suite.answers import METHODS, Members, best_member, ensemble_answers
from benchmarks.suite.bench import Bench, digest
from benchmarks.suite.pictures import PANELS, Points, places
from benchmarks.suite.records import NotYet, Result, Row
from benchmarks.suite.splits import Asked, JudgedSplit
from benchmarks.suite.tables.common import Results, cells, claim, decided, header, percent, points
from benchmarks.suite.tables.systems import COLUMNS, STARRED, figure_cells

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Ensembles"
SETS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "ce": ("every backbone, cross-entropy", lambda network: network.endswith("-ce")),
    "supcon": ("every backbone, cross-entropy + SupCon", lambda network: network.endswith("-ce-supcon")),
    "small": (
        "`small`, every objective",
        lambda network: network.startswith("small-") and network != trainings.SHIPPED,
    ),
    "everything": ("everything trained here", lambda network: network != trainings.SHIPPED),
    "shipped": ("everything, and `small` as it ships", lambda network: True),
}
WITH = {"without-knn": "softmax and SVM heads", "with-knn": "and k-NN"}
BEST = "calibrated voting"
"""The method whose two ensembles, with neighbours and without, decide the claim."""


def rows(bench: Bench) -> list[Row]:
    found = []
    for chosen in SETS:
        for neighbours in WITH:
            for method in METHODS:
                names = _members(bench, chosen, neighbours)
                config = {"members": {name: digest(row.config) for name, row in names.items()}, "method": method}
                name = f"{chosen}.{neighbours}.{method.replace(' ', '-')}"
                found.append(Row("ensembles", name, config, partial(_measure, bench, names, method)))
    return found


def _members(bench: Bench, chosen: str, neighbours: str) -> dict[str, Row]:
    """Heads by name, of the networks that have been trained so far, each with the row that keeps its answers."""
    return {
        f"{row.name}.{head}": row
        for row in trainings.rows(bench)
        if row.name not in bench.functions and SETS[chosen][1](row.name) and bench.records.read(row) is not None
        for head in row.config["heads"]
        if head in ("softmax", "svm") or (head == "knn" and neighbours == "with-knn")
    }


def _answers(bench: Bench, names: dict[str, Row]) -> Members:
    if len(names) < 2:
        raise NotYet("fewer than two of its members have been run")
    kept = {row.name: bench.answers(row) for row in names.values()}
    return {name: (kept[row.name], name.rpartition(".")[2]) for name, row in names.items()}


def _measure(bench: Bench, names: dict[str, Row], method: str) -> Result:
    members = _answers(bench, names)
    together = ensemble_answers(members, method, bench.halves)
    best, alone = best_member(members, bench.halves)
    return JudgedSplit.judge(together, bench.classes) | {
        "members": len(members),
        "best_member": {"names": best, **JudgedSplit.judge(alone, bench.classes, resamples=0)},
        "against_best": JudgedSplit.compare(alone, together, bench.classes),
    }


def lines(bench: Bench, rows: list[Row], results: Results) -> list[str]:
    said = [
        "Of the networks that have been trained so far. Members answer uncalibrated; each half of the validation split "
        "fits calibrations and weights for the other, which is judged. Soft voting, the student project's way (its "
        "ensemble: 72.9, with the remark above), is the mean of probabilities as they are. The sum of raw scores adds "
        "logits, margins and vote shares as they come. The best member is the one that the selecting half finds most "
        "accurate; p is McNemar's, against it, over all images. " + STARRED,
        "",
        *header(("networks", "members", "how", "best member", "p", *COLUMNS), 2 + len(COLUMNS)),
    ]
    for row in rows:
        result = results.get(row.path)
        chosen, neighbours, method = row.name.split(".")
        count = f" ({result['members']})" if result else ""
        names = [SETS[chosen][0], WITH[neighbours] + count, method.replace("-", " ")]
        said.append(cells([*names, *_against(result), *figure_cells(result)]))
    return [*said, "", _claim(bench, results)]


def _against(result: Result | None) -> tuple[str, str]:
    if result is None:
        return "", ""
    p = result["against_best"]["all_images"]["mcnemar"]["p"]
    return percent(result["best_member"]["all_images"]["accuracy"]), f"{p:.3f}" if p >= 0.001 else "< 0.001"


def _claim(bench: Bench, results: Results) -> str:
    found = {}
    for chosen, (title, _) in SETS.items():
        names = [f"ensembles/{chosen}.{neighbours}.{BEST.replace(' ', '-')}" for neighbours in WITH]
        if chosen != "shipped" and all(name in results for name in names):
            without, beside = (_asked(bench, chosen, neighbours) for neighbours in WITH)
            found[title] = JudgedSplit.compare(without, beside, bench.classes)["all_images"]
    evidence = "; ".join(f"{title} {points(each['difference'], each['interval'])}" for title, each in found.items())
    return claim(
        "embeddings ensemble nicely with supervised classifiers",
        decided([each["interval"] for each in found.values()]),
        evidence and f"accuracy of {BEST} with k-NN members, less without: {evidence}",
    )


def _asked(bench: Bench, chosen: str, neighbours: str) -> Asked:
    return ensemble_answers(_answers(bench, _members(bench, chosen, neighbours)), BEST, bench.halves)


def picture(bench: Bench, rows: list[Row], results: Results) -> Figure:
    labels: list[str] = []
    drawn: dict[str, dict[str, Points]] = {title: {} for title in PANELS.values()}
    for row in (row for row in rows if row.path in results):
        chosen, neighbours, method = row.name.split(".")
        label = f"{SETS[chosen][0]}: {WITH[neighbours]}".replace("`", "")
        labels += [] if label in labels else [label]
        for where, title in PANELS.items():
            for name, figures in (
                (method.replace("-", " "), results[row.path]),
                ("best member", _best(results[row.path])),
            ):
                x, y = drawn[title].setdefault(name, ([], []))
                x.append(100 * figures[where]["accuracy"])
                y.append(labels.index(label))
    return places(labels, drawn, "accuracy, %")


def _best(result: Result) -> Result:
    best: Result = result["best_member"]
    return best
