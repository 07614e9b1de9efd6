"""Pairs of pictures that may show one photo, found by signatures in an index."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ferembed.auditing.copies.views import DIM, VIEWS, Poses, canvas, signatures, views
from ferembed.data.dataset import FaceDataset
from ferembed.index import Index, make_index
from ferembed.progress import progress

LIKENESS = 0.86
"""Cosine of two signatures from which a pair is looked at closely."""

NEIGHBOURS = 6
"""Pictures looked at for each view, the picture itself among them."""

RECALL = 0.85
"""Recall@10 that the index must reach: pairs above :data:`LIKENESS` lie far closer than the ten nearest."""

CLOSEST = 64
"""Most pictures that one picture is compared with closely: what chance finds grows with the data, this does not."""

EQUAL = 1e-4
"""Difference of two likenesses that decides nothing: the order of a sum's terms, which threads may change, is in it."""

_INDEXED = 4096


class Candidates(NamedTuple):
    """Pairs that may be copies, each once.

    Attributes
    ----------
    pairs : ndarray of int64, shape (m, 2)
        Rows: the second picture is sought in the first.
    view : ndarray of int16, shape (m,)
        The view of the first whose signature is most like that of the second's middle: a number into
        :data:`~ferembed.auditing.copies.views.VIEWS`.
    likeness : ndarray of float32, shape (m,)
    """

    pairs: NDArray[np.int64]
    view: NDArray[np.int16]
    likeness: NDArray[np.float32]

    @property
    def poses(self) -> Poses:
        """How the second picture of each pair lies in the first."""
        return Poses(VIEWS.centre[self.view], VIEWS.scale[self.view])

    def at(self, places: NDArray[np.int64] | slice) -> Candidates:
        """Some of the pairs."""
        return Candidates(self.pairs[places], self.view[places], self.likeness[places])


def index_signatures(faces: FaceDataset, rows: NDArray[np.int64]) -> Index:
    """An index of the signatures of some rows, under their row numbers; pictures whose middle is flat are left out."""
    index = make_index("ivf", DIM, expected_size=max(len(rows), 1), wanted_recall=RECALL)
    with progress("Indexing signatures", len(rows)) as report:
        for start in range(0, len(rows), _INDEXED):
            part = rows[start : start + _INDEXED]
            vectors = signatures(canvas(faces.images[part]))
            seen = vectors.any(axis=1)
            index.add(vectors[seen], ids=part[seen])
            report(start + len(part))
    return index


def find_candidates(faces: FaceDataset, rows: NDArray[np.int64], index: Index) -> Candidates:
    """The pairs of an indexed picture with one of ``rows`` that are alike under some view.

    Of each of ``rows`` no more than the :data:`CLOSEST` most alike; the pairs are in order, see
    :func:`best_of_each_pair`.
    """
    seen = views(canvas(faces.images[rows]))
    found = index.search(seen.reshape(-1, DIM), k=min(NEIGHBOURS, len(index)))
    query, place = np.nonzero(found.similarities >= LIKENESS)
    first, second = rows[query // seen.shape[1]], found.ids[query, place]
    others = first != second
    query, place = query[others], place[others]
    hits = Candidates(
        np.stack([first, second], axis=1)[others],
        (query % seen.shape[1]).astype(np.int16),
        found.similarities[query, place],
    )
    return best_of_each_pair([_closest(hits)])


def best_of_each_pair(parts: list[Candidates]) -> Candidates:
    """Each unordered pair once, with the view under which it is most alike; in the order of the pairs."""
    joined = Candidates(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    return _best_of_each(joined, joined.pairs.min(axis=1), joined.pairs.max(axis=1))


def _closest(hits: Candidates) -> Candidates:
    """Of each first picture the most alike second ones, each once."""
    best = _best_of_each(hits, *hits.pairs.T)
    order = np.lexsort((-best.likeness, best.pairs[:, 0]))
    first = best.pairs[order, 0]
    rank = np.arange(len(order)) - np.searchsorted(first, first)
    return best.at(order[rank < CLOSEST])


def _best_of_each(hits: Candidates, major: NDArray[np.int64], minor: NDArray[np.int64]) -> Candidates:
    """Of the hits with equal keys the most alike one, among equals the first by row and view; in order of the keys."""
    order = np.lexsort((hits.view, hits.pairs[:, 0], minor, major))
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(major[order]) != 0) | (np.diff(minor[order]) != 0)
    key, likeness = np.cumsum(new) - 1, hits.likeness[order]
    most = np.full(int(new.sum()), -np.inf, np.float32)
    np.maximum.at(most, key, likeness)
    equals = np.flatnonzero(likeness >= most[key] - EQUAL)
    return hits.at(order[equals[np.unique(key[equals], return_index=True)[1]]])
