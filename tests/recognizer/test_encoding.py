"""What an encoder is shown of an image, and that it answers the same in PyTorch and in ONNX Runtime."""

import numpy as np
import pytest
import torch

from ferembed.recognizer.encoding import test_views as views_of


def test_views_are_the_image_its_mirror_and_its_crops():
    pixels = np.random.default_rng(0).random((3, 3, 48, 48), np.float32)
    np.testing.assert_array_equal(views_of(pixels), pixels[:, None])
    np.testing.assert_array_equal(views_of(pixels, "flip")[:, 1], pixels[..., ::-1])
    crops = views_of(pixels, "ten_crop")
    assert crops.shape == (3, 10, 3, 48, 48)
    np.testing.assert_array_equal(crops[:, 5:], crops[:, :5, ..., ::-1])
    for place, corner in enumerate(
        [pixels[..., :43, :43], pixels[..., :43, 5:], pixels[..., 5:, :43], pixels[..., 5:, 5:]]
    ):
        enlarged = torch.nn.functional.interpolate(torch.from_numpy(corner.copy()), (48, 48), mode="bilinear")
        np.testing.assert_allclose(crops[:, place], enlarged.numpy(), atol=1e-5)
    with pytest.raises(ValueError, match="'single', 'flip' or 'ten_crop', not 'five'"):
        views_of(pixels, "five")
