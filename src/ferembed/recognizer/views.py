"""Several looks at a face, whose predictions are averaged."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from ferembed.training.augmentation import to_float

Views: TypeAlias = Literal["single", "flip", "ten_crop"]
"""Ways to look at a test image: as it is; also mirrored; four corners and the centre, each also mirrored."""


def test_views(images: Tensor, views: Views = "single") -> Tensor:  # noqa: PT028
    """Several looks at each image, whose predictions are to be averaged.

    Parameters
    ----------
    images : Tensor of uint8, shape (n, h, w) or (n, c, h, w)
        Grey or RGB pixels.
    views : {"single", "flip", "ten_crop"}
        The image; the image and its mirror; or the four corners and the centre, nine tenths of each side, enlarged
        to full size, then their mirrors.

    Returns
    -------
    Tensor of float32, shape (n, v, c, h, w)
        Pixels in [0, 1], with ``v`` 1, 2 or 10.

    Raises
    ------
    ValueError
        If the images are of a wrong type or shape, or there are no such views.

    Examples
    --------
    >>> test_views(torch.zeros(3, 48, 48, dtype=torch.uint8), "ten_crop").shape
    torch.Size([3, 10, 1, 48, 48])
    """
    pixels = to_float(images)
    if views == "single":
        return pixels[:, None]
    if views == "flip":
        return torch.stack([pixels, pixels.flip(-1)], dim=1)
    if views == "ten_crop":
        crops = _five_crops(pixels)
        return torch.cat([crops, crops.flip(-1)], dim=1)
    raise ValueError(f"views must be 'single', 'flip' or 'ten_crop', not {views!r}.")


test_views.__test__ = False  # type: ignore[attr-defined]  # pytest takes it for a test by its name


def _five_crops(pixels: Tensor) -> Tensor:
    h, w = pixels.shape[-2:]
    height, width = round(0.9 * h), round(0.9 * w)
    down, across = h - height, w - width
    corners = ((0, 0), (0, across), (down, 0), (down, across), (down // 2, across // 2))
    crops = [pixels[..., top : top + height, left : left + width] for top, left in corners]
    enlarged = [F.interpolate(crop, size=(h, w), mode="bilinear", align_corners=False) for crop in crops]
    return torch.stack(enlarged, dim=1)
