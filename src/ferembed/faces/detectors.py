"""What finds faces in a photo: dlib's detector, or any function that gives boxes, scores and landmarks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Found(NamedTuple):
    """The faces that a detector found in one photo, in any order."""

    boxes: NDArray[np.float64]
    """Left, upper, right and lower edge of each in pixels, shape (n, 4); a box may stick out of the photo."""
    scores: NDArray[np.float64]
    """How sure the detector is of each, in its own unit; shape (n,)."""
    landmarks: NDArray[np.float64] | None = None
    """Points x, y of each face in pixels, shape (n, p, 2): the eyes' centres first, the left one in the picture before
    the right one, as YuNet and MTCNN have them."""


Find = Callable[[NDArray[np.uint8]], "Found | tuple[Any, Any, Any]"]
"""What finds faces: takes RGB pixels (h, w, 3), gives boxes, scores and landmarks or None."""


class HogDetector:
    """dlib's detector of frontal faces by histograms of gradients (Dalal and Triggs 2005; King 2015)."""

    def __call__(self, image: NDArray[np.uint8]) -> Found:
        import dlib

        boxes, scores, _ = dlib.get_frontal_face_detector().run(image, 0, 0.0)
        edges = [(box.left(), box.top(), box.right() + 1, box.bottom() + 1) for box in boxes]
        return Found(np.array(edges, np.float64).reshape(-1, 4), np.array(scores, np.float64))
