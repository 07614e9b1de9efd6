"""What can be said of each face's class without its label: by its neighbours and by a regression."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedGroupKFold

from ferembed.data._progress import progress
from ferembed.estimators import SoftmaxHead
from ferembed.index import make_index

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

NEIGHBOURS = 100
TEMPERATURE = 0.1
FOLDS = 5

_AT_ONCE = 2048
_FOUND_AT_ONCE = 1 << 21


def neighbour_votes(
    embeddings: ArrayLike, labels: ArrayLike, classes: int, *, k: int = NEIGHBOURS, groups: ArrayLike | None = None
) -> Floats:
    """Class shares among each row's nearest other rows, weighted by exp(cosine / :data:`TEMPERATURE`); (n, classes).

    Parameters
    ----------
    embeddings : array-like, shape (n, d)
    labels : array-like of int, shape (n,)
    classes : int
    k : int
        Neighbours, fewer where there are fewer.
    groups : array-like of int, shape (n,), optional
        A row of the same group has no vote.
    """
    vectors, given = np.asarray(embeddings, np.float32), np.asarray(labels, np.int64)
    own = np.arange(len(given)) if groups is None else np.asarray(groups, np.int64)
    index = make_index("auto", vectors.shape[1], expected_size=max(len(vectors), 1))
    index.add(vectors)
    group = np.unique(own, return_inverse=True)[1]
    shares, done = np.zeros((len(given), classes)), 0
    with progress("Asking the neighbours", len(given)) as report:
        for rows, wide in _portions(np.bincount(group, minlength=1)[group] + k):
            found = index.search(vectors[rows], k=min(wide, len(given)))
            free = (own[found.ids] != own[rows, None]) & (found.ids >= 0)
            free &= np.cumsum(free, axis=1) <= k
            weights = np.where(free, np.exp((found.similarities - 1) / TEMPERATURE), 0)
            np.add.at(shares, (np.broadcast_to(rows[:, None], free.shape), given[found.ids]), weights)
            done += len(rows)
            report(done)
    total = shares.sum(axis=1, keepdims=True)
    return np.where(total > 0, shares / np.where(total > 0, total, 1), 1 / classes)


def out_of_fold_softmax(
    embeddings: ArrayLike, labels: ArrayLike, classes: int, *, groups: ArrayLike | None = None, seed: int = 0
) -> Floats:
    """Class probabilities of softmax regressions on the embeddings, each fitted without the rows it answers for.

    Of :data:`FOLDS` folds, fewer where a class has fewer groups; rows of one group stay in one fold. Shape
    (n, classes); equal probabilities where a fold is all there is to learn from.
    """
    vectors, given = np.asarray(embeddings, np.float32), np.asarray(labels, np.int64)
    own = np.arange(len(given)) if groups is None else np.asarray(groups, np.int64)
    proba = np.full((len(given), classes), 1 / classes)
    folds = min([FOLDS, *_groups_each(given, own)[1].tolist()])
    if folds < 2 or not len(given):
        return proba
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with progress("Fitting without each fold", folds) as report:
        for done, (fitted, held) in enumerate(splitter.split(vectors, given, own), start=1):
            if len(np.unique(given[fitted])) > 1:
                head = SoftmaxHead().fit(vectors[fitted], given[fitted])
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


def _portions(wide: Ids) -> Iterator[tuple[Ids, int]]:
    """Rows to search for together and how many neighbours, at least what ``wide`` asks for each; they fit in memory."""
    order, start = np.argsort(wide, kind="stable"), 0
    while start < len(order):
        widest = wide[order[min(start + _AT_ONCE, len(order)) - 1]]
        rows = order[start : start + int(np.clip(_FOUND_AT_ONCE // widest, 1, _AT_ONCE))]
        yield rows, int(wide[rows[-1]])
        start += len(rows)
