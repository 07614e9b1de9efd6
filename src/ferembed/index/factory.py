"""Indexes by name and from disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ferembed.index.base import KINDS, WANTED_RECALL, Index, IndexStateError
from ferembed.index.stored import read_config
from ferembed.storage import StorageError, read_folder


def make_index(
    kind: str = "auto", dim: int = 128, *, expected_size: int | None = None, wanted_recall: float = WANTED_RECALL
) -> Index:
    """An empty index.

    Parameters
    ----------
    kind : {"auto", "exact", "flat", "ivf"} or one of your own, default="auto"
        ``"exact"`` is plain NumPy; the others are explained at :class:`~ferembed.index.FaissIndex`. ``"auto"`` is exact
        up to 500,000 vectors, and above visits as many cells as give a recall@10 of
        ``wanted_recall`` on a sample of the gallery. CONTRIBUTING.md shows how to write a kind of your own.
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
    made = _class_of(kind)
    if made is None:
        raise IndexStateError(f"kind must be one of {_known()}, not {kind!r}.")
    return made.of_kind(kind, dim, expected_size=expected_size, wanted_recall=wanted_recall)


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
    kind, name = config.get("kind"), config.get("class")
    made = _class_of(kind)
    if made is None or made.__name__ != name:
        raise StorageError(
            f"{folder / 'config.json'} does not describe an index that is known here: it is of an unknown index "
            f"{name!r} of kind {kind!r}, and the kinds are {_known()}. Import the module of a kind of your own first; "
            "where a kind is gone, make an index of another and add the vectors anew."
        )
    return made.load(folder)


def _class_of(kind: Any) -> type[Index] | None:
    if kind not in KINDS:
        from ferembed.index import faiss_index  # noqa: F401 - adds its kinds, not before one is asked for
    return KINDS.get(kind)


def _known() -> str:
    return ", ".join(sorted(KINDS))
