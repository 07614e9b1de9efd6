"""Faces at the size and in the colours that a network looks at."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from ferembed.data.dataset import DataError, FaceDataset
from ferembed.data.image_files import CHUNK, ImageFiles


def as_asked(faces: FaceDataset, *, image_size: int, channels: int) -> FaceDataset:
    """The faces as their files show them at another size, in grey or colour; without files as they are.

    What was lost when the files were first read comes back, so that a network that sees colours is never shown grey.
    Nothing is read again where the pixels are no longer what the files held, and a sentence says so.

    Parameters
    ----------
    faces : FaceDataset
    image_size : int
        Side of the square in pixels.
    channels : {1, 3}
        Grey or RGB.

    Warns
    -----
    UserWarning
        If the pictures differ from their files.
    """
    images, colour = faces.images, channels == 3
    wanted = (image_size, image_size, *([3] if colour else []))
    if images.shape[1:] == wanted or faces.paths is None:
        return faces
    if isinstance(images, ImageFiles):
        return replace(faces, images=images.at(image_size, colour))
    files = ImageFiles(faces.paths, image_size=image_size, colour=colour)
    if _unchanged(faces, files):
        return replace(faces, images=np.asarray(files))
    shape = " x ".join(map(str, images.shape[1:]))
    warnings.warn(
        f"the pictures of {faces.source or 'the faces'} are no longer those of their files: they stay {shape}, where "
        f"{' x '.join(map(str, wanted))} is looked at.",
        stacklevel=2,
    )
    return faces


def _unchanged(faces: FaceDataset, files: ImageFiles) -> bool:
    """Whether the files, read as the faces were, give the same pixels."""
    images = faces.images
    if images.shape[1] != images.shape[2]:
        return False
    again = files.at(images.shape[1], images.ndim == 4)
    try:
        return all(
            np.array_equal(again[start : start + CHUNK], images[start : start + CHUNK])
            for start in range(0, len(images), CHUNK)
        )
    except DataError:
        return False
