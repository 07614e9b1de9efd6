"""From the pixels of a photo to its faces as an encoder sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ferembed.data.errors import DataError
from ferembed.faces.alignment import find_eyes, level, tilt
from ferembed.faces.detectors import Find, Found, HogDetector, as_found
from ferembed.faces.light import LIGHTS, Light

Square = tuple[int, int, int]
"""Left and upper edge and side in pixels; it may stick out of the photo."""


class FoundFace(NamedTuple):
    """One face of a photo."""

    box: tuple[int, int, int, int]
    """Left, upper, right and lower edge of the face's square in pixels, clipped to the photo."""
    score: float
    """How sure the detector is, in its own unit."""
    crop: NDArray[np.uint8]
    """RGB pixels of the square around the face, shape (s, s, 3); beyond the photo its edge is repeated."""


FindFaces = Callable[[NDArray[np.uint8]], Sequence[FoundFace]]
"""What finds and crops the faces of RGB pixels (h, w, 3)."""


@dataclass(frozen=True)
class FaceCropper:
    """Finds the faces of a photo and cuts a square around each, framed as the faces were that an encoder learnt.

    Parameters
    ----------
    find : callable, default=HogDetector()
        What finds faces: takes RGB pixels (h, w, 3), gives boxes (n, 4), scores (n,) and landmarks (n, p, 2) or None,
        as :class:`~ferembed.faces.Found` says.
    margin : float, default=0.1
        Widens the square, whose side is the longer one of the box: this share of it is added on each side. A negative
        one narrows it.
    shift : float, default=-0.05
        Moves the square down by this share of the box's longer side; a negative one moves it up.
    align : bool, default=False
        Turns the square until the line of the eyes is level: of the detector's landmarks or, where it has none, by
        dlib's model of five points (see :func:`~ferembed.faces.alignment.find_eyes`).
    light : {"equalise", "standardise"}, optional
        Evens the light of the crop, as :func:`~ferembed.faces.equalise` or :func:`~ferembed.faces.standardise` does.
        The recognisers that ship learnt faces in their own light and lose by it.

    Raises
    ------
    ValueError
        If margin or shift is not finite, margin leaves nothing of the box, or there is no such light.
    ImportError
        When it is asked and the package that the detector or the alignment needs is not installed.

    Notes
    -----
    Margin and shift are for the boxes of :class:`HogDetector`. These overlap most with the frames of FER2013 at 0.085
    and -0.06, on either half of PublicTest; the vote names about as many faces at margins from 0.05 to 0.15
    (``python benchmarks/faces.py``). Another detector's boxes want others.

    Examples
    --------
    >>> def middle(image):
    ...     height, width = image.shape[:2]
    ...     return [[width / 4, height / 4, width * 3 / 4, height * 3 / 4]], [1.0], None
    >>> face = FaceCropper(middle, margin=0.25, shift=0)(np.zeros((80, 80, 3), np.uint8))[0]
    >>> face.box, face.crop.shape
    ((10, 10, 70, 70), (60, 60, 3))
    """

    find: Find = field(default_factory=HogDetector)
    margin: float = 0.1
    shift: float = -0.05
    align: bool = False
    light: Light | None = None

    def __post_init__(self) -> None:
        if not -0.5 < self.margin < np.inf:
            raise ValueError(f"margin must be more than -0.5, which leaves nothing of a box, not {self.margin!r}.")
        if not np.isfinite(self.shift):
            raise ValueError(f"shift must be a number, not {self.shift!r}.")
        if self.light is not None and self.light not in LIGHTS:
            raise ValueError(f"light must be {' or '.join(LIGHTS)}, not {self.light!r}.")

    def __call__(self, image: NDArray[np.uint8]) -> list[FoundFace]:
        """The faces of RGB pixels (h, w, 3) as :func:`~ferembed.faces.read_photo` gives them.

        From left to right, and from top to bottom where two begin at one column; an empty list where there is none. A
        box outside the photo, or more than twice as long as it, is left out.

        Raises
        ------
        DataError
            If the image is no RGB pixels, or the detector gives something else than boxes, scores and landmarks.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise DataError(
                f"faces are looked for in RGB pixels, uint8 of shape (h, w, 3) as read_photo gives them, not in "
                f"{image.dtype} of shape {image.shape}."
            )
        found = as_found(self.find(image))
        faces = []
        for row, box in enumerate(found.boxes.tolist()):
            square = self._square(box, max(image.shape[:2]))
            if square and (seen := _clipped(square, image)):
                crop = self._turned(image, square, found, row) if self.align else cut(image, square)
                crop = LIGHTS[self.light](crop[None])[0] if self.light else crop
                faces.append(FoundFace(seen, float(found.scores[row]), crop))
        return sorted(faces, key=lambda face: face.box)

    def _square(self, box: list[float], length: int) -> Square | None:
        left, upper, right, lower = box
        longer = max(right - left, lower - upper)
        side = longer * (1 + 2 * self.margin)
        if side > 2 * length:
            return None
        side = max(1, round(side))
        centre_x = left + (right - left) / 2
        centre_y = upper + (lower - upper) / 2 + self.shift * longer
        return round(centre_x - side / 2), round(centre_y - side / 2), side

    def _turned(self, image: NDArray[np.uint8], square: Square, found: Found, row: int) -> NDArray[np.uint8]:
        """The pixels of the square, turned about its middle."""
        eyes = find_eyes(image, found.boxes[row]) if found.landmarks is None else found.landmarks[row, :2]
        left, upper, side = square
        reserve = side // 4 + 1  # what turns into the square's corners
        wider = cut(image, (left - reserve, upper - reserve, side + 2 * reserve))
        return level(wider, tilt(eyes))[reserve:-reserve, reserve:-reserve]


def whole_photo(image: NDArray[np.uint8]) -> list[FoundFace]:
    """The one face of a photo that was cropped before: all of it.

    Examples
    --------
    >>> whole_photo(np.zeros((48, 48, 3), np.uint8))[0].box
    (0, 0, 48, 48)
    """
    height, width = image.shape[:2]
    return [FoundFace((0, 0, width, height), 1.0, image)]


def cut(image: NDArray[np.uint8], square: Square) -> NDArray[np.uint8]:
    """The pixels of a square, shape (s, s, 3); beyond the photo its edge is repeated."""
    left, upper, side = square
    height, width = image.shape[:2]
    rows = np.arange(upper, upper + side).clip(0, height - 1)
    columns = np.arange(left, left + side).clip(0, width - 1)
    pixels: NDArray[np.uint8] = image[rows[:, None], columns]
    return pixels


def _clipped(square: Square, image: NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
    """The edges of what the square has of the photo, or None."""
    left, upper, side = square
    height, width = image.shape[:2]
    edges = max(left, 0), max(upper, 0), min(left + side, width), min(upper + side, height)
    return edges if edges[0] < edges[2] and edges[1] < edges[3] else None
