"""Classifiers over one embedding, each calibrated on the split that selects, and their figures on the test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from benchmarks.suite.splits import SelectionSplit, selecting_faces
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator
from sklearn.svm import LinearSVC

from ferembed import CalibratedClassifier, KNNClassifier, Recognizer
from ferembed.estimators.answers import probabilities_of
from ferembed.recognizer.voters import HeldOut, best_knn, likeliest_method

Vectors = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Gallery:
    """Embeddings of the training faces, with their class numbers."""

    vectors: Vectors
    codes: NDArray[np.int64]

    @classmethod
    def of(cls, recognizer: Recognizer) -> Gallery:
        """A recogniser's."""
        names = recognizer.classes_.tolist()
        codes = np.array([names.index(name) for name in recognizer.gallery_labels.tolist()])
        return cls(recognizer.gallery_embeddings, codes)


def head(name: str, recognizer: Recognizer, selection: SelectionSplit) -> Any:
    """A calibrated classifier over a recogniser's embeddings.

    Parameters
    ----------
    name : {"softmax", "svm", "knn", "vote", "linear-svc", "balanced-knn"}
        The network's own head, trained by cross-entropy or by the squared hinge; the gallery's vote; both;
        scikit-learn's linear SVM, fitted to the gallery; or the gallery's vote with each class's votes divided by its
        share, which is not calibrated, since that would bring the shares back.
    recognizer : Recognizer
        Calibrated on ``selection``.
    selection : SelectionSplit
    """
    if name in ("softmax", "svm", "knn", "vote"):
        return recognizer.voters["softmax" if name == "svm" else name]
    gallery = Gallery.of(recognizer)
    if name == "balanced-knn":
        selected = recognizer.voters["knn"].estimator_
        return KNNClassifier(selected.k_, temperature=selected.temperature_, balanced=True).fit(
            gallery.vectors, gallery.codes
        )
    return calibrated(
        LinearSVC().fit(gallery.vectors, gallery.codes), recognizer.encode(selecting_faces(selection).images), selection
    )


def calibrated(classifier: Any, vectors: Vectors, selection: SelectionSplit) -> CalibratedClassifier:
    """A fitted classifier with the calibration that cross-validation within the selection split finds likeliest."""
    codes = selecting_faces(selection).labels
    answers = probabilities_of(classifier, vectors)
    return CalibratedClassifier.from_answers(classifier, answers, codes, likeliest_method(answers, codes))


def neighbours(gallery: Gallery, vectors: Vectors, selection: SelectionSplit) -> CalibratedClassifier:
    """A k-NN vote whose k, temperature and calibration are selected."""
    knn: KNNClassifier = best_knn(gallery.vectors, gallery.codes, HeldOut(vectors, selecting_faces(selection).labels))
    return calibrated(knn, vectors, selection)


def raw_answers(classifier: Any, selection: Vectors, test: Vectors) -> Mapping[str, Vectors]:
    """What a calibrated classifier's own says before calibration: probabilities, and scores where it has them."""
    own = FrozenEstimator(classifier.estimator_)
    said = {"selection": selection, "test": test}
    answers = {f"{split}_probabilities": probabilities_of(own, vectors) for split, vectors in said.items()}
    if not hasattr(own, "decision_function"):
        return answers | {"test_scores": answers["test_probabilities"]}
    return answers | {"test_scores": np.asarray(own.decision_function(test), np.float64)}
