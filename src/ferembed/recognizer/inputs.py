"""Whatever a user calls a face, as pixels an encoder takes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, count, islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ferembed.data.dataset import FaceDataset
from ferembed.data.errors import DataError
from ferembed.data.image_files import ImageFiles
from ferembed.data.images import LUMA, as_array, read_image, square_pixels, unit_range
from ferembed.data.resolution import as_asked

if TYPE_CHECKING:
    from PIL.Image import Image

    Face = NDArray[Any] | Image | str | os.PathLike[str]
    Faces = Face | ImageFiles | FaceDataset | Iterable[Face]

SHAPES = "(h, w), (n, h, w), (h, w, 3) or (n, h, w, 3)"
SMALLEST = 8
"""Pixels along the shorter side of the smallest image that may show a face; less is an array of another layout."""


def prepare_images(images: Faces, *, size: int, channels: int) -> NDArray[np.float32]:
    """Images as a float batch in [0, 1].

    Parameters
    ----------
    images : array, PIL image, path, or a sequence of these
        Arrays are uint8, or float in [0, 1], of shape (h, w), (n, h, w), (h, w, 3) or (n, h, w, 3), sides 8 at least. A
        three-dimensional array whose last side is 3 is one RGB image; a last side of 1 is grey. What turns into an
        array, as a tensor does, is taken as one, an array or series of paths as these, and a FaceDataset as its images.
    size : int
        Side of the square output in pixels. Other sizes are resized (bilinear, antialiased).
    channels : {1, 3}
        Grey or RGB output; colour becomes grey by the weights of ITU-R 601.

    Returns
    -------
    ndarray of float32, shape (n, channels, size, size)

    Raises
    ------
    DataError
        If an image has another shape, type or range, or a file cannot be decoded.

    Examples
    --------
    >>> prepare_images(np.full((96, 96), 255, np.uint8), size=48, channels=1).shape
    (1, 1, 48, 48)
    """
    prepared = list(prepared_batches(images, size=size, channels=channels))
    return np.concatenate(prepared) if prepared else np.empty((0, channels, size, size), np.float32)


def prepared_batches(
    images: Faces, *, size: int, channels: int, batch_size: int = 256
) -> Iterator[NDArray[np.float32]]:
    """What :func:`prepare_images` gives, ``batch_size`` images at a time, so that files and iterators may be endless.

    Examples
    --------
    >>> faces = np.zeros((5, 48, 48), np.uint8)
    >>> [len(batch) for batch in prepared_batches(faces, size=48, channels=1, batch_size=2)]
    [2, 2, 1]
    """
    if isinstance(images, FaceDataset):
        images = as_asked(images, image_size=size, channels=channels).images
    images = _taken(images)
    if isinstance(images, np.ndarray | ImageFiles):
        for start in range(0, len(images), batch_size):
            yield _prepare_array(images[start : start + batch_size], start, size, channels)
        return
    faces: Iterator[Any] = iter(images)
    for start, first in zip(count(0, batch_size), faces):
        batch = chain([first], islice(faces, batch_size - 1))
        yield np.concatenate([_one(face, f"image {start + i}", size, channels) for i, face in enumerate(batch)])


def _taken(images: Any) -> NDArray[Any] | ImageFiles | Iterable[Any]:
    """A batch of pixels, files, or something to go through item by item."""
    if isinstance(images, ImageFiles):
        return images
    if _is_one(images):
        return [images]
    is_table = hasattr(images, "columns")
    if hasattr(images, "__array__") and not is_table:
        array = as_array(images, f"{_described(images)} of images")
        of_paths = array.dtype.kind in "OU" and array.ndim < 2
        return array.ravel().tolist() if of_paths else _array_batch(array, "images")
    if is_table or isinstance(images, bytes | Mapping) or not isinstance(images, Iterable):
        raise DataError(f"{_described(images)} is no image: give arrays, PIL images, paths, or a sequence of these.")
    return images


def _is_one(image: Any) -> bool:
    """Whether it is a path or a PIL image."""
    return isinstance(image, str | os.PathLike) or hasattr(image, "getextrema")


def _prepare_array(batch: NDArray[Any], start: int, size: int, channels: int) -> NDArray[np.float32]:
    if batch.shape[1:3] == (size, size):
        return _to_channels(unit_range(batch, "the batch"), channels)
    return np.concatenate([_one(image, f"image {start + i}", size, channels) for i, image in enumerate(batch)])


def _array_batch(array: NDArray[Any], name: str) -> NDArray[Any]:
    """Any of the shapes that are taken as (n, h, w) or (n, h, w, 3)."""
    batch = array
    if array.ndim in (3, 4) and array.shape[-1] == 1:
        batch = array[..., 0]
    if batch.ndim == 2 or (batch.ndim == 3 and batch.shape[-1] == 3):
        batch = batch[None]
    if not (batch.ndim == 3 or (batch.ndim == 4 and batch.shape[-1] == 3)):
        raise DataError(f"{name} must have shape {SHAPES}, not {array.shape}: colour channels come last.")
    if 0 < min(batch.shape[1:3]) < SMALLEST:
        raise DataError(
            f"{name} must have shape {SHAPES}, not {array.shape}: a side of {min(batch.shape[1:3])} pixels shows no "
            f"face, of {SMALLEST} at least one may."
        )
    return batch


def _one(image: Any, name: str, size: int, channels: int) -> NDArray[np.float32]:
    if isinstance(image, str | os.PathLike):
        return _to_channels(unit_range(read_image(image, image_size=size, colour=channels == 3)[None], name), channels)
    if _is_one(image):
        pixels = square_pixels(image, name, image_size=size, colour=channels == 3)
        return _to_channels(unit_range(pixels[None], name), channels)
    if not hasattr(image, "__array__") and not isinstance(image, Sequence):
        raise DataError(f"{name} is {_described(image)}: each must be an array, a PIL image or a path.")
    array = as_array(image, name)
    batch = _array_batch(array, name)
    if len(batch) != 1:
        raise DataError(f"{name} of the sequence has shape {array.shape}: each item must be one face.")
    return _resize(_to_channels(unit_range(batch, name), channels), size)


def _described(thing: Any) -> str:
    return "None" if thing is None else f"a {type(thing).__name__}"


def _to_channels(batch: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    if batch.ndim == 3:
        return np.repeat(batch[:, None], channels, axis=1)
    if channels == 3:
        return np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
    return np.asarray(batch @ np.array(LUMA, np.float32))[:, None]


def _resize(batch: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    from PIL import Image

    if batch.shape[2:] == (size, size):
        return batch
    planes = [Image.fromarray(plane).resize((size, size), Image.Resampling.BILINEAR) for plane in batch[0]]
    return np.stack([np.asarray(plane, np.float32) for plane in planes])[None]
