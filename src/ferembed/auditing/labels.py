"""Labels that are probably wrong, ranked."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedGroupKFold

from ferembed.auditing.mistakes import confident_joint, probable_mistakes, rank_labels
from ferembed.data.dataset import DataError, FaceDataset
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
) -> Floats:
    """Class probabilities of softmax regressions on the embeddings, each fitted without the rows it answers for.

    The rows are divided into :data:`FOLDS` folds, fewer where a class has fewer groups.

    Parameters
    ----------
    embeddings : array-like, shape (n, d)
    labels : array-like of int, shape (n,)
    classes : int
    groups : array-like of int, shape (n,), optional
        Rows of one group stay in one fold.
    weights : array-like of float, shape (n,), optional
        Of each row where it is fitted.

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
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
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


@dataclass(frozen=True)
class Learnt:
    """How much fewer labels are doubted among those that an encoder has learnt than among the others.

    Attributes
    ----------
    faces, doubted : int
        Faces judged whose labels it learnt, and how many of those are doubted.
    others, others_doubted : int
        The same of the other faces.

    Examples
    --------
    >>> Learnt(faces=1000, doubted=200, others=100, others_doubted=30).hidden
    100
    """

    faces: int
    doubted: int
    others: int
    others_doubted: int

    @property
    def hidden(self) -> int | None:
        """Doubts that learning hides if both groups are labelled equally well; None without other faces."""
        return max(round(self.faces * self.others_doubted / self.others) - self.doubted, 0) if self.others else None

    def __str__(self) -> str:
        """A sentence for a reader."""
        share = f"{self.doubted / self.faces:.0%}"
        taught = f"{self.faces:,} of these faces taught the encoder, which doubts {share} of their labels"
        if self.hidden is None:
            return f"{taught}; those that it learnt by heart it does not doubt, and no other face tells how many."
        others = f"{self.others_doubted / self.others:.0%} of the others'"
        return f"{taught} and {others}: some {self.hidden:,} doubts are hidden, since it learnt those labels by heart."


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
    learnt : Learnt or None
        What the encoder's having learnt some of these labels hides; None where it learnt none.
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
    learnt: Learnt | None = None

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
    learnt: ArrayLike | None = None,
) -> LabelIssues:
    """Rank the labels of a data set by how probably they are wrong.

    Parameters
    ----------
    faces : FaceDataset
    embeddings : array-like, shape (n, d), optional
        Unit vectors. Each row's class probabilities are those of a softmax regression fitted without it
        (:func:`out_of_fold_softmax`); where there are slips, it is fitted again with each label weighed by the
        probability that it is none.
        The encoder itself may have been trained on these labels: then those that it learnt by heart stay hidden, and
        the list is shorter than it should be; how much, ``learnt`` lets it tell.
    probabilities : array-like, shape (n, c), optional
        Instead of embeddings: class probabilities from models that did not see the row's label.
    groups : array-like of int, shape (n,), optional
        Rows of one group are copies of one another: they are not fitted for each other.
    learnt : array-like of bool, shape (n,), optional
        Rows whose labels the embeddings' encoder was trained on.

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
    known = np.zeros(n, bool) if learnt is None else np.asarray(learnt, bool)
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
        faces, vectors, own, known = faces.subset(kept), vectors[kept], own[kept], known[kept]
        n = len(faces)
        proba = out_of_fold_softmax(vectors, faces.labels, c, groups=own)
        slips = probable_mistakes(proba, faces.labels)
        if slips.any():
            proba = out_of_fold_softmax(vectors, faces.labels, c, groups=own, weights=1 - slips)
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
        learnt=_learnt(known, rows),
    )


def _learnt(known: NDArray[np.bool_], doubted: Ids) -> Learnt | None:
    faces, among = int(known.sum()), int(known[doubted].sum())
    return Learnt(faces, among, len(known) - faces, len(doubted) - among) if faces else None
