"""The voters of a recogniser: a softmax head and a k-NN vote, calibrated and pooled on rows they were not fitted to."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ferembed.estimators import CalibratedClassifier, KNNClassifier, SoftmaxHead, VotingEnsemble
from ferembed.estimators.calibration import CalibrationMethod, fit_calibration
from ferembed.estimators.likelihood import fit_softmax_map, quiet, warn_of_little
from ferembed.probability import Codes, Floats, first_of_the_best, most_probable, pool_probabilities

NEIGHBOURS = (5, 10, 20, 50, 100, 200)
TEMPERATURES = (0.05, 0.1)

MAX_LOSS = 0.0025
"""Share of held-out faces of trained classes that may lose their right name to an enrolled class.

Half of the 0.5 points that are promised, since the same faces fit the calibration.
"""

ENOUGH = 25
"""Held-out faces of the rarest class from which on more than a temperature is fitted."""

METHODS: tuple[CalibrationMethod, ...] = ("temperature", "joint_isotonic")
"""Neither changes which class is the most probable."""
_FOLDS = 5
_STEPS = 12  # weights of enrolled faces that are tried, each half of the one but one before

_STEADY = 1e-6


class HeldOut(NamedTuple):
    """Faces that the encoder and the voters were not fitted to."""

    embeddings: NDArray[np.float32]
    """Unit vectors, shape (n, d)."""
    codes: NDArray[np.int64]
    """Class numbers, shape (n,)."""


class Voters(NamedTuple):
    """Calibrated classifiers over embeddings, whose labels are class numbers."""

    softmax: CalibratedClassifier
    knn: CalibratedClassifier
    vote: VotingEnsemble


@quiet()
def best_knn(
    gallery: NDArray[np.float32],
    codes: NDArray[np.int64],
    held_out: HeldOut,
    votes: NDArray[np.float32] | None = None,
) -> KNNClassifier:
    """The k and temperature that, once calibrated, make the held-out labels likeliest; of equals, the lowest.

    Where ``votes``, shape (n, c), are given, the gallery's faces vote for them in place of their classes ``codes``. The
    gallery's own labels cannot choose: the encoder was trained on them, so its neighbours look surer than they are.
    """
    from sklearn.metrics import log_loss

    tried = [
        KNNClassifier(k, temperature=temperature).fit(gallery, codes, votes=votes)
        for k in NEIGHBOURS
        if k <= len(gallery)
        for temperature in TEMPERATURES
    ]

    def loss(knn: KNNClassifier) -> float:
        calibrated = CalibratedClassifier(FrozenEstimator(knn)).fit(*held_out)
        return float(log_loss(held_out.codes, calibrated.predict_proba(held_out.embeddings), labels=knn.classes_))

    return tried[first_of_the_best([loss(knn) for knn in tried])]


# Hundreds of small matrix products only lose by threads, on a busy machine more than tenfold.
@threadpool_limits.wrap(limits=1, user_api="blas")  # type: ignore[untyped-decorator]
def calibrated_voters(
    head: SoftmaxHead, knn: KNNClassifier, held_out: HeldOut, enrolled: NDArray[np.int64] | None = None
) -> Voters:
    """Calibrate both classifiers and weigh their votes.

    Parameters
    ----------
    head : SoftmaxHead
        Over the classes 0 to t - 1 that it was trained for.
    knn : KNNClassifier
        Over the classes 0 to c - 1: those beyond the head's are enrolled, and the head is widened by them.
    held_out : HeldOut
        Faces of the trained classes.
    enrolled : ndarray of int64, optional
        Gallery rows that were enrolled after training. They are held out in part: the k-NN is asked about each without
        it, the head about each fifth without that fifth.

    Notes
    -----
    Each member is calibrated by the method that :func:`likeliest_method` finds on its answers.

    With enrolled classes each member is calibrated by vector scaling. A few enrolled faces among thousands of others
    make a class so rare that it is hardly ever named; counted as often as an average class, they may take names from
    it. So each enrolled face counts as many times as keeps within :data:`MAX_LOSS`, at most until its class is as
    frequent as the average trained one. The probabilities are those under this prior.
    """
    warn_of_little("Calibrating the voters was given", len(held_out.codes))
    with quiet():
        return _calibrated(head, knn, held_out, np.zeros(0, np.int64) if enrolled is None else enrolled)


def _calibrated(head: SoftmaxHead, knn: KNNClassifier, held_out: HeldOut, rows: NDArray[np.int64]) -> Voters:
    trained = len(head.classes_)
    asked = HeldOut(
        np.concatenate([held_out.embeddings, knn.index_.reconstruct(rows)]),
        np.concatenate([held_out.codes, knn.gallery_.codes[rows]]),
    )
    answers = [
        widened_answers(head, *asked, len(knn.classes_)),
        np.concatenate([knn.predict_proba(held_out.embeddings), knn.leave_one_out(rows)]),
    ]
    members = widened(head, *asked, len(knn.classes_)), knn
    if len(knn.classes_) == trained:
        return _pooled(members, answers, asked.codes, [likeliest_method(said, asked.codes) for said in answers])[0]
    heaviest = _fair_weights(asked.codes, trained)

    @cache
    def fitted(step: int) -> tuple[Voters, Floats]:
        weights = np.where(asked.codes >= trained, heaviest * 2.0 ** (-step / 2), 1.0)
        return _pooled(members, answers, asked.codes, ["vector", "vector"], weights)

    def bearable(step: int) -> bool:
        return renamed(fitted(step)[1], asked.codes, trained) <= MAX_LOSS

    return fitted(bisect_left(range(_STEPS - 1), True, key=bearable))[0]


def likeliest_method(answers: Floats, codes: Codes) -> CalibrationMethod:
    """The calibration under which labels it was not fitted to are likeliest, in five folds of the held-out faces.

    Parameters
    ----------
    answers : ndarray of float64, shape (n, c)
        A classifier's probabilities of rows that it was not fitted to.
    codes : ndarray of int, shape (n,)
        Columns of the true classes.

    Returns
    -------
    {"temperature", "joint_isotonic"}
        ``"temperature"``, which has one parameter, where a class has fewer than :data:`ENOUGH` rows, and where the
        other is no better.
    """
    from sklearn.metrics import log_loss
    from sklearn.model_selection import StratifiedKFold

    classes = np.arange(answers.shape[1])
    if np.bincount(codes, minlength=len(classes)).min() < ENOUGH:
        return "temperature"
    folds = list(StratifiedKFold(_FOLDS, shuffle=True, random_state=0).split(answers, codes))

    def loss(method: CalibrationMethod) -> float:
        unseen = np.empty(answers.shape)
        for fitted, asked in folds:
            unseen[asked] = fit_calibration(method, answers[fitted], codes[fitted])(answers[asked])
        return float(log_loss(codes, unseen, labels=classes))

    return METHODS[first_of_the_best([loss(method) for method in METHODS])]


def renamed(proba: Floats, codes: Codes, trained: int) -> float:
    """The share of faces of trained classes 0 to ``trained`` - 1 that lose their right name to an enrolled class."""
    old = codes < trained
    right = most_probable(proba[old, :trained]) == codes[old]
    return float((right & (most_probable(proba[old]) >= trained)).mean())


def _pooled(
    members: tuple[Any, Any],
    answers: list[Floats],
    codes: Codes,
    methods: Sequence[CalibrationMethod],
    weights: Floats | None = None,
) -> tuple[Voters, Floats]:
    """The voters, and what their vote says of the rows."""
    softmax, knn = (
        CalibratedClassifier.from_answers(member, said, codes, method, weights)
        for member, said, method in zip(members, answers, methods, strict=True)
    )
    stack = np.stack([softmax.calibration_(answers[0]), knn.calibration_(answers[1])])
    vote = VotingEnsemble.from_answers({"softmax": softmax, "knn": knn}, list(stack), codes, weights, calibration=None)
    return Voters(softmax, knn, vote), pool_probabilities(stack, vote.weights_, vote.pool)


def _fair_weights(codes: Codes, trained: int) -> Floats:
    """The weight, at least 1, under which each row's class would be as frequent as the average trained one."""
    counts = np.bincount(codes)
    fair = counts[:trained].sum() / trained
    return np.asarray(np.maximum(fair / np.maximum(counts, 1), 1.0)[codes])


def widened(head: SoftmaxHead, embeddings: NDArray[Any], codes: Codes, classes: int) -> SoftmaxHead:
    """The head with columns for the classes 0 to ``classes`` - 1, of which it has the first.

    The new columns make the labels likeliest under a squared-norm penalty of 1/2, as in scikit-learn's
    ``LogisticRegression(C=1)``. Where there is no new class, the head itself.

    Parameters
    ----------
    head : SoftmaxHead
        Over the classes 0 to t - 1.
    embeddings : ndarray of float, shape (n, d)
        Of old classes and new ones.
    codes : ndarray of int, shape (n,)
        Class numbers, 0 to ``classes`` - 1.
    classes : int
        At least t.

    Examples
    --------
    >>> head = SoftmaxHead.from_weights([[4.0, 0.0], [-4.0, 0.0]], [0.0, 0.0], [0, 1])
    >>> X = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]] * 5)
    >>> widened(head, X, np.tile([0, 1, 2], 5), 3).predict(X[:3]).tolist()
    [0, 1, 2]
    """
    trained = len(head.classes_)
    if classes == trained:
        return head
    start = np.zeros((classes, embeddings.shape[1] + 1))
    start[:trained] = np.column_stack([head.coef_, head.intercept_])
    free = np.zeros(start.shape, dtype=bool)
    free[trained:] = True
    penalty = np.full(start.shape, 0.5 / len(codes))
    penalty[:, -1] = _STEADY
    found = fit_softmax_map(embeddings.astype(np.float64), np.eye(classes)[codes], start, penalty, free=free)
    return SoftmaxHead.from_weights(found[:, :-1], found[:, -1], np.arange(classes))


def widened_answers(head: SoftmaxHead, embeddings: NDArray[Any], codes: Codes, classes: int) -> Floats:
    """What the widened head says of each row, (n, ``classes``), where its new columns were learnt without that row.

    Five folds, each with its share of every class.
    """
    folds = np.empty(len(codes), np.int64)
    folds[np.argsort(codes, kind="stable")] = np.arange(len(codes)) % _FOLDS
    answers = np.empty((len(codes), classes))
    for fold in range(_FOLDS):
        asked = folds == fold
        if asked.any():
            answers[asked] = widened(head, embeddings[~asked], codes[~asked], classes).predict_proba(embeddings[asked])
    return answers
