"""Pictures in even light, against a naive version."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ferembed.faces import FaceCropper, equalise, standardise
from ferembed.faces.light import CONTRAST, MEAN

grey = arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=9))


def naive(image):
    """Each level becomes the share of the other pixels, beside the darkest, that are no brighter."""
    flat = image.ravel().tolist()
    least = sum(level == min(flat) for level in flat)
    if least == len(flat):
        return image
    shares = [(sum(other <= level for other in flat) - least) / (len(flat) - least) for level in flat]
    return np.reshape([round(255 * share) for share in shares], image.shape)


@settings(deadline=None)
@given(grey)
def test_equalising_is_what_the_definition_says(images):
    equal = equalise(images)
    assert equal.dtype == np.uint8
    expected = np.stack([naive(image) for image in images])
    assert np.abs(equal.astype(int) - expected).max() <= 1  # halves may be rounded either way


@settings(deadline=None)
@given(grey, st.sampled_from([equalise, standardise]))
def test_grey_in_three_channels_is_treated_as_grey(images, change):
    three = change(np.repeat(images[..., None], 3, axis=3))
    np.testing.assert_array_equal(three, np.repeat(change(images)[..., None], 3, axis=3))


@pytest.mark.parametrize("change", [equalise, standardise])
def test_dim_and_bright_pictures_of_one_thing_become_alike(change):
    thing = np.random.default_rng(0).integers(0, 101, (1, 30, 30))
    dim, bright = (change(picture.astype(np.uint8)).astype(int) for picture in (thing + 10, 2 * thing + 50))
    assert np.abs(dim - bright).max() <= 1


def test_standardised_pictures_have_the_training_faces_mean_and_contrast():
    pictures = np.random.default_rng(1).integers(90, 140, (5, 40, 40)).astype(np.uint8)
    levels = standardise(pictures).reshape(5, -1)
    np.testing.assert_allclose(levels.mean(axis=1), MEAN, atol=0.5)
    np.testing.assert_allclose(levels.std(axis=1), CONTRAST, atol=0.5)
    assert (standardise(np.full((1, 9, 9), 3, np.uint8)) == round(MEAN)).all()


def test_the_differences_of_colours_stay():
    colour = np.random.default_rng(2).integers(100, 120, (1, 20, 20, 3)).astype(np.uint8)
    even = standardise(colour // 8 * 2 + 100).astype(int)
    np.testing.assert_array_equal(even[..., 0] - even[..., 2], (colour // 8 * 2).astype(int) @ [1, 0, -1])


def test_the_cropper_evens_each_crop():
    photo = np.random.default_rng(3).integers(0, 50, (60, 60, 3)).astype(np.uint8)

    def find(image):
        return [[0, 0, 30, 30], [30, 30, 60, 60]], [1, 1], None

    plain, even = (FaceCropper(find, margin=0, shift=0, light=light)(photo) for light in (None, "equalise"))
    for before, after in zip(plain, even, strict=True):
        np.testing.assert_array_equal(after.crop, equalise(before.crop[None])[0])
    with pytest.raises(ValueError, match="light must be equalise or standardise, not 'dark'"):
        FaceCropper(light="dark")
