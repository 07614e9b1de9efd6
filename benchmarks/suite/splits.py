"""Who may see what: roles of faces as types, so that nothing that selects can be given a test split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from ferembed import FaceDataset, Metrics, evaluate_probabilities
from ferembed.data.known import near_copies, photo_groups
from ferembed.evaluation import compare_probabilities
from ferembed.evaluation.ranking import auroc_difference, one_against_rest

RESAMPLES = 1000

Floats = NDArray[np.floating[Any]]
Rows = NDArray[np.int64]


class SplitError(TypeError):
    """Faces of a split were given where another belongs."""


@dataclass(frozen=True, eq=False)
class _Role:
    faces: FaceDataset
    _split: ClassVar[str]
    _does: ClassVar[str]

    def __post_init__(self) -> None:
        others = sorted(set(self.faces.splits.tolist()) - {self._split})
        if others:
            raise SplitError(f"{self._does}; some of these faces are of the split {' and '.join(others)}.")


@dataclass(frozen=True, eq=False)
class TrainSplit(_Role):
    """Faces that train networks and stand in galleries."""

    _split = "train"
    _does = "only the split train trains"


@dataclass(frozen=True, eq=False)
class SelectionSplit(_Role):
    """Faces that choose epochs, k and temperatures, calibrate, and weigh votes."""

    _split = "validation"
    _does = "only the split validation selects, since a test that selected is no test"


class JudgedSplit:
    """Faces that are only judged: anyone may ask about the images, and nothing but the figures sees the labels.

    Parameters
    ----------
    faces : FaceDataset
    train : TrainSplit
        A face is fresh if none of these is identical or known to show its photo.
    selecting : SelectionSplit
        What selects for these faces.

    Raises
    ------
    SplitError
        If a face also trains or selects.
    """

    def __init__(self, faces: FaceDataset, train: TrainSplit, selecting: SelectionSplit) -> None:
        seen = train.faces
        if np.isin(faces.ids, np.concatenate([seen.ids, selecting.faces.ids])).any():
            raise SplitError("a judged face also trains or selects: the splits must be disjoint.")
        self.__faces = faces
        self.__fresh = ~(np.isin(faces.pixel_hashes, seen.pixel_hashes) | near_copies(faces.hashes, seen.hashes))

    def __len__(self) -> int:
        return len(self.__faces)

    @property
    def images(self) -> NDArray[np.uint8]:
        """Pixels, shape (n, h, w)."""
        return np.asarray(self.__faces.images)

    @property
    def fresh(self) -> int:
        """Number of faces without a copy among those that train."""
        return int(self.__fresh.sum())

    @staticmethod
    def judge(asked: Asked, classes: Sequence[str], *, resamples: int = RESAMPLES) -> dict[str, Any]:
        """Figures over all images of several splits as if they were one, and over the fresh ones; JSON values."""
        names, fresh = JudgedSplit.__labels(asked)
        proba = np.concatenate([said for _, said in asked])
        return {
            title: _figures(evaluate_probabilities(names[rows], proba[rows], classes, resamples=resamples))
            for title, rows in _both(fresh)
        }

    @staticmethod
    def compare(first: Asked, second: Asked, classes: Sequence[str]) -> dict[str, Any]:
        """The second's accuracy less the first's, over all images and over the fresh ones, with McNemar's test."""
        names, fresh = JudgedSplit.__labels(first)
        one, two = (np.concatenate([said for _, said in asked]) for asked in (first, second))
        found = {}
        for title, rows in _both(fresh):
            paired = compare_probabilities(names[rows], one[rows], two[rows], classes, resamples=1)
            test = paired.mcnemar
            found[title] = {
                "difference": paired.differences["accuracy"].difference,
                "interval": paired.differences["accuracy"].interval,
                "balanced_difference": paired.differences["balanced_accuracy"].difference,
                "balanced_interval": paired.differences["balanced_accuracy"].interval,
                "mcnemar": {"only_first": test.only_first, "only_second": test.only_second, "p": test.p_value},
            }
        return found

    def judge_score(self, scores: Floats, name: str) -> float:
        """How well a score (n,) tells the faces of one expression from the others: area under the ROC curve."""
        return self.__ranked(scores[:, None], name)[0]

    @staticmethod
    def compare_scores(first: Asked, second: Asked, name: str) -> dict[str, Any]:
        """How much better the second's scores (n, m) tell the faces of one expression from the others than the first's:
        the difference of their areas under the ROC curve, mean over the m trials and over the splits, with its 95%
        interval over the images (DeLong et al. 1988); JSON values."""
        differences, parts = [], []
        for (judged, one), (_, two) in zip(first, second, strict=True):
            (area, errors), (other, its_errors) = (judged.__ranked(scores, name) for scores in (one, two))
            differences.append(other - area)
            parts.append((its_errors - errors) / len(first))
        difference = float(np.mean(differences))
        return {"difference": difference, "interval": auroc_difference(difference, np.concatenate(parts))}

    def __ranked(self, scores: Floats, name: str) -> tuple[float, Floats]:
        rest = np.array(self.__faces.labels != self.__faces.classes.index(name), dtype=np.int64)
        trials = [one_against_rest(np.stack([each, -each], axis=1).astype(np.float64), rest) for each in scores.T]
        errors: Floats = np.mean([each.parts[:, 0] for each in trials], axis=0)
        return float(np.mean([each.by_class[0] for each in trials])), errors

    @staticmethod
    def __labels(asked: Asked) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        names = [np.array(each.__faces.classes)[each.__faces.labels] for each, _ in asked]
        return np.concatenate(names), np.concatenate([each.__fresh for each, _ in asked])


Asked = Sequence[tuple[JudgedSplit, Floats]]
"""Splits, each with probabilities (n, c) of its images."""


def _both(fresh: NDArray[np.bool_]) -> list[tuple[str, Rows]]:
    return [("all_images", np.arange(len(fresh))), ("without_copies", np.flatnonzero(fresh))]


@dataclass(frozen=True, eq=False)
class Half:
    """Half of the validation split selects for the other, which is judged."""

    selection: SelectionSplit
    judged: JudgedSplit
    selecting: Rows
    """Which rows of the validation split, without blank images, select."""
    asked: Rows
    """Which are judged."""


def halves(train: TrainSplit, validation: SelectionSplit) -> tuple[Half, Half]:
    """Both ways round to halve the validation split, no photo in both halves."""
    faces = validation.faces.without_blank()
    folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
    first, second = (rows for _, rows in folds.split(faces.labels, faces.labels, photo_groups(faces.hashes)))

    def half(selecting: Rows, asked: Rows) -> Half:
        selection = SelectionSplit(faces.subset(selecting))
        return Half(selection, JudgedSplit(faces.subset(asked), train, selection), selecting, asked)

    return half(first, second), half(second, first)


def training_faces(part: TrainSplit) -> FaceDataset:
    """The faces of the split that trains.

    Raises
    ------
    SplitError
        If it is another split.
    """
    if not isinstance(part, TrainSplit):
        raise SplitError(f"training takes a TrainSplit, not a {type(part).__name__}.")
    return part.faces


def selecting_faces(part: SelectionSplit) -> FaceDataset:
    """The faces of the split that selects.

    Raises
    ------
    SplitError
        If it is another split: what was trained on looks too good, and a test that selected is no test.
    """
    if not isinstance(part, SelectionSplit):
        raise SplitError(
            f"epochs, k, temperatures, calibrations and vote weights are selected on a SelectionSplit, "
            f"not on a {type(part).__name__}."
        )
    return part.faces


def _figures(metrics: Metrics) -> dict[str, Any]:
    names = ("accuracy", "balanced_accuracy", "macro_f1", "nll", "brier", "ece", "count")
    return {name: getattr(metrics, name) for name in names} | {
        "accuracy_interval": metrics.intervals.get("accuracy"),
        "recall": {name: each.recall for name, each in metrics.per_class.items()},
    }
