"""Runs that were trained in full, with the whole training split: cross-fitted on the validation split."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.suite.bench import Bench, Vectors
from benchmarks.suite.heads import Gallery, calibrated, neighbours, raw_answers
from benchmarks.suite.pictures import dots
from benchmarks.suite.records import NotYet, Result, Row
from benchmarks.suite.splits import SelectionSplit, TestSplit, halves, selecting_faces
from benchmarks.suite.tables.common import HEADS, Results, cells, header
from benchmarks.suite.tables.ensembles import METHODS
from benchmarks.suite.tables.systems import COLUMNS, STARRED, figure_cells
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator

from ferembed import Recognizer, VotingEnsemble
from ferembed.runs.pipeline import RUN

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Recognisers trained in full"
Voters = Mapping[str, Any]


def rows(bench: Bench) -> list[Row]:
    """Each run's own voters, then ensembles of all runs' heads and neighbours."""
    made_from = {run: _run_info(run) for run in bench.budget.finished}
    found = []
    for run, info in made_from.items():
        for head in ("softmax", "knn", "vote"):
            config = {"run": run, "info": info, "head": head, "data": bench.data}
            found.append(Row("finished", f"{Path(run).name}.{head}", config, partial(_alone, bench, run, head)))
    for method in METHODS if len(made_from) > 1 else ():
        config = {"runs": made_from, "method": method, "data": bench.data}
        found.append(Row("finished", f"all.{method.replace(' ', '-')}", config, partial(_together, bench, method)))
    return found


def _run_info(run: str) -> Any:
    """What the run was made of; None where there is none."""
    file = Path(run) / RUN
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def _alone(bench: Bench, run: str, head: str) -> Result:
    recognizer, asked = _load(run), []
    for selection, test in halves(bench.faces):
        vectors, queries = _vectors(recognizer, selection, test)
        asked.append((test, _voters(recognizer, vectors, selection)[head].predict_proba(queries)))
    return TestSplit.judge_all(asked, recognizer.classes_.tolist())


def _together(bench: Bench, method: str) -> Result:
    recognizers, asked = {run: _load(run) for run in bench.budget.finished}, []
    classes = recognizers[bench.budget.finished[0]].classes_.tolist()
    for selection, test in halves(bench.faces):
        answers: dict[str, Mapping[str, NDArray[Any]]] = {}
        for run, recognizer in recognizers.items():
            vectors, queries = _vectors(recognizer, selection, test)
            voters = _voters(recognizer, vectors, selection)
            answers |= {f"{run} {head}": raw_answers(voters[head], vectors, queries) for head in ("softmax", "knn")}
        asked.append((test, METHODS[method](answers, selection)))
    return TestSplit.judge_all(asked, classes)


def _load(run: str) -> Recognizer:
    if not (Path(run) / RUN).is_file():
        raise NotYet(f"{run} holds no finished run")
    return Recognizer.load(run)


def _vectors(recognizer: Recognizer, selection: SelectionSplit, test: TestSplit) -> tuple[Vectors, Vectors]:
    return recognizer.encode(selecting_faces(selection).images), recognizer.encode(test.images)


def _voters(recognizer: Recognizer, vectors: Vectors, selection: SelectionSplit) -> Voters:
    """The recogniser's head and gallery, with k, temperature, calibration and weights selected anew."""
    softmax = calibrated(recognizer.voters["softmax"].estimator_, vectors, selection)
    knn = neighbours(Gallery.of(recognizer), vectors, selection)
    members = [("softmax", FrozenEstimator(softmax)), ("knn", FrozenEstimator(knn))]
    vote = VotingEnsemble(members, calibration=None).fit(vectors, selecting_faces(selection).labels)
    return {"softmax": softmax, "knn": knn, "vote": vote}


def lines(bench: Bench, rows: list[Row], results: Results) -> list[str]:
    return [
        "Trained on all of the training split by `ferembed train`. Each half of the validation split selects k, "
        "temperature, calibration and weights for the other half, which is judged; the epoch was selected on the whole "
        "of it when the run was made, so that these figures flatter, and are not to be set beside the other tables'. "
        "The ensembles join softmax and k-NN of all runs. " + STARRED,
        "",
        *header(("run", "head", *COLUMNS), len(COLUMNS)),
        *(cells([*_named(row.name), *figure_cells(results.get(row.path))]) for row in rows),
    ]


def picture(bench: Bench, rows: list[Row], results: Results) -> Figure:
    shown = [row for row in rows if row.path in results]
    accuracy = {
        title: [results[row.path][where]["accuracy"] for row in shown]
        for where, title in (("all_images", "all images"), ("without_copies", "without copies"))
    }
    return dots([", ".join(_named(row.name)) for row in shown], accuracy, "accuracy on the validation split")


def _named(name: str) -> tuple[str, str]:
    run, _, head = name.partition(".")
    return ("all runs", head.replace("-", " ")) if run == "all" else (f"`{run}`", HEADS[head])
