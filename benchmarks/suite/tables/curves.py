"""How the vote depends on k and on its temperature."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.suite.bench import Bench, Training
from benchmarks.suite.heads import Gallery
from benchmarks.suite.pictures import Lines, panels
from benchmarks.suite.records import Result, Row
from benchmarks.suite.splits import selecting_faces
from benchmarks.suite.tables.common import Results, cells, header, percent, probed
from sklearn.frozen import FrozenEstimator

from ferembed import CalibratedClassifier, KNNClassifier, evaluate_probabilities

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
OBJECTIVES = ("softmax", "supcon", "joint")


def rows(bench: Bench) -> list[Row]:
    probe, found = bench.budget.probe, []
    for objective in OBJECTIVES:
        training = bench.training(probe, objective)
        config = {"training": training.config, "data": bench.data, "k": list(NEIGHBOURS), "votes": list(VOTES)}
        found.append(Row("curves", f"{probe}.{objective}", config, partial(_measure, bench, training)))
    return found


def _measure(bench: Bench, training: Training) -> Result:
    recognizer, selection, test = bench.vectors(training)
    gallery, classes = Gallery.of(recognizer), recognizer.classes_.tolist()
    codes = selecting_faces(training.selection).labels
    chosen = recognizer.voters["knn"].estimator_
    points = []
    for name, vote in VOTES.items():
        for k in NEIGHBOURS:
            knn = KNNClassifier(k, **vote).fit(gallery.vectors, gallery.codes)
            said = CalibratedClassifier(FrozenEstimator(knn)).fit(selection, codes)
            selected = evaluate_probabilities(codes, said.predict_proba(selection), range(len(classes)))
            judged = bench.parts.test.judge(said.predict_proba(test), classes, resamples=0)["all_images"]
            points.append(
                {
                    "vote": name,
                    "k": k,
                    "selection": {"accuracy": selected.accuracy, "nll": selected.nll},
                    "test": {"accuracy": judged["accuracy"], "nll": judged["nll"]},
                }
            )
    return {"chosen": {"k": chosen.k_, "temperature": chosen.temperature_}, "points": points}


def lines(bench: Bench, rows: list[Row], results: Results) -> list[str]:
    said = [
        f"{probed(bench)}, each vote calibrated by "
        "a temperature on the selection split. The recogniser chose by likelihood on the selection split; the test's "
        "columns show what the choice cost, and chose nothing. Accuracies in percent.",
    ]
    for row in rows:
        result = results.get(row.path)
        chosen = f": chose k = {result['chosen']['k']}, temperature {result['chosen']['temperature']}" if result else ""
        said += ["", f"`{row.name}`{chosen}", "", *header(("vote", "", *map(str, NEIGHBOURS)), len(NEIGHBOURS))]
        for vote in VOTES:
            for split in ("selection", "test"):
                values = [percent(_point(result, vote, k)[split]["accuracy"]) if result else "" for k in NEIGHBOURS]
                said.append(cells([vote, split, *values]))
    return said


def picture(bench: Bench, rows: list[Row], results: Results) -> Figure:
    drawn: dict[str, Lines] = {}
    for row in rows:
        if row.path in results:
            for split, figure in (("selection", "nll"), ("test", "nll"), ("test", "accuracy")):
                drawn[f"{row.name}, {split}: {figure.replace('nll', 'NLL')}"] = {
                    vote: ([*NEIGHBOURS], [_point(results[row.path], vote, k)[split][figure] for k in NEIGHBOURS])
                    for vote in VOTES
                }
    return panels(drawn, "neighbours", log=True)


def _point(result: Result, vote: str, k: int) -> Any:
    return next(point for point in result["points"] if (point["vote"], point["k"]) == (vote, k))
