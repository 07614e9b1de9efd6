"""How the vote depends on k and on its temperature."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from benchmarks.suite.bench import Bench, Training
from benchmarks.suite.budgets import PROBE
from benchmarks.suite.kept import Gallery, selected_knn
from benchmarks.suite.pictures import Lines, panels
from benchmarks.suite.records import Result, Row
from benchmarks.suite.splits import JudgedSplit, selecting_faces
from benchmarks.suite.tables.common import Results, cells, claim, header, percent
from benchmarks.suite.trainings import HEADS

from ferembed import KNNClassifier
from ferembed.estimators.calibration import fit_calibration

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "k and temperature"
NEIGHBOURS = (1, 2, 5, 10, 20, 50, 100, 200)
VOTES: dict[str, dict[str, Any]] = {
    "temperature 0.02": {"temperature": 0.02},
    "temperature 0.05": {"temperature": 0.05},
    "temperature 0.1": {"temperature": 0.1},
    "temperature 0.3": {"temperature": 0.3},
    "uniform": {"weights": "uniform"},
}
OBJECTIVES = ("ce", "ce-supcon")
BEFORE = "uncalibrated"
BEARABLE = 0.05
"""An expected calibration error up to which votes are called probabilities."""
FIGURES = {"accuracy": "accuracy", "nll": "NLL", "ece": "ECE"}


def rows(bench: Bench) -> list[Row]:
    found = []
    for objective in OBJECTIVES:
        training = bench.training(PROBE, objective, HEADS[objective])
        config = {"training": training.config, "k": list(NEIGHBOURS), "votes": list(VOTES)}
        found.append(Row("curves", training.name, config, partial(_measure, bench, training)))
    return found


def _measure(bench: Bench, training: Training) -> Result:
    recognizer = bench.recognizer(training)
    gallery, vectors = Gallery.of(recognizer), recognizer.encode(bench.asked.images)
    chosen = [selected_knn(gallery, vectors, half) for half in bench.halves]
    points = []
    for name, vote in VOTES.items():
        for k in (k for k in NEIGHBOURS if k <= len(gallery.vectors)):
            said = KNNClassifier(k, **vote).fit(gallery.vectors, gallery.codes).predict_proba(vectors)
            points.append({"vote": name, "k": k, **_figures(bench, said)})
    return {"chosen": [{"k": knn.k_, "temperature": knn.temperature_} for knn in chosen], "points": points}


def _figures(bench: Bench, said: Any) -> dict[str, Any]:
    calibrated, plain = [], []
    for half in bench.halves:
        codes = selecting_faces(half.selection).labels
        calibration = fit_calibration("temperature", said[half.selecting], codes)
        calibrated.append((half.judged, np.asarray(calibration(said[half.asked]))))
        plain.append((half.judged, said[half.asked]))
    judged = {
        title: JudgedSplit.judge(asked, bench.classes, resamples=0)["all_images"]
        for title, asked in (("calibrated", calibrated), (BEFORE, plain))
    }
    return {title: {name: figures[name] for name in FIGURES} for title, figures in judged.items()}


def lines(bench: Bench, rows: list[Row], results: Results) -> list[str]:
    said = [
        f"`{PROBE}`; each vote calibrated by a temperature on one half of the validation split and judged on the "
        "other. Each half chose a k and a temperature by likelihood for the other; the columns show what the choice "
        f"cost, and chose nothing. What errs by an ECE of {BEARABLE} at most is called probabilities here. Accuracies "
        "in percent, over all images.",
    ]
    for row in rows:
        result = results.get(row.path)
        halves = [f"k = {each['k']}, temperature {each['temperature']}" for each in result["chosen"]] if result else []
        chosen = f": the halves chose {' and '.join(halves)}" if halves else ""
        said += ["", f"`{row.name}`{chosen}", "", *header(("vote", "", *map(str, NEIGHBOURS)), len(NEIGHBOURS))]
        for vote in VOTES:
            for figure, title in FIGURES.items():
                found = [_point(result, vote, k) for k in NEIGHBOURS]
                values = [each and each["calibrated"][figure] for each in found]
                written = map(percent, values) if figure == "accuracy" else (f"{v:.3f}" if v else "" for v in values)
                said.append(cells([vote, title, *written]))
    return [*said, "", _claim(rows, results)]


def _claim(rows: list[Row], results: Results) -> str:
    found = {}
    for row in rows:
        if row.path in results:
            points = [p for p in results[row.path]["points"] if p["vote"] == "temperature 0.1" and p["k"] >= 50]
            found[row.name] = min(points, key=lambda point: float(point["calibrated"]["nll"]))
    evidence = "; ".join(
        f"{name} with k = {point['k']}: NLL {point['calibrated']['nll']:.3f} after {point[BEFORE]['nll']:.3f} before, "
        f"ECE {point['calibrated']['ece']:.3f} after {point[BEFORE]['ece']:.3f}"
        for name, point in found.items()
    )
    wrong = [point["calibrated"]["ece"] > BEARABLE for point in found.values()]
    true = True if wrong and all(wrong) else False if wrong and not any(wrong) else None
    return claim("metric learning gives no probabilities", true, evidence and f"votes before and after: {evidence}")


def picture(bench: Bench, rows: list[Row], results: Results) -> Figure:
    drawn: dict[str, Lines] = {}
    for row in rows:
        if row.path in results:
            for figure in ("accuracy", "nll"):
                drawn[f"{row.name}: {FIGURES[figure]}"] = {
                    vote: _line(results[row.path], vote, figure) for vote in VOTES
                }
    return panels(drawn, "neighbours", log=True)


def _line(result: Result, vote: str, figure: str) -> tuple[list[float], list[float]]:
    points = [point for point in result["points"] if point["vote"] == vote]
    return [point["k"] for point in points], [point["calibrated"][figure] for point in points]


def _point(result: Result | None, vote: str, k: int) -> Any:
    points = result["points"] if result else []
    return next((point for point in points if (point["vote"], point["k"]) == (vote, k)), None)
