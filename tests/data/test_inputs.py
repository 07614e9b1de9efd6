import numpy as np
import pytest
from PIL import Image

from ferembed.data import DataError
from ferembed.data.inputs import prepare_images

RNG = np.random.default_rng(0)
FACE = RNG.integers(0, 256, (48, 48), dtype=np.uint8)


def prepare(images, size=48, channels=1):
    return prepare_images(images, size=size, channels=channels)


def test_the_same_face_in_every_guise(tmp_path):
    path = tmp_path / "face.png"
    Image.fromarray(FACE).save(path)
    expected = (FACE / np.float32(255))[None, None]
    guises = [FACE, FACE[None], FACE / 255.0, Image.fromarray(FACE), path, str(path), [FACE], [path], [FACE / 255.0]]
    for guise in guises:
        np.testing.assert_allclose(prepare(guise), expected, atol=1e-6)
    rgb = np.repeat(FACE[..., None], 3, axis=2)
    for guise in (rgb, rgb[None], rgb / 255.0, Image.fromarray(rgb), [rgb]):
        np.testing.assert_allclose(prepare(guise), expected, atol=4e-3)
    assert prepare(FACE, channels=3).shape == (1, 3, 48, 48)


def test_a_sequence_keeps_its_order_and_may_mix_sizes():
    faces = [np.full((side, side), value, np.uint8) for side, value in ((48, 0), (96, 51), (30, 255))]
    np.testing.assert_allclose(prepare(faces).mean(axis=(1, 2, 3)), [0, 0.2, 1], atol=1e-6)
    assert prepare(np.zeros((3, 100, 80), np.uint8)).shape == (3, 1, 48, 48)


def test_an_empty_batch_stays_empty():
    assert prepare([]).shape == prepare(np.zeros((0, 48, 48), np.uint8)).shape == (0, 1, 48, 48)


def test_colour_becomes_grey_as_pillow_does():
    rgb = RNG.integers(0, 256, (48, 48, 3), dtype=np.uint8)
    pillow = np.asarray(Image.fromarray(rgb).convert("L")) / 255
    np.testing.assert_allclose(prepare(rgb)[0, 0], pillow, atol=1.01 / 255)


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (np.zeros((48, 48)) + 255.0, "divide by 255"),
        (np.full((48, 48), np.nan), "NaN"),
        (np.zeros((48, 48), np.int64), "type int64"),
        (np.zeros((2, 3, 48, 48), np.uint8), r"not \(2, 3, 48, 48\).*channels come last"),
        (np.zeros(48, np.uint8), r"not \(48,\)"),
        ([np.zeros((2, 48, 48), np.uint8)], "each item must be one face"),
        ([FACE, np.zeros((48, 48)) - 1], "image 1 holds floats from -1"),
        ("gone.png", "gone.png"),
        (np.zeros((1, 0, 48), np.uint8), "no pixels"),
    ],
)
def test_what_is_no_face_is_refused_with_a_sentence(images, sentence):
    with pytest.raises(DataError, match=sentence):
        prepare(images)


def test_a_file_that_is_no_image(tmp_path):
    path = tmp_path / "notes.jpg"
    path.write_text("hello")
    with pytest.raises(DataError, match=r"notes\.jpg cannot be decoded"):
        prepare(path)
