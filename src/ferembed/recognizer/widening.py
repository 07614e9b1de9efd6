"""New columns for a trained softmax head, learnt from a few embeddings while the old columns stay as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferembed.estimators.softmax import SoftmaxHead
from ferembed.estimators.softmax_map import fit_softmax_map
from ferembed.probability import Codes, Floats

_FOLDS = 5
_STEADY = 1e-6


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
