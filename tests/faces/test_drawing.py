"""Faces that are marked in a photo."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ferembed.faces.drawing import draw_faces
from ferembed.labels import COLOURS

CLASSES = ["happy", "sad", "surprise"]


class Seen(NamedTuple):
    box: tuple[int, int, int, int]
    label: str
    probabilities: np.ndarray


def seen(box, label="happy", probabilities=(0.8, 0.15, 0.05)):
    return Seen(box, label, np.array(probabilities))


def ground(width=640, height=480, grey=0):
    return np.full((height, width, 3), grey, np.uint8)


def coloured(picture, colour):
    """Where a picture has a colour, (h, w)."""
    rgb = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
    return (np.asarray(picture) == rgb).all(axis=2)


def changed(picture, photo):
    return (np.asarray(picture) != photo).any(axis=2)


@pytest.mark.parametrize("grey", [0, 255])
def test_a_box_has_the_colour_of_its_label_on_dark_and_bright_ground(grey):
    photo = ground(grey=grey)
    picture = draw_faces(photo, [seen((200, 150, 300, 250), "sad")], CLASSES)
    assert (photo == grey).all()
    column = coloured(picture, COLOURS["sad"])[150:250]
    assert (column[:, 200:206].sum(axis=1) >= 1).mean() > 0.9
    assert (column[:, 294:300].sum(axis=1) >= 1).mean() > 0.9
    assert not changed(picture, photo)[170:240, 210:290].any()  # the face itself stays as it is


def test_a_bar_is_as_long_as_its_probability():
    picture = draw_faces(ground(), [seen((100, 100, 200, 200), "?", (0.6, 0.3, 0.1))], CLASSES)
    lengths = [coloured(picture, COLOURS[name])[:, 205:].sum(axis=1).max() for name in CLASSES]
    assert np.allclose(np.array(lengths) / lengths[0], [1, 1 / 2, 1 / 6], atol=2 / lengths[0])


def test_a_label_that_is_no_class_has_no_class_s_colour():
    picture = draw_faces(ground(), [seen((100, 100, 200, 200), "unknown", (0, 0, 0))], CLASSES)
    assert not any(coloured(picture, COLOURS[name]).any() for name in CLASSES)
    assert coloured(picture, "#FFFFFF")[100:200, 100:106].any(axis=1).mean() > 0.9


def test_letters_and_lines_grow_with_the_photo():
    def extent(scale):
        photo = ground(640 * scale, 480 * scale)
        face = seen((200 * scale, 150 * scale, 300 * scale, 250 * scale))
        rows, columns = np.nonzero(changed(draw_faces(photo, [face], CLASSES), photo))
        return np.array([rows.min(), rows.max(), columns.min(), columns.max()]) / scale

    assert np.abs(extent(1) - extent(4)).max() < 6


def test_bars_cover_no_other_face_and_stay_in_the_photo():
    photo = ground(300, 300, 90)
    crowd = [seen((x, y, x + 60, y + 60)) for y in range(0, 300, 60) for x in range(0, 300, 60)]
    where = changed(draw_faces(photo, crowd, CLASSES), photo)
    for left, upper, right, lower in (face.box for face in crowd):
        assert not where[upper + 20 : lower - 20, left + 8 : right - 8].any()
    corner = draw_faces(photo, [seen((240, 240, 300, 300))], CLASSES)
    assert coloured(corner, COLOURS["happy"])[:, :235].any()


def test_of_two_neighbours_neither_is_hidden():
    photo = ground(640, 480, 90)
    faces = [seen((40, 200, 140, 300)), seen((150, 200, 250, 300), "sad", (0.1, 0.8, 0.1))]
    where = changed(draw_faces(photo, faces, CLASSES), photo)
    assert not where[215:290, 50:130].any()
    assert not where[215:290, 160:240].any()
    assert where[:, 255:].any()  # the right one's bars stand to its right
    assert where[:195, :140].any() or where[305:, :140].any()  # the left one's above or beneath it


def test_of_more_classes_than_fit_the_most_probable_are_shown():
    names = [f"expression {number}" for number in range(60)] + ["happy"]
    shares = np.full(61, 0.5 / 60)
    shares[-1] = 0.5
    picture = draw_faces(ground(320, 240), [Seen((20, 60, 120, 160), "expression 3", shares)], names)
    assert coloured(picture, COLOURS["happy"])[:, 125:].any()


def test_numbers_are_those_given():
    face = seen((100, 100, 200, 200))
    one, same, other = (np.asarray(draw_faces(ground(), [face], CLASSES, numbers)) for numbers in (None, [1], [7]))
    assert (one == same).all()
    assert (one != other).any()


@settings(max_examples=40)
@given(
    name=st.text(st.characters(exclude_categories=()), max_size=40)
    | st.sampled_from(["müde", "радость", "笑", "a\nb"]),
    size=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    corner=st.tuples(st.integers(-50, 400), st.integers(-50, 400)),
)
def test_any_name_and_any_box_is_drawn(name, size, corner):
    face = Seen((*corner, corner[0] + 60, corner[1] + 60), name, np.array([0.9, 0.1]))
    photo = Image.new("L", size)
    picture = draw_faces(photo, [face], [name, f"{name}!"])
    assert (picture.size, picture.mode, photo.mode) == (size, "RGB", "L")


def test_a_photo_without_a_face_is_an_exact_copy():
    photo = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    assert (np.asarray(draw_faces(photo, [], CLASSES)) == photo).all()
