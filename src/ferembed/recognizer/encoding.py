"""From images to embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ferembed.data.augmentation import test_views
from ferembed.data.dataset import DataError, FaceDataset
from ferembed.data.inputs import prepare_images, prepared_batches
from ferembed.models import Encoder

if TYPE_CHECKING:
    from ferembed.data.augmentation import Views
    from ferembed.data.inputs import Faces

_BATCH = 256


@torch.inference_mode()
def encode(encoder: Encoder, images: Faces, views: Views = "single") -> NDArray[np.float32]:
    """Unit vectors (n, d), each the average over the views of an image."""
    batches = prepared_batches(images, size=encoder.image_size, channels=encoder.channels, batch_size=_BATCH)
    device = next(encoder.parameters()).device
    parts = [_embed(encoder, torch.from_numpy(batch).to(device), views).cpu().numpy() for batch in batches]
    return np.concatenate(parts) if parts else np.empty((0, encoder.embedding_dim), np.float32)


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
