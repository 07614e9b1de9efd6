"""Training splits made harder: long-tailed, mislabelled, or without an expression. All are seeded."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
from benchmarks.suite.splits import Half, SelectionSplit, TrainSplit
from numpy.typing import NDArray

from ferembed import FaceDataset

Part = TypeVar("Part", TrainSplit, SelectionSplit)


def long_tailed(part: Part, ratio: int) -> Part:
    """A subset whose class counts fall geometrically, in the order of the classes' own, from the largest class to the
    smallest, which has ``ratio`` times fewer faces; as large as the rarest class allows."""
    return type(part)(part.faces.subset(_tail(part.faces, ratio)))


def long_tailed_half(half: Half, ratio: int) -> Half:
    """The same half, of which a long-tailed subset selects and all of the other half is judged."""
    rows = _tail(half.selection.faces, ratio)
    return replace(half, selection=long_tailed(half.selection, ratio), selecting=half.selecting[rows])


def mislabelled(part: TrainSplit, percent: int) -> TrainSplit:
    """Some labels replaced by another class, each as likely; annotators' votes, which would tell, are left out."""
    faces, rng = part.faces, np.random.default_rng(percent)
    rows = rng.permutation(len(faces))[: round(len(faces) * percent / 100)]
    labels = faces.labels.copy()
    labels[rows] = (labels[rows] + rng.integers(1, len(faces.classes), len(rows))) % len(faces.classes)
    return TrainSplit(replace(faces, labels=labels, votes=None, vote_classes=()))


def without(part: Part, expression: str) -> Part:
    """The faces of all other expressions, whose names keep their order."""
    faces = part.faces
    code = faces.classes.index(expression)
    rest = faces.subset(faces.labels != code)
    classes = [name for name in faces.classes if name != expression]
    return type(part)(rest.with_labels(rest.labels - (rest.labels > code), classes))


def _tail(faces: FaceDataset, ratio: int) -> NDArray[np.int64]:
    counts = np.bincount(faces.labels, minlength=len(faces.classes))
    shares = float(ratio) ** (-np.argsort(np.argsort(-counts, kind="stable")) / (len(counts) - 1))
    wanted = np.maximum(np.floor(shares * (counts / shares).min() + 1e-9), 1).astype(int)
    order = np.random.default_rng(ratio).permutation(len(faces))
    place = _place_in_class(faces.labels[order])
    return np.sort(order[place < wanted[faces.labels[order]]])


def _place_in_class(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many rows of its own class come before each."""
    places = np.empty(len(labels), np.int64)
    for code in np.unique(labels):
        rows = np.flatnonzero(labels == code)
        places[rows] = np.arange(len(rows))
    return places
