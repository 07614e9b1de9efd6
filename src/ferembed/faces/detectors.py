"""What finds faces in a photo: dlib's detector, or any function that gives boxes, scores and landmarks."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ferembed.data.errors import DataError

HOG_SIDE = 80
"""Pixels along the side of the smallest face that dlib's detector finds in a picture as it is."""

ENOUGH_PIXELS = 4_000_000
"""Pixels that a larger photo is shrunk to where nothing is said of its smallest face."""

_OF_THREAD = threading.local()


class Found(NamedTuple):
    """The faces that a detector found in one photo, in any order."""

    boxes: NDArray[np.float64]
    """Left, upper, right and lower edge of each in pixels, shape (n, 4); a box may stick out of the photo."""
    scores: NDArray[np.float64]
    """How sure the detector is of each, in its own unit; shape (n,)."""
    landmarks: NDArray[np.float64] | None = None
    """Points x, y of each face in pixels, shape (n, p, 2): the eyes' centres first, the left one in the picture before
    the right one."""


class Find(Protocol):
    """What finds faces, such as a function."""

    def __call__(self, image: NDArray[np.uint8], /) -> Found | tuple[Any, Any, Any]:
        """Boxes, scores, and landmarks or None, of the faces of RGB pixels (h, w, 3)."""


@dataclass(frozen=True)
class HogDetector:
    """dlib's detector of frontal faces by histograms of gradients.

    Parameters
    ----------
    upsample : {0, 1, 2}, default=0
        How often the photo is doubled before it is looked at. In a photo as it is the smallest face has 80 pixels a
        side, doubled once 40; each doubling takes four times as long.
    smallest : float, optional
        Pixels along the side of the smallest face that is wanted. The photo is shrunk as far as that allows. Where
        nothing is said, photos of more than 4 megapixels are shrunk to so many before they are doubled: in one of 24
        the smallest face has 196 pixels, a twentieth of its height.
    threshold : float, default=0.2
        The least score of a face. Of FER2013's enlarged frames 69% score as high, at 0 76% and at 0.5 57%; three photos
        at nine sizes show three false faces at 0.2, six at 0 and none at 0.5 (``python benchmarks/faces.py``).

    Raises
    ------
    ValueError
        If a parameter is out of range.
    ImportError
        When it is asked and dlib is not installed.

    Notes
    -----
    It may be asked by several threads at once: each has a detector of its own, made at the first question in 0.2 s.

    References
    ----------
    Dalal and Triggs (2005), Histograms of oriented gradients for human detection, CVPR. King (2015), Max-margin object
    detection, arXiv:1502.00046.
    """

    upsample: int = 0
    smallest: float | None = None
    threshold: float = 0.2

    def __post_init__(self) -> None:
        if self.upsample not in (0, 1, 2):
            raise ValueError(f"upsample must be 0, 1 or 2 doublings, not {self.upsample!r}.")
        if self.smallest is not None and not self.smallest >= HOG_SIDE / 2**self.upsample:
            raise ValueError(
                f"smallest must be {HOG_SIDE / 2**self.upsample:g} pixels at least with upsample={self.upsample}, not "
                f"{self.smallest!r}: each doubling halves the smallest face."
            )
        if not np.isfinite(self.threshold):
            raise ValueError(f"threshold must be a number, not {self.threshold!r}.")

    def __call__(self, image: NDArray[np.uint8]) -> Found:
        """The faces of RGB pixels (h, w, 3); boxes are in these pixels, whatever the photo was scaled to."""
        looked_at, scales = _scaled(image, self._scale(image))
        boxes, scores, _ = _detector().run(looked_at, 0, self.threshold)
        edges = [(box.left(), box.top(), box.right() + 1, box.bottom() + 1) for box in boxes]
        return Found(np.array(edges, np.float64).reshape(-1, 4) / np.tile(scales, 2), np.array(scores, np.float64))

    def _scale(self, image: NDArray[np.uint8]) -> float:
        if self.smallest is not None:
            return min(2.0**self.upsample, HOG_SIDE / self.smallest)
        height, width = image.shape[:2]
        shrunk = min(1.0, math.sqrt(ENOUGH_PIXELS / (height * width)))
        return shrunk * 2.0**self.upsample


def as_found(answer: Any) -> Found:
    """What a detector answered as arrays; DataError where it is no boxes, scores, and landmarks or None.

    Examples
    --------
    >>> as_found(([[10, 10, 50, 60]], [0.9], None)).boxes.dtype
    dtype('float64')
    """
    try:
        boxes, scores, landmarks = answer
    except (TypeError, ValueError) as error:
        raise DataError("a detector must give three things: boxes, scores, and landmarks or None.") from error
    edges = _numbers(boxes, "boxes")
    if not edges.size:
        return Found(np.empty((0, 4)), np.empty(0))
    if edges.ndim != 2 or edges.shape[1] != 4:
        raise DataError(f"a detector's boxes must have shape (n, 4), not {edges.shape}.")
    if not (edges[:, :2] < edges[:, 2:]).all():
        raise DataError("a detector's boxes must be left, upper, right and lower edge: right of left, lower of upper.")
    sureness = _numbers(scores, "scores")
    if sureness.shape != (len(edges),):
        raise DataError(f"a detector's scores must have shape ({len(edges)},) as its boxes, not {sureness.shape}.")
    if landmarks is None:
        return Found(edges, sureness)
    points = _numbers(landmarks, "landmarks")
    if points.ndim != 3 or len(points) != len(edges) or points.shape[1] < 2 or points.shape[2] != 2:
        raise DataError(
            f"a detector's landmarks must have shape ({len(edges)}, 2 or more, 2) as its boxes, not {points.shape}."
        )
    return Found(edges, sureness, points)


def _numbers(values: Any, name: str) -> NDArray[np.float64]:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"a detector's {name} must be numbers ({error}).") from error
    if not np.isfinite(array).all():
        raise DataError(f"a detector's {name} hold NaN or infinity.")
    return array


def import_dlib() -> Any:
    """dlib, or ImportError that says how to install it."""
    try:
        import dlib
    except ImportError as error:
        raise ImportError("finding faces needs dlib: pip install 'ferembed[faces]'") from error
    return dlib


def _detector() -> Any:
    """The thread's own: dlib's detector crashes where two threads ask one."""
    if not hasattr(_OF_THREAD, "detector"):
        _OF_THREAD.detector = import_dlib().get_frontal_face_detector()
    return _OF_THREAD.detector


def _scaled(image: NDArray[np.uint8], scale: float) -> tuple[NDArray[np.uint8], tuple[float, float]]:
    """The image scaled to whole pixels, and by how much across and down."""
    from PIL import Image

    height, width = image.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if size == (width, height):
        return image, (1.0, 1.0)
    scaled = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(scaled), (size[0] / width, size[1] / height)
