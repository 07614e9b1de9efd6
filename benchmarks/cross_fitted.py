"""A recogniser's figures where no face calibrates what it is judged by: voters fitted to four fifths, asked the rest.

    python benchmarks/cross_fitted.py small data/fer2013.csv

``ferembed evaluate`` on the validation split judges voters by the faces that chose their k, fitted their calibration
and weighed their vote, which flatters. Here each fifth of the split is judged by voters that the other four made; the
epoch, chosen on the whole split when the run was trained, is all that they share.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

import ferembed as fe
from ferembed.assessment import Answers, answer
from ferembed.estimators.voters import HeldOut, best_knn, calibrated_voters
from ferembed.evaluation import Metrics, evaluate_probabilities

FOLDS = 5
COLUMNS = ("accuracy", "balanced_accuracy", "macro_f1", "nll", "ece")
PERCENT = ("accuracy", "balanced_accuracy", "macro_f1")


def cross_fitted(recognizer: fe.Recognizer, answers: Answers) -> dict[str, NDArray[np.float64]]:
    """Each voter's probabilities (n, c) of the faces that were asked about, by voters that were not fitted to them."""
    head, classes = recognizer.trained_head
    gallery = recognizer.gallery_embeddings
    codes = np.array([classes.index(name) for name in recognizer.gallery_labels])
    proba: dict[str, NDArray[np.float64]] = {}
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    for fitted, asked in folds.split(answers.embeddings, answers.codes):
        held_out = HeldOut(answers.embeddings[fitted], answers.codes[fitted])
        voters = calibrated_voters(head, best_knn(gallery, codes, held_out), held_out)
        for name, voter in voters._asdict().items():
            rows = proba.setdefault(name, np.empty((len(answers.codes), len(classes))))
            rows[asked] = voter.predict_proba(answers.embeddings[asked])
    return proba


def figures(recognizer: fe.Recognizer, faces: fe.FaceDataset) -> Iterator[tuple[str, str, str, Metrics]]:
    """Views, images, voter and its metrics, table row by table row."""
    for views in ("single", "flip"):
        answers = answer(recognizer, faces, views=views)
        names = np.array(answers.classes)[answers.codes]
        everything = np.ones(len(names), bool)
        for voter, proba in cross_fitted(recognizer, answers).items():
            for images, rows in (("all", everything), ("without copies", answers.fresh)):
                metrics = evaluate_probabilities(names[rows], proba[rows], answers.classes, resamples=0)
                yield views, images, voter, metrics


def cells(metrics: Metrics) -> list[str]:
    values: dict[str, Any] = {name: getattr(metrics, name) for name in COLUMNS}
    return [f"{100 * value:.1f}" if name in PERCENT else f"{value:.3f}" for name, value in values.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="a run's folder, an exported file or a shipped name")
    parser.add_argument("data", help="fer2013.csv")
    arguments = parser.parse_args()
    faces = fe.load_dataset(arguments.data).split("validation").without_blank()
    print("| views | images | voter | " + " | ".join(COLUMNS) + " |\n| --- | --- | --- |" + " ---: |" * len(COLUMNS))
    for views, images, voter, metrics in figures(fe.load(arguments.run), faces):
        print(f"| {views} | {images} | {voter} | {' | '.join(cells(metrics))} |", flush=True)


if __name__ == "__main__":
    main()
