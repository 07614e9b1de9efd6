"""How well an embedding brings faces of one expression together: recall at k, MAP@R, silhouette."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferembed.evaluation.bootstrap import interval, resampled_means
from ferembed.evaluation.intervals import Interval, share_interval
from ferembed.probability import ALIKE, Floats

RECALLS = (1, 5, 10)
SHARES = tuple(f"recall_at_{k}" for k in RECALLS)
ONE_POINT = 1e-5
"""The variance on the sphere, 0 to 1, below which vectors are one point but for what single precision can tell."""
_BLOCK = 4_000_000


@dataclass(frozen=True)
class RetrievalMetrics:
    """What :func:`evaluate_retrieval` measures; means over queries.

    Attributes
    ----------
    recall_at_1, recall_at_5, recall_at_10 : float
        Share of queries with a face of their class among the 1, 5 or 10 nearest of the gallery; 0 to 1.
    map_at_r : float
        Mean average precision at R, the number of gallery faces of the query's class; 0 to 1 (Musgrave et al. 2020).
    silhouette : float or None
        Mean over queries of ``(b - a) / max(a, b)``, where a is the mean cosine distance to the other queries of the
        class and b the least mean distance to another class; -1 to 1 (Rousseeuw 1987). A query alone in its class
        counts 0. None where all are of one class.
    count : int
        Queries.
    collapsed : bool
        Whether queries and gallery are all one point up to rounding (:func:`collapsed`): then the figures above say
        that nothing can be told apart, not how well.
    intervals : dict of str to Interval
        95% intervals over queries, where asked for: of the recalls by Clopper and Pearson (1934), of the rest by
        bootstrap, unless all resamples are alike. The gallery, and each query's own figure, stay as they are.
    """

    primary: ClassVar[str] = "map_at_r"

    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    map_at_r: float
    silhouette: float | None
    count: int
    collapsed: bool = False
    intervals: dict[str, Interval] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON values, and the primary metric's name."""
        return {"primary": self.primary, **asdict(self)}


class Retrieved(NamedTuple):
    """The figures of :class:`RetrievalMetrics` query by query.

    Attributes
    ----------
    by_query : dict of str to ndarray of float64, shape (q,)
        Under the names of the means; without ``silhouette`` where all queries are of one class.
    collapsed : bool
    """

    by_query: dict[str, Floats]
    collapsed: bool


def evaluate_retrieval(
    queries: ArrayLike,
    labels: ArrayLike,
    gallery: ArrayLike,
    gallery_labels: ArrayLike,
    *,
    resamples: int = 0,
    seed: int = 0,
) -> RetrievalMetrics:
    """Measure an embedding: how queries find their class in a gallery, and how their own classes lie apart.

    Parameters
    ----------
    queries : array-like of float, shape (q, d)
        Unit vectors.
    labels : array-like, shape (q,)
    gallery : array-like of float, shape (g, d)
        Unit vectors. A query that is in it finds itself.
    gallery_labels : array-like, shape (g,)
    resamples, seed : int
        As for :func:`evaluate_probabilities`.

    Raises
    ------
    ValueError
        If either is empty, or the shapes disagree.

    Examples
    --------
    >>> faces, gallery = np.eye(3)[[0, 0, 1, 1]], np.array([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.1, 0.9, 0.0]])
    >>> metrics = evaluate_retrieval(faces, ["sad", "sad", "happy", "happy"], gallery, ["sad", "happy", "happy"])
    >>> metrics.recall_at_1, metrics.map_at_r, metrics.silhouette
    (1.0, 1.0, 1.0)
    """
    return retrieval_metrics(retrieve(queries, labels, gallery, gallery_labels), resamples=resamples, seed=seed)


def retrieval_metrics(retrieved: Retrieved, *, resamples: int = 0, seed: int = 0) -> RetrievalMetrics:
    """The means over queries with their intervals; :func:`evaluate_retrieval` is :func:`retrieve` and this."""
    by_query = retrieved.by_query
    bounds: dict[str, Interval | None] = {}
    if resamples:
        drawn = resampled_means(np.column_stack(list(by_query.values())), resamples, seed)
        bounds = {name: interval(means) for name, means in zip(by_query, drawn.T, strict=True)}
        bounds |= {name: share_interval(int(by_query[name].sum()), len(by_query[name])) for name in SHARES}
    figures = {name: float(values.mean()) for name, values in by_query.items()}
    return RetrievalMetrics(
        recall_at_1=figures["recall_at_1"],
        recall_at_5=figures["recall_at_5"],
        recall_at_10=figures["recall_at_10"],
        map_at_r=figures["map_at_r"],
        silhouette=figures.get("silhouette"),
        count=len(by_query["map_at_r"]),
        collapsed=retrieved.collapsed,
        intervals={name: each for name, each in bounds.items() if each is not None},
    )


def collapsed(embeddings: ArrayLike) -> bool:
    """Whether an encoder gives every face the same embedding, up to the rounding of single precision.

    So it is where the directions' variance, 1 less the squared length of their mean, is below :data:`ONE_POINT`: on
    average two cosine similarities differ from 1 by less than that. Vectors of zeros are one point, too.

    Parameters
    ----------
    embeddings : array-like of float, shape (n, d)
        Of any length; one vector alone has not collapsed.

    Examples
    --------
    >>> collapsed(np.ones((5, 3)) + 1e-7 * np.eye(5, 3)), collapsed(np.eye(3)), collapsed(np.eye(1, 3))
    (True, False, False)
    """
    unit = _unit(embeddings)
    return len(unit) > 1 and bool(unit.var(axis=0).sum() < ONE_POINT)


def retrieve(queries: ArrayLike, labels: ArrayLike, gallery: ArrayLike, gallery_labels: ArrayLike) -> Retrieved:
    """Ask a gallery for the faces nearest to each query; the arguments are those of :func:`evaluate_retrieval`."""
    hits, precision = retrieval_by_query(queries, labels, gallery, gallery_labels)
    figures = {**dict(zip(SHARES, hits.T, strict=True)), "map_at_r": precision}
    apart = silhouette_by_query(queries, labels)
    return Retrieved(
        by_query=figures if apart is None else {**figures, "silhouette": apart},
        collapsed=collapsed(np.concatenate([np.asarray(queries), np.asarray(gallery)])),
    )


def retrieval_by_query(
    queries: ArrayLike,
    labels: ArrayLike,
    gallery: ArrayLike,
    gallery_labels: ArrayLike,
    recalls: Sequence[int] = RECALLS,
) -> tuple[Floats, Floats]:
    """Whether each query finds its class among the nearest, and its average precision at R.

    Of gallery faces at the same similarity, up to :data:`ALIKE`, those of another class count as nearer, so that an
    encoder that tells nothing apart finds nothing. The memory does not grow with the number of queries.

    Returns
    -------
    hits : ndarray of float64, shape (q, len(recalls))
        1 where a face of the query's class is among the ``k`` nearest, else 0.
    precision : ndarray of float64, shape (q,)
        Average precision among the R nearest; 0 where the gallery lacks the class.
    """
    asked, found = np.asarray(queries), np.asarray(gallery)
    classes, own = np.asarray(labels), np.asarray(gallery_labels)
    if asked.ndim != 2 or found.ndim != 2 or asked.shape[1] != found.shape[1] or not (len(asked) and len(found)):
        raise ValueError(
            f"queries and gallery must hold one vector or more of one length; got {asked.shape} and {found.shape}."
        )
    if classes.shape != asked.shape[:1] or own.shape != found.shape[:1]:
        raise ValueError(
            f"{len(asked)} queries and {len(found)} gallery vectors need as many labels; "
            f"got shapes {classes.shape} and {own.shape}."
        )
    _, codes = np.unique(np.concatenate([classes, own]), return_inverse=True)
    classes, own = codes[: len(asked)], codes[len(asked) :]
    hits, precision = np.zeros((len(asked), len(recalls))), np.zeros(len(asked))
    block = max(1, _BLOCK // len(found))
    for start in range(0, len(asked), block):
        part = slice(start, start + block)
        relevant = classes[part, None] == own
        ranked = _ranked(asked[part] @ found.T, relevant)
        for place, k in enumerate(recalls):
            hits[part, place] = ranked[:, :k].any(axis=1)
        precision[part] = _average_precision(ranked, relevant.sum(axis=1))
    return hits, precision


def silhouette_by_query(embeddings: ArrayLike, labels: ArrayLike) -> Floats | None:
    """The silhouette of each row by cosine distance, shape (n,), or None where all rows are of one class.

    See :class:`RetrievalMetrics`. A row counts 0 where both distances are no more than rounding.
    """
    _, codes, sizes = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        return None
    unit = _unit(embeddings)
    members = np.eye(len(sizes))[codes]
    # The mean cosine distance to a class is 1 less the product with the class's sum, over its size.
    distance = sizes - unit @ (members.T @ unit).T
    rows, others = np.arange(len(codes)), sizes - members
    own = distance[rows, codes] / np.maximum(others[rows, codes], 1)
    distance[rows, codes] = np.inf
    nearest = (distance / sizes).min(axis=1)
    larger = np.maximum(own, nearest)
    apart: Floats = np.where(larger > ALIKE, (nearest - own) / np.maximum(larger, ALIKE), 0.0)
    return np.where(sizes[codes] > 1, apart, 0.0)


def _unit(embeddings: ArrayLike) -> Floats:
    vectors: Floats = np.asarray(embeddings, dtype=np.float64)
    unit: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit


def _ranked(similarity: NDArray[Any], relevant: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Relevance by falling similarity, that of relevant faces being lowered by what counts as equal.

    Sorting values is much faster than sorting their order, so the relevance travels in the values' lowest bit.
    """
    keys = ALIKE * relevant - similarity.astype(np.float64)
    bits = keys.view(np.int64)
    bits &= ~1
    bits |= relevant
    keys.sort(axis=1)
    return (bits & 1).astype(bool)


def _average_precision(ranked: NDArray[np.bool_], r: NDArray[np.int64]) -> Floats:
    deepest = max(1, int(r.max()))
    top = ranked[:, :deepest] & (np.arange(deepest) < r[:, None])
    precision = np.cumsum(top, axis=1) / np.arange(1, deepest + 1)
    result: Floats = (precision * top).sum(axis=1) / np.maximum(r, 1)
    return result
