"""What a gallery tells about a query besides its class: the nearest rows, and how familiar it looks."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.preprocessing import normalize
from sklearn.utils.validation import check_is_fitted, validate_data

from ferembed.estimators.knn.gallery import Gallery
from ferembed.estimators.knn.vote import leave_own_out

if TYPE_CHECKING:
    from ferembed.index import Index

Floats = NDArray[np.floating[Any]]

FLOAT_TYPES = (np.dtype(np.float32), np.dtype(np.float64))

_ONE_DIRECTION = 1e-5
"""Mean cosine distances below this are of the order of the rounding, 1e-7, of a single-precision similarity."""

_ROUNDING = 1e-12
"""Below this the vectors are copies of one."""


class NeighboursMixin:
    """Queries against a fitted ``gallery_`` with ``k_`` neighbours."""

    gallery_: Gallery
    n_features_in_: int

    if TYPE_CHECKING:

        @property
        def k_(self) -> int: ...

    @property
    def index_(self) -> Index:
        """The gallery's index."""
        return self.gallery_.index

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

    def _queries(self, X: ArrayLike) -> Floats:
        # scikit-learn's checks cost as much as a search: a plain array is left to the index, which checks it too.
        if (
            type(X) is np.ndarray
            and X.ndim == 2
            and len(X)
            and X.dtype in FLOAT_TYPES
            and X.shape[1] == getattr(self, "n_features_in_", -1)
            and not hasattr(self, "feature_names_in_")
        ):
            return X
        check_is_fitted(self)
        checked: Floats = validate_data(self, X, reset=False, dtype=FLOAT_TYPES)
        return checked


def warn_of_one_direction(X: Floats) -> None:
    """Warn where vectors, judged by the first 2,048, point the same way up to what single precision can tell apart."""
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
