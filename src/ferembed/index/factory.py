"""Indexes by name and from disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

from ferembed.index._files import read_config
from ferembed.index.base import Index, IndexStateError
from ferembed.index.exact import ExactIndex
from ferembed.storage import StorageError, read_folder

KINDS: tuple[str, ...] = ("auto", "exact", "flat", "hnsw", "ivf", "ivfpq")
"""Names that :func:`make_index` knows."""


def make_index(
    kind: str = "auto", dim: int = 128, *, expected_size: int | None = None, wanted_recall: float = 0.99
) -> Index:
    """An empty index.

    Parameters
    ----------
    kind : {"auto", "exact", "flat", "hnsw", "ivf", "ivfpq"}, default="auto"
        ``"exact"`` is plain NumPy; the others are explained at :class:`~ferembed.index.FaissIndex`. ``"auto"`` is exact
        up to 500,000 vectors, and above visits as many cells as give a recall@10 of
        ``wanted_recall`` on a sample of the gallery.
    dim : int, default=128
        Length of the vectors.
    expected_size : int, optional
        How large the gallery will be, where it is known.
    wanted_recall : float in (0, 1], default=0.99
        What an approximate search must reach; a lower one is quicker.

    Raises
    ------
    IndexStateError
        If there is no such kind, or a number is below 1.

    Examples
    --------
    >>> index = make_index("flat", dim=3)
    >>> index.add([[1, 2, 2], [0, 0, 5]])
    >>> index
    FaissIndex(kind='flat', dim=3, n=2)
    >>> index.reconstruct([0]).round(2).tolist()
    [[0.33..., 0.67..., 0.67...]]
    """
    if kind not in KINDS:
        raise IndexStateError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}.")
    if kind == "exact":
        return ExactIndex(dim)
    from ferembed.index.faiss_index import FaissIndex

    return FaissIndex(dim, cast("Any", kind), expected_size=expected_size, wanted_recall=wanted_recall)


def load_index(path: str | os.PathLike[str]) -> Index:
    """Read an index of any kind from the folder its ``save`` wrote.

    Raises
    ------
    StorageError
        If the folder is missing, truncated, altered, or holds something else; the sentence names the file.
    """
    return read_folder(path, _read)


def _read(folder: Path) -> Index:
    config = read_config(folder)
    if config.get("class") == "ExactIndex":
        return ExactIndex.load(folder)
    if config.get("class") == "FaissIndex":
        from ferembed.index.faiss_index import FaissIndex

        return FaissIndex.load(folder)
    raise StorageError(f"{folder / 'config.json'} names an unknown index {config.get('class')!r}.")
