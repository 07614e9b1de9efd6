"""``recognize``: from a photo to its faces and what is in them."""

import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from sklearn.frozen import FrozenEstimator

import ferembed as fe
from ferembed.data import DataError
from ferembed.estimators import RejectOption
from ferembed.faces import FaceCropper, read_photo, whole_photo
from ferembed.probability import most_probable
from ferembed.recognizer.photos import UNKNOWN

PORTRAIT = Path(fe.__file__).parent / "cli" / "portrait.jpg"


@pytest.fixture(scope="module")
def small():
    return fe.load()


@pytest.fixture(scope="module")
def group(portrait):
    """Four heads from left to right at several heights and sizes, the last cut off by the edge."""
    head = portrait.crop((120, 10, 340, 240))
    picture = Image.new("RGB", (1150, 520), "grey")
    for place, (left, upper, scale) in enumerate([(10, 250, 1.0), (240, 20, 1.1), (500, 200, 1.3), (800, 60, 1.9)]):
        turned = ImageOps.mirror(head) if place % 2 else head
        picture.paste(turned.resize((round(head.width * scale), round(head.height * scale))), (left, upper))
    return picture


@pytest.fixture(scope="module")
def drawn(small):
    """Drawn faces, which the recogniser is far less sure of."""
    return fe.drawn_faces(42, seed=8).images


def as_grid(*boxes):
    """A detector of one function: the same squares whatever the photo shows."""
    return lambda pixels: (np.array(boxes, float).reshape(-1, 4), np.ones(len(boxes)), None)


def assert_same(faces, others):
    assert len(faces) == len(others)
    for face, other in zip(faces, others, strict=True):
        assert (face.box, face.label) == (other.box, other.label)
        np.testing.assert_array_equal(face.crop, other.crop)
        np.testing.assert_allclose(face.probabilities, other.probabilities, atol=1e-6)


def test_a_photo_in_every_form_has_the_same_face(small, portrait):
    expected = small.recognize(PORTRAIT)
    assert [face.label for face in expected] == ["happy"]
    with PORTRAIT.open("rb") as file:
        forms = [str(PORTRAIT), PORTRAIT.read_bytes(), file, io.BytesIO(PORTRAIT.read_bytes()), portrait,
                 np.asarray(portrait), np.asarray(portrait) / 255]  # fmt: skip
        for form in forms:
            assert_same(small.recognize(form), expected)


def test_faces_stand_from_left_to_right_in_the_photo(small, group):
    faces = small.recognize(group)
    assert len(faces) == 4
    boxes = np.array([face.box for face in faces])
    assert (np.diff(boxes[:, 0]) > 100).all()
    assert (boxes >= 0).all()
    assert (boxes[:, 2] <= group.width).all()
    assert (boxes[:, 3] <= group.height).all()
    assert (boxes[:, :2] < boxes[:, 2:]).all()
    classes = small.classes_.tolist()
    for face in faces:
        assert face.crop.dtype == np.uint8
        assert face.crop.shape == (len(face.crop), len(face.crop), 3)
        assert face.probabilities.sum() == pytest.approx(1)
        assert face.label == classes[most_probable(face.probabilities[None])[0]] == "happy"


def test_where_there_is_no_face_there_is_no_answer(small):
    grey = np.full((200, 300), 128, np.uint8)
    assert small.recognize(grey) == []
    assert small.recognize(PORTRAIT, faces=lambda pixels: []) == []
    assert small.recognize(PORTRAIT, faces=FaceCropper(as_grid()), max_error=0.1) == []


def test_ones_own_detector_is_one_function(small, portrait):
    boxes = [(300, 150, 420, 250), (170, 70, 280, 180)]
    cropper = FaceCropper(as_grid(*boxes), margin=0, shift=0)
    right, left = (np.asarray(portrait.crop((c - 55, d - 55, c + 55, d + 55))) for c, d in ((360, 200), (225, 125)))
    found = small.recognize(portrait, faces=cropper)
    assert [face.box for face in found] == [(170, 70, 280, 180), (300, 140, 420, 260)]
    np.testing.assert_array_equal(found[0].crop, left)
    np.testing.assert_allclose(found[0].probabilities, small.predict_proba(left)[0], atol=1e-6)
    np.testing.assert_array_equal(found[1].crop[5:-5, 5:-5], right)
    with pytest.raises(DataError, match=r"boxes must have shape \(n, 4\)"):
        small.recognize(portrait, faces=FaceCropper(lambda pixels: (np.ones((2, 3)), np.ones(2), None)))


def test_a_crop_is_answered_as_predict_does(small, portrait, drawn):
    for crop in (portrait.crop((172, 72, 279, 179)), portrait.crop((150, 50, 300, 190)), drawn[0]):
        pixels = np.asarray(crop)
        for views in ("single", "flip"):
            (face,) = small.recognize(crop, faces=whole_photo, views=views)
            np.testing.assert_allclose(face.probabilities, small.predict_proba(pixels, views)[0], atol=1e-5)
            assert face.label == small.predict(pixels, views)[0]


def test_nearest_faces_are_those_of_neighbors(small, group):
    faces = small.recognize(group, neighbors=7)
    similarities, labels, ids = small.neighbors([face.crop for face in faces], k=7)
    for row, face in enumerate(faces):
        np.testing.assert_allclose(face.nearest.similarities, similarities[row], atol=1e-5)
        assert face.nearest.labels.tolist() == labels[row].tolist()
        assert face.nearest.ids.tolist() == ids[row].tolist()
    for face in small.recognize(group, neighbors=0):
        assert [column.shape for column in face.nearest] == [(0,)] * 3


def test_unknown_is_what_the_reject_option_does_not_answer(small, drawn):
    """Its threshold, fitted here on the held-out faces; and who allows more errors gets no fewer answers."""
    held_out = small._state.held_out
    side = drawn.shape[1]
    crowd = np.hstack(list(drawn))
    cropper = FaceCropper(as_grid(*((left, 0, left + side, side) for left in range(0, crowd.shape[1], side))), 0, 0)
    crops = [face.crop for face in cropper(read_photo(crowd))]
    embeddings, names = small.encode(crops), small.predict(crops)
    answered = []
    for max_error in (1e-5, 0.1, 0.2, 0.99):
        careful = RejectOption(FrozenEstimator(small.voters["vote"]), max_error)
        careful.fit(held_out.embeddings, held_out.labels)
        said = np.array([face.label for face in small.recognize(crowd, faces=cropper, max_error=max_error)])
        known = said != UNKNOWN
        assert known.tolist() == careful.answers(embeddings).tolist()
        assert said[known].tolist() == names[known].tolist()
        answered.append(set(np.flatnonzero(known)))
    assert answered[0] == set()
    assert len(answered[-1]) == len(drawn)
    assert len({len(some) for some in answered}) == 4, "the drawn faces are of every sureness"
    assert all(fewer <= more for fewer, more in pairwise(answered))
    for wrong in (0, 1, -0.1, float("nan")):
        with pytest.raises(ValueError, match="max_error must be above 0 and below 1"):
            small.recognize(drawn[0], faces=whole_photo, max_error=wrong)


def test_an_expression_enrolled_in_memory_is_answered_at_once(portrait):
    """Heads upside down, which the encoder never saw."""
    recognizer = fe.load()
    turned = ImageOps.flip(portrait)
    places = [(172 + x, 333 + y, 279 + x, 440 + y) for x in (-6, -2, 2, 6) for y in (-6, -2, 2, 6)]
    *shown, asked = [turned.crop(place) for place in places]
    recognizer.enroll("upside down", shown, save=False)
    (face,) = recognizer.recognize(asked, faces=whole_photo)
    assert recognizer.classes_[-1] == "upside down"
    assert face.probabilities.shape == (8,)
    assert face.probabilities.sum() == pytest.approx(1)
    assert face.label == recognizer.predict(asked)[0] == "upside down"
    assert face.nearest.labels[0] == "upside down"
    assert face.nearest.ids[0] < 0
    assert [face.label for face in recognizer.recognize(portrait)] == ["happy"]
    assert len(fe.load().classes_) == 7
