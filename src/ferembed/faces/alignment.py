"""The line of the eyes, and pictures turned until it is level."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferembed.faces.detectors import import_dlib

PACKAGE = "face_recognition_models"
MODEL = "shape_predictor_5_face_landmarks.dat"
"""The corners of the eyes and the nose. Its neighbour of 68 points may not be used commercially."""


def find_eyes(image: NDArray[np.uint8], box: Sequence[float]) -> NDArray[np.float64]:
    """The centres of a face's eyes by dlib's model of five points, in a box like those of dlib's detector.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w, 3)
        RGB.
    box : sequence of four floats
        Left, upper, right and lower edge of the face.

    Returns
    -------
    ndarray of float64, shape (2, 2)
        x and y in pixels, one eye a row, in no set order. Where there is no eye the model guesses.

    Raises
    ------
    ImportError
        If dlib or the package of the model is not installed.

    References
    ----------
    Kazemi and Sullivan (2014), One millisecond face alignment with an ensemble of regression trees, CVPR.
    """
    left, upper, right, lower = np.rint(box).astype(int).tolist()
    parts = _model()(image, import_dlib().rectangle(left, upper, right - 1, lower - 1)).parts()
    corners = np.array([(point.x, point.y) for point in parts[:4]], np.float64)
    return np.asarray(corners.reshape(2, 2, 2).mean(axis=1))


def tilt(eyes: NDArray[np.float64]) -> float:
    """By how many degrees, -90 to 90, the right one in the picture of two points lies lower than the left one.

    Examples
    --------
    >>> tilt(np.array([[10.0, 10.0], [20.0, 20.0]]))
    45.0
    """
    (left_x, left_y), (right_x, right_y) = sorted(eyes.tolist())
    return math.degrees(math.atan2(right_y - left_y, right_x - left_x))


def level(image: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    """A square image, (s, s) or (s, s, 3), turned so that what is tilted by ``degrees`` is level; corners are black."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).rotate(degrees, Image.Resampling.BILINEAR))


@lru_cache(maxsize=1)
def _model() -> Any:
    """dlib's model; the package is found by its place, since its import asks for pkg_resources."""
    spec = find_spec(PACKAGE)
    if spec is None:
        raise ImportError("aligning faces needs the model of their eyes: pip install 'ferembed[align]'")
    (folder,) = spec.submodule_search_locations or [""]
    return import_dlib().shape_predictor(str(Path(folder) / "models" / MODEL))
