"""Image files that stand in for an array of their pixels, where all of these would not fit into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferembed.data.errors import DataError, fault
from ferembed.data.images import is_blank, pixel_hash, read_image
from ferembed.progress import progress

CHUNK = 256
"""Images decoded at a time where all of them are asked for in turn."""


class Listing(NamedTuple):
    """Where image files are listed: a table with the column ``path``, and the row of each file, shape (n,)."""

    table: Path
    rows: NDArray[np.int64]

    def fault(self, place: int, problem: str) -> DataError:
        """The error for the cell that names one of the files."""
        return fault(self.table, int(self.rows[place]), "path", problem.rstrip("."))


class ImageFiles:
    """A read-only array of images that holds their paths and decodes rows when they are asked for.

    It has the ``shape``, ``dtype`` and ``ndim`` of the array of uint8 that it stands for. An index gives pixels, as an
    array: ``files[3]`` one image, ``files[10:20]`` or ``files[[1, 5]]`` several. :meth:`subset` picks files and decodes
    none.

    Parameters
    ----------
    paths : sequence of str, of length n
        Files that Pillow can decode.
    image_size : int
        Height and width images are scaled to, in pixels.
    colour : bool
        RGB rather than grey.
    listing : Listing, optional
        The table that the paths are from.

    Raises
    ------
    DataError
        When a file that is asked for cannot be decoded; the sentence names it, and its row in the table.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = str(Path(folder, "face.png"))
    ...     Image.new("L", (64, 64), 128).save(path)
    ...     files = ImageFiles([path, path], image_size=48, colour=False)
    ...     files.shape, files[0].shape, files.subset([1]).blank.tolist()
    ((2, 48, 48), (48, 48), [True])
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self,
        paths: Sequence[str] | NDArray[np.str_],
        *,
        image_size: int,
        colour: bool,
        listing: Listing | None = None,
    ) -> None:
        self.image_size, self.colour, self._listing = image_size, colour, listing
        self._facts = _Facts(len(paths))
        self._paths: NDArray[np.str_] = np.asarray(paths, dtype=np.str_)
        self._rows = np.arange(len(paths))

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array it stands for: (n, h, w) or (n, h, w, 3)."""
        return (len(self), self.image_size, self.image_size, *([3] if self.colour else []))

    @property
    def ndim(self) -> int:
        """3 for grey, 4 for RGB images."""
        return len(self.shape)

    @property
    def paths(self) -> NDArray[np.str_]:
        """The files, shape (n,)."""
        return self._paths[self._rows]

    def __getitem__(self, rows: Any) -> NDArray[np.uint8]:
        """The pixels of one row, or of those that a slice, integer or boolean array picks."""
        picked = self._rows[rows]
        if picked.ndim == 0:
            return self._read(picked)
        images = np.empty((len(picked), *self.shape[1:]), np.uint8)
        for place, row in enumerate(picked):
            images[place] = self._read(row)
        return images

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return (self[row] for row in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        images = np.empty(self.shape, np.uint8)
        with ThreadPoolExecutor() as pool, progress("Decoding images", len(self)) as report:
            for place, image in enumerate(pool.map(self._read, self._rows)):
                images[place] = image
                report(place + 1)
        return images if dtype is None else images.astype(dtype)

    def subset(self, rows: ArrayLike) -> ImageFiles:
        """The files picked by an integer or boolean array, in that order; what is known of them stays known."""
        chosen = copy(self)
        chosen._rows = self._rows[np.asarray(rows)]
        return chosen

    def at(self, image_size: int, colour: bool) -> ImageFiles:
        """The same files read at another size, in grey or colour."""
        other = copy(self)
        other.image_size, other.colour, other._facts = image_size, colour, _Facts(len(self._paths))
        return other

    @property
    def blank(self) -> NDArray[np.bool_]:
        """Whether each image is all but one flat colour; shape (n,). The first question decodes every file once."""
        self._learn()
        return self._facts.blank[self._rows]

    @property
    def hashes(self) -> NDArray[np.str_]:
        """SHA-1 of each image's pixels in hexadecimal; shape (n,). The first question decodes every file once."""
        self._learn()
        return self._facts.hashes[self._rows]

    def _learn(self) -> None:
        """Decode the files of which nothing is known yet, a chunk at a time, and keep what is asked of all pixels."""
        facts = self._facts
        unknown = np.unique(self._rows[~facts.known[self._rows]])
        with ThreadPoolExecutor() as pool, progress("Reading image files", len(unknown)) as report:
            for start in range(0, len(unknown), CHUNK):
                rows = unknown[start : start + CHUNK]
                for row, (digest, blank) in zip(rows, pool.map(self._fact, rows), strict=True):
                    facts.hashes[row], facts.blank[row], facts.known[row] = digest, blank, True
                report(start + len(rows))

    def _fact(self, row: np.int64) -> tuple[str, bool]:
        image = self._read(row)
        return pixel_hash(image), bool(is_blank(image[None])[0])

    def _read(self, row: np.int64) -> NDArray[np.uint8]:
        try:
            return read_image(str(self._paths[row]), image_size=self.image_size, colour=self.colour)
        except DataError as error:
            if self._listing is None:
                raise
            raise self._listing.fault(int(row), str(error)) from error


class _Facts:
    """What is known of each file; all subsets of one reading share it."""

    def __init__(self, n: int) -> None:
        self.known = np.zeros(n, bool)
        self.blank = np.zeros(n, bool)
        self.hashes = np.full(n, "", "<U40")
