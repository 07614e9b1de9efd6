"""What can be said of each face's class without its label, by a regression on the embeddings of others."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedGroupKFold

from ferembed.estimators import SoftmaxHead
from ferembed.progress import progress

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

FOLDS = 5


def out_of_fold_softmax(
    embeddings: ArrayLike,
    labels: ArrayLike,
    classes: int,
    *,
    groups: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    seed: int = 0,
) -> Floats:
    """Class probabilities of softmax regressions on the embeddings, each fitted without the rows it answers for.

    Parameters
    ----------
    embeddings : array-like, shape (n, d)
    labels : array-like of int, shape (n,)
    classes : int
    groups : array-like of int, shape (n,), optional
        Rows of one group stay in one fold.
    weights : array-like of float, shape (n,), optional
        Of each row where it is fitted.
    seed : int
        Of the division into :data:`FOLDS` folds, fewer where a class has fewer groups.

    Returns
    -------
    ndarray of float64, shape (n, classes)
        Equal probabilities where a fold is all there is to learn from.
    """
    vectors, given = np.asarray(embeddings, np.float32), np.asarray(labels, np.int64)
    own = np.arange(len(given)) if groups is None else np.asarray(groups, np.int64)
    trust = np.ones(len(given)) if weights is None else np.asarray(weights, np.float64)
    proba = np.full((len(given), classes), 1 / classes)
    folds = min([FOLDS, *_groups_each(given, own)[1].tolist()])
    if folds < 2 or not len(given):
        return proba
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with progress("Fitting without each fold", folds) as report:
        for done, (fitted, held) in enumerate(splitter.split(vectors, given, own), start=1):
            if len(np.unique(given[fitted])) > 1:
                head = SoftmaxHead().fit(vectors[fitted], given[fitted], sample_weight=trust[fitted])
                proba[held] = 0
                proba[np.ix_(held, head.classes_)] = head.predict_proba(vectors[held])
            report(done)
    return proba


def judged_classes(labels: Ids, groups: Ids) -> Ids:
    """Classes of two groups or more, of which one can be judged by the other; none where there is one such class."""
    classes, counts = _groups_each(labels, groups)
    judged = classes[counts > 1]
    return judged if len(judged) > 1 else judged[:0]


def _groups_each(labels: Ids, groups: Ids) -> tuple[Ids, Ids]:
    """The classes that have rows, and how many groups each has."""
    return np.unique(np.unique(np.stack([labels, groups]), axis=1)[0], return_counts=True)
