"""Image files as arrays of one size."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ._progress import progress
from .errors import DataError

SUFFIXES: tuple[str, ...] = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
"""The file names that count as images, in lower case."""

BLANK_SPAN = 4
"""The widest span of grey levels of a blank image. FER2013 has flat images and one that spans 3 levels."""


class UndecodableImage(DataError):
    """One of many image files cannot be decoded; ``place`` is its place among them, from 0."""

    def __init__(self, problem: str, place: int) -> None:
        super().__init__(problem)
        self.place = place


def read_image(path: str | os.PathLike[str], *, image_size: int = 48, colour: bool = False) -> NDArray[np.uint8]:
    """One image file as pixels of a square.

    An image that is not square is stretched to one; the camera's orientation tag is obeyed.

    Parameters
    ----------
    path : path
        Any file Pillow can decode.
    image_size : int
        Height and width of the result, in pixels.
    colour : bool
        RGB rather than grey.

    Returns
    -------
    ndarray of uint8, shape (image_size, image_size) or (image_size, image_size, 3)

    Raises
    ------
    DataError
        If the file cannot be decoded; the sentence names it.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as opened:
            image: Image.Image = ImageOps.exif_transpose(opened)
            if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip and not scale
                image = Image.fromarray((np.asarray(image).astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8))
            image = image.convert("RGB" if colour else "L")
            size = (image_size, image_size)
            return np.array(image if image.size == size else image.resize(size, Image.Resampling.BILINEAR))
    except Exception as error:  # a broken file makes Pillow's decoders raise a dozen types
        raise DataError(f"{os.fspath(path)} cannot be decoded as an image ({error}).") from error


def read_images(paths: Sequence[str] | NDArray[np.str_], *, image_size: int, colour: bool) -> NDArray[np.uint8]:
    """Many image files in their order, as :func:`read_image` reads each; raises UndecodableImage at the first bad one.

    The shape is (n, image_size, image_size), with a last axis of 3 where ``colour`` is wanted.
    """
    images = np.empty((len(paths), image_size, image_size, *([3] if colour else [])), dtype=np.uint8)
    done = 0
    with ThreadPoolExecutor() as pool, progress("Decoding images", len(paths)) as report:
        try:
            for image in pool.map(lambda path: read_image(path, image_size=image_size, colour=colour), paths):
                images[done] = image
                done += 1
                report(done)
        except DataError as error:
            pool.shutdown(cancel_futures=True)
            raise UndecodableImage(str(error), place=done) from error
    return images


def is_blank(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether no channel's pixels span more than :data:`BLANK_SPAN` steps: (n, h, w) or (n, h, w, 3) to (n,)."""
    n, height, width, *channels = images.shape
    pixels = images.reshape(n, height * width, *(channels or [1]))
    span = pixels.max(axis=1, initial=0).astype(np.int16) - pixels.min(axis=1, initial=255)
    blank: NDArray[np.bool_] = span.max(axis=1, initial=0) <= BLANK_SPAN
    return blank


def pixel_hash(image: NDArray[np.uint8]) -> str:
    """SHA-1 of an image's bytes in hexadecimal."""
    return hashlib.sha1(image.tobytes()).hexdigest()
