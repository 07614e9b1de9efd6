"""Faces turned until the line of their eyes is level."""

import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ferembed.faces import FaceCropper, HogDetector
from ferembed.faces.alignment import find_eyes, tilt

SURE = HogDetector(threshold=0.5)
EYES = np.array([[203.0, 102.0], [246.0, 104.0]])
"""Of the portrait, by eye."""


def turned(pixels, degrees):
    """Clockwise about the middle of the portrait's eyes."""
    return np.asarray(Image.fromarray(pixels).rotate(-degrees, Image.Resampling.BICUBIC, center=(225, 127)))


def test_the_eyes_of_the_portrait_are_where_they_are(portrait):
    eyes = find_eyes(portrait, SURE(portrait).boxes[0])
    assert np.abs(np.sort(eyes, axis=0) - EYES).max() < 4


@pytest.mark.parametrize("degrees", [-15, 15])
def test_alignment_undoes_a_turn(portrait, degrees):
    upright = FaceCropper(SURE, align=True)(portrait)[0].crop.astype(float)
    photo = turned(portrait, degrees)
    crops = [FaceCropper(SURE, align=align)(photo)[0].crop for align in (False, True)]
    left, levelled = (
        np.asarray(Image.fromarray(crop).resize(upright.shape[:2]), np.float64) - upright for crop in crops
    )
    assert np.abs(levelled).mean() < 0.7 * np.abs(left).mean()


def level_dots(degrees, side=200):
    """A photo of two dots whose line is tilted, and a detector that knows them."""
    across = 30 * np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    dots = np.array([100 - across, 100 + across])
    picture = Image.new("RGB", (side, side), "white")
    for x, y in dots:
        ImageDraw.Draw(picture).ellipse([x - 4, y - 4, x + 4, y + 4], "black")
    return np.asarray(picture), lambda image: ([[50, 50, 150, 150]], [1.0], dots[None])


@pytest.mark.parametrize("degrees", [-80, -33.5, 0, 10, 45, 80])
def test_a_detectors_own_landmarks_are_made_level(degrees):
    photo, find = level_dots(degrees)
    assert tilt(find(photo)[2][0]) == pytest.approx(degrees)
    face = FaceCropper(find, margin=0, shift=0, align=True)(photo)[0]
    assert face.box == (50, 50, 150, 150)
    rows, columns = np.nonzero(face.crop[..., 0] < 100)
    assert np.abs(rows - 49.5).max() < 7
    assert {*np.unique(columns < 50)} == {True, False}
    assert np.abs(np.abs(columns - 49.5) - 30).max() < 7


def test_the_order_of_the_eyes_turns_no_face_upside_down():
    assert tilt(np.array([[50.0, 20.0], [10.0, 20.0]])) == 0
    assert tilt(np.array([[50.0, 20.0], [50.0, 20.0]])) == 0


def test_turned_corners_show_the_photo_or_its_edge():
    photo, find = level_dots(45, side=140)  # the square reaches its right and lower edge
    assert FaceCropper(find, margin=0, shift=0, align=True)(photo)[0].crop[[0, 0, -1, -1], [0, -1, 0, -1]].min() == 255


def test_any_box_can_be_aligned():
    """Where there are no eyes the model guesses, and nothing is raised."""
    photo = np.random.default_rng(0).integers(0, 256, (50, 40, 3)).astype(np.uint8)
    boxes = [[0, 0, 1, 1], [-20, -20, 30, 30], [38.6, 3, 39.4, 3.2], [5, 5, 6, 90], [10, 10, 30, 30]]
    faces = FaceCropper(lambda image: (boxes, np.ones(5), None), margin=0, shift=0, align=True)(photo)
    assert len(faces) == 5
    assert all(face.crop.shape[0] == face.crop.shape[1] for face in faces)


def test_without_the_model_one_sentence_says_what_to_install(portrait, monkeypatch):
    from ferembed.faces import alignment

    alignment._model.cache_clear()
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(ImportError, match=r"pip install 'ferembed\[align\]'$"):
        find_eyes(portrait, (0, 0, 90, 90))


def test_aligning_loads_neither_the_package_nor_the_model_of_68_points(portrait):
    find_eyes(portrait, (0, 0, 90, 90))
    assert "face_recognition_models" not in sys.modules
