"""An expression the network never saw, learnt from a few faces without training."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from benchmarks.suite.bench import Bench, Training
from benchmarks.suite.budgets import SHOTS
from benchmarks.suite.heads import Gallery
from benchmarks.suite.pictures import Lines, panels
from benchmarks.suite.records import Result, Row
from benchmarks.suite.splits import training_faces
from benchmarks.suite.tables.common import Results, cells, header, percent, probed, spread
from benchmarks.suite.variants import without
from numpy.typing import NDArray

import ferembed as fe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Few-shot enrolment"
Vectors = NDArray[np.float32]


def rows(bench: Bench) -> list[Row]:
    found, parts, probe = [], bench.parts, bench.budget.probe
    for stranger in bench.budget.strangers:
        training = bench.training_on(
            probe, "joint", without(parts.train, stranger), without(parts.selection, stranger), f"without-{stranger}"
        )
        config = {"training": training.config, "data": bench.data, "shots": list(SHOTS), "draws": bench.budget.draws}
        found.append(Row("enrolment", f"{probe}.{stranger}", config, partial(_measure, bench, training, stranger)))
    return found


def _measure(bench: Bench, training: Training, stranger: str) -> Result:
    recognizer, _, test = bench.vectors(training)
    train = training_faces(bench.parts.train)
    pool = train.subset(train.labels == train.classes.index(stranger))
    trained = recognizer.classes_.tolist()
    classes = [*trained, stranger]
    gallery = Gallery.of(recognizer)
    before = np.hstack([recognizer.voters["vote"].predict_proba(test), np.zeros((len(test), 1))])
    trials = []
    for shots in SHOTS:
        for draw in range(bench.budget.draws):
            chosen = pool.subset(np.random.default_rng([shots, draw]).choice(len(pool), shots, replace=False))
            for arm, answer in ARMS.items():
                if shots < 2 and arm == ENROLLED:
                    continue
                proba = answer(recognizer, gallery, stranger, chosen, test)
                trials.append({"arm": arm, "shots": shots, "draw": draw} | _figures(bench, proba, classes))
    return {"before": _figures(bench, before, classes), "trials": trials}


def _figures(bench: Bench, proba: NDArray[Any], classes: list[str]) -> dict[str, float]:
    figures, stranger = bench.parts.test.judge(proba, classes, resamples=0)["all_images"], classes[-1]
    return {
        "recall": figures["recall"][stranger],
        "auroc": bench.parts.test.judge_score(proba[:, -1], stranger),
        "balanced_accuracy": figures["balanced_accuracy"],
        "old_recall": float(np.mean([figures["recall"][name] for name in classes[:-1]])),
    }


def _enroll(
    recognizer: fe.Recognizer, gallery: Gallery, name: str, faces: fe.FaceDataset, test: Vectors
) -> NDArray[Any]:
    """The recogniser's own way, which calibrates again; it forgets afterwards."""
    recognizer.enroll(name, faces.images, save=False)
    proba: NDArray[Any] = recognizer.voters["vote"].predict_proba(test)
    recognizer.forget(name, save=False)
    return proba


def _neighbours(
    recognizer: fe.Recognizer, gallery: Gallery, name: str, faces: fe.FaceDataset, test: Vectors
) -> NDArray[Any]:
    """The gallery with the new faces; each class's votes are divided by its share."""
    knn = recognizer.voters["knn"].estimator_
    balanced = fe.KNNClassifier(knn.k_, temperature=knn.temperature_, balanced=True)
    return balanced.fit(*_joined(recognizer, gallery, faces)).predict_proba(test)


def _prototypes(
    recognizer: fe.Recognizer, gallery: Gallery, name: str, faces: fe.FaceDataset, test: Vectors
) -> NDArray[Any]:
    """The nearest class mean (Snell et al. 2017)."""
    vectors, codes = _joined(recognizer, gallery, faces)
    return fe.KNNClassifier(int(codes.max()) + 1, prototypes=1).fit(vectors, codes).predict_proba(test)


def _probe(
    recognizer: fe.Recognizer, gallery: Gallery, name: str, faces: fe.FaceDataset, test: Vectors
) -> NDArray[Any]:
    """A logistic regression over gallery and new faces, fitted anew, its classes weighted alike."""
    vectors, codes = _joined(recognizer, gallery, faces)
    return fe.SoftmaxHead(class_weight="balanced").fit(vectors, codes).predict_proba(test)


def _joined(recognizer: fe.Recognizer, gallery: Gallery, faces: fe.FaceDataset) -> tuple[Vectors, NDArray[np.int64]]:
    new = len(recognizer.classes_)
    vectors = np.concatenate([gallery.vectors, recognizer.encode(faces.images)])
    return vectors, np.concatenate([gallery.codes, np.full(len(faces), new)])


ENROLLED = "recognizer.enroll (calibrated vote)"
ARMS: dict[str, Callable[[fe.Recognizer, Gallery, str, fe.FaceDataset, Vectors], NDArray[Any]]] = {
    ENROLLED: _enroll,
    "k-NN, class shares divided out": _neighbours,
    "nearest prototype": _prototypes,
    "linear probe, classes weighted": _probe,
}


def lines(bench: Bench, rows: list[Row], results: Results) -> list[str]:
    figures = {"recall": "recall", "auroc": "AUROC", "balanced_accuracy": "balanced accuracy of all"}
    said = [
        f"{probed(bench)} on all expressions but "
        f"one, which is then enrolled with so many faces drawn from the training split: mean of {bench.budget.draws} "
        "draws, smallest and largest in brackets. Nothing is trained but the probe's weights. AUROC tells the "
        "expression's faces from all others by its probability. `enroll` needs two faces. In percent, over all test "
        "images.",
    ]
    for row in rows:
        result, stranger = results.get(row.path), row.name.split(".")[1]
        said += ["", f"Held out: **{stranger}**", "", *header(("figure", "by", *map(str, SHOTS)), len(SHOTS))]
        for figure, title in figures.items():
            said += [cells([title, arm, *(spread(_values(result, arm, n, figure)) for n in SHOTS)]) for arm in ARMS]
        said += [
            cells(
                [
                    "recall of the others, " + _before(result),
                    arm,
                    *(spread(_values(result, arm, n, "old_recall")) for n in SHOTS),
                ]
            )
            for arm in ARMS
        ]
    return said


def picture(bench: Bench, rows: list[Row], results: Results) -> Figure:
    drawn: dict[str, Lines] = {}
    for row in rows:
        for figure, title in (("auroc", "AUROC"), ("balanced_accuracy", "balanced accuracy")):
            if row.path in results:
                drawn[f"{row.name.split('.')[1]}: {title}"] = {
                    arm: _means(results[row.path], arm, figure) for arm in ARMS
                }
    return panels(drawn, "faces enrolled", log=True)


def _before(result: Result | None) -> str:
    return f"{percent(result['before']['old_recall'])} before" if result else ""


def _values(result: Result | None, arm: str, shots: int, figure: str) -> list[float]:
    trials = result["trials"] if result else []
    return [each[figure] for each in trials if (each["arm"], each["shots"]) == (arm, shots)]


def _means(result: Result, arm: str, figure: str) -> tuple[list[float], list[float]]:
    values = {float(n): _values(result, arm, n, figure) for n in SHOTS}
    return [n for n, each in values.items() if each], [float(np.mean(each)) for each in values.values() if each]
