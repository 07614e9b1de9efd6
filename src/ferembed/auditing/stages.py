"""Finished parts of a long job, kept in a folder so that an interrupted audit goes on where it stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferembed.progress import progress
from ferembed.storage import atomic_path, write_text

Arrays = dict[str, NDArray[Any]]

_KEY = "key.txt"


class Stages:
    """Results by name: computed once, then read back from the folder.

    Parameters
    ----------
    folder : path, optional
        Where they are kept; without one everything is computed.
    key : str
        What the results depend on (data and settings). Results under another key are thrown away; other files stay.

    Examples
    --------
    >>> Stages(None, "").once("squares", lambda: {"n": np.arange(3) ** 2})["n"].tolist()
    [0, 1, 4]
    """

    def __init__(self, folder: str | os.PathLike[str] | None, key: str) -> None:
        self._folder = None if folder is None else Path(folder)
        if self._folder is None:
            return
        known = self._folder / _KEY
        if known.is_file() and known.read_text(encoding="utf-8") != key:
            self.forget("")
        write_text(known, key)

    def once(self, name: str, compute: Callable[[], Mapping[str, NDArray[Any]]]) -> Arrays:
        """The arrays of that name, computed unless the folder holds them."""
        if self._folder is None:
            return dict(compute())
        from safetensors.numpy import load_file, save_file

        path = self._folder / f"{name}.safetensors"
        if not path.is_file():
            arrays = dict(compute())
            with atomic_path(path) as draft:
                save_file(arrays, draft)
        return load_file(path)

    def each(
        self, name: str, blocks: Sequence[NDArray[np.int64]], compute: Callable[[NDArray[np.int64]], Arrays], what: str
    ) -> Iterator[Arrays]:
        """The arrays of each block of rows, computed unless the folder holds them, with progress under ``what``."""
        with progress(what, sum(map(len, blocks))) as report:
            done = 0
            for number, block in enumerate(blocks):
                yield self.once(f"{name}-{number}", partial(compute, block))
                done += len(block)
                report(done)

    def forget(self, beginning: str) -> None:
        """Remove the results whose names begin so: a later result holds all that matters of them."""
        if self._folder is not None:
            for path in self._folder.glob(f"{beginning}*.safetensors"):
                path.unlink()
