"""Ensembles of the systems: four ways to make one answer of many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from benchmarks.suite.bench import Bench, digest
from benchmarks.suite.pictures import dots
from benchmarks.suite.records import Result, Row
from benchmarks.suite.splits import SelectionSplit, selecting_faces
from benchmarks.suite.systems import SYSTEMS
from benchmarks.suite.tables import systems
from benchmarks.suite.tables.common import Results, cells, header, percent
from benchmarks.suite.tables.systems import COLUMNS, STARRED, figure_cells
from numpy.typing import NDArray

from ferembed import StackingEnsemble, VotingEnsemble
from ferembed.estimators import FunctionMember
from ferembed.probability import softmax

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Ensembles"
Answers = Mapping[str, Mapping[str, NDArray[Any]]]
"""What each member said of the selection and the test images."""


def members(bench: Bench) -> dict[str, list[Row]]:
    """The ensembles: all heads of each system but its vote, the softmax heads of all systems, and everything."""
    voting = [row for row in systems.rows(bench) if "." in row.name and not row.name.endswith(".vote")]
    sets = {f"all of {name}": [row for row in voting if row.name.startswith(f"{name}.")] for name in SYSTEMS}
    heads = [row for row in voting if row.name.endswith(".softmax.softmax")]
    return sets | {"softmax of all systems": heads, "everything": voting}


def rows(bench: Bench) -> list[Row]:
    found = []
    for title, voting in members(bench).items():
        for method, join in METHODS.items():
            config = {"members": {row.name: digest(row.config) for row in voting}, "method": method, "data": bench.data}
            name = f"{title.replace(' ', '-')}.{method.replace(' ', '-')}"
            found.append(Row("ensembles", name, config, partial(_measure, bench, voting, join)))
    return found


def soft_voting(answers: Answers, selection: SelectionSplit) -> NDArray[Any]:
    """The mean of the members' probabilities, as they are."""
    return np.asarray(np.mean([each["test_probabilities"] for each in answers.values()], axis=0))


def calibrated_voting(answers: Answers, selection: SelectionSplit) -> NDArray[Any]:
    """Calibrated members, with the weights under which the selection split is likeliest."""
    return _fitted(VotingEnsemble, answers, selection)


def stacking(answers: Answers, selection: SelectionSplit) -> NDArray[Any]:
    """A logistic regression over calibrated members, fitted to the selection split."""
    return _fitted(StackingEnsemble, answers, selection)


def raw_sum(answers: Answers, selection: SelectionSplit) -> NDArray[Any]:
    """The softmax of the sum of logits, margins and vote shares, whatever their scales."""
    return softmax(np.sum([each["test_scores"] for each in answers.values()], axis=0))


METHODS: dict[str, Callable[[Answers, SelectionSplit], NDArray[Any]]] = {
    "sum of raw scores": raw_sum,
    "soft voting": soft_voting,
    "calibrated voting": calibrated_voting,
    "stacking": stacking,
}


def _fitted(kind: Any, answers: Answers, selection: SelectionSplit) -> NDArray[Any]:
    """Rows of ``X`` are numbers of images: first the selection's, then the test's."""
    labels = selecting_faces(selection).labels

    def member(said: Mapping[str, NDArray[Any]]) -> FunctionMember:
        table = np.concatenate([said["selection_probabilities"], said["test_probabilities"]])
        return FunctionMember(lambda numbers: table[numbers], range(table.shape[1]))

    joined = kind([(name.replace(".", " "), member(said)) for name, said in answers.items()])
    total = len(labels) + len(next(iter(answers.values()))["test_probabilities"])
    proba: NDArray[Any] = joined.fit(np.arange(len(labels)), labels).predict_proba(np.arange(len(labels), total))
    return proba


def _measure(bench: Bench, voting: list[Row], join: Callable[[Answers, SelectionSplit], NDArray[Any]]) -> Result:
    answers = {row.name: bench.answers(row.name, row.config) for row in voting}
    selection = bench.parts.selection
    return bench.parts.test.judge(join(answers, selection), selecting_faces(selection).classes)


def lines(bench: Bench, rows: list[Row], results: Results) -> list[str]:
    said = [
        "Members answer uncalibrated; calibrated voting and stacking fit calibrations and weights to the selection "
        "split. The sum of raw scores adds logits, margins and vote shares as they come, and is shown as its softmax. "
        "The best member is the one most accurate on the test: a figure to compare with, not one to choose by. "
        + STARRED,
        "",
        *header(("members", "how", "best member", *COLUMNS), 1 + len(COLUMNS)),
    ]
    for row, (title, voting, method) in zip(rows, _made_of(bench), strict=True):
        best = _best_member(voting, results)
        said.append(cells([f"{title} ({len(voting)})", method, best, *figure_cells(results.get(row.path))]))
    return said


def picture(bench: Bench, rows: list[Row], results: Results) -> Figure:
    made_of = [(title, method) for title, _, method in _made_of(bench)]
    shown = [(row.path, title) for row, title in zip(rows, made_of, strict=True) if row.path in results]
    accuracy = {
        label: [results[path][where]["accuracy"] for path, _ in shown]
        for where, label in (("all_images", "all images"), ("without_copies", "without copies"))
    }
    return dots([", ".join(title) for _, title in shown], accuracy, "accuracy on the test split")


def _made_of(bench: Bench) -> list[tuple[str, list[Row], str]]:
    """Title, members and method of each row, in order."""
    return [(title, voting, method) for title, voting in members(bench).items() for method in METHODS]


def _best_member(voting: list[Row], results: Results) -> str:
    if any(row.path not in results for row in voting):
        return ""
    return percent(max(results[row.path]["all_images"]["accuracy"] for row in voting))
