"""A k-nearest-neighbour classifier over embeddings whose votes are probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ferembed.estimators.knn._neighbours import FLOATS, NeighboursMixin, warn_of_one_direction
from ferembed.estimators.knn._prototypes import class_prototypes
from ferembed.estimators.knn.gallery import Gallery, copies, empty_index, marked_ballots
from ferembed.estimators.knn.selection import candidates, check_vote_parameters, likeliest_vote
from ferembed.estimators.saved import read_classifier, write_classifier
from ferembed.probability import Weighting, class_codes

if TYPE_CHECKING:
    from ferembed.index import Index

Floats = NDArray[np.floating[Any]]

_UNNAMED = "y holds the class {label!r}, which is not among {classes}: name it in `classes`."


class KNNClassifier(NeighboursMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Let the nearest embeddings of a gallery vote on the class of a query.

    Vectors are brought to unit length, so that nearness is cosine similarity. The ``k`` nearest gallery rows vote,
    each with a weight for its similarity; the shares of the votes, mixed with a little of the uniform distribution,
    are the probabilities.

    Parameters
    ----------
    k : int or "auto", default=30
        Neighbours that vote, a row of weight 2 as two of them. ``"auto"`` takes the one of 1, 2, 3, 5, 7, 10, ... 200
        under which the gallery's own labels are most likely, each row being asked without itself.
    weights : {"softmax", "distance", "uniform"}, default="softmax"
        A neighbour's weight: ``exp(similarity / temperature)``, the inverse of its cosine distance, or 1.
    temperature : float or "auto", default=0.1
        For ``"softmax"``, above 0; the lower, the more the nearest neighbours rule. ``"auto"`` chooses among eleven
        values from 0.01 to 1, as ``k`` and together with it.
    balanced : bool, default=False
        Divide each class's votes by its share of the gallery's votes, so that rare classes are not outvoted.
    smoothing : float, default=0.05
        Part of every probability vector that is uniform, from 0 to below 1. Votes hold exact zeros, which no
        calibration by temperature can mend and which make the log-likelihood infinite.
    prototypes : int or None, default=None
        Vote with so many prototypes of each class in place of all rows: 1 for the class's mean direction, more for
        k-means centres. ``k`` then counts prototypes.
    index : str or Index, default="auto"
        Kind of index for :func:`ferembed.index.make_index`, or an empty index, of which ``fit`` fills a copy.
    random_state : int, RandomState or None, default=0
        Draws the gallery rows for ``"auto"`` (2,048 of a larger gallery) and starts k-means.

    Attributes
    ----------
    classes_ : ndarray of shape (c,)
        Class labels, sorted.
    k_ : int
        Neighbours that vote: ``k``, or what ``fit`` found for ``"auto"``; a smaller gallery votes as a whole.
    temperature_ : float
        The softmax temperature, likewise; 1 where ``"auto"`` met other weights than ``"softmax"``.
    gallery_ : Gallery
        The index and the votes of its rows.
    index_ : Index
        The gallery's index. Its ids are row numbers, in the order of ``fit`` and ``partial_fit``.
    n_features_in_ : int
        Length of the embeddings.
    feature_names_in_ : ndarray of str
        Column names, where ``fit`` saw a data frame.

    See Also
    --------
    sklearn.neighbors.KNeighborsClassifier : Uniform and distance votes over exact neighbours, any metric.

    Notes
    -----
    Softmax votes are those of Wu et al., "Unsupervised Feature Learning via Non-Parametric Instance Discrimination"
    (2018). A row of twice the weight counts twice, among the ``k`` as in the vote.

    The likelihood behind ``"auto"`` leaves out the row itself, not other images of the same photograph: copies in
    the gallery draw it towards a small ``k``. With prototypes, rows are asked against prototypes they helped to make.

    As in scikit-learn, what matters when a query is answered acts at once where ``set_params`` changes it: ``k``,
    ``weights``, ``temperature``, ``balanced`` and ``smoothing``. ``"auto"`` is found by the next ``fit``.

    A vector of zeros has no direction: its similarity to everything is 0. Far from the origin all have the same, which
    single precision cannot tell apart: ``fit`` warns, and a ``StandardScaler`` before it helps.

    Many threads may ask beside one that adds or forgets: an answer sees the gallery before a change or after it.

    Examples
    --------
    >>> X = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
    >>> knn = KNNClassifier(k=2, index="exact").fit(X, ["happy", "happy", "sad", "sad"])
    >>> knn.predict([[2.0, 0.2]]).tolist(), knn.predict_proba([[2.0, 0.2]]).round(3).tolist()
    (['happy'], [[0.975, 0.025]])
    """

    classes_: NDArray[Any]

    def __init__(
        self,
        k: int | Literal["auto"] = 30,
        *,
        weights: Weighting = "softmax",
        temperature: float | Literal["auto"] = 0.1,
        balanced: bool = False,
        smoothing: float = 0.05,
        prototypes: int | None = None,
        index: str | Index = "auto",
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.k = k
        self.weights = weights
        self.temperature = temperature
        self.balanced = balanced
        self.smoothing = smoothing
        self.prototypes = prototypes
        self.index = index
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        votes: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> KNNClassifier:
        """Make the gallery.

        Parameters
        ----------
        X : array-like of float, shape (n, d)
            Embeddings; any finite vectors.
        y : array-like, shape (n,)
            Class labels.
        sample_weight : array-like of float, shape (n,), optional
            Not negative. Whole numbers are copies of a row; of any others only the ratios matter, and a row of mean
            weight counts as one neighbour.
        votes : array-like of float, shape (n, c), optional
            What each row votes for in place of its label, such as annotators' counts or shares; rows are scaled to
            sum 1, and a row of zeros abstains: it takes its place among the ``k`` and says nothing. Columns follow
            ``classes``, or the sorted labels of ``y``.
        classes : array-like, shape (c,), optional
            All classes, for votes or rows to come that ``y`` does not show.

        Returns
        -------
        KNNClassifier
            Itself.

        Raises
        ------
        ValueError
            If a parameter or an array is unfit; the sentence says which and how.
        """
        check_vote_parameters(self)
        X, y = self._checked(X, y, reset=True)
        self.classes_ = np.unique(np.asarray(y if classes is None else classes))
        warn_of_one_direction(X)
        codes, row_weights = class_codes(y, self.classes_, _UNNAMED), copies(sample_weight, X)
        marked = marked_ballots(codes, votes, classes, self.classes_)
        asked = marked if row_weights is None else marked * row_weights[:, None]
        rng = check_random_state(self.random_state)
        if self.prototypes is None:
            self.gallery_ = Gallery(empty_index(self.index, self.n_features_in_, len(X)), len(self.classes_))
            self.gallery_.add(X, marked, codes, row_weights)
        else:
            centres, centre_codes = class_prototypes(X, asked, self.prototypes, rng)
            self.gallery_ = Gallery(empty_index(self.index, self.n_features_in_, len(centres)), len(self.classes_))
            self.gallery_.add(centres, marked_ballots(centre_codes, None, None, self.classes_), centre_codes)
        leave_out = self.prototypes is None
        tried = candidates(self.k, self.temperature, self.weights, len(self.gallery_) - leave_out)
        self._found = likeliest_vote(self.gallery_, self.vote, X, asked, *tried, rng, leave_out=leave_out)
        return self

    @available_if(lambda self: self.prototypes is None)  # type: ignore[untyped-decorator]
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        votes: ArrayLike | None = None,
    ) -> KNNClassifier:
        """Add rows to the gallery; ``k_`` and ``temperature_`` stay as they were. There is none with prototypes.

        Parameters
        ----------
        X, y, sample_weight, votes
            As for :meth:`fit`. Where only ``votes`` and not ``classes`` is given, columns follow ``classes_``.
        classes : array-like, shape (c,), optional
            A label that is new must be named here, at whichever call brings it.

        Returns
        -------
        KNNClassifier
            Itself.
        """
        if not hasattr(self, "gallery_"):
            return self.fit(X, y, sample_weight, votes, classes)
        X, y = self._checked(X, y, reset=False)
        with self.gallery_.lock.write():
            known = self.classes_
            admitted = known if classes is None else np.union1d(known, np.asarray(classes))
            codes, row_weights = class_codes(y, admitted, _UNNAMED), copies(sample_weight, X)
            marked = marked_ballots(codes, votes, known if classes is None else classes, admitted)
            if len(admitted) > len(known):
                self.gallery_.admit(class_codes(known, admitted), len(admitted))
            self.classes_ = admitted
            self.gallery_.add(X, marked, codes, row_weights)
        return self

    def forget(self, label: Any) -> KNNClassifier:
        """Take out a class: the gallery rows labelled so, the other rows' votes for it, and its column.

        Raises
        ------
        ValueError
            If there is no such class, or no other.
        """
        check_is_fitted(self)
        with self.gallery_.lock.write():
            code = np.flatnonzero(self.classes_ == label)
            if not code.size:
                raise ValueError(f"there is no class {label!r} to forget; the classes are {self.classes_.tolist()}.")
            if len(self.classes_) == 1:
                raise ValueError(f"{label!r} is the only class: a classifier needs one.")
            self.gallery_.forget(int(code[0]))
            self.classes_ = np.delete(self.classes_, code[0])
        return self

    def save(self, path: str | Path) -> None:
        """Write settings, votes and index into the folder ``path``. An ``index`` given as an object is saved as "auto".

        The folder as a whole is not atomic: wrap the call in :func:`ferembed.storage.atomic_folder`.
        """
        check_is_fitted(self)
        found = dict(zip(("k", "temperature"), self._found, strict=True))
        with self.gallery_.lock.read():
            without = [] if isinstance(self.index, str) else ["index"]
            write_classifier(Path(path), self, found, self.gallery_.arrays(), without)
            self.index_.save(Path(path) / "index")

    @classmethod
    def load(cls, path: str | Path) -> KNNClassifier:
        """Read a classifier written by :meth:`save`.

        Raises
        ------
        StorageError
            If a file is missing, altered or foreign.
        """
        from ferembed.index import load_index

        knn, found, arrays = read_classifier(Path(path), cls)
        knn._found = found["k"], found["temperature"]
        knn.gallery_ = Gallery.from_arrays(load_index(Path(path) / "index"), arrays)
        knn.index = knn.index or "auto"
        return knn

    def _checked(self, X: ArrayLike, y: ArrayLike, reset: bool) -> tuple[Floats, NDArray[Any]]:
        checked, labels = validate_data(self, X, y, reset=reset, dtype=FLOATS)
        check_classification_targets(labels)
        return checked, labels
