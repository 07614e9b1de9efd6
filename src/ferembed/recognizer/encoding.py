"""From images to embeddings, by one look at each face or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ferembed.data.dataset import DataError, FaceDataset
from ferembed.data.resolution import as_asked
from ferembed.labels import place_of
from ferembed.models import Encoder
from ferembed.recognizer.inputs import prepare_images, prepared_batches
from ferembed.training.augmentation import to_float

if TYPE_CHECKING:
    from ferembed.recognizer.inputs import Faces


Views: TypeAlias = Literal["single", "flip", "ten_crop"]
"""Ways to look at a test image: as it is; also mirrored; four corners and the centre, each also mirrored."""

_BATCH = 256


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


@torch.inference_mode()
def encode(encoder: Encoder, images: Faces, views: Views = "single") -> NDArray[np.float32]:
    """Unit vectors (n, d), each the average over the views of an image."""
    batches = prepared_batches(images, size=encoder.image_size, channels=encoder.channels, batch_size=_BATCH)
    device = next(encoder.parameters()).device
    parts = [_embed(encoder, torch.from_numpy(batch).to(device), views).cpu().numpy() for batch in batches]
    return np.concatenate(parts) if parts else np.empty((0, encoder.embedding_dim), np.float32)


def seen_by(encoder: Encoder, faces: FaceDataset) -> FaceDataset:
    """The faces as the encoder looks at them; see :func:`~ferembed.data.resolution.as_asked`."""
    return as_asked(faces, image_size=encoder.image_size, channels=encoder.channels)


def codes_among(classes: Sequence[str], faces: FaceDataset) -> NDArray[np.int64]:
    """The place of each face's class among a recogniser's, shape (n,).

    Raises
    ------
    DataError
        If some are of a class that is not among them.
    """
    places = [place_of(name, classes) for name in faces.classes]
    shown = faces.class_counts()
    unknown = [name for name, place in zip(faces.classes, places, strict=True) if place is None and shown[name]]
    if unknown:
        raise DataError(f"the recogniser knows {', '.join(classes)}; the data also names {', '.join(unknown)}.")
    return np.array([-1 if place is None else place for place in places], np.int64)[faces.labels]


def faces_of(encoder: Encoder, images: Faces, label: str) -> FaceDataset:
    """Images of one expression as the encoder sees them, in whole levels, each once.

    Raises
    ------
    DataError
        If an image cannot be read or is blank.
    """
    pixels = prepare_images(images, size=encoder.image_size, channels=encoder.channels)
    levels = np.rint(255 * pixels).astype(np.uint8)
    levels = levels[:, 0] if encoder.channels == 1 else np.ascontiguousarray(levels.transpose(0, 2, 3, 1))
    faces = FaceDataset(levels, np.zeros(len(levels), np.int64), (label,))
    if faces.blank.any():
        raise DataError(f"image {int(faces.blank.argmax())} is blank: it shows no face to enrol as {label}.")
    return faces.subset(np.sort(np.unique(faces.pixel_hashes, return_index=True)[1]))


def _embed(encoder: Encoder, pixels: torch.Tensor, views: Views) -> torch.Tensor:
    if views == "single":
        embeddings: torch.Tensor = encoder(pixels)
        return embeddings
    looks = test_views((255 * pixels).round().to(torch.uint8), views)
    each = encoder(looks.flatten(0, 1)).unflatten(0, looks.shape[:2])
    return torch.nn.functional.normalize(each.mean(dim=1), dim=-1)
