"""A gallery made small: a few typical directions for each class in place of all its rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def class_prototypes(
    vectors: Floats, votes: Floats, per_class: int, random_state: RandomState
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Unit vectors that stand for the classes: their mean directions, or k-means centres within them.

    One prototype for each class is the nearest-class-mean classifier of Mensink et al. (2013) and the prototypical
    network of Snell et al. (2017), on the sphere.

    Parameters
    ----------
    vectors : ndarray of float, shape (n, d)
        Any finite vectors; their lengths do not matter.
    votes : ndarray of float, shape (n, c)
        How much each row counts for each class. With one prototype for each class all votes count; with more, a row
        goes with the class it votes for most.
    per_class : int
        Prototypes for each class; fewer where a class has fewer distinct rows.
    random_state : RandomState
        Starts k-means.

    Returns
    -------
    prototypes : ndarray of float32, shape (p, d)
        Unit vectors. A class without votes has none.
    codes : ndarray of int64, shape (p,)
        The class of each prototype, as a column of ``votes``.
    """
    # Scaling by the largest entry first keeps the squares from over- and underflowing.
    from sklearn.preprocessing import normalize

    units = normalize(normalize(vectors.astype(np.float64), norm="max"))
    means, codes = [], []
    for code in np.flatnonzero(votes.sum(axis=0) > 0):
        centres = _centres(units, votes, int(code), per_class, random_state)
        means.append(centres)
        codes.append(np.full(len(centres), code, dtype=np.int64))
    return normalize(np.concatenate(means)).astype(np.float32), np.concatenate(codes)


def _centres(vectors: Floats, votes: Floats, code: int, per_class: int, random_state: RandomState) -> Floats:
    if per_class == 1:
        return votes[:, code].astype(np.float64)[None] @ vectors
    from sklearn.cluster import KMeans

    members = np.flatnonzero((votes.argmax(axis=1) == code) & (votes[:, code] > 0))
    if not members.size:
        members = np.flatnonzero(votes[:, code] > 0)
    clusters = min(per_class, len(np.unique(vectors[members], axis=0)))
    means = KMeans(clusters, n_init=3, random_state=random_state)
    means.fit(vectors[members], sample_weight=votes[members, code])
    centres: Floats = means.cluster_centers_
    return centres
