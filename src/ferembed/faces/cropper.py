"""From the pixels of a photo to its faces as an encoder sees them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ferembed.faces.detectors import Find, Found, HogDetector


class FoundFace(NamedTuple):
    """One face of a photo."""

    box: tuple[int, int, int, int]
    """Left, upper, right and lower edge of the face's square in pixels, clipped to the photo."""
    score: float
    """How sure the detector is, in its own unit."""
    crop: NDArray[np.uint8]
    """RGB pixels of the square around the face, shape (s, s, 3)."""


@dataclass(frozen=True)
class FaceCropper:
    """Finds the faces of a photo and cuts a square around each, framed as the faces were that an encoder learnt."""

    find: Find = field(default_factory=HogDetector)

    def __call__(self, image: NDArray[np.uint8]) -> list[FoundFace]:
        """The faces of RGB pixels (h, w, 3), from left to right; an empty list where there is none."""
        found = Found(*self.find(image))
        height, width = image.shape[:2]
        faces = []
        for box, score in zip(found.boxes, found.scores, strict=True):
            left, upper, right, lower = box.round().astype(int)
            kept = max(left, 0), max(upper, 0), min(right, width), min(lower, height)
            faces.append(FoundFace(kept, float(score), image[kept[1] : kept[3], kept[0] : kept[2]]))
        return sorted(faces, key=lambda face: face.box[0])
