"""What a fitted gallery says of a query: its class, the nearest rows, and how familiar it looks."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted, validate_data

from ferembed.estimators.knn.gallery import Gallery
from ferembed.estimators.knn.selection import check_vote_parameters, leave_own_out
from ferembed.probability import Array, Weighting, most_probable

if TYPE_CHECKING:
    from ferembed.index import Index

Floats = NDArray[np.floating[Any]]

FLOATS = (np.float32, np.float64)

_ONE_DIRECTION = 1e-5
"""Mean cosine distances below this are of the order of the rounding, 1e-7, of a single-precision similarity."""

_ROUNDING = 1e-12
"""Below this the vectors are copies of one."""


class NeighboursMixin:
    """Queries against a fitted ``gallery_``, under the parameters of :class:`~ferembed.estimators.KNNClassifier`."""

    k: int | Literal["auto"]
    weights: Weighting
    temperature: float | Literal["auto"]
    balanced: bool
    smoothing: float
    classes_: NDArray[Any]
    gallery_: Gallery
    n_features_in_: int
    _found: tuple[int, float]

    @property
    def k_(self) -> int:
        """Neighbours that vote: ``k``, or what ``fit`` found for ``"auto"``."""
        return self._found[0] if self.k == "auto" else int(self.k)

    @property
    def temperature_(self) -> float:
        """The softmax temperature: ``temperature``, or what ``fit`` found for ``"auto"``."""
        return self._found[1] if self.temperature == "auto" else float(self.temperature)

    @property
    def index_(self) -> Index:
        """The gallery's index."""
        return self.gallery_.index

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probability of each class.

        Parameters
        ----------
        X : array-like of float, shape (n, d)

        Returns
        -------
        ndarray of float64, shape (n, c)
            Rows sum to 1; columns follow ``classes_``.
        """
        queries = self._queries(X)
        with self.gallery_.lock.read():
            return self._answers(queries)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The most probable class of each row, shape (n,); of equally probable ones the first in ``classes_``."""
        queries = self._queries(X)
        with self.gallery_.lock.read():
            return self.classes_[most_probable(self._answers(queries))]

    def kneighbors(
        self, X: ArrayLike | None = None, n_neighbors: int | None = None, return_distance: bool = True
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]] | NDArray[np.int64]:
        """The nearest gallery rows (or prototypes).

        Parameters
        ----------
        X : array-like of float, shape (n, d), optional
            Queries; without them each gallery row is asked, and does not count as its own neighbour.
        n_neighbors : int, optional
            ``k_``, or all there are, where not given.
        return_distance : bool, default=True
            Whether to return distances too.

        Returns
        -------
        distances : ndarray of float64, shape (n, n_neighbors)
            Cosine distances, 0 to 2, ascending; infinite where an approximate index found too few.
        rows : ndarray of int64, shape (n, n_neighbors)
            Row numbers in order of ``fit`` and ``partial_fit``; -1 where too few were found.

        Raises
        ------
        ValueError
            If more neighbours are asked for than there are.
        """
        check_is_fitted(self)
        queries = None if X is None else self._queries(X)
        with self.gallery_.lock.read():
            most = len(self.gallery_) - (queries is None)
            count = min(self.k_, most) if n_neighbors is None else n_neighbors
            if not 1 <= count <= most:
                raise ValueError(f"n_neighbors must be from 1 to the {most} rows there are, not {count}.")
            if queries is None:
                own = self.index_.ids
                similarities, rows = self.gallery_.search(self.index_.reconstruct(own), count + 1)
                similarities, rows = leave_own_out(similarities, rows, own)
            else:
                similarities, rows = self.gallery_.search(queries, count)
        return (cosine_distances(similarities), rows) if return_distance else rows

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """How familiar each row looks: minus its cosine distance to the ``k_``-th neighbour, -2 to 0.

        The lower the score, the likelier that the row belongs to none of the classes: Sun et al., "Out-of-Distribution
        Detection with Deep Nearest Neighbors" (2022). Shape (n,).
        """
        queries = self._queries(X)
        with self.gallery_.lock.read():
            similarities, _ = self.gallery_.search(queries, min(self.k_, len(self.gallery_)))
        return -np.minimum(cosine_distances(similarities[:, -1]), 2.0)

    def leave_one_out(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Probabilities, shape (n, c), of gallery rows by number, each asked as if it were not in the gallery."""
        if not len(rows):
            return np.empty((0, self.gallery_.votes.shape[1]))
        with self.gallery_.lock.read():
            count = min(self.gallery_.reach(self.k_) + 1, len(self.gallery_))
            similarities, near = self.gallery_.search(self.index_.reconstruct(rows), count)
            return self.vote(*leave_own_out(similarities.astype(np.float64), near, rows))

    def vote(
        self, similarities: Array, rows: NDArray[np.int64], k: int | None = None, temperature: float | None = None
    ) -> Array:
        """Probabilities (q, c) by neighbours that are known: similarities, an array or a tensor, and rows, (q, m)."""
        return self.gallery_.vote(
            similarities,
            rows,
            self.k_ if k is None else k,
            weighting=self.weights,
            temperature=self.temperature_ if temperature is None else temperature,
            balanced=self.balanced,
            smoothing=self.smoothing,
        )

    def _answers(self, queries: Floats) -> NDArray[np.float64]:
        check_vote_parameters(self)
        similarities, rows = self.gallery_.search(queries, self.gallery_.reach(self.k_))
        return self.vote(similarities.astype(np.float64), rows)

    def _queries(self, X: ArrayLike) -> Floats:
        check_is_fitted(self)
        checked: Floats = validate_data(self, X, reset=False, dtype=FLOATS)
        return checked


def warn_of_one_direction(X: Floats) -> None:
    """Warn where vectors, judged by the first 2,048, point the same way up to what single precision can tell apart."""
    from sklearn.preprocessing import normalize

    some = normalize(X[:2048].astype(np.float64))
    spread = 1.0 - float(np.square(some.mean(axis=0)).sum())
    if _ROUNDING < spread < _ONE_DIRECTION:
        warnings.warn(
            f"All embeddings point almost the same way (mean cosine distance {spread:.1g}), too near for single "
            "precision: subtract their mean first, as by StandardScaler.",
            UserWarning,
            stacklevel=3,
        )


def cosine_distances(similarities: Floats) -> NDArray[np.float64]:
    """One minus the similarities, 0 to 2; infinite where there is no neighbour."""
    distances: NDArray[np.float64] = np.maximum(1.0 - similarities.astype(np.float64), 0.0)
    return distances
