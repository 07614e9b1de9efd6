"""An expression the network never saw, learnt from a few faces without training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from benchmarks.suite.bench import Bench, Training
from benchmarks.suite.budgets import PROBE
from benchmarks.suite.kept import Gallery, Vectors
from benchmarks.suite.pictures import Lines, panels
from benchmarks.suite.records import Result, Row
from benchmarks.suite.splits import Asked, JudgedSplit, selecting_faces, training_faces
from benchmarks.suite.systems import OBJECTIVES
from benchmarks.suite.tables.common import Results, cells, claim, counted, decided, header, percent, points, spread
from benchmarks.suite.variants import without
from numpy.typing import NDArray

import ferembed as fe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Few-shot enrolment"
OBJECTIVE = "ce-supcon"
CLAIMED = 10
"""Faces that the claim is judged by."""


def rows(bench: Bench) -> list[Row]:
    found = []
    for stranger in bench.budget.strangers:
        train, validation = without(bench.train, stranger), without(bench.validation, stranger)
        training = bench.training_on(OBJECTIVE, train, validation, f"without-{stranger}", PROBE)
        config = training.config | {
            "stranger": stranger,
            "shots": list(bench.budget.shots),
            "draws": bench.budget.draws,
            "arms": list(ARMS),
            "compared": [PROBED, PROTOTYPES],
        }
        found.append(Row("enrolment", training.name, config, partial(_measure, bench, training, stranger)))
    return found


def _measure(bench: Bench, training: Training, stranger: str) -> Result:
    recognizer = bench.recognizer(training)
    train = training_faces(bench.train).without_blank()
    pool = train.subset(train.labels == train.classes.index(stranger))
    classes = [*recognizer.classes_.tolist(), stranger]
    gallery = Gallery.of(recognizer)
    before: list[Any] = []
    answers: dict[tuple[str, int, int], list[Any]] = {}
    for half in bench.halves:
        recognizer.calibrate(selecting_faces(without(half.selection, stranger)), save=False)
        test = recognizer.encode(half.judged.images)
        known = recognizer.voters["vote"].predict_proba(test)
        before.append((half.judged, np.hstack([known, np.zeros((len(test), 1))])))
        for shots in bench.budget.shots:
            for draw in range(bench.budget.draws):
                chosen = pool.subset(np.random.default_rng([shots, draw]).choice(len(pool), shots, replace=False))
                for arm, answer in ARMS.items():
                    if shots < 2 and arm == ENROLLED:
                        continue
                    proba = answer(recognizer, gallery, stranger, chosen, test)
                    answers.setdefault((arm, shots, draw), []).append((half.judged, proba))
    trials = [
        {"arm": arm, "shots": shots, "draw": draw} | _figures(asked, classes)
        for (arm, shots, draw), asked in answers.items()
    ]
    return {
        "before": _figures(before, classes),
        "trials": trials,
        "prototypes_less_regression": {str(shots): _compared(answers, shots, stranger) for shots in bench.budget.shots},
    }


def _compared(answers: Mapping[tuple[str, int, int], Asked], shots: int, stranger: str) -> dict[str, Any]:
    """The nearest prototype's AUROC less the regression's, of the same faces enrolled."""

    def scores(arm: str) -> Asked:
        draws = [asked for (each, n, _), asked in answers.items() if (each, n) == (arm, shots)]
        return [
            (half[0][0], np.stack([proba[:, -1] for _, proba in half], axis=1)) for half in zip(*draws, strict=True)
        ]

    return JudgedSplit.compare_scores(scores(PROBED), scores(PROTOTYPES), stranger)


def _figures(asked: Asked, classes: list[str]) -> dict[str, float]:
    figures, stranger = JudgedSplit.judge(asked, classes, resamples=0)["all_images"], classes[-1]
    return {
        "recall": figures["recall"][stranger],
        "auroc": float(np.mean([judged.judge_score(proba[:, -1], stranger) for judged, proba in asked])),
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
PROTOTYPES, PROBED = "nearest prototype", "logistic regression, classes weighted"
ARMS: dict[str, Callable[[fe.Recognizer, Gallery, str, fe.FaceDataset, Vectors], NDArray[Any]]] = {
    ENROLLED: _enroll,
    "k-NN, class shares divided out": _neighbours,
    PROTOTYPES: _prototypes,
    PROBED: _probe,
}


def lines(bench: Bench, rows: list[Row], results: Results) -> list[str]:
    shots = bench.budget.shots
    figures = {"recall": "recall", "auroc": "AUROC", "balanced_accuracy": "balanced accuracy of all"}
    said = [
        f"`{PROBE}`, {counted(bench.budget.fewer_epochs, 'epoch')}, {OBJECTIVES[OBJECTIVE].said}, on all expressions "
        "but one, which is then enrolled with so many faces drawn from the training split: mean of "
        f"{counted(bench.budget.draws, 'draw')}, smallest and largest in brackets. "
        "Nothing is trained but the logistic regression. AUROC tells the expression's faces from all others by its "
        "probability; where no new face is among the k nearest, it is 0 and tied. The difference of two stands with "
        "its 95% interval over the images, not over the draws. `enroll` needs two faces. Each half of the validation "
        "split calibrates for the other, without the expression. In percent, over all images.",
    ]
    for row in rows:
        result = results.get(row.path)
        said += [
            "",
            f"Held out: **{row.config['stranger']}**",
            "",
            *header(("figure", "by", *map(str, shots)), len(shots)),
        ]
        for figure, title in {**figures, "old_recall": f"recall of the others{_before(result)}"}.items():
            said += [cells([title, arm, *(spread(_values(result, arm, n, figure)) for n in shots)]) for arm in ARMS]
        said.append(cells(["AUROC, difference", f"{PROTOTYPES}, less {PROBED}", *_differences(result, shots)]))
    return [*said, "", _claim(rows, results)]


def _claim(rows: list[Row], results: Results) -> str:
    """Whether distances tell the expression of ten faces better than a logistic regression; by the prototypes', which
    rank all faces."""
    measured = {row.config["stranger"]: results[row.path] for row in rows if row.path in results}
    found = {name: each["prototypes_less_regression"][str(CLAIMED)] for name, each in measured.items()}
    less = ", ".join(f"{name} {points(each['difference'], each['interval'])}" for name, each in found.items())
    alone = ", ".join(
        f"{name} {percent(float(np.mean(_values(each, PROTOTYPES, CLAIMED, 'auroc'))))}"
        for name, each in measured.items()
    )
    return claim(
        f"semantic similarity tells an expression never seen, by {CLAIMED} faces of it, better than a logistic "
        "regression on the same embeddings",
        decided([each["interval"] for each in found.values()]),
        less and f"AUROC of the nearest prototype less the regression's: {less}; its own, 50 being chance: {alone}",
    )


def picture(bench: Bench, rows: list[Row], results: Results) -> Figure:
    drawn: dict[str, Lines] = {}
    for row in rows:
        for figure, title in (("auroc", "AUROC"), ("balanced_accuracy", "balanced accuracy")):
            if row.path in results:
                drawn[f"{row.config['stranger']}: {title}"] = {
                    arm: _means(results[row.path], bench.budget.shots, arm, figure) for arm in ARMS
                }
    return panels(drawn, "faces enrolled", log=True)


def _differences(result: Result | None, shots: tuple[int, ...]) -> list[str]:
    found = result["prototypes_less_regression"] if result else {}
    return [points(found[str(n)]["difference"], found[str(n)]["interval"]) if found else "" for n in shots]


def _before(result: Result | None) -> str:
    return f", {percent(result['before']['old_recall'])} before" if result else ""


def _values(result: Result | None, arm: str, shots: int, figure: str) -> list[float]:
    trials = result["trials"] if result else []
    return [each[figure] for each in trials if (each["arm"], each["shots"]) == (arm, shots)]


def _means(result: Result, shots: tuple[int, ...], arm: str, figure: str) -> tuple[list[float], list[float]]:
    values = {float(n): _values(result, arm, n, figure) for n in shots}
    return [n for n, each in values.items() if each], [float(np.mean(each)) for each in values.values() if each]
