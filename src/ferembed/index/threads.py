"""FAISS and Python threads: one OpenMP thread in each call, several calls side by side for large batches."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

faiss: Any = importlib.import_module("faiss")
"""FAISS, untyped: its own stubs leave out a good part of what it has."""

Found = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Similarities and rows, each (q, k)."""

THREADS: int = faiss.omp_get_max_threads()
"""Threads for a large batch: the cores this process may use, or ``OMP_NUM_THREADS`` where it is set."""

_SHARE = 128
"""Fewest queries worth a thread of their own."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep FAISS's calls from this thread free of OpenMP teams, which a forked child would wait for in vain.

    Torch may share the number, so it is set back: a search must not leave an encoder on one core.
    """
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


def side_by_side(search: Callable[[NDArray[np.float32]], Found], queries: NDArray[np.float32]) -> Found:
    """``search(queries)``, a large batch split among threads that end with the call."""
    parts = min(THREADS, len(queries) // _SHARE)
    alone = one_thread()(search)
    if parts < 2:
        return alone(queries)

    with ThreadPoolExecutor(parts) as pool:
        found = list(pool.map(alone, np.array_split(queries, parts)))
    return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])


def exhaustive(queries: NDArray[np.float32], gallery: NDArray[np.float32], k: int) -> Found:
    """The ``k`` largest inner products with the rows of ``gallery``, by FAISS."""
    return side_by_side(lambda part: faiss.knn(part, gallery, k, metric=faiss.METRIC_INNER_PRODUCT), queries)
