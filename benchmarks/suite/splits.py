"""Who may see what: the parts of a data set as three types, so that nothing that selects can be given the test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from ferembed import FaceDataset, Metrics, evaluate_probabilities
from ferembed.data.known import near_copies, photo_groups
from ferembed.evaluation import auroc

RESAMPLES = 1000
CARVED = 10
"""One in so many training faces selects where the test split would otherwise have to."""

Floats = NDArray[np.floating[Any]]


class SplitError(TypeError):
    """A split was given where another kind belongs."""


@dataclass(frozen=True, eq=False)
class TrainSplit:
    """Faces that train networks and stand in galleries."""

    faces: FaceDataset


@dataclass(frozen=True, eq=False)
class SelectionSplit:
    """Faces that choose epochs, k and temperatures, calibrate, and weigh votes."""

    faces: FaceDataset


class TestSplit:
    """Faces that are only judged: anyone may ask about the images, and nothing but :meth:`judge` sees the labels.

    Parameters
    ----------
    faces : FaceDataset
    seen : FaceDataset
        All faces that train or select: a test face is fresh if none of them is identical or known to show its photo.
    """

    __test__ = False  # for pytest

    def __init__(self, faces: FaceDataset, seen: FaceDataset) -> None:
        if np.isin(faces.ids, seen.ids).any():
            raise SplitError("a face of the test split also trains or selects: the splits must be disjoint.")
        self.__faces = faces
        copied = np.isin(faces.pixel_hashes, seen.pixel_hashes) | near_copies(faces.hashes, seen.hashes)
        self.__fresh = ~copied

    def __len__(self) -> int:
        return len(self.__faces)

    @property
    def images(self) -> NDArray[np.uint8]:
        """Pixels, shape (n, h, w)."""
        return np.asarray(self.__faces.images)

    @property
    def fresh(self) -> int:
        """Number of faces without a copy among those that train or select."""
        return int(self.__fresh.sum())

    def judge(self, proba: Floats, classes: Sequence[str], *, resamples: int = RESAMPLES) -> dict[str, Any]:
        """Figures of probabilities (n, c) over all images, and over the fresh ones; JSON values."""
        return self.judge_all([(self, proba)], classes, resamples=resamples)

    @staticmethod
    def judge_all(
        asked: Sequence[tuple[TestSplit, Floats]], classes: Sequence[str], *, resamples: int = RESAMPLES
    ) -> dict[str, Any]:
        """The same figures over several test splits, each with its own probabilities, as if they were one."""
        names = np.concatenate([np.array(each.__faces.classes)[each.__faces.labels] for each, _ in asked])
        proba = np.concatenate([said for _, said in asked])
        fresh = np.concatenate([each.__fresh for each, _ in asked])
        return {
            "all_images": _figures(evaluate_probabilities(names, proba, classes, resamples=resamples)),
            "without_copies": _figures(
                evaluate_probabilities(names[fresh], proba[fresh], classes, resamples=resamples)
            ),
        }

    def judge_score(self, scores: Floats, name: str) -> float:
        """How well a score (n,) tells the faces of one expression from the others: area under the ROC curve."""
        of_it = self.__faces.labels == self.__faces.classes.index(name)
        return auroc(scores[of_it], scores[~of_it])


@dataclass(frozen=True, eq=False)
class Parts:
    """A data set, divided."""

    train: TrainSplit
    selection: SelectionSplit
    test: TestSplit
    said: str
    """How, in a sentence for the tables."""


def divide(faces: FaceDataset) -> Parts:
    """Training, selection and test of a data set.

    Where there is no test split, as in a FER2013 without PrivateTest, the validation split is the test, and a tenth of
    the training faces selects, no photo on both sides.
    """
    faces = faces.subset(~faces.blank | (faces.splits != "train"))
    train = faces.split("train")
    if "test" in faces.split_names:
        selection, test = faces.split("validation").without_blank(), faces.split("test")
        said = "the training split trains, the validation split selects, the test split is judged"
    else:
        folds = StratifiedGroupKFold(CARVED, shuffle=True, random_state=0)
        kept, carved = next(folds.split(train.labels, train.labels, photo_groups(train.hashes)))
        train, selection, test = train.subset(kept), train.subset(carved), faces.split("validation")
        said = (
            "nine tenths of the training split train, one tenth, sharing no known photo with them, selects, "
            "and the validation split is judged as a test"
        )
    seen = faces.subset(np.isin(faces.ids, np.concatenate([train.ids, selection.ids])))
    counts = f" ({len(train)}, {len(selection)} and {len(test)} faces)"
    return Parts(TrainSplit(train), SelectionSplit(selection), TestSplit(test, seen), said + counts)


def halves(faces: FaceDataset) -> list[tuple[SelectionSplit, TestSplit]]:
    """The validation split halved, no photo in both halves: each half selects for the other, which is judged."""
    train, validation = faces.split("train"), faces.split("validation").without_blank()
    folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
    divided = [rows for _, rows in folds.split(validation.labels, validation.labels, photo_groups(validation.hashes))]
    found = []
    for selecting, judged in (divided, divided[::-1]):
        seen = faces.subset(np.isin(faces.ids, np.concatenate([train.ids, validation.ids[selecting]])))
        found.append((SelectionSplit(validation.subset(selecting)), TestSplit(validation.subset(judged), seen)))
    return found


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
