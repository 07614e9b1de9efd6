"""Faces on a page, all from one embedded picture."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike, NDArray

from ferembed.page.blocks import image_uri, join, render, slug


class FaceSheet:
    """Faces packed into one embedded picture, from which each is shown by its number as often as wanted.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
        Larger faces are scaled down to :attr:`SIDE`.
    name : str
        What the sheet holds, for those who read the page's source.

    Attributes
    ----------
    name : str
        The sheet's own on its page: other faces, another name.
    columns : int
        Faces a row of the picture; each is shown as a square of :attr:`SHOWN` pixels.
    style : Markup
        The picture itself: put it once among the blocks of the page.
    """

    COLUMNS = 64
    SHOWN = 72
    SIDE = 48
    """Height and width in pixels that a face is stored with."""

    def __init__(self, images: NDArray[np.uint8], name: str) -> None:
        self._count = len(images)
        columns = max(1, min(self.COLUMNS, self._count))
        self.columns = columns
        width, height = self.SHOWN * columns, self.SHOWN * max(1, -(-self._count // columns))
        picture = image_uri(_packed(images, columns, self.SIDE))
        self.name = f"{slug(name)}-{crc32(picture.encode()):08x}"
        self.style = Markup(
            "<style>.sheet-{} i {{ background-image: url({}); background-size: {}px {}px; }}</style>"
        ).format(self.name, picture, width, height)

    def faces(self, rows: ArrayLike, captions: Sequence[str | Markup], *, marked: ArrayLike | None = None) -> Markup:
        """Faces in a grid that wraps with the window.

        Parameters
        ----------
        rows : array-like of int, shape (m,)
            Numbers of faces in the sheet.
        captions : sequence of m str or Markup
            What stands beneath each.
        marked : array-like of bool, shape (m,), optional
            Faces with a coloured frame.
        """
        numbers = np.asarray(rows, dtype=np.int64)
        if numbers.size and not (numbers.min() >= 0 and numbers.max() < self._count):
            raise ValueError(
                f"the sheet holds faces 0 to {self._count - 1}; asked for {numbers.min()}..{numbers.max()}."
            )
        framed = np.zeros(len(numbers), bool) if marked is None else np.asarray(marked, dtype=bool)
        faces = [
            {
                "left": self.SHOWN * (number % self.columns),
                "top": self.SHOWN * (number // self.columns),
                "caption": caption,
                "marked": mark,
            }
            for number, caption, mark in zip(numbers.tolist(), captions, framed.tolist(), strict=True)
        ]
        return render("faces.html", sheet=self.name, faces=faces)


def face_grid(images: NDArray[np.uint8], captions: Sequence[str | Markup], name: str) -> Markup:
    """Faces in a sheet of their own, each with its caption; shapes and ``name`` as for :class:`FaceSheet`."""
    sheet = FaceSheet(images, name)
    return join([sheet.style, sheet.faces(np.arange(len(images)), captions)])


def _packed(images: NDArray[np.uint8], columns: int, side: int) -> NDArray[np.uint8]:
    from PIL import Image

    shape = (side, side, *images.shape[3:])
    rows = max(1, -(-len(images) // columns))
    sheet = np.zeros((rows * columns, *shape), np.uint8)
    for place, image in enumerate(images):
        sheet[place] = image if image.shape == shape else np.asarray(Image.fromarray(image).resize((side, side)))
    grid = sheet.reshape(rows, columns, *shape).swapaxes(1, 2)
    return np.ascontiguousarray(grid.reshape(rows * side, columns * side, *shape[2:]))


def face_map(picture: Markup, places: ArrayLike, sheet: FaceSheet, captions: Sequence[str]) -> Markup:
    """A picture whose points show their face and its caption.

    The nearest point is chosen by the mouse, by a touch or, where the map has the focus, by the arrow keys.

    Parameters
    ----------
    picture : Markup
        What :func:`~ferembed.page.figure` gives.
    places : array-like of float, shape (n, 2)
        Shares of the picture's width from its left and of its height from its top.
    sheet : FaceSheet
        Its face of each number belongs to the place of that number; put its style on the page, too.
    captions : sequence of n str
    """
    rounded = [[round(share, 5) for share in place] for place in np.asarray(places, dtype=np.float64).tolist()]
    data = {"places": rounded, "captions": list(captions), "columns": sheet.columns, "side": sheet.SHOWN}
    return render("map.html", picture=picture, sheet=f"sheet-{sheet.name}", data=data)
