"""From images to embeddings, by one look at each face or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ferembed.data.dataset import DataError, FaceDataset
from ferembed.data.resolution import as_asked
from ferembed.labels import place_of
from ferembed.recognizer.inputs import prepare_images, prepared_batches

if TYPE_CHECKING:
    from ferembed.models.engines import Engine
    from ferembed.recognizer.inputs import Faces


Views: TypeAlias = Literal["single", "flip", "ten_crop"]
"""Ways to look at a test image: as it is; also mirrored; four corners and the centre, each also mirrored."""

_BATCH = 256


def test_views(pixels: NDArray[np.float32], views: Views = "single") -> NDArray[np.float32]:  # noqa: PT028
    """Several looks at each image, whose predictions are to be averaged.

    Parameters
    ----------
    pixels : ndarray of float32, shape (n, c, h, w)
        Grey or RGB, in [0, 1].
    views : {"single", "flip", "ten_crop"}
        The image; the image and its mirror; or the four corners and the centre, nine tenths of each side, enlarged
        to full size, then their mirrors.

    Returns
    -------
    ndarray of float32, shape (n, v, c, h, w)
        With ``v`` 1, 2 or 10.

    Raises
    ------
    ValueError
        If there are no such views.

    Examples
    --------
    >>> test_views(np.zeros((3, 1, 48, 48), np.float32), "ten_crop").shape
    (3, 10, 1, 48, 48)
    """
    if views == "single":
        return pixels[:, None]
    if views == "flip":
        return np.stack([pixels, pixels[..., ::-1]], axis=1)
    if views == "ten_crop":
        crops = _five_crops(pixels)
        return np.concatenate([crops, crops[..., ::-1]], axis=1)
    raise ValueError(f"views must be 'single', 'flip' or 'ten_crop', not {views!r}.")


test_views.__test__ = False  # type: ignore[attr-defined]  # pytest takes it for a test by its name


def _five_crops(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    h, w = pixels.shape[-2:]
    height, width = round(0.9 * h), round(0.9 * w)
    down, across = h - height, w - width
    corners = ((0, 0), (0, across), (down, 0), (down, across), (down // 2, across // 2))
    crops = np.stack([pixels[..., top : top + height, left : left + width] for top, left in corners], axis=1)
    return np.asarray(_enlarging(height, h) @ crops @ _enlarging(width, w).T)


def _enlarging(short: int, long: int) -> NDArray[np.float32]:
    """What turns a side of ``short`` pixels into one of ``long``, linearly between their centres; (long, short)."""
    places = np.clip((np.arange(long) + 0.5) * short / long - 0.5, 0, short - 1)
    return np.stack([np.interp(places, np.arange(short), row) for row in np.eye(short)], axis=1).astype(np.float32)


def encode(engine: Engine, images: Faces, views: Views = "single") -> NDArray[np.float32]:
    """Unit vectors (n, d), each the average over the views of an image."""
    batches = prepared_batches(images, size=engine.image_size, channels=engine.channels, batch_size=_BATCH)
    parts = [_embed(engine, batch, views) for batch in batches]
    return np.concatenate(parts) if parts else np.empty((0, engine.embedding_dim), np.float32)


def seen_by(engine: Engine, faces: FaceDataset) -> FaceDataset:
    """The faces as the encoder looks at them; see :func:`~ferembed.data.resolution.as_asked`."""
    return as_asked(faces, image_size=engine.image_size, channels=engine.channels)


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


def faces_of(engine: Engine, images: Faces, label: str) -> FaceDataset:
    """Images of one expression as the encoder sees them, in whole levels, each once.

    Raises
    ------
    DataError
        If an image cannot be read or is blank.
    """
    pixels = prepare_images(images, size=engine.image_size, channels=engine.channels)
    levels = np.rint(255 * pixels).astype(np.uint8)
    levels = levels[:, 0] if engine.channels == 1 else np.ascontiguousarray(levels.transpose(0, 2, 3, 1))
    faces = FaceDataset(levels, np.zeros(len(levels), np.int64), (label,))
    if faces.blank.any():
        raise DataError(f"image {int(faces.blank.argmax())} is blank: it shows no face to enrol as {label}.")
    return faces.subset(np.sort(np.unique(faces.pixel_hashes, return_index=True)[1]))


def _embed(engine: Engine, pixels: NDArray[np.float32], views: Views) -> NDArray[np.float32]:
    if views == "single":
        return engine.embed(pixels)
    looks = test_views(np.asarray(np.rint(255 * pixels) / np.float32(255), np.float32), views)
    each = engine.embed(looks.reshape(-1, *looks.shape[2:])).reshape(*looks.shape[:2], -1)
    mean = each.mean(axis=1)
    return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True))
