"""Labels that are probably wrong, ranked."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferembed.auditing.mistakes import probable_mistakes
from ferembed.auditing.out_of_fold import judged_classes, out_of_fold_softmax
from ferembed.data.dataset import DataError, FaceDataset
from ferembed.ties import most_probable

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

CONFUSED = 0.03
"""How much a label is doubted that confusion explains, where one that nothing explains is doubted wholly."""


@dataclass(frozen=True, eq=False)
class LabelIssues:
    """Rows whose label is doubted, the most doubtful first.

    Attributes
    ----------
    ids : ndarray of int64, shape (m,)
    given, suggested : ndarray of str, shape (m,)
        Class names: the label, and the most probable other class.
    scores : ndarray of float64, shape (m,)
        Falling; see :func:`rank_labels`.
    confident : ndarray of bool, shape (m,)
        Whether the label is more probably a slip than not: see :func:`~ferembed.auditing.mistakes.probable_mistakes`.
    classes : tuple of str
    joint : ndarray of int64, shape (c, c)
        The confident joint: rows estimated to have the label of the row and the true class of the column. What the
        models confuse is in it, too, so that it counts too many.
    estimated : int
        How many labels of all are slips: wrong, whatever the face shows. Confusions of faces that are hard to tell, an
        annotator's and the models' own, are not among them: which of the two a doubted one is, only a look can tell.
    unjudged : tuple of str
        Classes whose rows were left out: their embeddings are too few to judge each without itself.
    """

    ids: Ids
    given: NDArray[np.str_]
    suggested: NDArray[np.str_]
    scores: Floats
    confident: NDArray[np.bool_]
    classes: tuple[str, ...]
    joint: Ids
    estimated: int
    unjudged: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def unwanted(self) -> Ids:
        """What :meth:`~ferembed.data.FaceDataset.without` takes out: all of them."""
        return self.ids

    def top(self, n: int) -> LabelIssues:
        """The ``n`` most doubtful."""
        columns = ("ids", "given", "suggested", "scores", "confident")
        return replace(self, **{name: getattr(self, name)[:n] for name in columns})


def find_label_issues(
    faces: FaceDataset,
    embeddings: ArrayLike | None = None,
    *,
    probabilities: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> LabelIssues:
    """Rank the labels of a data set by how probably they are wrong.

    Parameters
    ----------
    faces : FaceDataset
    embeddings : array-like, shape (n, d), optional
        Unit vectors. Each row's class probabilities are those of a softmax regression fitted without it
        (:func:`out_of_fold_softmax`), and fitted again with each label weighed by the probability that it is no slip.
        The encoder itself may have been trained on these labels: then those that it learnt by heart stay hidden, and
        the list is shorter than it should be.
    probabilities : array-like, shape (n, c), optional
        Instead of embeddings: class probabilities from models that did not see the row's label.
    groups : array-like of int, shape (n,), optional
        Rows of one group are copies of one another: they are not fitted for each other.

    Returns
    -------
    LabelIssues
        Every row whose most probable class is not its label. With embeddings a class takes two rows that are no copies
        of each other to be judged, and there must be two such classes.

    Raises
    ------
    DataError
        If neither embeddings nor probabilities are given, or they have another number of rows or columns.
    """
    n, c = len(faces), len(faces.classes)
    unjudged: tuple[str, ...] = ()
    if probabilities is not None:
        proba = np.asarray(probabilities, np.float64)
    elif embeddings is not None:
        vectors = np.asarray(embeddings, np.float32)
        if vectors.ndim != 2 or len(vectors) != n:
            raise DataError(f"embeddings must have shape ({n}, d), not {vectors.shape}.")
        own = np.arange(n) if groups is None else np.asarray(groups, np.int64)
        kept = np.isin(faces.labels, judged_classes(faces.labels, own))
        unjudged = tuple(name for name, count in faces.subset(~kept).class_counts().items() if count)
        faces, vectors, own = faces.subset(kept), vectors[kept], own[kept]
        n = len(faces)
        proba = out_of_fold_softmax(vectors, faces.labels, c, groups=own)
        trusted = 1 - probable_mistakes(proba, faces.labels)
        proba = out_of_fold_softmax(vectors, faces.labels, c, groups=own, weights=trusted)
    else:
        raise DataError("label issues need embeddings or out-of-fold probabilities of every row.")
    if proba.shape != (n, c):
        raise DataError(f"probabilities must have shape ({n}, {c}), not {proba.shape}.")
    joint, mistaken = confident_joint(proba, faces.labels)[0], probable_mistakes(proba, faces.labels)
    scores, suggested = rank_labels(proba, faces.labels, joint, mistaken)
    rows = np.flatnonzero(proba[np.arange(n), suggested] > proba[np.arange(n), faces.labels])
    order = rows[np.argsort(-scores[rows], kind="stable")]
    names = np.array(faces.classes)
    return LabelIssues(
        ids=faces.ids[order],
        given=names[faces.labels[order]],
        suggested=names[suggested[order]],
        scores=scores[order],
        confident=mistaken[order] > 0.5,
        classes=faces.classes,
        joint=joint,
        estimated=round(mistaken.sum()),
        unjudged=unjudged,
    )


def confident_joint(probabilities: ArrayLike, labels: ArrayLike) -> tuple[Ids, NDArray[np.bool_]]:
    """How many rows of each label truly belong to each class, and which rows confidently belong to another class.

    A row counts for the most probable of those classes whose probability reaches the mean that the rows labelled so
    give it; the counts of each label are then brought to the number of its rows.

    Parameters
    ----------
    probabilities : array-like, shape (n, c)
        Out of fold.
    labels : array-like of int, shape (n,)

    Returns
    -------
    joint : ndarray of int64, shape (c, c)
        Rows by label, columns by true class.
    confident : ndarray of bool, shape (n,)
        The rows off the diagonal.

    References
    ----------
    Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70, 2021.

    Examples
    --------
    >>> joint, wrong = confident_joint([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.95, 0.05]], [0, 0, 1, 1, 1])
    >>> joint.tolist(), wrong.tolist()
    ([[2, 0], [1, 2]], [False, False, False, False, True])
    """
    proba, given = np.asarray(probabilities, np.float64), np.asarray(labels, np.int64)
    c = proba.shape[1]
    counts = np.bincount(given, minlength=c)
    own = np.bincount(given, proba[np.arange(len(given)), given], minlength=c)
    thresholds = np.where(counts > 0, own / np.maximum(counts, 1), np.inf)
    reached = np.where(proba >= thresholds - 1e-6, proba, -1.0)
    counted = reached.max(axis=1, initial=-1.0) >= 0
    true = most_probable(reached)
    joint = np.zeros((c, c))
    np.add.at(joint, (given[counted], true[counted]), 1)
    joint[np.diag_indices(c)] = np.maximum(joint.diagonal(), 1)
    exact = joint / joint.sum(axis=1, keepdims=True) * counts[:, None]
    whole = np.floor(exact).astype(np.int64)
    for row, missing in enumerate(counts - whole.sum(axis=1)):
        left = np.round(exact[row] - whole[row], 9)  # so that equal shares do not differ by rounding
        whole[row, np.argsort(-left, kind="stable")[:missing]] += 1
    return whole, counted & (true != given)


def rank_labels(
    probabilities: ArrayLike, labels: ArrayLike, joint: ArrayLike, mistaken: ArrayLike
) -> tuple[Floats, Ids]:
    """A score for each label, higher where it is more probably wrong, and the class suggested instead.

    First come probable slips. What confusion of faces that are hard to tell would explain as well is doubted by the
    share :data:`CONFUSED` of the probability that it is one: the improbability of the label, weighed by Bayes' rule
    with the share of its class that the confident joint calls wrong. Where a data set has no slips, that alone ranks:
    of two labels as improbable, the one of the worse annotated class is doubted first.

    Parameters
    ----------
    probabilities : array-like, shape (n, c)
    labels : array-like of int, shape (n,)
    joint : array-like, shape (c, c)
        From :func:`confident_joint`.
    mistaken : array-like of float, shape (n,)
        From :func:`~ferembed.auditing.mistakes.probable_mistakes`.

    Returns
    -------
    scores : ndarray of float64, shape (n,)
        0 to 1.
    suggested : ndarray of int64, shape (n,)
        The most probable other class.
    """
    proba, given = np.asarray(probabilities, np.float64), np.asarray(labels, np.int64)
    counts, slips = np.asarray(joint, np.float64), np.asarray(mistaken, np.float64)
    wrong = (1 - counts.diagonal() / np.maximum(counts.sum(axis=1), 1))[given]
    rows = np.arange(len(given))
    own, others = proba[rows, given], proba.copy()
    others[rows, given] = -1
    against, for_it = (1 - own) * wrong, own * (1 - wrong)
    confused = against / np.maximum(against + for_it, 1e-12)
    return slips + (1 - slips) * CONFUSED * confused, most_probable(others)
