"""The squares that are cut out around faces."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferembed.data import DataError
from ferembed.faces import FaceCropper, HogDetector
from ferembed.faces.detectors import HOG_SIDE


def says(*boxes):
    """A detector that finds these."""
    return lambda image: (boxes, np.arange(len(boxes)), None)


def numbered(height, width):
    """A photo whose every pixel says where it is."""
    rows, columns = np.indices((height, width))
    return np.stack([rows, columns, np.zeros_like(rows)], axis=-1).astype(np.uint8)


def test_the_square_has_the_longer_side_is_widened_and_moved_down():
    plain = FaceCropper(says([40, 50, 60, 80]), margin=0, shift=0)(numbered(200, 200))[0]
    assert plain.box == (35, 50, 65, 80)
    wide = FaceCropper(says([40, 50, 60, 80]), margin=0.5, shift=0.1)(numbered(200, 200))[0]
    assert wide.box == (20, 38, 80, 98)  # 15 pixels on each side, 3 down
    np.testing.assert_array_equal(wide.crop, numbered(200, 200)[38:98, 20:80])
    narrow = FaceCropper(says([40, 50, 60, 80]), margin=-0.1, shift=-0.1)(numbered(200, 200))[0]
    assert narrow.box == (38, 50, 62, 74)


def test_beyond_the_photo_its_edge_is_repeated():
    face = FaceCropper(says([-10, 20, 30, 60]), margin=0, shift=0)(numbered(50, 100))[0]
    assert face.box == (0, 20, 30, 50)
    assert face.crop.shape == (40, 40, 3)
    padded = np.pad(numbered(50, 100), ((0, 10), (10, 0), (0, 0)), mode="edge")
    np.testing.assert_array_equal(face.crop, padded[20:60, :40])


photos = st.tuples(st.integers(1, 40), st.integers(1, 40))
edges = st.one_of(st.integers(-60, 100), st.floats(-60, 100), st.floats(allow_nan=False, allow_infinity=False))


@settings(deadline=None, max_examples=300)
@given(photos, st.tuples(edges, edges, edges, edges), st.floats(-0.49, 3), st.floats(-2, 2))
def test_any_box_in_any_photo_gives_a_square_of_it_or_nothing(size, corners, margin, shift):
    left, right = sorted(map(float, (corners[0], corners[2])))
    upper, lower = sorted(map(float, (corners[1], corners[3])))
    if not (left < right and upper < lower):
        return
    photo = numbered(*size)
    for face in FaceCropper(says([left, upper, right, lower]), margin=margin, shift=shift)(photo):
        height, width, channels = face.crop.shape
        assert (height, channels) == (width, 3)
        assert face.crop.dtype == np.uint8
        assert 0 <= face.box[0] < face.box[2] <= size[1]
        assert 0 <= face.box[1] < face.box[3] <= size[0]
        assert face.box[2] - face.box[0] <= width
        assert face.box[3] - face.box[1] <= height
        seen = {tuple(pixel) for pixel in face.crop.reshape(-1, 3)}
        inside = photo[face.box[1] : face.box[3], face.box[0] : face.box[2]].reshape(-1, 3)
        assert seen == {tuple(pixel) for pixel in inside}


def test_a_box_outside_the_photo_is_no_face_of_it():
    outside = says([200, 0, 230, 30], [0, -40, 30, -10], [-500, -500, 500, 500], [10, 10, 40, 40])
    assert [face.score for face in FaceCropper(outside, margin=0, shift=0)(numbered(100, 100))] == [3]


def test_faces_are_numbered_from_left_to_right_then_from_top_to_bottom():
    boxes = [[50, 0, 70, 20], [10, 60, 30, 80], [10, 5, 30, 25], [30, 30, 50, 50]]
    faces = FaceCropper(says(*boxes), margin=0, shift=0)(numbered(100, 100))
    assert [face.score for face in faces] == [2, 1, 3, 0]


def test_portraits_in_a_row_are_found_from_left_to_right(portrait):
    """Three portraits, each darker than the one before."""
    row = np.concatenate([portrait, portrait // 2, portrait // 4], axis=1)
    faces = FaceCropper(HogDetector(threshold=0.5))(row)
    assert len(faces) == 3
    assert [face.box[0] // 512 for face in faces] == [0, 1, 2]
    brightness = [face.crop.mean() for face in faces]
    assert brightness == sorted(brightness, reverse=True)


@pytest.mark.parametrize("shape", [(1, 1, 3), (HOG_SIDE - 1, HOG_SIDE - 1, 3), (300, 300, 3)])
def test_where_there_is_no_face_the_list_is_empty(shape):
    assert FaceCropper()(np.full(shape, 127, np.uint8)) == []


def test_what_the_detector_says_is_checked():
    with pytest.raises(DataError, match="boxes must have shape"):
        FaceCropper(lambda image: ([[1, 2, 3]], [1.0], None))(numbered(9, 9))


@pytest.mark.parametrize(
    "image", [np.zeros((90, 90), np.uint8), np.zeros((90, 90, 3)), np.zeros((90, 90, 4), np.uint8)]
)
def test_an_image_that_is_no_rgb_is_refused(image):
    with pytest.raises(DataError, match="as read_photo gives them, not in"):
        FaceCropper()(image)


@pytest.mark.parametrize("parameters", [{"margin": -0.5}, {"margin": np.inf}, {"margin": np.nan}, {"shift": np.nan}])
def test_parameters_that_leave_no_square_are_refused(parameters):
    with pytest.raises(ValueError, match=f"{next(iter(parameters))} must be"):
        FaceCropper(**parameters)
