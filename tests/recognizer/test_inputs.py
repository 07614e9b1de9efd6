import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from ferembed.data import DataError, FaceDataset
from ferembed.recognizer.inputs import prepare_images

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


def photo(tmp_path, name, image, **options):
    path = tmp_path / name
    image.save(path, **options)
    return path


GRADIENT = np.tile(np.linspace(0, 1, 60), (48, 1))
TURNED = Image.Exif()
TURNED[0x0112] = 6


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("name", "image", "options"),
    [
        ("turned.jpg", Image.fromarray((255 * GRADIENT).astype(np.uint8)), {"exif": TURNED}),
        ("sixteen.png", Image.fromarray((65535 * GRADIENT).astype(np.uint16)), {}),
        ("sixteen.tif", Image.fromarray((65535 * GRADIENT).astype(np.uint16)), {}),
        ("float.tif", Image.fromarray(GRADIENT.astype(np.float32)), {}),
        ("palette.png", Image.fromarray((255 * GRADIENT).astype(np.uint8)).convert("P"), {}),
        ("alpha.png", Image.fromarray((255 * GRADIENT).astype(np.uint8)).convert("RGBA"), {}),
        ("print.jpg", Image.fromarray((255 * GRADIENT).astype(np.uint8)).convert("CMYK"), {}),
        ("fax.tif", Image.fromarray((255 * GRADIENT).astype(np.uint8)).convert("1"), {}),
    ],
)
def test_a_file_says_the_same_opened_and_by_its_path(tmp_path, channels, name, image, options):
    path = photo(tmp_path, name, image, **options)
    by_path = prepare(path, channels=channels)
    with Image.open(path) as opened:
        np.testing.assert_array_equal(prepare(opened, channels=channels), by_path)
    turned = name == "turned.jpg"
    profile = by_path[0, 0].mean(axis=1 if turned else 0)
    np.testing.assert_allclose(profile, np.linspace(0, 1, 48), atol=0.1 if name == "fax.tif" else 0.03)


def test_levels_without_a_known_scale_are_refused(tmp_path):
    deep = Image.fromarray((1000 * GRADIENT).astype(np.int32))
    for image in (deep, photo(tmp_path, "deep.tif", deep)):
        with pytest.raises(DataError, match="32 bits, whose scale is not known"):
            prepare(image)
    bright = Image.fromarray((255 * GRADIENT).astype(np.float32))
    for image in (bright, photo(tmp_path, "bright.tif", bright)):
        with pytest.raises(DataError, match=r"floats from 0 to 255: floats must lie in \[0, 1\]"):
            prepare(image)


def test_a_file_whose_contrast_is_lost_is_reported(tmp_path):
    dim = photo(tmp_path, "dim.png", Image.fromarray((255 * GRADIENT).astype(np.uint16)))
    with pytest.warns(UserWarning, match=r"dim\.png becomes one flat grey"):
        prepare(dim)
    shape = np.zeros((48, 48, 4), np.uint8)
    shape[10:30, 10:30, 3] = 255
    with pytest.warns(UserWarning, match=r"cut\.png becomes one flat"):
        prepare(photo(tmp_path, "cut.png", Image.fromarray(shape)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not prepare(photo(tmp_path, "black.png", Image.new("L", (48, 48)))).any()


def test_every_documented_shape_is_one_answer_a_face(tmp_path):
    expected = prepare(FACE)
    path = str(photo(tmp_path, "face.png", Image.fromarray(FACE)))
    ones = [
        FACE[..., None], FACE[None, ..., None], [FACE[..., None]], torch.from_numpy(FACE), [FACE[None]],
        torch.from_numpy(FACE)[..., None], np.array([Path(path)], dtype=object), np.array(path), np.array([path]),
        pd.Series([path]), pd.Series([Path(path)], index=[7]), FaceDataset(FACE[None], [0], ("happy",)),
        (image for image in [FACE]),
    ]  # fmt: skip
    for one in ones:
        np.testing.assert_array_equal(prepare(one), expected)
    colour = torch.from_numpy(RNG.integers(0, 256, (96, 96, 3), dtype=np.uint8))
    assert prepare(colour).shape == (1, 1, 48, 48)
    assert prepare(np.zeros((5, 30, 30, 1))).shape == (5, 1, 48, 48)


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (np.zeros((48, 48, 4), np.uint8), r"not \(48, 48, 4\): a side of 4 pixels shows no face"),
        (np.zeros((2, 48, 48, 4), np.uint8), r"not \(2, 48, 48, 4\)"),
        (np.zeros((48, 2, 48), np.uint8), "a side of 2 pixels"),
        ([np.zeros((48, 2), np.uint8)], "image 0 .*a side of 2 pixels"),
        (FACE.tolist(), r"image 0 must have shape .* not \(48,\)"),
        (FACE[..., None].tolist(), r"image 0 must have shape .* not \(48, 1\)"),
        (torch.zeros(2, 3, 48, 48), "channels come last"),
        (None, "None is no image"),
        ([FACE, None], "image 1 is None"),
        (np.array([None]), "image 0 is None"),
        (5, "a int is no image"),
        (b"GIF89a", "a bytes is no image"),
        ({"a": FACE}, "a dict is no image"),
        (pd.DataFrame({"path": ["a.png"]}), "a DataFrame is no image"),
        (np.zeros((48, 48), object), "type object"),
        (torch.zeros(48, 48, requires_grad=True), "a Tensor of images cannot be read as an array"),
        ([[[0.0, 1.0], [0.0]]], "image 0 cannot be read as an array"),
        (np.zeros((48, 48), np.complex64), "type complex64"),
    ],
)
def test_other_layouts_are_not_guessed(images, sentence):
    with pytest.raises(DataError, match=sentence):
        prepare(images)
