"""What a trained network said of the validation images, kept without its weights: figures, ensembles and pictures are
made of it again in seconds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.suite.splits import Half, selecting_faces
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file
from sklearn.svm import LinearSVC

from ferembed import FaceDataset, KNNClassifier, Recognizer
from ferembed.probability import softmax
from ferembed.recognizer.voters import HeldOut, best_knn
from ferembed.storage import atomic_path

Vectors = NDArray[np.float32]
VOTES = ("knn", "balanced-knn")
"""Heads that answer with vote shares, the others with scores; their k and temperature are chosen by each half."""


@dataclass(frozen=True)
class Gallery:
    """Embeddings of the training faces, with their class numbers and, where they vote otherwise, their votes (n, c)."""

    vectors: Vectors
    codes: NDArray[np.int64]
    votes: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, recognizer: Recognizer) -> Gallery:
        """A recogniser's."""
        names = recognizer.classes_.tolist()
        codes = np.array([names.index(name) for name in recognizer.gallery_labels.tolist()])
        return cls(recognizer.gallery_embeddings, codes, recognizer.voters["knn"].estimator_.gallery_.votes)


@dataclass(frozen=True)
class Kept:
    """What the heads of one network said, before any calibration.

    Attributes
    ----------
    scores : dict of str to ndarray, shape (n, c) or (2, n, c)
        By head: logits or margins of the ``n`` validation images that are not blank; vote shares, by the k and the
        temperature that the first and that the second half chose.
    embeddings : ndarray of shape (n, d), optional
    """

    scores: Mapping[str, NDArray[Any]]
    embeddings: Vectors | None = None

    def probabilities(self, head: str, half: int) -> NDArray[np.float64]:
        """Distributions, shape (n, c), of which the half chose what there was to choose."""
        said = np.asarray(self.scores[head], np.float64)
        if head in VOTES:
            shares: NDArray[np.float64] = said[half] / said[half].sum(axis=1, keepdims=True)
            return shares
        return softmax(said)

    def raw(self, head: str, half: int) -> NDArray[np.float64]:
        """Logits, margins or vote shares as they came, shape (n, c)."""
        return np.asarray(self.scores[head][half] if head in VOTES else self.scores[head], np.float64)

    def write(self, file: Path, validation: FaceDataset) -> None:
        """Write in half precision; the header says whose answers and which columns they are."""
        arrays = {**self.scores, **({} if self.embeddings is None else {"embeddings": self.embeddings})}
        halved = {name: np.ascontiguousarray(array, np.float16) for name, array in arrays.items()}
        header = {"classes": json.dumps(list(validation.classes)), "data": validation.fingerprint}
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(file) as draft:
            save_file(halved, draft, header)

    @classmethod
    def read(cls, file: Path, validation: FaceDataset) -> Kept:
        """Read what :meth:`write` wrote.

        Raises
        ------
        ValueError
            If it speaks of other images.
        """
        with safe_open(file, "numpy") as opened:
            header = opened.metadata() or {}
            scores = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  no mapping
        if header.get("data") != validation.fingerprint:
            raise ValueError(f"{file} holds answers to other validation images than those of this data set.")
        return cls(scores, scores.pop("embeddings", None))


def ask(recognizer: Recognizer, heads: Sequence[str], halves: Sequence[Half], faces: FaceDataset) -> Kept:
    """What a recogniser's heads say of the validation images.

    Parameters
    ----------
    recognizer : Recognizer
    heads : sequence of {"softmax", "svm", "knn", "balanced-knn"}
        The network's own head; scikit-learn's linear SVM, fitted to the gallery's embeddings; the gallery's vote; and
        beside it the same with each class's votes divided by its share of the gallery.
    halves : sequence of Half
        Each chooses the k and the temperature of a vote.
    faces : FaceDataset
        The validation images that are not blank.

    Raises
    ------
    ValueError
        If the recogniser knows other classes than the images have.
    """
    if recognizer.classes_.tolist() != list(faces.classes):
        raise ValueError(f"the recogniser names {recognizer.classes_.tolist()}, not {list(faces.classes)}.")
    vectors, gallery = recognizer.encode(faces.images), Gallery.of(recognizer)
    scores: dict[str, NDArray[Any]] = {}
    if "softmax" in heads:
        scores["softmax"] = recognizer.voters["softmax"].estimator_.decision_function(vectors)
    if "svm" in heads:
        scores["svm"] = LinearSVC().fit(gallery.vectors, gallery.codes).decision_function(vectors)
    if "knn" in heads:
        chosen = [selected_knn(gallery, vectors, half) for half in halves]
        scores["knn"] = np.stack([knn.predict_proba(vectors) for knn in chosen])
        if "balanced-knn" in heads:
            alike = [KNNClassifier(knn.k_, temperature=knn.temperature_, balanced=True) for knn in chosen]
            fitted = [knn.fit(gallery.vectors, gallery.codes, votes=gallery.votes) for knn in alike]
            scores["balanced-knn"] = np.stack([knn.predict_proba(vectors) for knn in fitted])
    return Kept(scores, vectors)


def selected_knn(gallery: Gallery, vectors: Vectors, half: Half) -> KNNClassifier:
    """The vote whose k and temperature a half chooses; ``vectors`` are those of all validation images."""
    codes = selecting_faces(half.selection).labels
    return best_knn(gallery.vectors, gallery.codes, HeldOut(vectors[half.selecting], codes), gallery.votes)
