"""Faces read again as a network looks at them."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ferembed.data import load_folder
from ferembed.data.image_files import ImageFiles
from ferembed.data.resolution import as_asked


@pytest.fixture
def tree(tmp_path):
    rng = np.random.default_rng(0)
    for label in ("happy", "sad"):
        (tmp_path / label).mkdir()
        for number in range(3):
            Image.fromarray(rng.integers(0, 256, (96, 80, 3), dtype=np.uint8)).save(tmp_path / label / f"{number}.png")
    return tmp_path


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize(("size", "channels"), [(96, 3), (48, 3), (32, 1)])
def test_files_are_read_again_as_if_they_had_been_asked_so_at_first(tree, in_memory, size, channels):
    found = as_asked(load_folder(tree, in_memory=in_memory), image_size=size, channels=channels)
    expected = load_folder(tree, image_size=size, colour=channels == 3)
    assert isinstance(found.images, ImageFiles) is not in_memory
    np.testing.assert_array_equal(np.asarray(found.images), expected.images)
    assert (found.pixel_hashes == expected.pixel_hashes).all()
    assert as_asked(found, image_size=size, channels=channels) is found


def test_pictures_that_were_changed_or_whose_files_are_gone_stay(tree):
    faces = load_folder(tree)
    brighter = replace(faces, images=np.minimum(faces.images, 200) + 20)
    with pytest.warns(UserWarning, match="no longer those of their files: they stay 48 x 48, where 96 x 96 x 3"):
        assert as_asked(brighter, image_size=96, channels=3) is brighter
    for path in tree.rglob("*.png"):
        path.unlink()
    with pytest.warns(UserWarning, match="no longer those of their files"):
        assert as_asked(faces, image_size=96, channels=3) is faces


def test_faces_without_files_are_what_they_are(drawn):
    assert as_asked(drawn, image_size=96, channels=3) is drawn
