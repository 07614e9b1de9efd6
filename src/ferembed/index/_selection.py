"""What the approximate FAISS structures share: selecting rows, and completing what a search left short."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferembed.index._faiss import faiss
from ferembed.index.threads import Found, exhaustive

_SAMPLE = 256
_CHUNK = 65536


def selector(chosen: NDArray[np.bool_]) -> Any:
    """A FAISS selector of the numbers where ``chosen`` is True; it must outlive the search that uses it."""
    bits = np.packbits(chosen, bitorder="little")
    made = faiss.IDSelectorBitmap(bits)
    made.bits = bits  # FAISS reads them where they are
    return made


def completed(found: Found, queries: NDArray[np.float32], retry: Callable[[NDArray[np.float32]], Found]) -> Found:
    """The results, with every query that has a gap (-1) searched again by ``retry``."""
    similarities, rows = found
    short = np.flatnonzero((rows < 0).any(axis=1))
    if short.size:
        similarities[short], rows[short] = retry(queries[short])
    return similarities, rows


def own_neighbours(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """A sample of at most 256 vectors and the true ten nearest others (rows) of each."""
    queries = np.ascontiguousarray(vectors[:: max(1, len(vectors) // _SAMPLE)][:_SAMPLE])
    return queries, exhaustive(queries, vectors, min(11, len(vectors)))[1][:, 1:]


def nearest(
    queries: NDArray[np.float32], vectors: Callable[[NDArray[np.int64]], NDArray[np.float32]], count: int
) -> NDArray[np.int64]:
    """The true ten nearest of ``count`` rows for each query, (q, 10); ``vectors`` gives those of some rows."""
    best = np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
    for start in range(0, count, _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, count))
        similarities, places = exhaustive(queries, vectors(rows), min(10, len(rows)))
        joined = np.hstack([best[0], similarities]), np.hstack([best[1], rows[places]])
        order = np.argsort(-joined[0], axis=1, kind="stable")[:, :10]
        best = np.take_along_axis(joined[0], order, axis=1), np.take_along_axis(joined[1], order, axis=1)
    return best[1]


def recall(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Mean share of each row of ``truth`` (q, k) that stands in the same row of ``found``."""
    if not truth.size:
        return 1.0
    return float(np.mean([np.isin(t, f).mean() for f, t in zip(found, truth, strict=True)]))
