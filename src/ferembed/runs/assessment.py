"""Judge a recogniser on faces, alone or against another."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from ferembed.data.dataset import DataError, FaceDataset
from ferembed.evaluation import (
    Interval,
    Metrics,
    PairedMetrics,
    PairedRetrieval,
    RetrievalMetrics,
    compare_probabilities,
    compare_retrieval,
    evaluate_probabilities,
)
from ferembed.evaluation.bootstrap import RESAMPLES
from ferembed.evaluation.retrieval import retrieval_metrics
from ferembed.labels import place_of
from ferembed.probability import class_codes
from ferembed.recognizer import VOTE, Recognizer
from ferembed.recognizer.voters import HeldOut, best_knn, calibrated_voters
from ferembed.runs._answers import Answers, answer

if TYPE_CHECKING:
    from ferembed.recognizer.encoding import Views


__all__ = ["Answers", "Comparison", "Evaluation", "answer", "compare", "compare_answers", "evaluate", "judge"]

FOLDS = 5


@dataclass(frozen=True)
class Evaluation:
    """Figures of each voter on one split: over all images, and over those with no copy in the gallery.

    Attributes
    ----------
    split : str
    images, copies, exact_copies : int
        Images judged, those with a copy in the gallery, identical or known to show the same photo, and the identical.
    calibrated_here : bool
        Whether k, temperatures and vote weights were fitted on most of these images.
    views : str
        ``"single"``, ``"flip"`` or ``"ten_crop"``: the looks at each image that were averaged.
    all_images, without_copies : dict of str to Metrics
        Of ``"softmax"``, ``"knn"`` and ``"vote"``; the second is empty where every image is a copy.
    retrieval, retrieval_without_copies : RetrievalMetrics
        Of the images as queries against the gallery; the second is None where every image is a copy.
    """

    primary: ClassVar[str] = "accuracy of the vote over all images"

    split: str
    images: int
    copies: int
    exact_copies: int
    calibrated_here: bool
    views: str
    all_images: dict[str, Metrics]
    without_copies: dict[str, Metrics]
    retrieval: RetrievalMetrics
    retrieval_without_copies: RetrievalMetrics | None

    @property
    def primary_value(self) -> float:
        """The primary metric, 0 to 1; higher is better."""
        return self.all_images[VOTE].accuracy

    @property
    def primary_interval(self) -> Interval | None:
        """Its 95% interval, where there is one."""
        return self.all_images[VOTE].intervals.get("accuracy")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        alone = self.retrieval_without_copies
        return {
            "primary": self.primary,
            "primary_value": self.primary_value,
            "primary_interval": self.primary_interval,
            "split": self.split,
            "images": self.images,
            "copies_in_gallery": self.copies,
            "exact_copies_in_gallery": self.exact_copies,
            "calibrated_on_this_split": self.calibrated_here,
            "views": self.views,
            "all_images": {name: metrics.to_dict() for name, metrics in self.all_images.items()},
            "without_copies": {name: metrics.to_dict() for name, metrics in self.without_copies.items()},
            "retrieval": self.retrieval.to_dict(),
            "retrieval_without_copies": None if alone is None else alone.to_dict(),
        }


@dataclass(frozen=True)
class Comparison:
    """Two recognisers on the same faces, voter by voter; differences are the second's figure less the first's.

    Attributes
    ----------
    split : str
    images, copies : int
        Images judged, and how many of them are pixel for pixel in either gallery.
    views : str
    all_images, without_copies : dict of str to PairedMetrics
        Of ``"softmax"``, ``"knn"`` and ``"vote"``; the second is empty where every image is a copy.
    retrieval, retrieval_without_copies : PairedRetrieval
        Of the images as queries against each recogniser's own gallery; the second is None where every image is a copy.
    """

    split: str
    images: int
    copies: int
    views: str
    all_images: dict[str, PairedMetrics]
    without_copies: dict[str, PairedMetrics]
    retrieval: PairedRetrieval
    retrieval_without_copies: PairedRetrieval | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def evaluate(
    recognizer: Recognizer, faces: FaceDataset, *, views: Views = "single", resamples: int = RESAMPLES, seed: int = 0
) -> Evaluation:
    """Judge the voters of a recogniser, and its embedding, on labelled faces of one split.

    Parameters
    ----------
    recognizer : Recognizer
    faces : FaceDataset
        Its classes must be the recogniser's, in any order. Blank images count like any other. Where the recogniser
        learnt annotators' votes and the faces have them, those with a usable vote are judged by the largest.
    views : {"single", "flip", "ten_crop"}
        Looks at each image whose embeddings are averaged (see :class:`Recognizer`).
    resamples : int
        How often the images are drawn again for those 95% intervals that need it; 0 for no intervals at all.
    seed : int
        Of these draws.

    Raises
    ------
    DataError
        If there are no faces, or one is of a class the recogniser does not know.
    """
    return judge(recognizer, answer(recognizer, faces, views=views), resamples=resamples, seed=seed)


def compare(
    first: Recognizer,
    second: Recognizer,
    faces: FaceDataset,
    *,
    views: Views = "single",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Judge two recognisers on the same faces, with McNemar's test and the interval of each difference.

    Parameters
    ----------
    first, second : Recognizer
        Of the same classes, in any order.
    faces : FaceDataset
    views, resamples, seed
        As for :func:`evaluate`; 1 resample or more.

    Raises
    ------
    DataError
        If the classes differ, or as :func:`evaluate` does.
    """
    answers = answer(first, faces, views=views), answer(second, faces, views=views)
    return compare_answers(*answers, resamples=resamples, seed=seed)


def judge(recognizer: Recognizer, answers: Answers, *, resamples: int = RESAMPLES, seed: int = 0) -> Evaluation:
    """Measure answers; :func:`evaluate` is :func:`answer` and this."""
    names, drawn = np.array(answers.classes)[answers.codes], {"resamples": resamples, "seed": seed}

    def voters(rows: NDArray[np.bool_]) -> dict[str, Metrics]:
        return {
            voter: evaluate_probabilities(names[rows], proba[rows], answers.classes, **drawn)
            for voter, proba in answers.probabilities.items()
        }

    def embedding(rows: NDArray[np.bool_]) -> RetrievalMetrics:
        return retrieval_metrics(answers.retrieved(rows), **drawn)

    everything, fresh = np.ones(len(names), bool), answers.fresh
    return Evaluation(
        split=" + ".join(answers.faces.split_names),
        images=len(names),
        copies=int((~fresh).sum()),
        exact_copies=int(recognizer.copies_in_gallery(answers.faces, exact=True).sum()),
        calibrated_here=bool(recognizer.calibrated_on(answers.faces).mean() > 0.5),
        views=answers.views,
        all_images=voters(everything),
        without_copies=voters(fresh) if fresh.any() else {},
        retrieval=embedding(everything),
        retrieval_without_copies=embedding(fresh) if fresh.any() else None,
    )


def compare_answers(first: Answers, second: Answers, *, resamples: int = RESAMPLES, seed: int = 0) -> Comparison:
    """Measure two recognisers' answers to the same faces; :func:`compare` is :func:`answer`, twice, and this."""
    columns = [place for name in first.classes if (place := place_of(name, second.classes)) is not None]
    if not len(columns) == len(first.classes) == len(second.classes):
        raise DataError(
            f"the first recogniser knows {', '.join(first.classes)}, the second {', '.join(second.classes)}: "
            "only recognisers of the same classes can be compared."
        )
    fresh, drawn = first.fresh & second.fresh, {"resamples": resamples, "seed": seed}

    def paired(rows: NDArray[np.bool_]) -> dict[str, PairedMetrics]:
        names = np.array(first.classes)[first.codes[rows]]
        return {
            voter: compare_probabilities(
                names, proba[rows], second.probabilities[voter][rows][:, columns], first.classes, **drawn
            )
            for voter, proba in first.probabilities.items()
        }

    def embeddings(rows: NDArray[np.bool_]) -> PairedRetrieval:
        return compare_retrieval(first.retrieved(rows), second.retrieved(rows), **drawn)

    everything = np.ones(len(fresh), bool)
    return Comparison(
        split=" + ".join(first.faces.split_names),
        images=len(first.codes),
        copies=int((~fresh).sum()),
        views=first.views,
        all_images=paired(everything),
        without_copies=paired(fresh) if fresh.any() else {},
        retrieval=embeddings(everything),
        retrieval_without_copies=embeddings(fresh) if fresh.any() else None,
    )


def cross_fitted(
    recognizer: Recognizer, answers: Answers, *, folds: int = FOLDS, seed: int = 0
) -> dict[str, NDArray[np.float64]]:
    """Each voter's probabilities of answered faces, by voters that other faces made.

    Each part of the faces is asked of voters whose k, calibration and weights the other parts decided. The encoder is
    the same for all, and so is the epoch that validation chose.

    Parameters
    ----------
    recognizer : Recognizer
        With the classes it was trained for, none enrolled or forgotten.
    answers : Answers
        Of faces that are not in its gallery.
    folds : int
        How many parts the faces are divided into.
    seed : int
        Of the division.

    Returns
    -------
    dict of str to ndarray of float64, shape (n, c)
        For ``"softmax"``, ``"knn"`` and ``"vote"``.
    """
    head, classes = recognizer.trained_head
    gallery, votes = recognizer.gallery_embeddings, recognizer.voters["knn"].estimator_.gallery_.votes
    codes = class_codes(recognizer.gallery_labels, classes)
    proba: dict[str, NDArray[np.float64]] = {}
    division = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for fitted, asked in division.split(answers.embeddings, answers.codes):
        held_out = HeldOut(answers.embeddings[fitted], answers.codes[fitted])
        voters = calibrated_voters(head, best_knn(gallery, codes, held_out, votes), held_out)
        for name, voter in voters._asdict().items():
            rows = proba.setdefault(name, np.empty((len(answers.codes), len(classes))))
            rows[asked] = voter.predict_proba(answers.embeddings[asked])
    return proba
